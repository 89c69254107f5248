//! The central directory in memory: of each entry the bytes of its name, and 48 more.
//!
//! Archives have millions of entries, so nothing is kept twice.

use tokio::io::AsyncReadExt as _;

use super::{ReadFailure, Reader};
use crate::archive::plan::{NoticeKind, Noticed};
use crate::archive::zip::{CENTRAL_LEN, Central, Directory, DirectoryReader, Header};

/// All entries, in the order of their data.
#[derive(Debug, Default)]
pub(super) struct Index {
    names: Vec<u8>,
    records: Vec<Record>,
}

/// What the central directory says of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    offset: u64,
    compressed: u64,
    pub(super) uncompressed: u64,
    name: usize,
    name_len: u16,
    method: u16,
    flags: u16,
    /// `st_mode`, 0 if the archive does not say.
    pub(super) mode: u16,
    pub(super) crc32: u32,
    dos_time: u32,
}

/// The host whose attributes hold an `st_mode` (4.4.2.2).
const UNIX: u16 = 3;

impl Index {
    /// Reads a directory. `reader` starts at its first header. `noticed` gets the names that the agents'
    /// readers change.
    pub(super) async fn read(
        reader: &mut Reader,
        directory: &Directory,
        noticed: &mut Noticed,
    ) -> Result<Self, ReadFailure> {
        let mut index = Self::default();
        index.reserve(directory);
        let mut headers = DirectoryReader::new(directory);
        while let Some((_, piece)) = headers.next_piece()? {
            reader.read_exact(piece).await?;
            while let Some(central) = headers.next_header()? {
                noticed.see_name(central.header.name);
                if central.name_depends_on_locale() {
                    noticed.add(NoticeKind::ExtraName, central.header.name);
                }
                index.push(&central);
            }
        }
        index.records.sort_by_key(|record| record.offset);
        Ok(index)
    }

    /// Reserves all the room that the index needs, so that it is never copied to grow. Pages that are
    /// not written to take no memory. If the reservation fails, the index grows as it is filled.
    fn reserve(&mut self, directory: &Directory) {
        let header = CENTRAL_LEN as u64;
        let entries = directory.entries.min(directory.len / header);
        let names = directory.len - entries * header;
        let room = |len: u64| usize::try_from(len).unwrap_or(usize::MAX);
        let _ = self.records.try_reserve_exact(room(entries));
        let _ = self.names.try_reserve_exact(room(names));
    }

    fn push(&mut self, central: &Central<'_>) {
        let header = &central.header;
        let unix = central.made_by >> 8 == UNIX;
        self.records.push(Record {
            offset: central.offset,
            compressed: header.compressed,
            uncompressed: header.uncompressed,
            name: self.names.len(),
            // The archive has its length in 16 bits.
            name_len: u16::try_from(header.name.len()).unwrap_or(u16::MAX),
            method: header.method,
            flags: header.flags,
            mode: u16::try_from(central.attributes >> 16).unwrap_or(0) * u16::from(unix),
            crc32: header.crc32,
            dos_time: header.dos_time,
        });
        self.names.extend_from_slice(header.name);
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The entry at `at` in the order of the data, and the offset of its local header.
    pub(super) fn entry(&self, at: usize) -> Option<(Header<'_>, u64)> {
        let record = self.records.get(at)?;
        let header = Header {
            flags: record.flags,
            method: record.method,
            dos_time: record.dos_time,
            crc32: record.crc32,
            compressed: record.compressed,
            uncompressed: record.uncompressed,
            name: self.name(record),
        };
        Some((header, record.offset))
    }

    fn name(&self, record: &Record) -> &[u8] {
        let end = record.name + usize::from(record.name_len);
        self.names.get(record.name..end).unwrap_or_default()
    }

    /// The entries in the order of their names, each with its place in the order of the data.
    pub(super) fn in_name_order(&self) -> impl Iterator<Item = (usize, &[u8], &Record)> {
        let entry = |at: u32| {
            let record = &self.records[at as usize];
            (at as usize, self.name(record), record)
        };
        // 32 bits suffice: more entries would take 200 GB of memory.
        let len = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..len).collect();
        order.sort_unstable_by_key(|at| (entry(*at).1, *at));
        order.into_iter().map(entry)
    }

    /// The first two neighbours in the data that are not in the order of their names.
    pub(super) fn out_of_order(&self) -> Option<(&[u8], &[u8])> {
        let mut pairs = self
            .records
            .windows(2)
            .map(|pair| (self.name(&pair[0]), self.name(&pair[1])));
        pairs.find(|(first, then)| first > then)
    }

    /// The names that more than one entry has, once for each entry after the first.
    pub(super) fn duplicates(&self) -> impl Iterator<Item = &[u8]> {
        let mut last = None;
        self.in_name_order()
            .filter_map(move |(_, name, _)| (last.replace(name) == Some(name)).then_some(name))
    }
}

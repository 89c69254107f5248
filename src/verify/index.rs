//! The central directory, as small as it gets.

use tokio::io::AsyncReadExt as _;

use super::{Reader, Trouble};
use crate::archive::zip::{Central, Directory, Header, ReadError, Record, central_header};

/// The directory is read this much at a time. A header has 46 bytes and three fields of up to 64 KiB.
const PIECE: usize = 256 << 10;

/// All entries, in the order of their data. A name takes its bytes, the rest 48.
#[derive(Debug, Default)]
pub(super) struct Index {
    names: Vec<u8>,
    records: Vec<Compact>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Compact {
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

/// Bytes of a central header without name and extra fields (4.3.12).
const CENTRAL_LEN: u64 = 46;

/// An entry, as the central directory has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indexed<'a> {
    pub(super) header: Header<'a>,
    /// Where its local header is.
    pub(super) offset: u64,
}

impl Index {
    /// Reads a directory.
    pub(super) async fn read(reader: &mut Reader, place: &Directory) -> Result<Self, Trouble> {
        let mut index = Self::default();
        index.make_room(place);
        let mut directory = reader.take(place.len);
        let mut buffer = Vec::with_capacity(PIECE);
        let mut at = 0;
        loop {
            match central_header(&buffer[at..])? {
                Some((central, len)) => {
                    index.push(&central);
                    at += len;
                }
                None => {
                    buffer.drain(..at);
                    at = 0;
                    let had = buffer.len();
                    let more = directory.limit().min(PIECE as u64);
                    if more > 0 {
                        (&mut directory).take(more).read_to_end(&mut buffer).await?;
                    }
                    if buffer.is_empty() {
                        index.records.sort_by_key(|record| record.offset);
                        return Ok(index);
                    }
                    if buffer.len() == had {
                        return Err(Trouble::Archive(ReadError::Truncated {
                            record: Record::CentralHeader,
                        }));
                    }
                }
            }
        }
    }

    /// Room that need not grow. What is not written to takes no memory, and if there is none, then it
    /// grows.
    fn make_room(&mut self, place: &Directory) {
        let entries = place.entries.min(place.len / CENTRAL_LEN);
        let names = place.len - entries * CENTRAL_LEN;
        let room = |len: u64| usize::try_from(len).unwrap_or(usize::MAX);
        let _ = self.records.try_reserve_exact(room(entries));
        let _ = self.names.try_reserve_exact(room(names));
    }

    fn push(&mut self, central: &Central<'_>) {
        let header = &central.header;
        let unix = central.made_by >> 8 == UNIX;
        self.records.push(Compact {
            offset: central.offset,
            compressed: header.compressed,
            uncompressed: header.uncompressed,
            name: self.names.len(),
            // It came with a length of 16 bits.
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

    fn name(&self, record: &Compact) -> &[u8] {
        let end = record.name + usize::from(record.name_len);
        self.names.get(record.name..end).unwrap_or_default()
    }

    /// The entry at `at`, in the order of the data.
    pub(super) fn get(&self, at: u32) -> (&[u8], &Compact) {
        let record = &self.records[at as usize];
        (self.name(record), record)
    }

    /// The places of all entries, in the order of their names.
    fn by_name(&self) -> Vec<u32> {
        // More would take 200 GB.
        let len = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..len).collect();
        order.sort_unstable_by_key(|at| (self.get(*at).0, *at));
        order
    }

    /// The entries in the order of their names, each with its place in the order of the data.
    pub(super) fn in_name_order(&self) -> impl Iterator<Item = (u32, (&[u8], &Compact))> {
        self.by_name().into_iter().map(|at| (at, self.get(at)))
    }

    /// The first entry that comes before one of a smaller name, and that one.
    pub(super) fn out_of_order(&self) -> Option<(&[u8], &[u8])> {
        let mut pairs = self
            .records
            .windows(2)
            .map(|pair| (self.name(&pair[0]), self.name(&pair[1])));
        pairs.find(|(first, then)| first > then)
    }

    /// The names that more than one entry has, once for each that is too many.
    pub(super) fn twice(&self) -> Vec<&[u8]> {
        let order = self.by_name();
        let names = order
            .windows(2)
            .map(|pair| (self.get(pair[0]).0, self.get(pair[1]).0));
        names.filter(|(a, b)| a == b).map(|(a, _)| a).collect()
    }

    /// Each entry in the order of the data, and where the next one's local header is or, for the last,
    /// the `directory`.
    pub(super) fn in_archive_order(self, directory: u64) -> impl Iterator<Item = (Owned, u64)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let record = self.records.get(at)?;
            at += 1;
            let next = self.records.get(at).map_or(directory, |next| next.offset);
            let owned = Owned {
                name: self.name(record).to_vec(),
                record: *record,
            };
            Some((owned, next))
        })
    }
}

/// An entry that is read next.
pub(super) struct Owned {
    name: Vec<u8>,
    record: Compact,
}

impl Owned {
    pub(super) fn indexed(&self) -> Indexed<'_> {
        let record = &self.record;
        Indexed {
            header: Header {
                flags: record.flags,
                method: record.method,
                dos_time: record.dos_time,
                crc32: record.crc32,
                compressed: record.compressed,
                uncompressed: record.uncompressed,
                name: &self.name,
            },
            offset: record.offset,
        }
    }
}

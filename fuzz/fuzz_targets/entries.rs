//! Any entries through the zip writer: the strict judge accepts the archive, and two readers that share no
//! code with the writer read the entries back. Then the archive is damaged, which the judge must survive.

#![no_main]

use std::io::{Cursor, Read, Write};

use arbitrary::Arbitrary;
use hoist::archive::zip::*;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/archive/zip/strict.rs"]
mod strict;

use strict::{Checked, check, check_from};

#[derive(Arbitrary, Debug)]
struct Input {
    files: Vec<File>,
    start: Start,
    edits: Vec<(u32, u8)>,
}

#[derive(Arbitrary, Debug)]
struct File {
    name: Vec<u8>,
    mode: u32,
    mtime: Mtime,
    content: Vec<u8>,
    deflate: bool,
    /// For a giant: the worst case that is assumed before it is read.
    giant: Option<u64>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Mtime {
    Any(i64),
    Common(u32),
    NearTimestampStart(i8),
    NearTimestampEnd(i8),
    NearDosStart(i8),
    NearDosEnd(i8),
}

/// How many imagined bytes come before the archive.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Start {
    Zero,
    Before4GiB(u16),
    Any(u64),
}

impl Start {
    fn offset(self) -> u64 {
        match self {
            Start::Zero => 0,
            Start::Before4GiB(by) => (1 << 32) - u64::from(by),
            Start::Any(offset) => offset >> 1,
        }
    }
}

impl File {
    fn is_directory(&self) -> bool {
        self.name.ends_with(b"/")
    }

    fn mtime(&self) -> i64 {
        let near = |time: i64, by: i8| time + i64::from(by);
        match self.mtime {
            Mtime::Any(time) => time,
            Mtime::Common(time) => time.into(),
            Mtime::NearTimestampStart(by) => near(i32::MIN.into(), by),
            Mtime::NearTimestampEnd(by) => near(i32::MAX.into(), by),
            Mtime::NearDosStart(by) => near(315_532_800, by),
            Mtime::NearDosEnd(by) => near(4_354_819_200, by),
        }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            name: &self.name,
            mode: self.mode,
            mtime: self.mtime(),
            method: match self.deflate && !self.is_directory() {
                true => Method::Deflate,
                false => Method::Stored,
            },
        }
    }

    fn content(&self) -> &[u8] {
        match self.is_directory() {
            true => b"",
            false => &self.content,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self.entry().method {
            Method::Stored => self.content().to_vec(),
            Method::Deflate => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(self.content()).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    /// The mode that the archive should hold.
    fn written_mode(&self) -> u32 {
        let (kind, usual) = match self.mode >> 12 & 0o17 {
            _ if self.is_directory() => (0o04, 0o755),
            0o12 => (0o12, 0o644),
            _ => (0o10, 0o644),
        };
        let permissions = match self.mode {
            0 => usual,
            mode => mode & 0o777,
        };
        kind << 12 | permissions
    }

    /// The extended timestamp that the archive should hold.
    fn written_timestamp(&self) -> Option<i32> {
        let time = i32::try_from(self.mtime()).ok();
        time.filter(|_| self.name.is_ascii())
    }

    /// The time that the MS-DOS fields should hold.
    fn dos_seconds(&self) -> i64 {
        self.mtime().clamp(315_532_800, 4_354_819_199) & !1
    }
}

/// Sorts the files, and drops those whose names are not allowed.
fn plan(mut files: Vec<File>) -> Vec<File> {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let mut kept: Vec<File> = Vec::new();
    for file in files {
        let names = kept.iter().chain([&file]).map(|file| file.name.as_slice());
        if check_name(&file.name, NonUtf8::Raw).is_ok() && check_order(names).is_ok() {
            kept.push(file);
        }
    }
    kept
}

fn write(start: u64, files: &[File]) -> Vec<u8> {
    let (mut out, mut written, mut bound) = (Vec::new(), Vec::new(), MAX_END);
    for file in files {
        let (entry, data) = (file.entry(), file.data());
        let (compressed, uncompressed) = (data.len() as u64, file.content().len() as u64);
        let crc32 = crc32fast::hash(file.content());
        bound += max_overhead(entry.name.len()) + compressed;

        let at = out.len();
        let sizes = if let Some(worst_case) = file.giant {
            let open = Sizes::open(uncompressed, worst_case.max(compressed));
            local_header(&mut out, &entry, &open);
            let closed = open.close(crc32, compressed);
            let mut header = Vec::new();
            local_header(&mut header, &entry, &closed);
            assert_eq!(header.len(), out.len() - at);
            out[at..].copy_from_slice(&header);
            closed
        } else {
            let sizes = Sizes::known(crc32, compressed, uncompressed);
            local_header(&mut out, &entry, &sizes);
            sizes
        };
        assert_eq!(out.len() - at, local_header_len(&entry, &sizes));
        out.extend_from_slice(&data);
        written.push((entry, sizes, start + at as u64));
    }
    let mut directory = CentralDirectory::new(start + out.len() as u64);
    for (entry, sizes, offset) in &written {
        directory.entry(&mut out, entry, sizes, *offset);
    }
    directory.finish(&mut out);
    assert!(out.len() as u64 <= bound);
    out
}

fn compare_checked(files: &[File], checked: &[Checked<'_>]) {
    assert_eq!(files.len(), checked.len());
    for (file, checked) in files.iter().zip(checked) {
        assert_eq!(checked.name, file.name);
        assert_eq!(checked.method, file.entry().method);
        assert_eq!(checked.mode, file.written_mode());
        let mtime = file.written_timestamp().map(i64::from);
        assert_eq!(checked.mtime, mtime.unwrap_or(file.dos_seconds()));
        assert_eq!(checked.crc32, crc32fast::hash(file.content()));
        assert_eq!(checked.uncompressed, file.content().len() as u64);
        assert_eq!(checked.data, Some(file.data().as_slice()));
    }
}

fn compare_with_zip(files: &[File], archive: &[u8]) {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    archive.validate_header_consistency().unwrap();
    assert_eq!(archive.len(), files.len());
    for (index, file) in files.iter().enumerate() {
        let mut read = archive.by_index(index).unwrap();
        assert_eq!(read.name_raw(), file.name);
        assert_eq!(read.unix_mode(), Some(file.written_mode()));
        let timestamp = read.extra_data_fields().find_map(|field| match field {
            zip::ExtraField::ExtendedTimestamp(time) => time.mod_time(),
            _ => None,
        });
        assert_eq!(timestamp.map(u32::cast_signed), file.written_timestamp());
        let mut content = Vec::new();
        read.read_to_end(&mut content).unwrap();
        assert_eq!(content, file.content());
    }
}

fn compare_with_rawzip(files: &[File], archive: &[u8]) {
    let archive = rawzip::ZipArchive::from_slice(archive).unwrap();
    let mut entries = archive.entries();
    for file in files {
        let record = entries.next_entry().unwrap().unwrap();
        assert_eq!(record.file_path().as_bytes(), file.name);
        assert_eq!(record.mode().value(), file.written_mode());
        assert!(!record.flags().has_data_descriptor());
        let dos = record.last_modified_dos();
        let utc = rawzip::time::UtcDateTime::from_unix(file.dos_seconds());
        assert_eq!(
            [
                dos.month(),
                dos.day(),
                dos.hour(),
                dos.minute(),
                dos.second()
            ],
            [
                utc.month(),
                utc.day(),
                utc.hour(),
                utc.minute(),
                utc.second()
            ]
        );
        assert_eq!(dos.year(), utc.year());

        let entry = archive.get_entry(record.wayfinder()).unwrap();
        let data: Box<dyn Read> = match file.entry().method {
            Method::Stored => Box::new(entry.data()),
            Method::Deflate => Box::new(flate2::read::DeflateDecoder::new(entry.data())),
        };
        let mut content = Vec::new();
        let mut verified = entry.verifying_reader(data);
        verified.read_to_end(&mut content).unwrap();
        assert_eq!(content, file.content());
    }
    assert!(entries.next_entry().unwrap().is_none());
}

fuzz_target!(|input: Input| {
    let files = plan(input.files);

    let archive = write(0, &files);
    compare_checked(&files, &check(&archive).unwrap());
    compare_with_zip(&files, &archive);
    compare_with_rawzip(&files, &archive);

    let start = input.start.offset();
    let mut far = write(start, &files);
    compare_checked(&files, &check_from(&far, start).unwrap());

    for (at, byte) in input.edits {
        let at = at as usize % far.len();
        far[at] = byte;
    }
    if let Ok(checked) = check_from(&far, start) {
        // If the checker still accepts the archive, it is consistent.
        assert!(checked.iter().all(|entry| entry.data.is_some()));
        assert!(check_order(checked.iter().map(|entry| entry.name)).is_ok());
    }
});

//! Manifests. Any bytes: the reader refuses them, or the writer writes the same bytes again. Any entries:
//! the writer refuses them, or the reader returns them.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use hoist::archive::manifest::{Entry, Kind, Reader, Totals, Writer};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Line {
    path: Vec<u8>,
    kind: u8,
    mode: u16,
    size: u64,
    crc32: u32,
    blake3: [u8; 32],
}

impl Line {
    fn entry(&self) -> Entry<'_> {
        Entry {
            path: &self.path,
            kind: match self.kind % 3 {
                0 => Kind::File,
                1 => Kind::Symlink,
                _ => Kind::Directory,
            },
            mode: self.mode.into(),
            size: self.size,
            crc32: self.crc32,
            blake3: blake3::Hash::from_bytes(self.blake3),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((0, text)) => read(text),
        // With a first line, which the fuzzer would hardly find.
        Some((1, text)) => {
            let mut whole = Writer::new(Vec::new()).unwrap().finish().unwrap().0;
            whole.truncate(whole.iter().position(|byte| *byte == b'\n').unwrap() + 1);
            whole.extend_from_slice(text);
            read(&whole);
        }
        Some((_, data)) => {
            if let Ok(lines) = Vec::<Line>::arbitrary(&mut Unstructured::new(data)) {
                write(&lines);
            }
        }
        None => {}
    }
});

fn read(text: &[u8]) {
    if let Ok((again, _)) = copy(text) {
        assert_eq!(again, text);
    }
}

/// Reads a manifest, and writes its entries again.
fn copy(text: &[u8]) -> Result<(Vec<u8>, Totals), hoist::archive::manifest::Error> {
    let mut reader = Reader::new(text)?;
    let mut writer = Writer::new(Vec::new()).unwrap();
    while let Some(entry) = reader.entry()? {
        writer.entry(&entry).unwrap();
    }
    let (again, totals) = writer.finish().unwrap();
    assert_eq!(reader.totals(), Some(&totals));
    Ok((again, totals))
}

fn write(lines: &[Line]) {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut taken = Vec::new();
    for line in lines {
        if writer.entry(&line.entry()).is_ok() {
            taken.push(line.entry());
        }
    }
    let (text, totals) = writer.finish().unwrap();
    assert_eq!(totals.entries, taken.len() as u64);
    let mut reader = Reader::new(&text[..]).unwrap();
    for entry in &taken {
        assert_eq!(reader.entry().unwrap().as_ref(), Some(entry));
    }
    assert!(reader.entry().unwrap().is_none());
    assert_eq!(copy(&text).unwrap().0, text);
    // Without its last byte it is refused.
    assert!(copy(&text[..text.len() - 1]).is_err());
}

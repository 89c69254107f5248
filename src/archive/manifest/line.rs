//! Lines, to text and back.
//!
//! What a line says is read by a JSON parser that knows nothing of how it must look; then it is
//! written again, and it must come out as it was. So there is one way to write each entry.

use std::borrow::Cow;

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::{Entry, Fault, Kind, Totals, VERSION};

/// What the format is called.
const FORMAT: &str = "hoist-manifest";

/// What only a last line begins with.
const LAST: &[u8] = b"{\"entries\":";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head<'a> {
    format: &'a str,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    /// The path's bytes, if they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<&'a str>,
    kind: Kind,
    mode: &'a str,
    size: u64,
    crc32: &'a str,
    blake3: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last<'a> {
    entries: u64,
    content: u64,
    digest: &'a str,
}

/// What a line after the first is.
pub(super) enum Parsed<'a> {
    /// An entry, whose path is in the room for it.
    Entry(Entry<'a>),
    Last(Totals),
}

/// Appends a line and its end. What is written here has no way to fail.
fn append(out: &mut Vec<u8>, line: &impl Serialize) {
    let _ = serde_json::to_writer(&mut *out, line);
    out.push(b'\n');
}

pub(super) fn write_head(out: &mut Vec<u8>) {
    let head = Head {
        format: FORMAT,
        version: VERSION,
    };
    append(out, &head);
}

pub(super) fn write_entry(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let (path, hex) = match std::str::from_utf8(entry.path) {
        Ok(path) => (Some(path.into()), None),
        Err(_) => (None, Some(to_hex(entry.path))),
    };
    let line = Line {
        path,
        path_hex: hex.as_deref(),
        kind: entry.kind,
        mode: &format!("{:04o}", entry.mode),
        size: entry.size,
        crc32: &format!("{:08x}", entry.crc32),
        blake3: &entry.blake3.to_hex(),
    };
    append(out, &line);
}

pub(super) fn write_last(out: &mut Vec<u8>, totals: &Totals) {
    let line = Last {
        entries: totals.entries,
        content: totals.content,
        digest: &format!("blake3:{}", totals.digest),
    };
    append(out, &line);
}

/// Reads the first line, its end included.
pub(super) fn read_head(bytes: &[u8]) -> Result<(), Fault> {
    let head: Head<'_> = serde_json::from_slice(bytes).map_err(|_| Fault::Head)?;
    if head.format != FORMAT {
        return Err(Fault::Head);
    }
    if head.version != VERSION {
        return Err(Fault::Version(head.version));
    }
    let mut again = Vec::new();
    write_head(&mut again);
    if again == bytes {
        Ok(())
    } else {
        Err(Fault::Head)
    }
}

/// Reads any other line, its end included. `room` is for the path, `again` for what the line must be.
pub(super) fn read<'a>(
    bytes: &[u8],
    room: &'a mut Vec<u8>,
    again: &mut Vec<u8>,
) -> Result<Parsed<'a>, Fault> {
    again.clear();
    if bytes.starts_with(LAST) {
        let totals = last(bytes).ok_or(Fault::Form)?;
        write_last(again, &totals);
        return same(bytes, again).map(|()| Parsed::Last(totals));
    }
    let entry = entry(bytes, room).ok_or(Fault::Form)?;
    write_entry(again, &entry);
    same(bytes, again).map(|()| Parsed::Entry(entry))
}

fn same(bytes: &[u8], again: &[u8]) -> Result<(), Fault> {
    if bytes == again {
        Ok(())
    } else {
        Err(Fault::Form)
    }
}

fn last(bytes: &[u8]) -> Option<Totals> {
    let line: Last<'_> = serde_json::from_slice(bytes).ok()?;
    Some(Totals {
        entries: line.entries,
        content: line.content,
        digest: Hash::from_hex(line.digest.strip_prefix("blake3:")?).ok()?,
    })
}

fn entry<'a>(bytes: &[u8], room: &'a mut Vec<u8>) -> Option<Entry<'a>> {
    let line: Line<'_> = serde_json::from_slice(bytes).ok()?;
    room.clear();
    match (line.path, line.path_hex) {
        (Some(path), None) => room.extend_from_slice(path.as_bytes()),
        (None, Some(hex)) => from_hex(hex, room)?,
        _ => return None,
    }
    Some(Entry {
        path: room,
        kind: line.kind,
        mode: u32::from_str_radix(line.mode, 8).ok()?,
        size: line.size,
        crc32: u32::from_str_radix(line.crc32, 16).ok()?,
        blake3: Hash::from_hex(line.blake3).ok()?,
    })
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

fn from_hex(hex: &str, out: &mut Vec<u8>) -> Option<()> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    for [high, low] in pairs {
        let byte = digit(*high)? << 4 | digit(*low)?;
        out.push(u8::try_from(byte).ok()?);
    }
    rest.is_empty().then_some(())
}

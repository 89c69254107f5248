//! Renders and parses single lines.
//!
//! JSON allows many ways to write the same values. A line is parsed as any JSON, then rendered again, and
//! refused if the bytes differ. So there is only one way to write an entry.

use std::borrow::Cow;

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::{Entry, Fault, Kind, Totals, VERSION};

/// Name of the format.
const FORMAT: &str = "hoist-manifest";

/// The beginning of a last line, and of no other.
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

/// A line after the first.
pub(super) enum Parsed<'a> {
    Entry(Entry<'a>),
    Last(Totals),
}

/// Appends a line and its end. Writing plain structs to memory cannot fail.
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
        Err(_) => {
            let digits = entry.path.iter().map(|byte| format!("{byte:02x}"));
            (None, Some(digits.collect::<String>()))
        }
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
    let mut rendered = Vec::new();
    write_head(&mut rendered);
    (rendered == bytes).then_some(()).ok_or(Fault::Head)
}

/// Reads any other line, its end included. `path` is where the path goes, and `rendered` where the line
/// is rendered again.
pub(super) fn read<'a>(
    bytes: &[u8],
    path: &'a mut Vec<u8>,
    rendered: &mut Vec<u8>,
) -> Result<Parsed<'a>, Fault> {
    rendered.clear();
    let parsed = if bytes.starts_with(LAST) {
        let totals = last(bytes).ok_or(Fault::Form)?;
        write_last(rendered, &totals);
        Parsed::Last(totals)
    } else {
        let entry = entry(bytes, path).ok_or(Fault::Form)?;
        write_entry(rendered, &entry);
        Parsed::Entry(entry)
    };
    (rendered == bytes).then_some(parsed).ok_or(Fault::Form)
}

fn last(bytes: &[u8]) -> Option<Totals> {
    let line: Last<'_> = serde_json::from_slice(bytes).ok()?;
    Some(Totals {
        entries: line.entries,
        content: line.content,
        digest: Hash::from_hex(line.digest.strip_prefix("blake3:")?).ok()?,
    })
}

fn entry<'a>(bytes: &[u8], path: &'a mut Vec<u8>) -> Option<Entry<'a>> {
    let line: Line<'_> = serde_json::from_slice(bytes).ok()?;
    path.clear();
    match (line.path, line.path_hex) {
        (Some(text), None) => path.extend_from_slice(text.as_bytes()),
        (None, Some(hex)) => from_hex(hex, path)?,
        _ => return None,
    }
    Some(Entry {
        path,
        kind: line.kind,
        mode: u32::from_str_radix(line.mode, 8).ok()?,
        size: line.size,
        crc32: u32::from_str_radix(line.crc32, 16).ok()?,
        blake3: Hash::from_hex(line.blake3).ok()?,
    })
}

/// Appends the bytes to `out`. That there are no signs or capitals shows when the line is rendered again.
fn from_hex(hex: &str, out: &mut Vec<u8>) -> Option<()> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    for pair in pairs {
        let digits = std::str::from_utf8(pair).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
    }
    rest.is_empty().then_some(())
}

//! Unpacks a bundle below a directory. Nothing leaves it, whatever the archive says: names are made
//! relative, and links that lead out are left out.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use flate2::read::{DeflateDecoder, MultiGzDecoder};

use super::place::Place;
use crate::archive::tar::{self, BLOCK};
use crate::archive::zip::{
    Directory, DirectoryReader, FLAG_ENCRYPTED, LOCAL_LEN, end_window, local_header_size,
};
use crate::system;

/// An extended header of a tar, or the text of a link, that is larger than this is damage.
const MAX_TEXT: u64 = 1 << 20;

/// The bits of a mode that tell the type, and the type of a symbolic link.
const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// Permissions that an agent's umask takes away.
const UMASK: u32 = 0o022;

fn damaged(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

/// Unpacks a `zip`, `tar` or `tgz`.
pub(super) fn unpack(bundle_type: &str, mut file: File, place: &Place) -> io::Result<()> {
    place.make_directory(Path::new(""))?;
    match bundle_type {
        "zip" => unpack_zip(&mut file, place),
        "tgz" => unpack_tar(&mut MultiGzDecoder::new(BufReader::new(file)), place),
        _ => unpack_tar(&mut BufReader::new(file), place),
    }
}

/// What is unpacked of a zip.
struct Entry {
    name: Vec<u8>,
    method: u16,
    crc32: u32,
    compressed: u64,
    size: u64,
    offset: u64,
    mode: Option<u32>,
}

fn unpack_zip(file: &mut File, place: &Place) -> io::Result<()> {
    for entry in zip_entries(file)? {
        let relative = Place::relative(system::as_path(&entry.name).as_ref());
        if entry.name.ends_with(b"/") {
            place.make_directory(&relative)?;
            continue;
        }
        let name = || String::from_utf8_lossy(&entry.name).into_owned();
        file.seek(SeekFrom::Start(entry.offset))?;
        let mut fixed = [0; LOCAL_LEN];
        file.read_exact(&mut fixed)?;
        let header = local_header_size(&fixed).map_err(damaged)? as u64;
        file.seek(SeekFrom::Start(entry.offset.saturating_add(header)))?;
        let data = BufReader::new(&mut *file).take(entry.compressed);
        let content: Box<dyn Read + '_> = match entry.method {
            0 => Box::new(data),
            8 => Box::new(DeflateDecoder::new(data)),
            method => return Err(damaged(format!("{}: method {method}", name()))),
        };
        let mut content = Summed {
            inner: content.take(entry.size.saturating_add(1)),
            crc32: crc32fast::Hasher::new(),
            len: 0,
        };
        if entry.mode.is_some_and(|mode| mode & TYPE == LINK) {
            link(place, &relative, &read_text(&mut content, entry.size)?)?;
        } else {
            write(place, &relative, &mut content, entry.mode.unwrap_or(0o644))?;
        }
        if content.len != entry.size || content.crc32.finalize() != entry.crc32 {
            return Err(damaged(format!("{}: bad CRC", name())));
        }
    }
    Ok(())
}

fn zip_entries(file: &mut File) -> io::Result<Vec<Entry>> {
    let size = file.metadata()?.len();
    let mut read_at = |offset: u64, bytes: &mut [u8]| {
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    };
    let window = end_window(size);
    let mut tail = vec![0; usize::try_from(size - window.start).unwrap_or(0)];
    read_at(window.start, &mut tail)?;
    let recorded = Directory::find(&tail, size).map_err(damaged)?;
    let mut directory = recorded;
    if directory.gap > 0 {
        let mut signature = [0; 4];
        read_at(directory.start, &mut signature)?;
        directory = directory.moved_unless_found(signature);
    }
    let moved = directory.start - recorded.start;
    let mut reader = DirectoryReader::new(&directory);
    let mut entries = Vec::new();
    while let Some((offset, piece)) = reader.next_piece().map_err(damaged)? {
        read_at(offset, piece)?;
        while let Some(central) = reader.next_header().map_err(damaged)? {
            let header = central.header;
            if header.flags & FLAG_ENCRYPTED != 0 {
                return Err(damaged("it is encrypted"));
            }
            let is_unix = central.made_by >> 8 == 3;
            entries.push(Entry {
                name: header.name.to_vec(),
                method: header.method,
                crc32: header.crc32,
                compressed: header.compressed,
                size: header.uncompressed,
                offset: central.offset.saturating_add(moved),
                mode: is_unix.then_some(central.attributes >> 16),
            });
        }
    }
    Ok(entries)
}

/// Content that is counted and summed up.
struct Summed<R> {
    inner: R,
    crc32: crc32fast::Hasher,
    len: u64,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.crc32.update(buffer.get(..len).unwrap_or_default());
        self.len += len as u64;
        Ok(len)
    }
}

/// What extended headers say of the entry after them.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

fn unpack_tar(input: &mut dyn Read, place: &Place) -> io::Result<()> {
    let mut block = [0; BLOCK];
    let mut extended = Extended::default();
    while fill(input, &mut block)? {
        let Some(header) = tar::parse(&block).map_err(damaged)? else {
            break;
        };
        let padded = |size: u64| size.saturating_add(tar::padding(size) as u64);
        match header.kind {
            b'x' | b'L' | b'K' => {
                let mut text = read_text(input, padded(header.size))?;
                text.truncate(usize::try_from(header.size).unwrap_or(0));
                let before_zero = || text.split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
                match header.kind {
                    b'L' => extended.path = before_zero(),
                    b'K' => extended.link = before_zero(),
                    _ => read_pax(&text, &mut extended)?,
                }
                continue;
            }
            _ => {}
        }
        let Extended {
            path,
            link: to,
            size,
        } = std::mem::take(&mut extended);
        let name = path.unwrap_or(header.name);
        let to = to.unwrap_or(header.link);
        let relative = Place::relative(system::as_path(&name).as_ref());
        let mode = u32::try_from(header.mode & 0o777).unwrap_or(0o644);
        let size = match header.kind {
            b'1'..=b'6' => 0,
            _ => size.unwrap_or(header.size),
        };
        let mut content = (&mut *input).take(size);
        match header.kind {
            b'5' => {
                place.make_directory(&relative)?;
            }
            b'2' => link(place, &relative, &to)?,
            b'1' => {
                let from = Place::relative(system::as_path(&to).as_ref());
                if !place.look(&from)?.is_some_and(|found| found.is_file()) {
                    return Err(damaged("a hard link leads to no file"));
                }
                write(place, &relative, &mut File::open(place.find(&from)?)?, mode)?;
            }
            0 | b'0' | b'7' => {
                let written = write(place, &relative, &mut content, mode)?;
                if written != size {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            _ => {}
        }
        io::copy(&mut content, &mut io::sink())?;
        let padding = tar::padding(size) as u64;
        io::copy(&mut input.take(padding), &mut io::sink())?;
    }
    // The checksum of a gzip stream is at its end.
    io::copy(input, &mut io::sink())?;
    Ok(())
}

fn read_pax(text: &[u8], extended: &mut Extended) -> io::Result<()> {
    for record in tar::pax(text) {
        match record.map_err(damaged)? {
            (b"path", value) => extended.path = Some(value.to_vec()),
            (b"linkpath", value) => extended.link = Some(value.to_vec()),
            (b"size", value) => {
                let number = std::str::from_utf8(value).ok();
                extended.size = number.and_then(|number| number.parse().ok());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Fills `block`, or returns false if the stream ended before.
fn fill(input: &mut dyn Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest)? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => filled += len,
        }
    }
    Ok(true)
}

fn read_text(input: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    if size > MAX_TEXT {
        return Err(damaged(format!("a name takes {size} bytes")));
    }
    let mut text = Vec::new();
    input.take(size).read_to_end(&mut text)?;
    match text.len() as u64 == size {
        true => Ok(text),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn write(place: &Place, relative: &Path, content: &mut dyn Read, mode: u32) -> io::Result<u64> {
    let (mut file, path) = place.create(relative)?;
    let written = io::copy(content, &mut file)?;
    system::set_permission_bits(&path, mode & 0o777 & !UMASK)?;
    Ok(written)
}

fn link(place: &Place, relative: &Path, target: &[u8]) -> io::Result<()> {
    let target = system::as_path(target);
    if !Place::holds_link(relative, target.as_ref()) {
        return Ok(());
    }
    let path = place.make_way(relative)?;
    system::make_link(target.as_ref(), &path)
}

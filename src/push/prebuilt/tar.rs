//! The names in a tar or tgz that another program made.
//!
//! A tar is read header by header. A tgz has to be inflated, so it is read to its end, which also shows
//! whether it is complete. Everything that common tar programs write is understood: pax headers, GNU's
//! long names and sparse files.

use std::fs::File;
use std::io::{self, BufReader, Read as _};

use flate2::bufread::MultiGzDecoder;

use super::Unreadable;
use super::root::Root;
use crate::appspec::MAX_BYTES;
use crate::archive::limits::MIB;
use crate::archive::plan::{NoticeKind, Noticed};
use crate::archive::tar::{self, BLOCK, TarError};
use crate::cancel::Cancel;
use crate::system;

impl From<TarError> for Unreadable {
    fn from(error: TarError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// An extended header that is larger than this is damage, not a name.
const MAX_EXTENDED: u64 = MIB;
const _: () = assert!(MAX_BYTES as u64 <= MAX_EXTENDED);

/// A tar as a stream.
pub(super) enum Input<'a> {
    Plain { file: &'a File, at: u64, size: u64 },
    Gzip(Box<MultiGzDecoder<BufReader<&'a File>>>),
}

impl<'a> Input<'a> {
    pub(super) fn plain(file: &'a File, size: u64) -> Self {
        Self::Plain { file, at: 0, size }
    }

    /// A gzip stream, from the file's current position.
    pub(super) fn gzip(file: &'a File) -> Self {
        let reader = BufReader::with_capacity(64 << 10, file);
        Self::Gzip(Box::new(MultiGzDecoder::new(reader)))
    }

    fn read(&mut self, window: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain { file, at, .. } => {
                let len = system::read_at(file, window, *at)?;
                *at += len as u64;
                Ok(len)
            }
            Self::Gzip(decoder) => decoder.read(window),
        }
    }

    /// Fills `window`, or returns false if the stream ended before.
    fn fill(&mut self, window: &mut [u8]) -> io::Result<bool> {
        let mut filled = 0;
        while filled < window.len() {
            match self.read(&mut window[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => filled += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Skips `len` bytes, which must exist.
    fn skip(&mut self, len: u64, scratch: &mut [u8], cancel: &Cancel) -> Result<(), Unreadable> {
        let cut_short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        if let Self::Plain { at, size, .. } = self {
            let to = at.checked_add(len).filter(|to| to <= size);
            *at = to.ok_or_else(cut_short)?;
            return Ok(());
        }
        let mut left = len;
        while left > 0 {
            if cancel.is_cancelled() {
                return Err(Unreadable::Stopped);
            }
            let now = usize::try_from(left).map_or(scratch.len(), |left| left.min(scratch.len()));
            if !self.fill(&mut scratch[..now])? {
                return Err(cut_short().into());
            }
            left -= now as u64;
        }
        Ok(())
    }
}

/// What extended headers say of the entry after them, since its own header has no room for it.
#[derive(Debug, Default)]
struct Extended {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
}

/// Gives all names and the AppSpec file to `root`, and what the agents' tar changes to `noticed`.
pub(super) fn names(
    mut input: Input<'_>,
    root: &mut Root,
    noticed: &mut Noticed,
    cancel: &Cancel,
) -> Result<(), Unreadable> {
    let mut scratch = vec![0; 64 << 10];
    let mut block = [0; BLOCK];
    let mut extended = Extended::default();
    // Some writers leave out the end-of-archive blocks, and all readers accept that.
    while input.fill(&mut block)? {
        if cancel.is_cancelled() {
            return Err(Unreadable::Stopped);
        }
        let Some(header) = tar::parse(&block)? else {
            break;
        };
        let padded = |size: u64| size.saturating_add(tar::padding(size) as u64);
        match header.kind {
            b'x' => {
                let body = body(&mut input, header.size)?;
                read_pax(&body, &mut extended)?;
            }
            // GNU tar's long name, which ends with a zero byte.
            b'L' => {
                let mut name = body(&mut input, header.size)?;
                let end = name.iter().position(|&byte| byte == 0);
                name.truncate(end.unwrap_or(name.len()));
                extended.path = Some(name);
            }
            // A long link target, a global pax header, or a volume's label.
            b'K' | b'g' | b'V' => input.skip(padded(header.size), &mut scratch, cancel)?,
            kind => {
                let Extended {
                    path,
                    size,
                    uid,
                    gid,
                } = std::mem::take(&mut extended);
                if kind == b'S' {
                    skip_sparse_map(&mut input, &block)?;
                }
                let name = path.as_ref().unwrap_or(&header.name);
                let is_appspec = root.see(name, kind == b'5');
                noticed.see_name(name);
                let owner = (uid.unwrap_or(header.owner.0), gid.unwrap_or(header.owner.1));
                if owner != (0, 0) {
                    noticed.add(NoticeKind::ForeignOwner, name);
                }
                // Links and directories have no content, though their headers may have a size.
                let has_content = !matches!(kind, b'1'..=b'6');
                let size = size.unwrap_or(header.size);
                // A sparse file's content is not all of it.
                if has_content && is_appspec && kind != b'S' && size <= MAX_BYTES as u64 {
                    root.read(body(&mut input, size)?);
                } else if has_content {
                    input.skip(padded(size), &mut scratch, cancel)?;
                }
            }
        }
    }
    // The gzip stream's checksum is at its end.
    if let Input::Gzip(_) = input {
        while input.read(&mut scratch)? > 0 {
            if cancel.is_cancelled() {
                return Err(Unreadable::Stopped);
            }
        }
    }
    Ok(())
}

/// The content of an extended header or an AppSpec file.
fn body(input: &mut Input<'_>, size: u64) -> Result<Vec<u8>, Unreadable> {
    let padded = size.saturating_add(tar::padding(size) as u64);
    if size > MAX_EXTENDED {
        let reason = format!("an extended header takes {size} bytes");
        return Err(Unreadable::Damaged(reason));
    }
    let mut body = vec![0; usize::try_from(padded).unwrap_or(0)];
    if !body.is_empty() && !input.fill(&mut body)? {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    body.truncate(usize::try_from(size).unwrap_or(0));
    Ok(body)
}

fn read_pax(body: &[u8], extended: &mut Extended) -> Result<(), Unreadable> {
    for record in tar::pax(body) {
        match record? {
            (b"path" | b"GNU.sparse.name", value) => extended.path = Some(value.to_owned()),
            (b"size", value) => extended.size = Some(decimal(value).ok_or(TarError::Pax)?),
            (b"uid", value) => extended.uid = decimal(value),
            (b"gid", value) => extended.gid = decimal(value),
            _ => {}
        }
    }
    Ok(())
}

fn decimal(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Skips the rest of a sparse file's map (GNU tar's manual, "Storing Sparse Files", old format): each
/// block says whether another follows.
fn skip_sparse_map(input: &mut Input<'_>, header: &[u8; BLOCK]) -> Result<(), Unreadable> {
    let mut more = header[482] != 0;
    let mut block = [0; BLOCK];
    while more {
        if !input.fill(&mut block)? {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        more = block[504] != 0;
    }
    Ok(())
}

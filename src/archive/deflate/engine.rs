//! The compressor that each worker thread has.

#[cfg(test)]
mod tests;

use libdeflater::Compressor;

use super::sample::Sampler;
use super::stitch::{self, Malformed};
use super::{Level, stored};

/// The compressor wrote a stream that cannot be joined to the next one. No input should cause this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the compressor wrote a stream that cannot be continued: {0}")]
pub struct Error(#[from] Malformed);

/// What makes raw deflate streams.
pub(super) trait Codec: Send {
    /// Writes a stream of `input` to the start of `room`, and returns its length; None if the room is
    /// too small. If `input` is not the `last` of its file, the stream ends on a byte boundary without a
    /// final block, or with one if the codec [always finishes](Self::always_finishes).
    fn deflate(&mut self, input: &[u8], last: bool, room: &mut [u8]) -> Option<usize>;

    /// Whether every stream ends with a final block.
    fn always_finishes(&self) -> bool;
}

impl Codec for Compressor {
    fn deflate(&mut self, input: &[u8], _: bool, room: &mut [u8]) -> Option<usize> {
        self.deflate_compress(input, room).ok()
    }

    fn always_finishes(&self) -> bool {
        true
    }
}

/// The codec of a level; none for level 0.
fn codec(level: Level) -> Option<Box<dyn Codec>> {
    #[cfg(feature = "isal")]
    if level == Level::FAST {
        return Some(Box::new(super::isal::Isal::new()));
    }
    let compressor = level.compressor()?;
    Some(Box::new(compressor))
}

/// A compressor and its buffers, which one thread uses for all its inputs.
///
/// It keeps as much memory as the longest input so far, and 200 KB to 9 MB for libdeflate, depending
/// on the level. After the longest input, it allocates only in `out`.
pub struct Engine {
    /// None at level 0.
    codec: Option<Box<dyn Codec>>,
    sampler: Sampler,
    /// Where the codec writes. It needs room for the longest output; `out` grows only by the real one.
    scratch: Vec<u8>,
}

impl Engine {
    /// An engine of this level.
    pub fn new(level: Level) -> Self {
        Self {
            codec: codec(level),
            sampler: Sampler::default(),
            scratch: Vec::new(),
        }
    }

    /// Compresses a whole file: appends a raw deflate stream of it to `out`, and returns true.
    ///
    /// Returns false and leaves `out` unchanged if the file should be stored: at level 0, if it is large
    /// and a sample of it does not compress, or if the stream is not shorter.
    pub fn deflate(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        // libdeflate gives up once it sees that the stream will not be shorter.
        let room = input.len().saturating_sub(1);
        let Some(stream) = self.compress(input, true, room) else {
            return false;
        };
        out.extend_from_slice(stream);
        true
    }

    /// Compresses one chunk of a larger file: appends its part of a raw deflate stream to `out`.
    ///
    /// The parts of all chunks, one after the other, are a deflate stream of the file. Each part but the
    /// last ends on a byte boundary and has no final block. A part is never longer than stored blocks
    /// of the chunk, and consists of these if deflate saves nothing; see
    /// [`max_deflated_len`](super::max_deflated_len).
    ///
    /// # Errors
    ///
    /// [`Error`] if libdeflate wrote a stream that [`stitch`] cannot read. `out` is then unchanged.
    pub fn deflate_chunk(
        &mut self,
        input: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if input.is_empty() {
            if last {
                out.extend_from_slice(&stored::EMPTY_STREAM);
            }
            return Ok(());
        }
        let start = out.len();
        let stored_len = stored::len(input.len());
        let finished = last
            || self
                .codec
                .as_ref()
                .is_some_and(|codec| codec.always_finishes());
        if let Some(stream) = self.compress(input, last, stored_len) {
            out.extend_from_slice(stream);
            if finished
                && !last
                && let Err(malformed) = stitch::unfinish(out, start)
            {
                out.truncate(start);
                return Err(malformed.into());
            }
            if out.len() - start < stored_len {
                return Ok(());
            }
            out.truncate(start);
        }
        stored::write(input, last, out);
        Ok(())
    }

    /// A stream of at most `room` bytes. None at level 0, or if `input` does not compress to that.
    fn compress(&mut self, input: &[u8], last: bool, room: usize) -> Option<&[u8]> {
        let codec = self.codec.as_mut()?;
        if !self.sampler.compresses(input) {
            return None;
        }
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        let len = codec.deflate(input, last, &mut self.scratch[..room])?;
        self.scratch.get(..len)
    }
}

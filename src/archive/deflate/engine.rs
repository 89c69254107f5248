//! The compressor that each worker thread has.

#[cfg(test)]
mod tests;

use libdeflater::Compressor;

#[cfg(feature = "isal")]
use super::isal::Isal;
use super::sample::Sampler;
use super::stitch::{self, Malformed};
use super::{Level, stored};

/// The compressor wrote something that cannot be joined to what comes next. No input should make it
/// do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the compressor wrote a stream that cannot be continued: {0}")]
pub struct Error(#[from] Malformed);

/// What makes streams.
enum Codec {
    Libdeflate(Compressor),
    #[cfg(feature = "isal")]
    Isal(Isal),
}

impl Codec {
    /// None at level 0.
    fn new(level: Level) -> Option<Self> {
        #[cfg(feature = "isal")]
        if level.is_isal() {
            return Some(Self::Isal(Isal::new()));
        }
        level.compressor().map(Self::Libdeflate)
    }

    /// Writes a stream of `input` to the start of `room`, and returns its length; None if there is
    /// too little room. What is not the last of a file ends with a final block all the same if the
    /// codec [cannot do otherwise](Self::always_finishes).
    #[cfg_attr(not(feature = "isal"), expect(unused_variables))]
    fn deflate(&mut self, input: &[u8], last: bool, room: &mut [u8]) -> Option<usize> {
        match self {
            Self::Libdeflate(compressor) => compressor.deflate_compress(input, room).ok(),
            #[cfg(feature = "isal")]
            Self::Isal(isal) => isal.deflate(input, last, room),
        }
    }

    fn always_finishes(&self) -> bool {
        matches!(self, Self::Libdeflate(_))
    }
}

/// A compressor and its buffers, to be used again and again by one thread.
///
/// It keeps as much memory as the longest input so far, and 200 KB to 9 MB for libdeflate, depending
/// on the level. From then on nothing is allocated but room in `out`.
pub struct Engine {
    /// None at level 0.
    codec: Option<Codec>,
    sampler: Sampler,
    /// Where libdeflate writes. It asks for as much room as its output might need; `out` is given
    /// what it turns out to need.
    scratch: Vec<u8>,
}

impl Engine {
    /// An engine of this level.
    pub fn new(level: Level) -> Self {
        Self {
            codec: Codec::new(level),
            sampler: Sampler::default(),
            scratch: Vec::new(),
        }
    }

    /// Compresses a whole file: appends a raw deflate stream of it to `out`, and returns true.
    ///
    /// Returns false and leaves `out` as it was when the file is better stored: at level 0, when it
    /// is large and a sample of it does not compress, or when the stream is not shorter than it.
    pub fn deflate(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        // The stream has to be shorter, and libdeflate gives up once it sees that it will not be.
        let room = input.len().saturating_sub(1);
        let Some(stream) = self.compress(input, true, room) else {
            return false;
        };
        out.extend_from_slice(stream);
        true
    }

    /// Compresses one chunk of a larger file: appends its part of a raw deflate stream to `out`.
    ///
    /// The parts of a file's chunks, put one after the other, are a deflate stream of the file. Each
    /// part but the last ends on a byte boundary and has no final block. A part is never longer than
    /// stored blocks of the chunk, and consists of these if deflate saves nothing; see
    /// [`max_deflated_len`](super::max_deflated_len).
    ///
    /// # Errors
    ///
    /// [`Error`] if libdeflate wrote a stream that [`stitch`] cannot read. `out` is then as before.
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
        let finished = last || self.codec.as_ref().is_some_and(Codec::always_finishes);
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

    /// A stream of at most `room` bytes, if one is wanted and to be had.
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

//! Reads a range of an object as one stream of bytes, and computes its checksum on the way.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use tokio_util::io::StreamReader;

use super::{Error, Object};

/// Bytes of each request.
const PIECE: u64 = 8 << 20;

/// Requests that are under way at the same time.
const AHEAD: usize = 4;

type Bodies = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
/// The bytes of a range.
pub(super) type Reader = StreamReader<Bodies, Bytes>;

/// Reads a range. The checksum is that of the bytes that came so far.
pub(super) fn bytes_of<O: Object>(object: &Arc<O>, range: Range<u64>, etag: &str) -> (Reader, Crc) {
    let crc = Crc::default();
    let seen = crc.clone();
    let (object, etag) = (Arc::clone(object), Arc::<str>::from(etag));
    let end = range.end;
    let starts = range.step_by(usize::try_from(PIECE).unwrap_or(usize::MAX));
    let bodies = stream::iter(starts)
        .map(move |start| {
            let (object, etag) = (Arc::clone(&object), Arc::clone(&etag));
            let range = start..end.min(start + PIECE);
            async move {
                let len = range.end - range.start;
                let body = object.get(range, &etag).await?;
                match body.len() as u64 {
                    came if came == len => Ok(body),
                    came => Err(Error::Short { came, len }),
                }
            }
        })
        .buffered(AHEAD)
        .inspect_ok(move |body| seen.add(body))
        .map_err(io::Error::other);
    (StreamReader::new(Box::pin(bodies)), crc)
}

/// A running CRC-64/NVME.
#[derive(Clone)]
pub(super) struct Crc(Arc<Mutex<crc_fast::Digest>>);

impl Default for Crc {
    fn default() -> Self {
        let digest = crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme);
        Self(Arc::new(Mutex::new(digest)))
    }
}

impl Crc {
    fn add(&self, bytes: &[u8]) {
        let mut digest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        digest.update(bytes);
    }

    pub(super) fn value(&self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .finalize()
    }
}

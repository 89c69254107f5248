//! Bytes on their way to disk: hashed and written in one pass, with bounded memory.
//!
//! A request's body arrives on a thread of the runtime and is handed over in batches to a blocking
//! thread, which hashes and writes one batch while the next one arrives. So a connection holds two
//! batches at most, and neither MD5 nor a slow disk delays other connections.

use std::fs::File;
use std::io::{self, Read, Write};

use bytes::Bytes;
use futures_util::StreamExt as _;
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};

use super::super::checksum::{Hasher, Sums};
use super::blocking;

/// Bytes handed over at once. To hash them takes about 2 ms, so the 10 µs of handing them over do not
/// count.
const BATCH: usize = 1 << 20;

/// Hashes `body` and writes it to the file that `open` opens, from the file's position; without a
/// file the bytes are only hashed.
///
/// `guard` is dropped only when nothing writes any more, also if this call is cancelled. It is
/// returned with the sums.
/// Fails with `IncompleteBody` when the body breaks off, `InternalError` when the disk fails.
pub(in crate::endpoint) async fn receive<G: Send + 'static>(
    body: &mut StreamingBlob,
    guard: G,
    open: impl FnOnce(&G) -> S3Result<Option<File>> + Send + 'static,
) -> S3Result<(Sums, G)> {
    let mut sink = blocking(move || Ok((open(&guard)?, Hasher::new(), guard))).await?;
    let mut batch = next_batch(body).await?;
    while !batch.is_empty() {
        let full = batch;
        let write = blocking(move || {
            let (file, hasher, _) = &mut sink;
            for bytes in &full {
                hasher.update(bytes);
                if let Some(file) = file {
                    file.write_all(bytes).map_err(|error| {
                        s3_error!(InternalError, "cannot write the body to disk: {error}")
                    })?;
                }
            }
            Ok(sink)
        });
        let (written, next) = tokio::join!(write, next_batch(body));
        sink = written?;
        batch = next?;
    }
    let (_, hasher, guard) = sink;
    Ok((hasher.finish(), guard))
}

/// Collects about [`BATCH`] bytes; an empty batch is the end.
async fn next_batch(body: &mut StreamingBlob) -> S3Result<Vec<Bytes>> {
    let mut batch = Vec::new();
    let mut size = 0;
    while size < BATCH {
        match body.next().await {
            None => break,
            Some(Ok(bytes)) => {
                size += bytes.len();
                batch.push(bytes);
            }
            Some(Err(error)) => {
                return Err(s3_error!(
                    IncompleteBody,
                    "The request body cannot be read: {error}"
                ));
            }
        }
    }
    Ok(batch)
}

/// Whether a copy writes the bytes that it reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::endpoint) enum Fidelity {
    #[default]
    Exact,
    /// One bit of the first byte changes, and the sums are those of the changed bytes.
    Changed,
    /// One bit of the first byte changes, and the sums are those of the source's bytes.
    ChangedUnnoticed,
}

/// Hashes `length` bytes of `source` from its position and writes them to `sink`.
pub(super) fn copy_hashed(
    source: &mut File,
    length: u64,
    sink: &mut impl Write,
    fidelity: Fidelity,
) -> io::Result<Sums> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; BATCH];
    let mut change = fidelity;
    let mut source = source.take(length);
    loop {
        let read = source.read(&mut buffer)?;
        let Some(bytes) = buffer.get_mut(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        match std::mem::take(&mut change) {
            Fidelity::Exact => hasher.update(bytes),
            Fidelity::Changed => {
                bytes[0] ^= 1;
                hasher.update(bytes);
            }
            Fidelity::ChangedUnnoticed => {
                hasher.update(bytes);
                bytes[0] ^= 1;
            }
        }
        sink.write_all(bytes)?;
    }
    if source.limit() > 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(hasher.finish())
}

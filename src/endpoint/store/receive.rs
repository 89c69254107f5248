//! Bytes on their way to disk: written and hashed in one pass, with bounded memory.
//!
//! A request's body arrives on a runtime thread and is handed over in batches to a blocking thread,
//! which hashes and writes one batch while the next one arrives. So a connection holds two batches
//! at most, and neither MD5 nor a slow disk keeps the runtime from its other connections.

use std::fs::File;
use std::io::{self, Read, Write};

use bytes::Bytes;
use futures_util::StreamExt as _;
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};

use super::super::checksum::{Hasher, Sums};
use super::blocking;

/// Bytes handed over at once. Large enough that a hand-over (about 10 µs) does not count against
/// hashing them (about 2 ms).
const BATCH: usize = 1 << 20;

/// A file being written, with what decides its fate if it is never finished.
struct Sink<G> {
    file: File,
    hasher: Hasher,
    guard: G,
}

/// Writes `body` to the file that `open` opens, where it stands.
///
/// `guard` is dropped only when nothing writes any more, also if this call is cancelled; it is
/// returned with what the bytes say.
///
/// # Errors
///
/// `IncompleteBody` when the body breaks off, `InternalError` when the disk fails.
pub(crate) async fn receive<G: Send + 'static>(
    body: &mut StreamingBlob,
    hasher: Hasher,
    guard: G,
    open: impl FnOnce(&G) -> S3Result<File> + Send + 'static,
) -> S3Result<(Sums, G)> {
    let mut sink = blocking(move || {
        let file = open(&guard)?;
        Ok(Sink {
            file,
            hasher,
            guard,
        })
    })
    .await?;
    let mut batch = next_batch(body).await?;
    while !batch.is_empty() {
        let full = batch;
        let write = blocking(move || {
            for bytes in &full {
                sink.hasher.update(bytes);
                sink.file.write_all(bytes).map_err(|error| {
                    s3_error!(InternalError, "cannot write the body to disk: {error}")
                })?;
            }
            Ok(sink)
        });
        let (written, next) = tokio::join!(write, next_batch(body));
        sink = written?;
        batch = next?;
    }
    Ok((sink.hasher.finish(), sink.guard))
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

/// Hashes `length` bytes of `source` from where it stands and writes them to `sink`.
pub(super) fn pump(
    source: &mut File,
    length: u64,
    sink: &mut impl Write,
    mut hasher: Hasher,
) -> io::Result<Sums> {
    let mut buffer = vec![0; BATCH];
    let mut source = source.take(length);
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        sink.write_all(&buffer[..read])?;
    }
    if source.limit() > 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(hasher.finish())
}

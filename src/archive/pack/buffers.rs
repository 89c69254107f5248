//! Reuses the memory of parts that were sent.
//!
//! Parts are large. Without this, an allocator either returns each one to the system, so that the next
//! one costs page faults again, or it keeps more of them than are in use: with glibc, a push with 16 parts
//! of 8 MiB in flight peaked at 266 MiB, and peaks at 206 MiB with this. Here only as many buffers exist
//! as were ever in use at one time.

use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Buffers that are free. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty buffer: a free one, or else a new one with room for `size` bytes.
    pub(super) fn take(&self, size: usize) -> Vec<u8> {
        self.free().pop().unwrap_or_else(|| {
            let mut buffer = Vec::new();
            buffer.reserve_exact(size);
            buffer
        })
    }

    /// Makes a part's body of a buffer, which becomes free when the last clone of the body is dropped.
    pub(super) fn body(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Body {
            bytes,
            buffers: self.clone(),
        })
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Body {
    bytes: Vec<u8>,
    buffers: Buffers,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut bytes = take(&mut self.bytes);
        bytes.clear();
        self.buffers.free().push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_free_when_the_last_clone_of_its_body_is_dropped() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(100);
        buffer.extend_from_slice(b"content");
        let address = buffer.as_ptr();
        let body = buffers.body(buffer);
        let clone = body.slice(1..3);
        drop(body);
        let other = buffers.take(100);
        assert_ne!(other.as_ptr(), address, "still in use");
        assert_eq!(clone, b"on"[..]);
        drop(clone);
        let again = buffers.take(100);
        assert_eq!(again.as_ptr(), address);
        assert!(again.is_empty() && again.capacity() >= 100);
    }
}

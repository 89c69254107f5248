//! Memory of parts that were sent, filled again.
//!
//! Parts are large, so an allocator gives each back to the system and the next one comes page by
//! page, cleared; or it keeps them and more than are in use (with glibc, a push that had 16 parts of
//! 8 MiB in flight peaked at 266 MiB, and does at 206 with this). Here as many exist as were ever in
//! use at one time.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers that nobody uses. All clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    /// An empty buffer, of a part that is gone or with room for `size` bytes.
    pub(super) fn buffer(&self, size: usize) -> Vec<u8> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| {
            let mut buffer = Vec::new();
            buffer.reserve_exact(size);
            buffer
        })
    }

    /// The body of a part. When the last clone of it is dropped, its memory is spare.
    pub(super) fn body(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Body {
            bytes,
            spare: self.clone(),
        })
    }
}

struct Body {
    bytes: Vec<u8>,
    spare: Spare,
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
        let spare = &self.spare.0;
        spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_with_the_last_clone() {
        let spare = Spare::default();
        let mut buffer = spare.buffer(100);
        buffer.extend_from_slice(b"content");
        let place = buffer.as_ptr();
        let body = spare.body(buffer);
        let clone = body.slice(1..3);
        drop(body);
        let other = spare.buffer(100);
        assert_ne!(other.as_ptr(), place, "it is still in use");
        assert_eq!(clone, b"on"[..]);
        drop(clone);
        let again = spare.buffer(100);
        assert_eq!(again.as_ptr(), place);
        assert!(again.is_empty() && again.capacity() >= 100);
    }
}

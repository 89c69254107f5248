//! Intel's ISA-L, up to twice as fast as libdeflate's level 1 at about the same size.
//!
//! This is the only file of hoist with unsafe code. The safe wrapper of these bindings, `isal-rs`,
//! allocates and clears a stream of 80 KiB and a buffer of 276 KiB for every file, and cannot end a
//! chunk without ending the stream; so the C functions are called here, three of them.
//!
//! A stream is started anew for each input, so earlier inputs do not influence the output. It refuses
//! inputs of 4 GiB and more, whose length the library cannot hold; large files come in chunks, so there
//! are no such inputs.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

use isal_sys::igzip_lib::{
    COMP_OK, FULL_FLUSH, ISAL_DEF_LVL3_DEFAULT, NO_FLUSH, isal_deflate_stateless,
    isal_deflate_stateless_init, isal_zstream,
};

use super::engine::Codec;

/// ISA-L's own level. Below 3, the stream of an input depends on the addresses of the buffers, so the
/// same tree would not always give the same bytes.
const LEVEL: u32 = 3;
const BUFFER: u32 = ISAL_DEF_LVL3_DEFAULT;

// The field of the flags is narrower than C's constants.
#[expect(clippy::cast_possible_truncation, reason = "it is 0")]
const FLUSH_NOT: u16 = NO_FLUSH as u16;
#[expect(clippy::cast_possible_truncation, reason = "it is 2")]
const FLUSH: u16 = FULL_FLUSH as u16;

/// A stream and its buffer, which are used for all inputs of a thread.
pub(super) struct Isal {
    /// Its pointers are null, except during a call.
    stream: Box<isal_zstream>,
    buffer: Box<[u8]>,
}

// SAFETY: the pointers that keep a stream from being Send are null between calls, and what the
// functions keep is in the stream and in the buffer, both owned. ISA-L has no state of threads; its
// choice of code for the processor is made when the program is loaded, or with an atomic store.
unsafe impl Send for Isal {}

impl Isal {
    pub(super) fn new() -> Self {
        let stream = Box::new(MaybeUninit::<isal_zstream>::zeroed());
        Self {
            // SAFETY: a C struct of integers, arrays of integers, unions of integers and raw
            // pointers, for all of which zero is a value.
            stream: unsafe { stream.assume_init() },
            buffer: vec![0; BUFFER as usize].into_boxed_slice(),
        }
    }
}

impl Codec for Isal {
    fn always_finishes(&self) -> bool {
        false
    }

    fn deflate(&mut self, input: &[u8], last: bool, room: &mut [u8]) -> Option<usize> {
        let avail_in = u32::try_from(input.len()).ok()?;
        // A stream never needs more than 4 GiB of room.
        let avail_out = u32::try_from(room.len()).unwrap_or(u32::MAX);
        let stream: &mut isal_zstream = &mut self.stream;
        // SAFETY: `stream` is a valid stream; the function sets its fields.
        unsafe { isal_deflate_stateless_init(stream) };
        stream.level = LEVEL;
        stream.level_buf = self.buffer.as_mut_ptr();
        stream.level_buf_size = BUFFER;
        // Never written to: the field is not const since C's callers may reuse the struct.
        stream.next_in = input.as_ptr().cast_mut();
        stream.avail_in = avail_in;
        stream.next_out = room.as_mut_ptr();
        stream.avail_out = avail_out;
        stream.end_of_stream = u16::from(last);
        // A full flush, an empty stored block, makes the next chunk independent of this one.
        stream.flush = if last { FLUSH_NOT } else { FLUSH };
        // SAFETY: the three pointers are to slices of the given lengths, which live longer than this
        // call; input is only read, and the others are borrowed mutably here.
        let code = unsafe { isal_deflate_stateless(stream) };
        stream.next_in = ptr::null_mut();
        stream.next_out = ptr::null_mut();
        stream.level_buf = ptr::null_mut();
        let whole = i64::from(code) == i64::from(COMP_OK) && stream.avail_in == 0;
        whole.then(|| (avail_out - stream.avail_out) as usize)
    }
}

//! What the commands say: to people, to programs and to CI.

pub(crate) mod advice;
#[cfg(feature = "push")]
pub(crate) mod debug;
#[cfg(feature = "push")]
pub(crate) mod deploy;
pub(crate) mod diagnostic;
pub(crate) mod github;
pub(crate) mod lint;
pub(crate) mod message;
pub(crate) mod progress;
#[cfg(feature = "push")]
pub(crate) mod push;
pub(crate) mod summary;
pub(crate) mod timings;
pub(crate) mod units;

use std::io::{self, Write as _};

use super::Failure;

/// Writes a result to standard output.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    write_out(text.as_ref()).map_err(Failure::other)
}

/// It is no failure if the reader has seen enough, as `head` has.
fn write_out(bytes: &[u8]) -> io::Result<()> {
    progress::aside(|| {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    })
}

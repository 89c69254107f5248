//! Decodes `aws-chunked` bodies without checking the signatures in them.
//!
//! The AWS CLI over TLS, and SDKs, compute the checksum of a body while they send it, and put it behind
//! the body in a trailer. Such a body is chunks of
//! `SIZE[;chunk-signature=...]\r\nBYTES\r\n`, a chunk of size 0, then `name:value\r\n` lines.
//! Chunks pass through as they arrive, however large they are.
//!
//! Format: "Signature calculations: transferring payload in multiple chunks" in the S3 API
//! reference.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::store::lock;

/// Longest line between chunks, in bytes. Signatures take 64.
const MAX_LINE: usize = 4096;

/// Most trailers of a body. S3 defines two: a checksum and a signature.
const MAX_TRAILERS: usize = 16;

/// The headers behind a chunked body. They are empty until the body was read to its end.
#[derive(Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<HeaderMap>>);

impl Trailers {
    /// The value of the trailer `name`.
    pub(super) fn get(&self, name: &HeaderName) -> Option<HeaderValue> {
        lock(&self.0).get(name).cloned()
    }
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkedError {
    /// A chunk or trailer line is not of the form above.
    Malformed,
    /// The body ends within a chunk or before the last one.
    Truncated,
    /// The chunks do not add up to `x-amz-decoded-content-length`.
    Length,
}

impl fmt::Display for ChunkedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "aws-chunked body is malformed",
            Self::Truncated => "aws-chunked body ends early",
            Self::Length => "aws-chunked body differs from x-amz-decoded-content-length",
        })
    }
}

impl std::error::Error for ChunkedError {}

enum Expect {
    /// A chunk's size.
    Head,
    /// This many more bytes of a chunk.
    Data(u64),
    /// The line end behind a chunk.
    Gap,
    /// A trailer line, or the empty line that ends them.
    Trailer,
    End,
}

/// The decoded form of the body `inner`.
pub(super) struct Decoder<B> {
    inner: B,
    /// Bytes read but not yet decoded.
    buffer: BytesMut,
    /// The rest of the frame being decoded.
    frame: Bytes,
    expect: Expect,
    /// Bytes still to be decoded.
    remaining: u64,
    trailers: Trailers,
}

impl<B> Decoder<B> {
    /// Decodes `inner` into `length` bytes.
    pub(super) fn new(inner: B, length: u64, trailers: Trailers) -> Self {
        Self {
            inner,
            buffer: BytesMut::new(),
            frame: Bytes::new(),
            expect: Expect::Head,
            remaining: length,
            trailers,
        }
    }

    /// Decodes the bytes read so far. Returns data, or `None` when more must be read.
    fn step(&mut self) -> Result<Option<Bytes>, ChunkedError> {
        loop {
            if let Expect::Data(left) = self.expect {
                if self.frame.is_empty() {
                    return Ok(None);
                }
                let taken = usize::try_from(left)
                    .map_or(self.frame.len(), |left| left.min(self.frame.len()));
                let data = self.frame.split_to(taken);
                let left = left - taken as u64;
                self.remaining = self
                    .remaining
                    .checked_sub(taken as u64)
                    .ok_or(ChunkedError::Length)?;
                self.expect = if left == 0 {
                    Expect::Gap
                } else {
                    Expect::Data(left)
                };
                return Ok(Some(data));
            }
            let Some(line) = self.line()? else {
                return Ok(None);
            };
            self.expect = match self.expect {
                Expect::Head => match chunk_size(&line).ok_or(ChunkedError::Malformed)? {
                    0 => Expect::Trailer,
                    size => Expect::Data(size),
                },
                Expect::Gap if line.is_empty() => Expect::Head,
                Expect::Gap => return Err(ChunkedError::Malformed),
                Expect::Trailer if line.is_empty() => Expect::End,
                Expect::Trailer => {
                    let (name, value) = trailer(&line).ok_or(ChunkedError::Malformed)?;
                    let mut trailers = lock(&self.trailers.0);
                    if trailers.len() == MAX_TRAILERS {
                        return Err(ChunkedError::Malformed);
                    }
                    trailers.insert(name, value);
                    Expect::Trailer
                }
                // Bytes behind the end are ignored.
                Expect::End | Expect::Data(_) => Expect::End,
            };
        }
    }

    /// Takes a line without its end, or `None` when it is not complete yet.
    fn line(&mut self) -> Result<Option<BytesMut>, ChunkedError> {
        let end = self.frame.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(self.frame.len(), |end| end + 1);
        if self.buffer.len() + taken > MAX_LINE {
            return Err(ChunkedError::Malformed);
        }
        self.buffer.extend_from_slice(&self.frame[..taken]);
        self.frame.advance(taken);
        if end.is_none() {
            return Ok(None);
        }
        let mut line = self.buffer.split();
        line.truncate(line.len() - 1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line))
    }

    /// Whether the encoded body may end here: after the last chunk, with or without the empty line.
    fn finished(&self) -> Result<(), ChunkedError> {
        match self.expect {
            Expect::End => {}
            Expect::Trailer if self.buffer.is_empty() => {}
            _ => return Err(ChunkedError::Truncated),
        }
        if self.remaining == 0 {
            Ok(())
        } else {
            Err(ChunkedError::Length)
        }
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    // `from_str_radix` would take a sign.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn trailer(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    Some((
        HeaderName::from_bytes(name).ok()?,
        HeaderValue::from_bytes(value).ok()?,
    ))
}

impl<B> Body for Decoder<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<s3s::StdError>,
{
    type Data = Bytes;
    type Error = s3s::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            match self.step() {
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(None) => {}
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => self.frame = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    return Poll::Ready(match self.finished() {
                        Ok(()) => None,
                        Err(error) => Some(Err(error.into())),
                    });
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::future::poll_fn;

    use super::*;

    struct Frames(VecDeque<Bytes>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    impl From<Infallible> for ChunkedError {
        fn from(never: Infallible) -> Self {
            match never {}
        }
    }

    /// Decodes `encoded`, delivered `step` bytes at a time.
    fn decode(encoded: &[u8], step: usize, length: u64) -> Result<(Vec<u8>, Trailers), String> {
        let frames = encoded.chunks(step).map(Bytes::copy_from_slice).collect();
        let trailers = Trailers::default();
        let mut decoder = Decoder::new(Frames(frames), length, trailers.clone());
        let mut decoded = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut decoder).poll_frame(cx)).await {
                decoded.extend(
                    frame
                        .map_err(|error| error.to_string())?
                        .into_data()
                        .unwrap(),
                );
            }
            Ok((decoded, trailers))
        })
    }

    const BODY: &[u8] = b"5\r\nhello\r\nA;chunk-signature=0f\r\n, my world\r\n0\r\n\
        x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature: 0f\r\n\r\n";

    #[test]
    fn chunks_and_trailers_decode_wherever_frames_end() {
        for step in 1..=BODY.len() {
            let (decoded, trailers) = decode(BODY, step, 15).unwrap();
            assert_eq!(decoded, b"hello, my world");
            let checksum = trailers.get(&HeaderName::from_static("x-amz-checksum-crc32"));
            assert_eq!(checksum.unwrap(), "AAAAAA==");
        }
        assert_eq!(decode(b"0\r\n\r\n", 3, 0).unwrap().0, b"");
        assert_eq!(decode(b"0\r\n", 3, 0).unwrap().0, b"");
    }

    #[test]
    fn malformed_cut_and_overlong_bodies_are_refused() {
        let early = ChunkedError::Truncated.to_string();
        for cut in 0..BODY.len() - 64 {
            assert_eq!(
                decode(&BODY[..cut], 7, 15).err(),
                Some(early.clone()),
                "cut at {cut}"
            );
        }
        let malformed = ChunkedError::Malformed.to_string();
        for body in [
            "x\r\n",
            "-5\r\nhello",
            "5\r\nhelloo\r\n",
            "0\r\nno colon\r\n",
            "fffffffffffffffff\r\n",
        ] {
            assert_eq!(
                decode(body.as_bytes(), 4, 5).err(),
                Some(malformed.clone()),
                "{body:?}"
            );
        }
        assert_eq!(
            decode(&[b'0'; 2 * MAX_LINE], 512, 0).err(),
            Some(malformed.clone())
        );
        // A map of more than 32,768 headers panics.
        let many: String = (0..40_000).map(|n| format!("t{n}:v\r\n")).collect();
        let many = format!("0\r\n{many}\r\n");
        assert_eq!(decode(many.as_bytes(), 4096, 0).err(), Some(malformed));
        for length in [14, 16] {
            assert_eq!(
                decode(BODY, 9, length).err(),
                Some(ChunkedError::Length.to_string())
            );
        }
    }
}

//! Bodies whose bytes change or break off on their way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use s3s::{Body, StdError};
use tokio::time::Sleep;

/// How long the bytes before a break may take to leave.
const FLUSH: Duration = Duration::from_millis(20);

/// What happens to the bytes of a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    /// One bit of the first byte changes.
    Flip,
    /// The body breaks off after this many bytes.
    CutAfter(u64),
}

/// A damaged body.
pub(super) struct DamagedBody {
    inner: Body,
    damage: Damage,
    passed: u64,
    /// The body has broken off; the error comes when this ends, so that the bytes before it can leave.
    broken: Option<Pin<Box<Sleep>>>,
}

impl DamagedBody {
    pub(super) fn wrap(inner: Body, damage: Damage) -> Body {
        Body::http_body_unsync(Self {
            inner,
            damage,
            passed: 0,
            broken: None,
        })
    }
}

impl hyper::body::Body for DamagedBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        loop {
            if let Some(time) = &mut this.broken {
                ready!(time.as_mut().poll(cx));
                let end = io::Error::from(io::ErrorKind::ConnectionAborted);
                return Poll::Ready(Some(Err(end.into())));
            }
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            let mut bytes = match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => bytes,
                Ok(_) => continue,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            };
            let first = this.passed == 0;
            this.passed += bytes.len() as u64;
            match this.damage {
                Damage::Flip if first => {
                    let mut flipped = bytes.to_vec();
                    flipped[0] ^= 1;
                    bytes = flipped.into();
                }
                Damage::CutAfter(most) if this.passed > most => {
                    let over = usize::try_from(this.passed - most).unwrap_or(usize::MAX);
                    bytes.truncate(bytes.len().saturating_sub(over));
                    this.broken = Some(Box::pin(tokio::time::sleep(FLUSH)));
                    if bytes.is_empty() {
                        continue;
                    }
                }
                Damage::Flip | Damage::CutAfter(_) => {}
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::poll_fn;

    use hyper::body::Body as _;

    use super::*;

    async fn passed(damage: Damage, pieces: &[&'static [u8]]) -> (Vec<u8>, bool) {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece))))
            .collect();
        let stream = futures_util::stream::iter(frames);
        let inner = Body::http_body_unsync(http_body_util::StreamBody::new(stream));
        let mut body = DamagedBody::wrap(inner, damage);
        let mut got = Vec::new();
        loop {
            match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                None => return (got, true),
                Some(Err(_)) => return (got, false),
                Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().unwrap()),
            }
        }
    }

    #[tokio::test]
    async fn one_bit_changes_or_the_body_breaks_off_at_the_given_byte() {
        let pieces: &[&'static [u8]] = &[b"", b"abc", b"def"];
        let flipped = (b"`bcdef".to_vec(), true);
        assert_eq!(passed(Damage::Flip, pieces).await, flipped);
        for (most, expected) in [(0, ""), (2, "ab"), (3, "abc"), (5, "abcde")] {
            let cut = (expected.as_bytes().to_vec(), false);
            assert_eq!(passed(Damage::CutAfter(most), pieces).await, cut, "{most}");
        }
        let whole = (b"abcdef".to_vec(), true);
        assert_eq!(passed(Damage::CutAfter(6), pieces).await, whole);
    }
}

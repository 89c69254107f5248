//! `--bandwidth-limit`: requests' bodies, no faster than the user wants.
//!
//! A body is handed to the connection in small pieces, each when its time has come. All bodies share
//! one clock, so what they send together keeps the rate, however many they are; what is sent again
//! counts again. It is done when a request is signed and about to go: nothing else of it changes, and
//! a retry begins with the body as it was.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// Pieces a second, about: short enough that a second holds the rate, and that others get theirs.
const PIECES: u64 = 20;

/// A piece is at least this, and at most that many bytes.
const PIECE: (u64, u64) = (1 << 10, 64 << 10);

/// What a late clock may catch up with: timers are not exact.
const LATE: Duration = Duration::from_millis(100);

/// Keeps bodies to a rate. All clones share it.
#[derive(Clone, Debug)]
pub(super) struct RateLimiter(Arc<Clock>);

#[derive(Debug)]
struct Clock {
    /// Bytes a second.
    rate: u64,
    /// When the next byte may go.
    next: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// `rate` bytes a second. Zero counts as one.
    pub(super) fn new(rate: u64) -> Self {
        Self(Arc::new(Clock {
            rate: rate.max(1),
            next: Mutex::new(None),
        }))
    }

    fn piece(&self) -> usize {
        let piece = (self.0.rate / PIECES).clamp(PIECE.0, PIECE.1);
        usize::try_from(piece).unwrap_or(usize::MAX)
    }

    /// When `bytes` may go, which is later for whoever asks next.
    fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.0.rate as f64);
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(LATE).unwrap_or(now);
        let at = next.map_or(now, |next| next.max(earliest));
        *next = Some(at + takes);
        at
    }
}

impl Intercept for RateLimiter {
    fn name(&self) -> &'static str {
        "RateLimiter"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request_mut().body_mut();
        if body.content_length() == Some(0) {
            return Ok(());
        }
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Paced {
            body: whole,
            rest: Bytes::new(),
            held: None,
            pace: self.clone(),
        });
        Ok(())
    }
}

/// A body that waits for its time.
struct Paced {
    body: SdkBody,
    /// What the body gave, and is not sent yet.
    rest: Bytes,
    /// The piece that is next, and the time of it.
    held: Option<(Bytes, Pin<Box<Sleep>>)>,
    pace: RateLimiter,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            if let Some((piece, time)) = &mut this.held {
                ready!(time.as_mut().poll(context));
                let piece = std::mem::take(piece);
                this.held = None;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if this.rest.is_empty() {
                match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => this.rest = data,
                        Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                    },
                    ended => return Poll::Ready(ended),
                }
                continue;
            }
            let size = this.rest.len().min(this.pace.piece());
            let piece = this.rest.split_to(size);
            let at = this.pace.reserve(size, Instant::now());
            this.held = Some((piece, Box::pin(sleep_until(at))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.as_ref().map_or(0, |(piece, _)| piece.len());
        let here = (held + self.rest.len()) as u64;
        let of_body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + here);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + here);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paced(pace: &RateLimiter, bytes: usize) -> Paced {
        Paced {
            body: SdkBody::from(vec![7; bytes]),
            rest: Bytes::new(),
            held: None,
            pace: pace.clone(),
        }
    }

    async fn drain(mut body: Paced) -> u64 {
        let whole = body.size_hint().exact().unwrap();
        let mut read = 0;
        loop {
            assert_eq!(body.size_hint().exact(), Some(whole - read));
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            match frame.await {
                Some(frame) => read += frame.unwrap().into_data().unwrap().len() as u64,
                None => return read,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_together_keep_the_rate() {
        let pace = RateLimiter::new(1 << 20);
        let since = Instant::now();
        let bodies = (0..4).map(|_| drain(paced(&pace, 5 << 20)));
        let mut tasks = tokio::task::JoinSet::new();
        bodies.for_each(|body| {
            tasks.spawn(body);
        });
        let read: u64 = tasks.join_all().await.into_iter().sum();
        assert_eq!(read, 20 << 20);
        let took = since.elapsed().as_secs_f64();
        assert!(
            (19.0..=21.0).contains(&took),
            "20 MiB at 1 MiB/s took {took} s"
        );
    }

    #[test]
    fn who_was_late_catches_up_and_who_was_away_does_not() {
        let pace = RateLimiter::new(1000);
        let start = Instant::now();
        assert_eq!(pace.reserve(100, start), start);
        assert_eq!(pace.reserve(100, start), start + Duration::from_millis(100));
        // 50 ms late: the rest is due as if it had not been.
        let late = start + Duration::from_millis(250);
        assert_eq!(pace.reserve(100, late), start + Duration::from_millis(200));
        let away = start + Duration::from_secs(60);
        assert_eq!(pace.reserve(100, away), away - LATE);
    }
}

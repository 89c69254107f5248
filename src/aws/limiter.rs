//! The bandwidth limit: the bodies of all requests together are sent no faster than the user wants.
//!
//! A body is handed to the connection in small pieces, each at its own time. All bodies share one clock,
//! so their sum keeps the rate, however many they are; bytes that are sent again count again. The body is
//! wrapped after the request is signed: the rest of the request does not change, and a retry begins with
//! the original body.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::body::{Pieces, wrap};

/// Pieces per second, about: so many that each second keeps the rate, and that each body gets a turn.
const PIECES: u64 = 20;

/// Fewest and most bytes of a piece.
const PIECE: (u64, u64) = (1 << 10, 64 << 10);

/// Timers are not exact: so much delay is caught up with afterwards.
const CATCH_UP: Duration = Duration::from_millis(100);

/// A bandwidth limit. The clients of all clones send no more than its rate together.
#[derive(Clone, Debug)]
pub struct Bandwidth {
    limiter: RateLimiter,
    sharers: u64,
}

impl Bandwidth {
    /// Allows `rate` bytes per second to one client.
    #[must_use]
    pub fn new(rate: u64) -> Self {
        Self::shared(rate, 1)
    }

    /// Allows `rate` bytes per second to so many clients together.
    #[must_use]
    pub fn shared(rate: u64, clients: usize) -> Self {
        Self {
            limiter: RateLimiter::new(rate),
            sharers: (clients as u64).max(1),
        }
    }

    /// What each client gets if all of them send.
    pub(super) fn share(&self) -> u64 {
        (self.limiter.0.rate / self.sharers).max(1)
    }

    pub(super) fn limiter(&self) -> RateLimiter {
        self.limiter.clone()
    }
}

impl PartialEq for Bandwidth {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.limiter.0, &other.limiter.0)
    }
}

impl Eq for Bandwidth {}

/// Keeps bodies to a rate. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct RateLimiter(Arc<Clock>);

#[derive(Debug)]
struct Clock {
    /// Bytes per second.
    rate: u64,
    /// When the next byte may be sent.
    next: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// Allows `rate` bytes per second. Zero counts as one.
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

    /// When `bytes` may be sent. The next caller gets a later time.
    fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.0.rate as f64);
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
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
        wrap(context, |body| LimitedBody {
            body,
            next: None,
            limiter: self.clone(),
        });
        Ok(())
    }
}

/// A body that sends each piece at its time.
struct LimitedBody {
    body: Pieces,
    /// The next piece, and when to send it.
    next: Option<(Bytes, Pin<Box<Sleep>>)>,
    limiter: RateLimiter,
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            if let Some((piece, time)) = &mut this.next {
                ready!(time.as_mut().poll(context));
                let piece = std::mem::take(piece);
                this.next = None;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let frame = ready!(this.body.poll(context, this.limiter.piece()));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(piece))) => {
                    let at = this.limiter.reserve(piece.len(), Instant::now());
                    this.next = Some((piece, Box::pin(sleep_until(at))));
                }
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.body.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.next.as_ref().map_or(0, |(piece, _)| piece.len());
        self.body.size_hint(held)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn limited(limiter: &RateLimiter, bytes: usize) -> LimitedBody {
        LimitedBody {
            body: Pieces::new(SdkBody::from(vec![7; bytes])),
            next: None,
            limiter: limiter.clone(),
        }
    }

    async fn drain(mut body: LimitedBody) -> u64 {
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
    async fn all_bodies_together_keep_the_rate() {
        let limiter = RateLimiter::new(1 << 20);
        let since = Instant::now();
        let bodies = (0..4).map(|_| drain(limited(&limiter, 5 << 20)));
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
    fn a_short_delay_is_caught_up_with_and_a_long_one_is_not() {
        let limiter = RateLimiter::new(1000);
        let start = Instant::now();
        assert_eq!(limiter.reserve(100, start), start);
        assert_eq!(
            limiter.reserve(100, start),
            start + Duration::from_millis(100)
        );
        // 50 ms late: the next piece is due as if it had come in time.
        let late = start + Duration::from_millis(250);
        assert_eq!(
            limiter.reserve(100, late),
            start + Duration::from_millis(200)
        );
        let away = start + Duration::from_secs(60);
        assert_eq!(limiter.reserve(100, away), away - CATCH_UP);
    }
}

//! The link between the endpoint and its clients: how long requests take to arrive, and at which rate
//! bodies do.
//!
//! An endpoint on this machine answers at once. With a latency and rates it shows how a program uses
//! the network of a place far away. Bodies are paced by reading slowly, so clients feel the
//! back-pressure of TCP.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use s3s::{Body, StdError};
use tokio::time::Sleep;

use super::store::lock;

/// A reader that wakes up late may make up for this much time, and a link that is idle saves up no
/// more: the bytes of a real link would wait in the receiver's socket meanwhile.
const SLACK: Duration = Duration::from_millis(10);

/// Shorter waits are added to the next one: timers are about a millisecond late.
const GRAIN: Duration = Duration::from_micros(500);

/// Latency and rates of an endpoint. The default is as fast as the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// How long a request takes to arrive, before its body.
    pub latency: Duration,
    /// Bytes per second that the body of a request may arrive at, for each connection.
    pub rate: Option<u64>,
    /// Bytes per second that the bodies of all connections together may arrive at.
    pub total_rate: Option<u64>,
}

impl Link {
    /// Whether bodies are paced.
    pub(super) fn is_paced(&self) -> bool {
        self.rate.is_some() || self.total_rate.is_some()
    }
}

/// Tells when bytes would have arrived over a link of a fixed rate, of one connection or shared by
/// several.
#[derive(Debug)]
pub(super) struct Pacer {
    rate: u64,
    /// When all bytes that were taken have arrived.
    free: Mutex<Option<Instant>>,
}

impl Pacer {
    /// A link that carries `rate` bytes per second.
    pub(super) fn new(rate: u64) -> Arc<Self> {
        Arc::new(Self {
            rate: rate.max(1),
            free: Mutex::new(None),
        })
    }

    /// A body starts at `now`: idle time before it is no credit.
    fn begin(&self, now: Instant) {
        let mut free = lock(&self.free);
        *free = Some(free.map_or(now, |free| free.max(now)));
    }

    /// Takes `bytes` that were read at `now`. Returns how long to wait until they have arrived, or
    /// zero if that is too short for a timer.
    fn take(&self, now: Instant, bytes: usize) -> Duration {
        let mut free = lock(&self.free);
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        let start = free.map_or(now, |free| free.max(earliest));
        let nanos = (bytes as u64).saturating_mul(1_000_000_000) / self.rate;
        let arrived = start + Duration::from_nanos(nanos);
        *free = Some(arrived);
        let wait = arrived.saturating_duration_since(now);
        if wait < GRAIN { Duration::ZERO } else { wait }
    }
}

/// A body whose bytes arrive no faster than links allow, and are counted.
pub(super) struct PacedBody<F> {
    inner: Body,
    pacers: Vec<Arc<Pacer>>,
    begun: bool,
    /// Bytes that pass when the time has come.
    held: Option<(Bytes, Pin<Box<Sleep>>)>,
    count: F,
}

impl<F: FnMut(usize) + Send + Unpin + 'static> PacedBody<F> {
    /// Calls `count` with the number of bytes in each frame that has arrived.
    pub(super) fn wrap(inner: Body, pacers: Vec<Arc<Pacer>>, count: F) -> Body {
        Body::http_body_unsync(Self {
            inner,
            pacers,
            begun: false,
            held: None,
            count,
        })
    }
}

impl<F: FnMut(usize) + Send + Unpin + 'static> hyper::body::Body for PacedBody<F> {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        if !this.begun {
            this.begun = true;
            let now = Instant::now();
            this.pacers.iter().for_each(|pacer| pacer.begin(now));
        }
        if this.held.is_none() {
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            let bytes = match frame.into_data() {
                Ok(bytes) => bytes,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            };
            let now = Instant::now();
            let waits = this.pacers.iter().map(|pacer| pacer.take(now, bytes.len()));
            let wait = waits.max().unwrap_or_default();
            if wait.is_zero() {
                (this.count)(bytes.len());
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            this.held = Some((bytes, Box::pin(tokio::time::sleep(wait))));
        }
        if let Some((_, time)) = &mut this.held {
            ready!(time.as_mut().poll(cx));
        }
        let bytes = this.held.take().map(|(bytes, _)| bytes).unwrap_or_default();
        (this.count)(bytes.len());
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.held {
            None => self.inner.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 64 << 10;

    /// How long it takes to read `total` bytes in chunks when each wait ends `late`.
    fn drain(pacer: &Pacer, total: usize, late: Duration) -> Duration {
        let start = Instant::now();
        let mut now = start;
        pacer.begin(now);
        for _ in 0..total / CHUNK {
            let wait = pacer.take(now, CHUNK);
            if !wait.is_zero() {
                now += wait + late;
            }
        }
        now - start
    }

    #[test]
    fn the_rate_is_kept_however_small_the_chunks_and_late_the_timers() {
        for rate in [1, 40, 1000] {
            let total = 64 << 20;
            let ideal = total as f64 / (rate as f64 * 1e6);
            for late in [0, 60, 3000].map(Duration::from_micros) {
                let took = drain(&Pacer::new(rate * 1_000_000), total, late).as_secs_f64();
                // One wait too short for a timer at the end, or one late timer.
                assert!(
                    took > ideal - 0.0006 && took < ideal + 0.0031,
                    "{rate} {took}"
                );
            }
        }
    }

    #[test]
    fn idle_time_is_no_credit() {
        let pacer = Pacer::new(1_000_000);
        let start = Instant::now();
        let second = Duration::from_secs(1);
        pacer.begin(start);
        assert_eq!(pacer.take(start, 1_000_000), second);
        // Nine seconds later a body begins, and after nine more its rest comes.
        pacer.begin(start + 10 * second);
        assert_eq!(pacer.take(start + 10 * second, 1_000_000), second);
        assert_eq!(pacer.take(start + 20 * second, 1_000_000), second - SLACK);
    }

    #[test]
    fn connections_that_share_a_link_queue() {
        let pacer = Pacer::new(1_000_000);
        let now = Instant::now();
        let first = pacer.take(now, 500_000);
        assert_eq!(pacer.take(now, 500_000), first + Duration::from_millis(500));
    }
}

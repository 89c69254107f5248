//! Tries a request again when that may help, but neither at once nor for ever.
//!
//! The SDK tries three times, and pays for each retry from tokens that time does not bring back: an
//! upload that loses a hundred requests in a day has none left. Nor does it ever give up on an answer
//! that was lost on its way. So each request has more attempts around those: with random pauses, so
//! that requests that failed together do not come back together; each with as long as its size may
//! take on this link; and from tokens that grow again, so that a store that is down is not asked by
//! every part for minutes.
//!
//! It refuses to repeat what the store said no to: that is an answer.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::aws::error::{CallError, RetryAdvice};

/// Attempts of a request unless told otherwise. Their pauses are 25 seconds on average and 51 at
/// most, and the SDK's own come on top: a network that is gone for half a minute is outlived.
pub const DEFAULT_ATTEMPTS: u32 = 8;

/// The first pause is below this.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 2 } else { 500 });

/// The first pause after the store said that it is asked too much.
const SLOW_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 4 } else { 2000 });

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Attempts when credentials are what fails: whoever gives them has been asked several times by then.
const BRIEFLY: u32 = 3;

/// Caller that all requests together may make at once: seven each for twelve.
const TOKENS: f64 = 100.0;

/// Caller that come back in a second.
const REFILL: f64 = 1.0;

/// What an answer may take in any case. S3 takes as long to begin one as it needs to keep the part.
pub(crate) const ANSWER: Duration = Duration::from_secs(60);

/// Bytes a second of one request, below which it is given up, at first.
const SLOWEST: f64 = 32.0 * 1024.0;

/// A request may get this share of what others got: the link is shared, and not always evenly.
const PATIENT: f64 = 1.0 / 8.0;

/// Requests of fewer bytes say nothing about a link.
const TELLING: u64 = 256 << 10;

/// A link is not believed to be slower than this, however many attempts were given up.
const STANDSTILL: f64 = 512.0;

/// By how much pauses are shorter than they are meant to be.
static HURRY: AtomicU32 = AtomicU32::new(1);

/// Makes pauses between attempts so many times shorter, in the whole process from now on. For tests that
/// push thousands of times and meet a fault each time; nothing else calls it. Zero counts as one.
#[doc(hidden)]
pub fn hurry(times: u32) {
    HURRY.store(times.max(1), Ordering::Relaxed);
}

/// How requests are tried again, and what they share for it.
#[derive(Debug)]
pub(crate) struct Caller {
    attempts: u32,
    /// What an answer may take when nothing is sent.
    answer: Duration,
    tokens: Mutex<Tokens>,
    patience: Mutex<Deadline>,
}

impl Caller {
    /// Each request is tried `attempts` times at most. Zero counts as one.
    #[must_use]
    pub(crate) fn new(attempts: u32) -> Self {
        Self {
            attempts: attempts.max(1),
            answer: ANSWER,
            tokens: Mutex::new(Tokens::full(Instant::now())),
            patience: Mutex::default(),
        }
    }

    /// The same where a request is not to get more than `rate` bytes a second.
    #[must_use]
    pub(crate) fn at_most(self, rate: u64) -> Self {
        {
            let mut patience = lock(&self.patience);
            patience.slowest = patience.slowest.min(rate as f64 * PATIENT).max(STANDSTILL);
        }
        self
    }

    /// Makes a request that sends `size` bytes, or asks for them, and makes it again while that may help. `slower` is
    /// called when the store asks for fewer requests.
    ///
    /// # Errors
    ///
    /// That of the last attempt.
    pub(crate) async fn request<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        operation: &'static str,
        size: u64,
        slower: impl Fn(),
        attempt: impl Fn() -> F,
    ) -> Result<T, CallError> {
        let mut made = 0;
        loop {
            let allowed = self.answer + lock(&self.patience).allows(size);
            let since = Instant::now();
            let error = match timeout(allowed, attempt()).await {
                Ok(Ok(answer)) => {
                    lock(&self.patience).answered(size, since.elapsed());
                    return Ok(answer);
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    lock(&self.patience).record_failure();
                    late(operation, allowed)
                }
            };
            made += 1;
            self.pause(made, error, &slower).await?;
        }
    }

    /// The same with a request that sends nothing worth counting, and may take `allowed`.
    ///
    /// # Errors
    ///
    /// That of the last attempt.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        operation: &'static str,
        allowed: Duration,
        attempt: impl Fn() -> F,
    ) -> Result<T, CallError> {
        let mut made = 0;
        loop {
            let error = match timeout(allowed, attempt()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => late(operation, allowed),
            };
            made += 1;
            self.pause(made, error, &|| ()).await?;
        }
    }

    /// Waits until there may be another attempt, `made` of which failed.
    ///
    /// # Errors
    ///
    /// `error`, which was the last of them, if there may be none.
    async fn pause(
        &self,
        made: u32,
        error: CallError,
        slower: &impl Fn(),
    ) -> Result<(), CallError> {
        let (first, most) = match error.retry_advice() {
            RetryAdvice::Never => return Err(error),
            RetryAdvice::Soon => (PAUSE, self.attempts),
            RetryAdvice::Briefly => (PAUSE, self.attempts.min(BRIEFLY)),
            RetryAdvice::Slower => {
                slower();
                (SLOW_PAUSE, self.attempts)
            }
        };
        if made >= most || !lock(&self.tokens).take(Instant::now()) {
            return Err(error);
        }
        sleep(pause(first, made, fastrand::f64())).await;
        Ok(())
    }
}

/// The pause before attempt `made + 1`: a share, from 0 to 1, of what doubles with each attempt
/// ("Exponential Backoff And Jitter", AWS Architecture Blog: full jitter).
fn pause(first: Duration, made: u32, share: f64) -> Duration {
    let doublings = made.saturating_sub(1).min(16);
    first
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
        .mul_f64(share)
        / HURRY.load(Ordering::Relaxed)
}

fn late(operation: &'static str, allowed: Duration) -> CallError {
    CallError {
        operation,
        code: None,
        message: format!("none came within {allowed:.0?}"),
    }
}

/// Caller that are left.
#[derive(Debug)]
struct Tokens {
    left: f64,
    at: Instant,
}

impl Tokens {
    fn full(now: Instant) -> Self {
        Self {
            left: TOKENS,
            at: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * REFILL).min(TOKENS);
        self.at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

/// How long a request may take.
#[derive(Debug)]
struct Deadline {
    /// Bytes a second of one request, below which it is given up.
    slowest: f64,
    /// What requests got, the latest counting most.
    got: Option<f64>,
}

impl Default for Deadline {
    fn default() -> Self {
        Self {
            slowest: SLOWEST,
            got: None,
        }
    }
}

impl Deadline {
    fn allows(&self, size: u64) -> Duration {
        // Exact up to 2^53 bytes, and a part is 5 GiB at most.
        Duration::from_secs_f64(size as f64 / self.slowest)
    }

    fn answered(&mut self, size: u64, took: Duration) {
        // What is smaller shows the way's length, not its width.
        if size < TELLING {
            return;
        }
        let now = size as f64 / took.as_secs_f64().max(1e-6);
        let got = self.got.map_or(now, |before| before * 0.75 + now * 0.25);
        self.got = Some(got);
        self.slowest = (got * PATIENT).max(STANDSTILL);
    }

    /// A request was given up: the next may take twice as long.
    fn record_failure(&mut self) {
        self.slowest = (self.slowest / 2.0).max(STANDSTILL);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn refused(code: &str) -> CallError {
        CallError::refused("UploadPart", Some(code), None)
    }

    /// Fails with each of `errors` in turn, then succeeds. How often it was asked, and how often to
    /// slow down.
    async fn try_with(
        retries: &Caller,
        errors: &[CallError],
    ) -> (Result<(), CallError>, usize, u32) {
        let (asked, slowed) = (Cell::new(0), Cell::new(0));
        let attempt = || {
            let at = asked.replace(asked.get() + 1);
            std::future::ready(errors.get(at).cloned().map_or(Ok(()), Err))
        };
        let slower = || slowed.set(slowed.get() + 1);
        let done = retries.request("UploadPart", 10, slower, attempt).await;
        (done, asked.get(), slowed.get())
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_an_answer_is_not() {
        let retries = Caller::new(3);
        let lost = CallError {
            operation: "UploadPart",
            code: None,
            message: "connection reset".into(),
        };
        let passing = [refused("InternalError"), lost];
        assert_eq!(try_with(&retries, &passing).await, (Ok(()), 3, 0));
        let busy = [refused("SlowDown"), refused("SlowDown")];
        assert_eq!(try_with(&retries, &busy).await, (Ok(()), 3, 2));
        // Credentials that cannot be had are asked for three times, however often requests are made.
        let without = CallError {
            operation: "UploadPart",
            code: None,
            message: "cannot get credentials: the session has expired".into(),
        };
        let failing = vec![without.clone(); 9];
        let (done, asked, _) = try_with(&Caller::new(8), &failing).await;
        assert_eq!((done, asked), (Err(without), 3));
        let denied = refused("AccessDenied");
        let (done, asked, _) = try_with(&retries, std::slice::from_ref(&denied)).await;
        assert_eq!((done, asked), (Err(denied), 1));
    }

    #[tokio::test]
    async fn attempts_end_and_the_last_error_is_told() {
        let errors = [
            refused("InternalError"),
            refused("SlowDown"),
            refused("InternalError"),
        ];
        for (attempts, asked) in [(0, 1), (1, 1), (2, 2), (3, 3)] {
            let done = try_with(&Caller::new(attempts), &errors).await;
            assert_eq!(done.0, Err(errors[asked - 1].clone()));
            assert_eq!(done.1, asked);
        }
    }

    #[tokio::test]
    async fn all_requests_together_run_out_of_tokens() {
        let retries = Caller::new(2);
        let failing = [refused("InternalError"), refused("InternalError")];
        let mut retried = 0;
        for _ in 0..150 {
            let (done, asked, _) = try_with(&retries, &failing).await;
            done.unwrap_err();
            retried += asked - 1;
        }
        // One comes back each second; this takes less than a minute anywhere.
        assert!((100..150).contains(&retried), "{retried}");
    }

    #[test]
    fn tokens_come_back_with_time_up_to_the_most() {
        let start = Instant::now();
        let mut tokens = Tokens::full(start);
        let mut take_all = |at| (0..1000).take_while(|_| tokens.take(at)).count();
        assert_eq!(take_all(start), 100);
        assert_eq!(take_all(start + Duration::from_millis(2500)), 2);
        assert_eq!(take_all(start + Duration::from_secs(3)), 1);
        assert_eq!(take_all(start + Duration::from_secs(86_400)), 100);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_a_share_of_that() {
        let first = Duration::from_millis(500);
        let whole: Vec<u128> = (1..=8)
            .map(|made| pause(first, made, 1.0).as_millis())
            .collect();
        assert_eq!(whole, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
        assert_eq!(pause(first, 3, 0.0), Duration::ZERO);
        assert_eq!(pause(first, u32::MAX, 0.5), Duration::from_secs(10));
    }

    #[test]
    fn patience_follows_size_and_link() {
        let mut patience = Deadline::default();
        let part = 8 << 20;
        assert_eq!(patience.allows(0), Duration::ZERO);
        assert_eq!(patience.allows(part), Duration::from_secs(256));
        // 8 MiB a second: eight seconds for what took one.
        patience.answered(part, Duration::from_secs(1));
        assert_eq!(patience.allows(part), Duration::from_secs(8));
        patience.answered(100, Duration::from_secs(50));
        assert_eq!(patience.allows(part), Duration::from_secs(8));
        patience.record_failure();
        assert_eq!(patience.allows(part), Duration::from_secs(16));
        for _ in 0..100 {
            patience.record_failure();
        }
        assert_eq!(patience.allows(512), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_is_not_waited_for() {
        let retries = Caller {
            answer: Duration::from_millis(10),
            ..Caller::new(2)
        };
        let asked = Cell::new(0);
        let attempt = || {
            let first = asked.replace(asked.get() + 1) == 0;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        };
        retries
            .request("UploadPart", 0, || (), attempt)
            .await
            .unwrap();
        assert_eq!(asked.get(), 2);
    }
}

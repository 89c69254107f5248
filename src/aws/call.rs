//! The one place that repeats requests: every request of every command goes through a `Caller`.
//!
//! The SDK's own retries are switched off, for three reasons: they are paid from tokens that time does not
//! bring back, so a long upload over a bad link runs out of them; they never give up on an answer that was
//! lost; and they hide how often a request was sent. A `Caller` pauses for a random time between two
//! attempts, so that requests that failed together do not come back together. It allows each attempt as
//! long as its size may take on this link (`deadline`), pays retries from tokens that grow back
//! (`tokens`), so that a service that is down is not asked by every part for minutes, and renews
//! credentials that expired early.
//!
//! A request that the service refused for good is not repeated.

mod deadline;
mod tokens;

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use self::deadline::Deadline;
use self::tokens::Tokens;
use super::credentials::CredentialRefresh;
use super::error::{CallError, RetryAdvice};

/// Attempts of a request unless the user chooses another number. The seven pauses between them take at
/// least 30 seconds together, and at most 61, so a network outage of half a minute does not fail a push.
pub const DEFAULT_ATTEMPTS: u32 = 8;

/// Attempts of a request that only tells earlier what the upload would find out.
pub(crate) const PREFLIGHT_ATTEMPTS: u32 = 3;

/// Attempts when credentials cannot be had: their provider makes attempts of its own.
const CREDENTIAL_ATTEMPTS: u32 = 3;

/// How long a `Caller` waits: between two attempts, and for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The longest first pause. Each further pause may be twice as long.
    pub pause: Duration,
    /// The longest first pause after the service asked for fewer requests.
    pub slow_down_pause: Duration,
    /// No pause is longer than this.
    pub longest_pause: Duration,
    /// What an answer may take, besides the time that the request's bytes may take. S3 begins to answer
    /// when it has stored the part.
    pub answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(650),
            slow_down_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(20),
            answer: Duration::from_secs(60),
        }
    }
}

/// A request, as far as repeating it is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    operation: &'static str,
    size: u64,
    limit: Option<Duration>,
}

impl Request {
    /// A request that sends and gets few bytes.
    pub(crate) fn new(operation: &'static str) -> Self {
        Self {
            operation,
            size: 0,
            limit: None,
        }
    }

    /// Sets how many bytes it sends or asks for.
    pub(crate) fn of_size(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// Sets how long each attempt may take, whatever other requests took.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }
}

/// Records what became of each attempt of one request.
#[derive(Debug, Default)]
pub struct Attempts {
    made: AtomicU32,
    settled: AtomicU32,
    slow_down: Option<Arc<Notify>>,
}

impl Attempts {
    /// Attempts that notify `slow_down` when the service asks for fewer requests.
    #[must_use]
    pub fn notifying(slow_down: Arc<Notify>) -> Self {
        Self {
            slow_down: Some(slow_down),
            ..Self::default()
        }
    }

    /// Whether there was more than one attempt.
    pub(crate) fn was_repeated(&self) -> bool {
        self.made.load(Ordering::Relaxed) > 1
    }

    /// Whether an attempt may have had an effect that no answer confirmed.
    #[must_use]
    pub fn has_unanswered(&self) -> bool {
        self.made.load(Ordering::Relaxed) > self.settled.load(Ordering::Relaxed)
    }
}

/// Makes requests and repeats those that may succeed later. Clones share tokens and deadlines.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    attempts: u32,
    timing: Timing,
    tokens: Mutex<Tokens>,
    deadline: Mutex<Deadline>,
    rate: Option<u64>,
    credentials: CredentialRefresh,
}

impl Caller {
    /// A caller that makes `attempts` of each request at most; zero counts as one. `rate` is the bandwidth
    /// limit, in bytes per second, that the client keeps.
    pub(super) fn new(
        attempts: u32,
        timing: Timing,
        rate: Option<u64>,
        credentials: CredentialRefresh,
    ) -> Self {
        Self(Arc::new(Shared {
            attempts: attempts.max(1),
            timing,
            tokens: Mutex::new(Tokens::full(Instant::now())),
            deadline: Mutex::new(Deadline::new(rate)),
            rate,
            credentials,
        }))
    }

    /// A caller with tokens and deadlines of its own, and the same credentials.
    pub(super) fn independent(&self) -> Self {
        self.limited(u32::MAX, Duration::MAX)
    }

    /// An independent caller that makes fewer attempts, and waits for an answer for a shorter time.
    pub(super) fn limited(&self, attempts: u32, answer: Duration) -> Self {
        let Shared {
            attempts: most,
            timing,
            rate,
            credentials,
            ..
        } = &*self.0;
        let timing = Timing {
            answer: timing.answer.min(answer),
            ..*timing
        };
        Self::new(attempts.min(*most), timing, *rate, credentials.clone())
    }

    /// Makes a request, and repeats it while that may help.
    ///
    /// # Errors
    ///
    /// The error of the last attempt.
    pub(crate) async fn call<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        request: Request,
        attempt: impl Fn() -> F,
    ) -> Result<T, CallError> {
        self.call_recording(request, &Attempts::default(), attempt)
            .await
    }

    /// As [`call`](Self::call), and records each attempt in `attempts`.
    pub(crate) async fn call_recording<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        request: Request,
        attempts: &Attempts,
        attempt: impl Fn() -> F,
    ) -> Result<T, CallError> {
        let mut made = 0;
        loop {
            let error = match self.attempt(request, attempts, &attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            made += 1;
            let pause = self.pause_after(made, &error, attempts).ok_or(error)?;
            sleep(pause).await;
        }
    }

    async fn attempt<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        request: Request,
        attempts: &Attempts,
        attempt: &impl Fn() -> F,
    ) -> Result<T, CallError> {
        let Shared {
            timing,
            deadline,
            credentials,
            ..
        } = &*self.0;
        let Request {
            operation,
            size,
            limit,
        } = request;
        let allowed = limit.unwrap_or_else(|| timing.answer + lock(deadline).allowed_for(size));
        attempts.made.fetch_add(1, Ordering::Relaxed);
        let since = Instant::now();
        // Boxed: the futures of the SDK are large, and these are nested.
        let answer = timeout(allowed, Box::pin(credentials.refreshing(attempt))).await;
        let Ok(answer) = answer else {
            if size > 0 {
                lock(deadline).record_failure();
            }
            return Err(CallError::no_answer_within(operation, allowed));
        };
        if answer.as_ref().map_or_else(CallError::is_certain, |_| true) {
            attempts.settled.fetch_add(1, Ordering::Relaxed);
        }
        if answer.is_ok() {
            lock(deadline).record_success(size, since.elapsed());
        }
        answer
    }

    /// How long to wait before the next attempt, when `made` failed, the last with `error`. None if there
    /// must be no other attempt.
    fn pause_after(&self, made: u32, error: &CallError, attempts: &Attempts) -> Option<Duration> {
        let timing = &self.0.timing;
        let (first, most) = match error.retry_advice() {
            RetryAdvice::Never => return None,
            RetryAdvice::Soon => (timing.pause, self.0.attempts),
            RetryAdvice::Briefly => (timing.pause, self.0.attempts.min(CREDENTIAL_ATTEMPTS)),
            RetryAdvice::Slower => {
                if let Some(slow_down) = &attempts.slow_down {
                    slow_down.notify_one();
                }
                (timing.slow_down_pause, self.0.attempts)
            }
        };
        let may_retry = made < most && lock(&self.0.tokens).take(Instant::now());
        may_retry.then(|| pause(first, timing.longest_pause, made, fastrand::f64()))
    }
}

/// The pause before attempt `made + 1`. Its upper bound doubles with each attempt; half of the bound is
/// waited for in any case, and `share`, from 0 to 1, of the other half ("Exponential Backoff And Jitter",
/// AWS Architecture Blog: equal jitter).
fn pause(first: Duration, longest: Duration, made: u32, share: f64) -> Duration {
    let doublings = made.saturating_sub(1).min(16);
    let bound = first.saturating_mul(1 << doublings).min(longest);
    bound.mul_f64(f64::midpoint(1.0, share))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A caller for fakes of a store: it has no credentials.
#[cfg(test)]
pub(crate) fn test_caller(attempts: u32) -> Caller {
    Caller::new(
        attempts,
        Timing::default(),
        None,
        CredentialRefresh::default(),
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const UPLOAD: Request = Request {
        operation: "UploadPart",
        size: 10,
        limit: None,
    };

    fn refused(code: &str) -> CallError {
        CallError::refused("UploadPart", Some(code), None)
    }

    fn unanswered(message: &str) -> CallError {
        CallError {
            operation: "UploadPart",
            code: None,
            message: message.into(),
        }
    }

    /// Fails with each of `errors` in turn, then succeeds. Gives the number of attempts as well.
    async fn call_failing_with(
        caller: &Caller,
        errors: &[CallError],
    ) -> (Result<(), CallError>, usize) {
        let asked = Cell::new(0);
        let attempt = || {
            let at = asked.replace(asked.get() + 1);
            std::future::ready(errors.get(at).cloned().map_or(Ok(()), Err))
        };
        let done = caller.call(UPLOAD, attempt).await;
        (done, asked.get())
    }

    #[tokio::test(start_paused = true)]
    async fn passing_errors_are_retried_and_final_ones_are_not() {
        let caller = test_caller(3);
        let passing = [refused("InternalError"), unanswered("connection reset")];
        assert_eq!(call_failing_with(&caller, &passing).await, (Ok(()), 3));
        let busy = [refused("SlowDown"), refused("SlowDown")];
        assert_eq!(call_failing_with(&caller, &busy).await, (Ok(()), 3));
        let denied = refused("AccessDenied");
        let done = call_failing_with(&caller, std::slice::from_ref(&denied)).await;
        assert_eq!(done, (Err(denied), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn failing_credentials_are_asked_for_three_times_whatever_the_attempts() {
        let failing = unanswered("cannot get credentials: the session has expired");
        let done = call_failing_with(&test_caller(8), &vec![failing.clone(); 9]).await;
        assert_eq!(done, (Err(failing), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_to_slow_down_is_passed_on() {
        let slow_down = Arc::new(Notify::new());
        let attempts = Attempts::notifying(Arc::clone(&slow_down));
        let attempt = || std::future::ready(Err::<(), _>(refused("SlowDown")));
        let caller = test_caller(1);
        let called = caller.call_recording(UPLOAD, &attempts, attempt).await;
        called.unwrap_err();
        slow_down.notified().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_is_given_when_attempts_run_out() {
        let errors = [
            refused("InternalError"),
            refused("SlowDown"),
            refused("InternalError"),
        ];
        for (attempts, asked) in [(0, 1), (1, 1), (2, 2), (3, 3)] {
            let done = call_failing_with(&test_caller(attempts), &errors).await;
            assert_eq!(done, (Err(errors[asked - 1].clone()), asked));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_half_a_minute_is_outlived_by_the_default_attempts() {
        for _ in 0..50 {
            let back = Instant::now() + Duration::from_secs(30);
            let attempt = || async {
                match Instant::now() < back {
                    true => Err(unanswered("connection refused")),
                    false => Ok(()),
                }
            };
            let caller = test_caller(DEFAULT_ATTEMPTS);
            assert_eq!(caller.call(UPLOAD, attempt).await, Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_requests_of_a_caller_share_its_retries() {
        let caller = test_caller(2);
        let failing = [refused("InternalError"), refused("InternalError")];
        let calls = (0..150).map(|_| call_failing_with(&caller, &failing));
        let done = futures_util::future::join_all(calls).await;
        let retried: usize = done.iter().map(|(_, asked)| asked - 1).sum();
        assert_eq!(retried, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_given_up_and_known_to_be_missing() {
        let (asked, attempts) = (Cell::new(0), Attempts::default());
        let attempt = || {
            let first = asked.replace(asked.get() + 1) == 0;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        };
        let caller = test_caller(2);
        let called = caller.call_recording(UPLOAD, &attempts, attempt).await;
        assert_eq!((called, asked.get()), (Ok(()), 2));
        assert!(attempts.has_unanswered());
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_attempt_that_may_have_had_an_effect_counts_as_unanswered() {
        for (error, unknown) in [
            (refused("AccessDenied"), false),
            (refused("SlowDown"), false),
            (refused("InternalError"), true),
            (unanswered("connection reset"), true),
        ] {
            let attempts = Attempts::default();
            let attempt = || std::future::ready(Err::<(), _>(error.clone()));
            let caller = test_caller(1);
            let called = caller.call_recording(UPLOAD, &attempts, attempt).await;
            called.unwrap_err();
            assert_eq!(attempts.has_unanswered(), unknown, "{error}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_at_least_half_is_waited_for() {
        let Timing {
            pause: first,
            longest_pause: longest,
            ..
        } = Timing::default();
        let of_share = |share| (1..=8).map(move |made| pause(first, longest, made, share));
        let bounds: Vec<u128> = of_share(1.0).map(|pause| pause.as_millis()).collect();
        let expected = [650, 1300, 2600, 5200, 10_400, 20_000, 20_000, 20_000];
        assert_eq!(bounds, expected);
        let seven: Duration = of_share(0.0).take(7).sum();
        assert!(seven >= Duration::from_secs(30), "{seven:?}");
        assert_eq!(
            pause(first, longest, u32::MAX, 0.5),
            Duration::from_secs(15)
        );
    }
}

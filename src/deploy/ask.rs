//! Asks for one deployment until there is an answer, and says when there was none for long.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::pace::{Pace, pause};
use super::{Deployment, Error, Event, Report, Service};
use crate::aws::error::CallError;
use crate::cancel::Cancel;

/// For how long there may be no answer until that is reported.
const FIRST_REPORT: Duration = Duration::from_secs(60);
/// The time between two such reports.
const NEXT_REPORT: Duration = Duration::from_secs(600);
/// For how long credentials may fail, or something else than CodeDeploy may refuse. Another program may renew
/// the credentials meanwhile. Also for how long there may be no answer if there never was one.
const PATIENCE: Duration = Duration::from_secs(300);
/// Attempts of a request if that happens and nothing was ever answered. Providers of credentials make attempts of
/// their own.
const FOREIGN_ATTEMPTS: u32 = 3;
/// For how long CodeDeploy may not know a deployment that it created.
const UNKNOWN: Duration = Duration::from_secs(60);

/// CodeDeploy of one region, as one deployment is asked for there.
pub(super) struct Asker<'a, S> {
    pub(super) service: &'a S,
    pub(super) pace: &'a Pace,
    pub(super) report: Report<'a>,
}

impl<S: Service> Asker<'_, S> {
    /// Makes one request when it is its turn.
    pub(super) async fn once<T>(
        &self,
        request: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        self.pace.turn().await;
        self.now(request).await
    }

    /// Makes one request, whose turn it is.
    pub(super) async fn now<T>(
        &self,
        request: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        // Boxed: the futures of the SDK are large.
        let answer = Box::pin(request).await;
        match &answer {
            Err(error) if is_busy(error) => self.pace.slow_down(),
            Err(_) => {}
            Ok(_) => self.pace.answered(),
        }
        answer
    }

    /// Makes a request again until there is an answer or a refusal, `attempts` times at most.
    pub(super) async fn often<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        attempts: u32,
        request: impl Fn() -> F,
    ) -> Result<T, CallError> {
        let mut failed = 0;
        loop {
            match self.once(request()).await {
                Err(error) if !error.is_final() => {
                    failed += 1;
                    if failed >= attempts || is_foreign(&error) && failed >= FOREIGN_ATTEMPTS {
                        return Err(error);
                    }
                    sleep(pause(failed - 1)).await;
                }
                done => return done,
            }
        }
    }

    /// What became of a deployment. It is asked for until there is an answer, or a refusal that stays: of
    /// requests that were throttled or lost, any number may be.
    pub(super) async fn deployment(
        &self,
        id: &str,
        silence: &mut Silence,
    ) -> Result<Deployment, CallError> {
        loop {
            match self.once(self.service.deployment(id)).await {
                Ok(deployment) => {
                    silence.end();
                    return Ok(deployment);
                }
                Err(error) if silence.ends_with(&error) => return Err(error),
                Err(error) => silence.lasts(Some(id), error, self.report).await,
            }
        }
    }
}

/// Whether the service answered that it did nothing and gets too many requests.
fn is_busy(error: &CallError) -> bool {
    error.code.is_some() && error.is_certain() && !error.is_final()
}

/// Whether the request certainly did nothing, and something else than CodeDeploy is the reason: credentials, or
/// what is between here and there.
pub(super) fn is_foreign(error: &CallError) -> bool {
    let is_status = |code: &str| code.bytes().all(|byte| byte.is_ascii_digit());
    let is_between = error.is_expired() || error.code.as_deref().is_none_or(is_status);
    is_between && error.is_certain() && !is_busy(error)
}

/// How long there was no useful answer.
#[derive(Debug, Default)]
pub(super) struct Silence {
    since: Option<Instant>,
    failed: u32,
    next_report: Option<Instant>,
    /// Whether there ever was an answer.
    answered: bool,
    /// When this program created the deployment; None: it did not, or CodeDeploy knew it since.
    created: Option<Instant>,
}

impl Silence {
    /// Of a deployment that this program created just now, or of another.
    pub(super) fn new(created: bool) -> Self {
        Self {
            answered: created,
            created: created.then(Instant::now),
            ..Self::default()
        }
    }

    /// There was an answer.
    pub(super) fn end(&mut self) {
        *self = Self {
            answered: true,
            ..Self::default()
        };
    }

    /// Whether a request that failed with this error need not be made again.
    pub(super) fn ends_with(&self, error: &CallError) -> bool {
        if error.code.as_deref() == Some("DeploymentDoesNotExistException") {
            return self.created.is_none_or(|at| at.elapsed() > UNKNOWN);
        }
        if is_busy(error) {
            return false;
        }
        if !error.is_certain() {
            return !self.answered && self.lasted() > PATIENCE;
        }
        if is_foreign(error) {
            // What worked before may work again.
            return match self.answered {
                true => self.lasted() > PATIENCE,
                false => error.is_final() || self.is_hopeless(error),
            };
        }
        true
    }

    /// Whether something else than CodeDeploy failed as often as it may.
    pub(super) fn is_hopeless(&self, error: &CallError) -> bool {
        is_foreign(error) && self.failed + 1 >= FOREIGN_ATTEMPTS
    }

    /// There was no answer again: reports that, if it is time, and pauses.
    pub(super) async fn lasts(&mut self, id: Option<&str>, error: CallError, report: Report<'_>) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let due = *self.next_report.get_or_insert(since + FIRST_REPORT);
        if now >= due {
            self.next_report = Some(now + NEXT_REPORT);
            let (id, since) = (id.map(str::to_owned), since.elapsed());
            report(&Event::Unanswered { id, error, since });
        }
        let failed = self.failed;
        self.failed = failed.saturating_add(1);
        sleep(pause(failed)).await;
    }

    /// For how long there was no answer.
    pub(super) fn lasted(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Why work was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It was cancelled.
    Cancelled,
    /// It took too long.
    Late,
}

/// Until when something must be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Option<Instant>,
    pub(super) limit: Duration,
}

impl Deadline {
    /// So long from now. A time too far away to be counted is no deadline.
    pub(super) fn after(limit: Option<Duration>) -> Self {
        Self {
            at: limit.and_then(|limit| Instant::now().checked_add(limit)),
            limit: limit.unwrap_or_default(),
        }
    }

    /// Does `work`, unless it takes too long or is cancelled. What it did until then stays done.
    pub(super) async fn bound<F: Future>(
        self,
        cancel: &Cancel,
        work: F,
    ) -> Result<F::Output, GivenUp> {
        let work = async {
            match self.at {
                None => Ok(work.await),
                Some(at) => tokio::time::timeout_at(at, work)
                    .await
                    .map_err(|_| GivenUp::Late),
            }
        };
        let done = cancel.run_until_cancelled(work).await;
        done.unwrap_or(Err(GivenUp::Cancelled))
    }

    /// The error of work that was given up. `id` is that of the deployment that exists, and `last` how it
    /// was by then.
    pub(super) fn missed(
        self,
        why: GivenUp,
        id: Option<String>,
        last: Option<&Deployment>,
    ) -> Error {
        match why {
            GivenUp::Cancelled => Error::Cancelled { id, stopped: None },
            GivenUp::Late => Error::TimedOut {
                id,
                status: last.map(|last| last.status.clone()),
                counts: last.map(|last| last.counts),
                limit: self.limit,
            },
        }
    }
}

//! What may go wrong between a client and S3 or CodeDeploy, on demand, for tests.
//!
//! A test says what is to happen to which request, and starts the endpoint with it
//! ([`Endpoint::start_with`](super::Endpoint::start_with)). Requests are counted for each operation:
//! a script names them by their number, and dice are thrown by seed, operation and number, so that
//! the same seed treats the third UploadPart the same whatever else was asked before it.
//!
//! Credentials can expire, the endpoint's clock can be wrong, and [allowed actions](Faults::allow) are
//! those of IAM. Everything that was asked is [kept](Faults::requests), for tests to read.
//!
//! ```
//! use hoist::endpoint::faults::{Fault, Faults, Operation, Refusal, When};
//! use hoist::endpoint::{Endpoint, Error};
//!
//! # async fn example(dir: &std::path::Path) -> Result<(), Error> {
//! // The second part is refused once, and nobody hears that the upload was completed.
//! let faults = Faults::new()
//!     .on(Operation::UploadPart, 2..=2, Fault::Refuse(Refusal::SlowDown))
//!     .on(Operation::CompleteMultipartUpload, 1..=1, Fault::Reset(When::AfterCommit));
//! let endpoint = Endpoint::start_with(dir, 0, faults.clone()).await?;
//! // ... what is tested talks to `endpoint.url()` ...
//! assert!(endpoint.open_uploads().is_empty());
//! for request in faults.requests() {
//!     eprintln!("{request}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The command has no way to it: `hoist serve` and `hoist push --local` are never troubled.

mod allowed;
mod dice;
mod inject;
mod operation;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub use self::allowed::Action;
pub(super) use self::inject::{Line, handle};
pub use self::operation::Operation;

use self::dice::Dice;
use self::operation::Asked;
use super::store::lock;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It is answered with an error, and nothing is done.
    Refuse(Refusal),
    /// It is answered with 200, white space, and then an error, as S3 does when it began to answer
    /// a CompleteMultipartUpload before it knew. Nothing is done.
    RefuseInside(Refusal),
    /// The connection is reset.
    Reset(When),
    /// There is no answer, and the connection stays open until the endpoint ends.
    Stall(When),
    /// Bodies pass at this many bytes a second, in both directions.
    Slow(u64),
    /// A bit of the request's body is another one when it arrives. Not for `aws-chunked` bodies.
    Corrupt,
    /// A bit of the answer's body is.
    CorruptAnswer,
    /// The connection breaks off after this many bytes of the answer's body.
    Truncate(u64),
}

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Its body is not read.
    BeforeBody,
    /// Its body is read, and nothing is done.
    AfterBody,
    /// It is done, and the answer is lost.
    AfterCommit,
}

/// An error that a service answers with, whatever was asked. CodeDeploy has other names for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// 503: too many requests.
    SlowDown,
    /// 503.
    ServiceUnavailable,
    /// 500.
    InternalError,
    /// 400 of CodeDeploy, 503 of S3: too many requests.
    Throttling,
    /// 400: the body did not come.
    RequestTimeout,
    /// 403: somebody may not.
    AccessDenied,
    /// 400: the credentials were good once.
    ExpiredToken,
    /// 404: the upload was aborted or completed.
    NoSuchUpload,
    /// 409: somebody writes the same object.
    ConditionalRequestConflict,
    /// 409: somebody changes the same thing.
    OperationAborted,
    /// 412: there is an object already.
    PreconditionFailed,
}

impl Fault {
    /// What a table of faults calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse(Refusal::Throttling) => "throttling",
            Self::Refuse(refusal) => refusal.s3().1,
            Self::RefuseInside(_) => "error in a 200",
            Self::Reset(When::BeforeBody) => "reset before the body",
            Self::Reset(When::AfterBody) => "reset after the body",
            Self::Reset(When::AfterCommit) => "lost response (reset)",
            Self::Stall(When::BeforeBody) => "stall before the body",
            Self::Stall(When::AfterBody) => "stall after the body",
            Self::Stall(When::AfterCommit) => "lost response (stall)",
            Self::Slow(_) => "slow bodies",
            Self::Corrupt => "corrupted request",
            Self::CorruptAnswer => "corrupted answer",
            Self::Truncate(_) => "truncated answer",
        }
    }
}

/// A request that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What was asked for.
    pub operation: Operation,
    /// Of its kind, from 1.
    pub number: u64,
    /// `BUCKET/KEY` or `BUCKET`; empty for CodeDeploy.
    pub place: String,
    /// The access key id that signed it.
    pub key_id: Option<String>,
    /// What went wrong with it. One that is refused for its credentials, or by the policy, is
    /// refused, too.
    pub fault: Option<Fault>,
    /// The status that it was answered with. None: with none, or not yet.
    pub status: Option<u16>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.number)?;
        if let Some(fault) = &self.fault {
            write!(f, ": {}", fault.name())?;
        }
        match self.status {
            Some(status) => write!(f, " ({status})"),
            None => f.write_str(" (no answer)"),
        }
    }
}

/// What goes wrong at an endpoint. Clones are the same: a test may say more while it runs.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    script: Vec<Rule>,
    dice: Option<Dice>,
    counts: HashMap<Operation, u64>,
    allowed: Option<BTreeSet<Action>>,
    /// Requests that are left for access key ids and session tokens that expire.
    expiring: HashMap<String, u64>,
    clock: Clock,
    repeats: bool,
    requests: Vec<Request>,
}

struct Rule {
    operation: Operation,
    from: Bound<u64>,
    to: Bound<u64>,
    fault: Fault,
}

/// How far the endpoint's clock is from the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Clock {
    by: Duration,
    behind: bool,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

impl Faults {
    /// Nothing goes wrong, and everything is allowed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `fault` happen to the requests of `operation` with these numbers, which are counted from
    /// 1: `1..=1` is the first, `..` all. Of several rules for a request the first holds.
    #[must_use]
    pub fn on(self, operation: Operation, numbers: impl RangeBounds<u64>, fault: Fault) -> Self {
        let rule = Rule {
            operation,
            from: numbers.start_bound().cloned(),
            to: numbers.end_bound().cloned(),
            fault,
        };
        self.state().script.push(rule);
        self
    }

    /// Throws dice for every request that no rule names. Each fault has its odds: of all that are
    /// given for an operation, one happens, or none does.
    #[must_use]
    pub fn random(
        self,
        seed: u64,
        odds: impl IntoIterator<Item = (Operation, Fault, f64)>,
    ) -> Self {
        self.state().dice = Some(Dice::new(seed, odds));
        self
    }

    /// Allows these actions and no others. It can be said again.
    pub fn allow(&self, actions: impl IntoIterator<Item = Action>) {
        self.state().allowed = Some(actions.into_iter().collect());
    }

    /// Refuses an access key id, or a session token, after this many requests more.
    pub fn expire(&self, credential: &str, after: u64) {
        self.state().expiring.insert(credential.to_owned(), after);
    }

    /// Puts the endpoint's clock forward. Requests that are signed for another time, by more than S3
    /// (15 minutes) and CodeDeploy (5) allow, are refused.
    #[must_use]
    pub fn clock_ahead(self, by: Duration) -> Self {
        self.state().clock = Clock { by, behind: false };
        self
    }

    /// Puts it back.
    #[must_use]
    pub fn clock_behind(self, by: Duration) -> Self {
        self.state().clock = Clock { by, behind: true };
        self
    }

    /// Answers a CompleteMultipartUpload that is repeated word for word as it was answered first.
    /// S3 is said to; it is documented to answer that there is no such upload, and so does the
    /// endpoint otherwise. To be said before it starts.
    #[must_use]
    pub fn repeatable_completes(self) -> Self {
        self.state().repeats = true;
        self
    }

    /// Lets nothing go wrong any more: no rules, no dice, everything allowed, no credentials expired.
    pub fn heal(&self) {
        let mut state = self.state();
        state.script.clear();
        state.dice = None;
        state.allowed = None;
        state.expiring.clear();
        state.clock = Clock::default();
    }

    /// Everything that was asked so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How often an operation was asked for.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        let state = self.state();
        state.counts.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn repeats(&self) -> bool {
        self.state().repeats
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Takes note of a request: its place in the list, and what is to happen to it.
    fn note(&self, asked: &Asked, key_id: Option<&str>) -> (usize, Option<Fault>) {
        let state = &mut *self.state();
        let number = state.counts.entry(asked.operation).or_default();
        *number += 1;
        let number = *number;
        let holds = |rule: &&Rule| {
            rule.operation == asked.operation && (rule.from, rule.to).contains(&number)
        };
        let scripted = state.script.iter().find(holds).map(|rule| rule.fault);
        let thrown = || state.dice.as_ref()?.throw(asked.operation, number);
        let fault = scripted.or_else(thrown);
        state.requests.push(Request {
            operation: asked.operation,
            number,
            place: asked.place(),
            key_id: key_id.map(str::to_owned),
            fault,
            status: None,
        });
        (state.requests.len() - 1, fault)
    }

    fn answered(&self, index: usize, status: u16) {
        if let Some(request) = self.state().requests.get_mut(index) {
            request.status = Some(status);
        }
    }

    fn refused(&self, index: usize, refusal: Refusal) {
        if let Some(request) = self.state().requests.get_mut(index) {
            request.fault = Some(Fault::Refuse(refusal));
        }
    }

    /// Counts a use of each credential; whether one of them has expired.
    fn has_expired(&self, credentials: &[&str]) -> bool {
        let mut state = self.state();
        let mut expired = false;
        for credential in credentials {
            if let Some(left) = state.expiring.get_mut(*credential) {
                expired |= *left == 0;
                *left = left.saturating_sub(1);
            }
        }
        expired
    }

    fn allows(&self, action: Action) -> bool {
        let state = self.state();
        state
            .allowed
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&action))
    }
}

impl Refusal {
    /// Status, code and message of S3 ("Error responses" in its API reference).
    fn s3(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::SlowDown | Self::Throttling => {
                (503, "SlowDown", "Please reduce your request rate.")
            }
            Self::ServiceUnavailable => (
                503,
                "ServiceUnavailable",
                "Service is unable to handle request.",
            ),
            Self::InternalError => (
                500,
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
            Self::RequestTimeout => (
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the \
                 timeout period. Idle connections will be closed.",
            ),
            Self::AccessDenied => (403, "AccessDenied", "Access Denied"),
            Self::ExpiredToken => (400, "ExpiredToken", "The provided token has expired."),
            Self::NoSuchUpload => (
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload \
                 may have been aborted or completed.",
            ),
            Self::ConditionalRequestConflict => (
                409,
                "ConditionalRequestConflict",
                "The conditional request cannot succeed due to a conflicting operation against this \
                 resource.",
            ),
            Self::OperationAborted => (
                409,
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this resource. \
                 Try again.",
            ),
            Self::PreconditionFailed => (
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            ),
        }
    }

    /// Status, code and message of CodeDeploy ("Common errors" in its API reference). What it has no
    /// name for is an internal failure.
    fn codedeploy(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::SlowDown | Self::Throttling => (400, "ThrottlingException", "Rate exceeded"),
            Self::ServiceUnavailable => (
                503,
                "ServiceUnavailableException",
                "The request has failed due to a temporary failure of the server.",
            ),
            Self::AccessDenied => (
                400,
                "AccessDeniedException",
                "You do not have sufficient access to perform this action.",
            ),
            Self::ExpiredToken => (
                400,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            _ => (
                500,
                "InternalFailure",
                "The request processing has failed because of an unknown error.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operation: Operation) -> Asked {
        Asked {
            operation,
            codedeploy: false,
            bucket: Some("b".into()),
            key: None,
            versioned: false,
        }
    }

    #[test]
    fn a_script_names_requests_by_operation_and_number() {
        let refuse = Fault::Refuse(Refusal::SlowDown);
        let reset = Fault::Reset(When::AfterBody);
        let faults = Faults::new()
            .on(Operation::UploadPart, 2..=2, reset)
            .on(Operation::UploadPart, 2..4, refuse)
            .on(Operation::HeadBucket, .., refuse);
        let note = |operation| faults.note(&asked(operation), None).1;
        let parts: Vec<_> = (0..4).map(|_| note(Operation::UploadPart)).collect();
        assert_eq!(parts, [None, Some(reset), Some(refuse), None]);
        assert_eq!(note(Operation::HeadBucket), Some(refuse));
        assert_eq!(note(Operation::PutObject), None);
        assert_eq!(faults.count(Operation::UploadPart), 4);
        let numbers: Vec<u64> = faults.requests().iter().map(|seen| seen.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 1, 1]);
    }

    #[test]
    fn credentials_expire_after_so_many_requests() {
        let faults = Faults::new();
        faults.expire("key", 2);
        faults.expire("token", 0);
        let used: Vec<bool> = (0..4).map(|_| faults.has_expired(&["key", "x"])).collect();
        assert_eq!(used, [false, false, true, true]);
        assert!(faults.has_expired(&["y", "token"]));
        assert!(!faults.has_expired(&[]));
        faults.heal();
        assert!(!faults.has_expired(&["key", "token"]));
    }
}

//! What may go wrong between a client and S3 or CodeDeploy, on demand, for tests.
//!
//! A test says what happens to which request, and starts the endpoint with it
//! ([`Endpoint::start_with`](super::Endpoint::start_with)). Requests are counted for each operation, and
//! a rule names them by their number ([`Faults::on`]), perhaps in one bucket or region
//! ([`Faults::on_at`]). For requests without a rule a function may
//! decide ([`Faults::choose`]), and then chance ([`Faults::random`]), which depends on a seed, the
//! operation, the bucket and the number only.
//!
//! Lifecycle events of deployments can fail or hang ([`Faults::on_event`]).
//!
//! Credentials can expire, the endpoint's clock can be wrong, and [allowed actions](Faults::allow) are
//! those of IAM. Every request is [recorded](Faults::requests), with its headers.
//!
//! ```
//! use hoist::endpoint::faults::{Fault, Faults, Operation, Refusal, When};
//! use hoist::endpoint::{Endpoint, Error};
//!
//! # async fn example(dir: &std::path::Path) -> Result<(), Error> {
//! // The second part is refused once, and the answer that the upload was completed is lost.
//! let faults = Faults::new()
//!     .on(Operation::UploadPart, 2..=2, Fault::Refuse(Refusal::SlowDown))
//!     .on(Operation::CompleteMultipartUpload, 1..=1, Fault::Reset(When::AfterCommit));
//! let endpoint = Endpoint::start_with(dir, 0, faults.clone()).await?;
//! // ... the tested program talks to `endpoint.url()` ...
//! assert!(endpoint.open_uploads().is_empty());
//! for request in faults.requests() {
//!     eprintln!("{request}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Only the library has faults; `hoist serve` and `hoist push --local` do not.

mod allowed;
mod body;
mod clock;
mod copying;
mod dice;
mod events;
mod inject;
mod refusal;

use std::collections::HashMap;
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hyper::http::request::Parts;

pub use self::allowed::Action;
pub use self::copying::CopyFault;
pub(super) use self::copying::Copying;
pub use self::events::EventFault;
pub(super) use self::inject::{ConnectionControl, handle};
pub use self::refusal::Refusal;
pub use super::operation::Operation;

use self::allowed::Allowed;
use self::clock::Clock;
use self::dice::Dice;
use self::events::EventRule;
use super::operation::Call;
use super::region;
use super::store::lock;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It is answered with an error, and has no effect.
    Refuse(Refusal),
    /// It is answered with 200, white space, and then an error, as S3 does when it began to answer
    /// a CompleteMultipartUpload or a copy before it knew the result. It has no effect.
    RefuseInside(Refusal),
    /// It is answered with this, and has no effect.
    Reply(Reply),
    /// The connection is reset.
    Reset(When),
    /// It is not answered, and the connection stays open until the endpoint ends.
    Stall(When),
    /// Bodies pass at this many bytes a second, in both directions.
    Slow(u64),
    /// One bit of the request's body changes on its way. Not for `aws-chunked` bodies.
    Corrupt,
    /// One bit of the answer's body changes on its way.
    CorruptAnswer,
    /// The connection breaks off after this many bytes of the answer's body.
    Truncate(u64),
    /// The copy that it asks for goes wrong.
    Copy(CopyFault),
}

/// How far a request gets before its connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Its body is not read.
    BeforeBody,
    /// Its body is read, and the request has no effect.
    AfterBody,
    /// The request has its effect, and the answer is lost.
    AfterCommit,
}

/// An answer that a test makes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// Its body, which is left out of answers to HEAD.
    pub body: &'static str,
}

impl Fault {
    /// Its name in a table of faults.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse(Refusal::Throttling) => "throttling",
            Self::Refuse(refusal) => refusal.s3().1,
            Self::RefuseInside(_) => "error in a 200",
            Self::Reply(_) => "another answer",
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
            Self::Copy(fault) => fault.name(),
        }
    }
}

/// A request that the endpoint got.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The operation.
    pub operation: Operation,
    /// Its number among the requests of its operation, from 1.
    pub number: u64,
    /// `BUCKET/KEY` or `BUCKET`; empty for CodeDeploy.
    pub place: String,
    /// The region that it is signed for.
    pub region: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The access key id that signed it.
    pub key_id: Option<String>,
    /// What went wrong with it. Refusals for its credentials or by the policy are included.
    pub fault: Option<Fault>,
    /// The status of its answer; `None` if it has no answer, or not yet.
    pub status: Option<u16>,
}

impl Request {
    fn of(head: &Parts, call: &Call, number: u64) -> Self {
        let target = head.uri.path_and_query().map(ToString::to_string);
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        Self {
            operation: call.operation,
            number,
            place: call.place(),
            region: call.region.clone(),
            method: head.method.to_string(),
            target: target.unwrap_or_default(),
            headers: headers.collect(),
            key_id: inject::key_id(&head.headers).map(str::to_owned),
            fault: None,
            status: None,
        }
    }

    /// The value of a header, whose name is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
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

/// What goes wrong at an endpoint. Clones share their state, so a test may change it while it runs.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

type Choice = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

#[derive(Default)]
struct State {
    script: Vec<Rule>,
    events: Vec<EventRule>,
    choice: Option<Arc<Choice>>,
    dice: Option<Dice>,
    counts: HashMap<Operation, u64>,
    /// Requests of an operation for a bucket, and in a region.
    counts_there: HashMap<(Operation, String), u64>,
    allowed: Option<Allowed>,
    /// How many more requests are allowed to access key ids and session tokens that expire.
    expiring: HashMap<String, u64>,
    clock: Clock,
    repeats_completes: bool,
    requests: Vec<Request>,
}

struct Rule {
    /// The bucket or the region whose requests are meant and counted; all if there is none.
    place: Option<String>,
    operation: Operation,
    from: Bound<u64>,
    to: Bound<u64>,
    fault: Fault,
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
    /// 1: `1..=1` is the first, `..` all. Of several rules for a request the first applies.
    #[must_use]
    pub fn on(self, operation: Operation, numbers: impl RangeBounds<u64>, fault: Fault) -> Self {
        self.rule(None, operation, numbers, fault)
    }

    /// As [`on`](Self::on), for the requests to one bucket, or in one region. They are counted there.
    /// The region is the one that a request is signed for.
    #[must_use]
    pub fn on_at(
        self,
        place: &str,
        operation: Operation,
        numbers: impl RangeBounds<u64>,
        fault: Fault,
    ) -> Self {
        self.rule(Some(place.to_owned()), operation, numbers, fault)
    }

    fn rule(
        self,
        place: Option<String>,
        operation: Operation,
        numbers: impl RangeBounds<u64>,
        fault: Fault,
    ) -> Self {
        let rule = Rule {
            place,
            operation,
            from: numbers.start_bound().cloned(),
            to: numbers.end_bound().cloned(),
            fault,
        };
        self.state().script.push(rule);
        self
    }

    /// Lets `choose` decide for each request that no rule names.
    #[must_use]
    pub fn choose(
        self,
        choose: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        self.state().choice = Some(Arc::new(choose));
        self
    }

    /// Lets chance decide for each request that is named by no rule and no choice. Each fault has its
    /// odds; of the faults given for an operation at most one happens to a request. Every bucket, and
    /// CodeDeploy in every region, has chances of its own.
    #[must_use]
    pub fn random(
        self,
        seed: u64,
        odds: impl IntoIterator<Item = (Operation, Fault, f64)>,
    ) -> Self {
        self.state().dice = Some(Dice::new(seed, odds));
        self
    }

    /// Allows these actions and no others, in place of those that were allowed before.
    pub fn allow(&self, actions: impl IntoIterator<Item = Action>) {
        self.state().allowed = Some(Allowed::everywhere(actions));
    }

    /// Allows these actions in one bucket, or to CodeDeploy in one region, beside those that are allowed
    /// already. Without an earlier call of this or [`allow`](Self::allow), no others are.
    pub fn allow_at(&self, place: &str, actions: impl IntoIterator<Item = Action>) {
        let mut state = self.state();
        let allowed = state.allowed.get_or_insert_default();
        allowed.add(place, actions);
    }

    /// Refuses an access key id, or a session token, after this many more requests.
    pub fn expire(&self, credential: &str, after: u64) {
        self.state().expiring.insert(credential.to_owned(), after);
    }

    /// Puts the endpoint's clock forward. Requests that are signed for a time that differs by more than
    /// S3 (15 minutes) and CodeDeploy (5) allow are refused.
    #[must_use]
    pub fn clock_ahead(self, by: Duration) -> Self {
        self.state().clock = Clock::ahead(by);
        self
    }

    /// Puts the endpoint's clock back.
    #[must_use]
    pub fn clock_behind(self, by: Duration) -> Self {
        self.state().clock = Clock::behind(by);
        self
    }

    /// Answers a repeated CompleteMultipartUpload as it was answered first, as S3 is observed to do
    /// sometimes. Without it the endpoint answers `NoSuchUpload`, as S3 is documented to do. It must be
    /// set before the endpoint starts.
    #[must_use]
    pub fn repeatable_completes(self) -> Self {
        self.state().repeats_completes = true;
        self
    }

    /// Removes all rules, odds, limits of permissions and expiries, and corrects the clock.
    pub fn heal(&self) {
        let mut state = self.state();
        state.script.clear();
        state.events.clear();
        state.choice = None;
        state.dice = None;
        state.allowed = None;
        state.expiring.clear();
        state.clock = Clock::default();
    }

    /// All requests so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The requests of one operation so far, in order of arrival.
    #[must_use]
    pub fn of(&self, operation: Operation) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.operation == operation);
        requests
    }

    /// The number of requests of an operation so far.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        let state = self.state();
        state.counts.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn repeats_completes(&self) -> bool {
        self.state().repeats_completes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Records a request. Returns its place in the list and the fault that is to happen to it.
    fn record(&self, head: &Parts, call: &Call) -> (usize, Option<Fault>) {
        let state = &mut *self.state();
        let number = state.counts.entry(call.operation).or_default();
        *number += 1;
        let mut request = Request::of(head, call, *number);
        let region = request.region.as_deref().unwrap_or(region::DEFAULT);
        let bucket = call.bucket.as_deref();
        let mut numbers = Vec::new();
        for place in bucket.into_iter().chain([region]) {
            let there = (call.operation, place.to_owned());
            let number = state.counts_there.entry(there).or_default();
            *number += 1;
            numbers.push((place, *number));
        }
        let applies = |rule: &&Rule| {
            let number = match &rule.place {
                None => Some(request.number),
                Some(named) => {
                    let mut found = numbers.iter().filter(|(place, _)| place == named);
                    found.next().map(|(_, number)| *number)
                }
            };
            let is_meant = |number: u64| (rule.from, rule.to).contains(&number);
            rule.operation == request.operation && number.is_some_and(is_meant)
        };
        let scripted = state.script.iter().find(applies).map(|rule| rule.fault);
        let fault = scripted
            .or_else(|| state.choice.as_ref()?(&request))
            .or_else(|| {
                let (place, number) = numbers.first()?;
                state.dice.as_ref()?.throw(call.operation, place, *number)
            });
        request.fault = fault;
        state.requests.push(request);
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

    /// Counts a use of each credential. Returns whether one of them has expired.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records a request and returns its fault.
    fn record(faults: &Faults, operation: Operation) -> Option<Fault> {
        let (method, target) = match operation {
            Operation::UploadPart => ("PUT", "/b/k?partNumber=1&uploadId=u"),
            Operation::PutObject => ("PUT", "/b/k"),
            _ => ("HEAD", "/b"),
        };
        let head = hyper::Request::builder().method(method).uri(target);
        let head = head.header("X-Amz-Meta-A", "1").body(()).unwrap();
        let head = head.into_parts().0;
        let call = Call::of(&head);
        assert_eq!(call.operation, operation);
        faults.record(&head, &call).1
    }

    #[test]
    fn rules_name_requests_by_operation_and_number() {
        let refuse = Fault::Refuse(Refusal::SlowDown);
        let reset = Fault::Reset(When::AfterBody);
        let faults = Faults::new()
            .on(Operation::UploadPart, 2..=2, reset)
            .on(Operation::UploadPart, 2..4, refuse)
            .on(Operation::HeadBucket, .., refuse);
        let parts: Vec<_> = (0..4)
            .map(|_| record(&faults, Operation::UploadPart))
            .collect();
        assert_eq!(parts, [None, Some(reset), Some(refuse), None]);
        assert_eq!(record(&faults, Operation::HeadBucket), Some(refuse));
        assert_eq!(record(&faults, Operation::PutObject), None);
        assert_eq!(faults.count(Operation::UploadPart), 4);
        let numbers: Vec<u64> = faults.requests().iter().map(|seen| seen.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 1, 1]);
    }

    #[test]
    fn a_rule_for_a_bucket_or_a_region_counts_the_requests_there() {
        let [first, second] = [Refusal::SlowDown, Refusal::InternalError].map(Fault::Refuse);
        let faults = Faults::new()
            .on_at("b", Operation::PutObject, 2..=2, first)
            .on_at("eu-west-1", Operation::PutObject, 1..=1, second);
        let put = |bucket: &str, region: &str| {
            let scope = format!("AWS4-HMAC-SHA256 Credential=a/20260101/{region}/s3/aws4_request");
            let head = hyper::Request::put(format!("/{bucket}/k"));
            let head = head.header("Authorization", scope).body(()).unwrap();
            let head = head.into_parts().0;
            faults.record(&head, &Call::of(&head)).1
        };
        assert_eq!(put("a", "us-east-1"), None);
        assert_eq!(put("b", "us-east-1"), None);
        assert_eq!(put("a", "us-east-1"), None);
        assert_eq!(put("b", "us-east-1"), Some(first));
        assert_eq!(put("b", "eu-west-1"), Some(second));
        assert_eq!(put("c", "eu-west-1"), None);
        let seen = &faults.requests()[4];
        assert_eq!(
            (seen.number, seen.region.as_deref()),
            (5, Some("eu-west-1"))
        );
    }

    #[test]
    fn a_choice_sees_the_request_and_comes_after_the_rules() {
        let refuse = Fault::Refuse(Refusal::AccessDenied);
        let reset = Fault::Reset(When::BeforeBody);
        let faults = Faults::new()
            .on(Operation::PutObject, 1..=1, reset)
            .choose(move |request| (request.header("x-amz-meta-a") == Some("1")).then_some(refuse));
        assert_eq!(record(&faults, Operation::PutObject), Some(reset));
        assert_eq!(record(&faults, Operation::PutObject), Some(refuse));
        let seen = &faults.of(Operation::PutObject)[1];
        assert_eq!((&*seen.method, &*seen.target), ("PUT", "/b/k"));
        faults.heal();
        assert_eq!(record(&faults, Operation::PutObject), None);
    }

    #[test]
    fn credentials_expire_after_the_given_number_of_requests() {
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

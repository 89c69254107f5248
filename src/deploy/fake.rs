//! CodeDeploy in memory, for tests: deployments follow a script of the time since their creation, and
//! requests are refused, lost or hang as the test says.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{
    Counts, Deployment, Diagnostics, ErrorInformation, EventStatus, Latest, LifecycleEvent,
    NewestRevision, Registration, Request, Rollback, Service, Status, Target, TargetKind,
    TargetPage, TargetStatus,
};
use crate::aws::codedeploy::Platform;
use crate::aws::error::CallError;

/// How many targets a page lists.
const PAGE: usize = 50;

/// What becomes of a request instead of an answer.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// It is answered with this error code, and has no effect.
    Refused(&'static str),
    /// It is not sent, for this reason.
    Without(&'static str),
    /// It works, and its answer is lost.
    Lost,
    /// It never arrives.
    Gone,
    /// It works, after so long.
    Slow(Duration),
}

/// What a deployment and its targets are so long after its creation.
type Script = dyn Fn(Duration) -> (Deployment, Vec<Target>) + Send + Sync;

/// A deployment.
struct Existing {
    id: String,
    at: Instant,
    created: SystemTime,
    request: Option<(Request, Option<Registration>)>,
    stopped: Option<Instant>,
    script: Arc<Script>,
}

#[derive(Default)]
struct State {
    deployments: Vec<Existing>,
    /// Scripts of the next deployments; the last is used again.
    scripts: VecDeque<Arc<Script>>,
    troubles: HashMap<&'static str, VecDeque<Trouble>>,
    always: HashMap<&'static str, Trouble>,
    calls: Vec<&'static str>,
    newest: Option<NewestRevision>,
    /// How many of the next lists of deployments are empty.
    empty_lists: usize,
}

#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

impl Fake {
    /// A service whose deployments follow this script.
    pub(super) fn new(
        script: impl Fn(Duration) -> (Deployment, Vec<Target>) + Send + Sync + 'static,
    ) -> Self {
        Self::default().then(script)
    }

    /// Lets the deployments after those of the scripts before follow this one.
    pub(super) fn then(
        self,
        script: impl Fn(Duration) -> (Deployment, Vec<Target>) + Send + Sync + 'static,
    ) -> Self {
        self.state().scripts.push_back(Arc::new(script));
        self
    }

    /// Adds troubles of the next requests of this operation.
    pub(super) fn with(
        self,
        operation: &'static str,
        troubles: impl IntoIterator<Item = Trouble>,
    ) -> Self {
        let mut state = self.state();
        state
            .troubles
            .entry(operation)
            .or_default()
            .extend(troubles);
        drop(state);
        self
    }

    /// Sets what becomes of all requests of this operation.
    pub(super) fn always(self, operation: &'static str, trouble: Trouble) -> Self {
        self.state().always.insert(operation, trouble);
        self
    }

    /// Leaves so many of the next lists of deployments empty.
    pub(super) fn hiding_lists(self, lists: usize) -> Self {
        self.state().empty_lists = lists;
        self
    }

    pub(super) fn with_newest(self, newest: NewestRevision) -> Self {
        self.state().newest = Some(newest);
        self
    }

    /// Begins a deployment as if another program had requested it.
    pub(super) fn begin(&self, group: &str) -> String {
        self.state().begin(None, group)
    }

    /// How often an operation was requested.
    pub(super) fn asked(&self, operation: &str) -> usize {
        let state = self.state();
        state
            .calls
            .iter()
            .filter(|call| **call == operation)
            .count()
    }

    /// The ids of all deployments, in the order of their creation.
    pub(super) fn ids(&self) -> Vec<String> {
        let state = self.state();
        state.deployments.iter().map(|of| of.id.clone()).collect()
    }

    /// What was asked for with a deployment.
    pub(super) fn revision_of(&self, id: &str) -> Option<Registration> {
        let state = self.state();
        let found = state.deployments.iter().find(|of| of.id == id)?;
        found.request.as_ref()?.1.clone()
    }

    pub(super) fn is_stopped(&self, id: &str) -> bool {
        let state = self.state();
        let mut all = state.deployments.iter();
        all.any(|of| of.id == id && of.stopped.is_some())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the work of a request, or what the test says.
    async fn serve<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut State) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let trouble = {
            let mut state = self.state();
            state.calls.push(operation);
            let next = state
                .troubles
                .get_mut(operation)
                .and_then(VecDeque::pop_front);
            next.or_else(|| state.always.get(operation).cloned())
        };
        let lost = CallError {
            operation,
            code: None,
            message: "connection reset".into(),
        };
        match trouble {
            Some(Trouble::Refused(code)) => Err(CallError::refused(operation, Some(code), None)),
            Some(Trouble::Without(message)) => Err(CallError {
                message: message.into(),
                ..lost
            }),
            Some(Trouble::Gone) => Err(lost),
            Some(Trouble::Lost) => work(&mut self.state()).and(Err(lost)),
            Some(Trouble::Slow(time)) => {
                tokio::time::sleep(time).await;
                work(&mut self.state())
            }
            None => {
                tokio::time::sleep(Duration::from_millis(30)).await;
                work(&mut self.state())
            }
        }
    }
}

impl State {
    fn begin(&mut self, request: Option<(Request, Option<Registration>)>, group: &str) -> String {
        let id = format!("d-{:09}", self.deployments.len() + 1);
        let script = match self.scripts.len() {
            0 | 1 => self.scripts.front().cloned().unwrap(),
            _ => self.scripts.pop_front().unwrap(),
        };
        let request = request.or_else(|| {
            let mut other = super::tests::request();
            other.group = group.to_owned();
            other.options.description = Some("of another program".into());
            Some((other, None))
        });
        self.deployments.push(Existing {
            id: id.clone(),
            at: Instant::now(),
            created: SystemTime::now(),
            request,
            stopped: None,
            script,
        });
        id
    }

    fn find(&self, id: &str) -> Result<(Deployment, Vec<Target>), CallError> {
        let found = self.deployments.iter().find(|of| of.id == id);
        let Some(found) = found else {
            let code = Some("DeploymentDoesNotExistException");
            return Err(CallError::refused("GetDeployment", code, None));
        };
        Ok(found.now())
    }
}

impl Existing {
    fn now(&self) -> (Deployment, Vec<Target>) {
        let until = self.stopped.unwrap_or_else(Instant::now);
        let (mut deployment, targets) = (self.script)(until.duration_since(self.at));
        deployment.id.clone_from(&self.id);
        deployment.created = Some(self.created);
        if let Some((request, revision)) = &self.request {
            deployment.group.clone_from(&request.group);
            deployment.revision.clone_from(revision);
            deployment
                .description
                .clone_from(&request.options.description);
        }
        if self.stopped.is_some() && !deployment.status.is_end() {
            deployment.status = Status::Stopped;
        }
        (deployment, targets)
    }
}

impl Service for Fake {
    async fn create(
        &self,
        request: &Request,
        revision: Option<&Registration>,
    ) -> Result<String, CallError> {
        self.serve("CreateDeployment", |state| {
            let active = state.deployments.iter().find(|of| {
                let (deployment, _) = of.now();
                deployment.group == request.group && !deployment.status.is_end()
            });
            if let Some(active) = active {
                let text = format!("The group already has an active Deployment '{}'", active.id);
                let code = Some("DeploymentLimitExceededException");
                return Err(CallError::refused("CreateDeployment", code, Some(&text)));
            }
            let asked = Some((request.clone(), revision.cloned()));
            Ok(state.begin(asked, &request.group))
        })
        .await
    }

    async fn deployment(&self, id: &str) -> Result<Deployment, CallError> {
        self.serve("GetDeployment", |state| Ok(state.find(id)?.0))
            .await
    }

    async fn target_ids(
        &self,
        id: &str,
        status: Option<&TargetStatus>,
        after: Option<&str>,
    ) -> Result<TargetPage, CallError> {
        self.serve("ListDeploymentTargets", |state| {
            let (_, targets) = state.find(id)?;
            let matching = |target: &&Target| status.is_none_or(|wanted| target.status == *wanted);
            let ids: Vec<String> = targets
                .iter()
                .filter(matching)
                .map(|target| target.id.clone())
                .collect();
            let from: usize = after.map_or(0, |token| token.parse().unwrap());
            let to = ids.len().min(from + PAGE);
            Ok(TargetPage {
                next: (to < ids.len()).then(|| to.to_string()),
                ids: ids[from..to].to_vec(),
            })
        })
        .await
    }

    async fn targets(&self, id: &str, targets: &[String]) -> Result<Vec<Target>, CallError> {
        assert!((1..=25).contains(&targets.len()), "{}", targets.len());
        self.serve("BatchGetDeploymentTargets", |state| {
            let (_, all) = state.find(id)?;
            let wanted = |target: &Target| targets.contains(&target.id);
            Ok(all.into_iter().filter(wanted).collect())
        })
        .await
    }

    async fn deployments(
        &self,
        request: &Request,
        since: Option<SystemTime>,
        statuses: &[Status],
    ) -> Result<Vec<String>, CallError> {
        self.serve("ListDeployments", |state| {
            if state.empty_lists > 0 {
                state.empty_lists -= 1;
                return Ok(Vec::new());
            }
            let matching = state.deployments.iter().rev().filter(|of| {
                let (deployment, _) = of.now();
                deployment.group == request.group
                    && since.is_none_or(|since| of.created >= since)
                    && (statuses.is_empty() || statuses.contains(&deployment.status))
            });
            Ok(matching.map(|of| of.id.clone()).collect())
        })
        .await
    }

    async fn newest(&self, _: &str, _: &Latest) -> Result<NewestRevision, CallError> {
        self.serve("ListApplicationRevisions", |state| {
            Ok(state.newest.clone().unwrap_or(NewestRevision::Missing))
        })
        .await
    }

    async fn stop(&self, id: &str, _: Option<bool>) -> Result<(), CallError> {
        self.serve("StopDeployment", |state| {
            let (deployment, _) = state.find(id)?;
            if deployment.status.is_end() {
                let code = Some("DeploymentAlreadyCompletedException");
                return Err(CallError::refused("StopDeployment", code, None));
            }
            for of in &mut state.deployments {
                if of.id == id {
                    of.stopped = Some(Instant::now());
                }
            }
            Ok(())
        })
        .await
    }
}

/// A deployment of this status, and nothing else.
pub(super) fn deployment(status: Status) -> Deployment {
    Deployment {
        id: String::new(),
        application: "app".into(),
        group: "group".into(),
        status,
        counts: Counts::default(),
        error: None,
        rollback: None,
        auto_rollback: None,
        platform: Platform::Server,
        style: None,
        revision: None,
        config: None,
        description: None,
        creator: Some("user".into()),
        created: None,
        started: None,
        completed: None,
        messages: Vec::new(),
    }
}

/// The events of an instance.
pub(super) const EVENTS: [&str; 5] = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "ApplicationStart",
];

/// A deployment to instances, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Rolling {
    /// How many there are.
    pub(super) targets: u32,
    /// How long each takes.
    pub(super) each: Duration,
    /// The number of the target on which `BeforeInstall` fails.
    pub(super) fails: Option<u32>,
}

impl Rolling {
    pub(super) fn at(self, age: Duration) -> (Deployment, Vec<Target>) {
        let failed_at = self
            .fails
            .map(|target| self.each * target + self.each / 5 * 3);
        let over = failed_at.is_some_and(|at| age >= at);
        let age = failed_at.map_or(age, |at| age.min(at));
        let targets: Vec<Target> = (0..self.targets)
            .map(|number| self.target(number, age, over))
            .collect();
        let count = |status: TargetStatus| {
            let matching = targets.iter().filter(|target| target.status == status);
            matching.count() as u64
        };
        let counts = Counts {
            pending: count(TargetStatus::Pending),
            in_progress: count(TargetStatus::InProgress),
            succeeded: count(TargetStatus::Succeeded),
            failed: count(TargetStatus::Failed),
            skipped: count(TargetStatus::Skipped),
            ready: 0,
        };
        let status = match () {
            () if over => Status::Failed,
            () if age >= self.each * self.targets => Status::Succeeded,
            () if age < Duration::from_secs(1) => Status::Created,
            () => Status::InProgress,
        };
        let mut deployment = Deployment {
            counts,
            ..deployment(status)
        };
        deployment.error = over.then(|| ErrorInformation {
            code: Some("HEALTH_CONSTRAINTS".into()),
            message: Some("too many instances failed".into()),
        });
        (deployment, targets)
    }

    fn target(self, number: u32, age: Duration, over: bool) -> Target {
        let begins = self.each * number;
        let fails = self.fails == Some(number) && over;
        let (begun, done) = (age >= begins, age >= begins + self.each);
        let status = match () {
            () if fails => TargetStatus::Failed,
            () if done => TargetStatus::Succeeded,
            () if over => TargetStatus::Skipped,
            () if begun => TargetStatus::InProgress,
            () => TargetStatus::Pending,
        };
        let step = self.each / 5;
        let events = (0u32..).zip(EVENTS).map(|(at, name)| {
            let start = begins + step * at;
            let status = match () {
                () if fails && at == 2 => EventStatus::Failed,
                () if over && !done && !(fails && at < 2) => EventStatus::Skipped,
                () if age >= start + step => EventStatus::Succeeded,
                () if begun && age >= start => EventStatus::InProgress,
                () => EventStatus::Pending,
            };
            let diagnostics = (status == EventStatus::Failed).then(|| Diagnostics {
                code: Some("ScriptFailed".into()),
                script: Some("scripts/before.sh".into()),
                message: Some("exit code 3".into()),
                log_tail: Some("[stderr]no space left\n".into()),
            });
            let time = |after: Duration| Some(SystemTime::UNIX_EPOCH + after);
            LifecycleEvent {
                name: name.into(),
                status,
                started: time(start),
                ended: time(start + step),
                diagnostics,
            }
        });
        Target {
            id: format!("i-{number:05}"),
            kind: TargetKind::Instance,
            label: None,
            status,
            events: events.collect(),
            traffic: Vec::new(),
        }
    }
}

/// A deployment that takes so long, without targets.
pub(super) fn lasting(time: Duration) -> impl Fn(Duration) -> (Deployment, Vec<Target>) {
    move |age| {
        let status = match age >= time {
            true => Status::Succeeded,
            false => Status::InProgress,
        };
        (deployment(status), Vec::new())
    }
}

/// As a script says, and rolled back by the deployment `by` from so long after the creation.
pub(super) fn rolled_back(
    script: impl Fn(Duration) -> (Deployment, Vec<Target>),
    by: &'static str,
    after: Duration,
) -> impl Fn(Duration) -> (Deployment, Vec<Target>) {
    move |age| {
        let (mut deployment, targets) = script(age);
        deployment.auto_rollback = Some(vec![super::RollbackOn::Failure]);
        deployment.rollback = (age >= after).then(|| Rollback {
            deployment: Some(by.to_owned()),
            of: None,
            message: None,
        });
        (deployment, targets)
    }
}

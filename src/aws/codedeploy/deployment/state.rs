//! What CodeDeploy says of a deployment and its targets. Texts are raw: names, messages and log tails come
//! from AWS and from scripts, and may hold control characters.

use std::time::{Duration, SystemTime};

use super::names::{EventStatus, Label, RollbackOn, Status, Style, TargetKind, TargetStatus};
use crate::aws::codedeploy::{Platform, Registration};

/// A deployment, as `GetDeployment` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id: `d-` and nine letters or digits.
    pub id: String,
    /// Its application.
    pub application: String,
    /// Its deployment group.
    pub group: String,
    /// How far it is.
    pub status: Status,
    /// How many targets are how far. All are zero before it runs, and often for Lambda and ECS.
    pub counts: Counts,
    /// Why it failed or was stopped.
    pub error: Option<ErrorInformation>,
    /// The rollback that it caused, or the deployment that it rolls back.
    pub rollback: Option<Rollback>,
    /// When CodeDeploy rolls it back by itself. None: never.
    pub auto_rollback: Option<Vec<RollbackOn>>,
    /// What it deploys to.
    pub platform: Platform,
    /// In place, or blue/green.
    pub style: Option<Style>,
    /// What it deploys, if that is in S3.
    pub revision: Option<Registration>,
    /// `deploymentConfigName`.
    pub config: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// What created it, as the API says it: `user`, `autoscaling`, `codeDeployRollback`, ...
    pub creator: Option<String>,
    /// When it was created, by CodeDeploy's clock.
    pub created: Option<SystemTime>,
    /// When it began to run.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub completed: Option<SystemTime>,
    /// Sentences about its state, if CodeDeploy has any (`deploymentStatusMessages` and
    /// `additionalDeploymentStatusInfo`).
    pub messages: Vec<String>,
}

impl Deployment {
    /// How long it took from its creation to its end, by CodeDeploy's clock.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.completed?.duration_since(self.created?).ok()
    }

    /// The id of the deployment that rolls this one back.
    #[must_use]
    pub fn rolled_back_by(&self) -> Option<&str> {
        self.rollback.as_ref()?.deployment.as_deref()
    }
}

/// How many targets are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The deployment did not begin on them.
    pub pending: u64,
    /// It runs on them.
    pub in_progress: u64,
    /// It succeeded on them.
    pub succeeded: u64,
    /// It failed on them.
    pub failed: u64,
    /// It left them out.
    pub skipped: u64,
    /// They are ready for traffic (blue/green).
    pub ready: u64,
}

impl Counts {
    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self {
            pending,
            in_progress,
            succeeded,
            failed,
            skipped,
            ready,
        } = *self;
        [pending, in_progress, succeeded, failed, skipped, ready]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// Why a deployment failed or was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorInformation {
    /// The code, as the API has it: `HEALTH_CONSTRAINTS`, `NO_INSTANCES`, ...
    pub code: Option<String>,
    /// What CodeDeploy says.
    pub message: Option<String>,
}

/// How two deployments belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// The deployment that rolls this one back.
    pub deployment: Option<String>,
    /// The deployment that this one rolls back.
    pub of: Option<String>,
    /// What CodeDeploy says about it.
    pub message: Option<String>,
}

/// An instance, function, service or resource to which a deployment goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its id: of an instance `i-…` or an on-premises name, of an ECS service `CLUSTER:SERVICE`, of a
    /// function `FUNCTION:ALIAS`.
    pub id: String,
    /// What it is.
    pub kind: TargetKind,
    /// Its environment (blue/green).
    pub label: Option<Label>,
    /// How far the deployment is on it.
    pub status: TargetStatus,
    /// Its lifecycle events, in the order in which they run.
    pub events: Vec<LifecycleEvent>,
    /// Where its traffic goes; empty for instances.
    pub traffic: Vec<Share>,
}

impl Target {
    /// The lifecycle event that failed first, if one did.
    #[must_use]
    pub fn failed_event(&self) -> Option<&LifecycleEvent> {
        let mut events = self.events.iter();
        events.find(|event| event.status == EventStatus::Failed)
    }
}

/// How much of a target's production traffic one version gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The version of a function, or the id of a task set of a service.
    pub version: String,
    /// Whether it is the original (blue) or the replacement (green).
    pub label: Option<Label>,
    /// The share, in percent.
    pub percent: f64,
}

/// A lifecycle event of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleEvent {
    /// Its name: `BeforeInstall`, ...
    pub name: String,
    /// How far it is.
    pub status: EventStatus,
    /// When it began.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub ended: Option<SystemTime>,
    /// What its scripts did.
    pub diagnostics: Option<Diagnostics>,
}

/// What the scripts of a lifecycle event did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// `Success`, `ScriptMissing`, `ScriptNotExecutable`, `ScriptTimedOut`, `ScriptFailed`, `UnknownError`.
    pub code: Option<String>,
    /// The script, as the AppSpec file names it.
    pub script: Option<String>,
    /// What went wrong.
    pub message: Option<String>,
    /// The last 4 KB, at most, of what the scripts printed. Several lines.
    pub log_tail: Option<String>,
}

/// Ids of targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetPage {
    /// The ids.
    pub ids: Vec<String>,
    /// Where the next page begins; None: there is no other.
    pub next: Option<String>,
}

/// The newest registered revision of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewestRevision {
    /// This one.
    Object(Box<Registration>),
    /// One that is not an object in S3.
    Elsewhere,
    /// There is none.
    Missing,
}

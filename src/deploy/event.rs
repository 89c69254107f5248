//! What is reported while a deployment is created and watched, and what it ended with.

use std::time::Duration;

use crate::aws::codedeploy::Registration;
use crate::aws::codedeploy::deployment::{
    Deployment, Diagnostics, Label, LifecycleEvent, Target, TargetKind,
};
use crate::aws::error::CallError;

/// Something happened. Texts in it are raw, as AWS and scripts wrote them.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// This revision is the newest one, and will be deployed.
    Latest(Registration),
    /// The group has a deployment that runs, and its end is waited for.
    Waiting {
        /// Its id. None: CodeDeploy has too many deployments, and does not say which.
        active: Option<String>,
    },
    /// The group has a deployment that runs, and CodeDeploy was told to stop it.
    Stopping {
        /// Its id.
        active: String,
    },
    /// The deployment was created.
    Created {
        /// Its id.
        id: String,
        /// Whether the answer to the request was lost, and the deployment was found in the list.
        found: bool,
    },
    /// The deployment's status is another one than before, or is known for the first time.
    Status(Box<Deployment>),
    /// Other numbers of targets are how far than before. Its status is as before.
    Counts(Box<Deployment>),
    /// A target's status is another one than before.
    Target {
        /// The id of the deployment.
        id: String,
        /// The target.
        target: Box<Target>,
    },
    /// A lifecycle event of a target has another status than before.
    Lifecycle {
        /// The id of the deployment.
        id: String,
        /// The target.
        target: Box<Target>,
        /// The event.
        event: Box<LifecycleEvent>,
    },
    /// The traffic of a target goes elsewhere than before.
    Traffic {
        /// The id of the deployment.
        id: String,
        /// The target, with the shares as they are now.
        target: Box<Target>,
    },
    /// CodeDeploy does not tell this caller of targets. Status and counts are reported still.
    NoTargets {
        /// The id of the deployment.
        id: String,
        /// What it says.
        error: CallError,
    },
    /// The deployment has so many targets that not all are looked at each time.
    ManyTargets {
        /// The id of the deployment.
        id: String,
        /// How many it has.
        targets: u64,
    },
    /// CodeDeploy gave no answer, or asked for fewer requests, for a while; it is asked further. This is
    /// reported rarely.
    Unanswered {
        /// The id of the deployment. None: before it was created.
        id: Option<String>,
        /// The last error.
        error: CallError,
        /// For how long there was no answer.
        since: Duration,
    },
    /// A deployment rolls this one back.
    RolledBack {
        /// The id of the deployment that failed.
        id: String,
        /// The id of the one that rolls it back.
        by: String,
    },
}

/// A deployment that ended, or is as far as was waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The deployment.
    pub deployment: Deployment,
    /// What failed on its targets; at most [`MOST_FAILURES`](super::MOST_FAILURES). How many failed is in
    /// the deployment's counts.
    pub failures: Vec<Failure>,
    /// From its creation to its end by CodeDeploy's clock, or else how long it was watched.
    pub took: Duration,
}

impl Finished {
    /// Whether the deployment succeeded, or is ready if that was waited for.
    #[must_use]
    pub fn is_success(&self) -> bool {
        use crate::aws::codedeploy::deployment::Status::{Ready, Succeeded};
        matches!(self.deployment.status, Succeeded | Ready)
    }
}

/// What failed on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The target's id.
    pub target: String,
    /// What it is.
    pub kind: TargetKind,
    /// Its environment (blue/green).
    pub label: Option<Label>,
    /// The lifecycle event that failed; None if the target failed outside of events, for example because
    /// its agent did not answer.
    pub event: Option<String>,
    /// How long the event ran.
    pub took: Option<Duration>,
    /// What its scripts did.
    pub diagnostics: Diagnostics,
}

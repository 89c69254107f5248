//! Deploys revisions, and watches deployments until they end.
//!
//! `CreateDeployment` has no token against doing it twice, a group takes one deployment at a time, and a
//! deployment may run for hours, in which requests are throttled and answers get lost. All that is
//! settled here: `create` makes one deployment or says what is known of it, `watch` goes on until the end, and
//! [`run`] does both for several groups, in several regions, together or in waves.
//!
//! What happens is reported as [`Event`]s. How they look is left to the caller, and so are texts of AWS and of
//! scripts: they are raw.
//!
//! ```no_run
//! use hoist::cancel::Cancel;
//! use hoist::deploy::{Conduct, Latest, Options, Plan, Request, Service, Task, Wait, Wanted, run};
//!
//! # async fn deploy<S: Service>(codedeploy: S) {
//! let request = Request {
//!     application: "site".into(),
//!     group: "production".into(),
//!     revision: Wanted::Latest(Latest::default()),
//!     options: Options::default(),
//! };
//! let plan = Plan {
//!     service: codedeploy,
//!     region: "eu-west-1".into(),
//!     task: Task::Create(Box::new(request)),
//! };
//! let conduct = Conduct { wait: Some(Wait::default()), ..Conduct::default() };
//! let report = |_, event: &_| println!("{event:?}");
//! let outcomes = run(&[vec![plan]], &conduct, &report, &|_, _| {}, &Cancel::new()).await;
//! assert!(outcomes[0].is_success());
//! # }
//! ```

mod ask;
mod create;
mod error;
mod event;
#[cfg(test)]
mod fake;
mod pace;
mod run;
mod service;
mod targets;
#[cfg(test)]
mod tests;
mod watch;

use std::time::Duration;

pub use self::error::Error;
pub use self::event::{Event, Failure, Finished};
pub use self::run::run;
pub use self::service::Service;
pub use crate::aws::codedeploy::Registration;
pub use crate::aws::codedeploy::deployment::{
    Alarms, AutoRollback, Counts, Deployment, Diagnostics, ErrorInformation, EventStatus,
    FileExists, Label, Latest, LifecycleEvent, Mode, NewestRevision, Options, Request, Rollback,
    RollbackOn, Share, Status, Style, TagFilter, TagMatch, Target, TargetInstances, TargetKind,
    TargetPage, TargetStatus, Wanted,
};

/// Most failures that are explained of one deployment.
pub const MOST_FAILURES: usize = 50;

/// What gets each [`Event`] of one deployment.
type Report<'a> = &'a (dyn Fn(&Event) + Sync);

/// One deployment, of one group in one region.
#[derive(Clone, Debug)]
pub struct Plan<S> {
    /// CodeDeploy in that region.
    pub service: S,
    /// The region's name. Deployments in one region are watched at one pace.
    pub region: String,
    /// What to do.
    pub task: Task,
}

/// What to do with one deployment.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Create it, and watch it if that is wanted.
    Create(Box<Request>),
    /// Watch one that exists, with this id.
    Watch(String),
}

/// How deployments are created and watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// What to do if the group has a deployment that runs.
    pub if_active: IfActive,
    /// How to wait; None: deployments are created and left alone. One that is only watched is waited for in
    /// any case.
    pub wait: Option<Wait>,
    /// The longest time for one deployment, from the request that creates it, or from the beginning of the
    /// watch, to its end. It holds also for the wait for another deployment of the group. None: no limit.
    pub limit: Option<Duration>,
    /// Whether the deployments that are watched are stopped when the run is cancelled. Whether they are
    /// rolled back is left to their group.
    pub stop_when_cancelled: bool,
}

/// What to do if the group has a deployment that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfActive {
    /// Give up.
    #[default]
    Fail,
    /// Wait for its end, and for that of the next one if another request comes first.
    Wait,
    /// Stop it, without a rollback: a rollback would be the next deployment that runs. Then wait for its end.
    Stop,
}

/// How to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// For what.
    pub until: Until,
}

/// For what to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// The end.
    #[default]
    Succeeded,
    /// The end, or that the replacement environment is ready for traffic (blue/green).
    Ready,
}

/// What became of a [`Plan`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The deployment was created, and is not waited for. Its id.
    Created(String),
    /// It ended, well or not.
    Finished(Box<Finished>),
    /// It was not created, or is not watched any more.
    Failed(Error),
    /// Nothing was done, since an earlier wave failed or the run was cancelled.
    NotBegun,
}

impl Outcome {
    /// Whether all is done that was wanted.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self {
            Self::Created(_) => true,
            Self::Finished(finished) => finished.is_success(),
            Self::Failed(_) | Self::NotBegun => false,
        }
    }
}

/// The page of a deployment in the AWS console, of the partition to which the region belongs.
#[must_use]
pub fn console_link(region: &str, id: &str) -> String {
    let domain = match region {
        _ if region.starts_with("cn-") => "amazonaws.cn",
        _ if region.starts_with("us-gov-") => "amazonaws-us-gov.com",
        _ => "aws.amazon.com",
    };
    format!(
        "https://{region}.console.{domain}/codesuite/codedeploy/deployments/{id}?region={region}"
    )
}

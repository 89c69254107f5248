//! Deployments: what they are created with, and what CodeDeploy says of them.

mod calls;
mod names;
mod options;
mod read;
mod state;

pub use self::names::{
    EventStatus, FileExists, Label, Mode, RollbackOn, Status, Style, TagMatch, TargetKind,
    TargetStatus,
};
pub use self::options::{
    Alarms, AutoRollback, Latest, Options, Request, TagFilter, TargetInstances, Wanted,
};
pub use self::state::{
    Counts, Deployment, Diagnostics, ErrorInformation, LifecycleEvent, NewestRevision, Rollback,
    Share, Target, TargetPage,
};

//! What a deployment is created with: all members of `CreateDeployment`, by other names.

use super::names::{FileExists, Mode, RollbackOn, TagMatch};
use crate::aws::codedeploy::Registration;

/// A deployment to create.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The application.
    pub application: String,
    /// Its deployment group.
    pub group: String,
    /// What to deploy.
    pub revision: Wanted,
    /// How.
    pub options: Options,
}

/// Which revision is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An object in S3. Without an ETag, instances may get different objects.
    Object(Registration),
    /// The newest registered revision of the application.
    Latest(Latest),
    /// The one that the group has. The request names none, as [`Mode::Restart`] demands.
    Deployed,
}

/// Among which revisions of the application the newest is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// Only those in this bucket; None: all.
    pub bucket: Option<String>,
    /// Only those whose keys begin so. It takes a bucket.
    pub prefix: Option<String>,
}

impl Latest {
    /// `s3://bucket/prefix`; None: anywhere.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let bucket = self.bucket.as_deref()?;
        let prefix = self.prefix.as_deref().unwrap_or_default();
        Some(format!("s3://{bucket}/{prefix}"))
    }
}

/// How a revision is deployed. A member that is None is not sent: the deployment group's setting counts, or
/// CodeDeploy's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `deploymentConfigName`.
    pub config: Option<String>,
    /// `description`, of at most 256 characters.
    pub description: Option<String>,
    /// `ignoreApplicationStopFailures`.
    pub ignore_application_stop_failures: Option<bool>,
    /// `targetInstances`: the replacement instances of a blue/green deployment.
    pub target_instances: Option<TargetInstances>,
    /// `autoRollbackConfiguration`.
    pub auto_rollback: Option<AutoRollback>,
    /// `updateOutdatedInstancesOnly`.
    pub update_outdated_instances_only: Option<bool>,
    /// `fileExistsBehavior`.
    pub file_exists: Option<FileExists>,
    /// `deploymentMode`.
    pub mode: Option<Mode>,
    /// `overrideAlarmConfiguration`. It takes `codedeploy:UpdateDeploymentGroup` as well.
    pub override_alarms: Option<Alarms>,
    /// `ec2DeploymentOptions.autoScalingGroupProcessesToSuspend`, as the API names the processes.
    pub suspend_processes: Option<Vec<String>>,
}

/// Instances, by tags or by their groups. `tag_filters` and `tag_set` exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetInstances {
    /// `tagFilters`: instances with any of these tags.
    pub tag_filters: Vec<TagFilter>,
    /// `autoScalingGroups`, by their names.
    pub auto_scaling_groups: Vec<String>,
    /// `ec2TagSet`: instances with a tag of each of these lists.
    pub tag_set: Vec<Vec<TagFilter>>,
}

/// A tag of instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// `Key`.
    pub key: Option<String>,
    /// `Value`.
    pub value: Option<String>,
    /// `Type`.
    pub compares: Option<TagMatch>,
}

/// When a deployment is rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoRollback {
    /// `enabled`.
    pub enabled: bool,
    /// `events`.
    pub events: Vec<RollbackOn>,
}

/// Alarms that stop a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// `enabled`.
    pub enabled: bool,
    /// `ignorePollAlarmFailure`: whether the deployment goes on if the alarms cannot be read.
    pub ignore_poll_failure: bool,
    /// `alarms`, by their names.
    pub names: Vec<String>,
}

//! The requests about deployments. Each is made once, with credentials that are renewed if they expired:
//! `CreateDeployment` must not be repeated blindly, and the others are repeated at the pace of what watches.

use std::time::{Duration, SystemTime};

use aws_sdk_codedeploy::operation::create_deployment::builders::CreateDeploymentFluentBuilder;
use aws_sdk_codedeploy::primitives::DateTime;
use aws_sdk_codedeploy::types;

use super::options::{Alarms, AutoRollback, Latest, Options, Request, TagFilter, TargetInstances};
use super::{Deployment, NewestRevision, Status, Target, TargetPage, TargetStatus};
use crate::aws::call;
use crate::aws::codedeploy::{CodeDeploy, Registration};
use crate::aws::error::CallError;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

impl CodeDeploy {
    async fn once<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        operation: &'static str,
        attempt: impl Fn() -> F,
    ) -> Result<T, CallError> {
        let caller = self.caller.limited(1, ANSWER);
        caller.call(call::Request::new(operation), attempt).await
    }

    /// Creates a deployment of `revision`, and returns its id. Repeating it may create a second one.
    pub async fn create_deployment(
        &self,
        request: &Request,
        revision: Option<&Registration>,
    ) -> Result<String, CallError> {
        const OPERATION: &str = "CreateDeployment";
        let attempt = || async {
            let answer = self.creation(request, revision).send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            let id = answer.deployment_id.filter(|id| !id.is_empty());
            id.ok_or_else(|| CallError::incomplete(OPERATION, "id"))
        };
        self.once(OPERATION, attempt).await
    }

    fn creation(
        &self,
        request: &Request,
        revision: Option<&Registration>,
    ) -> CreateDeploymentFluentBuilder {
        let Options {
            config,
            description,
            ignore_application_stop_failures,
            target_instances,
            auto_rollback,
            update_outdated_instances_only,
            file_exists,
            mode,
            override_alarms,
            suspend_processes,
        } = request.options.clone();
        let processes = suspend_processes.map(|names| {
            let names = names.iter().map(|name| name.as_str().into()).collect();
            types::Ec2DeploymentOptions::builder()
                .set_auto_scaling_group_processes_to_suspend(Some(names))
                .build()
        });
        self.client
            .create_deployment()
            .application_name(&request.application)
            .deployment_group_name(&request.group)
            .set_revision(revision.map(Registration::revision))
            .set_deployment_config_name(config)
            .set_description(description)
            .set_ignore_application_stop_failures(ignore_application_stop_failures)
            .set_target_instances(target_instances.map(|instances| instances.write()))
            .set_auto_rollback_configuration(auto_rollback.map(|when| when.write()))
            .set_update_outdated_instances_only(update_outdated_instances_only)
            .set_file_exists_behavior(file_exists.map(|what| what.name().into()))
            .set_deployment_mode(mode.map(|mode| mode.name().into()))
            .set_override_alarm_configuration(override_alarms.map(|alarms| alarms.write()))
            .set_ec2_deployment_options(processes)
    }

    /// What became of a deployment.
    pub async fn deployment(&self, id: &str) -> Result<Deployment, CallError> {
        const OPERATION: &str = "GetDeployment";
        let attempt = || async {
            let answer = self.client.get_deployment().deployment_id(id).send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            let info = answer.deployment_info;
            let info = info.ok_or_else(|| CallError::incomplete(OPERATION, "deployment"))?;
            Ok(Deployment::read(info, id))
        };
        self.once(OPERATION, attempt).await
    }

    /// A page of the ids of a deployment's targets; only those with this status, if there is one.
    pub async fn target_ids(
        &self,
        id: &str,
        status: Option<&TargetStatus>,
        after: Option<&str>,
    ) -> Result<TargetPage, CallError> {
        const OPERATION: &str = "ListDeploymentTargets";
        let attempt = || async {
            let mut request = self.client.list_deployment_targets().deployment_id(id);
            if let Some(status) = status {
                let values = vec![status.name().to_owned()];
                request = request.target_filters(types::TargetFilterName::TargetStatus, values);
            }
            let request = request.set_next_token(after.map(str::to_owned));
            let answer = request.send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            Ok(TargetPage {
                ids: answer.target_ids.unwrap_or_default(),
                next: answer.next_token.filter(|token| !token.is_empty()),
            })
        };
        self.once(OPERATION, attempt).await
    }

    /// These targets of a deployment, at most 25.
    pub async fn targets(&self, id: &str, targets: &[String]) -> Result<Vec<Target>, CallError> {
        const OPERATION: &str = "BatchGetDeploymentTargets";
        let attempt = || async {
            let request = self.client.batch_get_deployment_targets();
            let request = request.deployment_id(id);
            let request = request.set_target_ids(Some(targets.to_vec()));
            let answer = request.send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            let found = answer.deployment_targets.unwrap_or_default().into_iter();
            Ok(found.filter_map(Target::read).collect())
        };
        self.once(OPERATION, attempt).await
    }

    /// The first page of the ids of a group's deployments, the newest first: those that were created at or
    /// after `since`, with one of `statuses`, or with any if there is none.
    pub async fn deployments(
        &self,
        application: &str,
        group: &str,
        since: Option<SystemTime>,
        statuses: &[Status],
    ) -> Result<Vec<String>, CallError> {
        const OPERATION: &str = "ListDeployments";
        let attempt = || async {
            let since = since.map(|since| {
                let since = DateTime::from(since);
                types::TimeRange::builder().start(since).build()
            });
            let statuses = statuses.iter().map(|status| status.name().into()).collect();
            let request = self
                .client
                .list_deployments()
                .application_name(application)
                .deployment_group_name(group)
                .set_create_time_range(since)
                .set_include_only_statuses(Some(statuses).filter(|all: &Vec<_>| !all.is_empty()));
            let answer = request.send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            Ok(answer.deployments.unwrap_or_default())
        };
        self.once(OPERATION, attempt).await
    }

    /// The newest registered revision of an application.
    pub async fn newest_revision(
        &self,
        application: &str,
        among: &Latest,
    ) -> Result<NewestRevision, CallError> {
        const OPERATION: &str = "ListApplicationRevisions";
        let attempt = || async {
            let request = self
                .client
                .list_application_revisions()
                .application_name(application)
                .sort_by(types::ApplicationRevisionSortBy::RegisterTime)
                .sort_order(types::SortOrder::Descending)
                .set_s3_bucket(among.bucket.clone())
                .set_s3_key_prefix(among.prefix.clone());
            let answer = request.send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            let first = answer.revisions.unwrap_or_default().into_iter().next();
            Ok(match first.as_ref().map(Registration::read) {
                None => NewestRevision::Missing,
                Some(None) => NewestRevision::Elsewhere,
                Some(Some(object)) => NewestRevision::Object(Box::new(object)),
            })
        };
        self.once(OPERATION, attempt).await
    }

    /// Stops a deployment. `rollback` says whether it is rolled back; None leaves that to the group.
    pub async fn stop_deployment(&self, id: &str, rollback: Option<bool>) -> Result<(), CallError> {
        const OPERATION: &str = "StopDeployment";
        let attempt = || async {
            let request = self.client.stop_deployment().deployment_id(id);
            let answer = request.set_auto_rollback_enabled(rollback).send().await;
            answer.map_err(|error| CallError::of(OPERATION, &error))?;
            Ok(())
        };
        self.once(OPERATION, attempt).await
    }
}

/// A list, unless it is empty: the API takes an empty list for another wish than none.
fn unless_empty<T, U>(items: &[T], write: impl Fn(&T) -> U) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.iter().map(write).collect())
}

impl TargetInstances {
    fn write(&self) -> types::TargetInstances {
        let set = unless_empty(&self.tag_set, |filters| {
            filters.iter().map(TagFilter::write).collect()
        });
        let set = set.map(|set| {
            types::Ec2TagSet::builder()
                .set_ec2_tag_set_list(Some(set))
                .build()
        });
        types::TargetInstances::builder()
            .set_tag_filters(unless_empty(&self.tag_filters, TagFilter::write))
            .set_auto_scaling_groups(unless_empty(&self.auto_scaling_groups, String::clone))
            .set_ec2_tag_set(set)
            .build()
    }
}

impl TagFilter {
    fn write(&self) -> types::Ec2TagFilter {
        types::Ec2TagFilter::builder()
            .set_key(self.key.clone())
            .set_value(self.value.clone())
            .set_type(self.compares.as_ref().map(|how| how.name().into()))
            .build()
    }
}

impl AutoRollback {
    fn write(&self) -> types::AutoRollbackConfiguration {
        types::AutoRollbackConfiguration::builder()
            .enabled(self.enabled)
            .set_events(unless_empty(&self.events, |event| event.name().into()))
            .build()
    }
}

impl Alarms {
    fn write(&self) -> types::AlarmConfiguration {
        let alarm = |name: &String| types::Alarm::builder().name(name).build();
        types::AlarmConfiguration::builder()
            .enabled(self.enabled)
            .ignore_poll_alarm_failure(self.ignore_poll_failure)
            .set_alarms(unless_empty(&self.names, alarm))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codedeploy::Client;
    use aws_sdk_codedeploy::config::{BehaviorVersion, Config};
    use aws_sdk_codedeploy::types::{FileExistsBehavior, RevisionLocationType};

    use super::super::{FileExists, Mode, RollbackOn, TagMatch, Wanted};
    use super::*;
    use crate::aws::call::test_caller;
    use crate::aws::s3::S3Location;
    use crate::bundle::BundleType;

    fn codedeploy() -> CodeDeploy {
        let config = Config::builder().behavior_version(BehaviorVersion::latest());
        CodeDeploy::new(Client::from_conf(config.build()), test_caller(1), true)
    }

    fn request(options: Options) -> Request {
        Request {
            application: "app".into(),
            group: "group".into(),
            revision: Wanted::Deployed,
            options,
        }
    }

    #[test]
    fn all_options_of_a_deployment_are_sent() {
        let tag = TagFilter {
            key: Some("k".into()),
            value: Some("v".into()),
            compares: Some(TagMatch::KeyAndValue),
        };
        let options = Options {
            config: Some("CodeDeployDefault.AllAtOnce".into()),
            description: Some("text".into()),
            ignore_application_stop_failures: Some(true),
            target_instances: Some(TargetInstances {
                tag_filters: vec![tag.clone()],
                auto_scaling_groups: vec!["asg".into()],
                tag_set: vec![vec![tag]],
            }),
            auto_rollback: Some(AutoRollback {
                enabled: true,
                events: vec![RollbackOn::Failure],
            }),
            update_outdated_instances_only: Some(false),
            file_exists: Some(FileExists::Retain),
            mode: Some(Mode::Standard),
            override_alarms: Some(Alarms {
                enabled: true,
                ignore_poll_failure: true,
                names: vec!["alarm".into()],
            }),
            suspend_processes: Some(vec!["AZRebalance".into()]),
        };
        let object = Registration {
            location: S3Location {
                bucket: "b".into(),
                key: "k".into(),
            },
            bundle_type: BundleType::default(),
            etag: Some("e".into()),
            version: Some("v".into()),
        };
        let sent = codedeploy().creation(&request(options), Some(&object));
        let sent = sent.as_input().clone().build().unwrap();
        assert_eq!(sent.application_name(), Some("app"));
        assert_eq!(sent.deployment_group_name(), Some("group"));
        assert_eq!(
            sent.deployment_config_name(),
            Some("CodeDeployDefault.AllAtOnce")
        );
        assert_eq!(sent.description(), Some("text"));
        assert_eq!(sent.ignore_application_stop_failures(), Some(true));
        assert_eq!(sent.update_outdated_instances_only(), Some(false));
        assert_eq!(
            sent.file_exists_behavior(),
            Some(&FileExistsBehavior::Retain)
        );
        assert_eq!(sent.deployment_mode().unwrap().as_str(), "STANDARD");
        let revision = sent.revision().unwrap();
        assert_eq!(revision.revision_type(), Some(&RevisionLocationType::S3));
        assert_eq!(Registration::read(revision), Some(object));
        let instances = sent.target_instances().unwrap();
        assert_eq!(instances.auto_scaling_groups(), ["asg"]);
        let tag = &instances.tag_filters()[0];
        assert_eq!((tag.key(), tag.value()), (Some("k"), Some("v")));
        assert_eq!(tag.r#type().unwrap().as_str(), "KEY_AND_VALUE");
        let set = instances.ec2_tag_set().unwrap();
        assert_eq!(set.ec2_tag_set_list(), [vec![tag.clone()]]);
        let rollback = sent.auto_rollback_configuration().unwrap();
        assert!(rollback.enabled());
        assert_eq!(rollback.events()[0].as_str(), "DEPLOYMENT_FAILURE");
        let alarms = sent.override_alarm_configuration().unwrap();
        assert!(alarms.enabled() && alarms.ignore_poll_alarm_failure());
        assert_eq!(alarms.alarms()[0].name(), Some("alarm"));
        let processes = sent.ec2_deployment_options().unwrap();
        let processes = processes.auto_scaling_group_processes_to_suspend();
        assert_eq!(processes[0].as_str(), "AZRebalance");
    }

    #[test]
    fn an_option_that_is_not_given_is_not_sent() {
        let sent = codedeploy().creation(&request(Options::default()), None);
        let bare = codedeploy().client.create_deployment();
        let bare = bare.application_name("app").deployment_group_name("group");
        assert_eq!(sent.as_input(), bare.as_input());
    }
}

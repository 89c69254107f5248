//! What CodeDeploy answers, as hoist's own types.

use std::time::SystemTime;

use aws_sdk_codedeploy::primitives::DateTime;
use aws_sdk_codedeploy::types;

use super::names::{EventStatus, Label, Style, TargetKind};
use super::state::{
    Counts, Deployment, Diagnostics, ErrorInformation, LifecycleEvent, Rollback, Share, Target,
};
use crate::aws::codedeploy::Registration;
use crate::aws::s3::S3Location;

/// A status that is missing is not known.
fn status<T: for<'a> From<&'a str>>(name: Option<&str>) -> T {
    name.unwrap_or("Unknown").into()
}

fn time(time: Option<DateTime>) -> Option<SystemTime> {
    time.and_then(|time| SystemTime::try_from(time).ok())
}

impl Deployment {
    pub(super) fn read(info: types::DeploymentInfo, id: &str) -> Self {
        let auto_rollback = info.auto_rollback_configuration.filter(|on| on.enabled);
        let events = auto_rollback.map(|on| on.events.unwrap_or_default());
        let style = info
            .deployment_style
            .and_then(|style| style.deployment_type);
        let messages = info.deployment_status_messages.unwrap_or_default();
        let more = info.additional_deployment_status_info;
        Self {
            id: info.deployment_id.unwrap_or_else(|| id.to_owned()),
            application: info.application_name.unwrap_or_default(),
            group: info.deployment_group_name.unwrap_or_default(),
            status: status(info.status.as_ref().map(types::DeploymentStatus::as_str)),
            counts: info
                .deployment_overview
                .map(Counts::read)
                .unwrap_or_default(),
            error: info.error_information.map(|error| ErrorInformation {
                code: error.code.map(|code| code.as_str().to_owned()),
                message: error.message,
            }),
            rollback: info.rollback_info.map(|rollback| Rollback {
                deployment: rollback.rollback_deployment_id,
                of: rollback.rollback_triggering_deployment_id,
                message: rollback.rollback_message,
            }),
            auto_rollback: events
                .map(|events| events.iter().map(|event| event.as_str().into()).collect()),
            platform: info.compute_platform.into(),
            style: style.map(|style| Style::from(style.as_str())),
            revision: info.revision.as_ref().and_then(Registration::read),
            config: info.deployment_config_name,
            description: info.description,
            creator: info.creator.map(|creator| creator.as_str().to_owned()),
            created: time(info.create_time),
            started: time(info.start_time),
            completed: time(info.complete_time),
            messages: messages.into_iter().chain(more).collect(),
        }
    }
}

impl Counts {
    fn read(overview: types::DeploymentOverview) -> Self {
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        Self {
            pending: number(overview.pending),
            in_progress: number(overview.in_progress),
            succeeded: number(overview.succeeded),
            failed: number(overview.failed),
            skipped: number(overview.skipped),
            ready: number(overview.ready),
        }
    }
}

impl Target {
    /// None if the answer has no target of a known kind.
    pub(super) fn read(target: types::DeploymentTarget) -> Option<Self> {
        let (id, at, events, label, traffic);
        let kind = if let Some(found) = target.instance_target {
            (id, at, events) = (found.target_id, found.status, found.lifecycle_events);
            (label, traffic) = (found.instance_label, Vec::new());
            TargetKind::Instance
        } else if let Some(found) = target.lambda_target {
            (id, at, events) = (found.target_id, found.status, found.lifecycle_events);
            let shares = found.lambda_function_info.map(Share::of_function);
            (label, traffic) = (None, shares.unwrap_or_default());
            TargetKind::Lambda
        } else if let Some(found) = target.ecs_target {
            (id, at, events) = (found.target_id, found.status, found.lifecycle_events);
            let sets = found.task_sets_info.unwrap_or_default();
            (label, traffic) = (None, sets.into_iter().map(Share::of_task_set).collect());
            TargetKind::Ecs
        } else {
            let found = target.cloud_formation_target?;
            (id, at, events) = (found.target_id, found.status, found.lifecycle_events);
            let share = Share {
                version: found.resource_type.unwrap_or_default(),
                label: Some(Label::Green),
                percent: found.target_version_weight,
            };
            (label, traffic) = (None, vec![share]);
            TargetKind::CloudFormation
        };
        let events = events.unwrap_or_default().into_iter();
        Some(Self {
            id: id?,
            kind,
            label: label.map(|label: types::TargetLabel| Label::from(label.as_str())),
            status: status(at.as_ref().map(types::TargetStatus::as_str)),
            events: events.map(LifecycleEvent::read).collect(),
            traffic,
        })
    }
}

impl Share {
    /// The shares of the old and the new version of a function. The API tells that of the new one.
    fn of_function(function: types::LambdaFunctionInfo) -> Vec<Self> {
        let new = function.target_version_weight;
        let old = function.current_version.map(|version| Self {
            version,
            label: Some(Label::Blue),
            percent: 100.0 - new,
        });
        let new = function.target_version.map(|version| Self {
            version,
            label: Some(Label::Green),
            percent: new,
        });
        old.into_iter().chain(new).collect()
    }

    fn of_task_set(set: types::EcsTaskSet) -> Self {
        Self {
            version: set.identifer.unwrap_or_default(),
            label: set.task_set_label.map(|label| label.as_str().into()),
            percent: set.traffic_weight,
        }
    }
}

impl LifecycleEvent {
    fn read(event: types::LifecycleEvent) -> Self {
        Self {
            name: event.lifecycle_event_name.unwrap_or_default(),
            status: status::<EventStatus>(
                event
                    .status
                    .as_ref()
                    .map(types::LifecycleEventStatus::as_str),
            ),
            started: time(event.start_time),
            ended: time(event.end_time),
            diagnostics: event.diagnostics.map(|told| Diagnostics {
                code: told.error_code.map(|code| code.as_str().to_owned()),
                script: told.script_name.filter(|name| !name.is_empty()),
                message: told.message.filter(|text| !text.is_empty()),
                log_tail: told.log_tail.filter(|text| !text.is_empty()),
            }),
        }
    }
}

impl Registration {
    /// The object that a revision is. None if it is not in S3.
    pub(super) fn read(revision: &types::RevisionLocation) -> Option<Self> {
        let place = revision.s3_location.as_ref()?;
        Some(Self {
            location: S3Location {
                bucket: place.bucket.clone()?,
                key: place.key.clone()?,
            },
            bundle_type: place.bundle_type.as_ref()?.as_str().parse().ok()?,
            etag: place.e_tag.clone(),
            version: place.version.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codedeploy::types::{
        DeploymentTarget, EcsTarget, EcsTaskSet, LambdaFunctionInfo, LambdaTarget, TargetLabel,
    };

    use super::super::{Status, TargetStatus};
    use super::*;

    #[test]
    fn the_traffic_of_a_function_is_split_between_its_old_and_its_new_version() {
        let function = LambdaFunctionInfo::builder()
            .current_version("3")
            .target_version("4")
            .target_version_weight(10.0)
            .build();
        let function = LambdaTarget::builder()
            .target_id("f:live")
            .lambda_function_info(function)
            .build();
        let target = DeploymentTarget::builder().lambda_target(function).build();
        let target = Target::read(target).unwrap();
        let shares = target.traffic.iter();
        let shares: Vec<_> = shares.map(|of| (&*of.version, of.percent)).collect();
        assert_eq!(shares, [("3", 90.0), ("4", 10.0)]);
        assert_eq!(target.kind, TargetKind::Lambda);
        assert_eq!(target.status, TargetStatus::Other("Unknown".into()));
    }

    #[test]
    fn the_traffic_of_a_service_is_that_of_its_task_sets() {
        let set = |id: &str, label, weight| {
            EcsTaskSet::builder()
                .identifer(id)
                .task_set_label(label)
                .traffic_weight(weight)
                .build()
        };
        let service = EcsTarget::builder()
            .target_id("c:s")
            .task_sets_info(set("ecs-svc/1", TargetLabel::Blue, 75.0))
            .task_sets_info(set("ecs-svc/2", TargetLabel::Green, 25.0))
            .build();
        let target = DeploymentTarget::builder().ecs_target(service).build();
        let traffic = Target::read(target).unwrap().traffic;
        let shares: Vec<_> = traffic.iter().map(|of| of.percent).collect();
        assert_eq!(shares, [75.0, 25.0]);
        assert_eq!(traffic[1].label, Some(Label::Green));
    }

    #[test]
    fn an_answer_without_members_is_a_deployment_whose_status_is_not_known() {
        let info = types::DeploymentInfo::builder().build();
        let deployment = Deployment::read(info, "d-1");
        assert_eq!(deployment.id, "d-1");
        assert_eq!(deployment.status, Status::Other("Unknown".into()));
        assert!(Target::read(DeploymentTarget::builder().build()).is_none());
    }
}

//! The operations on deployments.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::ids;
use super::super::store::lock;
use super::applications::required;
use super::deployment::{Deployment, Options, Rollback, Status};
use super::groups::{Group, LastDeployment, check_group_name};
use super::kept::Control;
use super::model::{Revision, check_name};
use super::simulation::Run;
use super::{Failure, Service, configs, listing, page, seconds};

/// Longest description of a deployment, in characters ("CodeDeploy quotas").
const MAX_DESCRIPTION: usize = 256;

/// The most deployments of one BatchGetDeployments.
const MAX_BATCH: usize = 25;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreateDeployment {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
    revision: Option<Revision>,
    deployment_config_name: Option<String>,
    #[serde(flatten)]
    options: Options,
}

/// The input of operations on one deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OneDeployment {
    deployment_id: Option<String>,
    auto_rollback_enabled: Option<bool>,
    deployment_wait_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeploymentIds {
    deployment_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListDeployments {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
    external_id: Option<String>,
    include_only_statuses: Vec<String>,
    create_time_range: TimeRange,
    next_token: Option<String>,
}

/// Seconds since 1970.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TimeRange {
    start: Option<f64>,
    end: Option<f64>,
}

impl Service {
    /// The deployment `id`.
    /// Fails with `DeploymentIdRequiredException`, `InvalidDeploymentIdException`,
    /// `DeploymentDoesNotExistException`.
    pub(super) fn deployment(
        &self,
        region: &str,
        id: Option<String>,
    ) -> Result<Deployment, Failure> {
        self.controlled(region, id)
            .map(|(deployment, _)| deployment)
    }

    fn controlled(
        &self,
        region: &str,
        id: Option<String>,
    ) -> Result<(Deployment, Arc<Control>), Failure> {
        let id = check_id(id)?;
        self.deployments.find(region, &id).ok_or_else(|| {
            Failure::new(
                "DeploymentDoesNotExistException",
                format!("The deployment {id} could not be found"),
            )
        })
    }

    pub(super) fn create_deployment(
        self: &Arc<Self>,
        region: &str,
        input: CreateDeployment,
    ) -> Result<Value, Failure> {
        let application = check_name(input.application_name)?;
        let group = check_group_name(input.deployment_group_name)?;
        let (group, platform) = self.group(region, &application, &group)?;
        let options = input.options;
        check_options(&options)?;
        let revision = match options.deployment_mode.as_deref() {
            Some("RESTART") => restarted(input.revision.as_ref(), &options, &group, &platform)?,
            _ => required(input.revision)?,
        };
        revision.check()?;
        check_platform(&revision, &platform)?;
        let config = input
            .deployment_config_name
            .or_else(|| group.settings.deployment_config_name.clone())
            .unwrap_or_else(|| configs::default_name(&platform).to_owned());
        configs::of(&config, &platform)?;
        let deployment = new(&application, &group, &platform, &config, revision, options);
        let id = self.begin(region, deployment)?;
        Ok(json!({ "deploymentId": id }))
    }

    /// Keeps a deployment and lets it run. Returns its id.
    fn begin(self: &Arc<Self>, region: &str, deployment: Deployment) -> Result<String, Failure> {
        let (deployment, control) = self.deployments.add(region, deployment)?;
        let application = &deployment.application;
        self.use_revision(region, application, &deployment.revision)?;
        self.note_in_group(region, &deployment)?;
        let id = deployment.id.clone();
        let run = Run::new(Arc::clone(self), region, deployment, control);
        let mut running = lock(&self.running);
        while running.try_join_next().is_some() {}
        if !self.ending.is_cancelled() {
            running.spawn(run.deploy());
        }
        Ok(id)
    }

    /// Lets a deployment's group remember how far it is.
    pub(super) fn note_in_group(
        &self,
        region: &str,
        deployment: &Deployment,
    ) -> Result<(), Failure> {
        let (application, group) = (&deployment.application, &deployment.group_id);
        self.update_group(region, application, group, |group| {
            let last = LastDeployment {
                id: deployment.id.clone(),
                status: deployment.status,
                created_ms: deployment.created_ms,
                ended_ms: deployment.ended_ms,
                revision: deployment.revision.clone(),
            };
            if deployment.status == Status::Succeeded {
                group.last_successful = Some(last.clone());
            }
            group.last_attempted = Some(last);
            group.target_revision = Some(deployment.revision.clone());
        })
    }

    /// Rolls back a deployment that has ended, to the last revision of its group that was deployed
    /// successfully.
    pub(super) fn roll_back(self: &Arc<Self>, region: &str, ended: &Deployment) {
        let found = self.group(region, &ended.application, &ended.group);
        let last = found.ok().and_then(|(group, platform)| {
            let last = group.last_successful.clone()?;
            Some((group, platform, last))
        });
        let Some((group, platform, last)) = last else {
            let message = "No rollback was made, because the deployment group has no revision that \
                           was deployed successfully.";
            return self.note_rollback(region, &ended.id, None, message.to_owned());
        };
        let config = group.settings.deployment_config_name.clone();
        let config = config.unwrap_or_else(|| configs::default_name(&platform).to_owned());
        let options = Options {
            description: Some(format!("CodeDeploy rollback of {}", ended.id)),
            file_exists_behavior: ended.options.file_exists_behavior.clone(),
            ..Options::default()
        };
        let revision = last.revision;
        let mut deployment = new(
            &ended.application,
            &group,
            &platform,
            &config,
            revision,
            options,
        );
        "codeDeployRollback".clone_into(&mut deployment.creator);
        deployment.rollback = Some(Rollback {
            rollback_triggering_deployment_id: Some(ended.id.clone()),
            rollback_message: format!("Rolls back deployment {} to {}.", ended.id, last.id),
            ..Rollback::default()
        });
        match self.begin(region, deployment) {
            Ok(id) => {
                let message = format!("Deployment {} is rolled back by {id}.", ended.id);
                self.note_rollback(region, &ended.id, Some(id), message);
            }
            Err(failure) => self.note_rollback(region, &ended.id, None, failure.message),
        }
    }

    fn note_rollback(&self, region: &str, ended: &str, id: Option<String>, message: String) {
        self.deployments.change(region, ended, |deployment| {
            let rollback = deployment.rollback.get_or_insert_default();
            rollback.rollback_deployment_id = id;
            rollback.rollback_message = message;
        });
    }

    pub(super) fn get_deployment(
        &self,
        region: &str,
        input: OneDeployment,
    ) -> Result<Value, Failure> {
        let deployment = self.deployment(region, input.deployment_id)?;
        Ok(json!({ "deploymentInfo": deployment.info() }))
    }

    /// Deployments that do not exist are left out.
    pub(super) fn batch_get_deployments(
        &self,
        region: &str,
        input: DeploymentIds,
    ) -> Result<Value, Failure> {
        let ids = input.deployment_ids;
        if ids.len() > MAX_BATCH {
            return Err(Failure::new(
                "BatchLimitExceededException",
                format!(
                    "{} deployments are named, and at most {MAX_BATCH} are allowed",
                    ids.len()
                ),
            ));
        }
        if ids.is_empty() {
            check_id(None)?;
        }
        let mut infos = Vec::new();
        for id in ids {
            let found = self.deployments.find(region, &check_id(Some(id))?);
            infos.extend(found.map(|(deployment, _)| deployment.info()));
        }
        Ok(json!({ "deploymentsInfo": infos }))
    }

    pub(super) fn list_deployments(
        &self,
        region: &str,
        input: ListDeployments,
    ) -> Result<Value, Failure> {
        let group = match (input.application_name, input.deployment_group_name) {
            (None, None) => None,
            (application, group) => {
                let application = check_name(application)?;
                let group = check_group_name(group)?;
                Some(self.group(region, &application, &group)?.0.id)
            }
        };
        let statuses = &input.include_only_statuses;
        if let Some(status) = statuses.iter().find(|status| !Status::is_known(status)) {
            return Err(Failure::new(
                "InvalidDeploymentStatusException",
                format!("The specified deployment status doesn't exist: {status}"),
            ));
        }
        let TimeRange { start, end } = input.create_time_range;
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return Err(Failure::new(
                "InvalidTimeRangeException",
                "The time range begins after its end",
            ));
        }
        let found = self.deployments.list(region, |deployment| {
            let created = seconds(deployment.created_ms);
            group
                .as_ref()
                .is_none_or(|group| deployment.group_id == *group)
                && input.external_id.is_none()
                && (statuses.is_empty()
                    || statuses
                        .iter()
                        .any(|status| json!(deployment.status) == json!(status)))
                && start.is_none_or(|start| created >= start)
                && end.is_none_or(|end| created <= end)
        });
        let (page, next) = page(&found, input.next_token.as_deref(), |(_, id)| id)?;
        let ids: Vec<&str> = page.iter().map(|(_, id)| &**id).collect();
        Ok(listing("deployments", &ids, next))
    }

    pub(super) fn stop_deployment(
        &self,
        region: &str,
        input: OneDeployment,
    ) -> Result<Value, Failure> {
        let (deployment, control) = self.controlled(region, input.deployment_id)?;
        check_runs(&deployment)?;
        if input.auto_rollback_enabled == Some(true) {
            control.rolls_back.store(true, Ordering::Relaxed);
        }
        control.stop.cancel();
        Ok(json!({
            "status": "Pending",
            "statusMessage": "The deployment stops when the lifecycle events that run have ended.",
        }))
    }

    pub(super) fn continue_deployment(
        &self,
        region: &str,
        input: OneDeployment,
    ) -> Result<(), Failure> {
        let (deployment, control) = self.controlled(region, input.deployment_id)?;
        let wait = input.deployment_wait_type.as_deref();
        let is_ready = match wait.unwrap_or("READY_WAIT") {
            "READY_WAIT" => deployment.status == Status::Ready,
            "TERMINATION_WAIT" => deployment.waits_for_termination,
            other => {
                return Err(Failure::new(
                    "InvalidDeploymentWaitTypeException",
                    format!("The wait type is invalid: {other}"),
                ));
            }
        };
        check_runs(&deployment)?;
        if !deployment.settings.style().is_blue_green() || deployment.platform == "Lambda" {
            return Err(Failure::new(
                "UnsupportedActionForDeploymentTypeException",
                "Only blue/green deployments to instances and ECS services wait",
            ));
        }
        if !is_ready {
            return Err(Failure::new(
                "DeploymentIsNotInReadyStateException",
                format!("The deployment {} does not wait", deployment.id),
            ));
        }
        match wait {
            Some("TERMINATION_WAIT") => control.terminate.cancel(),
            _ => control.proceed.cancel(),
        }
        Ok(())
    }
}

/// A deployment before it is kept.
fn new(
    application: &str,
    group: &Group,
    platform: &str,
    config: &str,
    revision: Revision,
    options: Options,
) -> Deployment {
    let previous = group.last_successful.as_ref();
    Deployment {
        id: String::new(),
        number: 0,
        application: application.to_owned(),
        group: group.name.clone(),
        group_id: group.id.clone(),
        platform: platform.to_owned(),
        settings: group.settings.clone(),
        config: config.to_owned(),
        revision,
        previous: previous.map(|last| last.revision.clone()),
        status: Status::Created,
        created_ms: ids::now_ms(),
        started_ms: None,
        ended_ms: None,
        creator: "user".to_owned(),
        error: None,
        rollback: None,
        options,
        waits_for_termination: false,
        targets: Vec::new(),
    }
}

/// Fails with `DeploymentIdRequiredException`, `InvalidDeploymentIdException`.
fn check_id(id: Option<String>) -> Result<String, Failure> {
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| {
        Failure::new(
            "DeploymentIdRequiredException",
            "At least one deployment ID must be specified",
        )
    })?;
    let fits = id.strip_prefix("d-").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if fits {
        return Ok(id);
    }
    Err(Failure::new(
        "InvalidDeploymentIdException",
        format!("The deployment ID is not valid: {id}"),
    ))
}

/// Fails with `DeploymentAlreadyCompletedException`.
fn check_runs(deployment: &Deployment) -> Result<(), Failure> {
    if !deployment.status.has_ended() {
        return Ok(());
    }
    Err(Failure::new(
        "DeploymentAlreadyCompletedException",
        format!("The deployment {} is already complete", deployment.id),
    ))
}

fn check_options(options: &Options) -> Result<(), Failure> {
    let description = options.description.as_deref().unwrap_or_default();
    if description.chars().count() > MAX_DESCRIPTION {
        return Err(Failure::new(
            "DescriptionTooLongException",
            format!("The description is longer than {MAX_DESCRIPTION} characters"),
        ));
    }
    for (value, allowed, code) in [
        (
            &options.file_exists_behavior,
            &["DISALLOW", "OVERWRITE", "RETAIN"][..],
            "InvalidFileExistsBehaviorException",
        ),
        (
            &options.deployment_mode,
            &["STANDARD", "RESTART"],
            "ValidationException",
        ),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !allowed.contains(value)) {
            let message = format!("{value} is not one of {}", allowed.join(", "));
            return Err(Failure::new(code, message));
        }
    }
    match &options.auto_rollback_configuration {
        Some(rollback) => rollback.check(),
        None => Ok(()),
    }
}

/// The revision that a deployment of the mode RESTART deploys again.
fn restarted(
    given: Option<&Revision>,
    options: &Options,
    group: &Group,
    platform: &str,
) -> Result<Revision, Failure> {
    let invalid = |why: &str| Failure::new("InvalidInputException", format!("RESTART {why}"));
    if platform != "Server" || group.settings.style().is_blue_green() {
        return Err(invalid("is for in-place deployments to instances"));
    }
    if given.is_some() || options.update_outdated_instances_only {
        return Err(invalid(
            "takes no revision and no updateOutdatedInstancesOnly",
        ));
    }
    let last = group.last_successful.as_ref();
    let last = last.ok_or_else(|| invalid("needs a deployment that succeeded"))?;
    Ok(last.revision.clone())
}

/// Instances are given archives, Lambda and ECS an AppSpec file.
fn check_platform(revision: &Revision, platform: &str) -> Result<(), Failure> {
    let bundle = revision.s3_location.as_ref();
    let bundle = bundle.and_then(|s3| s3.bundle_type.as_deref());
    let is_archive = matches!(bundle, Some("zip" | "tar" | "tgz"));
    if is_archive == (platform == "Server") {
        return Ok(());
    }
    let (a, wanted) = match platform {
        "Server" => ("instances", "an archive: zip, tar or tgz"),
        _ => (platform, "an AppSpec file: YAML or JSON, or AppSpecContent"),
    };
    Err(Failure::new(
        "InvalidRevisionException",
        format!("The specified revision is not valid: a deployment to {a} needs {wanted}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::kept::new_id;
    use super::*;

    #[test]
    fn ids_are_as_codedeploy_makes_them() {
        let id = new_id();
        assert_eq!(check_id(Some(id.clone())), Ok(id.clone()));
        assert_eq!(id.len(), 11, "{id}");
        assert_ne!(id, new_id());
        for bad in ["d-", "x-1", "d-a/b", "../d-1"] {
            assert_eq!(
                check_id(Some(bad.to_owned())).unwrap_err().code,
                "InvalidDeploymentIdException"
            );
        }
    }
}

//! Deployments: the operations, and where they are kept.
//!
//! ```text
//! DIR/codedeploy/REGION/deployments/ID.json    a deployment and its targets
//! ```
//!
//! They are in memory, too, because those that run change often. A deployment that ran when the endpoint
//! ended has failed when it starts again.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::ids;
use super::super::store::{lock, read_json, write_json};
use super::applications::required;
use super::deployment::{Deployment, Options, Rollback, Status, Step};
use super::groups::{Group, LastDeployment, check_group_name};
use super::model::{Revision, check_name};
use super::simulation::Run;
use super::{Failure, Service, configs, page, seconds};

/// Longest description of a deployment, in characters ("CodeDeploy quotas").
const MAX_DESCRIPTION: usize = 256;

/// The most deployments of one BatchGetDeployments.
const MAX_BATCH: usize = 25;

/// All deployments, in the order in which they were created.
pub(super) struct Deployments {
    dir: PathBuf,
    kept: Mutex<HashMap<(String, String), Kept>>,
}

struct Kept {
    deployment: Deployment,
    control: Arc<Control>,
}

/// What requests tell a deployment that runs.
#[derive(Default)]
pub(super) struct Control {
    pub(super) stop: CancellationToken,
    /// A stop is followed by a rollback, whatever the configuration says.
    pub(super) rolls_back: AtomicBool,
    /// Traffic may be shifted.
    pub(super) proceed: CancellationToken,
    /// The original instances may be terminated.
    pub(super) terminate: CancellationToken,
}

impl Deployments {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let dir = dir.join("codedeploy");
        fs::create_dir_all(&dir)?;
        let all = Self {
            kept: Mutex::default(),
            dir,
        };
        for region in fs::read_dir(&all.dir)? {
            let region = region?;
            let Ok(name) = region.file_name().into_string() else {
                continue;
            };
            let Ok(files) = fs::read_dir(region.path().join("deployments")) else {
                continue;
            };
            for file in files {
                let path = file?.path();
                if path.extension().is_some_and(|ending| ending == "json")
                    && let Some(deployment) = read_json(&path).map_err(io::Error::other)?
                {
                    all.load(&name, deployment);
                }
            }
        }
        Ok(all)
    }

    /// Takes a deployment that was found at the start.
    fn load(&self, region: &str, mut deployment: Deployment) {
        let id = deployment.id.clone();
        let ran = !deployment.status.has_ended();
        if ran {
            deployment.status = Status::Failed;
            deployment.ended_ms = Some(ids::now_ms());
            let message = "The endpoint ended while the deployment was running.";
            deployment.fail("INTERNAL_ERROR", message);
            for target in &mut deployment.targets {
                target.skip_rest();
                for event in &mut target.events {
                    if event.status == Step::InProgress {
                        event.status = Step::Failed;
                    }
                }
                if !matches!(target.status, Step::Succeeded | Step::Failed) {
                    target.status = Step::Skipped;
                }
            }
        }
        let control = Arc::default();
        let kept = Kept {
            deployment,
            control,
        };
        lock(&self.kept).insert((region.to_owned(), id.clone()), kept);
        if ran {
            self.change(region, &id, |_| ());
        }
    }

    fn path(&self, region: &str, id: &str) -> PathBuf {
        let deployments = self.dir.join(region).join("deployments");
        deployments.join(format!("{id}.json"))
    }

    /// Keeps a new deployment, with the number and the id that it gets.
    /// Fails with `DeploymentLimitExceededException`.
    fn add(
        &self,
        region: &str,
        mut deployment: Deployment,
    ) -> Result<(Deployment, Arc<Control>), Failure> {
        let mut kept = lock(&self.kept);
        let here = kept.iter().filter(|((known, _), _)| known == region);
        let mut last = 0;
        for (
            _,
            Kept {
                deployment: known, ..
            },
        ) in here
        {
            last = last.max(known.number);
            if known.group_id == deployment.group_id && !known.status.has_ended() {
                return Err(Failure::new(
                    "DeploymentLimitExceededException",
                    format!(
                        "The Deployment Group '{}' already has an active Deployment '{}'",
                        deployment.group, known.id
                    ),
                ));
            }
        }
        deployment.number = last + 1;
        while deployment.id.is_empty()
            || kept.contains_key(&(region.to_owned(), deployment.id.clone()))
        {
            deployment.id = new_id();
        }
        write_json(&self.path(region, &deployment.id), &deployment).map_err(Failure::disk)?;
        let control = Arc::<Control>::default();
        kept.insert(
            (region.to_owned(), deployment.id.clone()),
            Kept {
                deployment: deployment.clone(),
                control: Arc::clone(&control),
            },
        );
        Ok((deployment, control))
    }

    fn find(&self, region: &str, id: &str) -> Option<(Deployment, Arc<Control>)> {
        let kept = lock(&self.kept);
        let found = kept.get(&(region.to_owned(), id.to_owned()))?;
        Some((found.deployment.clone(), Arc::clone(&found.control)))
    }

    /// The deployments of a region that `fits` takes, the newest first.
    fn list(&self, region: &str, fits: impl Fn(&Deployment) -> bool) -> Vec<(u64, String)> {
        let kept = lock(&self.kept);
        let here = kept.iter().filter(|((known, _), _)| known == region);
        let deployments = here.map(|(_, kept)| &kept.deployment);
        let fitting = deployments.filter(|deployment| fits(deployment));
        let mut found: Vec<(u64, String)> = fitting
            .map(|deployment| (deployment.number, deployment.id.clone()))
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        found
    }

    /// Changes a deployment, in memory and on disk. What cannot be written is written with the next
    /// change.
    pub(super) fn change<T>(
        &self,
        region: &str,
        id: &str,
        change: impl FnOnce(&mut Deployment) -> T,
    ) -> Option<T> {
        self.change_kept(region, id, |deployment| {
            let changed = change(deployment);
            drop(write_json(&self.path(region, id), deployment));
            changed
        })
    }

    /// Changes a deployment in memory only, for what happens often and does not outlive the process.
    pub(super) fn note(&self, region: &str, id: &str, change: impl FnOnce(&mut Deployment)) {
        self.change_kept(region, id, change);
    }

    fn change_kept<T>(
        &self,
        region: &str,
        id: &str,
        change: impl FnOnce(&mut Deployment) -> T,
    ) -> Option<T> {
        let mut kept = lock(&self.kept);
        let found = kept.get_mut(&(region.to_owned(), id.to_owned()))?;
        Some(change(&mut found.deployment))
    }
}

/// `d-` and nine letters or digits, as CodeDeploy's are.
fn new_id() -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let unique = ids::unique();
    // The last 16 hexadecimal digits are random, and 2^64 is more than 36^9.
    let mut random = u64::from_str_radix(unique.get(16..).unwrap_or_default(), 16).unwrap_or(0);
    let digits = (0..9).map(|_| {
        let digit = usize::try_from(random % 36).unwrap_or(0);
        random /= 36;
        char::from(DIGITS[digit])
    });
    let digits: String = digits.collect();
    format!("d-{digits}")
}

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
        let (application, group) = (&deployment.application, &deployment.group);
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
        let mut output = json!({ "deployments": ids });
        if let Some(next) = next {
            output["nextToken"] = json!(next);
        }
        Ok(output)
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

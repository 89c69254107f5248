//! The part of CodeDeploy that a push, a deployment and the AWS CLI's commands around them call:
//! applications and their revisions, deployment groups, and deployments.
//!
//! The protocol is AWS JSON 1.1: the operation is in `X-Amz-Target`, input and output are JSON
//! objects, timestamps are seconds since 1970, errors are 400 with `__type` and `message`. Each region
//! has applications of its own; the region is the one that the request was signed for.
//!
//! Deployments are simulated: each runs as a task, by a [`Pace`], through the lifecycle events of its
//! compute platform. Instances are directories: the bundle is unpacked and its `files` are copied, and
//! no script is run. Functions and services are names, to which traffic is shifted.
//!
//! Like the service, the endpoint does not check that the object of a revision exists when it is
//! registered; a deployment to instances reads it.

mod applications;
mod configs;
mod deployment;
mod deployments;
mod groups;
mod install;
mod kept;
mod model;
mod settings;
mod simulation;
mod store;
mod targets;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::kept::Deployments;
use self::model::{CreateApplication, Revision};
use self::store::Store;
use super::faults::Faults;
use super::store as objects;

/// The name before the operation in `X-Amz-Target`.
pub(super) const TARGET: &str = "CodeDeploy_20141006.";

/// The region of requests that are not signed.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

/// Lines in a page of a listing.
const PAGE: usize = 100;

/// How fast deployments go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// What a lifecycle event takes.
    pub event: Duration,
    /// What a minute of waiting takes: of traffic that is shifted bit by bit, and of blue/green
    /// deployments that wait.
    pub minute: Duration,
}

impl Default for Pace {
    /// Fast enough to wait for, slow enough to see.
    fn default() -> Self {
        Self {
            event: Duration::from_millis(300),
            minute: Duration::from_secs(1),
        }
    }
}

/// An error of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The error's name, as clients match it.
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The endpoint's fault (500), not the client's (400).
    pub(super) internal: bool,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            internal: false,
        }
    }

    fn disk(error: impl ToString) -> Self {
        Self {
            code: "InternalFailure",
            message: error.to_string(),
            internal: true,
        }
    }
}

/// CodeDeploy in all regions.
pub(super) struct Service {
    dir: PathBuf,
    store: Store,
    deployments: Deployments,
    objects: Arc<objects::Store>,
    faults: Faults,
    pace: Pace,
    /// The deployments that run.
    running: Mutex<JoinSet<()>>,
    ending: CancellationToken,
}

impl Service {
    /// Opens the state under `dir`, which is made if it is missing. Revisions are read from `objects`.
    pub(super) fn open(
        dir: &Path,
        objects: Arc<objects::Store>,
        faults: Option<Faults>,
        pace: Pace,
    ) -> io::Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            store: Store::open(dir)?,
            deployments: Deployments::open(dir)?,
            objects,
            faults: faults.unwrap_or_default(),
            pace,
            running: Mutex::default(),
            ending: CancellationToken::new(),
        })
    }

    /// Ends all deployments that run.
    pub(super) async fn end(&self) {
        self.ending.cancel();
        let mut running = std::mem::take(&mut *objects::lock(&self.running));
        while running.join_next().await.is_some() {}
    }

    /// Opens the object of a revision, as an agent does: the ETag must be the registered one.
    fn open_revision(&self, revision: &Revision) -> Result<File, String> {
        let location = revision.s3_location.as_ref().ok_or("it is not in S3")?;
        let (bucket, key) = (location.bucket.as_deref(), location.key.as_deref());
        let (bucket, key) = bucket.zip(key).ok_or("it names no object")?;
        let version = location.version.as_deref();
        let opened = self.objects.open_object(bucket, key, version);
        let (object, file) =
            opened.map_err(|error| error.message().unwrap_or(error.code().as_str()).to_owned())?;
        let wanted = location.e_tag.as_deref().map(|etag| etag.trim_matches('"'));
        match wanted.filter(|wanted| *wanted != object.etag) {
            Some(wanted) => Err(format!(
                "Expected deployment bundle etag {wanted} but was actually etag {}",
                object.etag
            )),
            None => Ok(file),
        }
    }

    /// Makes the application `name` for a compute platform if it is missing.
    /// Fails with `InvalidApplicationNameException`, `InvalidComputePlatformException`.
    pub(super) fn ensure(&self, region: &str, name: &str, platform: &str) -> Result<(), Failure> {
        check_region(region)?;
        let input = CreateApplication {
            application_name: Some(name.to_owned()),
            compute_platform: Some(platform.to_owned()),
        };
        match self.create_application(region, input) {
            Err(failure) if failure.code != "ApplicationAlreadyExistsException" => Err(failure),
            _ => Ok(()),
        }
    }

    /// Runs `operation` and returns its output, `None` if that is empty.
    pub(super) fn call(
        self: &Arc<Self>,
        region: &str,
        operation: &str,
        body: &[u8],
    ) -> Result<Option<Value>, Failure> {
        check_region(region)?;
        let output = match operation {
            "CreateApplication" => self.create_application(region, input(body)?)?,
            "GetApplication" => self.get_application(region, input(body)?)?,
            "RegisterApplicationRevision" => {
                self.register(region, input(body)?)?;
                return Ok(None);
            }
            "GetApplicationRevision" => self.get_revision(region, input(body)?)?,
            "ListApplicationRevisions" => self.list_revisions(region, input(body)?)?,
            "CreateDeploymentGroup" => self.create_group(region, input(body)?)?,
            "GetDeploymentGroup" => self.get_group(region, input(body)?)?,
            "ListDeploymentGroups" => self.list_groups(region, input(body)?)?,
            "DeleteDeploymentGroup" => self.delete_group(region, input(body)?)?,
            "GetDeploymentConfig" => configs::get(input(body)?)?,
            "ListDeploymentConfigs" => configs::list(&input(body)?)?,
            "CreateDeployment" => self.create_deployment(region, input(body)?)?,
            "GetDeployment" => self.get_deployment(region, input(body)?)?,
            "BatchGetDeployments" => self.batch_get_deployments(region, input(body)?)?,
            "ListDeployments" => self.list_deployments(region, input(body)?)?,
            "StopDeployment" => self.stop_deployment(region, input(body)?)?,
            "ContinueDeployment" => {
                self.continue_deployment(region, input(body)?)?;
                return Ok(None);
            }
            "ListDeploymentTargets" => self.list_targets(region, input(body)?)?,
            "GetDeploymentTarget" => self.get_target(region, input(body)?)?,
            "BatchGetDeploymentTargets" => self.batch_get_targets(region, input(body)?)?,
            other => {
                return Err(Failure::new(
                    "UnknownOperationException",
                    format!("this endpoint does not offer {other}"),
                ));
            }
        };
        Ok(Some(output))
    }
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

/// Regions become names of directories, so only the characters of AWS regions are allowed.
fn check_region(region: &str) -> Result<(), Failure> {
    let fits = (1..=32).contains(&region.len())
        && region
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if fits {
        return Ok(());
    }
    Err(Failure::new(
        "InvalidSignatureException",
        format!("Credential should be scoped to a valid region, not '{region}'."),
    ))
}

fn input<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Failure> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Failure::new("SerializationException", error.to_string()))
}

/// The lines of a listing that follow those before `token`, and the token of the next page. A token is
/// the id of a page's last line.
/// Fails with `InvalidNextTokenException`.
fn page<'a, T>(
    all: &'a [T],
    token: Option<&str>,
    id: impl Fn(&T) -> &str,
) -> Result<(&'a [T], Option<String>), Failure> {
    let invalid = || {
        Failure::new(
            "InvalidNextTokenException",
            "The next token was specified in an invalid format",
        )
    };
    let start = match token {
        None => 0,
        Some(token) => {
            let last = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).ok();
            let last = last.ok_or_else(invalid)?;
            let position = all.iter().position(|line| id(line).as_bytes() == last);
            position.ok_or_else(invalid)? + 1
        }
    };
    let rest = all.get(start..).unwrap_or_default();
    let (page, after) = rest.split_at(rest.len().min(PAGE));
    let next = page.last().filter(|_| !after.is_empty());
    let next = next.map(|last| base64_simd::URL_SAFE_NO_PAD.encode_to_string(id(last)));
    Ok((page, next))
}

/// A page as an answer has it: its lines as the member `name`, and the token of the next page.
fn listing(name: &str, lines: &(impl Serialize + ?Sized), next: Option<String>) -> Value {
    let mut output = json!({ name: lines });
    if let Some(next) = next {
        output["nextToken"] = json!(next);
    }
    output
}

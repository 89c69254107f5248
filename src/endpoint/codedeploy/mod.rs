//! The part of CodeDeploy that a push and the AWS CLI's commands around it call: applications and
//! their revisions.
//!
//! The protocol is AWS JSON 1.1: the operation is in `X-Amz-Target`, input and output are JSON
//! objects, timestamps are seconds since 1970, errors are 400 with `__type` and `message`. Each region
//! has applications of its own; the region is the one that the request was signed for.
//!
//! Deployments are not offered, so no revision counts as deployed. Like the service, the endpoint does
//! not check that the object of a revision exists.
//!
//! The service's documentation does not say what happens to a revision that is registered again. Here
//! it keeps its place and time and takes the new description.

mod model;
mod store;

use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::model::{
    Application, ApplicationName, CreateApplication, ListRevisions, OneRevision, Registered,
    Revision, check_description, check_name,
};
use self::store::Store;
use super::ids;

/// The name before the operation in `X-Amz-Target`.
pub(super) const TARGET: &str = "CodeDeploy_20141006.";

/// The region of requests that are not signed.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

/// Lines in a page of a listing.
const PAGE: usize = 100;

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
    fn new(code: &'static str, message: String) -> Self {
        Self {
            code,
            message,
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
    store: Store,
}

impl Service {
    /// Opens the state under `dir`, which is made if it is missing.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            store: Store::open(dir)?,
        })
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
        &self,
        region: &str,
        operation: &str,
        body: &[u8],
    ) -> Result<Option<Value>, Failure> {
        check_region(region)?;
        match operation {
            "CreateApplication" => self.create_application(region, input(body)?).map(Some),
            "GetApplication" => self.get_application(region, input(body)?).map(Some),
            "RegisterApplicationRevision" => {
                self.register(region, input(body)?)?;
                Ok(None)
            }
            "GetApplicationRevision" => self.get_revision(region, input(body)?).map(Some),
            "ListApplicationRevisions" => self.list_revisions(region, input(body)?).map(Some),
            other => Err(Failure::new(
                "UnknownOperationException",
                format!("this endpoint does not offer {other}"),
            )),
        }
    }

    fn create_application(&self, region: &str, input: CreateApplication) -> Result<Value, Failure> {
        let name = check_name(input.application_name)?;
        let platform = input
            .compute_platform
            .unwrap_or_else(|| "Server".to_owned());
        if !matches!(&*platform, "Server" | "Lambda" | "ECS") {
            return Err(Failure::new(
                "InvalidComputePlatformException",
                format!("The computePlatform is invalid: {platform}"),
            ));
        }
        let application = Application {
            name,
            id: ids::unique(),
            created_ms: ids::now_ms(),
            platform,
            revisions: Vec::new(),
        };
        self.store.create(region, &application)?;
        Ok(json!({ "applicationId": application.id }))
    }

    fn get_application(&self, region: &str, input: ApplicationName) -> Result<Value, Failure> {
        let application = self
            .store
            .get(region, &check_name(input.application_name)?)?;
        Ok(json!({
            "application": {
                "applicationId": application.id,
                "applicationName": application.name,
                "createTime": seconds(application.created_ms),
                "linkedToGitHub": false,
                "computePlatform": application.platform,
            }
        }))
    }

    fn register(&self, region: &str, input: OneRevision) -> Result<(), Failure> {
        let name = check_name(input.application_name)?;
        let revision = required(input.revision)?;
        check_description(input.description.as_deref())?;
        revision.check()?;
        self.store.update(region, &name, |application| {
            let known = application
                .revisions
                .iter_mut()
                .find(|known| known.revision == revision);
            if let Some(known) = known {
                known.description = input.description;
            } else {
                application.revisions.push(Registered {
                    id: ids::unique(),
                    revision,
                    description: input.description,
                    registered_ms: ids::now_ms(),
                });
            }
        })
    }

    fn get_revision(&self, region: &str, input: OneRevision) -> Result<Value, Failure> {
        let name = check_name(input.application_name)?;
        let wanted = required(input.revision)?;
        wanted.check()?;
        let application = self.store.get(region, &name)?;
        let found = application
            .revisions
            .iter()
            .find(|known| known.revision == wanted);
        let found = found.ok_or_else(|| {
            Failure::new(
                "RevisionDoesNotExistException",
                format!(
                    "The named revision does not exist with the application {name}; give eTag and \
                     version if it was registered with them"
                ),
            )
        })?;
        Ok(json!({
            "applicationName": name,
            "revision": found.revision,
            "revisionInfo": info(found),
        }))
    }

    fn list_revisions(&self, region: &str, mut input: ListRevisions) -> Result<Value, Failure> {
        let name = check_name(input.application_name.take())?;
        for (value, allowed, code) in [
            (
                &input.sort_by,
                &["registerTime", "firstUsedTime", "lastUsedTime"][..],
                "InvalidSortByException",
            ),
            (
                &input.sort_order,
                &["ascending", "descending"],
                "InvalidSortOrderException",
            ),
            (
                &input.deployed,
                &["include", "exclude", "ignore"],
                "InvalidDeployedStateFilterException",
            ),
        ] {
            if let Some(value) = value.as_deref().filter(|value| !allowed.contains(value)) {
                let message = format!("{value} is not one of {}", allowed.join(", "));
                return Err(Failure::new(code, message));
            }
        }
        if input.s3_key_prefix.is_some() && input.s3_bucket.is_none() {
            return Err(Failure::new(
                "BucketNameFilterRequiredException",
                "A bucket name is required, but was not provided: s3KeyPrefix needs s3Bucket"
                    .to_owned(),
            ));
        }
        let application = self.store.get(region, &name)?;
        // No revision was ever deployed, so every order is the order of registration.
        let mut revisions: Vec<&Registered> = application
            .revisions
            .iter()
            .filter(|known| listed(known, &input))
            .collect();
        if input.sort_order.as_deref() == Some("descending") {
            revisions.reverse();
        }
        let start = match &input.next_token {
            None => 0,
            Some(token) => {
                let last = from_token(token)?;
                let position = revisions.iter().position(|known| known.id == last);
                position.ok_or_else(invalid_token)? + 1
            }
        };
        let page: Vec<&Registered> = revisions[start..].iter().copied().take(PAGE).collect();
        let more = start + page.len() < revisions.len();
        let next = page
            .last()
            .filter(|_| more)
            .map(|known| to_token(&known.id));
        let locations: Vec<&Revision> = page.iter().map(|known| &known.revision).collect();
        let mut output = json!({ "revisions": locations });
        if let Some(next) = next {
            output["nextToken"] = json!(next);
        }
        Ok(output)
    }
}

/// Whether a listing's filters let a revision through.
fn listed(known: &Registered, input: &ListRevisions) -> bool {
    if input.deployed.as_deref() == Some("include") {
        return false;
    }
    let Some(bucket) = &input.s3_bucket else {
        return true;
    };
    known.revision.s3_location.as_ref().is_some_and(|s3| {
        let prefix = input.s3_key_prefix.as_deref().unwrap_or_default();
        s3.bucket.as_ref() == Some(bucket)
            && s3.key.as_deref().is_some_and(|key| key.starts_with(prefix))
    })
}

fn info(known: &Registered) -> Value {
    let mut info = json!({
        "deploymentGroups": [],
        "registerTime": seconds(known.registered_ms),
    });
    if let Some(description) = &known.description {
        info["description"] = json!(description);
    }
    info
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn required<T>(revision: Option<T>) -> Result<T, Failure> {
    revision.ok_or_else(|| {
        Failure::new(
            "RevisionRequiredException",
            "The revision ID was not specified: revision is required".to_owned(),
        )
    })
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

/// A token that says where a page ended.
fn to_token(last: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(last)
}

fn from_token(token: &str) -> Result<String, Failure> {
    let text = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).ok();
    text.and_then(|text| String::from_utf8(text).ok())
        .ok_or_else(invalid_token)
}

fn invalid_token() -> Failure {
    Failure::new(
        "InvalidNextTokenException",
        "The next token was specified in an invalid format".to_owned(),
    )
}

//! The part of CodeDeploy that a push talks to: applications and their revisions.
//!
//! AWS JSON 1.1: the operation is in `X-Amz-Target`, input and output are JSON objects, timestamps
//! are seconds since 1970, errors are 400 with `__type` and `message`. Each region has applications
//! of its own; the region is the one the request was signed for.
//!
//! Deployments are not here, so no revision counts as deployed, and an object that a revision names
//! is not looked for: the service does not either.
//!
//! Where the service's behaviour is not documented we chose: a revision registered again keeps its
//! place and time, and takes the new description.

mod model;
mod store;

use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::model::{
    Application, ApplicationName, CreateApplication, ListApplications, ListRevisions,
    ManyRevisions, OneRevision, Registered, Revision, check_description, check_name,
};
use self::store::Store;
use super::ids;

/// The name before the operation in `X-Amz-Target`.
pub(crate) const TARGET: &str = "CodeDeploy_20141006.";

/// The region of requests that are not signed.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// Lines in a page of a listing.
const PAGE: usize = 100;

/// Most revisions in a BatchGetApplicationRevisions (CodeDeploy API reference).
const MAX_BATCH: usize = 25;

/// An error of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The error's name, as clients match it.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Ours (500), not the client's (400).
    pub(crate) internal: bool,
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
pub(crate) struct Service {
    store: Store,
}

impl Service {
    /// Opens the state under `dir`, which is made if it is missing.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            store: Store::open(dir)?,
        })
    }

    /// Makes the application `name` for servers if it is missing.
    ///
    /// # Errors
    ///
    /// `InvalidApplicationNameException`, `ApplicationLimitExceededException`.
    pub(crate) fn ensure(&self, region: &str, name: &str) -> Result<(), Failure> {
        check_region(region)?;
        let input = CreateApplication {
            application_name: Some(name.to_owned()),
            ..CreateApplication::default()
        };
        match self.create_application(region, input) {
            Err(failure) if failure.code != "ApplicationAlreadyExistsException" => Err(failure),
            _ => Ok(()),
        }
    }

    /// Runs `operation` and returns its output, `None` if that is empty.
    pub(crate) fn call(
        &self,
        region: &str,
        operation: &str,
        body: &[u8],
    ) -> Result<Option<Value>, Failure> {
        check_region(region)?;
        match operation {
            "CreateApplication" => self.create_application(region, input(body)?).map(Some),
            "GetApplication" => self.get_application(region, input(body)?).map(Some),
            "ListApplications" => self.list_applications(region, input(body)?).map(Some),
            "DeleteApplication" => {
                let input: ApplicationName = input(body)?;
                self.store
                    .delete(region, &check_name(input.application_name)?)?;
                Ok(None)
            }
            "RegisterApplicationRevision" => {
                self.register(region, input(body)?)?;
                Ok(None)
            }
            "GetApplicationRevision" => self.get_revision(region, input(body)?).map(Some),
            "ListApplicationRevisions" => self.list_revisions(region, input(body)?).map(Some),
            "BatchGetApplicationRevisions" => self.get_revisions(region, input(body)?).map(Some),
            other => Err(Failure::new(
                "UnknownOperationException",
                format!("{other} is not offered here: applications and their revisions are"),
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
        let tags = input.tags.into_iter();
        let application = Application {
            name,
            id: ids::uuid(),
            created_ms: ids::now_ms(),
            platform,
            tags: tags
                .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
                .collect(),
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

    fn list_applications(&self, region: &str, input: ListApplications) -> Result<Value, Failure> {
        let names = self.store.names(region)?;
        let start = match &input.next_token {
            None => 0,
            Some(token) => {
                let last = from_token('a', token)?;
                names.partition_point(|name| *name <= last)
            }
        };
        let page: Vec<&String> = names[start..].iter().take(PAGE).collect();
        let more = start + page.len() < names.len();
        let next = page.last().filter(|_| more).map(|name| to_token('a', name));
        Ok(with_token(json!({ "applications": page }), next))
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

    fn get_revisions(&self, region: &str, input: ManyRevisions) -> Result<Value, Failure> {
        let name = check_name(input.application_name)?;
        let wanted = input.revisions.filter(|revisions| !revisions.is_empty());
        let wanted = required(wanted)?;
        if wanted.len() > MAX_BATCH {
            return Err(Failure::new(
                "BatchLimitExceededException",
                format!(
                    "The maximum number of names allowed for this request was exceeded: {MAX_BATCH}"
                ),
            ));
        }
        for revision in &wanted {
            revision.check()?;
        }
        let application = self.store.get(region, &name)?;
        let known = |wanted: &Revision| {
            application
                .revisions
                .iter()
                .find(|known| known.revision == *wanted)
        };
        let found: Vec<Value> = wanted
            .iter()
            .filter_map(known)
            .map(|known| {
                json!({ "revisionLocation": known.revision, "genericRevisionInfo": info(known) })
            })
            .collect();
        let missing = wanted.len() - found.len();
        let message = match missing {
            0 => String::new(),
            _ => format!("{missing} of the revisions do not exist with the application {name}"),
        };
        Ok(json!({ "applicationName": name, "errorMessage": message, "revisions": found }))
    }

    fn list_revisions(&self, region: &str, mut input: ListRevisions) -> Result<Value, Failure> {
        let name = check_name(input.application_name.take())?;
        one_of(
            input.sort_by.as_deref(),
            &["registerTime", "firstUsedTime", "lastUsedTime"],
            "InvalidSortByException",
            "sortBy",
        )?;
        one_of(
            input.sort_order.as_deref(),
            &["ascending", "descending"],
            "InvalidSortOrderException",
            "sortOrder",
        )?;
        one_of(
            input.deployed.as_deref(),
            &["include", "exclude", "ignore"],
            "InvalidDeployedStateFilterException",
            "deployed",
        )?;
        if input.s3_key_prefix.is_some() && input.s3_bucket.is_none() {
            return Err(Failure::new(
                "BucketNameFilterRequiredException",
                "A bucket name is required, but was not provided: s3KeyPrefix needs s3Bucket"
                    .to_owned(),
            ));
        }
        let application = self.store.get(region, &name)?;
        // Nothing was ever used, so every order is the order of registration.
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
                let last = from_token('r', token)?;
                let position = revisions.iter().position(|known| known.id == last);
                position.ok_or_else(invalid_token)? + 1
            }
        };
        let page: Vec<&Registered> = revisions[start..].iter().copied().take(PAGE).collect();
        let more = start + page.len() < revisions.len();
        let next = page
            .last()
            .filter(|_| more)
            .map(|known| to_token('r', &known.id));
        let locations: Vec<&Revision> = page.iter().map(|known| &known.revision).collect();
        Ok(with_token(json!({ "revisions": locations }), next))
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
    if let (Some(description), Some(info)) = (&known.description, info.as_object_mut()) {
        info.insert("description".to_owned(), json!(description));
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

fn one_of(
    value: Option<&str>,
    allowed: &[&str],
    code: &'static str,
    member: &str,
) -> Result<(), Failure> {
    match value {
        Some(value) if !allowed.contains(&value) => Err(Failure::new(
            code,
            format!(
                "{member} must be one of {}, not {value}",
                allowed.join(", ")
            ),
        )),
        _ => Ok(()),
    }
}

/// Regions become directory names, so only their own characters may.
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

fn with_token(mut output: Value, next: Option<String>) -> Value {
    if let (Some(next), Some(output)) = (next, output.as_object_mut()) {
        output.insert("nextToken".to_owned(), json!(next));
    }
    output
}

/// A token that holds where the last page ended; `kind` keeps those of two listings apart.
fn to_token(kind: char, last: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(format!("{kind}:{last}"))
}

fn from_token(kind: char, token: &str) -> Result<String, Failure> {
    let text = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).ok();
    let text = text
        .and_then(|text| String::from_utf8(text).ok())
        .ok_or_else(invalid_token)?;
    let last = text
        .strip_prefix(kind)
        .and_then(|text| text.strip_prefix(':'));
    last.map(str::to_owned).ok_or_else(invalid_token)
}

fn invalid_token() -> Failure {
    Failure::new(
        "InvalidNextTokenException",
        "The next token was specified in an invalid format".to_owned(),
    )
}

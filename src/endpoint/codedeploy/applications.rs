//! Applications and their revisions.
//!
//! The service's documentation does not say what happens to a revision that is registered again. Here
//! it keeps its place and time and takes the new description.

use serde_json::{Value, json};

use super::super::ids;
use super::groups::Group;
use super::model::{
    Application, ApplicationName, CreateApplication, ListRevisions, OneRevision, Registered,
    Revision, check_description, check_name,
};
use super::{Failure, Service, listing, page, seconds};

impl Service {
    pub(super) fn create_application(
        &self,
        region: &str,
        input: CreateApplication,
    ) -> Result<Value, Failure> {
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
            groups: Vec::new(),
        };
        self.store.create(region, &application)?;
        Ok(json!({ "applicationId": application.id }))
    }

    pub(super) fn get_application(
        &self,
        region: &str,
        input: ApplicationName,
    ) -> Result<Value, Failure> {
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

    pub(super) fn register(&self, region: &str, input: OneRevision) -> Result<(), Failure> {
        let name = check_name(input.application_name)?;
        let revision = required(input.revision)?;
        check_description(input.description.as_deref())?;
        revision.check()?;
        self.store.update(region, &name, |application| {
            registered(application, revision).description = input.description;
            Ok(())
        })
    }

    /// Notes that a revision is deployed. One that is not registered becomes registered.
    pub(super) fn use_revision(
        &self,
        region: &str,
        name: &str,
        revision: &Revision,
    ) -> Result<(), Failure> {
        let now = ids::now_ms();
        self.store.update(region, name, |application| {
            let known = registered(application, revision.clone());
            let first = known.used_ms.map_or(now, |(first, _)| first);
            known.used_ms = Some((first, now));
            Ok(())
        })
    }

    pub(super) fn get_revision(&self, region: &str, input: OneRevision) -> Result<Value, Failure> {
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
            "revisionInfo": info(&application, found),
        }))
    }

    pub(super) fn list_revisions(
        &self,
        region: &str,
        mut input: ListRevisions,
    ) -> Result<Value, Failure> {
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
        let mut revisions: Vec<&Registered> = application
            .revisions
            .iter()
            .filter(|known| listed(&application.groups, known, &input))
            .collect();
        // Revisions that were never deployed come first, in order of registration.
        match input.sort_by.as_deref() {
            Some("firstUsedTime") => {
                revisions.sort_by_key(|known| known.used_ms.map(|used| used.0))
            }
            Some("lastUsedTime") => revisions.sort_by_key(|known| known.used_ms.map(|used| used.1)),
            _ => {}
        }
        if input.sort_order.as_deref() == Some("descending") {
            revisions.reverse();
        }
        let (page, next) = page(&revisions, input.next_token.as_deref(), |known| &known.id)?;
        let locations: Vec<&Revision> = page.iter().map(|known| &known.revision).collect();
        Ok(listing("revisions", &locations, next))
    }
}

/// Whether a listing's filters let a revision through.
fn listed(groups: &[Group], known: &Registered, input: &ListRevisions) -> bool {
    let fits = match input.deployed.as_deref() {
        Some("include") => is_target(groups, known),
        Some("exclude") => !is_target(groups, known),
        _ => true,
    };
    if !fits {
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

/// Whether a revision is the target of a group.
fn is_target(groups: &[Group], known: &Registered) -> bool {
    let mut targets = groups.iter().map(|group| &group.target_revision);
    targets.any(|target| target.as_ref() == Some(&known.revision))
}

/// The registration of a revision, which is made if it is missing.
fn registered(application: &mut Application, revision: Revision) -> &mut Registered {
    let revisions = &mut application.revisions;
    let known = revisions
        .iter()
        .position(|known| known.revision == revision);
    let at = known.unwrap_or_else(|| {
        revisions.push(Registered {
            id: ids::unique(),
            revision,
            description: None,
            registered_ms: ids::now_ms(),
            used_ms: None,
        });
        revisions.len() - 1
    });
    &mut revisions[at]
}

fn info(application: &Application, known: &Registered) -> Value {
    let groups = application.groups.iter();
    let groups = groups.filter(|group| group.target_revision.as_ref() == Some(&known.revision));
    let groups: Vec<&str> = groups.map(|group| &*group.name).collect();
    let mut info = json!({
        "deploymentGroups": groups,
        "registerTime": seconds(known.registered_ms),
    });
    if let Some(description) = &known.description {
        info["description"] = json!(description);
    }
    if let Some((first, last)) = known.used_ms {
        info["firstUsedTime"] = json!(seconds(first));
        info["lastUsedTime"] = json!(seconds(last));
    }
    info
}

pub(super) fn required<T>(revision: Option<T>) -> Result<T, Failure> {
    revision.ok_or_else(|| {
        Failure::new(
            "RevisionRequiredException",
            "The revision ID was not specified: revision is required".to_owned(),
        )
    })
}

//! CodeDeploy's messages about applications and revisions, and the rules for their members.
//!
//! Shapes: "API Reference" of AWS CodeDeploy, version 2014-10-06. Unknown members are ignored, as
//! the service does.

use serde::{Deserialize, Serialize};

use super::Failure;

/// Longest description of a revision, in characters. It is not documented; the service was observed
/// to refuse longer ones.
const MAX_DESCRIPTION: usize = 512;

/// Where a revision lies. Two revisions are equal if all members are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Revision {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revision_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) s3_location: Option<S3Location>,
}

/// An archive or AppSpec file in S3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct S3Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bucket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bundle_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) e_tag: Option<String>,
}

impl Revision {
    /// Checks that the revision is a complete location in S3, where all revisions of hoist are.
    /// Fails with `InvalidRevisionException`.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let invalid = |why: &str| {
            Err(Failure::new(
                "InvalidRevisionException",
                format!("The specified revision is not valid: {why}"),
            ))
        };
        let (Some("S3"), Some(s3)) = (self.revision_type.as_deref(), &self.s3_location) else {
            return invalid("this endpoint takes revisions of the type S3, with an s3Location");
        };
        let filled = |member: &Option<String>| member.as_ref().is_some_and(|text| !text.is_empty());
        if !filled(&s3.bucket) || !filled(&s3.key) {
            return invalid("an S3 location needs bucket and key");
        }
        let bundle = s3.bundle_type.as_deref().unwrap_or_default();
        if !matches!(bundle, "tar" | "tgz" | "zip" | "YAML" | "JSON") {
            return invalid("bundleType must be tar, tgz, zip, YAML or JSON");
        }
        Ok(())
    }
}

/// Checks the description of a revision.
/// Fails with `DescriptionTooLongException`.
pub(super) fn check_description(description: Option<&str>) -> Result<(), Failure> {
    if description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
        return Err(Failure::new(
            "DescriptionTooLongException",
            format!("The description is longer than {MAX_DESCRIPTION} characters"),
        ));
    }
    Ok(())
}

/// Checks the name of an application: 1 to 100 of `A-Z a-z 0-9 . _ + = , @ -` ("CodeDeploy
/// quotas").
/// Fails with `ApplicationNameRequiredException`, `InvalidApplicationNameException`.
pub(super) fn check_name(name: Option<String>) -> Result<String, Failure> {
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
        Failure::new(
            "ApplicationNameRequiredException",
            "Application name is required".to_owned(),
        )
    })?;
    let fits = name.len() <= 100
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._+=,@-".contains(&byte));
    if fits {
        return Ok(name);
    }
    Err(Failure::new(
        "InvalidApplicationNameException",
        format!("The application name is not valid: {name}"),
    ))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreateApplication {
    pub(super) application_name: Option<String>,
    pub(super) compute_platform: Option<String>,
}

/// The input of operations that name an application and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ApplicationName {
    pub(super) application_name: Option<String>,
}

/// The input of RegisterApplicationRevision and GetApplicationRevision.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OneRevision {
    pub(super) application_name: Option<String>,
    pub(super) revision: Option<Revision>,
    pub(super) description: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListRevisions {
    pub(super) application_name: Option<String>,
    pub(super) sort_by: Option<String>,
    pub(super) sort_order: Option<String>,
    pub(super) s3_bucket: Option<String>,
    pub(super) s3_key_prefix: Option<String>,
    pub(super) deployed: Option<String>,
    pub(super) next_token: Option<String>,
}

/// An application as it is kept on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Application {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) created_ms: u64,
    pub(super) platform: String,
    /// In order of their registration.
    pub(super) revisions: Vec<Registered>,
}

/// A registered revision as it is kept on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Registered {
    /// Not a member of the service's: marks where a page of a listing ends.
    pub(super) id: String,
    pub(super) revision: Revision,
    pub(super) description: Option<String>,
    pub(super) registered_ms: u64,
}

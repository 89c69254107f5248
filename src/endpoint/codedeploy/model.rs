//! CodeDeploy's messages about applications and revisions, and the rules for their members.
//!
//! Shapes: "API Reference" of AWS CodeDeploy, version 2014-10-06. Unknown members are ignored, as
//! the service does.

use serde::{Deserialize, Serialize};

use super::Failure;
use super::groups::Group;

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
    /// The AppSpec file of a Lambda function or an ECS service itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app_spec_content: Option<Content>,
    /// The same, as it was given before there was `appSpecContent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) string: Option<Content>,
}

/// A text in a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
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
    /// Checks that the revision is a complete location in S3, where all revisions of hoist are, or an
    /// AppSpec file in the request.
    /// Fails with `InvalidRevisionException`.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let invalid = |why: &str| {
            Err(Failure::new(
                "InvalidRevisionException",
                format!("The specified revision is not valid: {why}"),
            ))
        };
        let filled = |member: &Option<String>| member.as_ref().is_some_and(|text| !text.is_empty());
        let kind = self.revision_type.as_deref();
        let s3 = match (kind, &self.s3_location) {
            (Some("S3"), Some(s3)) => s3,
            (Some("AppSpecContent" | "String"), None) => {
                let filled = self.content().is_some_and(|text| !text.is_empty());
                return match filled {
                    true => Ok(()),
                    false => invalid("there is no content"),
                };
            }
            _ => {
                return invalid(
                    "this endpoint takes revisions of the types S3, with an s3Location, \
                     AppSpecContent and String",
                );
            }
        };
        if !filled(&s3.bucket) || !filled(&s3.key) {
            return invalid("an S3 location needs bucket and key");
        }
        let bundle = s3.bundle_type.as_deref().unwrap_or_default();
        if !matches!(bundle, "tar" | "tgz" | "zip" | "YAML" | "JSON") {
            return invalid("bundleType must be tar, tgz, zip, YAML or JSON");
        }
        Ok(())
    }

    /// The AppSpec file in the request.
    pub(super) fn content(&self) -> Option<&str> {
        let content = self.app_spec_content.as_ref().or(self.string.as_ref());
        content?.content.as_deref()
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

/// The input of operations that name an application and at most a page.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ApplicationName {
    pub(super) application_name: Option<String>,
    pub(super) next_token: Option<String>,
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
    /// In the order in which they were made.
    #[serde(default)]
    pub(super) groups: Vec<Group>,
}

/// A registered revision as it is kept on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Registered {
    /// Not a member of the service's: marks where a page of a listing ends.
    pub(super) id: String,
    pub(super) revision: Revision,
    pub(super) description: Option<String>,
    pub(super) registered_ms: u64,
    /// When it was deployed first and last.
    #[serde(default)]
    pub(super) used_ms: Option<(u64, u64)>,
}

//! The actions of IAM that operations need, so that a test can run a push with the permissions of a
//! policy.
//!
//! Source: "Actions, resources, and condition keys for Amazon S3" and "for AWS CodeDeploy" (service
//! authorization reference), "Required permissions for Amazon S3 API operations" (S3 user guide).
//! Permissions for keys of KMS are not checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hyper::header::HeaderMap;
use serde::Deserialize;

use super::super::operation::{Call, Operation};
use super::super::region;
use super::super::server::OWNER;

macro_rules! actions {
    ($($service:literal => $($name:ident)*;)*) => {
        /// An action that a policy allows or denies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[doc = concat!("`", $service, ":", stringify!($name), "`.")] $name,)*)*
        }

        impl Action {
            /// All actions that the endpoint's operations need.
            pub const ALL: &[Self] = &[$($(Self::$name),*),*];

            /// As a policy writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$name => concat!($service, ":", stringify!($name)),)*)*
                }
            }
        }
    };
}

actions! {
    "s3" => AbortMultipartUpload CreateBucket DeleteBucket DeleteObject GetObject GetObjectVersion
        ListAllMyBuckets ListBucket ListBucketMultipartUploads ListMultipartUploadParts
        PutBucketVersioning PutObject PutObjectAcl PutObjectTagging;
    "codedeploy" => BatchGetDeploymentTargets BatchGetDeployments ContinueDeployment
        CreateApplication CreateDeployment CreateDeploymentGroup DeleteDeploymentGroup
        GetApplication GetApplicationRevision GetDeployment GetDeploymentConfig
        GetDeploymentGroup GetDeploymentTarget ListApplicationRevisions ListDeploymentConfigs
        ListDeploymentGroups ListDeploymentTargets ListDeployments RegisterApplicationRevision
        StopDeployment;
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The actions that are allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowed {
    everywhere: BTreeSet<Action>,
    /// In a bucket, or to CodeDeploy in a region.
    there: BTreeMap<String, BTreeSet<Action>>,
}

/// What a call needs and may not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied {
    /// `None` if the endpoint does not offer the operation.
    pub(super) action: Option<Action>,
    /// It is needed on the source of a copy.
    pub(super) of_source: bool,
}

impl Allowed {
    pub(super) fn everywhere(actions: impl IntoIterator<Item = Action>) -> Self {
        Self {
            everywhere: actions.into_iter().collect(),
            there: BTreeMap::new(),
        }
    }

    /// Allows more, in one bucket, or to CodeDeploy in one region.
    pub(super) fn add(&mut self, place: &str, actions: impl IntoIterator<Item = Action>) {
        let there = self.there.entry(place.to_owned()).or_default();
        there.extend(actions);
    }

    /// Whether an action is allowed in a bucket or a region.
    pub(super) fn allows(&self, action: Action, place: &str) -> bool {
        let there = self.there.get(place);
        self.everywhere.contains(&action) || there.is_some_and(|there| there.contains(&action))
    }

    /// The first action that `call` needs and that is not allowed, or `None` if all are allowed.
    pub(super) fn denied(&self, call: &Call, headers: &HeaderMap) -> Option<Denied> {
        let region = call.region.as_deref().unwrap_or(region::DEFAULT);
        let place = if call.codedeploy {
            region
        } else {
            call.bucket.as_deref().unwrap_or_default()
        };
        let Some(needed) = needed(call, headers) else {
            let all = Action::ALL.iter();
            return (!all.copied().all(|action| self.allows(action, place))).then_some(Denied {
                action: None,
                of_source: false,
            });
        };
        let missing = |action: &Action| !self.allows(*action, place);
        let of_object = needed
            .into_iter()
            .find(missing)
            .map(|action| (action, false));
        let of_source = || {
            let source = call.source.as_ref().filter(|_| is_copy(call.operation))?;
            let action = read(source.versioned);
            (!self.allows(action, &source.bucket)).then_some((action, true))
        };
        let (action, of_source) = of_object.or_else(of_source)?;
        Some(Denied {
            action: Some(action),
            of_source,
        })
    }
}

fn is_copy(operation: Operation) -> bool {
    matches!(operation, Operation::CopyObject | Operation::UploadPartCopy)
}

/// The action of reading an object, or one version of it.
fn read(versioned: bool) -> Action {
    if versioned {
        Action::GetObjectVersion
    } else {
        Action::GetObject
    }
}

fn needed(call: &Call, headers: &HeaderMap) -> Option<Vec<Action>> {
    use Operation as O;

    let mut needed = vec![match call.operation {
        O::PutObject
        | O::CreateMultipartUpload
        | O::UploadPart
        | O::CompleteMultipartUpload
        | O::CopyObject
        | O::UploadPartCopy => Action::PutObject,
        O::AbortMultipartUpload => Action::AbortMultipartUpload,
        O::ListParts => Action::ListMultipartUploadParts,
        O::ListMultipartUploads => Action::ListBucketMultipartUploads,
        O::GetObject | O::HeadObject => read(call.versioned),
        O::DeleteObject | O::DeleteObjects => Action::DeleteObject,
        O::HeadBucket | O::ListObjectsV2 => Action::ListBucket,
        O::ListBuckets => Action::ListAllMyBuckets,
        O::CreateBucket => Action::CreateBucket,
        O::DeleteBucket => Action::DeleteBucket,
        O::PutBucketVersioning => Action::PutBucketVersioning,
        O::CreateApplication => Action::CreateApplication,
        O::GetApplication => Action::GetApplication,
        O::GetApplicationRevision => Action::GetApplicationRevision,
        O::ListApplicationRevisions => Action::ListApplicationRevisions,
        O::RegisterApplicationRevision => Action::RegisterApplicationRevision,
        O::BatchGetDeploymentTargets => Action::BatchGetDeploymentTargets,
        O::BatchGetDeployments => Action::BatchGetDeployments,
        O::ContinueDeployment => Action::ContinueDeployment,
        O::CreateDeployment => Action::CreateDeployment,
        O::CreateDeploymentGroup => Action::CreateDeploymentGroup,
        O::DeleteDeploymentGroup => Action::DeleteDeploymentGroup,
        O::GetDeployment => Action::GetDeployment,
        O::GetDeploymentConfig => Action::GetDeploymentConfig,
        O::GetDeploymentGroup => Action::GetDeploymentGroup,
        O::GetDeploymentTarget => Action::GetDeploymentTarget,
        O::ListDeploymentConfigs => Action::ListDeploymentConfigs,
        O::ListDeploymentGroups => Action::ListDeploymentGroups,
        O::ListDeploymentTargets => Action::ListDeploymentTargets,
        O::ListDeployments => Action::ListDeployments,
        O::StopDeployment => Action::StopDeployment,
        O::Other => return None,
    }];
    if needed == [Action::CreateDeployment] {
        // The service reads the configuration in the caller's name.
        needed.push(Action::GetDeploymentConfig);
    }
    if needed == [Action::PutObject] {
        // Actions for what the object gets besides its bytes, and for a condition on the one before.
        for (header, action) in [
            ("x-amz-tagging", Action::PutObjectTagging),
            ("x-amz-acl", Action::PutObjectAcl),
            ("if-match", Action::GetObject),
        ] {
            if headers.contains_key(header) {
                needed.push(action);
            }
        }
    }
    Some(needed)
}

/// What a request to CodeDeploy names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Named {
    application_name: String,
    deployment_group_name: String,
    deployment_config_name: String,
}

impl Default for Named {
    fn default() -> Self {
        let [
            application_name,
            deployment_group_name,
            deployment_config_name,
        ] = [(); 3].map(|()| "*".to_owned());
        Self {
            application_name,
            deployment_group_name,
            deployment_config_name,
        }
    }
}

impl Named {
    /// The resource of an action, after the account. Some actions have none.
    fn resource(&self, action: Option<Action>) -> Option<String> {
        use Action as A;

        Some(match action? {
            A::BatchGetDeploymentTargets
            | A::ContinueDeployment
            | A::GetDeploymentTarget
            | A::ListDeploymentConfigs
            | A::ListDeploymentTargets
            | A::StopDeployment => return None,
            A::GetDeploymentConfig => format!("deploymentconfig:{}", self.deployment_config_name),
            A::BatchGetDeployments
            | A::CreateDeployment
            | A::CreateDeploymentGroup
            | A::DeleteDeploymentGroup
            | A::GetDeployment
            | A::GetDeploymentGroup
            | A::ListDeployments => format!(
                "deploymentgroup:{}/{}",
                self.application_name, self.deployment_group_name
            ),
            _ => format!("application:{}", self.application_name),
        })
    }
}

/// IAM's message about a call, and about what it names if it is one to CodeDeploy.
pub(super) fn refusal(call: &Call, denied: &Denied, named: &Named) -> String {
    let action = denied.action.map_or(
        "an action of an operation that this endpoint does not offer",
        Action::name,
    );
    let region = call.region.as_deref().unwrap_or(region::DEFAULT);
    let source = call.source.as_ref().filter(|_| denied.of_source);
    let (bucket, key) = match source {
        Some(source) => (Some(&source.bucket), Some(&source.key)),
        None => (call.bucket.as_ref(), call.key.as_ref()),
    };
    // The permission to list is the bucket's.
    let key = key.filter(|_| denied.action != Some(Action::ListBucket));
    let resource = match (bucket, key) {
        _ if call.codedeploy => match named.resource(denied.action) {
            Some(resource) => format!("arn:aws:codedeploy:{region}:{OWNER}:{resource}"),
            None => "*".to_owned(),
        },
        (Some(bucket), Some(key)) => format!("\"arn:aws:s3:::{bucket}/{key}\""),
        (Some(bucket), None) => format!("\"arn:aws:s3:::{bucket}\""),
        (None, _) => "\"arn:aws:s3:::*\"".to_owned(),
    };
    format!(
        "User: arn:aws:iam::{OWNER}:user/test is not authorized to perform: {action} on resource: \
         {resource} because no identity-based policy allows the {action} action"
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::operation::Source;
    use super::*;

    fn call(operation: Operation) -> Call {
        Call {
            operation,
            codedeploy: false,
            bucket: Some("b".into()),
            key: Some("k".into()),
            versioned: false,
            region: None,
            source: None,
        }
    }

    fn missing(allowed: &Allowed, call: &Call, headers: &HeaderMap) -> Option<Option<Action>> {
        let denied = allowed.denied(call, headers);
        denied.map(|denied| denied.action)
    }

    #[test]
    fn every_operation_needs_an_action() {
        let nothing = Allowed::default();
        let everything = Allowed::everywhere(Action::ALL.iter().copied());
        let no_headers = HeaderMap::new();
        for operation in Operation::ALL {
            let call = call(*operation);
            let needs = missing(&nothing, &call, &no_headers).unwrap().unwrap();
            assert_eq!(missing(&everything, &call, &no_headers), None);
            assert!(needs.name().contains(':'), "{needs}");
        }
        let other = call(Operation::Other);
        assert_eq!(missing(&nothing, &other, &no_headers), Some(None));
        assert_eq!(missing(&everything, &other, &no_headers), None);
    }

    #[test]
    fn a_refusal_of_codedeploy_names_the_resource_that_a_policy_would() {
        let of = |operation, input: &str| {
            let mut call = call(operation);
            (call.codedeploy, call.region) = (true, Some("eu-west-1".into()));
            let allowed = Allowed::everywhere([Action::CreateDeployment]);
            let denied = allowed.denied(&call, &HeaderMap::new()).unwrap();
            let named = serde_json::from_str(input).unwrap();
            let message = refusal(&call, &denied, &named);
            let (_, rest) = message.split_once(" on resource: ").unwrap();
            rest.split_once(' ').unwrap().0.to_owned()
        };
        let input = r#"{"applicationName":"App","deploymentGroupName":"G"}"#;
        let arn = |end: &str| format!("arn:aws:codedeploy:eu-west-1:{OWNER}:{end}");
        for (operation, expected) in [
            (Operation::GetApplication, arn("application:App")),
            (Operation::GetDeploymentGroup, arn("deploymentgroup:App/G")),
            (Operation::CreateDeployment, arn("deploymentconfig:*")),
            (Operation::StopDeployment, "*".to_owned()),
        ] {
            assert_eq!(of(operation, input), expected, "{operation}");
        }
        let unnamed = of(Operation::GetDeployment, "{}");
        assert_eq!(unnamed, arn("deploymentgroup:*/*"));
    }

    #[test]
    fn tags_acls_conditions_and_versions_need_actions_of_their_own() {
        let put = Allowed::everywhere([Action::PutObject]);
        let with = |header: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header, hyper::header::HeaderValue::from_static("x"));
            missing(&put, &call(Operation::PutObject), &headers)
        };
        assert_eq!(with("x-amz-meta-a"), None);
        assert_eq!(with("x-amz-tagging"), Some(Some(Action::PutObjectTagging)));
        assert_eq!(with("x-amz-acl"), Some(Some(Action::PutObjectAcl)));
        assert_eq!(with("if-match"), Some(Some(Action::GetObject)));
        let versioned = Call {
            versioned: true,
            ..call(Operation::HeadObject)
        };
        let get = Allowed::everywhere([Action::GetObject]);
        let needs = missing(&get, &versioned, &HeaderMap::new());
        assert_eq!(needs, Some(Some(Action::GetObjectVersion)));
    }

    #[test]
    fn a_copy_needs_to_read_its_source_where_that_is() {
        let mut copy = call(Operation::UploadPartCopy);
        let source = |versioned| {
            let (bucket, key) = ("from".to_owned(), "a".to_owned());
            Some(Source {
                bucket,
                key,
                versioned,
            })
        };
        copy.source = source(false);
        let mut allowed = Allowed::default();
        allowed.add("b", [Action::PutObject, Action::GetObject]);
        let denied = allowed.denied(&copy, &HeaderMap::new()).unwrap();
        assert_eq!(
            (denied.action, denied.of_source),
            (Some(Action::GetObject), true)
        );
        let message = refusal(&copy, &denied, &Named::default());
        assert!(message.contains("\"arn:aws:s3:::from/a\""), "{message}");
        allowed.add("from", [Action::GetObject]);
        assert_eq!(allowed.denied(&copy, &HeaderMap::new()), None);
        copy.source = source(true);
        let needs = missing(&allowed, &copy, &HeaderMap::new());
        assert_eq!(needs, Some(Some(Action::GetObjectVersion)));
    }
}

//! The actions of IAM that operations need, so that a test can run a push with the permissions of a
//! policy.
//!
//! Source: "Actions, resources, and condition keys for Amazon S3" and "for AWS CodeDeploy" (service
//! authorization reference), "Required permissions for Amazon S3 API operations" (S3 user guide).
//! Permissions for keys of KMS are not checked.

use std::collections::BTreeSet;
use std::fmt;

use hyper::header::HeaderMap;

use super::super::operation::{Call, Operation};
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
        StopDeployment UpdateDeploymentGroup;
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The first action that `call` needs and that is not allowed, or `None` if all are allowed.
///
/// # Errors
///
/// The operation is one that the endpoint does not offer, and not everything is allowed.
pub(super) fn denied(
    allowed: &BTreeSet<Action>,
    call: &Call,
    headers: &HeaderMap,
) -> Result<Option<Action>, ()> {
    match needed(call, headers) {
        Some(needed) => Ok(needed.into_iter().find(|action| !allowed.contains(action))),
        None if Action::ALL.iter().all(|action| allowed.contains(action)) => Ok(None),
        None => Err(()),
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
        O::GetObject | O::HeadObject if call.versioned => Action::GetObjectVersion,
        O::GetObject | O::HeadObject => Action::GetObject,
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
    if needed == [Action::PutObject] {
        // Actions for what the object gets besides its bytes, and for what is read to write it.
        for (header, action) in [
            ("x-amz-tagging", Action::PutObjectTagging),
            ("x-amz-acl", Action::PutObjectAcl),
            ("x-amz-copy-source", Action::GetObject),
            ("if-match", Action::GetObject),
        ] {
            if headers.contains_key(header) {
                needed.push(action);
            }
        }
    }
    Some(needed)
}

/// IAM's message. `application` is the one that a request to CodeDeploy names.
pub(super) fn refusal(call: &Call, action: &str, region: &str, application: &str) -> String {
    let resource = match (&call.bucket, &call.key) {
        _ if call.codedeploy => {
            format!("arn:aws:codedeploy:{region}:{OWNER}:application:{application}")
        }
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
    use super::*;

    fn call(operation: Operation) -> Call {
        Call {
            operation,
            codedeploy: false,
            bucket: Some("b".into()),
            key: Some("k".into()),
            versioned: false,
        }
    }

    #[test]
    fn every_operation_needs_an_action() {
        let nothing = BTreeSet::new();
        let everything: BTreeSet<Action> = Action::ALL.iter().copied().collect();
        for operation in Operation::ALL {
            let call = call(*operation);
            let needs = denied(&nothing, &call, &HeaderMap::new()).unwrap().unwrap();
            assert_eq!(denied(&everything, &call, &HeaderMap::new()), Ok(None));
            assert!(needs.name().contains(':'), "{needs}");
        }
        let other = call(Operation::Other);
        assert_eq!(denied(&nothing, &other, &HeaderMap::new()), Err(()));
        assert_eq!(denied(&everything, &other, &HeaderMap::new()), Ok(None));
    }

    #[test]
    fn tags_acls_copies_and_versions_need_actions_of_their_own() {
        let put = BTreeSet::from([Action::PutObject]);
        let with = |header: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header, hyper::header::HeaderValue::from_static("x"));
            denied(&put, &call(Operation::PutObject), &headers).unwrap()
        };
        assert_eq!(with("x-amz-meta-a"), None);
        assert_eq!(with("x-amz-tagging"), Some(Action::PutObjectTagging));
        assert_eq!(with("x-amz-acl"), Some(Action::PutObjectAcl));
        assert_eq!(with("x-amz-copy-source"), Some(Action::GetObject));
        let versioned = Call {
            versioned: true,
            ..call(Operation::HeadObject)
        };
        let get = BTreeSet::from([Action::GetObject]);
        let needs = denied(&get, &versioned, &HeaderMap::new());
        assert_eq!(needs, Ok(Some(Action::GetObjectVersion)));
    }
}

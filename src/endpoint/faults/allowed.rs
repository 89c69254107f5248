//! What a client may do, by the names that IAM has for it.
//!
//! Source: "Actions, resources, and condition keys for Amazon S3" and "for AWS CodeDeploy" (service
//! authorization reference), "Required permissions for Amazon S3 API operations" (S3 user guide). Keys
//! of KMS are not asked for.

use std::collections::BTreeSet;
use std::fmt;

use hyper::header::HeaderMap;

use super::super::server::OWNER;
use super::operation::{Asked, Operation};

macro_rules! actions {
    ($($service:literal => $($name:ident)*;)*) => {
        /// What a policy allows or does not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[doc = concat!("`", $service, ":", stringify!($name), "`.")] $name,)*)*
        }

        impl Action {
            /// All that the endpoint's operations need.
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
    "s3" => AbortMultipartUpload CreateBucket DeleteBucket DeleteObject DeleteObjectVersion
        GetBucketLocation GetBucketVersioning GetObject GetObjectVersion ListAllMyBuckets ListBucket
        ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts PutBucketVersioning
        PutObject PutObjectAcl PutObjectTagging;
    "codedeploy" => BatchGetApplicationRevisions CreateApplication DeleteApplication GetApplication
        GetApplicationRevision ListApplicationRevisions ListApplications
        RegisterApplicationRevision;
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The first action that `asked` needs and that is not allowed. None: it may be done.
///
/// # Errors
///
/// An operation that no action is known for, unless everything is allowed.
pub(super) fn denied(
    allowed: &BTreeSet<Action>,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Option<Action>, ()> {
    match needed(asked, headers) {
        Some(needed) => Ok(needed.into_iter().find(|action| !allowed.contains(action))),
        None if Action::ALL.iter().all(|action| allowed.contains(action)) => Ok(None),
        None => Err(()),
    }
}

fn needed(asked: &Asked, headers: &HeaderMap) -> Option<Vec<Action>> {
    use Operation as O;

    let or_version = |plain, of_version| if asked.versioned { of_version } else { plain };
    let mut needed = vec![match asked.operation {
        O::PutObject
        | O::CreateMultipartUpload
        | O::UploadPart
        | O::CompleteMultipartUpload
        | O::CopyObject
        | O::UploadPartCopy => Action::PutObject,
        O::AbortMultipartUpload => Action::AbortMultipartUpload,
        O::ListParts => Action::ListMultipartUploadParts,
        O::ListMultipartUploads => Action::ListBucketMultipartUploads,
        O::GetObject | O::HeadObject => or_version(Action::GetObject, Action::GetObjectVersion),
        O::DeleteObject => or_version(Action::DeleteObject, Action::DeleteObjectVersion),
        O::DeleteObjects => Action::DeleteObject,
        O::HeadBucket | O::ListObjects | O::ListObjectsV2 => Action::ListBucket,
        O::ListObjectVersions => Action::ListBucketVersions,
        O::ListBuckets => Action::ListAllMyBuckets,
        O::CreateBucket => Action::CreateBucket,
        O::DeleteBucket => Action::DeleteBucket,
        O::GetBucketLocation => Action::GetBucketLocation,
        O::GetBucketVersioning => Action::GetBucketVersioning,
        O::PutBucketVersioning => Action::PutBucketVersioning,
        O::BatchGetApplicationRevisions => Action::BatchGetApplicationRevisions,
        O::CreateApplication => Action::CreateApplication,
        O::DeleteApplication => Action::DeleteApplication,
        O::GetApplication => Action::GetApplication,
        O::GetApplicationRevision => Action::GetApplicationRevision,
        O::ListApplicationRevisions => Action::ListApplicationRevisions,
        O::ListApplications => Action::ListApplications,
        O::RegisterApplicationRevision => Action::RegisterApplicationRevision,
        O::Other => return None,
    }];
    if needed == [Action::PutObject] {
        // What the object gets besides its bytes, and what is read to write it.
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

/// What IAM says. `application` is that of a request to CodeDeploy.
pub(super) fn refusal(asked: &Asked, action: &str, region: &str, application: &str) -> String {
    let resource = match (&asked.bucket, &asked.key) {
        _ if asked.codedeploy => {
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

    fn asked(operation: Operation) -> Asked {
        Asked {
            operation,
            codedeploy: false,
            bucket: Some("b".into()),
            key: Some("k".into()),
            versioned: false,
        }
    }

    #[test]
    fn every_operation_has_its_action() {
        let nothing = BTreeSet::new();
        let everything: BTreeSet<Action> = Action::ALL.iter().copied().collect();
        for operation in Operation::ALL {
            let asked = asked(*operation);
            let needs = denied(&nothing, &asked, &HeaderMap::new())
                .unwrap()
                .unwrap();
            assert_eq!(denied(&everything, &asked, &HeaderMap::new()), Ok(None));
            assert!(needs.name().contains(':'), "{needs}");
        }
        let other = asked(Operation::Other);
        assert_eq!(denied(&nothing, &other, &HeaderMap::new()), Err(()));
        assert_eq!(denied(&everything, &other, &HeaderMap::new()), Ok(None));
    }

    #[test]
    fn what_comes_along_needs_actions_of_its_own() {
        let put = BTreeSet::from([Action::PutObject]);
        let with = |header: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header, hyper::header::HeaderValue::from_static("x"));
            denied(&put, &asked(Operation::PutObject), &headers).unwrap()
        };
        assert_eq!(with("x-amz-meta-a"), None);
        assert_eq!(with("x-amz-tagging"), Some(Action::PutObjectTagging));
        assert_eq!(with("x-amz-acl"), Some(Action::PutObjectAcl));
        assert_eq!(with("x-amz-copy-source"), Some(Action::GetObject));
        let versioned = Asked {
            versioned: true,
            ..asked(Operation::HeadObject)
        };
        let get = BTreeSet::from([Action::GetObject]);
        let needs = denied(&get, &versioned, &HeaderMap::new());
        assert_eq!(needs, Ok(Some(Action::GetObjectVersion)));
    }
}

//! Which operation a request asks for, told from its head alone: faults and statistics need it before
//! the body is read.

use std::fmt;

use hyper::Method;
use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;

use super::{codedeploy, keys, region};

macro_rules! operations {
    ($($name:ident)*) => {
        /// An operation, as the API of S3 or CodeDeploy names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($name), "`.")] $name,)*
            /// An operation that the endpoint does not offer.
            Other,
        }

        impl Operation {
            /// All operations that the endpoint offers.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Other => "Other",
                }
            }
        }
    };
}

operations! {
    AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload
    DeleteBucket DeleteObject DeleteObjects GetObject HeadBucket HeadObject ListBuckets
    ListMultipartUploads ListObjectsV2 ListParts PutBucketVersioning PutObject UploadPart
    UploadPartCopy
    CreateApplication GetApplication GetApplicationRevision ListApplicationRevisions
    RegisterApplicationRevision
    CreateDeploymentGroup DeleteDeploymentGroup GetDeploymentGroup ListDeploymentGroups
    GetDeploymentConfig ListDeploymentConfigs
    BatchGetDeployments ContinueDeployment CreateDeployment GetDeployment ListDeployments StopDeployment
    BatchGetDeploymentTargets GetDeploymentTarget ListDeploymentTargets
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the head of a request says about its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) operation: Operation,
    /// The request is for CodeDeploy, not for S3.
    pub(super) codedeploy: bool,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    /// One version of the object is named.
    pub(super) versioned: bool,
    /// The region that the request is signed for.
    pub(super) region: Option<String>,
    /// What is copied.
    pub(super) source: Option<Source>,
}

/// The source of a copy, as `x-amz-copy-source` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) versioned: bool,
}

impl Source {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let named = headers.get(COPY_SOURCE)?.to_str().ok()?;
        let (path, versioned) = match named.split_once("?versionId=") {
            Some((path, _)) => (path, true),
            None => (named, false),
        };
        let path = keys::unescape(path)?;
        let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/')?;
        Some(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            versioned,
        })
    }
}

/// The header of a copy that names its source.
const COPY_SOURCE: &str = "x-amz-copy-source";

impl Call {
    pub(super) fn of(head: &Parts) -> Self {
        if let Some(target) = head.headers.get("x-amz-target") {
            return Self {
                operation: codedeploy_operation(target.to_str().unwrap_or_default()),
                codedeploy: true,
                bucket: None,
                key: None,
                versioned: false,
                region: region::signed(head),
                source: None,
            };
        }
        let (bucket, key) = place(head.uri.path(), &head.headers);
        let query = head.uri.query().unwrap_or_default();
        let names: Vec<&str> = query
            .split('&')
            .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
            .collect();
        let has = |name: &str| names.contains(&name);
        let copies = head.headers.contains_key(COPY_SOURCE);
        let operation = match (&bucket, &key) {
            (None, _) => of_service(&head.method),
            (Some(_), None) => of_bucket(&head.method, has),
            (Some(_), Some(_)) => of_object(&head.method, has, copies),
        };
        Self {
            operation,
            codedeploy: false,
            versioned: has("versionId"),
            bucket,
            key,
            region: region::signed(head),
            source: Source::of(&head.headers),
        }
    }

    /// `BUCKET/KEY` or `BUCKET`; empty for CodeDeploy.
    pub(super) fn place(&self) -> String {
        let of = |part: &Option<String>| part.clone().unwrap_or_default();
        match &self.key {
            Some(key) => format!("{}/{key}", of(&self.bucket)),
            None => of(&self.bucket),
        }
    }
}

fn codedeploy_operation(target: &str) -> Operation {
    let name = target.strip_prefix(codedeploy::TARGET).unwrap_or_default();
    let mut all = Operation::ALL.iter().copied();
    // No operation has one name in S3 and in CodeDeploy.
    all.find(|operation| operation.name() == name)
        .unwrap_or(Operation::Other)
}

/// Bucket and key. The bucket may be in the name of the host.
fn place(path: &str, headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let text = |text: &str| {
        let text = keys::unescape(text).unwrap_or_else(|| text.to_owned());
        (!text.is_empty()).then_some(text)
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    match host.strip_suffix(".localhost") {
        Some(bucket) => (text(bucket), text(path)),
        None => {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (text(bucket), text(key))
        }
    }
}

fn of_service(method: &Method) -> Operation {
    match *method {
        Method::GET => Operation::ListBuckets,
        _ => Operation::Other,
    }
}

/// Sub-resources of buckets and objects that the endpoint does not offer.
const NOT_OFFERED: [&str; 14] = [
    "acl",
    "attributes",
    "cors",
    "encryption",
    "legal-hold",
    "lifecycle",
    "location",
    "object-lock",
    "policy",
    "restore",
    "retention",
    "select",
    "tagging",
    "versions",
];

fn of_bucket(method: &Method, has: impl Fn(&str) -> bool) -> Operation {
    if NOT_OFFERED.into_iter().any(&has) {
        return Operation::Other;
    }
    match *method {
        Method::HEAD => Operation::HeadBucket,
        Method::PUT if has("versioning") => Operation::PutBucketVersioning,
        Method::PUT => Operation::CreateBucket,
        Method::DELETE => Operation::DeleteBucket,
        Method::POST if has("delete") => Operation::DeleteObjects,
        Method::GET if has("uploads") => Operation::ListMultipartUploads,
        Method::GET if has("list-type") => Operation::ListObjectsV2,
        _ => Operation::Other,
    }
}

fn of_object(method: &Method, has: impl Fn(&str) -> bool, copies: bool) -> Operation {
    if NOT_OFFERED.into_iter().any(&has) {
        return Operation::Other;
    }
    match *method {
        Method::HEAD => Operation::HeadObject,
        Method::PUT if has("partNumber") && copies => Operation::UploadPartCopy,
        Method::PUT if has("partNumber") => Operation::UploadPart,
        Method::PUT if copies => Operation::CopyObject,
        Method::PUT => Operation::PutObject,
        Method::POST if has("uploads") => Operation::CreateMultipartUpload,
        Method::POST if has("uploadId") => Operation::CompleteMultipartUpload,
        Method::DELETE if has("uploadId") => Operation::AbortMultipartUpload,
        Method::DELETE => Operation::DeleteObject,
        Method::GET if has("uploadId") => Operation::ListParts,
        Method::GET => Operation::GetObject,
        _ => Operation::Other,
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn method_address_and_headers_tell_the_operation() {
        use Operation::*;
        for (method, target, headers, expected) in [
            ("GET", "/", "", ListBuckets),
            ("HEAD", "/b", "", HeadBucket),
            ("HEAD", "/b/", "", HeadBucket),
            ("PUT", "/b", "", CreateBucket),
            ("PUT", "/b?versioning", "", PutBucketVersioning),
            ("GET", "/b?versioning", "", Other),
            ("GET", "/b?location", "", Other),
            ("GET", "/b?uploads&prefix=p", "", ListMultipartUploads),
            ("GET", "/b?versions", "", Other),
            ("GET", "/b?list-type=2", "", ListObjectsV2),
            ("GET", "/b", "", Other),
            ("POST", "/b?delete", "", DeleteObjects),
            ("DELETE", "/b", "", DeleteBucket),
            ("GET", "/b?acl", "", Other),
            ("PUT", "/b/k?x-id=PutObject", "", PutObject),
            ("PUT", "/b/k", "x-amz-copy-source", CopyObject),
            ("PUT", "/b/k?tagging", "", Other),
            ("PUT", "/b/k?partNumber=1&uploadId=u", "", UploadPart),
            (
                "PUT",
                "/b/k?partNumber=1&uploadId=u",
                "x-amz-copy-source",
                UploadPartCopy,
            ),
            ("POST", "/b/k?uploads", "", CreateMultipartUpload),
            ("POST", "/b/k?uploadId=u", "", CompleteMultipartUpload),
            ("DELETE", "/b/k?uploadId=u", "", AbortMultipartUpload),
            ("DELETE", "/b/k?versionId=v", "", DeleteObject),
            ("GET", "/b/k?uploadId=u", "", ListParts),
            ("GET", "/b/k?x-id=GetObject", "", GetObject),
            ("HEAD", "/b/a/k", "", HeadObject),
            ("PATCH", "/b/k", "", Other),
        ] {
            let mut request = Request::builder().method(method).uri(target);
            if !headers.is_empty() {
                request = request.header(headers, "b/other");
            }
            let call = Call::of(&request.body(()).unwrap().into_parts().0);
            assert_eq!(call.operation, expected, "{method} {target}");
            assert!(!call.codedeploy);
        }
    }

    #[test]
    fn the_source_of_a_copy_has_a_bucket_a_key_and_perhaps_a_version() {
        let of = |source: &str| {
            let request = Request::put("/b/k").header(COPY_SOURCE, source);
            Call::of(&request.body(()).unwrap().into_parts().0).source
        };
        let source = |key: &str, versioned| {
            let (bucket, key) = ("from".to_owned(), key.to_owned());
            Some(Source {
                bucket,
                key,
                versioned,
            })
        };
        assert_eq!(of("/from/a/b"), source("a/b", false));
        assert_eq!(
            of("from/a%20b%3FversionId=1"),
            source("a b?versionId=1", false)
        );
        assert_eq!(of("from/a?versionId=1"), source("a", true));
        assert_eq!(of("from"), None);
    }

    #[test]
    fn the_target_header_tells_the_operation_of_codedeploy() {
        let of = |target: &str| {
            let request = Request::post("/").header("X-Amz-Target", target);
            Call::of(&request.body(()).unwrap().into_parts().0)
        };
        let call = of("CodeDeploy_20141006.RegisterApplicationRevision");
        assert_eq!(call.operation, Operation::RegisterApplicationRevision);
        assert!(call.codedeploy);
        for other in [
            "",
            "CodeDeploy_20141006.ListTagsForResource",
            "GetApplication",
        ] {
            assert_eq!(of(other).operation, Operation::Other, "{other}");
        }
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_name_of_the_host() {
        let of = |host: &str, path: &str| {
            let request = Request::get(path).header("Host", host);
            let call = Call::of(&request.body(()).unwrap().into_parts().0);
            call.place()
        };
        assert_eq!(of("127.0.0.1:9", "/b/a%20b/c"), "b/a b/c");
        assert_eq!(of("b.localhost:9", "/a/c"), "b/a/c");
        assert_eq!(of("localhost:9", "/b"), "b");
        assert_eq!(of("localhost:9", "/"), "");
    }
}

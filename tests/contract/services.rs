//! Rows about S3 and CodeDeploy: keys, versions, refusals, and ends that come early.

use crate::row::Aspect::{Leftovers, Message, Objects, Output};
use hoist::endpoint::faults::{Fault, Operation, Refusal, Request};

use crate::row::{Row, Stop, row, small};
use crate::seen::Seen;
use crate::support::{Server, Tree, noise};

pub(crate) fn keys() -> Vec<Row> {
    let key = |name, location| row(name, &["--description", "d", "--s3-location", location]);
    vec![
        key("a key that begins with a slash", "s3://bucket//k"),
        key("a key of slashes", "s3://bucket////"),
        key("a key that ends with a slash", "s3://bucket/dir/"),
        key("a key without an ending", "s3://bucket/k"),
        key("a key with spaces", "s3://bucket/a b / c .zip"),
        key("a key in Unicode", "s3://bucket/ü/日本 🚀.zip"),
        key("a key with & and =", "s3://bucket/a&b=c&partNumber=1.zip"),
        key("a key with ?", "s3://bucket/a?b=c?.zip"),
        key("a key with ?versionId=", "s3://bucket/k.zip?versionId=abc"),
        key("a key with ?uploads", "s3://bucket/k?uploads"),
        key("a key with +", "s3://bucket/a+b++.zip"),
        key("a key with %", "s3://bucket/a%20b%2Fc%25%zz.zip"),
        key("a key with # and ;", "s3://bucket/a#b;c.zip"),
        key("a key with quotes and commas", "s3://bucket/a'b\"c,d.zip"),
        key(
            "a key with dots for directories",
            "s3://bucket/./a/../b/..zip",
        ),
        key("a key with a backslash", "s3://bucket/a\\b.zip"),
        key("a key of capitals", "s3://bucket/K.ZIP"),
        key("a key of 1,025 bytes", LONG).exits(255),
    ]
}

const LONG: &str = {
    const BYTES: [u8; 1037] = {
        let mut bytes = [b'k'; 1037];
        let mut at = 0;
        while at < 12 {
            bytes[at] = b"s3://bucket/"[at];
            at += 1;
        }
        bytes
    };
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

const BEFORE: &str = "hoist looks for the application and the bucket before the upload, so a refusal \
                  names `GetApplication` or `HeadBucket`.";

/// The same but for the operation's name, and hoist has stored nothing.
fn earlier(aws: &Seen, hoist: &Seen, later: &str, before: &str) {
    assert_eq!(aws.message.replace(later, before), hoist.message);
    assert!(hoist.is_nothing() && aws.revisions.is_empty());
}

const DENIED: Fault = Fault::Refuse(Refusal::AccessDenied);

fn deny(request: &Request, operation: Operation) -> Option<Fault> {
    (request.operation == operation).then_some(DENIED)
}

/// A revision of several parts.
fn large(tree: &Tree) {
    small(tree);
    tree.file("src/noise", noise(18 << 20, 1));
}

fn without_application(server: &Server) {
    server.make_bucket("bucket");
}

fn without_bucket(server: &Server) {
    server.make_application("App", "Server");
}

pub(crate) fn refusals() -> Vec<Row> {
    let push = |name| row(name, &["--description", "d"]);
    vec![
        push("a bucket with versions").server(|server| {
            server.make_bucket("bucket");
            server.keep_versions("bucket");
            server.make_application("App", "Server");
        }),
        push("an application that is not there")
            .server(without_application)
            .exits(254)
            .says(&["nothing was uploaded; check --application-name"])
            .differs(&[Message, Objects], BEFORE, |aws, hoist| {
                earlier(aws, hoist, "RegisterApplicationRevision", "GetApplication");
                assert_eq!(aws.objects.len(), 1);
            }),
        push("a bucket that is not there")
            .server(without_bucket)
            .exits(255)
            .says(&["create the bucket, or check its name and --region"])
            .differs(&[Message], BEFORE, |aws, hoist| {
                earlier(aws, hoist, "PutObject", "HeadBucket");
            }),
        push("a bucket that is not there, and a large source")
            .tree(large)
            .server(without_bucket)
            .exits(255)
            .says(&["create the bucket, or check its name and --region"])
            .differs(&[Message], BEFORE, |aws, hoist| {
                earlier(aws, hoist, "CreateMultipartUpload", "HeadBucket");
            }),
        push("access denied")
            .faulty(|request| deny(request, Operation::PutObject))
            .exits(255),
        push("access denied for a large source")
            .tree(large)
            .faulty(|request| deny(request, Operation::CreateMultipartUpload))
            .exits(255),
        push("access denied for a part")
            .tree(large)
            .faulty(|request| deny(request, Operation::UploadPart))
            .exits(255),
        push("access denied when the upload is completed")
            .tree(large)
            .faulty(|request| deny(request, Operation::CompleteMultipartUpload))
            .exits(255),
        push("access denied when the upload is aborted")
            .tree(large)
            .faulty(|request| {
                deny(request, Operation::UploadPart)
                    .or_else(|| deny(request, Operation::AbortMultipartUpload))
            })
            .exits(255)
            .says(&["abort-multipart-upload"])
            .differs(
                &[Message],
                "If a failed upload cannot be aborted either, the message gives the first failure, \
                 and then the upload that is left.",
                |aws, hoist| {
                    assert!(
                        aws.message.contains("AbortMultipartUpload"),
                        "{}",
                        aws.message
                    );
                    assert!(hoist.message.contains("UploadPart"), "{}", hoist.message);
                    assert_eq!((aws.leftovers, hoist.leftovers), (1, 1));
                },
            ),
        push("registering denied")
            .faulty(|request| deny(request, Operation::RegisterApplicationRevision))
            .exits(254)
            .says(&[
                "the bundle is in S3, at s3://bucket/dir/key.zip; to register it, run: hoist \
                     register",
            ]),
        push("everything denied that need not be allowed")
            .faulty(|request| {
                let needed = [Operation::PutObject, Operation::RegisterApplicationRevision];
                (!needed.contains(&request.operation)).then_some(DENIED)
            })
            .says(&[
                "not checked: the bucket's region",
                "not checked: whether the application",
            ]),
    ]
}

const STOPPED: &str = "A push that is stopped says so, and leaves no upload in S3.";

pub(crate) fn endings() -> Vec<Row> {
    let push = |name| row(name, &["--description", "d"]).tree(large);
    vec![
        push("Ctrl-C while parts are sent")
            .stop(Stop::Signal(Operation::UploadPart, "INT"))
            .exits(130)
            .differs(&[Output, Message, Leftovers], STOPPED, |aws, hoist| {
                assert_eq!((&*aws.output, &*hoist.output), ("\n", ""));
                assert_eq!((aws.code, hoist.code), (Some(130), Some(130)));
                assert_eq!(aws.message, "");
                assert!(hoist.message.starts_with("stopped; nothing is registered"));
                assert_eq!((aws.leftovers, hoist.leftovers), (1, 0));
            }),
        push("SIGTERM while parts are sent")
            .stop(Stop::Signal(Operation::UploadPart, "TERM"))
            .exits(143)
            .differs(&[Message, Leftovers], STOPPED, |aws, hoist| {
                assert_eq!((aws.code, hoist.code), (Some(143), Some(143)));
                assert_eq!((aws.leftovers, hoist.leftovers), (1, 0));
            }),
    ]
}

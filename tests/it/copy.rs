//! S3 copies an object from one bucket into another: the copy is proven to be the source, or there is an error
//! and no upload. By the library, between two buckets of an endpoint, and by `push --destination` with
//! `copy-from`.

use std::fs;

use bytes::Bytes;
use hoist::archive::pack::{LinkFeedback, Part};
use hoist::aws::call::Attempts;
use hoist::aws::s3::{
    CopySource, Metadata, Nonce, ObjectOptions, S3, S3Location, S3Object, Stored, Tags,
    UploadedPart,
};
use hoist::cancel::Cancel;
use hoist::endpoint::Endpoint;
use hoist::endpoint::faults::{
    Action, CopyFault, Fault, Faults, Operation, Refusal, Reply, Request, When,
};
use hoist::notes::Notes;
use hoist::progress::Progress;
use hoist::transfer::{Cause, CleanupHint, Error, Lacking, NotCopied, UploadContext, copy};

use crate::rig::{clients, run_there};
use crate::support::{Run as _, Server, Tree, noise, packed, wait_until};

/// Copies read objects that have characters of every kind in their keys.
const KEY: &str = "a b/c+d?e%f&ü.zip";
const PART: usize = 5 << 20;

/// Two buckets, and clients of them.
struct Two {
    faults: Faults,
    endpoint: Endpoint,
    s3: S3,
    dir: tempfile::TempDir,
}

impl Two {
    async fn start() -> Self {
        let (dir, faults) = (tempfile::tempdir().unwrap(), Faults::new());
        let endpoint = Endpoint::start_with(dir.path(), 0, faults.clone());
        let endpoint = endpoint.await.unwrap();
        for bucket in ["origin", "copies"] {
            endpoint.prepare(bucket, "us-east-1", "App").unwrap();
        }
        let s3 = clients(&endpoint, "us-east-1").await.s3;
        Self {
            faults,
            endpoint,
            s3,
            dir,
        }
    }

    fn object(&self, bucket: &str, options: ObjectOptions) -> S3Object {
        let location = S3Location {
            bucket: bucket.into(),
            key: KEY.into(),
        };
        self.s3.object(location, options)
    }

    /// Uploads in parts also what one request could put.
    async fn upload_in_parts(&self, sizes: &[usize]) -> (S3Object, Stored, Vec<UploadedPart>) {
        let source = self.object("origin", ObjectOptions::default());
        let (stored, parts) = upload_in_parts(&source, &parts(sizes)).await;
        (source, stored, parts)
    }

    /// Uploads an object that has tags and metadata of its own.
    async fn upload(&self, sizes: &[usize]) -> (S3Object, Stored, Vec<UploadedPart>) {
        let options = ObjectOptions {
            tags: Tags::parse("of=source").unwrap(),
            metadata: Metadata::parse("of=source").unwrap(),
            ..ObjectOptions::default()
        };
        let source = self.object("origin", options);
        let (stored, parts) = upload(&source, sizes).await;
        (source, stored, parts)
    }

    async fn copy(
        &self,
        (source, stored, parts): &(S3Object, Stored, Vec<UploadedPart>),
        options: ObjectOptions,
    ) -> Result<Stored, Error> {
        self.copy_of(&source.as_source(stored), parts, options)
            .await
    }

    async fn copy_of(
        &self,
        source: &CopySource,
        parts: &[UploadedPart],
        options: ObjectOptions,
    ) -> Result<Stored, Error> {
        let (progress, cancel, link) = (Progress::new(), Cancel::new(), LinkFeedback::new());
        let (notes, cleanup) = (Notes::default(), CleanupHint::default());
        let context = UploadContext {
            progress: &progress,
            cancel: &cancel,
            notes: &notes,
            cleanup: &cleanup,
            link: &link,
        };
        let target = self.object("copies", options);
        let done = copy(source, &target, parts, 16, context).await;
        assert_eq!(self.endpoint.open_uploads(), [""; 0], "{done:?}");
        if done.is_ok() {
            let now = progress.snapshot();
            let size = parts.iter().map(|part| part.size).sum();
            assert_eq!((now.bytes_copied, now.bytes_to_copy), (size, size));
            // None of them went through this process.
            assert_eq!((now.bytes_sent, now.bytes_under_way), (0, 0));
        }
        done
    }

    fn bytes(&self, bucket: &str) -> Option<Vec<u8>> {
        fs::read(Endpoint::object_path(self.dir.path(), bucket, KEY)).ok()
    }

    /// Its copies.
    fn asked(&self) -> Vec<Request> {
        let mut asked = self.faults.of(Operation::UploadPartCopy);
        asked.extend(self.faults.of(Operation::CopyObject));
        asked
    }
}

fn parts(sizes: &[usize]) -> Vec<Part> {
    let parts = sizes.iter().zip(1..).map(|(size, number)| {
        let body = Bytes::from(noise(*size, u64::from(number)));
        let crc64nvme = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &body);
        Part {
            number,
            body,
            crc64nvme,
            last: number as usize == sizes.len(),
        }
    });
    parts.collect()
}

/// Uploads one part in one request, and several in as many.
async fn upload(object: &S3Object, sizes: &[usize]) -> (Stored, Vec<UploadedPart>) {
    let parts = parts(sizes);
    let [part] = &*parts else {
        return upload_in_parts(object, &parts).await;
    };
    let (nonce, attempts) = (Nonce::new(), Attempts::default());
    let stored = object.put(part, nonce, &attempts).await.unwrap();
    let sent = UploadedPart {
        number: 1,
        size: part.body.len() as u64,
        etag: stored.etag.clone(),
        crc64nvme: part.crc64nvme,
        crc32: None,
    };
    (stored, vec![sent])
}

async fn upload_in_parts(object: &S3Object, parts: &[Part]) -> (Stored, Vec<UploadedPart>) {
    let (nonce, attempts) = (Nonce::new(), Attempts::default());
    let id = object.create(nonce, &attempts).await.unwrap();
    let mut sent = Vec::new();
    for part in parts {
        sent.push(object.send(&id, part, &attempts).await.unwrap());
    }
    let stored = object.complete(&id, &sent, &attempts).await.unwrap();
    (stored, sent)
}

#[track_caller]
fn why(done: Result<Stored, Error>) -> NotCopied {
    match done {
        Err(Error {
            cause: Cause::Copy(not_copied),
            left: None,
        }) => *not_copied,
        done => panic!("{done:?}"),
    }
}

#[test]
fn a_copy_has_bytes_checksum_and_etag_of_the_source_and_tags_and_metadata_of_its_own() {
    run_there(async {
        for sizes in [
            &[PART, PART, 1][..],
            &[PART + 1, PART + 1],
            &[2 * PART],
            &[PART],
            &[1],
        ] {
            let two = Two::start().await;
            let source = two.upload(sizes).await;
            let options = ObjectOptions {
                tags: Tags::parse("a=b&of=copy").unwrap(),
                metadata: Metadata::parse("by=me").unwrap(),
                encryption: Some("AES256".into()),
                ..ObjectOptions::default()
            };
            let stored = two.copy(&source, options.clone()).await.unwrap();
            assert_eq!(stored.etag, source.1.etag, "{sizes:?}");
            assert!(two.bytes("copies").is_some());
            assert_eq!(two.bytes("copies"), two.bytes("origin"), "{sizes:?}");
            let head = async |object: &S3Object| {
                let head = object.head_with_checksum().await.unwrap();
                head.unwrap()
            };
            let (of_source, of_copy) = (
                head(&source.0).await,
                head(&two.object("copies", options)).await,
            );
            assert_eq!(of_copy.size, of_source.size);
            assert!(of_copy.crc64nvme.is_some());
            assert_eq!(of_copy.crc64nvme, of_source.crc64nvme);
            assert!(of_copy.nonce.is_some());
            assert_ne!(of_copy.nonce, of_source.nonce);
            let asked = two.asked();
            assert_eq!(asked.len(), sizes.len());
            let sent = two.faults.requests();
            let begun = sent.iter().rfind(|request| {
                let begins = [Operation::CreateMultipartUpload, Operation::CopyObject];
                begins.contains(&request.operation)
            });
            let begun = begun.unwrap();
            assert_eq!(begun.header("x-amz-tagging"), Some("a=b&of=copy"));
            assert_eq!(begun.header("x-amz-meta-by"), Some("me"));
            assert_eq!(begun.header("x-amz-meta-of"), None);
            for request in asked {
                let pinned = format!("\"{}\"", source.1.etag);
                let header = |name| request.header(name);
                assert_eq!(header("x-amz-copy-source-if-match"), Some(&*pinned));
                assert_eq!(
                    header("x-amz-copy-source"),
                    Some("origin/a%20b/c%2Bd%3Fe%25f%26%C3%BC.zip")
                );
            }
            two.endpoint.shutdown().await;
        }
    });
}

/// S3 copies no range of an object of up to 5 MiB.
#[test]
fn an_upload_in_one_part_is_copied_as_one_whatever_its_size() {
    run_there(async {
        for size in [1, PART, PART + 1] {
            let two = Two::start().await;
            let source = two.upload_in_parts(&[size]).await;
            let stored = two.copy(&source, ObjectOptions::default()).await.unwrap();
            assert!(stored.etag.ends_with("-1"));
            assert_eq!(stored.etag, source.1.etag);
            assert_eq!(two.bytes("copies"), two.bytes("origin"));
            two.endpoint.shutdown().await;
        }
    });
}

#[test]
fn each_request_names_owner_and_payer_of_both_buckets() {
    run_there(async {
        for sizes in [&[PART, 1][..], &[1]] {
            let two = Two::start().await;
            let (source, stored, parts) = two.upload(sizes).await;
            let from = CopySource {
                expected_owner: Some("111122223333".into()),
                requester_pays: true,
                ..source.as_source(&stored)
            };
            // The endpoint may refuse it, since the owner is another one.
            let _ = two.copy_of(&from, &parts, ObjectOptions::default()).await;
            assert!(!two.asked().is_empty());
            for request in two.asked() {
                assert_eq!(
                    request.header("x-amz-source-expected-bucket-owner"),
                    Some("111122223333")
                );
                assert_eq!(request.header("x-amz-request-payer"), Some("requester"));
            }
            two.endpoint.shutdown().await;
        }
    });
}

#[test]
fn copies_that_fail_for_a_moment_are_repeated() {
    run_there(async {
        for sizes in [&[PART, PART, 1][..], &[1]] {
            for fault in [
                Fault::RefuseInside(Refusal::InternalError),
                Fault::RefuseInside(Refusal::SlowDown),
                Fault::Refuse(Refusal::SlowDown),
                Fault::Reset(When::AfterBody),
                Fault::Reset(When::AfterCommit),
                Fault::Truncate(40),
            ] {
                let two = Two::start().await;
                let source = two.upload(sizes).await;
                let faults = two.faults.clone();
                let faults = faults.on(Operation::UploadPartCopy, 1..=2, fault);
                let _ = faults.on(Operation::CopyObject, 1..=2, fault);
                let done = two.copy(&source, ObjectOptions::default()).await;
                done.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
                assert_eq!(two.bytes("copies"), two.bytes("origin"), "{fault:?}");
                two.endpoint.shutdown().await;
            }
        }
    });
}

#[test]
fn a_wrong_copy_is_found_whatever_the_store_says_of_it() {
    run_there(async {
        for (sizes, operation) in [
            (&[PART, PART, 1][..], Operation::UploadPartCopy),
            (&[1], Operation::CopyObject),
        ] {
            for fault in [CopyFault::OtherBytes, CopyFault::OtherBytesUntold] {
                let two = Two::start().await;
                let source = two.upload(sizes).await;
                let number = sizes.len() as u64;
                let _ = two
                    .faults
                    .clone()
                    .on(operation, number..=number, Fault::Copy(fault));
                let why = why(two.copy(&source, ObjectOptions::default()).await);
                let is_whole = operation == Operation::CopyObject;
                match (fault, &why) {
                    (_, NotCopied::Differs) if is_whole => {}
                    (CopyFault::OtherBytes, NotCopied::PartDiffers(_)) if !is_whole => {}
                    (CopyFault::OtherBytesUntold, NotCopied::NotJoined(_)) if !is_whole => {}
                    _ => panic!("{fault:?}: {why}"),
                }
                assert_eq!(two.bytes("copies").is_some(), is_whole);
                two.endpoint.shutdown().await;
            }
            // A right copy of which nothing is said but its MD5.
            let two = Two::start().await;
            let source = two.upload(sizes).await;
            let _ = two
                .faults
                .clone()
                .on(operation, 1.., Fault::Copy(CopyFault::NoChecksum));
            two.copy(&source, ObjectOptions::default()).await.unwrap();
            assert_eq!(two.bytes("copies"), two.bytes("origin"));
            two.endpoint.shutdown().await;
        }
    });
}

#[test]
fn a_source_that_is_replaced_is_refused_by_the_store_or_by_its_checksum() {
    run_there(async {
        for sizes in [&[PART, PART, 1][..], &[1]] {
            for is_ignored in [false, true] {
                let two = Two::start().await;
                let source = two.upload(sizes).await;
                let other = [PART + 1, PART, 1];
                upload(&source.0, if sizes.len() == 1 { &[2] } else { &other }).await;
                if is_ignored {
                    let fault = Fault::Copy(CopyFault::NoConditions);
                    let faults = two.faults.clone().on(Operation::UploadPartCopy, 1.., fault);
                    let _ = faults.on(Operation::CopyObject, 1.., fault);
                }
                let why = why(two.copy(&source, ObjectOptions::default()).await);
                let is_expected = match &why {
                    NotCopied::Replaced(_) => !is_ignored,
                    NotCopied::PartDiffers(_) | NotCopied::Differs => is_ignored,
                    _ => false,
                };
                assert!(is_expected, "{is_ignored}: {why}");
                two.endpoint.shutdown().await;
            }
        }
    });
}

#[test]
fn a_version_of_the_source_is_copied_although_a_newer_one_is_there() {
    run_there(async {
        for sizes in [&[PART, PART, 1][..], &[1]] {
            let two = Two::start().await;
            keep_versions(&two.endpoint, "origin").await;
            let source = two.upload(sizes).await;
            assert!(source.1.version.is_some());
            let bytes = two.bytes("origin");
            upload(&source.0, &[2]).await;
            assert_ne!(two.bytes("origin"), bytes);
            let stored = two.copy(&source, ObjectOptions::default()).await.unwrap();
            assert_eq!(stored.etag, source.1.etag);
            assert_eq!(two.bytes("copies"), bytes);
            two.endpoint.shutdown().await;
        }
    });
}

async fn keep_versions(endpoint: &Endpoint, bucket: &str) {
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let address = endpoint.url().trim_start_matches("http://").to_owned();
    let request = format!(
        "PUT /{bucket}?versioning HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn an_object_that_must_stay_stays() {
    run_there(async {
        for sizes in [&[PART, PART, 1][..], &[1]] {
            let two = Two::start().await;
            let source = two.upload(sizes).await;
            upload(&two.object("copies", ObjectOptions::default()), &[3]).await;
            let before = two.bytes("copies");
            let options = ObjectOptions {
                no_overwrite: true,
                ..ObjectOptions::default()
            };
            let error = two.copy(&source, options).await.unwrap_err();
            assert!(matches!(&error.cause, Cause::Store(_)), "{error}");
            assert!(
                error.to_string().contains("(PreconditionFailed)"),
                "{error}"
            );
            assert_eq!(two.bytes("copies"), before);
            two.endpoint.shutdown().await;
        }
    });
}

#[test]
fn a_permission_that_is_lacking_is_named() {
    run_there(async {
        let all = Action::ALL.iter().copied();
        for (sizes, versions, lacks, expected) in [
            (&[PART, 1][..], false, Action::GetObject, Lacking::Read),
            (
                &[PART, 1],
                true,
                Action::GetObjectVersion,
                Lacking::ReadVersion,
            ),
            (&[1], false, Action::GetObject, Lacking::Read),
            (&[1], true, Action::GetObjectVersion, Lacking::ReadVersion),
        ] {
            let two = Two::start().await;
            if versions {
                keep_versions(&two.endpoint, "origin").await;
            }
            let source = two.upload(sizes).await;
            two.faults.allow([]);
            two.faults.allow_at("copies", all.clone());
            two.faults
                .allow_at("origin", all.clone().filter(|action| *action != lacks));
            let error = two
                .copy(&source, ObjectOptions::default())
                .await
                .unwrap_err();
            let text = error.to_string();
            let NotCopied::Denied { lacking, .. } = why(Err(error)) else {
                panic!("{text}")
            };
            assert_eq!(lacking, expected);
            assert!(text.contains(lacks.name()), "{text}");
            two.endpoint.shutdown().await;
        }
        let two = Two::start().await;
        let source = two.upload(&[1]).await;
        two.faults.allow([]);
        two.faults.allow_at("origin", all);
        let why = why(two.copy(&source, ObjectOptions::default()).await);
        let is_write =
            matches!(&why, NotCopied::Denied { lacking, .. } if *lacking == Lacking::Write);
        assert!(is_write, "{why}");
        two.endpoint.shutdown().await;
    });
}

#[test]
fn a_store_that_cannot_copy_says_so_or_is_found_out() {
    const NOT_IMPLEMENTED: &str = "<Error><Code>NotImplemented</Code><Message>no</Message></Error>";
    run_there(async {
        for sizes in [&[PART, 1][..], &[1]] {
            for reply in [
                Reply {
                    status: 501,
                    headers: &[],
                    body: NOT_IMPLEMENTED,
                },
                // A store that takes the request for one without bytes.
                Reply {
                    status: 200,
                    headers: &[("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\"")],
                    body: "",
                },
            ] {
                let two = Two::start().await;
                let source = two.upload(sizes).await;
                let fault = Fault::Reply(reply);
                let faults = two.faults.clone().on(Operation::UploadPartCopy, 1.., fault);
                let _ = faults.on(Operation::CopyObject, 1.., fault);
                let why = why(two.copy(&source, ObjectOptions::default()).await);
                assert!(matches!(why, NotCopied::Unsupported(_)), "{why}");
                assert!(two.asked().len() < 3, "{why}");
                two.endpoint.shutdown().await;
            }
        }
    });
}

/// An endpoint with a bucket and `App` in three regions.
fn three_regions() -> Server {
    let server = Server::ready();
    for (region, bucket) in COPIES {
        server.make_bucket_in(bucket, region);
        server.make_application_in("App", "Server", region);
    }
    server
}

/// The regions that get copies, and their buckets.
const COPIES: [(&str, &str); 2] = [("us-west-2", "west"), ("eu-west-1", "europe")];

/// The destinations that get copies, as arguments.
fn copies() -> Vec<String> {
    let copy = |(region, bucket)| {
        let place = format!("region={region},s3-location=s3://{bucket}/key.zip");
        [
            "--destination".to_owned(),
            format!("{place},copy-from=us-east-1"),
        ]
    };
    COPIES.into_iter().flat_map(copy).collect()
}

#[test]
fn a_push_sends_its_bytes_once_and_each_region_gets_the_same_object() {
    // Three parts, and one.
    for len in [17_000_000, 1_000] {
        let tree = Tree::revision();
        tree.file("noise.bin", noise(len, 9));
        let expected = packed(tree.path(), "a.zip", &["--level", "1"]);
        let server = three_regions();
        let destinations = copies();
        let mut arguments = vec!["--level", "1", "--output", "json"];
        server.push_of(tree.path(), &arguments).ok();
        let once = server.statistics().bytes;
        arguments.extend(destinations.iter().map(String::as_str));
        let done = server.push_of(tree.path(), &arguments).ok();
        let said = done.json();
        let etags = said["destinations"].as_array().unwrap().iter();
        let etags: Vec<&str> = etags.map(|one| one["etag"].as_str().unwrap()).collect();
        assert_eq!(etags.len(), 3);
        assert!(etags.iter().all(|etag| *etag == etags[0]), "{etags:?}");
        assert_eq!(server.statistics().bytes, 2 * once);
        assert_eq!(once, expected.len() as u64);
        let parts = expected.len().div_ceil(8 << 20) as u64;
        let (part, object) = if parts == 1 { (0, 2) } else { (2 * parts, 0) };
        assert_eq!(server.faults.count(Operation::UploadPartCopy), part);
        assert_eq!(server.faults.count(Operation::CopyObject), object);
        for (_, bucket) in [("", "bucket")].into_iter().chain(COPIES) {
            let path = Endpoint::object_path(server.dir(), bucket, "key.zip");
            assert!(fs::read(path).unwrap() == expected, "{bucket}");
        }
    }
}

/// Two parts.
fn large() -> Tree {
    let tree = Tree::revision();
    tree.file("noise.bin", noise(9_000_000, 9));
    tree
}

/// A push to three regions, of which two get copies.
fn push(server: &Server, source: &Tree, more: &[&str]) -> std::process::Command {
    let destinations = copies();
    let mut arguments = vec!["--level", "1"];
    arguments.extend(destinations.iter().map(String::as_str));
    arguments.extend(more);
    server.push_of(source.path(), &arguments)
}

#[track_caller]
fn nothing_is_registered(server: &Server) {
    assert_eq!(server.uploads(), [""; 0]);
    assert_eq!(
        server.faults.count(Operation::RegisterApplicationRevision),
        0
    );
}

#[test]
fn a_failed_copy_registers_nothing_and_says_what_is_lacking_and_where() {
    let server = three_regions();
    let all = Action::ALL.iter().copied();
    server
        .faults
        .allow(all.clone().filter(|action| *action != Action::GetObject));
    let done = push(&server, &large(), &[]).fails(255);
    done.says("s3:GetObject on the source")
        .says("s3://bucket/key.zip")
        .says("s3://europe/key.zip");
    nothing_is_registered(&server);
    server.faults.allow(all);
    push(&server, &large(), &[]).ok();
}

#[test]
fn a_copy_that_only_reading_can_tell_from_the_archive_is_found_by_verify() {
    let server = three_regions();
    let fault = Fault::Copy(CopyFault::OtherBytesUnnoticed);
    server.on(Operation::UploadPartCopy, 2..=2, fault);
    let done = push(&server, &large(), &["--verify"]).done();
    assert_ne!(done.code, Some(0), "{done}");
    nothing_is_registered(&server);
}

#[test]
fn a_push_that_is_stopped_while_s3_copies_leaves_no_upload() {
    let server = three_regions();
    let fault = Fault::Stall(When::BeforeBody);
    server.on(Operation::UploadPartCopy, .., fault);
    let source = large();
    let running = push(&server, &source, &[]).start();
    wait_until("a part is copied", || {
        server.faults.count(Operation::UploadPartCopy) > 1
    });
    assert_eq!(server.uploads().len(), 2);
    running.signal("INT");
    let done = running.end();
    assert_eq!(done.code, Some(130), "{done}");
    done.says("us-east-1").says("hoist register");
    nothing_is_registered(&server);
}

#[test]
fn a_push_says_that_a_store_cannot_copy() {
    const BODY: &str = "<Error><Code>NotImplemented</Code><Message>no</Message></Error>";
    let server = three_regions();
    let reply = Reply {
        status: 501,
        headers: &[],
        body: BODY,
    };
    server.on(Operation::UploadPartCopy, .., Fault::Reply(reply));
    let done = push(&server, &large(), &[]).fails(255);
    done.says("does not copy objects");
    done.says("without copy-from, hoist uploads the object there, too");
    nothing_is_registered(&server);
}

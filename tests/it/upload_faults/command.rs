//! Faults that the command meets with its own configuration of the AWS SDK.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use hoist::endpoint::faults::{Action, Fault, Operation, Refusal, Reply, When};

use crate::support::{Home, Run as _, Scene};

const LOST: Fault = Fault::Reset(When::AfterCommit);

#[test]
fn whichever_answer_is_lost_the_push_succeeds() {
    for (operation, is_large) in [
        (Operation::PutObject, false),
        (Operation::CreateMultipartUpload, true),
        (Operation::UploadPart, true),
        (Operation::CompleteMultipartUpload, true),
        (Operation::RegisterApplicationRevision, false),
    ] {
        for options in [&[][..], &["--no-overwrite"]] {
            let scene = Scene::of_size(is_large);
            scene.on(operation, 1..=1, LOST);
            let done = scene.push(options).ok();
            assert!(scene.stored().is_some());
            assert!(scene.is_registered());
            // The upload of a Create without an answer may be another push's: it is named, not aborted.
            let strays = usize::from(operation == Operation::CreateMultipartUpload);
            assert_eq!(scene.uploads().len(), strays, "{operation}: {done}");
            let named = done.stderr.contains("abort-multipart-upload");
            assert_eq!(named, strays == 1, "{done}");
            assert!(scene.count(operation) > 1, "{operation}");
        }
    }
}

/// The answer to our own PutObject is lost, and the answer to its retry is that the object exists.
#[test]
fn a_412_about_our_own_object_is_no_failure() {
    let scene = Scene::new();
    scene.on(Operation::PutObject, 1..=1, LOST);
    scene.push(&["--no-overwrite"]).ok();
    // Before the upload, and after the second answer.
    assert_eq!(scene.count(Operation::HeadObject), 2);
    let put = &scene.of(Operation::PutObject)[0];
    let nonce = put.header("x-amz-meta-hoist-push").map(str::len);
    assert_eq!(nonce, Some(16));

    // About another object it is, and nothing has to be found out.
    scene.forget();
    let done = scene.push(&["--no-overwrite", "--no-preflight"]).fails(255);
    done.says("(PreconditionFailed)").says("choose another key");
    assert_eq!(scene.count(Operation::HeadObject), 0);
}

#[test]
fn without_the_permission_to_look_an_unknown_end_tells_how_to_go_on() {
    let scene = Scene::large();
    scene.deny(&[Operation::HeadObject]);
    let failing = Fault::Refuse(Refusal::InternalError);
    scene.on(Operation::CompleteMultipartUpload, .., failing);
    let done = scene
        .push(&["--max-attempts", "2", "--no-preflight"])
        .fails(255);
    done.says("(InternalError)")
        .says("not known")
        .says("HeadObject")
        .says("hoist register --application-name App --s3-location s3://bucket/key.zip");
    scene.assert_nothing_is_left();
}

#[test]
fn a_conflict_begins_the_whole_upload_again() {
    let scene = Scene::large();
    let conflict = Fault::Refuse(Refusal::ConditionalRequestConflict);
    scene.on(Operation::CompleteMultipartUpload, 1..=1, conflict);
    let done = scene.push(&["--no-overwrite"]).ok();
    done.says("the upload began again");
    assert_eq!(scene.count(Operation::CreateMultipartUpload), 2);
    assert_eq!(scene.count(Operation::AbortMultipartUpload), 1);
    assert_eq!(scene.uploads(), [""; 0]);
    assert!(scene.stored().is_some());
}

#[test]
fn each_kind_of_checksum_is_declared_and_sent_with_every_body() {
    let crc64 = "x-amz-checksum-crc64nvme";
    let crc32 = "x-amz-checksum-crc32";
    for (kind, header, other, algorithm) in [
        ("crc64nvme", Some(crc64), crc32, Some("CRC64NVME")),
        ("crc32", Some(crc32), crc64, Some("CRC32")),
        ("none", None, crc32, None),
    ] {
        for is_large in [false, true] {
            let scene = Scene::of_size(is_large);
            scene.push(&["--checksum", kind]).ok();
            let bodies = match is_large {
                true => Operation::UploadPart,
                false => Operation::PutObject,
            };
            for request in scene.of(bodies) {
                let has = |name: &str| request.header(name).is_some();
                assert!(header.is_none_or(has), "{request:?}");
                let others = [other, "x-amz-trailer", "x-amz-sdk-checksum-algorithm"];
                assert!(!others.into_iter().any(has), "{request:?}");
            }
            if is_large {
                let create = &scene.of(Operation::CreateMultipartUpload)[0];
                assert_eq!(create.header("x-amz-checksum-algorithm"), algorithm);
                let complete = &scene.of(Operation::CompleteMultipartUpload)[0];
                let declared = header.is_none_or(|name| complete.header(name).is_some());
                assert!(declared, "{complete:?}");
            }
            assert!(scene.stored().is_some());
        }
    }
}

#[test]
fn for_a_store_that_knows_no_checksum_the_option_is_named() {
    let scene = Scene::new();
    scene.choose(|request| {
        request.header("x-amz-checksum-crc64nvme")?;
        Some(Fault::Reply(Reply {
            status: 501,
            headers: &[("content-type", "application/xml")],
            body: "<Error><Code>NotImplemented</Code><Message>Header 'x-amz-checksum-crc64nvme' with \
                   value 'x' not implemented</Message></Error>",
        }))
    });
    let done = scene.push(&[]).fails(255);
    done.says("--checksum crc32").says("--checksum none");
    scene.push(&["--checksum", "none"]).ok();
    let done = scene.push(&["--checksum", "none", "--resume"]).fails(252);
    done.says("--checksum");
}

/// The keys are in a file that another program renews.
#[test]
fn expired_credentials_are_read_again_once() {
    let scene = Scene::large();
    let keys =
        |id: &str| format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = s\n");
    let home = Home::new("", &keys("OLD"));
    let file = home.path().join(".aws/credentials");
    let (text, written) = (keys("NEW"), AtomicUsize::new(0));
    scene.choose(move |request| {
        let is_part = request.operation == Operation::UploadPart;
        if !is_part || request.key_id.as_deref() != Some("OLD") {
            return None;
        }
        // Several requests come here at once, and the command must not read half a file.
        let name = format!("new-{}", written.fetch_add(1, Ordering::SeqCst));
        let new = file.with_file_name(name);
        fs::write(&new, &text).unwrap();
        fs::rename(&new, &file).unwrap();
        Some(Fault::Refuse(Refusal::ExpiredToken))
    });
    let mut push = scene.push(&[]);
    push.env_remove("AWS_ACCESS_KEY_ID");
    push.env_remove("AWS_SECRET_ACCESS_KEY");
    home.point(&mut push).ok();
    let last = &scene.of(Operation::RegisterApplicationRevision)[0];
    assert_eq!(last.key_id.as_deref(), Some("NEW"));

    // Those of the environment stay as they are.
    let scene = Scene::large();
    let expired = Fault::Refuse(Refusal::ExpiredToken);
    scene.on(Operation::CreateMultipartUpload, .., expired);
    scene.push(&[]).fails(255).says("(ExpiredToken)");
    assert_eq!(scene.count(Operation::CreateMultipartUpload), 2);
}

/// A program gives credentials, each time others.
#[test]
fn expired_credentials_are_asked_for_again() {
    let scene = Scene::large();
    let home = Home::new("[default]\ncredential_process = sh keys\n", "");
    home.file(
        "keys",
        "echo >>asked\nn=$(wc -l <asked | tr -d ' ')\n\
         echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKID$n\\\",\
         \\\"SecretAccessKey\\\":\\\"s\\\",\\\"SessionToken\\\":\\\"t\\\",\
         \\\"Expiration\\\":\\\"2999-01-01T00:00:00Z\\\"}\"\n",
    );
    scene.faults.expire("AKID1", 4);
    let mut push = scene.push(&[]);
    push.env_remove("AWS_ACCESS_KEY_ID");
    push.env_remove("AWS_SECRET_ACCESS_KEY");
    home.point(push.current_dir(home.path())).ok();
    assert!(scene.is_registered());
    assert_eq!(scene.uploads(), [""; 0]);
    let requests = scene.requests();
    let mut keys: Vec<_> = requests
        .iter()
        .filter_map(|request| request.key_id.as_deref())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys, ["AKID1", "AKID2"]);
}

/// The first line is about what broke the push, the second about what is left and how to remove it.
#[test]
fn the_cause_comes_before_the_upload_that_is_left() {
    let scene = Scene::large();
    let conflict = Fault::Refuse(Refusal::OperationAborted);
    scene.on(Operation::UploadPart, 2.., conflict);
    let least = [Action::PutObject, Action::RegisterApplicationRevision];
    scene.faults.allow(least);
    let done = scene
        .push(&["--max-attempts", "1", "--no-preflight"])
        .fails(255);
    let lines: Vec<&str> = done.stderr.lines().collect();
    let cause = "(OperationAborted) when calling the UploadPart";
    assert!(lines[0].contains(cause), "{done}");
    let command = format!(
        "run: aws s3api abort-multipart-upload --bucket bucket --key key.zip --upload-id {}",
        scene.uploads()[0]
    );
    assert!(lines[1].contains("s3:AbortMultipartUpload"), "{done}");
    assert!(lines[1].contains(&command), "{done}");
    assert_eq!(lines.len(), 2, "{done}");
}

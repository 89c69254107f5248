//! A push that is stopped, by a signal or by a failure, leaves no upload or says which one is left.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hoist::cancel::Cancel;
use hoist::endpoint::faults::{Fault, Operation, When};

use crate::support::{Run as _, Scene, after, wait_until};

const NEVER_ANSWERED: Fault = Fault::Stall(When::BeforeBody);

/// A revision of two parts, none of which is ever answered.
fn hanging() -> Scene {
    let scene = Scene::large();
    scene.on(Operation::UploadPart, .., NEVER_ANSWERED);
    scene
}

#[test]
fn each_signal_has_its_exit_code_and_leaves_no_upload() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let scene = hanging();
        let push = scene.push(&[]).start();
        wait_until("a part is sent", || scene.count(Operation::UploadPart) > 0);
        assert_eq!(scene.uploads().len(), 1);
        push.signal(signal);
        let done = push.end();
        assert_eq!(done.code, Some(code), "{signal}: {done}");
        assert_eq!(
            (&*done.stdout, &*done.stderr),
            (
                "",
                "hoist: stopped; nothing is registered, and no upload is left\n"
            )
        );
        scene.assert_nothing_is_left();
    }
}

/// `timeout` signals the command, and the group that it is in.
#[test]
fn signals_that_come_together_are_one() {
    let scene = hanging();
    let push = scene.push(&[]).start();
    wait_until("a part is sent", || scene.count(Operation::UploadPart) > 0);
    let id = push.id().to_string();
    let mut twice = Command::new("sh");
    twice.args(["-c", "kill -INT \"$1\" && kill -INT \"$1\"", "sh", &id]);
    twice.silent();
    let done = push.end();
    assert_eq!(done.code, Some(130), "{done}");
    assert_eq!(
        done.stderr,
        "hoist: stopped; nothing is registered, and no upload is left\n"
    );
    assert_eq!(scene.uploads(), [""; 0]);
}

/// `nohup` keeps a push from ending with its terminal.
#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let scene = Scene::large();
    scene.on(Operation::UploadPart, .., Fault::Slow(20_000_000));
    let push = after("trap '' HUP", &scene.push(&[])).start();
    wait_until("a part is sent", || scene.count(Operation::UploadPart) > 0);
    push.signal("HUP");
    let done = push.end();
    assert_eq!(done.code, Some(0), "{done}");
    assert!(scene.is_registered());
}

/// After the first signal the push waits for the answer to the abort, which never comes.
#[test]
fn a_second_signal_ends_at_once_and_names_the_upload_that_is_left() {
    let scene = hanging();
    scene.on(Operation::AbortMultipartUpload, .., NEVER_ANSWERED);
    let push = scene.push(&["--region", "us-east-1"]).start();
    wait_until("a part is sent", || scene.count(Operation::UploadPart) > 0);
    push.signal("INT");
    let aborts = || scene.count(Operation::AbortMultipartUpload);
    wait_until("the abort is sent", || aborts() > 0);
    // A second signal that comes sooner counts as the first; see `signals_that_come_together_are_one`.
    thread::sleep(Duration::from_millis(300));
    let since = Instant::now();
    push.signal("INT");
    let done = push.end();
    assert!(since.elapsed() < Duration::from_secs(5), "{done}");
    assert_eq!(done.code, Some(130), "{done}");
    let [upload] = &scene.uploads()[..] else {
        panic!("{:?}", scene.uploads())
    };
    let command = format!(
        "aws s3api abort-multipart-upload --bucket bucket --key key.zip --upload-id {upload} \
         --region us-east-1\n"
    );
    assert!(done.stderr.ends_with(&command), "{done}");
}

#[test]
fn a_signal_during_the_registration_says_what_is_stored() {
    let scene = Scene::new();
    let register = Operation::RegisterApplicationRevision;
    scene.on(register, .., NEVER_ANSWERED);
    let push = scene.push(&[]).start();
    wait_until("it registers", || scene.count(register) > 0);
    push.signal("INT");
    let done = push.end();
    assert_eq!(done.code, Some(130), "{done}");
    let (first, next) = done.stderr.split_once('\n').unwrap();
    let expected = "hoist: stopped before RegisterApplicationRevision was answered";
    assert_eq!(first, expected);
    assert!(
        next.contains("run: hoist register --application-name App"),
        "{done}"
    );
    assert!(scene.stored().is_some());
}

#[test]
fn an_abort_that_is_denied_does_not_hide_the_cause() {
    let scene = Scene::large();
    scene.deny(&[Operation::UploadPart, Operation::AbortMultipartUpload]);
    let done = scene.push(&["--s3-endpoint-url", scene.url()]).fails(255);
    let lines: Vec<&str> = done.stderr.lines().collect();
    let cause = "(AccessDenied) when calling the UploadPart";
    assert!(lines[0].contains(cause), "{done}");
    assert!(lines[1].contains("AbortMultipartUpload"), "{done}");
    let (upload, url) = (&scene.uploads()[0], scene.url());
    let command = format!("--upload-id {upload} --endpoint-url {url}");
    assert!(lines[1].ends_with(&command), "{done}");
}

#[test]
fn a_standard_error_that_is_closed_stops_nothing() {
    let scene = Scene::large();
    for more in [&[][..], &["--debug"]] {
        let mut push = scene.push(more).start();
        drop(push.child().stderr.take());
        let done = push.end();
        assert_eq!(done.code, Some(0), "{done}");
        done.prints("eTag=");
    }
}

#[test]
fn a_child_is_cancelled_with_its_parent_and_not_the_other_way_round() {
    let parent = Cancel::new();
    let (one, other) = (parent.child(), parent.child());
    one.cancel();
    assert!(one.is_cancelled() && !parent.is_cancelled() && !other.is_cancelled());
    parent.clone().cancel();
    assert!(other.is_cancelled() && other.child().is_cancelled());
}

#[tokio::test]
async fn a_waiting_task_is_woken_when_its_parent_is_cancelled() {
    let parent = Cancel::new();
    let child = parent.child();
    let waiting = child.run_until_cancelled(std::future::pending::<()>());
    let (ended, ()) = tokio::join!(waiting, async { parent.cancel() });
    assert_eq!(ended, None);
    child.cancelled().await;
}

/// Builds for tests panic where they are asked to.
#[cfg(debug_assertions)]
#[test]
fn a_panic_in_any_thread_aborts_the_upload_and_says_what_to_report() {
    let scene = hanging();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("now");
    let mut push = scene.push(&[]);
    push.env("HOIST_TEST_PANIC", &file);
    let push = push.env_remove("RUST_BACKTRACE").start();
    wait_until("a part is sent", || scene.count(Operation::UploadPart) > 0);
    assert_eq!(scene.uploads().len(), 1);
    std::fs::write(&file, "").unwrap();
    let done = push.end();
    assert_eq!(done.code, Some(255), "{done}");
    let first = "hoist: internal error at src/cli/panic.rs:";
    assert!(done.stderr.starts_with(first), "{done}");
    // A line end in the message begins no line.
    done.says("\"asked for\\nby a test\"")
        .says("this is a bug in hoist")
        .says("RUST_BACKTRACE=1")
        .is_silent_about("stack backtrace");
    scene.assert_nothing_is_left();
}

#[cfg(debug_assertions)]
#[test]
fn a_panic_of_a_command_itself_is_a_failure_in_plain_words() {
    let scene = Scene::new();
    let dir = tempfile::tempdir().unwrap();
    let mut pack = crate::support::hoist();
    pack.arg("pack").arg("--source").arg(scene.tree.path());
    pack.arg("-o").arg(dir.path().join("a.zip"));
    for mut command in [scene.push(&[]), pack] {
        let command = command.env("HOIST_TEST_PANIC", "now");
        let done = command.env_remove("RUST_BACKTRACE").fails(255);
        done.says("internal error at src/cli/panic.rs")
            .says("report it to");
        assert_eq!(done.stderr.lines().count(), 2, "{done}");
        let done = command.env("RUST_BACKTRACE", "1").fails(255);
        done.says("for_a_test");
    }
}

//! A push under each fault, once and for ever: it ends registered, with the bytes that `pack` makes, or
//! it fails, says why, and leaves nothing.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::collections::BTreeSet;
use std::ops::RangeBounds;
use std::time::{Duration, Instant};

use crate::support::{Tree, run, run_failing};
use crate::troubled::{Ended, KEY_ID, Rig, Source, run_there};
use hoist::endpoint::faults::{Action, Fault, Faults, Operation, Refusal, When};
use hoist::push::Error;
use hoist::transfer::Cause;
use tokio::task::spawn_blocking;

const ONCE: std::ops::RangeInclusive<u64> = 1..=1;

/// What a push of one part asks for, in order, and of more parts.
const OF_ONE: [Operation; 4] = [
    Operation::HeadBucket,
    Operation::GetApplication,
    Operation::PutObject,
    Operation::RegisterApplicationRevision,
];
const OF_MORE: [Operation; 6] = [
    Operation::HeadBucket,
    Operation::GetApplication,
    Operation::CreateMultipartUpload,
    Operation::UploadPart,
    Operation::CompleteMultipartUpload,
    Operation::RegisterApplicationRevision,
];

/// Pushes to an endpoint with these faults.
fn pushed(source: &'static Source, faults: Faults) -> Ended {
    pushed_with(source, faults, |_| ())
}

fn pushed_with(
    source: &'static Source,
    faults: Faults,
    prepare: impl FnOnce(&mut Rig) + Send + 'static,
) -> Ended {
    run_there(async move {
        let mut rig = Rig::start(faults).await;
        prepare(&mut rig);
        let ended = rig.push(source).await;
        rig.end().await;
        ended
    })
}

fn with(operation: Operation, numbers: impl RangeBounds<u64>, fault: Fault) -> Faults {
    Faults::new().on(operation, numbers, fault)
}

/// Pushes under each of `faults` at each operation, and is registered each time.
fn outlives(
    operations: &[Operation],
    source: &'static Source,
    numbers: impl RangeBounds<u64> + Clone,
    faults: &[Fault],
) {
    let each = operations.iter().flat_map(|operation| {
        let faults = faults.iter();
        faults.map(|fault| {
            (
                *operation,
                *fault,
                with(*operation, numbers.clone(), *fault),
            )
        })
    });
    let each: Vec<_> = each.collect();
    run_there(async move {
        // Those that stall wait together.
        let pushes = each
            .into_iter()
            .map(|(operation, fault, faults)| async move {
                let rig = Rig::start(faults).await;
                let ended = rig.push(source).await;
                rig.end().await;
                ended.is_registered(source, &format!("{operation}: {}", fault.name()));
            });
        futures_util::future::join_all(pushes).await;
    });
}

#[test]
fn errors_that_pass_are_outlived() {
    let faults = [
        Refusal::SlowDown,
        Refusal::ServiceUnavailable,
        Refusal::InternalError,
        Refusal::RequestTimeout,
    ]
    .map(Fault::Refuse);
    outlives(&OF_ONE, Source::small(), ONCE, &faults);
    outlives(&OF_MORE[2..5], Source::large(), ONCE, &faults);
}

#[test]
fn many_of_them_are_outlived() {
    let busy = Fault::Refuse(Refusal::SlowDown);
    // More than the SDK tries. What begins or makes an object, it tries once.
    outlives(&[Operation::PutObject], Source::small(), 1..=7, &[busy]);
    outlives(&OF_MORE[2..4], Source::large(), 1..=7, &[busy]);
    outlives(&[Operation::UploadPart], Source::large(), 1..=9, &[busy]);
}

#[test]
fn throttled_registrations_are_made_again() {
    let busy = Fault::Refuse(Refusal::Throttling);
    outlives(&OF_ONE[3..], Source::small(), 1..=2, &[busy]);
}

#[test]
fn registrations_that_are_throttled_for_long_are_made_again() {
    let busy = Fault::Refuse(Refusal::Throttling);
    outlives(&OF_ONE[3..], Source::small(), 1..=5, &[busy]);
}

#[test]
fn completes_that_are_refused_for_long_are_made_again() {
    let busy = Fault::Refuse(Refusal::SlowDown);
    outlives(
        &[Operation::CompleteMultipartUpload],
        Source::large(),
        1..=5,
        &[busy],
    );
}

#[test]
fn lost_requests_are_made_again() {
    let faults = [When::BeforeBody, When::AfterBody].map(Fault::Reset);
    outlives(&OF_ONE, Source::small(), ONCE, &faults);
    outlives(&OF_MORE[2..5], Source::large(), ONCE, &faults);
}

#[test]
fn lost_answers_to_what_can_be_repeated_do_no_harm() {
    let lost = Fault::Reset(When::AfterCommit);
    outlives(&OF_ONE, Source::small(), ONCE, &[lost]);
    outlives(&[Operation::UploadPart], Source::large(), ONCE, &[lost]);
}

#[test]
fn a_lost_answer_to_a_complete_is_found_out() {
    let lost = [
        Fault::Reset(When::AfterCommit),
        Fault::Stall(When::AfterCommit),
    ];
    outlives(
        &[Operation::CompleteMultipartUpload],
        Source::large(),
        ONCE,
        &lost,
    );
}

#[test]
fn a_lost_answer_to_a_complete_that_can_be_repeated_does_no_harm() {
    let lost = Fault::Reset(When::AfterCommit);
    let faults = with(Operation::CompleteMultipartUpload, ONCE, lost).repeatable_completes();
    let ended = pushed(Source::large(), faults);
    ended.is_registered(Source::large(), "repeated");
}

/// The upload that was begun unheard may as well be another push's: it is told, and left alone.
#[test]
fn a_lost_answer_to_a_create_is_told() {
    let lost = Fault::Reset(When::AfterCommit);
    let faults = with(Operation::CreateMultipartUpload, ONCE, lost);
    let ended = pushed(Source::large(), faults);
    assert!(ended.pushed.is_ok(), "{:?}", ended.pushed);
    let [unheard] = &ended.open[..] else {
        panic!("{:?}", ended.open);
    };
    let mut notes = ended.notes.iter();
    assert!(
        notes.any(|note| note.contains(unheard)),
        "{:?}",
        ended.notes
    );
}

/// The object that is in the way is our own.
#[test]
fn a_lost_answer_to_a_put_that_keeps_what_is_there_is_found_out() {
    let lost = Fault::Reset(When::AfterCommit);
    for (source, operation) in [
        (Source::small(), Operation::PutObject),
        (Source::large(), Operation::CompleteMultipartUpload),
    ] {
        let faults = with(operation, ONCE, lost);
        let ended = pushed_with(source, faults, |rig| rig.options.no_overwrite = true);
        ended.is_registered(source, operation.name());
    }
}

#[test]
fn stalls_are_given_up_and_made_again() {
    let stalls = [When::BeforeBody, When::AfterBody].map(Fault::Stall);
    let since = Instant::now();
    outlives(&OF_ONE, Source::small(), ONCE, &stalls);
    outlives(&OF_MORE[2..5], Source::large(), ONCE, &stalls);
    let lost = [Fault::Stall(When::AfterCommit)];
    outlives(&OF_ONE[2..], Source::small(), ONCE, &lost);
    outlives(&[Operation::UploadPart], Source::large(), ONCE, &lost);
    assert!(since.elapsed() < Duration::from_secs(240));
}

#[test]
fn slow_bodies_are_waited_for() {
    outlives(&OF_ONE[2..], Source::small(), ONCE, &[Fault::Slow(50_000)]);
    outlives(
        &[Operation::UploadPart],
        Source::large(),
        ONCE,
        &[Fault::Slow(8_000_000)],
    );
}

#[test]
fn bytes_that_change_on_their_way_are_sent_again() {
    outlives(
        &[Operation::PutObject],
        Source::small(),
        ONCE,
        &[Fault::Corrupt],
    );
    outlives(
        &[Operation::UploadPart],
        Source::large(),
        1..=2,
        &[Fault::Corrupt],
    );
}

#[test]
fn bytes_that_always_change_are_not_stored() {
    for (source, operation) in [
        (Source::small(), Operation::PutObject),
        (Source::large(), Operation::UploadPart),
    ] {
        let ended = pushed(source, with(operation, .., Fault::Corrupt));
        let said = ended.is_clean_failure(operation.name());
        assert!(said.contains("(BadDigest)"), "{said}");
    }
}

#[test]
fn an_error_inside_a_success_is_an_error() {
    let complete = Operation::CompleteMultipartUpload;
    let passing = Fault::RefuseInside(Refusal::InternalError);
    outlives(&[complete], Source::large(), ONCE, &[passing]);
    let ended = pushed(Source::large(), with(complete, .., passing));
    let said = ended.is_clean_failure("for ever");
    assert!(said.contains("(InternalError)"), "{said}");
}

/// Whatever goes on for ever, at whatever operation.
#[test]
fn what_does_not_pass_ends_the_push_and_leaves_nothing() {
    for refusal in [
        Refusal::InternalError,
        Refusal::AccessDenied,
        Refusal::SlowDown,
    ] {
        let fault = Fault::Refuse(refusal);
        for (source, operations) in [
            (Source::small(), &[Operation::PutObject][..]),
            (Source::large(), &OF_MORE[2..5]),
        ] {
            for operation in operations {
                let ended = pushed(source, with(*operation, .., fault));
                let said = ended.is_clean_failure(&format!("{operation}: {refusal:?}"));
                let expected = format!("({}) when calling the {operation}", fault.name());
                assert!(said.contains(&expected), "{said}");
                assert!(said.starts_with("Failed to upload '"), "{said}");
            }
        }
    }
}

#[test]
fn connections_that_always_end_end_the_push_and_leave_nothing() {
    let reset = Fault::Reset(When::AfterBody);
    for (source, operations) in [
        (Source::small(), &[Operation::PutObject][..]),
        (Source::large(), &OF_MORE[2..4]),
    ] {
        for operation in operations {
            let ended = pushed(source, with(*operation, .., reset));
            let said = ended.is_clean_failure(operation.name());
            assert!(
                said.contains(&format!("no answer to {operation}")),
                "{said}"
            );
        }
    }
}

#[test]
fn what_is_stored_and_not_registered_is_told() {
    for refusal in [
        Refusal::Throttling,
        Refusal::InternalError,
        Refusal::AccessDenied,
    ] {
        let register = Operation::RegisterApplicationRevision;
        let ended = pushed(Source::small(), with(register, .., Fault::Refuse(refusal)));
        let Err(Error::Register { revision, .. }) = &ended.pushed else {
            panic!("{refusal:?}: {:?}", ended.pushed);
        };
        assert_eq!(revision.location, Rig::location());
        assert!(ended.object.as_ref() == Some(&Source::small().packed));
        assert_eq!((ended.revisions.len(), ended.open.len()), (0, 0));
    }
}

#[test]
fn somebody_elses_writes_are_conflicts() {
    for (source, operation) in [
        (Source::small(), Operation::PutObject),
        (Source::large(), Operation::CompleteMultipartUpload),
    ] {
        // It may pass.
        for refusal in [
            Refusal::OperationAborted,
            Refusal::ConditionalRequestConflict,
        ] {
            let what = format!("{operation}: {refusal:?}");
            let ended = pushed(source, with(operation, ONCE, Fault::Refuse(refusal)));
            if ended.pushed.is_ok() {
                ended.is_registered(source, &what);
            } else {
                let said = ended.is_clean_failure(&what);
                assert!(said.contains(&format!("({refusal:?})")), "{said}");
            }
        }
        // It will not.
        let exists = Fault::Refuse(Refusal::PreconditionFailed);
        let ended = pushed(source, with(operation, .., exists));
        let said = ended.is_clean_failure(operation.name());
        assert!(said.contains("(PreconditionFailed)"), "{said}");
    }
}

#[test]
fn an_upload_that_somebody_aborted_is_a_failure_and_not_a_leftover() {
    let gone = Fault::Refuse(Refusal::NoSuchUpload);
    let faults =
        with(Operation::UploadPart, 2.., gone).on(Operation::AbortMultipartUpload, .., gone);
    let ended = pushed(Source::large(), faults);
    let error = ended.pushed.unwrap_err();
    assert!(error.to_string().contains("(NoSuchUpload)"), "{error}");
    assert!(error.left().is_none(), "{error:?}");
}

/// Pushes so that it fails with AccessDenied at its last part, and is aborted under `fault`.
fn aborted_under(numbers: impl RangeBounds<u64>, fault: Fault) -> Ended {
    let denied = Fault::Refuse(Refusal::AccessDenied);
    let faults = with(Operation::UploadPart, 2.., denied).on(
        Operation::AbortMultipartUpload,
        numbers,
        fault,
    );
    pushed(Source::large(), faults)
}

#[test]
fn an_abort_is_made_again() {
    for fault in [
        Fault::Refuse(Refusal::SlowDown),
        Fault::Refuse(Refusal::InternalError),
        Fault::Reset(When::BeforeBody),
        Fault::Stall(When::AfterBody),
    ] {
        let said = aborted_under(ONCE, fault).is_clean_failure(fault.name());
        assert!(said.contains("(AccessDenied)"), "{said}");
    }
}

#[test]
fn a_lost_answer_to_an_abort_leaves_nothing_and_says_nothing_else() {
    for fault in [
        Fault::Reset(When::AfterCommit),
        Fault::Stall(When::AfterCommit),
    ] {
        let said = aborted_under(ONCE, fault).is_clean_failure(fault.name());
        assert!(said.contains("(AccessDenied)"), "{said}");
    }
}

#[test]
fn what_cannot_be_aborted_is_told_after_the_cause() {
    for fault in [
        Fault::Refuse(Refusal::AccessDenied),
        Fault::Refuse(Refusal::InternalError),
        Fault::Reset(When::BeforeBody),
        Fault::Stall(When::BeforeBody),
    ] {
        let said = aborted_under(.., fault).is_told_failure(fault.name());
        assert!(
            said.contains("(AccessDenied) when calling the UploadPart"),
            "{said}"
        );
    }
}

#[test]
fn expired_credentials_that_nobody_renews_end_the_push() {
    for after in 0..5 {
        let faults = Faults::new();
        faults.expire(KEY_ID, after);
        let ended = pushed(Source::large(), faults);
        let what = format!("after {after} requests");
        // Nor can it be aborted with them.
        let said = if ended.open.is_empty() {
            ended.is_clean_failure(&what)
        } else {
            ended.is_told_failure(&what)
        };
        assert!(said.contains("ExpiredToken"), "{what}: {said}");
    }
}

/// `hoist push` with a program that gives credentials, each time others.
#[test]
fn expired_credentials_are_renewed() {
    let home = Tree::new();
    home.file(
        "keys",
        "#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit\necho >>asked\nn=$(wc -l <asked | tr -d ' ')\n\
         echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKID$n\\\",\
         \\\"SecretAccessKey\\\":\\\"s\\\",\\\"SessionToken\\\":\\\"t\\\",\
         \\\"Expiration\\\":\\\"2999-01-01T00:00:00Z\\\"}\"\n",
    )
    .mode("keys", 0o755);
    let process = home.path().join("keys").display().to_string();
    home.file(
        "config",
        format!("[default]\ncredential_process = {process}\n"),
    );
    let faults = Faults::new();
    faults.expire("AKID1", 4);
    let watched = faults.clone();
    let (output, ended) = run_there(async move {
        let rig = Rig::start(faults).await;
        let mut command = rig.command(Source::large());
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_CONFIG_FILE", home.path().join("config"));
        let output = spawn_blocking(move || run(&mut command)).await.unwrap();
        let ended = (rig.revisions().len(), rig.endpoint.open_uploads().len());
        rig.end().await;
        (output, ended)
    });
    assert_eq!(ended, (1, 0), "{output:?}");
    let keys: BTreeSet<_> = watched
        .requests()
        .into_iter()
        .filter_map(|seen| seen.key_id)
        .collect();
    assert_eq!(
        keys,
        BTreeSet::from(["AKID1".to_owned(), "AKID2".to_owned()])
    );
}

/// `hoist push` says what broke it first, then what is left, and how to remove it.
#[test]
fn the_command_tells_what_is_left_and_how_to_remove_it() {
    let (output, left) = run_there(async {
        let faults = allowed(&LEAST).on(
            Operation::UploadPart,
            2..,
            Fault::Refuse(Refusal::OperationAborted),
        );
        let rig = Rig::start(faults).await;
        let mut command = rig.command(Source::large());
        command.args(["--max-attempts", "1"]);
        let output = spawn_blocking(move || run_failing(&mut command, 255))
            .await
            .unwrap();
        let left = rig.endpoint.open_uploads();
        rig.end().await;
        (output, left)
    });
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains("note: "))
        .collect();
    assert!(
        lines[0].contains("(OperationAborted) when calling the UploadPart"),
        "{said}"
    );
    let command = format!(
        "run: aws s3api abort-multipart-upload --bucket bucket --key dir/key.zip --upload-id {}",
        left[0]
    );
    assert!(lines[1].contains("s3:AbortMultipartUpload"), "{said}");
    assert!(lines[1].ends_with(&command), "{said}");
    assert_eq!((lines.len(), left.len()), (2, 1), "{said}");
}

#[test]
fn a_wrong_clock_is_found_out() {
    let hour = Duration::from_secs(3600);
    for faults in [
        Faults::new().clock_ahead(hour),
        Faults::new().clock_behind(hour),
    ] {
        for source in [Source::small(), Source::large()] {
            pushed(source, faults.clone()).is_registered(source, &format!("{faults:?}"));
        }
    }
}

#[test]
fn an_object_that_arrives_otherwise_is_not_verified() {
    run_there(async {
        let rig = Rig::start(Faults::new()).await;
        rig.push(Source::large())
            .await
            .is_registered(Source::large(), "untroubled");
        assert!(rig.verify().await.unwrap().is_whole());
        let reads = rig.faults.count(Operation::GetObject);
        assert!(reads > 2, "{reads}");
        rig.end().await;

        for read in 1..=reads {
            let faults = with(Operation::GetObject, read..=read, Fault::CorruptAnswer);
            let rig = Rig::start(faults).await;
            rig.push(Source::large())
                .await
                .is_registered(Source::large(), "pushing reads nothing");
            let report = rig.verify().await;
            // The first one only looks for the end; what it finds is read again.
            let altered = report.is_ok_and(|report| !report.is_whole());
            assert!(altered || read == 1, "read {read}");
            rig.end().await;

            // Whoever asks again may get it whole.
            let faults = with(Operation::GetObject, read..=read, Fault::Truncate(100));
            let rig = Rig::start(faults).await;
            rig.push(Source::large())
                .await
                .is_registered(Source::large(), "pushing reads nothing");
            let report = rig.verify().await;
            let asked = rig.faults.count(Operation::GetObject);
            assert!(report.is_err() || asked > reads, "read {read}: {report:?}");
            rig.end().await;
        }
    });
}

#[test]
fn cancelling_a_push_that_hangs_leaves_nothing() {
    for operation in OF_MORE[2..5].iter().copied() {
        let stall = Fault::Stall(When::BeforeBody);
        run_there(async move {
            let rig = Rig::start(with(operation, .., stall)).await;
            let cancel = hoist::cancel::Cancel::new();
            let cancelling = async {
                while rig.faults.count(operation) == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                cancel.cancel();
            };
            let (ended, ()) = tokio::join!(rig.push_within(Source::large(), &cancel), cancelling);
            let stopped = matches!(ended.pushed, Err(Error::Stopped { .. }));
            assert!(stopped, "{operation}: {:?}", ended.pushed);
            ended.is_clean_failure(operation.name());
            rig.end().await;
        });
    }
}

// What a push may do, and what it does without.

const LEAST: [Action; 2] = [Action::PutObject, Action::RegisterApplicationRevision];

fn allowed(actions: &[Action]) -> Faults {
    let faults = Faults::new();
    faults.allow(actions.iter().copied());
    faults
}

#[test]
fn two_permissions_are_enough() {
    for source in [Source::small(), Source::large()] {
        let ended = pushed(source, allowed(&LEAST));
        ended.is_registered(source, "least privilege");
        assert!(!ended.notes.is_empty(), "what was left out is noted");
    }
}

#[test]
fn each_of_them_is_necessary() {
    for source in [Source::small(), Source::large()] {
        let ended = pushed(source, allowed(&LEAST[1..]));
        let said = ended.is_clean_failure("without s3:PutObject");
        assert!(
            said.contains("(AccessDenied)") && said.contains("s3:PutObject"),
            "{said}"
        );

        let ended = pushed(source, allowed(&LEAST[..1]));
        let error = ended.pushed.as_ref().unwrap_err();
        assert!(matches!(error, Error::Register { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.contains("codedeploy:RegisterApplicationRevision"),
            "{said}"
        );
        assert_eq!((ended.revisions.len(), ended.open.len()), (0, 0));
    }
}

#[test]
fn what_is_allowed_besides_takes_a_note_away() {
    let notes = |more: &[Action]| {
        let actions = [&LEAST[..], more].concat();
        let ended = pushed(Source::small(), allowed(&actions));
        ended.is_registered(Source::small(), &format!("{more:?}"));
        ended.notes
    };
    let least = notes(&[]);
    let with_application = notes(&[Action::GetApplication]);
    let with_both = notes(&[Action::GetApplication, Action::ListBucket]);
    assert!(
        least
            .iter()
            .any(|note| note.contains("codedeploy:GetApplication")),
        "{least:?}"
    );
    let about_it = |note: &&String| note.contains("codedeploy:GetApplication");
    assert_eq!(with_application.iter().filter(about_it).count(), 0);
    assert_eq!(with_both, [""; 0]);
}

#[test]
fn without_the_permission_to_abort_a_failure_tells_what_is_left() {
    let faults = allowed(&LEAST).on(
        Operation::UploadPart,
        2..,
        Fault::Refuse(Refusal::ServiceUnavailable),
    );
    let ended = pushed(Source::large(), faults);
    let said = ended.is_told_failure("without s3:AbortMultipartUpload");
    assert!(said.contains("(ServiceUnavailable)"), "{said}");
    let error = ended.pushed.unwrap_err();
    let left = error.left().unwrap();
    assert!(left.reason.contains("s3:AbortMultipartUpload"), "{left}");
    let Error::Upload { error, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(error.cause, Cause::Store(_)), "{error}");
}

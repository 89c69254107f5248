//! A push under each fault, once and every time: it ends registered, with the bytes that `pack` makes, or
//! it fails, says why, and leaves nothing.

mod command;

use std::ops::{RangeBounds, RangeFull, RangeInclusive};
use std::time::Duration;

use hoist::endpoint::faults::{Action, Fault, Faults, Operation, Refusal, When};
use hoist::push::Error;
use hoist::transfer::Cause;

use crate::rig::{Ended, KEY_ID, Rig, Source, run_there};

const ONCE: RangeInclusive<u64> = 1..=1;
const EVERY_TIME: RangeFull = ..;

/// The operations of a push of one part, in order.
const OF_ONE: [Operation; 4] = [
    Operation::HeadBucket,
    Operation::GetApplication,
    Operation::PutObject,
    Operation::RegisterApplicationRevision,
];
/// The operations of an upload of more parts, in order.
const OF_MORE: [Operation; 3] = [
    Operation::CreateMultipartUpload,
    Operation::UploadPart,
    Operation::CompleteMultipartUpload,
];

/// What stores an object of one part, and what finishes one of more parts.
fn storing() -> [(&'static Source, Operation); 2] {
    [
        (Source::small(), Operation::PutObject),
        (Source::large(), Operation::CompleteMultipartUpload),
    ]
}

/// What sends the bytes of an object of one part, and of one of more parts.
fn sending() -> [(&'static Source, Operation); 2] {
    [
        (Source::small(), Operation::PutObject),
        (Source::large(), Operation::UploadPart),
    ]
}

/// A push, its name in an assertion, and the faults that it meets.
struct Case {
    what: String,
    source: &'static Source,
    faults: Faults,
    no_overwrite: bool,
}

fn case(
    source: &'static Source,
    operation: Operation,
    numbers: impl RangeBounds<u64>,
    fault: Fault,
) -> Case {
    let what = format!("{operation}: {}", fault.name());
    let faults = Faults::new().on(operation, numbers, fault);
    Case::new(what, source, faults)
}

impl Case {
    fn new(what: impl Into<String>, source: &'static Source, faults: Faults) -> Self {
        Self {
            what: what.into(),
            source,
            faults,
            no_overwrite: false,
        }
    }

    fn on(mut self, operation: Operation, numbers: impl RangeBounds<u64>, fault: Fault) -> Self {
        self.faults = self.faults.on(operation, numbers, fault);
        self
    }

    fn no_overwrite(mut self) -> Self {
        self.no_overwrite = true;
        self
    }

    async fn run(self) -> (String, &'static Source, Ended) {
        let mut rig = Rig::start(self.faults).await;
        rig.options.no_overwrite = self.no_overwrite;
        let ended = rig.push(self.source).await;
        rig.end().await;
        (self.what, self.source, ended)
    }
}

/// Runs all pushes at the same time, since many of them wait.
fn pushed(cases: impl IntoIterator<Item = Case>) -> Vec<(String, &'static Source, Ended)> {
    let cases: Vec<Case> = cases.into_iter().collect();
    run_there(async { futures_util::future::join_all(cases.into_iter().map(Case::run)).await })
}

fn pushed_one(case: Case) -> Ended {
    pushed([case]).remove(0).2
}

/// All of them end registered.
#[track_caller]
fn assert_registered(cases: impl IntoIterator<Item = Case>) {
    for (what, source, ended) in pushed(cases) {
        ended.is_registered(source, &what);
    }
}

/// All of them fail, leave nothing, and say this.
#[track_caller]
fn assert_clean_failures(cases: impl IntoIterator<Item = Case>, expected: &str) {
    for (what, _, ended) in pushed(cases) {
        let said = ended.is_clean_failure(&what);
        assert!(said.contains(expected), "{what}: {said}");
    }
}

/// Each of `faults` at each of `operations`.
fn each(
    operations: &[Operation],
    source: &'static Source,
    numbers: impl RangeBounds<u64> + Clone,
    faults: &[Fault],
) -> Vec<Case> {
    let pairs = operations.iter().flat_map(|operation| {
        let faults = faults.iter();
        faults.map(|fault| (*operation, *fault))
    });
    let cases = pairs.map(|(operation, fault)| case(source, operation, numbers.clone(), fault));
    cases.collect()
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
    assert_registered(each(&OF_ONE, Source::small(), ONCE, &faults));
    assert_registered(each(&OF_MORE, Source::large(), ONCE, &faults));
}

/// There are more of them than the SDK tries by itself.
#[test]
fn many_errors_in_a_row_are_outlived() {
    let busy = Fault::Refuse(Refusal::SlowDown);
    let throttled = Fault::Refuse(Refusal::Throttling);
    let (small, large) = (Source::small(), Source::large());
    assert_registered([
        case(small, Operation::PutObject, 1..=7, busy),
        case(
            small,
            Operation::RegisterApplicationRevision,
            1..=2,
            throttled,
        ),
        case(
            small,
            Operation::RegisterApplicationRevision,
            1..=5,
            throttled,
        ),
        case(large, Operation::CreateMultipartUpload, 1..=7, busy),
        case(large, Operation::UploadPart, 1..=7, busy),
        case(large, Operation::CompleteMultipartUpload, 1..=5, busy),
    ]);
}

#[test]
fn lost_requests_are_sent_again() {
    let faults = [When::BeforeBody, When::AfterBody].map(Fault::Reset);
    assert_registered(each(&OF_ONE, Source::small(), ONCE, &faults));
    assert_registered(each(&OF_MORE, Source::large(), ONCE, &faults));
}

#[test]
fn lost_answers_to_requests_that_can_be_repeated_do_no_harm() {
    let lost = [Fault::Reset(When::AfterCommit)];
    let mut cases = each(&OF_ONE, Source::small(), ONCE, &lost);
    cases.extend(each(&[Operation::UploadPart], Source::large(), ONCE, &lost));
    assert_registered(cases);
}

#[test]
fn a_lost_answer_to_a_complete_is_found_out() {
    let complete = Operation::CompleteMultipartUpload;
    let lost = [Fault::Reset, Fault::Stall].map(|fault| fault(When::AfterCommit));
    let mut cases = each(&[complete], Source::large(), ONCE, &lost);
    // A store that answers a repeated Complete as the first leaves nothing to find out.
    let faults = Faults::new().repeatable_completes();
    cases.push(Case::new("repeated", Source::large(), faults).on(complete, ONCE, lost[0]));
    assert_registered(cases);
}

/// The upload that was begun without an answer may be another push's: it is named, and left alone.
#[test]
fn a_lost_answer_to_a_create_names_the_upload_that_may_be_left() {
    let lost = Fault::Reset(When::AfterCommit);
    let create = Operation::CreateMultipartUpload;
    let ended = pushed_one(case(Source::large(), create, ONCE, lost));
    assert!(ended.pushed.is_ok(), "{:?}", ended.pushed);
    let [unanswered] = &ended.open[..] else {
        panic!("{:?}", ended.open);
    };
    let mut notes = ended.notes.iter();
    let is_named = notes.any(|note| note.contains(unanswered));
    assert!(is_named, "{:?}", ended.notes);
}

/// The object that is in the way is our own.
#[test]
fn a_lost_answer_to_a_write_that_keeps_existing_objects_is_found_out() {
    let lost = Fault::Reset(When::AfterCommit);
    let cases = storing().map(|(source, operation)| case(source, operation, ONCE, lost));
    assert_registered(cases.map(Case::no_overwrite));
}

#[test]
fn requests_without_an_answer_are_given_up_and_sent_again() {
    let stalls = [When::BeforeBody, When::AfterBody].map(Fault::Stall);
    let lost = [Fault::Stall(When::AfterCommit)];
    let (small, large) = (Source::small(), Source::large());
    let mut cases = each(&OF_ONE, small, ONCE, &stalls);
    cases.extend(each(&OF_ONE[2..], small, ONCE, &lost));
    assert_registered(cases);
    let mut cases = each(&OF_MORE, large, ONCE, &stalls);
    cases.extend(each(&[Operation::UploadPart], large, ONCE, &lost));
    assert_registered(cases);
}

#[test]
fn slow_bodies_are_waited_for() {
    let mut cases = each(&OF_ONE[2..], Source::small(), ONCE, &[Fault::Slow(50_000)]);
    let slow = Fault::Slow(16_000_000);
    cases.push(case(Source::large(), Operation::UploadPart, ONCE, slow));
    assert_registered(cases);
}

#[test]
fn bytes_that_change_on_their_way_are_sent_again() {
    assert_registered([
        case(Source::small(), Operation::PutObject, ONCE, Fault::Corrupt),
        case(
            Source::large(),
            Operation::UploadPart,
            1..=2,
            Fault::Corrupt,
        ),
    ]);
}

#[test]
fn bytes_that_always_change_are_not_stored() {
    let changed = |(source, operation)| case(source, operation, EVERY_TIME, Fault::Corrupt);
    assert_clean_failures(sending().map(changed), "(BadDigest)");
}

#[test]
fn an_error_inside_a_success_is_an_error() {
    let complete = Operation::CompleteMultipartUpload;
    let error = Fault::RefuseInside(Refusal::InternalError);
    assert_registered([case(Source::large(), complete, ONCE, error)]);
    let always = case(Source::large(), complete, EVERY_TIME, error);
    assert_clean_failures([always], "(InternalError)");
}

#[test]
fn an_error_that_does_not_pass_ends_the_push_and_leaves_nothing() {
    for refusal in [
        Refusal::InternalError,
        Refusal::AccessDenied,
        Refusal::SlowDown,
    ] {
        let fault = Fault::Refuse(refusal);
        for (source, operations) in [
            (Source::small(), &[Operation::PutObject][..]),
            (Source::large(), &OF_MORE),
        ] {
            for (what, _, ended) in pushed(each(operations, source, EVERY_TIME, &[fault])) {
                let said = ended.is_clean_failure(&what);
                let (operation, _) = what.split_once(':').unwrap();
                let expected = format!("({}) when calling the {operation}", fault.name());
                assert!(said.contains(&expected), "{said}");
                assert!(said.starts_with("Failed to upload '"), "{said}");
            }
        }
    }
}

#[test]
fn connections_that_are_always_reset_end_the_push_and_leave_nothing() {
    let reset = Fault::Reset(When::AfterBody);
    for (source, operation) in [
        (Source::small(), Operation::PutObject),
        (Source::large(), Operation::CreateMultipartUpload),
        (Source::large(), Operation::UploadPart),
    ] {
        let expected = format!("no answer to {operation}");
        assert_clean_failures([case(source, operation, EVERY_TIME, reset)], &expected);
    }
}

#[test]
fn an_object_that_is_stored_and_cannot_be_registered_is_named() {
    let register = Operation::RegisterApplicationRevision;
    let refusals = [
        Refusal::Throttling,
        Refusal::InternalError,
        Refusal::AccessDenied,
    ];
    let cases = each(
        &[register],
        Source::small(),
        EVERY_TIME,
        &refusals.map(Fault::Refuse),
    );
    for (what, source, ended) in pushed(cases) {
        let Err(Error::Register { revision, .. }) = &ended.pushed else {
            panic!("{what}: {:?}", ended.pushed);
        };
        assert_eq!(revision.location, Rig::location());
        assert!(ended.object.as_ref() == Some(&source.packed));
        assert_eq!((ended.revisions.len(), ended.open.len()), (0, 0));
    }
}

#[test]
fn a_conflict_with_another_write_is_outlived_or_named() {
    let conflicts = [
        Refusal::OperationAborted,
        Refusal::ConditionalRequestConflict,
    ];
    for (source, operation) in storing() {
        for (refusal, (what, _, ended)) in conflicts.iter().zip(pushed(each(
            &[operation],
            source,
            ONCE,
            &conflicts.map(Fault::Refuse),
        ))) {
            if ended.pushed.is_ok() {
                ended.is_registered(source, &what);
            } else {
                let said = ended.is_clean_failure(&what);
                assert!(said.contains(&format!("({refusal:?})")), "{said}");
            }
        }
    }
    let exists = Fault::Refuse(Refusal::PreconditionFailed);
    let cases = storing().map(|(source, operation)| case(source, operation, EVERY_TIME, exists));
    assert_clean_failures(cases, "(PreconditionFailed)");
}

#[test]
fn an_upload_that_another_program_aborted_is_a_failure_and_not_a_leftover() {
    let gone = Fault::Refuse(Refusal::NoSuchUpload);
    let case = case(Source::large(), Operation::UploadPart, 2.., gone);
    let ended = pushed_one(case.on(Operation::AbortMultipartUpload, EVERY_TIME, gone));
    let error = ended.pushed.unwrap_err();
    assert!(error.to_string().contains("(NoSuchUpload)"), "{error}");
    assert!(error.left().is_none(), "{error:?}");
}

/// A push that fails with AccessDenied at its last part, and is aborted under `fault`.
fn aborted_under(numbers: impl RangeBounds<u64>, fault: Fault) -> Case {
    let denied = Fault::Refuse(Refusal::AccessDenied);
    let mut case = case(Source::large(), Operation::UploadPart, 2.., denied);
    case.what = format!("abort: {}", fault.name());
    case.on(Operation::AbortMultipartUpload, numbers, fault)
}

#[test]
fn an_abort_that_fails_or_whose_answer_is_lost_is_sent_again() {
    let faults = [
        Fault::Refuse(Refusal::SlowDown),
        Fault::Refuse(Refusal::InternalError),
        Fault::Reset(When::BeforeBody),
        Fault::Reset(When::AfterCommit),
        Fault::Stall(When::AfterBody),
        Fault::Stall(When::AfterCommit),
    ];
    let cases = faults.map(|fault| aborted_under(ONCE, fault));
    assert_clean_failures(cases, "(AccessDenied)");
}

#[test]
fn an_upload_that_cannot_be_aborted_is_named_after_the_cause() {
    let faults = [
        Fault::Refuse(Refusal::AccessDenied),
        Fault::Refuse(Refusal::InternalError),
        Fault::Reset(When::BeforeBody),
        Fault::Stall(When::BeforeBody),
    ];
    for (what, _, ended) in pushed(faults.map(|fault| aborted_under(EVERY_TIME, fault))) {
        let said = ended.is_failure_with_leftover(&what);
        let cause = "(AccessDenied) when calling the UploadPart";
        assert!(said.contains(cause), "{what}: {said}");
    }
}

#[test]
fn expired_credentials_that_are_not_renewed_end_the_push() {
    let cases = (0..5).map(|after| {
        let faults = Faults::new();
        faults.expire(KEY_ID, after);
        Case::new(format!("after {after} requests"), Source::large(), faults)
    });
    for (what, _, ended) in pushed(cases) {
        // The upload cannot be aborted with them either.
        let said = if ended.open.is_empty() {
            ended.is_clean_failure(&what)
        } else {
            ended.is_failure_with_leftover(&what)
        };
        assert!(said.contains("ExpiredToken"), "{what}: {said}");
    }
}

#[test]
fn a_wrong_clock_is_found_out_and_allowed_for() {
    let hour = Duration::from_secs(3600);
    let cases = [Source::small(), Source::large()].map(|source| {
        [
            Case::new("ahead", source, Faults::new().clock_ahead(hour)),
            Case::new("behind", source, Faults::new().clock_behind(hour)),
        ]
    });
    assert_registered(cases.into_iter().flatten());
}

#[test]
fn an_object_that_arrives_changed_or_cut_short_is_not_verified() {
    run_there(async {
        let rig = Rig::start(Faults::new()).await;
        let ended = rig.push(Source::large()).await;
        ended.is_registered(Source::large(), "without a fault");
        assert!(rig.verify().await.unwrap().is_whole());
        let reads = rig.faults.count(Operation::GetObject);
        assert!(reads > 2, "{reads}");

        for read in 1..=reads {
            for fault in [Fault::CorruptAnswer, Fault::Truncate(100)] {
                rig.faults.heal();
                let before = rig.faults.count(Operation::GetObject);
                let number = before + read;
                let faults = rig.faults.clone();
                drop(faults.on(Operation::GetObject, number..=number, fault));
                let report = rig.verify().await;
                let asked = rig.faults.count(Operation::GetObject) - before;
                let what = format!("read {read}: {}: {report:?}", fault.name());
                if fault == Fault::CorruptAnswer {
                    // The first read only looks for the end records, which are read again.
                    let found = report.is_ok_and(|report| !report.is_whole());
                    assert!(found || read == 1, "{what}");
                } else {
                    // What is read again may come whole.
                    assert!(report.is_err() || asked > reads, "{what}");
                }
            }
        }
        rig.end().await;
    });
}

#[test]
fn a_push_that_is_cancelled_while_it_waits_leaves_nothing() {
    for operation in OF_MORE {
        let stall = Fault::Stall(When::BeforeBody);
        let faults = Faults::new().on(operation, EVERY_TIME, stall);
        run_there(async move {
            let rig = Rig::start(faults).await;
            let cancel = hoist::cancel::Cancel::new();
            let cancelling = async {
                while rig.faults.count(operation) == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                cancel.cancel();
            };
            let pushing = rig.push_within(Source::large(), &cancel);
            let (ended, ()) = tokio::join!(pushing, cancelling);
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
fn each_of_the_two_necessary_permissions_is_named_when_it_is_missing() {
    for source in [Source::small(), Source::large()] {
        let ended = pushed_one(Case::new("least", source, allowed(&LEAST)));
        ended.is_registered(source, "with the least privilege");

        let case = Case::new("without s3:PutObject", source, allowed(&LEAST[1..]));
        let said = pushed_one(case).is_clean_failure("without s3:PutObject");
        assert!(said.contains("(AccessDenied)"), "{said}");
        assert!(said.contains("s3:PutObject"), "{said}");

        let ended = pushed_one(Case::new("", source, allowed(&LEAST[..1])));
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
fn without_the_permission_to_abort_a_failure_names_the_upload_that_is_left() {
    let busy = Fault::Refuse(Refusal::ServiceUnavailable);
    let what = "without s3:AbortMultipartUpload";
    let case = Case::new(what, Source::large(), allowed(&LEAST));
    let ended = pushed_one(case.on(Operation::UploadPart, 2.., busy));
    let said = ended.is_failure_with_leftover(what);
    assert!(said.contains("(ServiceUnavailable)"), "{said}");
    let error = ended.pushed.unwrap_err();
    let left = error.left().unwrap();
    assert!(left.reason.contains("s3:AbortMultipartUpload"), "{left}");
    let Error::Upload { error, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(error.cause, Cause::Store(_)), "{error}");
}

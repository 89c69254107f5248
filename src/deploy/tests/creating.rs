use super::super::ask::{Asker, Deadline};
use super::super::create;
use super::super::fake::{Trouble, deployment, lasting};
use super::super::pace::Pace;
use super::*;

fn if_active(if_active: IfActive) -> Conduct {
    Conduct {
        if_active,
        ..Conduct::default()
    }
}

const ID: &str = "d-000000001";

#[tokio::test(start_paused = true)]
async fn a_deployment_whose_answer_was_lost_is_found_and_not_created_twice() {
    let service = Fake::new(lasting(secs(600))).with("CreateDeployment", [Trouble::Lost]);
    let (outcome, events) = deploy(&service, &Conduct::default()).await;
    assert_eq!(outcome, Outcome::Created(ID.into()));
    assert_eq!(told(&events), [format!("created {ID} found=true")]);
    assert_eq!(service.asked("CreateDeployment"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_failed_at_once_is_found_too() {
    let script = |_| (deployment(Status::Failed), Vec::new());
    let service = Fake::new(script).with("CreateDeployment", [Trouble::Lost]);
    let (outcome, _) = deploy(&service, &Conduct::default()).await;
    assert_eq!(outcome, Outcome::Created(ID.into()));
    assert_eq!(service.ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_arrived_is_repeated_after_several_looks() {
    let service = Fake::new(lasting(secs(600))).with("CreateDeployment", [Trouble::Gone]);
    let (outcome, _) = deploy(&service, &Conduct::default()).await;
    assert_eq!(outcome, Outcome::Created(ID.into()));
    assert_eq!(service.asked("CreateDeployment"), 2);
    assert_eq!(service.asked("ListDeployments"), 3);
    assert_eq!(service.ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_another_program_is_not_taken_for_the_lost_one() {
    let service = Fake::new(lasting(secs(5))).with("CreateDeployment", [Trouble::Gone]);
    service.begin("group");
    let (outcome, _) = deploy(&service, &Conduct::default()).await;
    assert_eq!(outcome, Outcome::Created("d-000000002".into()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_deployment_that_appears_late_is_taken_when_the_group_is_busy_with_it() {
    // The list does not show it, but the second request says which deployment runs.
    let service = Fake::new(lasting(secs(600)))
        .with("CreateDeployment", [Trouble::Lost])
        .hiding_lists(3);
    let (outcome, events) = deploy(&service, &if_active(IfActive::Fail)).await;
    assert_eq!(outcome, Outcome::Created(ID.into()));
    assert_eq!(told(&events), [format!("created {ID} found=true")]);
    assert_eq!(service.ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_at_most_one_deployment_is_created_and_success_names_it() {
    let (mut good, mut unknown) = (0, 0);
    for seed in 0..2000 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut troubles = |denied: bool| -> Vec<Trouble> {
            let count = dice.usize(0..6);
            let one = |_| match dice.u8(0..6) {
                0 => Trouble::Refused("ThrottlingException"),
                1 => Trouble::Refused("InternalFailure"),
                2 => Trouble::Gone,
                3 if denied => Trouble::Refused("AccessDeniedException"),
                4 => Trouble::Slow(secs(3)),
                _ => Trouble::Lost,
            };
            (0..count).map(one).collect()
        };
        let service = Fake::new(lasting(secs(900)))
            .with("CreateDeployment", troubles(seed % 5 == 0))
            .with("ListDeployments", troubles(seed % 7 == 0))
            .with("GetDeployment", troubles(seed % 11 == 0))
            .hiding_lists(usize::try_from(seed % 5).unwrap());
        let conduct = if_active([IfActive::Fail, IfActive::Wait][usize::from(seed % 2 == 0)]);
        let (outcome, _) = deploy(&service, &conduct).await;
        let ids = service.ids();
        assert!(ids.len() <= 1, "{seed}: {ids:?}");
        match outcome {
            Outcome::Created(id) => {
                assert_eq!(ids, [id], "{seed}");
                good += 1;
            }
            Outcome::Failed(Error::Create { .. }) => assert!(ids.is_empty(), "{seed}"),
            Outcome::Failed(Error::Unconfirmed { .. }) => unknown += 1,
            other => panic!("{seed}: {other:?}"),
        }
    }
    assert!(good > 1500 && unknown > 10, "{good} {unknown}");
}

#[tokio::test(start_paused = true)]
async fn if_deployments_cannot_be_listed_a_lost_answer_is_told_and_not_repeated() {
    let service = Fake::new(lasting(secs(600)))
        .with("CreateDeployment", [Trouble::Lost])
        .always("ListDeployments", Trouble::Refused("AccessDeniedException"));
    let (outcome, _) = deploy(&service, &Conduct::default()).await;
    let error = failed(outcome);
    assert!(matches!(error, Error::Unconfirmed { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("not known whether"), "{text}");
    assert!(text.contains("AccessDeniedException"), "{text}");
    assert_eq!(service.asked("CreateDeployment"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_request_is_repeated_and_makes_one_deployment() {
    let busy = vec![Trouble::Refused("ThrottlingException"); 5];
    let service = Fake::new(lasting(secs(600))).with("CreateDeployment", busy);
    let (outcome, _) = deploy(&service, &Conduct::default()).await;
    assert_eq!(outcome, Outcome::Created(ID.into()));
    assert_eq!(service.asked("CreateDeployment"), 6);
    assert_eq!(service.asked("ListDeployments"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stays_throttled_fails_after_ten_minutes() {
    let busy = Trouble::Refused("ThrottlingException");
    let service = Fake::new(lasting(secs(600))).always("CreateDeployment", busy);
    let (outcome, events) = deploy(&service, &Conduct::default()).await;
    assert!(matches!(failed(outcome), Error::Create { .. }));
    assert!(told(&events).contains(&"unanswered".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_at_once() {
    let refused = Trouble::Refused("RevisionDoesNotExistException");
    let service = Fake::new(lasting(secs(600))).with("CreateDeployment", [refused]);
    let (outcome, _) = deploy(&service, &Conduct::default()).await;
    assert!(matches!(failed(outcome), Error::Create { .. }));
    assert_eq!(service.asked("CreateDeployment"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_active_deployment_is_named() {
    let service = Fake::new(lasting(secs(600)));
    service.begin("group");
    let (outcome, _) = deploy(&service, &if_active(IfActive::Fail)).await;
    let error = failed(outcome);
    assert!(
        matches!(&error, Error::Active { active: Some(id), .. } if id == ID),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_active_deployment_that_is_not_named_is_looked_up() {
    let limit = Trouble::Refused("DeploymentLimitExceededException");
    let service = Fake::new(lasting(secs(600))).with("CreateDeployment", [limit]);
    service.begin("group");
    let (outcome, _) = deploy(&service, &if_active(IfActive::Fail)).await;
    assert!(matches!(failed(outcome), Error::Active { active: Some(id), .. } if id == ID));
}

#[tokio::test(start_paused = true)]
async fn an_active_deployment_is_waited_for_and_so_is_one_that_slips_in() {
    let service = Fake::new(lasting(secs(300)));
    service.begin("group");
    let other = service.clone();
    let slips_in = async move {
        tokio::time::sleep(secs(300)).await;
        other.begin("group");
    };
    let conduct = if_active(IfActive::Wait);
    let ((outcome, events), ()) = tokio::join!(deploy(&service, &conduct), slips_in);
    assert_eq!(outcome, Outcome::Created("d-000000003".into()));
    assert_eq!(
        told(&events),
        [
            "waiting Some(\"d-000000001\")",
            "waiting Some(\"d-000000002\")",
            "created d-000000003 found=false"
        ]
    );
    assert_eq!(service.asked("StopDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_an_active_deployment_has_the_limit() {
    let service = Fake::new(lasting(secs(3600)));
    service.begin("group");
    let conduct = Conduct {
        limit: Some(secs(60)),
        ..if_active(IfActive::Wait)
    };
    let (outcome, _) = deploy(&service, &conduct).await;
    let error = failed(outcome);
    assert!(
        matches!(&error, Error::TimedOut { id: None, .. }),
        "{error:?}"
    );
    assert_eq!(service.ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_active_deployment_is_stopped_and_then_the_new_one_is_created() {
    let service = Fake::new(lasting(secs(3600)));
    service.begin("group");
    let (outcome, events) = deploy(&service, &if_active(IfActive::Stop)).await;
    assert_eq!(outcome, Outcome::Created("d-000000002".into()));
    assert!(service.is_stopped(ID));
    assert_eq!(told(&events)[0], format!("stopping {ID}"));
}

#[tokio::test(start_paused = true)]
async fn an_active_deployment_that_cannot_be_stopped_is_told() {
    let service =
        Fake::new(lasting(secs(3600))).always("StopDeployment", Trouble::Refused("AccessDenied"));
    service.begin("group");
    let (outcome, _) = deploy(&service, &if_active(IfActive::Stop)).await;
    assert!(matches!(failed(outcome), Error::Stop { id, .. } if id == ID));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_during_the_request_waits_for_the_id() {
    let slow = Trouble::Slow(secs(5));
    let service = Fake::new(lasting(secs(600))).with("CreateDeployment", [slow]);
    let cancel = Cancel::new();
    let later = async {
        tokio::time::sleep(secs(1)).await;
        cancel.cancel();
    };
    let plan = creating(&service, request());
    let conduct = waiting();
    let ((outcome, _), ()) = tokio::join!(run_one(plan, &conduct, &cancel), later);
    let (id, stopped) = (Some(ID.to_owned()), None);
    assert_eq!(failed(outcome), Error::Cancelled { id, stopped });
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_without_an_answer_is_not_called_undone() {
    let slow = Trouble::Slow(secs(600));
    let service = Fake::new(lasting(secs(600))).with("CreateDeployment", [slow]);
    let cancel = Cancel::new();
    let later = async {
        tokio::time::sleep(secs(1)).await;
        cancel.cancel();
    };
    let plan = creating(&service, request());
    let conduct = waiting();
    let ((outcome, _), ()) = tokio::join!(run_one(plan, &conduct, &cancel), later);
    let error = failed(outcome);
    assert!(
        matches!(error, Error::Unconfirmed { error: None, .. }),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_after_a_cancellation() {
    let service = Fake::new(lasting(secs(600)));
    let cancel = Cancel::new();
    cancel.cancel();
    let plan = creating(&service, request());
    let (outcome, _) = run_one(plan, &waiting(), &cancel).await;
    assert!(!outcome.is_success());
    assert_eq!(service.asked("CreateDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_if_the_cancellation_comes_before_the_turn() {
    let service = Fake::new(lasting(secs(600)));
    let (pace, cancel) = (Pace::new(), Cancel::new());
    for _ in 0..50 {
        pace.slow_down();
    }
    pace.turn().await;
    let asker = Asker {
        service: &service,
        pace: &pace,
        report: &|_| {},
    };
    let request = request();
    let deadline = Deadline::after(None);
    let creation = create::create(&asker, &request, None, IfActive::Fail, deadline, &cancel);
    let later = async {
        tokio::time::sleep(secs(1)).await;
        cancel.cancel();
    };
    let (created, ()) = tokio::join!(creation, later);
    let (id, stopped) = (None, None);
    assert_eq!(created, Err(Error::Cancelled { id, stopped }));
    tokio::time::sleep(secs(60)).await;
    assert_eq!(service.asked("CreateDeployment"), 0);
}

fn latest() -> Request {
    Request {
        revision: Wanted::Latest(Latest::default()),
        ..request()
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_revision_is_deployed_with_its_etag() {
    let newest = NewestRevision::Object(Box::new(object("newest")));
    let service = Fake::new(lasting(secs(60)))
        .with_newest(newest)
        .with("ListApplicationRevisions", [Trouble::Gone]);
    let plan = creating(&service, latest());
    let (outcome, events) = run_one(plan, &Conduct::default(), &Cancel::new()).await;
    assert_eq!(outcome, Outcome::Created(ID.into()));
    assert_eq!(service.revision_of(ID), Some(object("newest")));
    assert_eq!(events[0], Event::Latest(object("newest")));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deployed_if_the_newest_revision_is_missing_or_not_in_s3() {
    for newest in [NewestRevision::Missing, NewestRevision::Elsewhere] {
        let service = Fake::new(lasting(secs(60))).with_newest(newest);
        let plans = vec![creating(&service, latest()), creating(&service, request())];
        let outcomes = run(
            &[plans],
            &Conduct::default(),
            &|_, _| {},
            &|_, _| {},
            &Cancel::new(),
        )
        .await;
        assert!(matches!(
            outcomes[..],
            [
                Outcome::Failed(Error::NoRevision { .. } | Error::NotInS3 { .. }),
                Outcome::NotBegun
            ]
        ));
        assert_eq!(service.asked("CreateDeployment"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_names_no_revision() {
    let service = Fake::new(lasting(secs(60)));
    let restart = Request {
        revision: Wanted::Deployed,
        ..request()
    };
    let plan = creating(&service, restart);
    let (outcome, _) = run_one(plan, &Conduct::default(), &Cancel::new()).await;
    assert_eq!(outcome, Outcome::Created(ID.into()));
    assert_eq!(service.revision_of(ID), None);
}

use tokio::time::Instant;

use super::super::fake::{Rolling, Trouble, deployment, lasting, rolled_back};
use super::*;

fn rolling(targets: u32, fails: Option<u32>) -> impl Fn(Duration) -> (Deployment, Vec<Target>) {
    let each = secs(50);
    move |age| {
        Rolling {
            targets,
            each,
            fails,
        }
        .at(age)
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_watched_to_its_end_and_each_change_is_reported_in_order() {
    let service = Fake::new(rolling(1, None));
    let (outcome, events) = deploy(&service, &waiting()).await;
    assert!(outcome.is_success());
    let told = told(&events);
    let without_counts: Vec<&str> = told
        .iter()
        .map(String::as_str)
        .filter(|event| *event != "counts")
        .collect();
    assert_eq!(
        without_counts,
        [
            "created d-000000001 found=false",
            "status Created",
            "status InProgress",
            "i-00000 ApplicationStop InProgress",
            "i-00000 InProgress",
            "i-00000 ApplicationStop Succeeded",
            "i-00000 DownloadBundle InProgress",
            "i-00000 DownloadBundle Succeeded",
            "i-00000 BeforeInstall InProgress",
            "i-00000 BeforeInstall Succeeded",
            "i-00000 Install InProgress",
            "i-00000 Install Succeeded",
            "i-00000 ApplicationStart InProgress",
            "i-00000 ApplicationStart Succeeded",
            "i-00000 Succeeded",
            "status Succeeded",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_tells_event_script_code_message_and_log_of_each_failed_target() {
    let service = Fake::new(rolling(5, Some(2)));
    let (outcome, events) = deploy(&service, &waiting()).await;
    assert!(!outcome.is_success());
    let finished = finished(outcome);
    assert_eq!(finished.deployment.status, Status::Failed);
    let counts = finished.deployment.counts;
    assert_eq!((counts.succeeded, counts.failed, counts.skipped), (2, 1, 2));
    let code = finished.deployment.error.unwrap().code;
    assert_eq!(code.as_deref(), Some("HEALTH_CONSTRAINTS"));
    let [failure] = &finished.failures[..] else {
        panic!("{:?}", finished.failures)
    };
    assert_eq!(failure.target, "i-00002");
    assert_eq!(failure.event.as_deref(), Some("BeforeInstall"));
    assert_eq!(failure.took, Some(secs(10)));
    let Diagnostics {
        code,
        script,
        message,
        log_tail,
    } = &failure.diagnostics;
    assert_eq!(code.as_deref(), Some("ScriptFailed"));
    assert_eq!(script.as_deref(), Some("scripts/before.sh"));
    assert_eq!(message.as_deref(), Some("exit code 3"));
    assert_eq!(log_tail.as_deref(), Some("[stderr]no space left\n"));
    // What happened on the targets comes before what followed from it.
    let told = told(&events);
    let at = |text: &str| told.iter().position(|event| event == text).unwrap();
    assert!(at("i-00002 BeforeInstall Failed") < at("status Failed"));
}

#[tokio::test(start_paused = true)]
async fn each_end_ends_the_watch_and_only_success_is_success() {
    for (status, good) in [
        (Status::Succeeded, true),
        (Status::Failed, false),
        (Status::Stopped, false),
    ] {
        let end = status.clone();
        let script = move |age: Duration| {
            let now = match age {
                age if age < secs(20) => Status::Queued,
                age if age < secs(40) => Status::InProgress,
                age if age < secs(60) => Status::Baking,
                _ => end.clone(),
            };
            (deployment(now), Vec::new())
        };
        let service = Fake::new(script);
        let (outcome, events) = deploy(&service, &waiting()).await;
        assert_eq!(outcome.is_success(), good, "{status}");
        assert_eq!(finished(outcome).deployment.status, status);
        assert_eq!(
            told(&events)[1..],
            ["Queued", "InProgress", "Baking", status.name()].map(|of| format!("status {of}"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_thirty_five_minutes_is_waited_for_with_few_requests() {
    let service = Fake::new(lasting(secs(35 * 60)));
    let since = Instant::now();
    let (outcome, _) = deploy(&service, &waiting()).await;
    assert!(outcome.is_success());
    let took = since.elapsed();
    assert!((secs(2100)..secs(2140)).contains(&took), "{took:?}");
    let asked = service.asked("GetDeployment");
    // Every five seconds it would be 420.
    assert!((60..160).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_throttled_polls_are_no_failure_and_are_told_of_rarely() {
    let throttled = vec![Trouble::Refused("ThrottlingException"); 1000];
    let service = Fake::new(lasting(secs(60))).with("GetDeployment", throttled);
    let (outcome, events) = deploy(&service, &waiting()).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert!(service.asked("GetDeployment") > 1000);
    let reported = events
        .iter()
        .filter(|event| matches!(event, Event::Unanswered { .. }));
    let reported = reported.count();
    assert!((1..100).contains(&reported), "{reported}");
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_lost_or_met_by_errors_of_the_service_are_no_failure() {
    let troubles = [
        Trouble::Gone,
        Trouble::Refused("InternalFailure"),
        Trouble::Refused("503"),
        Trouble::Lost,
        Trouble::Refused("RequestTimeout"),
    ];
    let service = Fake::new(rolling(2, None))
        .with("GetDeployment", troubles.clone())
        .with("ListDeploymentTargets", troubles.clone())
        .with("BatchGetDeploymentTargets", troubles);
    let (outcome, events) = deploy(&service, &waiting()).await;
    assert!(outcome.is_success());
    assert!(told(&events).contains(&"i-00001 Succeeded".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whatever_passing_errors_come_the_end_is_found_and_explained() {
    for seed in 0..300 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut troubles = |most: usize| -> Vec<Trouble> {
            let one = |_| match dice.u8(0..8) {
                0 => Trouble::Refused("ThrottlingException"),
                1 => Trouble::Refused("InternalFailure"),
                2 => Trouble::Gone,
                3 => Trouble::Lost,
                4 => Trouble::Refused("502"),
                _ => Trouble::Slow(secs(1)),
            };
            (0..most).map(one).collect()
        };
        let service = Fake::new(rolling(3, Some(1)))
            .with("GetDeployment", troubles(40))
            .with("ListDeploymentTargets", troubles(6))
            .with("BatchGetDeploymentTargets", troubles(6));
        let (outcome, _) = deploy(&service, &waiting()).await;
        let finished = finished(outcome);
        assert_eq!(finished.deployment.status, Status::Failed, "{seed}");
        assert_eq!(finished.failures.len(), 1, "{seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_refusal_that_stays_ends_the_watch() {
    let service = Fake::new(lasting(secs(60)))
        .with("GetDeployment", [Trouble::Refused("AccessDeniedException")]);
    let (outcome, _) = deploy(&service, &waiting()).await;
    let error = failed(outcome);
    assert!(matches!(&error, Error::Watch { id, .. } if id == "d-000000001"));
    assert_eq!(error.deployment(), Some("d-000000001"));

    let plan = watching(&service, "d-000000009");
    let (outcome, _) = run_one(plan, &waiting(), &Cancel::new()).await;
    assert!(matches!(failed(outcome), Error::Watch { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_new_deployment_may_be_unknown_for_a_while() {
    let unknown = vec![Trouble::Refused("DeploymentDoesNotExistException"); 4];
    let service = Fake::new(lasting(secs(60))).with("GetDeployment", unknown);
    let (outcome, _) = deploy(&service, &waiting()).await;
    assert!(outcome.is_success());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_fail_for_minutes_end_the_watch() {
    let script = lasting(secs(60));
    let service = Fake::new(script).always(
        "GetDeployment",
        Trouble::Without("cannot get credentials: the session has expired"),
    );
    let since = Instant::now();
    let (outcome, _) = deploy(&service, &waiting()).await;
    assert!(matches!(failed(outcome), Error::Watch { .. }));
    assert!(since.elapsed() > secs(300) && since.elapsed() < secs(400));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_refusal_of_codedeploy_may_pass_if_it_worked_before() {
    let troubles = [
        Trouble::Refused("ExpiredTokenException"),
        Trouble::Without("Unable to locate credentials"),
        Trouble::Refused("403"),
        Trouble::Without("cannot get credentials: it takes too long"),
    ];
    let service = Fake::new(lasting(secs(60))).with("GetDeployment", troubles);
    let (outcome, _) = deploy(&service, &waiting()).await;
    assert!(outcome.is_success(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_never_worked_end_the_watch_soon() {
    for (message, asked) in [
        ("Unable to locate credentials", 1),
        ("cannot get credentials: the session has expired", 3),
    ] {
        let service = Fake::new(lasting(secs(60)));
        let id = service.begin("group");
        let service = service.always("GetDeployment", Trouble::Without(message));
        let plan = watching(&service, &id);
        let (outcome, _) = run_one(plan, &waiting(), &Cancel::new()).await;
        assert!(matches!(failed(outcome), Error::Watch { .. }));
        assert_eq!(service.asked("GetDeployment"), asked, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_ends_the_wait_and_leaves_the_deployment() {
    let service = Fake::new(lasting(secs(3600)));
    let conduct = Conduct {
        limit: Some(secs(600)),
        ..waiting()
    };
    let since = Instant::now();
    let (outcome, _) = deploy(&service, &conduct).await;
    // It is asked once more how far the deployment is.
    assert_eq!(since.elapsed().as_secs(), secs(600).as_secs());
    let error = failed(outcome);
    assert_eq!(error.deployment(), Some("d-000000001"));
    assert!(matches!(
        &error,
        Error::TimedOut {
            status: Some(Status::InProgress),
            ..
        }
    ));
    assert!(
        error.to_string().contains("did not end within 600 s"),
        "{error}"
    );
    assert_eq!(service.asked("StopDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_leaves_the_deployment_or_stops_it_as_wanted() {
    for stop in [false, true] {
        let service = Fake::new(lasting(secs(3600)));
        let cancel = Cancel::new();
        let conduct = Conduct {
            stop_when_cancelled: stop,
            ..waiting()
        };
        let plan = creating(&service, request());
        let later = async {
            tokio::time::sleep(secs(100)).await;
            cancel.cancel();
        };
        let ((outcome, _), ()) = tokio::join!(run_one(plan, &conduct, &cancel), later);
        let stopped = stop.then_some(Ok(()));
        let id = Some("d-000000001".to_owned());
        assert_eq!(failed(outcome), Error::Cancelled { id, stopped });
        assert_eq!(service.is_stopped("d-000000001"), stop);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_cannot_be_made_is_told_with_the_cancellation() {
    let service =
        Fake::new(lasting(secs(3600))).always("StopDeployment", Trouble::Refused("AccessDenied"));
    let cancel = Cancel::new();
    let conduct = Conduct {
        stop_when_cancelled: true,
        ..waiting()
    };
    let plan = creating(&service, request());
    let later = async {
        tokio::time::sleep(secs(100)).await;
        cancel.cancel();
    };
    let ((outcome, _), ()) = tokio::join!(run_one(plan, &conduct, &cancel), later);
    let text = failed(outcome).to_string();
    assert!(
        text.contains("goes on, since it cannot be stopped"),
        "{text}"
    );
}

/// Ready for five minutes, and then its traffic moves.
fn blue_green(age: Duration) -> (Deployment, Vec<Target>) {
    let status = match age {
        age if age < secs(60) => Status::InProgress,
        age if age < secs(360) => Status::Ready,
        _ => Status::Succeeded,
    };
    (deployment(status), Vec::new())
}

#[tokio::test(start_paused = true)]
async fn a_blue_green_deployment_is_waited_for_until_it_is_ready_or_until_it_ends() {
    for (until, end) in [
        (Until::Ready, Status::Ready),
        (Until::Succeeded, Status::Succeeded),
    ] {
        let service = Fake::new(blue_green);
        let wait = Wait { until };
        let conduct = Conduct {
            wait: Some(wait),
            ..Conduct::default()
        };
        let (outcome, _) = deploy(&service, &conduct).await;
        assert!(outcome.is_success());
        assert_eq!(finished(outcome).deployment.status, end);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_begins_late_is_named() {
    let failing = rolled_back(rolling(1, Some(0)), "d-000000002", secs(36));
    let service = Fake::new(failing).then(lasting(secs(200)));
    let events = Mutex::new(Vec::new());
    let report = |_: usize, event: &Event| {
        if matches!(event, Event::Status(now) if now.status == Status::Failed) {
            assert_eq!(service.begin("group"), "d-000000002");
        }
        events.lock().unwrap().push(event.clone());
    };
    let plans = [vec![creating(&service, request())]];
    let mut outcomes = run(&plans, &waiting(), &report, &|_, _| {}, &Cancel::new()).await;
    let finished = finished(outcomes.remove(0));
    assert_eq!(finished.deployment.rolled_back_by(), Some("d-000000002"));
    let told = told(&events.into_inner().unwrap());
    assert!(told.contains(&"rolled back by d-000000002".to_owned()));
    assert_eq!(finished.failures.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_ended_is_no_timeout_although_its_targets_cannot_be_read() {
    let throttled = Trouble::Refused("ThrottlingException");
    let service = Fake::new(rolling(1, Some(0))).always("ListDeploymentTargets", throttled);
    let conduct = Conduct {
        limit: Some(secs(50)),
        ..waiting()
    };
    let (outcome, _) = deploy(&service, &conduct).await;
    assert_eq!(finished(outcome).deployment.status, Status::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_deployment_is_kept_when_the_limit_comes_before_its_rollback() {
    // CodeDeploy names the rollback a minute after the end; the limit comes before.
    let failing = rolled_back(rolling(1, Some(0)), "d-000000002", secs(3600));
    let service = Fake::new(failing);
    let conduct = Conduct {
        limit: Some(secs(45)),
        ..waiting()
    };
    let (outcome, _) = deploy(&service, &conduct).await;
    let finished = finished(outcome);
    assert_eq!(finished.deployment.status, Status::Failed);
    assert_eq!(finished.failures.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_watch_to_which_nothing_ever_answers_ends_after_minutes() {
    let service = Fake::new(lasting(secs(60))).always("GetDeployment", Trouble::Gone);
    let plan = Plan {
        service: service.clone(),
        region: "eu-west-1".into(),
        task: Task::Watch("d-000000001".into()),
    };
    let since = Instant::now();
    let (outcome, _) = run_one(plan, &waiting(), &Cancel::new()).await;
    assert!(matches!(failed(outcome), Error::Watch { .. }));
    let took = since.elapsed();
    assert!((secs(300)..secs(420)).contains(&took), "{took:?}");
}

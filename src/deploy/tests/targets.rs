use super::super::fake::{Rolling, Trouble, deployment};
use super::*;

fn many(targets: u32, each: Duration, fails: Option<u32>) -> Fake {
    Fake::new(move |age| {
        Rolling {
            targets,
            each,
            fails,
        }
        .at(age)
    })
}

#[tokio::test(start_paused = true)]
async fn sixty_targets_on_two_pages_are_all_looked_at() {
    let service = many(60, secs(10), None);
    let (outcome, events) = deploy(&service, &waiting()).await;
    assert!(outcome.is_success());
    let told = told(&events);
    for number in 0..60 {
        let ended = format!("i-{number:05} Succeeded");
        assert!(told.contains(&ended), "{ended}");
    }
    assert!(!told.iter().any(|event| event.starts_with("many targets")));
}

#[tokio::test(start_paused = true)]
async fn of_hundreds_of_targets_each_look_takes_a_bounded_number_of_requests() {
    let service = many(600, secs(1), Some(580));
    let (outcome, events) = deploy(&service, &waiting()).await;
    let finished = finished(outcome);
    assert_eq!(finished.deployment.status, Status::Failed);
    // The one that failed is found although most were not looked at.
    let failed: Vec<&str> = finished.failures.iter().map(|of| &*of.target).collect();
    assert_eq!(failed, ["i-00580"]);
    assert!(told(&events).contains(&"many targets 600".to_owned()));
    let looks = service.asked("GetDeployment");
    let batches = service.asked("BatchGetDeploymentTargets");
    assert!(batches <= looks * 4 + 40, "{batches} in {looks} looks");
    assert!(service.asked("ListDeploymentTargets") <= 12 + 20);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_may_not_see_targets_still_gets_status_and_counts() {
    let denied = Trouble::Refused("AccessDeniedException");
    let service = many(2, secs(50), Some(1)).always("ListDeploymentTargets", denied);
    let (outcome, events) = deploy(&service, &waiting()).await;
    let finished = finished(outcome);
    assert_eq!(finished.deployment.counts.failed, 1);
    assert_eq!(finished.failures, []);
    let told = told(&events);
    let notes = told.iter().filter(|event| *event == "no targets").count();
    assert_eq!(notes, 1);
    assert!(told.contains(&"counts".to_owned()));
    assert_eq!(service.asked("ListDeploymentTargets"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_token_or_credentials_that_expired_do_not_end_the_looks_at_targets() {
    let troubles = [
        Trouble::Refused("InvalidNextTokenException"),
        Trouble::Refused("ExpiredTokenException"),
        Trouble::Refused("DeploymentNotStartedException"),
    ];
    let service = many(1, secs(100), None).with("ListDeploymentTargets", troubles);
    let (_, events) = deploy(&service, &waiting()).await;
    let told = told(&events);
    assert!(told.contains(&"i-00000 Succeeded".to_owned()));
    assert!(!told.contains(&"no targets".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_leaves_the_deployment_does_not_end_the_looks_at_the_others() {
    let gone = Trouble::Refused("DeploymentTargetDoesNotExistException");
    let service = many(3, secs(30), None).with("BatchGetDeploymentTargets", [gone]);
    let (_, events) = deploy(&service, &waiting()).await;
    assert!(told(&events).contains(&"i-00002 Succeeded".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn targets_are_asked_for_often_once_the_deployment_failed() {
    // All looks before the end are throttled, and some after it.
    let throttled = Trouble::Refused("ThrottlingException");
    let service = many(1, secs(20), Some(0)).with("ListDeploymentTargets", vec![throttled; 6]);
    let (outcome, _) = deploy(&service, &waiting()).await;
    assert_eq!(finished(outcome).failures.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_begins_late_does_not_tell_of_what_went_well_before() {
    let service = many(2, secs(100), None);
    let id = service.begin("group");
    tokio::time::sleep(secs(130)).await;
    let plan = watching(&service, &id);
    let (outcome, events) = run_one(plan, &waiting(), &Cancel::new()).await;
    assert!(outcome.is_success());
    let told = told(&events);
    assert_eq!(
        told[..5],
        [
            "status InProgress",
            "i-00000 Succeeded",
            "i-00001 DownloadBundle InProgress",
            "i-00001 InProgress",
            "i-00001 DownloadBundle Succeeded"
        ][..5]
    );
}

/// Traffic moves in steps of ten percent each minute, of a function or a service.
fn shifting(kind: TargetKind) -> impl Fn(Duration) -> (Deployment, Vec<Target>) {
    move |age| {
        let new = (age.as_secs() / 60 * 10).min(100);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let new = new as f64;
        let status = match new >= 100.0 {
            true => Status::Succeeded,
            false => Status::InProgress,
        };
        let share = |version: &str, label, percent| Share {
            version: version.into(),
            label: Some(label),
            percent,
        };
        let target = Target {
            id: "f:live".into(),
            kind: kind.clone(),
            label: None,
            status: TargetStatus::InProgress,
            events: Vec::new(),
            traffic: vec![
                share("1", Label::Blue, 100.0 - new),
                share("2", Label::Green, new),
            ],
        };
        (deployment(status), vec![target])
    }
}

#[tokio::test(start_paused = true)]
async fn each_shift_of_traffic_of_lambda_and_ecs_is_told() {
    for kind in [TargetKind::Lambda, TargetKind::Ecs] {
        let service = Fake::new(shifting(kind));
        let (outcome, events) = deploy(&service, &waiting()).await;
        assert!(outcome.is_success());
        let told = told(&events);
        let shifts: Vec<&String> = told
            .iter()
            .filter(|event| event.starts_with("traffic"))
            .collect();
        assert_eq!(shifts.len(), 10, "{shifts:?}");
        assert_eq!(*shifts[0], "traffic 90/10");
        assert_eq!(*shifts[9], "traffic 0/100");
    }
}

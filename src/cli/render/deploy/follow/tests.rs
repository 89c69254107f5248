use hoist::aws::codedeploy::Platform;
use hoist::deploy::{Counts, Label, LifecycleEvent, Share, TargetKind};

use super::*;

fn deployment(status: Status, succeeded: u64, pending: u64) -> Deployment {
    Deployment {
        id: "d-1".into(),
        application: "App".into(),
        group: "Production".into(),
        status,
        counts: Counts {
            succeeded,
            pending,
            ..Counts::default()
        },
        error: None,
        rollback: None,
        auto_rollback: None,
        platform: Platform::Server,
        style: None,
        revision: None,
        config: None,
        description: None,
        creator: None,
        created: None,
        started: None,
        completed: None,
        messages: Vec::new(),
    }
}

fn target(id: &str, status: TargetStatus) -> Box<Target> {
    Box::new(Target {
        id: format!("arn:aws:ec2:eu-west-1:1:instance/{id}"),
        kind: TargetKind::Instance,
        label: None,
        status,
        events: Vec::new(),
        traffic: Vec::new(),
    })
}

fn lifecycle(target: &Target, name: &str, status: EventStatus) -> Event {
    Event::Lifecycle {
        id: "d-1".into(),
        target: Box::new(target.clone()),
        event: Box::new(LifecycleEvent {
            name: name.into(),
            status,
            started: None,
            ended: None,
            diagnostics: None,
        }),
    }
}

fn row(name: &str) -> Row {
    Row::new(Place {
        name: name.into(),
        console: Some("eu-west-1".into()),
    })
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn created(row: &mut Row) {
    let event = Event::Created {
        id: "d-1".into(),
        found: false,
    };
    assert_eq!(
        row.take(&event, at(0)),
        [Line::News(
            "deployment d-1 to Production was created: \
             https://eu-west-1.console.aws.amazon.com/codesuite/codedeploy/deployments/d-1?region=eu-west-1"
                .into()
        )]
    );
}

#[test]
fn a_change_of_status_gets_a_line_and_numbers_share_one_every_ten_seconds() {
    let mut row = row("Production");
    created(&mut row);
    let status = Event::Status(Box::new(deployment(Status::InProgress, 0, 5)));
    assert_eq!(
        row.take(&status, at(1)),
        [Line::Progress(
            "d-1 (Production): in progress, 0 of 5 instances succeeded, 5 pending".into()
        )]
    );
    let counts = |done| Event::Counts(Box::new(deployment(Status::InProgress, done, 5 - done)));
    assert_eq!(row.take(&counts(1), at(2)), []);
    assert_eq!(row.due(at(3)), None);
    assert_eq!(row.take(&counts(3), at(10)), []);
    assert_eq!(
        row.due(at(11)).as_deref(),
        Some("d-1 (Production): in progress, 3 of 5 instances succeeded, 2 pending, 11 s")
    );
    assert_eq!(row.due(at(12)), None);
    // Nothing changes: no line per poll, and one every five minutes.
    assert_eq!(
        (12..310).find(|seconds| row.due(at(*seconds)).is_some()),
        None
    );
    assert_eq!(
        row.due(at(311)).as_deref(),
        Some(
            "d-1 (Production): still in progress, 3 of 5 instances succeeded, 2 pending, 5 min 10 s"
        )
    );
    let end = Event::Status(Box::new(deployment(Status::Succeeded, 5, 0)));
    assert_eq!(row.take(&end, at(312)), []);
    assert_eq!(row.due(at(900)), None);
}

#[test]
fn the_lifecycle_event_under_way_is_named_with_its_target_or_how_many() {
    let mut row = row("Production");
    created(&mut row);
    row.take(
        &Event::Status(Box::new(deployment(Status::InProgress, 0, 3))),
        at(1),
    );
    let (one, two) = (
        target("i-1", TargetStatus::InProgress),
        target("i-2", TargetStatus::InProgress),
    );
    row.take(
        &lifecycle(&one, "BeforeInstall", EventStatus::InProgress),
        at(2),
    );
    let far = |row: &Row| row.how_far().unwrap();
    assert!(
        far(&row).ends_with("; BeforeInstall on i-1"),
        "{}",
        far(&row)
    );
    row.take(
        &lifecycle(&two, "BeforeInstall", EventStatus::InProgress),
        at(2),
    );
    assert!(
        far(&row).ends_with("; BeforeInstall on 2 instances"),
        "{}",
        far(&row)
    );
    row.take(&lifecycle(&one, "Install", EventStatus::InProgress), at(2));
    // The end of an earlier event comes late.
    row.take(
        &lifecycle(&one, "BeforeInstall", EventStatus::Succeeded),
        at(2),
    );
    assert!(
        far(&row).ends_with("; BeforeInstall on 1 instance, Install on 1 instance"),
        "{}",
        far(&row)
    );
}

#[test]
fn a_target_that_fails_is_told_at_once_and_a_fleet_that_fails_does_not_fill_the_log() {
    let mut row = row("Production");
    created(&mut row);
    let failed = |id: &str| Event::Target {
        id: "d-1".into(),
        target: target(id, TargetStatus::Failed),
    };
    assert_eq!(
        row.take(&failed("i-1"), at(1)),
        [Line::News("d-1 (Production): instance i-1 failed".into())]
    );
    let told: usize = (0..1000)
        .map(|_| row.take(&failed("i-2"), at(2)).len())
        .sum();
    assert_eq!(told, TOLD - 1);
}

#[test]
fn shifting_traffic_is_told_and_moves_the_bar() {
    let mut row = row("Production");
    created(&mut row);
    let mut lambda = deployment(Status::InProgress, 0, 0);
    lambda.platform = Platform::Lambda;
    row.take(&Event::Status(Box::new(lambda)), at(1));
    let mut function = target("f:live", TargetStatus::InProgress);
    function.kind = TargetKind::Lambda;
    function.traffic = [("1", Label::Blue, 90.0), ("2", Label::Green, 10.0)]
        .map(|(version, label, percent)| Share {
            version: version.into(),
            label: Some(label),
            percent,
        })
        .into();
    let traffic = Event::Traffic {
        id: "d-1".into(),
        target: function,
    };
    assert_eq!(
        row.take(&traffic, at(2)),
        [Line::Progress(
            "d-1 (Production): in progress, 10% of the traffic goes to version 2".into()
        )]
    );
    let Doing::Counted(counted) = view(&[row], at(3)) else {
        panic!("not counted");
    };
    assert_eq!((counted.done, counted.total), (10, 100));
}

#[test]
fn names_from_outside_stay_in_their_line() {
    let mut row = row("a\n::error::x");
    let event = Event::Created {
        id: "d-\u{1b}[2J".into(),
        found: true,
    };
    let mut lines = row.take(&event, at(0));
    lines.extend(row.take(
        &Event::Status(Box::new(deployment(Status::Other("\n::".into()), 1, 1))),
        at(0),
    ));
    lines.extend(row.take(
        &lifecycle(
            &target("i\n::", TargetStatus::Pending),
            "x\n::y",
            EventStatus::InProgress,
        ),
        at(1),
    ));
    lines.extend(row.due(at(60)).map(Line::News));
    assert!(lines.len() == 3, "{lines:?}");
    for line in &lines {
        let (Line::News(text) | Line::Progress(text) | Line::Note(text)) = line;
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn a_bar_sums_the_targets_of_several_deployments() {
    let mut rows = [
        row("Production in eu-west-1"),
        row("Production in us-west-2"),
    ];
    let Doing::Text(texts) = view(&rows, at(1)) else {
        panic!("counted");
    };
    assert_eq!(texts, ["creating the deployment"]);
    for (row, status) in rows.iter_mut().zip([Status::Succeeded, Status::InProgress]) {
        row.take(&Event::Status(Box::new(deployment(status, 3, 2))), at(1));
    }
    let Doing::Counted(counted) = view(&rows, at(61)) else {
        panic!("not counted");
    };
    assert_eq!((counted.done, counted.total), (6, 10));
    assert_eq!(
        counted.texts[0],
        "1 of 2 deployments ended, 6 of 10 instances succeeded, 4 pending, 1 min"
    );
}

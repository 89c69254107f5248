//! What is done and reported when deployments end in each way, against a service in memory and in paused time.

mod creating;
mod targets;
mod watching;
mod waves;

use std::sync::Mutex;
use std::time::Duration;

use super::fake::Fake;
use super::*;
use crate::aws::s3::S3Location;
use crate::bundle::BundleType;
use crate::cancel::Cancel;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn object(etag: &str) -> Registration {
    Registration {
        location: S3Location {
            bucket: "b".into(),
            key: "app.zip".into(),
        },
        bundle_type: BundleType::default(),
        etag: Some(etag.into()),
        version: None,
    }
}

/// A request for a deployment.
pub(super) fn request() -> Request {
    Request {
        application: "app".into(),
        group: "group".into(),
        revision: Wanted::Object(object("e1")),
        options: Options::default(),
    }
}

fn creating(service: &Fake, request: Request) -> Plan<Fake> {
    Plan {
        service: service.clone(),
        region: "eu-west-1".into(),
        task: Task::Create(Box::new(request)),
    }
}

fn watching(service: &Fake, id: &str) -> Plan<Fake> {
    Plan {
        task: Task::Watch(id.to_owned()),
        ..creating(service, request())
    }
}

fn waiting() -> Conduct {
    Conduct {
        wait: Some(Wait::default()),
        ..Conduct::default()
    }
}

/// Runs one plan, and gives what became of it and what was reported.
async fn run_one(plan: Plan<Fake>, conduct: &Conduct, cancel: &Cancel) -> (Outcome, Vec<Event>) {
    let events = Mutex::new(Vec::new());
    let report = |number: usize, event: &Event| {
        assert_eq!(number, 0);
        events.lock().unwrap().push(event.clone());
    };
    let mut outcomes = run(&[vec![plan]], conduct, &report, &|_, _| {}, cancel).await;
    (outcomes.remove(0), events.into_inner().unwrap())
}

async fn deploy(service: &Fake, conduct: &Conduct) -> (Outcome, Vec<Event>) {
    run_one(creating(service, request()), conduct, &Cancel::new()).await
}

fn finished(outcome: Outcome) -> Finished {
    match outcome {
        Outcome::Finished(finished) => *finished,
        other => panic!("{other:?}"),
    }
}

fn failed(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

/// Events as short texts.
fn told(events: &[Event]) -> Vec<String> {
    let short = |event: &Event| match event {
        Event::Latest(_) => "latest".to_owned(),
        Event::Waiting { active } => format!("waiting {active:?}"),
        Event::Stopping { active } => format!("stopping {active}"),
        Event::Created { id, found } => format!("created {id} found={found}"),
        Event::Status(now) => format!("status {}", now.status),
        Event::Counts(_) => "counts".to_owned(),
        Event::Target { target, .. } => format!("{} {}", target.id, target.status),
        Event::Lifecycle { target, event, .. } => {
            format!("{} {} {}", target.id, event.name, event.status)
        }
        Event::Traffic { target, .. } => {
            let shares = target.traffic.iter().map(|of| of.percent.to_string());
            format!("traffic {}", shares.collect::<Vec<_>>().join("/"))
        }
        Event::NoTargets { .. } => "no targets".to_owned(),
        Event::ManyTargets { targets, .. } => format!("many targets {targets}"),
        Event::Unanswered { .. } => "unanswered".to_owned(),
        Event::RolledBack { by, .. } => format!("rolled back by {by}"),
    };
    events.iter().map(short).collect()
}

#[test]
fn a_link_leads_to_the_console_of_the_partition() {
    for (region, site) in [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        (
            "us-gov-west-1",
            "us-gov-west-1.console.amazonaws-us-gov.com",
        ),
    ] {
        assert_eq!(
            console_link(region, "d-A1B2C3D4E"),
            format!("https://{site}/codesuite/codedeploy/deployments/d-A1B2C3D4E?region={region}")
        );
    }
}

//! The JSON of deployments: one object, to which later versions may add names. See docs/deploy.md.

use std::time::Duration;

use hoist::aws::codedeploy::Registration;
use hoist::deploy::{Counts, Error, Failure, Finished, Outcome};
use serde_json::{Value, json};

use super::outcome::Ended;

/// What `hoist deploy --output json` prints.
pub(crate) fn document(deployments: Vec<Value>, succeeded: bool) -> Value {
    json!({"deployments": deployments, "succeeded": succeeded})
}

/// One object for each deployment, in the order of the command line.
pub(crate) fn deployments(ended: &[Ended<'_>]) -> Vec<Value> {
    ended.iter().map(deployment).collect()
}

fn deployment(ended: &Ended<'_>) -> Value {
    let finished = ended.finished();
    let of = finished.map(|finished| &finished.deployment);
    let error = match ended.outcome {
        Outcome::Failed(error) => json!({"code": error.code(), "message": error.to_string()}),
        _ => of.and_then(|of| of.error.as_ref()).map_or(
            Value::Null,
            |error| json!({"code": error.code, "message": error.message}),
        ),
    };
    // How far the deployment was when the time to wait was over, and how long that was.
    let late = match ended.outcome {
        Outcome::Failed(Error::TimedOut {
            id: Some(_),
            counts,
            limit,
            ..
        }) => (Some(*limit), counts.as_ref()),
        _ => (None, None),
    };
    let group = of.map_or(ended.group, |of| of.group.as_str());
    json!({
        "id": ended.id(),
        "application": of.map_or(ended.application, |of| of.application.as_str()),
        "group": (!group.is_empty()).then_some(group),
        "region": ended.region,
        "status": ended.status(),
        "url": ended.link(),
        "revision": of.and_then(|of| of.revision.as_ref()).or(ended.revision.as_ref()).map(revision),
        "counts": of.map(|of| &of.counts).or(late.1).map(counts),
        "seconds": finished.map(|finished| finished.took).or(late.0).map(seconds),
        "error": error,
        "rollback": of.and_then(|of| of.rolled_back_by()),
        "failures": finished.map(failures).unwrap_or_default(),
    })
}

fn revision(revision: &Registration) -> Value {
    let mut json = json!({
        "bucket": revision.location.bucket,
        "key": revision.location.key,
        "bundleType": revision.bundle_type.name(),
    });
    for (name, value) in [("eTag", &revision.etag), ("version", &revision.version)] {
        if let Some(value) = value {
            json[name] = json!(value);
        }
    }
    json
}

/// Seconds, in steps of a millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn counts(counts: &Counts) -> Value {
    json!({
        "pending": counts.pending,
        "in_progress": counts.in_progress,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "ready": counts.ready,
    })
}

/// Log tails are as they are; JSON escapes what a terminal would follow.
fn failures(finished: &Finished) -> Vec<Value> {
    let failures = finished.failures.iter();
    failures.map(failure).collect()
}

fn failure(failure: &Failure) -> Value {
    let of = &failure.diagnostics;
    json!({
        "target": failure.target,
        "kind": failure.kind.name(),
        "event": failure.event,
        "code": of.code,
        "script": of.script,
        "message": of.message,
        "log_tail": of.log_tail,
        "seconds": failure.took.map(seconds),
    })
}

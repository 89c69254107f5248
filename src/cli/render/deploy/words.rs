//! Words about deployments: statuses, counts and what targets are called.

use hoist::aws::codedeploy::Platform;
use hoist::deploy::{Counts, Status, Target, TargetKind};
use hoist::error::shown;

/// A noun for so many targets.
pub(super) fn targets(platform: &Platform, count: u64) -> &'static str {
    match (platform, count) {
        (Platform::Server, 1) => "instance",
        (Platform::Server, _) => "instances",
        (Platform::Lambda, 1) => "function",
        (Platform::Lambda, _) => "functions",
        (Platform::Ecs, 1) => "service",
        (Platform::Ecs, _) => "services",
        (Platform::Other(_), 1) => "target",
        (Platform::Other(_), _) => "targets",
    }
}

/// A noun for one target.
pub(super) fn kind(kind: &TargetKind) -> &'static str {
    match kind {
        TargetKind::Instance => "instance",
        TargetKind::Lambda => "function",
        TargetKind::Ecs => "service",
        TargetKind::CloudFormation => "resource",
        TargetKind::Other(_) => "target",
    }
}

/// A status within a sentence.
pub(super) fn status(status: &Status) -> String {
    let word = match status {
        Status::Created => "created",
        Status::Queued => "queued",
        Status::InProgress => "in progress",
        Status::Baking => "baking",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Stopped => "stopped",
        Status::Ready => "ready",
        Status::Other(name) => return shown(name).to_string(),
    };
    word.to_owned()
}

/// The counts that are not zero, the most important first: `3 of 5 instances succeeded, 1 failed`.
pub(super) fn counts(platform: &Platform, counts: &Counts) -> String {
    let total = counts.total();
    let mut text = format!(
        "{} of {total} {} succeeded",
        counts.succeeded,
        targets(platform, total)
    );
    for (count, word) in [
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.ready, "ready"),
        (counts.in_progress, "in progress"),
        (counts.pending, "pending"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}

/// How many targets have ended or are ready.
pub(super) fn done(counts: &Counts) -> u64 {
    [
        counts.succeeded,
        counts.failed,
        counts.skipped,
        counts.ready,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

/// The end of an ARN, or the whole id: `i-0123`, `cluster:service`.
pub(super) fn target(id: &str) -> String {
    let short = id.rsplit('/').next().filter(|short| !short.is_empty());
    shown(short.unwrap_or(id)).to_string()
}

/// Where the traffic of a target goes: `10% of the traffic goes to version 2`. None if that is not known.
pub(super) fn traffic(target: &Target) -> Option<(u64, String)> {
    use hoist::deploy::Label;
    let new = target
        .traffic
        .iter()
        .find(|share| share.label == Some(Label::Green))
        .or(target.traffic.last())?;
    // A share of something is from 0 to 100.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let percent = new.percent.clamp(0.0, 100.0).round() as u64;
    let version = match target.kind {
        TargetKind::Ecs => format!("task set {}", shown(&new.version)),
        _ => format!("version {}", shown(&new.version)),
    };
    Some((
        percent,
        format!("{percent}% of the traffic goes to {version}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_are_zero_are_left_out() {
        let of = |succeeded, failed, pending| {
            let counts = Counts {
                succeeded,
                failed,
                pending,
                ..Counts::default()
            };
            super::counts(&Platform::Server, &counts)
        };
        assert_eq!(
            of(3, 1, 1),
            "3 of 5 instances succeeded, 1 failed, 1 pending"
        );
        assert_eq!(of(1, 0, 0), "1 of 1 instance succeeded");
    }

    #[test]
    fn a_target_is_named_by_the_end_of_its_arn() {
        let arn = "arn:aws:ec2:eu-west-1:1:instance/i-0123";
        assert_eq!(target(arn), "i-0123");
        assert_eq!(target("cluster:service"), "cluster:service");
        assert_eq!(target("i-0\n::error::x"), "\"i-0\\n::error::x\"");
    }
}

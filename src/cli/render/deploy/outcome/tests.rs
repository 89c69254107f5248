use std::time::Duration;

use hoist::aws::codedeploy::Platform;
use hoist::bundle::{BundleType, Format};
use hoist::deploy::{Counts, ErrorInformation, Rollback, TargetKind};

use super::*;
use crate::cli::render::deploy::{github, report};

const LINK: &str = "https://eu-west-1.console.aws.amazon.com/codesuite/codedeploy/deployments/";

fn commands() -> Commands {
    Commands {
        hoist: vec!["--region".into(), "eu-west-1".into()],
        aws: vec!["--region".into(), "eu-west-1".into()],
        create: Some(Create {
            newest: Some("--latest=s3://b/my key".into()),
            words: Vec::new(),
        }),
        is_local: false,
    }
}

fn finished(status: Status, failures: Vec<Failure>) -> Finished {
    let failed = failures.len() as u64;
    Finished {
        deployment: Deployment {
            id: "d-1".into(),
            application: "App".into(),
            group: "Production".into(),
            status,
            counts: Counts {
                succeeded: 5 - failed,
                failed,
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
        },
        failures,
        took: Duration::from_secs(200),
    }
}

/// A script whose output is hostile.
fn failure() -> Failure {
    Failure {
        target: "arn:aws:ec2:eu-west-1:1:instance/i-1".into(),
        kind: TargetKind::Instance,
        label: None,
        event: Some("AfterInstall".into()),
        took: Some(Duration::from_secs(2)),
        diagnostics: Diagnostics {
            code: Some("ScriptFailed".into()),
            script: Some("scripts/install.sh".into()),
            message: Some("exit code 1\n::error::forged".into()),
            log_tail: Some(
                "[stderr]\u{1b}[31mno\u{1b}[0m\r\n::error::forged\n##[add-mask]x\n</pre>|".into(),
            ),
        },
    }
}

fn ended<'a>(place: &'a Place, outcome: &'a Outcome, commands: &'a Commands) -> Ended<'a> {
    Ended {
        application: "App",
        group: "Production",
        region: "eu-west-1",
        revision: None,
        is_alone: true,
        place,
        outcome,
        commands,
    }
}

fn with<T>(outcome: Outcome, look: impl FnOnce(&Ended<'_>) -> T) -> T {
    let place = Place {
        name: "Production".into(),
        console: Some("eu-west-1".into()),
    };
    look(&ended(&place, &outcome, &commands()))
}

fn failed() -> Outcome {
    let mut failed = finished(Status::Failed, vec![failure()]);
    failed.deployment.error = Some(ErrorInformation {
        code: Some("HEALTH_CONSTRAINTS".into()),
        message: Some("Too many instances failed.".into()),
    });
    failed.deployment.rollback = Some(Rollback {
        deployment: Some("d-2".into()),
        of: None,
        message: None,
    });
    Outcome::Finished(Box::new(failed))
}

#[test]
fn a_failure_says_why_with_the_log_the_rollback_and_the_link() {
    let (explained, lines, exit) = with(failed(), |ended| {
        let explained: Vec<String> = ended
            .explained()
            .iter()
            .flat_map(|explained| explained.lines().collect::<Vec<_>>())
            .collect();
        (explained, ended.lines(), ended.exit())
    });
    assert_eq!(
        explained,
        [
            "instance i-1: AfterInstall failed after 2.0 s: ScriptFailed: scripts/install.sh: exit code 1 \
             ::error::forged",
            "  | [stderr]no",
            "  | ::error::forged",
            "  | ##\\[add-mask]x",
            "  | </pre>|",
        ]
    );
    assert_eq!(
        lines,
        [
            "deployment d-1 of App to Production failed after 3 min 20 s: 4 of 5 instances succeeded, 1 \
             failed; HEALTH_CONSTRAINTS: Too many instances failed."
                .to_owned(),
            format!(
                "deployment d-2 rolls it back ({LINK}d-2?region=eu-west-1); to watch that: hoist deploy \
                 --watch d-2 --region eu-west-1"
            ),
            format!("more is in the console: {LINK}d-1?region=eu-west-1"),
        ]
    );
    assert_eq!(exit, Some(Exit::DeploymentFailed));
}

#[test]
fn github_gets_an_annotation_for_the_deployment_and_each_target_and_no_log_forges_one() {
    let (annotations, summary) = with(failed(), |ended| {
        let ended = std::slice::from_ref(ended);
        (github::annotations(ended), github::summary(ended))
    });
    let lines: Vec<&str> = annotations.lines().collect();
    assert_eq!(lines.len(), 2, "{annotations}");
    assert!(
        lines[0]
            .starts_with("::error title=CodeDeploy::deployment d-1 of App to Production failed")
    );
    assert!(
        lines[1].starts_with("::error title=CodeDeploy::instance i-1: AfterInstall failed")
            && lines[1].contains("%0A[stderr]no%0A::error::forged%0A"),
        "{annotations}"
    );
    assert!(
        summary.contains(&format!(
            "| [<code>d-1</code>]({LINK}d-1?region=eu-west-1) |"
        )),
        "{summary}"
    );
    assert!(
        summary.contains("<pre>[stderr]no\n::error::forged\n"),
        "{summary}"
    );
    assert_eq!(summary.matches("</pre>").count(), 1, "{summary}");
}

#[test]
fn github_shows_ten_annotations_so_no_more_are_written() {
    let failures: Vec<Failure> = (0..5).map(|_| failure()).collect();
    let outcome = Outcome::Finished(Box::new(finished(Status::Failed, failures)));
    let place = Place {
        name: "Production".into(),
        console: None,
    };
    let (commands, outcomes) = (commands(), [outcome.clone(), outcome.clone(), outcome]);
    let ended: Vec<Ended<'_>> = outcomes
        .iter()
        .map(|outcome| ended(&place, outcome, &commands))
        .collect();
    let annotations = github::annotations(&ended);
    assert_eq!(annotations.lines().count(), 10);
    let of_deployments = annotations.matches("::deployment d-1").count();
    assert_eq!(of_deployments, 3, "{annotations}");
}

#[test]
fn a_success_says_how_long_it_took_how_many_it_reached_and_where_more_is() {
    let outcome = Outcome::Finished(Box::new(finished(Status::Succeeded, Vec::new())));
    let (lines, exit) = with(outcome, |ended| (ended.lines(), ended.exit()));
    assert_eq!(
        lines,
        [format!(
            "deployment d-1 of App to Production succeeded in 3 min 20 s: 5 of 5 instances succeeded; \
             {LINK}d-1?region=eu-west-1"
        )]
    );
    assert_eq!(exit, None);
}

#[test]
fn each_other_end_says_what_to_do_next_and_has_its_exit_code() {
    let call = |code: Option<&str>| CallError {
        operation: "CreateDeployment",
        code: code.map(str::to_owned),
        message: "No.".into(),
    };
    let watch = "to watch it: hoist deploy --watch d-1 --region eu-west-1; to stop it: aws deploy \
                 stop-deployment --deployment-id d-1 --region eu-west-1";
    let again = "to deploy to Production: hoist deploy --application-name App \
                 '--latest=s3://b/my key' --deployment-group-name Production --region eu-west-1";
    let timed_out = Error::TimedOut {
        id: Some("d-1".into()),
        status: Some(Status::InProgress),
        counts: None,
        limit: Duration::from_secs(7200),
    };
    let cancelled = Error::Cancelled {
        id: Some("d-1".into()),
        stopped: None,
    };
    let active = Error::Active {
        active: Some("d-1".into()),
        error: call(Some("DeploymentLimitExceededException")),
    };
    let ready = Outcome::Finished(Box::new(finished(Status::Ready, Vec::new())));
    let stopped = Outcome::Finished(Box::new(finished(Status::Stopped, Vec::new())));
    for (outcome, exit, said) in [
        (
            Outcome::Failed(timed_out),
            Some(Exit::WaitTimedOut),
            &[
                "still runs (in progress) after 2 h, which is --wait-timeout",
                watch,
            ][..],
        ),
        (
            Outcome::Failed(cancelled),
            Some(Exit::Failure),
            &["deployment d-1 of App to Production goes on", watch],
        ),
        (
            Outcome::Failed(active),
            Some(Exit::Service),
            &["--if-active wait waits for its end", watch],
        ),
        (
            Outcome::Failed(Error::Create {
                error: call(Some("DeploymentGroupDoesNotExistException")),
            }),
            Some(Exit::Service),
            &["list-deployment-groups --application-name App", again],
        ),
        (
            Outcome::Failed(Error::Create { error: call(None) }),
            Some(Exit::Failure),
            &["no answer to CreateDeployment", again],
        ),
        (Outcome::NotBegun, None, &["Production: not begun", again]),
        (
            stopped,
            Some(Exit::DeploymentStopped),
            &["was stopped after 3 min 20 s"],
        ),
        (
            ready,
            None,
            &[
                "is ready for traffic",
                "continue-deployment --deployment-id d-1",
            ],
        ),
    ] {
        let (lines, code) = with(outcome, |ended| (ended.lines().join("\n"), ended.exit()));
        for text in said {
            assert!(lines.contains(text), "{text}\nis not in\n{lines}");
        }
        assert_eq!(code, exit, "{lines}");
    }
}

#[test]
fn the_summary_says_that_a_deployment_goes_on_and_not_that_there_is_none() {
    let gone = || CallError {
        operation: "GetDeployment",
        code: Some("DeploymentDoesNotExistException".into()),
        message: "No.".into(),
    };
    let (id, some) = (|| "d-1".to_owned(), || Some("d-1".to_owned()));
    let cancelled = |stopped| Error::Cancelled {
        id: some(),
        stopped,
    };
    let unconfirmed = Error::Unconfirmed {
        lost: gone(),
        error: None,
    };
    for (error, status) in [
        (cancelled(None), "goes on"),
        (cancelled(Some(Ok(()))), "stopping"),
        (cancelled(Some(Err(gone()))), "goes on"),
        (
            Error::Watch {
                id: id(),
                error: gone(),
            },
            "not known",
        ),
        (unconfirmed, "not known"),
        (Error::Create { error: gone() }, "not created"),
    ] {
        let summary = with(Outcome::Failed(error), |ended| {
            github::summary(std::slice::from_ref(ended))
        });
        let cell = format!("<code>{status}</code>");
        assert!(summary.contains(&cell), "{status}: {summary}");
    }
    let missing = Error::Watch {
        id: id(),
        error: gone(),
    };
    let (lines, json) = with(Outcome::Failed(missing), |ended| {
        let json = report::deployments(std::slice::from_ref(ended));
        (ended.lines().join("\n"), json)
    });
    assert!(lines.contains("check the id"), "{lines}");
    assert!(!lines.contains("to stop it"), "{lines}");
    assert_eq!(json[0]["error"]["code"], "DeploymentDoesNotExistException");
}

#[test]
fn the_json_has_ids_status_counts_and_failures_with_raw_logs() {
    let json = with(failed(), |ended| {
        report::deployments(std::slice::from_ref(ended))
    });
    let json = &json[0];
    assert_eq!(json["id"], "d-1");
    assert_eq!(json["status"], "Failed");
    assert_eq!(json["counts"]["failed"], 1);
    assert_eq!(json["rollback"], "d-2");
    assert_eq!(json["error"]["code"], "HEALTH_CONSTRAINTS");
    let of = &json["failures"][0];
    assert_eq!(of["event"], "AfterInstall");
    assert!(of["log_tail"].as_str().unwrap().contains("\u{1b}[31m"));
}

#[test]
fn the_explanation_in_the_documentation_is_what_is_printed() {
    let mut of_script = failure();
    of_script.target = "arn:aws:ec2:eu-west-1:111122223333:instance/i-0f3c2a9d1e".into();
    of_script.diagnostics.message =
        Some("Script at specified location: scripts/install.sh failed with exit code 1".into());
    of_script.diagnostics.log_tail =
        Some("[stdout]installing\n[stderr]npm ERR! no space left on device\n".into());
    let mut failed = finished(Status::Failed, vec![of_script]);
    failed.deployment.id = "d-A1B2C3D4E".into();
    failed.deployment.error = Some(ErrorInformation {
        code: Some("HEALTH_CONSTRAINTS".into()),
        message: Some("Too many individual instances failed deployment.".into()),
    });
    failed.deployment.rollback = Some(Rollback {
        deployment: Some("d-F5G6H7I8J".into()),
        of: None,
        message: None,
    });
    let lines = with(Outcome::Finished(Box::new(failed)), |ended| {
        let explained = ended.explained();
        let explained = explained.iter().flat_map(Explained::lines);
        let lines = explained.chain(ended.lines());
        lines
            .map(|line| format!("hoist: {line}\n"))
            .collect::<String>()
    });
    let docs = include_str!("../../../../../docs/deploy.md");
    let block = format!("```text\n{lines}```");
    assert!(docs.contains(&block), "docs/deploy.md must have:\n{block}");
}

fn revision() -> Registration {
    Registration {
        location: "s3://b/my key".parse().unwrap(),
        bundle_type: BundleType::Archive(Format::Zip),
        etag: Some("9a".into()),
        version: None,
    }
}

#[test]
fn a_deployment_that_was_not_created_is_created_with_the_revision_that_was_the_newest() {
    let revision = revision();
    let lines = with(Outcome::NotBegun, |ended| {
        let ended = Ended {
            revision: Some(revision.clone()),
            ..*ended
        };
        ended.lines()
    });
    assert_eq!(
        lines[1],
        "to deploy to Production: hoist deploy --application-name App --s3-location 'bucket=b,key=my \
         key,bundleType=zip,eTag=9a' --deployment-group-name Production --region eu-west-1"
    );
}

#[test]
fn json_of_a_deployment_that_goes_on_has_the_revision_and_what_is_known_in_milliseconds() {
    let revision = revision();
    let late = Outcome::Failed(Error::TimedOut {
        id: Some("d-1".into()),
        status: Some(Status::InProgress),
        counts: Some(Counts {
            pending: 5,
            ..Counts::default()
        }),
        limit: Duration::from_nanos(2_246_999_979),
    });
    for outcome in [Outcome::Created("d-1".into()), late] {
        let is_late = matches!(outcome, Outcome::Failed(_));
        let json = with(outcome, |ended| {
            let revision = Some(&revision);
            report::deployments(&[Ended {
                revision: revision.cloned(),
                ..*ended
            }])
        });
        assert_eq!(json[0]["revision"]["key"], "my key");
        if is_late {
            assert_eq!(json[0]["seconds"], 2.247);
            assert_eq!(json[0]["counts"]["pending"], 5);
        }
    }
}

#[test]
fn failures_of_several_deployments_name_theirs_and_share_the_annotations() {
    let west = Place {
        name: "Production in us-west-2".into(),
        console: None,
    };
    let east = Place {
        name: "Production in us-east-1".into(),
        console: None,
    };
    let failed = |count| {
        let failures = vec![failure(); count];
        Outcome::Finished(Box::new(finished(Status::Failed, failures)))
    };
    let (many, one, commands) = (failed(5), failed(1), commands());
    let more = failed(5);
    let of = |place, outcome| Ended {
        is_alone: false,
        ..ended(place, outcome, &commands)
    };
    let all = [of(&east, &many), of(&east, &more), of(&west, &one)];
    assert!(
        all[2].explained()[0]
            .text
            .starts_with("Production in us-west-2: instance i-1: ")
    );
    let annotations = github::annotations(&all);
    assert_eq!(annotations.lines().count(), 10);
    assert!(annotations.contains("::Production in us-west-2: instance i-1: "));
}

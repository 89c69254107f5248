//! Deployments in a step of a GitHub workflow: annotations of what failed, a part of the job's summary, and
//! outputs for later steps.

use std::fmt::Write as _;

use serde_json::Value;

use super::outcome::{Ended, Explained};
use super::report;
use crate::cli::render::github::{annotation, cell, output};
use crate::cli::render::units::took;

/// How many annotations of a kind GitHub shows for a step.
const SHOWN: usize = 10;

/// The most lines of a log in an annotation, which GitHub shows beside the run. The last ones tell most.
const LINES: usize = 20;

/// Errors for the deployments that did not succeed, then for their targets, as many as GitHub shows. Targets
/// that failed in a deployment that succeeded all the same are warnings.
pub(crate) fn annotations(ended: &[Ended<'_>]) -> String {
    let failed = || ended.iter().filter(|ended| ended.exit().is_some());
    let of_deployments = failed().map(|ended| {
        let text = ended.lines().join("\n");
        annotation("error", &[("title", "CodeDeploy")], &text)
    });
    // Each deployment has its share of what GitHub shows.
    let mut of_targets: Vec<_> = failed()
        .flat_map(|ended| self::of_targets("error", ended).enumerate())
        .collect();
    of_targets.sort_by_key(|(turn, _)| *turn);
    let of_targets = of_targets.into_iter().map(|(_, text)| text);
    let errors = of_deployments.chain(of_targets).take(SHOWN);
    let well = ended.iter().filter(|ended| ended.exit().is_none());
    let warnings = well.flat_map(|ended| self::of_targets("warning", ended));
    errors.chain(warnings.take(SHOWN)).collect()
}

fn of_targets<'a>(level: &'a str, ended: &Ended<'_>) -> impl Iterator<Item = String> + use<'a> {
    let explained = ended.explained().into_iter();
    explained.map(move |explained| of_target(level, &explained))
}

fn of_target(level: &str, explained: &Explained) -> String {
    let log = &explained.log;
    let mut text = explained.text.clone();
    for line in &log[log.len().saturating_sub(LINES)..] {
        text.push('\n');
        text.push_str(line);
    }
    annotation(level, &[("title", "CodeDeploy")], &text)
}

/// The Markdown for the summary of the job.
pub(crate) fn summary(ended: &[Ended<'_>]) -> String {
    let mut text = String::from(
        "### CodeDeploy deployments\n\n| Deployment | Group | Region | Status | Targets | Time |\n\
         |---|---|---|---|---|---|\n",
    );
    for ended in ended {
        let id = ended.id().map(cell).unwrap_or_default();
        let id = match ended.link() {
            Some(link) => format!("[{id}]({link})"),
            None => id,
        };
        let finished = ended.finished();
        let of = finished.map(|finished| &finished.deployment);
        let group = of.map_or(ended.group, |of| of.group.as_str());
        let targets = of.map_or_else(String::new, |of| {
            let counts = &of.counts;
            format!("{} of {} succeeded", counts.succeeded, counts.total())
        });
        let time = finished.map(|finished| took(finished.took));
        let _ = writeln!(
            text,
            "| {id} | {} | {} | {} | {targets} | {} |",
            cell(group),
            cell(ended.region),
            cell(ended.status_or_why_not()),
            time.unwrap_or_default()
        );
    }
    text.push('\n');
    for ended in ended {
        let is_well = ended.exit().is_none();
        for line in ended.lines().iter().filter(|_| !is_well) {
            let _ = writeln!(text, "{}\n", cell(line));
        }
        for explained in ended.explained() {
            let _ = writeln!(
                text,
                "<details><summary>{}</summary>\n",
                cell(&explained.text)
            );
            let log: Vec<String> = explained.log.iter().map(|line| escaped(line)).collect();
            // Without an empty line, which would end the block of HTML.
            let _ = writeln!(text, "<pre>{}</pre>\n</details>\n", log.join("\n"));
        }
    }
    text
}

/// Text within `<pre>`.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}

/// Outputs of the step. Those of a single deployment are of the first one.
pub(crate) fn outputs(ended: &[Ended<'_>]) -> String {
    let first = ended.first();
    let id = first.and_then(Ended::id).unwrap_or_default();
    let status = first.and_then(Ended::status).unwrap_or_default();
    let link = first.and_then(Ended::link).unwrap_or_default();
    let all: Vec<Value> = report::deployments(ended)
        .into_iter()
        .map(|mut deployment| {
            // Logs are for people, and an output may have 1 MiB.
            if let Some(members) = deployment.as_object_mut() {
                members.remove("failures");
            }
            deployment
        })
        .collect();
    let all = Value::from(all).to_string();
    [
        ("deployment-id", id),
        ("deployment-status", status),
        ("deployment-url", &link),
        ("deployments", &all),
    ]
    .into_iter()
    .map(|(name, value)| output(name, value))
    .collect()
}

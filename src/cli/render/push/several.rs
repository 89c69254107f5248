//! What a push to several destinations says when it ends: what each of them has, and what to do where it
//! failed.

use std::fmt::Write as _;

use hoist::aws::codedeploy::{Registration, Revision};
use hoist::error::shown;
use hoist::push::{Delivered, Error, Outcome, Pushed, Reached, Several};
use serde_json::{Value, json};

use super::advice::{self, register_command};
use super::print_registered;
use super::recovery::joined;
use super::report::{create_deployment, location_json, revision_json};
use super::sites::{Site, Sites, together};
use crate::cli::Failure;
use crate::cli::args::aws::output::Output;
use crate::cli::args::aws::shorthand;

/// What one of several destinations has.
pub(crate) struct Row<'a> {
    pub(crate) site: &'a Site,
    /// What is stored there.
    pub(crate) revision: Option<&'a Revision>,
    pub(crate) is_registered: bool,
    is_verified: bool,
    pub(crate) error: Option<String>,
    description: &'a str,
    /// The options with which the AWS CLI reaches its CodeDeploy.
    words: Vec<String>,
}

/// The rows of a push that succeeded everywhere; none if there is one destination.
pub(crate) fn rows<'a>(sites: &'a Sites, pushed: &'a Pushed, description: &'a str) -> Vec<Row<'a>> {
    let delivered = pushed.delivered.iter();
    let delivered = delivered.filter(|_| sites.are_several());
    let rows = sites.all.iter().zip(delivered);
    rows.map(|(site, delivered)| Row {
        revision: Some(&delivered.revision),
        is_registered: true,
        is_verified: delivered.verified.is_some(),
        ..empty(sites, site, description)
    })
    .collect()
}

/// The rows of a push that failed somewhere.
pub(crate) fn outcomes<'a>(
    sites: &'a Sites,
    several: &'a Several,
    description: &'a str,
) -> Vec<Row<'a>> {
    let rows = sites.all.iter().zip(&several.outcomes);
    rows.map(|(site, outcome)| {
        let row = Row {
            error: outcome.error.as_ref().map(ToString::to_string),
            ..empty(sites, site, description)
        };
        match &outcome.reached {
            Reached::Nothing => row,
            Reached::Stored(revision) => Row {
                revision: Some(revision),
                ..row
            },
            Reached::Registered(Delivered { revision, verified }) => Row {
                revision: Some(revision),
                is_registered: true,
                is_verified: verified.is_some(),
                ..row
            },
        }
    })
    .collect()
}

fn empty<'a>(sites: &Sites, site: &'a Site, description: &'a str) -> Row<'a> {
    Row {
        site,
        revision: None,
        is_registered: false,
        is_verified: false,
        error: None,
        description: site.target.description_or(description),
        words: sites.words_of_a_deployment(site),
    }
}

impl Row<'_> {
    fn json(&self) -> Value {
        let target = &self.site.target;
        let application = &target.application;
        let s3_location = self.revision.map(revision_json);
        let stored = self.revision.map(|revision| &revision.stored);
        let create = s3_location.as_ref().filter(|_| self.is_registered);
        json!({
            "region": target.region(),
            "application": application,
            "description": self.description,
            "bucket": target.location.bucket,
            "key": target.location.key,
            "revision": s3_location,
            "etag": stored.map(|stored| &stored.etag),
            "version": stored.and_then(|stored| stored.version.as_ref()),
            "copied_from": self.site.target.copy_from,
            "registered": self.is_registered,
            "verified": self.is_verified,
            "error": self.error,
            "create_deployment": create.map(|location| create_deployment(application, location)),
        })
    }

    /// How to deploy the revision, if it is registered.
    fn next_step(&self) -> Option<String> {
        let revision = self.revision.filter(|_| self.is_registered)?;
        let Registration {
            location,
            bundle_type,
            etag,
            version,
        } = Registration::from(revision);
        let mut pairs = vec![
            ("bucket", &*location.bucket),
            ("key", &*location.key),
            ("bundleType", bundle_type.name()),
        ];
        pairs.extend(etag.as_deref().map(|etag| ("eTag", etag)));
        pairs.extend(version.as_deref().map(|version| ("version", version)));
        let location = shorthand::write(&pairs);
        let (before, after) = (
            [
                "aws",
                "deploy",
                "create-deployment",
                "--application-name",
                &self.site.target.application,
                "--s3-location",
                &location,
            ],
            self.words.iter().map(String::as_str),
        );
        Some(format!(
            "To deploy with this revision, run:\n{} --deployment-group-name <deployment-group-name> \
             --deployment-config-name <deployment-config-name> --description <description> {}\n",
            joined(before),
            joined(after)
        ))
    }
}

/// How to deploy the revision in each destination that has it.
pub(crate) fn next_steps(rows: &[Row<'_>]) -> String {
    rows.iter().filter_map(Row::next_step).collect()
}

/// Prints what the destinations have, after a push that failed in some of them.
pub(crate) fn print(rows: &[Row<'_>], output: Output) -> Result<(), Failure> {
    print_registered(&match output {
        Output::Text => next_steps(rows),
        Output::Json => format!("{:#}\n", json!({"destinations": rows_json(rows)})),
    })
}

pub(crate) fn rows_json(rows: &[Row<'_>]) -> Value {
    rows.iter().map(Row::json).collect()
}

/// A sentence on destinations whose object has another ETag than the first.
pub(crate) fn about_etags(rows: &[Row<'_>]) -> Option<String> {
    let etag = |row: &Row<'_>| row.revision.map(|revision| revision.stored.etag.clone());
    let (first, others) = rows.split_first()?;
    let differ = others
        .iter()
        .filter(|row| etag(row).is_some() && etag(row) != etag(first));
    let names: Vec<&str> = differ.map(|row| row.site.name.as_str()).collect();
    (!names.is_empty() && first.revision.is_some()).then(|| {
        format!(
            "the ETag in {} is another than in {}, since S3 makes another where it encrypts with a key of \
             KMS; the bytes are the same",
            names.join(", "),
            first.site.name
        )
    })
}

/// A push that failed in at least one of several destinations.
pub(crate) fn failure(sites: &Sites, several: &Several) -> Failure {
    let names: Vec<String> = sites.all.iter().map(|site| site.name.clone()).collect();
    let outcomes = || sites.all.iter().zip(&several.outcomes).enumerate();
    let failures =
        outcomes().filter_map(|(index, (site, outcome))| match outcome.error.as_ref()? {
            Error::Stopped { .. } => None,
            error => Some((index, advice::failure(&sites.command(site), error))),
        });
    let failures: Vec<_> = failures.collect();
    let left = outcomes().filter_map(|(index, (site, outcome))| {
        let Some(error @ Error::Stopped { .. }) = &outcome.error else {
            return None;
        };
        let left = sites.command(site).recovery.leftover(error.left()?);
        Some(sites.named(index, left))
    });
    let left: Vec<String> = left.collect();
    let mut failure = match (&several.source, sites.all.first()) {
        (Some(source), Some(first)) => {
            let mut failure = advice::failure(&sites.command(first), source);
            let leaves = |outcome: &Outcome| outcome.error.as_ref().and_then(Error::left).is_some();
            if let Error::Stopped { .. } = **source
                && several.outcomes.iter().any(leaves)
            {
                failure.lines = vec!["stopped; nothing is registered".to_owned()];
            }
            failure.lines.extend(together(&names, failures).lines);
            failure
        }
        _ if failures.is_empty() => {
            let stopped = Error::Stopped { left: None };
            let stopped = if left.is_empty() {
                stopped.to_string()
            } else {
                "stopped".to_owned()
            };
            let registered = several.outcomes.iter().any(is_registered);
            Failure::other(if registered {
                "stopped".to_owned()
            } else {
                stopped
            })
        }
        _ => together(&names, failures),
    };
    failure.lines.extend(left);
    failure.lines.extend(state(sites, several));
    failure
}

fn is_registered(outcome: &Outcome) -> bool {
    matches!(outcome.reached, Reached::Registered(_))
}

/// What each destination has, as far as its error does not tell.
fn state(sites: &Sites, several: &Several) -> Vec<String> {
    let each = || sites.all.iter().zip(&several.outcomes);
    let mut lines: Vec<String> = each()
        .enumerate()
        .filter_map(|(index, (site, outcome))| {
            let Reached::Stored(revision) = &outcome.reached else {
                return None;
            };
            if matches!(
                outcome.error,
                Some(Error::Register { .. } | Error::Verify { .. })
            ) {
                return None;
            }
            let text = format!(
                "the bundle is in S3, at {}, and not registered; to register it, run: {}",
                shown(&revision.location.to_string()),
                register_command(&sites.command(site), revision)
            );
            Some(sites.named(index, text))
        })
        .collect();
    let registered = each().filter(|(_, outcome)| is_registered(outcome));
    let registered: Vec<&str> = registered.map(|(site, _)| site.name.as_str()).collect();
    let stored = several
        .outcomes
        .iter()
        .any(|outcome| !matches!(outcome.reached, Reached::Nothing));
    // A push that was stopped begins with it.
    let is_said = matches!(several.source.as_deref(), Some(Error::Stopped { .. }));
    if !registered.is_empty() {
        lines.push(format!(
            "{} of {} destinations have the revision: {}",
            registered.len(),
            sites.all.len(),
            registered.join(", ")
        ));
    } else if is_refused_before(several) {
        // Errors in the AppSpec file say it, too.
        if !matches!(several.source.as_deref(), Some(Error::Lint(_))) {
            lines.push("nothing was uploaded".to_owned());
        }
    } else if !is_said && (stored || several.outcomes.iter().any(has_failed)) {
        lines.push("the revision is registered in no destination".to_owned());
    }
    lines
}

/// Whether a destination failed, rather than was stopped.
fn has_failed(outcome: &Outcome) -> bool {
    let error = outcome.error.as_ref();
    error.is_some_and(|error| !matches!(error, Error::Stopped { .. }))
}

/// Whether the push ended before the first byte, because destinations were asked.
fn is_refused_before(several: &Several) -> bool {
    let failed = || several.outcomes.iter().filter_map(|one| one.error.as_ref());
    let is_before =
        |error: &Error| matches!(error, Error::Preflight(_) | Error::NothingToCopy { .. });
    failed().next().is_some() && failed().all(is_before)
}

/// What a push would send to further destinations.
pub(crate) fn previews(sites: &Sites) -> String {
    let mut text = String::new();
    for Site { target, .. } in sites.all.iter().skip(1) {
        let how = match &target.copy_from {
            Some(region) => format!("Would have S3 copy it from {} to", shown(region)),
            None => "Would push it to".to_owned(),
        };
        let _ = writeln!(
            text,
            "{how} {} in {}, too; and register it with {}.",
            shown(&target.location.to_string()),
            shown(target.region().unwrap_or_default()),
            target.application,
        );
    }
    text
}

pub(crate) fn previews_json(sites: &Sites, bundle: &str) -> Value {
    let each = sites.all.iter().map(|site| {
        json!({
            "region": site.target.region(),
            "application": site.target.application,
            "revision": location_json(&site.target.location, bundle),
            "copied_from": site.target.copy_from,
        })
    });
    each.collect()
}

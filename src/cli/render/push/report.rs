//! What a push says on standard output when it is done, and what `--dry-run` says: text for people,
//! JSON for programs.
//!
//! The text is that of `aws deploy push`. The JSON is one object; later versions may add names, and
//! keep those that are there. See docs/output.md.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use hoist::appspec::{Report, Severity};
use hoist::archive::plan::{Notice, NoticeKind};
use hoist::archive::zip::Shown;
use hoist::aws::codedeploy::{Revision, utc};
use hoist::aws::s3::{S3Location, Stored};
use hoist::error::{self, is_unsafe, quoted};
use hoist::progress::{Progress, Stage};
use hoist::push::{Delivered, Listed, Preview, Pushed};
use serde_json::{Map, Value, json};

use crate::cli::Failure;
use crate::cli::args::aws::output::Output;
use crate::cli::render::advice;
use crate::cli::render::lint::findings;
use crate::cli::render::print;
use crate::cli::render::push::several::{Row, next_steps, previews, previews_json, rows_json};
use crate::cli::render::push::sites::{Site, Sites};
use crate::cli::render::push::{plural, print_registered};
use crate::cli::render::units::size;

/// A push that is done.
pub(crate) struct Done<'a> {
    pub(crate) application: &'a str,
    pub(crate) description: &'a str,
    pub(crate) pushed: &'a Pushed,
    /// What the destination of the plain options has.
    pub(crate) delivered: &'a Delivered,
    /// All destinations; none if there is only one.
    pub(crate) rows: &'a [Row<'a>],
    /// What became of its deployments. None: it is still to be deployed.
    pub(crate) deployments: Option<Vec<Value>>,
    pub(crate) took: Duration,
    pub(crate) progress: &'a Progress,
}

impl Done<'_> {
    pub(crate) fn print(&self, output: Output) -> Result<(), Failure> {
        let text = match output {
            Output::Text if self.deployments.is_some() => return Ok(()),
            Output::Text if self.rows.is_empty() => {
                next_step(self.application, &self.delivered.revision.shorthand())
            }
            Output::Text => next_steps(self.rows),
            Output::Json => format!("{:#}\n", self.json()),
        };
        print_registered(&text)
    }

    fn json(&self) -> Value {
        let Stored { etag, version } = &self.delivered.revision.stored;
        let s3_location = revision_json(&self.delivered.revision);
        let packed = &self.pushed.packed;
        let (totals, now) = (self.progress.totals(), self.progress.snapshot());
        let stages: Map<String, Value> = Stage::ALL
            .into_iter()
            .map(|stage| {
                let busy = totals.stage(stage).busy.as_secs_f64();
                (stage.name().to_owned(), json!(busy))
            })
            .collect();
        let ratio = (packed.content > 0).then(|| packed.archive as f64 / packed.content as f64);
        let mut json = json!({
            "application": self.application,
            "description": self.description,
            "create_deployment": create_deployment(self.application, &s3_location),
            "revision": s3_location,
            "etag": etag,
            "version": version,
            "files": packed.files,
            "content": packed.content,
            "archive": packed.archive,
            "kept": now.bytes_kept,
            "parts": now.parts_sent / now.uploads,
            "ratio": ratio,
            "seconds": self.took.as_secs_f64(),
            "stages": stages,
            "digest": packed.digest.map(|digest| format!("blake3:{digest}")),
            "dropped_links": dropped(&self.pushed.notices),
            "notices": notices(&self.pushed.notices),
            "verified": self.delivered.verified.is_some(),
            "warnings": warnings(self.pushed.report.as_ref()),
        });
        if let Some(deployments) = &self.deployments {
            json["deployments"] = json!(deployments);
        }
        if !self.rows.is_empty() {
            json["destinations"] = rows_json(self.rows);
        }
        json
    }
}

/// A revision as create-deployment takes it.
pub(crate) fn revision_json(revision: &Revision) -> Value {
    let mut json = location_json(&revision.location, revision.bundle.name());
    json["eTag"] = json!(revision.stored.etag);
    if let Some(version) = &revision.stored.version {
        json["version"] = json!(version);
    }
    json
}

/// The input of create-deployment.
pub(crate) fn create_deployment(application: &str, s3_location: &Value) -> Value {
    let revision = json!({"revisionType": "S3", "s3Location": s3_location});
    json!({"applicationName": application, "revision": revision})
}

/// What a push would send.
pub(crate) struct Previewed<'a> {
    pub(crate) preview: &'a Preview,
    pub(crate) bundle: &'static str,
    /// The destinations.
    pub(crate) sites: &'a Sites,
    /// Whether to list each entry.
    pub(crate) list: bool,
    /// The deployment groups to which it would be deployed.
    pub(crate) deploy_to: &'a [String],
}

impl Previewed<'_> {
    pub(crate) fn print(&self, output: Output) -> Result<(), Failure> {
        print(match output {
            Output::Text => self.text(),
            Output::Json => format!("{:#}\n", self.json()),
        })
    }

    /// The size of the largest possible archive, and how many parts it has.
    fn at_most(&self) -> (u64, u64) {
        let size = self.preview.worst_case();
        let parts = size.div_ceil(self.preview.limits().part_size).max(1);
        (size, parts)
    }

    fn text(&self) -> String {
        let (preview, (at_most, parts)) = (self.preview, self.at_most());
        let Some(Site { target, .. }) = self.sites.all.first() else {
            return String::new();
        };
        let mut text = String::new();
        if self.list {
            preview.entries().for_each(|entry| line(&mut text, &entry));
        }
        let _ = writeln!(
            text,
            "Would push {} file{}, {}, as {} to {}: at most {}, in {parts} part{}; and register it \
             with {}.",
            preview.files(),
            plural(preview.files()),
            size(preview.content()),
            self.bundle,
            error::shown(&target.location.to_string()),
            size(at_most),
            plural(parts),
            target.application,
        );
        text += &previews(self.sites);
        if !self.deploy_to.is_empty() {
            let groups: Vec<String> = self
                .deploy_to
                .iter()
                .map(|group| error::shown(group).to_string())
                .collect();
            let _ = writeln!(text, "Would then deploy it to {}.", groups.join(", "));
        }
        text
    }

    fn json(&self) -> Value {
        let (preview, (size, parts)) = (self.preview, self.at_most());
        let target = self.sites.all.first().map(|site| &site.target);
        let revision = target.map(|target| location_json(&target.location, self.bundle));
        let mut json = json!({
            "application": target.map(|target| &target.application),
            "revision": revision,
            "files": preview.files(),
            "content": preview.content(),
            "archive_at_most": size,
            "part_size": preview.limits().part_size,
            "parts_at_most": parts,
            "dropped_links": dropped(preview.notices()),
            "notices": notices(preview.notices()),
            "warnings": warnings(preview.report()),
        });
        if self.sites.are_several() {
            json["destinations"] = previews_json(self.sites, self.bundle);
        }
        if !self.deploy_to.is_empty() {
            json["deploy_to"] = json!(self.deploy_to);
        }
        if self.list {
            json["entries"] = preview.entries().map(|entry| entry_json(&entry)).collect();
        }
        json
    }
}

pub(crate) fn location_json(location: &S3Location, bundle: &str) -> Value {
    json!({"bucket": location.bucket, "key": location.key, "bundleType": bundle})
}

/// The links to directories that were left out, as far as the notice names them.
fn dropped(notices: &[Notice]) -> Vec<String> {
    let dropped = notices
        .iter()
        .find(|notice| notice.kind == NoticeKind::DroppedLink);
    dropped.map_or(Vec::new(), |notice| shown(&notice.paths))
}

fn notices(notices: &[Notice]) -> Vec<Value> {
    let json = notices.iter().map(|notice| {
        json!({
            "kind": notice.kind.name(),
            "count": notice.count,
            "paths": shown(&notice.paths),
            "message": advice::notice(notice),
        })
    });
    json.collect()
}

fn shown(paths: &[PathBuf]) -> Vec<String> {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect()
}

/// The findings in the AppSpec file that did not stop the push.
fn warnings(report: Option<&Report>) -> Vec<Value> {
    let found = report.map(|report| findings(report, Some(Severity::Warning)));
    found.unwrap_or_default()
}

fn entry_json(entry: &Listed<'_>) -> Value {
    let mut json = json!({
        "name": String::from_utf8_lossy(entry.name),
        "mode": format!("{:04o}", entry.mode),
        "size": entry.size,
        "mtime": entry.mtime,
    });
    if let Some(link) = entry.link {
        json["link"] = String::from_utf8_lossy(link).into();
    }
    json
}

/// One line of a list, in the format of `ls -l`.
fn line(text: &mut String, entry: &Listed<'_>) {
    let kind = match entry.link {
        Some(_) => "l",
        None if entry.name.ends_with(b"/") => "d",
        None => "-",
    };
    let mut mode = String::from(kind);
    for (bit, letter) in (0..9).rev().zip("rwxrwxrwx".chars()) {
        mode.push(if entry.mode >> bit & 1 == 1 {
            letter
        } else {
            '-'
        });
    }
    let plain = |name| match std::str::from_utf8(name) {
        Ok(name) if !name.contains(|c: char| c.is_control() || c == '"') => name.to_owned(),
        _ => Shown::new(name).to_string(),
    };
    let name = plain(entry.name);
    let time = utc(entry.mtime).unwrap_or_else(|| format!("@{}", entry.mtime));
    let _ = write!(text, "{mode} {:>12} {time} {name}", entry.size);
    if let Some(link) = entry.link {
        let _ = write!(text, " -> {}", plain(link));
    }
    text.push('\n');
}

/// How to deploy a revision, in the words of `aws deploy push`.
pub(crate) fn next_step(application: &str, revision: &str) -> String {
    // `aws deploy push` quotes nothing, so a text is only quoted if it would take more than its line.
    let word = |text: &str| match text.contains(is_unsafe) {
        true => quoted(text),
        false => text.to_owned(),
    };
    let (application, revision) = (word(application), word(revision));
    format!(
        "To deploy with this revision, run:\n\
         aws deploy create-deployment --application-name {application} --s3-location {revision} \
         --deployment-group-name <deployment-group-name> \
         --deployment-config-name <deployment-config-name> --description <description>\n"
    )
}

#[cfg(test)]
mod tests {
    use hoist::bundle::{BundleType, Format};

    use super::*;

    #[test]
    fn the_next_step_has_the_words_of_the_aws_cli() {
        let revision = Revision {
            location: S3Location {
                bucket: "B".into(),
                key: "K".into(),
            },
            bundle: BundleType::Archive(Format::Zip),
            stored: Stored {
                etag: "E".into(),
                version: Some("V".into()),
            },
        };
        assert_eq!(
            next_step("A", &revision.shorthand()),
            "To deploy with this revision, run:\n\
             aws deploy create-deployment --application-name A --s3-location \
             bucket=B,key=K,bundleType=zip,eTag=E,version=V --deployment-group-name \
             <deployment-group-name> --deployment-config-name <deployment-config-name> \
             --description <description>\n"
        );
    }
}

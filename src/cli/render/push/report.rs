//! What a push says when it is done, and what one would do: in words for people, as JSON for programs.
//!
//! The words on standard output are those of `aws deploy push`. The JSON is one object; names stay, new
//! ones may come. See docs/output.md.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hoist::appspec::{Report, Severity};
use hoist::archive::plan::{Notice, NoticeKind};
use hoist::archive::zip::Shown;
use hoist::aws::codedeploy::{Revision, utc};
use hoist::aws::s3::S3Location;
use hoist::progress::{Progress, Stage};
use hoist::push::{Listed, Preview, Pushed};
use indicatif::HumanBytes;
use serde_json::{Map, Value, json};

use crate::cli::render::lint::findings;
use crate::cli::{Exit, Failure};

/// How to say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Lines for people; of a push, the words of `aws deploy push`
    // Which has them for its other formats, too.
    #[default]
    #[value(aliases = ["table", "yaml", "yaml-stream", "off"])]
    Text,
    /// One object; of a push, with the arguments of create-deployment
    Json,
}

/// What to say on standard output.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// What to say on standard output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) output: Output,

    /// Write outputs for later steps to the file that GITHUB_OUTPUT names
    #[arg(long)]
    pub(crate) github_output: bool,

    /// List and check the source, send nothing, and ask nothing of AWS
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// With --dry-run: each entry, with its permissions, size and time
    #[arg(long, requires = "dry_run")]
    pub(crate) list: bool,
}

/// A push that is done.
pub(crate) struct Done<'a> {
    pub(crate) application: &'a str,
    pub(crate) description: &'a str,
    pub(crate) pushed: &'a Pushed,
    pub(crate) took: Duration,
    pub(crate) progress: &'a Progress,
}

impl Done<'_> {
    pub(crate) fn say(&self, output: Output) -> Result<(), Failure> {
        let text = match output {
            Output::Text => next_step(self.application, &self.pushed.revision.shorthand()),
            Output::Json => format!("{:#}\n", self.json()),
        };
        print(&text).map_err(|error| {
            let text = format!("the revision is registered, but: {error}");
            Failure::new(Exit::Failure, text)
        })
    }

    fn json(&self) -> Value {
        let Revision {
            location,
            bundle,
            stored,
        } = &self.pushed.revision;
        let packed = &self.pushed.packed;
        let mut s3_location = location_json(location, bundle.name());
        s3_location.insert("eTag".into(), json!(stored.etag));
        if let Some(version) = &stored.version {
            s3_location.insert("version".into(), json!(version));
        }
        let revision = json!({"revisionType": "S3", "s3Location": s3_location});
        let totals = self.progress.totals();
        let stages: Map<String, Value> = Stage::ALL
            .into_iter()
            .map(|stage| {
                let busy = totals.stage(stage).busy.as_secs_f64();
                (stage.name().to_owned(), json!(busy))
            })
            .collect();
        let ratio = (packed.content > 0).then(|| packed.archive as f64 / packed.content as f64);
        json!({
            "application": self.application,
            "description": self.description,
            "revision": s3_location,
            "etag": stored.etag,
            "version": stored.version,
            "files": packed.files,
            "content": packed.content,
            "archive": packed.archive,
            "ratio": ratio,
            "seconds": self.took.as_secs_f64(),
            "stages": stages,
            "digest": packed.digest.map(|digest| format!("blake3:{digest}")),
            "dropped_links": dropped(&self.pushed.notices),
            "notices": notices(&self.pushed.notices),
            "verified": self.pushed.verified.is_some(),
            "warnings": warnings(self.pushed.report.as_ref()),
            "create_deployment": {"applicationName": self.application, "revision": revision},
        })
    }
}

/// Says what a push would send.
pub(crate) fn would(
    arguments: &OutputArgs,
    preview: &Preview,
    application: &str,
    location: &S3Location,
    bundle: &'static str,
) -> Result<(), Failure> {
    let (size, part) = (preview.worst_case(), preview.limits().part_size);
    let parts = size.div_ceil(part).max(1);
    let text = match arguments.output {
        Output::Text => {
            let mut text = String::new();
            if arguments.list {
                preview.entries().for_each(|entry| line(&mut text, &entry));
            }
            let _ = writeln!(
                text,
                "Would push {} file{}, {}, as {bundle} to {location}: at most {}, in {parts} part{}; and \
                 register it with {application}.",
                preview.files(),
                plural(preview.files()),
                HumanBytes(preview.content()),
                HumanBytes(size),
                plural(parts),
            );
            text
        }
        Output::Json => {
            let mut would = json!({
                "application": application,
                "revision": location_json(location, bundle),
                "files": preview.files(),
                "content": preview.content(),
                "archive_at_most": size,
                "part_size": part,
                "parts_at_most": parts,
                "dropped_links": dropped(preview.notices()),
                "notices": notices(preview.notices()),
                "warnings": warnings(preview.report()),
            });
            if arguments.list {
                would["entries"] = preview.entries().map(|entry| entry_json(&entry)).collect();
            }
            format!("{would:#}\n")
        }
    };
    print(&text).map_err(|error| Failure::new(Exit::Failure, error))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn location_json(location: &S3Location, bundle: &str) -> Map<String, Value> {
    let pairs = [
        ("bucket", location.bucket.as_str()),
        ("key", &location.key),
        ("bundleType", bundle),
    ];
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect()
}

/// The links to directories that did not go in, as far as they are named.
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
            "message": notice.to_string(),
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

/// What was found in the AppSpec file, and did not stop the push.
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

/// One line of a list, as `ls -l` has it.
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

/// What to do with a revision, as `aws deploy push` says it.
pub(crate) fn next_step(application: &str, revision: &str) -> String {
    format!(
        "To deploy with this revision, run:\n\
         aws deploy create-deployment --application-name {application} --s3-location {revision} \
         --deployment-group-name <deployment-group-name> \
         --deployment-config-name <deployment-config-name> --description <description>\n"
    )
}

#[cfg(test)]
mod tests {
    use hoist::aws::codedeploy::Revision;
    use hoist::aws::s3::Stored;
    use hoist::bundle::{BundleType, Format};

    use super::*;

    #[test]
    fn the_next_step_is_that_of_the_aws_cli() {
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

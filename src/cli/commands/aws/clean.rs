//! `hoist clean`: aborts multipart uploads that nobody will finish.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use hoist::archive::zip::Shown;
use hoist::aws::access::connect;
use hoist::aws::codedeploy::utc;
use hoist::aws::error::CallError;
use hoist::aws::s3::{ObjectOptions, S3Location, S3Prefix};
use hoist::clean::{Age, End, Options, Stale, Totals, clean};
use indicatif::BinaryBytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cli::args::aws::access::{AccessArgs, refused};
use crate::cli::args::aws::object::account;
use crate::cli::render::progress::say;
use crate::cli::render::push::report::Output;
use crate::cli::render::recovery::Recovery;
use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure, runtime};

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// The bucket, and what the keys begin with: s3://bucket or s3://bucket/prefix
    #[arg(value_name = "URL")]
    place: String,

    /// Only uploads that were begun so long ago: minutes, hours or days, as 90m, 24h, 7d
    #[arg(long, value_name = "AGE", default_value = "24h")]
    older_than: Age,

    /// Abort nothing, and say what would be
    #[arg(long)]
    dry_run: bool,

    /// What to say on standard output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    output: Output,

    /// Fail unless this account owns the bucket: 12 digits
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    expected_bucket_owner: Option<String>,

    /// Pay for the requests in the bucket owner's place
    #[arg(long, value_name = "PAYER", value_parser = ["requester"])]
    request_payer: Option<String>,

    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) fn run(arguments: &CleanArgs) -> Result<(), Failure> {
    let place: S3Prefix = arguments.place.parse().map_err(Failure::usage)?;
    let cancel = CancellationToken::new();
    let watch = Watch::start({
        let cancel = cancel.clone();
        move || cancel.cancel()
    })?;
    let runtime = runtime()?;
    let mut told = Told {
        arguments,
        place: &place,
        uploads: Vec::new(),
        written: Ok(()),
    };
    let done = runtime.block_on(async {
        let cleaning = clean_there(arguments, &place, &mut told);
        let cleaned = cancel.run_until_cancelled(cleaning).await;
        cleaned.unwrap_or_else(|| Err(Failure::new(Exit::Failure, "stopped")))
    });
    runtime.shutdown_background();
    let totals = done.map_err(|failure| match watch.exit() {
        Some(exit) => Failure { exit, ..failure },
        None => failure,
    })?;
    told.end(&totals)
}

async fn clean_there(
    arguments: &CleanArgs,
    place: &S3Prefix,
    told: &mut Told<'_>,
) -> Result<Totals, Failure> {
    let clients = connect(&arguments.access.access())
        .await
        .map_err(|error| refused(&error))?;
    let of_bucket = ObjectOptions {
        expected_owner: arguments.expected_bucket_owner.clone(),
        requester_pays: arguments.request_payer.is_some(),
        ..ObjectOptions::default()
    };
    let uploads = clients.s3.uploads(place.clone(), of_bucket);
    let options = Options {
        prefix: place.prefix.clone(),
        older_than: arguments.older_than.duration(),
        now: SystemTime::now(),
        dry_run: arguments.dry_run,
    };
    let cleaned = clean(&uploads, &options, &mut |stale| told.each(stale)).await;
    cleaned.map_err(|error| {
        let failure = Failure::new(
            Exit::Failure,
            format!("cannot list the unfinished uploads at {place}: {error}"),
        );
        match error.code.as_deref() {
            Some("AccessDenied") => failure.and("it takes s3:ListBucketMultipartUploads"),
            _ => failure,
        }
    })
}

/// What was said of uploads, and what is to be.
struct Told<'a> {
    arguments: &'a CleanArgs,
    place: &'a S3Prefix,
    uploads: Vec<Value>,
    written: std::io::Result<()>,
}

impl Told<'_> {
    fn each(&mut self, stale: &Stale) {
        let bucket = &self.place.bucket;
        if let End::Failed(error) = &stale.end {
            let permission = match error.code.as_deref() {
                Some("AccessDenied") => "; it takes s3:AbortMultipartUpload",
                _ => "",
            };
            say(&format!(
                "cannot abort the upload of {}: {error}{permission}; by hand: {}",
                shown(bucket, &stale.upload.key),
                by_hand(bucket, stale)
            ));
        }
        match self.arguments.output {
            Output::Text => self.print(&line(bucket, stale)),
            Output::Json => self.uploads.push(upload_json(stale)),
        }
    }

    fn end(mut self, totals: &Totals) -> Result<(), Failure> {
        let text = match self.arguments.output {
            Output::Text => sum(self.arguments, totals),
            Output::Json => {
                let uploads = std::mem::take(&mut self.uploads);
                format!(
                    "{:#}\n",
                    json!({
                        "bucket": self.place.bucket,
                        "prefix": self.place.prefix,
                        "older_than": self.arguments.older_than.to_string(),
                        "dry_run": self.arguments.dry_run,
                        "uploads": uploads,
                        "aborted": totals.aborted,
                        "bytes": totals.held.bytes,
                        "sizes_unknown": totals.unknown,
                        "gone": totals.gone,
                        "failed": totals.failed,
                        "kept": totals.kept,
                    })
                )
            }
        };
        self.print(&text);
        self.written
            .map_err(|error| Failure::new(Exit::Failure, error))?;
        if totals.failed == 0 {
            return Ok(());
        }
        let uploads = if totals.failed == 1 {
            "upload is"
        } else {
            "uploads are"
        };
        let text = format!("{} {uploads} still there", totals.failed);
        Err(Failure::new(Exit::Failure, text))
    }

    fn print(&mut self, text: &str) {
        if self.written.is_ok() {
            let mut out = std::io::stdout().lock();
            self.written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }
}

/// The command that aborts an upload.
fn by_hand(bucket: &str, stale: &Stale) -> String {
    let recovery = Recovery {
        location: S3Location {
            bucket: bucket.to_owned(),
            key: stale.upload.key.clone(),
        },
        options: ObjectOptions::default(),
        access: Vec::new(),
    };
    recovery.abort_command(&stale.upload.id.0)
}

/// An object's place, safe to show: anybody who may write to a bucket chooses keys.
fn shown(bucket: &str, key: &str) -> String {
    if key.contains(|c: char| c.is_control()) {
        return format!("s3://{bucket}/ {}", Shown::new(key.as_bytes()));
    }
    format!("s3://{bucket}/{key}")
}

fn begun(stale: &Stale) -> Option<String> {
    let initiated = stale.upload.initiated?;
    let seconds = initiated.duration_since(UNIX_EPOCH).ok()?.as_secs();
    utc(i64::try_from(seconds).ok()?)
}

fn line(bucket: &str, stale: &Stale) -> String {
    let verb = match stale.end {
        End::Would => "would abort",
        End::Aborted => "aborted",
        End::Gone => "gone already:",
        End::Failed(_) => "still there:",
    };
    let held = match &stale.held {
        Ok(held) => format!("{}, {}", parts(held.parts), BinaryBytes(held.bytes)),
        Err(error) => format!("size unknown{}", why(error)),
    };
    format!(
        "{verb} {}, begun {}, {held}\n",
        shown(bucket, &stale.upload.key),
        begun(stale).unwrap_or_default()
    )
}

fn why(error: &CallError) -> String {
    let code = error.code.as_deref();
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

fn parts(count: u64) -> String {
    format!("{count} part{}", if count == 1 { "" } else { "s" })
}

fn sum(arguments: &CleanArgs, totals: &Totals) -> String {
    let verb = if arguments.dry_run {
        "would abort"
    } else {
        "aborted"
    };
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let unknown = match totals.unknown {
        0 => String::new(),
        unknown => format!(", and {unknown} of unknown size"),
    };
    format!(
        "{verb} {} upload{} of {}{unknown}; {} younger than {} stay{}\n",
        totals.aborted,
        plural(totals.aborted),
        BinaryBytes(totals.held.bytes),
        totals.kept,
        arguments.older_than,
        if totals.kept == 1 { "s" } else { "" },
    )
}

fn upload_json(stale: &Stale) -> Value {
    let (end, error) = match &stale.end {
        End::Would => ("would abort", None),
        End::Aborted => ("aborted", None),
        End::Gone => ("gone", None),
        End::Failed(error) => ("failed", Some(error.to_string())),
    };
    let held = stale.held.as_ref().ok();
    json!({
        "key": stale.upload.key,
        "upload_id": stale.upload.id.0,
        "initiated": begun(stale),
        "parts": held.map(|held| held.parts),
        "bytes": held.map(|held| held.bytes),
        "end": end,
        "error": error,
    })
}

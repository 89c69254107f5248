//! `hoist clean`: aborts multipart uploads that no push will finish.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use hoist::aws::access::Clients;
use hoist::aws::codedeploy::utc;
use hoist::aws::error::CallError;
use hoist::aws::s3::{S3Location, S3Prefix, S3Uploads, UnfinishedUpload, UploadMarker, UploadPage};
use hoist::clean::{End, Held, Options, Stale, Totals, Uploads, clean};
use hoist::error::shown;
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::{Local, check_bucket, with_clients};
use crate::cli::Failure;
use crate::cli::args::aws::access::AccessArgs;
use crate::cli::args::aws::bucket::BucketArgs;
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::args::aws::output::{Output, OutputArgs};
use crate::cli::args::output::ProgressArgs;
use crate::cli::args::time::{self, Time};
use crate::cli::render::print;
use crate::cli::render::progress::{Display, Doing, View, say, unless_stopped};
use crate::cli::render::push::plural;
use crate::cli::render::push::recovery::Recovery;
use crate::cli::render::units::size;
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Bucket, and what the keys begin with: s3://bucket or s3://bucket/prefix
    #[arg(value_name = "URL")]
    place: String,

    /// Abort only uploads that are older than this, in minutes, hours or days: 90m, 24h, 7d
    #[arg(long, value_name = "AGE", value_parser = time::age, default_value = "24h")]
    older_than: Time,

    /// Only list what would be aborted
    #[arg(long)]
    dry_run: bool,

    #[command(flatten, next_help_heading = "S3 object")]
    bucket: BucketArgs,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    local: LocalArgs,

    #[command(flatten)]
    progress: ProgressArgs,
}

/// What was done so far, for the display.
#[derive(Debug, Default)]
struct Counts {
    listed: AtomicU64,
    ended: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    fn add(&self, stale: &Stale) {
        if let End::Would | End::Aborted = stale.end {
            let bytes = stale.held.as_ref().map_or(0, |held| held.bytes);
            self.ended.fetch_add(1, Relaxed);
            self.bytes.fetch_add(bytes, Relaxed);
        }
    }

    fn view(&self, dry_run: bool) -> View {
        let listed = self.listed.load(Relaxed);
        if listed == 0 {
            return View::of(Doing::text("listing unfinished uploads"));
        }
        let ended = self.ended.load(Relaxed);
        let verb = if dry_run { "to abort" } else { "aborted" };
        let short = format!(
            "{} listed, {} {verb}",
            HumanCount(listed),
            HumanCount(ended)
        );
        let long = format!(
            "{} uploads listed, {} of {} {verb}",
            HumanCount(listed),
            HumanCount(ended),
            size(self.bytes.load(Relaxed))
        );
        View::of(Doing::Text(vec![long, short]))
    }
}

/// The uploads of a bucket, which are counted when they are listed.
struct Counted<'a> {
    uploads: S3Uploads,
    counts: &'a Counts,
}

impl Uploads for Counted<'_> {
    async fn list(&self, after: Option<&UploadMarker>) -> Result<UploadPage, CallError> {
        let page = Uploads::list(&self.uploads, after).await?;
        let listed = page.uploads.len() as u64;
        self.counts.listed.fetch_add(listed, Relaxed);
        Ok(page)
    }

    async fn held(&self, upload: &UnfinishedUpload) -> Result<Held, CallError> {
        Uploads::held(&self.uploads, upload).await
    }

    async fn abort(&self, upload: &UnfinishedUpload) -> Result<(), CallError> {
        Uploads::abort(&self.uploads, upload).await
    }
}

pub(crate) fn run(arguments: &CleanArgs) -> Result<(), Failure> {
    let place: S3Prefix = arguments.place.parse().map_err(Failure::usage)?;
    let local = Local::existing(arguments.local.dir.as_deref())?;
    let run = Run::start()?;
    let mut output = CleanOutput {
        arguments,
        place: &place,
        uploads: Vec::new(),
        written: Ok(()),
        counts: Arc::default(),
    };
    let (counts, dry_run) = (Arc::clone(&output.counts), arguments.dry_run);
    let form = arguments.progress.form(false, arguments.access.debug);
    let view = move || counts.view(dry_run);
    let display = Display::start(form, unless_stopped(run.stopping(), view));
    let access = arguments.access.access();
    let cleaning = with_clients(access, local, run.cancel(), async |clients| {
        check_bucket(&clients, &place.bucket)?;
        clean_with(arguments, &place, clients, &mut output).await
    });
    let totals = run.block_on_until_cancelled(cleaning);
    display.end();
    let totals = totals?;
    output.end(&totals)
}

async fn clean_with(
    arguments: &CleanArgs,
    place: &S3Prefix,
    clients: Clients,
    output: &mut CleanOutput<'_>,
) -> Result<Totals, Failure> {
    let uploads = clients
        .s3
        .uploads(place.clone(), arguments.bucket.options());
    let options = Options {
        prefix: place.prefix.clone(),
        older_than: arguments.older_than.duration,
        now: SystemTime::now(),
        dry_run: arguments.dry_run,
    };
    let counts = Arc::clone(&output.counts);
    let uploads = Counted {
        uploads,
        counts: &counts,
    };
    let cleaned = clean(&uploads, &options, &mut |stale| output.each(stale)).await;
    cleaned.map_err(|error| {
        let hint = is_denied(&error).then_some("it takes s3:ListBucketMultipartUploads");
        let text = format!(
            "cannot list the unfinished uploads at {}: {error}",
            shown(&place.to_string())
        );
        Failure::other(text).and(hint)
    })
}

fn is_denied(error: &CallError) -> bool {
    error.code.as_deref() == Some("AccessDenied")
}

/// What the command says: lines while it works, or one JSON object at its end.
struct CleanOutput<'a> {
    arguments: &'a CleanArgs,
    place: &'a S3Prefix,
    uploads: Vec<Value>,
    /// The first failure to write.
    written: Result<(), Failure>,
    counts: Arc<Counts>,
}

impl CleanOutput<'_> {
    fn each(&mut self, stale: &Stale) {
        self.counts.add(stale);
        let bucket = &self.place.bucket;
        if let End::Failed(error) = &stale.end {
            let permission = if is_denied(error) {
                "; it takes s3:AbortMultipartUpload"
            } else {
                ""
            };
            say(&format!(
                "cannot abort the upload of {}: {error}{permission}; by hand: {}",
                place_of(bucket, &stale.upload.key),
                self.abort_command(stale)
            ));
        }
        match self.arguments.output.format {
            Output::Text => self.print(&line(bucket, stale)),
            Output::Json => self.uploads.push(upload_json(stale)),
        }
    }

    fn end(mut self, totals: &Totals) -> Result<(), Failure> {
        let text = match self.arguments.output.format {
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
        self.written?;
        if totals.failed == 0 {
            return Ok(());
        }
        let uploads = if totals.failed == 1 {
            "upload is"
        } else {
            "uploads are"
        };
        Err(Failure::other(format!(
            "{} {uploads} still there",
            totals.failed
        )))
    }

    /// The command that aborts an upload by hand, as this one would have.
    fn abort_command(&self, stale: &Stale) -> String {
        let recovery = Recovery {
            location: S3Location {
                bucket: self.place.bucket.clone(),
                key: stale.upload.key.clone(),
            },
            options: self.arguments.bucket.options(),
            access: self
                .arguments
                .local
                .words_of_the_aws_cli()
                .unwrap_or_else(|| self.arguments.access.words_of_the_aws_cli()),
        };
        recovery.abort_command(&stale.upload.id.0)
    }

    fn print(&mut self, text: &str) {
        if self.written.is_ok() {
            self.written = print(text);
        }
    }
}

/// Where an object is, safe to print: everyone who may write to the bucket chooses keys.
fn place_of(bucket: &str, key: &str) -> String {
    shown(&format!("s3://{bucket}/{key}")).to_string()
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
        Ok(held) => format!(
            "{} part{}, {}",
            held.parts,
            plural(held.parts),
            size(held.bytes)
        ),
        Err(error) => format!("size unknown{}", why(error)),
    };
    format!(
        "{verb} {}, begun {}, {held}\n",
        place_of(bucket, &stale.upload.key),
        begun(stale).unwrap_or_default()
    )
}

fn why(error: &CallError) -> String {
    let code = error.code.as_deref();
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

fn sum(arguments: &CleanArgs, totals: &Totals) -> String {
    let verb = if arguments.dry_run {
        "would abort"
    } else {
        "aborted"
    };
    let unknown = match totals.unknown {
        0 => String::new(),
        unknown => format!(", and {unknown} of unknown size"),
    };
    format!(
        "{verb} {} upload{} of {}{unknown}; {} younger than {} stay{}\n",
        totals.aborted,
        plural(totals.aborted),
        size(totals.held.bytes),
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

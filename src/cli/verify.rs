//! `hoist verify`: reads a stored archive back and says whether it is whole.

use std::io::Write as _;
use std::sync::Arc;

use clap::Args;
use hoist::clients::connect;
use hoist::revision::S3Location;
use hoist::upload::ObjectOptions;
use hoist::verify::{Report, S3Object, Wanted, verify};
use tokio_util::sync::CancellationToken;

use super::access::{AccessArgs, refused};
use super::object::account;
use super::progress::say;
use super::signals::Watch;
use super::{Exit, Failure, runtime};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The zip: s3://bucket/key
    #[arg(value_name = "URL")]
    location: String,

    /// The ETag that it should have
    #[arg(long, value_name = "ETAG")]
    etag: Option<String>,

    /// Which version of the object to read [default: the latest]
    #[arg(long, value_name = "VERSION")]
    object_version: Option<String>,

    /// Fail unless this account owns the bucket: 12 digits
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    expected_bucket_owner: Option<String>,

    /// Pay for the requests in the bucket owner's place
    #[arg(long, value_name = "PAYER", value_parser = ["requester"])]
    request_payer: Option<String>,

    /// Say nothing of an archive that is whole
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) fn run(arguments: &VerifyArgs) -> Result<(), Failure> {
    let location: S3Location = arguments
        .location
        .parse()
        .map_err(|_| Failure::usage("the object's location must be s3://<bucket>/<key>"))?;
    let cancel = CancellationToken::new();
    let watch = Watch::start({
        let cancel = cancel.clone();
        move || cancel.cancel()
    })?;
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let reading = read(arguments, &location);
        let read = cancel.run_until_cancelled(reading).await;
        read.unwrap_or_else(|| Err(Failure::new(Exit::Failure, "stopped")))
    });
    runtime.shutdown_background();
    let report = done.map_err(|failure| match watch.exit() {
        Some(exit) => Failure { exit, ..failure },
        None => failure,
    })?;
    tell(arguments, &location, &report)
}

async fn read(arguments: &VerifyArgs, location: &S3Location) -> Result<Report, Failure> {
    let clients = connect(&arguments.access.access())
        .await
        .map_err(|error| refused(&error))?;
    let options = ObjectOptions {
        expected_owner: arguments.expected_bucket_owner.clone(),
        requester_pays: arguments.request_payer.is_some(),
        ..ObjectOptions::default()
    };
    let version = arguments.object_version.clone();
    let object = Arc::new(S3Object::new(
        clients.s3,
        location.clone(),
        version,
        options,
    ));
    let wanted = Wanted {
        etag: arguments.etag.clone(),
        ..Wanted::default()
    };
    let read = verify(&object, &wanted).await;
    read.map_err(|error| Failure::new(Exit::Failure, format!("cannot read {location}: {error}")))
}

fn tell(arguments: &VerifyArgs, location: &S3Location, report: &Report) -> Result<(), Failure> {
    if report.is_whole() {
        if arguments.quiet {
            return Ok(());
        }
        let text = format!(
            "{location} is whole: {} entries, {} bytes of content, {} bytes{}\n",
            report.entries,
            report.content,
            report.head.size,
            match (report.head.crc64nvme, report.crc64nvme) {
                (Some(_), Some(crc)) => format!(", CRC-64/NVME {crc:016x} as S3 recorded it"),
                _ => ", whose checksum the store does not tell".to_owned(),
            }
        );
        let mut out = std::io::stdout().lock();
        return out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::new(Exit::Failure, error));
    }
    for difference in &report.differences {
        say(&difference.to_string());
    }
    if report.more > 0 {
        say(&format!("and {} more", report.more));
    }
    Err(Failure::new(
        Exit::Failure,
        format!("{location} is not what it should be; do not deploy it"),
    ))
}

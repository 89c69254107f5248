//! `hoist verify`: reads an archive back, from S3 or the disk, and says whether it is whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hoist::aws::access::connect;
use hoist::aws::call::DEFAULT_ATTEMPTS;
use hoist::aws::s3::{ObjectOptions, S3Location};
use hoist::bundle::Format;
use hoist::verify::{Error, FileObject, Object, Report, Wanted, verify, verify_bytes};
use tokio_util::sync::CancellationToken;

use crate::cli::args::archive;
use crate::cli::args::aws::access::{AccessArgs, refused};
use crate::cli::args::aws::object::account;
use crate::cli::render::progress::say;
use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure, runtime};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The archive: s3://bucket/key, or a file
    #[arg(value_name = "ARCHIVE")]
    archive: String,

    /// A manifest that push or pack wrote: compare each entry with it
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// What it is: zip, tar or tgz, of which only the sum of all bytes is compared [default: as
    /// its name ends, else zip]
    #[arg(long, value_name = "TYPE", value_parser = archive::format)]
    bundle_type: Option<Format>,

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

    /// Attempts of each request to S3, with pauses in between, around the SDK's own
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ATTEMPTS, value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: u32,

    /// Say nothing of an archive that is whole
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    access: AccessArgs,
}

/// Where an archive is.
enum Place {
    S3(S3Location),
    File(PathBuf),
}

pub(crate) fn run(arguments: &VerifyArgs) -> Result<(), Failure> {
    let place = place(arguments)?;
    let named = || Format::of_name(&arguments.archive);
    let format = arguments.bundle_type.unwrap_or_else(named);
    if format != Format::Zip && arguments.manifest.is_some() {
        return Err(Failure::usage(format!(
            "--manifest is compared with the entries of a zip, and {} is a {format}; pack it again \
             with --manifest, and compare the two manifests",
            arguments.archive
        )));
    }
    let cancel = CancellationToken::new();
    let watch = Watch::start({
        let cancel = cancel.clone();
        move || cancel.cancel()
    })?;
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let reading = read(arguments, place, format);
        let read = cancel.run_until_cancelled(reading).await;
        read.unwrap_or_else(|| Err(Failure::new(Exit::Failure, "stopped")))
    });
    runtime.shutdown_background();
    let report = done.map_err(|failure| match watch.exit() {
        Some(exit) => Failure { exit, ..failure },
        None => failure,
    })?;
    tell(arguments, format, &report)
}

fn place(arguments: &VerifyArgs) -> Result<Place, Failure> {
    let archive = &arguments.archive;
    if archive.starts_with("s3://") {
        let location = archive.parse();
        let bad = "the object's location must be s3://<bucket>/<key>";
        return location.map(Place::S3).map_err(|_| Failure::usage(bad));
    }
    let of_objects = [
        ("--etag", arguments.etag.is_some()),
        ("--object-version", arguments.object_version.is_some()),
        (
            "--expected-bucket-owner",
            arguments.expected_bucket_owner.is_some(),
        ),
        ("--request-payer", arguments.request_payer.is_some()),
    ];
    match of_objects.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Failure::usage(format!(
            "{option} is about an object in S3, s3://<bucket>/<key>, and {archive} is a file"
        ))),
        None => Ok(Place::File(archive.into())),
    }
}

async fn read(arguments: &VerifyArgs, place: Place, format: Format) -> Result<Report, Failure> {
    let failed = |error| Failure::new(Exit::Failure, error);
    let wanted = Wanted {
        etag: arguments.etag.clone(),
        ..Wanted::default()
    };
    match place {
        Place::File(path) => {
            let object = FileObject::open(&path);
            let object = Arc::new(object.map_err(|error| {
                failed(error.to_string()).and("an object in S3 is s3://<bucket>/<key>")
            })?);
            compare(arguments, &object, &wanted, format).await
        }
        Place::S3(location) => {
            let access = hoist::aws::access::Access {
                attempts: Some(arguments.max_attempts),
                ..arguments.access.access()
            };
            let clients = connect(&access).await.map_err(|error| refused(&error))?;
            let options = ObjectOptions {
                expected_owner: arguments.expected_bucket_owner.clone(),
                requester_pays: arguments.request_payer.is_some(),
                ..ObjectOptions::default()
            };
            let version = arguments.object_version.clone();
            let object = clients.s3.object(location, options).with_version(version);
            let object = Arc::new(object);
            compare(arguments, &object, &wanted, format).await
        }
    }
}

async fn compare<O: Object>(
    arguments: &VerifyArgs,
    object: &Arc<O>,
    wanted: &Wanted,
    format: Format,
) -> Result<Report, Failure> {
    let mut manifest = arguments.manifest.as_deref().map(open).transpose()?;
    let manifest = manifest
        .as_mut()
        .map(|from| from as &mut (dyn BufRead + Send));
    let compared = match format {
        Format::Zip => verify(object, wanted, manifest).await,
        Format::Tar | Format::Tgz => verify_bytes(object, wanted).await,
    };
    compared.map_err(|error| {
        let text = match (&error, &arguments.manifest) {
            (Error::Manifest(fault), Some(path)) => {
                format!(
                    "{} is no manifest that can be used: {fault}",
                    path.display()
                )
            }
            _ => format!("cannot read {}: {error}", arguments.archive),
        };
        Failure::new(Exit::Failure, text)
    })
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let opened = File::open(path).map(BufReader::new);
    opened.map_err(|error| {
        let text = format!("cannot open {}: {error}", path.display());
        Failure::new(Exit::Failure, text)
    })
}

fn tell(arguments: &VerifyArgs, format: Format, report: &Report) -> Result<(), Failure> {
    let archive = &arguments.archive;
    let recorded = report.head.crc64nvme.is_some();
    if report.is_whole() && format != Format::Zip && !recorded && arguments.etag.is_none() {
        return Err(Failure::new(
            Exit::Failure,
            format!(
                "{archive} can be read, but nothing says what it should be: a {format} has no \
                 checksums of its entries, and no checksum of the whole is recorded"
            ),
        ));
    }
    if report.is_whole() {
        if arguments.quiet {
            return Ok(());
        }
        return print(&whole(archive, format, report));
    }
    for difference in &report.differences {
        say(&difference.to_string());
    }
    if report.more > 0 {
        say(&format!("and {} more", report.more));
    }
    Err(Failure::new(
        Exit::Failure,
        format!("{archive} is not what it should be; do not deploy it"),
    ))
}

fn whole(archive: &str, format: Format, report: &Report) -> String {
    let entries = match format {
        Format::Zip => format!(
            "{} entries, {} bytes of content, ",
            report.entries, report.content
        ),
        Format::Tar | Format::Tgz => String::new(),
    };
    let sum = match (report.head.crc64nvme, report.crc64nvme) {
        (Some(_), Some(crc)) => format!(", CRC-64/NVME {crc:016x} as S3 recorded it"),
        (None, Some(crc)) => format!(", CRC-64/NVME {crc:016x}, which nobody recorded"),
        (_, None) => String::new(),
    };
    let tree = report
        .digest
        .map(|digest| format!("; every entry is as in the manifest, blake3:{digest}"));
    format!(
        "{archive} is whole: {entries}{} bytes{sum}{}\n",
        report.head.size,
        tree.unwrap_or_default()
    )
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Exit::Failure, error))
}

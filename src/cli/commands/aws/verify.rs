//! `hoist verify`: reads an archive back, from S3 or the disk, and tells whether it is intact.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hoist::aws::access::Access;
use hoist::aws::s3::S3Location;
use hoist::bundle::Format;
use hoist::cancel::Cancel;
use hoist::error::{ShownName, shown};
use hoist::progress::Progress;
use hoist::verify::{Error, FileObject, Object, Report, Wanted, Watched, verify, verify_bytes};

use super::{Local, check_bucket, with_clients};
use crate::cli::Failure;
use crate::cli::args::archive;
use crate::cli::args::aws::AttemptsArgs;
use crate::cli::args::aws::access::AccessArgs;
use crate::cli::args::aws::bucket::BucketArgs;
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::args::output::ProgressArgs;
use crate::cli::render::print;
use crate::cli::render::progress::{Display, View, say, unless_stopped, warn_of};
use crate::cli::render::units::size;
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The archive: s3://bucket/key, or a file
    #[arg(value_name = "ARCHIVE")]
    archive: String,

    /// Manifest that push or pack wrote: compare each entry with it
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// Archive format: zip, tar or tgz; of tar and tgz only the checksum of all bytes is compared
    /// [default: from the ending of the name, else zip]
    #[arg(long, value_name = "TYPE", value_parser = archive::format)]
    bundle_type: Option<Format>,

    /// ETag that the object must have
    #[arg(long, value_name = "ETAG", help_heading = "S3 object")]
    etag: Option<String>,

    /// Version of the object to read [default: the latest]
    #[arg(long, value_name = "VERSION", help_heading = "S3 object")]
    object_version: Option<String>,

    #[command(flatten, next_help_heading = "S3 object")]
    bucket: BucketArgs,

    #[command(flatten, next_help_heading = "AWS access")]
    attempts: AttemptsArgs,

    #[command(flatten)]
    access: AccessArgs,

    /// Print nothing if the archive is intact, and show no progress
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,

    #[command(flatten)]
    local: LocalArgs,

    #[command(flatten)]
    progress: ProgressArgs,
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
            shown(&arguments.archive)
        )));
    }
    let run = Run::start()?;
    let progress = Arc::new(Progress::new());
    let reading = read(arguments, place, format, &progress, run.cancel());
    let form = arguments
        .progress
        .form(arguments.quiet, arguments.access.debug);
    let counters = Arc::clone(&progress);
    let view = move || View::reading(&counters.snapshot());
    let display = Display::start(form, unless_stopped(run.stopping(), view));
    let report = run.block_on_until_cancelled(reading);
    display.end();
    let report = report?;
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
            arguments.bucket.expected_bucket_owner.is_some(),
        ),
        ("--request-payer", arguments.bucket.request_payer.is_some()),
        ("--local", arguments.local.dir.is_some()),
    ];
    match of_objects.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Failure::usage(format!(
            "{option} is about an object in S3, s3://<bucket>/<key>, and {} is a file",
            shown(archive)
        ))),
        None => Ok(Place::File(archive.into())),
    }
}

async fn read(
    arguments: &VerifyArgs,
    place: Place,
    format: Format,
    progress: &Arc<Progress>,
    cancel: &Cancel,
) -> Result<Report, Failure> {
    let wanted = Wanted {
        etag: arguments.etag.clone(),
        ..Wanted::default()
    };
    match place {
        Place::File(path) => {
            let object = FileObject::open(&path).map_err(|error| {
                Failure::other(error).and(Some("an object in S3 is s3://<bucket>/<key>"))
            })?;
            let object = Watched::new(object, Arc::clone(progress));
            compare(arguments, &Arc::new(object), &wanted, format).await
        }
        Place::S3(location) => {
            let access = Access {
                attempts: Some(arguments.attempts.max_attempts),
                ..arguments.access.access()
            };
            let local = Local::existing(arguments.local.dir.as_deref())?;
            with_clients(access, local, cancel, async |clients| {
                check_bucket(&clients, &location.bucket)?;
                let object = clients.s3.object(location, arguments.bucket.options());
                let object = object.with_version(arguments.object_version.clone());
                let object = object.counting(progress.under_way());
                let object = Watched::new(object, Arc::clone(progress));
                compare(arguments, &Arc::new(object), &wanted, format).await
            })
            .await
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
        Failure::other(match (&error, &arguments.manifest) {
            (Error::Manifest(fault), Some(path)) => {
                format!("{} cannot be used as a manifest: {fault}", shown(path))
            }
            _ => format!("cannot read {}: {error}", shown(&arguments.archive)),
        })
    })
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let opened = File::open(path).map(BufReader::new);
    opened.map_err(|error| Failure::other(format!("cannot open {}: {error}", shown(path))))
}

fn tell(arguments: &VerifyArgs, format: Format, report: &Report) -> Result<(), Failure> {
    let archive = shown(&arguments.archive);
    let recorded = report.head.crc64nvme.is_some();
    if report.is_whole() && format != Format::Zip && !recorded && arguments.etag.is_none() {
        return Err(Failure::other(format!(
            "{archive} can be read, but nothing says what it should be: a {format} has no \
             checksums of its entries, and no checksum of the whole is recorded"
        )));
    }
    if !arguments.quiet {
        warn_of(&report.notices);
    }
    if report.is_whole() {
        if arguments.quiet {
            return Ok(());
        }
        return print(whole(archive, format, report));
    }
    for difference in &report.differences {
        say(&difference.to_string());
    }
    if report.more > 0 {
        say(&format!("and {} more", report.more));
    }
    Err(Failure::other(format!(
        "{archive} is not what it should be; do not deploy it"
    )))
}

fn whole(archive: ShownName<'_>, format: Format, report: &Report) -> String {
    let entries = match format {
        Format::Zip => format!(
            "{} entries, {} of content, ",
            report.entries,
            size(report.content)
        ),
        Format::Tar | Format::Tgz => String::new(),
    };
    let sum = match (report.head.crc64nvme, report.crc64nvme) {
        (Some(_), Some(crc)) => format!(", CRC-64/NVME {crc:016x} as S3 recorded it"),
        (None, Some(crc)) => format!(", CRC-64/NVME {crc:016x}, which is recorded nowhere"),
        (_, None) => String::new(),
    };
    let tree = report
        .digest
        .map(|digest| format!("; every entry is as in the manifest, blake3:{digest}"));
    format!(
        "{archive} is whole: {entries}{} in all{sum}{}\n",
        size(report.head.size),
        tree.unwrap_or_default()
    )
}

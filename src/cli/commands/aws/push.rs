//! `hoist push`: the options, texts and exit codes of `aws deploy push`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use hoist::appspec::{Report, Rule};
use hoist::archive::plan::{Notice, NoticeKind};
use hoist::aws::access::{Access, Clients};
use hoist::aws::codedeploy::{Platform, Registrar};
use hoist::aws::s3::{BadLocation, S3Location};
use hoist::bundle::Content;
use hoist::error::shown;
use hoist::progress::Progress;
use hoist::push::prebuilt::{Chosen, choose};
use hoist::push::preflight::{PATIENCE, Preflight};
use hoist::push::{
    Checked, Destination, Observer, Packing, Pushed, Request, Source, Uploading, preview, push,
};
use hoist::transfer::CleanupHint;

use super::{Local, Needs, check_bucket, warn_of_key, with_clients};
use crate::cli::Failure;
use crate::cli::args::archive::{ArchiveArgs, level_name};
use crate::cli::args::aws::access::AccessArgs;
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::args::aws::object::ObjectArgs;
use crate::cli::args::aws::output::{Output, OutputArgs};
use crate::cli::args::aws::paramfile;
use crate::cli::args::aws::revision::{BAD_LOCATION, RevisionArgs};
use crate::cli::args::aws::upload::UploadArgs;
use crate::cli::args::descriptors;
use crate::cli::args::output::ReportArgs;
use crate::cli::args::source::{SourceArgs, keep_apart};
use crate::cli::render::progress::{Display, note, of_push, say, warn_of};
use crate::cli::render::push::advice::{self, CommandLine};
use crate::cli::render::push::github;
use crate::cli::render::push::recovery::Recovery;
use crate::cli::render::push::report::{Done, Previewed};
use crate::cli::render::push::show;
use crate::cli::render::summary::{Sent, summary};
use crate::cli::render::timings::{Setup, TimingReport};
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    #[command(flatten)]
    revision: RevisionArgs,

    /// Where to upload the bundle: s3://bucket/key
    #[arg(long, value_name = "URL", display_order = 0)]
    s3_location: String,

    #[command(flatten)]
    source: SourceArgs,

    /// Do not check the AppSpec file before the upload
    #[arg(long, help_heading = "Source")]
    no_lint: bool,

    /// Also stop at what agent 2.x refuses with its hardening settings (reject_..._in_bundle)
    #[arg(long, conflicts_with = "no_lint", help_heading = "Source")]
    hardened: bool,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    upload: UploadArgs,

    #[command(flatten)]
    object: ObjectArgs,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    output: OutputArgs,

    /// Write outputs for later workflow steps to the file that GITHUB_OUTPUT names
    #[arg(long, help_heading = "Output")]
    github_output: bool,

    #[command(flatten)]
    report: ReportArgs,

    /// List and check the source; send nothing, and ask nothing of AWS
    #[arg(long, help_heading = "Testing")]
    dry_run: bool,

    /// With --dry-run: list each entry with its permissions, size and time
    #[arg(long, requires = "dry_run", help_heading = "Testing")]
    list: bool,

    #[command(flatten)]
    local: LocalArgs,
}

pub(crate) fn run(mut arguments: PushArgs) -> Result<(), Failure> {
    arguments.revision.read()?;
    paramfile::read("--s3-location", &mut arguments.s3_location)?;
    let arguments = &arguments;
    let location = arguments.s3_location.parse();
    let location: S3Location = location.map_err(|BadLocation| Failure::usage(BAD_LOCATION))?;
    arguments.revision.check()?;
    let object = arguments.object.options()?;
    let (request, platform) = request(arguments, &location)?;
    if let Some(dir) = &arguments.local.dir {
        keep_apart(&request.source.path, dir, "--local")?;
    }
    let recovery = Recovery {
        location,
        options: object,
        access: arguments
            .local
            .words_of_the_aws_cli()
            .unwrap_or_else(|| arguments.access.words_of_the_aws_cli()),
    };
    if arguments.dry_run {
        return dry_run(arguments, (&request, platform), &recovery);
    }
    let cleanup = CleanupHint::default();
    let (hint, recover) = (cleanup.clone(), recovery.clone());
    let run = Run::start_with_hint(move || {
        let (_, unfinished) = hint.unfinished().into_iter().next()?;
        Some(recover.unfinished(&unfinished))
    })?;
    let access = Access {
        attempts: Some(arguments.upload.attempts.max_attempts),
        bandwidth: arguments.upload.bandwidth_limit,
        ..arguments.access.access()
    };
    let local = arguments.local.dir.as_deref().map(|dir| Local {
        dir,
        needs: Some(Needs {
            bucket: &recovery.location.bucket,
            application: &arguments.revision.application,
            platform: platform.clone(),
        }),
    });
    let target = (&request, platform);
    let pushing = with_clients(access, local, run.cancel(), async |clients| {
        check_bucket(&clients, &recovery.location.bucket)?;
        push_with(arguments, target, &recovery, clients, cleanup, &run).await
    });
    run.block_on_within(arguments.upload.timeout.as_ref(), pushing)
}

/// What to push, and what the application must deploy to.
fn request(
    arguments: &PushArgs,
    location: &S3Location,
) -> Result<(Request, Option<Platform>), Failure> {
    let asked = arguments.archive.bundle_type.asked;
    let chosen = choose(&arguments.source.dir, &location.key, asked);
    let Chosen {
        path,
        content,
        platform,
    } = chosen.map_err(|error| advice::unusable(&error))?;
    if !arguments.report.quiet {
        warn_of_key(&location.key, content.bundle_type());
    }
    let threads = arguments.archive.threads();
    let source = Source {
        path,
        content,
        select: arguments.source.options(threads)?,
        lint: !arguments.no_lint,
        hardened: arguments.hardened,
    };
    if arguments.archive.manifest.is_some() {
        check_manifest(arguments, &source)?;
    }
    let request = Request {
        source,
        packing: Packing {
            level: arguments.archive.level,
            threads,
            memory: arguments.upload.memory_limit,
            // Only the JSON has it.
            digest: arguments.output.format == Output::Json,
            manifest: arguments.archive.manifest.clone(),
        },
        uploading: Uploading {
            concurrency: descriptors::at_most(arguments.upload.concurrency),
            bandwidth: arguments.upload.bandwidth_limit,
            resume: arguments.upload.resume(arguments.archive.level)?,
        },
    };
    Ok((request, platform))
}

fn check_manifest(arguments: &PushArgs, source: &Source) -> Result<(), Failure> {
    if let Content::File(_) = source.content {
        return Err(Failure::usage(format!(
            "--manifest lists what is packed, and {} is sent as it is; leave it out",
            shown(&source.path)
        )));
    }
    if arguments.dry_run {
        return Err(Failure::usage(
            "--manifest needs the files to be read, and --dry-run reads none; leave one of them out",
        ));
    }
    arguments.archive.keep_manifest_apart(&arguments.source.dir)
}

async fn push_with(
    arguments: &PushArgs,
    (request, platform): (&Request, Option<Platform>),
    recovery: &Recovery,
    clients: Clients,
    cleanup: CleanupHint,
    run: &Run,
) -> Result<(), Failure> {
    let description = arguments.revision.description();
    let (location, options) = (recovery.location.clone(), recovery.options.clone());
    let timings = arguments.report.timings;
    let timing = TimingReport::start(timings, arguments.report.trace.as_deref())?;
    let under_way = timing.progress().under_way();
    let object = clients.s3.object(location.clone(), options);
    let object = object.counting(under_way);
    let preflight = Preflight {
        s3: clients.s3.clone(),
        codedeploy: clients.codedeploy.clone(),
        region: clients.region.clone(),
        options: recovery.options.clone(),
        platform: platform.clone(),
        patience: PATIENCE,
    };
    let application = arguments.revision.application.clone();
    let registrar = Registrar::new(clients.codedeploy, application, description.clone());
    let destination = Destination {
        verification: arguments.upload.verify.then(|| object.clone()),
        store: Arc::new(object.with_checksum(arguments.upload.checksum())),
        location,
        preflight: (!arguments.upload.no_preflight).then_some(preflight),
        registrar: Some(registrar),
        region: clients.region,
        copy_from: None,
    };
    let outputs = arguments.github_output.then(github::output_file);
    let outputs = outputs.transpose()?;
    let started = Instant::now();
    let quiet = arguments.report.quiet;
    let setup = Setup {
        level: level_name(arguments.archive.level),
        threads: request.packing.threads,
        sends: true,
        bandwidth: request.uploading.bandwidth,
    };
    let observer = Observer {
        progress: Arc::clone(timing.progress()),
        cleanup,
        checked: Checked::new(move |notices, report| {
            if !quiet {
                warn_of_source(notices, report);
            }
        }),
        ..Observer::default()
    };
    let form = arguments
        .report
        .progress
        .form(quiet, arguments.access.debug);
    let view = of_push(&observer.progress, run.stopping(), observer.cleanup.clone());
    let display = Display::start(form, view);
    let pushed = push(request, &destination.into(), &observer, run.cancel()).await;
    display.end();
    match &pushed {
        Ok(pushed) => {
            if !quiet {
                say(&summarised(pushed, &observer.progress, started.elapsed()));
            }
            timing.end(setup, Some(&pushed.packed));
        }
        Err(_) => timing.end(setup, None),
    }
    if !quiet {
        let notes = observer.notes.take();
        notes.iter().for_each(|told| note(&recovery.note(told)));
    }
    let pushed = pushed
        .map_err(|error| advice::failure(&command_line(arguments, platform, recovery), &error))?;
    for delivered in &pushed.delivered {
        let done = Done {
            application: &arguments.revision.application,
            description: &description,
            pushed: &pushed,
            delivered,
            took: started.elapsed(),
            progress: &observer.progress,
        };
        github::write(&done, outputs.as_deref());
        done.print(arguments.output.format)?;
    }
    Ok(())
}

/// The line at the end of a push.
fn summarised(pushed: &Pushed, progress: &Progress, elapsed: Duration) -> String {
    let now = progress.snapshot();
    let sent = pushed.delivered.first().map(|delivered| Sent {
        parts: now.parts_sent,
        kept: now.bytes_kept,
        etag: &delivered.revision.stored.etag,
    });
    summary(&pushed.packed, elapsed, sent)
}

/// Does what a push does before the first byte, without asking AWS.
fn dry_run(
    arguments: &PushArgs,
    (request, platform): (&Request, Option<Platform>),
    recovery: &Recovery,
) -> Result<(), Failure> {
    let run = Run::start()?;
    let progress = Arc::new(Progress::new());
    let preview = run.block_on(async {
        let preview = preview(request, &progress, run.cancel()).await;
        preview
            .map_err(|error| advice::failure(&command_line(arguments, platform, recovery), &error))
    })?;
    if !arguments.report.quiet {
        warn_of_source(preview.notices(), preview.report());
    }
    let previewed = Previewed {
        preview: &preview,
        application: &arguments.revision.application,
        location: &recovery.location,
        bundle: request.source.content.bundle_type().name(),
        list: arguments.list,
    };
    previewed.print(arguments.output.format)
}

/// Shows the warnings about the source and its AppSpec file.
fn warn_of_source(notices: &[Notice], report: Option<&Report>) {
    let has_loop = |report: &Report| {
        let mut rules = report.findings.iter().map(|finding| finding.rule);
        rules.any(|rule| matches!(rule, Rule::LinkLoop | Rule::LinkLoops))
    };
    // The finding about the AppSpec file says more of a link without an end than the notice of its plan.
    let is_told = report.is_some_and(has_loop);
    let notices = notices
        .iter()
        .filter(|notice| notice.kind != NoticeKind::LinkLoop || !is_told);
    warn_of(notices);
    if let Some(report) = report {
        show(report);
    }
}

fn command_line<'a>(
    arguments: &'a PushArgs,
    platform: Option<Platform>,
    recovery: &'a Recovery,
) -> CommandLine<'a> {
    let mut words = arguments.access.words();
    words.extend(arguments.object.bucket.words());
    if let Some(dir) = &arguments.local.dir {
        words.extend(["--local".to_owned(), dir.display().to_string()]);
    }
    CommandLine {
        application: &arguments.revision.application,
        platform,
        is_local: arguments.local.dir.is_some(),
        s3_location: &arguments.s3_location,
        description: &arguments.revision.description,
        words,
        recovery,
        checksum: arguments.upload.checksum(),
    }
}

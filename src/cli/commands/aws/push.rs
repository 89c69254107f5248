//! `hoist push`: the options, texts and exit codes of `aws deploy push`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use hoist::appspec::{self, Rule};
use hoist::archive::plan::{Notice, NoticeKind};
use hoist::aws::codedeploy::{Platform, default_description};
use hoist::bundle::Content;
use hoist::error::shown;
use hoist::progress::Progress;
use hoist::push::prebuilt::{Chosen, choose};
use hoist::push::{
    Checked, Destinations, Error, Observer, Packing, Pushed, Request, Source, Uploading, preview,
    push,
};
use hoist::transfer::CleanupHint;
use serde_json::Value;

use super::deploy_to::{DeployTo, Shown};
use super::deploying::Running;
use super::places::{Common, Place, connected, uploads};
use super::{warn_of_key, with_services};
use crate::cli::Failure;
use crate::cli::args::archive::{ArchiveArgs, level_name};
use crate::cli::args::aws::access::AccessArgs;
use crate::cli::args::aws::deploy_to::DeployToArgs;
use crate::cli::args::aws::destination::{DestinationsArgs, Target, sources};
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::args::aws::object::ObjectArgs;
use crate::cli::args::aws::output::{Output, OutputArgs};
use crate::cli::args::aws::paramfile;
use crate::cli::args::aws::revision::RevisionArgs;
use crate::cli::args::aws::upload::UploadArgs;
use crate::cli::args::descriptors;
use crate::cli::args::output::ReportArgs;
use crate::cli::args::source::{SourceArgs, keep_apart};
use crate::cli::render::progress::{Display, note, of_push, say, warn_of};
use crate::cli::render::push::advice;
use crate::cli::render::push::report::{Done, Previewed};
use crate::cli::render::push::sites::Sites;
use crate::cli::render::push::{github, several, show};
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
    destinations: DestinationsArgs,

    #[command(flatten)]
    deploy_to: DeployToArgs,

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
    arguments.deploy_to.read()?;
    let arguments = &arguments;
    let targets = targets(arguments)?;
    let wanted = arguments
        .deploy_to
        .wanted(&arguments.revision.description)?;
    let (request, platform) = request(arguments, &targets)?;
    if let Some(dir) = &arguments.local.dir {
        keep_apart(&request.source.path, dir, "--local")?;
    }
    let sites = |targets| {
        let checksum = arguments.upload.checksum();
        Sites::new(targets, platform.clone(), &arguments.local, checksum)
    };
    if arguments.dry_run {
        let regions: Vec<_> = targets
            .iter()
            .map(|to| to.region().map(str::to_owned))
            .collect();
        sources(&targets, &regions)?;
        let groups = wanted.map(|wanted| wanted.groups).unwrap_or_default();
        return dry_run(arguments, &request, &sites(targets), &groups);
    }
    let cleanup = CleanupHint::default();
    let (hint, of_hint) = (cleanup.clone(), sites(targets.clone()));
    let running = Running::default();
    let deploy_to = wanted.map(|wanted| DeployTo {
        arguments: &arguments.deploy_to,
        wanted,
        running: running.clone(),
    });
    let run = Run::start_with_hint(move || {
        let mut lines = of_hint.unfinished(&hint.unfinished());
        lines.extend(running.lines());
        lines
    })?;
    let local = arguments.local.dir.as_deref();
    let pushing = with_services(local, run.cancel(), async |services| {
        let places = connected(&targets, &arguments.upload, platform.as_ref(), services).await?;
        if let Some(deploy_to) = &deploy_to {
            for place in &places {
                let (region, groups) = (&place.clients.region, &deploy_to.wanted.groups);
                services.make_groups(region, &place.target.application, groups)?;
            }
        }
        let sites = sites(places.iter().map(|place| place.target.clone()).collect());
        push_to(
            arguments,
            &request,
            (&places, &sites),
            platform.as_ref(),
            deploy_to.as_ref(),
            cleanup,
            &run,
        )
        .await
    });
    run.block_on_within(arguments.upload.timeout.as_ref(), pushing)
}

/// Where the revision goes.
fn targets(arguments: &PushArgs) -> Result<Vec<Target>, Failure> {
    let plain = Target::plain(
        &arguments.revision,
        &arguments.s3_location,
        &arguments.object,
        &arguments.access,
    )?;
    let is_local = arguments.local.dir.is_some();
    arguments.destinations.targets(plain, is_local)
}

/// What to push, and what the application must deploy to.
fn request(
    arguments: &PushArgs,
    targets: &[Target],
) -> Result<(Request, Option<Platform>), Failure> {
    let asked = arguments.archive.bundle_type.asked;
    let chosen = choose(&arguments.source.dir, &targets[0].location.key, asked);
    let Chosen {
        path,
        content,
        platform,
    } = chosen.map_err(|error| advice::unusable(&error))?;
    if !arguments.report.quiet {
        for target in targets {
            warn_of_key(&target.location.key, content.bundle_type());
        }
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
    let (limit, uploads) = (arguments.upload.bandwidth_limit, uploads(targets));
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
            concurrency: descriptors::each_at_most(arguments.upload.concurrency, uploads),
            // Each upload gets its share.
            bandwidth: limit.map(|rate| (rate / uploads as u64).max(1)),
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

async fn push_to(
    arguments: &PushArgs,
    request: &Request,
    (places, sites): (&[Place], &Sites),
    platform: Option<&Platform>,
    deploy_to: Option<&DeployTo<'_>>,
    cleanup: CleanupHint,
    run: &Run,
) -> Result<(), Failure> {
    let description = default_description(SystemTime::now());
    let timings = arguments.report.timings;
    let timing = TimingReport::start(timings, arguments.report.trace.as_deref())?;
    let common = Common {
        upload: &arguments.upload,
        platform,
        description: &description,
        under_way: timing.progress().under_way(),
    };
    let destinations = Destinations {
        all: places
            .iter()
            .map(|place| place.destination(&common))
            .collect(),
        keep_going: arguments.destinations.keep_going,
    };
    let outputs = arguments.github_output.then(github::output_file);
    let outputs = outputs.transpose()?;
    let started = Instant::now();
    let quiet = arguments.report.quiet;
    if let Some(deploy_to) = deploy_to.filter(|_| !arguments.upload.no_preflight) {
        deploy_to.check(places, sites, quiet).await?;
    }
    let setup = Setup {
        level: level_name(arguments.archive.level),
        threads: request.packing.threads,
        sends: true,
        bandwidth: arguments.upload.bandwidth_limit,
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
    let pushed = push(request, &destinations, &observer, run.cancel()).await;
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
        notes.iter().for_each(|told| note(&sites.note(told)));
    }
    let report = Report {
        arguments,
        sites,
        description: &description,
        deploys: deploy_to.is_some(),
        outputs: outputs.as_deref(),
        took: started.elapsed(),
        progress: &observer.progress,
    };
    let pushed = match pushed {
        Ok(pushed) => pushed,
        Err(error) => return report.failure(&error),
    };
    report.tell(&pushed);
    let Some(deploy_to) = deploy_to else {
        return report.print(&pushed, None);
    };
    // --timeout is for the push.
    run.lift_limit();
    let shown = Shown {
        form,
        quiet,
        prints_ids: arguments.output.format == Output::Text,
        outputs: outputs.as_deref(),
    };
    let deployed = deploy_to
        .deploy(&pushed, (places, sites), &shown, run)
        .await;
    let printed = report.print(&pushed, Some(deployed.json));
    deployed.failure.map_or(printed, Err)
}

/// What is needed to tell how a push ended.
struct Report<'a> {
    arguments: &'a PushArgs,
    sites: &'a Sites,
    description: &'a str,
    /// Whether the revision is deployed afterwards.
    deploys: bool,
    /// The file for outputs of a workflow.
    outputs: Option<&'a Path>,
    took: Duration,
    progress: &'a Progress,
}

impl Report<'_> {
    /// Tells GitHub what was pushed, and the user what is special about it.
    fn tell(&self, pushed: &Pushed) {
        let rows = several::rows(self.sites, pushed, self.description);
        if let Some(text) = several::about_etags(&rows).filter(|_| !self.arguments.report.quiet) {
            note(&text);
        }
        if let Some(done) = self.done(pushed, &rows, None) {
            github::write(&done, self.outputs);
        }
    }

    /// Prints the result. `deployments` are those of the revision, if it was deployed.
    fn print(&self, pushed: &Pushed, deployments: Option<Vec<Value>>) -> Result<(), Failure> {
        let rows = several::rows(self.sites, pushed, self.description);
        match self.done(pushed, &rows, deployments) {
            Some(done) => done.print(self.arguments.output.format),
            None => Ok(()),
        }
    }

    fn done<'d>(
        &'d self,
        pushed: &'d Pushed,
        rows: &'d [several::Row<'d>],
        deployments: Option<Vec<Value>>,
    ) -> Option<Done<'d>> {
        let first = self.sites.all.first()?;
        Some(Done {
            application: &first.target.application,
            description: first.target.description_or(self.description),
            pushed,
            delivered: pushed.delivered.first()?,
            rows,
            deployments,
            took: self.took,
            progress: self.progress,
        })
    }

    fn failure(&self, error: &Error) -> Result<(), Failure> {
        let several = match error {
            Error::Several(several) => several,
            error => return Err(failure(self.sites, error)),
        };
        let rows = several::outcomes(self.sites, several, self.description);
        let mut failure = several::failure(self.sites, several);
        let is_registered = rows.iter().any(|row| row.is_registered);
        if self.arguments.destinations.keep_going && is_registered {
            github::write_rows(&rows, self.outputs);
            let printed = several::print(&rows, self.arguments.output.format);
            failure
                .lines
                .extend(printed.err().into_iter().flat_map(|error| error.lines));
        }
        if self.deploys {
            let text = "nothing was deployed, because not all destinations succeeded";
            failure.lines.push(text.to_owned());
        }
        Err(failure)
    }
}

/// A push that failed before it came to any destination, or that has one.
fn failure(sites: &Sites, error: &Error) -> Failure {
    match sites.all.first() {
        Some(site) => advice::failure(&sites.command(site), error),
        None => Failure::other(error),
    }
}

/// The line at the end of a push.
fn summarised(pushed: &Pushed, progress: &Progress, elapsed: Duration) -> String {
    let now = progress.snapshot();
    let sent = pushed.delivered.first().map(|delivered| Sent {
        destinations: pushed.delivered.len(),
        parts: now.parts_sent / now.uploads,
        // With several destinations it is the sum of them, and a note on each says what was resumed.
        kept: if pushed.delivered.len() == 1 {
            now.bytes_kept
        } else {
            0
        },
        etag: &delivered.revision.stored.etag,
    });
    summary(&pushed.packed, elapsed, sent)
}

/// Does what a push does before the first byte, without asking AWS.
fn dry_run(
    arguments: &PushArgs,
    request: &Request,
    sites: &Sites,
    deploy_to: &[String],
) -> Result<(), Failure> {
    let run = Run::start()?;
    let progress = Arc::new(Progress::new());
    let preview = run.block_on(async {
        let preview = preview(request, &progress, run.cancel()).await;
        preview.map_err(|error| failure(sites, &error))
    })?;
    if !arguments.report.quiet {
        warn_of_source(preview.notices(), preview.report());
    }
    let previewed = Previewed {
        preview: &preview,
        bundle: request.source.content.bundle_type().name(),
        sites,
        list: arguments.list,
        deploy_to,
    };
    previewed.print(arguments.output.format)
}

/// Shows the warnings about the source and its AppSpec file.
fn warn_of_source(notices: &[Notice], report: Option<&appspec::Report>) {
    let has_loop = |report: &appspec::Report| {
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

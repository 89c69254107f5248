//! `hoist push`: the options, texts and exit codes of `aws deploy push`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use clap::Args;
use hoist::appspec::Report;
use hoist::archive::limits::DEFAULT_CONCURRENCY;
use hoist::aws::access::{Clients, connect};
use hoist::aws::call::DEFAULT_ATTEMPTS;
use hoist::aws::codedeploy::{Platform, check_description, check_name, default_description};
use hoist::aws::s3::S3Location;
use hoist::aws::s3::{ObjectOptions, S3Store};
use hoist::bundle::{BundleType, Content};
use hoist::cancel::Cancel;
#[cfg(feature = "local")]
use hoist::endpoint::Endpoint;
use hoist::progress::Progress;
use hoist::push::prebuilt::choose;
use hoist::push::preflight::{PATIENCE, Preflight};
use hoist::push::{
    Destination, Observer, Packing, Registrar, Request, Source, Uploading, preview, push,
};
use hoist::transfer::CleanupHint;
use hoist::verify::S3Object;

use crate::cli::args::aws::access::{AccessArgs, refused};
use crate::cli::args::aws::object::ObjectArgs;
use crate::cli::args::aws::paramfile;
use crate::cli::args::aws::upload::SendingArgs;
use crate::cli::args::{BundleArgs, descriptors, keep_apart};
use crate::cli::render::diagnostic::show;
use crate::cli::render::progress::{Display, say, warn_of};
use crate::cli::render::push::advice::{self, failure};
use crate::cli::render::push::github;
use crate::cli::render::push::report::{Done, Output, OutputArgs, would};
use crate::cli::render::timings::Setup;
use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure, runtime};

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The CodeDeploy application to register the revision with
    #[arg(long, value_name = "NAME")]
    pub(crate) application_name: String,

    /// Where to upload the bundle: s3://bucket/key
    #[arg(long, value_name = "URL")]
    pub(crate) s3_location: String,

    #[command(flatten)]
    pub(crate) bundle: BundleArgs,

    /// A description of the revision, or file://PATH [default: Uploaded by hoist <time> UTC]
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) description: String,

    /// Requests to S3 at a time, as far as memory goes
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = concurrency)]
    pub(crate) concurrency: usize,

    /// Attempts of each request to S3, with pauses in between, around the SDK's own
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ATTEMPTS, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) max_attempts: u32,

    /// Read the object back before it is registered, and compare it with what was sent; with
    /// --manifest, each entry's BLAKE3 too. It takes s3:GetObject
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) verify: bool,

    #[command(flatten)]
    pub(crate) sending: SendingArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    /// Do not ask whether application and bucket are there before the upload
    #[arg(long)]
    pub(crate) no_preflight: bool,

    /// Do not look at what the AppSpec file says
    #[arg(long)]
    pub(crate) no_lint: bool,

    #[command(flatten)]
    pub(crate) object: ObjectArgs,

    #[command(flatten)]
    pub(crate) access: AccessArgs,

    /// Push to an S3 and CodeDeploy of its own that keep everything below DIR
    #[cfg(feature = "local")]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["endpoint_url", "profile"])]
    pub(crate) local: Option<PathBuf>,
}

/// As many as S3 is known to take from one client.
fn concurrency(text: &str) -> Result<usize, String> {
    const MOST: usize = 64;
    match text.parse() {
        Ok(requests @ 1..=MOST) => Ok(requests),
        _ => Err(format!("choose from 1 to {MOST}")),
    }
}

pub(crate) fn run(mut arguments: PushArgs) -> Result<(), Failure> {
    paramfile::read("--application-name", &mut arguments.application_name)?;
    paramfile::read("--s3-location", &mut arguments.s3_location)?;
    paramfile::read("--description", &mut arguments.description)?;
    let arguments = &arguments;
    let location: S3Location = arguments.s3_location.parse().map_err(Failure::usage)?;
    check_name(&arguments.application_name).map_err(Failure::usage)?;
    if let Some(warning) = check_description(&arguments.description).map_err(Failure::usage)? {
        say(&format!("warning: {warning}"));
    }
    let object = arguments.object.options()?;
    let asked = arguments.bundle.bundle_type.asked();
    let chosen = choose(&arguments.bundle.source, &location.key, asked);
    let (path, content) = chosen.map_err(|error| advice::unusable(&error))?;
    let request = Request {
        source: Source {
            path,
            content,
            select: arguments.bundle.plan_options()?,
            lint: !arguments.no_lint,
        },
        packing: Packing {
            level: arguments.bundle.level.policy(),
            threads: arguments.bundle.threads(),
            memory: arguments.sending.memory_limit,
            // Only programs read it.
            digest: arguments.output.output == Output::Json,
            manifest: arguments.bundle.manifest.clone(),
        },
        uploading: Uploading {
            concurrency: descriptors::at_most(arguments.concurrency),
            attempts: arguments.max_attempts,
            bandwidth: arguments.sending.bandwidth_limit,
            resume: arguments.sending.resume(arguments.bundle.level)?,
        },
    };
    if request.packing.manifest.is_some() {
        check_manifest(arguments, &request.source)?;
    }
    if let Some(dir) = arguments.local() {
        keep_apart(&request.source.path, dir, "--local")?;
    }
    if arguments.output.dry_run {
        return dry_run(arguments, &request, &location);
    }
    let (cancel, underway) = (Cancel::new(), CleanupHint::default());
    let stop = {
        let cancel = cancel.clone();
        move || cancel.cancel()
    };
    let left = {
        let underway = underway.clone();
        move || underway.left()
    };
    let watch = Watch::start_knowing(stop, left)?;
    let late = AtomicBool::new(false);
    let runtime = runtime()?;
    let pushed = runtime.block_on(async {
        let pushing = push_there(arguments, &request, location, object, &cancel, underway);
        let Some(limit) = arguments.sending.timeout() else {
            return pushing.await;
        };
        let mut pushing = std::pin::pin!(pushing);
        match tokio::time::timeout(limit, &mut pushing).await {
            Ok(pushed) => pushed,
            Err(_) => {
                late.store(true, Ordering::Relaxed);
                cancel.cancel();
                pushing.await
            }
        }
    });
    // What is still looked up, a host name perhaps, is of no use any more.
    runtime.shutdown_background();
    match (pushed, watch.exit()) {
        (Ok(()), _) => Ok(()),
        (Err(failure), Some(exit)) => Err(Failure { exit, ..failure }),
        (Err(failure), None) if late.into_inner() => Err(arguments.sending.late(failure)),
        (Err(failure), None) => Err(failure),
    }
}

/// Whether there can be a manifest.
fn check_manifest(arguments: &PushArgs, source: &Source) -> Result<(), Failure> {
    if let Content::File(_) = source.content {
        return Err(Failure::usage(format!(
            "--manifest lists what is packed, and {} is sent as it is; leave it out",
            source.path.display()
        )));
    }
    if arguments.output.dry_run {
        return Err(Failure::usage(
            "--manifest needs the files to be read, and --dry-run reads none; leave one of them out",
        ));
    }
    arguments.bundle.keep_manifest_apart()
}

async fn push_there(
    arguments: &PushArgs,
    request: &Request,
    location: S3Location,
    object: ObjectOptions,
    cancel: &Cancel,
    underway: CleanupHint,
) -> Result<(), Failure> {
    let access = hoist::aws::access::Access {
        bandwidth: arguments.sending.bandwidth_limit,
        ..arguments.access.access()
    };
    #[cfg(feature = "local")]
    if let Some(dir) = &arguments.local {
        let failed = |error: hoist::endpoint::Error| Failure::new(Exit::Failure, error);
        let endpoint = Endpoint::start(dir, 0).await.map_err(failed)?;
        let access = hoist::aws::access::Access {
            endpoint_url: Some(endpoint.url().to_owned()),
            anonymous: true,
            ..access
        };
        let clients = connect(&access).await.map_err(|error| refused(&error))?;
        endpoint
            .prepare(
                &location.bucket,
                &clients.region,
                &arguments.application_name,
            )
            .map_err(failed)?;
        let to = (location, object, underway);
        let done = push_with(arguments, request, to, clients, cancel).await;
        endpoint.shutdown().await;
        return done;
    }
    let connected = cancel.run_until_cancelled(connect(&access)).await;
    let connected = connected.ok_or_else(|| Failure::new(Exit::Failure, "stopped"))?;
    let clients = connected.map_err(|error| refused(&error))?;
    let to = (location, object, underway);
    push_with(arguments, request, to, clients, cancel).await
}

async fn push_with(
    arguments: &PushArgs,
    request: &Request,
    (location, object, underway): (S3Location, ObjectOptions, CleanupHint),
    clients: Clients,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let description = if arguments.description.is_empty() {
        default_description(SystemTime::now())
    } else {
        arguments.description.clone()
    };
    let preflight = Preflight {
        s3: clients.s3.clone(),
        codedeploy: clients.codedeploy.clone(),
        region: clients.region,
        options: object.clone(),
        // An AppSpec file alone is for Lambda or ECS.
        platform: match request.source.content.bundle_type() {
            BundleType::Archive(_) => Some(Platform::Server),
            BundleType::Yaml | BundleType::Json => None,
        },
        patience: PATIENCE,
    };
    let verify = arguments.verify.then(|| {
        let (client, location) = (clients.s3.clone(), location.clone());
        let object = S3Object::new(client, location, None, object.clone());
        object.with_attempts(arguments.max_attempts)
    });
    let store = S3Store::new(clients.s3, location.clone(), clients.sign_payload)
        .with_options(object)
        .with_checksum(arguments.sending.checksum())
        .with_renewal(clients.renewal.clone())
        .reached_by(match arguments.local() {
            // Whoever serves the directory then.
            Some(_) => ["--endpoint-url", "http://127.0.0.1:PORT"]
                .map(str::to_owned)
                .into(),
            None => arguments.access.words_of_the_aws_cli(),
        });
    let destination = Destination {
        store: Arc::new(store),
        location,
        preflight: (!arguments.no_preflight).then_some(preflight),
        verification: verify,
        registrar: Some(Registrar {
            codedeploy: clients.codedeploy,
            application: arguments.application_name.clone(),
            description: description.clone(),
            attempts: arguments.max_attempts,
            renewal: clients.renewal,
        }),
    };
    let outputs = arguments.output.github_output.then(github::output_file);
    let outputs = outputs.transpose()?;
    let started = Instant::now();
    let told = arguments.bundle.timing.start()?;
    let setup = Setup {
        level: arguments.bundle.level.to_string(),
        threads: request.packing.threads,
        sends: true,
    };
    let observer = Observer {
        progress: Arc::clone(told.progress()),
        cleanup: underway,
        ..Observer::default()
    };
    let display = Display::start(&observer.progress, arguments.bundle.quiet);
    let tell = || {
        if !arguments.bundle.quiet {
            let notes = observer.notes.take();
            notes.iter().for_each(|note| say(&format!("note: {note}")));
        }
    };
    match push(request, &destination, &observer, cancel).await {
        Ok(pushed) => {
            display.end(Some((&pushed.packed, &pushed.notices, "pushed")));
            warn_of_appspec(arguments, pushed.report.as_ref());
            told.end(setup, Some(&pushed.packed));
            tell();
            let done = Done {
                application: &arguments.application_name,
                description: &description,
                pushed: &pushed,
                took: started.elapsed(),
                progress: &observer.progress,
            };
            github::tell(&done, outputs.as_deref());
            done.say(arguments.output.output)
        }
        Err(error) => {
            display.end(None);
            told.end(setup, None);
            tell();
            Err(failure(arguments, &error))
        }
    }
}

/// Does what a push does before the first byte, without asking anybody.
fn dry_run(arguments: &PushArgs, request: &Request, location: &S3Location) -> Result<(), Failure> {
    let cancel = Cancel::new();
    let watch = Watch::start({
        let cancel = cancel.clone();
        move || cancel.cancel()
    })?;
    let progress = Arc::new(Progress::new());
    let previewed = runtime()?.block_on(preview(request, &progress, &cancel));
    let previewed = match (previewed, watch.exit()) {
        (Ok(previewed), _) => previewed,
        (Err(error), None) => return Err(failure(arguments, &error)),
        (Err(_), Some(exit)) => return Err(Failure::new(exit, "stopped")),
    };
    if !arguments.bundle.quiet {
        warn_of(previewed.notices());
    }
    warn_of_appspec(arguments, previewed.report());
    let kind = request.source.content.bundle_type().name();
    let application = &arguments.application_name;
    would(&arguments.output, &previewed, application, location, kind)
}

/// Shows what may surprise in the AppSpec file.
fn warn_of_appspec(arguments: &PushArgs, report: Option<&Report>) {
    if let (false, Some(report)) = (arguments.bundle.quiet, report) {
        show(report);
    }
}

impl PushArgs {
    #[cfg(feature = "local")]
    pub(crate) fn local(&self) -> Option<&PathBuf> {
        self.local.as_ref()
    }

    #[cfg(not(feature = "local"))]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn local(&self) -> Option<&PathBuf> {
        None
    }
}

//! `hoist push`: the options, texts and exit codes of `aws deploy push`.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use hoist::clients::{Access, Clients, connect};
use hoist::error::CallError;
use hoist::limits::DEFAULT_CONCURRENCY;
#[cfg(feature = "local")]
use hoist::local::Endpoint;
use hoist::prebuilt::choose;
use hoist::push::{Bundle, Error, Pushed, Target, push};
use hoist::revision::{self, Revision, S3Location, default_description};
use hoist::upload::{Cause, S3Store};
use tokio_util::sync::CancellationToken;

use super::progress::Display;
use super::signals::Watch;
use super::timings::Setup;
use super::{BundleArgs, Exit, Failure, LevelArg, keep_apart, runtime};

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The CodeDeploy application to register the revision with
    #[arg(long, value_name = "NAME")]
    application_name: String,

    /// Where to upload the bundle: s3://bucket/key
    #[arg(long, value_name = "URL")]
    s3_location: String,

    #[command(flatten)]
    bundle: BundleArgs,

    /// A description of the revision [default: Uploaded by hoist <time> UTC]
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    description: String,

    /// Requests to S3 at a time, as far as memory goes
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = concurrency)]
    concurrency: usize,

    /// The region of the bucket and the application [default: as the AWS CLI finds it]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The profile in ~/.aws to use
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// The endpoint of both S3 and CodeDeploy, instead of Amazon's
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// Push to an S3 and CodeDeploy of its own that keep everything below DIR
    #[cfg(feature = "local")]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["endpoint_url", "profile"])]
    local: Option<PathBuf>,
}

/// As many as S3 is known to take from one client.
fn concurrency(text: &str) -> Result<usize, String> {
    const MOST: usize = 64;
    match text.parse() {
        Ok(requests @ 1..=MOST) => Ok(requests),
        _ => Err(format!("choose from 1 to {MOST}")),
    }
}

pub(crate) fn run(arguments: &PushArgs) -> Result<(), Failure> {
    let location: S3Location = arguments.s3_location.parse().map_err(Failure::usage)?;
    let asked = arguments.bundle.bundle_type.asked();
    let chosen = choose(&arguments.bundle.source, &location.key, asked);
    let (source, content) = chosen.map_err(|error| Failure::new(Exit::Failure, error))?;
    let bundle = Bundle {
        source,
        content,
        ignore_hidden: arguments.bundle.ignore_hidden()?,
        level: arguments.bundle.level.start(),
        auto: arguments.bundle.level == LevelArg::Auto,
        threads: arguments.bundle.threads(),
        concurrency: arguments.concurrency,
    };
    if let Some(dir) = arguments.local() {
        keep_apart(&bundle.source, dir, "--local")?;
    }
    let cancel = CancellationToken::new();
    let watch = Watch::start({
        let cancel = cancel.clone();
        move || cancel.cancel()
    })?;
    let runtime = runtime()?;
    let pushed = runtime.block_on(push_there(arguments, &bundle, location, &cancel));
    // What is still looked up, a host name perhaps, is of no use any more.
    runtime.shutdown_background();
    match (pushed, watch.exit()) {
        (Ok(()), _) => Ok(()),
        (Err(failure), None) => Err(failure),
        (Err(failure), Some(exit)) => Err(Failure { exit, ..failure }),
    }
}

async fn push_there(
    arguments: &PushArgs,
    bundle: &Bundle,
    location: S3Location,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let access = Access {
        region: arguments.region.clone(),
        profile: arguments.profile.clone(),
        endpoint_url: arguments.endpoint_url.clone(),
        anonymous: false,
    };
    #[cfg(feature = "local")]
    if let Some(dir) = &arguments.local {
        let failed = |error: hoist::local::Error| Failure::new(Exit::Failure, error);
        let endpoint = Endpoint::start(dir, 0).await.map_err(failed)?;
        let access = Access {
            endpoint_url: Some(endpoint.url().to_owned()),
            anonymous: true,
            ..access
        };
        let clients = connect(&access)
            .await
            .map_err(|error| Failure::new(Exit::Config, error))?;
        endpoint
            .prepare(
                &location.bucket,
                &clients.region,
                &arguments.application_name,
            )
            .map_err(failed)?;
        let done = push_with(arguments, bundle, location, clients, cancel).await;
        endpoint.shutdown().await;
        return done;
    }
    let connected = cancel.run_until_cancelled(connect(&access)).await;
    let connected = connected.ok_or_else(|| Failure::new(Exit::Failure, "stopped"))?;
    let clients = connected.map_err(|error| Failure::new(Exit::Config, error))?;
    push_with(arguments, bundle, location, clients, cancel).await
}

async fn push_with(
    arguments: &PushArgs,
    bundle: &Bundle,
    location: S3Location,
    clients: Clients,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let description = if arguments.description.is_empty() {
        default_description(SystemTime::now())
    } else {
        arguments.description.clone()
    };
    let target = Target {
        store: Arc::new(S3Store::new(
            clients.s3,
            location.clone(),
            clients.sign_payload,
        )),
        location,
        codedeploy: clients.codedeploy,
        application: arguments.application_name.clone(),
        description,
    };
    let told = arguments.bundle.timing.start()?;
    let setup = Setup {
        level: arguments.bundle.level.to_string(),
        threads: bundle.threads,
        sends: true,
    };
    let display = Display::start(told.progress(), arguments.bundle.quiet);
    match push(bundle, &target, told.progress(), cancel).await {
        Ok(Pushed { sent, revision }) => {
            display.end(Some((&sent.packed, &sent.dropped_links, "pushed")));
            told.end(setup, Some(&sent.packed));
            let text = next_step(&arguments.application_name, &revision);
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .map_err(|error| {
                    Failure::new(
                        Exit::Failure,
                        format!("the revision is registered, but: {error}"),
                    )
                })
        }
        Err(error) => {
            display.end(None);
            told.end(setup, None);
            Err(failure(arguments, &error))
        }
    }
}

/// What to do with a revision, as `aws deploy push` says it.
fn next_step(application: &str, revision: &Revision) -> String {
    format!(
        "To deploy with this revision, run:\n\
         aws deploy create-deployment --application-name {application} --s3-location {} \
         --deployment-group-name <deployment-group-name> \
         --deployment-config-name <deployment-config-name> --description <description>\n",
        revision.shorthand()
    )
}

fn failure(arguments: &PushArgs, error: &Error) -> Failure {
    let exit = match error {
        Error::Register {
            error: revision::Error::Call(CallError { code: Some(_), .. }),
            ..
        } => Exit::Service,
        _ => Exit::Failure,
    };
    let mut failure = Failure::new(exit, error);
    if let Some(hint) = hint(arguments, error) {
        failure = failure.and(hint);
    }
    if let Some(left) = error.left() {
        failure = failure.and(left);
    }
    failure
}

/// What to do next, where the error itself does not say.
fn hint(arguments: &PushArgs, error: &Error) -> Option<String> {
    match error {
        Error::Upload { error, .. } => match &error.cause {
            Cause::Store(error) if error.code.as_deref() == Some("NoSuchBucket") => {
                Some("create the bucket, or check its name and --region".to_owned())
            }
            Cause::Store(error)
                if matches!(
                    error.code.as_deref(),
                    Some("PermanentRedirect" | "IllegalLocationConstraintException")
                ) =>
            {
                Some("the bucket is in another region: say which with --region".to_owned())
            }
            _ => None,
        },
        Error::Register { revision, .. } => Some(format!(
            "the bundle is stored; to register it later, run: aws deploy \
             register-application-revision --application-name {} --s3-location {}",
            arguments.application_name,
            revision.shorthand()
        )),
        _ => None,
    }
}

impl PushArgs {
    #[cfg(feature = "local")]
    fn local(&self) -> Option<&PathBuf> {
        self.local.as_ref()
    }

    #[cfg(not(feature = "local"))]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    fn local(&self) -> Option<&PathBuf> {
        None
    }
}

#[cfg(test)]
mod tests {
    use hoist::bundle::{BundleType, Format};
    use hoist::upload::Stored;

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
            next_step("A", &revision),
            "To deploy with this revision, run:\n\
             aws deploy create-deployment --application-name A --s3-location \
             bucket=B,key=K,bundleType=zip,eTag=E,version=V --deployment-group-name \
             <deployment-group-name> --deployment-config-name <deployment-config-name> \
             --description <description>\n"
        );
    }
}

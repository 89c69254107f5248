//! `hoist register`: tells CodeDeploy of an object that is in S3 already, after a push that got no
//! further, or when something else uploaded it.

use std::io::Write as _;
#[cfg(feature = "local")]
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use hoist::aws::access::{Clients, connect};
use hoist::aws::codedeploy::{
    self, BadObject, Named, Registrar, Registration, check_description, check_name,
    default_description,
};
use hoist::aws::s3::ObjectOptions;
use hoist::bundle::BundleType;
#[cfg(feature = "local")]
use hoist::endpoint::Endpoint;
use tokio_util::sync::CancellationToken;

use crate::cli::args::aws::access::{AccessArgs, refused};
use crate::cli::args::aws::object::account;
use crate::cli::args::aws::paramfile;
use crate::cli::commands::aws::push::BAD_LOCATION;
use crate::cli::render::progress::say;
use crate::cli::render::push::report::next_step;
use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure, runtime};

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The CodeDeploy application to register the revision with
    #[arg(long, value_name = "NAME")]
    application_name: String,

    /// Where the object is: s3://bucket/key, or bucket=…,key=…,bundleType=…,eTag=…,version=…
    #[arg(long, value_name = "OBJECT")]
    s3_location: String,

    /// What the object is: zip, tar, tgz, YAML or JSON [default: by the key's ending, else zip]
    #[arg(long, value_name = "TYPE")]
    bundle_type: Option<BundleType>,

    /// The object's ETag [default: asked for]
    #[arg(long, value_name = "ETAG")]
    etag: Option<String>,

    /// The object's version [default: asked for with the ETag]
    #[arg(long, value_name = "VERSION")]
    object_version: Option<String>,

    /// A description of the revision, or file://PATH [default: Uploaded by hoist <time> UTC]
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    description: String,

    /// Fail unless this account owns the bucket: 12 digits
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    expected_bucket_owner: Option<String>,

    /// Pay for the request in the bucket owner's place
    #[arg(long, value_name = "PAYER", value_parser = ["requester"])]
    request_payer: Option<String>,

    /// Say nothing but what to do next
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    access: AccessArgs,

    /// Register with the CodeDeploy that keeps everything below DIR, as push --local does
    #[cfg(feature = "local")]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["endpoint_url", "profile"])]
    local: Option<PathBuf>,
}

pub(crate) fn run(mut arguments: RegisterArgs) -> Result<(), Failure> {
    paramfile::read("--application-name", &mut arguments.application_name)?;
    paramfile::read("--s3-location", &mut arguments.s3_location)?;
    paramfile::read("--description", &mut arguments.description)?;
    let arguments = &arguments;
    check_name(&arguments.application_name).map_err(Failure::usage)?;
    if let Some(warning) = check_description(&arguments.description).map_err(Failure::usage)? {
        say(&format!("warning: {warning}"));
    }
    let named = arguments.s3_location.parse();
    let named: Named = named.map_err(|error| match error {
        BadObject::Location(_) => Failure::usage(BAD_LOCATION),
        BadObject::Twice(name) => Failure::usage(format!("--s3-location names {name} twice")),
        error => Failure::usage(error),
    })?;
    let both = [
        ("--etag", arguments.etag.is_some() && named.etag.is_some()),
        (
            "--object-version",
            arguments.object_version.is_some() && named.version.is_some(),
        ),
        (
            "--bundle-type",
            arguments.bundle_type.is_some() && named.bundle_type.is_some(),
        ),
    ];
    if let Some((option, _)) = both.into_iter().find(|(_, both)| *both) {
        let text = format!("{option} and --s3-location say the same; leave one of them out");
        return Err(Failure::usage(text));
    }
    let cancel = CancellationToken::new();
    let watch = Watch::start({
        let cancel = cancel.clone();
        move || cancel.cancel()
    })?;
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let registering = register_there(arguments, named);
        let registered = cancel.run_until_cancelled(registering).await;
        registered.unwrap_or_else(|| Err(Failure::new(Exit::Failure, "stopped")))
    });
    runtime.shutdown_background();
    done.map_err(|failure| match watch.exit() {
        Some(exit) => Failure { exit, ..failure },
        None => failure,
    })
}

async fn register_there(arguments: &RegisterArgs, named: Named) -> Result<(), Failure> {
    let access = arguments.access.access();
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
                &named.location.bucket,
                &clients.region,
                &arguments.application_name,
            )
            .map_err(failed)?;
        let done = register_with(arguments, named, &clients).await;
        endpoint.shutdown().await;
        return done;
    }
    let clients = connect(&access).await.map_err(|error| refused(&error))?;
    register_with(arguments, named, &clients).await
}

async fn register_with(
    arguments: &RegisterArgs,
    named: Named,
    clients: &Clients,
) -> Result<(), Failure> {
    let bundle_type = arguments.bundle_type.or(named.bundle_type);
    let bundle_type = bundle_type.or_else(|| BundleType::of_name(&named.location.key));
    let quoted = |etag: String| etag.trim_matches('"').to_owned();
    let mut registration = Registration {
        bundle_type: bundle_type.unwrap_or_default(),
        etag: arguments.etag.clone().or(named.etag).map(quoted),
        version: arguments.object_version.clone().or(named.version),
        location: named.location,
    };
    if registration.etag.is_none() {
        look_up(arguments, &mut registration, clients).await?;
    }
    let description = if arguments.description.is_empty() {
        default_description(SystemTime::now())
    } else {
        arguments.description.clone()
    };
    let application = &arguments.application_name;
    Registrar::new(clients.codedeploy.clone(), application.clone(), description)
        .register(&registration)
        .await
        .map_err(|error| failure(&error.into()))?;
    let text = next_step(application, &registration.shorthand());
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| {
            let text = format!("the revision is registered, but: {error}");
            Failure::new(Exit::Failure, text)
        })
}

/// Asks S3 for the ETag, and the version, that a deployment shall find.
async fn look_up(
    arguments: &RegisterArgs,
    registration: &mut Registration,
    clients: &Clients,
) -> Result<(), Failure> {
    let location = &registration.location;
    let options = ObjectOptions {
        expected_owner: arguments.expected_bucket_owner.clone(),
        requester_pays: arguments.request_payer.is_some(),
        ..ObjectOptions::default()
    };
    let object = clients.s3.object(location.clone(), options);
    let object = object.with_version(registration.version.clone());
    match object.head().await {
        Ok(Some(head)) => {
            registration.etag = Some(head.etag);
            registration.version = head.version.or(registration.version.take());
        }
        Ok(None) => {
            let text = format!("{location} is not there; upload it first, with hoist push");
            return Err(Failure::new(Exit::Failure, text));
        }
        Err(error) if error.code.is_none() => return Err(failure(&error.into())),
        Err(error) if !arguments.quiet => say(&format!(
            "note: registered without an ETag, so that a deployment takes what is there by then; \
             {error}"
        )),
        Err(_) => {}
    }
    Ok(())
}

fn failure(error: &codedeploy::Error) -> Failure {
    let codedeploy::Error::Call(call) = error else {
        return Failure::new(Exit::Failure, error);
    };
    if call.is_without_credentials() {
        let text = format!("{call}. You can configure credentials by running \"aws configure\".");
        return Failure::new(Exit::Config, text);
    }
    match call.code {
        Some(_) => Failure::new(Exit::Service, error),
        None => Failure::new(Exit::Failure, error),
    }
}

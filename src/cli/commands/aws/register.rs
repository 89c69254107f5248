//! `hoist register`: registers an object that is already in S3 with CodeDeploy, after a push that
//! could not, or when another program uploaded the object.

use std::path::Path;

use clap::Args;
#[cfg(feature = "local")]
use hoist::appspec;
use hoist::aws::access::Clients;
use hoist::aws::codedeploy::{BadObject, Named, Platform, Registrar, Registration};
use hoist::aws::s3::S3Location;
use hoist::bundle::BundleType;
#[cfg(feature = "local")]
use hoist::endpoint::Endpoint;
use hoist::error::shown;

use super::{Local, Needs, warn_of_key, with_clients};
use crate::cli::Failure;
use crate::cli::args::aws::access::AccessArgs;
use crate::cli::args::aws::bucket::BucketArgs;
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::args::aws::paramfile;
use crate::cli::args::aws::revision::{BAD_LOCATION, RevisionArgs};
use crate::cli::render::progress::note;
use crate::cli::render::push::advice;
use crate::cli::render::push::print_registered;
use crate::cli::render::push::report::next_step;
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    revision: RevisionArgs,

    /// Where the object is: s3://bucket/key, or bucket=…,key=…,bundleType=…,eTag=…,version=…
    #[arg(long, value_name = "OBJECT", display_order = 0)]
    s3_location: String,

    /// What the object is: zip, tar, tgz, YAML or JSON [default: from the ending of the key, else
    /// zip]
    #[arg(long, value_name = "TYPE", help_heading = "S3 object")]
    bundle_type: Option<BundleType>,

    /// ETag of the object [default: S3 is asked]
    #[arg(long, value_name = "ETAG", help_heading = "S3 object")]
    etag: Option<String>,

    /// Version of the object [default: S3 is asked, with the ETag]
    #[arg(long, value_name = "VERSION", help_heading = "S3 object")]
    object_version: Option<String>,

    #[command(flatten, next_help_heading = "S3 object")]
    bucket: BucketArgs,

    #[command(flatten)]
    access: AccessArgs,

    /// Print only what to do next
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,

    #[command(flatten)]
    local: LocalArgs,
}

pub(crate) fn run(mut arguments: RegisterArgs) -> Result<(), Failure> {
    arguments.revision.read()?;
    paramfile::read("--s3-location", &mut arguments.s3_location)?;
    let arguments = &arguments;
    arguments.revision.check()?;
    let named = arguments.s3_location.parse();
    let named: Named = named.map_err(|error| match error {
        BadObject::Location(_) => Failure::usage(BAD_LOCATION),
        BadObject::Twice(name) => Failure::usage(format!("--s3-location names {name} twice")),
        error => Failure::usage(error),
    })?;
    let twice = [
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
    if let Some((option, _)) = twice.into_iter().find(|(_, twice)| *twice) {
        return Err(Failure::usage(format!(
            "--s3-location has what {option} says, too; leave one of them out"
        )));
    }
    let bundle_type = arguments.bundle_type.or(named.bundle_type);
    let bundle_type = bundle_type.or_else(|| BundleType::of_name(&named.location.key));
    let bundle_type = bundle_type.unwrap_or_default();
    if !arguments.quiet {
        warn_of_key(&named.location.key, bundle_type);
    }
    let run = Run::start()?;
    let location = named.location.clone();
    let local = arguments.local.dir.as_deref().map(|dir| Local {
        dir,
        needs: Some(Needs {
            bucket: &location.bucket,
            application: &arguments.revision.application,
            platform: platform(dir, &location, bundle_type),
        }),
    });
    let access = arguments.access.access();
    let registering = with_clients(access, local, run.cancel(), async |clients| {
        register(arguments, named, bundle_type, &clients).await
    });
    run.block_on_until_cancelled(registering)
}

/// What an application must deploy to that takes the object: the AppSpec file of an endpoint in this
/// process tells.
#[cfg_attr(
    not(feature = "local"),
    expect(unused_variables, reason = "there is no endpoint")
)]
fn platform(dir: &Path, location: &S3Location, bundle_type: BundleType) -> Option<Platform> {
    match bundle_type {
        BundleType::Archive(_) => Some(Platform::Server),
        #[cfg(feature = "local")]
        BundleType::Yaml | BundleType::Json => {
            let path = Endpoint::object_path(dir, &location.bucket, &location.key);
            // An object that cannot be read is reported when it is looked up.
            let bytes = std::fs::read(path).unwrap_or_default();
            appspec::target(&bytes).map(Platform::from)
        }
        #[cfg(not(feature = "local"))]
        BundleType::Yaml | BundleType::Json => None,
    }
}

async fn register(
    arguments: &RegisterArgs,
    named: Named,
    bundle_type: BundleType,
    clients: &Clients,
) -> Result<(), Failure> {
    let unquoted = |etag: String| etag.trim_matches('"').to_owned();
    let mut registration = Registration {
        bundle_type,
        etag: arguments.etag.clone().or(named.etag).map(unquoted),
        version: arguments.object_version.clone().or(named.version),
        location: named.location,
    };
    if registration.etag.is_none() {
        look_up(arguments, &mut registration, clients).await?;
    }
    let description = arguments.revision.description();
    let application = &arguments.revision.application;
    Registrar::new(clients.codedeploy.clone(), application.clone(), description)
        .register(&registration)
        .await
        .map_err(|error| advice::not_registered(&error.into()))?;
    print_registered(&next_step(application, &registration.shorthand()))
}

/// Asks S3 for the ETag and the version of the object, which a deployment then requires.
async fn look_up(
    arguments: &RegisterArgs,
    registration: &mut Registration,
    clients: &Clients,
) -> Result<(), Failure> {
    let location = &registration.location;
    let object = clients
        .s3
        .object(location.clone(), arguments.bucket.options());
    let object = object.with_version(registration.version.clone());
    match object.head().await {
        Ok(Some(head)) => {
            registration.etag = Some(head.etag);
            registration.version = head.version.or(registration.version.take());
        }
        Ok(None) => {
            let text = format!(
                "{} is not there; upload it first, with hoist push",
                shown(&location.to_string())
            );
            return Err(Failure::other(text));
        }
        Err(error) if error.code.is_none() => {
            return Err(advice::not_registered(&error.into()));
        }
        Err(error) if !arguments.quiet => note(&format!(
            "registered without an ETag, so that a deployment takes what is there by then; \
             {error}"
        )),
        Err(_) => {}
    }
    Ok(())
}

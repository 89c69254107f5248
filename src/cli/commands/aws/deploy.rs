//! `hoist deploy`: the options of `aws deploy create-deployment`, several deployment groups, and waiting.

use clap::Args;
use hoist::aws::access::Clients;
use hoist::aws::codedeploy::{BadObject, Named, Registration, check_name};
use hoist::aws::s3::{ObjectOptions, S3Prefix};
use hoist::bundle::BundleType;
use hoist::deploy::{Latest, Mode, Options, Wanted};
use hoist::error::shown;

use super::deploying::{Deploying, Region, Running};
use super::{Local, with_clients};
use crate::cli::Failure;
use crate::cli::args::aws::access::AccessArgs;
use crate::cli::args::aws::deployment::{DeploymentArgs, check_description, groups};
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::args::aws::output::{Output, OutputArgs};
use crate::cli::args::aws::paramfile;
use crate::cli::args::aws::revision::BAD_LOCATION;
use crate::cli::args::aws::structure::Structure;
use crate::cli::args::aws::wait::WaitArgs;
use crate::cli::args::output::ProgressArgs;
use crate::cli::render::deploy::outcome::Commands;
use crate::cli::render::print;
use crate::cli::render::progress::note;
use crate::cli::render::push::github::output_file;
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// CodeDeploy application
    #[arg(
        long,
        value_name = "NAME",
        display_order = 0,
        required_unless_present = "watch"
    )]
    application_name: Option<String>,

    /// Deployment group, or several at the same time: G,G2
    #[arg(
        long,
        value_name = "NAMES",
        display_order = 0,
        required_unless_present = "watch"
    )]
    deployment_group_name: Option<String>,

    /// Revision to deploy: bucket=…,key=…,bundleType=…,eTag=…,version=…, or s3://bucket/key, whose type
    /// follows from the ending of the key, and whose ETag is looked up
    #[arg(long, value_name = "OBJECT", display_order = 0)]
    s3_location: Option<String>,

    /// Revision to deploy, in S3: revisionType=S3,s3Location={bucket=…,key=…,bundleType=…}, JSON or
    /// file://PATH
    #[arg(long, value_name = "REVISION", display_order = 0)]
    revision: Option<String>,

    /// Deploy the revision that was registered last; with =s3://BUCKET/PREFIX, the last one there
    #[arg(
        long,
        value_name = "PREFIX",
        display_order = 0,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    latest: Option<String>,

    /// Watch a deployment that exists, instead of creating one
    #[arg(long, value_name = "ID", display_order = 0)]
    watch: Option<String>,

    /// Description of the deployment, of at most 256 characters, or file://PATH
    #[arg(long, value_name = "TEXT", help_heading = "Deployment")]
    description: Option<String>,

    /// RESTART restarts the application with the revision that is deployed already
    #[arg(long, value_name = "MODE", value_parser = ["STANDARD", "RESTART"], help_heading = "Deployment")]
    deployment_mode: Option<String>,

    #[command(flatten)]
    deployment: DeploymentArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    output: OutputArgs,

    /// Write outputs for later workflow steps to the file that GITHUB_OUTPUT names
    #[arg(long, help_heading = "Output")]
    github_output: bool,

    /// Show no progress, and print only the ids of the deployments, and errors
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,

    #[command(flatten)]
    progress: ProgressArgs,

    #[command(flatten)]
    local: LocalArgs,
}

/// What the command line names as the revision.
enum Named_ {
    Object {
        registration: Registration,
        /// Whether its ETag is looked up.
        is_url: bool,
    },
    Latest(Latest),
    Deployed,
}

pub(crate) fn run(mut arguments: DeployArgs) -> Result<(), Failure> {
    arguments.read()?;
    let arguments = &arguments;
    arguments.check()?;
    let waits = arguments.watch.is_some() || arguments.wait.is_asked_for();
    arguments.wait.check(waits)?;
    let revision = match arguments.watch {
        Some(_) => Named_::Deployed,
        None => arguments.revision()?,
    };
    let running = Running::default();
    let groups = arguments.deployment_group_name.as_deref();
    let groups = groups.map(|text| groups_of(text)).transpose()?;
    let deploying = Deploying {
        groups: groups.unwrap_or_default(),
        options: arguments.options()?,
        wait: &arguments.wait,
        waits,
        form: arguments.progress.form(arguments.quiet, arguments.access.debug),
        quiet: arguments.quiet,
        prints_ids: arguments.watch.is_none() && arguments.output.format == Output::Text,
        outputs: arguments.github_output.then(output_file).transpose()?,
        running: running.clone(),
    };
    let run = Run::start_with_hint(move || running.lines())?;
    let local = Local::existing(arguments.local.dir.as_deref())?;
    let access = arguments.access.access();
    let work = with_clients(access, local, run.cancel(), async |clients| {
        let region = region(arguments, revision, clients).await?;
        let deployed = match &arguments.watch {
            Some(id) => deploying.watch(&region, id, &run).await,
            None => deploying.run(&[region], &run).await,
        };
        let printed = match arguments.output.format {
            Output::Text => Ok(()),
            Output::Json => print(format!("{:#}\n", deployed.document())),
        };
        deployed.failure.map_or(printed, Err)
    });
    run.block_on(work)
}

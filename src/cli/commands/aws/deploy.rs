//! `hoist deploy`: the options of `aws deploy create-deployment`, several deployment groups, and waiting.

use clap::Args;
use hoist::aws::access::Clients;
use hoist::aws::codedeploy::{Registration, check_name};
use hoist::aws::s3::ObjectOptions;
use hoist::deploy::{Mode, Options, Wanted};
use hoist::error::shown;

use super::deploying::{Deploying, Region, Running};
use super::{Local, with_services};
use crate::cli::Failure;
use crate::cli::args::aws::access::AccessArgs;
use crate::cli::args::aws::asked::{Asked, latest, of_location, of_structure};
use crate::cli::args::aws::deployment::{DeploymentArgs, check_description, groups};
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::args::aws::output::{Output, OutputArgs};
use crate::cli::args::aws::paramfile;
use crate::cli::args::aws::structure::Structure;
use crate::cli::args::aws::wait::WaitArgs;
use crate::cli::args::output::ProgressArgs;
use crate::cli::render::deploy::outcome::{Commands, Create};
use crate::cli::render::deploy::report;
use crate::cli::render::print;
use crate::cli::render::progress::{Form, note};
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

    /// Deploy in another region, too: region=REGION,s3-location=OBJECT, and application-name, profile or
    /// endpoint-url; also JSON, or file://PATH
    #[arg(
        long,
        value_name = "PAIRS",
        display_order = 0,
        num_args = 1..,
        conflicts_with = "watch"
    )]
    destination: Vec<String>,

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

/// What is deployed in one region.
struct Site {
    application: String,
    access: AccessArgs,
    asked: Asked,
}

pub(crate) fn run(mut arguments: DeployArgs) -> Result<(), Failure> {
    arguments.read()?;
    let arguments = &arguments;
    let waits = arguments.watch.is_some() || arguments.wait.is_asked_for();
    arguments.wait.check(waits)?;
    let asked = match &arguments.watch {
        Some(id) => arguments.check_watch(id)?,
        None => arguments.revision()?,
    };
    let running = Running::default();
    let deploying = Deploying {
        groups: arguments.groups()?,
        options: arguments.options()?,
        wait: &arguments.wait,
        // Deployments of an endpoint in this process end with it.
        waits: waits || arguments.local.dir.is_some(),
        form: arguments.form(),
        quiet: arguments.quiet,
        prints_ids: arguments.watch.is_none() && arguments.output.format == Output::Text,
        outputs: arguments.github_output.then(output_file).transpose()?,
        running: running.clone(),
    };
    let run = Run::start_with_hint(move || running.lines())?;
    let local = Local::existing(arguments.local.dir.as_deref())?;
    let sites = arguments.sites(asked)?;
    let is_several = sites.len() > 1;
    let dir = local.map(|local| local.dir);
    let work = with_services(dir, run.cancel(), async |services| {
        let mut regions = Vec::new();
        for (index, mut site) in sites.into_iter().enumerate() {
            let access = match index {
                0 => site.access.access(),
                _ => site.access.settings(),
            };
            let clients = services.connected(access, None).await?;
            if is_several {
                // Commands that are printed name the region in any case.
                site.access.region = Some(clients.region.clone());
            }
            services.make_groups(&clients.region, &site.application, &deploying.groups)?;
            let revision = match site.asked {
                Asked::Revision(revision) => revision,
                Asked::Url(registration) => {
                    Wanted::Object(looked_up(registration, &clients, arguments.quiet).await?)
                }
            };
            regions.push(Region {
                commands: arguments.commands(&site.access, &revision),
                application: site.application,
                revision,
                clients,
            });
        }
        let deployed = match (&arguments.watch, regions.first()) {
            (Some(id), Some(region)) => deploying.watch(region, id, &run).await,
            _ => deploying.run(&regions, &run).await,
        };
        let printed = match arguments.output.format {
            Output::Text => Ok(()),
            Output::Json => {
                let document = report::document(deployed.json, deployed.failure.is_none());
                print(format!("{document:#}\n"))
            }
        };
        deployed.failure.map_or(printed, Err)
    });
    run.block_on(work)
}

impl DeployArgs {
    /// Reads values from the files that they name.
    fn read(&mut self) -> Result<(), Failure> {
        for (option, value) in [
            ("--application-name", &mut self.application_name),
            ("--deployment-group-name", &mut self.deployment_group_name),
            ("--s3-location", &mut self.s3_location),
            ("--description", &mut self.description),
        ] {
            if let Some(value) = value {
                paramfile::read(option, value)?;
            }
        }
        Ok(())
    }

    /// Where to deploy what: as the plain options say it, and then each `--destination`.
    fn sites(&self, asked: Asked) -> Result<Vec<Site>, Failure> {
        let mut sites = vec![Site {
            application: self.application_name.clone().unwrap_or_default(),
            access: self.access.clone(),
            asked,
        }];
        for text in &self.destination {
            let site = self.site(text, &sites[0])?;
            sites.push(site);
        }
        Ok(sites)
    }

    fn site(&self, text: &str, first: &Site) -> Result<Site, Failure> {
        const OPTION: &str = "--destination";
        let mut pairs = Structure::read(OPTION, text)?;
        let region = pairs.text("region")?.filter(|region| !region.is_empty());
        let region =
            region.ok_or_else(|| Failure::usage(format!("{OPTION}: region is missing")))?;
        let asked = match pairs.text("s3-location")? {
            Some(location) => of_location(
                &format!("{OPTION} {}: s3-location", shown(&region)),
                &location,
            )?,
            None => first.asked.clone(),
        };
        if let Asked::Url(object) | Asked::Revision(Wanted::Object(object)) = &asked
            && let Asked::Url(other) | Asked::Revision(Wanted::Object(other)) = &first.asked
            && object.location == other.location
        {
            return Err(Failure::usage(format!(
                "{OPTION} {}: s3-location is missing or that of the first region: instances take \
                 revisions from a bucket of their own region",
                shown(&region)
            )));
        }
        let application = pairs.text("application-name")?;
        let application = application.unwrap_or_else(|| first.application.clone());
        check_name(&application).map_err(Failure::usage)?;
        let (profile, endpoint) = (pairs.text("profile")?, pairs.text("endpoint-url")?);
        pairs.end()?;
        if self.local.dir.is_some() {
            let given = [("profile", &profile), ("endpoint-url", &endpoint)];
            if let Some((key, _)) = given.into_iter().find(|(_, value)| value.is_some()) {
                return Err(Failure::usage(format!(
                    "{OPTION} {}: --local needs no {key}; leave it out",
                    shown(&region)
                )));
            }
        }
        Ok(Site {
            application,
            access: first.access.elsewhere(region, profile, endpoint),
            asked,
        })
    }

    fn form(&self) -> Form {
        self.progress.form(self.quiet, self.access.debug)
    }

    fn groups(&self) -> Result<Vec<String>, Failure> {
        let text = self.deployment_group_name.as_deref();
        let groups = text.map(|text| groups("--deployment-group-name", text));
        Ok(groups.transpose()?.unwrap_or_default())
    }

    /// Refuses what makes no sense for a deployment that exists.
    fn check_watch(&self, id: &str) -> Result<Asked, Failure> {
        let named = [
            ("--application-name", self.application_name.is_some()),
            (
                "--deployment-group-name",
                self.deployment_group_name.is_some(),
            ),
            ("--s3-location", self.s3_location.is_some()),
            ("--revision", self.revision.is_some()),
            ("--latest", self.latest.is_some()),
            ("--description", self.description.is_some()),
            ("--deployment-mode", self.deployment_mode.is_some()),
        ];
        let named = named.into_iter().find(|(_, given)| *given);
        let named = named.map(|(name, _)| name.to_owned());
        if let Some(option) = named.or_else(|| self.deployment.given()) {
            return Err(Failure::usage(format!(
                "--watch follows a deployment that exists, and {option} is for a new one; leave one of \
                 them out"
            )));
        }
        self.wait.check_watch()?;
        let is_id = |id: &str| id.starts_with("d-") && id.len() > 2;
        match is_id(id)
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            true => Ok(Asked::Revision(Wanted::Deployed)),
            false => Err(Failure::usage(format!(
                "--watch {}: the id of a deployment begins with d- and has letters and digits",
                shown(id)
            ))),
        }
    }

    fn revision(&self) -> Result<Asked, Failure> {
        let restarts = self.deployment_mode.as_deref() == Some("RESTART");
        let sources = [
            ("--s3-location", self.s3_location.is_some()),
            ("--revision", self.revision.is_some()),
            ("--latest", self.latest.is_some()),
            ("--deployment-mode RESTART", restarts),
        ];
        let mut given = sources.into_iter().filter(|(_, given)| *given);
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            return Err(Failure::usage(format!(
                "{first} and {second} each say what is deployed; leave one of them out"
            )));
        }
        if restarts {
            return Ok(Asked::Revision(Wanted::Deployed));
        }
        if let Some(prefix) = &self.latest {
            return latest(prefix);
        }
        if let Some(text) = &self.revision {
            return of_structure(text);
        }
        let Some(text) = &self.s3_location else {
            return Err(Failure::usage(
                "name the revision with --s3-location, or deploy the one that was registered last with \
                 --latest",
            ));
        };
        of_location("--s3-location", text)
    }

    fn options(&self) -> Result<Options, Failure> {
        if let Some(name) = &self.application_name {
            check_name(name).map_err(Failure::usage)?;
        }
        if let Some(description) = &self.description {
            check_description("--description", description)?;
        }
        let options = Options {
            description: self.description.clone(),
            mode: self.deployment_mode.as_deref().map(Mode::from),
            ..self.deployment.options()?
        };
        if options.mode == Some(Mode::Restart)
            && options.update_outdated_instances_only == Some(true)
        {
            return Err(Failure::usage(
                "--deployment-mode RESTART restarts all instances; leave \
                 --update-outdated-instances-only out",
            ));
        }
        Ok(options)
    }

    /// Commands that go on with what this one began.
    fn commands(&self, access: &AccessArgs, revision: &Wanted) -> Commands {
        let mut hoist = access.words();
        hoist.extend(self.local.words());
        let create = self.watch.is_none().then(|| {
            let mut words = Vec::new();
            let mode = self.deployment_mode.clone();
            let mode = mode.map(|mode| ["--deployment-mode".to_owned(), mode]);
            words.extend(mode.into_iter().flatten());
            let description = self.description.clone();
            let description = description.map(|text| ["--description".to_owned(), text]);
            words.extend(description.into_iter().flatten());
            words.extend(self.deployment.words());
            words.extend(self.wait.words(self.wait.is_asked_for()));
            let newest = match revision {
                Wanted::Latest(latest) => Some(match latest.place() {
                    Some(place) => format!("--latest={place}"),
                    None => "--latest".to_owned(),
                }),
                Wanted::Object(_) | Wanted::Deployed => None,
            };
            Create { newest, words }
        });
        Commands {
            hoist,
            aws: self.local.words_of_a_deployment(access),
            create,
            is_local: self.local.dir.is_some(),
        }
    }
}

/// An object with its ETag and version, so that every instance gets the same bytes. It takes
/// `s3:GetObject`; without that, the object is deployed as it will be there.
async fn looked_up(
    mut registration: Registration,
    clients: &Clients,
    quiet: bool,
) -> Result<Registration, Failure> {
    let location = registration.location.clone();
    let object = clients.s3.object(location, ObjectOptions::default());
    match object.head().await {
        Ok(Some(head)) => {
            registration.etag = Some(head.etag);
            registration.version = head.version;
        }
        Ok(None) => {
            let location = registration.location.to_string();
            let text = format!(
                "{} is not there; upload it first, with hoist push",
                shown(&location)
            );
            return Err(Failure::other(text));
        }
        Err(error) if !quiet => note(&format!(
            "deployed without an ETag, so that instances take what is there by then; {error}"
        )),
        Err(_) => {}
    }
    Ok(registration)
}

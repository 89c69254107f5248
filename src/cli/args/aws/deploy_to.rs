//! `push --deploy-to`: deploys what was pushed.

use clap::Args;
use hoist::deploy::Options;

use super::deployment::{DeploymentArgs, check_description, groups};
use super::paramfile;
use super::wait::WaitArgs;
use crate::cli::Failure;

#[derive(Debug, Args)]
pub(crate) struct DeployToArgs {
    /// Then deploy the revision to this deployment group, or to several at the same time: G,G2; and wait
    /// until the deployments end
    #[arg(long, value_name = "NAMES", help_heading = "Deployment")]
    deploy_to: Option<String>,

    /// Description of the deployments, of at most 256 characters, or file://PATH [default: that of the
    /// revision]
    #[arg(long, value_name = "TEXT", help_heading = "Deployment")]
    deployment_description: Option<String>,

    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// What to do with the revision.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) groups: Vec<String>,
    pub(crate) options: Options,
}

impl DeployToArgs {
    /// Reads values from the files that they name.
    pub(crate) fn read(&mut self) -> Result<(), Failure> {
        for (option, value) in [
            ("--deploy-to", &mut self.deploy_to),
            ("--deployment-description", &mut self.deployment_description),
        ] {
            if let Some(value) = value {
                paramfile::read(option, value)?;
            }
        }
        Ok(())
    }

    /// What to do with the revision that the user describes as `description`; None: nothing.
    pub(crate) fn wanted(&self, description: &str) -> Result<Option<Wanted>, Failure> {
        let Some(text) = &self.deploy_to else {
            let of_itself = self.deployment_description.is_some();
            let given = of_itself.then(|| "--deployment-description".to_owned());
            let given = given.or_else(|| self.deployment.given());
            return match given.or_else(|| self.wait.given().map(str::to_owned)) {
                Some(option) => Err(Failure::usage(format!(
                    "{option} is about deployments; name the deployment group with --deploy-to, or leave \
                     it out"
                ))),
                None => Ok(None),
            };
        };
        self.wait.check(self.wait.is_not_refused())?;
        let (option, described) = match &self.deployment_description {
            Some(text) => ("--deployment-description", text.as_str()),
            None => ("--description", description),
        };
        check_description(option, described).map_err(|failure| {
            let own = self.deployment_description.is_none();
            failure
                .and(own.then_some("give the deployment another one with --deployment-description"))
        })?;
        Ok(Some(Wanted {
            groups: groups("--deploy-to", text)?,
            options: Options {
                description: Some(described.to_owned()).filter(|text| !text.is_empty()),
                ..self.deployment.options()?
            },
        }))
    }
}

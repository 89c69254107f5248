//! The application and the description that `push` and `register` register a revision with.

use std::time::SystemTime;

use clap::Args;
use hoist::aws::codedeploy::{check_description, check_name, default_description};

use super::paramfile;
use crate::cli::Failure;
use crate::cli::render::progress::warn;

/// The text of `aws deploy push` about a bad `--s3-location`.
pub(crate) const BAD_LOCATION: &str =
    "--s3-location must specify the Amazon S3 URL format as s3://<bucket>/<key>.";

#[derive(Debug, Args)]
pub(crate) struct RevisionArgs {
    /// CodeDeploy application to register the revision with
    // Before --s3-location, which is ordered as 0, too, and then by its name.
    #[arg(
        id = "application_name",
        long = "application-name",
        value_name = "NAME",
        display_order = 0
    )]
    pub(crate) application: String,

    /// Description of the revision, or file://PATH of a file that holds it [default: Uploaded by
    /// hoist <time> UTC]
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) description: String,
}

impl RevisionArgs {
    /// Reads values from the files that they name.
    pub(crate) fn read(&mut self) -> Result<(), Failure> {
        paramfile::read("--application-name", &mut self.application)?;
        paramfile::read("--description", &mut self.description)
    }

    /// Refuses what CodeDeploy would refuse, and warns of what it would change.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        check_name(&self.application).map_err(Failure::usage)?;
        if let Some(warning) = check_description(&self.description).map_err(Failure::usage)? {
            warn(&warning.to_string());
        }
        Ok(())
    }

    /// The description to register.
    pub(crate) fn description(&self) -> String {
        if self.description.is_empty() {
            default_description(SystemTime::now())
        } else {
            self.description.clone()
        }
    }
}

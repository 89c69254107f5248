//! How a deployment goes: the options of `aws deploy create-deployment`, by the names and in the forms that
//! the AWS CLI has.

use clap::{Args, ValueEnum};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct DeploymentArgs {
    /// Deployment configuration, such as CodeDeployDefault.OneAtATime [default: that of the deployment
    /// group]
    #[arg(long, value_name = "NAME")]
    deployment_config_name: Option<String>,

    /// Deploy to an instance even if a script of ApplicationStop, BeforeBlockTraffic or AfterBlockTraffic
    /// fails there; these are scripts of the revision that was deployed before
    #[arg(long)]
    ignore_application_stop_failures: bool,

    /// The deployment fails on such an instance, which is the default
    #[arg(long)]
    no_ignore_application_stop_failures: bool,

    /// Deploy only to instances that do not have the revision yet
    #[arg(long)]
    update_outdated_instances_only: bool,

    /// Deploy to all instances of the group, which is the default
    #[arg(long)]
    no_update_outdated_instances_only: bool,

    /// What happens to files that are there already and are not of the revision that was deployed before
    #[arg(long, value_name = "ACTION", value_enum)]
    file_exists_behavior: Option<FileExists>,

    /// Instances of the replacement environment of a blue/green deployment:
    /// tagFilters=[{Key=K,Value=V,Type=KEY_AND_VALUE}],autoScalingGroups=[NAME], JSON or file://PATH
    #[arg(long, value_name = "INSTANCES")]
    target_instances: Option<String>,

    /// When a failed deployment is rolled back: enabled=true,events=[DEPLOYMENT_FAILURE], JSON or
    /// file://PATH [default: as the deployment group says]
    #[arg(long, value_name = "ROLLBACK")]
    auto_rollback_configuration: Option<String>,

    /// Alarms that stop the deployment, instead of those of the group:
    /// enabled=true,ignorePollAlarmFailure=false,alarms=[{name=NAME}], JSON or file://PATH
    #[arg(long, value_name = "ALARMS")]
    override_alarm_configuration: Option<String>,
}

/// What a deployment does to a file that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum FileExists {
    /// The deployment fails
    Disallow,
    /// The file of the revision replaces it
    Overwrite,
    /// It stays
    Retain,
}

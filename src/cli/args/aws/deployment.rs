//! How a deployment goes: the options of `aws deploy create-deployment`, by the names and in the forms that
//! the AWS CLI has.

use clap::{Args, ValueEnum};
use hoist::deploy::{
    Alarms, AutoRollback, FileExists, Options, RollbackOn, TagFilter, TagMatch, TargetInstances,
};

use super::structure::Structure;
use crate::cli::Failure;

/// The longest description of a deployment ("CodeDeploy quotas").
const MAX_DESCRIPTION: usize = 256;

/// The longest name of a deployment configuration or a deployment group ("CodeDeploy quotas").
const MAX_NAME: usize = 100;

/// The processes of Auto Scaling that a deployment may suspend (CodeDeploy API reference).
const PROCESSES: [&str; 4] = [
    "Terminate",
    "AZRebalance",
    "InstanceRefresh",
    "ScheduledActions",
];

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
    file_exists_behavior: Option<InTheWay>,

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

    /// Processes of Auto Scaling groups to suspend meanwhile:
    /// autoScalingGroupProcessesToSuspend=[AZRebalance], JSON or file://PATH
    #[arg(long, value_name = "OPTIONS")]
    ec2_deployment_options: Option<String>,
}

/// What a deployment does to a file that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum InTheWay {
    /// The deployment fails
    Disallow,
    /// The file of the revision replaces it
    Overwrite,
    /// It stays
    Retain,
}

impl From<InTheWay> for FileExists {
    fn from(behavior: InTheWay) -> Self {
        match behavior {
            InTheWay::Disallow => Self::Disallow,
            InTheWay::Overwrite => Self::Overwrite,
            InTheWay::Retain => Self::Retain,
        }
    }
}

impl DeploymentArgs {
    /// The options of the library.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        if let Some(name) = &self.deployment_config_name {
            check_name("--deployment-config-name", name)?;
        }
        Ok(Options {
            config: self.deployment_config_name.clone(),
            ignore_application_stop_failures: switch(
                "ignore-application-stop-failures",
                self.ignore_application_stop_failures,
                self.no_ignore_application_stop_failures,
            )?,
            target_instances: read("--target-instances", &self.target_instances, instances)?,
            auto_rollback: read(
                "--auto-rollback-configuration",
                &self.auto_rollback_configuration,
                rollback,
            )?,
            update_outdated_instances_only: switch(
                "update-outdated-instances-only",
                self.update_outdated_instances_only,
                self.no_update_outdated_instances_only,
            )?,
            file_exists: self.file_exists_behavior.map(FileExists::from),
            override_alarms: read(
                "--override-alarm-configuration",
                &self.override_alarm_configuration,
                alarms,
            )?,
            suspend_processes: read(
                "--ec2-deployment-options",
                &self.ec2_deployment_options,
                |structure| structure.some_of("autoScalingGroupProcessesToSuspend", &PROCESSES),
            )?,
            ..Options::default()
        })
    }

    /// The same options for another command line.
    pub(crate) fn words(&self) -> Vec<String> {
        let behavior = self.file_exists_behavior.map(FileExists::from);
        let behavior = behavior.map(|behavior| behavior.name().to_owned());
        let valued = [
            ("--deployment-config-name", &self.deployment_config_name),
            ("--file-exists-behavior", &behavior),
            ("--target-instances", &self.target_instances),
            (
                "--auto-rollback-configuration",
                &self.auto_rollback_configuration,
            ),
            (
                "--override-alarm-configuration",
                &self.override_alarm_configuration,
            ),
            ("--ec2-deployment-options", &self.ec2_deployment_options),
        ];
        let valued = valued
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]))
            .flatten();
        let switches = self.switches().into_iter().filter(|(_, on)| *on);
        valued
            .chain(switches.map(|(name, _)| name.to_owned()))
            .collect()
    }

    fn switches(&self) -> [(&'static str, bool); 4] {
        [
            (
                "--ignore-application-stop-failures",
                self.ignore_application_stop_failures,
            ),
            (
                "--no-ignore-application-stop-failures",
                self.no_ignore_application_stop_failures,
            ),
            (
                "--update-outdated-instances-only",
                self.update_outdated_instances_only,
            ),
            (
                "--no-update-outdated-instances-only",
                self.no_update_outdated_instances_only,
            ),
        ]
    }

    /// The first of these options that is given.
    pub(crate) fn given(&self) -> Option<String> {
        self.words().into_iter().next()
    }
}

/// The deployment groups of `G,G2`. A comma of a name is written `\,`.
pub(crate) fn groups(option: &str, text: &str) -> Result<Vec<String>, Failure> {
    let mut groups = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, groups.last_mut()) {
            (',', _) => groups.push(String::new()),
            ('\\', Some(group)) if rest.peek() == Some(&',') => group.extend(rest.next()),
            (c, Some(group)) => group.push(c),
            (_, None) => {}
        }
    }
    for (at, group) in groups.iter().enumerate() {
        check_name(option, group)?;
        if groups[..at].contains(group) {
            return Err(Failure::usage(format!("{option} names {group:?} twice")));
        }
    }
    Ok(groups)
}

/// Refuses a name that CodeDeploy would refuse.
fn check_name(option: &str, name: &str) -> Result<(), Failure> {
    match name.chars().count() {
        1..=MAX_NAME => Ok(()),
        length => Err(Failure::usage(format!(
            "{option}: a name has 1 to {MAX_NAME} characters, and {name:?} has {length}"
        ))),
    }
}

/// Refuses a description that CodeDeploy would refuse.
pub(crate) fn check_description(option: &str, text: &str) -> Result<(), Failure> {
    match text.chars().count() {
        0..=MAX_DESCRIPTION => Ok(()),
        length => Err(Failure::usage(format!(
            "{option}: the description of a deployment may have {MAX_DESCRIPTION} characters, and this \
             one has {length}"
        ))),
    }
}

fn switch(name: &str, on: bool, off: bool) -> Result<Option<bool>, Failure> {
    match (on, off) {
        (true, true) => Err(Failure::usage(format!(
            "You cannot specify both --{name} and --no-{name}."
        ))),
        (false, false) => Ok(None),
        _ => Ok(Some(on)),
    }
}

/// Reads an option that takes a structure.
fn read<T>(
    option: &str,
    text: &Option<String>,
    members: impl FnOnce(&mut Structure) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let mut structure = Structure::read(option, text)?;
    let value = members(&mut structure)?;
    structure.end()?;
    Ok(Some(value))
}

fn rollback(of: &mut Structure) -> Result<AutoRollback, Failure> {
    let enabled = of.switch("enabled")?;
    let events = of.some_of("events", RollbackOn::NAMES)?;
    Ok(AutoRollback {
        enabled: enabled.unwrap_or_default(),
        events: events.iter().map(|event| event.as_str().into()).collect(),
    })
}

fn alarms(of: &mut Structure) -> Result<Alarms, Failure> {
    let enabled = of.switch("enabled")?;
    let ignore = of.switch("ignorePollAlarmFailure")?;
    let mut names = Vec::new();
    for mut alarm in of.structures("alarms")? {
        names.extend(alarm.text("name")?);
        alarm.end()?;
    }
    Ok(Alarms {
        enabled: enabled.unwrap_or_default(),
        ignore_poll_failure: ignore.unwrap_or_default(),
        names,
    })
}

fn instances(of: &mut Structure) -> Result<TargetInstances, Failure> {
    let tag_filters = filters(of.structures("tagFilters")?)?;
    let auto_scaling_groups = of.texts("autoScalingGroups")?;
    let mut tag_set = Vec::new();
    if let Some(mut set) = of.structure("ec2TagSet")? {
        for list in set.lists_of_structures("ec2TagSetList")? {
            tag_set.push(filters(list)?);
        }
        set.end()?;
    }
    Ok(TargetInstances {
        tag_filters,
        auto_scaling_groups,
        tag_set,
    })
}

fn filters(of: Vec<Structure>) -> Result<Vec<TagFilter>, Failure> {
    of.into_iter().map(filter).collect()
}

fn filter(mut of: Structure) -> Result<TagFilter, Failure> {
    let filter = TagFilter {
        key: of.text("Key")?,
        value: of.text("Value")?,
        compares: of
            .one_of("Type", TagMatch::NAMES)?
            .map(|name| name.as_str().into()),
    };
    of.end()?;
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        deployment: DeploymentArgs,
    }

    fn args(words: &[&str]) -> DeploymentArgs {
        let words = ["hoist"].iter().chain(words);
        let matches = Line::command().try_get_matches_from(words).unwrap();
        Line::from_arg_matches(&matches).unwrap().deployment
    }

    fn options(words: &[&str]) -> Result<Options, String> {
        let options = args(words).options();
        options.map_err(|failure| failure.lines.join("; "))
    }

    #[test]
    fn what_is_not_given_is_not_sent() {
        assert_eq!(options(&[]), Ok(Options::default()));
        assert_eq!(args(&[]).given(), None);
    }

    #[test]
    fn a_switch_and_its_opposite_are_sent_and_exclude_each_other() {
        let on = options(&["--ignore-application-stop-failures"]).unwrap();
        assert_eq!(on.ignore_application_stop_failures, Some(true));
        let off = options(&["--no-update-outdated-instances-only"]).unwrap();
        assert_eq!(off.update_outdated_instances_only, Some(false));
        let both = [
            "--update-outdated-instances-only",
            "--no-update-outdated-instances-only",
        ];
        assert!(
            options(&both)
                .unwrap_err()
                .starts_with("You cannot specify both")
        );
    }

    #[test]
    fn structures_are_read_in_shorthand_as_json_and_from_a_file() {
        let expected = AutoRollback {
            enabled: true,
            events: vec![RollbackOn::Failure, RollbackOn::StopOnAlarm],
        };
        let json = r#"{"enabled":true,"events":["DEPLOYMENT_FAILURE","DEPLOYMENT_STOP_ON_ALARM"]}"#;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rollback.json");
        std::fs::write(&file, json).unwrap();
        for text in [
            "enabled=true,events=[DEPLOYMENT_FAILURE,DEPLOYMENT_STOP_ON_ALARM]",
            "enabled=true,events=DEPLOYMENT_FAILURE,DEPLOYMENT_STOP_ON_ALARM",
            json,
            &format!("file://{}", file.display()),
        ] {
            let read = options(&["--auto-rollback-configuration", text]).unwrap();
            assert_eq!(read.auto_rollback.as_ref(), Some(&expected), "{text}");
        }
        let one = options(&["--auto-rollback-configuration", "events=DEPLOYMENT_FAILURE"]).unwrap();
        assert_eq!(one.auto_rollback.unwrap().events, [RollbackOn::Failure]);

        let text = "enabled=true,ignorePollAlarmFailure=false,alarms=[{name=a},{name=b}]";
        let read = options(&["--override-alarm-configuration", text]).unwrap();
        assert_eq!(read.override_alarms.unwrap().names, ["a", "b"]);

        let text = "tagFilters=[{Key=Name,Value=web,Type=KEY_AND_VALUE}],autoScalingGroups=g";
        let read = options(&["--target-instances", text])
            .unwrap()
            .target_instances
            .unwrap();
        assert_eq!(read.auto_scaling_groups, ["g"]);
        assert_eq!(read.tag_filters[0].compares, Some(TagMatch::KeyAndValue));
        let json = r#"{"ec2TagSet":{"ec2TagSetList":[[{"Key":"a"}],[{"Key":"b"},{"Key":"c"}]]}}"#;
        let read = options(&["--target-instances", json])
            .unwrap()
            .target_instances
            .unwrap();
        assert_eq!(
            read.tag_set.iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 2]
        );

        let text = "autoScalingGroupProcessesToSuspend=[AZRebalance,Terminate]";
        let read = options(&["--ec2-deployment-options", text]).unwrap();
        assert_eq!(
            read.suspend_processes.unwrap(),
            ["AZRebalance", "Terminate"]
        );
    }

    #[test]
    fn a_member_or_a_value_that_codedeploy_does_not_have_is_named() {
        for (option, text, named) in [
            (
                "--auto-rollback-configuration",
                "enabld=true",
                "unknown: enabld; it has enabled, events",
            ),
            (
                "--auto-rollback-configuration",
                "enabled=yes",
                "enabled is true or false",
            ),
            (
                "--auto-rollback-configuration",
                "events=[FAILURE]",
                "not FAILURE",
            ),
            ("--auto-rollback-configuration", "{", "Invalid JSON"),
            ("--auto-rollback-configuration", "enabled", "expected"),
            (
                "--override-alarm-configuration",
                "alarms=[a]",
                "takes a structure",
            ),
            (
                "--override-alarm-configuration",
                r#"{"alarms":[{"name":1}]}"#,
                "takes a text",
            ),
            ("--target-instances", "tagFilters=[{Key=a,Type=X}]", "not X"),
            (
                "--target-instances",
                r#"{"autoScalingGroups":[],"autoScalingGroups":[]}"#,
                "twice",
            ),
            ("--deployment-config-name", "", "1 to 100 characters"),
        ] {
            let error = options(&[option, text]).unwrap_err();
            assert!(error.contains(named) && error.contains(option), "{error}");
        }
    }

    #[test]
    fn the_options_can_be_written_again() {
        let words = [
            "--deployment-config-name",
            "C",
            "--file-exists-behavior",
            "RETAIN",
            "--auto-rollback-configuration",
            "enabled=false",
            "--update-outdated-instances-only",
        ];
        assert_eq!(args(&words).words(), words);
        assert_eq!(
            args(&words).given().as_deref(),
            Some("--deployment-config-name")
        );
    }

    #[test]
    fn several_groups_are_separated_by_commas() {
        let of = |text| groups("--deploy-to", text).map_err(|failure| failure.lines.join("; "));
        assert_eq!(of("G"), Ok(vec!["G".to_owned()]));
        assert_eq!(of("G,H\\,I").unwrap(), ["G", "H,I"]);
        for bad in ["", "G,", "G,G"] {
            of(bad).unwrap_err();
        }
    }
}

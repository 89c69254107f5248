//! The deployment configurations that CodeDeploy has by itself ("Working with deployment
//! configurations in CodeDeploy", user guide). Others cannot be made here.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, listing, page, seconds};

/// When CodeDeploy made its configurations, in milliseconds since 1970.
const CREATED_MS: u64 = 1_415_750_400_000;

/// What a configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Config {
    /// For instances: the share that must stay healthy, in percent.
    Healthy(u32),
    /// For functions and services: how traffic is shifted.
    Shift(Shift),
}

/// How traffic is shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shift {
    AtOnce,
    /// This percentage, and the rest after so many minutes.
    Canary(u32, u32),
    /// This percentage each so many minutes.
    Linear(u32, u32),
}

/// The name of a platform's configurations begins with this.
const PREFIX: &str = "CodeDeployDefault.";

const ALL: [(&str, &str, Config); 17] = [
    ("AllAtOnce", "Server", Config::Healthy(0)),
    ("HalfAtATime", "Server", Config::Healthy(50)),
    ("OneAtATime", "Server", Config::Healthy(99)),
    ("LambdaAllAtOnce", "Lambda", Config::Shift(Shift::AtOnce)),
    (
        "LambdaCanary10Percent5Minutes",
        "Lambda",
        Config::Shift(Shift::Canary(10, 5)),
    ),
    (
        "LambdaCanary10Percent10Minutes",
        "Lambda",
        Config::Shift(Shift::Canary(10, 10)),
    ),
    (
        "LambdaCanary10Percent15Minutes",
        "Lambda",
        Config::Shift(Shift::Canary(10, 15)),
    ),
    (
        "LambdaCanary10Percent30Minutes",
        "Lambda",
        Config::Shift(Shift::Canary(10, 30)),
    ),
    (
        "LambdaLinear10PercentEvery1Minute",
        "Lambda",
        Config::Shift(Shift::Linear(10, 1)),
    ),
    (
        "LambdaLinear10PercentEvery2Minutes",
        "Lambda",
        Config::Shift(Shift::Linear(10, 2)),
    ),
    (
        "LambdaLinear10PercentEvery3Minutes",
        "Lambda",
        Config::Shift(Shift::Linear(10, 3)),
    ),
    (
        "LambdaLinear10PercentEvery10Minutes",
        "Lambda",
        Config::Shift(Shift::Linear(10, 10)),
    ),
    ("ECSAllAtOnce", "ECS", Config::Shift(Shift::AtOnce)),
    (
        "ECSCanary10Percent5Minutes",
        "ECS",
        Config::Shift(Shift::Canary(10, 5)),
    ),
    (
        "ECSCanary10Percent15Minutes",
        "ECS",
        Config::Shift(Shift::Canary(10, 15)),
    ),
    (
        "ECSLinear10PercentEvery1Minutes",
        "ECS",
        Config::Shift(Shift::Linear(10, 1)),
    ),
    (
        "ECSLinear10PercentEvery3Minutes",
        "ECS",
        Config::Shift(Shift::Linear(10, 3)),
    ),
];

/// The configuration of deployments for which none is named.
pub(super) fn default_name(platform: &str) -> &'static str {
    match platform {
        "Lambda" => "CodeDeployDefault.LambdaAllAtOnce",
        "ECS" => "CodeDeployDefault.ECSAllAtOnce",
        _ => "CodeDeployDefault.OneAtATime",
    }
}

/// The configuration `name` and its platform.
/// Fails with `DeploymentConfigDoesNotExistException`.
fn named(name: &str) -> Result<(&'static str, Config), Failure> {
    let short = name.strip_prefix(PREFIX);
    let found = ALL.iter().find(|(known, ..)| Some(*known) == short);
    let missing = || {
        Failure::new(
            "DeploymentConfigDoesNotExistException",
            format!("No Deployment Configuration found for name: {name}"),
        )
    };
    found
        .map(|(_, platform, config)| (*platform, *config))
        .ok_or_else(missing)
}

/// The configuration `name` for deployments of a platform.
/// Fails with `DeploymentConfigDoesNotExistException`, `InvalidDeploymentConfigNameException`.
pub(super) fn of(name: &str, platform: &str) -> Result<Config, Failure> {
    match named(name)? {
        (known, config) if known == platform => Ok(config),
        (known, _) => Err(Failure::new(
            "InvalidDeploymentConfigNameException",
            format!(
                "{name} is for the compute platform {known}, and the application for {platform}"
            ),
        )),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Named {
    deployment_config_name: Option<String>,
    next_token: Option<String>,
}

pub(super) fn get(input: Named) -> Result<Value, Failure> {
    let name = input.deployment_config_name.ok_or_else(|| {
        Failure::new(
            "DeploymentConfigNameRequiredException",
            "The deployment configuration name was not specified",
        )
    })?;
    let (platform, config) = named(&name)?;
    let mut info = json!({
        "deploymentConfigId": "00000000-0000-0000-0000-000000000000",
        "deploymentConfigName": name,
        "createTime": seconds(CREATED_MS),
        "computePlatform": platform,
    });
    match config {
        Config::Healthy(percent) => {
            info["minimumHealthyHosts"] = json!({ "type": "FLEET_PERCENT", "value": percent });
        }
        Config::Shift(shift) => info["trafficRoutingConfig"] = shift.info(),
    }
    Ok(json!({ "deploymentConfigInfo": info }))
}

impl Shift {
    fn info(self) -> Value {
        match self {
            Self::AtOnce => json!({ "type": "AllAtOnce" }),
            Self::Canary(percentage, minutes) => json!({
                "type": "TimeBasedCanary",
                "timeBasedCanary": { "canaryPercentage": percentage, "canaryInterval": minutes },
            }),
            Self::Linear(percentage, minutes) => json!({
                "type": "TimeBasedLinear",
                "timeBasedLinear": { "linearPercentage": percentage, "linearInterval": minutes },
            }),
        }
    }

    /// The percentages that the new version has one after the other, each with the minutes before it.
    pub(super) fn steps(self) -> Vec<(u32, u32)> {
        match self {
            Self::AtOnce => vec![(0, 100)],
            Self::Canary(percentage, minutes) => vec![(0, percentage), (minutes, 100)],
            Self::Linear(percentage, minutes) => {
                let weights = (1..).map(|step| (step * percentage).min(100));
                let mut steps = Vec::new();
                for weight in weights {
                    steps.push((if steps.is_empty() { 0 } else { minutes }, weight));
                    if weight == 100 {
                        break;
                    }
                }
                steps
            }
        }
    }
}

pub(super) fn list(input: &Named) -> Result<Value, Failure> {
    let names: Vec<String> = ALL
        .iter()
        .map(|(name, ..)| format!("{PREFIX}{name}"))
        .collect();
    let (page, next) = page(&names, input.next_token.as_deref(), |name| name)?;
    Ok(listing("deploymentConfigsList", page, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_shift_ends_at_all_and_a_canary_waits_before_the_rest() {
        assert_eq!(Shift::AtOnce.steps(), [(0, 100)]);
        assert_eq!(Shift::Canary(10, 5).steps(), [(0, 10), (5, 100)]);
        let linear = Shift::Linear(30, 2).steps();
        assert_eq!(linear, [(0, 30), (2, 60), (2, 90), (2, 100)]);
    }
}

//! What a deployment group says of its deployments, and which instances, functions or services it has.
//!
//! Nothing here exists, so a group's instances follow from its filters by a rule: each filter stands for
//! one instance, which has the name of the filter's value (or of its key, if there is no value). A value
//! that ends in a range, as `web-1..3`, stands for several. An Auto Scaling group stands for an instance
//! with its name. EC2 instances have `i-` before the name. An instance belongs to one region: in other
//! regions than us-east-1 the region follows the name.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DEFAULT_REGION, Failure};

/// The most instances that a range stands for.
const MAX_RANGE: u32 = 500;

/// The members of a deployment group that a client gives and gets back. Members that decide nothing
/// here are kept as they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_config_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ec2_tag_filters: Vec<TagFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ec2_tag_set: Option<Ec2TagSet>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) on_premises_instance_tag_filters: Vec<TagFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_premises_tag_set: Option<OnPremisesTagSet>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) auto_scaling_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_style: Option<Style>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) blue_green_deployment_configuration: Option<BlueGreen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load_balancer_info: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auto_rollback_configuration: Option<AutoRollback>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ecs_services: Vec<EcsService>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_configurations: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outdated_instances_strategy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_hook_enabled: Option<bool>,
}

/// A filter of tags of EC2 or on-premises instances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Ec2TagSet {
    ec2_tag_set_list: Vec<Vec<TagFilter>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OnPremisesTagSet {
    on_premises_tag_set_list: Vec<Vec<TagFilter>>,
}

/// The instances of the replacement environment of a blue/green deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TargetInstances {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tag_filters: Vec<TagFilter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    auto_scaling_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ec2_tag_set: Option<Ec2TagSet>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Style {
    deployment_type: String,
    deployment_option: String,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            deployment_type: "IN_PLACE".to_owned(),
            deployment_option: "WITHOUT_TRAFFIC_CONTROL".to_owned(),
        }
    }
}

impl Style {
    fn of_traffic() -> Self {
        Self {
            deployment_type: "BLUE_GREEN".to_owned(),
            deployment_option: "WITH_TRAFFIC_CONTROL".to_owned(),
        }
    }

    pub(super) fn is_blue_green(&self) -> bool {
        self.deployment_type == "BLUE_GREEN"
    }

    pub(super) fn controls_traffic(&self) -> bool {
        self.deployment_option == "WITH_TRAFFIC_CONTROL"
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BlueGreen {
    #[serde(skip_serializing_if = "Option::is_none")]
    terminate_blue_instances_on_deployment_success: Option<Termination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_ready_option: Option<Ready>,
    #[serde(skip_serializing_if = "Option::is_none")]
    green_fleet_provisioning_option: Option<Provisioning>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Termination {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_wait_time_in_minutes: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Ready {
    #[serde(skip_serializing_if = "Option::is_none")]
    action_on_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_time_in_minutes: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Provisioning {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
}

impl BlueGreen {
    /// How many minutes traffic waits for ContinueDeployment before the deployment is stopped. None: it
    /// does not wait.
    pub(super) fn ready_wait(&self) -> Option<u32> {
        let ready = self.deployment_ready_option.as_ref()?;
        let stops = ready.action_on_timeout.as_deref() == Some("STOP_DEPLOYMENT");
        stops.then(|| ready.wait_time_in_minutes.unwrap_or_default())
    }

    /// How many minutes the original instances stay after success. None: they are kept.
    pub(super) fn termination_wait(&self) -> Option<u32> {
        let termination = self
            .terminate_blue_instances_on_deployment_success
            .as_ref()?;
        let ends = termination.action.as_deref() != Some("KEEP_ALIVE");
        ends.then(|| {
            termination
                .termination_wait_time_in_minutes
                .unwrap_or_default()
        })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AutoRollback {
    enabled: bool,
    events: Vec<String>,
}

impl AutoRollback {
    /// Whether a deployment is rolled back after `event`.
    pub(super) fn covers(&self, event: &str) -> bool {
        self.enabled && self.events.iter().any(|known| known == event)
    }

    /// Fails with `InvalidAutoRollbackConfigException`.
    pub(super) fn check(&self) -> Result<(), Failure> {
        const EVENTS: [&str; 3] = [
            "DEPLOYMENT_FAILURE",
            "DEPLOYMENT_STOP_ON_ALARM",
            "DEPLOYMENT_STOP_ON_REQUEST",
        ];
        let invalid = |why: &str| {
            Err(Failure::new(
                "InvalidAutoRollbackConfigException",
                format!("The automatic rollback configuration is not valid: {why}"),
            ))
        };
        if self.enabled && self.events.is_empty() {
            return invalid("enabled needs events");
        }
        if !self.events.iter().all(|event| EVENTS.contains(&&**event)) {
            return invalid(&format!("the events are {}", EVENTS.join(", ")));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct EcsService {
    service_name: String,
    cluster_name: String,
}

impl EcsService {
    /// As a target is named: the cluster and the service.
    pub(super) fn id(&self) -> String {
        let cluster = match &*self.cluster_name {
            "" => "default",
            name => name,
        };
        format!("{cluster}:{}", self.service_name)
    }
}

/// An instance that filters stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) is_on_premises: bool,
}

impl Settings {
    /// A group of one instance (`i-GROUP`), or of the service `GROUP` for ECS.
    pub(super) fn simplest(group: &str, platform: &str) -> Self {
        let mut settings = Self {
            service_role_arn: Some(format!(
                "arn:aws:iam::{}:role/CodeDeploy",
                super::super::server::OWNER
            )),
            ..Self::default()
        };
        match platform {
            "Server" => {
                settings.ec2_tag_filters = vec![TagFilter {
                    key: Some("Name".to_owned()),
                    value: Some(group.to_owned()),
                    kind: Some("KEY_AND_VALUE".to_owned()),
                }];
            }
            "ECS" => {
                settings.ecs_services = vec![EcsService {
                    service_name: group.to_owned(),
                    cluster_name: "default".to_owned(),
                }];
                settings.load_balancer_info = Some(json!({ "targetGroupPairInfoList": [{
                    "targetGroups": [{ "name": "blue" }, { "name": "green" }],
                    "prodTrafficRoute": { "listenerArns": [] },
                }] }));
            }
            _ => {}
        }
        settings
    }

    pub(super) fn style(&self) -> Style {
        self.deployment_style.clone().unwrap_or_default()
    }

    pub(super) fn blue_green(&self) -> BlueGreen {
        self.blue_green_deployment_configuration
            .clone()
            .unwrap_or_default()
    }

    /// The names of the group's Auto Scaling groups, as GetDeploymentGroup lists them.
    pub(super) fn auto_scaling_info(&self) -> Value {
        let named = self.auto_scaling_groups.iter();
        json!(
            named
                .map(|name| json!({ "name": name }))
                .collect::<Vec<_>>()
        )
    }

    /// Checks what decides how deployments go, and fills in what the platform implies.
    pub(super) fn check(&mut self, platform: &str) -> Result<(), Failure> {
        if let Some(name) = &self.deployment_config_name {
            super::configs::of(name, platform)?;
        }
        if let Some(rollback) = &self.auto_rollback_configuration {
            rollback.check()?;
        }
        if platform != "Server" {
            self.deployment_style.get_or_insert_with(Style::of_traffic);
        }
        let style = self.style();
        let known = matches!(&*style.deployment_type, "IN_PLACE" | "BLUE_GREEN")
            && matches!(
                &*style.deployment_option,
                "WITH_TRAFFIC_CONTROL" | "WITHOUT_TRAFFIC_CONTROL"
            );
        if !known || platform != "Server" && style != Style::of_traffic() {
            return Err(Failure::new(
                "InvalidDeploymentStyleException",
                format!(
                    "An invalid deployment style was specified for the compute platform {platform}: \
                     {} {}",
                    style.deployment_type, style.deployment_option
                ),
            ));
        }
        if platform == "Server" && style.is_blue_green() && !style.controls_traffic() {
            return Err(Failure::new(
                "InvalidDeploymentStyleException",
                "A blue/green deployment needs WITH_TRAFFIC_CONTROL",
            ));
        }
        if platform != "Lambda" && style.controls_traffic() && self.load_balancer_info.is_none() {
            return Err(Failure::new(
                "InvalidLoadBalancerInfoException",
                "WITH_TRAFFIC_CONTROL needs loadBalancerInfo",
            ));
        }
        if platform == "Server"
            && style.is_blue_green()
            && self.blue_green_deployment_configuration.is_none()
        {
            return Err(Failure::new(
                "InvalidBlueGreenDeploymentConfigurationException",
                "BLUE_GREEN needs blueGreenDeploymentConfiguration",
            ));
        }
        let named = |service: &EcsService| !service.service_name.is_empty();
        let services = self.ecs_services.iter().filter(|one| named(one)).count();
        if platform == "ECS" && (services != 1 || self.ecs_services.len() != 1) {
            return Err(Failure::new(
                "InvalidECSServiceException",
                "A deployment group for ECS needs ecsServices with one serviceName",
            ));
        }
        if !self.ec2_tag_filters.is_empty() && self.ec2_tag_set.is_some() {
            return Err(Failure::new(
                "InvalidEC2TagCombinationException",
                "ec2TagFilters and ec2TagSet exclude each other",
            ));
        }
        if !self.on_premises_instance_tag_filters.is_empty() && self.on_premises_tag_set.is_some() {
            return Err(Failure::new(
                "InvalidOnPremisesTagCombinationException",
                "onPremisesInstanceTagFilters and onPremisesTagSet exclude each other",
            ));
        }
        Ok(())
    }

    /// The group's instances, each once.
    pub(super) fn instances(&self, region: &str) -> Vec<Instance> {
        let sets = self.ec2_tag_set.iter();
        let ec2 = sets.flat_map(|set| set.ec2_tag_set_list.iter().flatten());
        let mut found = Instances::new(region);
        found.filters(self.ec2_tag_filters.iter().chain(ec2), false);
        found.groups(&self.auto_scaling_groups);
        let sets = self.on_premises_tag_set.iter();
        let others = sets.flat_map(|set| set.on_premises_tag_set_list.iter().flatten());
        let filters = self.on_premises_instance_tag_filters.iter();
        found.filters(filters.chain(others), true);
        found.all
    }
}

impl TargetInstances {
    pub(super) fn instances(&self, region: &str) -> Vec<Instance> {
        let sets = self.ec2_tag_set.iter();
        let ec2 = sets.flat_map(|set| set.ec2_tag_set_list.iter().flatten());
        let mut found = Instances::new(region);
        found.filters(self.tag_filters.iter().chain(ec2), false);
        found.groups(&self.auto_scaling_groups);
        found.all
    }
}

/// Collects instances.
struct Instances<'r> {
    region: &'r str,
    all: Vec<Instance>,
}

impl<'r> Instances<'r> {
    fn new(region: &'r str) -> Self {
        let all = Vec::new();
        Self { region, all }
    }

    fn filters<'f>(&mut self, filters: impl Iterator<Item = &'f TagFilter>, is_on_premises: bool) {
        for filter in filters {
            let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
            if let Some(name) = filled(&filter.value).or_else(|| filled(&filter.key)) {
                for name in expand(&name) {
                    self.add(&name, is_on_premises);
                }
            }
        }
    }

    fn groups(&mut self, groups: &[String]) {
        for group in groups {
            self.add(group, false);
        }
    }

    fn add(&mut self, name: &str, is_on_premises: bool) {
        let prefix = if is_on_premises { "" } else { "i-" };
        let suffix = match self.region {
            DEFAULT_REGION => String::new(),
            region => format!(".{region}"),
        };
        let id = format!("{prefix}{}{suffix}", plain(name));
        if !self.all.iter().any(|known| known.id == id) {
            self.all.push(Instance { id, is_on_premises });
        }
    }
}

/// The names that a value stands for: `web-1..3` for web-1, web-2 and web-3.
fn expand(value: &str) -> Vec<String> {
    let range = || {
        let (before, last) = value.rsplit_once("..")?;
        let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (name, first) = before.split_at(before.len() - digits);
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        let fits = first <= last && last - first < MAX_RANGE;
        fits.then(|| {
            (first..=last)
                .map(|number| format!("{name}{number}"))
                .collect()
        })
    };
    range().unwrap_or_else(|| vec![value.to_owned()])
}

/// A name as the name of a directory: `A-Z a-z 0-9 . _ -`, and no dot at its beginning.
fn plain(name: &str) -> String {
    let mut plain: String = name
        .chars()
        .take(100)
        .map(|c| match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '-' | '.' => c,
            _ => '-',
        })
        .collect();
    if plain.starts_with('.') {
        plain.replace_range(..1, "-");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(settings: Value, region: &str) -> Vec<String> {
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let instances = settings.instances(region).into_iter();
        instances.map(|instance| instance.id).collect()
    }

    #[test]
    fn each_filter_stands_for_an_instance_and_a_range_for_several() {
        let settings = json!({
            "ec2TagFilters": [
                { "Key": "Name", "Value": "web-1..3", "Type": "KEY_AND_VALUE" },
                { "Key": "Name", "Value": "web-3" },
                { "Key": "Batch", "Type": "KEY_ONLY" },
            ],
            "autoScalingGroups": ["fleet"],
            "onPremisesInstanceTagFilters": [{ "Key": "Name", "Value": "../rack 7" }],
        });
        let expected = [
            "i-web-1",
            "i-web-2",
            "i-web-3",
            "i-Batch",
            "i-fleet",
            "-.-rack-7",
        ];
        assert_eq!(ids(settings.clone(), "us-east-1"), expected);
        let elsewhere = ids(settings, "eu-west-1");
        assert_eq!(elsewhere[0], "i-web-1.eu-west-1");
        assert_eq!(ids(json!({}), "us-east-1"), [""; 0]);
        for not_a_range in ["a..3", "1..", "..2", "web-3..1", "w1..9999"] {
            assert_eq!(expand(not_a_range), [not_a_range]);
        }
    }
}

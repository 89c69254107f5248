//! Deployment groups.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ids;
use super::model::{ApplicationName, Revision, check_name};
use super::settings::Settings;
use super::{Failure, Service, configs, listing, page, seconds};

/// A deployment group as it is kept with its application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) settings: Settings,
    /// The revision that was deployed last, whether it succeeded or not.
    #[serde(default)]
    pub(super) target_revision: Option<Revision>,
    #[serde(default)]
    pub(super) last_attempted: Option<LastDeployment>,
    #[serde(default)]
    pub(super) last_successful: Option<LastDeployment>,
}

/// A deployment as its group remembers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LastDeployment {
    pub(super) id: String,
    pub(super) status: super::deployment::Status,
    pub(super) created_ms: u64,
    pub(super) ended_ms: Option<u64>,
    pub(super) revision: Revision,
}

impl LastDeployment {
    fn info(&self) -> Value {
        let mut info = json!({
            "deploymentId": self.id,
            "status": self.status,
            "createTime": seconds(self.created_ms),
        });
        if let Some(ended) = self.ended_ms {
            info["endTime"] = json!(seconds(ended));
        }
        info
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreateGroup {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

/// The input of operations that name a group and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GroupName {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
}

/// Checks the name of a group: 1 to 100 characters ("CodeDeploy quotas").
/// Fails with `DeploymentGroupNameRequiredException`, `InvalidDeploymentGroupNameException`.
pub(super) fn check_group_name(name: Option<String>) -> Result<String, Failure> {
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
        Failure::new(
            "DeploymentGroupNameRequiredException",
            "Deployment Group name is required",
        )
    })?;
    match name.chars().count() {
        ..=100 => Ok(name),
        _ => Err(Failure::new(
            "InvalidDeploymentGroupNameException",
            format!("The deployment group name is not valid: {name}"),
        )),
    }
}

/// The error for a group that the application does not have.
fn no_such_group(name: &str) -> Failure {
    Failure::new(
        "DeploymentGroupDoesNotExistException",
        format!("No Deployment Group found for name: {name}"),
    )
}

impl Group {
    fn new(name: String, settings: Settings) -> Self {
        Self {
            name,
            id: ids::unique(),
            settings,
            target_revision: None,
            last_attempted: None,
            last_successful: None,
        }
    }

    fn info(&self, application: &str, platform: &str) -> Value {
        let settings = &self.settings;
        let mut info = json!(settings);
        info["applicationName"] = json!(application);
        info["deploymentGroupName"] = json!(self.name);
        info["deploymentGroupId"] = json!(self.id);
        info["computePlatform"] = json!(platform);
        info["deploymentStyle"] = json!(settings.style());
        info["autoScalingGroups"] = settings.auto_scaling_info();
        info["deploymentConfigName"] = json!(
            settings
                .deployment_config_name
                .as_deref()
                .unwrap_or(configs::default_name(platform))
        );
        for name in [
            "ec2TagFilters",
            "onPremisesInstanceTagFilters",
            "triggerConfigurations",
        ] {
            if info[name].is_null() {
                info[name] = json!([]);
            }
        }
        if let Some(revision) = &self.target_revision {
            info["targetRevision"] = json!(revision);
        }
        for (name, last) in [
            ("lastAttemptedDeployment", &self.last_attempted),
            ("lastSuccessfulDeployment", &self.last_successful),
        ] {
            if let Some(last) = last {
                info[name] = last.info();
            }
        }
        info
    }
}

impl Service {
    /// Makes the group `name` of an application if it is missing: with one instance (`i-NAME`), or for
    /// the service `NAME` of ECS.
    pub(in crate::endpoint) fn ensure_group(
        &self,
        region: &str,
        application: &str,
        name: &str,
    ) -> Result<(), Failure> {
        super::check_region(region)?;
        let platform = self.store.get(region, application)?.platform;
        let input = CreateGroup {
            application_name: Some(application.to_owned()),
            deployment_group_name: Some(name.to_owned()),
            settings: Settings::simplest(name, &platform),
        };
        match self.create_group(region, input) {
            Err(failure) if failure.code != "DeploymentGroupAlreadyExistsException" => Err(failure),
            _ => Ok(()),
        }
    }

    pub(super) fn create_group(&self, region: &str, input: CreateGroup) -> Result<Value, Failure> {
        let application = check_name(input.application_name)?;
        let name = check_group_name(input.deployment_group_name)?;
        let mut settings = input.settings;
        let role = settings.service_role_arn.as_deref().unwrap_or_default();
        if role.is_empty() {
            return Err(Failure::new(
                "RoleRequiredException",
                "The role ID was not specified",
            ));
        }
        self.store.update(region, &application, |application| {
            settings.check(&application.platform)?;
            if application.groups.iter().any(|known| known.name == name) {
                return Err(Failure::new(
                    "DeploymentGroupAlreadyExistsException",
                    format!("Deployment group already exists: {name}"),
                ));
            }
            let group = Group::new(name, settings);
            let output = json!({ "deploymentGroupId": group.id });
            application.groups.push(group);
            Ok(output)
        })
    }

    /// The group `name`, and its application's platform.
    /// Fails with `ApplicationDoesNotExistException`, `DeploymentGroupDoesNotExistException`.
    pub(super) fn group(
        &self,
        region: &str,
        application: &str,
        name: &str,
    ) -> Result<(Group, String), Failure> {
        let application = self.store.get(region, application)?;
        let mut groups = application.groups.into_iter();
        let group = groups.find(|known| known.name == name);
        let group = group.ok_or_else(|| no_such_group(name))?;
        Ok((group, application.platform))
    }

    /// Changes the group with the id `id`, unless it was deleted.
    pub(super) fn update_group(
        &self,
        region: &str,
        application: &str,
        id: &str,
        change: impl FnOnce(&mut Group),
    ) -> Result<(), Failure> {
        self.store.update(region, application, |application| {
            let mut groups = application.groups.iter_mut();
            if let Some(group) = groups.find(|known| known.id == id) {
                change(group);
            }
            Ok(())
        })
    }

    pub(super) fn get_group(&self, region: &str, input: GroupName) -> Result<Value, Failure> {
        let application = check_name(input.application_name)?;
        let name = check_group_name(input.deployment_group_name)?;
        let (group, platform) = self.group(region, &application, &name)?;
        Ok(json!({ "deploymentGroupInfo": group.info(&application, &platform) }))
    }

    pub(super) fn list_groups(
        &self,
        region: &str,
        input: ApplicationName,
    ) -> Result<Value, Failure> {
        let name = check_name(input.application_name)?;
        let application = self.store.get(region, &name)?;
        let groups = application.groups.into_iter();
        let mut names: Vec<String> = groups.map(|group| group.name).collect();
        names.sort();
        let (page, next) = page(&names, input.next_token.as_deref(), |name| name)?;
        let mut output = listing("deploymentGroups", page, next);
        output["applicationName"] = json!(name);
        Ok(output)
    }

    /// Deletes a group. One that is not there counts as deleted.
    pub(super) fn delete_group(&self, region: &str, input: GroupName) -> Result<Value, Failure> {
        let application = check_name(input.application_name)?;
        let name = check_group_name(input.deployment_group_name)?;
        let deleted = self.store.update(region, &application, |application| {
            application.groups.retain(|known| known.name != name);
            Ok(json!({ "hooksNotCleanedUp": [] }))
        });
        match deleted {
            Err(failure) if failure.code == "ApplicationDoesNotExistException" => {
                Ok(json!({ "hooksNotCleanedUp": [] }))
            }
            other => other,
        }
    }
}

//! The targets of a deployment, as operations ask for them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::deployment::{Deployment, Status, Target};
use super::{Failure, Service, listing, page};

/// The most targets of one BatchGetDeploymentTargets.
const MAX_BATCH: usize = 25;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListTargets {
    deployment_id: Option<String>,
    next_token: Option<String>,
    target_filters: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GetTarget {
    deployment_id: Option<String>,
    target_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GetTargets {
    deployment_id: Option<String>,
    target_ids: Vec<String>,
}

fn id_required() -> Failure {
    Failure::new(
        "DeploymentTargetIdRequiredException",
        "A deployment target ID was not provided",
    )
}

impl Service {
    /// A deployment whose targets are known.
    /// Fails with `DeploymentNotStartedException`, and as [`Service::deployment`].
    fn started(&self, region: &str, id: Option<String>) -> Result<Deployment, Failure> {
        let deployment = self.deployment(region, id)?;
        match deployment.status {
            Status::Created => Err(Failure::new(
                "DeploymentNotStartedException",
                format!("The deployment {} has not started", deployment.id),
            )),
            _ => Ok(deployment),
        }
    }

    pub(super) fn list_targets(&self, region: &str, input: ListTargets) -> Result<Value, Failure> {
        let deployment = self.started(region, input.deployment_id)?;
        let mut targets: Vec<&Target> = deployment.targets.iter().collect();
        for (filter, values) in &input.target_filters {
            let value_of = |target: &Target| match &**filter {
                "TargetStatus" => json!(target.status),
                _ => json!(target.label()),
            };
            if !matches!(&**filter, "TargetStatus" | "ServerInstanceLabel") {
                return Err(Failure::new(
                    "InvalidTargetFilterNameException",
                    format!("The target filter name is invalid: {filter}"),
                ));
            }
            targets.retain(|target| values.iter().any(|value| value_of(target) == json!(value)));
        }
        let (page, next) = page(&targets, input.next_token.as_deref(), |target| &target.id)?;
        let ids: Vec<&str> = page.iter().map(|target| &*target.id).collect();
        Ok(listing("targetIds", &ids, next))
    }

    pub(super) fn get_target(&self, region: &str, input: GetTarget) -> Result<Value, Failure> {
        let deployment = self.started(region, input.deployment_id)?;
        let id = input.target_id.ok_or_else(id_required)?;
        Ok(json!({ "deploymentTarget": target(&deployment, &id)? }))
    }

    pub(super) fn batch_get_targets(
        &self,
        region: &str,
        input: GetTargets,
    ) -> Result<Value, Failure> {
        let deployment = self.started(region, input.deployment_id)?;
        match input.target_ids.len() {
            0 => return Err(id_required()),
            1..=MAX_BATCH => {}
            count => {
                return Err(Failure::new(
                    "DeploymentTargetListSizeExceededException",
                    format!("{count} targets are named, and at most {MAX_BATCH} are allowed"),
                ));
            }
        }
        let ids = input.target_ids.iter();
        let targets: Result<Vec<Value>, Failure> = ids.map(|id| target(&deployment, id)).collect();
        Ok(json!({ "deploymentTargets": targets? }))
    }
}

/// A target as the API describes it.
/// Fails with `DeploymentTargetDoesNotExistException`.
fn target(deployment: &Deployment, id: &str) -> Result<Value, Failure> {
    let found = deployment.targets.iter().find(|target| target.id == id);
    let missing = || {
        Failure::new(
            "DeploymentTargetDoesNotExistException",
            format!(
                "The target {id} does not belong to the deployment {}",
                deployment.id
            ),
        )
    };
    Ok(found.ok_or_else(missing)?.info(&deployment.id))
}

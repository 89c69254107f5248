//! Whether a deployment group exists, before something is made for it.

use std::time::Duration;

use super::CodeDeploy;
use crate::aws::call::{PREFLIGHT_ATTEMPTS, Request};
use crate::aws::error::CallError;

/// What CodeDeploy says of a deployment group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// It exists.
    Found,
    /// It does not exist, or its application does not.
    Missing(CallError),
    /// CodeDeploy does not tell this caller, or did not answer.
    Unconfirmed(CallError),
}

impl CodeDeploy {
    /// Asks for a deployment group. It takes `codedeploy:GetDeploymentGroup`.
    pub async fn deployment_group(
        &self,
        application: &str,
        group: &str,
        patience: Duration,
    ) -> Group {
        const OPERATION: &str = "GetDeploymentGroup";
        let attempt = || async {
            let request = self.client.get_deployment_group();
            let request = request
                .application_name(application)
                .deployment_group_name(group);
            match request.send().await {
                Ok(_) => Ok(()),
                Err(error) => Err(CallError::of(OPERATION, &error)),
            }
        };
        let caller = self.caller.limited(PREFLIGHT_ATTEMPTS, patience);
        let asked = caller.call(Request::new(OPERATION), attempt);
        let asked = tokio::time::timeout(patience, asked).await;
        match asked.unwrap_or_else(|_| Err(CallError::no_answer_within(OPERATION, patience))) {
            Ok(()) => Group::Found,
            Err(error) => match error.code.as_deref() {
                Some(
                    "DeploymentGroupDoesNotExistException"
                    | "InvalidDeploymentGroupNameException"
                    | "ApplicationDoesNotExistException",
                ) => Group::Missing(error),
                _ => Group::Unconfirmed(error),
            },
        }
    }
}

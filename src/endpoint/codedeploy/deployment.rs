//! A deployment as it is kept, and as CodeDeploy describes it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ids;
use super::model::Revision;
use super::seconds;
use super::settings::{AutoRollback, Settings, TargetInstances};

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Created,
    Queued,
    InProgress,
    Ready,
    Succeeded,
    Failed,
    Stopped,
}

impl Status {
    pub(super) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }

    /// The status of this name. `Baking` is one that no deployment here has.
    pub(super) fn is_known(name: &str) -> bool {
        let known = serde_json::from_value::<Self>(json!(name));
        known.is_ok() || name == "Baking"
    }
}

/// How far a target or a lifecycle event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    Pending,
    InProgress,
    Succeeded,
    Failed,
    Skipped,
    /// Of targets only: an instance that waits for its traffic.
    Ready,
}

/// A deployment as it is kept on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Deployment {
    pub(super) id: String,
    /// Its number among all deployments of the region, from 1.
    pub(super) number: u64,
    pub(super) application: String,
    pub(super) group: String,
    pub(super) group_id: String,
    pub(super) platform: String,
    /// The group's settings when the deployment was created.
    pub(super) settings: Settings,
    pub(super) config: String,
    pub(super) revision: Revision,
    pub(super) previous: Option<Revision>,
    pub(super) status: Status,
    pub(super) created_ms: u64,
    pub(super) started_ms: Option<u64>,
    pub(super) ended_ms: Option<u64>,
    pub(super) creator: String,
    pub(super) error: Option<Error>,
    pub(super) rollback: Option<Rollback>,
    pub(super) options: Options,
    /// The original instances wait to be terminated.
    pub(super) waits_for_termination: bool,
    pub(super) targets: Vec<Target>,
}

/// What a client says of one deployment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) ignore_application_stop_failures: bool,
    pub(super) update_outdated_instances_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_exists_behavior: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auto_rollback_configuration: Option<AutoRollback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_instances: Option<TargetInstances>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) override_alarm_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_mode: Option<String>,
}

/// Why a deployment failed or was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Error {
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rollback {
    /// The deployment that rolls this one back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rollback_deployment_id: Option<String>,
    /// The deployment that this one rolls back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rollback_triggering_deployment_id: Option<String>,
    pub(super) rollback_message: String,
}

/// An instance, function or service of a deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) status: Step,
    pub(super) updated_ms: u64,
    pub(super) events: Vec<Event>,
    pub(super) kind: Kind,
}

/// What a target is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Kind {
    /// An instance, `Blue` or `Green` in a blue/green deployment.
    Instance { label: Option<String> },
    /// A Lambda function.
    Function {
        name: String,
        alias: String,
        current: String,
        target: String,
        /// The traffic of the target version, in percent.
        weight: u32,
    },
    /// An ECS service.
    Service {
        /// The traffic of the replacement task set, in percent.
        weight: u32,
    },
}

/// A lifecycle event of a target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) status: Step,
    pub(super) started_ms: Option<u64>,
    pub(super) ended_ms: Option<u64>,
    pub(super) diagnostics: Option<Diagnostics>,
}

/// How an event ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Diagnostics {
    pub(super) error_code: String,
    pub(super) script_name: String,
    pub(super) message: String,
    pub(super) log_tail: String,
}

impl Diagnostics {
    pub(super) fn success() -> Self {
        Self {
            error_code: "Success".to_owned(),
            script_name: String::new(),
            message: "Succeeded".to_owned(),
            log_tail: String::new(),
        }
    }

    /// What the agent tells of an event that fails without a script.
    pub(super) fn unknown_error(message: impl Into<String>) -> Self {
        Self {
            error_code: "UnknownError".to_owned(),
            script_name: String::new(),
            message: message.into(),
            log_tail: String::new(),
        }
    }
}

impl Deployment {
    /// Notes why the deployment did not succeed.
    /// Ends the deployment. Events that run get the status `running`, and what has not begun is skipped.
    pub(super) fn end(&mut self, status: Status, running: Step) {
        self.status = status;
        self.ended_ms = Some(ids::now_ms());
        for target in &mut self.targets {
            target.end(running);
        }
    }

    pub(super) fn fail(&mut self, code: &str, message: impl Into<String>) {
        self.error = Some(Error {
            code: code.to_owned(),
            message: message.into(),
        });
    }

    fn count(&self, status: Step) -> usize {
        let statuses = self.targets.iter().map(|target| target.status);
        statuses.filter(|known| *known == status).count()
    }

    /// As GetDeployment describes it.
    pub(super) fn info(&self) -> Value {
        let mut info = json!(self.options);
        info["applicationName"] = json!(self.application);
        info["deploymentGroupName"] = json!(self.group);
        info["deploymentConfigName"] = json!(self.config);
        info["deploymentId"] = json!(self.id);
        info["revision"] = json!(self.revision);
        info["status"] = json!(self.status);
        info["createTime"] = json!(seconds(self.created_ms));
        info["creator"] = json!(self.creator);
        info["deploymentStyle"] = json!(self.settings.style());
        info["computePlatform"] = json!(self.platform);
        info["instanceTerminationWaitTimeStarted"] = json!(self.waits_for_termination);
        info["deploymentStatusMessages"] = json!([]);
        if info["fileExistsBehavior"].is_null() && self.platform == "Server" {
            info["fileExistsBehavior"] = json!("DISALLOW");
        }
        if self.status != Status::Created {
            info["deploymentOverview"] = json!({
                "Pending": self.count(Step::Pending),
                "InProgress": self.count(Step::InProgress),
                "Succeeded": self.count(Step::Succeeded),
                "Failed": self.count(Step::Failed),
                "Skipped": self.count(Step::Skipped),
                "Ready": self.count(Step::Ready),
            });
        }
        for (name, time) in [
            ("startTime", self.started_ms),
            ("completeTime", self.ended_ms),
        ] {
            if let Some(time) = time {
                info[name] = json!(seconds(time));
            }
        }
        let settings = &self.settings;
        for (name, value) in [
            ("previousRevision", json!(self.previous)),
            ("errorInformation", json!(self.error)),
            ("rollbackInfo", json!(self.rollback)),
            (
                "blueGreenDeploymentConfiguration",
                json!(settings.blue_green_deployment_configuration),
            ),
            ("loadBalancerInfo", json!(settings.load_balancer_info)),
        ] {
            if !value.is_null() {
                info[name] = value;
            }
        }
        if info["autoRollbackConfiguration"].is_null()
            && let Some(rollback) = &settings.auto_rollback_configuration
        {
            info["autoRollbackConfiguration"] = json!(rollback);
        }
        info
    }

    /// Whether the deployment is rolled back after `event`.
    pub(super) fn is_rolled_back_after(&self, event: &str) -> bool {
        let own = self.options.auto_rollback_configuration.as_ref();
        let rollback = own.or(self.settings.auto_rollback_configuration.as_ref());
        rollback.is_some_and(|rollback| rollback.covers(event))
    }
}

impl Target {
    pub(super) fn new(id: &str, arn: String, kind: Kind, events: &[&str]) -> Self {
        let event = |name: &&str| Event {
            name: (*name).to_owned(),
            status: Step::Pending,
            started_ms: None,
            ended_ms: None,
            diagnostics: None,
        };
        Self {
            id: id.to_owned(),
            arn,
            status: Step::Pending,
            updated_ms: ids::now_ms(),
            events: events.iter().map(event).collect(),
            kind,
        }
    }

    /// Marks what has not begun as skipped.
    pub(super) fn skip_rest(&mut self) {
        for event in &mut self.events {
            if event.status == Step::Pending {
                event.status = Step::Skipped;
            }
        }
    }

    fn end(&mut self, running: Step) {
        self.skip_rest();
        for event in &mut self.events {
            if event.status == Step::InProgress {
                event.status = running;
                event.ended_ms = Some(ids::now_ms());
            }
        }
        if !matches!(self.status, Step::Succeeded | Step::Failed) {
            self.status = Step::Skipped;
        }
    }

    pub(super) fn label(&self) -> Option<&str> {
        match &self.kind {
            Kind::Instance { label } => label.as_deref(),
            Kind::Function { .. } | Kind::Service { .. } => None,
        }
    }

    /// As BatchGetDeploymentTargets describes it.
    pub(super) fn info(&self, deployment: &str) -> Value {
        let events: Vec<Value> = self.events.iter().map(Event::info).collect();
        let mut info = json!({
            "deploymentId": deployment,
            "targetId": self.id,
            "targetArn": self.arn,
            "status": self.status,
            "lastUpdatedAt": seconds(self.updated_ms),
            "lifecycleEvents": events,
        });
        let (kind, member) = match &self.kind {
            Kind::Instance { label } => {
                if let Some(label) = label {
                    info["instanceLabel"] = json!(label);
                }
                ("InstanceTarget", "instanceTarget")
            }
            Kind::Function {
                name,
                alias,
                current,
                target,
                weight,
            } => {
                info["lambdaFunctionInfo"] = json!({
                    "functionName": name,
                    "functionAlias": alias,
                    "currentVersion": current,
                    "targetVersion": target,
                    "targetVersionWeight": weight,
                });
                ("LambdaTarget", "lambdaTarget")
            }
            Kind::Service { weight } => {
                let set = |label: &str, status: &str, weight: u32| {
                    json!({
                        "identifer": format!("ecs-svc/{deployment}-{}", label.to_lowercase()),
                        "desiredCount": 1,
                        "pendingCount": 0,
                        "runningCount": 1,
                        "status": status,
                        "trafficWeight": weight,
                        "taskSetLabel": label,
                    })
                };
                let (blue, green) = match weight {
                    100 => ("ACTIVE", "PRIMARY"),
                    _ => ("PRIMARY", "ACTIVE"),
                };
                info["taskSetsInfo"] = json!([
                    set("Blue", blue, 100 - weight),
                    set("Green", green, *weight),
                ]);
                ("ECSTarget", "ecsTarget")
            }
        };
        json!({ "deploymentTargetType": kind, member: info })
    }
}

impl Event {
    fn info(&self) -> Value {
        let mut info = json!({ "lifecycleEventName": self.name, "status": self.status });
        for (name, time) in [("startTime", self.started_ms), ("endTime", self.ended_ms)] {
            if let Some(time) = time {
                info[name] = json!(seconds(time));
            }
        }
        if let Some(diagnostics) = &self.diagnostics {
            info["diagnostics"] = json!(diagnostics);
        }
        info
    }
}

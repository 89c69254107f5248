//! Deployment groups and deployments.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::Pace;
use super::super::faults::EventFault;
use super::codedeploy::s3;
use super::*;

/// Events that take no time, and minutes of 20 ms.
const QUICK: Pace = Pace {
    event: Duration::from_millis(2),
    minute: Duration::from_millis(20),
};

/// The most that a deployment may take.
const ENDLESS: Duration = Duration::from_secs(60);

impl Local {
    fn quick(faults: Faults) -> Self {
        Self::start_as(|settings| Settings {
            pace: QUICK,
            faults: Some(faults),
            ..settings
        })
    }

    /// Makes the group `fleet` with these settings besides its role.
    fn group(&self, settings: &Value) {
        let mut input = json!({
            "applicationName": "app",
            "deploymentGroupName": "fleet",
            "serviceRoleArn": "arn:aws:iam::000000000000:role/r",
        });
        for (name, value) in settings.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.call("CreateDeploymentGroup", &input);
    }

    /// Makes the group `fleet` of `count` instances.
    fn fleet(&self, count: u32, settings: &Value) {
        let mut settings = settings.clone();
        settings["ec2TagFilters"] = json!([
            { "Key": "Name", "Value": format!("web-1..{count}"), "Type": "KEY_AND_VALUE" }
        ]);
        self.group(&settings);
    }

    /// Deploys the revision of the object `k.zip` to the group `fleet`. Returns the deployment's id.
    fn deploy(&self, options: &Value) -> Value {
        let mut input = json!({
            "applicationName": "app",
            "deploymentGroupName": "fleet",
            "revision": { "revisionType": "S3", "s3Location": {
                "bucket": "bucket", "key": "k.zip", "bundleType": "zip",
            } },
        });
        for (name, value) in options.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.call("CreateDeployment", &input)["deploymentId"].clone()
    }

    fn info(&self, id: &Value) -> Value {
        let found = self.call("GetDeployment", &json!({ "deploymentId": id }));
        found["deploymentInfo"].clone()
    }

    /// What is said of a deployment when `is_it` holds for the first time.
    #[track_caller]
    fn wait(&self, id: &Value, is_it: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let info = self.info(id);
            if is_it(&info) {
                return info;
            }
            assert!(start.elapsed() < ENDLESS, "{info}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn wait_for(&self, id: &Value, status: &str) -> Value {
        let info = self.wait(id, |info| {
            let now = info["status"].as_str().unwrap();
            now == status || ["Succeeded", "Failed", "Stopped"].contains(&now)
        });
        assert_eq!(info["status"], status, "{info}");
        info
    }

    /// All targets of a deployment, without the name of their kind.
    fn targets(&self, id: &Value) -> Vec<Value> {
        let ids = self.call("ListDeploymentTargets", &json!({ "deploymentId": id }));
        let input = json!({ "deploymentId": id, "targetIds": ids["targetIds"] });
        let targets = self.call("BatchGetDeploymentTargets", &input);
        let targets = targets["deploymentTargets"].as_array().unwrap().iter();
        let kinds = ["instanceTarget", "lambdaTarget", "ecsTarget"];
        targets
            .map(|target| {
                let kind = kinds.iter().find(|kind| !target[kind].is_null());
                target[*kind.unwrap()].clone()
            })
            .collect()
    }
}

/// The names and statuses of a target's events.
fn events(target: &Value) -> Vec<String> {
    let events = target["lifecycleEvents"].as_array().unwrap().iter();
    let texts = events.map(|event| {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        format!("{} {}", text("lifecycleEventName"), text("status"))
    });
    texts.collect()
}

fn counts(info: &Value) -> [u64; 4] {
    let count = |name: &str| info["deploymentOverview"][name].as_u64().unwrap();
    ["Pending", "Succeeded", "Failed", "Skipped"].map(count)
}

#[test]
fn a_failing_event_fails_its_instance_and_tells_script_message_and_log() {
    let fault = EventFault::script_failed("scripts/check.sh", "no such host\n");
    let faults = Faults::new().on_event(.., "i-web-2", "AfterInstall", fault);
    let local = Local::quick(faults);
    local.fleet(5, &json!({}));
    let all = json!({ "deploymentConfigName": "CodeDeployDefault.AllAtOnce" });
    let id = local.deploy(&all);
    // One of five may fail if all are deployed to at once.
    assert_eq!(counts(&local.wait_for(&id, "Succeeded")), [0, 4, 1, 0]);
    let targets = local.targets(&id);
    assert_eq!(targets[1]["status"], "Failed");
    assert_eq!(
        events(&targets[1])[3..],
        [
            "Install Succeeded",
            "AfterInstall Failed",
            "ApplicationStart Skipped",
            "ValidateService Skipped"
        ]
    );
    let diagnostics = &targets[1]["lifecycleEvents"][4]["diagnostics"];
    assert_eq!(diagnostics["errorCode"], "ScriptFailed");
    assert_eq!(diagnostics["scriptName"], "scripts/check.sh");
    assert_eq!(diagnostics["logTail"], "no such host\n");

    // One at a time, no instance but the last may fail.
    let info = local.wait_for(&local.deploy(&json!({})), "Failed");
    assert_eq!(counts(&info), [0, 1, 1, 3]);
    assert_eq!(info["errorInformation"]["code"], "HEALTH_CONSTRAINTS");
}

#[test]
fn a_second_deployment_of_a_group_waits_for_the_end_of_the_first() {
    let faults = Faults::new().on_event(1..=1, "*", "ApplicationStart", EventFault::Hang);
    let local = Local::quick(faults);
    local.fleet(1, &json!({}));
    let first = local.deploy(&json!({}));
    let input = json!({
        "applicationName": "app", "deploymentGroupName": "fleet", "revision": s3("k.zip"),
    });
    let (status, refused) = local.call_in("us-east-1", "CreateDeployment", &input);
    assert_eq!(
        (status, &refused["__type"]),
        (400, &json!("DeploymentLimitExceededException"))
    );
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(first.as_str().unwrap()), "{message}");

    let stopped = local.call("StopDeployment", &json!({ "deploymentId": first }));
    assert_eq!(stopped["status"], "Pending");
    local.wait_for(&first, "Stopped");
    let again = local.refusal("StopDeployment", &json!({ "deploymentId": first }));
    assert_eq!(again, "DeploymentAlreadyCompletedException");
    local.wait_for(&local.deploy(&json!({})), "Succeeded");
}

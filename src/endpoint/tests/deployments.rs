//! Deployment groups and deployments.

use std::io::Write as _;
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

/// A bundle with these files.
fn bundle(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        let mode = if name.ends_with(".sh") { 0o755 } else { 0o644 };
        let options = zip::write::SimpleFileOptions::default().unix_permissions(mode);
        zip.start_file(*name, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const APPSPEC: &str = "version: 0.0
os: linux
files:
  - source: site
    destination: /var/www
  - source: app.conf
    destination: /etc/app
permissions:
  - object: /etc/app
    mode: 600
    type: [file]
hooks:
  AfterInstall:
    - location: check.sh
";

const FILES: [(&str, &str); 5] = [
    ("appspec.yml", APPSPEC),
    ("site/index.html", "one"),
    ("site/img/a.svg", "<svg/>"),
    ("app.conf", "a=1"),
    ("check.sh", "#!/bin/sh\ntouch /tmp/no-hook-may-run\n"),
];

impl Local {
    fn quick(faults: Faults) -> Self {
        let local = Self::start_as(|settings| Settings {
            pace: QUICK,
            faults: Some(faults),
            ..settings
        });
        local.upload(&FILES);
        local
    }

    /// Stores a bundle as the object `k.zip`.
    fn upload(&self, files: &[(&str, &str)]) {
        let stored = self.put("/bucket/k.zip", &[], &bundle(files));
        assert_eq!(stored.status, 200, "{}", stored.text());
    }

    /// The files of an instance and their contents.
    fn installed(&self, instance: &str) -> Vec<String> {
        let root = self.dir.path().join("instances").join(instance);
        let mut found = Vec::new();
        let mut left = vec![root.clone()];
        while let Some(dir) = left.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().display().to_string();
                    found.push(format!(
                        "{name}: {}",
                        std::fs::read_to_string(path).unwrap()
                    ));
                }
            }
        }
        found.sort();
        found
    }

    /// The diagnostics of the event of the first target that failed.
    fn failure(&self, id: &Value) -> (String, String, String) {
        let targets = self.targets(id);
        let events = targets[0]["lifecycleEvents"].as_array().unwrap();
        let failed = events.iter().find(|event| event["status"] == "Failed");
        let failed = failed.unwrap_or_else(|| panic!("{targets:?}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            text(&failed["lifecycleEventName"]),
            text(&failed["diagnostics"]["errorCode"]),
            text(&failed["diagnostics"]["message"]),
        )
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

#[test]
fn files_are_copied_to_each_instance_and_those_of_the_revision_before_are_removed() {
    let local = Local::quick(Faults::new());
    local.fleet(2, &json!({}));
    let id = local.deploy(&json!({}));
    local.wait_for(&id, "Succeeded");
    let first = [
        "etc/app/app.conf: a=1",
        "var/www/img/a.svg: <svg/>",
        "var/www/index.html: one",
    ];
    for instance in ["i-web-1", "i-web-2"] {
        assert_eq!(local.installed(instance), first);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let conf = local.dir.path().join("instances/i-web-1/etc/app/app.conf");
        let mode = std::fs::metadata(conf).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mut files = FILES.to_vec();
    files[1].1 = "two";
    files.remove(2);
    local.upload(&files);
    local.wait_for(&local.deploy(&json!({})), "Succeeded");
    let second = ["etc/app/app.conf: a=1", "var/www/index.html: two"];
    assert_eq!(local.installed("i-web-2"), second);
    assert!(!std::path::Path::new("/tmp/no-hook-may-run").exists());
}

#[test]
fn failures_are_explained_as_the_agent_would() {
    let local = Local::quick(Faults::new());
    local.fleet(1, &json!({}));
    let fails = |options: Value| {
        let id = local.deploy(&options);
        local.wait_for(&id, "Failed");
        local.failure(&id)
    };
    let unknown = |event: &str, message: &str| {
        (
            event.to_owned(),
            "UnknownError".to_owned(),
            message.to_owned(),
        )
    };
    let revision = |key: &str, etag: &str| {
        json!({ "revision": { "revisionType": "S3", "s3Location": {
            "bucket": "bucket", "key": key, "bundleType": "zip", "eTag": etag,
        } } })
    };
    let missing = fails(revision("none.zip", "x"));
    let expected = unknown("DownloadBundle", "The specified key does not exist.");
    assert_eq!(missing, expected);
    let (event, _, message) = fails(revision("k.zip", "other"));
    assert_eq!(event, "DownloadBundle");
    assert!(message.contains("Expected deployment bundle etag other but was actually etag"));

    // A file that is there, which no deployment installed.
    let www = local.dir.path().join("instances/i-web-1/var/www");
    std::fs::create_dir_all(&www).unwrap();
    std::fs::write(www.join("index.html"), "mine").unwrap();
    let there = "The deployment failed because a specified file already exists at this location: \
                 /var/www/index.html";
    assert_eq!(fails(json!({})), unknown("Install", there));
    assert_eq!(local.installed("i-web-1"), ["var/www/index.html: mine"]);
    let retain = local.deploy(&json!({ "fileExistsBehavior": "RETAIN" }));
    local.wait_for(&retain, "Succeeded");
    assert!(
        local
            .installed("i-web-1")
            .contains(&"var/www/index.html: mine".to_owned())
    );
    let overwrite = local.deploy(&json!({ "fileExistsBehavior": "OVERWRITE" }));
    local.wait_for(&overwrite, "Succeeded");
    assert!(
        local
            .installed("i-web-1")
            .contains(&"var/www/index.html: one".to_owned())
    );

    local.upload(&FILES[..4]);
    let (event, code, message) = fails(json!({}));
    assert_eq!((&*event, &*code), ("AfterInstall", "ScriptMissing"));
    assert!(
        message.starts_with("Script does not exist at specified location: /opt/"),
        "{message}"
    );
    local.upload(&FILES[1..]);
    let (event, _, message) = fails(json!({}));
    assert_eq!(event, "BeforeInstall");
    assert!(
        message.contains("did not find an AppSpec file"),
        "{message}"
    );
    local.upload(&[("appspec.yml", "version: 0.0\nos: Linux\n")]);
    let (event, _, message) = fails(json!({}));
    assert_eq!(event, "BeforeInstall");
    assert!(message.contains("os must be linux or windows"), "{message}");
}

#[test]
fn nothing_of_a_bundle_leaves_the_directory_of_its_instance() {
    let local = Local::quick(Faults::new());
    local.fleet(1, &json!({}));
    let appspec = "version: 0.0\nos: linux\nfiles:\n  - source: a\n    destination: ../../../out\n";
    local.upload(&[
        ("appspec.yml", appspec),
        ("a/../../../../escaped.txt", "x"),
        ("/absolute.txt", "x"),
        ("a/b.txt", "b"),
    ]);
    local.wait_for(&local.deploy(&json!({})), "Succeeded");
    assert_eq!(local.installed("i-web-1"), ["out/b.txt: b"]);
    let above = names(local.dir.path());
    assert_eq!(above, ["buckets", "codedeploy", "instances", "lock"]);
}

/// A group's auto rollback.
fn rolls_back(event: &str) -> Value {
    json!({ "autoRollbackConfiguration": { "enabled": true, "events": [event] } })
}

#[test]
fn a_failed_deployment_is_rolled_back_to_the_last_revision_that_succeeded() {
    let fault = EventFault::script_failed("check.sh", "");
    let local = Local::quick(Faults::new().on_event(2..=2, "*", "AfterInstall", fault));
    local.fleet(1, &rolls_back("DEPLOYMENT_FAILURE"));
    let first = local.deploy(&json!({}));
    local.wait_for(&first, "Succeeded");
    let put = local.put("/bucket/new.zip", &[], &bundle(&FILES));
    assert_eq!(put.status, 200);
    let mut input = s3("new.zip");
    input["s3Location"] = json!({ "bucket": "bucket", "key": "new.zip", "bundleType": "zip" });
    let second = local.deploy(&json!({ "revision": input }));
    local.wait_for(&second, "Failed");
    let info = local.wait(&second, |info| !info["rollbackInfo"].is_null());
    let back = info["rollbackInfo"]["rollbackDeploymentId"].clone();
    let info = local.wait_for(&back, "Succeeded");
    assert_eq!(info["creator"], "codeDeployRollback");
    assert_eq!(
        info["rollbackInfo"]["rollbackTriggeringDeploymentId"],
        second
    );
    assert_eq!(info["revision"]["s3Location"]["key"], "k.zip");
    assert_eq!(info["previousRevision"]["s3Location"]["key"], "k.zip");
}

#[test]
fn a_stop_skips_what_has_not_begun_and_can_be_followed_by_a_rollback() {
    let faults = Faults::new().on_event(.., "i-web-1", "ApplicationStart", EventFault::Hang);
    let local = Local::quick(faults);
    local.fleet(2, &json!({}));
    let id = local.deploy(&json!({}));
    local.wait(&id, |_| {
        local.info(&id)["status"] == "InProgress"
            && events(&local.targets(&id)[0]).contains(&"ApplicationStart InProgress".to_owned())
    });
    local.call(
        "StopDeployment",
        &json!({ "deploymentId": id, "autoRollbackEnabled": true }),
    );
    let info = local.wait_for(&id, "Stopped");
    assert_eq!(counts(&info), [0, 0, 0, 2]);
    assert_eq!(info["errorInformation"]["code"], "MANUAL_STOP");
    let targets = local.targets(&id);
    assert_eq!(
        events(&targets[0])[4..],
        [
            "AfterInstall Succeeded",
            "ApplicationStart Skipped",
            "ValidateService Skipped"
        ]
    );
    // There is nothing to roll back to.
    let info = local.wait(&id, |info| !info["rollbackInfo"].is_null());
    assert!(info["rollbackInfo"]["rollbackDeploymentId"].is_null());
}

#[test]
fn a_group_that_replaces_a_deleted_one_knows_nothing_of_its_deployments() {
    let faults = Faults::new().on_event(.., "*", "ApplicationStart", EventFault::Hang);
    let local = Local::quick(faults);
    local.fleet(1, &json!({}));
    let id = local.deploy(&json!({}));
    local.wait_for(&id, "InProgress");
    let name = json!({ "applicationName": "app", "deploymentGroupName": "fleet" });
    local.call("DeleteDeploymentGroup", &name);
    local.fleet(1, &json!({}));
    local.call("StopDeployment", &json!({ "deploymentId": id }));
    local.wait_for(&id, "Stopped");
    let group = local.call("GetDeploymentGroup", &name);
    let info = &group["deploymentGroupInfo"];
    assert!(info["lastAttemptedDeployment"].is_null(), "{info}");
    assert!(info["targetRevision"].is_null(), "{info}");
}

#[test]
fn a_deployment_that_ran_when_the_endpoint_ended_has_failed() {
    let faults = Faults::new().on_event(.., "*", "ApplicationStart", EventFault::Hang);
    let mut local = Local::quick(faults);
    local.fleet(1, &json!({}));
    let id = local.deploy(&json!({}));
    local.wait_for(&id, "InProgress");
    local.restart();
    let info = local.info(&id);
    assert_eq!(info["status"], "Failed");
    assert_eq!(info["errorInformation"]["code"], "INTERNAL_ERROR");
    local.wait_for(&local.deploy(&json!({})), "Succeeded");
}

#[test]
fn an_event_that_fails_before_the_new_revision_can_be_ignored() {
    let fault = EventFault::script_failed("stop.sh", "");
    let local = Local::quick(Faults::new().on_event(.., "*", "ApplicationStop", fault));
    local.fleet(1, &json!({}));
    local.wait_for(&local.deploy(&json!({})), "Failed");
    let id = local.deploy(&json!({ "ignoreApplicationStopFailures": true }));
    let info = local.wait_for(&id, "Succeeded");
    assert_eq!(info["ignoreApplicationStopFailures"], true);
    assert_eq!(events(&local.targets(&id)[0])[0], "ApplicationStop Failed");
}

#[test]
fn blue_green_waits_for_traffic_and_for_the_end_of_the_original_instances() {
    let local = Local::quick(Faults::new());
    let settings = json!({
        "deploymentStyle": {
            "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL",
        },
        "loadBalancerInfo": { "targetGroupInfoList": [{ "name": "t" }] },
        "blueGreenDeploymentConfiguration": {
            "deploymentReadyOption": {
                "actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 9_999,
            },
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE", "terminationWaitTimeInMinutes": 9_999,
            },
        },
    });
    local.fleet(2, &settings);
    let id = local.deploy(&json!({}));
    let go = |wait: &str| json!({ "deploymentId": id, "deploymentWaitType": wait });
    let early = local.refusal("ContinueDeployment", &go("TERMINATION_WAIT"));
    assert_eq!(early, "DeploymentIsNotInReadyStateException");
    let odd = local.refusal("ContinueDeployment", &go("NO_WAIT"));
    assert_eq!(odd, "InvalidDeploymentWaitTypeException");
    let info = local.wait_for(&id, "Ready");
    assert_eq!(info["deploymentOverview"]["Ready"], 2);
    local.call("ContinueDeployment", &go("READY_WAIT"));
    local.wait(&id, |info| {
        info["instanceTerminationWaitTimeStarted"] == true
    });
    local.call("ContinueDeployment", &go("TERMINATION_WAIT"));
    let info = local.wait_for(&id, "Succeeded");
    assert_eq!(counts(&info), [0, 4, 0, 0]);
    let labels: Vec<Value> = local
        .targets(&id)
        .iter()
        .map(|target| target["instanceLabel"].clone())
        .collect();
    assert_eq!(labels, ["Green", "Green", "Blue", "Blue"]);
    assert_eq!(
        local.refusal("ContinueDeployment", &go("READY_WAIT")),
        "DeploymentAlreadyCompletedException"
    );
}

#[test]
fn traffic_that_waits_too_long_stops_the_deployment() {
    let local = Local::quick(Faults::new());
    let settings = json!({
        "deploymentStyle": {
            "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL",
        },
        "loadBalancerInfo": { "targetGroupInfoList": [{ "name": "t" }] },
        "blueGreenDeploymentConfiguration": { "deploymentReadyOption": {
            "actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 1,
        } },
    });
    local.fleet(1, &settings);
    local.wait_for(&local.deploy(&json!({})), "Stopped");
}

/// Deploys a Lambda function. Returns the deployment's id.
fn deploy_function(local: &Local, config: &str) -> Value {
    let appspec = "version: 0.0\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n      \
                   Properties: { Name: f, Alias: live, CurrentVersion: '1', TargetVersion: '2' }\n";
    local.call(
        "CreateApplication",
        &json!({ "applicationName": "fn", "computePlatform": "Lambda" }),
    );
    local.call(
        "CreateDeploymentGroup",
        &json!({
            "applicationName": "fn", "deploymentGroupName": "g", "serviceRoleArn": "arn:x",
            "deploymentConfigName": config,
        }),
    );
    local.call(
        "CreateDeployment",
        &json!({
            "applicationName": "fn", "deploymentGroupName": "g",
            "revision": {
                "revisionType": "AppSpecContent", "appSpecContent": { "content": appspec },
            },
        }),
    )["deploymentId"]
        .clone()
}

#[test]
fn the_traffic_of_a_function_is_shifted_by_the_configuration() {
    let local = Local::quick(Faults::new());
    let config = "CodeDeployDefault.LambdaLinear10PercentEvery1Minute";
    let id = deploy_function(&local, config);
    let weights = std::cell::RefCell::new(Vec::new());
    local.wait(&id, |info| {
        if info["status"] != "Created" {
            let target = &local.targets(&id)[0];
            let weight = target["lambdaFunctionInfo"]["targetVersionWeight"]
                .as_u64()
                .unwrap();
            let mut weights = weights.borrow_mut();
            if weights.last() != Some(&weight) {
                weights.push(weight);
            }
        }
        info["status"] == "Succeeded"
    });
    let weights = weights.into_inner();
    assert!(weights.len() > 3 && weights.is_sorted(), "{weights:?}");
    assert_eq!(weights.last(), Some(&100));
    // The event lasts as long as the shift: ten steps with nine minutes between them.
    let target = &local.targets(&id)[0];
    let mut events = target["lifecycleEvents"].as_array().unwrap().iter();
    let shift = events.find(|event| event["lifecycleEventName"] == "AllowTraffic");
    let time = |name: &str| shift.unwrap()[name].as_f64().unwrap();
    let took = time("endTime") - time("startTime");
    assert!(took > 9.0 * QUICK.minute.as_secs_f64() - 0.01, "{took} s");
}

#[test]
fn a_hook_that_fails_after_the_shift_gives_the_traffic_back() {
    let fault = EventFault::script_failed("afterAllowTraffic", "");
    let local = Local::quick(Faults::new().on_event(.., "f", "AfterAllowTraffic", fault));
    let id = deploy_function(&local, "CodeDeployDefault.LambdaAllAtOnce");
    let info = local.wait_for(&id, "Failed");
    assert_eq!(info["errorInformation"]["code"], "HOOK_EXECUTION_FAILURE");
    let target = &local.targets(&id)[0];
    assert_eq!(target["lambdaFunctionInfo"]["targetVersionWeight"], 0);
}

#[test]
fn a_group_without_instances_fails_its_deployments() {
    let local = Local::quick(Faults::new());
    local.group(&json!({}));
    let info = local.wait_for(&local.deploy(&json!({})), "Failed");
    assert_eq!(info["errorInformation"]["code"], "NO_INSTANCES");
}

#[test]
fn only_instances_that_lack_the_revision_are_deployed_to_if_asked() {
    let fault = EventFault::script_failed("check.sh", "");
    let local = Local::quick(Faults::new().on_event(1..=1, "i-web-2", "AfterInstall", fault));
    local.fleet(
        2,
        &json!({ "deploymentConfigName": "CodeDeployDefault.AllAtOnce" }),
    );
    local.wait_for(&local.deploy(&json!({})), "Succeeded");
    let id = local.deploy(&json!({ "updateOutdatedInstancesOnly": true }));
    assert_eq!(counts(&local.wait_for(&id, "Succeeded")), [0, 1, 0, 0]);
    let restarted = json!({
        "applicationName": "app", "deploymentGroupName": "fleet", "deploymentMode": "RESTART",
    });
    let again = local.call("CreateDeployment", &restarted)["deploymentId"].clone();
    let info = local.wait_for(&again, "Succeeded");
    assert_eq!(info["deploymentMode"], "RESTART");
    assert_eq!(info["revision"]["s3Location"]["key"], "k.zip");
}

#[test]
fn a_bad_deployment_gets_the_error_of_the_service() {
    let local = Local::quick(Faults::new());
    local.fleet(1, &json!({}));
    let create = |input: Value| {
        let mut whole = json!({
            "applicationName": "app", "deploymentGroupName": "fleet", "revision": s3("k.zip"),
        });
        for (name, value) in input.as_object().unwrap() {
            whole[name] = value.clone();
        }
        local.refusal("CreateDeployment", &whole)
    };
    for (input, expected) in [
        (
            json!({ "applicationName": "none" }),
            "ApplicationDoesNotExistException",
        ),
        (
            json!({ "deploymentGroupName": null }),
            "DeploymentGroupNameRequiredException",
        ),
        (
            json!({ "deploymentGroupName": "none" }),
            "DeploymentGroupDoesNotExistException",
        ),
        (json!({ "revision": null }), "RevisionRequiredException"),
        (
            json!({ "revision": { "revisionType": "S3" } }),
            "InvalidRevisionException",
        ),
        (
            json!({ "deploymentConfigName": "None" }),
            "DeploymentConfigDoesNotExistException",
        ),
        (
            json!({ "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce" }),
            "InvalidDeploymentConfigNameException",
        ),
        (
            json!({ "description": "x".repeat(257) }),
            "DescriptionTooLongException",
        ),
        (
            json!({ "fileExistsBehavior": "REPLACE" }),
            "InvalidFileExistsBehaviorException",
        ),
        (
            json!({ "autoRollbackConfiguration": { "enabled": true, "events": ["NEVER"] } }),
            "InvalidAutoRollbackConfigException",
        ),
        (
            json!({ "deploymentMode": "RESTART" }),
            "InvalidInputException",
        ),
    ] {
        assert_eq!(create(input), expected);
    }
    let id = local.deploy(&json!({}));
    let many: Vec<String> = (0..26).map(|number| number.to_string()).collect();
    local.wait_for(&id, "Succeeded");
    for (operation, input, expected) in [
        ("GetDeployment", json!({}), "DeploymentIdRequiredException"),
        (
            "GetDeployment",
            json!({ "deploymentId": "x" }),
            "InvalidDeploymentIdException",
        ),
        (
            "StopDeployment",
            json!({ "deploymentId": "d-0" }),
            "DeploymentDoesNotExistException",
        ),
        (
            "BatchGetDeployments",
            json!({ "deploymentIds": many }),
            "BatchLimitExceededException",
        ),
        (
            "BatchGetDeploymentTargets",
            json!({ "deploymentId": id, "targetIds": many }),
            "DeploymentTargetListSizeExceededException",
        ),
        (
            "BatchGetDeploymentTargets",
            json!({ "deploymentId": id, "targetIds": ["none"] }),
            "DeploymentTargetDoesNotExistException",
        ),
        (
            "GetDeploymentTarget",
            json!({ "deploymentId": id }),
            "DeploymentTargetIdRequiredException",
        ),
        (
            "ListDeploymentTargets",
            json!({ "deploymentId": id, "targetFilters": { "Size": ["1"] } }),
            "InvalidTargetFilterNameException",
        ),
        (
            "ListDeployments",
            json!({ "applicationName": "app" }),
            "DeploymentGroupNameRequiredException",
        ),
        (
            "ListDeployments",
            json!({ "includeOnlyStatuses": ["Done"] }),
            "InvalidDeploymentStatusException",
        ),
        (
            "ListDeployments",
            json!({ "createTimeRange": { "start": 2.5, "end": 1 } }),
            "InvalidTimeRangeException",
        ),
        (
            "ListDeployments",
            json!({ "nextToken": "x" }),
            "InvalidNextTokenException",
        ),
        (
            "CreateDeploymentGroup",
            json!({ "applicationName": "app", "deploymentGroupName": "g" }),
            "RoleRequiredException",
        ),
        (
            "CreateDeploymentGroup",
            json!({
                "applicationName": "app", "deploymentGroupName": "fleet", "serviceRoleArn": "r",
            }),
            "DeploymentGroupAlreadyExistsException",
        ),
        (
            "GetDeploymentConfig",
            json!({ "deploymentConfigName": "None" }),
            "DeploymentConfigDoesNotExistException",
        ),
    ] {
        assert_eq!(
            local.refusal(operation, &input),
            expected,
            "{operation} {input}"
        );
    }
}

#[test]
fn targets_and_deployments_are_listed_in_pages() {
    let local = Local::quick(Faults::new());
    local.fleet(
        103,
        &json!({ "deploymentConfigName": "CodeDeployDefault.AllAtOnce" }),
    );
    let id = local.deploy(&json!({}));
    local.wait(&id, |info| info["status"] != "Created");
    let first = local.call("ListDeploymentTargets", &json!({ "deploymentId": id }));
    assert_eq!(first["targetIds"].as_array().unwrap().len(), 100);
    let next = json!({ "deploymentId": id, "nextToken": first["nextToken"] });
    let rest = local.call("ListDeploymentTargets", &next);
    assert_eq!(
        rest["targetIds"],
        json!(["i-web-101", "i-web-102", "i-web-103"])
    );
    assert!(rest["nextToken"].is_null());
    let listed = local.call(
        "ListDeployments",
        &json!({ "createTimeRange": { "start": 1.0 } }),
    );
    assert_eq!(listed["deployments"], json!([id]));
    let none = local.call(
        "ListDeployments",
        &json!({ "createTimeRange": { "end": 1.0 } }),
    );
    assert_eq!(none["deployments"], json!([]));
    local.call("StopDeployment", &json!({ "deploymentId": id }));
    local.wait_for(&id, "Stopped");
}

/// A tar with a directory, a file, a long name, a link inside and links and names that lead out.
#[cfg(unix)]
fn tarball() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, name: &str, link: &str, content: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if kind == tar::EntryType::Symlink {
            tar.append_link(&mut header, name, link).unwrap();
        } else {
            tar.append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
    };
    let appspec = "version: 0.0\nos: linux\nfiles:\n  - source: site\n    destination: /srv\n";
    let long = format!("bundle/site/{}/a.txt", "d".repeat(120));
    let (file, link) = (tar::EntryType::Regular, tar::EntryType::Symlink);
    // A bundle may have one directory around it.
    add(tar::EntryType::Directory, "bundle/", "", "");
    add(file, "bundle/appspec.yml", "", appspec);
    add(file, "bundle/site/index.html", "", "one");
    add(file, &long, "", "deep");
    add(link, "bundle/site/current.html", "index.html", "");
    add(link, "bundle/site/passwd", "/etc/passwd", "");
    add(link, "bundle/site/up", "../../../..", "");
    tar.into_inner().unwrap()
}

#[cfg(unix)]
#[test]
fn tar_and_tgz_are_unpacked_and_links_that_lead_out_are_left_out() {
    let local = Local::quick(Faults::new());
    local.fleet(1, &json!({}));
    let plain = tarball();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    for (kind, bytes) in [("tar", plain.clone()), ("tgz", gzip.finish().unwrap())] {
        local.put("/bucket/b", &[], &bytes);
        let revision = json!({ "revisionType": "S3", "s3Location": {
            "bucket": "bucket", "key": "b", "bundleType": kind,
        } });
        local.wait_for(&local.deploy(&json!({ "revision": revision })), "Succeeded");
        let deep = format!("srv/{}/a.txt: deep", "d".repeat(120));
        let expected = ["srv/current.html: one", &deep, "srv/index.html: one"];
        assert_eq!(local.installed("i-web-1"), expected, "{kind}");
        let link = local.dir.path().join("instances/i-web-1/srv/current.html");
        assert_eq!(
            std::fs::read_link(link).unwrap().to_str(),
            Some("index.html")
        );
    }
    local.put("/bucket/b", &[], &plain[..700]);
    let revision = json!({ "revisionType": "S3", "s3Location": {
        "bucket": "bucket", "key": "b", "bundleType": "tar",
    } });
    let id = local.deploy(&json!({ "revision": revision }));
    local.wait_for(&id, "Failed");
    assert_eq!(local.failure(&id).0, "DownloadBundle");
}

#[test]
fn creating_a_deployment_needs_the_permission_to_read_its_configuration() {
    use crate::endpoint::faults::Action;
    let faults = Faults::new();
    let local = Local::quick(faults.clone());
    local.fleet(1, &json!({}));
    let input = json!({
        "applicationName": "app", "deploymentGroupName": "fleet", "revision": s3("k.zip"),
    });
    faults.allow([Action::CreateDeployment]);
    let (_, denied) = local.call_in("us-east-1", "CreateDeployment", &input);
    assert_eq!(denied["__type"], "AccessDeniedException");
    let message = denied["message"].as_str().unwrap();
    assert!(
        message.contains("codedeploy:GetDeploymentConfig"),
        "{message}"
    );
    faults.allow([Action::CreateDeployment, Action::GetDeploymentConfig]);
    local.call("CreateDeployment", &input);
}

//! `hoist serve` deploys for trial, judged by the clients that it is for: the AWS CLI and boto3. botocore
//! parses each answer by the model of the service.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::serve::Serve;
use crate::support::{Run as _, Tree, missing, tool};

/// Makes a deployment group.
const GROUP: &str = "deploy create-deployment-group --application-name App \
                     --deployment-group-name Fleet --service-role-arn arn:aws:iam::000000000000:role/r";

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: site\n    \
                       destination: /var/www\nhooks:\n  AfterInstall:\n    - location: check.sh\n";

/// A revision whose hook writes a file, if it is run.
fn revision(ran: &std::path::Path) -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC)
        .file("site/index.html", "<h1>it works</h1>")
        .file(
            "check.sh",
            format!("#!/bin/sh\ntouch '{}'\n", ran.display()),
        );
    tree
}

impl Serve {
    /// A command of the AWS CLI.
    fn run_aws(&self, line: &str) -> Command {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.aws(&arguments).unwrap()
    }

    /// The output of a command of the AWS CLI.
    fn json(&self, line: &str) -> Value {
        let done = self.run_aws(line).args(["--output", "json"]).ok();
        serde_json::from_str(&done.stdout).unwrap_or(Value::Null)
    }

    /// Runs the command that a push printed, for the group `Fleet`. Returns the deployment's id.
    fn deploy_as_printed(&self, printed: &str) -> String {
        let command = printed
            .lines()
            .find(|line| line.starts_with("aws deploy create-deployment"));
        let command = command.unwrap_or_else(|| panic!("{printed}"));
        let command = command.replace("<deployment-group-name>", "Fleet");
        let command = command.replace("<deployment-config-name>", "CodeDeployDefault.AllAtOnce");
        let command = command.replace("<description>", "\"a trial\"");
        let mut sh = self.client(Command::new("sh"), &["-c", &command]);
        // The AWS CLI of the tests, without settings of this machine.
        let set = self.aws(&[]).unwrap();
        for (name, value) in set.get_envs() {
            match value {
                Some(value) => sh.env(name, value),
                None => sh.env_remove(name),
            };
        }
        let done = sh.env("AWS_DEFAULT_OUTPUT", "json").ok();
        let output: Value = serde_json::from_str(&done.stdout).unwrap();
        output["deploymentId"].as_str().unwrap().to_owned()
    }
}

#[test]
fn the_command_that_a_push_prints_deploys_and_the_aws_cli_waits_for_it() {
    let Some(serve) = Serve::ready_with(&["--event-time", "20ms"]) else {
        return;
    };
    let ran = serve.dir.path().join("hook-ran");
    let pushed = serve.push(&revision(&ran)).ok();
    serve
        .run_aws(GROUP)
        .args([
            "--ec2-tag-filters",
            "Key=Name,Value=web-1..2,Type=KEY_AND_VALUE",
        ])
        .ok();
    let group = serve
        .json("deploy get-deployment-group --application-name App --deployment-group-name Fleet");
    assert_eq!(
        group["deploymentGroupInfo"]["deploymentConfigName"],
        "CodeDeployDefault.OneAtATime"
    );
    let id = serve.deploy_as_printed(&pushed.stdout);
    serve
        .run_aws(&format!(
            "deploy wait deployment-successful --deployment-id {id}"
        ))
        .ok();
    let found = serve.json(&format!("deploy get-deployment --deployment-id {id}"));
    let info = &found["deploymentInfo"];
    assert_eq!(info["status"], "Succeeded", "{info}");
    assert_eq!(info["deploymentOverview"]["Succeeded"], 2, "{info}");
    let list = format!("deploy list-deployment-targets --deployment-id {id}");
    assert_eq!(
        serve.json(&list)["targetIds"],
        serde_json::json!(["i-web-1", "i-web-2"])
    );
    let get = format!("deploy get-deployment-target --deployment-id {id} --target-id i-web-2");
    let target = &serve.json(&get)["deploymentTarget"]["instanceTarget"];
    assert_eq!(
        target["lifecycleEvents"].as_array().unwrap().len(),
        7,
        "{target}"
    );
    let batch = format!(
        "deploy batch-get-deployment-targets --deployment-id {id} --target-ids i-web-1 i-web-2"
    );
    let targets = serve.json(&batch)["deploymentTargets"].clone();
    assert_eq!(targets.as_array().unwrap().len(), 2, "{targets}");
    let page = serve
        .dir
        .path()
        .join("instances/i-web-2/var/www/index.html");
    assert_eq!(fs::read_to_string(page).unwrap(), "<h1>it works</h1>");
    assert!(!ran.exists(), "a hook was run");
    let revisions =
        serve.json("deploy list-application-revisions --application-name App --deployed include");
    assert_eq!(revisions["revisions"].as_array().unwrap().len(), 1);
}

#[test]
fn the_aws_cli_stops_a_deployment_and_continues_one_that_waits() {
    let Some(serve) = Serve::ready_with(&["--event-time", "2s"]) else {
        return;
    };
    let tree = revision(&serve.dir.path().join("hook-ran"));
    let pushed = serve.push(&tree).ok();
    serve
        .run_aws(GROUP)
        .args(["--on-premises-instance-tag-filters", "Key=Name,Value=rack"])
        .ok();
    let id = serve.deploy_as_printed(&pushed.stdout);
    // A group has one deployment at a time.
    let create = "deploy create-deployment --application-name App --deployment-group-name Fleet \
                  --s3-location bucket=bucket,key=a/b.zip,bundleType=zip";
    let refused = serve.run_aws(create).done();
    refused.says("DeploymentLimitExceededException").says(&id);
    let stopped = serve.json(&format!("deploy stop-deployment --deployment-id {id}"));
    assert_eq!(stopped["status"], "Pending");
    let wait = format!("deploy wait deployment-successful --deployment-id {id}");
    serve
        .run_aws(&wait)
        .done()
        .says("Waiter DeploymentSuccessful failed");
    let stop = format!("deploy stop-deployment --deployment-id {id}");
    serve
        .run_aws(&stop)
        .done()
        .says("DeploymentAlreadyCompletedException");
    let stopped = "deploy list-deployments --application-name App --deployment-group-name Fleet \
                   --include-only-statuses Stopped --create-time-range start=2026-01-01";
    assert_eq!(serve.json(stopped)["deployments"], serde_json::json!([id]));

    let Some(serve) = Serve::ready_with(&["--event-time", "10ms"]) else {
        return;
    };
    serve.push(&tree).ok();
    serve
        .run_aws(GROUP)
        .args(["--auto-scaling-groups", "web"])
        .args([
            "--deployment-style",
            "deploymentType=BLUE_GREEN,deploymentOption=WITH_TRAFFIC_CONTROL",
        ])
        .args(["--load-balancer-info", "targetGroupInfoList=[{name=t}]"])
        .args([
            "--blue-green-deployment-configuration",
            "deploymentReadyOption={actionOnTimeout=STOP_DEPLOYMENT,waitTimeInMinutes=60}",
        ])
        .ok();
    let id = serve.json(create)["deploymentId"]
        .as_str()
        .unwrap()
        .to_owned();
    let get = format!("deploy get-deployment --deployment-id {id} --query deploymentInfo.status");
    for _ in 0..100 {
        if serve.json(&get) == "Ready" {
            break;
        }
    }
    assert_eq!(serve.json(&get), "Ready");
    let go = format!("deploy continue-deployment --deployment-id {id}");
    serve
        .run_aws(&go)
        .args(["--deployment-wait-type", "READY_WAIT"])
        .ok();
    let wait = format!("deploy wait deployment-successful --deployment-id {id}");
    serve.run_aws(&wait).ok();
    let green = format!("deploy list-deployment-targets --deployment-id {id}");
    let mut green = serve.run_aws(&green);
    green.args([
        "--target-filters",
        "ServerInstanceLabel=Green",
        "--output",
        "text",
    ]);
    green.ok().prints("i-web-green");
}

#[test]
fn boto3_reads_every_answer_about_deployments() {
    const PROGRAM: &str = r#"
import boto3, time
deploy = boto3.client("codedeploy")
def group(application, name, platform, **settings):
    deploy.create_deployment_group(applicationName=application, deploymentGroupName=name,
        serviceRoleArn="arn:aws:iam::000000000000:role/r", **settings)
def ended(id):
    for _ in range(600):
        info = deploy.get_deployment(deploymentId=id)["deploymentInfo"]
        if info["status"] in ("Succeeded", "Failed", "Stopped"):
            return info
        time.sleep(0.02)
def content(text):
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": text}}
resource = "version: 0.0\nResources:\n  - r:\n      Type: AWS::%s\n      Properties:\n"
function = resource % "Lambda::Function" + "".join("        %s: '%s'\n" % pair for pair in
    [("Name", "f"), ("Alias", "live"), ("CurrentVersion", 1), ("TargetVersion", 2)])
service = resource % "ECS::Service" + "        TaskDefinition: t\n"

deploy.create_application(applicationName="F", computePlatform="Lambda")
group("F", "g", "Lambda")
id = deploy.create_deployment(applicationName="F", deploymentGroupName="g", revision=content(function),
    deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes")["deploymentId"]
info = ended(id)
assert info["status"] == "Succeeded", info
assert info["computePlatform"] == "Lambda", info
ids = deploy.list_deployment_targets(deploymentId=id)["targetIds"]
[target] = deploy.batch_get_deployment_targets(deploymentId=id, targetIds=ids)["deploymentTargets"]
assert target["lambdaTarget"]["lambdaFunctionInfo"]["targetVersionWeight"] == 100, target

deploy.create_application(applicationName="S", computePlatform="ECS")
group("S", "g", "ECS", ecsServices=[{"serviceName": "s", "clusterName": "c"}],
    loadBalancerInfo={"targetGroupPairInfoList": [{"targetGroups": [{"name": "a"}, {"name": "b"}]}]})
id = deploy.create_deployment(applicationName="S", deploymentGroupName="g",
    revision=content(service))["deploymentId"]
info = ended(id)
assert info["status"] == "Succeeded", info
[target] = deploy.list_deployment_targets(deploymentId=id)["targetIds"]
assert target == "c:s", target
target = deploy.get_deployment_target(deploymentId=id, targetId=target)["deploymentTarget"]["ecsTarget"]
assert [s["trafficWeight"] for s in target["taskSetsInfo"]] == [0, 100], target

found = deploy.batch_get_deployments(deploymentIds=[id, "d-NONE"])["deploymentsInfo"]
assert [info["deploymentId"] for info in found] == [id], found
assert id in deploy.list_deployments()["deployments"]
names = deploy.list_deployment_configs()["deploymentConfigsList"]
for name in names:
    deploy.get_deployment_config(deploymentConfigName=name)
for error, call in [
    (deploy.exceptions.DeploymentDoesNotExistException,
        lambda: deploy.get_deployment(deploymentId="d-NONE")),
    (deploy.exceptions.DeploymentGroupDoesNotExistException,
        lambda: deploy.create_deployment(applicationName="S", deploymentGroupName="none",
            revision=content(service))),
    (deploy.exceptions.InvalidRevisionException,
        lambda: deploy.create_deployment(applicationName="S", deploymentGroupName="g", revision={
            "revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}})),
    (deploy.exceptions.DeploymentConfigDoesNotExistException,
        lambda: deploy.create_deployment(applicationName="S", deploymentGroupName="g",
            revision=content(service), deploymentConfigName="None")),
]:
    try:
        call()
    except error:
        pass
    else:
        raise AssertionError(error)
deploy.delete_deployment_group(applicationName="S", deploymentGroupName="g")
assert deploy.list_deployment_groups(applicationName="S")["deploymentGroups"] == []
print("done")
"#;
    let python = || tool("Python", &["python3"]);
    let Some(mut probe) = python() else { return };
    if probe.args(["-c", "import boto3"]).done().code != Some(0) {
        return missing("boto3", "python3 cannot import it");
    }
    let serve = Serve::start_with(&["--event-time", "5ms"]);
    let mut python = serve.client(python().unwrap(), &["-c", PROGRAM]);
    assert_eq!(python.ok().stdout, "done\n");
}

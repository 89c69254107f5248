//! `hoist deploy` and `push --deploy-to` create deployments, wait for them, say why they fail, and end with an
//! exit code that tells which end it was.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hoist::endpoint::faults::{EventFault, Operation};
use serde_json::{Value, json};

use crate::support::{Done, Run as _, Running, Scene, hoist, wait_until};

/// Deploys to all instances at the same time.
const ALL_AT_ONCE: &str = "CodeDeployDefault.AllAtOnce";

/// What a script may print.
const HOSTILE: &str = "[stdout]installing\n[stderr]\u{1b}[31mnpm ERR!\u{1b}[0m no space\r\n::error::forged\n  \
                       ::add-mask::x\n##[set-output name=x]y\n\u{1b}]0;title\u{7}\u{202e}\u{0}\n";

/// Asks CodeDeploy in us-east-1.
fn ask(scene: &Scene, operation: &str, input: &Value) -> Value {
    ask_in(scene, "us-east-1", operation, input)
}

fn ask_in(scene: &Scene, region: &str, operation: &str, input: &Value) -> Value {
    let target = format!("CodeDeploy_20141006.{operation}");
    let signature =
        format!("AWS4-HMAC-SHA256 Credential=key/20260101/{region}/codedeploy/aws4_request");
    let headers = [("X-Amz-Target", &*target), ("Authorization", &signature)];
    let answer = scene.ask("POST /", &headers, &input.to_string());
    serde_json::from_str(&answer).unwrap_or_default()
}

/// Makes a deployment group of instances, `i-web-1` and so on.
fn make_group(scene: &Scene, region: &str, name: &str, count: u32, settings: &Value) {
    let mut input = json!({
        "applicationName": "App",
        "deploymentGroupName": name,
        "serviceRoleArn": "arn:aws:iam::000000000000:role/r",
        "deploymentConfigName": ALL_AT_ONCE,
        "ec2TagFilters": [
            { "Key": "Name", "Value": format!("web-1..{count}"), "Type": "KEY_AND_VALUE" }
        ],
    });
    for (name, value) in settings.as_object().unwrap() {
        input[name] = value.clone();
    }
    ask_in(scene, region, "CreateDeploymentGroup", &input);
}

/// A revision that is registered with App, and the deployment group `Fleet` of so many instances.
fn fleet(count: u32) -> Scene {
    let scene = Scene::new();
    make_group(&scene, "us-east-1", "Fleet", count, &json!({}));
    scene.push(&["--quiet"]).ok();
    scene
}

/// `hoist deploy` of the newest revision to `Fleet`.
fn deploy(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.hoist(&["deploy", "--application-name", "App", "--latest"]);
    command
        .args(["--deployment-group-name", "Fleet"])
        .args(arguments);
    command
}

/// The event of an instance goes wrong.
fn on_event(scene: &Scene, target: &str, event: &str, fault: EventFault) {
    drop(scene.faults.clone().on_event(.., target, event, fault));
}

fn fails(scene: &Scene, target: &str, log_tail: &str) {
    let fault = EventFault::script_failed("scripts/install.sh", log_tail);
    on_event(scene, target, "AfterInstall", fault);
}

/// The only id that a command printed.
fn id(done: &Done) -> String {
    let id = done.stdout.trim_end();
    assert!(id.starts_with("d-") && !id.contains('\n'), "{done}");
    id.to_owned()
}

fn info(scene: &Scene, id: &str) -> Value {
    let found = ask(scene, "GetDeployment", &json!({ "deploymentId": id }));
    found["deploymentInfo"].clone()
}

fn status(scene: &Scene, id: &str) -> String {
    let info = info(scene, id);
    info["status"].as_str().unwrap_or_default().to_owned()
}

/// The ids of the deployments of App, of all groups.
fn deployments(scene: &Scene, region: &str) -> Vec<String> {
    let answer = ask_in(scene, region, "ListDeployments", &json!({}));
    let ids = answer["deployments"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    ids.iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[track_caller]
fn assert_says(done: &Done, texts: &[&str]) {
    for text in texts {
        assert!(done.stderr.contains(text), "{text}\n{done}");
    }
}

#[test]
fn a_deployment_that_succeeds_is_followed_to_its_end() {
    let scene = fleet(3);
    let done = deploy(&scene, &["--wait"]).ok();
    let id = id(&done);
    let lines = lines(&done.stderr);
    assert_eq!(
        lines[..2],
        [
            "hoist: deploying the newest revision, s3://bucket/key.zip, to Fleet",
            &format!("hoist: deployment {id} to Fleet was created"),
        ],
        "{done}"
    );
    let last = lines.last().unwrap();
    assert!(
        last.starts_with(&format!(
            "hoist: deployment {id} of App to Fleet succeeded in "
        )) && last.ends_with(" s: 3 of 3 instances succeeded"),
        "{done}"
    );
    // A line for each poll would be many.
    assert!(lines.len() <= 7, "{done}");
    assert_eq!(status(&scene, &id), "Succeeded");
}

#[test]
fn a_bar_counts_the_instances_and_names_the_event_under_way() {
    let scene = fleet(3);
    // Longer than the pause between two looks at the deployment.
    let takes = EventFault::Takes(Duration::from_secs(4));
    on_event(&scene, "*", "AfterInstall", takes);
    let done = deploy(&scene, &["--wait", "--progress", "bar"]).ok();
    let drawn = done.stderr.replace("\u{1b}[2K", "");
    let is_bar = |line: &&str| line.contains("0 of 3 succeeded, 3 in progress; ");
    let bars: Vec<&str> = drawn.split(['\r', '\n']).filter(is_bar).collect();
    assert!(!bars.is_empty(), "{done}");
    for bar in bars {
        assert!(
            bar.contains(" on 3 instances, ") && bar.chars().count() < 80,
            "{done}"
        );
    }
    assert!(drawn.contains("succeeded in "), "{done}");
}

#[test]
fn a_hook_that_fails_on_one_of_five_instances_is_explained_with_its_log() {
    let scene = fleet(5);
    fails(&scene, "i-web-3", HOSTILE);
    let options = [
        "--wait",
        "--deployment-config-name",
        "CodeDeployDefault.OneAtATime",
    ];
    let done = deploy(&scene, &options).fails(3);
    let id = id(&done);
    let said = lines(&done.stderr);
    let from = said
        .iter()
        .position(|line| line.starts_with("hoist: instance i-web-3: AfterInstall failed"))
        .unwrap_or_else(|| panic!("{done}"));
    let explained = said[from..].join("\n");
    let message = "ScriptFailed: scripts/install.sh: Script at specified location: scripts/install.sh run as \
                   user root failed with exit code 1";
    assert!(
        explained.lines().next().unwrap().ends_with(message),
        "{done}"
    );
    let log = [
        "hoist:   | [stdout]installing",
        "hoist:   | [stderr]npm ERR! no space",
        "hoist:   | ::error::forged",
        "hoist:   |   ::add-mask::x",
        "hoist:   | ##\\[set-output name=x]y",
    ]
    .join("\n");
    assert!(explained.contains(&log), "{done}");
    assert_says(
        &done,
        &[
            &format!("hoist: deployment {id} of App to Fleet failed after "),
            ": 2 of 5 instances succeeded, 1 failed, 2 skipped; HEALTH_CONSTRAINTS: ",
        ],
    );
    // It was told as soon as it was known, too.
    assert_says(
        &done,
        &["(Fleet): instance i-web-3 failed in AfterInstall: ScriptFailed"],
    );
    assert!(
        !done
            .stderr
            .contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{0}', '\r'])
    );
}

#[test]
fn github_gets_annotations_a_summary_and_outputs() {
    let scene = fleet(5);
    fails(&scene, "i-web-1", HOSTILE);
    let dir = tempfile::tempdir().unwrap();
    let (summary, outputs) = (dir.path().join("summary"), dir.path().join("outputs"));
    let options = [
        "--wait",
        "--deployment-config-name",
        "CodeDeployDefault.OneAtATime",
        "--github-output",
    ];
    let done = deploy(&scene, &options)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &outputs)
        .fails(3);
    let id = id(&done);
    let commands: Vec<&str> = done
        .stderr
        .lines()
        .filter(|line| line.trim_start().starts_with("::"))
        .collect();
    assert_eq!(commands.len(), 2, "{done}");
    let failed = format!("::error title=CodeDeploy::deployment {id} of App to Fleet failed after ");
    assert!(commands[0].starts_with(&failed), "{done}");
    assert!(
        commands[1].starts_with("::error title=CodeDeploy::instance i-web-1: AfterInstall failed")
            && commands[1].contains("%0A[stderr]npm ERR! no space%0A::error::forged%0A"),
        "{done}"
    );
    let summary = fs::read_to_string(summary).unwrap();
    for text in [
        &format!(
            "| <code>{id}</code> | <code>Fleet</code> | <code>us-east-1</code> | <code>Failed</code> |"
        ),
        "0 of 5 succeeded",
        "<details><summary><code>instance i-web-1: AfterInstall failed",
        "<pre>[stdout]installing\n[stderr]npm ERR! no space\n",
    ] {
        assert!(summary.contains(text), "{text}\n{summary}");
    }
    let outputs = outputs_of(&outputs);
    assert_eq!(outputs["deployment-id"], id);
    assert_eq!(outputs["deployment-status"], "Failed");
    let all: Value = serde_json::from_str(outputs["deployments"].as_str().unwrap()).unwrap();
    assert_eq!(all[0]["counts"]["skipped"], 4, "{all}");
}

/// Outputs of a step, by name.
fn outputs_of(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let mut outputs = json!({});
    while let Some(line) = lines.next() {
        let (name, end) = line.split_once("<<").unwrap();
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        outputs[name] = json!(value.join("\n"));
    }
    outputs
}

#[test]
fn an_instance_that_fails_in_a_deployment_that_succeeds_is_told() {
    let scene = fleet(5);
    fails(&scene, "i-web-2", "no such host\n");
    let done = deploy(&scene, &["--wait"]).ok();
    assert_says(
        &done,
        &[
            "hoist: instance i-web-2: AfterInstall failed",
            "hoist:   | no such host\n",
            ": 4 of 5 instances succeeded, 1 failed",
        ],
    );
}

/// A log tail has at most 4 KB, which may be one line of anything.
#[test]
fn no_log_reaches_the_terminal_or_github_as_a_command() {
    let long = "x".repeat(4096);
    let controls: String = (0..32_u8)
        .map(char::from)
        .chain(['\u{7f}', '\u{9b}'])
        .collect();
    let log = format!("{long}\n{controls}\u{2028}::warning::a\u{85}::error::b\n\u{fffd}\n");
    let scene = fleet(1);
    fails(&scene, "i-web-1", &log);
    let done = deploy(&scene, &["--wait"])
        .env("GITHUB_ACTIONS", "true")
        .fails(3);
    for line in done.stderr.split(['\n', '\r', '\u{2028}', '\u{85}']) {
        let is_ours = line.starts_with("::error title=CodeDeploy::") || line.starts_with("hoist: ");
        assert!(is_ours || line.is_empty(), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    assert_says(&done, &[&long]);
}

#[test]
fn without_wait_the_id_is_printed_and_watch_follows_the_deployment_later() {
    let scene = fleet(2);
    let done = deploy(&scene, &["--quiet"]).ok();
    let id = id(&done);
    assert_eq!(done.stderr, "");
    let done = scene.hoist(&["deploy", "--watch", &id]).ok();
    assert_eq!(done.stdout, "");
    assert_says(
        &done,
        &[
            &format!("hoist: deployment {id} of App to Fleet succeeded in "),
            ": 2 of 2 instances succeeded",
        ],
    );
    let json = scene
        .hoist(&["deploy", "--watch", &id, "--output", "json", "--quiet"])
        .ok();
    let json = json.json();
    assert_eq!(json["succeeded"], true);
    let of = &json["deployments"][0];
    for (name, value) in [
        ("id", json!(id)),
        ("application", json!("App")),
        ("group", json!("Fleet")),
        ("region", json!("us-east-1")),
        ("status", json!("Succeeded")),
        ("failures", json!([])),
        ("error", Value::Null),
    ] {
        assert_eq!(of[name], value, "{name}: {of}");
    }
    assert_eq!(of["counts"]["succeeded"], 2);
    assert_eq!(of["revision"]["key"], "key.zip");
}

#[test]
fn json_of_a_failure_has_the_log_and_is_printed_although_the_command_fails() {
    let scene = fleet(1);
    fails(&scene, "i-web-1", HOSTILE);
    let done = deploy(&scene, &["--wait", "--output", "json", "--quiet"]).fails(3);
    let json = done.json();
    assert_eq!(json["succeeded"], false);
    let failure = &json["deployments"][0]["failures"][0];
    assert_eq!(
        failure["target"].as_str().map(|id| id.ends_with("i-web-1")),
        Some(true)
    );
    assert_eq!(failure["event"], "AfterInstall");
    assert_eq!(failure["code"], "ScriptFailed");
    assert_eq!(failure["script"], "scripts/install.sh");
    assert_eq!(failure["log_tail"], HOSTILE);
}

/// A deployment that hangs, and the command that waits for it.
fn hanging(scene: &Scene, arguments: &[&str]) -> Running {
    on_event(scene, "i-web-1", "AfterInstall", EventFault::Hang);
    let started = deploy(scene, arguments).start();
    wait_until("there is a deployment", || {
        deployments(scene, "us-east-1")
            .iter()
            .any(|id| status(scene, id) == "InProgress")
    });
    started
}

#[test]
fn a_deployment_that_is_stopped_has_an_exit_code_of_its_own() {
    let scene = fleet(1);
    let started = hanging(&scene, &["--wait"]);
    let running = &deployments(&scene, "us-east-1")[0];
    ask(
        &scene,
        "StopDeployment",
        &json!({ "deploymentId": running }),
    );
    let done = started.end();
    assert_eq!(done.code, Some(4), "{done}");
    assert_says(
        &done,
        &[&format!(
            "deployment {running} of App to Fleet was stopped after "
        )],
    );
}

#[test]
fn after_wait_timeout_the_deployment_goes_on_and_the_message_says_how_to_watch_and_stop_it() {
    let scene = fleet(1);
    let started = hanging(&scene, &["--wait", "--wait-timeout", "4s"]);
    let done = started.end();
    assert_eq!(done.code, Some(5), "{done}");
    let id = id(&done);
    assert_says(
        &done,
        &[
            &format!(
                "deployment {id} of App to Fleet still runs (in progress) after 4.0 s, which is --wait-timeout"
            ),
            &format!(
                "to watch it: hoist deploy --watch {id}; to stop it: aws deploy stop-deployment --deployment-id {id}"
            ),
        ],
    );
    assert_eq!(status(&scene, &id), "InProgress");
    let done = scene
        .hoist(&["deploy", "--watch", &id, "--wait-timeout", "1"])
        .fails(5);
    assert_says(&done, &[&format!("deployment {id} still runs")]);
}

#[test]
fn ctrl_c_leaves_the_deployment_and_says_how_to_go_on_or_stops_it_if_asked() {
    for (option, (before, after)) in [
        (None, ("", " goes on")),
        (Some("--stop-on-interrupt"), ("CodeDeploy is stopping ", "")),
    ] {
        let scene = fleet(1);
        let options: Vec<&str> = ["--wait"].into_iter().chain(option).collect();
        let started = hanging(&scene, &options);
        started.signal("INT");
        let done = started.end();
        assert_eq!(done.code, Some(130), "{done}");
        let id = id(&done);
        let said = format!("hoist: {before}deployment {id} of App to Fleet{after}\n");
        assert_says(&done, &[&said]);
        match option {
            None => {
                assert_says(
                    &done,
                    &[&format!(
                        "to watch it: hoist deploy --watch {id}; to stop it: "
                    )],
                );
                assert_eq!(status(&scene, &id), "InProgress");
            }
            Some(_) => wait_until("it is stopped", || status(&scene, &id) == "Stopped"),
        }
    }
}

#[test]
fn a_running_deployment_of_the_group_fails_the_next_one_or_is_waited_for_or_stopped() {
    let scene = fleet(1);
    let started = hanging(&scene, &["--wait", "--quiet"]);
    let first = deployments(&scene, "us-east-1").remove(0);
    let done = deploy(&scene, &[]).fails(254);
    assert_says(
        &done,
        &[
            "DeploymentLimitExceededException",
            &format!("deployment {first} to Fleet runs; --if-active wait waits for its end"),
        ],
    );
    assert_eq!(done.stdout, "");
    scene.faults.heal();
    let waiting = deploy(&scene, &["--if-active", "wait"]).start();
    let stopping = deploy(&scene, &["--if-active", "stop", "--wait"]).start();
    let ended = started.end();
    assert_eq!(ended.code, Some(4), "{ended}");
    let (waited, stopped) = (waiting.end(), stopping.end());
    assert_eq!(waited.code, Some(0), "{waited}");
    assert!(waited.stdout.starts_with("d-"), "{waited}");
    assert_says(
        &waited,
        &[&format!("waiting for deployment {first} to Fleet to end")],
    );
    assert!(stopped.stderr.contains("stopping deployment "), "{stopped}");
    assert_eq!(status(&scene, &first), "Stopped");
}

#[test]
fn a_push_deploys_what_it_registered_and_waits() {
    let scene = Scene::new();
    make_group(&scene, "us-east-1", "Fleet", 2, &json!({}));
    let done = scene
        .push(&["--deploy-to", "Fleet", "--description", "release 7"])
        .ok();
    let id = id(&done);
    assert_says(
        &done,
        &[
            "hoist: pushed 4 files",
            &format!("deployment {id} of App to Fleet succeeded in "),
        ],
    );
    let info = info(&scene, &id);
    assert_eq!(info["description"], "release 7");
    let revision = &info["revision"]["s3Location"];
    assert_eq!(revision["key"], "key.zip");
    assert!(revision["eTag"].is_string(), "{info}");

    let done = scene
        .push(&[
            "--deploy-to",
            "Fleet",
            "--no-wait",
            "--output",
            "json",
            "--quiet",
        ])
        .ok();
    let json = done.json();
    assert_eq!(json["deployments"][0]["status"], "Created", "{json}");
    assert_eq!(json["create_deployment"]["applicationName"], "App");
}

#[test]
fn a_dry_run_says_to_which_groups_it_would_deploy() {
    let scene = fleet(1);
    let done = scene
        .push(&["--dry-run", "--deploy-to", "Fleet,Other"])
        .ok();
    assert!(
        done.stdout
            .ends_with("Would then deploy it to Fleet, Other.\n"),
        "{done}"
    );
}

#[test]
fn a_push_whose_deployment_fails_has_registered_the_revision_and_says_why() {
    let scene = Scene::new();
    make_group(&scene, "us-east-1", "Fleet", 1, &json!({}));
    fails(&scene, "i-web-1", "no such host\n");
    let done = scene.push(&["--deploy-to", "Fleet"]).fails(3);
    assert!(scene.is_registered());
    assert_says(
        &done,
        &["instance i-web-1: AfterInstall failed", "  | no such host"],
    );
}

#[test]
fn a_push_with_a_group_that_is_missing_or_a_bad_option_ends_before_the_upload() {
    let scene = Scene::new();
    make_group(&scene, "us-east-1", "Fleet", 1, &json!({}));
    let done = scene.push(&["--deploy-to", "Fleet,Flet"]).fails(254);
    assert_says(
        &done,
        &[
            "No Deployment Group found for name: Flet",
            "nothing was uploaded; check --deploy-to",
        ],
    );
    for (options, text) in [
        (&["--deploy-to", "Fleet,Fleet"][..], "names \"Fleet\" twice"),
        (
            &[
                "--deploy-to",
                "Fleet",
                "--auto-rollback-configuration",
                "enabled=perhaps",
            ],
            "enabled is true or false",
        ),
        (
            &["--wait-timeout", "2h"],
            "--wait-timeout is about deployments; name the deployment group",
        ),
        (
            &["--deploy-to", "Fleet", "--no-wait", "--waves"],
            "--waves is about waiting, and --no-wait is given",
        ),
        (
            &[
                "--deploy-to",
                "Fleet",
                "--deployment-description",
                &"x".repeat(257),
            ],
            "may have 256 characters, and this one has 257",
        ),
    ] {
        let done = scene.push(options).fails(252);
        assert_says(&done, &[text]);
    }
    scene.assert_nothing_is_left();
    // A caller who may not ask for groups may deploy.
    scene.deny(&[Operation::GetDeploymentGroup]);
    let done = scene.push(&["--deploy-to", "Fleet", "--no-wait"]).ok();
    assert_says(
        &done,
        &["note: not checked: whether the deployment group Fleet is there; "],
    );
}

#[test]
fn several_groups_are_deployed_to_at_once_or_in_waves_that_end_at_a_failure() {
    let scene = fleet(1);
    // An instance of its own: files of another group's revision would be in the way.
    let filters = json!([{ "Key": "Name", "Value": "canary-1..1", "Type": "KEY_AND_VALUE" }]);
    let settings = json!({ "ec2TagFilters": filters });
    make_group(&scene, "us-east-1", "Canary", 1, &settings);
    let groups = ["--deployment-group-name", "Canary,Fleet", "--wait"];
    let done = deploy(&scene, &groups).ok();
    assert_eq!(lines(&done.stdout).len(), 2, "{done}");
    assert_says(
        &done,
        &[
            "of App to Canary succeeded in ",
            "of App to Fleet succeeded in ",
        ],
    );

    let done = deploy(&scene, &[&groups[..], &["--waves"]].concat()).ok();
    let place = |text: &str| done.stderr.find(text).unwrap_or_else(|| panic!("{done}"));
    assert!(
        place("of App to Canary succeeded in ") < place("to Fleet was created"),
        "{done}"
    );

    fails(&scene, "i-canary-1", "no\n");
    let before = deployments(&scene, "us-east-1").len();
    let done = deploy(&scene, &[&groups[..], &["--waves"]].concat()).fails(3);
    assert_eq!(deployments(&scene, "us-east-1").len(), before + 1);
    assert_says(
        &done,
        &[
            "of App to Canary failed after ",
            "Fleet: not begun",
            "to deploy to Fleet: hoist deploy --application-name App ",
        ],
    );
}

#[test]
fn several_regions_are_deployed_to_at_once_or_one_after_the_other() {
    let scene = Scene::new();
    scene.make_bucket_in("west", "us-west-2");
    scene.make_application_in("App", "Server", "us-west-2");
    for region in ["us-east-1", "us-west-2"] {
        make_group(&scene, region, "Fleet", 1, &json!({}));
    }
    let west = "region=us-west-2,s3-location=s3://west/key.zip";
    let options = ["--destination", west, "--deploy-to", "Fleet"];
    let done = scene.push(&options).ok();
    assert_says(
        &done,
        &[
            "of App to Fleet in us-east-1 succeeded in ",
            "of App to Fleet in us-west-2 succeeded in ",
        ],
    );
    fails(&scene, "i-web-1", "no\n");
    let waits = ["--waves", "--wait-timeout", "5m", "--if-active", "wait"];
    let done = scene.push(&[&options[..], &waits].concat()).fails(3);
    assert_says(
        &done,
        &[
            "of App to Fleet in us-east-1 failed",
            "Fleet in us-west-2: not begun",
        ],
    );
    let again = done
        .stderr
        .lines()
        .find(|line| line.contains("to deploy to Fleet in us-west-2: "))
        .unwrap();
    assert!(
        again.contains("bucket=west,key=key.zip,")
            && again.contains(" --wait --wait-timeout 5m --if-active wait ")
            && again.ends_with("--region us-west-2"),
        "{done}"
    );
    assert_eq!(deployments(&scene, "us-west-2").len(), 1);

    // What is registered already can be deployed in both, too.
    scene.faults.heal();
    let options = ["--destination", "region=us-west-2", "--wait", "--waves"];
    let done = deploy(&scene, &options).ok();
    assert_says(
        &done,
        &[
            "the newest revision, s3://west/key.zip, to Fleet in us-west-2",
            "of App to Fleet in us-east-1 succeeded in ",
            "of App to Fleet in us-west-2 succeeded in ",
        ],
    );
    let mut of_url = scene.hoist(&["deploy", "--application-name", "App", "--s3-location"]);
    of_url
        .args(["s3://bucket/key.zip", "--deployment-group-name", "Fleet"])
        .args(["--destination", "region=us-west-2"]);
    assert_says(
        &of_url.fails(252),
        &["--destination us-west-2: s3-location is missing"],
    );
    let mut of_url = scene.hoist(&["deploy", "--application-name", "App", "--s3-location"]);
    of_url
        .args(["s3://bucket/key.zip", "--deployment-group-name", "Fleet"])
        .args(["--destination", west, "--output", "json"]);
    let json = of_url.ok().json();
    assert_eq!(json["deployments"][1]["region"], "us-west-2", "{json}");
}

#[test]
fn with_local_a_region_has_no_profile_and_no_endpoint() {
    for key in ["profile=p", "endpoint-url=http://127.0.0.1:1"] {
        let place = format!("region=us-west-2,s3-location=s3://west/key.zip,{key}");
        let mut deploy = hoist();
        deploy.args(["deploy", "--application-name", "App", "--latest"]);
        deploy.args(["--deployment-group-name", "Fleet", "--destination", &place]);
        let name = key.split('=').next().unwrap();
        let said = format!("--destination us-west-2: --local needs no {name}; leave it out");
        let dir = tempfile::tempdir().unwrap();
        for part in ["buckets", "codedeploy"] {
            fs::create_dir(dir.path().join(part)).unwrap();
        }
        deploy.arg("--local").arg(dir.path()).fails(252).says(&said);
    }
}

#[test]
fn every_option_of_create_deployment_is_sent() {
    let scene = fleet(1);
    let done = deploy(
        &scene,
        &[
            "--description",
            "release 7",
            "--deployment-config-name",
            "CodeDeployDefault.OneAtATime",
            "--ignore-application-stop-failures",
            "--no-update-outdated-instances-only",
            "--file-exists-behavior",
            "OVERWRITE",
            "--auto-rollback-configuration",
            "enabled=true,events=DEPLOYMENT_FAILURE,DEPLOYMENT_STOP_ON_REQUEST",
            "--override-alarm-configuration",
            r#"{"enabled":true,"alarms":[{"name":"a"}]}"#,
        ],
    )
    .ok();
    let info = info(&scene, &id(&done));
    for (name, value) in [
        ("description", json!("release 7")),
        (
            "deploymentConfigName",
            json!("CodeDeployDefault.OneAtATime"),
        ),
        ("ignoreApplicationStopFailures", json!(true)),
        ("updateOutdatedInstancesOnly", json!(false)),
        ("fileExistsBehavior", json!("OVERWRITE")),
    ] {
        assert_eq!(info[name], value, "{name}: {info}");
    }
    let rollback = &info["autoRollbackConfiguration"];
    assert_eq!(rollback["enabled"], true);
    assert_eq!(rollback["events"][1], "DEPLOYMENT_STOP_ON_REQUEST");
    assert_eq!(info["overrideAlarmConfiguration"]["alarms"][0]["name"], "a");
}

#[test]
fn the_revision_is_named_by_url_in_shorthand_as_a_structure_or_is_the_newest() {
    let scene = fleet(1);
    let done = scene
        .push(&[
            "--s3-location",
            "s3://bucket/other/new.tgz",
            "--output",
            "json",
        ])
        .ok();
    let etag = done.json()["etag"].as_str().unwrap().to_owned();
    let of = |words: &[&str]| {
        let command = [
            "deploy",
            "--application-name",
            "App",
            "--deployment-group-name",
            "Fleet",
        ];
        let done = scene
            .hoist(&[&command, words, &["--if-active", "stop"]].concat())
            .ok();
        info(&scene, &id(&done))["revision"]["s3Location"].clone()
    };
    let newest =
        json!({"bucket": "bucket", "key": "other/new.tgz", "bundleType": "tgz", "eTag": etag});
    assert_eq!(of(&["--s3-location", "s3://bucket/other/new.tgz"]), newest);
    assert_eq!(of(&["--latest"]), newest);
    assert_eq!(of(&["--latest=s3://bucket/key"])["key"], "key.zip");
    let words =
        "deploy --application-name App --deployment-group-name Fleet --latest=s3://bucket/no";
    let words: Vec<&str> = words.split(' ').collect();
    scene
        .hoist(&words)
        .fails(255)
        .says("Fleet: application App has no revision below s3://bucket/no to deploy");
    let shorthand = of(&["--s3-location", "bucket=bucket,key=key.zip,bundleType=zip"]);
    assert_eq!(
        shorthand,
        json!({"bucket": "bucket", "key": "key.zip", "bundleType": "zip"})
    );
    for revision in [
        "revisionType=S3,s3Location={bucket=bucket,key=key.zip,bundleType=zip}",
        r#"{"revisionType":"S3","s3Location":{"bucket":"bucket","key":"key.zip","bundleType":"zip"}}"#,
    ] {
        assert_eq!(of(&["--revision", revision]), shorthand);
    }
}

#[test]
fn options_that_contradict_each_other_are_refused_before_aws_is_asked() {
    let scene = Scene::new();
    let named = [
        "deploy",
        "--application-name",
        "App",
        "--deployment-group-name",
        "Fleet",
    ];
    for (options, text) in [
        (&[][..], "name the revision with --s3-location"),
        (
            &["--latest", "--s3-location", "s3://b/k"],
            "each say what is deployed",
        ),
        (
            &["--latest", "--watch", "d-ABC"],
            "--watch follows a deployment that exists",
        ),
        (&["--latest", "--wait-until", "ready"], "add --wait"),
        (&["--latest", "--waves"], "add --wait"),
        (&["--latest", "--wait-timeout", "2h"], "add --wait"),
        (
            &["--s3-location", "key.zip"],
            "--s3-location must be s3://<bucket>/<key>",
        ),
        (
            &["--latest=bucket"],
            "--latest takes =s3://<bucket>/<prefix>",
        ),
        (
            &["--revision", "revisionType=GitHub"],
            "hoist deploys revisions in S3",
        ),
        (
            &["--deployment-mode", "RESTART", "--latest"],
            "each say what is deployed",
        ),
    ] {
        let done = scene.hoist(&[&named, options].concat()).fails(252);
        assert_says(&done, &[text]);
    }
    let done = scene
        .hoist(&["deploy", "--watch", "x\n::error::y"])
        .fails(252);
    assert_says(&done, &["the id of a deployment begins with d-"]);
    assert_eq!(scene.requests().len(), 0);
}

#[test]
fn a_group_or_an_application_that_is_missing_is_named_with_what_to_do() {
    let scene = fleet(1);
    let done = deploy(&scene, &["--deployment-group-name", "Nope"]).fails(254);
    assert_says(
        &done,
        &[
            "(DeploymentGroupDoesNotExistException)",
            "aws deploy list-deployment-groups --application-name App",
            "to deploy to Nope: hoist deploy --application-name App ",
        ],
    );
    deploy(&scene, &["--application-name", "Nope"]).fails(254);
    scene
        .hoist(&["deploy", "--watch", "d-ABCDEFGHI"])
        .fails(254);
}

#[test]
fn a_blue_green_deployment_is_ready_before_its_traffic_is_rerouted() {
    let scene = Scene::new();
    let settings = json!({
        "deploymentStyle": {
            "deploymentType": "BLUE_GREEN",
            "deploymentOption": "WITH_TRAFFIC_CONTROL",
        },
        "loadBalancerInfo": { "targetGroupInfoList": [{ "name": "t" }] },
        "blueGreenDeploymentConfiguration": {
            "deploymentReadyOption": { "actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 600 },
            "greenFleetProvisioningOption": { "action": "DISCOVER_EXISTING" },
            "terminateBlueInstancesOnDeploymentSuccess": { "action": "KEEP_ALIVE" },
        },
    });
    make_group(&scene, "us-east-1", "Fleet", 1, &settings);
    let targets = "tagFilters=[{Key=Name,Value=green-1..2,Type=KEY_AND_VALUE}]";
    let done = scene
        .push(&[
            "--deploy-to",
            "Fleet",
            "--wait-until",
            "ready",
            "--target-instances",
            targets,
        ])
        .ok();
    let id = id(&done);
    assert_says(
        &done,
        &[
            &format!("deployment {id} of App to Fleet is ready for traffic after "),
            &format!(
                "to reroute the traffic: aws deploy continue-deployment --deployment-id {id} \
                 --deployment-wait-type READY_WAIT"
            ),
        ],
    );
    assert_eq!(status(&scene, &id), "Ready");
    let proceed = json!({ "deploymentId": id, "deploymentWaitType": "READY_WAIT" });
    ask(&scene, "ContinueDeployment", &proceed);
    scene.hoist(&["deploy", "--watch", &id]).ok();
}

#[test]
fn the_traffic_of_a_function_is_followed_while_it_shifts() {
    let scene = Scene::new();
    scene.make_application("Function", "Lambda");
    let group = json!({
        "applicationName": "Function",
        "deploymentGroupName": "Live",
        "serviceRoleArn": "arn:aws:iam::000000000000:role/r",
        "deploymentStyle": {
            "deploymentType": "BLUE_GREEN",
            "deploymentOption": "WITH_TRAFFIC_CONTROL",
        },
    });
    ask(&scene, "CreateDeploymentGroup", &group);
    let appspec = scene.tree.path().parent().unwrap();
    let appspec = tempfile::Builder::new()
        .suffix(".yaml")
        .tempfile_in(appspec)
        .unwrap();
    fs::write(
        appspec.path(),
        "version: 0.0\nResources:\n  - MyFunction:\n      Type: AWS::Lambda::Function\n      Properties: \
         { Name: f, Alias: live, CurrentVersion: '1', TargetVersion: '2' }\n",
    )
    .unwrap();
    let done = scene
        .push_of(
            appspec.path(),
            &[
                "--application-name",
                "Function",
                "--s3-location",
                "s3://bucket/appspec.yaml",
                "--deploy-to",
                "Live",
                "--deployment-config-name",
                "CodeDeployDefault.LambdaCanary10Percent10Minutes",
            ],
        )
        .ok();
    assert_says(
        &done,
        &[
            "10% of the traffic goes to version 2",
            "of Function to Live succeeded in ",
        ],
    );
}

#[test]
fn an_endpoint_in_the_process_deploys_for_trial_without_preparation() {
    let scene = Scene::new();
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().to_str().unwrap();
    let mut push = hoist();
    push.args([
        "push",
        "--application-name",
        "App",
        "--s3-location",
        "s3://bucket/k.zip",
    ])
    .args(["--local", local, "--deploy-to", "Fleet", "--source"])
    .arg(scene.tree.path());
    let done = push.ok();
    assert_says(&done, &["of App to Fleet succeeded in "]);
    let mut again = hoist();
    again
        .args([
            "deploy",
            "--application-name",
            "App",
            "--deployment-group-name",
            "Other",
        ])
        .args(["--local", local, "--latest", "--wait"]);
    assert_says(&again.ok(), &["of App to Other succeeded in "]);

    // The endpoint ends with the command, so that no command leaves a deployment to it.
    let mut unwaited = hoist();
    unwaited
        .args([
            "deploy",
            "--application-name",
            "App",
            "--deployment-group-name",
            "Other",
        ])
        .args(["--local", local, "--latest", "--no-wait"]);
    assert_says(&unwaited.ok(), &["of App to Other succeeded in "]);
    // The endpoint makes no application for a deployment, and refuses as CodeDeploy does.
    let mut unknown = hoist();
    unknown.args(["deploy", "--application-name", "None", "--latest"]);
    unknown.args(["--deployment-group-name", "Other", "--local", local]);
    let said = "check --application-name and --region";
    unknown.fails(254).says(said);
}

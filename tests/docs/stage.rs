//! The stage on which the commands of the documentation run: a copy of the example, and an endpoint with
//! the buckets and applications that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Done, Run as _, Server, shell, tool};

/// The region of the readers.
const REGION: &str = "eu-west-1";

const REQUIRED: &str = "--application-name App --s3-location s3://bucket/key.zip";

/// Variables that CI services set.
const VARIABLES: [(&str, &str); 3] = [
    ("CI_COMMIT_SHA", "0123abc"),
    ("BUILD_NUMBER", "17"),
    ("CODEBUILD_RESOLVED_SOURCE_VERSION", "0123abc"),
];

const LAMBDA: &str = "version: 0.0
Resources:
  - MyFunction:
      Type: AWS::Lambda::Function
      Properties: { Name: f, Alias: live, CurrentVersion: '1', TargetVersion: '2' }
";

/// An AppSpec file whose line 8 misspells a script.
const BROKEN: &str = "version: 0.0
os: linux
files:
  - source: /
    destination: /srv
hooks:
  AfterInstall:
    - location: scripts/install.sh
";

/// The documented command that finds this and fails.
const FAILING: &str = "hoist lint --source build";

pub(crate) struct Stage {
    dir: tempfile::TempDir,
    server: Server,
    /// The buckets and applications that exist.
    made: BTreeSet<String>,
    /// The outputs of steps of GitHub Actions.
    outputs: BTreeMap<String, String>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/wordpress");
        fs::create_dir_all(dir.path().join("examples")).unwrap();
        for copy in ["examples/wordpress", "DIR"] {
            let mut cp = Command::new("cp");
            cp.arg("-r").arg(&example);
            cp.arg(dir.path().join(copy)).silent();
        }
        fs::create_dir(dir.path().join("function")).unwrap();
        fs::write(dir.path().join("function/appspec.yaml"), LAMBDA).unwrap();
        let mut cp = Command::new("cp");
        cp.arg("-r").arg(example.with_file_name("lambda"));
        cp.arg(dir.path().join("examples/lambda")).silent();
        let service = dir.path().join("services/one");
        let mut cp = Command::new("cp");
        fs::create_dir(dir.path().join("services")).unwrap();
        cp.arg("-r").arg(&example).arg(service).silent();
        // Commands use this in place of /tmp.
        fs::create_dir(dir.path().join("scratch")).unwrap();
        let build = dir.path().join("build");
        fs::create_dir_all(build.join("scripts")).unwrap();
        fs::write(build.join("appspec.yml"), BROKEN).unwrap();
        fs::write(build.join("scripts/Install.sh"), "#!/bin/sh\n").unwrap();
        Self {
            dir,
            server: Server::start(),
            made: BTreeSet::new(),
            outputs: BTreeMap::new(),
        }
    }

    /// The directory in which a command runs: the root of the revision that it pushes.
    fn place(&self, command: &str) -> PathBuf {
        let below = match () {
            // A manifest must be outside of the source.
            () if command.starts_with("hoist verify ") => "",
            () if command == FAILING => "",
            () if command.contains("examples/") || command.contains(" DIR") => "",
            () if command.contains("services/") => "",
            () if command.contains("MyAppSpecFile") => "examples/lambda",
            () if command.contains("appspec.yaml") => "function",
            () => "examples/wordpress",
        };
        self.dir.path().join(below)
    }

    /// Runs a command, which must succeed (except for the failing one). None if its tool is not installed.
    pub(crate) fn run(&mut self, command: &str, step: Option<&str>) -> Option<Done> {
        let command = self.with_outputs(command);
        let command = command.replace("cargo run --release --locked -- ", "hoist ");
        // The text leaves out the required options where it is about others.
        let command = command.replace("hoist push … ", &format!("hoist push {REQUIRED} "));
        let scratch = self.dir.path().join("scratch").display().to_string();
        let command = command.replace("/tmp/", &format!("{scratch}/"));
        self.prepare(&command);
        self.prepare_groups(&command);
        if let Some(rest) = command.strip_prefix("hoist verify ") {
            // The reader has pushed before, with a manifest if the command names one.
            let location = rest.split(' ').next().unwrap();
            let manifest = rest.split_once("--manifest ");
            let manifest = manifest.map_or_else(String::new, |(_, file)| {
                format!("--manifest {}", file.split(' ').next().unwrap())
            });
            let push =
                "hoist push --application-name App --source examples/wordpress --s3-location";
            self.run(&format!("{push} {location} {manifest}"), None)?;
        }
        if command.starts_with("aws ") {
            tool("the AWS CLI", &["aws"])?;
        }
        let file = self.dir.path().join("outputs");
        fs::write(&file, "").unwrap();
        let mut shell = shell(&command);
        self.server.point(&mut shell);
        shell
            .envs(VARIABLES)
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("GITHUB_OUTPUT", &file)
            .current_dir(self.place(&command));
        let output = match &*command {
            FAILING => shell.fails(255),
            _ => shell.ok(),
        };
        if let Some(step) = step {
            let outputs = fs::read_to_string(&file).unwrap();
            let mut lines = outputs.lines();
            while let Some(line) = lines.next() {
                // The first line names the end marker, and the value goes on until it.
                let (name, end) = line.split_once("<<").unwrap();
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                let name = format!("steps.{step}.outputs.{name}");
                self.outputs.insert(name, value.join("\n"));
            }
        }
        Some(output)
    }

    /// Replaces GitHub's expressions by their values.
    fn with_outputs(&self, command: &str) -> String {
        let mut done = String::new();
        let mut rest = command;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").unwrap();
            let value = match expression.trim() {
                "github.sha" => "0123abc".to_owned(),
                expression if expression.contains("matrix.to.") => self.of_matrix(expression),
                output => self.output(output).to_owned(),
            };
            done.push_str(before);
            done.push_str(&value);
            rest = after;
        }
        done + rest
    }

    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| {
            panic!(
                "no earlier step has the output {name}; the outputs are {:?}",
                self.outputs
            )
        })
    }

    /// The value of an expression about the first row of a matrix, which has a row for each destination.
    fn of_matrix(&self, expression: &str) -> String {
        let rows = self.output("steps.push.outputs.destinations");
        let rows: Value = serde_json::from_str(rows).unwrap();
        let (_, member) = expression.split_once("matrix.to.").unwrap();
        match &rows[0][member.trim_end_matches(')')] {
            Value::String(text) => text.clone(),
            Value::Object(members) if expression.starts_with("toJSON(") => {
                serde_json::to_string_pretty(members).unwrap()
            }
            other => panic!("{expression} is {other}"),
        }
    }

    /// Makes the deployment groups that a command names, and registers a revision for `hoist deploy`.
    fn prepare_groups(&mut self, command: &str) {
        let after = |option: &str| {
            let (_, rest) = command.split_once(option)?;
            let value = rest.split(' ').next()?;
            Some(value.trim_matches('"').to_owned())
        };
        if command.contains(" create-deployment-group ") {
            return;
        }
        let is_deploy = command.starts_with("hoist deploy ");
        let group = after(" --deploy-to ").or_else(|| after(" --deployment-group-name "));
        let (Some(group), Some(application)) = (group, after(" --application-name ")) else {
            return;
        };
        if group.starts_with('<') || !self.made.insert(format!("group {group} of {application}")) {
            return;
        }
        if is_deploy {
            let push = format!(
                "hoist push --quiet --application-name {application} --s3-location s3://bucket/app.zip \
                 --source examples/wordpress"
            );
            self.run(&push, None);
        }
        self.server.make_group_in(&application, &group, REGION);
    }

    /// Creates the buckets and applications that a command names.
    fn prepare(&mut self, command: &str) {
        for one in command.split("--destination ").skip(1) {
            let of = |key: &str| one.split_once(key)?.1.split([',', ' ', '/']).next();
            let (region, bucket) = (of("region=").unwrap(), of("s3-location=s3://").unwrap());
            self.made.insert(format!("bucket {bucket}"));
            self.server.make_bucket_in(bucket, region);
            let application = of("application-name=").or_else(|| {
                let (_, rest) = command.split_once("--application-name ")?;
                rest.split(' ').next()
            });
            let application = application.unwrap();
            self.server
                .make_application_in(application, "Server", region);
        }
        let names = command.split("s3://").skip(1);
        let buckets: Vec<&str> = names
            .filter_map(|rest| rest.split(['/', '"', ' ']).next())
            .collect();
        for bucket in buckets {
            if self.made.insert(format!("bucket {bucket}")) {
                self.server.make_bucket_in(bucket, REGION);
            }
        }
        if let Some((_, rest)) = command.split_once("--application-name ") {
            let name = rest.split(' ').next().unwrap().trim_matches('"');
            let platform = match is_for_lambda(command) {
                true => "Lambda",
                false => "Server",
            };
            if self.made.insert(format!("application {name}")) {
                self.server.make_application_in(name, platform, REGION);
            }
        }
    }
}

/// Whether a command pushes the AppSpec file of a Lambda function.
fn is_for_lambda(command: &str) -> bool {
    command.contains("appspec.yaml") || command.contains("MyAppSpecFile")
}

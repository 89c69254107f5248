//! Pushes with chosen settings, for the tests of how AWS is reached.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{Server, Tree, hoist};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

pub(crate) fn revision() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC);
    tree
}

pub(crate) fn server() -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    server
}

/// A push with nothing in the environment.
pub(crate) fn bare(source: &Path) -> Command {
    let mut command = hoist();
    command
        .args(["push", "--application-name", "App"])
        .args(["--s3-location", "s3://bucket/key.zip", "--source"])
        .arg(source);
    command
}

/// A push with keys and a region in the environment.
pub(crate) fn keyed(source: &Path) -> Command {
    let mut command = bare(source);
    command
        .env("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "us-east-1");
    command
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Files of `~/.aws`, and a command that reads them.
pub(crate) struct Home(pub(crate) tempfile::TempDir);

impl Home {
    pub(crate) fn new(config: &str, credentials: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config"), config).unwrap();
        fs::write(dir.path().join("credentials"), credentials).unwrap();
        Self(dir)
    }

    pub(crate) fn point<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_CONFIG_FILE", self.0.path().join("config"))
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                self.0.path().join("credentials"),
            )
    }
}

//! Files of `~/.aws` in a directory of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A home directory with the AWS CLI's files in it.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new(config: &str, credentials: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.file(".aws/config", config);
        home.file(".aws/credentials", credentials);
        home
    }

    /// Besides the two files a session of SSO whose token has not expired.
    pub(crate) fn with_sso(config: &str, token: &str) -> Self {
        let home = Self::new(
            &format!(
                "[profile work]\nregion = us-east-1\nsso_session = corp\nsso_account_id = \
                 000000000000\nsso_role_name = deploy\n[sso-session corp]\nsso_region = \
                 us-west-2\nsso_start_url = https://corp.example/start\n{config}"
            ),
            "",
        );
        // The SHA-1 of "corp" names the file.
        home.file(
            ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
            token,
        );
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, contents: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    /// Makes this the home directory of a command.
    pub(crate) fn point<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("HOME", self.path())
    }
}

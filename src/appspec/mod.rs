//! The AppSpec file that makes a directory a revision.
//!
//! The CodeDeploy agent looks for `appspec.yml` at the root of the bundle and for nothing else
//! ("AppSpec file", AWS CodeDeploy user guide), so a push without one could only fail later, on
//! every instance. Looks at the plan, not at the disk: a file that is filtered out is not there.

use std::path::{Component, Path, PathBuf};

use crate::plan::Plan;

/// Where the agent looks.
const APPSPEC: &str = "appspec.yml";

/// A common slip, which the agent does not forgive.
const MISNAMED: &str = "appspec.yaml";

/// There is no AppSpec file at the root of the source.
///
/// The first line is that of `aws deploy push`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} was not found{}", path.display(), hint(*misnamed))]
pub struct Missing {
    /// Where it should be.
    pub path: PathBuf,
    /// Whether there is an `appspec.yaml`.
    pub misnamed: bool,
}

fn hint(misnamed: bool) -> &'static str {
    if misnamed {
        "; there is an appspec.yaml, which the CodeDeploy agent does not read: rename it"
    } else {
        ""
    }
}

/// Checks that the bundle has an AppSpec file.
///
/// # Errors
///
/// [`Missing`] if not.
pub fn require(plan: &Plan) -> Result<(), Missing> {
    if plan.find(APPSPEC.as_bytes()).is_some() {
        return Ok(());
    }
    let source = std::path::absolute(plan.source()).unwrap_or_else(|_| plan.source().to_owned());
    Err(Missing {
        path: cleaned(&source).join(APPSPEC),
        misnamed: plan.find(MISNAMED.as_bytes()).is_some(),
    })
}

/// `path` without `.` and `..`, without asking the disk, as Python's `os.path.abspath` does.
fn cleaned(path: &Path) -> PathBuf {
    path.components()
        .fold(PathBuf::new(), |mut cleaned, component| {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    cleaned.pop();
                }
                other => cleaned.push(other),
            }
            cleaned
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plan::Options;
    use crate::stop::Stop;

    fn require_in(source: &Path) -> Result<(), Missing> {
        let options = Options {
            threads: 1,
            ..Options::default()
        };
        require(&Plan::scan(source, &options, &Stop::new()).unwrap())
    }

    #[test]
    fn only_the_exact_name_at_the_root_counts() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/appspec.yml"), "").unwrap();
        fs::write(dir.path().join("AppSpec.yml"), "").unwrap();
        let missing = require_in(&dir.path().join("sub/..")).unwrap_err();
        assert_eq!(
            missing.to_string(),
            format!("{} was not found", dir.path().join("appspec.yml").display())
        );
        fs::write(dir.path().join("appspec.yml"), "").unwrap();
        assert_eq!(require_in(dir.path()), Ok(()));
    }

    #[test]
    fn the_other_extension_is_pointed_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("appspec.yaml"), "").unwrap();
        let missing = require_in(dir.path()).unwrap_err();
        assert!(missing.misnamed);
        assert!(missing.to_string().ends_with("rename it"), "{missing}");
    }
}

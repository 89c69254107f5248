//! Values that are read from a file (`--description file://notes.txt`), as the AWS CLI reads them.
//!
//! As with version 2 of the AWS CLI, a value is not read from the network, and variables in a path
//! are left to the shell.

use std::fs;
use std::path::PathBuf;

use hoist::error::shown;

use crate::cli::Failure;

/// Replaces a value that names a file by the content of the file, the line break at its end included.
pub(crate) fn read(option: &str, value: &mut String) -> Result<(), Failure> {
    let Some(path) = value.strip_prefix("file://") else {
        return Ok(());
    };
    let failed = |why: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "Error parsing parameter '{option}': Unable to load paramfile {}: {why}",
            shown(value.as_str())
        ))
    };
    let bytes = fs::read(expand_home(path)).map_err(|error| failed(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8 text"))?;
    *value = text;
    Ok(())
}

/// Expands `~/`, which a shell does not expand behind `file://`.
fn expand_home(path: &str) -> PathBuf {
    let below = path.strip_prefix("~/").zip(std::env::home_dir());
    below.map_or_else(|| path.into(), |(below, home)| home.join(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[test]
    fn a_value_that_names_a_file_is_replaced_by_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        fs::write(&path, "two\nlines\n").unwrap();
        let mut value = format!("file://{}", path.display());
        read("--description", &mut value).unwrap();
        assert_eq!(value, "two\nlines\n");
        for other in [
            "",
            "notes",
            "FILE://notes",
            "https://example.com",
            "s3://b/k",
        ] {
            let mut value = other.to_owned();
            read("--description", &mut value).unwrap();
            assert_eq!(value, other);
        }
    }

    #[test]
    fn an_unusable_file_is_an_error_that_names_option_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        let mut value = format!("file://{}", path.display());
        let failure = read("--description", &mut value).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.lines[0].contains("'--description'"), "{failure:?}");
        assert!(failure.lines[0].contains(&value), "{failure:?}");
        fs::write(&path, b"\xff").unwrap();
        let failure = read("--description", &mut value).unwrap_err();
        assert!(
            failure.lines[0].ends_with("it is not UTF-8 text"),
            "{failure:?}"
        );
    }

    #[test]
    fn a_leading_tilde_is_the_home_directory() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(expand_home("~/notes"), home.join("notes"));
        assert_eq!(expand_home("a/~/notes"), PathBuf::from("a/~/notes"));
    }
}

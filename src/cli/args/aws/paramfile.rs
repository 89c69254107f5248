//! Values that name a file which holds them (`--description file://notes.txt`), as every value of the
//! AWS CLI may.
//!
//! It refuses what the AWS CLI version 2 does: values from the network, and variables in paths,
//! which are the shell's affair.

use std::fs;
use std::path::PathBuf;

use crate::cli::Failure;

/// Puts what the file holds, line break at the end and all, in place of a value that names one.
pub(crate) fn read(option: &str, value: &mut String) -> Result<(), Failure> {
    let Some(path) = value.strip_prefix("file://") else {
        return Ok(());
    };
    let failed = |why: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "Error parsing parameter '{option}': Unable to load paramfile {value}: {why}"
        ))
    };
    let bytes = fs::read(at_home(path)).map_err(|error| failed(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8 text"))?;
    *value = text;
    Ok(())
}

/// Behind `file://`, a shell leaves the tilde alone.
fn at_home(path: &str) -> PathBuf {
    let below = path.strip_prefix("~/").zip(std::env::home_dir());
    below.map_or_else(|| path.into(), |(below, home)| home.join(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[test]
    fn a_value_may_be_in_a_file() {
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
    fn a_file_that_cannot_be_a_value_is_named() {
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
    fn the_tilde_is_home() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(at_home("~/notes"), home.join("notes"));
        assert_eq!(at_home("a/~/notes"), PathBuf::from("a/~/notes"));
    }
}

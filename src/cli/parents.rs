//! The command lines of the processes above this one.
//!
//! The AWS CLI starts an alias through a shell and keeps some options to itself. Only its own command line still has
//! them, so the command line of hoist's parent, and of the shell's parent, is read.

use std::ffi::OsString;

/// A process above this one: its command line, the program first.
pub(crate) type CommandLine = Vec<OsString>;

/// The command lines of the parent and of its parent, as far as the system tells them.
pub(crate) fn parents() -> Vec<CommandLine> {
    let mut lines = Vec::new();
    let mut process = imp::parent();
    while let Some(number) = process.filter(|_| lines.len() < 2) {
        let Some((line, parent)) = imp::process(number) else {
            break;
        };
        lines.push(line);
        process = Some(parent);
    }
    lines
}

#[cfg(target_os = "linux")]
mod imp {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::ffi::OsStringExt as _;

    use super::CommandLine;

    #[allow(clippy::unnecessary_wraps, reason = "other systems do not tell")]
    pub(super) fn parent() -> Option<u32> {
        Some(std::os::unix::process::parent_id())
    }

    /// The command line and the parent of a process.
    pub(super) fn process(number: u32) -> Option<(CommandLine, u32)> {
        let bytes = fs::read(format!("/proc/{number}/cmdline")).ok()?;
        let words = bytes
            .strip_suffix(b"\0")
            .unwrap_or(&bytes)
            .split(|byte| *byte == 0);
        let line = words
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect();
        let status = fs::read_to_string(format!("/proc/{number}/status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        Some((line, parent.trim().parse().ok()?))
    }
}

#[cfg(target_os = "macos")]
mod imp {
    use std::process::{Command, Stdio};

    use super::CommandLine;

    #[allow(clippy::unnecessary_wraps, reason = "other systems do not tell")]
    pub(super) fn parent() -> Option<u32> {
        Some(std::os::unix::process::parent_id())
    }

    /// The command line and the parent of a process. `ps` joins the words by blanks, so a word with a blank becomes
    /// several.
    pub(super) fn process(number: u32) -> Option<(CommandLine, u32)> {
        let mut ps = Command::new("/bin/ps");
        ps.args(["-ww", "-o", "ppid=,args=", "-p"])
            .arg(number.to_string());
        let said = ps
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let mut words = text.split_whitespace();
        let parent = words.next()?.parse().ok()?;
        Some((words.map(Into::into).collect(), parent))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod imp {
    use super::CommandLine;

    pub(super) fn parent() -> Option<u32> {
        None
    }

    pub(super) fn process(_: u32) -> Option<(CommandLine, u32)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_test_has_a_command_line() {
        let lines = parents();
        if cfg!(any(target_os = "linux", target_os = "macos")) {
            // In a container, the test can be the first process.
            assert!(lines.len() <= 2);
            assert!(lines.iter().all(|line| !line.is_empty()), "{lines:?}");
        } else {
            assert_eq!(lines, Vec::<CommandLine>::new());
        }
    }
}

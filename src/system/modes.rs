//! The permissions of files on Windows, which has none of Unix's.
//!
//! A bundle that is made there is mostly unpacked on Linux, and a program without its execute bit fails
//! on the first deployment, while a text with one harms nobody. So the doubtful gets it: a name without
//! an ending, which is how programs are called on Unix (`bin/rails`, `gradlew`). The hook scripts of an
//! AppSpec the agents make executable themselves; what these call is what the rule is for.
//!
//! It looks at names only, never at contents: the mode is in the plan before a byte is read.

/// Endings of scripts and programs, in lower case.
const PROGRAMS: [&str; 14] = [
    "sh", "bash", "zsh", "ksh", "py", "rb", "pl", "ps1", "exe", "com", "bat", "cmd", "run", "cgi",
];

/// What a directory has.
#[cfg(windows)]
pub(super) const DIRECTORY: u32 = 0o755;

/// What a link has. Nobody asks for it.
#[cfg(windows)]
pub(super) const LINK: u32 = 0o777;

/// What the file of this name has. `path` may have directories before it.
///
/// 0755 for scripts, programs and names without an ending, 0644 for others; nobody may write to it if it
/// is read-only.
pub(super) fn of_file(path: &[u8], read_only: bool) -> u32 {
    let mode = if is_program(path) { 0o755 } else { 0o644 };
    if read_only { mode & !0o222 } else { mode }
}

fn is_program(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    match name.iter().rposition(|&byte| byte == b'.') {
        None => true,
        // `.env` has no ending, and is no program.
        Some(0) => false,
        Some(dot) => PROGRAMS
            .iter()
            .any(|ending| name[dot + 1..].eq_ignore_ascii_case(ending.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_names_without_an_ending_are_executable() {
        for name in [
            "run.sh",
            "scripts/STOP.SH",
            "a.b.py",
            "setup.exe",
            "x.ps1",
            "gradlew",
            "bin/rails",
            "v1.2/tool",
        ] {
            assert_eq!(of_file(name.as_bytes(), false), 0o755, "{name}");
            assert_eq!(of_file(name.as_bytes(), true), 0o555, "{name}");
        }
    }

    #[test]
    fn other_files_are_not() {
        for name in [
            "index.html",
            "appspec.yml",
            "bin/run.sh.txt",
            ".env",
            "d/.profile",
            ".sh",
            "sh.",
            "run.shx",
        ] {
            assert_eq!(of_file(name.as_bytes(), false), 0o644, "{name}");
            assert_eq!(of_file(name.as_bytes(), true), 0o444, "{name}");
        }
    }
}

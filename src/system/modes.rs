//! File permissions on Windows, which has none of Unix's.
//!
//! A bundle that is made on Windows is mostly unpacked on Linux. There a program without its execute bit
//! fails the first deployment, while a text file with one does no harm. So a name without an extension,
//! as programs are named on Unix (`bin/rails`, `gradlew`), gets the bit. The agents make the hook scripts
//! of an AppSpec executable themselves; the rule is for the programs that those scripts call.
//!
//! Only names decide, never contents: the mode is in the plan before any file is read.

/// Extensions of scripts and programs, in lower case.
const PROGRAMS: [&str; 14] = [
    "sh", "bash", "zsh", "ksh", "py", "rb", "pl", "ps1", "exe", "com", "bat", "cmd", "run", "cgi",
];

/// The mode of a directory.
#[cfg(windows)]
pub(super) const DIRECTORY: u32 = 0o755;

/// The mode of a link. No reader uses it.
#[cfg(windows)]
pub(super) const LINK: u32 = 0o777;

/// The mode of the file at `path`: 0755 for scripts, programs and names without an extension, 0644 for
/// others, without the write bits if the file is read-only.
pub(super) fn of_file(path: &[u8], read_only: bool) -> u32 {
    let mode = if is_program(path) { 0o755 } else { 0o644 };
    if read_only { mode & !0o222 } else { mode }
}

fn is_program(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    match name.iter().rposition(|&byte| byte == b'.') {
        None => true,
        // `.env` is a hidden file without an extension, and no program.
        Some(0) => false,
        Some(dot) => PROGRAMS
            .iter()
            .any(|ending| name[dot + 1..].eq_ignore_ascii_case(ending.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_mode(names: &str, mode: u32, read_only: u32) {
        for name in names.split_whitespace() {
            assert_eq!(of_file(name.as_bytes(), false), mode, "{name}");
            assert_eq!(of_file(name.as_bytes(), true), read_only, "{name}");
        }
    }

    #[test]
    fn scripts_and_names_without_an_extension_are_executable() {
        let names = "run.sh scripts/STOP.SH a.b.py setup.exe x.ps1 gradlew bin/rails v1.2/tool";
        assert_mode(names, 0o755, 0o555);
    }

    #[test]
    fn other_files_are_not_executable() {
        let names = "index.html appspec.yml bin/run.sh.txt .env d/.profile .sh sh. run.shx";
        assert_mode(names, 0o644, 0o444);
    }
}

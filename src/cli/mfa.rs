//! Asks for the code of an MFA device, where there is a terminal.
//!
//! The terminal is opened by its name: standard input and standard error may both lead elsewhere.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};

/// The code that is typed. None if there is no terminal, or its line is empty.
pub(crate) fn ask(serial: &str) -> Option<String> {
    let (input, mut output) = terminal()?;
    write!(output, "Enter MFA code for {}: ", serial.escape_debug()).ok()?;
    output.flush().ok()?;
    let mut line = String::new();
    BufReader::new(input).read_line(&mut line).ok()?;
    let code = line.trim();
    (!code.is_empty()).then(|| code.to_owned())
}

#[cfg(unix)]
fn terminal() -> Option<(File, File)> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let terminal = terminal.ok()?;
    Some((terminal.try_clone().ok()?, terminal))
}

#[cfg(windows)]
fn terminal() -> Option<(File, File)> {
    let open = |name: &str| OpenOptions::new().read(true).write(true).open(name).ok();
    Some((open("CONIN$")?, open("CONOUT$")?))
}

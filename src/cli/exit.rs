//! How a command ends: the exit codes of the AWS CLI version 2, or of version 1 for scripts that
//! know those (`HOIST_EXIT_CODES=v1`).

use std::process::ExitCode;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Success,
    /// An option is missing, or has a value that it cannot have.
    Syntax,
    /// It was asked for something that cannot be.
    Usage,
    /// What it needs is not configured: a region.
    #[cfg(feature = "push")]
    Config,
    /// A service refused.
    #[cfg(feature = "push")]
    Service,
    /// Anything else went wrong.
    Failure,
    /// A signal of this number ended it.
    Signal(u8),
}

impl Exit {
    /// The code for the shell.
    pub(crate) fn code(self) -> u8 {
        let asked = std::env::var_os("HOIST_EXIT_CODES");
        self.code_of(asked.is_some_and(|version| version == "v1"))
    }

    fn code_of(self, version_1: bool) -> u8 {
        match self {
            Self::Success => 0,
            Self::Signal(number) => 128_u8.saturating_add(number),
            Self::Syntax if version_1 => 2,
            _ if version_1 => 255,
            Self::Syntax | Self::Usage => 252,
            #[cfg(feature = "push")]
            Self::Config => 253,
            #[cfg(feature = "push")]
            Self::Service => 254,
            Self::Failure => 255,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command ends without success: what to say, and how to exit.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) lines: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl ToString) -> Self {
        Self {
            exit,
            lines: vec![text.to_string()],
        }
    }

    pub(crate) fn usage(text: impl ToString) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// All was said already.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self {
            exit,
            lines: Vec::new(),
        }
    }

    /// Says more.
    pub(crate) fn and(mut self, text: impl ToString) -> Self {
        self.lines.push(text.to_string());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_aws_cli() {
        for (exit, code, code_of_1) in [
            (Exit::Success, 0, 0),
            (Exit::Syntax, 252, 2),
            (Exit::Usage, 252, 255),
            #[cfg(feature = "push")]
            (Exit::Config, 253, 255),
            #[cfg(feature = "push")]
            (Exit::Service, 254, 255),
            (Exit::Failure, 255, 255),
            (Exit::Signal(2), 130, 130),
            (Exit::Signal(15), 143, 143),
        ] {
            assert_eq!(exit.code_of(false), code, "{exit:?}");
            assert_eq!(exit.code_of(true), code_of_1, "{exit:?}");
        }
    }
}

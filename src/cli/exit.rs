//! How a command ends: the exit codes of the AWS CLI version 2, or of version 1 for scripts that
//! expect those (`HOIST_EXIT_CODES=v1`).

use std::process::ExitCode;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "push"), allow(dead_code, reason = "only AWS refuses"))]
pub(crate) enum Exit {
    /// The command did what it was asked.
    Success,
    /// An option is missing or has a bad value.
    Syntax,
    /// The options are well formed and cannot be followed.
    Usage,
    /// The region or credentials are not configured.
    Config,
    /// A service refused the request.
    Service,
    /// Anything else went wrong.
    Failure,
    /// A deployment that was waited for failed.
    DeploymentFailed,
    /// A deployment that was waited for was stopped.
    DeploymentStopped,
    /// A deployment did not end in the time that it was waited for.
    WaitTimedOut,
    /// A signal of this number ended the command.
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
            Self::Config => 253,
            Self::Service => 254,
            Self::Failure => 255,
            // The AWS CLI, which tells none of these apart, has no such codes.
            Self::DeploymentFailed => 3,
            Self::DeploymentStopped => 4,
            Self::WaitTimedOut => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command ends without success: how to exit, and the lines to say.
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

    /// A failure without an exit code of its own.
    pub(crate) fn other(text: impl ToString) -> Self {
        Self::new(Exit::Failure, text)
    }

    pub(crate) fn usage(text: impl ToString) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// Adds a line, if there is one to add.
    pub(crate) fn and(mut self, text: Option<impl ToString>) -> Self {
        self.lines.extend(text.map(|text| text.to_string()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_aws_cli() {
        for (exit, code, code_of_1) in [
            (Exit::Success, 0, 0),
            (Exit::Syntax, 252, 2),
            (Exit::Usage, 252, 255),
            (Exit::Config, 253, 255),
            (Exit::Service, 254, 255),
            (Exit::Failure, 255, 255),
            (Exit::DeploymentFailed, 3, 255),
            (Exit::DeploymentStopped, 4, 255),
            (Exit::WaitTimedOut, 5, 255),
            (Exit::Signal(2), 130, 130),
            (Exit::Signal(15), 143, 143),
        ] {
            assert_eq!(exit.code_of(false), code, "{exit:?}");
            assert_eq!(exit.code_of(true), code_of_1, "{exit:?}");
        }
    }
}

//! How a command ends: the exit codes of the AWS CLI version 2.

use std::process::ExitCode;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Success,
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
        match self {
            Self::Success => 0,
            Self::Usage => 252,
            #[cfg(feature = "push")]
            Self::Config => 253,
            #[cfg(feature = "push")]
            Self::Service => 254,
            Self::Failure => 255,
            Self::Signal(number) => 128_u8.saturating_add(number),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

//! What went wrong with a file: said the same way wherever it happens.

use std::io;
use std::path::PathBuf;

/// A system call on a file or directory failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried, as a verb: "open", "read".
    pub action: &'static str,
    /// What it was tried on, as the user named it.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl FileError {
    pub(crate) fn new(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            action,
            path: path.into(),
            source: source.into(),
        }
    }
}

/// A request to a service failed.
#[cfg(feature = "push")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The operation, as the service's API names it.
    pub operation: &'static str,
    /// The error code that the service answered with. None if it did not answer.
    pub code: Option<String>,
    /// What the service, or the way to it, says.
    pub message: String,
}

#[cfg(feature = "push")]
impl CallError {
    /// The service answered, with an error.
    pub(crate) fn refused(
        operation: &'static str,
        code: Option<&str>,
        message: Option<&str>,
    ) -> Self {
        let text = |text: Option<&str>| text.unwrap_or("Unknown").to_owned();
        Self {
            operation,
            code: Some(text(code)),
            message: text(message),
        }
    }

    /// There was no answer, or none that makes sense.
    pub(crate) fn unanswered(operation: &'static str, error: &dyn std::error::Error) -> Self {
        Self {
            operation,
            code: None,
            message: chain(error),
        }
    }
}

#[cfg(feature = "push")]
impl std::fmt::Display for CallError {
    /// The sentence of the AWS CLI if the service answered.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            operation,
            code,
            message,
        } = self;
        match code {
            Some(code) => write!(
                f,
                "An error occurred ({code}) when calling the {operation} operation: {message}"
            ),
            None => write!(f, "no answer to {operation}: {message}"),
        }
    }
}

#[cfg(feature = "push")]
impl std::error::Error for CallError {}

/// An error and all that caused it, in one line.
#[cfg(feature = "push")]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    // Some errors repeat their cause.
    texts.dedup();
    texts.join(": ")
}

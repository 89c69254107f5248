//! Why a deployment was not created, or is not watched any more.

use std::time::Duration;

use crate::aws::codedeploy::deployment::{Counts, Latest, Status};
use crate::aws::error::CallError;
use crate::error::shown;

/// Why a deployment was not created, or is not watched any more.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The revisions of the application cannot be listed.
    #[error("{error}")]
    Latest {
        /// Why.
        error: CallError,
    },
    /// The application has no revision, or none there.
    #[error(
        "application {} has no revision{} to deploy",
        shown(application),
        place(among)
    )]
    NoRevision {
        /// The application.
        application: String,
        /// Where one was looked for.
        among: Latest,
    },
    /// The newest revision of the application is not an object in S3.
    #[error(
        "the newest revision of application {} is not in S3; name the revision to deploy",
        shown(application)
    )]
    NotInS3 {
        /// The application.
        application: String,
    },
    /// CodeDeploy did not create the deployment.
    #[error("{error}")]
    Create {
        /// Why.
        error: CallError,
    },
    /// The group has a deployment that runs, or the account has too many.
    #[error("{error}")]
    Active {
        /// The id of the deployment that runs, as far as it is known.
        active: Option<String>,
        /// What CodeDeploy says.
        error: CallError,
    },
    /// The answer to `CreateDeployment` was lost, and whether there is a deployment cannot be known.
    #[error("it is not known whether a deployment was created: {}", doubt(lost, error.as_ref()))]
    Unconfirmed {
        /// Why there was no answer.
        lost: CallError,
        /// Why the group's deployments cannot be listed. None: there was no time to do so.
        error: Option<CallError>,
    },
    /// CodeDeploy refuses to tell of the deployment.
    #[error("{error}")]
    Watch {
        /// The deployment.
        id: String,
        /// Why.
        error: CallError,
    },
    /// A deployment could not be stopped.
    #[error("deployment {} cannot be stopped: {error}", shown(id))]
    Stop {
        /// The deployment.
        id: String,
        /// Why.
        error: CallError,
    },
    /// It took longer than was to be waited. The deployment goes on.
    #[error("{}", late(id.as_deref(), status.as_ref(), *limit))]
    TimedOut {
        /// The deployment; None: it was not created, because another one runs or CodeDeploy did not answer.
        id: Option<String>,
        /// Its last status.
        status: Option<Status>,
        /// How many of its targets were how far by then.
        counts: Option<Counts>,
        /// How long was waited.
        limit: Duration,
    },
    /// The wait was cancelled. The deployment goes on, unless it was stopped.
    #[error("{}", cancelled(id.as_deref(), stopped.as_ref()))]
    Cancelled {
        /// The deployment; None: it was not created.
        id: Option<String>,
        /// Whether it was stopped, if that was wanted, and else why not. None: it was not wanted.
        stopped: Option<Result<(), CallError>>,
    },
}

fn place(among: &Latest) -> String {
    let place = among.place();
    place.map_or_else(String::new, |place| format!(" below {}", shown(&place)))
}

fn doubt(lost: &CallError, error: Option<&CallError>) -> String {
    let error = error.map_or_else(String::new, |error| format!("; {error}"));
    format!("{lost}{error}")
}

fn late(id: Option<&str>, status: Option<&Status>, limit: Duration) -> String {
    let limit = limit.as_secs();
    match (id, status) {
        (None, _) => format!("no deployment could be created within {limit} s"),
        (Some(id), None) => format!("deployment {} did not end within {limit} s", shown(id)),
        (Some(id), Some(status)) => format!(
            "deployment {} did not end within {limit} s; its status is {}",
            shown(id),
            shown(status.name())
        ),
    }
}

fn cancelled(id: Option<&str>, stopped: Option<&Result<(), CallError>>) -> String {
    let Some(id) = id else {
        return "stopped; no deployment was created".to_owned();
    };
    let id = shown(id);
    match stopped {
        None => format!("stopped waiting; deployment {id} goes on"),
        Some(Ok(())) => format!("stopped waiting, and CodeDeploy is stopping deployment {id}"),
        Some(Err(error)) => {
            format!("stopped waiting; deployment {id} goes on, since it cannot be stopped: {error}")
        }
    }
}

impl Error {
    /// The code by which CodeDeploy refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Latest { error }
            | Self::Create { error }
            | Self::Active { error, .. }
            | Self::Watch { error, .. }
            | Self::Stop { error, .. } => error.code.as_deref(),
            _ => None,
        }
    }

    /// The deployment that exists although this failed.
    #[must_use]
    pub fn deployment(&self) -> Option<&str> {
        match self {
            Self::Watch { id, .. } => Some(id),
            Self::TimedOut { id, .. } | Self::Cancelled { id, .. } => id.as_deref(),
            _ => None,
        }
    }
}

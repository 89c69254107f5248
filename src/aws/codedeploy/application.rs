//! What can be checked of an application before a revision is registered with it.

use std::fmt;

use std::time::Duration;

use aws_sdk_codedeploy::types::ComputePlatform;

use super::CodeDeploy;
use crate::aws::call::{PREFLIGHT_ATTEMPTS, Request};
use crate::aws::error::CallError;

/// Longest name of an application, in characters ("CodeDeploy quotas").
const MAX_NAME: usize = 100;
/// Longest description of a revision, in characters. This is not documented; the service was seen to
/// refuse more.
const MAX_DESCRIPTION: usize = 512;
/// Longest description of a deployment ("CodeDeploy quotas"). Users often deploy with the description of
/// the revision.
const LONG_DESCRIPTION: usize = 256;

/// What an application deploys to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platform {
    /// EC2 instances and on-premises servers. Their revisions are bundles.
    Server,
    /// Lambda functions. Their revisions are AppSpec files.
    Lambda,
    /// ECS services. Their revisions are AppSpec files.
    Ecs,
    /// A platform that hoist does not know.
    Other(String),
}

impl fmt::Display for Platform {
    /// The platform's name in the API.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "Server",
            Self::Lambda => "Lambda",
            Self::Ecs => "ECS",
            Self::Other(name) => name,
        })
    }
}

/// What CodeDeploy says of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Application {
    /// It exists, and deploys to this platform.
    Found(Platform),
    /// It does not exist, or no application can have this name.
    Missing(CallError),
    /// CodeDeploy does not tell this caller, or has an error of its own.
    Unconfirmed(CallError),
}

impl CodeDeploy {
    /// Asks for an application. It takes `codedeploy:GetApplication`.
    ///
    /// # Errors
    ///
    /// [`CallError`], if there was no answer.
    pub async fn application(&self, name: &str) -> Result<Application, CallError> {
        const OPERATION: &str = "GetApplication";
        let attempt = || async {
            let request = self.client.get_application().application_name(name);
            let error = match request.send().await {
                Ok(answer) => {
                    let found = answer.application;
                    let platform = found.and_then(|found| found.compute_platform);
                    return Ok(Application::Found(platform.into()));
                }
                Err(error) => error,
            };
            let is_answered = error.raw_response().is_some();
            let error = CallError::of(OPERATION, &error);
            match error.code.as_deref() {
                Some(
                    "ApplicationDoesNotExistException"
                    | "InvalidApplicationNameException"
                    | "ApplicationNameRequiredException",
                ) => Ok(Application::Missing(error)),
                // The answer of a server that is not CodeDeploy may make no sense.
                None if is_answered => Ok(Application::Unconfirmed(error)),
                _ => Err(error),
            }
        };
        let caller = self.caller.limited(PREFLIGHT_ATTEMPTS, Duration::MAX);
        match caller.call(Request::new(OPERATION), attempt).await {
            Err(error) if error.code.is_some() => Ok(Application::Unconfirmed(error)),
            done => done,
        }
    }
}

impl From<Option<ComputePlatform>> for Platform {
    fn from(platform: Option<ComputePlatform>) -> Self {
        match platform {
            // Applications were for servers before there was a choice.
            None | Some(ComputePlatform::Server) => Self::Server,
            Some(ComputePlatform::Lambda) => Self::Lambda,
            Some(ComputePlatform::Ecs) => Self::Ecs,
            Some(other) => Self::Other(other.as_str().to_owned()),
        }
    }
}

/// No application can have this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be the name of an application: it must have 1 to {MAX_NAME} of the characters \
     A-Z a-z 0-9 . _ + = , @ -"
)]
pub struct BadName(String);

/// Checks the name of an application ("CodeDeploy quotas").
pub fn check_name(name: &str) -> Result<(), BadName> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._+=,@-".contains(&byte);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(BadName(name.to_owned()))
}

/// CodeDeploy refuses a description of so many characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the description has {0} characters, and CodeDeploy takes {MAX_DESCRIPTION}; shorten it")]
pub struct LongDescription(usize);

/// Checks the description of a revision. Returns a warning, if there is reason for one.
pub fn check_description(text: &str) -> Result<Option<String>, LongDescription> {
    match text.chars().count() {
        long if long > MAX_DESCRIPTION => Err(LongDescription(long)),
        long if long > LONG_DESCRIPTION => Ok(Some(format!(
            "the description has {long} characters; that of a deployment may have {LONG_DESCRIPTION}"
        ))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_up_to_100_of_the_documented_characters() {
        let long = "x".repeat(100);
        for good in ["A", "WordPress_App", "a.b_c+d=e,f@g-h", &*long] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["", "a b", "a/b", "ä", &*format!("{long}x")] {
            check_name(bad).unwrap_err();
        }
    }

    #[test]
    fn a_description_has_up_to_512_characters_and_above_256_a_warning() {
        assert_eq!(check_description(&"ü".repeat(256)), Ok(None));
        assert!(check_description(&"ü".repeat(257)).unwrap().is_some());
        assert!(check_description(&"ü".repeat(512)).unwrap().is_some());
        let error = check_description(&"ü".repeat(513)).unwrap_err();
        assert!(error.to_string().contains("513"), "{error}");
    }
}

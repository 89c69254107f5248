//! A request to a service that failed, and whether making it again may help.

use aws_credential_types::provider::error::CredentialsError;

/// A request to a service failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The operation, as the service's API names it.
    pub operation: &'static str,
    /// The error code that the service answered with. None if it did not answer.
    pub code: Option<String>,
    /// What the service, or the way to it, says.
    pub message: String,
}

/// Whether a request that failed should be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAdvice {
    /// No: the same would come of it.
    Never,
    /// After a pause.
    Soon,
    /// After a longer one, and with fewer others: the service is asked too much.
    Slower,
    /// Yes, but not for long: nothing was sent, since nobody gives credentials.
    Briefly,
}

impl CallError {
    /// Whether it may pass ("Error retries and exponential backoff", "Error responses" in the
    /// Amazon S3 API reference; "common errors" of CodeDeploy).
    pub(crate) fn retry_advice(&self) -> RetryAdvice {
        match self.code.as_deref() {
            None if self.is_without_credentials() => RetryAdvice::Never,
            None if self.message.starts_with(FAILED_CREDENTIALS) => RetryAdvice::Briefly,
            Some(
                "SlowDown"
                | "ServiceUnavailable"
                | "Busy"
                | "RequestLimitExceeded"
                | "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "TooManyRequests"
                | "TooManyRequestsException"
                | "BandwidthLimitExceeded",
            ) => RetryAdvice::Slower,
            // No answer, one that did not get through whole, or a server's trouble with itself.
            None
            | Some(
                "InternalError"
                | "InternalServerError"
                | "InternalFailure"
                | "InternalServiceError"
                | "RequestTimeout"
                | "RequestTimeoutException"
                | "RequestTimeTooSkewed"
                | "IncompleteBody"
                | "BadDigest"
                | "InvalidDigest"
                | "XAmzContentChecksumMismatch"
                | "OperationAborted"
                | "ConditionalRequestConflict"
                | "Unknown",
            ) => RetryAdvice::Soon,
            Some(_) => RetryAdvice::Never,
        }
    }

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
    pub(crate) fn unanswered(
        operation: &'static str,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        Self {
            operation,
            code: None,
            message: match credentials(error) {
                Some(CredentialsError::CredentialsNotLoaded(_)) => NO_CREDENTIALS.to_owned(),
                Some(cause) => format!("{FAILED_CREDENTIALS}: {}", chain(cause)),
                None => chain(error),
            },
        }
    }

    /// Whether the credentials that it was signed with are of no use any more, so that newer ones may
    /// be ("Error responses" in the Amazon S3 API reference; "common errors" of CodeDeploy).
    pub(crate) fn is_expired(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired")
        )
    }

    /// Whether it is certain that nothing came of the request: the service said no, for good or because
    /// it was asked too much, or nothing was sent at all.
    pub(crate) fn is_certain(&self) -> bool {
        match self.retry_advice() {
            RetryAdvice::Never | RetryAdvice::Slower | RetryAdvice::Briefly => true,
            // A service that has trouble with itself may have done it nevertheless.
            RetryAdvice::Soon => matches!(
                self.code.as_deref(),
                Some(
                    "BadDigest"
                        | "InvalidDigest"
                        | "XAmzContentChecksumMismatch"
                        | "IncompleteBody"
                        | "ConditionalRequestConflict"
                        | "OperationAborted"
                        | "RequestTimeout"
                        | "RequestTimeTooSkewed"
                )
            ),
        }
    }

    /// Whether nothing was sent because there is nothing to sign it with.
    #[must_use]
    pub fn is_without_credentials(&self) -> bool {
        self.code.is_none() && self.message == NO_CREDENTIALS
    }
}

impl std::fmt::Display for CallError {
    /// The sentence of the AWS CLI if the service answered.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            operation,
            code,
            message,
        } = self;
        match code {
            // As the AWS CLI says it.
            None if self.is_without_credentials() => f.write_str(message),
            Some(code) => write!(
                f,
                "An error occurred ({code}) when calling the {operation} operation: {message}"
            ),
            None => write!(f, "no answer to {operation}: {message}"),
        }
    }
}

impl std::error::Error for CallError {}

/// What the AWS CLI says when it finds no credentials.
const NO_CREDENTIALS: &str = "Unable to locate credentials";

/// How the text begins if there are credentials to be had, and their provider fails.
const FAILED_CREDENTIALS: &str = "cannot get credentials";

/// Why there are no credentials, if that is the cause. Without any configured, every place was
/// searched and none had any; one that has some and fails says more.
fn credentials<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a CredentialsError> {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(|cause| cause.downcast_ref())
}

/// An error and all that caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    // Some errors repeat their cause.
    texts.dedup();
    texts.join(": ")
}

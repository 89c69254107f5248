//! A request to a service that failed: what the service said, and whether to repeat the request.

use std::time::Duration;

use aws_config::imds::client::error::ImdsError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::answer::{Foreign, reason};
use super::unreachable::{self, Unreachable};

/// A request to a service failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The operation, as the service's API names it.
    pub operation: &'static str,
    /// The error code that the service answered with. None if it did not answer.
    pub code: Option<String>,
    /// What the service says, or what went wrong on the way to it.
    pub message: String,
}

/// Whether to repeat a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryAdvice {
    /// No: the answer would be the same.
    Never,
    /// After a pause.
    Soon,
    /// After a longer pause, and with fewer requests at a time: the service gets too many.
    Slower,
    /// After a pause, but only a few times: nothing was sent, since no credentials can be had.
    Briefly,
}

/// Codes by which S3 says that the bytes that came are not those of the checksum.
const CHANGED_BYTES: [&str; 3] = ["BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"];

/// The code by which S3 says that two requests wrote the object at the same time.
const CONFLICT: &str = "ConditionalRequestConflict";

/// Statuses of an answer that may be another one later, whatever its code.
const PASSING: [u16; 4] = [500, 502, 503, 504];

impl CallError {
    /// Whether to repeat the request ("Error retries and exponential backoff", "Error responses" in the
    /// Amazon S3 API reference; "common errors" of CodeDeploy).
    pub(super) fn retry_advice(&self) -> RetryAdvice {
        let Some(code) = self.code.as_deref() else {
            return match () {
                () if self.is_without_credentials()
                    || self.message.starts_with(UNUSABLE_CREDENTIALS)
                    || unreachable::is_setting(&self.message) =>
                {
                    RetryAdvice::Never
                }
                () if self.message.starts_with(FAILED_CREDENTIALS) => RetryAdvice::Briefly,
                () => RetryAdvice::Soon,
            };
        };
        match code {
            "SlowDown"
            | "ServiceUnavailable"
            | "Busy"
            | "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "BandwidthLimitExceeded" => RetryAdvice::Slower,
            // S3 has other parts than were sent, or the upload must begin again.
            _ if self.operation == "CompleteMultipartUpload"
                && (code == CONFLICT || CHANGED_BYTES.contains(&code)) =>
            {
                RetryAdvice::Never
            }
            "InternalError"
            | "InternalServerError"
            | "InternalFailure"
            | "InternalServiceError"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "RequestTimeTooSkewed"
            | "IncompleteBody"
            | "OperationAborted"
            | "408"
            | "425"
            | "429"
            | "500"
            | "502"
            | "503"
            | "504"
            | CONFLICT => RetryAdvice::Soon,
            code if CHANGED_BYTES.contains(&code) => RetryAdvice::Soon,
            _ => RetryAdvice::Never,
        }
    }

    /// Whether it is certain that the request had no effect: the service refused it, for good or because
    /// it gets too many requests, or nothing was sent.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        match self.retry_advice() {
            RetryAdvice::Never | RetryAdvice::Slower | RetryAdvice::Briefly => true,
            // A service with an error of its own may have done what it was asked for.
            RetryAdvice::Soon => self.code.as_deref().is_some_and(|code| {
                CHANGED_BYTES.contains(&code)
                    || matches!(
                        code,
                        "IncompleteBody"
                            | CONFLICT
                            | "OperationAborted"
                            | "RequestTimeout"
                            | "RequestTimeTooSkewed"
                    )
            }),
        }
    }

    /// Whether repeating the request would only get the same answer.
    pub(crate) fn is_final(&self) -> bool {
        self.retry_advice() == RetryAdvice::Never
    }

    /// Whether two requests wrote the object at the same time, so that the upload must begin again.
    pub(crate) fn is_conflict(&self) -> bool {
        self.code.as_deref() == Some(CONFLICT)
    }

    /// Whether the parts that were to be joined are not those that the store has.
    pub(crate) fn is_other_parts(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| code == "InvalidPart" || CHANGED_BYTES.contains(&code))
    }

    /// Whether there is no such multipart upload, perhaps because it was completed or aborted.
    pub(crate) fn is_no_such_upload(&self) -> bool {
        self.code.as_deref() == Some("NoSuchUpload")
    }

    /// Whether there is no such bucket or object.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("NoSuchBucket" | "NoSuchKey" | "NotFound")
        )
    }

    /// Whether its credentials have expired, so that newer ones may work ("Error responses" in the Amazon
    /// S3 API reference; "common errors" of CodeDeploy).
    pub(crate) fn is_expired(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired")
        )
    }

    /// Whether nothing was sent because no credentials are configured.
    #[must_use]
    pub fn is_without_credentials(&self) -> bool {
        self.code.is_none() && self.message == NO_CREDENTIALS
    }

    /// The service answered with an error.
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
    pub(super) fn unanswered(
        operation: &'static str,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        Self {
            operation,
            code: None,
            message: match cause(error) {
                Some(CredentialsError::CredentialsNotLoaded(_)) => NO_CREDENTIALS.to_owned(),
                Some(failed) if is_no_instance(failed) => NO_CREDENTIALS.to_owned(),
                Some(failed) => match cause::<Unreachable>(failed) {
                    Some(why) => format!("{FAILED_CREDENTIALS}: {why}"),
                    None => match failed {
                        CredentialsError::InvalidConfiguration(_) => {
                            format!("{UNUSABLE_CREDENTIALS}: {}", why(failed))
                        }
                        failed => format!("{FAILED_CREDENTIALS}: {}", why(failed)),
                    },
                },
                None => {
                    cause::<Unreachable>(error).map_or_else(|| chain(error), ToString::to_string)
                }
            },
        }
    }

    /// There was no answer in time.
    pub(crate) fn no_answer_within(operation: &'static str, limit: Duration) -> Self {
        Self {
            operation,
            code: None,
            message: format!("none came within {limit:.0?}"),
        }
    }

    /// The answer lacks something that it must have.
    pub(super) fn incomplete(operation: &'static str, what: &str) -> Self {
        Self {
            operation,
            code: None,
            message: format!("the answer has no {what}"),
        }
    }

    /// What the SDK says of a request. An answer without an error code gets its status as its code, as in
    /// the AWS CLI.
    pub(super) fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let answer = match error {
            SdkError::ServiceError(answer) => Some(answer),
            _ => None,
        };
        let named = answer.and_then(|answer| answer.err().code());
        let status = error.raw_response().map(|answer| answer.status());
        let (said, status) = match (named, status) {
            (Some(code), Some(status)) => {
                let message = answer.and_then(|answer| answer.err().message());
                let said = Self::refused(operation, Some(code), message);
                (said, status.as_u16())
            }
            (None, Some(status)) if cause::<Foreign>(error).is_some() || !status.is_success() => {
                let status = status.as_u16();
                let text = match (cause::<Foreign>(error), answer) {
                    (Some(foreign), _) => foreign.to_string(),
                    (None, Some(answer)) if let Some(message) = answer.err().message() => {
                        message.to_owned()
                    }
                    (None, _) => format!("{}: the answer has no error code", reason(status)),
                };
                return Self::refused(operation, Some(&status.to_string()), Some(&text));
            }
            _ => return Self::unanswered(operation, error),
        };
        if said.is_final() && PASSING.contains(&status) {
            // An unknown code of a server that has a problem, or of a proxy.
            let (code, message) = (said.code.unwrap_or_default(), said.message);
            let message = format!("{code}: {message}");
            return Self::refused(operation, Some("InternalError"), Some(&message));
        }
        said
    }

    /// Whether something else than the service answered, for example a proxy, or a service that gave no
    /// reason.
    pub(super) fn is_status(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

impl std::fmt::Display for CallError {
    /// As the AWS CLI says it, if the service answered.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            operation,
            code,
            message,
        } = self;
        match code {
            None if self.is_without_credentials() => f.write_str(message),
            // A page came, as of the login of a network, which is no error by its status.
            Some(code) if self.is_status() && !matches!(code.as_bytes(), [b'4' | b'5', _, _]) => {
                write!(f, "no answer to {operation}: {message} (status {code})")
            }
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

/// How the message begins if credentials are configured and their provider fails.
const FAILED_CREDENTIALS: &str = "cannot get credentials";

/// How the message begins if the source of credentials would give the same error again.
const UNUSABLE_CREDENTIALS: &str = "cannot get usable credentials";

/// Why there are no credentials, without what the SDK says of every such error.
pub(super) fn why(error: &CredentialsError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), chain)
}

/// Whether a metadata service refused to give credentials. A virtual machine that is not Amazon's may have
/// a service at the address of Amazon's, and an administrator may have turned that of an instance off.
pub(super) fn is_no_instance(error: &CredentialsError) -> bool {
    match cause::<ImdsError>(error) {
        Some(ImdsError::FailedToLoadToken(token)) => !token.is_dispatch_failure(),
        Some(ImdsError::ErrorResponse(refused)) => refused.response().status().as_u16() < 500,
        _ => false,
    }
}

/// The first error of this type among an error and its causes. An I/O error may hold another as itself.
pub(super) fn cause<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut causes = std::iter::successors(Some(error), |error| {
        let io = error.downcast_ref::<std::io::Error>();
        match io.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    });
    causes.find_map(|cause| cause.downcast_ref())
}

/// An error and all its causes, in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    // Some errors repeat their cause.
    texts.dedup();
    texts.join(": ")
}

//! The errors that a service may answer with, whatever the request was.

/// An error of a service. CodeDeploy has other names for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// 503: too many requests.
    SlowDown,
    /// 503.
    ServiceUnavailable,
    /// 500.
    InternalError,
    /// 400 of CodeDeploy, 503 of S3: too many requests.
    Throttling,
    /// 400: the body did not arrive.
    RequestTimeout,
    /// 403: a permission is missing.
    AccessDenied,
    /// 400: the credentials have expired.
    ExpiredToken,
    /// 404: the upload was aborted or completed.
    NoSuchUpload,
    /// 409: another request writes the object.
    ConditionalRequestConflict,
    /// 409: another request changes the resource.
    OperationAborted,
    /// 412: there is an object already.
    PreconditionFailed,
}

impl Refusal {
    /// Status, code and message of S3 ("Error responses" in its API reference).
    pub(super) fn s3(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::SlowDown | Self::Throttling => {
                (503, "SlowDown", "Please reduce your request rate.")
            }
            Self::ServiceUnavailable => (
                503,
                "ServiceUnavailable",
                "Service is unable to handle request.",
            ),
            Self::InternalError => (
                500,
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
            Self::RequestTimeout => (
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the \
                 timeout period. Idle connections will be closed.",
            ),
            Self::AccessDenied => (403, "AccessDenied", "Access Denied"),
            Self::ExpiredToken => (400, "ExpiredToken", "The provided token has expired."),
            Self::NoSuchUpload => (
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload \
                 may have been aborted or completed.",
            ),
            Self::ConditionalRequestConflict => (
                409,
                "ConditionalRequestConflict",
                "The conditional request cannot succeed due to a conflicting operation against this \
                 resource.",
            ),
            Self::OperationAborted => (
                409,
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this resource. \
                 Try again.",
            ),
            Self::PreconditionFailed => (
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            ),
        }
    }

    /// Status, code and message of CodeDeploy ("Common errors" in its API reference). Errors that it
    /// does not have become an internal failure.
    pub(super) fn codedeploy(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::SlowDown | Self::Throttling => (400, "ThrottlingException", "Rate exceeded"),
            Self::ServiceUnavailable => (
                503,
                "ServiceUnavailableException",
                "The request has failed due to a temporary failure of the server.",
            ),
            Self::AccessDenied => (
                400,
                "AccessDeniedException",
                "You do not have sufficient access to perform this action.",
            ),
            Self::ExpiredToken => (
                400,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            _ => (
                500,
                "InternalFailure",
                "The request processing has failed because of an unknown error.",
            ),
        }
    }
}

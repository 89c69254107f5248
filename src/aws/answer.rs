//! Tells the answers of the services from pages that something on the way sends.
//!
//! A proxy that refuses, a login page of a network and a gateway answer with their own status and a page in HTML.
//! The SDK reads such an answer as one of the service: as an error without code or text, or as success. Here
//! the status becomes the error, as in the AWS CLI.

use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// Statuses that only proxies and gateways answer with: a login is missing.
const OF_PROXIES: [u16; 2] = [407, 511];

/// Refuses answers that are not from the service.
#[derive(Clone, Copy, Debug)]
pub(super) struct FromService;

/// An answer that is not from the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) status: u16,
    /// What it says about itself.
    text: String,
}

impl Foreign {
    /// None if the service may have sent the answer.
    fn of(answer: &HttpResponse) -> Option<Self> {
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).unwrap_or_default();
        let is_page = header("content-type").trim_start().starts_with("text/html");
        let mut names = answer.headers().iter().map(|(name, _)| name);
        let is_of_service = names.any(|name| name.starts_with("x-amz"));
        if is_of_service || !(is_page || OF_PROXIES.contains(&status)) {
            return None;
        }
        Some(Self {
            status,
            text: match header("location") {
                "" => String::new(),
                location => format!(", which leads to {location:?}"),
            },
        })
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, text } = self;
        // The statuses of pages that are no errors would only mislead.
        if *status >= 400 {
            write!(f, "{}: ", reason(*status))?;
        }
        write!(
            f,
            "the answer is not from the service, but a page of a proxy, a gateway or the login \
             of a network{text}; check the endpoint and the proxy"
        )
    }
}

impl std::error::Error for Foreign {}

/// What a status means.
pub(super) fn reason(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    let reason = status.and_then(|status| status.canonical_reason());
    reason.unwrap_or("Unknown status")
}

impl Intercept for FromService {
    fn name(&self) -> &'static str {
        "FromService"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Foreign::of(context.response()).map_or(Ok(()), |foreign| Err(foreign.into()))
    }
}

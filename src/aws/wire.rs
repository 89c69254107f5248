//! Logs requests and answers for debugging, without anything secret.
//!
//! The log has a request's method, address and headers, and an answer's status and headers. Only headers
//! that are known to hold no secret are shown with their value, and of a query only what names parts of
//! an upload: a new header stays hidden until it is listed here. Bodies are never shown.

use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use tracing::debug;

/// Headers whose values tell neither credentials nor contents.
const SHOWN: &[&str] = &[
    "accept-ranges",
    "amz-sdk-request",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "expect",
    "host",
    "if-none-match",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-amz-acl",
    "x-amz-bucket-region",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-type",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-range",
    "x-amz-copy-source-version-id",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-id-2",
    "x-amz-mp-object-size",
    "x-amz-request-id",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-target",
    "x-amz-trailer",
    "x-amz-version-id",
    "x-amzn-requestid",
];

/// Parameters of a query whose values tell neither credentials nor contents.
const PARAMETERS: &[&str] = &["x-id", "partNumber", "uploads", "uploadId", "versionId"];

/// Logs requests and answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire;

impl Intercept for Wire {
    fn name(&self) -> &'static str {
        "Wire"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let request = context.request();
            let headers = shown(request.headers().iter());
            debug!(
                "> {} {} {headers}",
                request.method(),
                address(request.uri())
            );
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let answer = context.response();
            let headers = shown(answer.headers().iter());
            debug!("< {} {headers}", answer.status().as_u16());
        }
        Ok(())
    }
}

/// Headers as `name=value`, or as `name` alone.
fn shown<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let words = headers.map(|(name, value)| {
        if SHOWN.contains(&&*name.to_ascii_lowercase()) {
            format!("{name}={value}")
        } else {
            format!("{name}=<hidden>")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// An address without its user name and password, and without hidden values in its query.
fn address(uri: &str) -> String {
    let (start, query) = uri.split_once('?').unwrap_or((uri, ""));
    let start = match start.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority
                .rsplit_once('@')
                .map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => start.to_owned(),
    };
    let query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            if PARAMETERS.contains(&name) {
                pair.to_owned()
            } else {
                format!("{name}=<hidden>")
            }
        });
    let query = query.collect::<Vec<_>>().join("&");
    if query.is_empty() {
        start
    } else {
        format!("{start}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_headers_and_parameters_are_shown() {
        let headers = [
            ("Content-Length", "7"),
            ("Authorization", "AWS4-HMAC-SHA256 Credential=AKID"),
            ("x-amz-security-token", "token"),
            ("x-amz-meta-owner", "me"),
        ];
        assert_eq!(
            shown(headers.into_iter()),
            "Content-Length=7 Authorization=<hidden> x-amz-security-token=<hidden> \
             x-amz-meta-owner=<hidden>"
        );
        assert_eq!(
            address("https://me:secret@host:1/b/k?uploadId=u&X-Amz-Signature=abc&uploads"),
            "https://host:1/b/k?uploadId=u&X-Amz-Signature=<hidden>&uploads"
        );
        assert_eq!(address("http://host"), "http://host");
        assert_eq!(address("http://host/a@b?c"), "http://host/a@b?c=<hidden>");
    }
}

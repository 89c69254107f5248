//! What several operations read from their requests: checksums, conditions, attributes.

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::Extensions;
use s3s::dto::{CopySource, ETagCondition, StreamingBlob, Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::super::checksum::{self, Algorithm, Claim, Sums};
use super::super::chunked::Trailers;
use super::super::ids;
use super::super::server::MAX_DRAINED;
use super::super::store::{MAX_PART, Object, Precondition, precondition_failed};

/// The checksums that a client sends with a body: before it in headers, or behind it in a trailer.
pub(super) struct Claims {
    header: Option<Claim>,
    trailer: Option<(Algorithm, HeaderName, Trailers)>,
    md5: Option<String>,
}

impl Claims {
    /// Reads the checksums that a request claims.
    /// Fails with `InvalidRequest` for more than one checksum and for an algorithm announced
    /// without a value, `NotImplemented` for algorithms that the endpoint does not know.
    pub(super) fn read(
        headers: &HeaderMap,
        extensions: &Extensions,
        header: Option<Claim>,
        md5: Option<String>,
    ) -> S3Result<Self> {
        for name in headers.keys() {
            if let Some(name) = name.as_str().strip_prefix("x-amz-checksum-")
                && !matches!(name, "algorithm" | "type" | "mode")
            {
                Algorithm::parse(name)?;
            }
        }
        let trailer = announced_trailer(headers, extensions)?;
        if header.is_some() && trailer.is_some() {
            return Err(checksum::two_checksums());
        }
        let claims = Self {
            header,
            trailer,
            md5,
        };
        if let Some(named) = headers.get("x-amz-sdk-checksum-algorithm") {
            let named = Algorithm::parse(named.to_str().unwrap_or_default())?;
            match claims.algorithm() {
                Some(sent) if sent == named => {}
                Some(_) => {
                    return Err(s3_error!(
                        InvalidRequest,
                        "Value for x-amz-sdk-checksum-algorithm header is invalid."
                    ));
                }
                None => {
                    return Err(s3_error!(
                        InvalidRequest,
                        "x-amz-sdk-checksum-algorithm specified, but no corresponding \
                         x-amz-checksum-* or x-amz-trailer headers were found."
                    ));
                }
            }
        }
        Ok(claims)
    }

    /// The algorithm of the checksum, known before the body is read.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        let in_header = self.header.as_ref().map(|(algorithm, _)| *algorithm);
        in_header.or(self.trailer.as_ref().map(|(algorithm, ..)| *algorithm))
    }

    /// Compares the claims with the sums of the bytes, once all of them were read.
    /// Fails with `BadDigest`, `InvalidDigest`, `InvalidRequest`, and `MalformedTrailerError` when
    /// the announced trailer did not come.
    pub(super) fn verify(&self, sums: &Sums) -> S3Result<()> {
        if let Some(md5) = &self.md5 {
            sums.verify_md5(md5)?;
        }
        if let Some(claim) = &self.header {
            sums.verify(claim)?;
        }
        if let Some((algorithm, name, trailers)) = &self.trailer {
            let value = trailers.get(name);
            let value = value
                .as_ref()
                .and_then(|value| value.to_str().ok())
                .ok_or_else(|| {
                    let mut error = s3s::S3Error::with_message(
                        S3ErrorCode::Custom("MalformedTrailerError".into()),
                        "The request contained trailing data that was not well-formed or did not \
                     conform to our published schema.",
                    );
                    error.set_status_code(hyper::StatusCode::BAD_REQUEST);
                    error
                })?;
            sums.verify(&(*algorithm, value.to_owned()))?;
        }
        Ok(())
    }
}

fn announced_trailer(
    headers: &HeaderMap,
    extensions: &Extensions,
) -> S3Result<Option<(Algorithm, HeaderName, Trailers)>> {
    let Some(names) = headers.get("x-amz-trailer") else {
        return Ok(None);
    };
    let names = names.to_str().unwrap_or_default();
    for name in names.split(',').map(str::trim) {
        let Some(algorithm) = name
            .to_ascii_lowercase()
            .strip_prefix("x-amz-checksum-")
            .map(Algorithm::parse)
        else {
            continue;
        };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            s3_error!(
                InvalidRequest,
                "The value specified in the x-amz-trailer header is not supported"
            )
        })?;
        let trailers = extensions.get::<Trailers>().cloned().ok_or_else(|| {
            s3_error!(
                InvalidRequest,
                "x-amz-trailer needs an aws-chunked body: {name}"
            )
        })?;
        return Ok(Some((algorithm?, header, trailers)));
    }
    Err(s3_error!(
        InvalidRequest,
        "The value specified in the x-amz-trailer header is not supported"
    ))
}

/// The length of a body, which S3 requires before the body.
/// Fails with `MissingContentLength` (411), `EntityTooLarge` above 5 GiB.
pub(super) fn content_length(length: Option<i64>) -> S3Result<u64> {
    let length = length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| {
            s3_error!(
                MissingContentLength,
                "You must provide the Content-Length HTTP header."
            )
        })?;
    if length > MAX_PART {
        return Err(s3_error!(
            EntityTooLarge,
            "Your proposed upload exceeds the maximum allowed size: {length} bytes"
        ));
    }
    Ok(length)
}

/// Reads the rest of a refused body: a client that writes all of it before it reads would miss the
/// answer otherwise.
///
/// A client that waits for `100 Continue` has not begun to write.
pub(super) async fn drain(headers: &HeaderMap, body: &mut StreamingBlob) {
    use futures_util::StreamExt as _;

    if headers.contains_key(hyper::header::EXPECT) {
        return;
    }
    let mut drained = 0;
    while drained < MAX_DRAINED
        && let Some(Ok(bytes)) = body.next().await
    {
        drained += bytes.len();
    }
}

/// Bucket, key and version of a copy's source.
/// Fails with `NotImplemented` for access points.
pub(super) fn source(source: &CopySource) -> S3Result<(String, String, Option<String>)> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => Ok((
            bucket.to_string(),
            key.to_string(),
            version_id.as_deref().map(str::to_owned),
        )),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Err(s3_error!(
            NotImplemented,
            "a copy's source must be BUCKET/KEY here"
        )),
    }
}

/// The error for what a client may ask of S3 and not of this endpoint.
pub(super) fn not_offered(what: &str) -> S3Error {
    s3_error!(NotImplemented, "{what}: this endpoint does not offer it")
}

/// The conditions of a copy on its source.
#[derive(Debug, Default)]
pub(super) struct SourceCondition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) unmodified_since: Option<Timestamp>,
}

impl SourceCondition {
    /// A condition on the ETag takes precedence over one on the time (CopyObject in the S3 API
    /// reference, "x-amz-copy-source-if").
    /// Fails with `PreconditionFailed`.
    pub(super) fn check(&self, source: &Object) -> S3Result<()> {
        // HTTP's dates have no fractions of seconds.
        let modified = Timestamp::from(ids::time(source.modified_ms / 1000 * 1000));
        let is = |etag: &ETagCondition| source.matches(etag);
        let failed = if let Some(wanted) = &self.if_match {
            (!is(wanted)).then_some("If-Match")
        } else {
            let since = self.unmodified_since.as_ref();
            since
                .is_some_and(|since| modified > *since)
                .then_some("If-Unmodified-Since")
        };
        let failed = failed.or_else(|| {
            if let Some(unwanted) = &self.if_none_match {
                is(unwanted).then_some("If-None-Match")
            } else {
                let since = self.modified_since.as_ref();
                since
                    .is_some_and(|since| modified <= *since)
                    .then_some("If-Modified-Since")
            }
        });
        failed.map_or(Ok(()), |condition| {
            Err(precondition_failed(&format!(
                "x-amz-copy-source-{condition}"
            )))
        })
    }
}

/// Collects the [`SourceCondition`] of an input that has one.
macro_rules! source_condition {
    ($input:expr) => {
        super::request::SourceCondition {
            if_match: $input.copy_source_if_match.take(),
            if_none_match: $input.copy_source_if_none_match.take(),
            modified_since: $input.copy_source_if_modified_since.take(),
            unmodified_since: $input.copy_source_if_unmodified_since.take(),
        }
    };
}
pub(super) use source_condition;

/// The conditions of a write on the object that it would replace, in an operation whose input has no
/// fields for them.
/// Fails with `InvalidArgument`.
pub(super) fn precondition(headers: &HeaderMap) -> S3Result<Precondition> {
    let read = |name: HeaderName| -> S3Result<Option<ETagCondition>> {
        let Some(value) = headers.get(&name) else {
            return Ok(None);
        };
        let condition = ETagCondition::parse_http_header(value.as_bytes());
        let condition = condition
            .map_err(|_| s3_error!(InvalidArgument, "{name} must be * or one ETag in quotes"))?;
        Ok(Some(condition))
    };
    Ok(Precondition {
        if_match: read(header::IF_MATCH)?,
        if_none_match: read(header::IF_NONE_MATCH)?,
    })
}

/// Checks that an object has the ETag that `If-Match` names.
/// Fails with `PreconditionFailed`.
pub(super) fn check_match(object: &Object, wanted: Option<&ETagCondition>) -> S3Result<()> {
    match wanted {
        Some(wanted) if !object.matches(wanted) => Err(precondition_failed("If-Match")),
        _ => Ok(()),
    }
}

/// The time of an `Expires` header as HTTP writes it.
pub(super) fn http_date(time: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    time.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// What [`http_date`] wrote.
pub(super) fn from_http_date(text: &str) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, text).ok()
}

/// Collects the [`Attributes`](super::super::store::Attributes) of an input that has them.
macro_rules! attributes {
    ($input:expr) => {
        super::super::store::Attributes {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            content_disposition: $input.content_disposition.take(),
            cache_control: $input.cache_control.take(),
            expires: $input
                .expires
                .take()
                .as_ref()
                .and_then(super::request::http_date),
            storage_class: $input
                .storage_class
                .take()
                .map(|class| class.as_str().to_owned()),
            encryption: $input
                .server_side_encryption
                .take()
                .map(|encryption| encryption.as_str().to_owned()),
            kms_key: $input.ssekms_key_id.take(),
            bucket_key: $input.bucket_key_enabled.take(),
            tagging: $input.tagging.take(),
            website_redirect: $input.website_redirect_location.take(),
            metadata: $input
                .metadata
                .take()
                .unwrap_or_default()
                .into_iter()
                .collect(),
        }
    };
}
pub(super) use attributes;

/// The checksum in the fields of an input.
macro_rules! claimed {
    ($input:expr) => {
        super::super::checksum::only_one(
            $input.checksum_crc32.take(),
            $input.checksum_crc64nvme.take(),
        )
    };
}
pub(super) use claimed;

/// Refuses an input that asks for encryption with the customer's key.
macro_rules! refuse_customer_key {
    ($input:expr) => {
        if $input.sse_customer_algorithm.is_some() {
            return Err(super::request::not_offered(
                "encryption with a customer's key",
            ));
        }
    };
}
pub(super) use refuse_customer_key;

/// Refuses a copy whose source is encrypted with the customer's key.
macro_rules! refuse_source_key {
    ($input:expr) => {
        if $input.copy_source_sse_customer_algorithm.is_some() {
            return Err(super::request::not_offered(
                "a copy's source that is encrypted with a customer's key",
            ));
        }
    };
}
pub(super) use refuse_source_key;

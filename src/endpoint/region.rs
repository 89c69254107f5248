//! Regions: which one a request is for, and how S3 refuses a request for a bucket of another one.
//!
//! All regions share one port, so the signature alone tells which region's endpoint a client means. A
//! request without a signature is for the region of its bucket.
//!
//! S3 refuses in two ways:
//!
//! - The endpoint of a region (`s3.REGION.amazonaws.com`, with the bucket before it or in the path)
//!   answers 301 `PermanentRedirect` for a bucket of another region (aws/aws-sdk-go issue 356,
//!   awslabs/mountpoint-s3 issue 1, yanganto/s3rs issue 18 show such answers).
//! - `BUCKET.s3.amazonaws.com`, which clients sign for us-east-1, is an address in the bucket's own
//!   region, and that refuses the signature: 400 `AuthorizationHeaderMalformed`
//!   (aws/aws-sdk-java-v2 pull request 4425). `BUCKET.localhost` stands for it here.
//!
//! An answer to HEAD has no body, and names the bucket's region in a header in both cases; botocore's
//! `S3RegionRedirectorv2` (1.43.11) and hoist's preflight read it there. CreateBucket and ListBuckets
//! are for no bucket that exists, and so are never redirected.

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode, S3Result, s3_error};

/// The region of a bucket that is made without a location constraint, and of requests that are not
/// signed.
pub(super) use super::codedeploy::DEFAULT_REGION as DEFAULT;
use super::keys;
use super::operation::{Call, Operation};

/// The header in which S3 names the region of a bucket.
pub(super) const BUCKET_REGION: &str = "x-amz-bucket-region";

/// The region that a request is signed for: in the scope of its `Authorization` header, or of a
/// presigned address.
pub(super) fn signed(head: &Parts) -> Option<String> {
    let query = head.uri.query().unwrap_or_default();
    let presigned = || {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, scope) = pairs.find(|(name, _)| *name == "X-Amz-Credential")?;
        of_scope(&keys::unescape(scope)?).map(str::to_owned)
    };
    of_headers(&head.headers)
        .map(str::to_owned)
        .or_else(presigned)
}

/// The region in the scope of an `Authorization` header:
/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn of_headers(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // A signature for several regions (`AWS4-ECDSA-P256-SHA256`) has a scope without a region.
    let (_, credential) = value
        .strip_prefix("AWS4-HMAC-SHA256")?
        .split_once("Credential=")?;
    of_scope(credential.split(',').next()?)
}

/// An access key may contain slashes, the four members of the scope behind it may not.
fn of_scope(scope: &str) -> Option<&str> {
    scope.rsplit('/').nth(2).filter(|region| !region.is_empty())
}

/// Whether a name has the form of a region's: `us-east-1`, `us-gov-west-1`, `cn-north-1`.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    words.len() >= 2 && words.iter().all(is_word) && is_number
}

/// The answer to a request for a bucket that is in `region`, if that is another one than the request is
/// signed for.
pub(super) fn refuse(
    call: &Call,
    method: &Method,
    headers: &HeaderMap,
    region: &str,
) -> Option<HttpResponse> {
    let signed = call.region.as_deref()?;
    if signed == region || call.operation == Operation::CreateBucket {
        return None;
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_global = signed == DEFAULT && name.ends_with(".localhost");
    // The endpoint of a region that does not exist cannot be reached, so its signature is wrong.
    let is_malformed = is_global || !is_region(signed);
    let bucket = call.bucket.as_deref().unwrap_or_default();
    let (status, xml) = if is_malformed {
        let xml = format!(
            "<Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is \
             malformed; the region '{}' is wrong; expecting '{region}'</Message>\
             <Region>{region}</Region>",
            escaped(signed)
        );
        (StatusCode::BAD_REQUEST, xml)
    } else {
        // The endpoint is this one: no client should go to AWS from here.
        let xml = format!(
            "<Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be \
             addressed using the specified endpoint. Please send all future requests to this \
             endpoint.</Message><Endpoint>{}</Endpoint><Bucket>{}</Bucket>",
            escaped(host),
            escaped(bucket)
        );
        (StatusCode::MOVED_PERMANENTLY, xml)
    };
    let is_head = *method == Method::HEAD;
    let body = if is_head {
        Body::empty()
    } else {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        Body::from(format!("{head}<Error>{xml}</Error>"))
    };
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !is_head {
        let kind = HeaderValue::from_static("application/xml");
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if (is_head || !is_malformed)
        && let Ok(region) = HeaderValue::from_str(region)
    {
        headers.insert(BUCKET_REGION, region);
    }
    Some(response)
}

/// Text inside an element of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The region of a new bucket, for a request that is signed for `signed` and has this constraint; `None`
/// is a request without a configuration.
///
/// The endpoint of us-east-1 makes buckets in every region, and knows no constraint of its own name; the
/// others make buckets in their own region only, and it must be named (CreateBucket in the S3 API
/// reference; moto and localstack answer alike).
/// Fails with `MalformedXML`, `InvalidLocationConstraint`, `IllegalLocationConstraintException`.
pub(super) fn of_new_bucket(signed: Option<&str>, constraint: Option<&str>) -> S3Result<String> {
    let endpoint = signed.unwrap_or(DEFAULT);
    let illegal = |constraint: &str| -> S3Error {
        let mut error = s3_error!(
            IllegalLocationConstraintException,
            "The {constraint} location constraint is incompatible for the region specific endpoint \
             this request was sent to."
        );
        error.set_status_code(StatusCode::BAD_REQUEST);
        error
    };
    let constraint = match constraint {
        None if endpoint == DEFAULT => return Ok(DEFAULT.to_owned()),
        None => return Err(illegal("unspecified")),
        Some("") => {
            return Err(S3Error::with_message(
                S3ErrorCode::MalformedXML,
                "The XML you provided was not well-formed or did not validate against our published \
                 schema: it has no LocationConstraint",
            ));
        }
        Some("EU") => "eu-west-1",
        Some(constraint) => constraint,
    };
    if !is_region(constraint) || constraint == DEFAULT && endpoint == DEFAULT {
        return Err(s3_error!(
            InvalidLocationConstraint,
            "The specified location-constraint is not valid: {constraint}"
        ));
    }
    if endpoint != DEFAULT && constraint != endpoint {
        return Err(illegal(constraint));
    }
    Ok(constraint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_of_a_signature_has_the_region() {
        let of = |target: &str, value: Option<&str>| {
            let mut request = hyper::Request::get(target);
            if let Some(value) = value {
                request = request.header("Authorization", value);
            }
            signed(&request.body(()).unwrap().into_parts().0)
        };
        let header = |scope: &str| format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=0");
        for (scope, expected) in [
            ("a/20260101/eu-west-1/s3/aws4_request", Some("eu-west-1")),
            (
                "a/b/c/20260101/eu-west-1/s3/aws4_request",
                Some("eu-west-1"),
            ),
            ("a/20260101//s3/aws4_request", None),
            ("aws4_request", None),
        ] {
            assert_eq!(of("/b", Some(&header(scope))).as_deref(), expected);
        }
        let several = "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/s3/aws4_request, Signature=0";
        for unsigned in [None, Some("AWS a:b"), Some(several)] {
            assert_eq!(of("/b/k", unsigned), None, "{unsigned:?}");
        }
        let presigned = "/b/k?x=1&X-Amz-Credential=a%2F20260101%2Feu-west-1%2Fs3%2Faws4_request";
        assert_eq!(of(presigned, None).as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn a_new_bucket_is_in_the_region_of_the_endpoint_unless_that_is_us_east_1() {
        use Result as R;
        let of = |signed, constraint| -> R<String, String> {
            let made = of_new_bucket(signed, constraint);
            made.map_err(|error| error.code().as_str().to_owned())
        };
        let illegal = "IllegalLocationConstraintException";
        let invalid = "InvalidLocationConstraint";
        for (signed, constraint, expected) in [
            (None, None, Ok("us-east-1")),
            (None, Some("eu-west-1"), Ok("eu-west-1")),
            (Some("us-east-1"), None, Ok("us-east-1")),
            (Some("us-east-1"), Some("eu-west-1"), Ok("eu-west-1")),
            (Some("us-east-1"), Some("EU"), Ok("eu-west-1")),
            (Some("us-east-1"), Some("us-east-1"), Err(invalid)),
            (Some("us-east-1"), Some("mars"), Err(invalid)),
            (Some("us-east-1"), Some("../up"), Err(invalid)),
            (Some("us-east-1"), Some(""), Err("MalformedXML")),
            (Some("eu-west-1"), None, Err(illegal)),
            (Some("eu-west-1"), Some("eu-west-1"), Ok("eu-west-1")),
            (Some("eu-west-1"), Some("EU"), Ok("eu-west-1")),
            (Some("eu-west-1"), Some("us-west-2"), Err(illegal)),
            (Some("eu-west-1"), Some("us-east-1"), Err(illegal)),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(
                of(signed, constraint),
                expected,
                "{signed:?} {constraint:?}"
            );
        }
    }
}

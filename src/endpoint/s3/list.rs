//! Listings of objects, and what all listings share: sizes of pages, encodings and tokens.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::super::ids;
use super::super::keys::url_encode;
use super::super::store::{self, Listed, Query};
use super::Service;

/// Most lines in a page (S3 API reference).
const MAX_PAGE: usize = 1000;

impl Service {
    pub(super) async fn list(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<ListObjectsV2Output> {
        let input = request.input;
        let limit = page_size(input.max_keys, "max-keys")?;
        let encode = encoder(input.encoding_type.as_ref())?;
        let after = match &input.continuation_token {
            Some(token) => from_token(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after,
            limit,
        };
        let bucket = input.bucket.clone();
        let (objects, prefixes, last, truncated) = self
            .with_store(move |store| {
                let page = store.list_keys(&bucket, &query)?;
                let (mut objects, mut prefixes, mut last) = (Vec::new(), Vec::new(), None);
                for line in page.lines {
                    match line {
                        Listed::Item(key) => {
                            // An object deleted since the keys were read is left out.
                            objects.extend(store.find(&bucket, &key)?.map(|o| listed(o, encode)));
                            last = Some(key);
                        }
                        Listed::Prefix(prefix) => {
                            prefixes.push(CommonPrefix {
                                prefix: Some(encode(prefix.clone())),
                            });
                            last = Some(prefix);
                        }
                    }
                }
                Ok((objects, prefixes, last, page.truncated))
            })
            .await?;
        let next = last.filter(|_| truncated);
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            key_count: i32::try_from(objects.len() + prefixes.len()).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(truncated),
            next_continuation_token: next.map(|last| to_token(&last)),
            contents: Some(objects),
            common_prefixes: Some(prefixes),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(encode),
            ..Default::default()
        })
    }
}

fn listed(object: store::Object, encode: fn(String) -> String) -> Object {
    let class = object.attributes.storage_class;
    let checksum = object.checksum;
    Object {
        checksum_algorithm: Some(vec![ChecksumAlgorithm::from_static(
            checksum.algorithm.name(),
        )]),
        checksum_type: Some(ChecksumType::from_static(checksum.kind.name())),
        e_tag: Some(ETag::Strong(object.etag)),
        key: Some(encode(object.key)),
        last_modified: Some(ids::time(object.modified_ms).into()),
        size: i64::try_from(object.size).ok(),
        storage_class: Some(class.map_or(
            ObjectStorageClass::from_static(ObjectStorageClass::STANDARD),
            ObjectStorageClass::from,
        )),
        ..Default::default()
    }
}

/// The number of lines in a page; S3 never gives more than [`MAX_PAGE`].
/// Fails with `InvalidArgument` for a negative number.
pub(super) fn page_size(wanted: Option<i32>, argument: &str) -> S3Result<usize> {
    match wanted.map(usize::try_from) {
        None => Ok(MAX_PAGE),
        Some(Ok(wanted)) => Ok(wanted.min(MAX_PAGE)),
        Some(Err(_)) => Err(s3_error!(
            InvalidArgument,
            "Argument {argument} must be an integer between 0 and 2147483647"
        )),
    }
}

/// The function that writes keys in a listing.
/// Fails with `InvalidArgument` for an encoding that is not `url`.
pub(super) fn encoder(encoding: Option<&EncodingType>) -> S3Result<fn(String) -> String> {
    match encoding.map(EncodingType::as_str) {
        None => Ok(|key| key),
        Some(EncodingType::URL) => Ok(|key| url_encode(&key)),
        Some(_) => Err(s3_error!(
            InvalidArgument,
            "Invalid Encoding Method specified in Request"
        )),
    }
}

/// A token that says where a page ended.
pub(super) fn to_token(key: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(key)
}

/// The key in a token of [`to_token`].
/// Fails with `InvalidArgument` for any other text.
pub(super) fn from_token(token: &str) -> S3Result<String> {
    let key = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).ok();
    key.and_then(|key| String::from_utf8(key).ok())
        .ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "The continuation token provided is incorrect"
            )
        })
}

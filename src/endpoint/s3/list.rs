//! Listings of objects and their versions.

use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::super::ids;
use super::super::keys::url_encode;
use super::super::store::{self, Listed, Page, Query, Store};
use super::Service;

/// Most lines in a page (S3 API reference).
pub(super) const MAX_PAGE: usize = 1000;

/// The lines of one page, ready for the output.
struct Lines {
    objects: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    /// The last key or prefix, as it is.
    last: Option<String>,
    truncated: bool,
}

impl Service {
    pub(super) async fn list_v1(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        let limit = page_size(input.max_keys, "max-keys")?;
        let encode = encoder(input.encoding_type.as_ref())?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            limit,
        };
        let lines = self.list_lines(input.bucket.clone(), query, encode).await?;
        // S3 names the next marker only where the client cannot tell it from the last key.
        let next = lines
            .last
            .filter(|_| lines.truncated && input.delimiter.is_some());
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            marker: Some(encode(input.marker.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(lines.truncated),
            contents: Some(lines.objects),
            common_prefixes: Some(lines.prefixes),
            delimiter: input.delimiter.map(encode),
            next_marker: next.map(encode),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }

    pub(super) async fn list_v2(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
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
        let lines = self.list_lines(input.bucket.clone(), query, encode).await?;
        let next = lines.last.filter(|_| lines.truncated);
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            key_count: i32::try_from(lines.objects.len() + lines.prefixes.len()).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(lines.truncated),
            next_continuation_token: next.map(|last| to_token(&last)),
            contents: Some(lines.objects),
            common_prefixes: Some(lines.prefixes),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(encode),
            ..Default::default()
        })
    }

    async fn list_lines(
        &self,
        bucket: String,
        query: Query,
        encode: fn(String) -> String,
    ) -> S3Result<Lines> {
        self.with_store(move |store| {
            let page = store.list_keys(&bucket, &query)?;
            describe(store, &bucket, page, encode)
        })
        .await
    }

    pub(super) async fn list_versions(
        &self,
        input: ListObjectVersionsInput,
    ) -> S3Result<ListObjectVersionsOutput> {
        let limit = page_size(input.max_keys, "max-keys")?;
        let encode = encoder(input.encoding_type.as_ref())?;
        if input.version_id_marker.is_some() && input.key_marker.is_none() {
            return Err(s3_error!(
                InvalidArgument,
                "A version-id marker cannot be specified without a key marker."
            ));
        }
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.key_marker.clone().unwrap_or_default(),
            limit,
        };
        let (bucket, after_version) = (input.bucket.clone(), input.version_id_marker.clone());
        let page = self
            .with_store(move |store| store.list_versions(&bucket, &query, after_version.as_deref()))
            .await?;
        let (mut versions, mut prefixes) = (Vec::new(), Vec::new());
        let (mut next_key, mut next_version) = (None, None);
        for line in page.lines {
            match line {
                Listed::Item((object, newest)) => {
                    let id = object.version_id().to_owned();
                    next_key = Some(object.key.clone());
                    next_version = Some(id.clone());
                    versions.push(ObjectVersion {
                        e_tag: Some(ETag::Strong(object.etag)),
                        is_latest: Some(newest),
                        key: Some(encode(object.key)),
                        last_modified: Some(ids::time(object.modified_ms).into()),
                        size: i64::try_from(object.size).ok(),
                        version_id: Some(id),
                        ..Default::default()
                    });
                }
                Listed::Prefix(prefix) => {
                    next_key = Some(prefix.clone());
                    next_version = None;
                    prefixes.push(CommonPrefix {
                        prefix: Some(encode(prefix)),
                    });
                }
            }
        }
        Ok(ListObjectVersionsOutput {
            common_prefixes: Some(prefixes),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.truncated),
            key_marker: Some(encode(input.key_marker.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            name: Some(input.bucket),
            next_key_marker: next_key.filter(|_| page.truncated).map(encode),
            next_version_id_marker: next_version.filter(|_| page.truncated),
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            version_id_marker: input.version_id_marker,
            versions: Some(versions),
            ..Default::default()
        })
    }
}

fn describe(
    store: &Store,
    bucket: &str,
    page: Page<String>,
    encode: fn(String) -> String,
) -> S3Result<Lines> {
    let mut lines = Lines {
        objects: Vec::new(),
        prefixes: Vec::new(),
        last: None,
        truncated: page.truncated,
    };
    for line in page.lines {
        match line {
            Listed::Item(key) => {
                // An object deleted since the keys were read is left out.
                if let Some(object) = store.find(bucket, &key)? {
                    lines.objects.push(listed(object, encode));
                }
                lines.last = Some(key);
            }
            Listed::Prefix(prefix) => {
                lines.prefixes.push(CommonPrefix {
                    prefix: Some(encode(prefix.clone())),
                });
                lines.last = Some(prefix);
            }
        }
    }
    Ok(lines)
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

/// How many lines a page may have; S3 never gives more than [`MAX_PAGE`].
///
/// # Errors
///
/// `InvalidArgument` for a negative number.
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

/// How keys are written in a listing.
///
/// # Errors
///
/// `InvalidArgument` for an encoding that is not `url`.
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

/// A token that holds where a page ended.
pub(super) fn to_token(key: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(key)
}

/// What [`to_token`] holds.
///
/// # Errors
///
/// `InvalidArgument` for any other text.
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

//! Objects: put, get, head, delete, copy.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::super::checksum::{Algorithm, Hasher};
use super::super::ids;
use super::super::store::{self, Attributes, MAX_PART, Precondition, Store, blocking};
use super::Service;
use super::request::{
    Claims, ReadConditions, attributes, checksum_fields, content_length, drain, from_http_date,
    refuse_customer_key, source,
};

/// Bytes read from disk and sent at once.
const READ: usize = 1 << 20;

/// Most keys in one DeleteObjects (S3 API reference).
const MAX_DELETES: usize = 1000;

/// A version of an object, opened, and what of it was asked for.
struct Selected {
    object: store::Object,
    file: File,
    bytes: Range<u64>,
    /// Only some of the bytes, so the response is 206.
    partial: bool,
    parts: Option<i32>,
}

/// Fills the fields that GetObject and HeadObject have in common.
macro_rules! describe {
    ($output:ident, $selected:expr, $with_checksum:expr) => {{
        let selected: &Selected = $selected;
        let object = &selected.object;
        let kept = &object.attributes;
        let sum = if $with_checksum && !selected.partial {
            object.checksum.fields()
        } else {
            Checksum::default()
        };
        let length = selected.bytes.end - selected.bytes.start;
        let range = format!(
            "bytes {}-{}/{}",
            selected.bytes.start,
            selected.bytes.end.saturating_sub(1),
            object.size
        );
        $output {
            accept_ranges: Some("bytes".to_owned()),
            bucket_key_enabled: kept.bucket_key,
            cache_control: kept.cache_control.clone(),
            checksum_crc32: sum.checksum_crc32,
            checksum_crc32c: sum.checksum_crc32c,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_sha1: sum.checksum_sha1,
            checksum_sha256: sum.checksum_sha256,
            checksum_type: sum.checksum_type,
            content_disposition: kept.content_disposition.clone(),
            content_encoding: kept.content_encoding.clone(),
            content_language: kept.content_language.clone(),
            content_length: i64::try_from(length).ok(),
            content_range: selected.partial.then_some(range),
            // What S3 says when nothing was said at the upload.
            content_type: Some(
                kept.content_type
                    .clone()
                    .unwrap_or_else(|| "binary/octet-stream".to_owned()),
            ),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            expires: kept.expires.as_deref().and_then(from_http_date),
            last_modified: Some(ids::time(object.modified_ms).into()),
            metadata: Some(kept.metadata.clone().into_iter().collect()),
            parts_count: selected.parts,
            server_side_encryption: Some(encryption(kept)),
            ssekms_key_id: kept.kms_key.clone(),
            storage_class: kept
                .storage_class
                .clone()
                .filter(|class| class != StorageClass::STANDARD)
                .map(Into::into),
            version_id: object.version.clone(),
            website_redirect_location: kept.website_redirect.clone(),
            ..Default::default()
        }
    }};
}

/// What GetObject and HeadObject ask for, in the same fields.
macro_rules! select {
    ($service:expr, $input:expr) => {{
        let conditions = ReadConditions {
            if_match: $input.if_match,
            if_none_match: $input.if_none_match,
            if_modified_since: $input.if_modified_since,
            if_unmodified_since: $input.if_unmodified_since,
        };
        let (bucket, key, version) = ($input.bucket, $input.key, $input.version_id);
        $service
            .select(
                bucket,
                key,
                version,
                conditions,
                $input.range,
                $input.part_number,
            )
            .await?
    }};
}

/// The encryption S3 names in responses: its own unless another was asked for.
pub(super) fn encryption(kept: &Attributes) -> ServerSideEncryption {
    let named = kept.encryption.clone().map(ServerSideEncryption::from);
    named.unwrap_or(ServerSideEncryption::from_static(
        ServerSideEncryption::AES256,
    ))
}

impl Service {
    pub(super) async fn put(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<PutObjectOutput> {
        let mut body = request
            .input
            .body
            .take()
            .unwrap_or_else(|| s3s::Body::empty().into());
        let result = self.put_body(&mut request, &mut body).await;
        if result.is_err() {
            drain(&request.headers, &mut body).await;
        }
        result
    }

    async fn put_body(
        &self,
        request: &mut S3Request<PutObjectInput>,
        body: &mut StreamingBlob,
    ) -> S3Result<PutObjectOutput> {
        let input = &mut request.input;
        refuse_customer_key!(input);
        if input.write_offset_bytes.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "appending to an object is not offered here"
            ));
        }
        let length = content_length(input.content_length)?;
        let fields = checksum_fields!(input);
        let md5 = input.content_md5.take();
        let claims = Claims::read(&request.headers, &request.extensions, fields, md5)?;
        let attributes = attributes!(input);
        let precondition = Precondition {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };

        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let (opener, from) = (Arc::clone(&self.store), bucket.clone());
        let (sums, incoming) = store::receive(
            body,
            Hasher::new(claims.algorithm()),
            self.store.incoming(&bucket),
            move |incoming| {
                opener.bucket(&from)?;
                incoming.create()
            },
        )
        .await?;
        if sums.length != length {
            return Err(store::incomplete_body());
        }
        claims.verify(&sums)?;
        let object = self
            .with_store(move |store| {
                let object = store::Object::new(&key, &sums, attributes);
                store.commit(&bucket, object, &precondition, |path| incoming.place(path))
            })
            .await?;

        let sum = object.checksum.fields();
        Ok(PutObjectOutput {
            bucket_key_enabled: object.attributes.bucket_key,
            checksum_crc32: sum.checksum_crc32,
            checksum_crc32c: sum.checksum_crc32c,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_sha1: sum.checksum_sha1,
            checksum_sha256: sum.checksum_sha256,
            checksum_type: sum.checksum_type,
            e_tag: Some(ETag::Strong(object.etag)),
            server_side_encryption: Some(encryption(&object.attributes)),
            ssekms_key_id: object.attributes.kms_key,
            version_id: object.version,
            ..Default::default()
        })
    }

    pub(super) async fn get(&self, input: GetObjectInput) -> S3Result<GetObjectOutput> {
        refuse_customer_key!(input);
        let with_checksum = input.checksum_mode.is_some();
        let selected = select!(self, input);
        let mut output = describe!(GetObjectOutput, &selected, with_checksum);
        let tags = selected
            .object
            .attributes
            .tagging
            .as_deref()
            .map_or(0, |tags| {
                tags.split('&').filter(|tag| !tag.is_empty()).count()
            });
        output.tag_count = i32::try_from(tags).ok().filter(|tags| *tags > 0);
        output.body = Some(read_ahead(selected.file, selected.bytes));
        Ok(output)
    }

    pub(super) async fn head(&self, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
        refuse_customer_key!(input);
        let with_checksum = input.checksum_mode.is_some();
        let selected = select!(self, input);
        Ok(describe!(HeadObjectOutput, &selected, with_checksum))
    }

    async fn select(
        &self,
        bucket: String,
        key: String,
        version: Option<String>,
        conditions: ReadConditions,
        range: Option<s3s::dto::Range>,
        part: Option<i32>,
    ) -> S3Result<Selected> {
        if range.is_some() && part.is_some() {
            return Err(s3_error!(
                InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            ));
        }
        let (object, file) = self
            .with_store(move |store| store.open_object(&bucket, &key, version.as_deref()))
            .await?;
        conditions.check(&object, true)?;
        let (bytes, parts) = match (range, part) {
            (Some(range), _) => (range.check(object.size)?, None),
            (None, Some(number)) => {
                let (bytes, parts) = object.part_range(number).ok_or_else(no_such_part)?;
                (bytes, parts)
            }
            (None, None) => (0..object.size, None),
        };
        let partial = range.is_some() || (part.is_some() && object.size > 0);
        Ok(Selected {
            object,
            file,
            bytes,
            partial,
            parts,
        })
    }

    pub(super) async fn delete(&self, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        if input.if_match.is_some()
            || input.if_match_size.is_some()
            || input.if_match_last_modified_time.is_some()
        {
            return Err(s3_error!(
                NotImplemented,
                "conditional deletes are not offered here"
            ));
        }
        let version_id = input.version_id.clone();
        let deleted = self
            .with_store(move |store| {
                store.delete(&input.bucket, &input.key, input.version_id.as_deref())
            })
            .await?;
        Ok(DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            version_id,
            ..Default::default()
        })
    }

    pub(super) async fn delete_many(
        &self,
        input: DeleteObjectsInput,
    ) -> S3Result<DeleteObjectsOutput> {
        let quiet = input.delete.quiet.unwrap_or_default();
        let named = input.delete.objects;
        if named.is_empty() || named.len() > MAX_DELETES {
            return Err(s3_error!(
                MalformedXML,
                "The XML you provided was not well-formed or did not validate against our \
                 published schema: it must name 1 to 1000 objects"
            ));
        }
        self.with_store(move |store| {
            store.bucket(&input.bucket)?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in named {
                match store.delete(&input.bucket, &object.key, object.version_id.as_deref()) {
                    Ok(_) if quiet => {}
                    Ok(done) => deleted.push(DeletedObject {
                        delete_marker: done.marker.then_some(true),
                        key: Some(object.key),
                        version_id: object.version_id,
                        ..Default::default()
                    }),
                    Err(error) => errors.push(Error {
                        code: Some(error.code().as_str().to_owned()),
                        message: error.message().map(str::to_owned),
                        key: Some(object.key),
                        version_id: object.version_id,
                    }),
                }
            }
            Ok(DeleteObjectsOutput {
                deleted: (!deleted.is_empty()).then_some(deleted),
                errors: (!errors.is_empty()).then_some(errors),
                ..Default::default()
            })
        })
        .await
    }

    pub(super) async fn copy(&self, mut input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
        refuse_customer_key!(input);
        let (from_bucket, from_key, from_version) = source(&input.copy_source)?;
        let algorithm = named_algorithm(input.checksum_algorithm.as_ref())?;
        let replaced = directive(
            input
                .metadata_directive
                .as_ref()
                .map(MetadataDirective::as_str),
            "x-amz-metadata-directive",
        )?;
        let retagged = directive(
            input
                .tagging_directive
                .as_ref()
                .map(TaggingDirective::as_str),
            "x-amz-tagging-directive",
        )?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let given = attributes!(input);
        let itself = from_bucket == input.bucket && from_key == input.key;
        if itself && from_version.is_none() && !replaced && given == Attributes::default() {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself \
                 without changing the object's metadata, storage class, website redirect location \
                 or encryption attributes."
            ));
        }
        let (bucket, key) = (input.bucket, input.key);
        let (object, source_version) = self
            .with_store(move |store| {
                store.bucket(&bucket)?;
                let (found, mut file) =
                    store.open_object(&from_bucket, &from_key, from_version.as_deref())?;
                conditions.check(&found, false)?;
                if found.size > MAX_PART {
                    return Err(s3_error!(
                        InvalidRequest,
                        "The specified copy source is larger than the maximum allowable size for \
                         a copy source: {MAX_PART}"
                    ));
                }
                let incoming = store.incoming(&bucket);
                let algorithm = algorithm.unwrap_or(found.checksum.algorithm);
                let sink = &mut incoming.create()?;
                let sums = Store::copy_bytes(&mut file, 0, found.size, sink, Some(algorithm))?;
                let mut attributes = if replaced {
                    given
                } else {
                    found.attributes.copied(given)
                };
                if !replaced && !retagged {
                    attributes.tagging = found.attributes.tagging;
                }
                let object = store::Object::new(&key, &sums, attributes);
                let always = Precondition::default();
                let object = store.commit(&bucket, object, &always, |path| incoming.place(path))?;
                Ok((object, found.version))
            })
            .await?;
        let sum = object.checksum.fields();
        Ok(CopyObjectOutput {
            bucket_key_enabled: object.attributes.bucket_key,
            copy_object_result: Some(CopyObjectResult {
                checksum_crc32: sum.checksum_crc32,
                checksum_crc32c: sum.checksum_crc32c,
                checksum_crc64nvme: sum.checksum_crc64nvme,
                checksum_sha1: sum.checksum_sha1,
                checksum_sha256: sum.checksum_sha256,
                checksum_type: sum.checksum_type,
                e_tag: Some(ETag::Strong(object.etag)),
                last_modified: Some(ids::time(object.modified_ms).into()),
            }),
            copy_source_version_id: source_version,
            server_side_encryption: Some(encryption(&object.attributes)),
            ssekms_key_id: object.attributes.kms_key,
            version_id: object.version,
            ..Default::default()
        })
    }
}

/// The algorithm an `x-amz-checksum-algorithm` header names.
pub(super) fn named_algorithm(named: Option<&ChecksumAlgorithm>) -> S3Result<Option<Algorithm>> {
    named
        .map(|named| Algorithm::parse(named.as_str()))
        .transpose()
}

/// Whether a copy's directive says `REPLACE`.
fn directive(value: Option<&str>, header: &str) -> S3Result<bool> {
    match value {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(s3_error!(InvalidArgument, "Unknown {header}: {other}")),
    }
}

fn no_such_part() -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::Custom("InvalidPartNumber".into()),
        "The requested partnumber is not satisfiable",
    );
    error.set_status_code(hyper::StatusCode::RANGE_NOT_SATISFIABLE);
    error
}

/// Streams `bytes` of `file` with one read at a time.
fn read_ahead(file: File, bytes: Range<u64>) -> StreamingBlob {
    let state = Some((file, bytes));
    StreamingBlob::wrap(futures_util::stream::unfold(state, |state| async {
        let (file, bytes) = state.filter(|(_, bytes)| !bytes.is_empty())?;
        match blocking(move || read_some(file, bytes)).await {
            Ok((data, file, rest)) => Some((Ok(data), Some((file, rest)))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

fn read_some(mut file: File, bytes: Range<u64>) -> S3Result<(Bytes, File, Range<u64>)> {
    let wanted = (bytes.end - bytes.start).min(READ as u64);
    let mut data = Vec::with_capacity(READ);
    file.seek(SeekFrom::Start(bytes.start))
        .and_then(|_| (&file).take(wanted).read_to_end(&mut data))
        .map_err(|error| s3_error!(InternalError, "cannot read the object: {error}"))?;
    if data.len() as u64 != wanted {
        return Err(s3_error!(InternalError, "the object's file became shorter"));
    }
    Ok((data.into(), file, bytes.start + wanted..bytes.end))
}

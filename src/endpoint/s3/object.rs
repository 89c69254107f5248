//! Objects: put, get, head, delete, copy.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::super::checksum::Algorithm;
use super::super::faults::Copying;
use super::super::ids;
use super::super::store::{self, Attributes, MAX_PART, Precondition, Store, blocking};
use super::Service;
use super::request::{
    Claims, SourceCondition, attributes, check_match, claimed, content_length, drain,
    from_http_date, not_offered, precondition, refuse_customer_key, refuse_source_key, source,
    source_condition,
};

/// Bytes read from disk and sent at once.
const READ: usize = 1 << 20;

/// Most keys in one DeleteObjects (S3 API reference).
const MAX_DELETES: usize = 1000;

/// A version of an object, opened, and which of its bytes were asked for.
struct Selected {
    object: store::Object,
    file: File,
    bytes: Range<u64>,
    /// The request has a range, so the response is 206.
    partial: bool,
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
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_type: sum.checksum_type,
            content_disposition: kept.content_disposition.clone(),
            content_encoding: kept.content_encoding.clone(),
            content_language: kept.content_language.clone(),
            content_length: i64::try_from(length).ok(),
            content_range: selected.partial.then_some(range),
            // S3's type for an object that was uploaded without one.
            content_type: Some(
                kept.content_type
                    .clone()
                    .unwrap_or_else(|| "binary/octet-stream".to_owned()),
            ),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            expires: kept.expires.as_deref().and_then(from_http_date),
            last_modified: Some(ids::time(object.modified_ms).into()),
            metadata: Some(kept.metadata.clone().into_iter().collect()),
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

/// Opens what a GetObject or HeadObject asks for.
macro_rules! select {
    ($service:expr, $input:expr) => {{
        refuse_customer_key!($input);
        if $input.part_number.is_some() {
            return Err(not_offered("reading one part of an object"));
        }
        if $input.if_modified_since.is_some() || $input.if_unmodified_since.is_some() {
            return Err(not_offered("a condition on a date"));
        }
        let (bucket, key, version) = ($input.bucket, $input.key, $input.version_id);
        let selected = $service.select(bucket, key, version, $input.range).await?;
        check_match(&selected.object, $input.if_match.as_ref())?;
        if $input
            .if_none_match
            .is_some_and(|unwanted| selected.object.matches(&unwanted))
        {
            return Err(s3_error!(NotModified));
        }
        selected
    }};
}

/// The encryption that S3 names in responses: its own unless another was asked for.
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
        let body = request.input.body.take();
        let mut body = body.unwrap_or_else(|| s3s::Body::empty().into());
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
            return Err(not_offered("appending to an object"));
        }
        let length = content_length(input.content_length)?;
        let (claim, md5) = (claimed!(input)?, input.content_md5.take());
        let claims = Claims::read(&request.headers, &request.extensions, claim, md5)?;
        let attributes = attributes!(input);
        let precondition = Precondition {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };

        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let (opener, from) = (Arc::clone(&self.store), bucket.clone());
        let open = move |incoming: &store::Incoming| {
            opener.bucket(&from)?;
            let file = incoming.create()?;
            Ok(opener.keeps_bytes().then_some(file))
        };
        let (sums, incoming) = store::receive(body, self.store.incoming(&bucket), open).await?;
        if sums.length != length {
            return Err(store::incomplete_body());
        }
        claims.verify(&sums)?;
        let algorithm = claims.algorithm().unwrap_or(Algorithm::Crc64Nvme);
        let object = self
            .with_store(move |store| {
                let object = store::Object::with_sums(&key, &sums, algorithm, attributes);
                store.commit(&bucket, object, &precondition, |path| incoming.place(path))
            })
            .await?;

        let sum = object.checksum.fields();
        Ok(PutObjectOutput {
            bucket_key_enabled: object.attributes.bucket_key,
            checksum_crc32: sum.checksum_crc32,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_type: sum.checksum_type,
            e_tag: Some(ETag::Strong(object.etag)),
            server_side_encryption: Some(encryption(&object.attributes)),
            ssekms_key_id: object.attributes.kms_key,
            version_id: object.version,
            ..Default::default()
        })
    }

    pub(super) async fn get(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<GetObjectOutput> {
        let input = request.input;
        if !self.store.keeps_bytes() {
            return Err(discarded());
        }
        let with_checksum = input.checksum_mode.is_some();
        let selected = select!(self, input);
        let mut output = describe!(GetObjectOutput, &selected, with_checksum);
        let tags = selected.object.attributes.tagging.as_deref().map(|tags| {
            let tags = tags.split('&').filter(|tag| !tag.is_empty());
            tags.count()
        });
        output.tag_count = tags
            .and_then(|tags| i32::try_from(tags).ok())
            .filter(|tags| *tags > 0);
        output.body = Some(stream(selected.file, selected.bytes));
        Ok(output)
    }

    pub(super) async fn head(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<HeadObjectOutput> {
        let input = request.input;
        let with_checksum = input.checksum_mode.is_some();
        let selected = select!(self, input);
        Ok(describe!(HeadObjectOutput, &selected, with_checksum))
    }

    async fn select(
        &self,
        bucket: String,
        key: String,
        version: Option<String>,
        range: Option<s3s::dto::Range>,
    ) -> S3Result<Selected> {
        let (object, file) = self
            .with_store(move |store| store.open_object(&bucket, &key, version.as_deref()))
            .await?;
        let bytes = match range {
            Some(range) => range.check(object.size)?,
            None => 0..object.size,
        };
        Ok(Selected {
            object,
            file,
            bytes,
            partial: range.is_some(),
        })
    }

    pub(super) async fn delete(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<DeleteObjectOutput> {
        let input = request.input;
        if input.version_id.is_some() {
            return Err(not_offered("deleting one version of an object"));
        }
        if input.if_match.is_some()
            || input.if_match_size.is_some()
            || input.if_match_last_modified_time.is_some()
        {
            return Err(not_offered("a conditional delete"));
        }
        let marker = self
            .with_store(move |store| store.delete(&input.bucket, &input.key))
            .await?;
        Ok(DeleteObjectOutput {
            delete_marker: marker.then_some(true),
            ..Default::default()
        })
    }

    pub(super) async fn delete_many(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<DeleteObjectsOutput> {
        let input = request.input;
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
                let done = match object.version_id {
                    None => store.delete(&input.bucket, &object.key),
                    Some(_) => Err(not_offered("deleting one version of an object")),
                };
                match done {
                    Ok(_) if quiet => {}
                    Ok(marker) => deleted.push(DeletedObject {
                        delete_marker: marker.then_some(true),
                        key: Some(object.key),
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

    pub(super) async fn copy(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<CopyObjectOutput> {
        let copying = Copying::of(&request.extensions);
        let precondition = precondition(&request.headers)?;
        let mut input = request.input;
        refuse_customer_key!(input);
        refuse_source_key!(input);
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
        let condition = source_condition!(input);
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
                let from = (&*from_bucket, &*from_key, from_version.as_deref());
                let (found, mut file) = open_source(store, from, &condition)?;
                refuse_large_copy(found.size)?;
                let incoming = store.incoming(&bucket);
                let sink = &mut incoming.create()?;
                let sums = Store::copy_bytes(&mut file, 0, found.size, sink, copying.fidelity)?;
                let mut attributes = if replaced {
                    given
                } else {
                    found.attributes.copied(given)
                };
                if !retagged {
                    attributes.tagging = found.attributes.tagging;
                }
                let algorithm = algorithm.unwrap_or(found.checksum.algorithm);
                let object = store::Object::with_sums(&key, &sums, algorithm, attributes);
                let place = |path: &Path| incoming.place(path);
                let object = store.commit(&bucket, object, &precondition, place)?;
                Ok((object, found.version))
            })
            .await?;
        let sum = copying.told(object.checksum.fields());
        Ok(CopyObjectOutput {
            bucket_key_enabled: object.attributes.bucket_key,
            copy_object_result: Some(CopyObjectResult {
                checksum_crc32: sum.checksum_crc32,
                checksum_crc64nvme: sum.checksum_crc64nvme,
                checksum_type: sum.checksum_type,
                e_tag: Some(ETag::Strong(object.etag)),
                last_modified: Some(ids::time(object.modified_ms).into()),
                ..Default::default()
            }),
            copy_source_version_id: source_version,
            server_side_encryption: Some(encryption(&object.attributes)),
            ssekms_key_id: object.attributes.kms_key,
            version_id: object.version,
            ..Default::default()
        })
    }
}

/// Opens the source of a copy: bucket, key and version.
pub(super) fn open_source(
    store: &Store,
    (bucket, key, version): (&str, &str, Option<&str>),
    condition: &SourceCondition,
) -> S3Result<(store::Object, File)> {
    if !store.keeps_bytes() {
        return Err(discarded());
    }
    let (object, file) = store.open_object(bucket, key, version)?;
    condition.check(&object)?;
    Ok((object, file))
}

fn discarded() -> s3s::S3Error {
    not_offered("reading objects from a store that discards their bytes")
}

/// Fails with `InvalidRequest` above 5 GiB.
pub(super) fn refuse_large_copy(length: u64) -> S3Result<()> {
    if length > MAX_PART {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy \
             source: {MAX_PART}"
        ));
    }
    Ok(())
}

/// The algorithm that an `x-amz-checksum-algorithm` header names.
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

/// Streams `bytes` of `file`, one block at a time.
fn stream(file: File, bytes: Range<u64>) -> StreamingBlob {
    let state = Some((file, bytes));
    StreamingBlob::wrap(futures_util::stream::unfold(state, |state| async {
        let (file, bytes) = state.filter(|(_, bytes)| !bytes.is_empty())?;
        match blocking(move || read_block(file, bytes)).await {
            Ok((data, file, rest)) => Some((Ok(data), Some((file, rest)))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

fn read_block(mut file: File, bytes: Range<u64>) -> S3Result<(Bytes, File, Range<u64>)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_copy_has_at_most_5_gib() {
        refuse_large_copy(5 << 30).unwrap();
        let refused = refuse_large_copy((5 << 30) + 1).unwrap_err();
        assert_eq!(refused.code().as_str(), "InvalidRequest");
    }
}

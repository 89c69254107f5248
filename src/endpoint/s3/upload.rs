//! Multipart uploads.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::super::checksum::{self, Hasher, Kind};
use super::super::ids;
use super::super::store::{
    self, Completion, CompletionPart, Declared, Listed, MAX_PART, MIN_PART, Precondition, Query,
    Store, UploadSpec,
};
use super::Service;
use super::list::{encoder, page_size};
use super::object::{encryption, named_algorithm};
use super::request::{
    Claims, ReadConditions, attributes, checksum_fields, content_length, drain,
    refuse_customer_key, source,
};

impl Service {
    pub(super) async fn begin(
        &self,
        mut input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        refuse_customer_key!(input);
        let declared = declared(
            input.checksum_algorithm.as_ref(),
            input.checksum_type.as_ref(),
        )?;
        let spec = UploadSpec {
            key: input.key.clone(),
            initiated_ms: ids::now_ms(),
            declared,
            attributes: attributes!(input),
        };
        let bucket = input.bucket.clone();
        let upload = self
            .with_store(move |store| store.begin_upload(&bucket, spec))
            .await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            bucket_key_enabled: upload.spec.attributes.bucket_key,
            checksum_algorithm: algorithm_name(declared),
            checksum_type: kind_name(declared),
            key: Some(input.key),
            server_side_encryption: Some(encryption(&upload.spec.attributes)),
            ssekms_key_id: upload.spec.attributes.kms_key.clone(),
            upload_id: Some(upload.id.clone()),
            ..Default::default()
        })
    }

    pub(super) async fn put_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let mut body = request
            .input
            .body
            .take()
            .unwrap_or_else(|| s3s::Body::empty().into());
        let result = self.put_part_body(&mut request, &mut body).await;
        if result.is_err() {
            drain(&request.headers, &mut body).await;
        }
        result
    }

    async fn put_part_body(
        &self,
        request: &mut S3Request<UploadPartInput>,
        body: &mut StreamingBlob,
    ) -> S3Result<UploadPartOutput> {
        let input = &mut request.input;
        refuse_customer_key!(input);
        let length = content_length(input.content_length)?;
        let fields = checksum_fields!(input);
        let md5 = input.content_md5.take();
        let claims = Claims::read(&request.headers, &request.extensions, fields, md5)?;
        let (bucket, key, id) = (&input.bucket, &input.key, &input.upload_id);
        let upload = self.store.upload(bucket, key, id)?;
        upload.check_claim(claims.algorithm())?;
        let slot = upload.claim(input.part_number, length)?;
        let hasher = Hasher::new(upload.algorithm(claims.algorithm()));
        let (sums, slot) = store::receive(body, hasher, slot, |slot| slot.open()).await?;
        claims.verify(&sums)?;
        let keeper = Arc::clone(&upload);
        let part = store::blocking(move || keeper.accept(slot, &sums)).await?;

        let sum = part.checksum.fields();
        Ok(UploadPartOutput {
            bucket_key_enabled: upload.spec.attributes.bucket_key,
            checksum_crc32: sum.checksum_crc32,
            checksum_crc32c: sum.checksum_crc32c,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_sha1: sum.checksum_sha1,
            checksum_sha256: sum.checksum_sha256,
            e_tag: Some(ETag::Strong(part.etag)),
            server_side_encryption: Some(encryption(&upload.spec.attributes)),
            ssekms_key_id: upload.spec.attributes.kms_key.clone(),
            ..Default::default()
        })
    }

    pub(super) async fn copy_part(
        &self,
        mut input: UploadPartCopyInput,
    ) -> S3Result<UploadPartCopyOutput> {
        refuse_customer_key!(input);
        let (from_bucket, from_key, from_version) = source(&input.copy_source)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        self.with_store(move |store| {
            let upload = store.upload(&input.bucket, &input.key, &input.upload_id)?;
            let (found, mut file) =
                store.open_object(&from_bucket, &from_key, from_version.as_deref())?;
            conditions.check(&found, false)?;
            let (start, length) = match &input.copy_source_range {
                Some(range) => copy_range(range, found.size)?,
                None => (0, found.size),
            };
            if length > MAX_PART {
                return Err(s3_error!(
                    InvalidRequest,
                    "The specified copy source is larger than the maximum allowable size for a \
                     copy source: {MAX_PART}"
                ));
            }
            let slot = upload.claim(input.part_number, length)?;
            let sink = &mut slot.open()?;
            let algorithm = upload.algorithm(None);
            let sums = Store::copy_bytes(&mut file, start, length, sink, algorithm)?;
            let part = upload.accept(slot, &sums)?;
            // Without a declared algorithm S3 names no checksum here.
            let sum = upload
                .spec
                .declared
                .map(|_| part.checksum.fields())
                .unwrap_or_default();
            Ok(UploadPartCopyOutput {
                copy_part_result: Some(CopyPartResult {
                    checksum_crc32: sum.checksum_crc32,
                    checksum_crc32c: sum.checksum_crc32c,
                    checksum_crc64nvme: sum.checksum_crc64nvme,
                    checksum_sha1: sum.checksum_sha1,
                    checksum_sha256: sum.checksum_sha256,
                    e_tag: Some(ETag::Strong(part.etag)),
                    last_modified: Some(ids::time(part.modified_ms).into()),
                }),
                copy_source_version_id: found.version,
                server_side_encryption: Some(encryption(&upload.spec.attributes)),
                ssekms_key_id: upload.spec.attributes.kms_key.clone(),
                ..Default::default()
            })
        })
        .await
    }

    pub(super) async fn complete(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let mut input = request.input;
        refuse_customer_key!(input);
        let named = input
            .multipart_upload
            .take()
            .and_then(|upload| upload.parts);
        let wanted = Completion {
            parts: named
                .unwrap_or_default()
                .into_iter()
                .map(completion_part)
                .collect::<S3Result<_>>()?,
            checksum: checksum::only_one(checksum_fields!(input))?,
            kind: input
                .checksum_type
                .as_ref()
                .map(|kind| Kind::parse(kind.as_str()))
                .transpose()?,
            size: input.mpu_object_size.map(object_size).transpose()?,
            precondition: Precondition {
                if_match: input.if_match.take(),
                if_none_match: input.if_none_match.take(),
            },
        };
        let (bucket, key) = (input.bucket, input.key);
        let host = request
            .headers
            .get(hyper::header::HOST)
            .and_then(|host| host.to_str().ok());
        let location = format!("http://{}/{bucket}/{key}", host.unwrap_or("127.0.0.1"));
        let (in_bucket, of_key, id) = (bucket.clone(), key.clone(), input.upload_id);
        let object = self
            .with_store(move |store| store.complete_upload(&in_bucket, &of_key, &id, &wanted))
            .await?;
        let sum = object.checksum.fields();
        Ok(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            bucket_key_enabled: object.attributes.bucket_key,
            checksum_crc32: sum.checksum_crc32,
            checksum_crc32c: sum.checksum_crc32c,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_sha1: sum.checksum_sha1,
            checksum_sha256: sum.checksum_sha256,
            checksum_type: sum.checksum_type,
            e_tag: Some(ETag::Strong(object.etag)),
            key: Some(key),
            location: Some(location),
            server_side_encryption: Some(encryption(&object.attributes)),
            ssekms_key_id: object.attributes.kms_key,
            version_id: object.version,
            ..Default::default()
        })
    }

    pub(super) async fn abort(
        &self,
        input: AbortMultipartUploadInput,
    ) -> S3Result<AbortMultipartUploadOutput> {
        self.with_store(move |store| {
            store.abort_upload(&input.bucket, &input.key, &input.upload_id)
        })
        .await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let limit = page_size(input.max_parts, "max-parts")?;
        let marker = match input.part_number_marker {
            None => 0,
            Some(marker) if marker < 0 => {
                return Err(s3_error!(
                    InvalidArgument,
                    "Argument part-number-marker must be an integer between 0 and 2147483647"
                ));
            }
            Some(marker) => u16::try_from(marker).unwrap_or(u16::MAX),
        };
        let upload = self
            .store
            .upload(&input.bucket, &input.key, &input.upload_id)?;
        let (parts, truncated) = upload.parts(marker, limit);
        let last = parts.last().map(|part| i32::from(part.number));
        let declared = upload.spec.declared;
        let parts = parts.into_iter().map(|part| {
            let sum = declared.map(|_| part.checksum.fields()).unwrap_or_default();
            Part {
                checksum_crc32: sum.checksum_crc32,
                checksum_crc32c: sum.checksum_crc32c,
                checksum_crc64nvme: sum.checksum_crc64nvme,
                checksum_sha1: sum.checksum_sha1,
                checksum_sha256: sum.checksum_sha256,
                e_tag: Some(ETag::Strong(part.etag)),
                last_modified: Some(ids::time(part.modified_ms).into()),
                part_number: Some(part.number.into()),
                size: i64::try_from(part.size).ok(),
            }
        });
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            checksum_algorithm: algorithm_name(declared),
            checksum_type: kind_name(declared),
            is_truncated: Some(truncated),
            key: Some(input.key),
            max_parts: i32::try_from(limit).ok(),
            next_part_number_marker: last,
            part_number_marker: Some(i32::from(marker)),
            parts: Some(parts.collect()),
            storage_class: Some(upload.spec.attributes.storage_class.clone().map_or(
                StorageClass::from_static(StorageClass::STANDARD),
                Into::into,
            )),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }

    pub(super) async fn uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let limit = page_size(input.max_uploads, "max-uploads")?;
        let encode = encoder(input.encoding_type.as_ref())?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.key_marker.clone().unwrap_or_default(),
            limit,
        };
        let (bucket, after_id) = (input.bucket.clone(), input.upload_id_marker.clone());
        let page = self
            .with_store(move |store| store.list_uploads(&bucket, &query, after_id.as_deref()))
            .await?;
        let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
        let (mut next_key, mut next_id) = (None, None);
        for line in page.lines {
            match line {
                Listed::Item(upload) => {
                    next_key = Some(upload.spec.key.clone());
                    next_id = Some(upload.id.clone());
                    uploads.push(MultipartUpload {
                        checksum_algorithm: algorithm_name(upload.spec.declared),
                        checksum_type: kind_name(upload.spec.declared),
                        initiated: Some(ids::time(upload.spec.initiated_ms).into()),
                        key: Some(encode(upload.spec.key.clone())),
                        upload_id: Some(upload.id.clone()),
                        ..Default::default()
                    });
                }
                Listed::Prefix(prefix) => {
                    next_key = Some(prefix.clone());
                    next_id = None;
                    prefixes.push(CommonPrefix {
                        prefix: Some(encode(prefix)),
                    });
                }
            }
        }
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            common_prefixes: Some(prefixes),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.truncated),
            key_marker: input.key_marker.map(encode),
            max_uploads: i32::try_from(limit).ok(),
            next_key_marker: next_key.filter(|_| page.truncated).map(encode),
            next_upload_id_marker: next_id.filter(|_| page.truncated),
            prefix: input.prefix.map(encode),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(uploads),
            ..Default::default()
        })
    }
}

/// The checksum an upload is created with.
fn declared(
    algorithm: Option<&ChecksumAlgorithm>,
    kind: Option<&ChecksumType>,
) -> S3Result<Option<Declared>> {
    let kind = kind.map(|kind| Kind::parse(kind.as_str())).transpose()?;
    let Some(algorithm) = named_algorithm(algorithm)? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(s3_error!(
                InvalidRequest,
                "The x-amz-checksum-type header can only be used with the \
                 x-amz-checksum-algorithm header."
            )),
        };
    };
    let kind = kind.unwrap_or(algorithm.default_kind());
    if !algorithm.allows(kind) {
        return Err(s3_error!(
            InvalidRequest,
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.name().to_ascii_lowercase()
        ));
    }
    Ok(Some(Declared { algorithm, kind }))
}

fn algorithm_name(declared: Option<Declared>) -> Option<ChecksumAlgorithm> {
    declared.map(|declared| ChecksumAlgorithm::from_static(declared.algorithm.name()))
}

fn kind_name(declared: Option<Declared>) -> Option<ChecksumType> {
    declared.map(|declared| ChecksumType::from_static(declared.kind.name()))
}

fn completion_part(mut part: CompletedPart) -> S3Result<CompletionPart> {
    let checksum = checksum::only_one(checksum_fields!(part))?;
    match (part.part_number, part.e_tag) {
        (Some(number), Some(etag)) => Ok(CompletionPart {
            number,
            etag: etag.into_value(),
            checksum,
        }),
        _ => Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published \
             schema: a part needs PartNumber and ETag"
        )),
    }
}

fn object_size(size: i64) -> S3Result<u64> {
    u64::try_from(size).map_err(|_| {
        s3_error!(
            InvalidRequest,
            "Value for x-amz-mp-object-size header is invalid: {size}"
        )
    })
}

/// Start and length of a copy's `bytes=FIRST-LAST`.
///
/// Both ends must be given and lie in the source, which must be larger than 5 MiB (UploadPartCopy
/// in the S3 API reference).
fn copy_range(range: &str, size: u64) -> S3Result<(u64, u64)> {
    let ends = range
        .strip_prefix("bytes=")
        .and_then(|ends| ends.split_once('-'));
    let parsed = ends
        .and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    let Some((first, last)) = parsed.filter(|(first, last)| first <= last) else {
        return Err(s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy"
        ));
    };
    if last >= size {
        return Err(s3_error!(
            InvalidArgument,
            "Range specified is not valid for source object of size: {size}"
        ));
    }
    if size <= MIN_PART {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy source is not supported as a byte-range copy source"
        ));
    }
    Ok((first, last - first + 1))
}

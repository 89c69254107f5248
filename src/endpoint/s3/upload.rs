//! Multipart uploads.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::super::checksum::{Algorithm, Kind};
use super::super::faults::Copying;
use super::super::ids;
use super::super::store::{
    self, Completion, CompletionPart, Declared, Listed, MIN_PART, Precondition, Query, Store,
    UploadSpec,
};
use super::Service;
use super::list::{encoder, page_size};
use super::object::{encryption, named_algorithm, open_source, refuse_large_copy};
use super::request::{
    Claims, attributes, claimed, content_length, drain, not_offered, refuse_customer_key,
    refuse_source_key, source, source_condition,
};

impl Service {
    pub(super) async fn begin(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let mut input = request.input;
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
        let body = request.input.body.take();
        let mut body = body.unwrap_or_else(|| s3s::Body::empty().into());
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
        let (claim, md5) = (claimed!(input)?, input.content_md5.take());
        let claims = Claims::read(&request.headers, &request.extensions, claim, md5)?;
        let (bucket, key, id) = (&input.bucket, &input.key, &input.upload_id);
        let upload = self.store.upload(bucket, key, id)?;
        upload.check_claim(claims.algorithm())?;
        let slot = upload.claim(input.part_number, length)?;
        let keeps = self.store.keeps_bytes();
        let open = move |slot: &store::Slot| slot.open().map(|file| keeps.then_some(file));
        let (sums, slot) = store::receive(body, slot, open).await?;
        claims.verify(&sums)?;
        let keeper = Arc::clone(&upload);
        let part = store::blocking(move || keeper.accept(slot, sums)).await?;

        let declared = upload.spec.declared.map(|declared| declared.algorithm);
        let algorithm = declared.or(claims.algorithm());
        let sum = part
            .sums
            .checksum(algorithm.unwrap_or(Algorithm::Crc64Nvme));
        let sum = sum.fields();
        Ok(UploadPartOutput {
            bucket_key_enabled: upload.spec.attributes.bucket_key,
            checksum_crc32: sum.checksum_crc32,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            e_tag: Some(ETag::Strong(part.sums.etag())),
            server_side_encryption: Some(encryption(&upload.spec.attributes)),
            ssekms_key_id: upload.spec.attributes.kms_key.clone(),
            ..Default::default()
        })
    }

    pub(super) async fn copy_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let copying = Copying::of(&request.extensions);
        let mut input = request.input;
        refuse_customer_key!(input);
        refuse_source_key!(input);
        let (from_bucket, from_key, from_version) = source(&input.copy_source)?;
        let condition = source_condition!(input);
        self.with_store(move |store| {
            let upload = store.upload(&input.bucket, &input.key, &input.upload_id)?;
            let from = (&*from_bucket, &*from_key, from_version.as_deref());
            let (found, mut file) = open_source(store, from, &condition)?;
            let (start, length) = match &input.copy_source_range {
                Some(range) => copy_range(range, found.size)?,
                None => (0, found.size),
            };
            refuse_large_copy(length)?;
            let slot = upload.claim(input.part_number, length)?;
            let sink = &mut slot.open()?;
            let sums = Store::copy_bytes(&mut file, start, length, sink, copying.fidelity)?;
            let part = upload.accept(slot, sums)?;
            let sum = copying.told(declared_sum(upload.spec.declared, &part));
            Ok(UploadPartCopyOutput {
                copy_part_result: Some(CopyPartResult {
                    checksum_crc32: sum.checksum_crc32,
                    checksum_crc64nvme: sum.checksum_crc64nvme,
                    e_tag: Some(ETag::Strong(part.sums.etag())),
                    last_modified: Some(ids::time(part.modified_ms).into()),
                    ..Default::default()
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
            checksum: claimed!(input)?,
            kind: input
                .checksum_type
                .as_ref()
                .map(|kind| Kind::parse(kind.as_str()))
                .transpose()?,
            size: input.mpu_object_size,
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
            checksum_crc64nvme: sum.checksum_crc64nvme,
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
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let input = request.input;
        self.with_store(move |store| {
            store.abort_upload(&input.bucket, &input.key, &input.upload_id)
        })
        .await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let limit = page_size(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or_default();
        let marker = u16::try_from(marker).unwrap_or(u16::MAX);
        let upload = self
            .store
            .upload(&input.bucket, &input.key, &input.upload_id)?;
        let (parts, truncated) = upload.parts(marker, limit);
        let last = parts.last().map(|part| i32::from(part.number));
        let declared = upload.spec.declared;
        let parts = parts.into_iter().map(|part| {
            let sum = declared_sum(declared, &part);
            Part {
                checksum_crc32: sum.checksum_crc32,
                checksum_crc64nvme: sum.checksum_crc64nvme,
                e_tag: Some(ETag::Strong(part.sums.etag())),
                last_modified: Some(ids::time(part.modified_ms).into()),
                part_number: Some(part.number.into()),
                size: i64::try_from(part.size()).ok(),
                ..Default::default()
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
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let input = request.input;
        if input.delimiter.is_some() {
            return Err(not_offered("a delimiter in a listing of uploads"));
        }
        let limit = page_size(input.max_uploads, "max-uploads")?;
        let encode = encoder(input.encoding_type.as_ref())?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            after: input.key_marker.clone().unwrap_or_default(),
            limit,
            ..Query::default()
        };
        let (bucket, after_id) = (input.bucket.clone(), input.upload_id_marker.clone());
        let page = self
            .with_store(move |store| store.list_uploads(&bucket, &query, after_id.as_deref()))
            .await?;
        let uploads: Vec<Arc<store::Upload>> = page
            .lines
            .into_iter()
            .filter_map(|line| match line {
                Listed::Item(upload) => Some(upload),
                Listed::Prefix(_) => None,
            })
            .collect();
        let last = uploads.last().filter(|_| page.truncated).map(Arc::clone);
        let uploads = uploads.iter().map(|upload| MultipartUpload {
            checksum_algorithm: algorithm_name(upload.spec.declared),
            checksum_type: kind_name(upload.spec.declared),
            initiated: Some(ids::time(upload.spec.initiated_ms).into()),
            key: Some(encode(upload.spec.key.clone())),
            upload_id: Some(upload.id.clone()),
            ..Default::default()
        });
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.truncated),
            key_marker: input.key_marker.map(encode),
            max_uploads: i32::try_from(limit).ok(),
            next_key_marker: last.as_ref().map(|last| encode(last.spec.key.clone())),
            next_upload_id_marker: last.map(|last| last.id.clone()),
            prefix: input.prefix.map(encode),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(uploads.collect()),
            ..Default::default()
        })
    }
}

/// The checksum that S3 names for a part: none unless the upload declares an algorithm.
fn declared_sum(declared: Option<Declared>, part: &store::Part) -> Checksum {
    declared
        .map(|declared| part.sums.checksum(declared.algorithm).fields())
        .unwrap_or_default()
}

/// The checksum that a CreateMultipartUpload declares.
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
    let checksum = claimed!(part)?;
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

/// Start and length of a copy's `bytes=FIRST-LAST`.
///
/// Both ends must be given and lie in the source, which must be larger than 5 MiB (UploadPartCopy
/// in the S3 API reference).
fn copy_range(range: &str, size: u64) -> S3Result<(u64, u64)> {
    // A number may have a sign when Rust parses it.
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let ends = range
        .strip_prefix("bytes=")
        .and_then(|ends| ends.split_once('-'));
    let parsed = ends.and_then(|(first, last)| Some((number(first)?, number(last)?)));
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

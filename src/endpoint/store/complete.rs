//! Turns the parts of an upload into an object: first every check that S3 makes, then as little
//! copying as possible.
//!
//! Rules: CompleteMultipartUpload in the S3 API reference, "Checking object integrity in Amazon
//! S3" in the user guide.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use s3s::{S3Result, s3_error};

use super::super::checksum::{self, Algorithm, Checksum, Claim, Kind};
use super::object::Origin;
use super::upload::{Declared, Part, State, no_such_upload};
use super::{MIN_PART, Object, Precondition, Store, Upload, disk, lock, open_at};

/// What a client asks to be completed.
#[derive(Debug, Default)]
pub(in crate::endpoint) struct Completion {
    pub(in crate::endpoint) parts: Vec<CompletionPart>,
    /// The checksum of the object.
    pub(in crate::endpoint) checksum: Option<Claim>,
    pub(in crate::endpoint) kind: Option<Kind>,
    /// The size of the object in bytes.
    pub(in crate::endpoint) size: Option<i64>,
    pub(in crate::endpoint) precondition: Precondition,
}

/// A part as the client names it.
#[derive(Debug)]
pub(in crate::endpoint) struct CompletionPart {
    pub(in crate::endpoint) number: i32,
    /// Without quotes.
    pub(in crate::endpoint) etag: String,
    pub(in crate::endpoint) checksum: Option<Claim>,
}

impl Store {
    /// Completes an upload. A completed upload no longer exists, so a second Complete fails, unless
    /// the store [repeats](super::Behavior) the first one's answer.
    /// Fails with `NoSuchUpload`, `MalformedXML`, `InvalidPartOrder`, `InvalidPart`,
    /// `EntityTooSmall`, `InvalidRequest`, `BadDigest`, `PreconditionFailed`.
    pub(in crate::endpoint) fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        wanted: &Completion,
    ) -> S3Result<Object> {
        check_order(&wanted.parts)?;
        let Ok(upload) = self.upload(bucket, key, id) else {
            return self.completed_before(bucket, key, id, wanted);
        };
        let _ending = lock(&upload.ending);
        if self.upload(bucket, key, id).is_err() {
            return self.completed_before(bucket, key, id, wanted);
        }
        let (parts, being_written) = {
            let mut state = lock(&upload.state);
            let parts = pick(&upload, &state, &wanted.parts)?;
            let first = parts.first().map_or(0, Part::size);
            state.ended = true;
            (parts, state.busy.iter().any(|(size, _)| *size == first))
        };
        let done = self.complete_parts(&upload, &parts, being_written, wanted);
        match done {
            Ok(object) => {
                self.forget_upload(&upload)?;
                Ok(object)
            }
            Err(error) => {
                lock(&upload.state).ended = false;
                Err(error)
            }
        }
    }

    fn complete_parts(
        &self,
        upload: &Upload,
        parts: &[Part],
        being_written: bool,
        wanted: &Completion,
    ) -> S3Result<Object> {
        let size = check_sizes(parts, wanted.size)?;
        let checksum = object_checksum(upload, parts, wanted)?;
        let etag = checksum::multipart_etag(parts.iter().map(|part| &part.sums));
        let object = Object::joined(
            &upload.spec.key,
            size,
            etag,
            checksum,
            upload.spec.attributes.clone(),
            Origin {
                upload: upload.id.clone(),
                parts: parts
                    .iter()
                    .map(|part| (part.number, part.sums.etag()))
                    .collect(),
            },
        );
        if !self.keeps_bytes() {
            return self.commit(&upload.bucket, object, &wanted.precondition, |path| {
                File::create(path).map(drop).map_err(disk(path))
            });
        }
        // An attempt that still writes a part could write into the finished object.
        if is_even(parts) && !being_written {
            self.commit(&upload.bucket, object, &wanted.precondition, |path| {
                join_in_place(upload, parts, size, path)
            })
        } else {
            let joined = self.incoming(&upload.bucket);
            let mut file = joined.create()?;
            for part in parts {
                copy_part(upload, part, &mut file).map_err(disk(&upload.dir))?;
            }
            self.commit(&upload.bucket, object, &wanted.precondition, |path| {
                joined.place(path)
            })
        }
    }

    fn completed_before(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        wanted: &Completion,
    ) -> S3Result<Object> {
        let same = |object: &Object| {
            object.origin.as_ref().is_some_and(|origin| {
                origin.upload == id
                    && origin.parts.len() == wanted.parts.len()
                    && origin
                        .parts
                        .iter()
                        .zip(&wanted.parts)
                        .all(|((number, etag), part)| {
                            i32::from(*number) == part.number && *etag == part.etag
                        })
            })
        };
        self.find(bucket, key)?
            .filter(|object| self.behavior.repeats_completes && same(object))
            .ok_or_else(no_such_upload)
    }
}

fn check_order(parts: &[CompletionPart]) -> S3Result<()> {
    if parts.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published \
             schema: it lists no parts"
        ));
    }
    if parts.windows(2).all(|pair| pair[0].number < pair[1].number) {
        return Ok(());
    }
    Err(s3_error!(
        InvalidPartOrder,
        "The list of parts was not in ascending order. Parts must be ordered by part number."
    ))
}

/// Finds the named parts among the accepted ones.
fn pick(upload: &Upload, state: &State, wanted: &[CompletionPart]) -> S3Result<Vec<Part>> {
    let composite = upload
        .spec
        .declared
        .filter(|declared| declared.kind == Kind::Composite);
    let invalid = |number: i32| {
        s3_error!(
            InvalidPart,
            "One or more of the specified parts could not be found. The part may not have been \
             uploaded, or the specified entity tag or checksum may not match the part's: {number}"
        )
    };
    let mut parts = Vec::with_capacity(wanted.len());
    for (position, named) in wanted.iter().enumerate() {
        let number = u16::try_from(named.number).map_err(|_| invalid(named.number))?;
        let part = state
            .parts
            .get(&number)
            .filter(|part| part.sums.etag() == named.etag)
            .ok_or_else(|| invalid(named.number))?;
        if let Some((algorithm, value)) = &named.checksum {
            if part.sums.checksum(*algorithm).value != *value {
                return Err(invalid(named.number));
            }
        } else if let Some(declared) = composite {
            return Err(s3_error!(
                InvalidRequest,
                "The upload was created using a {} checksum. The complete request must include \
                 the checksum for each part. It was missing for part {number} in the request.",
                declared.algorithm.name().to_ascii_lowercase()
            ));
        }
        if composite.is_some() && usize::from(number) != position + 1 {
            // The user guide says that S3 answers part numbers with gaps with a 500 here.
            return Err(s3_error!(
                InternalError,
                "Parts with a composite checksum must be numbered consecutively from 1."
            ));
        }
        parts.push(part.clone());
    }
    Ok(parts)
}

/// The object's size, after checking it and the sizes of its parts.
fn check_sizes(parts: &[Part], wanted: Option<i64>) -> S3Result<u64> {
    if let Some((_, but_last)) = parts.split_last()
        && let Some(small) = but_last.iter().find(|part| part.size() < MIN_PART)
    {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size: part {} has {} bytes",
            small.number,
            small.size()
        ));
    }
    let size = parts.iter().map(Part::size).sum();
    match wanted {
        Some(wanted) if u64::try_from(wanted) != Ok(size) => Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value {wanted} does not match what was \
             computed: {size}"
        )),
        _ => Ok(size),
    }
}

/// The object's checksum, after comparing it with the one claimed.
fn object_checksum(upload: &Upload, parts: &[Part], wanted: &Completion) -> S3Result<Checksum> {
    let Declared { algorithm, kind } = upload.spec.declared.unwrap_or(Declared {
        algorithm: Algorithm::Crc64Nvme,
        kind: Kind::FullObject,
    });
    if wanted.kind.is_some_and(|wanted| wanted != kind) {
        return Err(s3_error!(
            InvalidRequest,
            "The upload was created using the {} checksum mode. The complete request must use the \
             same checksum mode.",
            kind.name()
        ));
    }
    let computed = checksum::of_object(algorithm, kind, parts.iter().map(|part| &part.sums));
    match &wanted.checksum {
        Some((algorithm, _)) if *algorithm != computed.algorithm => Err(s3_error!(
            InvalidRequest,
            "The upload was created using the {} checksum. The complete request must use the same \
             checksum.",
            computed.algorithm.name()
        )),
        Some((algorithm, value)) if *value != computed.value => Err(checksum::mismatch(*algorithm)),
        _ => Ok(computed),
    }
}

/// Whether the parts are numbered from 1 without gaps and all but the last are of one size.
fn is_even(parts: &[Part]) -> bool {
    let numbered = parts
        .iter()
        .zip(1u16..)
        .all(|(part, number)| part.number == number);
    let sized = parts.split_last().is_none_or(|(_, but_last)| {
        but_last
            .windows(2)
            .all(|pair| pair[0].size() == pair[1].size())
    });
    numbered && sized
}

/// Turns the file shared by the parts of the first part's size into the object at `path`: copies the
/// parts that lie elsewhere (usually only the last one, which is shorter) to their places, and cuts
/// off the parts that the client did not name.
fn join_in_place(upload: &Upload, parts: &[Part], size: u64, path: &Path) -> S3Result<()> {
    let join = || {
        let even = parts.first().map_or(0, Part::size);
        let base = upload.shared_file(even);
        let mut start = 0;
        for part in parts {
            if part.own_file.is_some() || part.size() != even {
                copy_part(upload, part, &mut open_at(&base, start)?)?;
            }
            start += part.size();
        }
        open_at(&base, 0)?.set_len(size)?;
        fs::rename(&base, path)
    };
    join().map_err(disk(path))
}

/// Copies a part to the position of `target`. On Linux the kernel copies.
fn copy_part(upload: &Upload, part: &Part, target: &mut File) -> io::Result<()> {
    let (path, offset) = upload.place(part);
    let mut source = File::open(path)?;
    source.seek(SeekFrom::Start(offset))?;
    if io::copy(&mut source.take(part.size()), target)? == part.size() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

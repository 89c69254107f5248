//! The revision that `deploy` deploys, in each of the forms in which the command line may name it.

use hoist::aws::codedeploy::{BadObject, Named, Registration};
use hoist::aws::s3::{S3Location, S3Prefix};
use hoist::bundle::BundleType;
use hoist::deploy::{Latest, Wanted};

use super::structure::Structure;
use crate::cli::Failure;

/// What the command line names as the revision.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Revision(Wanted),
    /// An object whose ETag is to be looked up.
    Url(Registration),
}

/// An object, as a URL or in shorthand.
pub(crate) fn of_location(option: &str, text: &str) -> Result<Asked, Failure> {
    if text.trim_start().starts_with('{') {
        let object = of_object(option, Structure::read(option, text)?)?;
        return Ok(Asked::Revision(Wanted::Object(object)));
    }
    let named: Named = text.parse().map_err(|error| match error {
        BadObject::Location(_) => Failure::usage(format!(
            "{option} must be s3://<bucket>/<key>, or \
             bucket=<bucket>,key=<key>,bundleType=<type>,eTag=<ETag>,version=<version>"
        )),
        BadObject::Twice(name) => Failure::usage(format!("{option} names {name} twice")),
        error => Failure::usage(error),
    })?;
    let bundle_type = named.bundle_type;
    let bundle_type = bundle_type.or_else(|| BundleType::of_name(&named.location.key));
    let registration = Registration {
        bundle_type: bundle_type.unwrap_or_default(),
        etag: named.etag,
        version: named.version,
        location: named.location,
    };
    match text.starts_with("s3://") {
        true => Ok(Asked::Url(registration)),
        false => Ok(Asked::Revision(Wanted::Object(registration))),
    }
}

/// The newest revision, among those below a prefix if one is given.
pub(crate) fn latest(prefix: &str) -> Result<Asked, Failure> {
    let mut latest = Latest::default();
    if !prefix.is_empty() {
        let place: S3Prefix = prefix
            .parse()
            .map_err(|_| Failure::usage("--latest takes =s3://<bucket>/<prefix>, or no value"))?;
        latest.bucket = Some(place.bucket);
        latest.prefix = Some(place.prefix).filter(|prefix| !prefix.is_empty());
    }
    Ok(Asked::Revision(Wanted::Latest(latest)))
}

/// The object that `--revision` names.
pub(crate) fn of_structure(text: &str) -> Result<Asked, Failure> {
    const OPTION: &str = "--revision";
    let mut revision = Structure::read(OPTION, text)?;
    let elsewhere = || {
        Failure::usage(
            "--revision: hoist deploys revisions in S3; aws deploy create-deployment deploys those of \
             GitHub and the text of an AppSpec file",
        )
    };
    match revision.text("revisionType")?.as_deref() {
        None | Some("S3") => {}
        Some(_) => return Err(elsewhere()),
    }
    let object = revision.structure("s3Location")?.ok_or_else(elsewhere)?;
    revision.end()?;
    let object = of_object(OPTION, object)?;
    Ok(Asked::Revision(Wanted::Object(object)))
}

fn of_object(option: &str, mut object: Structure) -> Result<Registration, Failure> {
    let missing = |name| Failure::usage(format!("{option}: the object has no {name}"));
    let bucket = object.text("bucket")?.ok_or_else(|| missing("bucket"))?;
    let key = object.text("key")?.ok_or_else(|| missing("key"))?;
    let bundle_type = object.text("bundleType")?.map(|name| {
        let parsed = name.parse::<BundleType>();
        parsed.map_err(|error| Failure::usage(format!("{option}: bundleType: {error}")))
    });
    let bundle_type = bundle_type.transpose()?;
    let registration = Registration {
        bundle_type: bundle_type
            .or_else(|| BundleType::of_name(&key))
            .unwrap_or_default(),
        etag: object.text("eTag")?,
        version: object.text("version")?,
        location: S3Location { bucket, key },
    };
    object.end()?;
    Ok(registration)
}

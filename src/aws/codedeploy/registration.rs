//! Registers an object in S3 as a revision, whatever its type and whichever program uploaded it.

use std::str::FromStr;

use aws_sdk_codedeploy::types::{
    BundleType as Type, RevisionLocation, RevisionLocationType, S3Location as Location,
};

use super::{CodeDeploy, Revision};
use crate::aws::call::Request;
use crate::aws::error::CallError;
use crate::aws::s3::{BadLocation, S3Location};
use crate::bundle::{BadBundleType, BundleType, Format};

/// An object to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Where it is.
    pub location: S3Location,
    /// Its type.
    pub bundle_type: BundleType,
    /// Its ETag, without quotes. Without an ETag, a deployment gets whatever object is there by then.
    pub etag: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

impl From<&Revision> for Registration {
    fn from(revision: &Revision) -> Self {
        Self {
            location: revision.location.clone(),
            bundle_type: revision.bundle,
            etag: Some(revision.stored.etag.clone()),
            version: revision.stored.version.clone(),
        }
    }
}

impl Registration {
    /// The object in the AWS CLI's shorthand syntax.
    #[must_use]
    pub fn shorthand(&self) -> String {
        let S3Location { bucket, key } = &self.location;
        let kind = self.bundle_type;
        let of = |name, value: &Option<String>| {
            let value = value.as_ref().map(|value| format!(",{name}={value}"));
            value.unwrap_or_default()
        };
        let (etag, version) = (of("eTag", &self.etag), of("version", &self.version));
        format!("bucket={bucket},key={key},bundleType={kind}{etag}{version}")
    }

    /// What CodeDeploy calls the place of the object.
    pub(super) fn revision(&self) -> RevisionLocation {
        let kind = match self.bundle_type {
            BundleType::Archive(Format::Zip) => Type::Zip,
            BundleType::Archive(Format::Tar) => Type::Tar,
            BundleType::Archive(Format::Tgz) => Type::TarGZip,
            BundleType::Yaml => Type::Yaml,
            BundleType::Json => Type::Json,
        };
        let location = Location::builder()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .bundle_type(kind)
            .set_e_tag(self.etag.clone())
            .set_version(self.version.clone())
            .build();
        RevisionLocation::builder()
            .revision_type(RevisionLocationType::S3)
            .s3_location(location)
            .build()
    }
}

/// Registers revisions with one application.
#[derive(Clone, Debug)]
pub struct Registrar {
    codedeploy: CodeDeploy,
    /// The application.
    pub application: String,
    /// What the revisions are described as.
    pub description: String,
}

impl Registrar {
    /// Registers with `application`.
    #[must_use]
    pub fn new(codedeploy: CodeDeploy, application: String, description: String) -> Self {
        Self {
            codedeploy,
            application,
            description,
        }
    }

    /// Registers an object as a revision. Registering it twice has the effect of once, so the request is
    /// repeated when its answer is lost.
    pub async fn register(&self, registration: &Registration) -> Result<(), CallError> {
        const OPERATION: &str = "RegisterApplicationRevision";
        let CodeDeploy { client, caller, .. } = &self.codedeploy;
        let attempt = || async {
            let request = client
                .register_application_revision()
                .application_name(&self.application)
                .description(&self.description)
                .revision(registration.revision());
            match request.send().await {
                Ok(_) => Ok(()),
                Err(error) => Err(CallError::of(OPERATION, &error)),
            }
        };
        caller.call(Request::new(OPERATION), attempt).await
    }
}

/// An object as a user names it: by a URL, or in the AWS CLI's shorthand syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where it is.
    pub location: S3Location,
    /// `bundleType`.
    pub bundle_type: Option<BundleType>,
    /// `eTag`.
    pub etag: Option<String>,
    /// `version`.
    pub version: Option<String>,
}

/// A text does not name an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadObject {
    /// It is neither a URL nor the shorthand syntax.
    #[error(transparent)]
    Location(#[from] BadLocation),
    /// Its type is not known.
    #[error("bundleType={0} is not known; {BadBundleType}")]
    Type(String),
    /// It has a member twice.
    #[error("the object's place names {0} twice")]
    Twice(&'static str),
}

/// The members of the shorthand syntax.
const MEMBERS: [&str; 5] = ["bucket", "key", "bundleType", "version", "eTag"];

impl FromStr for Named {
    type Err = BadObject;

    /// Reads `s3://bucket/key`, or `bucket=…,key=…[,bundleType=…][,eTag=…][,version=…]` in any order. A
    /// comma belongs to a value unless a member's name follows it.
    fn from_str(text: &str) -> Result<Self, BadObject> {
        if !text.starts_with("bucket=") && !text.starts_with("key=") {
            return Ok(Self {
                location: text.parse()?,
                bundle_type: None,
                etag: None,
                version: None,
            });
        }
        let mut members: Vec<(&'static str, String)> = Vec::new();
        for piece in text.split(',') {
            let named = MEMBERS.into_iter().find_map(|name| {
                let rest = piece.strip_prefix(name)?;
                Some((name, rest.strip_prefix('=')?))
            });
            if let Some((name, value)) = named {
                if members.iter().any(|(known, _)| *known == name) {
                    return Err(BadObject::Twice(name));
                }
                members.push((name, value.to_owned()));
            } else {
                let (_, value) = members.last_mut().ok_or(BadLocation)?;
                value.push(',');
                value.push_str(piece);
            }
        }
        let take = |name: &str| {
            let member = members.iter().find(|(known, _)| *known == name);
            member
                .map(|(_, value)| unquoted(value).to_owned())
                .filter(|value| !value.is_empty())
        };
        let (Some(bucket), Some(key)) = (take("bucket"), take("key")) else {
            return Err(BadLocation.into());
        };
        let kind = take("bundleType").map(|kind| kind.parse().map_err(|_| BadObject::Type(kind)));
        Ok(Self {
            location: S3Location { bucket, key },
            bundle_type: kind.transpose()?,
            etag: take("eTag"),
            version: take("version"),
        })
    }
}

/// A value without the quotes that the shorthand syntax allows, or that an ETag has in answers.
fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(bucket: &str, key: &str) -> S3Location {
        S3Location {
            bucket: bucket.into(),
            key: key.into(),
        }
    }

    #[test]
    fn an_object_is_named_by_url_or_in_shorthand() {
        let named: Named = "s3://b/a/k.zip".parse().unwrap();
        assert_eq!(named.location, location("b", "a/k.zip"));
        assert_eq!((named.etag, named.bundle_type), (None, None));

        let text = "bucket=b,key=a,b=c.tgz,bundleType=tgz,eTag=\"e-2\",version=v.1";
        let named: Named = text.parse().unwrap();
        assert_eq!(named.location, location("b", "a,b=c.tgz"));
        assert_eq!(named.bundle_type, Some(BundleType::Archive(Format::Tgz)));
        assert_eq!(named.etag.as_deref(), Some("e-2"));
        assert_eq!(named.version.as_deref(), Some("v.1"));

        for bad in [
            "b/k",
            "bucket=b",
            "key=k",
            "bucket=b,key=",
            "bucket=b,bucket=c,key=k",
            "",
        ] {
            bad.parse::<Named>().unwrap_err();
        }
        let error = "bucket=b,key=k,bundleType=rar"
            .parse::<Named>()
            .unwrap_err();
        assert_eq!(error, BadObject::Type("rar".into()));
    }

    #[test]
    fn the_shorthand_that_is_written_can_be_read() {
        let registration = Registration {
            location: location("b", "dir/k.tgz"),
            bundle_type: BundleType::Archive(Format::Tgz),
            etag: Some("e".into()),
            version: Some("v".into()),
        };
        let named: Named = registration.shorthand().parse().unwrap();
        assert_eq!(named.location, registration.location);
        assert_eq!(named.bundle_type, Some(registration.bundle_type));
        assert_eq!(
            (named.etag, named.version),
            (registration.etag, registration.version)
        );
    }

    #[test]
    fn the_ending_of_a_key_names_its_type() {
        for (key, kind) in [
            ("a.zip", Some(BundleType::Archive(Format::Zip))),
            ("a.TAR", Some(BundleType::Archive(Format::Tar))),
            ("a.tar.gz", Some(BundleType::Archive(Format::Tgz))),
            ("a.tgz", Some(BundleType::Archive(Format::Tgz))),
            ("a.yml", Some(BundleType::Yaml)),
            ("a.json", Some(BundleType::Json)),
            ("zip", None),
            ("a.zip/", None),
        ] {
            assert_eq!(BundleType::of_name(key), kind, "{key}");
        }
    }
}

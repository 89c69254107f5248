//! Asks what would make a push fail before the first byte is sent: whether the application exists and
//! takes this kind of revision, and whether the bucket exists and is in the same region.
//!
//! `aws deploy push` learns of these when everything is uploaded, or when instances fail. The requests
//! run while the source is listed. A push does not depend on their answers: a caller may be allowed to
//! upload and to register and nothing else, and a store may not implement these operations. Then a check
//! is skipped, which a note says. Only an answer that rules the push out ends it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::timeout;

use crate::aws::call::PREFLIGHT_ATTEMPTS;
use crate::aws::codedeploy::{Application, CodeDeploy, Platform};
use crate::aws::error::CallError;
use crate::aws::s3::{Bucket, ObjectOptions, S3, S3Location};
use crate::error::shown;
use crate::notes::Notes;

/// How long to wait for an answer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What to ask, and where.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// Asks for the bucket and the object.
    pub s3: S3,
    /// Asks for the application.
    pub codedeploy: CodeDeploy,
    /// The region in which CodeDeploy is asked.
    pub region: String,
    /// How the object will be written.
    pub options: ObjectOptions,
    /// What the application must deploy to, for this kind of revision
    /// ([`Chosen::platform`](super::prebuilt::Chosen::platform)). None: either of those that take an
    /// AppSpec file.
    pub platform: Option<Platform>,
    /// How long to wait for an answer.
    pub patience: Duration,
}

/// Why a push would fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bucket does not exist, or S3 cannot be asked.
    #[error(transparent)]
    Bucket(CallError),
    /// The bucket is in another region than the instances.
    #[error(
        "the bucket {} is in {region}, and CodeDeploy is asked in {asked}: instances take revisions \
         from a bucket of their own region",
        shown(bucket)
    )]
    Region {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: String,
        /// That of CodeDeploy.
        asked: String,
    },
    /// The object exists and must not be overwritten.
    #[error(
        "{} is there already and must not be overwritten: nothing was changed",
        shown(&.0.to_string())
    )]
    Exists(S3Location),
    /// The application does not exist, or CodeDeploy cannot be asked.
    #[error(transparent)]
    Application(CallError),
    /// The application takes other kinds of revisions.
    #[error(
        "the application {application} is for the compute platform {is}, which takes {}: this is {}",
        takes(is),
        brings(wanted.as_ref())
    )]
    Platform {
        /// The application.
        application: String,
        /// What it deploys to.
        is: Platform,
        /// What this revision is for.
        wanted: Option<Platform>,
    },
}

fn takes(platform: &Platform) -> &'static str {
    match platform {
        Platform::Server => "bundles",
        Platform::Lambda => "an AppSpec file for Lambda, in YAML or JSON",
        Platform::Ecs => "an AppSpec file for ECS, in YAML or JSON",
        Platform::Other(_) => "other revisions",
    }
}

fn brings(platform: Option<&Platform>) -> &'static str {
    match platform {
        Some(Platform::Server) => "a bundle",
        Some(Platform::Lambda) => "an AppSpec file for Lambda",
        Some(Platform::Ecs) => "an AppSpec file for ECS",
        Some(Platform::Other(_)) | None => "an AppSpec file for Lambda or ECS",
    }
}

impl Preflight {
    /// Asks for the object's bucket, the object and the application, all at once.
    ///
    /// # Errors
    ///
    /// [`Error`]; of several that which `aws deploy push` would have met first.
    pub async fn run(
        &self,
        location: &S3Location,
        application: Option<&str>,
        notes: &Notes,
    ) -> Result<(), Error> {
        let application = async {
            match application {
                Some(name) => self.application(name, notes).await,
                None => Ok(()),
            }
        };
        let (bucket, object) = (self.bucket(location, notes), self.object(location, notes));
        let (bucket, object, application) = tokio::join!(bucket, object, application);
        bucket.and(object).and(application)
    }

    async fn bucket(&self, location: &S3Location, notes: &Notes) -> Result<(), Error> {
        let (name, what) = (&location.bucket, "the bucket's region");
        let asking = self.s3.head_bucket(name, &self.options);
        let Some(answer) = self.wait("HeadBucket", what, asking, notes).await else {
            return Ok(());
        };
        let Bucket { region, refused } = answer.map_err(Error::Bucket)?;
        match (region, refused) {
            (Some(region), _) if region != self.region => Err(Error::Region {
                bucket: name.clone(),
                region,
                asked: self.region.clone(),
            }),
            (_, Some(error)) if error.is_missing() => Err(Error::Bucket(error)),
            // A caller who may only write is refused, and that is as it should be.
            (Some(_), _) => Ok(()),
            (None, refused) => {
                let why = refused.map(|error| error.to_string());
                let why = why.unwrap_or_else(|| "the answer does not name it".to_owned());
                skipped(notes, what, &why);
                Ok(())
            }
        }
    }

    async fn object(&self, location: &S3Location, notes: &Notes) -> Result<(), Error> {
        if !self.options.no_overwrite {
            return Ok(());
        }
        let what = "whether there is an object already (the upload will)";
        let object = self.s3.object(location.clone(), self.options.clone());
        let object = object.limited(PREFLIGHT_ATTEMPTS, self.patience);
        match self.wait("HeadObject", what, object.head(), notes).await {
            // When S3 does not answer, the request for the bucket reports it.
            None | Some(Ok(None)) => Ok(()),
            Some(Err(error)) if error.code.is_none() => Ok(()),
            Some(Ok(Some(_))) => Err(Error::Exists(location.clone())),
            Some(Err(error)) => {
                skipped(notes, what, &error.to_string());
                Ok(())
            }
        }
    }

    async fn application(&self, name: &str, notes: &Notes) -> Result<(), Error> {
        let what = format!("whether the application {name} is there");
        let asking = self.codedeploy.application(name);
        let Some(answer) = self.wait("GetApplication", &what, asking, notes).await else {
            return Ok(());
        };
        match answer.map_err(Error::Application)? {
            Application::Found(is) if fits(self.platform.as_ref(), &is) => Ok(()),
            Application::Found(is) => Err(Error::Platform {
                application: name.to_owned(),
                is,
                wanted: self.platform.clone(),
            }),
            Application::Missing(error) => Err(Error::Application(error)),
            Application::Unconfirmed(error) => {
                skipped(notes, &what, &error.to_string());
                Ok(())
            }
        }
    }

    /// Waits for an answer. If it takes too long, a note says that `what` was not checked.
    async fn wait<T>(
        &self,
        operation: &str,
        what: &str,
        asking: impl Future<Output = T>,
        notes: &Notes,
    ) -> Option<T> {
        let answer = timeout(self.patience, asking).await.ok();
        if answer.is_none() {
            let why = format!("no answer to {operation} for {:?}", self.patience);
            skipped(notes, what, &why);
        }
        answer
    }
}

fn skipped(notes: &Notes, what: &str, why: &str) {
    notes.add(format!("not checked: {what}; {why}"));
}

/// Whether an application that deploys to `is` takes a revision for `wanted`. None is an AppSpec file
/// alone, for Lambda functions or ECS tasks.
fn fits(wanted: Option<&Platform>, is: &Platform) -> bool {
    match (wanted, is) {
        // A platform that is not known here may take any revision.
        (_, Platform::Other(_)) => true,
        (Some(wanted), is) => wanted == is,
        (None, is) => matches!(is, Platform::Lambda | Platform::Ecs),
    }
}

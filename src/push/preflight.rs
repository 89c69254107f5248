//! What can go wrong is asked before the first byte is sent: whether the application is there and
//! takes this kind of revision, and whether the bucket is there and in the same region.
//!
//! `aws deploy push` learns of these when everything is uploaded, or when instances fail. The two
//! requests run while the source is listed. Nothing depends on their answers: a caller may be allowed
//! to upload and to register and nothing else, and a store may know neither operation. Then a check
//! is left out, which a note says. Only an answer that rules a push out ends it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::timeout;

pub use crate::notes::Notes;

use crate::aws::codedeploy::{Application, CodeDeploy, Platform};
use crate::aws::error::CallError;
use crate::aws::s3::S3Location;
use crate::aws::s3::{Bucket, ObjectOptions, S3};

/// How long an answer is waited for. Tests wait for it to pass.
const PATIENCE: Duration = if cfg!(test) {
    Duration::from_millis(100)
} else {
    Duration::from_secs(10)
};

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// Whom to ask for the bucket.
    pub s3: S3,
    /// Whom to ask for the application.
    pub codedeploy: CodeDeploy,
    /// The region in which CodeDeploy is asked.
    pub region: String,
    /// Where the object will be.
    pub location: S3Location,
    /// How it will be written.
    pub options: ObjectOptions,
    /// The application.
    pub application: String,
    /// What the application must deploy to, for this kind of revision. None: either of those that
    /// take an AppSpec file.
    pub platform: Option<Platform>,
    /// Where to say what was not checked.
    pub notes: Notes,
}

/// Why a push would fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such bucket, or nobody who could say.
    #[error(transparent)]
    Bucket(CallError),
    /// The bucket is where its instances are not.
    #[error(
        "the bucket {bucket} is in {region}, and CodeDeploy is asked in {asked}: instances take \
         revisions from a bucket of their own region"
    )]
    Region {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: String,
        /// That of CodeDeploy.
        asked: String,
    },
    /// There is an object already, which must stay.
    #[error("{0} is there already, and --no-overwrite keeps it: nothing was changed")]
    Exists(S3Location),
    /// There is no such application, or nobody who could say.
    #[error(transparent)]
    Application(CallError),
    /// The application takes other revisions.
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
        Platform::Lambda | Platform::Ecs => "an AppSpec file in YAML or JSON",
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
    /// Asks, all at once.
    ///
    /// # Errors
    ///
    /// [`Error`]; of several that which `aws deploy push` would have met first.
    pub async fn run(&self) -> Result<(), Error> {
        let (bucket, object, application) =
            tokio::join!(self.bucket(), self.object(), self.application());
        bucket.and(object).and(application)
    }

    async fn bucket(&self) -> Result<(), Error> {
        let name = &self.location.bucket;
        let asked = timeout(PATIENCE, self.s3.head_bucket(name, &self.options)).await;
        let Ok(answer) = asked else {
            self.skip("the bucket's region", &late("HeadBucket"));
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
            // That it says no more is as it should be for one who may only write.
            (Some(_), _) => Ok(()),
            (None, refused) => {
                let why = refused.map(|error| error.to_string());
                let why = why.unwrap_or_else(|| "the answer does not name it".to_owned());
                self.skip("the bucket's region", &why);
                Ok(())
            }
        }
    }

    async fn object(&self) -> Result<(), Error> {
        if !self.options.no_overwrite {
            return Ok(());
        }
        let what = "whether there is an object already (the upload will)";
        let object = self.s3.object(self.location.clone(), self.options.clone());
        match timeout(PATIENCE, object.limited(3, PATIENCE).head()).await {
            Err(_) => self.skip(what, &late("HeadObject")),
            // The same store does not answer for the bucket either.
            Ok(Err(error)) if error.code.is_none() => {}
            Ok(Ok(None)) => {}
            Ok(Ok(Some(_))) => return Err(Error::Exists(self.location.clone())),
            Ok(Err(error)) => self.skip(what, &error.to_string()),
        }
        Ok(())
    }

    async fn application(&self) -> Result<(), Error> {
        let name = &self.application;
        let what = format!("whether the application {name} is there");
        let asked = timeout(PATIENCE, self.codedeploy.application(name)).await;
        let Ok(answer) = asked else {
            self.skip(&what, &late("GetApplication"));
            return Ok(());
        };
        match answer.map_err(Error::Application)? {
            Application::Found(is) if fits(self.platform.as_ref(), &is) => Ok(()),
            Application::Found(is) => Err(Error::Platform {
                application: name.clone(),
                is,
                wanted: self.platform.clone(),
            }),
            Application::Missing(error) => Err(Error::Application(error)),
            Application::Untold(error) => {
                self.skip(&what, &error.to_string());
                Ok(())
            }
        }
    }

    fn skip(&self, what: &str, why: &str) {
        self.notes.add(format!("not checked: {what}; {why}"));
    }
}

/// Whether an application takes a revision for `wanted`; None is one for functions or tasks.
fn fits(wanted: Option<&Platform>, is: &Platform) -> bool {
    match (wanted, is) {
        // What is not known here may take anything.
        (_, Platform::Other(_)) => true,
        (Some(wanted), is) => wanted == is,
        (None, is) => matches!(is, Platform::Lambda | Platform::Ecs),
    }
}

fn late(operation: &str) -> String {
    format!("no answer to {operation} for {PATIENCE:?}")
}

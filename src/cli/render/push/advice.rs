//! How a push that failed ends: the exit code, and what to do next where the error does not say.

use hoist::aws::codedeploy::{self, Registration, Revision};
use hoist::aws::error::CallError;
use hoist::error::quoted;
use hoist::push::{Error, VerifyError, prebuilt, preflight};
use hoist::transfer::Cause;
use hoist::verify;

use crate::cli::commands::aws::push::PushArgs;
use crate::cli::render::diagnostic::show;
use crate::cli::render::lint::counted;
use crate::cli::render::recovery::{self, Recovery};
use crate::cli::{Exit, Failure};

pub(crate) fn failure(arguments: &PushArgs, recovery: &Recovery, error: &Error) -> Failure {
    if let Error::Lint(report) = error {
        show(report);
        let (path, counted) = (report.path.display(), counted(report).unwrap_or_default());
        return Failure::new(
            Exit::Failure,
            format!(
                "{path} would fail: {counted}; nothing was sent. --no-lint sends it all the same"
            ),
        );
    }
    let exit = match error {
        Error::Register {
            error: codedeploy::Error::Call(CallError { code: Some(_), .. }),
            ..
        }
        | Error::Preflight(preflight::Error::Application(CallError { code: Some(_), .. })) => {
            Exit::Service
        }
        _ => Exit::Failure,
    };
    let mut failure = Failure::new(
        exit,
        match error {
            Error::Preflight(preflight::Error::Exists(location)) => format!(
                "{location} is there already, and --no-overwrite keeps it: nothing was changed"
            ),
            Error::Upload {
                source_dir,
                location,
                error,
            } if let Cause::NotResumed(uploads) = &error.cause => format!(
                "Failed to upload '{}' to '{location}': {}",
                source_dir.display(),
                recovery.none_resumed(uploads)
            ),
            error => error.to_string(),
        },
    );
    if let Some(hint) = hint(arguments, error) {
        failure = failure.and(hint);
    }
    if let Some(left) = error.left() {
        failure = failure.and(recovery.leftover(left));
    }
    failure
}

/// A source that is a file and no revision.
pub(crate) fn unusable(error: &prebuilt::Error) -> Failure {
    Failure::new(
        Exit::Failure,
        match error {
            prebuilt::Error::Contradicted { asked, .. } => {
                format!("{error}; --bundle-type {asked} contradicts that, leave it out")
            }
            error => error.to_string(),
        },
    )
}

/// What to do next, where the error itself does not say.
fn hint(arguments: &PushArgs, error: &Error) -> Option<String> {
    match error {
        Error::Upload { error, .. } => match &error.cause {
            Cause::Store(error) if error.code.as_deref() == Some("NoSuchBucket") => {
                Some("create the bucket, or check its name and --region".to_owned())
            }
            Cause::Store(error)
                if matches!(
                    error.code.as_deref(),
                    Some("PermanentRedirect" | "IllegalLocationConstraintException")
                ) =>
            {
                Some("the bucket is in another region: say which with --region".to_owned())
            }
            Cause::Store(error) if error.code.as_deref() == Some("PreconditionFailed") => Some(
                "there is an object already, and --no-overwrite keeps it: nothing was changed; \
                 choose another key"
                    .to_owned(),
            ),
            Cause::Store(error) if error.code.as_deref() == Some("ConditionalRequestConflict") => {
                Some("somebody else wrote this object meanwhile; push again".to_owned())
            }
            Cause::Unknown { .. } => Some(format!(
                "if it is there, register it: hoist register --application-name {} --s3-location {} \
                 {}",
                quoted(&arguments.application_name),
                quoted(&arguments.s3_location),
                words(arguments)
                    .iter()
                    .map(|word| quoted(word))
                    .collect::<Vec<_>>()
                    .join(" ")
            )),
            Cause::Store(error) if error.is_without_credentials() => Some(
                "configure credentials by running \"aws configure\", or say which with --profile"
                    .to_owned(),
            ),
            Cause::Store(error) => arguments.sending.about_checksums(error).map(str::to_owned),
            _ => None,
        },
        Error::AppSpec(missing) => crate::cli::commands::lint::hint(missing),
        Error::Preflight(error) => hint_before(arguments, error),
        Error::Register { revision, .. } => Some(format!(
            "the bundle is in S3, at {}; to register it, run: {}",
            revision.location,
            register_command(arguments, revision)
        )),
        Error::Verify {
            error: VerifyError::Differs(_),
            revision,
        } => Some(format!(
            "the object stays at {}, since hoist deletes nothing: do not deploy it, and push again",
            revision.location
        )),
        Error::Verify { error, revision } => {
            let denied = matches!(
                error,
                VerifyError::Unread(verify::Error::Call(error))
                    if error.code.as_deref() == Some("AccessDenied")
            );
            let permission = if denied {
                "--verify takes s3:GetObject; "
            } else {
                ""
            };
            Some(format!(
                "{permission}the bundle is in S3, at {}; to register it without, run: {}",
                revision.location,
                register_command(arguments, revision)
            ))
        }
        _ => None,
    }
}

/// What registers an object that is stored.
fn register_command(arguments: &PushArgs, revision: &Revision) -> String {
    recovery::register_command(
        &Registration::from(revision),
        &arguments.application_name,
        &arguments.description,
        &words(arguments),
    )
}

/// What to do next when nothing was sent.
fn hint_before(arguments: &PushArgs, error: &preflight::Error) -> Option<String> {
    let application = &arguments.application_name;
    match error {
        preflight::Error::Application(CallError { code: Some(_), .. }) => Some(format!(
            "nothing was uploaded; check --application-name, --region and the account, or run: aws \
             deploy create-application --application-name {application} --compute-platform Server"
        )),
        preflight::Error::Application(_) => Some(
            "nothing was uploaded; check --region, --codedeploy-endpoint-url and the network"
                .to_owned(),
        ),
        preflight::Error::Region { region, asked, .. } => Some(format!(
            "nothing was uploaded; say --region {region}, or use a bucket in {asked}"
        )),
        preflight::Error::Exists(_) => Some("choose another key".to_owned()),
        preflight::Error::Platform { .. } => {
            Some("nothing was uploaded; check --application-name and --source".to_owned())
        }
        preflight::Error::Bucket(_) => None,
    }
}

/// The words that reach the same services again.
fn words(arguments: &PushArgs) -> Vec<String> {
    let mut words = arguments.access.words();
    words.extend(arguments.object.words());
    if let Some(dir) = arguments.local() {
        words.extend(["--local".to_owned(), dir.display().to_string()]);
    }
    words
}

//! What the command line adds to the errors of the library: the exit code, and which option, setting
//! or command helps.
//!
//! Errors of the library carry facts and name no options, since other programs use the library, too.

use hoist::appspec::Severity;
use hoist::aws::access;
use hoist::aws::codedeploy::{self, Platform, Registration, Revision};
use hoist::aws::error::CallError;
use hoist::aws::s3::Checksum;
use hoist::error::{quoted, shown};
use hoist::push::{Error, VerifyError, prebuilt, preflight};
use hoist::transfer::{Cause, NotCopied};
use hoist::verify;

use crate::cli::render::advice;
use crate::cli::render::diagnostic::name;
use crate::cli::render::lint::counted;
use crate::cli::render::push::recovery::{self, Recovery};
use crate::cli::render::push::show;
use crate::cli::{Exit, Failure};

/// The command line of a push, as far as advice repeats it.
pub(crate) struct CommandLine<'a> {
    pub(crate) application: &'a str,
    /// Whether this is a further destination, whose options are pairs.
    pub(crate) is_destination: bool,
    /// The options with which the AWS CLI reaches the same CodeDeploy.
    pub(crate) words_of_a_deployment: Vec<String>,
    /// What the application must deploy to, if that is known.
    pub(crate) platform: Option<Platform>,
    /// Whether the application is one of an endpoint in this process.
    pub(crate) is_local: bool,
    pub(crate) s3_location: String,
    pub(crate) description: &'a str,
    /// The options that reach the same services again.
    pub(crate) words: Vec<String>,
    pub(crate) checksum: Checksum,
    pub(crate) recovery: &'a Recovery,
}

impl CommandLine<'_> {
    /// What the command line calls one of its options.
    fn option(&self, name: &str) -> String {
        match self.is_destination {
            true => format!("{name}="),
            false => format!("--{name}"),
        }
    }

    /// How the command line chooses a region.
    fn region(&self, region: &str) -> String {
        match self.is_destination {
            true => format!("region={region}"),
            false => format!("--region {region}"),
        }
    }
}

/// A push that failed.
pub(crate) fn failure(command: &CommandLine<'_>, error: &Error) -> Failure {
    if let Error::Lint(report) = error {
        show(report);
        let counts = [Severity::Error, Severity::Warning].map(|severity| report.count(severity));
        let (path, counted) = (name(&report.path), counted(counts).unwrap_or_default());
        return Failure::other(format!(
            "{path} would fail: {counted}; nothing was sent. --no-lint sends it all the same"
        ));
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
    let text = match error {
        Error::Preflight(preflight::Error::Exists(location)) => {
            format!(
                "{} is there already, and --no-overwrite keeps it: nothing was changed",
                shown(&location.to_string())
            )
        }
        Error::Upload {
            source_dir,
            location,
            error,
        } if let Cause::NotResumed(uploads) = &error.cause => format!(
            "Failed to upload '{}' to '{}': {}",
            shown(source_dir),
            shown(&location.to_string()),
            command.recovery.none_resumed(uploads)
        ),
        Error::Plan(error) => advice::unlisted(error),
        Error::Pack { error, .. } => advice::unpacked(error),
        Error::TooLittle(error) => format!("{error}; raise --memory-limit"),
        error => error.to_string(),
    };
    Failure::new(exit, text)
        .and(hint(command, error))
        .and(error.left().map(|left| command.recovery.leftover(left)))
}

/// A source from which no revision can be chosen.
pub(crate) fn unusable(error: &prebuilt::Error) -> Failure {
    let failure = Failure::other(match error {
        prebuilt::Error::Contradicted { asked, .. } => {
            format!("{error}; --bundle-type {asked} contradicts that, leave it out")
        }
        error => error.to_string(),
    });
    failure.and(match error {
        prebuilt::Error::Ambiguous { .. } => {
            Some("name one of them with --source, or end --s3-location in its name")
        }
        prebuilt::Error::NoneNamed { .. } => Some(
            "for Lambda or ECS, name the AppSpec file with --source; for instances, put an appspec.yml \
             there, and let --s3-location end in .zip",
        ),
        _ => None,
    })
}

/// Settings with which AWS cannot be reached.
pub(crate) fn not_connected(error: &access::Error) -> Failure {
    let exit = match error {
        access::Error::NoRegion => Exit::Config,
        access::Error::Endpoint(_) => Exit::Usage,
        _ => Exit::Failure,
    };
    let hint = match error {
        access::Error::Login(profile) => {
            let profile = quoted(profile);
            Some(format!(
                "give them to hoist through the environment: eval \"$(aws configure export-credentials \
                 --profile {profile} --format env)\""
            ))
        }
        _ => None,
    };
    Failure::new(exit, error).and(hint)
}

/// An object that was not registered.
pub(crate) fn not_registered(error: &codedeploy::Error) -> Failure {
    match error {
        codedeploy::Error::Call(call) if call.is_without_credentials() => Failure::new(
            Exit::Config,
            format!("{call}. You can configure credentials by running \"aws configure\"."),
        ),
        codedeploy::Error::Call(CallError { code: Some(_), .. }) => {
            Failure::new(Exit::Service, error)
        }
        _ => Failure::other(error),
    }
}

/// What to do when S3 does not copy an object.
fn about_copies(why: &NotCopied) -> Option<&'static str> {
    match why {
        NotCopied::Denied { .. }
        | NotCopied::Missing(_)
        | NotCopied::Unsupported(_)
        | NotCopied::Refused(_) => Some("without copy-from, hoist uploads the object there, too"),
        NotCopied::Replaced(_) => {
            Some("another client wrote the source at the same time; push again")
        }
        NotCopied::Differs | NotCopied::Unconfirmed(_) => Some(
            "the copy stays, since hoist deletes nothing: do not deploy it, and push again without \
             copy-from",
        ),
        NotCopied::PartDiffers(_) | NotCopied::NotJoined(_) => None,
    }
}

/// What to do next, where the error itself does not tell.
fn hint(command: &CommandLine<'_>, error: &Error) -> Option<String> {
    match error {
        Error::Upload { error, .. } | Error::Copy { error, .. } => match &error.cause {
            Cause::Copy(why) => about_copies(why).map(str::to_owned),
            Cause::Store(error) if error.code.as_deref() == Some("NoSuchBucket") => {
                let region = command.option("region");
                Some(format!("create the bucket, or check its name and {region}"))
            }
            Cause::Store(error)
                if matches!(
                    error.code.as_deref(),
                    Some("PermanentRedirect" | "IllegalLocationConstraintException")
                ) =>
            {
                let region = command.option("region");
                Some(format!(
                    "the bucket is in another region: name that one with {region}"
                ))
            }
            Cause::Store(error) if error.code.as_deref() == Some("PreconditionFailed") => Some(
                "there is an object already, and --no-overwrite keeps it: nothing was changed; \
                 choose another key"
                    .to_owned(),
            ),
            Cause::Store(error) if error.code.as_deref() == Some("ConditionalRequestConflict") => {
                Some("another client wrote this object at the same time; push again".to_owned())
            }
            Cause::Unknown { .. } => Some(format!(
                "if it is there, register it: hoist register --application-name {} --s3-location {} \
                 {}",
                quoted(command.application),
                quoted(&command.s3_location),
                command
                    .words
                    .iter()
                    .map(|word| quoted(word))
                    .collect::<Vec<_>>()
                    .join(" ")
            )),
            Cause::Store(error) if error.is_without_credentials() => Some(format!(
                "configure credentials by running \"aws configure\", or choose a profile with {}",
                command.option("profile")
            )),
            Cause::Store(error) => about_checksums(command.checksum, error).map(str::to_owned),
            _ => None,
        },
        Error::AppSpec(missing) => Some(advice::missing_appspec(missing)),
        Error::Preflight(error) => hint_before(command, error),
        Error::Register { revision, .. } => Some(format!(
            "the bundle is in S3, at {}; to register it, run: {}",
            shown(&revision.location.to_string()),
            register_command(command, revision)
        )),
        Error::Verify {
            error: VerifyError::Differs(_),
            revision,
        } => Some(format!(
            "the object stays at {}, since hoist deletes nothing: do not deploy it, and push again",
            shown(&revision.location.to_string())
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
                shown(&revision.location.to_string()),
                register_command(command, revision)
            ))
        }
        _ => None,
    }
}

/// The command that registers an object that is stored.
pub(crate) fn register_command(command: &CommandLine<'_>, revision: &Revision) -> String {
    recovery::register_command(
        &Registration::from(revision),
        command.application,
        command.description,
        &command.words,
    )
}

/// What to do next when a check before the upload failed.
fn hint_before(command: &CommandLine<'_>, error: &preflight::Error) -> Option<String> {
    let option = |name| command.option(name);
    match error {
        preflight::Error::Application(CallError { code: Some(_), .. }) => {
            let platform = command.platform.as_ref().unwrap_or(&Platform::Lambda);
            let platform = platform.to_string();
            let create = ["aws", "deploy", "create-application", "--application-name"];
            let rest = [command.application, "--compute-platform", &platform];
            let words = create.into_iter().chain(rest);
            let reach = command.words_of_a_deployment.iter().map(String::as_str);
            Some(format!(
                "nothing was uploaded; check {}, {} and the account, or run: {}",
                option("application-name"),
                option("region"),
                recovery::joined(words.chain(reach))
            ))
        }
        preflight::Error::Application(_) => Some(format!(
            "nothing was uploaded; check {}, {} and the network",
            option("region"),
            option("codedeploy-endpoint-url")
        )),
        preflight::Error::Region { region, asked, .. } => Some(format!(
            "nothing was uploaded; use {}, or use a bucket in {asked}",
            command.region(region)
        )),
        preflight::Error::Exists(_) => Some("choose another key".to_owned()),
        preflight::Error::Platform { .. } if command.is_local => Some(
            "nothing was uploaded; an application keeps the platform of its first push: choose another \
             --application-name, or another directory for --local"
                .to_owned(),
        ),
        preflight::Error::Platform { .. } => Some(format!(
            "nothing was uploaded; check {} and --source",
            option("application-name")
        )),
        preflight::Error::Bucket(_) => None,
    }
}

/// What to do about a refusal, if the store refused the checksum.
fn about_checksums(sent: Checksum, error: &CallError) -> Option<&'static str> {
    is_about_checksums(error).then_some(match sent {
        Checksum::Crc64Nvme => {
            "the store may not support this checksum: try --checksum crc32, or, if it supports none, \
             --checksum none"
        }
        Checksum::Crc32 => "the store may not support checksums: try --checksum none",
        Checksum::None => {
            "the bucket may require a checksum, as with Object Lock: leave --checksum out"
        }
    })
}

/// Whether a store refuses the checksum that was sent, or requires one.
fn is_about_checksums(error: &CallError) -> bool {
    let may_be_about_it = matches!(
        error.code.as_deref(),
        Some(
            "NotImplemented"
                | "InvalidArgument"
                | "InvalidRequest"
                | "MissingContentMD5"
                | "BadRequest"
        )
    );
    let message = error.message.to_ascii_lowercase();
    may_be_about_it && (message.contains("checksum") || message.contains("x-amz-sdk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_checksum_is_recognised() {
        let error = |code: &str, message: &str| CallError {
            operation: "PutObject",
            code: Some(code.to_owned()),
            message: message.to_owned(),
        };
        // Cloudflare R2 and Ceph.
        let header = "Header 'x-amz-checksum-crc64nvme' with value 'x' not implemented";
        let algorithm = "bad checksum algorithm";
        assert!(is_about_checksums(&error("NotImplemented", header)));
        assert!(is_about_checksums(&error("InvalidArgument", algorithm)));
        let other = error("NotImplemented", "A header you provided");
        assert!(!is_about_checksums(&other));
        let digest = error("BadDigest", "The checksum did not match");
        assert!(!is_about_checksums(&digest));
    }
}

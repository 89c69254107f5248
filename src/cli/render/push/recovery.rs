//! Commands to run by hand after a push: those that remove what it left, and those that finish its work.
//! The library reports the facts; the texts are here.

use hoist::aws::codedeploy::Registration;
use hoist::aws::s3::{ObjectOptions, S3Location, UploadId};
use hoist::error::quoted;
use hoist::notes::{Difference, NotResumed, Note, Reason};
use hoist::transfer::{Leftover, Unfinished};

/// The object that a push writes, and how the AWS CLI reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    /// Where the object is.
    pub(crate) location: S3Location,
    /// Only the owner of the bucket and the payer are used.
    pub(crate) options: ObjectOptions,
    /// The options with which the AWS CLI reaches the same S3.
    pub(crate) access: Vec<String>,
}

impl Recovery {
    /// The command that aborts an upload.
    pub(crate) fn abort_command(&self, upload: &str) -> String {
        let key = ["--key", &self.location.key, "--upload-id", upload];
        self.command("abort-multipart-upload", &key)
    }

    /// The command that lists the unfinished uploads of the object.
    fn list_command(&self) -> String {
        self.command("list-multipart-uploads", &["--prefix", &self.location.key])
    }

    fn command(&self, operation: &str, words: &[&str]) -> String {
        let mut all = vec!["aws", "s3api", operation, "--bucket", &self.location.bucket];
        all.extend(words);
        if let Some(owner) = &self.options.expected_owner {
            all.extend(["--expected-bucket-owner", owner]);
        }
        if self.options.requester_pays {
            all.extend(["--request-payer", "requester"]);
        }
        all.extend(self.access.iter().map(String::as_str));
        joined(all)
    }

    /// Says that an upload could not be aborted.
    pub(crate) fn leftover(&self, left: &Leftover) -> String {
        let command = self.abort_command(&left.upload.0);
        format!("{left}; to remove them, run: {command}")
    }

    /// Says what remains if the process ends now.
    pub(crate) fn unfinished(&self, unfinished: &Unfinished) -> String {
        match unfinished {
            Unfinished::MayHaveBegun => format!(
                "an upload may have been begun, and its parts stay stored and billed; to see it, run: \
                 {}",
                self.list_command()
            ),
            Unfinished::Begun(UploadId(id)) => format!(
                "the upload was not aborted, and its parts are still stored and billed; to remove \
                 them, run: {}",
                self.abort_command(id)
            ),
        }
    }

    /// A note as a sentence.
    pub(crate) fn note(&self, note: &Note) -> String {
        match note {
            Note::Text(text) => text.clone(),
            Note::LostCreate { others } => {
                let advice = match others {
                    Some(others) => {
                        let commands = others.iter().map(|id| self.abort_command(id));
                        let commands: Vec<String> = commands.collect();
                        format!(
                            "unless another push of this key is under way, remove it: {}",
                            commands.join("; ")
                        )
                    }
                    None => format!("to see it, run: {}", self.list_command()),
                };
                format!(
                    "an answer to CreateMultipartUpload was lost, so a second, empty upload may have \
                     been begun; {advice}"
                )
            }
            Note::EmptyUpload(id) => format!(
                "the unfinished upload {id} has no parts to resume; if no other push is about to send \
                 some, remove it: {}",
                self.abort_command(id)
            ),
            Note::NotResumed(not_resumed) => self.not_resumed(not_resumed),
            Note::Of(_, note) => self.note(note),
        }
    }

    /// Says that none of these uploads can be resumed, and what to do.
    pub(crate) fn none_resumed(&self, uploads: &[NotResumed]) -> String {
        let each: Vec<String> = uploads.iter().map(|one| self.not_resumed(one)).collect();
        let each = each.join("; ");
        format!("{each}; to begin anew beside it, push with --resume=auto")
    }

    fn not_resumed(&self, NotResumed { upload, reason }: &NotResumed) -> String {
        let said = format!("the unfinished upload {upload} was not resumed, since");
        let reason = match reason {
            Reason::Unlisted(error) => {
                return format!("{said} its parts cannot be listed: {error}");
            }
            Reason::NoFingerprint => {
                "it was not begun by hoist push --resume, or not by the store with CRC-64/NVME"
                    .to_owned()
            }
            Reason::Differs(differences) => {
                let each: Vec<&str> = differences.iter().map(difference).collect();
                each.join(", and ")
            }
            Reason::Recent(seconds) => format!(
                "something was added to it less than {seconds} seconds ago, so that another push may \
                 be at it (--resume takes it nevertheless)"
            ),
        };
        let command = self.abort_command(upload);
        format!("{said} {reason}; if no other push needs it, remove it: {command}")
    }
}

fn difference(difference: &Difference) -> &'static str {
    match difference {
        Difference::Program => "another version of hoist packed it",
        Difference::Options => "--level or the kind of bundle, which shape its bytes, are others",
        Difference::Headers => {
            "the object's encryption, class, ACL, tags or metadata, which are set when it begins, are \
             others"
        }
        Difference::PartSize => "its parts have another size",
    }
}

/// The command that registers an object. `access` has the options that reach the same services.
pub(crate) fn register_command(
    registration: &Registration,
    application: &str,
    description: &str,
    access: &[String],
) -> String {
    let Registration {
        location,
        bundle_type,
        etag,
        version,
    } = registration;
    let location = location.to_string();
    let mut words = vec!["hoist", "register", "--application-name", application];
    words.extend([
        "--s3-location",
        &location,
        "--bundle-type",
        bundle_type.name(),
    ]);
    let etag = etag.iter().flat_map(|etag| ["--etag", etag]);
    let version = version.iter();
    let version = version.flat_map(|version| ["--object-version", version]);
    words.extend(etag.chain(version));
    if !description.is_empty() {
        words.extend(["--description", description]);
    }
    words.extend(access.iter().map(String::as_str));
    joined(words)
}

/// The words of a command, quoted for a shell.
pub(crate) fn joined<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(quoted).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use hoist::bundle::{BundleType, Format};

    use super::*;

    fn recovery() -> Recovery {
        Recovery {
            location: S3Location {
                bucket: "b".into(),
                key: "it's k.zip".into(),
            },
            options: ObjectOptions {
                expected_owner: Some("123456789012".into()),
                requester_pays: true,
                ..ObjectOptions::default()
            },
            access: vec!["--region".into(), "eu-west-1".into()],
        }
    }

    const ABORT: &str = "aws s3api abort-multipart-upload --bucket b --key 'it'\\''s k.zip' \
                         --upload-id u --expected-bucket-owner 123456789012 --request-payer \
                         requester --region eu-west-1";
    const LIST: &str = "aws s3api list-multipart-uploads --bucket b --prefix 'it'\\''s k.zip' \
                        --expected-bucket-owner 123456789012 --request-payer requester --region \
                        eu-west-1";

    #[test]
    fn a_leftover_comes_with_the_command_that_removes_it() {
        let left = Leftover {
            upload: UploadId("u".into()),
            reason: "denied".into(),
        };
        assert_eq!(
            recovery().leftover(&left),
            format!(
                "its parts are still stored and billed, since the upload could not be aborted \
                 (denied); to remove them, run: {ABORT}"
            )
        );
        let begun = Unfinished::Begun(UploadId("u".into()));
        assert!(recovery().unfinished(&begun).ends_with(ABORT));
        let maybe = recovery().unfinished(&Unfinished::MayHaveBegun);
        assert!(maybe.ends_with(LIST), "{maybe}");
    }

    #[test]
    fn a_lost_create_comes_with_the_command_that_removes_or_lists_the_upload() {
        let note = |others| recovery().note(&Note::LostCreate { others });
        let said = note(Some(vec!["u".into()]));
        assert!(said.contains("was lost") && said.ends_with(ABORT), "{said}");
        assert!(note(None).ends_with(LIST));
    }

    #[test]
    fn an_upload_that_is_not_resumed_comes_with_the_reason() {
        let not_resumed = |reason| NotResumed {
            upload: "u".into(),
            reason,
        };
        let differs = Reason::Differs(vec![Difference::Options, Difference::PartSize]);
        let said = recovery().none_resumed(&[not_resumed(differs)]);
        assert_eq!(
            said,
            format!(
                "the unfinished upload u was not resumed, since --level or the kind of bundle, which \
                 shape its bytes, are others, and its parts have another size; if no other push \
                 needs it, remove it: {ABORT}; to begin anew beside it, push with --resume=auto"
            )
        );
        let unlisted = Note::NotResumed(not_resumed(Reason::Unlisted("denied".into())));
        assert_eq!(
            recovery().note(&unlisted),
            "the unfinished upload u was not resumed, since its parts cannot be listed: denied"
        );
        let empty = recovery().note(&Note::EmptyUpload("u".into()));
        assert!(empty.ends_with(ABORT), "{empty}");
    }

    #[test]
    fn the_command_that_registers_can_be_pasted_into_a_shell() {
        let registration = Registration {
            location: recovery().location,
            bundle_type: BundleType::Archive(Format::Zip),
            etag: Some("e".into()),
            version: None,
        };
        let access = ["--region".to_owned(), "eu-west-1".to_owned()];
        assert_eq!(
            register_command(&registration, "App", "two words", &access),
            "hoist register --application-name App --s3-location 's3://b/it'\\''s k.zip' \
             --bundle-type zip --etag e --description 'two words' --region eu-west-1"
        );
        assert_eq!(
            joined(["releases/app-1.2.zip", ""]),
            "releases/app-1.2.zip ''"
        );
    }
}

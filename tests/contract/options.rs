//! Rows about options and environment variables.

use crate::row::Aspect::{Description, Exit, Message, Objects, Output, Revision};
use crate::row::{Row, bare, row};
use crate::seen::Seen;
use crate::trees::FILES;

const WORDS: &str = "Usage errors have the words of hoist's parser.";

/// The two parsers use different words, but both name the option.
fn both_name(name: &'static str) -> fn(&Seen, &Seen) {
    // A function pointer cannot capture the name, so it is a constant.
    match name {
        "--application-name" => |aws, hoist| both_say(aws, hoist, "--application-name"),
        "--s3-location" => |aws, hoist| both_say(aws, hoist, "--s3-location"),
        other => panic!("{other}"),
    }
}

fn both_say(aws: &Seen, hoist: &Seen, what: &str) {
    assert!(aws.message.contains(what), "{}", aws.message);
    assert!(hoist.message.contains(what), "{}", hoist.message);
    assert!(aws.is_nothing() && hoist.is_nothing());
}

pub(crate) fn refused() -> Vec<Row> {
    let location = ["--s3-location", "s3://bucket/k"];
    let name = ["--application-name", "App"];
    let with = |a: [&'static str; 2], b: &[&'static str]| [&a, b].concat();
    vec![
        bare("neither --application-name nor --s3-location", &[])
            .exits(252)
            .differs(&[Message], WORDS, |aws, hoist| {
                both_say(aws, hoist, "--application-name");
                both_say(aws, hoist, "--s3-location");
            }),
        bare("no --application-name", &location).exits(252).differs(
            &[Message],
            WORDS,
            both_name("--application-name"),
        ),
        bare("no --s3-location", &name).exits(252).differs(
            &[Message],
            WORDS,
            both_name("--s3-location"),
        ),
        bare(
            "--application-name without a value",
            &with(location, &["--application-name"]),
        )
        .exits(252)
        .differs(&[Message], WORDS, both_name("--application-name")),
        bare(
            "--s3-location without a value",
            &with(name, &["--s3-location"]),
        )
        .exits(252)
        .differs(&[Message], WORDS, both_name("--s3-location")),
        row("an option that is not known", &["--nope"])
            .exits(252)
            .says(OPTIONS),
        row("words that are not known", &["foo", "bar", "--baz=1"])
            .exits(252)
            .says(OPTIONS),
        row(
            "an unknown option that begins like a known one",
            &["--sourced", "x"],
        )
        .exits(252)
        .says(&["did you mean --source? --help lists the options"]),
        bare(
            "an unknown option, and none that must be there",
            &["--nope"],
        )
        .exits(252)
        .differs(&[Message], WORDS, both_name("--application-name")),
        row(
            "both hidden flags",
            &["--ignore-hidden-files", "--no-ignore-hidden-files"],
        )
        .exits(252),
        row(
            "both hidden flags and a bad location",
            &[
                "--ignore-hidden-files",
                "--no-ignore-hidden-files",
                "--s3-location",
                "b/k",
            ],
        )
        .exits(252),
        row("an empty application name", &["--application-name", ""])
            .exits(252)
            .differs(&[Message, Objects], EARLY, |aws, hoist| {
                assert!(aws.message.contains("applicationName"), "{}", aws.message);
                assert!(
                    hoist.message.contains("cannot be the name"),
                    "{}",
                    hoist.message
                );
                assert!(hoist.is_nothing());
            }),
        row(
            "an application name with a space",
            &["--application-name", "two words"],
        )
        .exits(252)
        .differs(&[Message, Objects], EARLY, |aws, hoist| {
            assert!(
                aws.message.contains("InvalidApplicationName"),
                "{}",
                aws.message
            );
            assert!(
                hoist.message.contains("cannot be the name"),
                "{}",
                hoist.message
            );
            assert!(hoist.is_nothing());
        }),
        row("a description that is too long", &["--description", LONG])
            .exits(252)
            .differs(&[Message, Objects], EARLY, |aws, hoist| {
                assert!(
                    aws.message.contains("DescriptionTooLong"),
                    "{}",
                    aws.message
                );
                assert!(
                    hoist.message.contains("has 513 characters"),
                    "{}",
                    hoist.message
                );
                assert!(hoist.is_nothing());
            }),
        row(
            "a description in a file that is not there",
            &["--description", "file://none"],
        )
        .exits(252)
        .differs(&[Message], FILES, |aws, hoist| {
            let same = "Error parsing parameter '--description': Unable to load paramfile \
                            file://none: ";
            for seen in [aws, hoist] {
                assert!(seen.message.starts_with(same), "{}", seen.message);
            }
        }),
    ]
}

const OPTIONS: &[&str] = &["--help lists the options"];

const EARLY: &str =
    "hoist refuses names and descriptions that CodeDeploy refuses before the upload.";

const LONG: &str = match std::str::from_utf8(&[b'x'; 513]) {
    Ok(text) => text,
    Err(_) => "",
};

const NAME: &str = "The default description begins with `Uploaded by hoist`.";

pub(crate) fn taken() -> Vec<Row> {
    vec![
        bare(
            "the required options alone, in the source",
            &[
                "--application-name",
                "App",
                "--s3-location",
                "s3://bucket/k.zip",
            ],
        )
        .cwd("src")
        .differs(&[Description], NAME, |_, hoist| {
            assert_eq!(hoist.revisions.len(), 1);
            assert!(hoist.has("appspec.yml") && hoist.has(".hidden"));
        }),
        described("a description", &["--description", "a release"]),
        row("an empty description", &["--description", ""]).differs(&[Description], NAME, named),
        described(
            "a description in Unicode",
            &["--description", "ünï 日本 🚀"],
        ),
        described("a description of two lines", &["--description", "a\nb"]),
        described(
            "a description of 512 characters",
            &["--description", &LONG[1..]],
        )
        .says(&["the description has 512 characters"]),
        described(
            "a description in a file",
            &["--description", "file://note.txt"],
        )
        .with(|tree| {
            tree.file("note.txt", "from a file, ü\n");
        }),
        described(
            "a description with :// in it",
            &["--description", "ftp://a file"],
        ),
        described(
            "--option=value",
            &["--description=d", "--s3-location=s3://bucket/other"],
        ),
        described(
            "options that are given twice",
            &[
                "--description",
                "a",
                "--s3-location",
                "s3://bucket/a",
                "--description",
                "b",
            ],
        ),
        described(
            "--ignore-hidden-files twice",
            &["--ignore-hidden-files", "--ignore-hidden-files"],
        ),
        described(
            "the AWS CLI's options about what it prints",
            &[
                "--output",
                "table",
                "--query",
                "x",
                "--no-paginate",
                "--color",
                "off",
            ],
        ),
        described("--output text", &["--output", "text"]),
        described("--output json", &["--output", "json"]).differs(
            &[Output],
            "`--output json` prints JSON.",
            |_, hoist| assert!(hoist.output.starts_with('{'), "{}", hoist.output),
        ),
        described(
            "timeouts",
            &["--cli-read-timeout", "50", "--cli-connect-timeout", "50"],
        ),
        row("an abbreviated option", &["--descr", "a"])
            .says(&["did you mean --description? --help lists the options"])
            .exits(252)
            .differs(
                &[Exit, Output, Message, Objects, Revision],
                "Options cannot be abbreviated.",
                |aws, hoist| {
                    assert_eq!(aws.code, Some(0));
                    assert_eq!(hoist.message, "Unknown options: --descr,a");
                    assert!(hoist.is_nothing());
                },
            ),
    ]
}

/// A row with a description of its own, unless the arguments give another.
fn described(name: &'static str, arguments: &[&'static str]) -> Row {
    row(name, &[&["--description", "d"], arguments].concat())
}

fn named(aws: &Seen, hoist: &Seen) {
    let one = |seen: &Seen| seen.default_descriptions.first().cloned();
    assert_eq!(one(aws).as_deref(), Some("Uploaded by AWS CLI <time> UTC"));
    assert_eq!(one(hoist).as_deref(), Some("Uploaded by hoist <time> UTC"));
}

pub(crate) fn locations() -> Vec<Row> {
    let bad = |name, location| row(name, &["--s3-location", location]).exits(252);
    vec![
        bad("no scheme", "bucket/key"),
        bad("a scheme in capitals", "S3://bucket/key"),
        bad("another scheme", "ftp://bucket/key"),
        bad("a space before the scheme", " s3://bucket/key"),
        bad("a bucket alone", "s3://bucket"),
        bad("a bucket and a slash", "s3://bucket/"),
        bad("no bucket", "s3:///key"),
        bad("the scheme alone", "s3://"),
        bad("an empty location", "").differs(
            &[Message],
            "An empty location has a message of its own.",
            |aws, hoist| {
                assert!(
                    aws.message.contains("no attribute 'bucket'"),
                    "{}",
                    aws.message
                );
                assert!(
                    hoist.message.starts_with("--s3-location must"),
                    "{}",
                    hoist.message
                );
            },
        ),
        row(
            "the ARN of an access point",
            &[
                "--s3-location",
                "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/name/key",
            ],
        )
        .exits(255)
        .differs(&[Message], SDK, |aws, hoist| {
            for seen in [aws, hoist] {
                assert!(
                    seen.message
                        .starts_with("Failed to upload 'src' to 's3://arn:aws"),
                    "{}",
                    seen.message
                );
            }
        }),
        row(
            "a bucket that no bucket can be",
            &["--s3-location", "s3://Bu_cket/key"],
        )
        .exits(255)
        .says(&["note: not checked: the bucket's region"]),
    ]
}

const SDK: &str = "Errors on the way to a service have the words of the Rust SDK.";

const TRUST: &str = "`--ca-bundle` and `--no-verify-ssl` apply to both services, too.";

fn not_trusted(aws: &Seen, hoist: &Seen) {
    assert!(
        aws.message.starts_with("Failed to upload"),
        "{}",
        aws.message
    );
    assert!(
        aws.message.contains("SSL validation failed"),
        "{}",
        aws.message
    );
    assert_eq!((hoist.code, hoist.revisions.len()), (Some(0), 1));
}

pub(crate) fn settings() -> Vec<Row> {
    vec![
        row("no region", &["--description", "d"])
            .unset("AWS_DEFAULT_REGION")
            .exits(253),
        row("--region", &["--description", "d", "--region", "us-east-1"])
            .env("AWS_DEFAULT_REGION", "eu-west-1"),
        row("AWS_REGION alone", &["--description", "d"])
            .unset("AWS_DEFAULT_REGION")
            .env("AWS_REGION", "us-east-1")
            .differs(
                &[Exit, Output, Message, Objects, Revision],
                "`AWS_REGION` is read, as in version 2 of the AWS CLI.",
                |aws, hoist| {
                    assert_eq!((aws.code, hoist.code), (Some(255), Some(0)));
                    assert!(aws.message.starts_with("You must specify a region."));
                },
            ),
        row(
            "a region from a profile",
            &["--description", "d", "--profile", "other"],
        )
        .unset("AWS_DEFAULT_REGION")
        .env("AWS_CONFIG_FILE", "{dir}/config")
        .with(|tree| {
            tree.file(
                "config",
                "[profile other]\nregion = us-east-1\naws_access_key_id = a\n\
                     aws_secret_access_key = b\n",
            );
        }),
        row("a profile that is not there", &["--profile", "nope"]).exits(255),
        row("no credentials", &[])
            .unset("AWS_ACCESS_KEY_ID")
            .unset("AWS_SECRET_ACCESS_KEY")
            .exits(255)
            .says(&["configure credentials by running"]),
        row(
            "--no-sign-request",
            &["--description", "d", "--no-sign-request"],
        )
        .unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY"),
        row(
            "an endpoint for each service, in the environment",
            &["--description", "d"],
        )
        .unset("AWS_ENDPOINT_URL")
        .env("AWS_ENDPOINT_URL_S3", "{url}")
        .env("AWS_ENDPOINT_URL_CODEDEPLOY", "{url}"),
        row("AWS_CA_BUNDLE", &["--description", "d"])
            .tls()
            .env("AWS_CA_BUNDLE", "{authority}"),
        row(
            "--ca-bundle",
            &["--description", "d", "--ca-bundle", "{authority}"],
        )
        .tls()
        .differs(
            &[Exit, Output, Message, Objects, Revision],
            TRUST,
            not_trusted,
        ),
        row(
            "--no-verify-ssl",
            &["--description", "d", "--no-verify-ssl"],
        )
        .tls()
        .differs(
            &[Exit, Output, Message, Objects, Revision],
            TRUST,
            not_trusted,
        ),
        row("a certificate that no trusted authority signed", &[])
            .tls()
            .exits(255)
            .differs(&[Message], SDK, |aws, hoist| {
                assert!(
                    aws.message.contains("SSL validation failed"),
                    "{}",
                    aws.message
                );
                assert!(hoist.message.contains("certificate"), "{}", hoist.message);
                assert!(aws.is_nothing() && hoist.is_nothing());
            }),
        row(
            "--endpoint-url",
            &["--description", "d", "--endpoint-url", "{url}"],
        )
        // No server listens there.
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        .env("AWS_ENDPOINT_URL_CODEDEPLOY", "http://127.0.0.1:9")
        .unset("AWS_ENDPOINT_URL")
        .differs(
            &[Exit, Output, Message, Objects, Revision],
            "`--endpoint-url` applies to S3 and CodeDeploy; in the AWS CLI it applies to CodeDeploy only.",
            |aws, hoist| {
                assert!(
                    aws.message.starts_with("Failed to upload 'src' to"),
                    "{}",
                    aws.message
                );
                assert!(aws.message.contains("127.0.0.1:9"), "{}", aws.message);
                assert!(aws.is_nothing());
                assert_eq!((hoist.code, hoist.revisions.len()), (Some(0), 1));
            },
        ),
        row(
            "--endpoint-url for CodeDeploy",
            &["--description", "d", "--endpoint-url", "{url}"],
        )
        .env("AWS_ENDPOINT_URL_CODEDEPLOY", "http://127.0.0.1:9"),
    ]
}

//! Rows about the source: how it is named, and what makes it a revision.

use crate::row::Aspect::{Entries, Exit, Message, Objects, Output, Revision};
use crate::row::{APPSPEC, Aspect, Row, bare, row};
use crate::seen::Seen;

fn from(name: &'static str, source: &'static str) -> Row {
    let arguments = [
        "--application-name",
        "App",
        "--s3-location",
        "s3://bucket/key.zip",
        "--description",
        "d",
        "--source",
        source,
    ];
    bare(name, &arguments)
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        from("a relative source", "src"),
        from("a source with a trailing slash", "src/"),
        from("two slashes", "src//"),
        from("an absolute source", "{src}"),
        from("an absolute source with a trailing slash", "{src}/"),
        from("the source .", ".").cwd("src"),
        from("the source ./", "./").cwd("src"),
        from("the source ..", "..").cwd("src/site"),
        from("./x/..", "./site/..").cwd("src"),
        from("../x", "../src").cwd("src"),
        from("a hidden source", ".hidden").tree(|tree| {
            tree.file(".hidden/appspec.yml", APPSPEC).file(".hidden/a", "a");
        }),
        ignoring("a hidden source, hidden files ignored", ".hidden").tree(|tree| {
            tree.file(".hidden/appspec.yml", APPSPEC)
                .file(".hidden/a", "a")
                .file(".hidden/.b", "b");
        }),
        ignoring("a source below a hidden directory, hidden files ignored", ".hidden/src").tree(
            |tree| {
                tree.file(".hidden/src/appspec.yml", APPSPEC);
            },
        ),
        from("a link to the source", "link").with(|tree| {
            tree.symlink("link", "src");
        }),
        from("a source with spaces and Unicode", "my ü source").tree(|tree| {
            tree.file("my ü source/appspec.yml", APPSPEC);
        }),
        from("a source that is not there", "none").exits(255).differs(
            &[Message],
            "For a source that does not exist or is not a directory, hoist says so; the AWS CLI says \
             that it has no `appspec.yml`.",
            |aws, hoist| {
                assert_eq!(aws.message, "{dir}/none/appspec.yml was not found");
                assert!(
                    hoist.message.starts_with("cannot find the source directory none: "),
                    "{}",
                    hoist.message
                );
            },
        ),
        from("an empty source", "").exits(252).differs(
            &[Exit, Message],
            "An empty `--source` is a usage error.",
            |aws, hoist| {
                assert_eq!((aws.code, hoist.code), (Some(255), Some(2)));
                assert_eq!(aws.message, "{dir}/appspec.yml was not found");
                assert!(hoist.message.contains("--source"), "{}", hoist.message);
            },
        ),
        from("an archive as the source", "a.zip")
            .tree(|tree| {
                let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
                let options = zip::write::SimpleFileOptions::default();
                zip.start_file("appspec.yml", options).unwrap();
                std::io::Write::write_all(&mut zip, APPSPEC.as_bytes()).unwrap();
                tree.file("a.zip", zip.finish().unwrap().into_inner());
            })
            .differs(&[Exit, Message, Output, Objects, Revision], KINDS, |aws, hoist| {
                assert_eq!(aws.message, "{dir}/a.zip/appspec.yml was not found");
                assert_eq!(hoist.revisions[0].location["bundleType"], "zip");
                assert!(hoist.has("appspec.yml"));
            }),
    ]
}

fn ignoring(name: &'static str, source: &'static str) -> Row {
    let mut row = from(name, source);
    row.arguments.push("--ignore-hidden-files");
    row
}

const KINDS: &str = "An existing archive, an AppSpec file for Lambda or ECS, or a key that ends in \
                  `.tar`, `.tgz` or `.tar.gz` makes a revision of that kind.";

const LAMBDA: &str = "version: 0.0\nResources:\n  - F:\n      Type: AWS::Lambda::Function\n      \
                      Properties:\n        Name: f\n        Alias: live\n        CurrentVersion: \
                      1\n        TargetVersion: 2\n";

const BROKEN: &str = "An AppSpec file that the agents refuse stops the push ([rules](appspec.md)); \
                  `--no-lint` turns this check off.";

/// In what a push that is done and one that is stopped differ.
const REFUSED: [Aspect; 5] = [Exit, Message, Output, Objects, Revision];

/// The AWS CLI sends it; hoist says what is wrong, in which file, and sends nothing.
fn refused(aws: &Seen, hoist: &Seen, what: &str) {
    assert_eq!((aws.code, hoist.code), (Some(0), Some(255)));
    assert!(aws.has("appspec.yml") && hoist.is_nothing());
    assert_eq!(
        hoist.message,
        "src/appspec.yml would fail: 1 error; nothing was sent. --no-lint sends it all the same"
    );
    assert!(hoist.said[0].contains(what), "{:?}", hoist.said);
}

pub(crate) fn appspecs() -> Vec<Row> {
    vec![
        from("no AppSpec", "src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/a", "a");
            })
            .says(&["a deployment needs it at the root of the bundle"]),
        from("no AppSpec in .", ".")
            .cwd("src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/a", "a");
            })
            .says(&["a deployment needs it at the root of the bundle"]),
        from("no AppSpec in ./x/..", "./b/../")
            .cwd("src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/b/a", "a");
            })
            .says(&["a deployment needs it at the root of the bundle"]),
        from("an empty directory", "src")
            .exits(255)
            .tree(|tree| {
                tree.dir("src");
            })
            .says(&["a deployment needs it at the root of the bundle"]),
        from("an AppSpec in a directory below alone", "src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/b/appspec.yml", APPSPEC);
            })
            .says(&["found in src/b/; did you mean --source src/b?"]),
        from("an AppSpec in other letters", "src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/AppSpec.yml", APPSPEC);
            })
            .says(&["there is an AppSpec.yml, which the CodeDeploy agent does not read"]),
        from("a directory appspec.yml", "src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/appspec.yml/a", "a");
            })
            .says(&["a deployment needs it at the root of the bundle"]),
        from("appspec.yaml alone", "src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/appspec.yaml", APPSPEC);
            })
            .says(&["there is an appspec.yaml, which the CodeDeploy agent does not read"]),
        from("a link to an AppSpec", "src").tree(|tree| {
            tree.file("src/real.yml", APPSPEC)
                .symlink("src/appspec.yml", "real.yml");
        }),
        row(
            "an AppSpec for Lambda",
            &[
                "--s3-location",
                "s3://bucket/appspec.yaml",
                "--description",
                "d",
            ],
        )
        .tree(|tree| {
            tree.file("src/appspec.yaml", LAMBDA);
        })
        .server(|server| {
            server.make_bucket("bucket");
            server.make_application("App", "Lambda");
        })
        .differs(
            &[Exit, Message, Output, Objects, Revision],
            KINDS,
            |aws, hoist| {
                assert_eq!(aws.message, "{dir}/src/appspec.yml was not found");
                assert_eq!(hoist.revisions[0].location["bundleType"], "YAML");
            },
        ),
        row(
            "a key that ends in .tgz",
            &["--s3-location", "s3://bucket/k.tgz", "--description", "d"],
        )
        .differs(&[Output, Objects, Revision], KINDS, |aws, hoist| {
            let kind = |seen: &Seen| seen.revisions[0].location["bundleType"].clone();
            assert_eq!((&*kind(aws), &*kind(hoist)), ("zip", "tgz"));
            assert!(hoist.output.contains("bundleType=tgz"), "{}", hoist.output);
        }),
        from("an AppSpec that every agent refuses", "src")
            .exits(255)
            .tree(|tree| {
                tree.file("src/appspec.yml", APPSPEC.replace("os: linux", "os: Linux"));
            })
            .says(&["error[os]: "])
            .differs(&REFUSED, BROKEN, |aws, hoist| refused(aws, hoist, "Linux")),
        from("an AppSpec with a script that is not there", "src")
            .exits(255)
            .tree(|tree| {
                let hooks = "hooks:\n  AfterInstall:\n    - location: none.sh\n";
                tree.file("src/appspec.yml", format!("{APPSPEC}{hooks}"));
            })
            .says(&["error[script-not-found]: "])
            .differs(&REFUSED, BROKEN, |aws, hoist| {
                refused(aws, hoist, "none.sh");
            }),
        from("an AppSpec that some agents refuse", "src")
            .tree(|tree| {
                let hooks = "hooks:\n  AfterInstall:\n    - location: run.sh\n      timeout: 30s\n";
                tree.file("src/appspec.yml", format!("{APPSPEC}colour: red\n{hooks}"))
                    .file("src/run.sh", "#!/bin/sh\n")
                    .mode("src/run.sh", 0o755);
            })
            .says(&["warning[unknown-key]: ", "warning[timeout-form]: "]),
        from("a .hoistignore", "src")
            .with(|tree| {
                tree.file("src/.hoistignore", "*.html\n");
            })
            .differs(
                &[Entries],
                "Files that a `.hoistignore` lists are left out, and so is the `.hoistignore` \
                 itself; with `--no-hoistignore` it is an ordinary file.",
                |aws, hoist| {
                    for name in [".hoistignore", "site/index.html"] {
                        assert!(aws.has(name) && !hoist.has(name), "{name}");
                    }
                    assert!(hoist.has("appspec.yml") && hoist.has("site/empty"));
                },
            ),
    ]
}

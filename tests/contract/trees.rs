//! Rows about what is in the source.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::row::Aspect::{Exit, Message, Modes, Objects, Output, Parts, Revision, Times};
use crate::row::{APPSPEC, Row, Stop, row};
use crate::seen::Seen;
use crate::support::{Run as _, Tree, is_root, noise, text, tool, within};

fn push(name: &'static str) -> Row {
    row(name, &["--description", "d"])
}

fn ignoring(name: &'static str) -> Row {
    row(name, &["--description", "d", "--ignore-hidden-files"])
}

pub(crate) fn hidden() -> Vec<Row> {
    let odd = |tree: &Tree| {
        tree.file("src/...", "a")
            .file("src/..a", "a")
            .file("src/a.", "a")
            .file("src/.a/.b/c", "a")
            .file("src/b/.c/d/.e", "a");
    };
    vec![
        push("hidden files and directories"),
        push("a repository and credentials")
            .with(|tree| {
                tree.file("src/.env", "KEY=value\n")
                    .file("src/.git/HEAD", "ref: refs/heads/main\n");
            })
            .says(&["src/.env and src/.git are in the bundle, so every instance gets them"]),
        row(
            "--no-ignore-hidden-files",
            &["--description", "d", "--no-ignore-hidden-files"],
        ),
        ignoring("--ignore-hidden-files"),
        push("names of dots").with(odd),
        ignoring("names of dots, hidden files ignored").with(odd),
        ignoring("hidden links, hidden files ignored").with(|tree| {
            tree.symlink("src/.dangling", "none")
                .symlink("src/.link", "site");
        }),
        ignoring("a visible link to a hidden file, hidden files ignored").with(|tree| {
            tree.symlink("src/seen", ".hidden");
        }),
    ]
}

pub(crate) const FILES: &str = "Errors about files have hoist's words.";

/// Both fail; hoist names what could not be packed, and why.
fn named(aws: &Seen, hoist: &Seen) {
    assert!(aws.is_nothing() && hoist.is_nothing());
    assert!(aws.message.contains("src/x"), "{}", aws.message);
    assert!(hoist.message.contains("src/x"), "{}", hoist.message);
}

pub(crate) fn links() -> Vec<Row> {
    vec![
        push("a link to a file").with(|tree| {
            tree.symlink("src/index.html", "site/index.html");
        }),
        push("a link to a program").with(|tree| {
            tree.symlink("src/start", "scripts/start.sh");
        }),
        push("a link to a link").with(|tree| {
            tree.symlink("src/a", "b")
                .symlink("src/b", "site/index.html");
        }),
        push("a link to a file outside")
            .with(|tree| {
                tree.file("outside", "o").symlink("src/link", "../outside");
            })
            .says(&["warning: src/link "]),
        push("a link by an absolute path to a file inside").with(|tree| {
            let target = tree.path().join("src/site/index.html");
            symlink(target, tree.path().join("src/link")).unwrap();
        }),
        push("a link to a directory")
            .with(|tree| {
                tree.symlink("src/current", "site");
            })
            .says(&["warning: src/current is a symbolic link to a directory"]),
        push("a link to a directory outside")
            .with(|tree| {
                tree.file("outside/a", "a")
                    .symlink("src/current", "../outside");
            })
            .says(&["warning: src/current is a symbolic link to a directory"]),
        push("a link to the directory that it is in")
            .with(|tree| {
                tree.symlink("src/site/again", ".")
                    .symlink("src/site/up", "..");
            })
            .says(&["src/site/again and 1 more are symbolic links"]),
        push("a link that leads nowhere")
            .with(|tree| {
                tree.symlink("src/x", "none");
            })
            .exits(255)
            .differs(&[Message], FILES, named),
        push("a link to itself")
            .with(|tree| {
                tree.symlink("src/x", "x");
            })
            .exits(255)
            .differs(&[Message], FILES, named),
        push("two links to each other")
            .with(|tree| {
                tree.symlink("src/x1", "x2").symlink("src/x2", "x1");
            })
            .exits(255)
            .differs(&[Message], FILES, named),
        push("a hard link").with(|tree| {
            let of = |name: &str| tree.path().join("src").join(name);
            std::fs::hard_link(of("site/index.html"), of("copy")).unwrap();
        }),
    ]
}

/// As a user to whom permissions apply: root without the capabilities that overrule them.
fn as_anybody(command: Command) -> Option<Command> {
    if !is_root() {
        return Some(command);
    }
    let setpriv = tool("setpriv", &["setpriv"])?;
    let without = "-dac_override,-dac_read_search";
    let [bounding, inherited] =
        ["bounding-set", "inh-caps"].map(|set| format!("--{set}={without}"));
    let words: [&OsStr; 4] = [
        setpriv.get_program(),
        bounding.as_ref(),
        inherited.as_ref(),
        "--".as_ref(),
    ];
    Some(within(&words, &command))
}

const MODES: [(&str, u32); 6] = [
    ("src/m/0644", 0o644),
    ("src/m/0755", 0o755),
    ("src/m/0400", 0o400),
    ("src/m/0777", 0o777),
    ("src/m/0511", 0o511),
    ("src/m/0600", 0o600),
];

pub(crate) fn files() -> Vec<Row> {
    vec![
        push("permissions of all kinds").with(|tree| {
            for (name, mode) in MODES {
                tree.file(name, "m").mode(name, mode);
            }
        }),
        push("setuid, setgid and sticky bits")
            .with(|tree| {
                for (name, mode) in [("a", 0o4755), ("b", 0o2755), ("c", 0o1644)] {
                    let name = format!("src/{name}");
                    tree.file(&name, "m").mode(&name, mode);
                }
            })
            .says(&["warning: src/a and 2 more have a setuid, setgid or sticky bit"])
            .differs(
                &[Modes],
                "Setuid, setgid and sticky bits are not packed; the agent's `unzip` drops them, too.",
                |aws, hoist| {
                    let of = |seen: &Seen, name: &str| {
                        let object = seen.objects.values().next().unwrap();
                        let entries = object.entries.as_ref().unwrap();
                        entries[name.as_bytes()].mode & 0o177_777
                    };
                    assert_eq!(
                        ["a", "b", "c"].map(|name| of(aws, name)),
                        [0o104_755, 0o102_755, 0o101_644]
                    );
                    assert_eq!(
                        ["a", "b", "c"].map(|name| of(hoist, name)),
                        [0o100_755, 0o100_755, 0o100_644]
                    );
                },
            ),
        push("empty directories").with(|tree| {
            tree.dir("src/empty").dir("src/a/b/c").dir("src/.empty");
        }),
        push("a file that its owner cannot read, as root")
            .with(|tree| {
                tree.file("src/x", "a").mode("src/x", 0);
            })
            .wrap(|command| is_root().then_some(command)),
        push("a file that cannot be read")
            .with(|tree| {
                tree.file("src/x", "a").mode("src/x", 0);
            })
            .wrap(as_anybody)
            .exits(255)
            .differs(&[Message], FILES, named),
        push("a directory that cannot be read")
            .with(|tree| {
                tree.file("src/x/a", "a").mode("src/x", 0);
            })
            .wrap(as_anybody)
            .exits(255)
            .differs(
                &[Exit, Message, Output, Objects, Revision],
                "A directory that cannot be read is an error; the AWS CLI leaves it out silently.",
                |aws, hoist| {
                    assert_eq!((aws.code, &*aws.message), (Some(0), ""));
                    assert!(!aws.has("x/a") && aws.has("appspec.yml"));
                    let said = &hoist.message;
                    assert!(
                        said.contains("src/x") && said.contains("Permission denied"),
                        "{said}"
                    );
                    assert!(hoist.is_nothing());
                },
            ),
        push("a named pipe")
            .with(|tree| {
                let pipe = tree.path().join("src/x");
                Command::new("mkfifo").arg(pipe).silent();
            })
            .stop(Stop::Pipe("src/x"))
            .exits(255)
            .differs(
                &[Exit, Message],
                "A named pipe is an error; the AWS CLI waits forever for data.",
                |aws, hoist| {
                    assert_eq!((aws.code, hoist.code), (None, Some(255)));
                    assert!(
                        hoist.message.contains("src/x is a named pipe"),
                        "{}",
                        hoist.message
                    );
                    assert!(aws.is_nothing() && hoist.is_nothing());
                },
            ),
        push("a socket")
            .with(|tree| drop(UnixListener::bind(tree.path().join("src/x")).unwrap()))
            .exits(255)
            .differs(&[Message], FILES, |aws, hoist| {
                named(aws, hoist);
                assert!(hoist.message.contains("is a socket"), "{}", hoist.message);
            }),
    ]
}

pub(crate) fn times_and_names() -> Vec<Row> {
    vec![
        push("a time before 1980")
            .with(|tree| {
                tree.file("src/x", "a").mtime("src/x", 86_400);
            })
            .differs(
                &[Exit, Message, Output, Objects, Revision],
                "Files from before 1980 or after 2107 are packed and keep their times; the AWS CLI fails.",
                old,
            ),
        push("a time before 1970")
            .with(|tree| {
                tree.file("src/x", "a").mtime("src/x", -86_400);
            })
            .differs(
                &[Exit, Message, Output, Objects, Revision],
                "Files from before 1980 or after 2107 are packed and keep their times; the AWS CLI fails.",
                old,
            ),
        push("a time after 2107")
            .with(|tree| {
                tree.file("src/x", "a").mtime("src/x", 4_354_819_200);
            })
            .differs(
                &[Exit, Message, Output, Objects, Revision],
                "Files from before 1980 or after 2107 are packed and keep their times; the AWS CLI fails.",
                |aws, hoist| {
                    assert!(aws.message.contains("ushort format requires"), "{}", aws.message);
                    assert_eq!(aws.code, Some(255));
                    assert!(aws.is_nothing() && hoist.has("x"));
                },
            ),
        push("the first and the last time").with(|tree| {
            tree.file("src/first", "a").mtime("src/first", 315_532_800);
            tree.file("src/last", "a").mtime("src/last", 4_354_819_199);
        }),
        push("another time zone").env("TZ", "America/New_York").differs(
            &[Times],
            "All times in a zip are in UTC, also in the field that has no time zone.",
            |_, _| {},
        ),
        push("names with spaces and signs").with(|tree| {
            for name in ["a b", "a'b", "a\"b", "a&b;c", "$a", "a%20b", "-a", "a=b,c", "~", "#a"] {
                tree.file(&format!("src/{name}"), "a");
            }
        }),
        push("names in Unicode").with(|tree| {
            for name in ["ü", "u\u{308}", "日本/語", "🚀", "\u{fffd}"] {
                tree.file(&format!("src/n/{name}"), "a");
            }
        }),
        push("a name of 255 bytes").with(|tree| {
            tree.file(&format!("src/{}", "n".repeat(255)), "a");
        }),
        push("a path of 2,000 bytes").with(|tree| {
            tree.file(&format!("src/{}", "directory/".repeat(200) + "f"), "");
        }),
        push("a name that is not UTF-8")
            .with(|tree| {
                use std::os::unix::ffi::OsStrExt as _;
                let name = std::ffi::OsStr::from_bytes(b"x\xff");
                std::fs::write(tree.path().join("src").join(name), "a").unwrap();
            })
            .exits(255)
            .differs(&[Message], FILES, |aws, hoist| {
                assert!(aws.message.contains("surrogates not allowed"), "{}", aws.message);
                assert!(hoist.message.contains("src/x"), "{}", hoist.message);
                assert!(aws.is_nothing() && hoist.is_nothing());
            }),
    ]
}

fn old(aws: &Seen, hoist: &Seen) {
    assert_eq!(aws.message, "ZIP does not support timestamps before 1980");
    assert_eq!(aws.code, Some(255));
    assert!(aws.is_nothing() && hoist.has("x"));
}

const PARTS: &str = "Parts have 8 MiB instead of 6 MiB, so equal bytes have another ETag.";

/// Sizes around that of a chunk, each once: two parts of 6 MiB and a bit, and of 8 MiB.
const MEBIBYTES: [usize; 11] = {
    let mut sizes = [0; 11];
    let mut n = 0;
    while n < 11 {
        sizes[n] = (1 << 20) + n - 7;
        n += 1;
    }
    sizes
};

pub(crate) fn sizes() -> Vec<Row> {
    let noisy = |sizes: &'static [usize]| {
        move |tree: &Tree| {
            tree.file("src/appspec.yml", APPSPEC);
            for (seed, size) in (1..).zip(sizes) {
                tree.file(&format!("src/noise-{size}.bin"), noise(*size, seed));
            }
        }
    };
    vec![
        push("5 MiB").tree(noisy(&[5 << 20])),
        push("7 MiB")
            .tree(noisy(&[7 << 20]))
            .differs(&[Parts], PARTS, |aws, hoist| {
                assert_eq!((aws.parts, hoist.parts), (Some(2), None));
            }),
        push("20 MiB")
            .tree(noisy(&[20 << 20]))
            .differs(&[Parts], PARTS, |aws, hoist| {
                assert_eq!((aws.parts, hoist.parts), (Some(4), Some(3)));
            }),
        push("11 files of 1 MiB").tree(noisy(&MEBIBYTES)),
        push("a large file that compresses").with(|tree| {
            tree.file("src/words", text(12 << 20, 3));
        }),
        push("2,000 files").with(|tree| {
            for n in 0..2000 {
                tree.file(&format!("src/many/{}/{n}", n % 50), format!("{n}"));
            }
        }),
    ]
}

//! A row of the contract: a command, the world in which it runs, and how both tools must end.

use std::process::Command;

use hoist::endpoint::faults::{Fault, Operation, Request};

use crate::seen::Seen;
use crate::support::{Server, Tree, text};

/// What two runs may differ in. A row names the aspects in which they differ; all others must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aspect {
    /// The exit code, as the AWS CLI version 1 has it.
    Exit,
    /// Standard output without the digits of the ETag.
    Output,
    /// The text of the error.
    Message,
    /// The number of parts in the ETag; an upload in one request has no number.
    Parts,
    /// Buckets, keys, and whether each object is a zip.
    Objects,
    /// The names of the entries.
    Entries,
    /// The contents of the entries that both archives have.
    Contents,
    /// The permissions and kinds of these entries: all of `st_mode`.
    Modes,
    /// The times of these entries, from the zip's own fields.
    Times,
    /// The registered revisions, without the time and the program's name in the default description.
    Revision,
    /// The default description.
    Description,
    /// The multipart uploads that the run left.
    Leftovers,
}

/// How the two runs of a row compare.
pub(crate) enum Verdict {
    /// Both runs are equal.
    Equal,
    /// They differ on purpose.
    Differs {
        aspects: &'static [Aspect],
        /// A line of docs/migrating.md.
        why: &'static str,
        /// What each tool must have done, `aws` first.
        check: fn(&Seen, &Seen),
    },
}

/// When to stop a run that does not end by itself.
#[derive(Clone, Copy)]
pub(crate) enum Stop {
    Never,
    /// With this signal, after a request of this operation arrived, which is never answered.
    Signal(Operation, &'static str),
    /// With a kill, if the run opens this pipe and waits for a writer.
    Pipe(&'static str),
}

/// What goes wrong with a request.
pub(crate) type Faulty = fn(&Request) -> Option<Fault>;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<&'static str>,
    pub(crate) env: Vec<(&'static str, Option<&'static str>)>,
    /// Where the command runs, below the scratch directory.
    pub(crate) cwd: &'static str,
    /// Makes `src` and the other files.
    pub(crate) tree: Box<dyn Fn(&Tree) + Send + Sync>,
    /// Makes buckets, objects and applications.
    pub(crate) server: fn(&Server),
    pub(crate) faulty: Option<Faulty>,
    /// Whether the endpoint speaks TLS.
    pub(crate) tls: bool,
    /// Runs the command in another way. Returns None if this user cannot.
    pub(crate) wrap: fn(Command) -> Option<Command>,
    pub(crate) stop: Stop,
    /// The exit code of the AWS CLI version 2.
    pub(crate) v2: i32,
    /// A part of each line that hoist writes to standard error besides the error and the summary.
    pub(crate) says: &'static [&'static str],
    pub(crate) verdict: Verdict,
}

pub(crate) const APPSPEC: &str =
    "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// A revision with the usual kinds of files.
pub(crate) fn small(tree: &Tree) {
    tree.file("src/appspec.yml", APPSPEC)
        .file("src/scripts/start.sh", "#!/bin/sh\nexit 0\n")
        .mode("src/scripts/start.sh", 0o755)
        .file("src/site/index.html", text(20_000, 1))
        .file("src/site/empty", "")
        .file("src/.hidden", "KEY=value\n")
        .file("src/.config/settings", "a = b\n")
        .file("src/site/.well-known/security.txt", "Contact: us\n");
}

fn ready(server: &Server) {
    server.make_bucket("bucket");
    server.make_application("App", "Server");
}

/// A row: the command with these arguments and no others, on the small revision.
///
/// `{src}` is the path of the source, `{dir}` the one above it, `{url}` the endpoint's, `{authority}`
/// the file with the authority of its certificate.
pub(crate) fn bare(name: &'static str, arguments: &[&'static str]) -> Row {
    Row {
        name,
        arguments: arguments.to_vec(),
        env: Vec::new(),
        cwd: "",
        tree: Box::new(small),
        server: ready,
        faulty: None,
        tls: false,
        wrap: Some,
        stop: Stop::Never,
        v2: 0,
        says: &[],
        verdict: Verdict::Equal,
    }
}

/// A row: the required options, a source, and then these. If an option is given twice, the last value
/// counts.
pub(crate) fn row(name: &'static str, arguments: &[&'static str]) -> Row {
    let required = [
        "--application-name",
        "App",
        "--s3-location",
        "s3://bucket/dir/key.zip",
        "--source",
        "src",
    ];
    bare(name, &[&required, arguments].concat())
}

impl Row {
    /// More files, besides those of the small revision.
    pub(crate) fn with(self, more: impl Fn(&Tree) + Send + Sync + 'static) -> Self {
        self.tree(move |tree| {
            small(tree);
            more(tree);
        })
    }

    /// Other files.
    pub(crate) fn tree(mut self, make: impl Fn(&Tree) + Send + Sync + 'static) -> Self {
        self.tree = Box::new(make);
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, Some(value)));
        self
    }

    pub(crate) fn unset(mut self, name: &'static str) -> Self {
        self.env.push((name, None));
        self
    }

    pub(crate) fn cwd(mut self, cwd: &'static str) -> Self {
        self.cwd = cwd;
        self
    }

    pub(crate) fn server(mut self, prepare: fn(&Server)) -> Self {
        self.server = prepare;
        self
    }

    pub(crate) fn faulty(mut self, faulty: Faulty) -> Self {
        self.faulty = Some(faulty);
        self
    }

    pub(crate) fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    pub(crate) fn wrap(mut self, wrap: fn(Command) -> Option<Command>) -> Self {
        self.wrap = wrap;
        self
    }

    pub(crate) fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    pub(crate) fn exits(mut self, v2: i32) -> Self {
        self.v2 = v2;
        self
    }

    pub(crate) fn says(mut self, says: &'static [&'static str]) -> Self {
        self.says = says;
        self
    }

    pub(crate) fn differs(
        mut self,
        aspects: &'static [Aspect],
        why: &'static str,
        check: fn(&Seen, &Seen),
    ) -> Self {
        self.verdict = Verdict::Differs {
            aspects,
            why,
            check,
        };
        self
    }
}

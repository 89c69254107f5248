//! The world of one test: a revision to push, and an endpoint of its own to push it to.

use std::ops::Deref;
use std::process::Command;

use hoist::endpoint::Link;

use super::run::packed;
use super::server::Server;
use super::tree::{Tree, noise, text};

/// A source tree and an endpoint with the bucket `bucket` and the application `App`.
pub(crate) struct Scene {
    pub(crate) tree: Tree,
    pub(crate) server: Server,
}

impl Scene {
    /// A small revision, whose archive is sent in one request.
    pub(crate) fn new() -> Self {
        let tree = Tree::revision();
        tree.file("scripts/start.sh", "#!/bin/sh\n")
            .mode("scripts/start.sh", 0o755)
            .file("site/index.html", text(20_000, 1))
            .file(".hidden", "KEY=value\n");
        Self::of(tree)
    }

    /// A revision that does not compress, whose archive is sent in two parts.
    pub(crate) fn large() -> Self {
        let tree = Tree::revision();
        for n in 0..2 {
            tree.file(&format!("noise-{n}.bin"), noise(5 << 20, n));
        }
        Self::of(tree)
    }

    /// The small revision or the large one.
    pub(crate) fn of_size(is_large: bool) -> Self {
        if is_large { Self::large() } else { Self::new() }
    }

    pub(crate) fn of(tree: Tree) -> Self {
        Self::over(Link::default(), tree)
    }

    /// With the endpoint at the far end of a link.
    pub(crate) fn over(link: Link, tree: Tree) -> Self {
        Self {
            tree,
            server: Server::ready_over(link),
        }
    }

    /// `hoist push` of the tree to `s3://bucket/key.zip`. Of an option that is given twice the last counts.
    pub(crate) fn push(&self, arguments: &[&str]) -> Command {
        self.push_of(self.tree.path(), arguments)
    }

    /// The archive that `hoist pack` makes of the tree.
    pub(crate) fn packed(&self) -> Vec<u8> {
        packed(self.tree.path(), "a.zip", &[])
    }
}

impl Deref for Scene {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

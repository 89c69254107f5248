//! What the tests share: trees to pack, the command under test, an endpoint in this process, and the
//! programs that judge what was made.

// Every test binary uses its own part of this module.
#![allow(dead_code, unused_imports, unreachable_pub)]

mod archives;
mod home;
mod run;
mod tree;

#[cfg(all(feature = "push", feature = "local"))]
mod listener;
#[cfg(all(feature = "push", feature = "local"))]
mod scene;
#[cfg(all(feature = "push", feature = "local"))]
mod server;
#[cfg(all(feature = "push", feature = "local"))]
mod tls;

pub(crate) use archives::{All, Held, unpacked};
pub(crate) use home::Home;
pub(crate) use run::{
    Done, Run, Running, after, as_nobody, aws, hoist, is_root, missing, packed, required, shell,
    tool, wait_until, within, without_umask,
};
pub(crate) use tree::{APPSPEC, Entries, Entry, Tree, entries, names, noise, text};

#[cfg(all(feature = "push", feature = "local"))]
pub(crate) use {
    listener::Listener,
    scene::Scene,
    server::{Server, runtime},
    tls::{Tls, authority},
};

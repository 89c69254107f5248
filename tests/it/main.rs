//! What the command and the library promise, rule by rule, proven on the real binary.
//!
//! One binary, so that everything is linked once.

#![recursion_limit = "256"]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

mod access;
mod before;
mod bench;
mod bundles;
mod cancel;
mod clean;
mod debug;
mod determinism;
mod faults;
mod giants;
mod lint;
mod manifest;
mod moving;
mod object;
mod output;
mod privilege;
mod properties;
mod push;
mod readers;
mod reliable;
mod resume;
mod select;
mod serve;
mod stop;
mod strict_zip;
#[cfg(unix)]
mod support;
mod tar;
mod tight;
#[cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]
mod troubled;
mod verify;

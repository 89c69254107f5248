//! Pushes AWS CodeDeploy revisions: a directory becomes a zip on all cores, which streams to S3
//! while it is made and is then registered with CodeDeploy.
//!
//! ```text
//!             rayon workers (CPU)                    tokio tasks (network)
//!  plan ──▶ budget ──▶ read+hash+deflate ──▶ assemble ──▶ cut ──▶ ▌Part▐ ──▶ upload ×N ──▶ complete ──▶ register
//!  walk      bytes      entry or 1 MiB        zip records   equal   boundary   S3 parts                    CodeDeploy
//!  sort      in plan    chunk, no waiting     in order      parts   (one call)
//!            order
//! ```
//!
//! Five promises shape it:
//!
//! 1. **One pass, no temporary file.** Bytes go from disk to a worker, to a part, to S3.
//! 2. **Bounded memory.** [`archive::limits`] states the peak; only the plan grows with the tree.
//! 3. **Same tree, same bytes.** No thread, clock or machine shows in the archive.
//! 4. **Every reader reads it.** [`archive::zip`] writes what all of them agree on.
//! 5. **All or nothing.** A push ends registered, or with an error and nothing left behind.
//!
//! The packing half ([`archive::plan`], [`archive::deflate`], [`archive::zip`], [`archive::tar`], [`archive::manifest`], [`archive::pack`]) builds without any
//! feature, and then without an async runtime or AWS crates. Feature `verify` adds [`verify`], which reads
//! archives back; feature `push` adds [`transfer`], [`aws::codedeploy`], [`clean`] and [`push`]; feature `local` adds [`endpoint`], an S3 and CodeDeploy endpoint on a directory; feature
//! `cli` is for the command `hoist`.
//!
//! A directory as a local file:
//!
//! ```
//! use hoist::bundle::Format;
//! use hoist::archive::limits::{DEFAULT_CONCURRENCY, Limits, default_threads};
//! use hoist::archive::{deflate::Level, pack, plan, plan::Plan};
//! use hoist::{cancel::Cancel, progress::Progress};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let (source, target) = (dir.path().join("site"), dir.path().join("site.zip"));
//! # std::fs::create_dir(&source)?;
//! # std::fs::write(source.join("index.html"), "<h1>hello</h1>")?;
//! let (stop, progress) = (Cancel::new(), Progress::new());
//! let threads = default_threads();
//! let options = plan::Options { threads, ..plan::Options::default() };
//! let plan = Plan::scan(&source, &options, &stop)?;
//! let limits = Limits::for_archive(pack::worst_case(&plan, Format::Zip), threads, DEFAULT_CONCURRENCY)?;
//! let options = pack::Options {
//!     format: Format::Zip, level: Level::default().into(), limits, digest: false,
//! };
//! let packed = pack::pack_to_file(&plan, &target, &options, None, &stop, &progress)?;
//! assert_eq!(packed.archive, std::fs::metadata(&target)?.len());
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation,
        reason = "a test may panic"
    )
)]

#[cfg(not(any(unix, windows)))]
compile_error!("hoist opens files as Unix and Windows do, and knows no other system");

pub mod appspec;
pub mod archive;
#[cfg(feature = "push")]
pub mod aws;
pub mod bundle;
pub mod cancel;
#[cfg(feature = "push")]
pub mod clean;
#[cfg(feature = "local")]
pub mod endpoint;
pub mod error;
#[cfg(feature = "push")]
pub mod notes;
pub mod progress;
#[cfg(feature = "push")]
pub mod push;
mod sync;
mod system;
#[cfg(feature = "push")]
pub mod transfer;
#[cfg(feature = "push")]
pub mod verify;

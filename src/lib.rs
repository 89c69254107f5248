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
//! 2. **Bounded memory.** [`limits`] states the peak; only the plan grows with the tree.
//! 3. **Same tree, same bytes.** No thread, clock or machine shows in the archive.
//! 4. **Every reader reads it.** [`zip`] writes what all of them agree on.
//! 5. **All or nothing.** A push ends registered, or with an error and nothing left behind.
//!
//! The packing half ([`plan`], [`deflate`], [`zip`], [`tar`], [`manifest`], [`pack`]) builds without any
//! feature, and then without an async runtime or AWS crates. Feature `verify` adds [`verify`], which reads
//! archives back; feature `push` adds [`upload`], [`revision`], [`clean`] and [`push`]; feature `local` adds [`local`], an S3 and CodeDeploy endpoint on a directory; feature
//! `cli` is for the command `hoist`.
//!
//! A directory as a local file:
//!
//! ```
//! use hoist::bundle::Format;
//! use hoist::limits::{DEFAULT_CONCURRENCY, Limits, default_threads};
//! use hoist::{deflate::Level, pack, plan, plan::Plan, progress::Progress, stop::Stop};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let (source, target) = (dir.path().join("site"), dir.path().join("site.zip"));
//! # std::fs::create_dir(&source)?;
//! # std::fs::write(source.join("index.html"), "<h1>hello</h1>")?;
//! let (stop, progress) = (Stop::new(), Progress::new());
//! let threads = default_threads();
//! let options = plan::Options { threads, ..plan::Options::default() };
//! let plan = Plan::scan(&source, &options, &stop)?;
//! let limits = Limits::for_archive(pack::worst_case(&plan, Format::Zip), threads, DEFAULT_CONCURRENCY)?;
//! let options = pack::Options {
//!     format: Format::Zip, level: Level::default(), auto: false, limits, digest: false,
//! };
//! let packed = pack::pack_to_file(&plan, &target, &options, &stop, &progress)?;
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
pub mod bundle;
#[cfg(feature = "push")]
pub mod clean;
#[cfg(feature = "push")]
pub mod clients;
pub mod deflate;
pub mod error;
pub mod limits;
#[cfg(feature = "local")]
pub mod local;
pub mod manifest;
#[cfg(feature = "push")]
pub mod notes;
pub mod pack;
pub mod plan;
#[cfg(feature = "push")]
pub mod prebuilt;
#[cfg(feature = "push")]
pub mod preflight;
pub mod progress;
#[cfg(feature = "push")]
pub mod push;
#[cfg(feature = "push")]
pub mod revision;
pub mod stop;
mod sync;
mod system;
pub mod tar;
#[cfg(feature = "push")]
pub mod upload;
#[cfg(feature = "verify")]
pub mod verify;
pub mod zip;

//! Pushes AWS CodeDeploy revisions: packs a directory on all cores, uploads the archive to S3 while it
//! is packed, and registers it with CodeDeploy.
//!
//! ```text
//!             rayon workers (CPU)                    tokio tasks (network)
//!  plan ──▶ budget ──▶ read+hash+deflate ──▶ assemble ──▶ cut ──▶ ▌Part▐ ──▶ upload ×N ──▶ complete ──▶ register
//!  walk      bytes      entry or 1 MiB        zip records   equal   boundary   S3 parts                    CodeDeploy
//!  sort      in plan    chunk, no waiting     in order      parts   (one call)
//!            order
//! ```
//!
//! It keeps five promises:
//!
//! 1. **One pass, no temporary file.** Bytes go from disk to a worker, to a part, to S3.
//! 2. **Bounded memory.** [`archive::limits`] states the peak; only the plan grows with the tree.
//! 3. **Same tree, same bytes.** The archive does not depend on threads, time or machine.
//! 4. **Every reader reads it.** [`archive::zip`] writes only what all readers accept.
//! 5. **All or nothing.** A push ends registered, or with an error and no unfinished upload.
//!
//! The modules, each of which uses only those below it:
//!
//! - [`push`]: a push from its beginning to its end. [`verify`]: reads an archive back and checks it.
//!   [`clean`]: aborts unfinished uploads. [`deploy`]: deploys a revision, and watches that.
//! - [`transfer`]: uploads an object in parts. [`appspec`]: checks AppSpec files.
//! - [`aws`]: requests to S3 and CodeDeploy.
//! - [`archive`]: makes archives: [`plan`](archive::plan) lists the source, [`pack`](archive::pack)
//!   compresses and assembles, [`zip`](archive::zip) and [`tar`](archive::tar) are the formats.
//! - [`bundle`], [`cancel`], [`error`] and [`progress`] are used by all of them.
//! - [`endpoint`] imitates S3 and CodeDeploy on a directory, for tests.
//!
//! Without features, the library has `archive`, `appspec` and the small modules, and needs neither an
//! async runtime nor AWS crates. Feature `push` adds what talks to AWS, feature `local` the endpoint,
//! and feature `cli` the command `hoist`. Feature `isal` compresses with ISA-L at the fast level.
//!
//! This packs a directory into a local file:
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
compile_error!("hoist supports Unix and Windows only");

pub mod appspec;
pub mod archive;
#[cfg(feature = "push")]
pub mod aws;
pub mod bundle;
pub mod cancel;
#[cfg(feature = "push")]
pub mod clean;
#[cfg(feature = "push")]
pub mod deploy;
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

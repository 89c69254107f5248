//! What the command and the library promise, rule by rule, proven on the real binary.
//!
//! All of it is one test binary, so that hoist and the AWS SDK are linked once. Tests run in parallel
//! in one process, so none of them changes the state of the process.

#![recursion_limit = "256"]
#![cfg(all(unix, feature = "cli"))]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test may panic and print"
)]

mod strict_zip;
mod support;

// Packing: these need no endpoint.

// An archive is the tree, to the byte the same each time, whatever the tree's shape and size.
mod archive;
// Patterns, links, empty directories, times and names decide what goes into a bundle.
mod select;
// A pattern selects what it selects in git.
mod gitignore;
// Every zip program that may meet an archive reads it without complaint.
mod readers;
// So does every tar program.
mod tar;
// `--manifest` has a line for every entry, and is there only when the command succeeded.
mod manifest;
// `hoist bench`, `--timings` and `--trace` measure what a pack does.
mod bench;
// `hoist lint` judges an AppSpec file, and a push stops at an error before a byte moves.
mod appspec;

// Pushing: these run against an endpoint in this process.

// A push stores what `pack` writes, registers it, and says so as the AWS CLI does.
#[cfg(all(feature = "push", feature = "local"))]
mod push;
// `--destination`: one pass to several buckets and regions, and what is said where one fails.
#[cfg(all(feature = "push", feature = "local"))]
mod destinations;
// Each request carries the headers that S3 expects of it, and no others.
#[cfg(all(feature = "push", feature = "local"))]
mod object;
// Application, bucket and region are checked before the first byte.
#[cfg(all(feature = "push", feature = "local"))]
mod preflight;
// Lambda and ECS take an AppSpec file alone, and applications of their own platform.
#[cfg(all(feature = "push", feature = "local"))]
mod lambda;
// `hoist register` finishes a push that stored its bundle and could not register it.
#[cfg(all(feature = "push", feature = "local"))]
mod register;
// A push and `hoist verify` name what agents make of an archive of another program.
#[cfg(all(feature = "push", feature = "local"))]
mod foreign;
// Deployments are created, waited for and explained when they fail.
#[cfg(all(feature = "push", feature = "local"))]
mod deploy;
// What each permission of docs/iam.md is for when a revision is deployed.
#[cfg(all(feature = "push", feature = "local"))]
mod deploy_permissions;
// `hoist verify` and `push --verify` find every byte that is not what was sent.
#[cfg(all(feature = "push", feature = "local"))]
mod verify;
// `hoist clean` aborts unfinished uploads that are old enough, and no others.
#[cfg(all(feature = "push", feature = "local"))]
mod clean;
// `push --resume` sends only the parts that are missing.
#[cfg(all(feature = "push", feature = "local"))]
mod resume;
// A push that is stopped leaves no upload.
#[cfg(all(feature = "push", feature = "local"))]
mod cancel;
// Time, memory, bandwidth, descriptors, cores and places to write stay within their limits.
#[cfg(all(feature = "push", feature = "local"))]
mod limits;
// A source that changes during a push fails it, or what is registered is whole.
#[cfg(all(feature = "push", feature = "local"))]
mod source_changes;
// Under each fault a push ends registered, or fails and leaves nothing.
#[cfg(all(feature = "push", feature = "local"))]
mod upload_faults;
// S3 copies an object into another bucket, and the copy is proven to be the source.
#[cfg(all(feature = "push", feature = "local"))]
mod copy;
// Each permission of docs/iam.md adds what it says there.
#[cfg(all(feature = "push", feature = "local"))]
mod permissions;
// Settings, credentials, endpoints, proxies and TLS are found where the AWS CLI finds them.
#[cfg(all(feature = "push", feature = "local"))]
mod access;
// Files, variables and sources of credentials as users' machines have them.
#[cfg(all(feature = "push", feature = "local"))]
mod settings;
// `--debug` shows requests and answers, and no output shows a secret.
#[cfg(all(feature = "push", feature = "local"))]
mod debug;
// Names from outside are shown in one line on every stream.
#[cfg(all(feature = "push", feature = "local"))]
mod quoting;
// Standard output is for scripts: text, JSON, GitHub's files, completions and manual pages.
#[cfg(all(feature = "push", feature = "local"))]
mod output;
// Bash, zsh and fish complete what may follow.
#[cfg(all(feature = "push", feature = "local"))]
mod completions;
// While they run, commands show how far they are, on a terminal and in a log.
#[cfg(all(feature = "push", feature = "local"))]
mod progress;
// `aws deploy push` runs hoist with all its options, or not at all.
#[cfg(feature = "push")]
mod aws_wrapper;
// `hoist serve` serves the AWS CLI and boto3.
#[cfg(all(feature = "push", feature = "local"))]
mod serve;
// The AWS CLI and boto3 deploy to `hoist serve` what hoist pushed.
#[cfg(all(feature = "push", feature = "local"))]
mod serve_deploy;

// Pushes by the library, for upload_faults and permissions.
#[cfg(all(feature = "push", feature = "local"))]
mod rig;
// And to several regions.
#[cfg(all(feature = "push", feature = "local"))]
mod several_rig;

//! Why the clients of both services cannot be made.

use std::io;
use std::path::PathBuf;

use super::ini::Fault;

/// Why the clients cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No region is configured. The text is that of the AWS CLI.
    #[error(
        "You must specify a region. You can also configure your region by running \"aws configure\"."
    )]
    NoRegion,
    /// The profile is in neither of the two files. The text is that of the AWS CLI.
    #[error("The config profile ({}) could not be found", .0.escape_debug())]
    NoProfile(String),
    /// A setting has a value that cannot be used.
    #[error("{setting} {problem}")]
    Setting {
        /// The variable, or the key with its profile and its file.
        setting: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The credentials of a profile cannot be found.
    #[error("{0}")]
    Credentials(String),
    /// A profile signs in with `aws login`, whose credentials are not read.
    #[error("the credentials of the profile {} come from `aws login`, and hoist cannot read those", .0.escape_debug())]
    Login(String),
    /// A file of `~/.aws` is not of the form that the AWS CLI reads. The text begins as that of the AWS CLI.
    #[error("Unable to parse config file: {}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        fault: Fault,
    },
    /// A file of `~/.aws` cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// The CA bundle cannot be read.
    #[error("cannot read the CA bundle {}: {source}", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// The CA bundle holds no certificate that can be trusted.
    #[error(
        "the CA bundle {} has no certificate in it; it must be a PEM file of certificate authorities",
        path.display()
    )]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// A text is not the address of an endpoint.
    #[error("{0} is not an endpoint; write http://HOST[:PORT] or https://HOST[:PORT]")]
    Endpoint(String),
}

//! AWS as hoist uses it: credentials and endpoints ([`access`]), how a request is repeated ([`call`]), and
//! the requests to both services ([`s3`], [`codedeploy`]). No other part of the source names an AWS crate.

pub mod access;
mod answer;
mod body;
pub mod call;
pub mod codedeploy;
mod counted;
mod credentials;
pub mod error;
mod limiter;
pub mod s3;
mod unreachable;
mod wire;

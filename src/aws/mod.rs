//! AWS as hoist uses it: who asks and where ([`access`]), how a request is repeated ([`call`]), and the
//! requests of the two services ([`s3`], [`codedeploy`]). No other part of the source names an AWS crate.

pub mod access;
pub mod call;
pub mod codedeploy;
pub mod error;
pub(crate) mod limiter;
pub mod renew;
pub mod s3;
pub(crate) mod wire;

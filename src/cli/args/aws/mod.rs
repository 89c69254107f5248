//! Options of the commands that talk to S3 and CodeDeploy.

pub(crate) mod access;
pub(crate) mod object;
pub(crate) mod paramfile;
pub(crate) mod upload;

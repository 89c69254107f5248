//! What `deploy` and `push --deploy-to` say: while deployments run, when they end, to people, to programs and
//! to GitHub.

pub(crate) mod follow;
pub(crate) mod github;
mod log;
pub(crate) mod outcome;
pub(crate) mod report;
mod words;

//! What a push says when it ends.

pub(crate) mod advice;
pub(crate) mod github;
pub(crate) mod report;

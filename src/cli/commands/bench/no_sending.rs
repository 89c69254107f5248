//! Stands in for `sending` in a build without the network half, in which no archive can be sent.

use std::convert::Infallible;

use hoist::archive::pack::LevelPolicy;

use super::{BenchArgs, Current, Sample};
use crate::cli::Failure;
use crate::cli::render::timings::Setup;
use crate::cli::run::Run;

pub(super) type Target = Infallible;

pub(super) fn target(text: &str) -> Result<Target, String> {
    Err(match text {
        "local" => "this hoist was built without an endpoint".into(),
        _ => "this hoist was built without S3".into(),
    })
}

pub(super) fn measure(
    _: &BenchArgs,
    _: LevelPolicy,
    _: Setup,
    target: &Target,
    _: &Run,
    _: &Current,
) -> Result<Sample, Failure> {
    match *target {}
}

//! hoist.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]
pub mod appspec;
pub mod deflate;
pub mod error;
pub mod limits;
pub mod pack;
pub mod plan;
pub mod progress;
pub mod stop;
pub mod zip;

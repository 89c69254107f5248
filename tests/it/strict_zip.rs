//! The strict judge of hoist's zips, which the unit tests use too.

use hoist::archive::zip::*;

#[path = "../../src/archive/zip/strict.rs"]
mod strict;

pub(crate) use strict::{Checked, check, check_sparse};

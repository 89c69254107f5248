//! What became of each of several destinations, if not all of them have the revision.

use std::fmt;

use super::{Delivered, Error};
use crate::aws::codedeploy::Revision;
use crate::aws::s3::S3Location;
use crate::error::shown;

/// What became of each of several destinations.
#[derive(Debug)]
pub struct Several {
    /// What ended the push everywhere: the source cannot be packed, for instance. Uploads that could not be
    /// aborted are in the outcomes.
    pub source: Option<Box<Error>>,
    /// What each destination has, in the order of the destinations.
    pub outcomes: Vec<Outcome>,
}

/// What became of one of several destinations.
#[derive(Debug)]
pub struct Outcome {
    /// Its region.
    pub region: String,
    /// What the object is called.
    pub location: S3Location,
    /// How far the push came here.
    pub reached: Reached,
    /// Why it came no further: the error of a push to this destination alone. None if it did not fail here,
    /// and ended because of a failure elsewhere. [`Error::left`] names an upload that is left here.
    pub error: Option<Error>,
}

/// How far a push came in one destination.
// There is one for each destination.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Reached {
    /// There is no object of this push, unless the error says that this is not known.
    Nothing,
    /// The object is stored and not registered.
    Stored(Revision),
    /// The object is stored, and registered if the destination has a registrar.
    Registered(Delivered),
}

impl fmt::Display for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        match self.source.as_deref() {
            // What is left somewhere is told of by itself.
            Some(Error::Stopped { .. }) => {
                f.write_str("stopped; nothing is registered")?;
                separator = "; ";
            }
            Some(source) => {
                write!(f, "{source}")?;
                separator = "; ";
            }
            None => {}
        }
        for outcome in &self.outcomes {
            if let Some(error) = &outcome.error {
                let region = shown(&outcome.region);
                write!(f, "{separator}{region}: {error}")?;
                separator = "; ";
            }
        }
        Ok(())
    }
}

//! A push by the library to several regions of one endpoint that is made to go wrong, and what is there
//! afterwards.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

use std::fs;

use hoist::aws::access::Clients;
use hoist::aws::s3::{ObjectOptions, S3Location};
use hoist::cancel::Cancel;
use hoist::endpoint::Endpoint;
use hoist::endpoint::faults::Faults;
use hoist::push::{Destinations, Error, Observer, Outcome, Pushed, Several};

use super::rig::{Source, clients, destination, fact, pushed, request, revisions};
use super::support::names;

/// The key of every object.
const KEY: &str = "dir/key.zip";

/// A region, and the bucket there.
pub(crate) const REGIONS: [(&str, &str); 3] = [
    ("us-east-1", "east"),
    ("us-west-2", "west"),
    ("eu-west-1", "europe"),
];

/// How a push goes to all regions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// S3 copies the object of the first region to the others.
    pub(crate) copies: bool,
    pub(crate) keep_going: bool,
    /// The objects are read back.
    pub(crate) verifies: bool,
}

/// An endpoint with a bucket and the application `App` in each region, and clients of each.
pub(crate) struct SeveralRig {
    pub(crate) faults: Faults,
    endpoint: Endpoint,
    clients: Vec<Clients>,
    dir: tempfile::TempDir,
}

/// How a push ended, and what is there.
#[derive(Debug)]
pub(crate) struct EndedThere {
    pub(crate) pushed: Result<Pushed, Error>,
    /// Its notes, as the facts that they hold.
    pub(crate) notes: Vec<String>,
    /// In the order of [`REGIONS`].
    pub(crate) there: Vec<There>,
}

/// What is in a region.
#[derive(Debug)]
pub(crate) struct There {
    pub(crate) object: Option<Vec<u8>>,
    /// ETags of the revisions.
    pub(crate) revisions: Vec<String>,
    pub(crate) open: Vec<String>,
}

impl SeveralRig {
    pub(crate) async fn start(faults: Faults) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let starting = Endpoint::start_with(dir.path(), 0, faults.clone());
        let endpoint = starting.await.unwrap();
        let mut there = Vec::new();
        for (region, bucket) in REGIONS {
            endpoint.prepare(bucket, region, "App").unwrap();
            there.push(clients(&endpoint, region).await);
        }
        Self {
            faults,
            endpoint,
            clients: there,
            dir,
        }
    }

    pub(crate) async fn push(&self, source: &Source, way: Way) -> EndedThere {
        let options = ObjectOptions::default();
        let all = REGIONS.iter().zip(&self.clients).enumerate();
        let all = all.map(|(index, ((region, bucket), clients))| {
            let location = S3Location {
                bucket: (*bucket).into(),
                key: KEY.into(),
            };
            let mut destination = destination(clients, region, location.clone(), &options);
            destination.copy_from = (way.copies && index > 0).then_some(0);
            let object = clients.s3.object(location, options.clone());
            destination.verification = way.verifies.then_some(object);
            destination
        });
        let destinations = Destinations {
            all: all.collect(),
            keep_going: way.keep_going,
        };
        let observer = Observer::default();
        let pushing = pushed(&request(source), &destinations, &observer, &Cancel::new()).await;
        EndedThere {
            pushed: pushing,
            notes: observer.notes.take().iter().map(fact).collect(),
            there: self.there(),
        }
    }

    fn there(&self) -> Vec<There> {
        let dir = self.dir.path();
        let there = REGIONS.map(|(region, bucket)| There {
            object: fs::read(Endpoint::object_path(dir, bucket, KEY)).ok(),
            revisions: revisions(dir, region),
            open: match dir.join("buckets").join(bucket).join("uploads") {
                uploads if uploads.exists() => names(&uploads),
                _ => Vec::new(),
            },
        });
        there.into()
    }

    pub(crate) async fn end(self) {
        self.endpoint.shutdown().await;
    }
}

impl EndedThere {
    /// What the error says of each region. None if the push succeeded.
    #[track_caller]
    pub(crate) fn several(&self, what: &str) -> Option<&Several> {
        match &self.pushed {
            Ok(_) => None,
            Err(Error::Several(several)) => Some(several),
            Err(other) => panic!("{what}: an error without regions: {other:?}"),
        }
    }
}

/// The error of a region, as text.
pub(crate) fn said(outcome: &Outcome) -> String {
    let error = outcome.error.as_ref();
    error.map_or_else(String::new, ToString::to_string)
}

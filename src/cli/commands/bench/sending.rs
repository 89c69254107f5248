//! Sinks that the archive is uploaded to. Nothing is registered.

use std::sync::Arc;

use hoist::archive::pack::LevelPolicy;
use hoist::archive::plan;
use hoist::aws::access::{Access, Bandwidth, Clients};
use hoist::aws::codedeploy::Platform;
use hoist::aws::s3::{BadLocation, ObjectOptions, S3Location};
use hoist::bundle::Content;
use hoist::push::{Destination, Observer, Packing, Request, Source, Uploading, push};

use super::super::aws::{Local, Needs, check_bucket, with_clients};
use super::{BenchArgs, Current, Sample, temporary};
use crate::cli::Failure;
use crate::cli::render::push::recovery::Recovery;
use crate::cli::render::timings::{Recording, Setup};
use crate::cli::run::Run;

/// Where the archive is sent.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// An endpoint in this process.
    Local,
    S3(S3Location),
}

pub(super) fn target(text: &str) -> Result<Target, String> {
    match text {
        "local" if cfg!(feature = "local") => Ok(Target::Local),
        "local" => Err("this hoist was built without an endpoint".into()),
        url => url
            .parse()
            .map(Target::S3)
            .map_err(|error: BadLocation| error.to_string()),
    }
}

pub(super) fn measure(
    arguments: &BenchArgs,
    level: LevelPolicy,
    setup: Setup,
    target: &Target,
    run: &Run,
    current: &Current,
) -> Result<Sample, Failure> {
    let dir = temporary()?;
    let (location, local) = match target {
        Target::S3(location) => (location.clone(), None),
        Target::Local => {
            let (bucket, key) = ("hoist-bench", "bench.zip".to_owned());
            let local = Local {
                dir: dir.path(),
                needs: Some(Needs {
                    bucket,
                    application: bucket,
                    platform: Some(Platform::Server),
                }),
            };
            let bucket = bucket.to_owned();
            (S3Location { bucket, key }, Some(local))
        }
    };
    let access = Access {
        bandwidth: arguments.bandwidth_limit.map(Bandwidth::new),
        ..Access::default()
    };
    run.block_on(with_clients(access, local, run.cancel(), async |clients| {
        check_bucket(&clients, &location.bucket)?;
        send(arguments, level, setup, clients, location, run, current).await
    }))
}

async fn send(
    arguments: &BenchArgs,
    level: LevelPolicy,
    setup: Setup,
    clients: Clients,
    location: S3Location,
    run: &Run,
    current: &Current,
) -> Result<Sample, Failure> {
    let request = Request {
        source: Source {
            path: arguments.source.clone(),
            content: Content::Archive(arguments.bundle_type.format(&location.key)),
            select: plan::Options {
                ignore_hidden: arguments.ignore_hidden_files,
                ..plan::Options::default()
            },
            lint: false,
            hardened: false,
        },
        packing: Packing {
            level,
            threads: setup.threads,
            ..Packing::default()
        },
        uploading: Uploading {
            bandwidth: arguments.bandwidth_limit,
            ..Uploading::default()
        },
    };
    let options = ObjectOptions::default();
    let recovery = Recovery {
        location: location.clone(),
        options: options.clone(),
        access: Vec::new(),
    };
    let (progress, recording) = Recording::start(arguments.trace.is_some())?;
    current.begin(&progress);
    let store = clients.s3.object(location.clone(), options);
    let store = store.counting(progress.under_way());
    let observer = Observer {
        progress: Arc::clone(&progress),
        ..Observer::default()
    };
    let destination = Destination::new(store, location);
    let pushed = push(&request, &destination.into(), &observer, run.cancel()).await;
    let pushed = pushed.map_err(|error| {
        let left = error.left().map(|left| recovery.leftover(left));
        Failure::other(&error).and(left)
    })?;
    let report = recording.end(setup, Some(&pushed.packed));
    Ok(Sample { report, progress })
}

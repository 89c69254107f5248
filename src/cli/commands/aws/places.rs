//! The places that a push goes to: for each destination clients of its own, and what the library has to know
//! of it.

use std::sync::Arc;

use hoist::aws::access::{Access, Bandwidth, Clients, SharedCredentials};
use hoist::aws::codedeploy::{Platform, Registrar};
use hoist::aws::s3::S3Object;
use hoist::progress::UnderWay;
use hoist::push::Destination;
use hoist::push::preflight::{PATIENCE, Preflight};

use super::{Needs, Services, check_bucket};
use crate::cli::Failure;
use crate::cli::args::aws::destination::{Target, sources};
use crate::cli::args::aws::upload::UploadArgs;
use crate::cli::render::push::sites::{names, together};

/// A target, and the clients that reach it.
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) clients: Clients,
    /// The place that S3 copies the object from.
    pub(super) copy_from: Option<usize>,
}

/// Connects to each target. What prevents that is told for all of them together.
pub(super) async fn connected(
    targets: &[Target],
    upload: &UploadArgs,
    platform: Option<&Platform>,
    services: &Services<'_>,
) -> Result<Vec<Place>, Failure> {
    let limit = upload.bandwidth_limit;
    let bandwidth = limit.map(|rate| Bandwidth::shared(rate, uploads(targets)));
    let shared = SharedCredentials::default();
    let (mut clients, mut failures) = (Vec::new(), Vec::new());
    for (index, target) in targets.iter().enumerate() {
        let settings = match index {
            0 => target.access.access(),
            _ => target.access.settings(),
        };
        let access = Access {
            attempts: Some(upload.attempts.max_attempts),
            bandwidth: bandwidth.clone(),
            shared: Some(shared.clone()),
            ..settings
        };
        let needs = Needs {
            bucket: &target.location.bucket,
            application: &target.application,
            platform: platform.cloned(),
        };
        let connected = services.connected(access, Some(&needs)).await;
        let connected = connected.and_then(|clients| {
            check_bucket(&clients, &target.location.bucket)?;
            Ok(clients)
        });
        match connected {
            Ok(connected) => clients.push(connected),
            // The user stopped the whole push, rather than one destination.
            Err(failure) if services.cancel.is_cancelled() => return Err(failure),
            Err(failure) => failures.push((index, failure)),
        }
    }
    if !failures.is_empty() {
        return Err(together(&names(targets), failures));
    }
    let regions: Vec<_> = clients
        .iter()
        .map(|clients| Some(clients.region.clone()))
        .collect();
    let copies = sources(targets, &regions)?;
    let places = targets.iter().zip(clients).zip(copies);
    let places = places.map(|((target, clients), copy_from)| {
        let mut target = target.clone();
        if targets.len() > 1 {
            // Commands that are printed name the region in any case.
            target.access.region = Some(clients.region.clone());
        }
        Place {
            target,
            clients,
            copy_from,
        }
    });
    Ok(places.collect())
}

/// How many of them are uploaded to.
pub(super) fn uploads(targets: &[Target]) -> usize {
    let uploaded = targets.iter().filter(|target| target.copy_from.is_none());
    uploaded.count().max(1)
}

/// What the pushes to all places have in common.
pub(super) struct Common<'a> {
    pub(super) upload: &'a UploadArgs,
    pub(super) platform: Option<&'a Platform>,
    /// The description of a revision that the user does not describe.
    pub(super) description: &'a str,
    pub(super) under_way: UnderWay,
}

impl Place {
    /// The place as the library's push takes it.
    pub(super) fn destination(&self, common: &Common<'_>) -> Destination<S3Object> {
        let Clients {
            s3,
            codedeploy,
            region,
        } = self.clients.clone();
        let Target {
            location, options, ..
        } = self.target.clone();
        let object = s3.object(location.clone(), options.clone());
        let object = object.counting(common.under_way.clone());
        let preflight = Preflight {
            s3,
            codedeploy: codedeploy.clone(),
            region: region.clone(),
            options,
            platform: common.platform.cloned(),
            patience: PATIENCE,
        };
        let application = self.target.application.clone();
        let description = self.target.description_or(common.description);
        let registrar = Registrar::new(codedeploy, application, description.to_owned());
        let upload = common.upload;
        Destination {
            verification: upload.verify.then(|| object.clone()),
            store: Arc::new(object.with_checksum(upload.checksum())),
            location,
            preflight: (!upload.no_preflight).then_some(preflight),
            registrar: Some(registrar),
            region,
            copy_from: self.copy_from,
        }
    }
}

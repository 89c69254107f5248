//! What a push does for `--deploy-to`: it asks for the deployment groups before anything is packed, and
//! deploys when the revision is registered everywhere.

use std::path::Path;

use futures_util::future::join_all;
use hoist::aws::codedeploy::{Group, Registration};
use hoist::deploy::Wanted;
use hoist::error::shown;
use hoist::push::Pushed;
use hoist::push::preflight::PATIENCE;

use super::deploying::{Deployed, Deploying, Region, Running};
use super::places::Place;
use crate::cli::args::aws::deploy_to::{self, DeployToArgs};
use crate::cli::render::deploy::outcome::{Commands, Create};
use crate::cli::render::progress::{Form, note};
use crate::cli::render::push::sites::Sites;
use crate::cli::run::Run;
use crate::cli::{Exit, Failure};

/// Deployments after a push.
pub(super) struct DeployTo<'a> {
    pub(super) arguments: &'a DeployToArgs,
    pub(super) wanted: deploy_to::Wanted,
    pub(super) running: Running,
}

/// How a push shows what it does.
pub(super) struct Shown<'a> {
    pub(super) form: Form,
    pub(super) quiet: bool,
    /// Whether ids are printed.
    pub(super) prints_ids: bool,
    /// The file for outputs of a workflow.
    pub(super) outputs: Option<&'a Path>,
}

impl DeployTo<'_> {
    /// Refuses deployment groups that do not exist. Whether one does need not be known: a caller may be
    /// allowed to deploy and to ask for nothing.
    pub(super) async fn check(
        &self,
        places: &[Place],
        sites: &Sites,
        quiet: bool,
    ) -> Result<(), Failure> {
        let groups = &self.wanted.groups;
        let each = places.iter().enumerate();
        let each =
            each.flat_map(|(index, place)| groups.iter().map(move |group| (index, place, group)));
        let asked = join_all(each.map(async |(index, place, group)| {
            let codedeploy = &place.clients.codedeploy;
            let application = &place.target.application;
            let answer = codedeploy.deployment_group(application, group, PATIENCE);
            (index, group, answer.await)
        }));
        let mut missing = Vec::new();
        for (index, group, answer) in asked.await {
            match answer {
                Group::Found => {}
                Group::Missing(error) => missing.push(sites.named(index, error.to_string())),
                Group::Unconfirmed(error) if !quiet => note(&sites.named(
                    index,
                    format!(
                        "not checked: whether the deployment group {} is there; {error}",
                        shown(group)
                    ),
                )),
                Group::Unconfirmed(_) => {}
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        missing
            .push("nothing was uploaded; check --deploy-to, --region and the account".to_owned());
        Err(Failure {
            exit: Exit::Service,
            lines: missing,
        })
    }

    /// Deploys what was pushed.
    pub(super) async fn deploy(
        &self,
        pushed: &Pushed,
        (places, sites): (&[Place], &Sites),
        shown: &Shown<'_>,
        run: &Run,
    ) -> Deployed {
        let wait = &self.arguments.wait;
        let deploying = Deploying {
            groups: self.wanted.groups.clone(),
            options: self.wanted.options.clone(),
            wait,
            // Deployments of an endpoint in this process end with it.
            waits: wait.is_not_refused() || sites.is_local(),
            form: shown.form,
            quiet: shown.quiet,
            prints_ids: shown.prints_ids,
            outputs: shown.outputs.map(Path::to_owned),
            running: self.running.clone(),
        };
        let regions = places.iter().zip(&sites.all).zip(&pushed.delivered);
        let regions = regions.map(|((place, site), delivered)| {
            let object = Registration::from(&delivered.revision);
            let application = place.target.application.clone();
            let mut words = Vec::new();
            let description = self.wanted.options.description.clone();
            let description = description.map(|text| ["--description".to_owned(), text]);
            words.extend(description.into_iter().flatten());
            words.extend(self.arguments.deployment.words());
            words.extend(wait.words(wait.is_not_refused()));
            Region {
                clients: place.clients.clone(),
                application,
                revision: Wanted::Object(object),
                commands: Commands {
                    hoist: sites.words_of_access(site),
                    aws: sites.words_of_a_deployment(site),
                    create: Some(Create {
                        newest: None,
                        words,
                    }),
                    is_local: sites.is_local(),
                },
            }
        });
        let regions: Vec<Region> = regions.collect();
        deploying.run(&regions, run).await
    }
}

//! Creates deployments and waits for them: what `deploy` and `push --deploy-to` have in common.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoist::aws::access::Clients;
use hoist::aws::codedeploy::{CodeDeploy, Registration};
use hoist::deploy::{self, Conduct, Event, Options, Outcome, Plan, Request, Task, Wait, Wanted};
use hoist::error::shown;
use serde_json::Value;

use crate::cli::args::aws::wait::{IfActive, WaitArgs, WaitUntil};
use crate::cli::render::deploy::follow::{Follow, Place};
use crate::cli::render::deploy::outcome::{Commands, Ended, Explained};
use crate::cli::render::deploy::{github, report};
use crate::cli::render::github::{append, append_summary, is_running};
use crate::cli::render::progress::{Display, Form, aside, say, unless_stopped, warn};
use crate::cli::run::Run;
use crate::cli::{Exit, Failure, render};

/// How often it is looked whether a line is due.
const TICK: Duration = Duration::from_secs(1);

/// Where and what to deploy, in one region.
pub(super) struct Region {
    pub(super) clients: Clients,
    pub(super) application: String,
    pub(super) revision: Wanted,
    pub(super) commands: Commands,
}

/// What to do in every region.
pub(super) struct Deploying<'a> {
    pub(super) groups: Vec<String>,
    pub(super) options: Options,
    pub(super) wait: &'a WaitArgs,
    /// Whether to wait.
    pub(super) waits: bool,
    pub(super) form: Form,
    pub(super) quiet: bool,
    /// Whether the ids are printed, each as soon as it is known.
    pub(super) prints_ids: bool,
    /// The file for outputs of a workflow.
    pub(super) outputs: Option<PathBuf>,
    pub(super) running: Running,
}

/// The deployments that run, for the case that the process ends before them.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<Vec<String>>>);

impl Running {
    /// What to say if the process ends now.
    pub(super) fn lines(&self) -> Vec<String> {
        self.all().clone()
    }

    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        unpoisoned(&self.0)
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How deployments ended.
pub(super) struct Deployed {
    /// One object for each.
    pub(super) json: Vec<Value>,
    /// Why the command fails, if it does.
    pub(super) failure: Option<Failure>,
}

impl Deploying<'_> {
    /// Deploys to every group in every region.
    pub(super) async fn run(&self, regions: &[Region], run: &Run) -> Deployed {
        let is_one = regions.len() == 1;
        let mut waves: Vec<Vec<Plan<CodeDeploy>>> = Vec::new();
        let mut places = Vec::new();
        for region in regions {
            let mut plans = Vec::new();
            for group in &self.groups {
                plans.push(self.plan(region, group));
                places.push((region, group.as_str(), place(region, group, is_one)));
            }
            match self.wait.waves {
                true if is_one => waves.extend(plans.into_iter().map(|plan| vec![plan])),
                true => waves.push(plans),
                false => match waves.first_mut() {
                    Some(wave) => wave.extend(plans),
                    None => waves.push(plans),
                },
            }
        }
        self.carry_out(&waves, &places, run).await
    }

    /// Watches a deployment that exists.
    pub(super) async fn watch(&self, region: &Region, id: &str, run: &Run) -> Deployed {
        let plan = Plan {
            service: region.clients.codedeploy.clone(),
            region: region.clients.region.clone(),
            task: Task::Watch(id.to_owned()),
        };
        let places = [(region, "", place(region, "", true))];
        self.carry_out(&[vec![plan]], &places, run).await
    }

    fn plan(&self, region: &Region, group: &str) -> Plan<CodeDeploy> {
        Plan {
            service: region.clients.codedeploy.clone(),
            region: region.clients.region.clone(),
            task: Task::Create(Box::new(Request {
                application: region.application.clone(),
                group: group.to_owned(),
                revision: region.revision.clone(),
                options: self.options.clone(),
            })),
        }
    }

    fn conduct(&self) -> Conduct {
        let until = match self.wait.until() {
            WaitUntil::Ready => deploy::Until::Ready,
            WaitUntil::Succeeded => deploy::Until::Succeeded,
        };
        Conduct {
            if_active: match self.wait.if_active() {
                IfActive::Wait => deploy::IfActive::Wait,
                IfActive::Fail => deploy::IfActive::Fail,
                IfActive::Stop => deploy::IfActive::Stop,
            },
            wait: self.waits.then_some(Wait { until }),
            limit: self.wait.wait_timeout.as_ref().map(|time| time.duration),
            stop_when_cancelled: self.wait.stop_on_interrupt,
        }
    }

    async fn carry_out(
        &self,
        waves: &[Vec<Plan<CodeDeploy>>],
        places: &[(&Region, &str, Place)],
        run: &Run,
    ) -> Deployed {
        let of_places = places.iter().map(|(.., place)| place.clone());
        let follow = Arc::new(Follow::new(self.form, of_places));
        let view = {
            let follow = Arc::clone(&follow);
            unless_stopped(run.stopping(), move || follow.view())
        };
        let display = (self.form == Form::Bar).then(|| Display::start(Form::Bar, view));
        let unprinted = Mutex::new(None);
        let revisions = places.iter().map(|(region, ..)| match &region.revision {
            Wanted::Object(object) => Some(object.clone()),
            Wanted::Latest(_) | Wanted::Deployed => None,
        });
        let revisions = Mutex::new(revisions.collect::<Vec<Option<Registration>>>());
        let told = |index: usize, event: &Event| {
            if let (Event::Created { id, .. }, Some((region, ..))) = (event, places.get(index))
                && let Err(failure) = self.created(region, id)
            {
                *unpoisoned(&unprinted) = Some(failure);
            }
            if let Event::Latest(found) = event
                && let Some(revision) = unpoisoned(&revisions).get_mut(index)
            {
                *revision = Some(found.clone());
            }
            follow.take(index, event);
        };
        // A later wave may take long.
        let succeeded = |index: usize, outcome: &Outcome| {
            if outcome.is_success()
                && let Some(ended) = ended_at(places, &revisions, index, outcome)
            {
                self.succeeded(&ended);
            }
        };
        let conduct = self.conduct();
        let outcomes = tokio::select! {
            outcomes = deploy::run(waves, &conduct, &told, &succeeded, run.cancel()) => outcomes,
            never = tick(&follow) => match never {},
        };
        drop(display);
        self.running.all().clear();
        let outcomes_of = outcomes.iter().enumerate();
        let ended: Vec<Ended<'_>> = outcomes_of
            .filter_map(|(index, outcome)| ended_at(places, &revisions, index, outcome))
            .collect();
        let unprinted = unpoisoned(&unprinted).take();
        Deployed {
            failure: self.told(&ended, &outcomes).or(unprinted),
            json: report::deployments(&ended),
        }
    }

    /// A deployment was created.
    fn created(&self, region: &Region, id: &str) -> Result<(), Failure> {
        let next = region.commands.next(id);
        let line = match region.commands.is_local {
            true => next,
            false => format!("deployment {} goes on; {next}", shown(id)),
        };
        self.running.all().push(line);
        match self.prints_ids {
            true => render::print(format!("{}\n", shown(id))),
            false => Ok(()),
        }
    }

    /// Says that a deployment succeeded, and which of its targets failed all the same.
    fn succeeded(&self, ended: &Ended<'_>) {
        let explained = ended.explained();
        let explained = explained.iter().flat_map(Explained::lines);
        explained.for_each(|line| say(&line));
        if !self.quiet {
            ended.lines().iter().for_each(|line| say(line));
        }
    }

    /// Says how the other deployments ended. Returns why the command fails, if it does.
    fn told(&self, ended: &[Ended<'_>], outcomes: &[Outcome]) -> Option<Failure> {
        if is_running() {
            let text = github::annotations(ended);
            aside(|| {
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
            });
        }
        append_summary(&github::summary(ended));
        if let Some(path) = &self.outputs {
            write_outputs(path, &github::outputs(ended));
        }
        let mut lines = Vec::new();
        for ended in ended.iter().filter(|ended| !ended.outcome.is_success()) {
            lines.extend(ended.explained().iter().flat_map(Explained::lines));
            lines.extend(ended.lines());
        }
        if outcomes.iter().all(Outcome::is_success) {
            return None;
        }
        let exits: Vec<Exit> = ended.iter().filter_map(Ended::exit).collect();
        let worst = [
            Exit::DeploymentFailed,
            Exit::DeploymentStopped,
            Exit::Config,
            Exit::Service,
            Exit::Failure,
            Exit::WaitTimedOut,
        ];
        let exit = worst.into_iter().find(|exit| exits.contains(exit));
        Some(Failure {
            exit: exit.unwrap_or(Exit::Failure),
            lines,
        })
    }
}

/// How the deployment of this number ended.
fn ended_at<'a>(
    places: &'a [(&Region, &str, Place)],
    revisions: &Mutex<Vec<Option<Registration>>>,
    index: usize,
    outcome: &'a Outcome,
) -> Option<Ended<'a>> {
    let (region, group, place) = places.get(index)?;
    Some(Ended {
        revision: unpoisoned(revisions).get(index).cloned().flatten(),
        is_alone: places.len() == 1,
        application: &region.application,
        group,
        region: &region.clients.region,
        place,
        outcome,
        commands: &region.commands,
    })
}

fn write_outputs(path: &Path, text: &str) {
    if let Err(error) = append(path, text) {
        warn(&format!("{} cannot be written: {error}", shown(path)));
    }
}

fn place(region: &Region, group: &str, is_one: bool) -> Place {
    let name = &region.clients.region;
    Place {
        name: match is_one {
            true => group.to_owned(),
            false => format!("{group} in {name}"),
        },
        console: region.clients.codedeploy.is_amazon().then(|| name.clone()),
    }
}

async fn tick(follow: &Follow) -> Infallible {
    loop {
        tokio::time::sleep(TICK).await;
        follow.tick();
    }
}

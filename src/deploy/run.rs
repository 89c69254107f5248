//! Several deployments: of several groups, in several regions, all at once or in waves.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::ask::{Asker, Deadline};
use super::pace::Pace;
use super::{Conduct, Error, Event, Outcome, Plan, Registration, Service, Task, Wanted};
use super::{create, watch};
use crate::aws::error::CallError;
use crate::cancel::Cancel;

/// How long stopping a deployment may take after the run was cancelled.
const STOPPING: Duration = Duration::from_secs(30);

/// Creates and watches deployments, as [`Conduct`] says. Those of one wave go on at the same time, whatever
/// becomes of the others; a later wave begins only if all deployments of the earlier ones succeeded.
///
/// The newest revisions that are wanted are looked up before the first wave: nothing is created unless all
/// are found.
///
/// `report` gets each event with the number of its plan, counted from zero through all waves, and `ended`
/// gets what became of a plan as soon as it is known, if the plan was begun. Returns what became of each plan,
/// in the same order.
pub async fn run<S: Service>(
    waves: &[Vec<Plan<S>>],
    conduct: &Conduct,
    report: &(dyn Fn(usize, &Event) + Sync),
    ended: &(dyn Fn(usize, &Outcome) + Sync),
    cancel: &Cancel,
) -> Vec<Outcome> {
    let plans: Vec<&Plan<S>> = waves.iter().flatten().collect();
    let mut regions: HashMap<&str, Pace> = HashMap::new();
    let paces: Vec<Pace> = plans
        .iter()
        .map(|plan| {
            regions
                .entry(&plan.region)
                .or_insert_with(Pace::new)
                .clone()
        })
        .collect();
    let reports: Vec<_> = (0..plans.len())
        .map(|number| move |event: &Event| report(number, event))
        .collect();
    let askers: Vec<Asker<'_, S>> = plans
        .iter()
        .zip(&paces)
        .zip(&reports)
        .map(|((plan, pace), report)| Asker {
            service: &plan.service,
            pace,
            report,
        })
        .collect();

    let looks = plans
        .iter()
        .zip(&askers)
        .map(|(plan, asker)| Box::pin(revision(asker, &plan.task, conduct, cancel)));
    let revisions = join_all(looks).await;
    if revisions.iter().any(Result::is_err) {
        let failed = revisions.into_iter().map(Result::err);
        return failed
            .map(|error| error.map_or(Outcome::NotBegun, Outcome::Failed))
            .collect();
    }
    let revisions: Vec<_> = revisions
        .into_iter()
        .map(Result::unwrap_or_default)
        .collect();

    let mut outcomes: Vec<Outcome> = Vec::new();
    for wave in waves {
        let numbers = outcomes.len()..outcomes.len() + wave.len();
        if cancel.is_cancelled() || !outcomes.iter().all(Outcome::is_success) {
            outcomes.extend(numbers.map(|_| Outcome::NotBegun));
            continue;
        }
        let works = numbers.map(|number| {
            let (task, revision) = (&plans[number].task, revisions[number].as_ref());
            let asker = &askers[number];
            Box::pin(async move {
                let outcome = one(asker, task, revision, conduct, cancel).await;
                ended(number, &outcome);
                outcome
            })
        });
        outcomes.extend(join_all(works).await);
    }
    outcomes
}

/// The revision that a task deploys; None if it names none.
async fn revision<S: Service>(
    asker: &Asker<'_, S>,
    task: &Task,
    conduct: &Conduct,
    cancel: &Cancel,
) -> Result<Option<Registration>, Error> {
    let Task::Create(request) = task else {
        return Ok(None);
    };
    let among = match &request.revision {
        Wanted::Object(object) => return Ok(Some(object.clone())),
        Wanted::Deployed => return Ok(None),
        Wanted::Latest(among) => among,
    };
    let deadline = Deadline::after(conduct.limit);
    let look = create::latest(asker, &request.application, among);
    let found = deadline.bound(cancel, look).await;
    let found = found.map_err(|why| deadline.missed(why, None, None))??;
    (asker.report)(&Event::Latest(found.clone()));
    Ok(Some(found))
}

async fn one<S: Service>(
    asker: &Asker<'_, S>,
    task: &Task,
    revision: Option<&Registration>,
    conduct: &Conduct,
    cancel: &Cancel,
) -> Outcome {
    let deadline = Deadline::after(conduct.limit);
    let (id, created) = match task {
        Task::Watch(id) => (id.clone(), false),
        Task::Create(request) => {
            let if_active = conduct.if_active;
            let created = create::create(asker, request, revision, if_active, deadline, cancel);
            match created.await {
                Ok(id) => (id, true),
                Err(error) => return Outcome::Failed(error),
            }
        }
    };
    let wait = match conduct.wait {
        None if created => return Outcome::Created(id),
        wait => wait.unwrap_or_default(),
    };
    match watch::watch(asker, &id, wait, created, deadline, cancel).await {
        Ok(finished) => Outcome::Finished(Box::new(finished)),
        Err(Error::Cancelled { id: Some(id), .. }) if conduct.stop_when_cancelled => {
            let stopping = timeout(STOPPING, create::stop(asker, &id, None));
            let late = |_| Err(CallError::no_answer_within("StopDeployment", STOPPING));
            let stopped = Some(stopping.await.unwrap_or_else(late));
            let id = Some(id);
            Outcome::Failed(Error::Cancelled { id, stopped })
        }
        Err(error) => Outcome::Failed(error),
    }
}

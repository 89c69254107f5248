//! Watches a deployment until it ends, for however long that takes.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::ask::{Asker, Deadline, GivenUp, Silence};
use super::pace::Interval;
use super::targets::Targets;
use super::{Deployment, Error, Event, Finished, RollbackOn, Service, Status, Until, Wait};
use crate::aws::error::CallError;
use crate::cancel::Cancel;

/// A rollback begins a little after the deployment ended: how often it is asked for, and after which time.
const ROLLBACK_LOOKS: u32 = 5;
const ROLLBACK_PAUSE: Duration = Duration::from_secs(3);
/// How long the last question may take when the time to wait is over.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Watches a deployment to its end, or as far as `wait` says. `created` says that this program created it
/// just now.
pub(super) async fn watch<S: Service>(
    asker: &Asker<'_, S>,
    id: &str,
    wait: Wait,
    created: bool,
    deadline: Deadline,
    cancel: &Cancel,
) -> Result<Finished, Error> {
    let mut watcher = Watcher::new(asker, id, wait, created);
    let watched = deadline.bound(cancel, watcher.run()).await;
    // What is known stays known, whatever ended the watch.
    if watched.is_err()
        && let Some(finished) = watcher.finished()
    {
        return Ok(finished);
    }
    let id = id.to_owned();
    match watched {
        Ok(done) => done.map_err(|error| Error::Watch { id, error }),
        Err(why) => {
            if why == GivenUp::Late {
                // What was told last may be a minute old.
                let now = timeout(LAST_LOOK, asker.once(asker.service.deployment(&id))).await;
                if let Ok(Ok(now)) = now {
                    watcher.tell(&now);
                }
            }
            Err(deadline.missed(why, Some(id), watcher.last.as_ref()))
        }
    }
}

struct Watcher<'a, S> {
    asker: &'a Asker<'a, S>,
    id: &'a str,
    wait: Wait,
    since: Instant,
    silence: Silence,
    targets: Targets,
    /// What was reported last.
    last: Option<Deployment>,
    /// The deployment when it was as far as it is waited for.
    ended: Option<Deployment>,
}

impl<'a, S: Service> Watcher<'a, S> {
    fn new(asker: &'a Asker<'a, S>, id: &'a str, wait: Wait, created: bool) -> Self {
        let now = Instant::now();
        Self {
            asker,
            id,
            wait,
            since: now,
            silence: Silence::new(created),
            targets: Targets::new(created),
            last: None,
            ended: None,
        }
    }

    async fn run(&mut self) -> Result<Finished, CallError> {
        let deployment = self.reach_end().await?;
        self.ended = Some(deployment.clone());
        // The events of targets come before what they lead to.
        self.targets.last_look(self.asker, &deployment).await;
        self.tell(&deployment);
        let deployment = self.with_rollback(deployment).await;
        self.ended = Some(deployment.clone());
        let finished = self.result(deployment);
        if let Some(by) = finished.deployment.rolled_back_by().map(str::to_owned) {
            let id = self.id.to_owned();
            (self.asker.report)(&Event::RolledBack { id, by });
        }
        Ok(finished)
    }

    /// Looks again and again until the deployment is as far as it is waited for.
    async fn reach_end(&mut self) -> Result<Deployment, CallError> {
        let mut interval = Interval::new();
        loop {
            let deployment = self.asker.deployment(self.id, &mut self.silence).await?;
            if self.is_far_enough(&deployment) {
                return Ok(deployment);
            }
            let mut changed = self.tell(&deployment);
            if !matches!(deployment.status, Status::Created | Status::Queued) {
                changed |= self.targets.look(self.asker, &deployment).await;
            }
            sleep(interval.next(changed, self.since.elapsed())).await;
        }
    }

    fn is_far_enough(&self, deployment: &Deployment) -> bool {
        let is_ready = deployment.status == Status::Ready;
        deployment.status.is_end() || self.wait.until == Until::Ready && is_ready
    }

    /// Reports what changed of the deployment. Returns whether anything did.
    fn tell(&mut self, deployment: &Deployment) -> bool {
        let last = self.last.replace(deployment.clone());
        let boxed = Box::new(deployment.clone());
        let event = match last {
            Some(last) if last.status == deployment.status => {
                if last.counts == deployment.counts {
                    return false;
                }
                Event::Counts(boxed)
            }
            _ => Event::Status(boxed),
        };
        (self.asker.report)(&event);
        true
    }

    /// Asks for the rollback of a deployment that ended and should have one.
    async fn with_rollback(&self, mut deployment: Deployment) -> Deployment {
        for _ in 0..ROLLBACK_LOOKS {
            if !expects_rollback(&deployment) {
                break;
            }
            sleep(ROLLBACK_PAUSE).await;
            let asked = self.asker.service.deployment(self.id);
            if let Ok(now) = self.asker.once(asked).await {
                deployment = now;
            }
        }
        deployment
    }

    fn result(&self, deployment: Deployment) -> Finished {
        Finished {
            failures: self.targets.failures(),
            took: deployment.took().unwrap_or_else(|| self.since.elapsed()),
            deployment,
        }
    }

    /// The result, if the deployment is far enough and only the explanation or its rollback is missing.
    fn finished(&self) -> Option<Finished> {
        Some(self.result(self.ended.clone()?))
    }
}

/// Whether CodeDeploy rolls the deployment back, but did not say yet by which one.
fn expects_rollback(deployment: &Deployment) -> bool {
    let events = deployment.auto_rollback.as_deref().unwrap_or_default();
    let is_on = match deployment.status {
        Status::Failed => events.contains(&RollbackOn::Failure),
        Status::Stopped => [RollbackOn::StopOnRequest, RollbackOn::StopOnAlarm]
            .iter()
            .any(|stop| events.contains(stop)),
        _ => false,
    };
    let said = deployment.rollback.as_ref();
    is_on && said.is_none_or(|said| said.deployment.is_none() && said.message.is_none())
}

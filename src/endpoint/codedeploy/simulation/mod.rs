//! Runs a deployment from Created to its end, as a task.
//!
//! The order of statuses and lifecycle events is that of the user guide ("Lifecycle event hook
//! availability"). A stop lets the events that run finish and skips the others.

mod instances;
mod traffic;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::faults::EventFault;
use super::super::ids;
use super::Service;
use super::deployment::{Deployment, Diagnostics, Error, Event, Status, Step, Target};
use super::install::Agent;
use super::kept::Control;

/// A deployment that runs.
#[derive(Clone)]
pub(super) struct Run {
    service: Arc<Service>,
    region: String,
    /// As it was created.
    deployment: Arc<Deployment>,
    control: Arc<Control>,
    /// The deployment has failed, and what has not begun is skipped.
    failing: CancellationToken,
}

/// Why a deployment does not go on.
enum Halt {
    /// The endpoint ends.
    Ends,
    Stopped,
    Failed(Error),
}

impl Halt {
    fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::Failed(Error {
            code: code.to_owned(),
            message: message.into(),
        })
    }
}

/// How the lifecycle events of a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Succeeded,
    Failed,
    Skipped,
}

impl Run {
    pub(super) fn new(
        service: Arc<Service>,
        region: &str,
        deployment: Deployment,
        control: Arc<Control>,
    ) -> Self {
        Self {
            service,
            region: region.to_owned(),
            deployment: Arc::new(deployment),
            control,
            failing: CancellationToken::new(),
        }
    }

    /// Deploys, and rolls back if that is configured.
    pub(super) async fn deploy(self) {
        let (status, error, event) = match self.go().await {
            Err(Halt::Ends) => {
                self.change(|_| ());
                return;
            }
            Ok(()) => (Status::Succeeded, None, None),
            Err(Halt::Failed(error)) => (Status::Failed, Some(error), Some("DEPLOYMENT_FAILURE")),
            Err(Halt::Stopped) => {
                let error = Error {
                    code: "MANUAL_STOP".to_owned(),
                    message: "The deployment was stopped by a request.".to_owned(),
                };
                (
                    Status::Stopped,
                    Some(error),
                    Some("DEPLOYMENT_STOP_ON_REQUEST"),
                )
            }
        };
        let ended = self.change(|deployment| {
            deployment.end(status, Step::Skipped);
            deployment.error = error;
            deployment.clone()
        });
        let Some(ended) = ended else { return };
        // A group or an application that was deleted meanwhile remembers nothing.
        drop(self.service.note_in_group(&self.region, &ended));
        let asked = status == Status::Stopped && self.control.rolls_back.load(Ordering::Relaxed);
        let rolls_back = event.is_some_and(|event| ended.is_rolled_back_after(event));
        // A rollback that fails is not rolled back.
        if (rolls_back || asked) && ended.creator == "user" {
            self.service.roll_back(&self.region, &ended);
        }
    }

    async fn go(&self) -> Result<(), Halt> {
        let moment = self.service.pace.event / 2;
        self.pause(moment).await?;
        let targets = match &*self.deployment.platform {
            "Server" => self.instances(),
            _ => self.resource().await.map(|target| vec![target]),
        };
        self.change(|deployment| {
            deployment.status = Status::Queued;
            if let Ok(targets) = &targets {
                deployment.targets.clone_from(targets);
            }
        });
        self.pause(moment).await?;
        self.change(|deployment| {
            deployment.status = Status::InProgress;
            deployment.started_ms = Some(ids::now_ms());
        });
        let targets = targets?;
        match &*self.deployment.platform {
            "Server" => self.deploy_to_instances(&targets).await,
            _ => self.shift_traffic(&targets).await,
        }
    }

    /// Changes what is kept of the deployment, on disk too.
    fn change<T>(&self, change: impl FnOnce(&mut Deployment) -> T) -> Option<T> {
        let (region, id) = (&self.region, &self.deployment.id);
        self.service.deployments.change(region, id, change)
    }

    /// Changes a target in memory, until the deployment has another status.
    fn change_target(&self, id: &str, change: impl FnOnce(&mut Target)) {
        let (region, of) = (&self.region, &self.deployment.id);
        self.service.deployments.note(region, of, |deployment| {
            let mut targets = deployment.targets.iter_mut();
            if let Some(target) = targets.find(|target| target.id == id) {
                target.updated_ms = ids::now_ms();
                change(target);
            }
        });
    }

    fn change_event(&self, target: &str, name: &str, change: impl FnOnce(&mut Event)) {
        self.change_target(target, |target| {
            let mut events = target.events.iter_mut();
            if let Some(event) = events.find(|event| event.name == name) {
                change(event);
            }
        });
    }

    /// Waits, unless the deployment is stopped meanwhile.
    async fn pause(&self, time: Duration) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = self.service.ending.cancelled() => Err(Halt::Ends),
            () = self.control.stop.cancelled() => Err(Halt::Stopped),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    /// Waits as [`pause`](Self::pause), and for `signal` at most.
    async fn pause_until(&self, time: Duration, signal: &CancellationToken) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = signal.cancelled() => Ok(()),
            waited = self.pause(time) => waited,
        }
    }

    fn is_halted(&self) -> bool {
        self.control.stop.is_cancelled() || self.failing.is_cancelled()
    }

    /// Runs lifecycle events of a target one after the other.
    async fn events(&self, target: &str, names: &[String]) -> Result<Ended, Halt> {
        for name in names {
            if self.is_halted() {
                return Ok(Ended::Skipped);
            }
            match self.event(target, name).await? {
                Ended::Succeeded => {}
                Ended::Failed if self.goes_on_after(name) => {}
                Ended::Failed => {
                    self.change_target(target, |target| {
                        target.skip_rest();
                        target.status = Step::Failed;
                    });
                    return Ok(Ended::Failed);
                }
                Ended::Skipped => return Ok(Ended::Skipped),
            }
        }
        Ok(Ended::Succeeded)
    }

    /// Whether the failure of an event is ignored.
    fn goes_on_after(&self, event: &str) -> bool {
        let ignores = self.deployment.options.ignore_application_stop_failures;
        let of_last = ["ApplicationStop", "BeforeBlockTraffic", "AfterBlockTraffic"];
        ignores && of_last.contains(&event)
    }

    /// Notes that an event has begun, unless it had.
    fn begin_event(&self, target: &str, name: &str) {
        self.change_target(target, |target| target.status = Step::InProgress);
        self.change_event(target, name, |event| {
            event.status = Step::InProgress;
            event.started_ms.get_or_insert_with(ids::now_ms);
        });
    }

    async fn event(&self, target: &str, name: &str) -> Result<Ended, Halt> {
        self.begin_event(target, name);
        let result = match self.happens(target, name).await? {
            Some(result) => result,
            None => {
                self.change_event(target, name, |event| {
                    event.status = Step::Skipped;
                    event.ended_ms = Some(ids::now_ms());
                });
                return Ok(Ended::Skipped);
            }
        };
        let (status, ended) = match &result {
            Ok(()) => (Step::Succeeded, Ended::Succeeded),
            Err(_) => (Step::Failed, Ended::Failed),
        };
        self.change_event(target, name, |event| {
            event.status = status;
            event.ended_ms = Some(ids::now_ms());
            event.diagnostics = Some(result.err().unwrap_or_else(Diagnostics::success));
        });
        Ok(ended)
    }

    /// What happens at an event. None if it did not end before the deployment was stopped or failed.
    async fn happens(
        &self,
        target: &str,
        name: &str,
    ) -> Result<Option<Result<(), Diagnostics>>, Halt> {
        let number = self.deployment.number;
        let fault = self.service.faults.event(number, target, name);
        let time = match &fault {
            Some(EventFault::Takes(time)) => *time,
            Some(EventFault::Hang) => {
                tokio::select! {
                    () = self.service.ending.cancelled() => return Err(Halt::Ends),
                    () = self.control.stop.cancelled() => return Ok(None),
                    () = self.failing.cancelled() => return Ok(None),
                }
            }
            _ => self.service.pace.event,
        };
        tokio::select! {
            biased;
            () = self.service.ending.cancelled() => return Err(Halt::Ends),
            () = tokio::time::sleep(time) => {}
        }
        if let Some(EventFault::Fail {
            error_code,
            script,
            message,
            log_tail,
        }) = fault
        {
            return Ok(Some(Err(Diagnostics {
                error_code,
                script_name: script,
                message,
                log_tail,
            })));
        }
        if self.deployment.platform != "Server" {
            return Ok(Some(Ok(())));
        }
        let (target, name) = (target.to_owned(), name.to_owned());
        let done = self.with_agent(target, move |agent| agent.event(&name));
        let done = done
            .await
            .unwrap_or_else(|message| Err(Diagnostics::unknown_error(message)));
        Ok(Some(done))
    }

    /// Lets the agent of an instance work.
    async fn with_agent<T: Send + 'static>(
        &self,
        instance: String,
        work: impl FnOnce(&Agent<'_>) -> T + Send + 'static,
    ) -> Result<T, String> {
        let run = self.clone();
        let working = tokio::task::spawn_blocking(move || {
            work(&Agent::new(
                &run.service,
                &run.region,
                &run.deployment,
                &instance,
            ))
        });
        working.await.map_err(|error| error.to_string())
    }

    /// The stopped deployment's end, if it is stopped.
    fn check_stopped(&self) -> Result<(), Halt> {
        match self.control.stop.is_cancelled() {
            true => Err(Halt::Stopped),
            false => Ok(()),
        }
    }

    fn minutes(&self, minutes: u32) -> Duration {
        self.service.pace.minute * minutes
    }

    /// Waits for ContinueDeployment, if the group says so.
    async fn wait_until_ready(&self) -> Result<(), Halt> {
        let Some(minutes) = self.deployment.settings.blue_green().ready_wait() else {
            return Ok(());
        };
        self.change(|deployment| deployment.status = Status::Ready);
        let proceed = &self.control.proceed;
        self.pause_until(self.minutes(minutes), proceed).await?;
        if !proceed.is_cancelled() {
            // Nothing may tell the deployment that it is to be rolled back.
            return Err(Halt::Stopped);
        }
        self.change(|deployment| deployment.status = Status::InProgress);
        Ok(())
    }

    /// Waits before the original instances would be terminated.
    async fn wait_for_termination(&self) -> Result<(), Halt> {
        let Some(minutes) = self.deployment.settings.blue_green().termination_wait() else {
            return Ok(());
        };
        self.change(|deployment| deployment.waits_for_termination = true);
        let waited = self.pause_until(self.minutes(minutes), &self.control.terminate);
        let waited = waited.await;
        self.change(|deployment| deployment.waits_for_termination = false);
        waited
    }
}

/// The names of events.
fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

//! Creates one deployment, although the request has no token against doing it twice and a group takes one
//! deployment at a time.
//!
//! A request that was refused, or for which CodeDeploy was too busy, had no effect and may be repeated. If the
//! answer is lost, the group's deployments are listed: one of this revision that was created since then
//! is taken for the one that was asked for. If there is none after several looks, the request is repeated.
//! If they cannot be listed, it is not known whether there is a deployment, and that is the error.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout};

use super::ask::{Asker, Deadline, GivenUp, Silence};
use super::pace::{Interval, pause};
use super::{
    Deployment, Error, Event, IfActive, Latest, NewestRevision, Registration, Request, Service,
    Status,
};
use crate::aws::error::CallError;
use crate::cancel::Cancel;

/// How long the answer to a request that was sent is waited for after a cancellation.
const GRACE: Duration = Duration::from_secs(10);
/// How far CodeDeploy's clock and this machine's may be apart.
const SKEW: Duration = Duration::from_secs(60);
/// The pauses before the looks for a deployment whose creation was not answered.
const LOOKS: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// Most deployments that one look compares.
const MOST_COMPARED: usize = 10;
/// Attempts of a request that only asks.
const ATTEMPTS: u32 = 8;
/// How often a lost request is repeated when no deployment is there.
const MOST_LOST: u32 = 3;
/// For how long CodeDeploy may be too busy to create a deployment.
const BUSY: Duration = Duration::from_secs(600);

/// The code by which CodeDeploy says that a group has a deployment that runs, or an account too many.
const LIMIT: &str = "DeploymentLimitExceededException";

/// The statuses of deployments that run.
const RUNNING: [Status; 5] = [
    Status::Created,
    Status::Queued,
    Status::InProgress,
    Status::Baking,
    Status::Ready,
];

/// Looks up the newest revision of an application.
pub(super) async fn latest<S: Service>(
    asker: &Asker<'_, S>,
    application: &str,
    among: &Latest,
) -> Result<Registration, Error> {
    let request = || asker.service.newest(application, among);
    let application = application.to_owned();
    match asker.often(ATTEMPTS, request).await {
        Ok(NewestRevision::Object(revision)) => Ok(*revision),
        Ok(NewestRevision::Elsewhere) => Err(Error::NotInS3 { application }),
        Ok(NewestRevision::Missing) => Err(Error::NoRevision {
            application,
            among: among.clone(),
        }),
        Err(error) => Err(Error::Latest { error }),
    }
}

/// Stops a deployment. One that ended already is no error.
pub(super) async fn stop<S: Service>(
    asker: &Asker<'_, S>,
    id: &str,
    rollback: Option<bool>,
) -> Result<(), CallError> {
    let request = || asker.service.stop(id, rollback);
    match asker.often(ATTEMPTS, request).await {
        Err(error) if error.code.as_deref() == Some("DeploymentAlreadyCompletedException") => {
            Ok(())
        }
        done => done,
    }
}

/// Creates a deployment, and returns its id.
pub(super) async fn create<S: Service>(
    asker: &Asker<'_, S>,
    request: &Request,
    revision: Option<&Registration>,
    if_active: IfActive,
    deadline: Deadline,
    cancel: &Cancel,
) -> Result<String, Error> {
    let mut creation = Creation {
        asker,
        request,
        revision,
        if_active,
        began: SystemTime::now(),
        lost: None,
        in_doubt: false,
        losses: 0,
        silence: Silence::default(),
        waited_for: None,
    };
    let created = loop {
        // Nothing is sent after a cancellation, also not if it came before the turn.
        if let Err(given_up) = deadline.bound(cancel, asker.pace.turn()).await {
            break Err(creation.given_up(given_up, deadline));
        }
        // What is sent must not be dropped: its answer has the id.
        let answer = creation.send(cancel).await;
        let next = match answer {
            Ok(id) => break Ok((id, false)),
            Err(error) if error.is_final() && !is_limit(&error) => {
                break Err(Error::Create { error });
            }
            Err(error) => {
                if !error.is_certain() {
                    creation.losses += 1;
                    creation.in_doubt = true;
                    creation.lost = Some(error.clone());
                }
                creation.after(error)
            }
        };
        match deadline.bound(cancel, next).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(id))) => break Ok((id, true)),
            Ok(Err(error)) => break Err(error),
            Err(given_up) => break Err(creation.given_up(given_up, deadline)),
        }
    };
    let (id, found) = created?;
    (asker.report)(&Event::Created {
        id: id.clone(),
        found,
    });
    Ok(id)
}

struct Creation<'a, S> {
    asker: &'a Asker<'a, S>,
    request: &'a Request,
    revision: Option<&'a Registration>,
    if_active: IfActive,
    began: SystemTime,
    /// The error of the last request that was lost.
    lost: Option<CallError>,
    /// Whether that may have created a deployment.
    in_doubt: bool,
    /// How many requests were lost.
    losses: u32,
    silence: Silence,
    /// The deployment for which this waited last.
    waited_for: Option<Option<String>>,
}

impl<S: Service> Creation<'_, S> {
    async fn send(&self, cancel: &Cancel) -> Result<String, CallError> {
        let service = self.asker.service;
        let request = self.asker.now(service.create(self.request, self.revision));
        tokio::pin!(request);
        tokio::select! {
            answer = &mut request => answer,
            () = cancel.cancelled() => timeout(GRACE, request)
                .await
                .unwrap_or_else(|_| Err(CallError::no_answer_within("CreateDeployment", GRACE))),
        }
    }

    /// What follows from an error that is not final: another attempt (None), a deployment that was found, or an error.
    async fn after(&mut self, error: CallError) -> Result<Option<String>, Error> {
        match () {
            () if is_limit(&error) => self.after_limit(error).await,
            () if !error.is_certain() => self.after_loss(error).await,
            () if self.silence.lasted() > BUSY || self.silence.is_hopeless(&error) => {
                Err(Error::Create { error })
            }
            () => {
                self.silence.lasts(None, error, self.asker.report).await;
                Ok(None)
            }
        }
    }

    /// The answer was lost: looks whether the deployment is there.
    async fn after_loss(&mut self, error: CallError) -> Result<Option<String>, Error> {
        for wait in LOOKS {
            sleep(wait).await;
            match self.find().await {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(why) => {
                    return Err(Error::Unconfirmed {
                        lost: error,
                        error: Some(why),
                    });
                }
            }
        }
        // There is none.
        self.in_doubt = false;
        if self.losses > MOST_LOST {
            return Err(Error::Create { error });
        }
        Ok(None)
    }

    /// The group's deployment that this request created, if there is one.
    async fn find(&self) -> Result<Option<String>, CallError> {
        let since = self.began.checked_sub(SKEW);
        let request = || (self.asker.service).deployments(self.request, since, &[]);
        let ids = self.asker.often(ATTEMPTS, request).await?;
        for id in ids.into_iter().take(MOST_COMPARED) {
            let request = || self.asker.service.deployment(&id);
            let deployment = self.asker.often(ATTEMPTS, request).await?;
            let is_new = match (deployment.created, since) {
                (Some(created), Some(since)) => created >= since,
                _ => true,
            };
            if is_new && self.is_ours(&deployment) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether a deployment is what the request asks for.
    fn is_ours(&self, deployment: &Deployment) -> bool {
        let request = &self.request.options;
        let has_revision = match (self.revision, &deployment.revision) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(asked), Some(has)) => {
                let same = |asked: &Option<String>, has: &Option<String>| {
                    let plain = |text: &String| text.trim_matches('"').to_owned();
                    asked.is_none() || asked.as_ref().map(plain) == has.as_ref().map(plain)
                };
                asked.location == has.location
                    && asked.bundle_type == has.bundle_type
                    && same(&asked.etag, &has.etag)
                    && same(&asked.version, &has.version)
            }
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let by_user = deployment.creator.as_deref().is_none_or(|by| by == "user");
        let config = request.config.is_none() || request.config == deployment.config;
        let described = text(&request.description) == text(&deployment.description);
        has_revision && by_user && config && described
    }

    /// The group has a deployment that runs, or the account too many.
    async fn after_limit(&mut self, error: CallError) -> Result<Option<String>, Error> {
        let active = match id_in(&error.message) {
            Some(id) => Some(id),
            None => self.running().await,
        };
        if let Some(lost) = &self.lost {
            // It may be the one whose creation was not answered, and the list did not show it.
            let unconfirmed = |error| Error::Unconfirmed {
                lost: lost.clone(),
                error: Some(error),
            };
            let Some(id) = &active else {
                return Err(unconfirmed(error));
            };
            let request = || self.asker.service.deployment(id);
            let deployment = self.asker.often(ATTEMPTS, request).await;
            if self.is_ours(&deployment.map_err(unconfirmed)?) {
                return Ok(active);
            }
        }
        match (self.if_active, &active) {
            (IfActive::Fail, _) | (IfActive::Stop, None) => {
                return Err(Error::Active { active, error });
            }
            (IfActive::Wait, _) => {
                let active = active.clone();
                self.tell(
                    &active,
                    &Event::Waiting {
                        active: active.clone(),
                    },
                );
            }
            (IfActive::Stop, Some(id)) => {
                let active = id.clone();
                self.tell(&Some(id.clone()), &Event::Stopping { active });
                // With a rollback, the next deployment would run at once.
                let stopped = stop(self.asker, id, Some(false)).await;
                let id = id.clone();
                stopped.map_err(|error| Error::Stop { id, error })?;
            }
        }
        self.wait_for(active.as_deref()).await;
        Ok(None)
    }

    /// Reports for which deployment this waits, once.
    fn tell(&mut self, active: &Option<String>, event: &Event) {
        if self.waited_for.as_ref() != Some(active) {
            self.waited_for = Some(active.clone());
            (self.asker.report)(event);
        }
    }

    /// The newest deployment of the group that runs.
    async fn running(&self) -> Option<String> {
        let request = || (self.asker.service).deployments(self.request, None, &RUNNING);
        let ids = self.asker.often(ATTEMPTS, request).await.ok()?;
        ids.into_iter().next()
    }

    /// Waits until a deployment ended, or for a while if that cannot be known.
    async fn wait_for(&self, active: Option<&str>) {
        let (mut interval, since) = (Interval::new(), Instant::now());
        let mut silence = Silence::default();
        let mut changed = false;
        let mut last = None;
        loop {
            // Also the first time: the deployment may have ended, but its group may not know yet.
            sleep(interval.next(changed, since.elapsed())).await;
            let Some(id) = active else {
                return sleep(pause(4)).await;
            };
            let Ok(deployment) = self.asker.deployment(id, &mut silence).await else {
                return sleep(pause(4)).await;
            };
            if deployment.status.is_end() {
                return;
            }
            let now = Some((deployment.status, deployment.counts));
            changed = last != now;
            last = now;
        }
    }

    fn given_up(&self, why: GivenUp, deadline: Deadline) -> Error {
        match &self.lost {
            Some(lost) if self.in_doubt => Error::Unconfirmed {
                lost: lost.clone(),
                error: None,
            },
            _ => deadline.missed(why, None, None),
        }
    }
}

fn is_limit(error: &CallError) -> bool {
    error.code.as_deref() == Some(LIMIT)
}

/// The id of a deployment in a text of CodeDeploy.
fn id_in(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let is_id = |word: &&str| {
        word.strip_prefix("d-").is_some_and(|rest| {
            rest.len() >= 8
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
    };
    // The name of a group may look like one, and comes first.
    words.rfind(is_id).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_deployment_is_found_in_a_message() {
        for (text, id) in [
            (
                "The Deployment Group 'g' already has an active Deployment 'd-A1B2C3D4E'",
                Some("d-A1B2C3D4E"),
            ),
            ("too many: d-8BZZU11HY.", Some("d-8BZZU11HY")),
            ("The group d-day has d-DAY", None),
            ("quota exceeded", None),
        ] {
            assert_eq!(id_in(text).as_deref(), id, "{text}");
        }
    }
}

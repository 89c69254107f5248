//! What is said when a deployment has ended, or is not watched any more: why it failed, with the logs of its
//! scripts, and what to do next.

use std::time::Duration;

use hoist::aws::codedeploy::Registration;
use hoist::aws::error::CallError;
use hoist::deploy::{Deployment, Diagnostics, Error, Failure, Finished, Outcome, Status};
use hoist::error::{quoted, shown};

use super::follow::Place;
use super::{log, words};
use crate::cli::Exit;
use crate::cli::render::push::recovery::joined;
use crate::cli::render::units::took;

/// A deployment and what became of it.
pub(crate) struct Ended<'a> {
    pub(crate) application: &'a str,
    /// Empty if a deployment is watched that another command created.
    pub(crate) group: &'a str,
    pub(crate) region: &'a str,
    pub(crate) place: &'a Place,
    /// What is deployed, as far as it is known here.
    pub(crate) revision: Option<Registration>,
    pub(crate) outcome: &'a Outcome,
    /// Whether it is the command's only deployment, so that what failed is its failure.
    pub(crate) is_alone: bool,
    pub(crate) commands: &'a Commands,
}

/// Commands for the user to run, with the options that reach the same services.
pub(crate) struct Commands {
    /// Those of hoist.
    pub(crate) hoist: Vec<String>,
    /// Those of the AWS CLI.
    pub(crate) aws: Vec<String>,
    /// The command that creates the deployment. None: only one is watched.
    pub(crate) create: Option<Create>,
    /// Whether CodeDeploy is in this process, and deployments end with it.
    pub(crate) is_local: bool,
}

/// The command that creates a deployment, without its application, group and revision.
pub(crate) struct Create {
    /// The option that names the newest revision, for the case that it was not found out.
    pub(crate) newest: Option<String>,
    /// The other options.
    pub(crate) words: Vec<String>,
}

impl Commands {
    fn watch(&self, id: &str) -> String {
        command(&["hoist", "deploy", "--watch", id], &self.hoist)
    }

    fn of_aws(&self, operation: &str, id: &str, more: &[&str]) -> String {
        let words = ["aws", "deploy", operation, "--deployment-id", id];
        command(&[&words, more].concat(), &self.aws)
    }

    /// How to go on with a deployment that runs.
    pub(crate) fn next(&self, id: &str) -> String {
        if self.is_local {
            return "the deployment ends unfinished, since the endpoint of --local ends with this command"
                .to_owned();
        }
        format!(
            "to watch it: {}; to stop it: {}",
            self.watch(id),
            self.of_aws("stop-deployment", id, &[])
        )
    }
}

fn command(words: &[&str], more: &[String]) -> String {
    joined(words.iter().copied().chain(more.iter().map(String::as_str)))
}

/// What failed on one target.
pub(crate) struct Explained {
    /// `i-0123: AfterInstall failed after 2 s: ScriptFailed: scripts/install.sh: exit code 1`.
    pub(crate) text: String,
    /// The log of the script.
    pub(crate) log: Vec<String>,
}

impl Explained {
    /// The lines, each log line behind a mark.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let log = self.log.iter().map(|line| format!("{}{line}", log::MARK));
        std::iter::once(self.text.clone()).chain(log)
    }
}

impl Ended<'_> {
    /// The id of the deployment, if there is one.
    pub(crate) fn id(&self) -> Option<&str> {
        match self.outcome {
            Outcome::Created(id) => Some(id),
            Outcome::Finished(finished) => Some(&finished.deployment.id),
            Outcome::Failed(error) => error.deployment(),
            Outcome::NotBegun => None,
        }
    }

    pub(crate) fn link(&self) -> Option<String> {
        self.place.link(self.id()?)
    }

    /// The status by CodeDeploy's name, as far as it is known.
    pub(crate) fn status(&self) -> Option<&str> {
        match self.outcome {
            Outcome::Created(_) => Some("Created"),
            Outcome::Finished(finished) => Some(finished.deployment.status.name()),
            Outcome::Failed(Error::TimedOut { status, .. }) => status.as_ref().map(Status::name),
            Outcome::Failed(_) | Outcome::NotBegun => None,
        }
    }

    pub(crate) fn finished(&self) -> Option<&Finished> {
        match self.outcome {
            Outcome::Finished(finished) => Some(finished),
            _ => None,
        }
    }

    /// The status in words: CodeDeploy's name, or what is known instead.
    pub(crate) fn status_or_why_not(&self) -> &str {
        let without = match self.outcome {
            Outcome::NotBegun => "not begun",
            Outcome::Failed(Error::Cancelled {
                id: Some(_),
                stopped,
            }) => match stopped {
                Some(Ok(())) => "stopping",
                _ => "goes on",
            },
            Outcome::Failed(Error::TimedOut { id: Some(_), .. }) => "goes on",
            Outcome::Failed(Error::Watch { .. } | Error::Unconfirmed { .. }) => "not known",
            _ => "not created",
        };
        self.status().unwrap_or(without)
    }

    /// The exit code; None if all is well. A run that was cancelled ends by the signal's.
    pub(crate) fn exit(&self) -> Option<Exit> {
        let of_call = |error: &CallError| match &error.code {
            _ if error.is_without_credentials() => Exit::Config,
            Some(_) => Exit::Service,
            None => Exit::Failure,
        };
        match self.outcome {
            Outcome::Created(_) | Outcome::NotBegun => None,
            Outcome::Finished(finished) if finished.is_success() => None,
            Outcome::Finished(finished) => Some(match finished.deployment.status {
                Status::Stopped => Exit::DeploymentStopped,
                _ => Exit::DeploymentFailed,
            }),
            Outcome::Failed(error) => Some(match error {
                Error::TimedOut { .. } => Exit::WaitTimedOut,
                Error::Active { .. } => Exit::Service,
                Error::Latest { error }
                | Error::Create { error }
                | Error::Watch { error, .. }
                | Error::Stop { error, .. } => of_call(error),
                _ => Exit::Failure,
            }),
        }
    }

    /// What failed on each target.
    pub(crate) fn explained(&self) -> Vec<Explained> {
        let failures = self.finished().map(|finished| finished.failures.as_slice());
        let mut all: Vec<Explained> = failures.unwrap_or_default().iter().map(explained).collect();
        if !self.is_alone {
            let name = self.place_name();
            all.iter_mut()
                .for_each(|one| one.text = format!("{name}: {}", one.text));
        }
        all
    }

    /// The lines at the end, the most important first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = match self.outcome {
            Outcome::Created(_) => Vec::new(),
            Outcome::Finished(finished) => self.of_end(finished),
            Outcome::Failed(error) => self.of_error(error),
            Outcome::NotBegun => vec![format!("{}: not begun", self.place_name())],
        };
        if matches!(self.outcome, Outcome::NotBegun)
            || matches!(self.outcome, Outcome::Failed(_)) && self.id().is_none()
        {
            lines.extend(self.again());
        }
        lines
    }

    fn place_name(&self) -> String {
        shown(&self.place.name).to_string()
    }

    /// The deployment in messages.
    fn name(&self, id: &str) -> String {
        let id = shown(id);
        let of = self.finished().map(|finished| &finished.deployment);
        match (self.place.name.as_str(), of) {
            ("", None) => format!("deployment {id}"),
            ("", Some(of)) => format!(
                "deployment {id} of {} to {}",
                shown(&of.application),
                shown(&of.group)
            ),
            (name, _) => format!(
                "deployment {id} of {} to {}",
                shown(self.application),
                shown(name)
            ),
        }
    }

    fn of_end(&self, finished: &Finished) -> Vec<String> {
        let deployment = &finished.deployment;
        let id = deployment.id.as_str();
        let (name, time) = (self.name(id), took(finished.took));
        let counts = match deployment.counts.total() {
            0 => String::new(),
            _ => format!(
                ": {}",
                words::counts(&deployment.platform, &deployment.counts)
            ),
        };
        let link = self.link();
        if finished.is_success() {
            let end = match deployment.status {
                Status::Ready => "is ready for traffic after",
                _ => "succeeded in",
            };
            let link = link.map(|link| format!("; {link}")).unwrap_or_default();
            let mut lines = vec![format!("{name} {end} {time}{counts}{link}")];
            if deployment.status == Status::Ready {
                let more = ["--deployment-wait-type", "READY_WAIT"];
                let proceed = self.commands.of_aws("continue-deployment", id, &more);
                lines.push(format!("to reroute the traffic: {proceed}"));
            }
            return lines;
        }
        let end = match deployment.status {
            Status::Stopped => "was stopped after",
            _ => "failed after",
        };
        let mut lines = vec![format!("{name} {end} {time}{counts}{}", cause(deployment))];
        let messages = deployment.messages.iter();
        lines.extend(messages.map(|message| log::lines(message).join(" ")));
        lines.extend(self.rollback(finished));
        if let Some(link) = link {
            lines.push(format!("more is in the console: {link}"));
        }
        lines
    }

    fn rollback(&self, finished: &Finished) -> Option<String> {
        let rollback = finished.deployment.rollback.as_ref()?;
        if let Some(by) = &rollback.deployment {
            let link = self.place.link(by);
            let link = link.map(|link| format!(" ({link})")).unwrap_or_default();
            return Some(format!(
                "deployment {} rolls it back{link}; to watch that: {}",
                shown(by),
                self.commands.watch(by)
            ));
        }
        let message = log::lines(rollback.message.as_ref()?).join(" ");
        Some(format!("rollback: {message}"))
    }

    fn of_error(&self, error: &Error) -> Vec<String> {
        let place = self.place_name();
        let after = |text: String| vec![text];
        match error {
            Error::TimedOut {
                id: Some(id),
                status,
                limit,
                ..
            } => {
                let status = status.as_ref().map(words::status);
                let status = status.map(|status| format!(" ({status})"));
                vec![
                    format!(
                        "{} still runs{} after {}, which is --wait-timeout",
                        self.name(id),
                        status.unwrap_or_default(),
                        took(*limit)
                    ),
                    self.commands.next(id),
                ]
            }
            Error::TimedOut {
                id: None, limit, ..
            } => after(format!(
                "no deployment to {place} was created within {}, which is --wait-timeout",
                took(*limit)
            )),
            Error::Cancelled {
                id: Some(id),
                stopped,
            } => match stopped {
                // What runs on its targets may go on for a while.
                Some(Ok(())) if self.commands.is_local => {
                    after(format!("{} is stopped", self.name(id)))
                }
                Some(Ok(())) => vec![
                    format!("CodeDeploy is stopping {}", self.name(id)),
                    format!("to watch that: {}", self.commands.watch(id)),
                ],
                Some(Err(error)) => vec![
                    format!(
                        "{} goes on, since it cannot be stopped: {error}",
                        self.name(id)
                    ),
                    self.commands.next(id),
                ],
                None => {
                    let end = match self.commands.is_local {
                        true => "is not waited for any more",
                        false => "goes on",
                    };
                    vec![format!("{} {end}", self.name(id)), self.commands.next(id)]
                }
            },
            Error::Cancelled { id: None, .. } => {
                after(format!("{place}: stopped; no deployment was created"))
            }
            Error::Active { active, .. } => {
                let mut lines = after(error.to_string());
                lines.push(match active {
                    Some(id) => format!(
                        "deployment {} to {place} runs; --if-active wait waits for its end, and --if-active \
                         stop stops it; {}",
                        shown(id),
                        self.commands.next(id)
                    ),
                    None => "--if-active wait waits until another deployment may begin".to_owned(),
                });
                lines
            }
            Error::Unconfirmed { .. } => vec![
                format!("{place}: {error}"),
                format!(
                    "to see whether there is one: {}",
                    command(
                        &[
                            "aws",
                            "deploy",
                            "list-deployments",
                            "--application-name",
                            self.application,
                            "--deployment-group-name",
                            self.group
                        ],
                        &self.commands.aws
                    )
                ),
            ],
            Error::Watch { error: call, .. } if has_no_deployment(call) => vec![
                error.to_string(),
                "check the id, --region and the account".to_owned(),
            ],
            Error::Watch { id, .. } | Error::Stop { id, .. } => {
                vec![error.to_string(), self.commands.next(id)]
            }
            Error::Create { error: call } if call.is_without_credentials() => after(format!(
                "{call}. You can configure credentials by running \"aws configure\"."
            )),
            Error::Create { error: call } | Error::Latest { error: call } => {
                let mut lines = after(error.to_string());
                lines.extend(self.hint(call));
                lines
            }
            Error::NoRevision { .. } | Error::NotInS3 { .. } => after(format!("{place}: {error}")),
        }
    }

    fn hint(&self, error: &CallError) -> Option<String> {
        let hint = match error.code.as_deref()? {
            "DeploymentGroupDoesNotExistException" | "InvalidDeploymentGroupNameException" => {
                format!(
                    "check the name of the deployment group; to list them: {}",
                    command(
                        &[
                            "aws",
                            "deploy",
                            "list-deployment-groups",
                            "--application-name",
                            self.application
                        ],
                        &self.commands.aws
                    )
                )
            }
            "ApplicationDoesNotExistException" => {
                "check --application-name, --region and the account".to_owned()
            }
            "DeploymentConfigDoesNotExistException" | "InvalidDeploymentConfigNameException" => {
                "check --deployment-config-name".to_owned()
            }
            "RevisionDoesNotExistException" => format!(
                "register the revision first: hoist register --application-name {} --s3-location …",
                quoted(self.application)
            ),
            _ => return None,
        };
        Some(hint)
    }

    /// The command that creates the deployment that was not created.
    fn again(&self) -> Option<String> {
        let create = self.commands.create.as_ref()?;
        // Later, another revision may be the newest.
        let object = self.revision.as_ref().map(Registration::shorthand);
        let revision = match (&object, &create.newest) {
            (Some(object), _) => vec!["--s3-location", object],
            (None, newest) => newest.as_deref().into_iter().collect(),
        };
        let application = ["hoist", "deploy", "--application-name", self.application];
        let words: Vec<&str> = create.words.iter().map(String::as_str).collect();
        let group = ["--deployment-group-name", self.group];
        let words = [&application, &revision[..], &words, &group].concat();
        Some(format!(
            "to deploy to {}: {}",
            self.place_name(),
            command(&words, &self.commands.hoist)
        ))
    }
}

fn has_no_deployment(error: &CallError) -> bool {
    error.code.as_deref() == Some("DeploymentDoesNotExistException")
}

/// Why a deployment failed, as CodeDeploy puts it.
fn cause(deployment: &Deployment) -> String {
    let Some(error) = &deployment.error else {
        return String::new();
    };
    let parts = [&error.code, &error.message];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .map(|text| log::lines(text).join(" "))
        .filter(|text| !text.is_empty())
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("; {}", parts.join(": ")),
    }
}

fn explained(failure: &Failure) -> Explained {
    let Failure {
        target,
        kind,
        label,
        event,
        took: time,
        diagnostics,
    } = failure;
    let Diagnostics {
        code,
        script,
        message,
        log_tail,
    } = diagnostics;
    let label = label
        .as_ref()
        .map(|label| format!(" ({})", shown(label.name())));
    let event = event.as_deref().map_or_else(
        || "failed".to_owned(),
        |event| format!("{} failed", shown(event)),
    );
    let time = time.map(|time: Duration| format!(" after {}", took(time)));
    let mut text = format!(
        "{} {}{}: {event}{}",
        words::kind(kind),
        words::target(target),
        label.unwrap_or_default(),
        time.unwrap_or_default(),
    );
    let said = [code, script, message];
    for said in said.into_iter().flatten() {
        let said = log::lines(said).join(" ");
        if !said.is_empty() {
            text.push_str(": ");
            text.push_str(&said);
        }
    }
    Explained {
        text,
        log: log::lines(log_tail.as_deref().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;

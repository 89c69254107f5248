//! Whether and how long `deploy` and `push --deploy-to` wait for their deployments.

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::cli::args::time::{self, Time};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct WaitArgs {
    /// Wait until the deployments end, show how far they are, and, if one fails, why; push --deploy-to
    /// always does unless --no-wait is given
    #[arg(long)]
    wait: bool,

    /// Do not wait: print the ids of the deployments and end
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,

    /// Wait at most this long for each deployment: 90s, 45m, 2h, or a number of seconds. The deployment
    /// goes on then [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = time::limit)]
    pub(crate) wait_timeout: Option<Time>,

    /// What to wait for. With a blue/green deployment, ready ends when the replacement instances are
    /// ready and traffic may be rerouted
    #[arg(long, value_name = "STATE", value_enum)]
    wait_until: Option<WaitUntil>,

    /// What to do if the deployment group has a deployment that is running: wait for it to end, fail, or
    /// stop it [default: fail]
    #[arg(long, value_name = "ACTION", value_enum)]
    if_active: Option<IfActive>,

    /// Stop the deployments when this command is interrupted (Ctrl-C, SIGTERM) while it waits; without
    /// it, they go on
    #[arg(long)]
    pub(crate) stop_on_interrupt: bool,

    /// Deploy to one region after the other, or, in a single region, to one deployment group after the
    /// other, and begin no further deployment after one that does not succeed
    #[arg(long)]
    pub(crate) waves: bool,
}

/// Where a wait ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitUntil {
    /// The replacement instances of a blue/green deployment are ready
    Ready,
    /// The deployment has succeeded, which is the default
    #[default]
    Succeeded,
}

/// What to do about another deployment of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfActive {
    /// Wait until it ends
    Wait,
    /// Fail, as `aws deploy create-deployment` does
    #[default]
    Fail,
    /// Stop it
    Stop,
}

fn name(value: impl ValueEnum) -> Option<String> {
    let value = value.to_possible_value()?;
    Some(value.get_name().to_owned())
}

impl WaitArgs {
    /// Whether to wait, for a command that does so only if it is asked to.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.wait
    }

    /// Whether to wait, for a command that does so unless it is told not to.
    pub(crate) fn is_not_refused(&self) -> bool {
        !self.no_wait
    }

    pub(crate) fn until(&self) -> WaitUntil {
        self.wait_until.unwrap_or_default()
    }

    pub(crate) fn if_active(&self) -> IfActive {
        self.if_active.unwrap_or_default()
    }

    /// The same options for another command line, which has one deployment.
    pub(crate) fn words(&self, waits: bool) -> Vec<String> {
        let limit = self.wait_timeout.as_ref().map(ToString::to_string);
        let until = self.wait_until.and_then(name);
        let if_active = self.if_active.and_then(name);
        let valued = [
            ("--wait-timeout", limit),
            ("--wait-until", until),
            ("--if-active", if_active),
        ];
        let valued = valued
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value?]));
        let switches = [
            ("--wait", waits),
            ("--stop-on-interrupt", self.stop_on_interrupt),
        ];
        let switches = switches.into_iter().filter(|(_, on)| *on);
        switches
            .map(|(name, _)| name.to_owned())
            .chain(valued.flatten())
            .collect()
    }

    /// The first of these options that is given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--wait", self.wait),
            ("--no-wait", self.no_wait),
            ("--wait-timeout", self.wait_timeout.is_some()),
            ("--if-active", self.if_active.is_some()),
        ];
        let given = options.into_iter().find(|(_, given)| *given);
        given.map(|(name, _)| name).or(self.needs_waiting())
    }

    /// The first option that means something only while the command waits.
    fn needs_waiting(&self) -> Option<&'static str> {
        let options = [
            ("--wait-until", self.wait_until.is_some()),
            ("--stop-on-interrupt", self.stop_on_interrupt),
            ("--waves", self.waves),
        ];
        let given = options.into_iter().find(|(_, given)| *given);
        given.map(|(name, _)| name)
    }

    /// Refuses options that would have no effect.
    pub(crate) fn check(&self, waits: bool) -> Result<(), Failure> {
        let limit = self.wait_timeout.is_some() && self.if_active != Some(IfActive::Wait);
        let vain = self
            .needs_waiting()
            .or(limit.then_some("--wait-timeout"))
            .filter(|_| !waits);
        match vain {
            Some(option) if self.no_wait => Err(Failure::usage(format!(
                "{option} is about waiting, and --no-wait is given; leave one of them out"
            ))),
            Some(option) => Err(Failure::usage(format!(
                "{option} is about waiting, and this command does not wait; add --wait, or leave it out"
            ))),
            None => Ok(()),
        }
    }

    /// Refuses what makes no sense for a deployment that exists.
    pub(crate) fn check_watch(&self) -> Result<(), Failure> {
        let options = [
            ("--no-wait", self.no_wait),
            ("--if-active", self.if_active.is_some()),
            ("--waves", self.waves),
        ];
        match options.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Failure::usage(format!(
                "--watch follows a deployment that exists, and {option} is for a new one; leave one of \
                 them out"
            ))),
            None => Ok(()),
        }
    }
}

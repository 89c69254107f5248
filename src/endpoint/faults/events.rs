//! What goes wrong with the lifecycle events of deployments, which run no scripts.

use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use super::Faults;

/// What goes wrong with a lifecycle event of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventFault {
    /// It fails.
    Fail {
        /// `ScriptFailed`, `ScriptMissing`, `ScriptNotExecutable`, `ScriptTimedOut` or
        /// `UnknownError`.
        error_code: String,
        /// The script's path in the bundle.
        script: String,
        /// What the agent says.
        message: String,
        /// The last lines of the script.
        log_tail: String,
    },
    /// It does not end until the deployment is stopped or fails elsewhere.
    Hang,
    /// It succeeds and takes so long.
    Takes(Duration),
}

impl EventFault {
    /// A script that ends with the exit code 1 after it printed `log_tail`.
    #[must_use]
    pub fn script_failed(script: &str, log_tail: &str) -> Self {
        Self::Fail {
            error_code: "ScriptFailed".to_owned(),
            script: script.to_owned(),
            message: format!(
                "Script at specified location: {script} run as user root failed with exit code 1"
            ),
            log_tail: log_tail.to_owned(),
        }
    }
}

/// A fault of events, and for which of them it is.
pub(super) struct EventRule {
    from: Bound<u64>,
    to: Bound<u64>,
    target: String,
    event: String,
    fault: EventFault,
}

impl Faults {
    /// Lets `fault` happen to the lifecycle event `event` of the target `target` (`*`: of each target)
    /// in the deployments with these numbers. Deployments are counted in each region, from 1. Of several
    /// rules for an event the first applies.
    #[must_use]
    pub fn on_event(
        self,
        deployments: impl RangeBounds<u64>,
        target: &str,
        event: &str,
        fault: EventFault,
    ) -> Self {
        self.state().events.push(EventRule {
            from: deployments.start_bound().cloned(),
            to: deployments.end_bound().cloned(),
            target: target.to_owned(),
            event: event.to_owned(),
            fault,
        });
        self
    }

    /// What goes wrong with an event.
    pub(in crate::endpoint) fn event(
        &self,
        deployment: u64,
        target: &str,
        event: &str,
    ) -> Option<EventFault> {
        let state = self.state();
        let applies = |rule: &&EventRule| {
            (rule.from, rule.to).contains(&deployment)
                && rule.event == event
                && (rule.target == "*" || rule.target == target)
        };
        state
            .events
            .iter()
            .find(applies)
            .map(|rule| rule.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_an_event_of_a_target_of_some_deployments() {
        let faults = Faults::new()
            .on_event(2..=2, "i-1", "Install", EventFault::Hang)
            .on_event(.., "*", "Install", EventFault::Takes(Duration::ZERO));
        let takes = Some(EventFault::Takes(Duration::ZERO));
        assert_eq!(faults.event(2, "i-1", "Install"), Some(EventFault::Hang));
        assert_eq!(faults.event(1, "i-1", "Install"), takes);
        assert_eq!(faults.event(2, "i-2", "Install"), takes);
        assert_eq!(faults.event(2, "i-1", "BeforeInstall"), None);
        faults.heal();
        assert_eq!(faults.event(2, "i-1", "Install"), None);
    }
}

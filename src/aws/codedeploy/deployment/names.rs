//! Values that CodeDeploy's API has names for. CodeDeploy gets new ones now and then, so each type also
//! holds a name that hoist does not know.

use std::fmt;

macro_rules! names {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$doc])* $name,)*
            /// A name that hoist does not know.
            Other(String),
        }

        impl $type {
            /// The names that hoist knows, as the API writes them.
            pub const NAMES: &'static [&'static str] = &[$($text),*];

            /// The name in the API.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                match name {
                    $($text => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $type {
            /// The name in the API. One that hoist does not know is not escaped.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// How far a deployment is.
    Status {
        /// It was created.
        Created = "Created",
        /// It waits for its turn.
        Queued = "Queued",
        /// It runs.
        InProgress = "InProgress",
        /// All targets have the revision, and CodeDeploy watches the alarms for a while.
        Baking = "Baking",
        /// It ended, and the revision is on its targets.
        Succeeded = "Succeeded",
        /// It ended with an error.
        Failed = "Failed",
        /// A person, a program or an alarm stopped it.
        Stopped = "Stopped",
        /// The replacement environment is ready, and no traffic goes there yet (blue/green).
        Ready = "Ready",
    }
}

impl Status {
    /// Whether the deployment ended, well or not.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }
}

names! {
    /// How far a deployment is on one target.
    TargetStatus {
        /// It did not begin.
        Pending = "Pending",
        /// It runs.
        InProgress = "InProgress",
        /// It succeeded.
        Succeeded = "Succeeded",
        /// It failed.
        Failed = "Failed",
        /// It was left out.
        Skipped = "Skipped",
        /// The target is ready for traffic (blue/green).
        Ready = "Ready",
    }
}

impl TargetStatus {
    /// Whether nothing more happens on the target.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }
}

names! {
    /// How far one lifecycle event is on one target.
    EventStatus {
        /// It did not begin.
        Pending = "Pending",
        /// It runs.
        InProgress = "InProgress",
        /// It succeeded, or it had nothing to do.
        Succeeded = "Succeeded",
        /// It failed.
        Failed = "Failed",
        /// It was left out, often because an earlier one failed.
        Skipped = "Skipped",
    }
}

names! {
    /// What a target is.
    TargetKind {
        /// An EC2 instance or an on-premises server.
        Instance = "InstanceTarget",
        /// A Lambda function.
        Lambda = "LambdaTarget",
        /// An ECS service.
        Ecs = "ECSTarget",
        /// A resource of a CloudFormation stack.
        CloudFormation = "CloudFormationTarget",
    }
}

names! {
    /// Which environment of a blue/green deployment a target belongs to.
    Label {
        /// The original environment.
        Blue = "Blue",
        /// The replacement environment.
        Green = "Green",
    }
}

names! {
    /// Whether a deployment replaces the revision where it runs.
    Style {
        /// It does.
        InPlace = "IN_PLACE",
        /// It installs the revision beside the old one, and then moves the traffic.
        BlueGreen = "BLUE_GREEN",
    }
}

names! {
    /// What happens with a file that is already at its place on an instance (`fileExistsBehavior`).
    FileExists {
        /// The deployment fails.
        Disallow = "DISALLOW",
        /// The file of the revision replaces it.
        Overwrite = "OVERWRITE",
        /// It stays.
        Retain = "RETAIN",
    }
}

names! {
    /// What a deployment does (`deploymentMode`).
    Mode {
        /// It deploys the revision.
        Standard = "STANDARD",
        /// It restarts the application with the revision that is deployed. The request must name no
        /// revision.
        Restart = "RESTART",
    }
}

names! {
    /// After which events a deployment is rolled back (`autoRollbackConfiguration`).
    RollbackOn {
        /// It failed.
        Failure = "DEPLOYMENT_FAILURE",
        /// An alarm stopped it.
        StopOnAlarm = "DEPLOYMENT_STOP_ON_ALARM",
        /// A request stopped it.
        StopOnRequest = "DEPLOYMENT_STOP_ON_REQUEST",
    }
}

names! {
    /// How a tag filter compares (`Type`).
    TagMatch {
        /// Tags with this key.
        KeyOnly = "KEY_ONLY",
        /// Tags with this value.
        ValueOnly = "VALUE_ONLY",
        /// Tags with this key and this value.
        KeyAndValue = "KEY_AND_VALUE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_as_it_is_whether_it_is_known_or_not() {
        for name in Status::NAMES.iter().copied().chain(["Paused", ""]) {
            assert_eq!(Status::from(name).to_string(), name);
            let is_known = Status::NAMES.contains(&name);
            assert_eq!(!matches!(Status::from(name), Status::Other(_)), is_known);
        }
    }

    #[test]
    fn a_deployment_ends_succeeded_failed_or_stopped() {
        let names = Status::NAMES.iter().copied().chain(["Paused"]);
        let ends: Vec<&str> = names.filter(|name| Status::from(*name).is_end()).collect();
        assert_eq!(ends, ["Succeeded", "Failed", "Stopped"]);
    }
}

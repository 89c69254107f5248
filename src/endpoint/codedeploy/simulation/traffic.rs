//! Deployments to Lambda functions and ECS services: CodeDeploy reads the AppSpec file itself, and
//! shifts traffic from one version to another.

use std::io::Read as _;

use super::super::configs::{self, Config, Shift};
use super::super::deployment::{Kind, Step, Target};
use super::{Ended, Halt, Run, named};
use crate::appspec;
use crate::endpoint::server::OWNER;

const FUNCTION: [&str; 3] = ["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"];
const SERVICE: [&str; 8] = [
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
];

/// The event at which traffic is shifted.
const ALLOW: &str = "AllowTraffic";

impl Run {
    /// The function or service of the deployment.
    /// Fails with `REVISION_MISSING`, `INVALID_REVISION`.
    pub(super) async fn resource(&self) -> Result<Target, Halt> {
        let run = self.clone();
        let reading = tokio::task::spawn_blocking(move || run.read_appspec());
        let text = reading
            .await
            .unwrap_or_else(|error| Err(Halt::failed("INTERNAL_ERROR", error.to_string())))?;
        let invalid = |why: &str| Halt::failed("INVALID_REVISION", why);
        let found = appspec::resource(&text)
            .ok_or_else(|| invalid("The AppSpec file has no resource that can be deployed."))?;
        let region = &self.region;
        let platform = &*self.deployment.platform;
        match (platform, found) {
            (
                "Lambda",
                appspec::Resource::Function {
                    name,
                    alias,
                    current,
                    target,
                },
            ) => {
                let arn = format!("arn:aws:lambda:{region}:{OWNER}:function:{name}:{alias}");
                let id = name.clone();
                let kind = Kind::Function {
                    name,
                    alias,
                    current,
                    target,
                    weight: 0,
                };
                Ok(Target::new(&id, arn, kind, &FUNCTION))
            }
            ("ECS", appspec::Resource::Service) => {
                let service = self.deployment.settings.ecs_services.first();
                let service = service.ok_or_else(|| {
                    Halt::failed(
                        "INVALID_ECS_SERVICE",
                        "The deployment group has no service.",
                    )
                })?;
                let id = service.id();
                let arn = format!(
                    "arn:aws:ecs:{region}:{OWNER}:service/{}",
                    id.replacen(':', "/", 1)
                );
                Ok(Target::new(&id, arn, Kind::Service { weight: 0 }, &SERVICE))
            }
            (platform, _) => Err(invalid(&format!(
                "The AppSpec file is not one for the compute platform {platform}."
            ))),
        }
    }

    /// The AppSpec file, from the request or from S3.
    fn read_appspec(&self) -> Result<Vec<u8>, Halt> {
        let revision = &self.deployment.revision;
        if let Some(text) = revision.content() {
            return Ok(text.as_bytes().to_vec());
        }
        let mut file = self
            .service
            .open_revision(revision)
            .map_err(|why| Halt::failed("REVISION_MISSING", why))?;
        let mut text = Vec::new();
        file.by_ref()
            .take(appspec::MAX_BYTES as u64 + 1)
            .read_to_end(&mut text)
            .map_err(|error| Halt::failed("REVISION_MISSING", error.to_string()))?;
        Ok(text)
    }

    pub(super) async fn shift_traffic(&self, targets: &[Target]) -> Result<(), Halt> {
        let Some(target) = targets.first() else {
            return Ok(());
        };
        let names: Vec<&str> = target.events.iter().map(|event| &*event.name).collect();
        let at = names.iter().position(|name| *name == ALLOW).unwrap_or(0);
        // Traffic waits before the hook that precedes it.
        let ready = at.saturating_sub(1);
        let (install, allow) = names.split_at(ready);
        self.all(&target.id, install).await?;
        if matches!(target.kind, Kind::Service { .. }) {
            self.wait_until_ready().await?;
        }
        self.all(&target.id, allow).await?;
        self.change_target(&target.id, |target| target.status = Step::Succeeded);
        match target.kind {
            Kind::Service { .. } => self.wait_for_termination().await,
            _ => Ok(()),
        }
    }

    /// Runs events that must all succeed.
    async fn all(&self, target: &str, names: &[&str]) -> Result<(), Halt> {
        for name in names {
            if *name == ALLOW {
                self.shift(target).await?;
            }
            match self.events(target, &named(&[name])).await? {
                Ended::Succeeded => {}
                Ended::Skipped => return self.check_stopped(),
                Ended::Failed => {
                    self.set_weight(target, 0);
                    return Err(match name.contains("Before") || name.contains("After") {
                        true => Halt::failed(
                            "HOOK_EXECUTION_FAILURE",
                            format!("The deployment failed because the hook {name} failed."),
                        ),
                        false => Halt::failed(
                            "INTERNAL_ERROR",
                            format!("The deployment failed at {name}."),
                        ),
                    });
                }
            }
        }
        self.check_stopped()
    }

    /// Gives the new version its traffic bit by bit. A stop gives all of it back.
    async fn shift(&self, target: &str) -> Result<(), Halt> {
        let config = configs::of(&self.deployment.config, &self.deployment.platform);
        let shift = match config {
            Ok(Config::Shift(shift)) => shift,
            _ => Shift::AtOnce,
        };
        self.begin_event(target, ALLOW);
        for (minutes, weight) in shift.steps() {
            if minutes > 0
                && let Err(halt) = self.pause(self.minutes(minutes)).await
            {
                self.set_weight(target, 0);
                return Err(halt);
            }
            self.set_weight(target, weight);
        }
        Ok(())
    }

    fn set_weight(&self, target: &str, percent: u32) {
        self.change_target(target, |target| match &mut target.kind {
            Kind::Function { weight, .. } | Kind::Service { weight } => *weight = percent,
            Kind::Instance { .. } => {}
        });
    }
}

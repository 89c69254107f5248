//! Deployments to instances: which events each has, how many are deployed to at a time, and when the
//! whole deployment has failed.

use futures_util::StreamExt as _;
use futures_util::stream;

use super::super::configs::{self, Config};
use super::super::deployment::{Kind, Step, Target};
use super::super::install::Agent;
use super::super::settings::Instance;
use super::{Ended, Halt, Run, named};
use crate::endpoint::server::OWNER;

/// Where traffic is taken from an instance.
const BLOCK: [&str; 3] = ["BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic"];
const INSTALL: [&str; 7] = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
];
/// Where it is given to one.
const ALLOW: [&str; 3] = ["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"];

/// How many instances are deployed to at a time, and how many may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Health {
    at_a_time: usize,
    may_fail: usize,
    /// The last instance may fail besides.
    last_may_fail: bool,
}

impl Health {
    /// Of `count` instances, so many percent must be healthy ("Predefined deployment configurations
    /// for an EC2/on-premises compute platform", user guide).
    fn of(percent: u32, count: usize) -> Self {
        let most = count.saturating_sub(1);
        let unhealthy = match percent {
            0 => count,
            50 => count / 2,
            _ => 0,
        };
        Self {
            at_a_time: unhealthy.max(1),
            may_fail: unhealthy.min(most),
            last_may_fail: unhealthy == 0 && count > 1,
        }
    }
}

impl Run {
    /// The instances of the deployment, with their events.
    /// Fails with `NO_INSTANCES`.
    pub(super) fn instances(&self) -> Result<Vec<Target>, Halt> {
        let deployment = &*self.deployment;
        let style = deployment.settings.style();
        let blue = deployment.settings.instances(&self.region);
        let target = |instance: &Instance, label: Option<&str>, events: &[&str]| {
            let arn = match instance.is_on_premises {
                true => format!(
                    "arn:aws:codedeploy:{}:{OWNER}:instance/{}",
                    self.region, instance.id
                ),
                false => format!(
                    "arn:aws:ec2:{}:{OWNER}:instance/{}",
                    self.region, instance.id
                ),
            };
            let label = label.map(str::to_owned);
            Target::new(&instance.id, arn, Kind::Instance { label }, events)
        };
        let targets: Vec<Target> = if style.is_blue_green() {
            let named = deployment.options.target_instances.as_ref();
            let mut green = named.map_or_else(Vec::new, |named| named.instances(&self.region));
            if green.is_empty() {
                green = blue
                    .iter()
                    .map(|instance| Instance {
                        id: format!("{}-green", instance.id),
                        ..instance.clone()
                    })
                    .collect();
            }
            let events = [&INSTALL[..], &ALLOW[..]].concat();
            let green = green
                .iter()
                .map(|instance| target(instance, Some("Green"), &events));
            let blue = blue
                .iter()
                .map(|instance| target(instance, Some("Blue"), &BLOCK));
            green.chain(blue).collect()
        } else {
            let events = match style.controls_traffic() {
                true => [&BLOCK[..], &INSTALL[..], &ALLOW[..]].concat(),
                false => INSTALL.to_vec(),
            };
            blue.iter()
                .map(|instance| target(instance, None, &events))
                .collect()
        };
        let only_outdated = deployment.options.update_outdated_instances_only;
        let is_outdated =
            |id: &str| !Agent::new(&self.service, &self.region, deployment, id).has_revision();
        if targets.is_empty() {
            return Err(Halt::failed(
                "NO_INSTANCES",
                "The deployment failed because no instances were found for your deployment group. \
                 Check your deployment group settings to make sure the tags for your Amazon EC2 \
                 instances or Auto Scaling groups correctly identify the instances you want to deploy \
                 to, and then try again.",
            ));
        }
        let targets = targets.into_iter();
        Ok(targets
            .filter(|target| !only_outdated || is_outdated(&target.id))
            .collect())
    }

    pub(super) async fn deploy_to_instances(&self, targets: &[Target]) -> Result<(), Halt> {
        let labelled = |wanted: Option<&str>| {
            let found = targets.iter().filter(|target| target.label() == wanted);
            found.map(|target| target.id.clone()).collect::<Vec<_>>()
        };
        let (green, blue) = (labelled(Some("Green")), labelled(Some("Blue")));
        if green.is_empty() {
            let instances = labelled(None);
            let events = targets.first().map_or(&[][..], |target| &target.events);
            let events: Vec<String> = events.iter().map(|event| event.name.clone()).collect();
            return self.to_each(&instances, &events, Step::Succeeded).await;
        }
        self.to_each(&green, &named(&INSTALL), Step::Ready).await?;
        self.wait_until_ready().await?;
        self.to_each(&green, &named(&ALLOW), Step::Succeeded)
            .await?;
        self.to_each(&blue, &named(&BLOCK), Step::Succeeded).await?;
        self.wait_for_termination().await
    }

    /// Runs events on each of these instances, which have the status `then` afterwards.
    /// Fails with `HEALTH_CONSTRAINTS`.
    async fn to_each(
        &self,
        instances: &[String],
        events: &[String],
        then: Step,
    ) -> Result<(), Halt> {
        let config = configs::of(&self.deployment.config, &self.deployment.platform);
        let percent = match config {
            Ok(Config::Healthy(percent)) => percent,
            _ => 0,
        };
        let health = Health::of(percent, instances.len());
        let (mut failed, mut done) = (0, 0);
        let each = instances.iter().map(|instance| {
            let (instance, events) = (instance.clone(), events.to_vec());
            async move {
                let ended = self.events(&instance, &events).await;
                (instance, ended)
            }
        });
        let mut running = stream::iter(each.collect::<Vec<_>>()).buffer_unordered(health.at_a_time);
        while let Some((instance, ended)) = running.next().await {
            done += 1;
            match ended? {
                Ended::Succeeded => {
                    if then == Step::Succeeded {
                        let noting = self.with_agent(instance.clone(), |agent| agent.succeeded());
                        drop(noting.await);
                    }
                    self.change_target(&instance, |target| target.status = then);
                }
                Ended::Failed => {
                    failed += 1;
                    let is_last = health.last_may_fail && failed == 1 && done == instances.len();
                    if failed > health.may_fail && !is_last {
                        self.failing.cancel();
                    }
                }
                Ended::Skipped => self.change_target(&instance, |target| {
                    target.skip_rest();
                    target.status = Step::Skipped;
                }),
            }
        }
        if self.failing.is_cancelled() {
            return Err(Halt::failed(
                "HEALTH_CONSTRAINTS",
                "The overall deployment failed because too many individual instances failed \
                 deployment, too few healthy instances are available for deployment, or some \
                 instances in your deployment group are experiencing problems.",
            ));
        }
        self.check_stopped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_say_how_many_at_a_time_and_how_many_may_fail() {
        let of = |percent, count| {
            let health = Health::of(percent, count);
            (health.at_a_time, health.may_fail, health.last_may_fail)
        };
        assert_eq!(of(0, 1), (1, 0, false));
        assert_eq!(of(0, 9), (9, 8, false));
        assert_eq!(of(50, 1), (1, 0, false));
        assert_eq!(of(50, 9), (4, 4, false));
        assert_eq!(of(99, 1), (1, 0, false));
        assert_eq!(of(99, 300), (1, 0, true));
    }
}

//! The targets of a deployment, of which there may be thousands: how few requests tell what changed.
//!
//! Each look takes a bounded number of requests. Up to a hundred targets are all looked at each time. Of
//! more, those that run are looked at first, and the others in turn; the deployment's counts tell of all.

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use super::ask::{Asker, is_foreign};
use super::{
    Deployment, Event, EventStatus, Failure, LifecycleEvent, MOST_FAILURES, Service, Status,
    Target, TargetStatus,
};
use crate::aws::error::CallError;

/// Most targets of one `BatchGetDeploymentTargets`.
const BATCH: usize = 25;
/// Most such requests of one look.
const BATCHES: usize = 4;
/// Most such requests when the deployment ended.
const LAST_BATCHES: usize = 40;
/// Most pages of targets that are listed in one look.
const PAGES: usize = 4;
/// Most pages of failed targets.
const FAILED_PAGES: usize = 10;
/// Attempts of the requests that tell what failed.
const LAST_ATTEMPTS: u32 = 8;
/// So many looks after a whole list, targets that are missing are listed again.
const LIST_AGAIN: u32 = 5;

/// What is known of the targets of a deployment.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// All that were listed; None: not looked at yet.
    known: BTreeMap<String, Option<Target>>,
    /// Where the list goes on.
    next_page: Option<String>,
    /// Looks since the list was whole; None: it is not.
    whole: Option<u32>,
    /// The last target that was looked at in turn.
    turn: Option<String>,
    /// Whether the caller may not look at targets.
    denied: bool,
    /// Whether it was reported that there are many.
    many: bool,
    /// Whether the watch began with the deployment, so that all events of its targets are news.
    from_start: bool,
}

impl Targets {
    pub(super) fn new(from_start: bool) -> Self {
        Self {
            from_start,
            ..Self::default()
        }
    }

    /// Looks at targets, and reports what changed. Returns whether anything did.
    pub(super) async fn look<S: Service>(
        &mut self,
        asker: &Asker<'_, S>,
        deployment: &Deployment,
    ) -> bool {
        if self.denied {
            return false;
        }
        let id = &deployment.id;
        let looked = async {
            self.list(asker, deployment, 1).await?;
            let mut changed = false;
            for batch in self.choose().chunks(BATCH) {
                changed |= self.fetch(asker, id, batch, 1).await?;
            }
            Ok(changed)
        };
        looked.await.unwrap_or_else(|error| {
            self.failed(asker, id, error);
            false
        })
    }

    /// Looks at all targets of a deployment that ended, as far as that is possible, and at those that
    /// failed first of all.
    pub(super) async fn last_look<S: Service>(
        &mut self,
        asker: &Asker<'_, S>,
        deployment: &Deployment,
    ) {
        if self.denied {
            return;
        }
        let looked = async {
            self.list(asker, deployment, LAST_ATTEMPTS).await?;
            let id = &deployment.id;
            let batches = match deployment.status {
                Status::Failed | Status::Stopped => LAST_BATCHES,
                _ => BATCHES,
            };
            // Without the list of those that failed, the others may still tell.
            let failed = self.list_failed(asker, deployment).await;
            let failed = failed.unwrap_or_default();
            let open = self.open().map(|(id, _)| id);
            let others = open.filter(|id| !failed.contains(id)).cloned();
            let wanted: Vec<String> = failed.iter().cloned().chain(others).collect();
            for batch in wanted.chunks(BATCH).take(batches) {
                self.fetch(asker, id, batch, LAST_ATTEMPTS).await?;
            }
            Ok(())
        };
        if let Err(error) = looked.await {
            self.failed(asker, &deployment.id, error);
        }
    }

    /// Lists the targets, if some are missing.
    async fn list<S: Service>(
        &mut self,
        asker: &Asker<'_, S>,
        deployment: &Deployment,
        attempts: u32,
    ) -> Result<(), CallError> {
        let (id, total) = (&deployment.id, deployment.counts.total());
        let known = self.known.len();
        if let Some(looks) = self.whole {
            let is_missing = known == 0 || total > known as u64 && looks >= LIST_AGAIN;
            if !is_missing {
                self.whole = Some(looks.saturating_add(1));
                return Ok(());
            }
            self.whole = None;
        }
        for _ in 0..PAGES {
            let after = self.next_page.take();
            let request = || asker.service.target_ids(id, None, after.as_deref());
            // After an error, also if the token stands for nothing any more, the list begins again.
            let page = asker.often(attempts, request).await?;
            for target in page.ids {
                self.known.entry(target).or_default();
            }
            // A list that goes on where it began would have no end.
            self.next_page = page.next.filter(|next| Some(next) != after.as_ref());
            if self.next_page.is_none() {
                self.whole = Some(0);
                break;
            }
        }
        let (targets, most) = (self.known.len(), BATCH * BATCHES);
        if targets > most && !self.many {
            self.many = true;
            (asker.report)(&Event::ManyTargets {
                id: id.clone(),
                targets: total.max(targets as u64),
            });
        }
        Ok(())
    }

    /// The targets that did not end, as far as is known, and whether they run.
    fn open(&self) -> impl Iterator<Item = (&String, bool)> {
        self.known.iter().filter_map(|(id, target)| {
            let status = target.as_ref().map(|target| &target.status);
            let runs = status == Some(&TargetStatus::InProgress);
            (!status.is_some_and(TargetStatus::is_end)).then_some((id, runs))
        })
    }

    /// The targets to look at: all that did not end, if they are few enough.
    fn choose(&mut self) -> Vec<String> {
        let most = BATCH * BATCHES;
        let open: Vec<(&String, bool)> = self.open().collect();
        if open.len() <= most {
            return open.into_iter().map(|(id, _)| id.clone()).collect();
        }
        // Those that run may take three quarters of the places.
        let after = |id: &String| self.turn.as_ref().is_none_or(|turn| id > turn);
        let in_turn = |runs: bool| {
            let these = move |(_, running): &&(&String, bool)| *running == runs;
            let later = open.iter().filter(these).filter(|(id, _)| after(id));
            let again = open.iter().filter(these).filter(|(id, _)| !after(id));
            later.chain(again).map(|(id, _)| (*id).clone())
        };
        let mut chosen: Vec<String> = in_turn(true).take(most / 4 * 3).collect();
        let rest = most - chosen.len();
        chosen.extend(in_turn(false).take(rest));
        self.turn = chosen.last().cloned();
        chosen
    }

    /// Takes in the answer to a batch. Targets that CodeDeploy does not know any more are forgotten.
    fn found<S>(
        &mut self,
        asker: &Asker<'_, S>,
        id: &str,
        asked: &[String],
        found: Vec<Target>,
    ) -> bool {
        let mut changed = false;
        let given: HashSet<String> = found.iter().map(|target| target.id.clone()).collect();
        for target in found {
            let old = self.known.get(&target.id).and_then(Option::as_ref);
            for event in changes(id, old, &target, self.from_start) {
                changed = true;
                (asker.report)(&event);
            }
            self.known.insert(target.id.clone(), Some(target));
        }
        for missing in asked.iter().filter(|id| !given.contains(*id)) {
            if let Some(None) = self.known.get(missing) {
                self.known.remove(missing);
            }
        }
        changed
    }

    /// A request about targets failed.
    fn failed<S>(&mut self, asker: &Asker<'_, S>, id: &str, error: CallError) {
        match error.code.as_deref() {
            // The deployment has no targets yet.
            Some("DeploymentNotStartedException" | "DeploymentDoesNotExistException") => {}
            // A target left the deployment.
            Some("DeploymentTargetDoesNotExistException" | "InstanceDoesNotExistException") => {
                self.known.retain(|_, target| target.is_some());
                self.next_page = None;
                self.whole = None;
            }
            // The list begins again.
            Some("InvalidNextTokenException") => {}
            _ if !error.is_final() || is_foreign(&error) => {}
            _ => {
                self.denied = true;
                let id = id.to_owned();
                (asker.report)(&Event::NoTargets { id, error });
            }
        }
    }

    /// The failed targets that are not known, if there are so many targets that some were not looked at.
    async fn list_failed<S: Service>(
        &self,
        asker: &Asker<'_, S>,
        deployment: &Deployment,
    ) -> Result<Vec<String>, CallError> {
        let is_failed = |target: &Target| target.status == TargetStatus::Failed;
        let open = self.open().count();
        let known = self.known.values().flatten();
        let known = known.filter(|target| is_failed(target)).count();
        let (mut found, mut after) = (Vec::new(), None::<String>);
        if open <= BATCH * BATCHES || known as u64 >= deployment.counts.failed {
            return Ok(found);
        }
        for _ in 0..FAILED_PAGES {
            let status = Some(&TargetStatus::Failed);
            let request = || (asker.service).target_ids(&deployment.id, status, after.as_deref());
            let page = asker.often(LAST_ATTEMPTS, request).await?;
            found.extend(page.ids.into_iter().filter(|id| {
                let target = self.known.get(id).and_then(Option::as_ref);
                !target.is_some_and(is_failed)
            }));
            after = page.next;
            if after.is_none() || found.len() >= MOST_FAILURES {
                break;
            }
        }
        found.truncate(MOST_FAILURES);
        Ok(found)
    }

    async fn fetch<S: Service>(
        &mut self,
        asker: &Asker<'_, S>,
        id: &str,
        batch: &[String],
        attempts: u32,
    ) -> Result<bool, CallError> {
        let request = || asker.service.targets(id, batch);
        let found = asker.often(attempts, request).await?;
        Ok(self.found(asker, id, batch, found))
    }

    /// What failed on targets, by their names. Of too many, those that failed first: they are most often the
    /// cause of the rest.
    pub(super) fn failures(&self) -> Vec<Failure> {
        let known = self.known.values().flatten();
        let mut failures: Vec<(Option<SystemTime>, Failure)> =
            known.filter_map(failure_of).collect();
        failures.sort_by_key(|(at, _)| (at.is_none(), *at));
        failures.truncate(MOST_FAILURES);
        // When several fail at about the same time, another run would give another order.
        failures.sort_by(|(_, one), (_, other)| one.target.cmp(&other.target));
        failures.into_iter().map(|(_, failure)| failure).collect()
    }
}

/// What changed on a target. Of one that is seen for the first time in a deployment that ran before, what
/// is over and went well is no news.
fn changes(id: &str, old: Option<&Target>, new: &Target, from_start: bool) -> Vec<Event> {
    let mut events = Vec::new();
    let boxed = || Box::new(new.clone());
    let is_news = |status: &EventStatus| match (old, from_start) {
        (None, false) => matches!(status, EventStatus::Failed | EventStatus::InProgress),
        _ => *status != EventStatus::Pending,
    };
    let before = |event: &LifecycleEvent| {
        let mut events = old?.events.iter();
        Some(&events.find(|old| old.name == event.name)?.status)
    };
    for event in &new.events {
        if before(event) != Some(&event.status) && is_news(&event.status) {
            let (target, event) = (boxed(), Box::new(event.clone()));
            let id = id.to_owned();
            events.push(Event::Lifecycle { id, target, event });
        }
    }
    let moved = match old {
        Some(old) => old.traffic != new.traffic,
        // At the beginning, all of it goes to one version.
        None => new
            .traffic
            .iter()
            .any(|of| of.percent > 0.0 && of.percent < 100.0),
    };
    if moved {
        let (id, target) = (id.to_owned(), boxed());
        events.push(Event::Traffic { id, target });
    }
    let status = old.map_or(&TargetStatus::Pending, |old| &old.status);
    if *status != new.status {
        let (id, target) = (id.to_owned(), boxed());
        events.push(Event::Target { id, target });
    }
    events
}

/// What failed on a target, and when. An event that failed on a target that succeeded was ignored.
fn failure_of(target: &Target) -> Option<(Option<SystemTime>, Failure)> {
    let event = target.failed_event();
    let failed = match target.status {
        TargetStatus::Failed => true,
        TargetStatus::Succeeded | TargetStatus::Skipped => false,
        _ => event.is_some(),
    };
    let took = |event: &LifecycleEvent| event.ended?.duration_since(event.started?).ok();
    failed.then(|| {
        let failure = Failure {
            target: target.id.clone(),
            kind: target.kind.clone(),
            label: target.label.clone(),
            event: event.map(|event| event.name.clone()),
            took: event.and_then(took),
            diagnostics: event
                .and_then(|event| event.diagnostics.clone())
                .unwrap_or_default(),
        };
        (
            event.and_then(|event| event.ended.or(event.started)),
            failure,
        )
    })
}

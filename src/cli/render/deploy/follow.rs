//! What is said while deployments run: a line when something changes, and the state of all of them for a
//! bar.
//!
//! A fleet reports more than a log should hold. So a deployment gets a line when its status changes, when a
//! target fails and when traffic shifts; other changes share a line every ten seconds, and a deployment in
//! which nothing changes gets one every five minutes, since CI services take a silent job for dead.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hoist::aws::codedeploy::Platform;
use hoist::deploy::{Deployment, Event, EventStatus, Status, Target, TargetStatus};
use hoist::error::shown;

use super::words;
use crate::cli::render::progress::{Counted, Doing, Form, View, note, say};
use crate::cli::render::units::about;

/// The shortest time between two lines about numbers.
const NEWS: Duration = Duration::from_secs(10);

/// The longest time without a line.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// The most targets of a deployment whose failure is told at once. The end tells of more.
const TOLD: usize = 20;

/// Follows several deployments.
pub(crate) struct Follow {
    form: Form,
    started: Instant,
    rows: Mutex<Vec<Row>>,
}

impl Follow {
    /// Follows deployments to these places, by their order.
    pub(crate) fn new(form: Form, places: impl IntoIterator<Item = Place>) -> Self {
        Self {
            form,
            started: Instant::now(),
            rows: Mutex::new(places.into_iter().map(Row::new).collect()),
        }
    }

    /// Notes what happened to one of them, and says it if it is worth a line.
    pub(crate) fn take(&self, index: usize, event: &Event) {
        let at = self.started.elapsed();
        let mut rows = self.rows();
        let lines = rows.get_mut(index).map(|row| row.take(event, at));
        drop(rows);
        let is_shown = |line: &Line| match (self.form, line) {
            (Form::None, _) => false,
            // The bar shows it.
            (Form::Bar, Line::Progress(_)) => false,
            _ => true,
        };
        for line in lines
            .unwrap_or_default()
            .iter()
            .filter(|line| is_shown(line))
        {
            match line {
                Line::News(text) | Line::Progress(text) => say(text),
                Line::Note(text) => note(text),
            }
        }
    }

    /// Says what is due by now. To be called about once a second.
    pub(crate) fn tick(&self) {
        if self.form != Form::Plain {
            return;
        }
        let at = self.started.elapsed();
        let due: Vec<String> = self
            .rows()
            .iter_mut()
            .filter_map(|row| row.due(at))
            .collect();
        due.iter().for_each(|line| say(line));
    }

    /// The state of all of them.
    pub(crate) fn view(&self) -> View {
        View::of(view(&self.rows(), self.started.elapsed()))
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a deployment goes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As messages name it: `Production`, or `Production in us-west-2`. Empty if only the deployment's id is
    /// known.
    pub(crate) name: String,
    /// The region, if the AWS console shows what is there.
    pub(crate) console: Option<String>,
}

impl Place {
    /// The page of a deployment in the console.
    pub(crate) fn link(&self, id: &str) -> Option<String> {
        let region = self.console.as_deref()?;
        Some(shown(&hoist::deploy::console_link(region, id)).to_string())
    }
}

/// A line to say.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Something that a bar does not show.
    News(String),
    /// How far the deployment is.
    Progress(String),
    /// Something that the user should know and need not worry about.
    Note(String),
}

/// What is known of one deployment.
struct Row {
    place: Place,
    id: Option<String>,
    deployment: Option<Deployment>,
    /// What is waited for before there is a deployment.
    waiting: Option<String>,
    /// The lifecycle event that runs, by target.
    running: BTreeMap<String, String>,
    /// How much of the traffic goes to the new version.
    traffic: Option<(u64, String)>,
    failed: usize,
    began: Duration,
    /// The last line about how far it is, and when it was said.
    said: (String, Duration),
}

impl Row {
    fn new(place: Place) -> Self {
        Self {
            place,
            id: None,
            deployment: None,
            waiting: None,
            running: BTreeMap::new(),
            traffic: None,
            failed: 0,
            began: Duration::ZERO,
            said: (String::new(), Duration::ZERO),
        }
    }

    /// The deployment in messages: `d-ABC (Production)`.
    fn label(&self) -> String {
        let id = self.id.as_deref().unwrap_or("deployment");
        let name = match (self.place.name.as_str(), &self.deployment) {
            ("", None) => return shown(id).to_string(),
            ("", Some(deployment)) => deployment.group.as_str(),
            (name, _) => name,
        };
        format!("{} ({})", shown(id), shown(name))
    }

    fn take(&mut self, event: &Event, at: Duration) -> Vec<Line> {
        let place = match self.place.name.as_str() {
            "" => "the deployment group".to_owned(),
            name => shown(name).to_string(),
        };
        match event {
            Event::Latest(revision) => {
                let location = revision.location.to_string();
                vec![Line::News(format!(
                    "deploying the newest revision, {}, to {place}",
                    shown(&location)
                ))]
            }
            Event::Waiting { active } => {
                let text = match active {
                    Some(id) => format!("waiting for deployment {} to {place} to end", shown(id)),
                    None => format!("{place}: waiting, since too many deployments run"),
                };
                self.wait_for(text, at)
            }
            Event::Stopping { active } => {
                let text = format!("stopping deployment {} to {place}", shown(active));
                self.wait_for(text, at)
            }
            Event::Created { id, found } => {
                self.id = Some(id.clone());
                self.waiting = None;
                self.began = at;
                // The line below says so; numbers are news.
                self.said = (words::status(&Status::Created), at);
                let lost = match found {
                    true => ", and its answer was lost",
                    false => "",
                };
                let link = self.place.link(id);
                let link = link.map(|link| format!(": {link}")).unwrap_or_default();
                vec![Line::News(format!(
                    "deployment {} to {place} was created{lost}{link}",
                    shown(id)
                ))]
            }
            Event::Status(deployment) => {
                self.now(deployment);
                match deployment.status {
                    ref status if status.is_end() => Vec::new(),
                    // That was said with its id.
                    Status::Created => Vec::new(),
                    _ => self.progress(at),
                }
            }
            Event::Counts(deployment) => {
                self.now(deployment);
                Vec::new()
            }
            Event::Target { target, .. } => self.target(target),
            Event::Lifecycle { target, event, .. } => {
                if event.status == EventStatus::InProgress {
                    self.running.insert(target.id.clone(), event.name.clone());
                } else if self.running.get(&target.id) == Some(&event.name) {
                    self.running.remove(&target.id);
                }
                Vec::new()
            }
            Event::Traffic { target, .. } => {
                self.traffic = words::traffic(target);
                self.progress(at)
            }
            Event::NoTargets { error, .. } => vec![Line::Note(format!(
                "{}: how far each target is, and why one fails, is not known: {error}; it takes \
                 codedeploy:ListDeploymentTargets and codedeploy:BatchGetDeploymentTargets",
                self.label()
            ))],
            // What is shown of so many is less recent, and right at the end.
            Event::ManyTargets { .. } => Vec::new(),
            Event::Unanswered { error, since, .. } => vec![Line::News(format!(
                "{}: no answer for {}, still asking: {error}",
                self.label(),
                about(*since)
            ))],
            Event::RolledBack { by, .. } => vec![Line::News(format!(
                "{}: deployment {} rolls it back",
                self.label(),
                shown(by)
            ))],
        }
    }

    fn wait_for(&mut self, text: String, at: Duration) -> Vec<Line> {
        self.waiting = Some(text.clone());
        self.said = (text.clone(), at);
        vec![Line::News(text)]
    }

    fn now(&mut self, deployment: &Deployment) {
        self.id = Some(deployment.id.clone());
        self.waiting = None;
        self.deployment = Some(deployment.clone());
    }

    fn target(&mut self, target: &Target) -> Vec<Line> {
        if target.status.is_end() {
            self.running.remove(&target.id);
        }
        if target.status != TargetStatus::Failed {
            return Vec::new();
        }
        self.failed += 1;
        if self.failed > TOLD {
            return Vec::new();
        }
        let event = target.failed_event().map_or_else(String::new, |event| {
            let code = event.diagnostics.as_ref();
            let code = code.and_then(|diagnostics| diagnostics.code.as_deref());
            let code = code.map(|code| format!(": {}", shown(code)));
            format!(" in {}{}", shown(&event.name), code.unwrap_or_default())
        });
        vec![Line::News(format!(
            "{}: {} {} failed{event}",
            self.label(),
            words::kind(&target.kind),
            words::target(&target.id),
        ))]
    }

    /// A line on how far it is, unless that was said last.
    fn progress(&mut self, at: Duration) -> Vec<Line> {
        let Some(text) = self.how_far() else {
            return Vec::new();
        };
        if text == self.said.0 {
            return Vec::new();
        }
        let line = format!("{}: {text}", self.label());
        self.said = (text, at);
        vec![Line::Progress(line)]
    }

    /// The line that is due, if one is.
    fn due(&mut self, at: Duration) -> Option<String> {
        let is_over = |deployment: &Deployment| deployment.status.is_end();
        if self.deployment.as_ref().is_some_and(is_over) {
            return None;
        }
        let text = self.how_far().or(self.waiting.clone())?;
        let since = at.saturating_sub(self.said.1);
        let is_news = text != self.said.0;
        if since < SILENCE && !(is_news && since >= NEWS) {
            return None;
        }
        let label = match self.waiting {
            Some(_) => String::new(),
            None => format!("{}: ", self.label()),
        };
        let time = about(at.saturating_sub(self.began));
        self.said = (text.clone(), at);
        Some(match is_news {
            true => format!("{label}{text}, {time}"),
            false => format!("{label}still {text}, {time}"),
        })
    }

    /// How far it is, once that is known.
    fn how_far(&self) -> Option<String> {
        let deployment = self.deployment.as_ref()?;
        let mut text = words::status(&deployment.status);
        if deployment.counts.total() > 0 {
            let counts = words::counts(&deployment.platform, &deployment.counts);
            let _ = write!(text, ", {counts}");
        }
        if let Some((_, traffic)) = &self.traffic {
            let _ = write!(text, ", {traffic}");
        }
        if let Some(running) = running(&deployment.platform, &self.running) {
            let _ = write!(text, "; {running}");
        }
        Some(text)
    }
}

/// The lifecycle events that run: `AfterInstall on i-0123`, or how many targets each runs on.
fn running(platform: &Platform, running: &BTreeMap<String, String>) -> Option<String> {
    if let (1, Some((target, event))) = (running.len(), running.iter().next()) {
        return Some(format!("{} on {}", shown(event), words::target(target)));
    }
    let mut events: BTreeMap<&str, u64> = BTreeMap::new();
    for event in running.values() {
        *events.entry(event).or_default() += 1;
    }
    let mut events: Vec<(&str, u64)> = events.into_iter().collect();
    events.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> = events
        .iter()
        .take(3)
        .map(|(event, count)| {
            let noun = words::targets(platform, *count);
            format!("{} on {count} {noun}", shown(event))
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What a bar shows.
fn view(rows: &[Row], at: Duration) -> Doing {
    let known = || rows.iter().filter_map(|row| row.deployment.as_ref());
    let Some(first) = known().next() else {
        let waiting = rows.iter().find_map(|row| row.waiting.clone());
        let text = waiting.unwrap_or_else(|| "creating the deployment".to_owned());
        return Doing::text(text);
    };
    let (mut done, mut total) = (0, 0);
    for deployment in known() {
        done += words::done(&deployment.counts);
        total += deployment.counts.total();
    }
    if let (0, [row]) = (total, rows) {
        (done, total) = row
            .traffic
            .as_ref()
            .map_or((0, 1), |(share, _)| (*share, 100));
    }
    let began = rows.iter().map(|row| row.began).min().unwrap_or_default();
    let time = about(at.saturating_sub(began));
    let texts = match rows {
        [row] => {
            let long = row.how_far().unwrap_or_default();
            let short = long.split(';').next().unwrap_or_default().to_owned();
            let noun = words::targets(&first.platform, first.counts.total());
            let dense = long.replace(&format!(" {noun} succeeded"), " succeeded");
            let dense = dense.strip_prefix("in progress, ").unwrap_or(&dense);
            let status = words::status(&first.status);
            let label = row.label();
            vec![
                format!("{label}: {long}, {time}"),
                format!("{long}, {time}"),
                format!("{dense}, {time}"),
                format!("{short}, {time}"),
                short,
                format!("{status}, {done} of {total}"),
                status,
            ]
        }
        _ => {
            let ended = known()
                .filter(|deployment| deployment.status.is_end())
                .count();
            let head = format!("{ended} of {} deployments ended", rows.len());
            let mut counts = hoist::deploy::Counts::default();
            for deployment in known() {
                let of = &deployment.counts;
                counts.pending += of.pending;
                counts.in_progress += of.in_progress;
                counts.succeeded += of.succeeded;
                counts.failed += of.failed;
                counts.skipped += of.skipped;
                counts.ready += of.ready;
            }
            let sum = words::counts(&first.platform, &counts);
            vec![
                format!("{head}, {sum}, {time}"),
                format!("{head}, {time}"),
                head,
            ]
        }
    };
    Doing::Counted(Counted { done, total, texts })
}

#[cfg(test)]
mod tests;

//! The destinations of a push, as its messages tell of them: with one, messages need no name for it; with
//! several, each begins with the region that it concerns.

use hoist::aws::codedeploy::Platform;
use hoist::aws::s3::Checksum;
use hoist::error::shown;
use hoist::notes::Note;
use hoist::transfer::Unfinished;

use super::advice::{AmongSeveral, CommandLine};
use super::recovery::Recovery;
use crate::cli::args::aws::destination::Target;
use crate::cli::args::aws::local::LocalArgs;
use crate::cli::{Exit, Failure};

/// One destination.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// What messages call it.
    pub(crate) name: String,
    pub(crate) target: Target,
    recovery: Recovery,
}

/// All of them, and what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct Sites {
    pub(crate) all: Vec<Site>,
    platform: Option<Platform>,
    local: LocalArgs,
    checksum: Checksum,
}

impl Sites {
    pub(crate) fn new(
        targets: Vec<Target>,
        platform: Option<Platform>,
        local: &LocalArgs,
        checksum: Checksum,
    ) -> Self {
        let names = names(&targets);
        let is_single = targets.len() == 1;
        let all = names.into_iter().zip(targets).map(|(name, target)| Site {
            name,
            recovery: recovery(&target, local, is_single),
            target,
        });
        Self {
            all: all.collect(),
            platform,
            local: local.clone(),
            checksum,
        }
    }

    /// Whether the services are in this process.
    pub(crate) fn is_local(&self) -> bool {
        self.local.dir.is_some()
    }

    pub(crate) fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// A text about one destination, which names it if there are several.
    pub(crate) fn named(&self, index: usize, text: String) -> String {
        match self.all.get(index).filter(|_| self.are_several()) {
            Some(site) => format!("{}: {text}", site.name),
            None => text,
        }
    }

    /// The options that reach the services of a destination again.
    pub(crate) fn words_of_access(&self, site: &Site) -> Vec<String> {
        let mut words = site.target.access.words();
        words.extend(self.local.words());
        words
    }

    /// The command line, as far as advice about one destination repeats it.
    pub(crate) fn command<'a>(&'a self, site: &'a Site) -> CommandLine<'a> {
        let target = &site.target;
        let mut words = target.access.words();
        words.extend(target.object.bucket.words());
        words.extend(self.local.words());
        CommandLine {
            application: &target.application,
            platform: self.platform.clone(),
            is_local: self.is_local(),
            s3_location: target.location.to_string(),
            description: &target.description,
            words,
            checksum: self.checksum,
            recovery: &site.recovery,
            among_several: self.are_several().then(|| AmongSeveral {
                is_plain: self.is_first(site),
                words: self.words_of_a_deployment(site),
            }),
        }
    }

    /// Whether a destination is that of the plain options.
    fn is_first(&self, site: &Site) -> bool {
        self.all
            .first()
            .is_some_and(|first| std::ptr::eq(first, site))
    }

    /// The options with which the AWS CLI reaches the CodeDeploy of one of several destinations.
    pub(crate) fn words_of_a_deployment(&self, site: &Site) -> Vec<String> {
        self.local.words_of_a_deployment(&site.target.access)
    }

    /// A note as a sentence.
    pub(crate) fn note(&self, note: &Note) -> String {
        let (index, inner) = match note {
            Note::Of(place, inner) => (Some(place.index), &**inner),
            note => (None, note),
        };
        let site = self.all.get(index.unwrap_or(0));
        let text = site.map_or_else(String::new, |site| site.recovery.note(inner));
        match index {
            Some(index) => self.named(index, text),
            None => text,
        }
    }

    /// What remains in each destination if the process ends now.
    pub(crate) fn unfinished(&self, unfinished: &[(usize, Unfinished)]) -> Vec<String> {
        let lines = unfinished.iter().filter_map(|(index, left)| {
            let site = self.all.get(*index)?;
            Some(self.named(*index, site.recovery.unfinished(left)))
        });
        lines.collect()
    }
}

fn recovery(target: &Target, local: &LocalArgs, is_single: bool) -> Recovery {
    let access = match local.words_of_the_aws_cli() {
        None => target.access.words_of_the_aws_cli(),
        Some(words) if is_single => words,
        Some(words) => {
            let region = target.region().map(|region| ["--region", region]);
            let region = region.into_iter().flatten().map(str::to_owned);
            words.into_iter().chain(region).collect()
        }
    };
    Recovery {
        location: target.location.clone(),
        options: target.options.clone(),
        access,
    }
}

/// What messages call each target: its region, and the object if that is not enough.
pub(crate) fn names(targets: &[Target]) -> Vec<String> {
    let location = |target: &Target| shown(&target.location.to_string()).to_string();
    let name = |target: &Target| {
        let Some(region) = target.region() else {
            return location(target);
        };
        let like = targets
            .iter()
            .filter(|other| other.region() == Some(region));
        match like.count() {
            1 => shown(region).to_string(),
            _ => format!("{} ({})", shown(region), location(target)),
        }
    };
    targets.iter().map(name).collect()
}

/// Failures in several destinations as one. `failures` have the indices of the destinations.
pub(crate) fn together(names: &[String], failures: Vec<(usize, Failure)>) -> Failure {
    let mut exits = failures.iter().map(|(_, failure)| failure.exit);
    let first = exits.next().unwrap_or(Exit::Failure);
    let exit = if exits.all(|exit| exit == first) {
        first
    } else {
        Exit::Failure
    };
    let lines = failures.into_iter().flat_map(|(index, failure)| {
        let name = names.get(index).filter(|_| names.len() > 1).cloned();
        failure.lines.into_iter().map(move |line| match &name {
            Some(name) => format!("{name}: {line}"),
            None => line,
        })
    });
    Failure {
        exit,
        lines: lines.collect(),
    }
}

//! `--destination`: a further place that a push goes to, in the syntax in which the AWS CLI takes
//! structures.
//!
//! The keys are push's own options about the application, the bucket and the way there, and their values
//! are checked as those are. What a destination does not say is taken from the plain options, as far as it
//! can be meant for another region, too.

use std::collections::BTreeSet;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, FromArgMatches as _};
use hoist::aws::s3::{BadLocation, ObjectOptions, S3Location};
use hoist::error::shown;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::access::AccessArgs;
use super::object::ObjectArgs;
use super::paramfile;
use super::revision::{BAD_LOCATION, RevisionArgs};
use super::shorthand::{Pairs, Value};
use super::structure;
use crate::cli::Failure;

/// How a destination is written.
const SYNTAX: &str =
    "a destination is written region=us-west-2,s3-location=s3://bucket/key, or as JSON";

/// Options of every request that no destination has of its own.
const COMMON: [&str; 4] = ["color", "debug", "cli-connect-timeout", "cli-read-timeout"];

/// So far may a key be from the one that was perhaps meant.
const NEAR: usize = 3;

#[derive(Debug, Args)]
#[command(next_help_heading = "More destinations")]
pub(crate) struct DestinationsArgs {
    /// Push to another bucket and application in the same pass:
    /// region=REGION,s3-location=s3://BUCKET/KEY and other options of this command without their dashes;
    /// copy-from=REGION lets S3 copy the object from there. Also JSON, or file://PATH
    #[arg(long = "destination", id = "destination", value_name = "PAIRS", num_args = 1..)]
    texts: Vec<String>,

    /// If one destination fails, finish the others, and fail afterwards
    #[arg(long, requires = "destination")]
    pub(crate) keep_going: bool,
}

/// The options that a destination may have.
#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    revision: RevisionArgs,

    #[arg(long)]
    s3_location: String,

    #[arg(long)]
    copy_from: Option<String>,

    #[command(flatten)]
    object: ObjectArgs,

    #[command(flatten)]
    access: AccessArgs,
}

/// Where a push goes, as the command line says it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) location: S3Location,
    pub(crate) application: String,
    /// Empty if hoist describes the revision.
    pub(crate) description: String,
    pub(crate) object: ObjectArgs,
    pub(crate) options: ObjectOptions,
    pub(crate) access: AccessArgs,
    /// The region that S3 copies the object from.
    pub(crate) copy_from: Option<String>,
}

impl Target {
    /// The target of the plain options.
    pub(crate) fn plain(
        revision: &RevisionArgs,
        s3_location: &str,
        object: &ObjectArgs,
        access: &AccessArgs,
    ) -> Result<Self, Failure> {
        let location = s3_location.parse();
        let location = location.map_err(|BadLocation| Failure::usage(BAD_LOCATION))?;
        revision.check()?;
        Ok(Self {
            location,
            application: revision.application.clone(),
            description: revision.description.clone(),
            options: object.options()?,
            object: object.clone(),
            access: access.clone(),
            copy_from: None,
        })
    }

    /// What the revision is described as; `default` if the user does not describe it.
    pub(crate) fn description_or<'a>(&'a self, default: &'a str) -> &'a str {
        match self.description.as_str() {
            "" => default,
            description => description,
        }
    }

    /// The region, as far as the command line says it.
    pub(crate) fn region(&self) -> Option<&str> {
        self.access.region.as_deref()
    }
}

impl DestinationsArgs {
    /// Whether there are any.
    pub(crate) fn are_given(&self) -> bool {
        !self.texts.is_empty()
    }

    /// All targets, that of the plain options first.
    pub(crate) fn targets(&self, plain: Target, is_local: bool) -> Result<Vec<Target>, Failure> {
        let mut all = vec![plain];
        for text in &self.texts {
            for pairs in read(text)? {
                let target = Reader::new(all.len(), pairs)?.target(&all[0], is_local)?;
                all.push(target);
            }
        }
        if self.are_given() {
            check_places(&all)?;
        }
        Ok(all)
    }
}

/// The destinations that one value names.
fn read(text: &str) -> Result<Vec<Pairs>, Failure> {
    const OPTION: &str = "--destination";
    let mut text = text.to_owned();
    paramfile::read(OPTION, &mut text)?;
    let failed = |problem: &str| structure::failed(OPTION, problem).and(Some(SYNTAX));
    let value = structure::parse(OPTION, &text).map_err(|failure| failure.and(Some(SYNTAX)))?;
    let list = structure::list(value);
    if list.is_empty() {
        return Err(failed("it names no destination"));
    }
    let pairs = list.into_iter().map(|one| match one {
        Value::Map(pairs) => Ok(pairs),
        _ => Err(failed("each destination is an object in JSON")),
    });
    pairs.collect()
}

fn command() -> Command {
    Options::augment_args(Command::new("destination"))
        .no_binary_name(true)
        .disable_help_flag(true)
}

/// The keys, and whether each takes a value.
fn keys() -> Vec<(String, bool)> {
    let command = command();
    let options = command
        .get_arguments()
        .filter(|option| !option.is_hide_set());
    let keys = options.filter_map(|option| {
        let name = option.get_long()?.to_owned();
        Some((name, option.get_action().takes_values()))
    });
    let mut keys: Vec<_> = keys
        .filter(|(name, _)| !COMMON.contains(&name.as_str()))
        .collect();
    // What every destination has comes first.
    keys.sort_by_key(|(name, _)| match name.as_str() {
        "region" => 0,
        "s3-location" => 1,
        _ => 2,
    });
    keys
}

/// A key without what differs between `s3-location`, `s3Location` and `S3Location`.
fn plain(key: &str) -> String {
    key.replace(['-', '_'], "").to_ascii_lowercase()
}

/// Makes a target of the pairs of one destination.
struct Reader {
    /// How messages begin.
    name: String,
    /// Known keys, whether each takes a value, and the values.
    given: Vec<(String, bool, String)>,
}

impl Reader {
    /// The destination with this index among all.
    fn new(index: usize, pairs: Pairs) -> Result<Self, Failure> {
        let region = pairs.iter().find_map(|(key, value)| match value {
            Value::Text(region) if plain(key) == "region" && !region.is_empty() => Some(region),
            _ => None,
        });
        let name = region.map_or_else(
            || format!("number {index}"),
            |region| shown(region).to_string(),
        );
        let mut reader = Self {
            name,
            given: Vec::new(),
        };
        let known = keys();
        let find = |key: &str| known.iter().find(|(name, _)| plain(name) == plain(key));
        let keys = pairs.iter().map(|(key, _)| key);
        let unknown: Vec<&String> = keys.filter(|key| find(key).is_none()).collect();
        if !unknown.is_empty() {
            return Err(reader.unknown(&unknown, &known));
        }
        for (key, value) in pairs {
            let Some((name, takes_value)) = find(&key) else {
                continue;
            };
            if reader.is_given(name) {
                return Err(reader.fails(&format!("{name} is there twice")));
            }
            let value = reader.text(name, *takes_value, value)?;
            reader.given.push((name.clone(), *takes_value, value));
        }
        Ok(reader)
    }

    fn fails(&self, problem: &str) -> Failure {
        Failure::usage(format!("--destination {}: {problem}", self.name))
    }

    fn unknown(&self, unknown: &[&String], known: &[(String, bool)]) -> Failure {
        let mut meant = BTreeSet::new();
        for key in unknown {
            let key = plain(key);
            let distances = known.iter().map(|(name, _)| {
                let distance = strsim::damerau_levenshtein(&key, &plain(name));
                (distance, name)
            });
            // A short key is not near to all others.
            let near = NEAR.min(key.len() / 2);
            let nearest = distances.min().filter(|(distance, _)| *distance <= near);
            meant.extend(nearest.map(|(_, name)| name.as_str()));
        }
        let listed: Vec<_> = unknown
            .iter()
            .map(|key| shown(key.as_str()).to_string())
            .collect();
        let meant: Vec<_> = meant.into_iter().collect();
        let failure = self.fails(&format!("unknown: {}", listed.join(", ")));
        let keys: Vec<_> = known.iter().map(|(name, _)| name.as_str()).collect();
        let meant = match meant.is_empty() {
            true => String::new(),
            false => format!("did you mean {}? ", meant.join(", ")),
        };
        // The keys of an object in the shorthand syntax of the AWS CLI.
        let of_object = ["bucket", "key", "bundletype", "etag", "version"];
        let is_of_object = |key: &&String| of_object.contains(&plain(key).as_str());
        let object = match unknown.iter().any(is_of_object) {
            true => "write the object as s3-location=s3://BUCKET/KEY; ",
            false => "",
        };
        failure.and(Some(format!(
            "{meant}{object}the keys are {}",
            keys.join(", ")
        )))
    }

    /// The value as the option takes it.
    fn text(&self, key: &str, takes_value: bool, value: Value) -> Result<String, Failure> {
        let text = match value {
            Value::Text(text) => text,
            Value::Other(text) if !takes_value => text,
            Value::Other(text) => {
                return Err(self.fails(&format!("{key} is a text: write \"{text}\" in JSON")));
            }
            Value::Map(pairs) if matches!(key, "metadata" | "tagging") => {
                self.joined(key, pairs)?
            }
            Value::List(list) => {
                return Err(self.fails(&format!(
                    "{key} has {} values; put a value that contains a comma in quotes",
                    list.len()
                )));
            }
            Value::Map(_) if key == "s3-location" => {
                return Err(self.fails("s3-location takes one value: write s3://BUCKET/KEY"));
            }
            Value::Map(_) => return Err(self.fails(&format!("{key} takes one value, not pairs"))),
        };
        match text.as_str() {
            "" if matches!(key, "region" | "s3-location") => {
                Err(self.fails(&format!("{key} is empty; give it a value")))
            }
            "" => Err(self.fails(&format!("{key} is empty; leave it out, or give it a value"))),
            "true" | "false" => Ok(text),
            _ if !takes_value => Err(self.fails(&format!("{key} is true or false"))),
            _ => Ok(text),
        }
    }

    /// Pairs as the option takes them in one text.
    fn joined(&self, key: &str, pairs: Pairs) -> Result<String, Failure> {
        let joined = pairs.into_iter().map(|(name, value)| {
            let Value::Text(value) = value else {
                return Err(self.fails(&format!("{key} takes texts: {}", shown(&name))));
            };
            Ok(match key {
                "metadata" => {
                    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                    format!("{name}=\"{value}\"")
                }
                _ => {
                    let escaped =
                        |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                    format!("{}={}", escaped(&name), escaped(&value))
                }
            })
        });
        let joined: Vec<String> = joined.collect::<Result<_, _>>()?;
        Ok(joined.join(if key == "metadata" { "," } else { "&" }))
    }

    fn is_given(&self, key: &str) -> bool {
        self.given.iter().any(|(given, ..)| given == key)
    }

    /// The target, with what is not given taken from `first`.
    fn target(&self, first: &Target, is_local: bool) -> Result<Target, Failure> {
        for (key, what) in [
            ("region", "the region of its bucket and its application"),
            ("s3-location", "where to upload the bundle"),
        ] {
            if !self.is_given(key) {
                return Err(self.fails(&format!("{key} is missing: {what}")));
            }
        }
        let of_aws = |key: &&str| key.contains("endpoint-url") || *key == "profile";
        let mut given = self.given.iter().map(|(key, ..)| key.as_str());
        if let Some(key) = given.find(of_aws).filter(|_| is_local) {
            return Err(self.fails(&format!("--local needs no {key}; leave it out")));
        }
        let mut options = self.parse(first)?;
        let is_given = |key: &str| self.is_given(key);
        options.object.inherit(&first.object, &is_given);
        options.access.inherit(&first.access, &is_given);
        if is_given("application-name") || is_given("description") {
            options
                .revision
                .check()
                .map_err(|failure| self.named(failure))?;
        }
        let location = options.s3_location.parse();
        let location = location.map_err(|BadLocation| self.named(Failure::usage(BAD_LOCATION)))?;
        let region = options.access.region.as_deref().unwrap_or_default();
        let same_region = first.region() == Some(region);
        let is_own = same_region || is_given("sse-kms-key-id");
        if let Some(problem) = options.object.problem_of_key(region, is_own) {
            return Err(self.fails(&problem));
        }
        let object = options.object.options();
        Ok(Target {
            location,
            application: options.revision.application,
            description: options.revision.description,
            options: object.map_err(|failure| self.named(failure))?,
            object: options.object,
            access: options.access,
            copy_from: options.copy_from,
        })
    }

    fn named(&self, mut failure: Failure) -> Failure {
        if let Some(line) = failure.lines.first_mut() {
            *line = format!("--destination {}: {line}", self.name);
        }
        failure
    }

    fn parse(&self, first: &Target) -> Result<Options, Failure> {
        let mut words: Vec<String> = Vec::new();
        for (key, takes_value, value) in &self.given {
            match (takes_value, value.as_str()) {
                (true, value) => words.push(format!("--{key}={value}")),
                (false, "true") => words.push(format!("--{key}")),
                (false, _) => {}
            }
        }
        if !self.is_given("application-name") {
            words.push(format!("--application-name={}", first.application));
        }
        if !self.is_given("description") {
            words.push(format!("--description={}", first.description));
        }
        // A key needs to know that there is one.
        if let Some(sse) = first
            .options
            .encryption
            .as_ref()
            .filter(|_| !self.is_given("sse"))
        {
            words.push(format!("--sse={sse}"));
        }
        let parsed = command().try_get_matches_from(words);
        let parsed = parsed.and_then(|matches| Options::from_arg_matches(&matches));
        parsed.map_err(|error| self.refused(&error))
    }

    /// What the parser of options says of a value, as it concerns a key.
    fn refused(&self, error: &clap::Error) -> Failure {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let key = text(ContextKind::InvalidArg).unwrap_or_default();
        let key = key.trim_start_matches('-').split([' ', '=']).next();
        let key = key.unwrap_or_default();
        let value = shown(text(ContextKind::InvalidValue).unwrap_or_default()).to_string();
        let source =
            std::error::Error::source(error).map(|source| shown(&source.to_string()).to_string());
        let problem = match (error.kind(), error.get(ContextKind::ValidValue)) {
            (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) => {
                format!("{key}={value}: choose from {}", valid.join(", "))
            }
            (ErrorKind::MissingRequiredArgument, _) => {
                "sse-kms-key-id needs sse=aws:kms or sse=aws:kms:dsse".to_owned()
            }
            (_, _) => match source {
                Some(source) => format!("{key}={value}: {source}"),
                None => format!("{key}={value} cannot be used"),
            },
        };
        self.fails(&problem)
    }
}

/// Refuses destinations that would write the same object.
fn check_places(all: &[Target]) -> Result<(), Failure> {
    for (index, one) in all.iter().enumerate() {
        let place = |other: &&Target| {
            other.location == one.location
                && other.access.endpoint_of_s3() == one.access.endpoint_of_s3()
        };
        if all[..index].iter().any(|other| place(&other)) {
            return Err(Failure::usage(format!(
                "{} is the object of two destinations; each needs a bucket or a key of its own",
                shown(&one.location.to_string())
            )));
        }
    }
    Ok(())
}

/// For each target the index of the one that S3 copies its object from. `regions` are those of the targets;
/// None if the first is not known yet.
pub(crate) fn sources(
    all: &[Target],
    regions: &[Option<String>],
) -> Result<Vec<Option<usize>>, Failure> {
    let of_each = all.iter().zip(regions).map(|(target, region)| {
        let Some(from) = &target.copy_from else {
            return Ok(None);
        };
        let region = shown(region.as_deref().unwrap_or_default()).to_string();
        let fails = |problem: String| Err(Failure::usage(format!("--destination {region}: {problem}")));
        let named = shown(from);
        let is_there = |at: &usize| {
            regions[*at].as_ref().is_none_or(|region| region == from) && !std::ptr::eq(&all[*at], target)
        };
        let (uploaded, copied): (Vec<usize>, Vec<usize>) = (0..all.len())
            .filter(is_there)
            .partition(|at| all[*at].copy_from.is_none());
        // The first one, whose region is not known, is meant only if no other is.
        let known: Vec<usize> = uploaded.iter().copied().filter(|at| regions[*at].is_some()).collect();
        let uploaded = if known.is_empty() { uploaded } else { known };
        match (&uploaded[..], &copied[..]) {
            ([source], _) if all[*source].access.endpoint_of_s3() != target.access.endpoint_of_s3() => {
                fails(format!("copy-from={named}: S3 cannot copy from another endpoint"))
            }
            ([source], _) => Ok(Some(*source)),
            ([], []) => {
                let others = all.iter().zip(regions).filter(|(other, _)| !std::ptr::eq(*other, target));
                let others = others.filter(|(other, _)| other.copy_from.is_none());
                let others: BTreeSet<&str> = others.filter_map(|(_, region)| region.as_deref()).collect();
                let others: Vec<_> = others.into_iter().map(|region| shown(region).to_string()).collect();
                fails(format!(
                    "copy-from={named}: no other destination is uploaded there; the object is uploaded to {}",
                    others.join(", ")
                ))
            }
            ([], _) => fails(format!(
                "copy-from={named}: that destination is a copy itself; name the one that it is copied from"
            )),
            (several, _) => fails(format!(
                "copy-from={named}: {} destinations are uploaded there, so it is not clear which is meant",
                several.len()
            )),
        }
    });
    of_each.collect()
}

#[cfg(test)]
mod tests;

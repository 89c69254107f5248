//! What a run did: its exit, its texts, and what the services hold afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read as _};

use serde_json::Value;

use crate::row::Aspect;
use crate::support::{Done, Server};

/// An entry of a zip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) contents: Vec<u8>,
    /// The system that made it, in the upper byte, and all of `st_mode`.
    pub(crate) mode: u32,
    /// The DOS time (4.4.6), which has no zone.
    pub(crate) time: String,
}

pub(crate) struct Object {
    etag: String,
    version: Option<String>,
    /// None if the object is not a zip.
    pub(crate) entries: Option<BTreeMap<Vec<u8>, Entry>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Revision {
    pub(crate) region: String,
    pub(crate) application: String,
    /// Without the ETag and the version, which the object has, too.
    pub(crate) location: BTreeMap<String, String>,
    /// None if it is the default description.
    pub(crate) description: Option<String>,
}

/// A run and its outcome.
pub(crate) struct Seen {
    /// The exit code, as a shell has it. None if the run was killed because it did not end.
    pub(crate) code: Option<i32>,
    /// Without the digits of the ETag and without the version.
    pub(crate) output: String,
    /// The error, if there is one.
    pub(crate) message: String,
    /// The other lines of standard error.
    pub(crate) said: Vec<String>,
    /// The number of parts of a multipart upload.
    pub(crate) parts: Option<usize>,
    pub(crate) objects: BTreeMap<(String, String), Object>,
    pub(crate) revisions: Vec<Revision>,
    /// The default descriptions.
    pub(crate) default_descriptions: BTreeSet<String>,
    pub(crate) leftovers: usize,
}

/// The tool that ran.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Aws,
    Hoist,
}

impl Who {
    /// The beginning of its default description.
    fn signature(self) -> &'static str {
        match self {
            Self::Aws => "Uploaded by AWS CLI ",
            Self::Hoist => "Uploaded by hoist ",
        }
    }
}

impl Seen {
    /// Reads the output of a run of `who`, and then the state of `server`.
    pub(crate) fn new(who: Who, done: &Done, killed: bool, server: &Server) -> Self {
        let objects = objects(server);
        let (revisions, default_descriptions) = revisions(who, server, &objects);
        let code = done.code.or(done.signal.map(|signal| 128 + signal));
        let code = code.filter(|_| !killed);
        let (message, said) = match who {
            Who::Aws => (message_of_aws(&done.stderr), Vec::new()),
            Who::Hoist => message_of_hoist(&done.stderr, code == Some(0)),
        };
        let (output, parts) = without_etag(&done.stdout, &objects);
        Self {
            code,
            output,
            message,
            said,
            parts,
            objects,
            revisions,
            default_descriptions,
            leftovers: leftovers(server),
        }
    }

    /// The aspects in which this run, and the services after it, differ from another.
    pub(crate) fn differences(&self, other: &Self) -> Vec<(Aspect, String)> {
        let mut found = Vec::new();
        let mut compare = |aspect, ours: String, others: String| {
            if ours != others {
                found.push((aspect, format!("  aws:   {ours}\n  hoist: {others}")));
            }
        };
        let of = |seen: &Self| format!("{:?}", seen.code);
        compare(Aspect::Exit, of(self), of(other));
        compare(Aspect::Output, self.output.clone(), other.output.clone());
        compare(Aspect::Message, self.message.clone(), other.message.clone());
        let of = |seen: &Self| format!("{:?}", seen.parts);
        compare(Aspect::Parts, of(self), of(other));
        let of = |seen: &Self| {
            let objects = seen.objects.iter();
            let zips = objects.map(|(name, object)| (name.clone(), object.entries.is_some()));
            format!("{:?}", zips.collect::<Vec<_>>())
        };
        compare(Aspect::Objects, of(self), of(other));
        let of = |seen: &Self| format!("{:?}", seen.revisions);
        compare(Aspect::Revision, of(self), of(other));
        let of = |seen: &Self| format!("{:?}", seen.leftovers);
        compare(Aspect::Leftovers, of(self), of(other));
        let of = |seen: &Self| format!("{:?}", seen.default_descriptions);
        compare(Aspect::Description, of(self), of(other));
        for (name, ours) in &self.objects {
            let others = other
                .objects
                .get(name)
                .and_then(|object| object.entries.as_ref());
            let (Some(ours), Some(others)) = (&ours.entries, others) else {
                continue;
            };
            let names = |entries: &BTreeMap<Vec<u8>, Entry>| {
                let names = entries.keys().map(|name| String::from_utf8_lossy(name));
                format!("{:?}", names.collect::<Vec<_>>())
            };
            compare(Aspect::Entries, names(ours), names(others));
            for (name, ours) in ours {
                let Some(others) = others.get(name) else {
                    continue;
                };
                let name = String::from_utf8_lossy(name);
                let of = |entry: &Entry| format!("{name} {} bytes", entry.contents.len());
                if ours.contents != others.contents {
                    compare(
                        Aspect::Contents,
                        of(ours),
                        format!("{}, others", of(others)),
                    );
                }
                let of = |entry: &Entry| format!("{name} {:o}", entry.mode);
                compare(Aspect::Modes, of(ours), of(others));
                let of = |entry: &Entry| format!("{name} {}", entry.time);
                compare(Aspect::Times, of(ours), of(others));
            }
        }
        found
    }

    /// Whether an entry of this name was stored.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut objects = self.objects.values();
        objects.any(|object| {
            let entries = object.entries.as_ref();
            entries.is_some_and(|entries| entries.contains_key(name.as_bytes()))
        })
    }

    /// Whether nothing was stored or registered.
    pub(crate) fn is_nothing(&self) -> bool {
        self.objects.is_empty() && self.revisions.is_empty() && self.leftovers == 0
    }
}

/// The usage text ends with the error; all else is the error.
fn message_of_aws(stderr: &str) -> String {
    match stderr.rsplit_once("aws: error: ") {
        Some((_, error)) => error.trim().to_owned(),
        None => stderr.trim().to_owned(),
    }
}

/// The error is what neither a note nor a warning is; hints follow it. A finding in the AppSpec file begins
/// with its severity and its rule, and has lines that are its own.
fn message_of_hoist(stderr: &str, done: bool) -> (String, Vec<String>) {
    if let Some(error) = stderr.strip_prefix("error: ") {
        // The usage text follows.
        let error = error.split("\n\nUsage:").next().unwrap();
        return (error.trim().to_owned(), Vec::new());
    }
    let mut message = None;
    let mut said: Vec<String> = Vec::new();
    for line in stderr.lines() {
        if line.starts_with("warning[") || line.starts_with("error[") {
            said.push(line.to_owned());
            continue;
        }
        let Some(line) = line.strip_prefix("hoist: ") else {
            // What is said may have line breaks in it.
            said.last_mut().or(message.as_mut()).unwrap().push_str(line);
            continue;
        };
        let is_aside = line.starts_with("note: ") || line.starts_with("warning: ");
        let is_summary = done && line.starts_with("pushed ");
        if is_aside || done && !is_summary || message.is_some() {
            said.push(line.to_owned());
        } else if !is_summary {
            message = Some(line.to_owned());
        }
    }
    (message.unwrap_or_default(), said)
}

/// Takes the ETag and the version out of the text, after looking whether they are the object's.
fn without_etag(
    stdout: &str,
    objects: &BTreeMap<(String, String), Object>,
) -> (String, Option<usize>) {
    let Some((before, rest)) = stdout.split_once(",eTag=") else {
        return (stdout.to_owned(), None);
    };
    let (said, after) = rest.split_once(' ').unwrap();
    let (etag, version) = match said.split_once(",version=") {
        Some((etag, version)) => (etag, Some(version.to_owned())),
        None => (said, None),
    };
    let object = objects.values().find(|object| object.etag == etag);
    let object = object.unwrap_or_else(|| panic!("{etag} is the ETag of no object"));
    assert_eq!(object.version, version, "the version is the object's");
    let (digest, parts) = match etag.split_once('-') {
        Some((digest, parts)) => (digest, Some(parts.parse().unwrap())),
        None => (etag, None),
    };
    assert!(
        digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{etag}"
    );
    let version = version.map_or("", |_| ",version=<version>");
    (format!("{before},eTag=<etag>{version} {after}"), parts)
}

fn objects(server: &Server) -> BTreeMap<(String, String), Object> {
    let mut found = BTreeMap::new();
    for bucket in fs::read_dir(server.dir().join("buckets")).unwrap() {
        let bucket = bucket.unwrap().file_name().into_string().unwrap();
        let (_, list) = server.get(&format!("/{bucket}?list-type=2&encoding-type=url"));
        let list = String::from_utf8(list).unwrap();
        for rest in list.split("<Key>").skip(1) {
            let key = rest.split("</Key>").next().unwrap();
            let (head, body) = server.get(&format!("/{bucket}/{key}"));
            let header = |name: &str| {
                let mut lines = head.lines();
                lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
            };
            let object = Object {
                etag: header("etag").unwrap().trim_matches('"').to_owned(),
                version: header("x-amz-version-id"),
                entries: entries(&body),
            };
            found.insert((bucket.clone(), key.to_owned()), object);
        }
    }
    found
}

fn entries(bytes: &[u8]) -> Option<BTreeMap<Vec<u8>, Entry>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let start = usize::try_from(archive.central_directory_start()).unwrap();
    let mut records = &bytes[start..];
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut contents = Vec::new();
        file.read_to_end(&mut contents).unwrap();
        let time = file.last_modified();
        let entry = Entry {
            contents,
            mode: mode(&mut records, file.name_raw()),
            time: time.map_or_else(String::new, |time| time.to_string()),
        };
        let twice = found.insert(file.name_raw().to_vec(), entry);
        assert!(twice.is_none(), "{:?} is there twice", file.name());
    }
    Some(found)
}

/// What the central directory's next record (4.3.12) says of who made it, and of the mode: readers
/// keep some bits of it to themselves.
fn mode(records: &mut &[u8], name: &[u8]) -> u32 {
    let at = |at: usize| u32::from(u16::from_le_bytes([records[at], records[at + 1]]));
    assert!(records.starts_with(b"PK\x01\x02") && records[46..].starts_with(name));
    let mode = u32::from(records[5]) << 24 | at(40);
    let len = 46 + at(28) + at(30) + at(32);
    *records = &records[usize::try_from(len).unwrap()..];
    mode
}

/// The registered revisions, and the default descriptions of those that have one, without the time.
fn revisions(
    who: Who,
    server: &Server,
    objects: &BTreeMap<(String, String), Object>,
) -> (Vec<Revision>, BTreeSet<String>) {
    let (mut found, mut defaults) = (Vec::new(), BTreeSet::new());
    let Ok(regions) = fs::read_dir(server.dir().join("codedeploy")) else {
        return (found, defaults);
    };
    for region in regions {
        let region = region.unwrap();
        for application in fs::read_dir(region.path()).unwrap() {
            let text = fs::read(application.unwrap().path()).unwrap();
            let application: Value = serde_json::from_slice(&text).unwrap();
            for registered in application["revisions"].as_array().unwrap() {
                let location = registered["revision"]["s3Location"].as_object().unwrap();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let location = location
                    .iter()
                    .map(|(name, value)| (name.clone(), text(value)));
                let mut location: BTreeMap<String, String> = location.collect();
                let etag = location.remove("eTag").unwrap();
                let version = location.remove("version");
                let mut stored = objects.values();
                assert!(
                    stored.any(|object| object.etag == etag && object.version == version),
                    "{registered} is not what was stored"
                );
                let description = text(&registered["description"]);
                let time = description.strip_prefix(who.signature());
                let time = time.and_then(|time| time.strip_suffix(" UTC"));
                if let Some(time) = time {
                    assert!(is_time(time), "{description}");
                    defaults.insert(format!("{}<time> UTC", who.signature()));
                }
                let is_default = time.is_some();
                found.push(Revision {
                    region: region.file_name().into_string().unwrap(),
                    application: text(&application["name"]),
                    location,
                    description: Some(description).filter(|_| !is_default),
                });
            }
        }
    }
    found.sort();
    (found, defaults)
}

/// ISO 8601 with microseconds, as Python writes it.
fn is_time(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00.000000";
    let fits = |(byte, shape): (u8, u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

fn leftovers(server: &Server) -> usize {
    let buckets = fs::read_dir(server.dir().join("buckets")).unwrap();
    let uploads = buckets.map(|bucket| fs::read_dir(bucket.unwrap().path().join("uploads")));
    uploads
        .map(|uploads| uploads.map_or(0, Iterator::count))
        .sum()
}

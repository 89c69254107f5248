//! Chooses the profile as the AWS CLI does, and holds what both files in `~/.aws` say of it.
//!
//! The AWS CLI version 2 takes `--profile`, then `AWS_PROFILE`, then `AWS_DEFAULT_PROFILE`, and fails if the
//! profile does not exist. What the file of credentials says of a profile comes before what the file of
//! configuration says (botocore, `session.py`, `full_config`).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::Error;
use super::ini::{self, Keys, Value};
use super::problem::Place;

/// The profile that is used, and the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    name: Option<String>,
    files: Files,
}

/// Both files.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    config: PathBuf,
    credentials: PathBuf,
    /// Profiles, as both files have them.
    profiles: HashMap<String, Keys>,
    /// As the file of configuration has them.
    of_config: HashMap<String, Keys>,
    /// As the file of credentials has them.
    of_credentials: HashMap<String, Keys>,
    sessions: HashMap<String, Keys>,
    services: HashMap<String, Keys>,
}

/// The profile of those that choose none.
pub(super) const DEFAULT: &str = "default";

/// Settings of one line whose values messages may show.
const ONE_LINE: [&str; 22] = [
    "region",
    "source_profile",
    "endpoint_url",
    "ca_bundle",
    "retry_mode",
    "max_attempts",
    "role_arn",
    "role_session_name",
    "external_id",
    "mfa_serial",
    "duration_seconds",
    "credential_source",
    "web_identity_token_file",
    "services",
    "sso_session",
    "sso_start_url",
    "sso_region",
    "sso_account_id",
    "sso_role_name",
    "use_fips_endpoint",
    "use_dualstack_endpoint",
    "aws_access_key_id",
];

impl Profile {
    /// Reads the files. `asked` is the profile that the user names, if any.
    ///
    /// # Errors
    ///
    /// [`Error::NoProfile`] if the named profile does not exist, [`Error::File`], [`Error::Unreadable`].
    pub(super) fn load(asked: Option<&str>, environment: &Environment) -> Result<Self, Error> {
        let name = asked
            .map(str::to_owned)
            .or_else(|| environment.var("AWS_PROFILE"))
            .or_else(|| environment.var("AWS_DEFAULT_PROFILE"));
        let files = Files::load(environment)?;
        match name {
            Some(name) if files.profile(&name).is_none() => Err(Error::NoProfile(name)),
            name => {
                files.judge(name.as_deref().unwrap_or(DEFAULT))?;
                Ok(Self { name, files })
            }
        }
    }

    /// The profile's name.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(DEFAULT)
    }

    /// Both files.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// One of its settings.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.files.get(self.name(), key)
    }

    /// A setting below one of its settings.
    pub(super) fn below(&self, key: &str, name: &str) -> Option<&str> {
        below(self.files.profile(self.name())?, key, name)
    }

    /// Where one of its settings is.
    pub(super) fn place(&self, key: &str) -> Place {
        self.files.place(self.name(), key)
    }

    /// The endpoint that it has for a service, in its own section of services or for all services.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if that section does not exist.
    pub(super) fn endpoint(&self, service: &str) -> Result<Option<(&str, Place)>, Error> {
        if let Some(section) = self.get("services") {
            let keys = self.files.services.get(section).ok_or_else(|| {
                self.place("services")
                    .refused(section, "but there is no such section [services NAME]")
            })?;
            let of_service = below(keys, service, "endpoint_url");
            if let Some(url) = of_service.filter(|url| !url.is_empty()) {
                let place = self.files.config.clone();
                let setting = format!("{service} in [services {section}]");
                return Ok(Some((url, Place::in_file(setting, place))));
            }
        }
        let url = self.get("endpoint_url").filter(|url| !url.is_empty());
        Ok(url.map(|url| (url, self.place("endpoint_url"))))
    }
}

impl Files {
    fn load(environment: &Environment) -> Result<Self, Error> {
        let config = path(environment, "AWS_CONFIG_FILE", ".aws/config");
        let credentials = path(
            environment,
            "AWS_SHARED_CREDENTIALS_FILE",
            ".aws/credentials",
        );
        for path in [&config, &credentials].into_iter().flatten() {
            tracing::debug!("settings are read in {}", path.display());
        }
        let mut files = Self {
            config: config.clone().unwrap_or_default(),
            credentials: credentials.clone().unwrap_or_default(),
            ..Self::default()
        };
        for (name, keys) in sections(environment, config)? {
            let kept = [
                ("profile", &mut files.of_config),
                ("sso-session", &mut files.sessions),
                ("services", &mut files.services),
            ];
            let kept = kept.into_iter().find(|(kind, _)| name.starts_with(kind));
            match kept {
                Some((_, kept)) => {
                    // botocore does not look at the first word, either.
                    if let Some([_, name]) = ini::words(&name).as_deref() {
                        kept.insert(name.clone(), keys);
                    }
                }
                None if name == DEFAULT => {
                    files.of_config.insert(name, keys);
                }
                None => {}
            }
        }
        files.profiles = files.of_config.clone();
        for (name, keys) in sections(environment, credentials)? {
            let profile = files.profiles.entry(name.clone()).or_default();
            profile.extend(keys.clone());
            files.of_credentials.insert(name, keys);
        }
        Ok(files)
    }

    /// Refuses a value of a profile, or of the profiles that it takes credentials from, that has swallowed another
    /// setting: an indented line goes on with the line before it. The message has no value, since the swallowed
    /// setting may be a secret key.
    fn judge(&self, profile: &str) -> Result<(), Error> {
        let mut seen = Vec::new();
        let mut next = Some(profile);
        while let Some(name) = next.filter(|name| !seen.contains(name)) {
            for key in ONE_LINE {
                let mut lines = self.get(name, key).unwrap_or_default().lines().skip(1);
                if lines.any(|line| line.contains(['=', ':'])) {
                    return Err(self.place(name, key).unusable(
                        "goes on in an indented line that looks like a setting of its own; begin that line \
                         without blanks",
                    ));
                }
            }
            seen.push(name);
            next = self.get(name, "source_profile");
        }
        Ok(())
    }

    /// A profile, as both files have it.
    pub(super) fn profile(&self, name: &str) -> Option<&Keys> {
        self.profiles.get(name)
    }

    /// A setting of a profile.
    pub(super) fn get(&self, profile: &str, key: &str) -> Option<&str> {
        text(self.profile(profile)?, key)
    }

    /// What the file of credentials says of a profile.
    pub(super) fn of_credentials(&self, profile: &str) -> Option<&Keys> {
        self.of_credentials.get(profile)
    }

    /// What the file of configuration says of a profile.
    pub(super) fn of_config(&self, profile: &str) -> Option<&Keys> {
        self.of_config.get(profile)
    }

    /// A session of SSO.
    pub(super) fn session(&self, name: &str) -> Option<&Keys> {
        self.sessions.get(name)
    }

    /// Where a setting of a profile is.
    pub(super) fn place(&self, profile: &str, key: &str) -> Place {
        let of_credentials = self.of_credentials(profile);
        let file = match of_credentials.is_some_and(|keys| keys.contains_key(key)) {
            true => &self.credentials,
            false => &self.config,
        };
        Place::in_file(format!("{key} of the profile {profile}"), file.clone())
    }
}

/// The names of all profiles, sorted. None if the files cannot be read.
#[must_use]
pub fn profiles(environment: &Environment) -> Vec<String> {
    let files = Files::load(environment).unwrap_or_default();
    let names: BTreeSet<String> = files.profiles.into_keys().collect();
    names.into_iter().collect()
}

/// The text of a setting.
pub(super) fn text<'a>(keys: &'a Keys, key: &str) -> Option<&'a str> {
    match keys.get(key)? {
        Value::Text(text) => Some(text),
        Value::Below(_) => None,
    }
}

/// The text of a setting below a setting.
fn below<'a>(keys: &'a Keys, key: &str, name: &str) -> Option<&'a str> {
    match keys.get(key)? {
        Value::Text(_) => None,
        Value::Below(below) => below.get(name).map(String::as_str),
    }
}

/// The file that a variable names, or the one in the home directory. An empty variable names none.
fn path(environment: &Environment, variable: &str, usual: &str) -> Option<PathBuf> {
    if environment
        .var(variable)
        .is_some_and(|name| name.is_empty())
    {
        return None;
    }
    let named = environment.path(variable).map(|path| {
        let text = path.to_str();
        let expanded = text.map(|text| PathBuf::from(with_variables(text, environment)));
        expanded.unwrap_or(path)
    });
    named.or_else(|| environment.home().map(|home| home.join(usual)))
}

/// A path in which `$NAME` and `${NAME}` are replaced, as by Python's `os.path.expandvars`.
fn with_variables(path: &str, environment: &Environment) -> String {
    let mut expanded = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, end) = match after.strip_prefix('{').and_then(|in_braces| {
            let end = in_braces.find('}')?;
            Some((&in_braces[..end], end + 2))
        }) {
            Some(found) => found,
            None => {
                let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !is_of_name(c)).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match environment.var(name) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&rest[at..=at + end]),
        }
        rest = &after[end..];
    }
    expanded + rest
}

/// The sections of a file. A file that is not there, or is no file, has none.
fn sections(
    environment: &Environment,
    path: Option<PathBuf>,
) -> Result<Vec<(String, Keys)>, Error> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let bytes = match environment.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&path, &error) => return Ok(Vec::new()),
        Err(source) => return Err(Error::Unreadable { path, source }),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let until = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..until];
        ini::Fault {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            problem: "it is not UTF-8".into(),
        }
    });
    text.and_then(|text| ini::parse(&text))
        .map_err(|fault| Error::File { path, fault })
}

/// Whether there is no such file.
fn is_absent(path: &Path, error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory) || path.is_dir()
}

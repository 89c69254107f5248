//! Finds where credentials come from, in the AWS CLI's order, before anything is asked for them.
//!
//! The order is botocore's (`credentials.py`, `create_credential_resolver`): keys in the environment unless
//! the profile was named on the command line; then what the profile says: a role to assume, a web identity,
//! a session of SSO, keys in the file of credentials, a program, keys in the file of configuration; then the
//! container or the instance that this runs on. The SDK has another order within a profile, and knows no
//! MFA and no duration of a role.

use std::path::PathBuf;
use std::time::SystemTime;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

use super::Keys as Credentials;
use super::environment::Environment;
use super::error::Error;
use super::ini::{self, Keys};
use super::problem::{self, Place, problem_of_header, problem_of_secret};
use super::profile::{self, Profile};

/// Where credentials come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// They are in the environment or in a file.
    Keys(Credentials),
    /// A program writes them.
    Process(String),
    /// A role that a token in a file proves.
    WebIdentity { role: Role, token: PathBuf },
    /// A session of SSO.
    Sso(Sso),
    /// The container that this runs in.
    Container,
    /// The instance that this runs on.
    Instance,
    /// A role that the bearer of other credentials assumes.
    Role { role: Role, bearer: Box<Source> },
    /// There are none.
    Nowhere,
}

/// A role to assume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session: Option<String>,
    pub(super) external_id: Option<String>,
    /// The device whose code must be given.
    pub(super) mfa: Option<String>,
    /// Seconds.
    pub(super) duration: Option<i32>,
}

/// A session of SSO, and the role in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sso {
    pub(super) profile: String,
    pub(super) session: Option<String>,
    pub(super) start_url: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) role: String,
}

impl Source {
    /// Whether a code of an MFA device is needed.
    pub(super) fn asks(&self) -> bool {
        match self {
            Self::Role { role, bearer } => role.mfa.is_some() || bearer.asks(),
            _ => false,
        }
    }
}

/// Where credentials come from.
///
/// # Errors
///
/// [`Error::Setting`], [`Error::Credentials`], [`Error::Login`].
pub(super) fn find(
    environment: &Environment,
    profile: &Profile,
    is_named: bool,
) -> Result<Source, Error> {
    let find = Find {
        environment,
        profile,
    };
    if !is_named && let Some(keys) = find.keys_of_environment()? {
        return Ok(Source::Keys(keys));
    }
    let name = profile.name();
    if let Some(role) = find.role(name, &mut vec![name.to_owned()])? {
        return Ok(role);
    }
    if let Some(source) = find.of_profile(name, !is_named)? {
        return Ok(source);
    }
    Ok(
        match (find.container()?, is_without_instance(environment)) {
            (true, _) => Source::Container,
            (false, false) => Source::Instance,
            (false, true) => Source::Nowhere,
        },
    )
}

/// Whether the instance must not be asked.
pub(super) fn is_without_instance(environment: &Environment) -> bool {
    let disabled = environment.var("AWS_EC2_METADATA_DISABLED");
    disabled.is_some_and(|value| problem::is_on(&value))
}

struct Find<'a> {
    environment: &'a Environment,
    profile: &'a Profile,
}

impl Find<'_> {
    fn keys_of_environment(&self) -> Result<Option<Credentials>, Error> {
        let variable = |name: &str| {
            let value = self.environment.var(name)?;
            (!value.is_empty()).then(|| (value, Place::variable(name)))
        };
        let Some(id) = variable("AWS_ACCESS_KEY_ID") else {
            return Ok(None);
        };
        let secret = variable("AWS_SECRET_ACCESS_KEY").ok_or_else(|| {
            let place = Place::variable("AWS_SECRET_ACCESS_KEY");
            place.unusable("is not set, but AWS_ACCESS_KEY_ID is")
        })?;
        let tokens = ["AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"];
        let token = tokens.into_iter().find_map(variable);
        if let Some((value, place)) = variable("AWS_CREDENTIAL_EXPIRATION") {
            let expiry = DateTime::from_str(&value, DateTimeFormat::DateTimeWithOffset).ok();
            let expiry = expiry.and_then(|expiry| SystemTime::try_from(expiry).ok());
            if expiry.is_some_and(|expiry| expiry <= SystemTime::now()) {
                return Err(place.refused(&value, "which has passed: set newer credentials"));
            }
        }
        credentials(id, secret, token).map(Some)
    }

    /// The keys of a profile in one of the files.
    fn keys_of_file(
        &self,
        profile: &str,
        keys: Option<&Keys>,
    ) -> Result<Option<Credentials>, Error> {
        let value = |key: &str| {
            let value = profile::text(keys?, key)?;
            Some((value.to_owned(), self.place(profile, key)))
        };
        let Some(id) = value("aws_access_key_id") else {
            return Ok(None);
        };
        let secret = value("aws_secret_access_key").ok_or_else(|| {
            let place = self.place(profile, "aws_secret_access_key");
            place.unusable("is not set, but aws_access_key_id is")
        })?;
        let tokens = ["aws_security_token", "aws_session_token"];
        let token = tokens.into_iter().find_map(value);
        let token = token.filter(|(token, _)| !token.is_empty());
        credentials(id, secret, token).map(Some)
    }

    fn get(&self, profile: &str, key: &str) -> Option<&str> {
        self.profile.files().get(profile, key)
    }

    fn place(&self, profile: &str, key: &str) -> Place {
        self.profile.files().place(profile, key)
    }

    /// What a profile says, but for a role that other credentials assume.
    fn of_profile(&self, profile: &str, with_variables: bool) -> Result<Option<Source>, Error> {
        let files = self.profile.files();
        if let Some(source) = self.web_identity(profile, with_variables)? {
            return Ok(Some(source));
        }
        if let Some(sso) = self.sso(profile)? {
            return Ok(Some(Source::Sso(sso)));
        }
        if let Some(keys) = self.keys_of_file(profile, files.of_credentials(profile))? {
            return Ok(Some(Source::Keys(keys)));
        }
        if self.get(profile, "login_session").is_some() {
            return Err(Error::Login(profile.to_owned()));
        }
        if let Some(command) = self.get(profile, "credential_process") {
            let line = command_line(command).ok_or_else(|| {
                let place = self.place(profile, "credential_process");
                place.refused(command, "which is no command: a quote is not closed")
            })?;
            return Ok(Some(Source::Process(line)));
        }
        let keys = self.keys_of_file(profile, files.of_config(profile))?;
        Ok(keys.map(Source::Keys))
    }

    /// The role that a profile assumes with other credentials. `seen` are the profiles that led to it.
    fn role(&self, profile: &str, seen: &mut Vec<String>) -> Result<Option<Source>, Error> {
        let Some(arn) = self.get(profile, "role_arn") else {
            return Ok(None);
        };
        if self.get(profile, "web_identity_token_file").is_some() {
            return Ok(None);
        }
        let missing = |why: String| Err(Error::Credentials(why));
        let shown = profile.escape_debug();
        let source = self.get(profile, "credential_source");
        let bearer = match (self.get(profile, "source_profile"), source) {
            (Some(_), Some(_)) => {
                return missing(format!(
                    "The profile \"{shown}\" contains both source_profile and credential_source."
                ));
            }
            (None, None) => {
                return missing(format!(
                    "the profile \"{shown}\" has a role_arn, but no source_profile or credential_source"
                ));
            }
            (None, Some(source)) => self.named_source(profile, source)?,
            (Some(source), None) => self.source_profile(profile, source, seen)?,
        };
        let text = |key: &str| self.get(profile, key).map(str::to_owned);
        let duration = self.get(profile, "duration_seconds");
        let role = Role {
            arn: self.arn(arn.to_owned(), &self.place(profile, "role_arn"))?,
            session: text("role_session_name"),
            external_id: text("external_id"),
            mfa: text("mfa_serial"),
            // As with the AWS CLI, what is no number does not count.
            duration: duration.and_then(|seconds| seconds.trim().parse().ok()),
        };
        let bearer = Box::new(bearer);
        Ok(Some(Source::Role { role, bearer }))
    }

    fn arn(&self, arn: String, place: &Place) -> Result<String, Error> {
        match arn.is_empty() || arn.contains(|c: char| c.is_whitespace() || c.is_control()) {
            true => Err(place.refused(
                &arn,
                "which is no role, such as arn:aws:iam::ACCOUNT:role/NAME",
            )),
            false => Ok(arn),
        }
    }

    /// The credentials of a `credential_source`.
    fn named_source(&self, profile: &str, source: &str) -> Result<Source, Error> {
        let found = match source {
            "Environment" => self.keys_of_environment()?.map(Source::Keys),
            "EcsContainer" => self.container()?.then_some(Source::Container),
            "Ec2InstanceMetadata" => {
                let without = is_without_instance(self.environment);
                (!without).then_some(Source::Instance)
            }
            other => {
                return Err(self.place(profile, "credential_source").refused(
                    other,
                    "but it must be Environment, EcsContainer or Ec2InstanceMetadata",
                ));
            }
        };
        found.ok_or_else(|| {
            Error::Credentials(format!(
                "No credentials found in credential_source referenced in profile {}: there are none from {source}",
                profile.escape_debug()
            ))
        })
    }

    /// The credentials of the profile that another one names as its source.
    fn source_profile(
        &self,
        profile: &str,
        source: &str,
        seen: &mut Vec<String>,
    ) -> Result<Source, Error> {
        let shown = |name: &str| name.escape_debug().to_string();
        let Some(keys) = self.profile.files().profile(source) else {
            return Err(Error::Credentials(format!(
                "The source_profile \"{}\" referenced in the profile \"{}\" does not exist.",
                shown(source),
                shown(profile)
            )));
        };
        let has_keys =
            keys.contains_key("aws_secret_access_key") || keys.contains_key("aws_access_key_id");
        // A profile may name itself if it has keys.
        if seen.iter().any(|name| name == source) && !(source == profile && has_keys) {
            let seen: Vec<String> = seen.iter().map(|name| shown(name)).collect();
            return Err(Error::Credentials(format!(
                "Infinite loop in credential configuration detected. Attempting to load from profile \
                 {} which has already been visited. Visited profiles: {}",
                shown(source),
                seen.join(", ")
            )));
        }
        seen.push(source.to_owned());
        if !has_keys && let Some(role) = self.role(source, seen)? {
            return Ok(role);
        }
        self.of_profile(source, false)?.ok_or_else(|| {
            Error::Credentials(format!(
                "The source profile \"{}\" must have credentials.",
                shown(source)
            ))
        })
    }

    fn web_identity(&self, profile: &str, with_variables: bool) -> Result<Option<Source>, Error> {
        let setting = |variable: &str, key: &str| {
            let value = self.environment.var(variable).filter(|_| with_variables);
            let value = value.map(|value| (value, Place::variable(variable)));
            value.or_else(|| Some((self.get(profile, key)?.to_owned(), self.place(profile, key))))
        };
        let token = setting("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
        let Some((token, place)) = token.filter(|(token, _)| !token.is_empty()) else {
            return Ok(None);
        };
        let Some((arn, place_of_role)) = setting("AWS_ROLE_ARN", "role_arn") else {
            return Err(place.refused(&token, "but there is no role: set AWS_ROLE_ARN or role_arn"));
        };
        let role = Role {
            arn: self.arn(arn, &place_of_role)?,
            session: setting("AWS_ROLE_SESSION_NAME", "role_session_name").map(|(name, _)| name),
            ..Role::default()
        };
        let token = self.environment.expand(token.as_ref());
        Ok(Some(Source::WebIdentity { role, token }))
    }

    fn sso(&self, profile: &str) -> Result<Option<Sso>, Error> {
        let own = |key: &str| self.get(profile, key);
        if own("sso_role_name").is_none() && own("sso_account_id").is_none() {
            return Ok(None);
        }
        let session = own("sso_session");
        let of_session = match session {
            None => None,
            Some(name) => Some(self.profile.files().session(name).ok_or_else(|| {
                let name = name.escape_debug();
                Error::Credentials(format!(
                    "The specified sso-session does not exist: \"{name}\""
                ))
            })?),
        };
        let setting = |key: &str| {
            let value = match (own(key), of_session.and_then(|keys| profile::text(keys, key))) {
                (Some(own), Some(other)) if own != other => Err(format!(
                    "The value for {key} is inconsistent between profile ({own}) and sso-session ({other})."
                )),
                (own, other) => own.or(other).ok_or_else(|| {
                    format!(
                        "The profile \"{profile}\" is configured to use SSO but is missing required configuration: {key}"
                    )
                }),
            };
            value
                .map(str::to_owned)
                .map_err(|why| Error::Credentials(why.escape_debug().to_string()))
        };
        let region = setting("sso_region")?;
        Ok(Some(Sso {
            profile: profile.to_owned(),
            session: session.map(str::to_owned),
            start_url: setting("sso_start_url")?,
            region: problem::region(region, &self.place(profile, "sso_region"))?,
            account: setting("sso_account_id")?,
            role: setting("sso_role_name")?,
        }))
    }

    /// Whether a container gives credentials.
    ///
    /// # Errors
    ///
    /// The variable holds no address: the SDK panics on some such texts.
    fn container(&self) -> Result<bool, Error> {
        let variable = |name: &str| Some((self.environment.var(name)?, Place::variable(name)));
        let relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        match (relative, full) {
            (None, None) => return Ok(false),
            (Some((path, place)), _) => {
                let is_path =
                    path.starts_with('/') && path.parse::<http::uri::PathAndQuery>().is_ok();
                if !is_path {
                    return Err(place.refused(&path, "which is no path that begins with a slash"));
                }
            }
            (None, Some((url, place))) => {
                if !is_url(&url) {
                    return Err(place.refused(&url, "which is no address such as http://HOST/PATH"));
                }
            }
        }
        if let Some((token, place)) = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")
            && token.contains(char::is_control)
        {
            return Err(place.unusable("has a line end or a control character in it"));
        }
        Ok(true)
    }
}

/// Whether a text is an address of `http` or `https` with a host.
pub(super) fn is_url(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// Credentials that can be used.
fn credentials(
    (id, place_of_id): (String, Place),
    (secret, place_of_secret): (String, Place),
    token: Option<(String, Place)>,
) -> Result<Credentials, Error> {
    let refuse = |place: &Place, problem: Option<&str>| {
        problem.map_or(Ok(()), |problem| Err(place.unusable(problem)))
    };
    refuse(&place_of_id, problem_of_header(&id))?;
    refuse(&place_of_secret, problem_of_secret(&secret))?;
    if let Some((token, place)) = &token {
        refuse(place, problem_of_header(token))?;
    }
    let token = token.map(|(token, _)| token);
    Ok(Credentials { id, secret, token })
}

/// A `credential_process` for a shell: the AWS CLI runs it without one, so nothing in it may mean anything
/// to a shell. On Windows both run it alike.
fn command_line(command: &str) -> Option<String> {
    if cfg!(windows) {
        return Some(command.to_owned());
    }
    let words = ini::words(command)?;
    let quoted: Vec<String> = words
        .iter()
        .map(|word| crate::error::quoted(word))
        .collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

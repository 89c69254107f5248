//! Judges settings before the SDK sees them: it panics on some values, takes others as they stand, and says
//! of none where it comes from.

use std::fmt;
use std::path::PathBuf;

use super::environment::Environment;
use super::error::Error;
use super::profile::Profile;

/// Where a setting is: a variable, an option, or a key of a profile in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn variable(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub(super) fn in_file(setting: String, file: PathBuf) -> Self {
        Self(format!("{} in {}", setting.escape_debug(), file.display()))
    }

    /// That its value cannot be used, and why. For values that are no secret.
    pub(super) fn refused(&self, value: &str, why: impl fmt::Display) -> Error {
        // A long value would hide why it is refused.
        // Another line may be a setting of its own, and a secret.
        let first = match value.trim_end().find(['\n', '\r']) {
            Some(end) => &value[..end],
            None => value,
        };
        let shown: String = without_secrets(first).chars().take(60).collect();
        let rest = if shown.len() < first.len() || first.len() < value.len() {
            "…"
        } else {
            ""
        };
        Error::Setting {
            setting: self.0.clone(),
            problem: format!("is \"{}{rest}\", {why}", shown.escape_debug()),
        }
    }

    /// That its value cannot be used, and why, without the value.
    pub(super) fn unusable(&self, why: impl fmt::Display) -> Error {
        Error::Setting {
            setting: self.0.clone(),
            problem: why.to_string(),
        }
    }
}

/// An address without the name and the password before its host and without its query.
pub(super) fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

/// The value of a variable, or else of a key of the profile, and where it is.
pub(super) fn setting(
    environment: &Environment,
    profile: &Profile,
    variables: &[&str],
    key: &str,
) -> Option<(String, Place)> {
    let variable = variables
        .iter()
        .find_map(|name| Some((environment.var(name)?, Place::variable(name))));
    variable.or_else(|| Some((profile.get(key)?.to_owned(), profile.place(key))))
}

/// A region: a label of a host name, as the AWS CLI judges (botocore, `validate_region_name`).
pub(super) fn region(value: String, place: &Place) -> Result<String, Error> {
    let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_region = !value.is_empty()
        && value.len() <= 63
        && value.bytes().all(is_of_label)
        && !value.starts_with('-')
        && !value.ends_with('-')
        && !value.bytes().all(|byte| byte.is_ascii_digit());
    match is_region {
        true => Ok(value),
        false => Err(place.refused(&value, "which is no region, such as eu-west-1")),
    }
}

/// A number from `least`.
pub(super) fn number(value: &str, place: &Place, least: u32) -> Result<u32, Error> {
    let number = value.trim().parse::<u64>().ok();
    let number = number.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let number = number.filter(|number| *number >= least);
    number.ok_or_else(|| place.refused(value, format!("which is no whole number from {least}")))
}

/// Whether a switch is on. As with the AWS CLI, whatever is not `true` means no.
pub(super) fn is_on(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

/// What makes a key id or a session token impossible: both go into a header of each request.
pub(super) fn problem_of_header(value: &str) -> Option<&'static str> {
    problem_of_secret(value).or_else(|| {
        let is_of_header = |byte: u8| byte.is_ascii_graphic();
        let blank = value.contains(char::is_whitespace);
        match () {
            () if value.bytes().all(is_of_header) => None,
            () if blank => Some("has a blank in it"),
            () => Some("has characters in it that are not ASCII"),
        }
    })
}

/// What makes a secret key impossible.
pub(super) fn problem_of_secret(value: &str) -> Option<&'static str> {
    let quoted = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    match () {
        () if value.is_empty() => Some("is empty"),
        () if value.contains(['\n', '\r']) => Some("has a line end in it"),
        () if value.contains(char::is_control) => Some("has a control character in it"),
        () if value.trim() != value => Some("begins or ends with a blank"),
        () if quoted('"') || quoted('\'') => Some("has quotes around it"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_label_of_a_host_name() {
        let place = Place::variable("AWS_REGION");
        for good in ["us-east-1", "US-EAST-1", "moon", "a1", &"x".repeat(63)] {
            assert_eq!(region(good.to_owned(), &place).unwrap(), good);
        }
        for bad in [
            "",
            " ",
            "us east 1",
            "\"us-east-1\"",
            "us-east-1\n",
            "-a",
            "a-",
            "12",
            "é",
            "a.b",
            "a/b",
            "a_b",
            &"x".repeat(64),
        ] {
            let error = region(bad.to_owned(), &place).unwrap_err().to_string();
            assert!(error.starts_with("AWS_REGION is \""), "{error}");
            assert!(!error.contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_in_a_header_is_no_credential() {
        for bad in [
            "", "a\n", "\ra", "a b", " a", "a\t", "\"a\"", "'a'", "é", "a\0b", "\u{fffd}",
        ] {
            assert!(problem_of_header(bad).is_some(), "{bad:?}");
        }
        for good in ["AKIA/+=", "\"", "a'b\""] {
            assert_eq!(problem_of_header(good), None, "{good:?}");
        }
        // A secret goes into no header: other stores take any text.
        assert_eq!(problem_of_secret("pass word é"), None);
        assert!(problem_of_secret("secret\r\n").is_some());
    }
}

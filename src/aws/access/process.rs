//! Gets credentials from a program, the `credential_process` of a profile.
//!
//! The SDK's own provider accepts credentials that have expired, and calls every error one that may pass. What
//! a program writes is read as botocore reads it (`credentials.py`, `ProcessProvider`), and what would be wrong
//! again is no reason to run it again.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, future};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use serde_json::{Map, Value};
use tokio::process::Command;

/// The most characters of what a program says of its failure.
const MOST_SAID: usize = 500;

/// The exit codes of a shell that cannot start a program.
const NOT_STARTED: [i32; 2] = [126, 127];

/// A program, as a line for a shell.
#[derive(Debug)]
pub(super) struct Process(pub(super) String);

impl Process {
    async fn credentials(&self) -> Provided {
        let Self(line) = self;
        let (shell, option) = match cfg!(windows) {
            true => ("cmd.exe", "/C"),
            false => ("sh", "-c"),
        };
        let mut command = Command::new(shell);
        let output = command.arg(option).arg(line).kill_on_drop(true).output();
        let output = output.await.map_err(|error| {
            refused(format!(
                "cannot start the program of credential_process: {error}"
            ))
        })?;
        if output.status.success() {
            return read(&output.stdout, SystemTime::now()).map_err(|wrong| {
                refused(format!("the program of credential_process wrote {wrong}"))
            });
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(MOST_SAID).collect();
        let why = format!(
            "the program of credential_process failed with {}: {said}",
            output.status
        );
        let why = why.trim_end_matches(": ").to_owned();
        let code = output.status.code();
        Err(match code.is_some_and(|code| NOT_STARTED.contains(&code)) {
            true => refused(why),
            // It may ask a service that is busy.
            false => CredentialsError::provider_error(why),
        })
    }
}

impl ProvideCredentials for Process {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

fn refused(why: String) -> CredentialsError {
    CredentialsError::invalid_configuration(why)
}

/// Reads what a program wrote. The error says what is wrong with it, and has nothing of it that may be secret.
fn read(bytes: &[u8], now: SystemTime) -> Result<Credentials, String> {
    let Ok(Value::Object(written)) = serde_json::from_slice(bytes) else {
        return Err("no JSON object".to_owned());
    };
    if written.get("Version").and_then(Value::as_u64) != Some(1) {
        return Err("no \"Version\": 1, which is the only version of such credentials".to_owned());
    }
    let id = text(&written, "AccessKeyId")?.ok_or("no AccessKeyId")?;
    let secret = text(&written, "SecretAccessKey")?.ok_or("no SecretAccessKey")?;
    let token = text(&written, "SessionToken")?;
    let expiry = match text(&written, "Expiration")? {
        None => None,
        Some(text) => {
            let time = DateTime::from_str(text, DateTimeFormat::DateTimeWithOffset).ok();
            let time = time.and_then(|time| SystemTime::try_from(time).ok());
            let shown: String = text.chars().take(60).collect();
            let shown = shown.escape_debug();
            let time = time.ok_or_else(|| {
                format!("the Expiration \"{shown}\", which is no time such as 2026-01-31T12:00:00Z")
            })?;
            if time <= now {
                return Err(format!("credentials that have expired, at {shown}"));
            }
            Some(time)
        }
    };
    let token = token.map(str::to_owned);
    Ok(Credentials::new(
        id,
        secret,
        token,
        expiry,
        "credential_process",
    ))
}

/// The text at a key. None if the key is not there, or null.
fn text<'a>(written: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, String> {
    match written.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{key} as something else than text")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_program_writes_is_read_or_its_fault_is_named() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let read = |text: &str| read(text.as_bytes(), now);
        let keys = r#""Version": 1, "AccessKeyId": "A", "SecretAccessKey": "secret""#;
        let good = read(&format!("{{{keys}}}\n")).unwrap();
        assert_eq!((good.access_key_id(), good.expiry()), ("A", None));
        for expiry in [
            "2026-01-01T00:00:01Z",
            "2026-01-01T02:00:01+02:00",
            "2999-01-01T00:00:00.5Z",
        ] {
            let good = read(&format!(
                r#"{{{keys}, "SessionToken": "t", "Expiration": "{expiry}", "AccountId": 1}}"#
            ));
            let good = good.unwrap();
            assert_eq!(good.session_token(), Some("t"));
            assert!(good.expiry().unwrap() > now);
        }
        assert!(
            read(&format!(
                r#"{{{keys}, "SessionToken": null, "Expiration": null}}"#
            ))
            .is_ok()
        );
        for (text, fault) in [
            ("", "no JSON object"),
            ("secret", "no JSON object"),
            ("[]", "no JSON object"),
            ("{}", "no \"Version\": 1"),
            (r#"{"Version": 2}"#, "no \"Version\": 1"),
            (r#"{"Version": "1"}"#, "no \"Version\": 1"),
            (r#"{"Version": 1, "accessKeyId": "A"}"#, "no AccessKeyId"),
            (
                r#"{"Version": 1, "AccessKeyId": "A"}"#,
                "no SecretAccessKey",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": ["secret"]}"#,
                "AccessKeyId as",
            ),
            (
                &format!(r#"{{{keys}, "Expiration": "2026-01-01T00:00:00Z"}}"#),
                "credentials that have expired, at 2026-01-01T00:00:00Z",
            ),
            (
                &format!(r#"{{{keys}, "Expiration": "tomorrow\n"}}"#),
                "the Expiration \"tomorrow\\n\", which is no time",
            ),
            (&format!(r#"{{{keys}, "Expiration": 5}}"#), "Expiration as"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(fault), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

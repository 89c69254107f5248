//! `--debug`: logs of the library and of the AWS SDK, on standard error.
//!
//! The log must not contain secrets. The SDK's own lines are shown up to level DEBUG, since at TRACE
//! it logs requests, answers and identities. The library logs requests and answers itself, without
//! their secret parts. As a last defence, each line is searched before it is written: secrets that
//! the environment holds, and whatever looks like a key or a signature, are replaced.

use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Replaces a secret.
const HIDDEN: &str = "<hidden>";

/// Variables whose values are secrets.
const SECRETS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// Variables whose values may contain a user and a password.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Texts that precede a secret, in lower case. The secret ends at the next character that it cannot
/// contain.
const MARKS: [&str; 14] = [
    "authorization",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-credential",
    "signature",
    "credential=",
    "secretaccesskey",
    "secret_access_key",
    "sessiontoken",
    "session_token",
    "accesstoken",
    "access_token",
    "refreshtoken",
    "clientsecret",
];

/// Starts the log.
pub(crate) fn start() {
    let shown = Targets::new()
        .with_target("hoist", LevelFilter::DEBUG)
        .with_target("aws_", LevelFilter::DEBUG)
        .with_target("hyper", LevelFilter::DEBUG);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Redacting::new());
    let subscriber = tracing_subscriber::registry().with(shown).with(lines);
    // A program that has set a subscriber gets the lines there.
    let _ = subscriber.try_init();
}

/// Writes to standard error, without secrets.
#[derive(Clone, Debug)]
struct Redacting {
    secrets: Arc<Vec<String>>,
}

impl Redacting {
    fn new() -> Self {
        let value = |name: &&str| std::env::var(name).ok();
        let mut secrets: Vec<String> = SECRETS.iter().filter_map(value).collect();
        for url in PROXIES.iter().filter_map(value) {
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            if let Some((user, _)) = rest.rsplit_once('@') {
                let password = user.split_once(':').map(|(_, password)| password);
                secrets.extend(
                    [Some(user), password]
                        .into_iter()
                        .flatten()
                        .map(str::to_owned),
                );
            }
        }
        // Shorter values would hide half of every line, and are not secrets.
        secrets.retain(|secret| secret.len() >= 4);
        Self {
            secrets: Arc::new(secrets),
        }
    }

    fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &*self.secrets {
            text = text.replace(secret.as_str(), HIDDEN);
        }
        hide_keys(&hide_marked(&text))
    }
}

impl MakeWriter<'_> for Redacting {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Write for Redacting {
    /// Writes one event. The subscriber passes each event in one piece.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = self.redact(&String::from_utf8_lossy(event));
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Hides what follows a mark: `Authorization: …`, `"SessionToken": "…"`, `Signature=…`.
fn hide_marked(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((start, mark)) = next_mark(&lower, at) {
        let name_end = start + mark.len();
        let rest = &text[name_end..];
        let value = rest.trim_start_matches([' ', ':', '=', '"', '\'', '\\']);
        let value_start = name_end + (rest.len() - value.len());
        // The value of an Authorization header contains spaces.
        let ends: &[char] = if mark == "authorization" {
            &['"', '\n', '<']
        } else {
            &['"', '\'', '&', ' ', ',', '\n', '\\', '<', ')', '}']
        };
        let length = value.find(ends).unwrap_or(value.len());
        let separated = value_start > name_end || mark.ends_with('=');
        out.push_str(&text[at..value_start]);
        at = value_start;
        if separated && length > 0 {
            out.push_str(HIDDEN);
            at += length;
        }
    }
    out.push_str(&text[at..]);
    out
}

fn next_mark(lower: &str, from: usize) -> Option<(usize, &'static str)> {
    let found = MARKS.iter().filter_map(|mark| {
        let start = lower.get(from..)?.find(mark)? + from;
        Some((start, *mark))
    });
    // Of two marks at the same place, the longer one counts.
    found.min_by_key(|(start, mark)| (*start, usize::MAX - mark.len()))
}

/// Hides access keys: `AKIA` or `ASIA` and sixteen capital letters and digits.
fn hide_keys(text: &str) -> String {
    let is_key = |word: &str| {
        (16..=128).contains(&word.len())
            && (word.starts_with("AKIA") || word.starts_with("ASIA"))
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let parts = text.split_inclusive(|character: char| !character.is_ascii_alphanumeric());
    let parts = parts.map(|part| {
        let word = part.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
        match is_key(word) {
            true => format!("{HIDDEN}{}", &part[word.len()..]),
            false => part.to_owned(),
        }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_like_secrets_are_hidden() {
        let redacting = Redacting {
            secrets: Arc::new(vec!["hunter2".into()]),
        };
        for (line, hidden) in [
            (
                "proxy http://me:hunter2@host",
                "proxy http://me:<hidden>@host",
            ),
            (
                "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/2, Signature=abc\nnext",
                "Authorization: <hidden>\nnext",
            ),
            (
                "\"authorization\": \"Bearer x y\", b",
                "\"authorization\": \"<hidden>\", b",
            ),
            (
                "?X-Amz-Signature=0a1b&x-id=Put",
                "?X-Amz-Signature=<hidden>&x-id=Put",
            ),
            (
                "{\"SessionToken\":\"a/b+c=\",\"x\":1}",
                "{\"SessionToken\":\"<hidden>\",\"x\":1}",
            ),
            (
                "x-amz-security-token: abc def",
                "x-amz-security-token: <hidden> def",
            ),
            ("key AKIAIOSFODNN7EXAMPLE, ok", "key <hidden>, ok"),
            ("signature version 4", "signature <hidden> 4"),
            ("AKIA and ASIA", "AKIA and ASIA"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redacting.redact(line), hidden, "{line}");
        }
    }
}

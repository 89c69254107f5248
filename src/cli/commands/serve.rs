//! `hoist serve`: the embedded S3 and CodeDeploy for other clients.

use std::path::PathBuf;

use clap::Args;
use hoist::endpoint::{Answered, Endpoint, Link, Log, Pace, Settings, Storage};
use hoist::error::shown;

use crate::cli::Failure;
use crate::cli::args::size;
use crate::cli::args::time::{Time, time};
use crate::cli::render::print;
use crate::cli::render::progress::say;
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Keep buckets, objects, applications, revisions, deployments and their instances in DIR
    #[arg(long, value_name = "DIR", required_unless_present = "discard")]
    dir: Option<PathBuf>,

    /// Keep no bytes of objects: count and hash them, and print statistics as JSON at the end
    #[arg(long, conflicts_with = "dir")]
    discard: bool,

    /// Listen on this port of 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,

    /// Let each request take this long to arrive, such as 30ms
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "0ms")]
    latency: Time,

    /// Let the body of a request arrive at this rate on each connection, such as 40M
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<u64>,

    /// Let the bodies on all connections together arrive at this rate
    #[arg(long, value_name = "RATE", value_parser = rate)]
    total_rate: Option<u64>,

    /// Let each lifecycle event of a deployment take this long
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "300ms")]
    event_time: Time,

    /// Write a line for each request to standard error: method, path, operation, status, bytes and time
    #[arg(short, long)]
    verbose: bool,
}

pub(crate) fn run(arguments: &ServeArgs) -> Result<(), Failure> {
    let run = Run::start()?;
    let storage = match &arguments.dir {
        Some(dir) => Storage::Keep(dir.clone()),
        None => Storage::Discard,
    };
    let settings = Settings {
        port: arguments.port,
        link: Link {
            latency: arguments.latency.duration,
            rate: arguments.rate,
            total_rate: arguments.total_rate,
        },
        pace: Pace {
            event: arguments.event_time.duration,
            ..Pace::default()
        },
        log: arguments
            .verbose
            .then(|| Log::new(|answered| say(&line(answered)))),
        ..Settings::new(storage)
    };
    run.block_on(async {
        let endpoint = Endpoint::open(settings).await.map_err(Failure::other)?;
        // Lines that a shell can evaluate; from the first, a program can read the port.
        print(exports(endpoint.url()))?;
        run.cancel().cancelled().await;
        let statistics = endpoint.statistics();
        endpoint.shutdown().await;
        if arguments.discard {
            let json = serde_json::to_string(&statistics);
            print(json.map_err(Failure::other)? + "\n")?;
        }
        Ok(())
    })
}

/// The variables with which a client reaches an endpoint. Any credentials will do; a client without any
/// would look for them elsewhere.
fn exports(url: &str) -> String {
    [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", "us-east-1"),
        // Version 1 of the AWS CLI, and boto3, read only this one.
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "hoist"),
        ("AWS_SECRET_ACCESS_KEY", "hoist"),
    ]
    .iter()
    .fold(String::new(), |lines, (name, value)| {
        lines + &format!("export {name}={value}\n")
    })
}

/// A request in the log.
fn line(answered: &Answered) -> String {
    let Answered {
        method,
        target,
        operation,
        status,
        received,
        sent,
        took,
        ..
    } = answered;
    let sent = sent.map_or_else(|| "?".to_owned(), |sent| sent.to_string());
    format!(
        "{method} {} {operation} {status}, {received} bytes in, {sent} out, {:.1} ms",
        shown(target.as_str()),
        took.as_secs_f64() * 1e3
    )
}

fn rate(text: &str) -> Result<u64, String> {
    match size::rate(text)? {
        0 => Err("a link of 0 bytes a second carries nothing".to_owned()),
        rate => Ok(rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_more_than_nothing() {
        assert_eq!(rate("40M/s"), Ok(40 << 20));
        rate("0").unwrap_err();
    }

    #[test]
    fn a_line_of_the_log_is_safe_to_print() {
        let log = Answered::new("GET", "/b/a%0Ab\u{85}?x", "GetObject", 200);
        assert!(!line(&log).contains('\u{85}'));
    }
}

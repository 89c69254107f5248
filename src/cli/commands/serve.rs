//! `hoist serve`: the embedded S3 and CodeDeploy for other clients.

use std::path::PathBuf;

use clap::Args;
use hoist::endpoint::{Endpoint, Link, Settings, Storage};

use crate::cli::Failure;
use crate::cli::args::time::{Time, time};
use crate::cli::render::print;
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Keep buckets, objects, applications and revisions in DIR
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

    /// Let the body of a request arrive at this rate on each connection, such as 40MB/s
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<u64>,

    /// Let the bodies on all connections together arrive at this rate
    #[arg(long, value_name = "RATE", value_parser = rate)]
    total_rate: Option<u64>,
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
        ..Settings::new(storage)
    };
    run.block_on(async {
        let endpoint = Endpoint::open(settings).await.map_err(Failure::other)?;
        // A line that a shell can evaluate, and from which a program can read the port.
        print(format!("export AWS_ENDPOINT_URL={}\n", endpoint.url()))?;
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

/// Parses a rate in powers of 1,000, as networks are measured.
fn rate(text: &str) -> Result<u64, String> {
    let bare = text.strip_suffix("/s").unwrap_or(text);
    let bare = bare.strip_suffix('B').unwrap_or(bare);
    let (digits, unit) = match bare.chars().last() {
        Some('k' | 'K') => (&bare[..bare.len() - 1], 1_000),
        Some('M') => (&bare[..bare.len() - 1], 1_000_000),
        Some('G') => (&bare[..bare.len() - 1], 1_000_000_000),
        _ => (bare, 1),
    };
    let number = digits.parse::<u64>().ok().filter(|number| *number > 0);
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "write bytes per second, such as 500kB/s, 40MB/s or 1GB/s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_decimal_suffixes() {
        for (text, bytes) in [
            ("1000", 1_000),
            ("500kB/s", 500_000),
            ("40MB/s", 40_000_000),
            ("40M", 40_000_000),
            ("1GB/s", 1_000_000_000),
        ] {
            assert_eq!(rate(text), Ok(bytes), "{text}");
        }
        for bad in ["", "0", "MB/s", "-1", "1.5M", "4x", "99999999999999999999"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}

//! How a push uploads: how fast, with how much memory, for how long and checked by what.

use clap::{Args, ValueEnum};
use hoist::archive::limits::DEFAULT_CONCURRENCY;
use hoist::archive::pack::LevelPolicy;
use hoist::aws::s3::Checksum;
use hoist::push::Resume;

use super::AttemptsArgs;
use crate::cli::Failure;
use crate::cli::args::size;
use crate::cli::args::time::{self, Time};

/// The lowest bandwidth limit: 56 MiB an hour. With less, a push would only wait.
const SLOWEST: u64 = 16 << 10;

/// More requests than this S3 may refuse from one client.
const MOST_REQUESTS: usize = 64;

#[derive(Debug, Args)]
#[command(next_help_heading = "Upload")]
pub(crate) struct UploadArgs {
    /// Most requests to S3 at a time; fewer if memory does not suffice or the link is slow
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = concurrency)]
    pub(crate) concurrency: usize,

    #[command(flatten)]
    pub(crate) attempts: AttemptsArgs,

    /// Give up after this time, and abort the upload: 90s, 5m, 1h, or a number of seconds [default: no
    /// limit]
    #[arg(long, value_name = "TIME", value_parser = time::limit)]
    pub(crate) timeout: Option<Time>,

    /// Send at most this many bytes a second to S3: 500K, 10M, 1G
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) bandwidth_limit: Option<u64>,

    /// Use at most this much memory, not counting the list of files: 128M, 1G; if necessary, with
    /// fewer threads and requests at a time [default: 256M, more for archives above 78 GiB]
    #[arg(long, value_name = "SIZE", value_parser = size::size)]
    pub(crate) memory_limit: Option<u64>,

    /// Checksum that S3 verifies for every part and for the whole object
    #[arg(long, value_name = "KIND", value_enum, default_value_t = ChecksumArg::Crc64nvme)]
    checksum: ChecksumArg,

    /// Continue an unfinished upload of the same object instead of starting again; without a value:
    /// always
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = ResumeArg::Never,
        default_missing_value = "always"
    )]
    resume: ResumeArg,

    /// Read the object back and compare it with what was sent before it is registered; with
    /// --manifest, each entry's BLAKE3 too. Needs the permission s3:GetObject
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) verify: bool,

    /// Do not check before the upload that the application and the bucket exist
    #[arg(long)]
    pub(crate) no_preflight: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ChecksumArg {
    /// CRC-64/NVME, which S3 also records for the whole object
    Crc64nvme,
    /// CRC-32, for stores that do not support CRC-64/NVME
    Crc32,
    /// No checksum, for stores that support neither
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ResumeArg {
    /// Start a new upload
    Never,
    /// Continue the upload, unless another push may still be writing it
    Auto,
    /// Continue the upload, and say why if that is not possible
    Always,
}

impl UploadArgs {
    pub(crate) fn checksum(&self) -> Checksum {
        match self.checksum {
            ChecksumArg::Crc64nvme => Checksum::Crc64Nvme,
            ChecksumArg::Crc32 => Checksum::Crc32,
            ChecksumArg::None => Checksum::None,
        }
    }

    pub(crate) fn resume(&self, level: LevelPolicy) -> Result<Resume, Failure> {
        let resume = match self.resume {
            ResumeArg::Never => return Ok(Resume::Never),
            ResumeArg::Auto => Resume::Auto,
            ResumeArg::Always => Resume::Always,
        };
        if level == LevelPolicy::Auto {
            return Err(Failure::usage(
                "--resume needs the same bytes again, and --level auto does not make them; choose a level",
            ));
        }
        if self.checksum != ChecksumArg::Crc64nvme {
            return Err(Failure::usage(
                "--resume compares parts by their CRC-64/NVME; leave --checksum out",
            ));
        }
        Ok(resume)
    }
}

fn concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(requests @ 1..=MOST_REQUESTS) => Ok(requests),
        _ => Err(format!("choose from 1 to {MOST_REQUESTS}")),
    }
}

/// A bandwidth: a size a second.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    match size::rate(text)? {
        rate if rate < SLOWEST => Err(format!("choose at least {}K a second", SLOWEST >> 10)),
        rate => Ok(rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bandwidth_limit_is_not_too_low() {
        assert_eq!(rate("10M/s"), Ok(10 << 20));
        rate("15K").unwrap_err();
    }
}

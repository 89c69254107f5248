//! Options about how a push is sent: how long, how fast, with how much memory, and checked by what.

use std::time::Duration;

use clap::{Args, ValueEnum};
use hoist::aws::error::CallError;
use hoist::aws::s3::Checksum;
use hoist::push::Resume;

use crate::cli::Failure;
use crate::cli::args::LevelArg;

/// Less would be no push but a wait: 56 MiB an hour.
const SLOWEST: u64 = 16 << 10;

#[derive(Debug, Args)]
pub(crate) struct SendingArgs {
    /// Give up after so many seconds, and abort the upload [default: none]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,

    /// Send no more than this many bytes a second to S3: 500K, 10M, 1G
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) bandwidth_limit: Option<u64>,

    /// Take no more memory than this, apart from the list of files: 128M, 1G; threads and requests
    /// at a time follow [default: 256M, more above 84 GB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory_limit: Option<u64>,

    /// What S3 checks every part, and the whole, by; other stores may not know the default
    #[arg(long, value_name = "KIND", value_enum, default_value_t = ChecksumArg::Crc64nvme)]
    checksum: ChecksumArg,

    /// Go on with an upload of the same key that was not finished: always (also without a value)
    /// says why if it does not, auto leaves alone what somebody may still be writing
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ChecksumArg {
    Crc64nvme,
    Crc32,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ResumeArg {
    Never,
    Auto,
    Always,
}

impl SendingArgs {
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }

    pub(crate) fn checksum(&self) -> Checksum {
        match self.checksum {
            ChecksumArg::Crc64nvme => Checksum::Crc64Nvme,
            ChecksumArg::Crc32 => Checksum::Crc32,
            ChecksumArg::None => Checksum::None,
        }
    }

    pub(crate) fn resume(&self, level: LevelArg) -> Result<Resume, Failure> {
        let resume = match self.resume {
            ResumeArg::Never => return Ok(Resume::Never),
            ResumeArg::Auto => Resume::Auto,
            ResumeArg::Always => Resume::Always,
        };
        if level == LevelArg::Auto {
            return Err(Failure::usage(
                "--resume needs the same bytes again, and --level auto does not make them; choose a level",
            ));
        }
        if self.checksum != ChecksumArg::Crc64nvme {
            return Err(Failure::usage(
                "--resume knows parts by their CRC-64/NVME; leave --checksum out",
            ));
        }
        Ok(resume)
    }

    /// What to do about a refusal, if it is one of the checksums.
    pub(crate) fn about_checksums(&self, error: &CallError) -> Option<&'static str> {
        is_about_checksums(error).then_some(match self.checksum {
            ChecksumArg::Crc64nvme => {
                "the store may not know this checksum: try --checksum crc32, or, if it takes none, \
                 --checksum none"
            }
            ChecksumArg::Crc32 => "the store may take no checksums: try --checksum none",
            ChecksumArg::None => {
                "the bucket may ask for a checksum, as those with Object Lock do: leave --checksum out"
            }
        })
    }

    /// What failed because its time was over.
    pub(crate) fn late(&self, failure: Failure) -> Failure {
        let seconds = self.timeout.unwrap_or_default();
        let mut lines = vec![format!(
            "stopped: not done after {seconds} s, which is --timeout"
        )];
        lines.extend(failure.lines.into_iter().filter(|line| line != "stopped"));
        Failure { lines, ..failure }
    }
}

/// Whether a store says that it does not take the checksums that were sent, or wants some.
fn is_about_checksums(error: &CallError) -> bool {
    let may_mean_it = matches!(
        error.code.as_deref(),
        Some(
            "NotImplemented"
                | "InvalidArgument"
                | "InvalidRequest"
                | "MissingContentMD5"
                | "BadRequest"
        )
    );
    let message = error.message.to_ascii_lowercase();
    may_mean_it && (message.contains("checksum") || message.contains("x-amz-sdk"))
}

/// A number of bytes, with a suffix for powers of 1,024.
fn size(text: &str) -> Result<u64, String> {
    let bad = || "write a number of bytes, with K, M or G behind it for powers of 1,024".to_owned();
    let text = text.trim();
    let text = text.strip_suffix(['B', 'b']).unwrap_or(text);
    let text = text.strip_suffix(['i', 'I']).unwrap_or(text);
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(bad)
}

fn rate(text: &str) -> Result<u64, String> {
    let text = text.strip_suffix("/s").unwrap_or(text);
    match size(text)? {
        rate if rate < SLOWEST => Err(format!("choose at least {}K a second", SLOWEST >> 10)),
        rate => Ok(rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        for (text, bytes) in [
            ("1000", 1000),
            ("500K", 500 << 10),
            ("10m", 10 << 20),
            ("128MiB", 128 << 20),
            ("2GB", 2 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "M", "-1", "1.5G", "10X", "1 M", "99999999999T", "é"] {
            size(bad).unwrap_err();
        }
        assert_eq!(rate("10M/s"), Ok(10 << 20));
        rate("15K").unwrap_err();
    }

    #[test]
    fn a_store_that_knows_no_checksum_is_recognised() {
        let error = |code: &str, message: &str| CallError {
            operation: "PutObject",
            code: Some(code.to_owned()),
            message: message.to_owned(),
        };
        // Cloudflare R2, and Ceph.
        let header = "Header 'x-amz-checksum-crc64nvme' with value 'x' not implemented";
        assert!(is_about_checksums(&error("NotImplemented", header)));
        assert!(is_about_checksums(&error(
            "InvalidArgument",
            "bad checksum algorithm"
        )));
        assert!(!is_about_checksums(&error(
            "NotImplemented",
            "A header you provided"
        )));
        assert!(!is_about_checksums(&error(
            "BadDigest",
            "The checksum did not match"
        )));
    }
}

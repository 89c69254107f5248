//! Time spans on the command line, with one grammar for all options: `90s`, `5m`, `1h30m`, `7d`.

use std::fmt;
use std::time::Duration;

/// The units, each before those that it begins with.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60 * 1000),
    ("h", 3600 * 1000),
    ("d", 24 * 3600 * 1000),
];

/// A time span, which is shown as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    text: String,
    pub(crate) duration: Duration,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A time with units.
pub(crate) fn time(text: &str) -> Result<Time, String> {
    let duration =
        parse(text).ok_or("write numbers with units, such as 30ms, 90s, 5m, 1h30m or 7d")?;
    Ok(Time {
        text: text.to_owned(),
        duration,
    })
}

/// A time in seconds, or with units.
#[cfg(feature = "push")]
pub(crate) fn seconds(text: &str) -> Result<Time, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_number {
        format!("{text}s")
    } else {
        text.to_owned()
    };
    time(&text).map_err(|_| "write seconds, or a time such as 90s, 5m or 1h30m".to_owned())
}

/// A time to wait for something, which is not zero.
#[cfg(feature = "push")]
pub(crate) fn limit(text: &str) -> Result<Time, String> {
    let time = seconds(text)?;
    match time.duration.is_zero() {
        true => Err("choose at least 1s".to_owned()),
        false => Ok(time),
    }
}

/// How old an unfinished upload must be to be aborted.
#[cfg(feature = "push")]
pub(crate) fn age(text: &str) -> Result<Time, String> {
    let time = parse(text).map(|_| time(text));
    match time.ok_or("write a time such as 90m, 24h or 7d")?? {
        young if young.duration < Duration::from_secs(60) => Err(
            "choose at least 1m: an upload that has just begun belongs to a push that runs"
                .to_owned(),
        ),
        age => Ok(age),
    }
}

fn parse(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let (unit, length) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit))?;
        sum = number
            .parse::<u64>()
            .ok()?
            .checked_mul(*length)?
            .checked_add(sum)?;
        rest = &tail[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(sum))
}

#[cfg(all(test, feature = "push"))]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_numbers_with_units() {
        for (text, millis) in [
            ("30ms", 30),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("007d", 604_800_000),
            ("0ms", 0),
        ] {
            let time = time(text).unwrap();
            assert_eq!(time.duration, Duration::from_millis(millis), "{text}");
            assert_eq!(time.to_string(), text);
        }
        for bad in [
            "",
            "30",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            "3w",
            "1 h",
            " 1h",
            "1H",
            "1é",
            "99999999999999999999d",
            "18446744073709551615m",
        ] {
            time(bad).unwrap_err();
            age(bad).unwrap_err();
        }
    }

    #[test]
    fn a_number_alone_is_seconds_where_the_aws_cli_or_older_scripts_say_so() {
        for (text, secs) in [("60", 60), ("60s", 60), ("5m", 300), ("0", 0)] {
            assert_eq!(seconds(text).unwrap().duration.as_secs(), secs);
        }
        assert_eq!(limit("5m").unwrap().to_string(), "5m");
        for bad in ["", "0", "0s", "-1", "1x"] {
            limit(bad).unwrap_err();
        }
    }

    #[test]
    fn an_age_is_at_least_a_minute() {
        assert_eq!(age("24h").unwrap().duration.as_secs(), 86_400);
        for young in ["0m", "0d", "59s"] {
            assert!(age(young).unwrap_err().contains("at least 1m"), "{young}");
        }
    }
}

//! How old an upload must be to be aborted, as a user writes it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A time span of whole minutes: `90m`, `24h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    number: u64,
    unit: (char, u64),
}

/// A text is not an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAge {
    /// It is not a number and a unit.
    #[error("say a number of minutes, hours or days, as 90m, 24h or 7d")]
    Form,
    /// It is zero, so every push that runs would lose its parts.
    #[error("choose at least 1m: an upload that has just begun belongs to a push that runs")]
    Zero,
}

impl Age {
    /// The age as a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.number.saturating_mul(self.unit.1))
    }
}

impl FromStr for Age {
    type Err = BadAge;

    fn from_str(text: &str) -> Result<Self, BadAge> {
        let unit = text.chars().next_back().ok_or(BadAge::Form)?;
        let seconds = match unit {
            'm' => MINUTE,
            'h' => HOUR,
            'd' => DAY,
            _ => return Err(BadAge::Form),
        };
        let digits = &text[..text.len() - 1];
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadAge::Form);
        }
        let number: u64 = digits.parse().map_err(|_| BadAge::Form)?;
        match number.checked_mul(seconds) {
            None => Err(BadAge::Form),
            Some(0) => Err(BadAge::Zero),
            Some(_) => Ok(Self {
                number,
                unit: (unit, seconds),
            }),
        }
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.unit.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit_and_at_least_a_minute() {
        for (text, seconds) in [
            ("90m", 5400),
            ("24h", 86_400),
            ("7d", 604_800),
            ("007d", 604_800),
        ] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age.duration().as_secs(), seconds, "{text}");
        }
        assert_eq!("24h".parse::<Age>().unwrap().to_string(), "24h");
        for bad in [
            "",
            "h",
            "24",
            "24s",
            "24H",
            "1.5h",
            "-1h",
            "+1h",
            " 1h",
            "1h ",
            "1é",
            "é",
            "99999999999999999999d",
            "18446744073709551615m",
        ] {
            assert_eq!(bad.parse::<Age>(), Err(BadAge::Form), "{bad}");
        }
        for zero in ["0m", "0d", "00h"] {
            assert_eq!(zero.parse::<Age>(), Err(BadAge::Zero), "{zero}");
        }
    }
}

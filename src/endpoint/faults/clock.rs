//! The endpoint's clock, which a test can set wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::{HeaderMap, HeaderValue};
use s3s::dto::{Timestamp, TimestampFormat};

/// How far the endpoint's clock is from the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    by: Duration,
    behind: bool,
}

impl Clock {
    pub(super) fn ahead(by: Duration) -> Self {
        Self { by, behind: false }
    }

    pub(super) fn behind(by: Duration) -> Self {
        Self { by, behind: true }
    }

    fn now(self) -> SystemTime {
        let now = SystemTime::now();
        let shifted = if self.behind {
            now.checked_sub(self.by)
        } else {
            now.checked_add(self.by)
        };
        shifted.unwrap_or(now)
    }

    /// The time of this clock as an HTTP date; `None` if it is right.
    pub(super) fn wrong_date(self) -> Option<HeaderValue> {
        if self == Self::default() {
            return None;
        }
        let mut text = Vec::new();
        let time = Timestamp::from(self.now());
        time.format(TimestampFormat::HttpDate, &mut text).ok()?;
        HeaderValue::from_bytes(&text).ok()
    }

    /// Whether a request is signed for another time than that of this clock, by more than S3 or
    /// CodeDeploy allow.
    pub(super) fn refuses(self, codedeploy: bool, headers: &HeaderMap) -> bool {
        if self == Self::default() {
            return false;
        }
        let signed = headers
            .get("x-amz-date")
            .and_then(|date| date.to_str().ok());
        let Some(signed) = signed.and_then(seconds) else {
            return false;
        };
        let now = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let minutes = if codedeploy { 5 } else { 15 };
        now.as_secs().abs_diff(signed) > minutes * 60
    }
}

/// Seconds since 1970 of a time such as `20260101T000000Z`.
fn seconds(text: &str) -> Option<u64> {
    let digits = |from: usize, to: usize| text.get(from..to);
    let extended = format!(
        "{}-{}-{}T{}:{}:{}Z",
        digits(0, 4)?,
        digits(4, 6)?,
        digits(6, 8)?,
        digits(9, 11)?,
        digits(11, 13)?,
        digits(13, 15)?
    );
    let time = Timestamp::parse(TimestampFormat::DateTime, &extended).ok()?;
    let mut seconds = Vec::new();
    time.format(TimestampFormat::EpochSeconds, &mut seconds)
        .ok()?;
    let seconds = String::from_utf8(seconds).ok()?;
    seconds.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_signatures_are_read() {
        assert_eq!(seconds("19700101T000001Z"), Some(1));
        assert_eq!(seconds("20260101T000000Z"), Some(1_767_225_600));
        for bad in ["", "2026", "20261301T000000Z", "2026-01-01T00:00:00Z"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}

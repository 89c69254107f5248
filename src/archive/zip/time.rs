//! MS-DOS time. It has no time zone; hoist writes UTC, so that the same tree gives the same bytes everywhere.

/// 1980-01-01 00:00:00 UTC, the first time of the fields.
const FIRST: i64 = 315_532_800;
/// Seconds from [`FIRST`] to 2107-12-31 23:59:58, the last.
const LAST: u32 = 4_039_286_398;

/// The date field (high half) and the time field (low half) of 4.4.6 for a Unix time: UTC, clamped to
/// 1980..=2107, rounded down to two seconds.
pub(super) fn dos(mtime: i64) -> u32 {
    let since = mtime.saturating_sub(FIRST).max(0);
    let since = u32::try_from(since).unwrap_or(LAST).min(LAST);
    let (year, month, day) = civil(since / 86_400);
    let second = since % 86_400;

    let date = (year - 1980) << 9 | month << 5 | day;
    let time = (second / 3600) << 11 | (second / 60 % 60) << 5 | (second % 60 / 2);
    date << 16 | time
}

/// Year, month and day (both from 1) of a day that is counted from 1980-01-01. This is Howard Hinnant's
/// `civil_from_days`: years begin in March, and eras of 400 years have equal lengths.
fn civil(day: u32) -> (u32, u32, u32) {
    let day = day + 723_120; // from 0000-03-01
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let (month, next_year) = if from_march < 10 {
        (from_march + 3, 0)
    } else {
        (from_march - 9, 1)
    };
    (400 * era + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(mtime: i64) -> [u32; 6] {
        let dos = dos(mtime);
        let (date, time) = (dos >> 16, dos & 0xFFFF);
        [
            1980 + (date >> 9),
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            2 * (time & 31),
        ]
    }

    #[test]
    fn known_times_have_their_calendar_date() {
        // From `date -u -d @N`.
        assert_eq!(fields(951_782_399), [2000, 2, 28, 23, 59, 58]);
        assert_eq!(fields(951_782_400), [2000, 2, 29, 0, 0, 0]);
        assert_eq!(fields(951_868_800), [2000, 3, 1, 0, 0, 0]);
        assert_eq!(fields(2_147_483_647), [2038, 1, 19, 3, 14, 6]);
        assert_eq!(fields(4_107_542_399), [2100, 2, 28, 23, 59, 58]);
        assert_eq!(fields(4_107_542_400), [2100, 3, 1, 0, 0, 0]);
    }

    #[test]
    fn odd_seconds_round_down() {
        assert_eq!(dos(1_700_000_001), dos(1_700_000_000));
        assert_ne!(dos(1_700_000_002), dos(1_700_000_000));
    }

    #[test]
    fn times_are_clamped_to_1980_and_2107() {
        for early in [i64::MIN, -1, 0, FIRST - 1, FIRST, FIRST + 1] {
            assert_eq!(fields(early), [1980, 1, 1, 0, 0, 0]);
        }
        let last = FIRST + i64::from(LAST);
        assert_eq!(fields(last - 1), [2107, 12, 31, 23, 59, 56]);
        for late in [last, last + 1, last + 2, 1 << 33, i64::MAX] {
            assert_eq!(fields(late), [2107, 12, 31, 23, 59, 58]);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut previous = civil(0);
        assert_eq!(previous, (1980, 1, 1));
        for day in 1..=LAST / 86_400 {
            let (y, m, d) = previous;
            let length = match m {
                4 | 6 | 9 | 11 => 30,
                2 if y % 4 == 0 && y != 2100 => 29,
                2 => 28,
                _ => 31,
            };
            let expected = match (m, d) {
                (12, 31) => (y + 1, 1, 1),
                (m, d) if d == length => (y, m + 1, 1),
                (m, d) => (y, m, d + 1),
            };
            assert_eq!(civil(day), expected);
            previous = expected;
        }
        assert_eq!(previous, (2107, 12, 31));
    }
}

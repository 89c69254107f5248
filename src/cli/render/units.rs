//! Sizes, rates, shares and times as every output for people writes them: sizes and rates in powers of
//! 1,024, each with its unit. JSON and CSV have bytes and seconds instead.

use std::time::Duration;

use indicatif::BinaryBytes;

/// A size: `9.86 KiB`.
pub(crate) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// A rate: `9.86 MiB/s`.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", BinaryBytes(bytes_per_second))
}

/// Bytes a second.
pub(crate) fn per_second(bytes: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// Mebibytes, for tables and plots whose unit is in the head.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A share in percent, or `-` if there is no content or the archive is ten times as large, as it is
/// with empty files.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match u128::from(part) * 1000 / u128::from(whole.max(1)) {
        tenths if whole == 0 || tenths >= 10_000 => "-".to_owned(),
        tenths => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

/// How long something took.
pub(crate) fn took(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{seconds:.2} s"),
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        _ => about(time),
    }
}

/// A longer time, as exactly as one reads it: `45 s`, `3 min 20 s`, `25 min`, `2 h 5 min`.
pub(crate) fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..600 => match seconds % 60 / 10 * 10 {
            0 => format!("{} min", seconds / 60),
            tens => format!("{} min {tens} s", seconds / 60),
        },
        600..3600 => format!("{} min", seconds / 60),
        3600..360_000 => match seconds % 3600 / 60 {
            0 => format!("{} h", seconds / 3600),
            minutes => format!("{} h {minutes} min", seconds / 3600),
        },
        _ => "days".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates_are_in_powers_of_1024() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(10_098), "9.86 KiB");
        assert_eq!(size(100_000_000), "95.37 MiB");
        assert_eq!(rate(8 << 20), "8.00 MiB/s");
        assert!((mib(3 << 19) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn no_content_and_no_time_are_not_divided_by() {
        assert_eq!(percent(22, 0), "-");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(1000, 3), "-");
        assert_eq!(per_second(1000, Duration::ZERO), 1_000_000_000);
        assert_eq!(per_second(u64::MAX, Duration::ZERO), u64::MAX);
    }

    #[test]
    fn times_are_as_exact_as_one_reads_them() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (209, "3 min 20 s"),
            (1_501, "25 min"),
            (7_500, "2 h 5 min"),
            (10_800, "3 h"),
            (u64::MAX, "days"),
        ] {
            assert_eq!(about(Duration::from_secs(seconds)), text);
        }
        assert_eq!(took(Duration::from_millis(16)), "0.02 s");
        assert_eq!(took(Duration::from_millis(4_040)), "4.0 s");
        assert_eq!(took(Duration::from_secs(90)), "1 min 30 s");
    }
}

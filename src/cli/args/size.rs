//! Sizes and rates as options take them: one rule for all of them.

/// A number of bytes, with a suffix for powers of 1,024: `500K`, `10M`, `1GiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
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

/// Bytes a second, written as a size or with `/s` behind it.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    size(text.strip_suffix("/s").unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_suffix_for_powers_of_1024() {
        for (text, bytes) in [
            ("1000", 1000),
            ("500K", 500 << 10),
            ("500kB", 500 << 10),
            ("10m", 10 << 20),
            ("128MiB", 128 << 20),
            ("2GB", 2 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(rate(&format!("{text}/s")), Ok(bytes), "{text}");
        }
        for bad in ["", "M", "-1", "1.5G", "10X", "1 M", "99999999999T", "é"] {
            size(bad).unwrap_err();
            rate(bad).unwrap_err();
        }
    }
}

//! Reads an unquoted scalar as the agents read it.
//!
//! Agent 1.x reads YAML 1.1 with Ruby's Psych: `0644` is 420, `yes` is true, `12:30` is a number. Agent
//! 2.x reads YAML 1.2 with serde_yaml, to which all three are text. This module follows Psych
//! (`scalar_scanner.rb` of Psych 4), because what agent 1.x runs must not be an error.

/// A scalar as agent 1.x sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// No value: empty, `~` or `null`.
    Nil,
    Bool(bool),
    /// A whole number. A number that does not fit is the largest one.
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// `:word`, a symbol in Ruby.
    Symbol,
    /// A date or a time.
    Date,
    /// The value depends on a tag or an alias. It is not checked.
    Unknown,
}

impl Value<'_> {
    /// Whether Ruby takes the value for false in a condition.
    pub(super) fn is_false(self) -> bool {
        matches!(self, Self::Nil | Self::Bool(false))
    }
}

/// Reads an unquoted scalar.
pub(super) fn resolve(text: &str) -> Value<'_> {
    let bytes = text.as_bytes();
    let Some(&first) = bytes.first() else {
        return Value::Nil;
    };
    if is_word(text) {
        return word(text, first);
    }
    if is_time(text) || is_date(text) {
        return Value::Date;
    }
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        ".inf" | "+.inf" => return Value::Float(f64::INFINITY),
        "-.inf" => return Value::Float(f64::NEG_INFINITY),
        ".nan" => return Value::Float(f64::NAN),
        _ => {}
    }
    if first == b':' && bytes.len() > 1 {
        return Value::Symbol;
    }
    base_60(text)
        .or_else(|| float(text))
        .or_else(|| integer(text))
        .unwrap_or(Value::Text(text))
}

/// Whether Psych takes the text for a word, without looking for numbers.
fn is_word(text: &str) -> bool {
    let is_letter =
        |c: char| c.is_alphabetic() || c.is_whitespace() || "_!@#$%^&*(){}<>|/\\~;=".contains(c);
    let mut chars = text.chars();
    let (Some(first), second) = (chars.next(), chars.next()) else {
        return false;
    };
    let begins = !first.is_ascii_digit() && !".:-".contains(first);
    is_letter(first) || begins && second.is_some_and(is_letter) || text.contains('\n')
}

fn word(text: &str, first: u8) -> Value<'_> {
    if text.chars().count() > 5 || !b"ytonf~".contains(&first.to_ascii_lowercase()) {
        return Value::Text(text);
    }
    match text.to_ascii_lowercase().as_str() {
        "~" | "null" => Value::Nil,
        "yes" | "true" | "on" => Value::Bool(true),
        "no" | "false" | "off" => Value::Bool(false),
        _ => Value::Text(text),
    }
}

/// Whether a number is negative, and its digits.
fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `2024-1-31`.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let digits = |part: Option<&str>, range: std::ops::RangeInclusive<usize>| {
        part.is_some_and(|part| {
            range.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    digits(parts.next(), 4..=4)
        && digits(parts.next(), 1..=2)
        && digits(parts.next(), 1..=2)
        && parts.next().is_none()
}

/// `2024-01-31 12:30:00`, with anything behind it.
fn is_time(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let at = text.find(|c: char| c == 'T' || c == 't' || c.is_whitespace());
    let Some((date, rest)) = at.map(|at| text.split_at(at)) else {
        return false;
    };
    let time = rest.trim_start_matches(['T', 't']).trim_start();
    let mut parts = time.split(':');
    let starts = |part: Option<&str>| {
        part.is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    };
    is_date(date) && starts(parts.next()) && starts(parts.next()) && starts(parts.next())
}

/// `1:30` is 5400 and `1:30:15` is 5415: Psych counts hours, minutes and seconds.
fn base_60(text: &str) -> Option<Value<'_>> {
    let (negative, digits) = split_sign(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let mut parts = whole.split(':');
    let first = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let is_sixtieth =
        |part: &&str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    let digits_only = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let is_base_60 = first.starts_with(|c: char| c.is_ascii_digit())
        && digits_only(first)
        && (1..=2).contains(&rest.len())
        && rest.iter().all(is_sixtieth)
        && fraction.is_none_or(digits_only);
    if !is_base_60 {
        return None;
    }
    if fraction.is_some() {
        // The value is a number with a fraction, which no key of an AppSpec needs.
        return Some(Value::Unknown);
    }
    let first: i64 = first.replace('_', "").parse().unwrap_or(i64::MAX);
    let mut sum = first.saturating_mul(3600);
    if negative {
        sum = -sum;
    }
    for (part, unit) in rest.iter().zip([60, 1]) {
        sum = sum.saturating_add(part.parse::<i64>().unwrap_or(0) * unit);
    }
    Some(Value::Int(sum))
}

/// A number with a decimal point.
fn float(text: &str) -> Option<Value<'_>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = unsigned.split_once('.')?;
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let is_whole = whole.is_empty()
        || whole.starts_with(|c: char| c.is_ascii_digit())
            && whole
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b','));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // Psych takes a number whose exponent has no sign for a word.
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|digits| !digits.is_empty() && are_digits(digits))
    });
    if !is_whole || !are_digits(fraction) || !is_exponent || unsigned == "." {
        return None;
    }
    let number: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    // Rust and Ruby read digits alike. On what they cannot read, Ruby raises an error.
    Some(number.parse().map_or(Value::Unknown, Value::Float))
}

/// A whole number, in any of four bases.
fn integer(text: &str) -> Option<Value<'_>> {
    let (negative, digits) = split_sign(text);
    let all = |text: &str, also: &dyn Fn(u8) -> bool| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| also(byte) || matches!(byte, b'_' | b','))
    };
    let (radix, number) = if let Some(rest) = digits.strip_prefix("0b") {
        all(rest, &|byte| matches!(byte, b'0' | b'1')).then_some((2, rest))?
    } else if let Some(rest) = digits.strip_prefix("0x") {
        all(rest, &|byte| byte.is_ascii_hexdigit()).then_some((16, rest))?
    } else if digits == "0" {
        (10, digits)
    } else if let Some(rest) = digits.strip_prefix('0') {
        all(rest, &|byte| matches!(byte, b'0'..=b'7')).then_some((8, rest))?
    } else {
        is_decimal(digits).then_some((10, digits))?
    };
    let number: String = number.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    if number.is_empty() {
        // Ruby reads "0_" as 0 and cannot read "0x_".
        return Some(if radix == 8 {
            Value::Int(0)
        } else {
            Value::Unknown
        });
    }
    let number = i64::from_str_radix(&number, radix).unwrap_or(i64::MAX);
    Some(Value::Int(if negative { -number } else { number }))
}

/// Digits that do not begin with 0, with single separators between them.
fn is_decimal(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes.first(), Some(b'1'..=b'9'))
        && bytes.last().is_some_and(u8::is_ascii_digit)
        && bytes.windows(2).all(|pair| {
            pair[1].is_ascii_digit() || matches!(pair[1], b'_' | b',') && pair[0].is_ascii_digit()
        })
}

/// Ruby's `String#to_i`: the number that a text begins with, or 0.
pub(super) fn to_i(text: &str) -> i64 {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{B}');
    let (negative, digits) = split_sign(text);
    let mut number = 0_i64;
    let mut separated = true;
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                number = number
                    .saturating_mul(10)
                    .saturating_add((byte - b'0').into());
                separated = false;
            }
            b'_' if !separated => separated = true,
            _ => break,
        }
    }
    if negative { -number } else { number }
}

/// Whether agent 2.x reads an unquoted scalar as a whole number of 32 bits.
pub(super) fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let fits = |text: &str, radix| {
        text.chars().all(|c| c.is_digit(radix)) && u32::from_str_radix(text, radix).is_ok()
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return fits(rest, radix);
        }
    }
    fits(digits, 10) && (digits == "0" || !digits.starts_with('0'))
}

/// Whether agent 2.x reads an unquoted scalar as the number 0, with or without a fraction.
pub(super) fn is_plain_zero(text: &str) -> bool {
    let signs = text.bytes().take_while(|byte| matches!(byte, b'+' | b'-'));
    signs.count() < 2 && text.parse() == Ok(0.0_f64)
}

/// Whether agent 2.x reads an unquoted scalar as true or false.
pub(super) fn is_plain_bool(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values are those of Psych 4.0.3.
    #[test]
    fn scalars_are_read_as_psych_reads_them() {
        let zero = Value::Float(0.0);
        for (value, words) in [
            (Value::Nil, &["", "~", "NULL", "nULL"][..]),
            (Value::Bool(true), &["yes", "On"]),
            (Value::Bool(false), &["off"]),
            (Value::Int(0), &["0", "0_", "0:00"]),
            (Value::Int(420), &["0644"]),
            (Value::Int(493), &["0755"]),
            (Value::Int(644), &["644"]),
            (Value::Int(-1), &["-1"]),
            (Value::Int(5), &["+5"]),
            (Value::Int(1000), &["1_000", "1,000"]),
            (Value::Int(31), &["0x1F", "0b11111"]),
            (Value::Int(45_000), &["12:30"]),
            (Value::Int(5415), &["1:30:15"]),
            (Value::Int(i64::MAX), &["99999999999999999999"]),
            (zero, &["0.0", "-0.0", "0.", ".0", "0.0e+0"]),
            (Value::Float(1.5), &["1.5"]),
            (Value::Float(f64::INFINITY), &[".inf"]),
            (Value::Symbol, &[":x"]),
            (Value::Unknown, &["0x_"]),
            (
                Value::Date,
                &["2024-01-31", "2024-01-31 12:30:00", "2024-01-31T12:30:00Z"],
            ),
        ] {
            for word in words {
                assert_eq!(resolve(word), value, "{word}");
            }
        }
        for word in [
            "y",
            "n",
            "linux",
            "0888",
            "0o644",
            "1__0",
            ".",
            "0.0e0",
            "1e3",
            "12:60",
            "30s",
            "u:bob:rwx",
            ":",
            "1.2.3",
            "-",
            "é",
            "0.0\u{2028}x",
        ] {
            assert_eq!(resolve(word), Value::Text(word));
        }
        assert!(matches!(resolve(".NaN"), Value::Float(nan) if nan.is_nan()));
    }

    #[test]
    fn to_i_reads_the_number_at_the_beginning_of_a_text() {
        let texts = [
            "300", " \t30s", "1_0x", "1__0", "_1", "abc", "-5", "0x10", "",
        ];
        assert_eq!(texts.map(to_i), [300, 30, 10, 1, 0, 0, -5, 0, 0]);
    }

    #[test]
    fn agent_2_reads_fewer_texts_as_numbers_and_booleans() {
        for number in ["0", "30", "+30", "0x1f"] {
            assert!(is_plain_number(number), "{number}");
        }
        for text in ["", "030", "1_000", "1.5", "30s", "12:30", "-5"] {
            assert!(!is_plain_number(text), "{text}");
        }
        assert!(is_plain_number("4294967295") && !is_plain_number("4294967296"));
        for zero in ["0", "00", "0.0", "-0.0", "+0", "0.", ".0", "0.0e+0"] {
            assert!(is_plain_zero(zero), "{zero}");
        }
        for other in ["0x0", "0b0", "0_0", "0:0", "0,0", "0_", "+-0", "1.0", ""] {
            assert!(!is_plain_zero(other), "{other}");
        }
        assert!(is_plain_bool("True") && !is_plain_bool("yes"));
    }

    proptest! {
        #[test]
        fn any_text_can_be_resolved(word in ".{0,12}", digits in "[-+0-9a-fxoe_,:. TZ]{0,20}") {
            resolve(&word);
            resolve(&digits);
            to_i(&word);
            to_i(&digits);
        }
    }
}

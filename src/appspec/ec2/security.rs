//! Parses entries of access control lists and SELinux ranges, as agent 1.x does (`ace_info.rb` and
//! `range_info.rb` of aws-codedeploy-agent 1.8.1), and tells what agent 2.x refuses of that (`acl.rs` and
//! `selinux.rs` of 2.1.0).

/// Whether agent 2.x takes an entry that agent 1.x takes.
pub(super) fn is_ace_2(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let rest = match parts.as_slice() {
        ["d" | "default", rest @ ..] => rest,
        all => all,
    };
    let is_kind = |kind: &str| {
        matches!(
            kind,
            "user" | "u" | "group" | "g" | "mask" | "m" | "other" | "o"
        )
    };
    parts.len() <= 4 && rest.len() >= 3 && is_kind(rest[0])
}

/// Whether agent 2.x takes a range that agent 1.x takes: a sensitivity has 8 bits there, and no part of
/// the list is empty.
pub(super) fn is_range_2(text: &str) -> bool {
    let (sensitivity, categories) = text.split_once(':').unwrap_or((text, "c0"));
    let fits = |level: &str| {
        level
            .get(1..)
            .is_some_and(|digits| digits.parse::<u8>().is_ok())
    };
    let is_category = |part: &str| {
        part.split('.').all(|end| {
            end.get(1..)
                .is_some_and(|digits| digits.parse::<u16>().is_ok())
        })
    };
    sensitivity.split('-').all(fits) && categories.split(',').all(is_category)
}

/// Checks one entry: `[default:][user|group|mask|other:]NAME:PERMISSIONS`. Returns whether it is for the
/// files that a directory will get.
pub(super) fn ace(text: &str) -> Result<bool, &'static str> {
    const SHAPE: &str = "an entry is [default:]user|group|mask|other:NAME:PERMISSIONS";
    let mut parts: Vec<&str> = text.split(':').collect();
    if text.is_empty() || !(2..=4).contains(&parts.len()) {
        return Err(SHAPE);
    }
    parts.reverse();
    let is_default = |part: &str| matches!(part, "d" | "default");
    let mut default = false;
    if let Some(part) = parts.get(3) {
        if !is_default(part) {
            return Err(SHAPE);
        }
        default = true;
    }
    let mut kind = None;
    if let Some(&part) = parts.get(2) {
        match part {
            part if is_default(part) && default => return Err(SHAPE),
            part if is_default(part) => default = true,
            "m" | "mask" => kind = Some("mask"),
            "o" | "other" => kind = Some("other"),
            "g" | "group" => kind = Some("group"),
            "u" | "user" => kind = Some("user"),
            _ => return Err(SHAPE),
        }
    }
    let (kind, name) = match (parts[1], kind) {
        ("m" | "mask", None) => ("mask", ""),
        ("m" | "mask", Some(kind)) => (kind, "mask"),
        ("o" | "other", None) => ("other", ""),
        ("o" | "other", Some(kind)) => (kind, "other"),
        (name, kind) => (kind.unwrap_or("user"), name),
    };
    if matches!(kind, "mask" | "other") && !name.is_empty() {
        return Err("mask and other have no name");
    }
    if !default && kind != "mask" && name.is_empty() {
        return Err("these permissions are set with mode; use mode");
    }
    let permissions = parts[0];
    let is_digit = matches!(permissions.as_bytes(), [b'0'..=b'7']);
    if !is_digit
        && !permissions
            .chars()
            .all(|c| matches!(c, 'r' | 'w' | 'x' | '-'))
    {
        return Err("permissions are letters r, w, x and -, or one digit");
    }
    Ok(default)
}

/// Checks a range: `s0-s3:c0.c10,c12`.
pub(super) fn range(text: &str) -> Result<(), &'static str> {
    const SHAPE: &str = "a range is like s0, s0-s3 or s0-s3:c0.c10,c12";
    let halves = |text: &str, at: char| -> Result<(String, Option<String>), &'static str> {
        match text.split_once(at) {
            Some((a, b)) if !a.is_empty() && !b.is_empty() => {
                Ok((a.to_owned(), Some(b.to_owned())))
            }
            None if !text.is_empty() => Ok((text.to_owned(), None)),
            _ => Err(SHAPE),
        }
    };
    let number = |text: &str, letter: char| -> Result<u64, &'static str> {
        let digits = text.strip_prefix(letter).ok_or(SHAPE)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SHAPE);
        }
        Ok(digits.parse().unwrap_or(u64::MAX))
    };
    let category = |text: &str| match number(text, 'c')? {
        category @ 0..=1023 => Ok(category),
        _ => Err("categories end at c1023"),
    };
    let (sensitivity, categories) = halves(text, ':')?;
    let (low, high) = halves(&sensitivity, '-')?;
    let low = number(&low, 's')?;
    let high = high.map_or(Ok(low), |high| number(&high, 's'))?;
    if high < low {
        return Err("it ends before it begins");
    }
    let mut seen = [false; 1024];
    for part in ruby_split(categories.as_deref().unwrap_or_default()) {
        let (first, last) = if part.contains('.') {
            let (first, last) = halves(part, '.')?;
            let first = category(&first)?;
            (first, category(last.as_deref().unwrap_or_default())?)
        } else {
            let only = category(part)?;
            (only, only)
        };
        if last < first {
            return Err("categories end before they begin");
        }
        for category in first..=last {
            let seen = usize::try_from(category)
                .ok()
                .and_then(|at| seen.get_mut(at));
            if seen.is_some_and(|seen| std::mem::replace(seen, true)) {
                return Err("a category is there twice");
            }
        }
    }
    Ok(())
}

/// Ruby's `split(",")`, which drops empty parts at the end.
fn ruby_split(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_end_matches(',');
    text.split(',').filter(move |_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_access_control_lists_are_accepted_as_the_agent_accepts_them() {
        for good in [
            "u:bob:rwx",
            "bob:r",
            "group:dev:5",
            "mask::r-x",
            "m:rw",
            "d:u::rwx",
            "default:other::-",
            "d::rw",
            "u:mask:r",
            "u:bob:",
        ] {
            assert!(ace(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "rwx",
            "u::rw",
            "::rw",
            "other::r",
            "mask:bob:r",
            "x:bob:r",
            "d:d:bob:r",
            "u:u:bob:r",
            "a:b:c:d:e",
            "u:bob:8",
            "u:bob:rwX",
        ] {
            assert!(ace(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn agent_2_refuses_entries_in_two_parts_and_some_ranges() {
        for one in ["bob:r", "m:rw", "d::7", "d:o:r", "a:rwx"] {
            assert!(ace(one).is_ok() && !is_ace_2(one), "{one}");
        }
        for both in [
            "u:bob:rwx",
            "mask::r",
            "d:u::rwx",
            "default:other::-",
            "u:bob:",
        ] {
            assert!(ace(both).is_ok() && is_ace_2(both), "{both}");
        }
        for one in ["s256", "s0-s256", "s0:c0,", "s0:c1,c2,,"] {
            assert!(range(one).is_ok() && !is_range_2(one), "{one}");
        }
        for both in ["s0", "s0-s3:c0.c10,c12", "s255:c1023", "s007"] {
            assert!(range(both).is_ok() && is_range_2(both), "{both}");
        }
    }

    #[test]
    fn selinux_ranges_are_accepted_as_the_agent_accepts_them() {
        for good in ["s0", "s0-s3", "s0-s0:c0", "s1:c0.c10,c12", "s0:c1,", "s007"] {
            assert_eq!(range(good), Ok(()), "{good}");
        }
        for bad in [
            "", "0", "s", "sx", "s3-s0", "s0-", "s0:", "s0:c1024", "s0:c2.c1", "s0:c1,c1",
            "s0:,c1", "s0:c1.", "s0-s1-s2", "s0:c1:c2",
        ] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}

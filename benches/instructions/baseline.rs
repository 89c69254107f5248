//! The committed counts, and their comparison with new ones.
//!
//! Counts of another compiler, target, profile or processor cannot be compared, so they are refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A count may be this many parts in a thousand above its baseline.
pub(crate) const TOLERANCE: u64 = 30;

/// The keys whose values must be equal for counts to be compared.
const MUST_MATCH: [&str; 4] = ["rustc", "target", "profile", "cpu"];

const HEAD: &str = "\
# Instructions that each case of benches/instructions takes, counted by callgrind.
#
# They hold for the rustc, target, profile and processor features below (as valgrind shows them: it
# has no AVX-512, whatever the host has) and for no other; the check fails if one differs. The C
# compiler (libdeflate), the C library and valgrind are noted because a new one may move counts too.
#
# After an intended change, or for a new rustc, write this file anew and say why in the commit:
#
#     cargo bench --profile instructions --no-default-features --bench instructions -- bless

";

/// Counts, and where they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// rustc, target and other surroundings.
    pub(crate) about: BTreeMap<String, String>,
    /// Instructions, by case.
    pub(crate) cases: BTreeMap<String, u64>,
}

impl Counts {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut counts = Self::default();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (key, value) = line
                .split_once(' ')
                .map(|(key, value)| (key.to_owned(), value.trim()))
                .ok_or_else(|| format!("not a line of the baseline: {line}"))?;
            let before = if let Some(case) = key.strip_prefix("case:") {
                let count = value
                    .parse()
                    .map_err(|_| format!("not a count of instructions: {line}"))?;
                counts.cases.insert(case.to_owned(), count).is_some()
            } else {
                counts.about.insert(key.clone(), value.to_owned()).is_some()
            };
            if before {
                return Err(format!("the baseline says {key} twice"));
            }
        }
        Ok(counts)
    }

    pub(crate) fn render(&self) -> String {
        let mut text = HEAD.to_owned();
        for (key, value) in &self.about {
            let _ = writeln!(text, "{key} {value}");
        }
        text.push('\n');
        for (case, count) in &self.cases {
            let _ = writeln!(text, "case:{case} {count}");
        }
        text
    }
}

/// The result of a comparison.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// One line for each case.
    pub(crate) table: Vec<String>,
    /// Reasons to refuse the change.
    pub(crate) failures: Vec<String>,
    /// Further information.
    pub(crate) notes: Vec<String>,
}

/// Compares the counts of now with the baseline.
pub(crate) fn judge(baseline: &Counts, now: &Counts) -> Verdict {
    let mut verdict = Verdict::default();
    let said = |counts: &Counts, key: &str| counts.about.get(key).cloned().unwrap_or_default();
    for key in now.about.keys() {
        let (then, here) = (said(baseline, key), said(now, key));
        if then == here {
            continue;
        }
        let line = format!("{key}: the baseline is of '{then}', this is '{here}'");
        if MUST_MATCH.contains(&key.as_str()) {
            verdict.failures.push(line);
        } else {
            verdict.notes.push(line);
        }
    }
    if !verdict.failures.is_empty() {
        return verdict;
    }
    for (case, &count) in &now.cases {
        let Some(&then) = baseline.cases.get(case) else {
            verdict
                .failures
                .push(format!("{case}: the baseline has no count"));
            continue;
        };
        let change = change(then, count);
        verdict
            .table
            .push(format!("{case:<14} {then:>13} {count:>13} {change:>8}"));
        if u128::from(count) * 1000 > u128::from(then) * u128::from(1000 + TOLERANCE) {
            verdict
                .failures
                .push(format!("{case}: {change} instructions"));
        } else if u128::from(count) * 1000 < u128::from(then) * u128::from(1000 - TOLERANCE) {
            verdict.notes.push(format!(
                "{case}: {change} instructions; bless it, to keep it"
            ));
        }
    }
    for case in baseline.cases.keys() {
        if !now.cases.contains_key(case) {
            verdict
                .failures
                .push(format!("{case}: in the baseline, but not counted"));
        }
    }
    verdict
}

/// From `then` to `now`, in percent.
fn change(then: u64, now: u64) -> String {
    let hundredths = (i128::from(now) - i128::from(then)) * 10_000 / i128::from(then.max(1));
    let sign = if hundredths < 0 { '-' } else { '+' };
    let hundredths = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}%", hundredths / 100, hundredths % 100)
}

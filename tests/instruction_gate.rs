//! The comparison of instruction counts fails when it should. This needs no valgrind.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../benches/instructions/baseline.rs"]
mod baseline;

use baseline::{Counts, judge};

const COMMITTED: &str = include_str!("../benches/instructions.txt");

fn counts(rustc: &str, cases: &[(&str, u64)]) -> Counts {
    let about = [("rustc", rustc), ("libc", "glibc 2.36")];
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Counts {
        about: about.map(owned).into(),
        cases: cases.iter().map(|&(n, c)| (n.to_owned(), c)).collect(),
    }
}

#[test]
fn three_percent_more_pass_and_one_instruction_above_that_fails() {
    let baseline = counts("1.95", &[("a", 10_000), ("b", 50_000)]);
    let judged = |a| judge(&baseline, &counts("1.95", &[("a", a), ("b", 50_000)]));
    for a in [9_700, 10_000, 10_300] {
        let verdict = judged(a);
        assert!(verdict.failures.is_empty() && verdict.notes.is_empty());
        assert_eq!(verdict.table.len(), 2);
    }
    assert_eq!(judged(10_301).failures, ["a: +3.01% instructions"]);
    assert_eq!(judged(u64::MAX).failures.len(), 1);
    let better = judged(9_699);
    assert!(better.failures.is_empty());
    assert_eq!(
        better.notes,
        ["a: -3.01% instructions; bless it, to keep it"]
    );
}

#[test]
fn counts_of_another_or_unknown_compiler_are_refused() {
    let verdict = judge(&counts("1.95", &[("a", 1)]), &counts("1.96", &[("a", 1)]));
    assert_eq!(
        verdict.failures,
        ["rustc: the baseline is of '1.95', this is '1.96'"]
    );
    assert!(verdict.table.is_empty());
    // Of an unknown compiler.
    let verdict = judge(&Counts::default(), &counts("1.95", &[]));
    assert_eq!(verdict.failures.len(), 1);
    let mut other_libc = counts("1.95", &[]);
    other_libc.about.insert("libc".into(), "musl".into());
    let verdict = judge(&counts("1.95", &[]), &other_libc);
    assert!(verdict.failures.is_empty());
    assert_eq!(verdict.notes.len(), 1);
}

#[test]
fn a_case_without_a_baseline_and_one_without_a_count_fail() {
    let (one, other) = (counts("1.95", &[("a", 1)]), counts("1.95", &[("b", 1)]));
    assert_eq!(
        judge(&one, &other).failures,
        [
            "b: the baseline has no count",
            "a: in the baseline, but not counted"
        ]
    );
}

#[test]
fn a_baseline_is_read_as_it_was_written() {
    let written = counts("1.95.0 (x 2026)", &[("a-b", 7), ("c", u64::MAX)]);
    assert_eq!(Counts::parse(&written.render()), Ok(written));
    for bad in [
        "word",
        "case:a x",
        "case:a -1",
        "case:a 1\ncase:a 1",
        "rustc 1\nrustc 2",
    ] {
        assert!(Counts::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_committed_baseline_has_all_keys_and_is_in_the_written_form() {
    let committed = Counts::parse(COMMITTED).unwrap();
    for key in ["rustc", "target", "profile", "cpu"] {
        assert!(committed.about.contains_key(key), "{key}");
    }
    assert!(committed.cases.len() > 4);
    assert_eq!(committed.render(), COMMITTED);
}

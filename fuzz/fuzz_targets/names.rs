//! The name rules, compared with a plain statement of them.

#![no_main]

use arbitrary::Arbitrary;
use hoist::archive::zip::{NonUtf8, Shown, check_name, check_order};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    names: Vec<&'a [u8]>,
    sort: bool,
}

fn may_be_written(name: &[u8]) -> bool {
    let components: Vec<&[u8]> = name.split(|byte| *byte == b'/').collect();
    let (last, folders) = components.split_last().unwrap();
    let good =
        |component: &[u8]| !matches!(component, b"" | b"." | b"..") && component.len() <= 255;
    let version = last
        .iter()
        .rposition(|byte| *byte == b';')
        .is_some_and(|at| last[at + 1..].iter().all(u8::is_ascii_digit));
    // A directory's name ends in a slash, so its last component is empty.
    let directory = last.is_empty() && !folders.is_empty();
    name.len() <= 4096
        && !name.iter().any(|byte| matches!(byte, 0..=31 | 127 | 255))
        && folders.iter().all(|folder| good(folder))
        && (directory || good(last) && !version)
}

fn may_stand_together(names: &[&[u8]]) -> bool {
    let inside = |name: &[u8], file: &[u8]| {
        name.strip_prefix(file)
            .is_some_and(|rest| rest.starts_with(b"/"))
    };
    let clash = names
        .iter()
        .any(|file| !file.ends_with(b"/") && names.iter().any(|name| inside(name, file)));
    names.iter().all(|name| !name.is_empty()) && names.is_sorted_by(|a, b| a < b) && !clash
}

fuzz_target!(|input: Input<'_>| {
    let mut names = input.names;
    for name in &names {
        let raw = check_name(name, NonUtf8::Raw);
        assert_eq!(raw.is_ok(), may_be_written(name), "{name:?}: {raw:?}");
        let strict = check_name(name, NonUtf8::Refuse);
        let utf8 = std::str::from_utf8(name).is_ok();
        assert_eq!(strict.is_ok(), raw.is_ok() && utf8, "{name:?}: {strict:?}");
        let shown = Shown::new(name).to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }

    if input.sort {
        names.sort();
        names.dedup();
    }
    let order = check_order(names.iter().copied());
    let expected = may_stand_together(&names);
    assert_eq!(order.is_ok(), expected, "{names:?}: {order:?}");
});

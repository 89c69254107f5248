//! The screens of a push over a slow link, at every width, as docs/output.md shows them.

use std::time::Duration;

use console::measure_text_width;
use hoist::progress::{Phase, Snapshot};

use super::line::{Look, bar, plain};
use super::meter::{Body, Meter, Screen};
use super::view::View;

const MIB: u64 = 1 << 20;
/// A link of 1 MiB/s.
const LINK: u64 = MIB;
const ARCHIVE: u64 = 100 * MIB;
const FILES: u64 = 5_000;
/// The content is two and a half times as large as the archive.
const CONTENT: u64 = ARCHIVE / 2 * 5;
/// So far is the packer ahead of the link.
const AHEAD: u64 = 40 * MIB;
const PART: u64 = 8 * MIB;

const LOOK: Look = Look {
    unicode: true,
    color: false,
};

/// The counters at a time after the beginning.
fn at(time: Duration) -> Snapshot {
    let millis = u64::try_from(time.as_millis()).unwrap();
    let handed_over = (LINK * millis / 1000).min(ARCHIVE);
    // The store confirms a part half a second after its last byte, and completes the upload in five.
    let confirmed = (LINK * millis.saturating_sub(500) / 1000).min(ARCHIVE);
    let confirmed = if confirmed == ARCHIVE {
        ARCHIVE
    } else {
        confirmed / PART * PART
    };
    let out = (handed_over + AHEAD).min(ARCHIVE);
    Snapshot {
        at: time,
        phase: Phase::Sending,
        files_planned: FILES,
        bytes_planned: CONTENT,
        files_packed: FILES * out / ARCHIVE,
        bytes_packed: CONTENT / ARCHIVE * out + CONTENT % ARCHIVE * out / ARCHIVE,
        bytes_out: out,
        archive: (out == ARCHIVE).then_some(ARCHIVE),
        bytes_sent: confirmed,
        bytes_under_way: handed_over - confirmed,
        ..Snapshot::default()
    }
}

/// The screen after so many seconds, looked at ten times a second as the display does.
fn screen(seconds: u64) -> Screen {
    let mut meter = Meter::default();
    let mut shown = None;
    for tenths in 0..=seconds * 10 {
        let time = Duration::from_millis(tenths * 100);
        shown = Some(meter.look(View::push(&at(time)), time));
    }
    shown.unwrap()
}

/// At the beginning, in the middle, and when S3 completes the upload.
const TIMES: [u64; 3] = [6, 51, 104];

#[test]
fn the_screens_in_the_documentation_are_what_is_drawn() {
    let mut block = String::new();
    for width in [40, 80, 120] {
        for seconds in TIMES {
            block.push_str(&bar(&screen(seconds), width, LOOK));
            block.push('\n');
        }
        block.push('\n');
    }
    let plain: Vec<String> = [10, 50, 104]
        .map(|seconds| format!("hoist: {}", plain(&screen(seconds))))
        .into();
    let docs = include_str!("../../../../docs/output.md");
    for block in [block.trim_end(), &plain.join("\n")] {
        let fenced = format!("```text\n{block}\n```");
        assert!(
            docs.contains(&fenced),
            "docs/output.md must have:\n{fenced}"
        );
    }
}

#[test]
fn a_line_fits_any_width_and_the_most_important_fields_stay() {
    for seconds in 0..105 {
        let screen = screen(seconds);
        for width in 0..220 {
            for unicode in [true, false] {
                let look = Look {
                    unicode,
                    color: false,
                };
                let line = bar(&screen, width, look);
                let columns = measure_text_width(&line);
                assert!(columns < width.max(1), "{columns} of {width}: {line}");
                assert!(unicode || line.is_ascii(), "{line}");
                let Body::Measured(measured) = &screen.body else {
                    panic!("not measured");
                };
                let percent = format!("{:>3}%", measured.percent());
                assert!(width < 6 || line.starts_with(&percent), "{line}");
                if width >= 20 && seconds > 2 && seconds < 100 {
                    assert!(line.contains(" left"), "{width}: {line}");
                }
                if width >= 40 && seconds > 2 && seconds < 100 {
                    assert!(line.contains("iB/s"), "{width}: {line}");
                }
                if width >= 80 && seconds > 2 {
                    assert!(line.contains(" sent"), "{width}: {line}");
                }
            }
        }
    }
}

#[test]
fn the_per_cent_of_a_push_never_fall_and_end_at_a_hundred() {
    let mut meter = Meter::default();
    let mut last = 0;
    for tenths in 0..1_060 {
        let time = Duration::from_millis(tenths * 100);
        let Body::Measured(now) = meter.look(View::push(&at(time)), time).body else {
            panic!("not measured");
        };
        assert!(now.percent() >= last && now.percent() <= 100);
        last = now.percent();
        // The truth: one per cent a second.
        let seconds = u8::try_from(tenths / 10).unwrap().min(100);
        assert!(last.abs_diff(seconds) <= 7, "{last}% after {seconds} s");
        assert!(last < 100 || tenths >= 1_005, "{last}% after {seconds} s");
    }
    assert_eq!(last, 100);
}

#[test]
fn a_text_that_does_not_fit_gives_way_to_a_shorter_one() {
    let screen = Meter::default().look(View::stopping(true, true), Duration::ZERO);
    let of = |width| bar(&screen, width, LOOK);
    assert_eq!(
        of(80),
        "stopping: aborting the upload, Ctrl-C again to leave it"
    );
    assert_eq!(of(40), "stopping, Ctrl-C again to leave it");
    assert_eq!(of(20), "stopping");
    assert_eq!(of(5), "sto…");
}

#[test]
fn colors_take_no_columns() {
    let look = Look {
        color: true,
        ..LOOK
    };
    for width in [40, 80, 120] {
        let line = bar(&screen(50), width, look);
        let drawn = console::strip_ansi_codes(&line);
        assert_eq!(drawn, bar(&screen(50), width, LOOK));
    }
    assert!(bar(&screen(50), 120, look).contains("\u{1b}["));
}

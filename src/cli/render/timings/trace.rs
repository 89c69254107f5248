//! A timeline in the Trace Event Format, which Perfetto and Chrome read ("Trace Event Format",
//! Google, 2016).
//!
//! Each thread is a track. Requests overlap, so each is an asynchronous event. Queues are counters.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use hoist::progress::{Snapshot, Span, Track};
use serde_json::{Value, json};

use super::table::queues;

/// Writes the timeline to `file`.
pub(super) fn write(file: &Path, spans: &[Span], samples: &[Snapshot]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    write_to(&mut out, spans, samples)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(())
}

fn write_to(out: &mut impl Write, spans: &[Span], samples: &[Snapshot]) -> io::Result<()> {
    let mut first = true;
    let mut event = |value: Value| {
        let comma = if std::mem::take(&mut first) {
            "[\n"
        } else {
            ",\n"
        };
        out.write_all(comma.as_bytes())?;
        serde_json::to_writer(&mut *out, &value).map_err(io::Error::from)
    };
    event(json!({"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "hoist"}}))?;
    let mut tracks: Vec<Track> = spans.iter().map(|span| span.track).collect();
    tracks.sort_unstable();
    tracks.dedup();
    for track in tracks {
        let Some((thread, name)) = thread(track) else {
            continue;
        };
        event(json!({
            "ph": "M", "pid": 1, "tid": thread, "name": "thread_name", "args": {"name": name},
        }))?;
    }
    for span in spans {
        let (start, end) = (micros(span.start), micros(span.end));
        match (span.track, thread(span.track)) {
            (Track::Part(number), _) => {
                for (phase, at) in [("b", start), ("e", end)] {
                    event(json!({
                        "ph": phase, "cat": "part", "id": number, "pid": 1, "tid": 0, "ts": at,
                        "name": format!("part {number}"), "args": {"bytes": span.bytes},
                    }))?;
                }
            }
            (_, Some((thread, _))) => event(json!({
                "ph": "X", "pid": 1, "tid": thread, "ts": start, "dur": (end - start).max(0.0),
                "name": span.name, "args": {"bytes": span.bytes},
            }))?,
            (_, None) => {}
        }
    }
    for sample in samples {
        for (name, of) in queues() {
            event(json!({
                "ph": "C", "pid": 1, "ts": micros(sample.at), "name": name,
                "args": {"depth": of(sample)},
            }))?;
        }
    }
    out.write_all(b"\n]\n")
}

/// The thread of a track and its name; None for a request.
fn thread(track: Track) -> Option<(usize, String)> {
    match track {
        Track::Main => Some((1, "main".into())),
        Track::Dispatcher => Some((2, "dispatcher".into())),
        Track::Assembler => Some((3, "assembler".into())),
        Track::Upload => Some((4, "upload".into())),
        Track::Worker(worker) => Some((10 + worker, format!("worker {worker}"))),
        Track::Part(_) => None,
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_json_and_its_events_begin_before_they_end() {
        let span = |track, start, end| Span {
            track,
            name: "work",
            start: Duration::from_millis(start),
            end: Duration::from_millis(end),
            bytes: 7,
        };
        let spans = [
            span(Track::Worker(3), 1, 5),
            span(Track::Part(1), 2, 9),
            span(Track::Part(2), 3, 4),
            span(Track::Main, 0, 1),
        ];
        let mut out = Vec::new();
        write_to(&mut out, &spans, &[Snapshot::default()]).unwrap();
        let events: Vec<Value> = serde_json::from_slice(&out).unwrap();
        let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
        assert_eq!(
            [of("X"), of("b"), of("e"), of("C"), of("M")],
            [2, 2, 2, 4, 3]
        );
        for event in events.iter().filter(|event| event["ph"] == "X") {
            assert!(event["dur"].as_f64().unwrap() > 0.0, "{event}");
        }
        let begun = events
            .iter()
            .position(|event| event["ph"] == "b" && event["id"] == 2);
        let ended = events
            .iter()
            .position(|event| event["ph"] == "e" && event["id"] == 2);
        assert!(begun.unwrap() < ended.unwrap());
    }

    #[test]
    fn a_timeline_without_events_is_valid() {
        let mut out = Vec::new();
        write_to(&mut out, &[], &[]).unwrap();
        assert_eq!(serde_json::from_slice::<Vec<Value>>(&out).unwrap().len(), 1);
    }
}

//! What the endpoint saw.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::http::Spent;

/// Counts since the start or the last reset.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Requests by operation.
    requests: BTreeMap<&'static str, u64>,
    /// Headers of parts and objects that cost the client something, or their lack.
    violations: BTreeMap<&'static str, u64>,
    /// Requests that nobody knows, as they came. The first few.
    unknown: Vec<String>,
    bytes: u64,
    repeated: u64,
    continued: u64,
    connections: u64,
    open: u64,
    most_open: u64,
    parts: u64,
    most_parts: u64,
    part_time: Duration,
    spent: Spent,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Stats {
    /// Forgets all but what is still under way.
    pub(crate) fn reset(&mut self) {
        let (open, parts) = (self.open, self.parts);
        *self = Self {
            connections: open,
            open,
            most_open: open,
            parts,
            most_parts: parts,
            ..Self::default()
        };
    }

    pub(crate) fn opened(&mut self) {
        self.connections += 1;
        self.open += 1;
        self.most_open = self.most_open.max(self.open);
    }

    pub(crate) fn closed(&mut self) {
        self.open -= 1;
    }

    pub(crate) fn request(&mut self, operation: &'static str) {
        *self.requests.entry(operation).or_default() += 1;
    }

    pub(crate) fn violation(&mut self, what: &'static str) {
        *self.violations.entry(what).or_default() += 1;
    }

    pub(crate) fn unknown(&mut self, request: String) {
        const KEPT: usize = 10;
        self.request("unknown");
        if self.unknown.len() < KEPT {
            self.unknown.push(request);
        }
    }

    pub(crate) fn repeated(&mut self) {
        self.repeated += 1;
    }

    pub(crate) fn continued(&mut self) {
        self.continued += 1;
    }

    pub(crate) fn part_begins(&mut self) {
        self.parts += 1;
        self.most_parts = self.most_parts.max(self.parts);
    }

    /// Some of a part's bytes came.
    pub(crate) fn came(&mut self, bytes: u64, now: Instant) {
        self.bytes += bytes;
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// A part ends, whether it came whole or not.
    pub(crate) fn part_ends(&mut self, took: Duration, spent: Spent) {
        self.parts -= 1;
        self.part_time += took;
        self.spent.waiting += spent.waiting;
        self.spent.carrying += spent.carrying;
    }

    /// One line of JSON. Times are seconds.
    pub(crate) fn json(&self) -> String {
        let map = |map: &BTreeMap<&str, u64>| {
            let pairs: Vec<String> = map
                .iter()
                .map(|(k, n)| format!("{}:{n}", text(k)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        };
        let unknown: Vec<String> = self.unknown.iter().map(|request| text(request)).collect();
        let span = match (self.first, self.last) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        };
        format!(
            "{{\"bytes\":{},\"requests\":{},\"violations\":{},\"unknown\":[{}],\
             \"repeated_parts\":{},\"expect_continue\":{},\
             \"connections\":{},\"most_connections\":{},\"most_parts\":{},\
             \"part_bytes_seconds\":{:.6},\"part_request_seconds\":{:.6},\
             \"waiting_for_client_seconds\":{:.6},\"carrying_seconds\":{:.6}}}",
            self.bytes,
            map(&self.requests),
            map(&self.violations),
            unknown.join(","),
            self.repeated,
            self.continued,
            self.connections,
            self.most_open,
            self.most_parts,
            span.as_secs_f64(),
            self.part_time.as_secs_f64(),
            self.spent.waiting.as_secs_f64(),
            self.spent.carrying.as_secs_f64(),
        )
    }
}

/// A JSON string.
fn text(raw: &str) -> String {
    let mut out = String::from('"');
    for c in raw.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_one_time_is_kept_and_a_reset_keeps_what_is_under_way() {
        let mut stats = Stats::default();
        stats.opened();
        stats.opened();
        stats.part_begins();
        stats.part_begins();
        stats.part_ends(Duration::from_secs(1), Spent::default());
        stats.closed();
        let json = stats.json();
        for field in [
            "\"most_parts\":2,",
            "\"most_connections\":2,",
            "\"part_request_seconds\":1.0",
        ] {
            assert!(json.contains(field), "{json}");
        }
        stats.reset();
        let json = stats.json();
        for field in [
            "\"most_parts\":1,",
            "\"connections\":1,",
            "\"part_request_seconds\":0.0",
        ] {
            assert!(json.contains(field), "{json}");
        }
        stats.part_ends(Duration::ZERO, Spent::default());
        stats.closed();
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(text("a\"b\\c\n"), r#""a\"b\\c\u000a""#);
    }
}

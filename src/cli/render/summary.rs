//! The line at the end of a command that packs: each of its figures says what it is.

use std::time::Duration;

use hoist::archive::pack::Packed;
use indicatif::HumanCount;

use super::units::{per_second, percent, rate, size, took};

/// What a push adds to the figures of its archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) destinations: usize,
    pub(crate) parts: u64,
    /// Bytes that an earlier push had sent.
    pub(crate) kept: u64,
    /// Shown quoted, since it comes from the store.
    pub(crate) etag: &'a str,
}

/// The line for an archive that was sent, or written to a file.
pub(crate) fn summary(packed: &Packed, elapsed: Duration, sent: Option<Sent<'_>>) -> String {
    let (verb, does) = match sent {
        Some(_) => ("pushed", "sent"),
        None => ("packed", "wrote"),
    };
    let to = match sent {
        Some(Sent { destinations, .. }) if destinations > 1 => {
            format!(" to {} destinations", HumanCount(destinations as u64))
        }
        _ => String::new(),
    };
    let mut words = vec![format!(
        "{verb} {} file{}{to}: {does} {} of {} read ({})",
        HumanCount(packed.files),
        if packed.files == 1 { "" } else { "s" },
        size(packed.archive),
        size(packed.content),
        percent(packed.archive, packed.content),
    )];
    if let Some(sent) = sent {
        if sent.kept > 0 {
            words.push(format!("{} of it earlier", size(sent.kept)));
        }
        words.push(format!(
            "{} part{}",
            HumanCount(sent.parts),
            if sent.parts == 1 { "" } else { "s" }
        ));
    }
    words.push(took(elapsed));
    let speed = rate(per_second(packed.content, elapsed));
    words.push(format!("{speed} read"));
    if let Some(sent) = sent {
        let etag = hoist::archive::zip::Shown::new(sent.etag.as_bytes());
        words.push(format!("ETag {etag}"));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(files: u64, content: u64, archive: u64) -> Packed {
        Packed {
            files,
            content,
            archive,
            digest: None,
            zip64_names: 0,
        }
    }

    #[test]
    fn every_figure_of_a_summary_says_what_it_is() {
        let took = Duration::from_millis(4000);
        let packed = packed(51_933, 644 << 20, 151_844_576);
        assert_eq!(
            summary(&packed, took, None),
            "packed 51,933 files: wrote 144.81 MiB of 644.00 MiB read (22.4%), 4.0 s, 161.00 MiB/s read"
        );
        let sent = Sent {
            destinations: 1,
            parts: 19,
            kept: 80 << 20,
            etag: "0123-19",
        };
        assert_eq!(
            summary(&packed, took, Some(sent)),
            "pushed 51,933 files: sent 144.81 MiB of 644.00 MiB read (22.4%), 80.00 MiB of it earlier, \
             19 parts, 4.0 s, 161.00 MiB/s read, ETag \"0123-19\""
        );
    }

    #[test]
    fn one_file_and_one_part_are_written_in_the_singular_and_an_etag_is_quoted() {
        let sent = Sent {
            destinations: 1,
            parts: 1,
            kept: 0,
            etag: "a\nb",
        };
        assert_eq!(
            summary(&packed(1, 78, 209), Duration::from_millis(100), Some(sent)),
            "pushed 1 file: sent 209 B of 78 B read (267.9%), 1 part, 0.10 s, 780 B/s read, ETag \"a\\nb\""
        );
    }

    #[test]
    fn a_summary_says_to_how_many_destinations_the_files_went() {
        let sent = Sent {
            destinations: 3,
            parts: 1,
            kept: 0,
            etag: "e",
        };
        let said = summary(&packed(2, 78, 209), Duration::from_millis(100), Some(sent));
        let expected = "pushed 2 files to 3 destinations: sent 209 B of 78 B read";
        assert!(said.starts_with(expected), "{said}");
    }
}

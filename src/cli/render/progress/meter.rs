//! Turns what was done so far into per cent, a rate and the time left.
//!
//! The rate is that of the last seconds, and the time left follows from it. The per cent only grow while
//! nothing serious happens: a part that is sent again, or an estimate that was a little low, lets them stand
//! still until the bytes have caught up. If the estimate was far too low, they come down slowly.

use std::collections::VecDeque;
use std::time::Duration;

use super::flow::Flow;
#[cfg(feature = "push")]
use super::view::Counted;
use super::view::{Amount, Doing, View};

/// The rate is that of so much time.
const WINDOW: Duration = Duration::from_secs(10);

/// Two remembered counts are at least so far apart.
const SPACING: Duration = Duration::from_millis(200);

/// After so much time there is a rate, and after twice as much a time left.
const FIRST_RATE: Duration = Duration::from_secs(1);

/// After so much time without a byte, the rate is said to be zero.
const SILENT: Duration = Duration::from_secs(5);

/// By so many hundredths the shown share may be ahead before it comes down.
const AHEAD: f64 = 0.1;

/// By so many hundredths a second it comes down.
const DOWN: f64 = 0.01;

/// What is shown of a command at one time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Screen {
    pub(crate) label: String,
    pub(crate) body: Body,
    /// How long this has been going on, for what cannot be measured.
    pub(crate) since: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Text(Vec<String>),
    Measured(Measured),
    #[cfg(feature = "push")]
    Counted(Counted),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) amount: Amount,
    /// What is waited for, if nothing is left to be sent.
    pub(crate) waiting: Option<&'static str>,
    /// From 0 to 1; 1 only if everything is done.
    pub(crate) share: f64,
    /// Bytes a second.
    pub(crate) rate: Option<u64>,
    pub(crate) left: Option<Duration>,
}

impl Measured {
    /// Whole per cent, rounded down.
    pub(crate) fn percent(&self) -> u8 {
        // The share is between 0 and 1.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let percent = (self.share * 100.0) as u8;
        percent.min(if self.amount.complete { 100 } else { 99 })
    }
}

/// Looks at a command again and again.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// When how many bytes this command had done, and which share of everything was done.
    counts: VecDeque<(Duration, u64, f64)>,
    flow: Flow,
    share: f64,
    last: Duration,
    /// What the counts belong to: a round and a verb.
    of: Option<(u64, &'static str)>,
    /// What is shown instead of counts, and since when.
    text: Option<(String, Duration)>,
}

impl Meter {
    /// What is to be shown of `view` at the time `at`.
    pub(crate) fn look(&mut self, view: View, at: Duration) -> Screen {
        let View {
            label,
            round,
            doing,
        } = view;
        let body = match doing {
            Doing::Text(texts) | Doing::Stopping(texts) => Body::Text(texts),
            Doing::Bytes(amount) => Body::Measured(self.measure(amount, round, at)),
            #[cfg(feature = "push")]
            Doing::Counted(counted) => Body::Counted(counted),
        };
        let text = match &body {
            Body::Text(texts) => texts.first().cloned(),
            Body::Measured(measured) => measured.waiting.map(str::to_owned),
            // Each text has its own times.
            #[cfg(feature = "push")]
            Body::Counted(_) => None,
        };
        let since = self.since(text, at);
        Screen { label, body, since }
    }

    fn since(&mut self, text: Option<String>, at: Duration) -> Duration {
        match (text, &self.text) {
            (None, _) => {
                self.text = None;
                Duration::ZERO
            }
            (Some(text), Some((last, since))) if *last == text => at.saturating_sub(*since),
            (Some(text), _) => {
                self.text = Some((text, at));
                Duration::ZERO
            }
        }
    }

    fn measure(&mut self, mut amount: Amount, round: u64, at: Duration) -> Measured {
        let of = Some((round, amount.verb));
        if self.of != of {
            *self = Self {
                of,
                last: at,
                text: self.text.take(),
                ..Self::default()
            };
        }
        let kept = amount.kept;
        let [confirmed, done] =
            [amount.confirmed, amount.done].map(|bytes| bytes.saturating_sub(kept));
        let by_this = self.flow.sent(confirmed, done, at);
        amount.done = kept + by_this;
        let is_over = amount.complete || (amount.total > 0 && amount.done >= amount.total);
        let waiting = amount.then.filter(|_| is_over);
        let now = share(&amount);
        let elapsed = at.saturating_sub(self.last).as_secs_f64();
        self.last = at;
        self.share = if now >= self.share || amount.complete {
            now
        } else if now >= self.share - AHEAD {
            self.share
        } else {
            (self.share - DOWN * elapsed).max(now)
        };
        while self.counts.len() > 1 && self.counts[1].0 + WINDOW <= at {
            self.counts.pop_front();
        }
        let is_due = |last: &(Duration, u64, f64)| last.0 + SPACING <= at;
        if self.counts.back().is_none_or(is_due) {
            self.counts.push_back((at, by_this, now));
        }
        let (mut rate, mut left) = (None, None);
        let silent = self
            .counts
            .front()
            .is_some_and(|first| first.0 + SILENT <= at);
        if let Some(&(then, bytes, before)) = self.counts.front() {
            let time = at.saturating_sub(then).as_secs_f64();
            if time >= FIRST_RATE.as_secs_f64() {
                let grown = by_this.saturating_sub(bytes) as f64;
                // Less than the bytes of the window.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let per_second = (grown / time) as u64;
                rate = Some(per_second);
            }
            // With an estimated total, bytes say more than the share, which changes with the total.
            let speed = match rate {
                Some(rate) if amount.total > 0 => rate as f64 / amount.total as f64,
                _ => (now - before) / time.max(1e-9),
            };
            if time >= FIRST_RATE.as_secs_f64() * 2.0 && speed > 0.0 && waiting.is_none() {
                left = Duration::try_from_secs_f64((1.0 - now).max(0.0) / speed).ok();
            }
        }
        Measured {
            amount,
            waiting,
            share: self.share,
            rate: rate.filter(|rate| waiting.is_none() && (*rate > 0 || silent)),
            left,
        }
    }
}

/// The share of everything that is done. Empty files have no bytes, but are a part of the work.
fn share(amount: &Amount) -> f64 {
    let of = |done: u64, total: u64| (done as f64 / total as f64).min(1.0);
    match amount.files {
        _ if amount.complete => 1.0,
        _ if amount.total > 0 => of(amount.done, amount.total),
        Some((done, total)) if total > 0 => of(done, total),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn sent(done: u64, total: u64) -> Amount {
        Amount {
            verb: "sent",
            done: done * MIB,
            confirmed: done * MIB,
            kept: 0,
            total: total * MIB,
            exact: false,
            complete: false,
            files: None,
            then: None,
        }
    }

    fn look(meter: &mut Meter, amount: Amount, seconds: f64) -> Measured {
        let view = View::of(Doing::Bytes(amount));
        match meter.look(view, Duration::from_secs_f64(seconds)).body {
            Body::Measured(measured) => measured,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_the_time_left_follows_from_it() {
        let mut meter = Meter::default();
        let mut done = 0;
        for second in 0..30_u32 {
            look(&mut meter, sent(done, 1000), second.into());
            done += 20;
        }
        let first = look(&mut meter, sent(600, 1000), 30.0);
        assert_eq!(first.rate, Some(20 * MIB));
        assert_eq!(first.left, Some(Duration::from_secs(20)));
        // The link becomes slower: ten seconds later nothing of the old rate is left.
        for second in 31..=41_u32 {
            look(
                &mut meter,
                sent(600 + u64::from(second - 30), 1000),
                second.into(),
            );
        }
        let later = look(&mut meter, sent(611, 1000), 41.0);
        assert_eq!(later.rate, Some(MIB));
        assert_eq!(later.left.unwrap().as_secs(), 389);
    }

    #[test]
    fn the_per_cent_do_not_go_back_for_a_retry_and_come_down_slowly_from_a_wrong_estimate() {
        let mut meter = Meter::default();
        assert_eq!(look(&mut meter, sent(50, 100), 1.0).percent(), 50);
        // A part of 8 MiB is sent again.
        assert_eq!(look(&mut meter, sent(42, 100), 2.0).percent(), 50);
        assert_eq!(look(&mut meter, sent(55, 100), 3.0).percent(), 55);
        // The rest does not compress: three times as much is to be sent.
        assert_eq!(look(&mut meter, sent(56, 300), 4.0).percent(), 54);
        assert_eq!(look(&mut meter, sent(57, 300), 5.0).percent(), 53);
        assert_eq!(look(&mut meter, sent(200, 300), 6.0).percent(), 66);
    }

    #[test]
    fn a_hundred_per_cent_are_shown_only_when_everything_is_confirmed() {
        let mut meter = Meter::default();
        let handed_over = Amount {
            exact: true,
            then: Some("waiting for S3"),
            ..sent(100, 100)
        };
        let shown = look(&mut meter, handed_over, 5.0);
        assert_eq!((shown.percent(), shown.rate, shown.left), (99, None, None));
        let confirmed = Amount {
            complete: true,
            ..handed_over
        };
        assert_eq!(look(&mut meter, confirmed, 6.0).percent(), 100);
    }

    #[test]
    fn parts_of_an_earlier_push_count_when_they_are_found_and_not_for_the_rate() {
        let mut meter = Meter::default();
        let mut shown = None;
        // Three parts are found one after another, and the link carries 2 MiB a second.
        for tenths in 0..60_u64 {
            let kept = (tenths.min(3)) * 8;
            let amount = Amount {
                kept: kept * MIB,
                ..sent(kept + tenths / 5, 100)
            };
            shown = Some(look(&mut meter, amount, tenths as f64 / 10.0));
        }
        let shown = shown.unwrap();
        let rate = shown.rate.unwrap() as f64 / MIB as f64;
        assert!((1.5..2.5).contains(&rate), "{rate}");
        assert_eq!(shown.percent(), 35);
        assert!((25..45).contains(&shown.left.unwrap().as_secs()));
    }

    #[test]
    fn an_upload_that_begins_again_begins_at_zero() {
        let mut meter = Meter::default();
        look(&mut meter, sent(90, 100), 1.0);
        let again = View {
            round: 1,
            ..View::of(Doing::Bytes(sent(1, 100)))
        };
        let Body::Measured(shown) = meter.look(again, Duration::from_secs(2)).body else {
            panic!("a text");
        };
        assert_eq!((shown.percent(), shown.rate), (1, None));
    }

    #[test]
    fn a_link_that_stands_still_has_a_rate_of_zero_and_no_time_left() {
        let mut meter = Meter::default();
        for second in 0..=20_u32 {
            look(&mut meter, sent(10, 100), second.into());
        }
        let shown = look(&mut meter, sent(10, 100), 21.0);
        assert_eq!((shown.rate, shown.left), (Some(0), None));
    }

    #[test]
    fn how_long_is_waited_counts_from_the_first_look() {
        let mut meter = Meter::default();
        let waiting = || View::of(Doing::text("listing files"));
        assert_eq!(
            meter.look(waiting(), Duration::from_secs(3)).since,
            Duration::ZERO
        );
        let later = meter.look(waiting(), Duration::from_secs(15));
        assert_eq!(later.since, Duration::from_secs(12));
    }

    #[test]
    fn a_tree_of_empty_files_is_measured_by_its_files() {
        let mut meter = Meter::default();
        let empty = Amount {
            files: Some((30, 40)),
            ..sent(0, 0)
        };
        assert_eq!(look(&mut meter, empty, 1.0).percent(), 75);
    }
}

//! Chooses how many requests may be under way: more only while more of them raise the rate.
//!
//! A connection to a store has a limit of its own, so a fast link needs many requests side by side. A slow
//! link does not: one or two requests fill it, and more would only make each of them slower. All parts that
//! are half sent are lost when the process is killed, so they should be few.
//!
//! What a confirmed part took tells the two apart. With `n` requests under way, each of which takes `t`, the
//! store gets `n / t` parts a second (Little's law). If a link is full, `t` grows with `n`, and the rate does
//! not. So an upload begins with one request, and allows two to four times as many as long as the rate grows
//! with them; then it goes back to as many as the rate is worth. Later it tries a few more, and a few less,
//! now and then, and about half as many when parts take much longer than they did: links change.
//!
//! Requests that are under way for less than [`SHORT`] together are not worth saving. A link that is as fast
//! as this always has enough of them to survive a burst of parts or a slow answer.
//!
//! Only parts count that met as many requests as are allowed. When parts are made more slowly than they are
//! sent, nothing can be learned about the link, and nothing changes.

use std::time::{Duration, Instant};

/// Requests at first. The time of a part that is alone on the link is what others are compared with.
const START: usize = 1;

/// A link is not slow if it sends all that is under way within this time.
const SHORT: Duration = Duration::from_millis(800);

/// How many times as many requests are tried while the rate grows.
const FACTOR: usize = 2;

/// As [`FACTOR`], if parts take less than [`SHORT`] or the rate grew as much as it could.
const FAST_FACTOR: usize = 4;

/// More requests must raise the rate by so much to be kept.
const WORTH: f64 = 1.05;

/// A second request must raise it by so much.
const SECOND: f64 = 1.1;

/// Fewer requests are kept if the rate is still so much of what it was.
const KEPT: f64 = 0.97;

/// Parts that take so many times as long as they did when the number of requests was chosen mean that the
/// link has changed.
const CHANGED: f64 = 1.5;

/// Parts between two tries, at least. After each in vain there are twice as many, up to [`PATIENT`] times.
const PATIENCE: u32 = 8;

/// See [`PATIENCE`].
const PATIENT: u32 = 8;

/// A part tells about a number of requests if it met so much of it.
const BUSY: f64 = 0.6;

/// The share of its time after which a request that should be alone gets company: the link is not idle while
/// the store answers.
const ALONE: f64 = 0.8;

/// The first request gets company after this time: it may hang or be refused.
const FIRST_ALONE: Duration = Duration::from_secs(10);

/// So few requests should not be answered together.
const FEW: usize = 3;

/// The share of the latest part in a moving average.
const LATEST: f64 = 0.25;

/// The number of requests that may be under way, and what it follows from.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    level: usize,
    /// When this level was chosen. Parts that began earlier also met another number of requests.
    since: Option<Instant>,
    seen: Seen,
    stage: Stage,
    /// Parts until the next try are so many times [`PATIENCE`].
    patience: u32,
    /// Whether the next try is with fewer requests.
    fewer_next: bool,
    /// By how much fewer requests are allowed, since the store asked for fewer.
    withheld: usize,
    traffic: Traffic,
    /// When a request last began, and how long the last part took.
    last_began: Option<Instant>,
    last_took: f64,
}

/// What the parts of one level tell.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    level: usize,
    /// Requests that were under way.
    under_way: f64,
    /// Parts per second.
    rate: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Nothing is known of this level, nor of one to compare it with.
    First,
    /// More requests are tried than at this level.
    More(Rate),
    /// Fewer requests are tried than at this level.
    Fewer(Rate),
    /// The link has changed. What this level is worth now is to be known before fewer are tried.
    Changed,
    /// The level was chosen. Parts took so many seconds at first, once that is known.
    Chosen(Option<f64>),
}

/// The parts that this level has seen.
#[derive(Debug, Default)]
struct Seen {
    parts: u32,
    /// The average of the seconds that they took.
    took: f64,
    /// The average of the seconds that each would have had a full link for itself.
    alone: f64,
}

/// Counts the requests that are under way.
#[derive(Debug, Default)]
struct Traffic {
    now: usize,
    /// The seconds that each request would have had a full link for itself, until `at`.
    alone: f64,
    at: Option<Instant>,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    began: Instant,
    /// What [`Traffic::alone`] was then.
    alone: f64,
}

impl Traffic {
    fn advance(&mut self, at: Instant) {
        if let Some(before) = self.at {
            let passed = at.saturating_duration_since(before);
            self.alone += passed.as_secs_f64() / self.now.max(1) as f64;
        }
        self.at = Some(self.at.map_or(at, |before| before.max(at)));
    }
}

impl Seen {
    fn add(&mut self, took: f64, alone: f64) {
        self.parts = self.parts.saturating_add(1);
        // All count equally at first, and the latest more than the others later.
        let share = f64::from(self.parts).recip().max(LATEST);
        self.took += (took - self.took) * share;
        self.alone += (alone - self.alone) * share;
    }

    fn rate(&self, level: usize) -> Rate {
        Rate {
            level,
            under_way: self.took / self.alone,
            rate: self.alone.recip(),
        }
    }
}

impl Pace {
    /// At most `most` requests at a time. Zero counts as one.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            most,
            level: START.min(most),
            since: None,
            seen: Seen::default(),
            stage: Stage::First,
            patience: 1,
            fewer_next: false,
            withheld: 0,
            traffic: Traffic::default(),
            last_began: None,
            last_took: 0.0,
        }
    }

    /// How many requests may be under way.
    pub(super) fn allowed(&self) -> usize {
        let company = self.level == 1 && self.most > 1 && self.alone().is_some();
        self.level - self.withheld + usize::from(company)
    }

    /// When the next request may begin. On a slow link that is shortly before the last one ends if there may
    /// be one, and otherwise not together with another: both would be answered together as well, and the
    /// link would be idle until the next two have arrived.
    pub(super) fn not_before(&self) -> Option<Instant> {
        let apart = match self.level {
            1 => self.alone()?,
            2..=FEW if self.is_slow() => self.last_took / (2 * self.level) as f64,
            _ => return None,
        };
        let last = self.last_began.filter(|_| self.traffic.now > 0)?;
        Some(last + Duration::from_secs_f64(apart))
    }

    /// For how many seconds a request should be alone until it gets company. None if it need not get any.
    fn alone(&self) -> Option<f64> {
        match self.last_took {
            last if last > 0.0 => self.is_slow().then_some(ALONE * last),
            _ => Some(FIRST_ALONE.as_secs_f64()),
        }
    }

    fn is_slow(&self) -> bool {
        self.last_took > SHORT.as_secs_f64()
    }

    /// A request for a part begins.
    pub(super) fn began(&mut self, at: Instant) -> Flight {
        self.traffic.advance(at);
        self.traffic.now += 1;
        self.last_began = Some(at);
        Flight {
            began: at,
            alone: self.traffic.alone,
        }
    }

    /// The part is confirmed. If its request was repeated, its time tells nothing about the link.
    pub(super) fn confirmed(&mut self, flight: Flight, at: Instant, was_repeated: bool) {
        self.traffic.advance(at);
        self.traffic.now = self.traffic.now.saturating_sub(1);
        let took = at.saturating_duration_since(flight.began).as_secs_f64();
        let took = took.max(1e-6);
        self.last_took = took;
        let alone = (self.traffic.alone - flight.alone).max(1e-9);
        if self.withheld > 0 {
            self.withheld -= 1;
            self.since = Some(at);
            self.seen = Seen::default();
            return;
        }
        let is_of_level = self.since.is_none_or(|since| flight.began >= since);
        // With far fewer requests than are allowed, parts were missing.
        let is_busy = took / alone > BUSY * self.level as f64;
        if was_repeated || !is_of_level || !is_busy {
            return;
        }
        self.seen.add(took, alone);
        self.decide(at);
    }

    /// The store asked for fewer requests: half as many are allowed, and at least one. Each confirmed part
    /// allows one more again.
    pub(super) fn slower(&mut self) {
        self.withheld += (self.level - self.withheld) / 2;
    }

    fn decide(&mut self, at: Instant) {
        let seen = self.seen.rate(self.level);
        let parts = self.seen.parts;
        let is_enough = parts as usize >= self.enough();
        match self.stage {
            _ if !is_enough => {}
            Stage::First => self.more(false, at),
            Stage::More(before) => {
                let gain = seen.rate / before.rate;
                let ideal = seen.under_way / before.under_way;
                if gain >= f64::midpoint(1.0, ideal) {
                    self.patience = 1;
                    self.more(gain >= KEPT * ideal, at);
                } else {
                    self.patience = (self.patience * 2).min(PATIENT);
                    self.choose(before.level.max(self.useful(before, gain)), at);
                }
            }
            Stage::Fewer(before) if seen.rate >= KEPT * before.rate => {
                self.patience = 1;
                match self.level {
                    // The link has changed much. It may be slower still.
                    level if level * 2 <= before.level => self.fewer(level / 2, at),
                    level => self.choose(level, at),
                }
            }
            Stage::Fewer(before) => {
                self.patience = (self.patience * 2).min(PATIENT);
                let level = self.useful(seen, before.rate / seen.rate);
                self.choose(level.min(before.level), at);
            }
            Stage::Changed => self.fewer(self.level / 2, at),
            Stage::Chosen(None) => self.stage = Stage::Chosen(Some(self.seen.took)),
            Stage::Chosen(Some(took)) => {
                if self.seen.took > CHANGED * took && self.level > 1 {
                    self.enter(Stage::Changed, self.level, at);
                } else if parts >= PATIENCE * self.patience {
                    self.try_another(at);
                }
            }
        }
    }

    /// How many parts tell enough about this level. The first is alone.
    fn enough(&self) -> usize {
        match self.stage {
            Stage::First => 1,
            Stage::Fewer(_) => self.level.clamp(4, 6),
            _ => self.level.div_ceil(2).clamp(2, 6),
        }
    }

    /// Tries a few more requests, or a few less, in turns.
    fn try_another(&mut self, at: Instant) {
        let fewer = self.level - (self.level / 4).max(1).min(self.level - 1);
        self.fewer_next = !self.fewer_next;
        // With the most requests the link was not full, and fewer would send less.
        let is_full = self.level < self.most;
        if is_full && self.fewer_next && self.level > 1 && fewer >= self.least() {
            self.fewer(fewer, at);
        } else if is_full {
            let seen = self.seen.rate(self.level);
            let more = self.level + (self.level / 2).max(1);
            self.enter(Stage::More(seen), more, at);
        }
    }

    /// Tries many more requests.
    fn more(&mut self, is_ideal: bool, at: Instant) {
        let is_fast = is_ideal || self.seen.took < SHORT.as_secs_f64();
        let more = match self.level {
            level if is_fast => FAST_FACTOR * level,
            level => FACTOR * level,
        };
        match self.level {
            level if level < self.most => {
                let seen = self.seen.rate(level);
                self.enter(Stage::More(seen), more, at);
            }
            level => self.choose(level, at),
        }
    }

    fn fewer(&mut self, level: usize, at: Instant) {
        let seen = self.seen.rate(self.level);
        match level.max(self.least()).max(1) {
            level if level < self.level => self.enter(Stage::Fewer(seen), level, at),
            _ => self.choose(self.level, at),
        }
    }

    fn choose(&mut self, level: usize, at: Instant) {
        let level = level.max(self.least());
        self.enter(Stage::Chosen(None), level, at);
    }

    /// As many requests as the link answers within [`SHORT`].
    fn least(&self) -> usize {
        let seen = self.seen.rate(self.level);
        self.no_less_than(seen.rate * SHORT.as_secs_f64())
    }

    /// How many requests send so many times the rate of `before`, if each sends as much as it did then.
    fn useful(&self, before: Rate, gain: f64) -> usize {
        let worth = if before.level == 1 { SECOND } else { WORTH };
        self.no_less_than(before.level as f64 * gain / worth)
    }

    fn no_less_than(&self, requests: f64) -> usize {
        let enough = |level: &usize| *level as f64 >= requests;
        (1..=self.most).find(enough).unwrap_or(self.most)
    }

    fn enter(&mut self, stage: Stage, level: usize, at: Instant) {
        self.withheld = 0;
        self.stage = stage;
        self.level = level.clamp(1, self.most);
        self.since = Some(at);
        self.seen = Seen::default();
    }
}

#[cfg(test)]
mod tests;

//! Chooses the level for [`LevelPolicy::Auto`](super::LevelPolicy): the level follows the link.
//!
//! When parts wait for the network, time is better spent on making them smaller. When the network waits
//! for parts, time is better spent on making more of them. The duration of requests tells which of the
//! two it is. An idle link answers a request in the shortest time seen so far. If requests take longer,
//! then of the `n` requests under way only `n x shortest / recent` fit the link, and the others queue
//! somewhere on it (the calculation of TCP Vegas, Brakmo and Peterson 1995). The link is also full when
//! the upload takes no further part, so that the packer has to wait.
//!
//! The controller decides after each part:
//!
//! - If more than [`QUEUED`] parts queue and no fewer than before, or the packer waited for much of the
//!   time: one level up.
//! - If less than one part queues: one level down; but down to 0 only if the link is idle and a request
//!   can take less than a quarter of the time in which a part is made, and up from 0 only if the packer
//!   waited.
//! - Otherwise the level stays.
//!
//! It starts at level 1 and stays between 0 and 9; higher levels cost several times the time and memory
//! for a few percent. The change is gradual, since jobs and requests that are already under way show its
//! effect late. The archive depends on the network's speed at the time, so it is not reproducible, and
//! this is not the default.

use std::time::Duration;

use super::link::LinkState;
use crate::archive::deflate::Level;

/// The highest level that it chooses.
const SLOWEST: u8 = 9;

/// Parts that may queue on the link before the level goes up, in hundredths: two parts, so that the link
/// does not run dry while a part is made.
const QUEUED: u64 = 200;

/// Until the first answer, more requests under way than this mean that the link is slow.
const UNANSWERED: u64 = 4;

/// How many times larger content is if it is stored.
const STORED: u32 = 4;

/// The controller of one push.
#[derive(Debug)]
pub(super) struct LevelController {
    level: u8,
    /// When the previous part was made.
    before: Duration,
    /// How many hundredths of parts queued then.
    queued: u64,
}

impl LevelController {
    /// The level of the first jobs.
    pub(super) const START: Level = Level::FASTEST;

    pub(super) fn new() -> Self {
        Self {
            level: Self::START.get(),
            before: Duration::ZERO,
            queued: 0,
        }
    }

    /// The level from now on, `at` this time of the push, after a part was made and the packer was
    /// `blocked` for so long until the part was taken.
    pub(super) fn next(&mut self, now: &LinkState, at: Duration, blocked: Duration) -> Level {
        let since = at.saturating_sub(self.before);
        self.before = at;
        // Shorter waits than a quarter of the time are those for a thread to wake up.
        let waited = blocked > since / 4;
        let queued = queued(now);
        let grows = queued >= self.queued;
        self.queued = queued;
        if waited || (queued > QUEUED && grows && self.level > 0) {
            self.level = (self.level + 1).min(SLOWEST);
        } else if queued < QUEUED / 2 && (self.level > 1 || may_store(now, since)) {
            self.level = self.level.saturating_sub(1);
        }
        // Levels up to 9 exist, so the default is never used.
        Level::new(self.level).unwrap_or_default()
    }
}

/// Whether the link is idle, and takes parts so much faster than they are made that content need not be
/// compressed. Stored, there are about [`STORED`] times as many parts.
fn may_store(now: &LinkState, since: Duration) -> bool {
    let is_fast = |shortest| shortest * STORED < since;
    now.requests <= 1 && now.shortest.is_some_and(is_fast)
}

/// How many hundredths of parts wait on the link or before it.
fn queued(now: &LinkState) -> u64 {
    let requests = now.requests;
    let on_link = match (now.shortest, now.recent) {
        (Some(shortest), Some(recent)) if recent > shortest => {
            let (shortest, recent) = (shortest.as_micros(), recent.as_micros().max(1));
            let queued = u128::from(requests) * 100 * (recent - shortest) / recent;
            u64::try_from(queued).unwrap_or(u64::MAX)
        }
        (Some(_), Some(_)) => 0,
        // Before the first answer, the level goes up if requests pile up, and stays otherwise.
        _ if requests > UNANSWERED => QUEUED + 1,
        _ => QUEUED,
    };
    on_link + 100 * now.waiting.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn state(at: u32, requests: u64, shortest: u32, recent: u32) -> (Duration, LinkState) {
        let state = LinkState {
            requests,
            waiting: 0,
            shortest: (shortest > 0).then_some(MS * shortest),
            recent: (recent > 0).then_some(MS * recent),
        };
        (MS * at, state)
    }

    fn levels(
        controller: &mut LevelController,
        states: impl IntoIterator<Item = (Duration, LinkState)>,
    ) -> Vec<u8> {
        let next = |(at, now)| controller.next(&now, at, Duration::ZERO).get();
        states.into_iter().map(next).collect()
    }

    #[test]
    fn an_idle_link_lowers_the_level() {
        let mut controller = LevelController::new();
        controller.level = 6;
        let states = (1..9).map(|n| state(n * 100, 1, 20, 21));
        assert_eq!(levels(&mut controller, states), [5, 4, 3, 2, 1, 0, 0, 0]);
    }

    #[test]
    fn a_queue_on_the_link_raises_the_level() {
        let states = (1..11).map(|n| state(n * 100, 8, 100, 400));
        let raised = [2, 3, 4, 5, 6, 7, 8, 9, 9, 9];
        assert_eq!(levels(&mut LevelController::new(), states), raised);
    }

    #[test]
    fn many_requests_that_are_as_fast_as_one_do_not_raise_the_level() {
        let states = (1..3).map(|n| state(n * 100, 16, 240, 250));
        assert_eq!(levels(&mut LevelController::new(), states), [1, 1]);
    }

    #[test]
    fn a_packer_that_waits_raises_the_level() {
        let waited = |controller: &mut LevelController, at, blocked| {
            let (at, now) = state(at, 16, 240, 240);
            controller.next(&now, at, blocked).get()
        };
        let mut controller = LevelController::new();
        assert_eq!(waited(&mut controller, 100, MS * 50), 2);
        assert_eq!(waited(&mut controller, 200, MS * 20), 1);
    }

    #[test]
    fn the_level_stays_while_one_to_two_parts_queue() {
        let states = (1..4).map(|n| state(n * 100, 3, 100, 200));
        assert_eq!(levels(&mut LevelController::new(), states), [1, 1, 1]);
    }

    #[test]
    fn before_the_first_answer_only_many_requests_raise_the_level() {
        let states = [(1, 1), (2, 3), (3, 4), (4, 5), (5, 6)];
        let states = states.map(|(n, requests)| state(n * 80, requests, 0, 0));
        assert_eq!(levels(&mut LevelController::new(), states), [1, 1, 1, 2, 3]);
    }

    /// Simulates a push without noise and returns its duration: each level makes parts at its own rate,
    /// and the link carries `link` MB/s, shared by all requests.
    fn simulate(link: f64, controller: Option<&mut LevelController>, fixed: u8) -> f64 {
        const CONTENT: f64 = 4000.0;
        const PART: f64 = 8.0;
        // MB/s of content on two cores, and the compressed size of a megabyte, for share/doc.
        let level = |level: u8| {
            let rates = [
                1600.0, 690.0, 600.0, 560.0, 500.0, 440.0, 400.0, 340.0, 280.0, 240.0,
            ];
            let ratios = [
                1.0, 0.253, 0.249, 0.246, 0.241, 0.238, 0.236, 0.235, 0.2345, 0.234,
            ];
            (rates[usize::from(level)], ratios[usize::from(level)])
        };
        let mut controller = controller;
        let (mut now, mut content, mut current) = (0.0, 0.0, fixed);
        // For each part under way: when its request began, and how much of it is left.
        let mut flying: Vec<(f64, f64)> = Vec::new();
        let (mut fastest, mut recent): (f64, f64) = (f64::MAX, 0.0);
        let advance = |flying: &mut Vec<(f64, f64)>,
                       now: &mut f64,
                       mut time: f64,
                       fastest: &mut f64,
                       recent: &mut f64| {
            while time > 0.0 && !flying.is_empty() {
                let share = link / flying.len() as f64;
                let least = flying.iter().map(|part| part.1).fold(f64::MAX, f64::min);
                let step = time.min(least / share);
                *now += step;
                time -= step;
                flying.iter_mut().for_each(|part| part.1 -= step * share);
                flying.retain(|part| {
                    if part.1 > 1e-9 {
                        return true;
                    }
                    let took = *now - part.0;
                    *fastest = fastest.min(took);
                    *recent = if *recent == 0.0 {
                        took
                    } else {
                        *recent * 0.75 + took * 0.25
                    };
                    false
                });
            }
            *now += time;
        };
        while content < CONTENT {
            let (rate, ratio) = level(current);
            let made = PART / ratio;
            content += made;
            advance(
                &mut flying,
                &mut now,
                made / rate,
                &mut fastest,
                &mut recent,
            );
            let cut = now;
            while flying.len() >= 16 {
                advance(&mut flying, &mut now, 0.001, &mut fastest, &mut recent);
            }
            flying.push((now, PART));
            if let Some(controller) = controller.as_deref_mut() {
                let duration = |secs: f64| Duration::from_secs_f64(secs);
                let answered = recent > 0.0;
                let state = LinkState {
                    requests: flying.len() as u64,
                    waiting: 0,
                    shortest: answered.then(|| duration(fastest)),
                    recent: answered.then(|| duration(recent)),
                };
                let blocked = duration(now - cut);
                current = controller.next(&state, duration(now), blocked).get();
            }
        }
        while !flying.is_empty() {
            advance(&mut flying, &mut now, 0.1, &mut fastest, &mut recent);
        }
        now
    }

    #[test]
    fn a_push_takes_at_most_5_percent_longer_than_at_the_best_level_for_the_link() {
        for link in [5.0, 20.0, 60.0, 100.0, 130.0, 200.0, 400.0, 1000.0, 5000.0] {
            let best = (0..=9).map(|level| simulate(link, None, level));
            let best = best.fold(f64::MAX, f64::min);
            let adaptive = simulate(link, Some(&mut LevelController::new()), 1);
            assert!(
                adaptive <= best * 1.05,
                "{link} MB/s: {adaptive:.2} s, best {best:.2} s"
            );
        }
    }
}

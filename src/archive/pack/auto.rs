//! `--level auto`: the level follows the link.
//!
//! When parts wait for the network, time is better spent on making them smaller; when the network
//! waits for parts, on making more of them. Which of the two it is shows in how long requests take.
//! A link that has nothing to do answers a request in the shortest time seen so far. If requests
//! take longer, then of the `n` that are under way only `n x shortest / recent` fit the link, and
//! the others queue somewhere on it (the reckoning of TCP Vegas, Brakmo and Peterson 1995). Seen
//! from here a link is also full when all requests are taken and the packer has to wait for one.
//!
//! So, at each part that is made:
//!
//! - more than [`QUEUED`] parts queue and no fewer than before, or the packer waited for much of
//!   the time: one level up;
//! - less than one part queues: one level down, but down to 0 only if the link idles and a request
//!   can take less than a quarter of the time in which a part is made; and up from 0 only if the
//!   packer waited;
//! - otherwise: as it is.
//!
//! It begins at level 1, and goes from 0 to 9: above, a level costs several times the time and
//! memory for a few percent. The change is gradual since what is being compressed already, and what
//! is under way, shows its effect late. It refuses to be reproducible: the archive depends on the
//! network's mood, which is why it is not the default.

use std::time::Duration;

use super::link::LinkState;
use crate::archive::deflate::Level;

/// The levels it chooses from.
const SLOWEST: u8 = 9;

/// Parts that may queue on the link before the level goes up, in hundredths: two of them, so that
/// the link never runs dry while a part is made.
const QUEUED: u64 = 200;

/// As long as no request was answered, this many under way mean that the link is slow.
const UNANSWERED: u64 = 4;

/// How many times larger content is that is stored.
const STORED: u32 = 4;

/// The controller of one push.
#[derive(Debug)]
pub(super) struct Auto {
    level: u8,
    /// When it was asked before.
    before: Duration,
    /// How many hundredths of parts queued then.
    queued: u64,
}

impl Auto {
    pub(super) fn new() -> Self {
        Self {
            level: Self::START.get(),
            before: Duration::ZERO,
            queued: 0,
        }
    }

    /// The level of the first jobs.
    pub(super) const START: Level = Level::FASTEST;

    /// The level to go on with, after a part was made and somebody took it `blocked` later.
    pub(super) fn next(&mut self, now: &LinkState, at: Duration, blocked: Duration) -> Level {
        let since = at.saturating_sub(self.before);
        self.before = at;
        // A quarter: less is the wait for a thread to wake up.
        let waited = blocked > since / 4;
        let queued = queued(now);
        let grows = queued >= self.queued;
        self.queued = queued;
        if waited || (queued > QUEUED && grows && self.level > 0) {
            self.level = (self.level + 1).min(SLOWEST);
        } else if queued < QUEUED / 2 && (self.level > 1 || stores(now, since)) {
            self.level = self.level.saturating_sub(1);
        }
        // There is no such level as one above 12.
        Level::new(self.level).unwrap_or_default()
    }
}

/// Whether the link has nothing to do, and a connection alone takes parts so much faster than they are
/// made that they need not be compressed: stored, there are about that many more of them.
fn stores(now: &LinkState, since: Duration) -> bool {
    let idle = now.requests <= 1;
    idle && now.shortest.is_some_and(|fastest| fastest * STORED < since)
}

/// How many hundredths of parts wait on the link or before it.
fn queued(now: &LinkState) -> u64 {
    let requests = now.requests;
    let on_link = match (now.shortest, now.recent) {
        (Some(fastest), Some(recent)) if recent > fastest => {
            let (fastest, recent) = (fastest.as_micros(), recent.as_micros().max(1));
            let idle = u128::from(requests) * 100 * (recent - fastest) / recent;
            u64::try_from(idle).unwrap_or(u64::MAX)
        }
        (Some(_), Some(_)) => 0,
        // Nothing is known yet: neither up nor down, unless there is too much of it.
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

    fn levels(auto: &mut Auto, states: impl IntoIterator<Item = (Duration, LinkState)>) -> Vec<u8> {
        let next = |(at, now)| auto.next(&now, at, Duration::ZERO).get();
        states.into_iter().map(next).collect()
    }

    #[test]
    fn an_idle_link_lowers_the_level() {
        let mut auto = Auto::new();
        auto.level = 6;
        let states = (1..9).map(|n| state(n * 100, 1, 20, 21));
        assert_eq!(levels(&mut auto, states), [5, 4, 3, 2, 1, 0, 0, 0]);
    }

    #[test]
    fn a_queue_on_the_link_raises_it() {
        let states = (1..11).map(|n| state(n * 100, 8, 100, 400));
        let raised = [2, 3, 4, 5, 6, 7, 8, 9, 9, 9];
        assert_eq!(levels(&mut Auto::new(), states), raised);
    }

    #[test]
    fn many_requests_that_are_as_fast_as_one_are_no_queue() {
        let states = (1..3).map(|n| state(n * 100, 16, 240, 250));
        assert_eq!(levels(&mut Auto::new(), states), [1, 1]);
    }

    #[test]
    fn a_packer_that_waits_raises_it() {
        let waited = |auto: &mut Auto, at, blocked| {
            let (at, now) = state(at, 16, 240, 240);
            auto.next(&now, at, blocked).get()
        };
        let mut auto = Auto::new();
        assert_eq!(waited(&mut auto, 100, MS * 50), 2);
        assert_eq!(waited(&mut auto, 200, MS * 20), 1);
    }

    #[test]
    fn between_one_and_two_parts_it_stays() {
        let states = (1..4).map(|n| state(n * 100, 3, 100, 200));
        assert_eq!(levels(&mut Auto::new(), states), [1, 1, 1]);
    }

    #[test]
    fn before_the_first_answer_only_a_crowd_counts() {
        let states = [(1, 1), (2, 3), (3, 4), (4, 5), (5, 6)];
        let states = states.map(|(n, requests)| state(n * 80, requests, 0, 0));
        assert_eq!(levels(&mut Auto::new(), states), [1, 1, 1, 2, 3]);
    }

    /// A model of packer and link: levels make parts at their own rates, the link takes so many
    /// bytes a second, whatever the number of requests.
    fn simulate(link: f64, auto: Option<&mut Auto>, fixed: u8) -> f64 {
        const CONTENT: f64 = 4000.0;
        const PART: f64 = 8.0;
        // MB/s of content on two cores, and what becomes of a megabyte: share/doc's.
        let level = |level: u8| {
            let rates = [
                1600.0, 690.0, 600.0, 560.0, 500.0, 440.0, 400.0, 340.0, 280.0, 240.0,
            ];
            let ratios = [
                1.0, 0.253, 0.249, 0.246, 0.241, 0.238, 0.236, 0.235, 0.2345, 0.234,
            ];
            (rates[usize::from(level)], ratios[usize::from(level)])
        };
        let mut auto = auto;
        let (mut now, mut content, mut current) = (0.0, 0.0, fixed);
        // When each part was begun to be sent, and how much of it is left.
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
            if let Some(auto) = auto.as_deref_mut() {
                let duration = |secs: f64| Duration::from_secs_f64(secs);
                let answered = recent > 0.0;
                let state = LinkState {
                    requests: flying.len() as u64,
                    waiting: 0,
                    shortest: answered.then(|| duration(fastest)),
                    recent: answered.then(|| duration(recent)),
                };
                let blocked = duration(now - cut);
                current = auto.next(&state, duration(now), blocked).get();
            }
        }
        while !flying.is_empty() {
            advance(&mut flying, &mut now, 0.1, &mut fastest, &mut recent);
        }
        now
    }

    /// What `--level auto` is for, on a link and a machine without noise.
    #[test]
    fn it_is_as_good_as_the_best_level_for_any_link() {
        for link in [5.0, 20.0, 60.0, 100.0, 130.0, 200.0, 400.0, 1000.0, 5000.0] {
            let best = (0..=9).map(|level| simulate(link, None, level));
            let best = best.fold(f64::MAX, f64::min);
            let auto = simulate(link, Some(&mut Auto::new()), 1);
            assert!(
                auto <= best * 1.05,
                "{link} MB/s: {auto:.2} s, best {best:.2} s"
            );
        }
    }
}

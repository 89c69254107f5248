//! Simulated links: how much of each the pace uses, and with how many requests.

use std::time::{Duration, Instant};

use super::*;

const MB: f64 = 1e6;

/// Bytes of a part.
const PART: f64 = 8.0 * 1024.0 * 1024.0;

/// A link that all requests share evenly.
#[derive(Clone, Copy)]
struct Link {
    /// Bytes per second of all requests together.
    total: f64,
    /// Bytes per second of one.
    each: f64,
    /// Seconds before the first byte of a part and after its last, together.
    latency: f64,
    /// The latency is up to so many times as long.
    jitter: f64,
    /// The store refuses a request while so many others are under way.
    refuses: usize,
    /// It refuses any other request with these odds.
    odds: f64,
}

const LINK: Link = Link {
    total: 1e12,
    each: 1e12,
    latency: 0.002,
    jitter: 1.0,
    refuses: usize::MAX,
    odds: 0.0,
};

/// How the number of requests is chosen.
enum Policy {
    Fixed(usize),
    Pace(Pace, Option<Instant>),
}

impl Policy {
    fn allowed(&self) -> usize {
        match self {
            Self::Fixed(level) => *level,
            Self::Pace(pace, _) => pace.allowed(),
        }
    }

    fn not_before(&self) -> Option<Instant> {
        match self {
            Self::Pace(pace, _) => pace.not_before(),
            Self::Fixed(_) => None,
        }
    }
}

struct Request {
    flight: Option<Flight>,
    /// Seconds until bytes are sent.
    waits: f64,
    left: f64,
    was_refused: bool,
}

/// What a number of parts saw.
#[derive(Debug)]
struct Run {
    /// When each part was confirmed, in seconds.
    ends: Vec<f64>,
    /// The requests that were under way then.
    under_way: Vec<usize>,
}

impl Run {
    /// Bytes per second between two parts.
    fn rate(&self, from: usize, to: usize) -> f64 {
        let start = if from == 0 { 0.0 } else { self.ends[from - 1] };
        (to - from) as f64 * PART / (self.ends[to - 1] - start)
    }

    fn most(&self, from: usize) -> usize {
        self.under_way[from..].iter().copied().max().unwrap()
    }
}

/// Sends parts over a link that may change with the number of confirmed parts.
fn simulate(link_at: &dyn Fn(usize) -> Link, mut policy: Policy, parts: usize, seed: u64) -> Run {
    let start = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut now, mut begun) = (0.0_f64, 0);
    let mut requests: Vec<Request> = Vec::new();
    let mut run = Run {
        ends: Vec::new(),
        under_way: Vec::new(),
    };
    while run.ends.len() < parts {
        let link = link_at(run.ends.len());
        let at = start + Duration::from_secs_f64(now);
        let mut pause = f64::MAX;
        while requests.len() < policy.allowed() && begun < parts {
            if let Some(time) = policy.not_before().filter(|time| *time > at) {
                pause = (time - at).as_secs_f64() + 1e-9;
                break;
            }
            begun += 1;
            let is_refused = requests.len() >= link.refuses || random.f64() < link.odds;
            let mut waits = link.latency * (1.0 + random.f64() * (link.jitter - 1.0));
            let mut flight = None;
            if let Policy::Pace(pace, slowed) = &mut policy {
                flight = Some(pace.began(at));
                let is_new = slowed.is_none_or(|slowed| (at - slowed).as_secs_f64() > 1.0);
                if is_refused && is_new {
                    *slowed = Some(at);
                    pace.slower();
                }
            }
            if is_refused {
                waits += 1.0 + random.f64();
            }
            requests.push(Request {
                flight,
                waits,
                left: PART,
                was_refused: is_refused,
            });
        }
        let sending = requests.iter().filter(|one| one.waits <= 0.0).count();
        let rate = link.each.min(link.total / sending.max(1) as f64);
        let until = |one: &Request| match one.waits > 0.0 {
            true => one.waits,
            false => one.left / rate,
        };
        let step = requests.iter().map(until).fold(pause, f64::min);
        now += step;
        for one in &mut requests {
            match one.waits > 0.0 {
                // Rounding must leave nothing.
                true => {
                    one.waits = if one.waits - step < 1e-9 {
                        0.0
                    } else {
                        one.waits - step
                    }
                }
                false => one.left -= rate * step,
            }
        }
        let at = start + Duration::from_secs_f64(now);
        while let Some(done) = requests.iter().position(|one| one.left < 1.0) {
            run.ends.push(now);
            run.under_way.push(requests.len());
            let done = requests.swap_remove(done);
            if let Policy::Pace(pace, _) = &mut policy {
                pace.confirmed(done.flight.unwrap(), at, done.was_refused);
            }
        }
    }
    run
}

/// Parts that are sent, and parts after them, which end with fewer and fewer requests.
const PARTS: usize = 400;
const PARTS_AT_END: usize = 24;

/// Requests at a time, at most.
const MOST: usize = 12;

const MIB: f64 = 1024.0 * 1024.0;

fn paced(link_at: &dyn Fn(usize) -> Link, seed: u64) -> Run {
    let policy = Policy::Pace(Pace::new(MOST), None);
    simulate(link_at, policy, PARTS + PARTS_AT_END, seed)
}

/// The best rate that a fixed number of requests gets.
fn best(link: Link, seed: u64) -> f64 {
    let rate = |level| {
        let fixed = Policy::Fixed(level);
        simulate(&|_| link, fixed, PARTS + PARTS_AT_END, seed).rate(100, PARTS)
    };
    (1..=MOST).map(rate).fold(0.0, f64::max)
}

fn shared(total: f64, latency: f64) -> Link {
    Link {
        total,
        latency,
        ..LINK
    }
}

fn limited(each: f64, latency: f64) -> Link {
    Link {
        each,
        latency,
        ..LINK
    }
}

/// The first row whose link is not used well is named.
#[track_caller]
fn check(run: &Run, best: f64, from: usize, most: usize, what: &str) {
    // Within a few rounds, and in the long run.
    let shares = [run.rate(from, from + 48), run.rate(from, PARTS)].map(|rate| rate / best);
    let under_way = run.most(from);
    let what = format!("{what}: {shares:.2?} of the best rate, {under_way} under way at most");
    assert!(shares[0] > 0.8 && shares[1] > 0.94, "{what}");
    assert!(under_way <= most, "{what}");
}

#[test]
fn each_link_is_filled_with_few_requests_if_few_fill_it_and_with_the_most_if_not() {
    // The link, the parts after which it is full, and the requests from then on, at most.
    let rows = [
        (shared(0.5 * MIB, 0.02), 3, 2),
        (shared(2.0 * MIB, 0.02), 3, 2),
        (shared(8.0 * MIB, 0.002), 3, 2),
        (shared(8.0 * MIB, 0.03), 3, 3),
        (shared(8.0 * MIB, 0.1), 5, 3),
        (shared(20.0 * MB, 0.03), 5, 3),
        (shared(50.0 * MB, 0.03), 5, 8),
        (shared(100.0 * MB, 0.01), 5, MOST),
        (shared(1000.0 * MB, 0.01), 5, MOST),
        (limited(1e12, 0.002), 5, MOST),
        (limited(90.0 * MB, 0.05), 5, MOST),
        (limited(40.0 * MB, 0.03), 5, MOST),
        (limited(10.0 * MB, 0.1), 12, MOST),
        (limited(2.0 * MB, 0.2), 12, MOST),
    ];
    for (number, (link, full, most)) in rows.into_iter().enumerate() {
        for jitter in [1.0, 1.5, 3.0] {
            let link = Link { jitter, ..link };
            for seed in 0..10 {
                let (run, best) = (paced(&|_| link, seed), best(link, seed));
                let what = format!("row {number}, jitter {jitter}, seed {seed}");
                check(&run, best, full, most, &what);
                let start = &run.under_way[..2];
                assert!(start.iter().all(|now| *now <= 4), "{what}: {start:?}");
            }
        }
    }
}

#[test]
fn a_link_that_changes_is_soon_filled_with_few_requests_again_or_with_the_most() {
    // Before and after; the parts after which the link is full, and the requests from then on, at most.
    let rows = [
        (limited(40.0 * MB, 0.03), shared(8.0 * MIB, 0.03), 60, 3),
        (limited(40.0 * MB, 0.03), shared(50.0 * MB, 0.03), 60, 8),
        (limited(2.0 * MB, 0.1), shared(4.0 * MB, 0.1), 60, 3),
        (limited(40.0 * MB, 0.03), limited(10.0 * MB, 0.1), 60, MOST),
        (shared(8.0 * MIB, 0.03), shared(2.0 * MIB, 0.03), 0, 3),
        (shared(8.0 * MIB, 0.03), shared(100.0 * MB, 0.03), 80, MOST),
        (shared(8.0 * MIB, 0.03), limited(40.0 * MB, 0.03), 80, MOST),
        (shared(2.0 * MIB, 0.03), limited(2.0 * MB, 0.1), 80, MOST),
    ];
    for (number, (before, after, full, most)) in rows.into_iter().enumerate() {
        for jitter in [1.0, 1.5, 3.0] {
            let [before, after] = [before, after].map(|link| Link { jitter, ..link });
            for seed in 0..10 {
                let link_at = |part: usize| if part < 100 { before } else { after };
                let (run, best) = (paced(&link_at, seed), best(after, seed));
                let what = format!("row {number}, jitter {jitter}, seed {seed}");
                check(&run, best, 100 + full, most, &what);
            }
        }
    }
}

#[test]
fn a_store_that_refuses_requests_now_and_then_is_used_as_well_as_others() {
    for (each, odds) in [(40.0, 0.02), (40.0, 0.1), (2.0, 0.01)] {
        let link = Link {
            odds,
            ..limited(each * MB, 0.03)
        };
        for seed in 0..10 {
            let (run, best) = (paced(&|_| link, seed), best(link, seed));
            let share = run.rate(48, PARTS) / best;
            assert!(
                share > 0.85,
                "{each} MB/s, odds {odds}, seed {seed}: {share:.2}"
            );
        }
    }
}

#[test]
fn a_first_request_that_hangs_gets_company() {
    let start = Instant::now();
    let mut pace = Pace::new(MOST);
    assert_eq!(pace.not_before(), None);
    pace.began(start);
    assert_eq!(pace.allowed(), 2);
    assert_eq!(pace.not_before(), Some(start + FIRST_ALONE));
    let second = pace.began(start + FIRST_ALONE);
    pace.confirmed(second, start + 2 * FIRST_ALONE, false);
    assert!(pace.allowed() > 1, "the first still hangs");
}

#[test]
fn one_request_is_allowed_however_often_the_store_asks_for_fewer() {
    for most in [1, 2, MOST] {
        let mut pace = Pace::new(most);
        for seconds in 0..9 {
            assert!(pace.allowed() >= 1);
            pace.slower();
            assert!(pace.allowed() >= 1);
            let at = Instant::now() + Duration::from_secs(seconds);
            let flight = pace.began(at);
            pace.confirmed(flight, at + Duration::from_millis(200 * seconds), false);
        }
    }
}

//! How busy the machine was with other programs: a run that shares its cores is slow for a reason that its own
//! figures do not show.

use std::time::Duration;

/// What the processors of the machine did during a run, as shares of all their time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Machine {
    /// Used by other programs, or by other virtual machines on the same host.
    pub(crate) others: f64,
    /// Used by nothing.
    pub(crate) idle: f64,
}

/// What the processors did since the machine started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    busy: u64,
    idle: u64,
    processors: u64,
}

impl Ticks {
    /// From Linux's `/proc/stat` (proc_stat(5)). None elsewhere.
    pub(super) fn now() -> Option<Self> {
        Self::read(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    fn read(stat: &str) -> Option<Self> {
        let cpus = stat.lines().filter(|line| line.starts_with("cpu"));
        let processors = cpus.count().checked_sub(1).filter(|count| *count > 0)?;
        let sum = stat.lines().next()?.strip_prefix("cpu ")?;
        // user, nice, system, idle, iowait, irq, softirq, steal; the time of guests is in that of user.
        let ticks = sum.split_whitespace().take(8).map(str::parse);
        let ticks: Vec<u64> = ticks.collect::<Result<_, _>>().ok()?;
        let idle = ticks.get(3)? + ticks.get(4)?;
        Some(Self {
            busy: ticks.iter().sum::<u64>() - idle,
            idle,
            processors: processors as u64,
        })
    }

    /// What happened since `then`, of which `cpu` was this process in the time `wall`. None if that was too
    /// short to be counted.
    pub(super) fn since(self, then: &Self, cpu: Duration, wall: Duration) -> Option<Machine> {
        /// A tick is 10 ms; fewer than so many say nothing.
        const FEWEST: u64 = 20;
        let busy = self.busy.saturating_sub(then.busy);
        let idle = self.idle.saturating_sub(then.idle);
        let all = Some(busy + idle).filter(|all| *all >= FEWEST)?;
        let all = all as f64;
        let ours = cpu.as_secs_f64() / (self.processors as f64 * wall.as_secs_f64().max(1e-9));
        Some(Machine {
            others: (busy as f64 / all - ours).clamp(0.0, 1.0),
            idle: idle as f64 / all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_other_programs_is_what_is_busy_and_not_ours() {
        let stat = |user, idle| {
            format!("cpu  {user} 0 10 {idle} 5 0 0 5 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n")
        };
        let then = Ticks::read(&stat(100, 1000)).unwrap();
        assert_eq!((then.busy, then.idle, then.processors), (115, 1005, 2));
        // A second on two processors: 150 of 200 ticks were busy, and half a second of it was ours.
        let now = Ticks::read(&stat(250, 1050)).unwrap();
        let half = Duration::from_millis(500);
        let machine = now.since(&then, half, Duration::from_secs(1)).unwrap();
        assert!((machine.others - 0.5).abs() < 1e-9 && (machine.idle - 0.25).abs() < 1e-9);
        assert_eq!(then.since(&then, half, half), None);
        assert_eq!(Ticks::read("garbage"), None);
    }

    #[test]
    fn this_machine_has_processors() {
        assert_eq!(Ticks::now().is_some(), cfg!(target_os = "linux"));
    }
}

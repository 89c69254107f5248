//! Measures how much of the machine's time packing spends on reading and compressing.
//!
//! For each tree and level, this adds up the processor time that the bare compressor takes for the same
//! bytes, and that of a bare open, fstat, read and close of the same files, each on one thread. The sum is
//! divided by cores x wall time of packing without output. The result is 1 if the pipeline costs nothing and
//! never leaves a core idle.
//!
//! ```text
//! cargo bench --no-default-features --bench efficiency -- --levels 1,5 DIR...
//! ```
//!
//! It needs a quiet machine. It prints medians of `--rounds` (5), in each of which all three are measured.
#![allow(missing_docs, clippy::print_stdout, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hoist::archive::deflate::{Engine, Level};
use hoist::archive::limits::{CHUNK, DEFAULT_CONCURRENCY, Limits, default_threads};
use hoist::archive::pack::{self, pack};
use hoist::archive::plan::{self, Plan};
use hoist::bundle::Format;
use hoist::cancel::Cancel;
use hoist::progress::Progress;
use rustix::fs::{Mode, OFlags};
use rustix::time::{ClockId, clock_gettime};

struct Arguments {
    levels: Vec<u8>,
    rounds: usize,
    threads: usize,
    pack_only: bool,
    trees: Vec<PathBuf>,
}

fn arguments() -> Arguments {
    let mut arguments = Arguments {
        levels: vec![1, 5],
        rounds: 5,
        threads: default_threads(),
        pack_only: false,
        trees: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .unwrap_or_else(|| panic!("{word} needs a value"))
        };
        match word.as_str() {
            // `cargo bench` passes this to every bench.
            "--bench" => {}
            "--levels" => {
                let levels = value();
                let levels = levels
                    .split(',')
                    .map(|level| level.parse().expect("a level"));
                arguments.levels = levels.collect();
            }
            // Only packs, for a profiler.
            "--pack-only" => arguments.pack_only = true,
            "--rounds" => arguments.rounds = value().parse().expect("a number"),
            "--threads" => arguments.threads = value().parse().expect("a number"),
            tree => arguments.trees.push(tree.into()),
        }
    }
    arguments
}

fn main() {
    let arguments = arguments();
    if arguments.trees.is_empty() {
        println!("efficiency: name directories to measure");
        return;
    }
    let cores = std::thread::available_parallelism().expect("a number of cores");
    println!(
        "{cores} cores, {} threads, medians of {}",
        arguments.threads, arguments.rounds
    );
    println!("level  engine CPU  read CPU  pack wall  pack CPU  efficiency  tree");
    for tree in &arguments.trees {
        for &level in &arguments.levels {
            let level = Level::new(level).expect("a level");
            if arguments.pack_only {
                for _ in 0..arguments.rounds {
                    let (wall, cpu) = packed(tree, level, arguments.threads);
                    println!("{:>5}  {wall:.3?}  {cpu:.3?}", level.get());
                }
                continue;
            }
            let mut rounds: Vec<[Duration; 4]> = (0..arguments.rounds)
                .map(|_| round(tree, level, arguments.threads))
                .collect();
            let [engine, read, wall, cpu] = [0, 1, 2, 3].map(|figure| {
                rounds.sort_by_key(|round| round[figure]);
                rounds[rounds.len() / 2][figure].as_secs_f64()
            });
            println!(
                "{:>5}  {engine:>8.2} s  {read:>6.2} s  {wall:>7.3} s  {cpu:>6.2} s  {:>10.3}  {}",
                level.get(),
                (engine + read) / (cores.get() as f64 * wall),
                tree.display()
            );
        }
    }
}

/// The processor times of the bare compressor and of bare reading, and the wall and processor times of
/// packing.
fn round(tree: &Path, level: Level, threads: usize) -> [Duration; 4] {
    let files = list(tree);
    let mut bare = Bare {
        engine: Engine::new(level),
        input: vec![0; CHUNK],
        output: Vec::with_capacity(2 * CHUNK),
        engine_time: Duration::ZERO,
    };
    let root = rustix::fs::open(tree, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
    let root = root.expect("the tree opens");
    // Both run in one pass, with separate times, so that the tree need not fit in memory.
    let before = cpu(ClockId::ThreadCPUTime);
    for file in &files {
        bare.file(&root, file);
    }
    let both = cpu(ClockId::ThreadCPUTime) - before;
    let (wall, pack) = packed(tree, level, threads);
    [bare.engine_time, both - bare.engine_time, wall, pack]
}

struct Bare {
    engine: Engine,
    input: Vec<u8>,
    output: Vec<u8>,
    engine_time: Duration,
}

impl Bare {
    fn file(&mut self, root: &impl std::os::fd::AsFd, path: &Path) {
        let file = rustix::fs::openat(root, path, OFlags::RDONLY, Mode::empty()).expect("a file");
        let stat = rustix::fs::fstat(&file).expect("a file's state");
        let mut left = usize::try_from(stat.st_size).expect("a size");
        let whole = left <= CHUNK;
        while left > 0 {
            let want = left.min(CHUNK);
            let mut filled = 0;
            while filled < want {
                let read = rustix::io::read(&file, &mut self.input[filled..want]);
                filled += read.expect("content");
            }
            left -= want;
            self.output.clear();
            let before = cpu(ClockId::ThreadCPUTime);
            let input = &self.input[..want];
            if whole {
                self.engine.deflate(input, &mut self.output);
            } else {
                let joined = self
                    .engine
                    .deflate_chunk(input, left == 0, &mut self.output);
                joined.expect("a stream");
            }
            self.engine_time += cpu(ClockId::ThreadCPUTime) - before;
        }
    }
}

fn packed(tree: &Path, level: Level, threads: usize) -> (Duration, Duration) {
    let (stop, progress) = (Cancel::new(), Progress::new());
    let (start, cpu_start) = (Instant::now(), cpu(ClockId::ProcessCPUTime));
    let options = plan::Options {
        threads,
        ..plan::Options::default()
    };
    let plan = Plan::scan(tree, &options, &stop).expect("a plan");
    let limits = Limits::for_archive(plan.worst_case(), threads, DEFAULT_CONCURRENCY);
    let options = pack::Options {
        level: level.into(),
        limits: limits.expect("limits"),
        format: Format::Zip,
        digest: false,
    };
    pack(&plan, &options, &stop, &progress, &mut |_| Ok(())).expect("an archive");
    (start.elapsed(), cpu(ClockId::ProcessCPUTime) - cpu_start)
}

/// The files below `tree`, relative to it. As in a pack, links to files count.
fn list(tree: &Path) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(tree)
        .standard_filters(false)
        .build();
    let paths = walk.map(|entry| entry.expect("an entry").into_path());
    paths
        .filter(|path| path.is_file())
        .map(|path| path.strip_prefix(tree).expect("below the tree").to_owned())
        .collect()
}

fn cpu(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    let secs = u64::try_from(now.tv_sec).expect("a time");
    let nanos = u32::try_from(now.tv_nsec).expect("a time");
    Duration::new(secs, nanos)
}

//! Counts the instructions of the work that takes most of a push's processor time, and fails if a change
//! adds more than 3%. Unlike a time, a count does not depend on the load of the machine, so CI can check
//! it.
//!
//! ```text
//! cargo bench --profile instructions --no-default-features --bench instructions -- check
//! ```
//!
//! `check` compares with benches/instructions.txt, `bless` writes that file, and `spread` counts five times
//! and prints how much the counts differ. All run this program again under valgrind. A case runs twice,
//! once with a few rounds and once with twice as many; the difference is the count of the rounds, without
//! start, making data and first uses.
//!
//! Not counted: the kernel's instructions, waiting, effects of caches, and code for processor features that
//! valgrind does not have, such as AVX-512.
//!
//! The two pack cases have three threads (assembler, dispatcher, one worker). Their waits for each other
//! vary, so their counts do too; `spread` shows by how much.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own"
)]

mod baseline;
mod cases;
#[path = "../data.rs"]
mod data;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use self::baseline::{Counts, judge};
use self::cases::{CASES, Case};

type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
counts nothing unless asked to:
  cargo bench --profile instructions --no-default-features --bench instructions -- \
(check | bless | spread)";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match *args {
        ["check"] => check(),
        ["bless"] => bless(),
        ["spread"] => spread(),
        // Under valgrind.
        ["cpu"] => {
            println!("{}", cpu());
            Ok(())
        }
        ["run", case, tree, times] => run(case, Path::new(tree), times),
        // Plain `cargo bench` and `cargo test --benches`.
        [] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(case: &str, tree: &Path, times: &str) -> Result<()> {
    let times = times.parse().map_err(|_| USAGE.to_owned())?;
    let case = CASES.iter().find(|known| known.name == case);
    let case = case.ok_or_else(|| "no such case".to_owned())?;
    (case.work)(tree, times);
    Ok(())
}

fn check() -> Result<()> {
    let path = baseline_path();
    let text = fs::read_to_string(&path).map_err(|error| {
        format!(
            "no baseline to compare with: {}: {error}; `bless` makes one",
            path.display()
        )
    })?;
    let baseline = Counts::parse(&text)?;
    // Compare the surroundings first: counting takes minutes.
    let about = about()?;
    let mut verdict = judge(
        &baseline,
        &Counts {
            about: about.clone(),
            cases: baseline.cases.clone(),
        },
    );
    if verdict.failures.is_empty() {
        let cases = count()?;
        verdict = judge(&baseline, &Counts { about, cases });
        println!(
            "{:<14} {:>13} {:>13} {:>8}",
            "case", "baseline", "now", "change"
        );
    }
    for line in &verdict.table {
        println!("{line}");
    }
    for note in &verdict.notes {
        println!("note: {note}");
    }
    if verdict.failures.is_empty() {
        println!("no count is more than 3% above the baseline");
        return Ok(());
    }
    Err(format!(
        "FAILED against {}:\n  {}\nif that is meant to be, `bless` it and say why in the commit",
        path.display(),
        verdict.failures.join("\n  ")
    ))
}

fn bless() -> Result<()> {
    let counts = Counts {
        about: about()?,
        cases: count()?,
    };
    let path = baseline_path();
    fs::write(&path, counts.render()).map_err(|error| error.to_string())?;
    print!("{}", counts.render());
    Ok(())
}

fn spread() -> Result<()> {
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for _ in 0..5 {
        for (case, count) in count()? {
            seen.entry(case).or_default().push(count);
        }
    }
    for (case, counts) in seen {
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        #[allow(clippy::cast_precision_loss, reason = "a figure to print")]
        let percent = (most - least) as f64 * 100.0 / *least as f64;
        println!("{case:<14} {least:>13} to {most:>13}: {percent:.3}%");
    }
    Ok(())
}

fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

/// What the counts depend on, besides the code.
fn about() -> Result<BTreeMap<String, String>> {
    let first_line = |program: &str, args: &[&str]| -> Result<String> {
        let said = output(Command::new(program).args(args))?;
        Ok(said.lines().next().unwrap_or_default().to_owned())
    };
    let rustc = output(Command::new("rustc").arg("-vV"))?;
    let target = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let cc = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    // target/<profile>/deps/<this>
    let exe = exe()?;
    let profile = exe.ancestors().nth(2).and_then(Path::file_name);
    let cpu = output(valgrind("none").arg(&exe).arg("cpu"))?;
    let about = [
        ("rustc", rustc.lines().next().unwrap_or_default().to_owned()),
        ("target", target.unwrap_or_default().to_owned()),
        (
            "profile",
            profile.unwrap_or_default().to_string_lossy().into_owned(),
        ),
        ("cpu", cpu.trim().to_owned()),
        ("cc", first_line(&cc, &["--version"])?),
        ("libc", first_line("getconf", &["GNU_LIBC_VERSION"])?),
        ("valgrind", first_line("valgrind", &["--version"])?),
    ];
    Ok(about.map(|(key, value)| (key.to_owned(), value)).into())
}

/// The processor features by which dependencies choose their code, as valgrind shows them.
fn cpu() -> String {
    #[cfg(target_arch = "x86_64")]
    let features = [
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("vpclmulqdq", is_x86_feature_detected!("vpclmulqdq")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let features = [("unknown", true)];
    let there = features.iter().filter(|(_, there)| *there);
    there.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// The instructions of every case.
fn count() -> Result<BTreeMap<String, u64>> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let tree = dir.path().join("tree");
    cases::plant(&tree);
    let mut counts = BTreeMap::new();
    for Case { name, rounds, .. } in CASES {
        let instructions = |times: usize| -> Result<u64> {
            let profile = dir.path().join("callgrind.out");
            let out = format!("--callgrind-out-file={}", profile.display());
            let mut command = valgrind("callgrind");
            command.arg(out).arg(exe()?).arg("run").arg(name);
            output(command.arg(&tree).arg(times.to_string()))?;
            total(&fs::read_to_string(profile).map_err(|error| error.to_string())?)
        };
        let (once, twice) = (instructions(rounds)?, instructions(2 * rounds)?);
        let count = twice.checked_sub(once).filter(|count| *count > 0);
        let count = count.ok_or_else(|| format!("{name}: twice the rounds take no more"))?;
        counts.insert(name.to_owned(), count / rounds as u64);
    }
    Ok(counts)
}

/// The sum over all threads and functions, from the end of a callgrind profile.
fn total(profile: &str) -> Result<u64> {
    let line = profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    line.and_then(|total| total.trim().parse().ok())
        .ok_or_else(|| "callgrind's profile has no total".to_owned())
}

fn exe() -> Result<PathBuf> {
    env::current_exe().map_err(|error| error.to_string())
}

/// Settings of glibc. valgrind counts `rep movsb` as one instruction for each byte, so copying would be most
/// of each count. And whether a vector can grow in place depends on what other threads have allocated
/// beside it, unless large vectors are mapped.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000:\
                        glibc.cpu.x86_rep_stosb_threshold=1000000000:\
                        glibc.malloc.mmap_threshold=32768:\
                        glibc.malloc.arena_max=1";

/// A command under valgrind, whose threads take turns in the order in which they ask.
fn valgrind(tool: &str) -> Command {
    let mut command = Command::new("valgrind");
    command.env("GLIBC_TUNABLES", TUNABLES);
    command.args(["--quiet", "--fair-sched=yes"]);
    command.arg(format!("--tool={tool}"));
    command
}

/// The output of a command, which must succeed.
fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!(
            "{command:?} failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

//! `hoist bench`, `--timings` and `--trace`, as a user runs them.
#![cfg(feature = "cli")]
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A hundred small files and one that is cut into chunks.
fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("appspec.yml"), "version: 0.0\nos: linux\n").unwrap();
    for n in 0..100 {
        let line = format!("line {n} of many\n");
        fs::write(dir.path().join(format!("{n}.txt")), line.repeat(50)).unwrap();
    }
    let words: Vec<u8> = (0..5_000_000_u32)
        .map(|n| (n % 251 * (n >> 9)).to_le_bytes()[0])
        .collect();
    fs::write(dir.path().join("giant"), words).unwrap();
    dir
}

fn hoist(arguments: &[&str], source: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoist"));
    command.args(arguments).arg("--source").arg(source);
    command.output().unwrap()
}

fn said(arguments: &[&str], source: &Path) -> String {
    let output = hoist(arguments, source);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn runs(arguments: &[&str], source: &Path) -> Vec<Value> {
    serde_json::from_str(&said(arguments, source)).unwrap()
}

#[test]
fn every_setting_runs_as_often_as_asked() {
    let tree = tree();
    let arguments = "bench --levels 0,1,best --threads 1,3 --repeat 2 --format json";
    let runs = runs(&arguments.split(' ').collect::<Vec<_>>(), tree.path());
    let settings: Vec<_> = runs
        .iter()
        .map(|run| {
            let number = |key: &str| run[key].as_u64().unwrap();
            (
                run["level"].as_str().unwrap(),
                number("threads"),
                number("run"),
            )
        })
        .collect();
    let expected: Vec<_> = ["0", "1", "12"]
        .iter()
        .flat_map(|&level| [1, 3].map(|threads| [(level, threads, 1), (level, threads, 2)]))
        .flatten()
        .collect();
    assert_eq!(settings, expected);
    for run in &runs {
        assert_eq!(run["files"], 102);
        let stages = &run["stages"];
        for stage in ["walk", "read", "compress", "assemble"] {
            assert!(
                stages[stage]["busy"].as_f64().unwrap() > 0.0,
                "{stage}: {run}"
            );
        }
        // Contents are read once, and compressed once.
        assert_eq!(stages["read"]["bytes"], run["content"]);
        assert_eq!(stages["compress"]["bytes"], run["content"]);
        assert_eq!(stages["assemble"]["bytes"], run["archive"]);
        assert!(run["bottleneck"].as_str().unwrap().len() > 20);
    }
    let archives: Vec<_> = runs
        .iter()
        .map(|run| run["archive"].as_u64().unwrap())
        .collect();
    assert!(
        archives[0] > archives[4] && archives[4] > archives[8],
        "{archives:?}"
    );
    assert!(
        archives
            .chunks(4)
            .all(|same| same.iter().all(|size| *size == same[0]))
    );
}

#[test]
fn a_table_has_the_stages_and_a_sentence() {
    let tree = tree();
    let table = said(&["bench", "--sink", "pack", "--repeat", "1"], tree.path());
    for text in [
        "level ",
        "102 files",
        "compress",
        "assemble",
        "MB/s",
        "processor",
    ] {
        assert!(table.contains(text), "{text}: {table}");
    }
    assert!(table.trim_end().ends_with('.'), "{table}");
}

#[test]
fn csv_has_a_line_for_each_run() {
    let tree = tree();
    let arguments = ["bench", "--repeat", "3", "--format", "csv"];
    let csv = said(&arguments, tree.path());
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 4);
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns));
}

#[test]
fn plot_and_trace_are_files_that_their_readers_read() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let at = |name: &str| {
        dir.path()
            .join(name)
            .into_os_string()
            .into_string()
            .unwrap()
    };
    let (plot, trace) = (at("plot.svg"), at("trace.json"));
    said(&["bench", "--plot", &plot, "--trace", &trace], tree.path());
    let svg = fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    let events: Vec<Value> = serde_json::from_slice(&fs::read(trace).unwrap()).unwrap();
    let named = |name: &str| events.iter().any(|event| event["name"] == name);
    assert!(named("batch") && named("chunk") && named("thread_name"));
}

#[test]
fn what_cannot_be_measured_is_said() {
    let tree = tree();
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &["--sink", "tape"],
            252,
            "choose null, pack, local or s3://",
        ),
        (&["--levels", "auto"], 252, "choose a level"),
        (&["--levels", "13"], 252, "0 (store) to 12"),
        (&["--repeat", "0"], 252, "1..=1000"),
    ];
    for (arguments, code, text) in cases {
        let output = hoist(&[&["bench"], arguments].concat(), tree.path());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(text), "{stderr}");
    }
    let output = hoist(&["bench"], &tree.path().join("nowhere"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && stderr.contains("nowhere"),
        "{stderr}"
    );
}

#[test]
fn timings_go_to_standard_error_and_the_archive_is_the_same() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let archive = |name: &str, more: &[&str]| {
        let path = dir.path().join(name);
        let output = ["pack", "--quiet", "--output", path.to_str().unwrap()];
        let output = hoist(&[&output[..], more].concat(), tree.path());
        assert!(output.status.success());
        (
            fs::read(path).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let trace = dir.path().join("trace.json");
    let (plain, nothing) = archive("a.zip", &[]);
    let (told, timings) = archive("b.zip", &["--timings", "--trace", trace.to_str().unwrap()]);
    assert!(plain == told && nothing.is_empty());
    assert!(
        timings.contains("compress") && timings.contains("processor"),
        "{timings}"
    );
    let events: Vec<Value> = serde_json::from_slice(&fs::read(trace).unwrap()).unwrap();
    assert!(events.iter().any(|event| event["name"] == "batch"));
}

#[cfg(all(feature = "push", feature = "local"))]
#[test]
fn what_is_sent_to_an_endpoint_is_counted() {
    let tree = tree();
    let arguments = "bench --sink local --levels 0,auto --repeat 1 --format json";
    let runs = runs(&arguments.split(' ').collect::<Vec<_>>(), tree.path());
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert_eq!(run["stages"]["send"]["bytes"], run["archive"], "{run}");
        assert!(run["stages"]["send"]["busy"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(runs[1]["level"], "auto");
}

//! `hoist bench`, `--timings` and `--trace`, as a user runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Run as _, Tree, hoist, packed};

/// A hundred small files and one that is cut into chunks.
fn tree() -> Tree {
    let tree = Tree::revision();
    for n in 0..100 {
        let line = format!("line {n} of many\n");
        tree.file(&format!("{n}.txt"), line.repeat(50));
    }
    let giant: Vec<u8> = (0..2_500_000_u32)
        .map(|n| (n % 251 * (n >> 9)).to_le_bytes()[0])
        .collect();
    tree.file("giant", giant);
    tree
}

fn bench(source: &Path, arguments: &str) -> Command {
    let mut command = hoist();
    command.arg("bench").args(arguments.split_whitespace());
    command.arg("--source").arg(source);
    command
}

fn events(trace: &Path) -> Vec<Value> {
    serde_json::from_slice(&fs::read(trace).unwrap()).unwrap()
}

#[test]
fn every_setting_runs_as_often_as_asked_and_its_figures_add_up() {
    let tree = tree();
    let arguments = "--levels 0,1,best --threads 1,3 --repeat 2 --format json";
    let runs = bench(tree.path(), arguments).ok().json();
    let runs = runs.as_array().unwrap();
    let settings: Vec<_> = runs
        .iter()
        .map(|run| {
            let number = |key: &str| run[key].as_u64().unwrap();
            let level = run["level"].as_str().unwrap();
            (level, number("threads"), number("run"))
        })
        .collect();
    let expected: Vec<_> = ["0", "1", "12"]
        .iter()
        .flat_map(|&level| [1, 3].map(|threads| [(level, threads, 1), (level, threads, 2)]))
        .flatten()
        .collect();
    assert_eq!(settings, expected);
    for run in runs {
        assert_eq!(run["files"], 102);
        let stages = &run["stages"];
        for stage in ["walk", "read", "compress", "assemble"] {
            let busy = stages[stage]["busy"].as_f64().unwrap();
            assert!(busy > 0.0, "{stage}: {run}");
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
    for of_a_level in archives.chunks(4) {
        assert!(of_a_level.iter().all(|size| *size == of_a_level[0]));
    }
    let falls = archives[0] > archives[4] && archives[4] > archives[8];
    assert!(falls, "{archives:?}");
}

#[test]
fn a_table_has_the_stages_and_a_sentence() {
    let tree = tree();
    let done = bench(tree.path(), "--sink pack --repeat 1").ok();
    for text in [
        "level ",
        "102 files",
        "compress",
        "assemble",
        "MiB/s",
        "processor",
    ] {
        done.prints(text);
    }
    assert!(done.stdout.trim_end().ends_with('.'), "{done}");
}

#[test]
fn csv_has_a_line_for_each_run() {
    let tree = tree();
    let csv = bench(tree.path(), "--repeat 2 --format csv").ok().stdout;
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 3);
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns));
}

#[test]
fn plot_and_trace_are_files_that_their_readers_read() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let (plot, trace) = (dir.path().join("plot.svg"), dir.path().join("trace.json"));
    let mut command = bench(tree.path(), "--repeat 1");
    command.arg("--plot").arg(&plot);
    command.arg("--trace").arg(&trace).ok();
    let svg = fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    let events = events(&trace);
    let named = |name: &str| events.iter().any(|event| event["name"] == name);
    assert!(named("batch") && named("chunk") && named("thread_name"));
}

#[test]
fn a_setting_that_cannot_be_measured_is_named() {
    let tree = tree();
    for (arguments, text) in [
        ("--sink tape", "choose null, pack, local or s3://"),
        ("--levels auto", "choose a level"),
        ("--levels 13", "0 (store) to 12"),
        ("--repeat 0", "1..=1000"),
    ] {
        bench(tree.path(), arguments).fails(252).says(text);
    }
    let done = bench(&tree.path().join("nowhere"), "").done();
    assert_ne!(done.code, Some(0), "{done}");
    done.says("nowhere");
}

#[test]
fn timings_go_to_standard_error_and_the_archive_is_unchanged() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let (archive, trace) = (dir.path().join("b.zip"), dir.path().join("trace.json"));
    let mut command = hoist();
    command.args(["pack", "--quiet", "--timings", "--source"]);
    command.arg(tree.path()).arg("--output").arg(&archive);
    let done = command.arg("--trace").arg(&trace).ok();
    done.says("compress").says("processor");
    assert!(fs::read(archive).unwrap() == packed(tree.path(), "a.zip", &[]));
    assert!(events(&trace).iter().any(|event| event["name"] == "batch"));
}

#[cfg(all(feature = "push", feature = "local"))]
#[test]
fn bytes_that_are_sent_to_an_endpoint_are_counted() {
    let tree = tree();
    let arguments = "--sink local --levels 0,auto --repeat 1 --format json";
    let runs = bench(tree.path(), arguments).ok().json();
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert_eq!(run["stages"]["send"]["bytes"], run["archive"], "{run}");
        assert!(run["stages"]["send"]["busy"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(runs[1]["level"], "auto");
}

#[cfg(all(feature = "push", feature = "local"))]
#[test]
fn a_bandwidth_limit_is_kept_and_named_as_the_bottleneck() {
    let tree = tree();
    tree.file("noise", crate::support::noise(12 << 20, 1));
    let arguments = "--sink local --repeat 1 --bandwidth-limit 6M --format json";
    let runs = bench(tree.path(), arguments).ok().json();
    assert!(runs[0]["wall"].as_f64().unwrap() > 1.8, "{runs}");
    let said = runs[0]["bottleneck"].as_str().unwrap();
    assert!(said.contains("--bandwidth-limit"), "{said}");
}

//! Measures how fast a tree becomes parts: small files, one large file, many empty files, and cutting alone.
//! Parts are dropped, so neither disk nor network is measured.
#![allow(missing_docs, clippy::unwrap_used)]

mod data;

use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hoist::archive::deflate::Level;
use hoist::archive::limits::{DEFAULT_CONCURRENCY, Limits, MIN_PART, default_threads};
use hoist::archive::pack::{Cutter, Options, Packed, Part, pack};
use hoist::archive::plan::{self, Plan};
use hoist::bundle::Format;
use hoist::cancel::Cancel;
use hoist::progress::Progress;

use self::data::text;

fn scan(source: &Path) -> Plan {
    let options = plan::Options {
        threads: default_threads(),
        ..plan::Options::default()
    };
    Plan::scan(source, &options, &Cancel::new()).unwrap()
}

/// Packs, and drops the parts.
fn pack_and_drop(plan: &Plan, threads: usize) -> Packed {
    let limits = Limits::for_archive(plan.worst_case(), threads, DEFAULT_CONCURRENCY).unwrap();
    let options = Options {
        level: Level::default().into(),
        limits,
        format: Format::Zip,
        digest: false,
    };
    pack(
        plan,
        &options,
        &Cancel::new(),
        &Progress::new(),
        &mut |part| {
            black_box(part);
            Ok(())
        },
    )
    .unwrap()
}

fn whole_pack(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pack");
    group.sample_size(10);
    let trees: [(&str, usize, usize); 3] = [
        ("small entries", 2000, 8 << 10),
        ("one large file", 1, 32 << 20),
        ("empty entries", 20_000, 0),
    ];
    for (name, count, len) in trees {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..count {
            let folder = dir.path().join(format!("folder-{:03}", n % 50));
            fs::create_dir_all(&folder).unwrap();
            fs::write(
                folder.join(format!("file-{n:06}.html")),
                text(n as u64, len),
            )
            .unwrap();
        }
        let plan = scan(dir.path());
        if len == 0 {
            group.throughput(Throughput::Elements(count as u64));
        } else {
            group.throughput(Throughput::Bytes(plan.total_size()));
        }
        for threads in [1, default_threads()] {
            let id = BenchmarkId::new(name, format!("{threads} threads"));
            group.bench_function(id, |bencher| bencher.iter(|| pack_and_drop(&plan, threads)));
        }
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("plan", name), |bencher| {
            bencher.iter(|| scan(dir.path()));
        });
    }
    group.finish();
}

/// Cuts parts, with their checksums; a header is open for 4 MiB at a time.
fn cutting(criterion: &mut Criterion) {
    let bytes = text(1, 1 << 20);
    let total = 64 * bytes.len() as u64;
    let mut group = criterion.benchmark_group("cut");
    group.sample_size(20).throughput(Throughput::Bytes(total));
    for part_size in [MIN_PART, 4 * MIN_PART] {
        group.bench_function(BenchmarkId::from_parameter(part_size), |bencher| {
            bencher.iter(|| {
                let mut emit = |part: Part| -> Result<(), Infallible> {
                    black_box(part);
                    Ok(())
                };
                let mut cutter = Cutter::new(usize::try_from(part_size).unwrap());
                for _ in 0..16 {
                    let open = cutter.append_open(&[0; 64], &mut emit).unwrap();
                    for _ in 0..4 {
                        cutter.append(&bytes, &mut emit).unwrap();
                    }
                    cutter.close(open, &[1; 64], &mut emit).unwrap();
                }
                cutter.finish(&mut emit).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole_pack, cutting);
criterion_main!(benches);

//! How fast the deflate module compresses, joins and decides to store. A push spends most of its processor
//! time there, so every change to it should be measured here.
#![allow(missing_docs)]

mod data;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hoist::archive::deflate::{Engine, Level, looks_compressible, stitch};

use self::data::{noise, text};

/// The length of a giant's chunks.
const CHUNK: usize = 1 << 20;

fn level(level: u8) -> Level {
    Level::new(level).unwrap_or_default()
}

/// One engine compresses many small files, one after the other.
fn small_files(c: &mut Criterion) {
    let mut group = c.benchmark_group("small files");
    for (size, count) in [(1 << 10, 1000), (16 << 10, 64), (256 << 10, 4)] {
        let content = text(2, size * count);
        group.throughput(Throughput::Bytes(content.len() as u64));
        for number in [1, 6, 9] {
            let mut engine = Engine::new(level(number));
            let mut out = Vec::new();
            let id = BenchmarkId::new(format!("level {number}"), size);
            group.bench_function(id, |b| {
                b.iter(|| {
                    out.clear();
                    for file in black_box(&content).chunks(size) {
                        black_box(engine.deflate(file, &mut out));
                    }
                });
            });
        }
    }
    group.finish();
}

/// One chunk from the middle of a giant, and the scan that joins it to the next one.
fn giant(c: &mut Criterion) {
    let content = text(3, CHUNK);
    let mut group = c.benchmark_group("chunk of 1 MiB");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(CHUNK as u64));
    let mut out = Vec::new();
    for number in [0, 1, 6, 9] {
        let mut engine = Engine::new(level(number));
        group.bench_function(format!("level {number}"), |b| {
            b.iter(|| {
                out.clear();
                engine.deflate_chunk(black_box(&content), false, &mut out)
            });
        });
    }

    // Bytes of content, not of the stream, so that the figures can be compared.
    for number in [1, 6] {
        let mut stream = Vec::new();
        assert!(Engine::new(level(number)).deflate(&content, &mut stream));
        group.bench_function(format!("scan of level {number}"), |b| {
            b.iter(|| stitch::scan(black_box(&stream)));
        });
    }
    group.finish();
}

/// Noticing that data does not compress.
fn store(c: &mut Criterion) {
    let content = noise(4, CHUNK);
    let mut group = c.benchmark_group("store");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    let mut engine = Engine::new(Level::default());
    let mut out = Vec::new();
    assert!(!engine.deflate(&content, &mut out));
    group.bench_function("1 MiB at once", |b| {
        b.iter(|| engine.deflate(black_box(&content), &mut out));
    });
    group.bench_function("1 MiB chunk", |b| {
        b.iter(|| {
            out.clear();
            engine.deflate_chunk(black_box(&content), false, &mut out)
        });
    });
    // Too small for sampling.
    group.throughput(Throughput::Bytes(32 << 10));
    group.bench_function("32 KiB at once", |b| {
        out.clear();
        b.iter(|| engine.deflate(black_box(&content[..32 << 10]), &mut out));
    });
    group.finish();

    let pieces: Vec<&[u8]> = content.chunks(4 << 10).step_by(21).take(12).collect();
    c.bench_function("store/sample of 12 pieces", |b| {
        b.iter(|| looks_compressible(black_box(&pieces)));
    });
}

criterion_group!(benches, small_files, giant, store);
criterion_main!(benches);

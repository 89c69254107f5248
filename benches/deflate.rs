//! How fast the deflate room compresses, joins and decides to store: it is where a push spends its
//! processor time, so every change to it is to be measured here.
#![allow(missing_docs, clippy::cast_possible_truncation)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hoist::deflate::{Engine, Level, looks_compressible, stitch};

/// What a giant is cut into.
const CHUNK: usize = 1 << 20;

/// Random numbers below a bound: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ word >> 31) % bound
    }
}

/// What does not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.below(256) as u8).collect()
}

/// Lines of words, some of which are far more frequent than others. They deflate to 0.3 of their
/// size or so, as a tree of sources does.
fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut letters = Random(1);
    let words: Vec<Vec<u8>> = (0..4096)
        .map(|_| {
            (0..2 + letters.below(9))
                .map(|_| b"etaoinshrdlucmfw_.(-"[letters.below(20) as usize])
                .collect()
        })
        .collect();
    let mut random = Random(seed);
    let mut text = Vec::with_capacity(len + 64);
    while text.len() < len {
        // The bound is itself random, which makes the first words the usual ones.
        let bound = 1 + random.below(words.len() as u64);
        let bound = 1 + random.below(bound);
        text.extend_from_slice(&words[random.below(bound) as usize]);
        text.push(if random.below(9) == 0 { b'\n' } else { b' ' });
        // And phrases that occurred before.
        if random.below(4) == 0 && text.len() > 4000 {
            let from = text.len() - 40 - random.below(3900) as usize;
            text.extend_from_within(from..from + 8 + random.below(30) as usize);
        }
    }
    text.truncate(len);
    text
}

fn level(level: u8) -> Level {
    Level::new(level).unwrap_or_default()
}

/// A thousand small files, one after the other, by one engine.
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

/// One chunk from the middle of a giant, and what joining it to the next one costs.
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

    // Bytes of content, not of the stream, so that the numbers compare.
    for number in [1, 6] {
        let mut stream = Vec::new();
        assert!(Engine::new(level(number)).deflate(&content, &mut stream));
        group.bench_function(format!("scan of level {number}"), |b| {
            b.iter(|| stitch::scan(black_box(&stream)));
        });
    }
    group.finish();
}

/// Finding out that there is nothing to gain.
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
    // Too small to be sampled.
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

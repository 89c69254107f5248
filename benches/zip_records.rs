//! How fast zip records are rendered and read: a push must never wait for them, not even with a million
//! empty files.
#![allow(missing_docs)]

mod data;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hoist::archive::zip::{
    CentralDirectory, Directory, DirectoryReader, Entry, Method, NonUtf8, Sizes, check_name,
    check_order, end_window, local_header,
};

use self::data::names;

fn entry(name: &str, method: Method) -> Entry<'_> {
    Entry {
        name: name.as_bytes(),
        mode: 0o100_644,
        mtime: 1_700_000_000,
        method,
    }
}

fn local_headers(names: &[String], sizes: &Sizes) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        local_header(&mut out, &entry(name, Method::Deflate), sizes);
    }
    out
}

fn directory(names: &[String], sizes: &Sizes) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = CentralDirectory::new(1 << 31);
    for (name, offset) in names.iter().zip((0..).step_by(1100)) {
        directory.entry(&mut out, &entry(name, Method::Deflate), sizes, offset);
    }
    directory.finish(&mut out);
    out
}

fn headers(c: &mut Criterion) {
    let names = names(10_000);
    let sizes = Sizes::known(0x1234_5678, 1000, 3000);
    let throughput = |records: &[u8]| Throughput::ElementsAndBytes {
        elements: 10_000,
        bytes: records.len() as u64,
    };
    let mut group = c.benchmark_group("headers");
    group.throughput(throughput(&local_headers(&names, &sizes)));
    group.bench_function("local", |b| {
        b.iter(|| local_headers(black_box(&names), &sizes));
    });
    group.throughput(throughput(&directory(&names, &sizes)));
    group.bench_function("central", |b| {
        b.iter(|| directory(black_box(&names), &sizes));
    });
    group.finish();
}

/// Writes a whole archive of empty files in pieces of 64 KiB.
fn write_empty(names: &[String], mut keep: impl FnMut(&[u8])) {
    let none = Sizes::known(0, 0, 0);
    let mut piece = Vec::with_capacity(65 << 10);
    let mut flush = |piece: &mut Vec<u8>, from| {
        if piece.len() >= from {
            keep(piece);
            piece.clear();
        }
    };
    let mut offsets = Vec::with_capacity(names.len());
    let mut at = 0;
    for name in names {
        offsets.push(at);
        let before = piece.len();
        local_header(&mut piece, &entry(name, Method::Stored), &none);
        at += (piece.len() - before) as u64;
        flush(&mut piece, 64 << 10);
    }
    let mut directory = CentralDirectory::new(at);
    for (name, offset) in names.iter().zip(offsets) {
        directory.entry(&mut piece, &entry(name, Method::Stored), &none, offset);
        flush(&mut piece, 64 << 10);
    }
    directory.finish(&mut piece);
    flush(&mut piece, 0);
}

/// Counts the headers of the directory.
fn read(archive: &[u8]) -> Option<usize> {
    let size = |offset| usize::try_from(offset).ok();
    let len = archive.len() as u64;
    let tail = archive.get(size(end_window(len).start)?..)?;
    let directory = Directory::find(tail, len).ok()?;
    let mut reader = DirectoryReader::new(&directory);
    let mut entries = 0;
    while let Some((offset, piece)) = reader.next_piece().ok()? {
        let from = size(offset)?;
        piece.copy_from_slice(archive.get(from..from + piece.len())?);
        while reader.next_header().ok()?.is_some() {
            entries += 1;
        }
    }
    Some(entries)
}

fn million_empty_files(c: &mut Criterion) {
    // An unoptimised build only tries it, under `cargo test --benches`.
    let count = if cfg!(debug_assertions) {
        10_000
    } else {
        1_000_000
    };
    let names = names(count);
    let mut archive = Vec::new();
    write_empty(&names, |piece| archive.extend_from_slice(piece));
    assert_eq!(read(&archive), Some(names.len()));

    let mut group = c.benchmark_group("a million empty files");
    group.sample_size(10);
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("write", |b| {
        b.iter(|| write_empty(&names, |piece| _ = black_box(piece)));
    });
    group.bench_function("read", |b| {
        b.iter(|| read(black_box(&archive)));
    });
    group.bench_function("check_name", |b| {
        let good = |name: &&String| check_name(name.as_bytes(), NonUtf8::Refuse).is_ok();
        b.iter(|| black_box(&names).iter().filter(good).count());
    });
    group.bench_function("check_order", |b| {
        b.iter(|| check_order(black_box(&names).iter().map(|name| name.as_bytes())).is_ok());
    });
    group.finish();
}

criterion_group!(benches, headers, million_empty_files);
criterion_main!(benches);

//! Counts allocations: neither walking nor packing allocates once for every file.
//!
//! A global allocator counts for all threads of a program, so this test is a program of its own.

#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hoist::archive::deflate::Level;
use hoist::archive::limits::Limits;
use hoist::archive::pack::{self, pack};
use hoist::archive::plan::{self, Plan};
use hoist::bundle::Format;
use hoist::cancel::Cancel;
use hoist::progress::Progress;

/// The system's allocator, which counts its calls.
struct Counting;

static ASKED: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn asked<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = ASKED.load(Relaxed);
    let value = work();
    (ASKED.load(Relaxed) - before, value)
}

/// 20 directories of `files` files of 2 KB.
fn tree(files: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in 0..20 {
        let folder = dir.path().join(format!("folder-{folder}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..files {
            let content = format!("file {file} says something again and again\n").repeat(50);
            fs::write(folder.join(format!("file-{file:04}.txt")), content).unwrap();
        }
    }
    dir
}

/// How many allocations walking and packing a tree take.
fn counts(source: &Path) -> (u64, u64) {
    let stop = Cancel::new();
    let options = plan::Options {
        threads: 2,
        ..plan::Options::default()
    };
    let (walking, plan) = asked(|| Plan::scan(source, &options, &stop).unwrap());
    let options = pack::Options {
        level: Level::FASTEST.into(),
        limits: Limits::for_archive(plan.worst_case(), 2, 2).unwrap(),
        format: Format::Zip,
        digest: false,
    };
    let mut emit = |_| Ok(());
    let (packing, packed) =
        asked(|| pack(&plan, &options, &stop, &Progress::new(), &mut emit).unwrap());
    assert_eq!(packed.files, plan.len() as u64);
    (walking, packing)
}

#[test]
fn allocations_do_not_grow_with_the_number_of_files() {
    let (few, many) = (tree(50), tree(250));
    // The first run allocates what lives as long as the program.
    counts(few.path());
    let (few_walking, few_packing) = counts(few.path());
    let (many_walking, many_packing) = counts(many.path());
    let more = 20 * (250 - 50);
    let walking = many_walking.saturating_sub(few_walking);
    let packing = many_packing.saturating_sub(few_packing);
    // What remains are growing vectors, batches of a hundred files and more, and parts.
    assert!(
        walking * 10 < more,
        "walking: {few_walking}, then {many_walking}"
    );
    assert!(
        packing * 10 < more,
        "packing: {few_packing}, then {many_packing}"
    );
}

#!/usr/bin/env bash
# zlib-rs 0.6.8: after reset() and set_dictionary(), what a compressor writes can depend on what it
# compressed before.
#
# zlib's deflateReset is "equivalent to deflateEnd followed by deflateInit", so one compressor that is reset for
# each chunk should write what a fresh one writes. Without a dictionary it does. With one, some outputs
# differ (they inflate to the right bytes all the same). Builds that must be reproducible, and
# archivers that keep a compressor for each thread, get other bytes from run to run.
#
# Run on 2026-11-28 with zlib-rs 0.6.8 from crates.io, rustc 1.95, x86-64. Output then (the input is fixed, so
# the counts are too on one kind of processor; the check is that they are not all zero):
#   level 1: 1 of 400 outputs depend on what was compressed before
#   level 8: 2 of 400 outputs depend on what was compressed before
#   levels 2, 4, 6, 9: 0 of 400
#
# What follows: chunks are deflated by libdeflate, which has no such state (src/archive/deflate).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "history"
version = "0.0.0"
edition = "2021"
[dependencies]
zlib-rs = "=0.6.8"
[workspace]
TOML
cat >"$work/src/main.rs" <<'RUST'
use zlib_rs::{Deflate, DeflateFlush};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Text of 64 invented words.
fn text(numbers: &mut Numbers, len: usize) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..64)
        .map(|_| {
            let letters = 2 + numbers.below(7);
            (0..letters).map(|_| b'a' + numbers.below(26) as u8).collect()
        })
        .collect();
    let mut text = Vec::new();
    while text.len() < len {
        text.extend_from_slice(&words[numbers.below(64)]);
        text.push(b' ');
    }
    text.truncate(len);
    text
}

fn compressed(deflate: &mut Deflate, dictionary: &[u8], content: &[u8]) -> Vec<u8> {
    deflate.set_dictionary(dictionary).unwrap();
    let mut out = vec![0; content.len() + 4096];
    let before = deflate.total_out();
    deflate.compress(content, &mut out, DeflateFlush::Finish).unwrap();
    out.truncate((deflate.total_out() - before) as usize);
    out
}

fn main() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut all = 0;
    for level in [1, 2, 4, 6, 8, 9] {
        let mut reused = Deflate::new(level, false, 15);
        let (mut differ, runs) = (0, 400);
        for _ in 0..runs {
            let (known, size) = (3 + numbers.below(2000), 1000 + numbers.below(30000));
            let (dictionary, content) = (text(&mut numbers, known), text(&mut numbers, size));
            reused.reset();
            let again = compressed(&mut reused, &dictionary, &content);
            let fresh = compressed(&mut Deflate::new(level, false, 15), &dictionary, &content);
            differ += u32::from(again != fresh);
        }
        println!("level {level}: {differ} of {runs} outputs depend on what was compressed before");
        all += differ;
    }
    assert!(all > 0, "every output was that of a fresh compressor: this has changed");
}
RUST
cd "$work"
CARGO_TARGET_DIR="$work/target" cargo run --quiet --release

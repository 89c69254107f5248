//! Every size that bounds memory, in one place, and the sum of them.
//!
//! Memory is promised, not hoped for: the peak is [`Limits::peak`], whatever the tree holds, and
//! it stays below [`MEMORY_TARGET`] until S3's limit of 10,000 parts asks for parts so large that
//! two of them in flight are more: up to 84 GB with the most workers, 300 GB with the 8 of a
//! two-core machine. The plan comes on top; it grows with the number of files.
//!
//! Nothing here may change a byte of the archive: the numbers that do ([`CHUNK`]) are constants,
//! and those that depend on the machine only say how much is done at a time.

/// 1,048,576 bytes.
pub const MIB: u64 = 1 << 20;

/// Bytes of a large file that are compressed at a time, and so the size up to which a file is
/// compressed as a whole. It shapes the archive's bytes.
pub const CHUNK: usize = 1 << 20;

/// A job takes small files until they hold this many bytes.
pub const BATCH_BYTES: u64 = 256 << 10;

/// A job takes this many files at most, however small.
pub const BATCH_ENTRIES: usize = 512;

/// S3 asks for 5 MiB at least (all parts but the last); AWS's own tools find 8 MiB to be the
/// smallest size of full throughput.
pub const MIN_PART: u64 = 8 * MIB;

/// Largest part that S3 takes ("Amazon S3 multipart upload limits").
pub const MAX_PART: u64 = 5 << 30;

/// Most parts of an archive. S3 takes 10,000 in one object (same page); the last two numbers are kept
/// for what a push that may be resumed writes down about itself.
pub const MAX_PARTS: u64 = 9_998;

/// Parts on their way at one time unless told otherwise: 4.8 Gbit/s at the least that AWS's tools
/// expect of a connection (0.4), 8 at the 85 MB/s of its guide. Four more would take a push of what
/// does not compress, on two cores, above 192 MiB.
pub const DEFAULT_CONCURRENCY: usize = 12;

/// A few workers are started even on fewer cores: while some wait for the disk, others compress. On
/// two cores and a cold cache, 8 workers packed 52,000 small files in 4.3 s and two in 7.2 s; on a
/// warm one they are even.
const FEW_THREADS: usize = 8;

/// That many, but no more than this for each core.
const THREADS_PER_CORE: usize = 4;

/// With more workers than this, memory is better spent on parts in flight.
const MAX_DEFAULT_THREADS: usize = 24;

/// What a push may take, the plan aside, unless told otherwise.
pub const MEMORY_TARGET: u64 = 256 * MIB;

/// Parts on their way at one time for which workers make room, if memory is short: one is sent while
/// the other is answered.
const FEW_PARTS: usize = 2;

/// Program, runtime, connections, allocator: what is there before any file is read.
const BASE: u64 = 24 * MIB;

/// A worker's own: one chunk to read into, two to compress into, and its compressor.
const WORKER: u64 = 4 * MIB;

/// Parts between the packer and the uploads.
const QUEUE: usize = 1;

/// The part that is being filled, and the two that a large file's header holds back if it lies
/// across their boundary.
const CUTTING: usize = 3;

/// How much of everything there may be at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Worker threads.
    pub threads: usize,
    /// Bytes of input that are being compressed or wait to be written.
    pub budget: u64,
    /// Size of every part but the last, in bytes.
    pub part_size: u64,
    /// Parts that wait for an upload.
    pub queue: usize,
    /// Parts that are being uploaded.
    pub concurrency: usize,
}

/// The archive would not fit into the parts that S3 takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the archive may take {worst_case} bytes and S3 holds {} in one object; split the revision",
    MAX_PART * MAX_PARTS
)]
pub struct TooLarge {
    /// The archive's size in bytes if nothing can be compressed.
    pub worst_case: u64,
}

/// Less memory than a push needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a push of this size needs {} MiB of memory, and {} MiB are allowed: its parts are {} MiB, and six \
     must fit",
    .needed.div_ceil(MIB),
    .allowed / MIB,
    .part_size / MIB
)]
pub struct TooLittle {
    /// The least that it takes, in bytes.
    pub needed: u64,
    /// What it may take, in bytes.
    pub allowed: u64,
    /// The size of its parts, in bytes.
    pub part_size: u64,
}

impl Limits {
    /// Limits for an archive of at most `worst_case` bytes, made by `threads` workers and sent in
    /// at most `concurrency` requests at a time. Zero of either counts as one.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] above [`MAX_PARTS`] parts of 5 GiB.
    pub fn for_archive(
        worst_case: u64,
        threads: usize,
        concurrency: usize,
    ) -> Result<Self, TooLarge> {
        let part_size = worst_case
            .div_ceil(MAX_PARTS)
            .next_multiple_of(MIB)
            .max(MIN_PART);
        if part_size > MAX_PART {
            return Err(TooLarge { worst_case });
        }
        let limits = Self::with(part_size, threads);
        Ok(limits.sending_within(MEMORY_TARGET, concurrency))
    }

    /// The same within `memory` bytes, by fewer workers if need be.
    ///
    /// # Errors
    ///
    /// [`TooLittle`] if one worker and two parts on their way do not fit.
    pub fn within(self, memory: u64, concurrency: usize) -> Result<Self, TooLittle> {
        let fits = |threads: &usize| {
            let with = Self::with(self.part_size, *threads);
            with.peak_with(FEW_PARTS) <= memory
        };
        match (1..=self.threads).rev().find(fits) {
            Some(threads) => {
                let limits = Self::with(self.part_size, threads);
                Ok(limits.sending_within(memory, concurrency))
            }
            None => Err(TooLittle {
                needed: Self::with(self.part_size, 1).peak_with(FEW_PARTS),
                allowed: memory,
                part_size: self.part_size,
            }),
        }
    }

    /// Nothing is sent yet.
    fn with(part_size: u64, threads: usize) -> Self {
        let threads = threads.max(1);
        Self {
            threads,
            budget: (8 + threads as u64) * MIB,
            part_size,
            queue: QUEUE,
            concurrency: 0,
        }
    }

    /// As many parts on their way as fit, and no more than asked for.
    fn sending_within(self, memory: u64, concurrency: usize) -> Self {
        let left = memory.saturating_sub(self.peak());
        let fit = usize::try_from(left / self.part_size).unwrap_or(usize::MAX);
        Self {
            // Two, so that one is sent while the other is filled; fewer only if asked for.
            concurrency: fit.max(FEW_PARTS).min(concurrency.max(1)),
            ..self
        }
    }

    /// The most memory that a push takes, in bytes, without the plan.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.peak_with(self.concurrency)
    }

    fn peak_with(&self, concurrency: usize) -> u64 {
        let parts = (self.queue + concurrency + CUTTING) as u64;
        BASE + self.threads as u64 * WORKER + self.budget + parts.saturating_mul(self.part_size)
    }
}

/// One worker for each core that the process may use, 24 at most; on few cores, up to 8.
#[must_use]
pub fn default_threads() -> usize {
    threads_for(std::thread::available_parallelism().map_or(1, usize::from))
}

fn threads_for(cores: usize) -> usize {
    cores
        .max(FEW_THREADS.min(cores.saturating_mul(THREADS_PER_CORE)))
        .min(MAX_DEFAULT_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(worst_case: u64, threads: usize) -> Limits {
        Limits::for_archive(worst_case, threads, DEFAULT_CONCURRENCY).unwrap()
    }

    #[test]
    fn the_defaults_stay_below_the_target() {
        for cores in [1, 2, 4, 8, 16, 32, 1000] {
            let threads = threads_for(cores);
            // Above, parts grow, and with them what is in flight.
            let largest = if threads <= 8 {
                300_000_000_000
            } else {
                84_000_000_000
            };
            for size in [0, 1, 10 << 20, 80_000_000_000, largest] {
                let limits = limits(size, threads);
                assert!(
                    limits.peak() <= MEMORY_TARGET,
                    "{size} bytes, {threads} threads: {limits:?}"
                );
                assert!(limits.concurrency >= 2);
            }
        }
        assert_eq!(limits(1 << 30, 8).concurrency, DEFAULT_CONCURRENCY);
    }

    #[test]
    fn few_cores_get_more_workers_than_they_are() {
        let threads = [1, 2, 4, 8, 16, 24, 64].map(threads_for);
        assert_eq!(threads, [4, 8, 8, 8, 16, 24, 24]);
    }

    #[test]
    fn ten_thousand_parts_hold_the_archive() {
        let tb = limits(1_000_000_000_000, 4);
        assert_eq!(tb.part_size, 96 * MIB);
        assert_eq!(tb.concurrency, 2);
        for size in [1, 78 << 30, (78 << 30) + (1 << 30), MAX_PART * MAX_PARTS] {
            let limits = limits(size, 1);
            assert!(limits.part_size * MAX_PARTS >= size, "{size}");
            assert_eq!(limits.part_size % MIB, 0);
        }
        let worst_case = MAX_PART * MAX_PARTS + 1;
        assert_eq!(
            Limits::for_archive(worst_case, 1, 1),
            Err(TooLarge { worst_case })
        );
    }

    #[test]
    fn memory_takes_workers_last_and_never_lies() {
        for mib in 85..400 {
            for threads in [1, 8, 24, 256] {
                let limits = limits(1 << 30, threads).within(mib * MIB, 64).unwrap();
                assert!(limits.peak() <= mib * MIB, "{mib} MiB: {limits:?}");
                assert!(limits.concurrency >= 2, "{mib} MiB: {limits:?}");
                assert!(limits.threads <= threads);
            }
        }
        let tight = limits(1 << 30, 8).within(128 * MIB, 12).unwrap();
        assert_eq!((tight.threads, tight.concurrency), (8, 3));
        let least = limits(1 << 30, 24).within(84 * MIB, 12).unwrap_err();
        assert_eq!(least.needed, 85 * MIB);
        assert!(least.to_string().contains("85 MiB"), "{least}");
        // Parts of 96 MiB.
        let tb = limits(1_000_000_000_000, 8);
        assert_eq!(tb.within(512 * MIB, 12).unwrap_err().needed, 613 * MIB);
        assert_eq!(tb.within(4096 * MIB, 64).unwrap().concurrency, 37);
        // More memory lets more be under way.
        assert_eq!(
            limits(1 << 30, 8)
                .within(1024 * MIB, 64)
                .unwrap()
                .concurrency,
            64
        );
    }

    #[test]
    fn a_lower_concurrency_is_kept_and_zero_is_one() {
        let limits = Limits::for_archive(1 << 30, 0, 0).unwrap();
        assert_eq!((limits.threads, limits.concurrency), (1, 1));
        assert_eq!(Limits::for_archive(1 << 30, 2, 3).unwrap().concurrency, 3);
    }
}

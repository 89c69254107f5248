//! All sizes that bound memory, and their sum.
//!
//! The peak memory of a push is [`Limits::peak`], whatever the tree holds. It stays below [`MEMORY_TARGET`]
//! until S3's limit of 10,000 parts makes parts so large that two of them in flight exceed it: up to archives
//! of 78 GiB with the most workers, and of 280 GiB with the 8 workers of a two-core machine. The plan comes on
//! top, and grows with the number of files.
//!
//! The limits do not change the archive's bytes. Numbers that do, such as [`CHUNK`], are constants; numbers
//! that depend on the machine only say how much is done at a time.

/// 1,048,576 bytes.
pub const MIB: u64 = 1 << 20;

/// How many bytes of a large file are compressed at a time. A file up to this size is compressed as a whole.
/// This shapes the archive's bytes.
pub const CHUNK: usize = 1 << 20;

/// A job packs small files until they hold this many bytes.
pub const BATCH_BYTES: u64 = 256 << 10;

/// A job packs at most this many files, however small they are.
pub const BATCH_ENTRIES: usize = 512;

/// The smallest part. S3 requires 5 MiB for all parts but the last; AWS's own tools use 8 MiB as the smallest
/// size with full throughput.
pub const MIN_PART: u64 = 8 * MIB;

/// The largest part that S3 takes ("Amazon S3 multipart upload limits").
pub const MAX_PART: u64 = 5 << 30;

/// The most parts of an archive. S3 takes 10,000 in one object (same page). The last two numbers are reserved
/// for what a resumable push records about itself.
pub const MAX_PARTS: u64 = 9_998;

/// The default for the parts in flight: 4.8 Gbit/s at the 0.4 Gbit/s that AWS's tools expect of a connection,
/// and 8 Gbit/s at the 85 MB/s of AWS's guide. With four more, a push of incompressible content on two cores
/// would take more than 192 MiB.
pub const DEFAULT_CONCURRENCY: usize = 12;

/// The number of workers on few cores. While some wait for the disk, others compress. On two cores, 8 workers
/// packed 52,000 small files in 4.3 s from a cold cache, and 2 workers in 7.2 s; from a warm cache both took
/// equally long.
const FEW_THREADS: usize = 8;

/// But no more workers than this for each core.
const THREADS_PER_CORE: usize = 4;

/// The most workers by default. Beyond this, memory is better spent on parts in flight.
const MAX_DEFAULT_THREADS: usize = 24;

/// How much memory a push may take by default, without the plan.
pub const MEMORY_TARGET: u64 = 256 * MIB;

/// The parts in flight for which the number of workers is reduced if memory is short: one part is sent while
/// the other is answered.
const FEW_PARTS: usize = 2;

/// Program, runtime, connections and allocator, before any file is read.
const BASE: u64 = 24 * MIB;

/// One worker: a chunk to read into, two to compress into, and the compressor.
const WORKER: u64 = 4 * MIB;

/// The connections of one more upload that gets the same parts: for each request, the buffers of TLS and
/// HTTP.
const CONNECTION: u64 = MIB / 4;

/// Parts that wait between the packer and the upload.
const QUEUE: usize = 1;

/// The part that is being filled, and two parts that a large file's header holds back if it crosses their
/// boundary.
const CUTTING: usize = 3;

/// How much is done, and held in memory, at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of worker threads.
    pub threads: usize,
    /// Bytes of input that may be in jobs or wait to be written.
    pub budget: u64,
    /// The size of every part but the last, in bytes.
    pub part_size: u64,
    /// How many parts may wait for the upload.
    pub queue: usize,
    /// How many parts may be in flight.
    pub concurrency: usize,
    /// How many uploads get the parts, at least 1. A part is in flight until all have sent it.
    pub uploads: usize,
}

/// The archive may not fit into an S3 object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the archive may take {worst_case} bytes and S3 holds {} in one object; split the revision",
    MAX_PART * MAX_PARTS
)]
pub struct TooLarge {
    /// The archive's size in bytes if nothing compresses.
    pub worst_case: u64,
}

/// A push needs more memory than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a push of this size needs {} MiB of memory, and {} MiB are allowed: its parts are {} MiB, and six \
     must fit",
    .needed.div_ceil(MIB),
    .allowed / MIB,
    .part_size / MIB
)]
pub struct TooLittle {
    /// The least that the push takes, in bytes.
    pub needed: u64,
    /// What the push may take, in bytes.
    pub allowed: u64,
    /// The size of the push's parts, in bytes.
    pub part_size: u64,
}

impl Limits {
    /// Limits for an archive of at most `worst_case` bytes, made by `threads` workers, with at most
    /// `concurrency` parts in flight. Zero of either counts as one.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] if the archive may need more than [`MAX_PARTS`] parts of [`MAX_PART`] bytes.
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

    /// The limits for so many `uploads` that get the same parts, each with at most `concurrency` in flight.
    /// Zero of either counts as one.
    #[must_use]
    pub fn for_uploads(self, uploads: usize, concurrency: usize) -> Self {
        let limits = Self {
            uploads: uploads.max(1),
            concurrency: 0,
            ..self
        };
        limits.sending_within(MEMORY_TARGET, concurrency)
    }

    /// Reduces the limits to `memory` bytes: first the parts in flight, and if that is not enough, the
    /// workers.
    ///
    /// # Errors
    ///
    /// [`TooLittle`] if one worker and two parts in flight do not fit.
    pub fn within(self, memory: u64, concurrency: usize) -> Result<Self, TooLittle> {
        let fits = |threads: &usize| self.with_threads(*threads).peak_with(FEW_PARTS) <= memory;
        match (1..=self.threads).rev().find(fits) {
            Some(threads) => {
                let limits = self.with_threads(threads);
                Ok(limits.sending_within(memory, concurrency))
            }
            None => Err(TooLittle {
                needed: self.with_threads(1).peak_with(FEW_PARTS),
                allowed: memory,
                part_size: self.part_size,
            }),
        }
    }

    /// Limits without any parts in flight.
    fn with(part_size: u64, threads: usize) -> Self {
        let threads = threads.max(1);
        Self {
            threads,
            budget: (8 + threads as u64) * MIB,
            part_size,
            queue: QUEUE,
            concurrency: 0,
            uploads: 1,
        }
    }

    /// The same with so many workers, without any parts in flight.
    fn with_threads(self, threads: usize) -> Self {
        Self {
            uploads: self.uploads,
            ..Self::with(self.part_size, threads)
        }
    }

    /// Sets the parts in flight to as many as fit into `memory`, and at most `concurrency`.
    fn sending_within(self, memory: u64, concurrency: usize) -> Self {
        let left = memory.saturating_sub(self.peak());
        let fit = usize::try_from(left / self.in_flight()).unwrap_or(usize::MAX);
        Self {
            // At least two, unless the caller asks for one.
            concurrency: fit.max(FEW_PARTS).min(concurrency.max(1)),
            ..self
        }
    }

    /// The most memory that a push takes with these limits, in bytes, without the plan.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.peak_with(self.concurrency)
    }

    fn peak_with(&self, concurrency: usize) -> u64 {
        let parts = (self.queue + CUTTING) as u64;
        BASE + self.threads as u64 * WORKER
            + self.budget
            + parts.saturating_mul(self.part_size)
            + (concurrency as u64).saturating_mul(self.in_flight())
    }

    /// What a part in flight takes: its bytes once, and a connection for each upload. The base has the
    /// connections of the first.
    fn in_flight(&self) -> u64 {
        self.part_size + (self.uploads.saturating_sub(1) as u64).saturating_mul(CONNECTION)
    }
}

/// The default number of workers: one for each core that the process may use, and at most 24; on few cores,
/// up to 8.
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
            // Beyond these sizes, parts grow, and so does the memory.
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
    fn eight_uploads_share_their_parts_and_stay_below_the_target() {
        for threads in [4, 8, 16, 24] {
            let one = limits(1 << 30, threads);
            assert_eq!(one.for_uploads(1, DEFAULT_CONCURRENCY), one);
            let eight = one.for_uploads(8, DEFAULT_CONCURRENCY);
            assert!(eight.peak() <= MEMORY_TARGET, "{eight:?}");
            assert!(one.concurrency - eight.concurrency <= 2, "{eight:?}");
            let tight = eight.within(128 * MIB, DEFAULT_CONCURRENCY).unwrap();
            assert!(tight.peak() <= 128 * MIB && tight.uploads == 8, "{tight:?}");
        }
        let few = limits(1 << 30, 8).for_uploads(8, DEFAULT_CONCURRENCY);
        assert_eq!(few.concurrency, DEFAULT_CONCURRENCY);
    }

    #[test]
    fn few_cores_get_more_workers_than_cores() {
        let threads = [1, 2, 4, 8, 16, 24, 64].map(threads_for);
        assert_eq!(threads, [4, 8, 8, 8, 16, 24, 24]);
    }

    #[test]
    fn the_most_parts_hold_every_archive_that_is_not_too_large() {
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
    fn the_peak_stays_within_the_memory_and_workers_are_reduced_last() {
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
        // With more memory, more parts can be in flight.
        assert_eq!(
            limits(1 << 30, 8)
                .within(1024 * MIB, 64)
                .unwrap()
                .concurrency,
            64
        );
    }

    #[test]
    fn a_low_concurrency_is_kept_and_zero_counts_as_one() {
        let limits = Limits::for_archive(1 << 30, 0, 0).unwrap();
        assert_eq!((limits.threads, limits.concurrency), (1, 1));
        assert_eq!(Limits::for_archive(1 << 30, 2, 3).unwrap().concurrency, 3);
    }
}

//! Cuts the archive into parts of equal size, and holds back those that are not final.
//!
//! A large file's local header is written before its CRC and compressed size are known. The parts of a
//! multipart upload may be sent in any order. So a part that holds such a header waits until the header is
//! [closed](Cutter::close), and later parts do not. At most two parts wait: those that the header touches.
//!
//! All parts but the last have the same size, which some S3-compatible stores demand. A full part is
//! emitted only when more bytes come, so that the last part can be marked as the last.

use std::ops::Range;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::buffers::Buffers;

/// A part of the archive, ready to be sent. Cloning it is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number, from 1, as S3 counts. Parts can come out of order.
    pub number: u32,
    /// The bytes.
    pub body: Bytes,
    /// CRC-64/NVME of the body.
    pub crc64nvme: u64,
    /// Whether the archive ends with this part.
    pub last: bool,
}

impl Part {
    fn new(number: u32, body: Vec<u8>, last: bool, buffers: &Buffers) -> Self {
        let crc64nvme = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &body);
        Self {
            number,
            body: buffers.body(body),
            crc64nvme,
            last,
        }
    }
}

/// A place in the archive that [`Cutter::close`] fills in later.
#[derive(Debug)]
#[must_use = "the parts that hold the place wait until it is closed"]
pub struct Open {
    start: u64,
    len: usize,
}

/// Takes the archive's bytes in order, and emits parts.
#[derive(Debug)]
pub struct Cutter {
    part_size: usize,
    /// The part that is being filled.
    filling: Vec<u8>,
    /// The number of that part.
    number: u32,
    /// The open place, if there is one.
    open: Option<Range<u64>>,
    /// Full parts that hold a piece of the open place, with their numbers.
    held: Vec<(u32, Vec<u8>)>,
    buffers: Buffers,
}

impl Cutter {
    /// A cutter for parts of `part_size` bytes. Zero counts as one.
    #[must_use]
    pub fn new(part_size: usize) -> Self {
        Self {
            part_size: part_size.max(1),
            filling: Vec::new(),
            number: 1,
            open: None,
            held: Vec::new(),
            buffers: Buffers::default(),
        }
    }

    /// How many bytes were added so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.start_of(self.number) + self.filling.len() as u64
    }

    /// How many full parts wait for [`close`](Self::close).
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// The error of `emit`.
    pub fn append<E>(
        &mut self,
        mut bytes: &[u8],
        emit: &mut (impl FnMut(Part) -> Result<(), E> + ?Sized),
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.filling.len() == self.part_size {
                self.cut(emit)?;
            }
            if self.filling.capacity() == 0 {
                self.filling = self.buffers.take(self.part_size);
            }
            let room = self.part_size - self.filling.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.filling.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Adds bytes that [`close`](Self::close) will replace. No other place may be opened until then.
    ///
    /// # Errors
    ///
    /// The error of `emit`.
    pub fn append_open<E>(
        &mut self,
        placeholder: &[u8],
        emit: &mut (impl FnMut(Part) -> Result<(), E> + ?Sized),
    ) -> Result<Open, E> {
        debug_assert!(self.open.is_none(), "only one place is open at a time");
        let open = Open {
            start: self.position(),
            len: placeholder.len(),
        };
        self.open = Some(open.start..open.start + open.len as u64);
        self.append(placeholder, emit)?;
        Ok(open)
    }

    /// Fills in an open place, and emits the parts that waited for it. `bytes` must have the placeholder's
    /// length.
    ///
    /// # Errors
    ///
    /// The error of `emit`.
    pub fn close<E>(
        &mut self,
        open: Open,
        bytes: &[u8],
        emit: &mut (impl FnMut(Part) -> Result<(), E> + ?Sized),
    ) -> Result<(), E> {
        debug_assert_eq!(bytes.len(), open.len, "a header must not change its length");
        let part_size = self.part_size as u64;
        for (at, &byte) in (open.start..).zip(bytes.iter().take(open.len)) {
            let number = at / part_size + 1;
            let held = self
                .held
                .iter_mut()
                .find(|(held, _)| u64::from(*held) == number);
            let body = held.map_or(&mut self.filling, |(_, body)| body);
            // The remainder is below the part size, which is a usize.
            if let Some(place) = usize::try_from(at % part_size)
                .ok()
                .and_then(|at| body.get_mut(at))
            {
                *place = byte;
            }
        }
        self.open = None;
        self.held
            .drain(..)
            .try_for_each(|(number, body)| emit(Part::new(number, body, false, &self.buffers)))
    }

    /// Emits the last part, unless no bytes were added at all.
    ///
    /// # Errors
    ///
    /// The error of `emit`.
    pub fn finish<E>(
        self,
        emit: &mut (impl FnMut(Part) -> Result<(), E> + ?Sized),
    ) -> Result<(), E> {
        debug_assert!(self.open.is_none(), "an open place cannot be sent");
        if self.filling.is_empty() {
            return Ok(());
        }
        emit(Part::new(self.number, self.filling, true, &self.buffers))
    }

    /// Ends the full part, and begins another.
    fn cut<E>(&mut self, emit: &mut (impl FnMut(Part) -> Result<(), E> + ?Sized)) -> Result<(), E> {
        let (number, body) = (self.number, std::mem::take(&mut self.filling));
        self.number += 1;
        let (start, end) = (self.start_of(number), self.start_of(self.number));
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.start < end && start < open.end)
        {
            self.held.push((number, body));
            return Ok(());
        }
        emit(Part::new(number, body, false, &self.buffers))
    }

    fn start_of(&self, number: u32) -> u64 {
        u64::from(number - 1) * self.part_size as u64
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// A call of a cutter.
    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        Open(usize),
        Close,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..60_usize).prop_map(Step::Append),
            (0..40_usize).prop_map(Step::Open),
            Just(Step::Close),
        ];
        prop::collection::vec(step, 0..40)
    }

    proptest! {
        #[test]
        fn parts_are_the_archive_with_its_places_filled_in_cut_into_equal_sizes(part_size in 1..50_usize, steps in steps()) {
            let mut model = Vec::new();
            let mut parts = Vec::new();
            let mut emit = |part| -> Result<(), Infallible> { parts.push(part); Ok(()) };
            let mut cutter = Cutter::new(part_size);
            let mut open: Option<(Open, usize, usize)> = None;
            let mut next = 0_u8;
            let mut fill = |len: usize| -> Vec<u8> {
                (0..len).map(|_| { next = next.wrapping_add(7); next }).collect()
            };
            for step in steps.into_iter().chain([Step::Close]) {
                match step {
                    Step::Append(len) => {
                        let bytes = fill(len);
                        cutter.append(&bytes, &mut emit).unwrap();
                        model.extend(bytes);
                    }
                    Step::Open(len) if open.is_none() => {
                        let start = model.len();
                        let placeholder = vec![0; len];
                        let token = cutter.append_open(&placeholder, &mut emit).unwrap();
                        model.extend(placeholder);
                        open = Some((token, start, len));
                    }
                    Step::Open(_) => {}
                    Step::Close => if let Some((token, start, len)) = open.take() {
                        let bytes = fill(len);
                        cutter.close(token, &bytes, &mut emit).unwrap();
                        model[start..start + len].copy_from_slice(&bytes);
                        prop_assert_eq!(cutter.held(), 0);
                    }
                }
                prop_assert_eq!(cutter.position(), model.len() as u64);
                let touched = 40_usize.div_ceil(part_size) + 1;
                prop_assert!(cutter.held() <= touched);
            }
            cutter.finish(&mut emit).unwrap();
            parts.sort_by_key(|part| part.number);
            for (part, n) in parts.iter().zip(1..) {
                prop_assert_eq!(part.number, n);
                prop_assert_eq!(part.last, n as usize == parts.len());
                prop_assert!(part.last || part.body.len() == part_size);
                prop_assert!(!part.body.is_empty());
                prop_assert_eq!(part.crc64nvme, crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &part.body));
            }
            let joined: Vec<u8> = parts.iter().flat_map(|part| part.body.iter().copied()).collect();
            prop_assert_eq!(joined, model);
        }
    }

    #[test]
    fn only_parts_that_hold_an_open_place_wait() {
        let mut numbers = Vec::new();
        let mut emit = |part: Part| -> Result<(), Infallible> {
            numbers.push(part.number);
            Ok(())
        };
        let mut cutter = Cutter::new(10);
        cutter.append(&[0; 18], &mut emit).unwrap();
        let open = cutter.append_open(&[0; 4], &mut emit).unwrap();
        cutter.append(&[0; 30], &mut emit).unwrap();
        assert_eq!(cutter.held(), 2);
        cutter.close(open, &[1; 4], &mut emit).unwrap();
        cutter.finish(&mut emit).unwrap();
        assert_eq!(numbers, [1, 4, 5, 2, 3, 6]);
    }

    #[test]
    fn the_checksum_is_crc_64_nvme() {
        let part = Part::new(1, b"123456789".to_vec(), true, &Buffers::default());
        assert_eq!(part.crc64nvme, 0xAE8B_1486_0A79_9888);
    }

    #[test]
    fn an_error_of_the_receiver_is_returned() {
        let mut cutter = Cutter::new(4);
        let mut refuse = |_| Err("closed");
        assert_eq!(cutter.append(&[0; 4], &mut refuse), Ok(()));
        assert_eq!(cutter.append(&[0; 1], &mut refuse), Err("closed"));
    }
}

//! Any archive through the cutter: its parts are those of a plain buffer, whatever came in which
//! pieces, and nothing leaves that may still change.

#![no_main]

use std::ops::Range;

use arbitrary::Arbitrary;
use hoist::archive::pack::{Cutter, Part};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    part_size: u8,
    steps: Vec<Step<'a>>,
    /// The number of the part that cannot be handed over.
    stop_at: Option<u8>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Append(&'a [u8]),
    Fill {
        byte: u8,
        len: u16,
    },
    /// Bytes that may change until they are closed.
    Open(&'a [u8]),
    Close {
        change: u8,
    },
}

/// The receiver has gone.
#[derive(Debug, PartialEq, Eq)]
struct Stopped;

/// CRC-64/NVME, one bit at a time.
fn crc64nvme(bytes: &[u8]) -> u64 {
    !bytes.iter().fold(u64::MAX, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
            crc >> 1
                ^ if crc & 1 == 1 {
                    0x9A6C_9329_AC4B_C9B5
                } else {
                    0
                }
        })
    })
}

/// What a receiver of parts sees, and the rules they must obey on arrival.
struct Received {
    part_size: usize,
    stop_at: Option<u8>,
    /// The bytes that may still change.
    open: Option<Range<usize>>,
    /// By number, from 1. A part may overtake another.
    parts: Vec<Option<Part>>,
    /// The sum of their lengths.
    len: usize,
}

impl Received {
    fn take(&mut self, part: Part) -> Result<(), Stopped> {
        if self
            .stop_at
            .is_some_and(|number| u32::from(number) == part.number)
        {
            return Err(Stopped);
        }
        let index = part.number as usize - 1;
        let start = index * self.part_size;
        if let Some(open) = &self.open {
            let changes = start < open.end && open.start < start + part.body.len();
            assert!(!changes, "part {} may still change", part.number);
        }
        assert!(!part.body.is_empty());
        if part.last {
            assert!(part.body.len() <= self.part_size);
        } else {
            assert_eq!(part.body.len(), self.part_size);
        }
        assert_eq!(part.crc64nvme, crc64nvme(&part.body));
        assert!(
            self.parts.iter().flatten().all(|earlier| !earlier.last),
            "one after the last"
        );

        self.len += part.body.len();
        if self.parts.len() <= index {
            self.parts.resize(index + 1, None);
        }
        let earlier = self.parts[index].replace(part);
        assert_eq!(earlier, None, "one number, two parts");
        Ok(())
    }
}

/// Returns all bytes as they should be, unless the receiver stops.
fn run(input: &Input<'_>, received: &mut Received) -> Result<Vec<u8>, Stopped> {
    let mut cutter = Cutter::new(received.part_size);
    let mut model: Vec<u8> = Vec::new();
    let mut handle = None;
    let close_at_the_end = [Step::Close { change: 0xFF }];
    for step in input.steps.iter().chain(&close_at_the_end) {
        match step {
            Step::Append(bytes) => {
                model.extend_from_slice(bytes);
                cutter.append(bytes, &mut |part| received.take(part))?;
            }
            Step::Fill { byte, len } => {
                let bytes = vec![*byte; usize::from(*len) % 600];
                model.extend_from_slice(&bytes);
                cutter.append(&bytes, &mut |part| received.take(part))?;
            }
            Step::Open(bytes) => {
                if received.open.is_some() {
                    continue;
                }
                received.open = Some(model.len()..model.len() + bytes.len());
                model.extend_from_slice(bytes);
                handle = Some(cutter.append_open(bytes, &mut |part| received.take(part))?);
            }
            Step::Close { change } => {
                let (Some(handle), Some(range)) = (handle.take(), received.open.take()) else {
                    continue;
                };
                model[range.clone()]
                    .iter_mut()
                    .for_each(|byte| *byte ^= change);
                cutter.close(handle, &model[range], &mut |part| received.take(part))?;
            }
        }
        assert_eq!(cutter.position(), model.len() as u64);
        // No more is kept back than one part and those that the open bytes touch.
        let touched = |open: &Range<usize>| open.len().div_ceil(received.part_size) + 1;
        let held = received.open.as_ref().map_or(0, touched);
        assert!(cutter.held() <= held);
        assert!(model.len() - received.len <= (cutter.held() + 1) * received.part_size);
    }
    cutter.finish(&mut |part| received.take(part))?;
    Ok(model)
}

fuzz_target!(|input: Input<'_>| {
    let mut received = Received {
        part_size: usize::from(input.part_size) + 1,
        stop_at: input.stop_at,
        open: None,
        parts: Vec::new(),
        len: 0,
    };
    let result = run(&input, &mut received);
    let at = |number: u8| received.parts.get(usize::from(number).wrapping_sub(1));
    let Ok(model) = result else {
        let refused = input.stop_at.unwrap();
        assert!(at(refused).is_none_or(|part| part.is_none()));
        return;
    };
    assert_eq!(
        received.parts.len(),
        model.len().div_ceil(received.part_size)
    );
    let parts: Vec<Part> = received.parts.into_iter().map(Option::unwrap).collect();
    assert!(
        parts
            .iter()
            .zip(1..)
            .all(|(part, number)| part.number == number)
    );
    assert!(parts.last().is_none_or(|part| part.last));
    let bytes: Vec<u8> = parts
        .iter()
        .flat_map(|part| part.body.iter().copied())
        .collect();
    assert!(bytes == model);
});

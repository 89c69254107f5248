//! Reading fields at offsets, and saying where one is wrong.

use std::fmt;

use super::super::names::NameError;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Before an entry's data (4.3.7).
    LocalHeader,
    /// In the central directory (4.3.12).
    CentralHeader,
    /// Zip64 end of central directory record (4.3.14).
    Zip64End,
    /// Zip64 end of central directory locator (4.3.15).
    Zip64Locator,
    /// End of central directory record (4.3.16).
    End,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Record::LocalHeader => "local header",
            Record::CentralHeader => "central header",
            Record::Zip64End => "zip64 end record",
            Record::Zip64Locator => "zip64 locator",
            Record::End => "end record",
        })
    }
}

/// Where an archive breaks a rule. Offsets count from the archive's start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum CheckError {
    #[error("{record} at offset {offset} is cut short")]
    Truncated { record: Record, offset: u64 },
    #[error("{record} at offset {offset}: {field} is {found:#x}, expected {expected:#x}")]
    Field {
        record: Record,
        offset: u64,
        field: &'static str,
        found: u64,
        expected: u64,
    },
    #[error("{record} at offset {offset}: {rule}")]
    Rule {
        record: Record,
        offset: u64,
        rule: &'static str,
    },
    #[error(transparent)]
    Name(#[from] NameError),
}

/// An archive of which only these pieces are at hand, each with its offset.
#[derive(Clone, Copy)]
pub(super) struct Image<'a, 'p>(pub(super) &'p [(u64, &'a [u8])]);

impl<'a> Image<'a, '_> {
    /// Where the first piece starts.
    pub(super) fn start(self) -> u64 {
        self.0.first().map_or(0, |(offset, _)| *offset)
    }

    /// Where the last piece ends.
    pub(super) fn end(self) -> u64 {
        self.0.last().map_or(0, |(offset, bytes)| {
            offset.saturating_add(bytes.len() as u64)
        })
    }

    /// The bytes of a range, if one piece has them all.
    pub(super) fn get(self, offset: u64, len: u64) -> Option<&'a [u8]> {
        offset.checked_add(len)?;
        let after = self.0.partition_point(|(start, _)| *start <= offset);
        let (start, bytes) = self.0.get(after.checked_sub(1)?)?;
        let from = usize::try_from(offset - start).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?;
        bytes.get(from..to)
    }
}

/// Reads the fields of one record in their order.
pub(super) struct Fields<'a, 'p> {
    image: Image<'a, 'p>,
    record: Record,
    offset: u64,
    at: u64,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Starts at a record, whose signature must be there.
    pub(super) fn open(
        image: Image<'a, 'p>,
        record: Record,
        offset: u64,
        signature: [u8; 4],
    ) -> Result<Self, CheckError> {
        let mut fields = Fields {
            image,
            record,
            offset,
            at: offset,
        };
        fields.expect_u32("signature", u32::from_le_bytes(signature))?;
        Ok(fields)
    }

    /// Offset of the next field.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn bytes(&mut self, len: u64) -> Result<&'a [u8], CheckError> {
        let bytes = self.image.get(self.at, len).ok_or(self.truncated())?;
        self.at += len;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CheckError> {
        let bytes = self.bytes(N as u64)?;
        bytes.first_chunk().copied().ok_or(self.truncated())
    }

    fn truncated(&self) -> CheckError {
        CheckError::Truncated {
            record: self.record,
            offset: self.offset,
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, CheckError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, CheckError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, CheckError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, CheckError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn expect_u8(
        &mut self,
        field: &'static str,
        expected: u8,
    ) -> Result<(), CheckError> {
        let found = self.u8()?;
        self.equal(field, found, expected)
    }

    pub(super) fn expect_u16(
        &mut self,
        field: &'static str,
        expected: u16,
    ) -> Result<(), CheckError> {
        let found = self.u16()?;
        self.equal(field, found, expected)
    }

    pub(super) fn expect_u32(
        &mut self,
        field: &'static str,
        expected: u32,
    ) -> Result<(), CheckError> {
        let found = self.u32()?;
        self.equal(field, found, expected)
    }

    pub(super) fn expect_u64(
        &mut self,
        field: &'static str,
        expected: u64,
    ) -> Result<(), CheckError> {
        let found = self.u64()?;
        self.equal(field, found, expected)
    }

    /// Fails, naming the field, unless both values are the same.
    pub(super) fn equal<T: Into<u64> + PartialEq>(
        &self,
        field: &'static str,
        found: T,
        expected: T,
    ) -> Result<(), CheckError> {
        if found == expected {
            return Ok(());
        }
        Err(CheckError::Field {
            record: self.record,
            offset: self.offset,
            field,
            found: found.into(),
            expected: expected.into(),
        })
    }

    /// Fails with the rule unless it holds.
    pub(super) fn require(&self, holds: bool, rule: &'static str) -> Result<(), CheckError> {
        if holds {
            return Ok(());
        }
        Err(CheckError::Rule {
            record: self.record,
            offset: self.offset,
            rule,
        })
    }
}

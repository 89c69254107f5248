//! Writes a manifest.

use std::io::Write;

use super::{Entry, Error, Fault, MAX_LINE, Tally, Totals, line};

/// Writes a manifest, entry by entry.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    tally: Tally,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the first line. Each line is one write, so `out` should be buffered.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn new(mut out: W) -> Result<Self, Error> {
        let mut head = Vec::new();
        line::write_head(&mut head);
        out.write_all(&head)?;
        Ok(Self {
            out,
            tally: Tally::default(),
            line: head,
        })
    }

    /// Adds the next entry in archive order.
    ///
    /// # Errors
    ///
    /// [`Error`]: those of `out`, and of an entry that the reader would refuse.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let at = self.tally.entries + 2;
        let fails = |fault| Error::Line { line: at, fault };
        self.line.clear();
        line::write_entry(&mut self.line, entry);
        if self.line.len() > MAX_LINE {
            return Err(fails(Fault::Long));
        }
        self.tally.add(entry).map_err(fails)?;
        self.out.write_all(&self.line)?;
        Ok(())
    }

    /// Writes the last line. Returns `out`, flushed.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn finish(mut self) -> Result<(W, Totals), Error> {
        let totals = self.tally.totals();
        self.line.clear();
        line::write_last(&mut self.line, &totals);
        self.out.write_all(&self.line)?;
        self.out.flush()?;
        Ok((self.out, totals))
    }
}

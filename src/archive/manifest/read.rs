//! Reads a manifest and checks every rule of the format.

use std::io::{BufRead, Read as _};

use super::line::{self, Parsed};
use super::{Entry, Error, Fault, MAX_LINE, Tally, Totals};

/// Reads a manifest, entry by entry.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    /// The number of the current line.
    at: u64,
    line: Vec<u8>,
    path: Vec<u8>,
    rendered: Vec<u8>,
    tally: Tally,
    totals: Option<Totals>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is not that of a manifest, or has another version.
    pub fn new(from: R) -> Result<Self, Error> {
        let mut reader = Self {
            from,
            at: 0,
            line: Vec::new(),
            path: Vec::new(),
            rendered: Vec::new(),
            tally: Tally::default(),
            totals: None,
        };
        reader.line(Fault::Head)?;
        let head = line::read_head(&reader.line);
        reader.at_line(head)?;
        Ok(reader)
    }

    /// The next entry. None after the last one, if the last line agrees with all of them.
    ///
    /// # Errors
    ///
    /// [`Error`]. After one, the reader must not be used.
    pub fn entry(&mut self) -> Result<Option<Entry<'_>>, Error> {
        if self.totals.is_some() {
            return Ok(None);
        }
        self.line(Fault::Cut)?;
        let at = self.at;
        let fails = |fault| Error::Line { line: at, fault };
        let Self {
            line,
            path,
            rendered,
            tally,
            ..
        } = self;
        match line::read(line, path, rendered).map_err(fails)? {
            Parsed::Entry(entry) => {
                tally.add(&entry).map_err(fails)?;
                Ok(Some(entry))
            }
            Parsed::Last(totals) => {
                if totals != tally.totals() {
                    return Err(fails(Fault::Totals));
                }
                if !self.from.fill_buf()?.is_empty() {
                    return Err(Error::Line {
                        line: at + 1,
                        fault: Fault::Trailing,
                    });
                }
                self.totals = Some(totals);
                Ok(None)
            }
        }
    }

    /// The totals in the last line, once it was read.
    #[must_use]
    pub fn totals(&self) -> Option<&Totals> {
        self.totals.as_ref()
    }

    fn at_line<T>(&self, result: Result<T, Fault>) -> Result<T, Error> {
        let line = self.at;
        result.map_err(|fault| Error::Line { line, fault })
    }

    /// Reads a line with its end. A line without one has the fault `cut`.
    fn line(&mut self, cut: Fault) -> Result<(), Error> {
        self.at += 1;
        self.line.clear();
        let most = MAX_LINE as u64;
        let mut limited = (&mut self.from).take(most);
        limited.read_until(b'\n', &mut self.line)?;
        if self.line.ends_with(b"\n") {
            return Ok(());
        }
        let fault = if self.line.len() == MAX_LINE {
            Fault::Long
        } else {
            cut
        };
        self.at_line(Err(fault))
    }
}

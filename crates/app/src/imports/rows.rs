//! A CSV file as a stream of rows: one row in memory at a time, whatever the file holds.
//!
//! UTF-8 with or without byte order mark, commas, quotes as in RFC 4180. Bytes of a row that make no sense
//! are a problem of that row; the rest of the file goes on.

use std::io::{self, Read};

use csv::{ByteRecord, StringRecord};
use evenhand_domain::error::{Code, Error, Problem, Result};

use super::mapping::{Mapper, Record, RowProblem};
use super::profile::{Profile, Source};

/// Largest field, in bytes.
pub const FIELD_BYTES_MAX: usize = 64 * 1024;
/// Largest row, in bytes. A longer one is nearly always a quote that is never closed, after which no row
/// can be told from the next: the rest of the file is refused.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;

/// One row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Number of the row as a spreadsheet counts: the header is 1. Blank lines do not count.
    pub number: u64,
    /// What it says, or all that is wrong with it.
    pub record: Result<Record, Vec<RowProblem>>,
}

/// The rows of one source. After an error there are no more.
pub struct Rows<R> {
    csv: csv::Reader<Metered<R>>,
    mapper: Mapper,
    file: String,
    width: usize,
    raw: ByteRecord,
    number: u64,
    ended: bool,
}

impl<R: Read> Rows<R> {
    /// Reads the header of `file` and finds the columns of `source` in it.
    ///
    /// # Errors
    /// `INVALID_PROFILE` for columns that the file lacks, `INVALID_FILE` for a header that cannot be read,
    /// [`Error::Unavailable`] when reading fails.
    pub fn open(profile: &Profile, source: &Source, file: R) -> Result<Self> {
        let metered = Metered { inner: file, left: ROW_BYTES_MAX, exhausted: false };
        // Rows of another length are our problem to report, and the header is read like any row.
        let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(metered);
        let mut raw = ByteRecord::new();
        let name = source.file.clone();
        if !next(&mut csv, &mut raw, &name, 1)? {
            return Err(invalid(format!("{name} is empty; its first row must name the columns.")));
        }
        let headers = StringRecord::from_byte_record(raw)
            .map_err(|_| invalid(format!("{name} is not UTF-8 text; save it as \"CSV UTF-8\".")))?;
        let mapper = Mapper::new(profile, source, &headers)?;
        Ok(Self {
            csv,
            mapper,
            file: name,
            width: headers.len(),
            raw: ByteRecord::new(),
            number: 1,
            ended: false,
        })
    }

    fn read(&mut self) -> Result<Option<Row>> {
        loop {
            if !next(&mut self.csv, &mut self.raw, &self.file, self.number + 1)? {
                return Ok(None);
            }
            self.number += 1;
            // Spreadsheets leave rows of nothing but commas at the end of an export.
            if self.raw.iter().any(|field| !field.trim_ascii().is_empty()) {
                let raw = std::mem::take(&mut self.raw);
                return Ok(Some(Row { number: self.number, record: self.record(raw) }));
            }
        }
    }

    fn record(&self, raw: ByteRecord) -> Result<Record, Vec<RowProblem>> {
        let row = |reason: String| Err(vec![RowProblem::new("row", reason)]);
        if raw.len() != self.width {
            let (fields, columns) = (raw.len(), self.width);
            return row(format!(
                "the row has {fields} fields, but the header names {columns} columns; is a comma or a quote missing?"
            ));
        }
        if let Some(index) = raw.iter().position(|field| field.len() > FIELD_BYTES_MAX) {
            return row(format!("field {} is longer than {FIELD_BYTES_MAX} bytes", index + 1));
        }
        match StringRecord::from_byte_record(raw) {
            Ok(row) => self.mapper.map(&row),
            Err(error) => row(format!(
                "field {} is not UTF-8 text; save the file as \"CSV UTF-8\"",
                error.utf8_error().field() + 1
            )),
        }
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        if self.ended {
            return None;
        }
        let row = self.read().transpose();
        self.ended = !matches!(row, Some(Ok(_)));
        row
    }
}

fn next<R: Read>(
    csv: &mut csv::Reader<Metered<R>>,
    raw: &mut ByteRecord,
    file: &str,
    number: u64,
) -> Result<bool> {
    csv.get_mut().left = ROW_BYTES_MAX;
    csv.read_byte_record(raw).map_err(|error| {
        if csv.get_ref().exhausted {
            invalid(format!(
                "Row {number} of {file} is longer than {ROW_BYTES_MAX} bytes, so a quote in it is probably never \
                 closed; the rest of the file cannot be read."
            ))
        } else {
            Error::Unavailable(format!("reading {file}: {error}"))
        }
    })
}

fn invalid(message: String) -> Error {
    Problem::new(Code::InvalidFile, message).into()
}

/// A reader that gives out only so many bytes until it is refilled: the bound on what one row can take.
struct Metered<R> {
    inner: R,
    left: usize,
    exhausted: bool,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.exhausted = true;
            return Err(io::Error::other("the row is too long"));
        }
        let length = buffer.len().min(self.left);
        let count = self.inner.read(&mut buffer[..length])?;
        self.left -= count;
        Ok(count)
    }
}

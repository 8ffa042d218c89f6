//! CSV with a header, each cell with the line it starts on.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord};

use super::Notes;

/// A table whose columns are known by name.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<String>,
    /// The rows that have as many cells as the header; blank ones are left out.
    pub(super) rows: Vec<Row>,
}

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// The line it starts on.
    pub(super) line: usize,
    cells: Vec<Cell>,
}

/// A cell without the white space around it.
#[derive(Debug)]
pub(super) struct Cell {
    /// The line it starts on.
    pub(super) line: usize,
    /// What it says; may be empty.
    pub(super) text: String,
}

impl Table {
    /// Reads a table; rows that do not fit the header are noted as faults and left out.
    pub(super) fn parse(file: &str, text: &str, notes: &mut Notes) -> Option<Self> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut lines = Lines::new(text);
        let mut columns: Option<Vec<String>> = None;
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let offset = error.position().map_or(0, |position| position.byte());
                    notes.fault(
                        file,
                        lines.of(offset),
                        "the row cannot be read; save the file as CSV in UTF-8",
                    );
                    continue;
                }
            };
            let line = lines.of(record.position().map_or(0, |position| position.byte()));
            let row = Row::new(line, &record);
            match &columns {
                None => columns = Some(header(file, &row, notes)?),
                Some(_) if row.is_blank() => {}
                Some(columns) if columns.len() != row.cells.len() => {
                    notes.fault(file, line, wrong_width(row.cells.len(), columns.len()));
                }
                Some(_) => rows.push(row),
            }
        }
        if columns.is_none() {
            notes.fault(
                file,
                1,
                "the file is empty; its first line must name the columns",
            );
        }
        Some(Self {
            columns: columns?,
            rows,
        })
    }

    /// The columns by name, with their places.
    pub(super) fn columns(&self) -> HashMap<&str, usize> {
        self.columns.iter().map(String::as_str).zip(0..).collect()
    }

    /// The columns' names in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }
}

impl Row {
    fn new(line: usize, record: &StringRecord) -> Self {
        let mut next = line;
        let cells = record.iter().map(|raw| {
            let leading = raw.len() - raw.trim_start().len();
            let cell = Cell {
                line: next + newlines(raw.get(..leading).unwrap_or_default()),
                text: raw.trim().to_owned(),
            };
            next += newlines(raw);
            cell
        });
        Self {
            line,
            cells: cells.collect(),
        }
    }

    fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.text.is_empty())
    }

    /// The cell in this place, unless it is empty.
    pub(super) fn filled(&self, place: Option<&usize>) -> Option<&Cell> {
        let cell = self.cells.get(*place?)?;
        (!cell.text.is_empty()).then_some(cell)
    }
}

/// Finds the line of ascending byte offsets; blank lines before a row do not belong to it.
struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            offset: 0,
            line: 1,
        }
    }

    fn of(&mut self, offset: u64) -> usize {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        while let Some(byte) = self.text.get(self.offset) {
            if self.offset >= offset && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += usize::from(*byte == b'\n');
            self.offset += 1;
        }
        self.line
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn wrong_width(found: usize, expected: usize) -> String {
    format!(
        "the row has {found} cells, the header has {expected}; look for a comma outside quotes or a quote that is not closed"
    )
}

fn header(file: &str, row: &Row, notes: &mut Notes) -> Option<Vec<String>> {
    let names: Vec<String> = row.cells.iter().map(|cell| cell.text.clone()).collect();
    if let [only] = names.as_slice()
        && only.contains([';', '\t'])
    {
        notes.fault(
            file,
            row.line,
            "the columns are not separated by commas; save the file as CSV with commas",
        );
        return None;
    }
    for (place, name) in names.iter().enumerate() {
        if name.is_empty() {
            notes.fault(
                file,
                row.line,
                format!("column {} has no name; name it or remove it", place + 1),
            );
        } else if names.iter().take(place).any(|earlier| earlier == name) {
            notes.fault(
                file,
                row.line,
                format!("there are two columns `{name}`; remove one"),
            );
        }
    }
    Some(names)
}

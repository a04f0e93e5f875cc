//! The rows of text files of word vectors: a word and its values.

use std::fmt::Display;
use std::io::BufRead;

use super::lines::Lines;
use crate::error::{Error, Result};

/// The rows of a file, one after the other.
pub(super) struct Rows<R> {
    lines: Lines<R>,
    /// The line of the last row.
    line: String,
    /// How many rows the header tells of.
    declared: Option<u64>,
    dimension: Option<usize>,
    pub(super) count: u64,
}

/// A word and its values, as the file has them.
pub(super) struct Row<'a> {
    pub(super) word: &'a str,
    values: &'a str,
    pub(super) dimension: usize,
}

const SEPARATORS: [char; 2] = [' ', '\t'];

impl<R: BufRead> Rows<R> {
    /// The rows of a file, behind a first line of their count and dimension where there is a header.
    pub(super) fn new(lines: Lines<R>, header: bool, dimension: Option<usize>) -> Result<Self> {
        let mut rows = Self { lines, line: String::new(), declared: None, dimension, count: 0 };
        if header {
            rows.line.push_str(rows.lines.next_line()?.unwrap_or_default());
            let (count, values) = read_header(&rows.line, dimension).map_err(|e| rows.error(e))?;
            (rows.declared, rows.dimension) = (Some(count), Some(values));
        }
        Ok(rows)
    }

    /// An error at the last row.
    pub(super) fn error(&self, reason: impl Display) -> Error {
        self.lines.error(&self.line, reason)
    }

    /// The next row, which lives until the one behind it is asked for; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>> {
        self.line.clear();
        while self.line.is_empty() {
            let Some(line) = self.lines.next_line()? else { return Ok(None) };
            self.line.push_str(line.trim_end_matches(SEPARATORS));
        }
        self.count += 1;
        if let Some(declared) = self.declared.filter(|&declared| self.count > declared) {
            return Err(self.error(format!("the first line tells of {declared} words only")));
        }
        let fields = || self.line.split(SEPARATORS).filter(|field| !field.is_empty()).count();
        let dimension = *self.dimension.get_or_insert_with(|| fields().saturating_sub(1));
        let (word, values) = split(&self.line, dimension).map_err(|e| self.lines.error(&self.line, e))?;
        Ok(Some(Row { word, values, dimension }))
    }

    /// Checks that the file had what it says, and tells the dimension.
    pub(super) fn finish(&self) -> Result<usize> {
        if let Some(declared) = self.declared.filter(|&declared| self.count < declared) {
            return Err(self.lines.error("", format!("the file holds {} of the {declared} words", self.count)));
        }
        match self.dimension {
            Some(dimension) if self.count > 0 => Ok(dimension),
            _ => Err(self.lines.error("", "the file holds no vectors")),
        }
    }
}

/// The count and the dimension that word2vec's first line tells.
fn read_header(line: &str, asked: Option<usize>) -> Result<(u64, usize), String> {
    let mut fields = line.split(SEPARATORS).filter(|field| !field.is_empty());
    let count = fields.next().and_then(|field| field.parse().ok());
    let dimension = fields.next().and_then(|field| field.parse().ok());
    let (Some(count), Some(dimension), None) = (count, dimension, fields.next()) else {
        return Err("word2vec's first line is the count of words and the dimension".to_string());
    };
    match asked {
        _ if dimension == 0 => Err("a dimension of at least 1 is expected".to_string()),
        Some(asked) if asked != dimension => Err(format!("a dimension of {asked} was asked for")),
        _ => Ok((count, dimension)),
    }
}

/// Cuts a line, whose end is no separator, in its word and so many values.
pub(super) fn split(line: &str, dimension: usize) -> Result<(&str, &str), String> {
    if dimension == 0 {
        return Err("a word and no values".to_string());
    }
    let mut word = line;
    for found in 0..dimension {
        let cut = word.bytes().rposition(|byte| matches!(byte, b' ' | b'\t'));
        let before = cut.and_then(|cut| word.get(..cut)).map(|before| before.trim_end_matches(SEPARATORS));
        word = match before {
            Some(before) if !before.is_empty() => before,
            _ => {
                return Err(format!("a word and {dimension} values are expected, and there are {found} behind a word"));
            }
        };
    }
    if word.rsplit_once(SEPARATORS).is_some_and(|(_, last)| last.parse::<f32>().is_ok()) {
        let hint = if dimension == 1 { "; a first line of a count and a dimension is word2vec's" } else { "" };
        return Err(format!("more than {dimension} values{hint}"));
    }
    Ok((word, line.get(word.len()..).unwrap_or_default()))
}

impl Row<'_> {
    /// Reads the values, all of which must be finite.
    pub(super) fn parse<'v>(&self, into: impl Iterator<Item = &'v mut f32>) -> Result<(), String> {
        let fields = self.values.split(SEPARATORS).filter(|field| !field.is_empty());
        for (i, (value, field)) in into.zip(fields).enumerate() {
            *value = field.parse().ok().filter(|v: &f32| v.is_finite()).ok_or_else(|| {
                let field: String = field.chars().take(40).collect();
                format!("value {} is no finite number of single precision: {field:?}", i + 1)
            })?;
        }
        Ok(())
    }
}

//! The parameters behind a filter's name: `sigma=2,order=1x0`.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use crate::error::{Error, Result};

/// The parameters of a text, each taken once.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    text: &'a str,
    values: Vec<(&'a str, &'a str)>,
}

impl<'a> Parameters<'a> {
    /// Reads `key=value,…`, with keys among those known.
    pub(super) fn read(text: &'a str, list: &'a str, known: &[(&str, &str)]) -> Result<Self> {
        let mut values: Vec<(&str, &str)> = Vec::new();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (key, value) = item
                .split_once('=')
                .ok_or_else(|| Error::parse(text, format!("{item:?} is not of the form key=value")))?;
            let (key, value) = (key.trim(), value.trim());
            if !known.iter().any(|(name, _)| *name == key) {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let names = if names.is_empty() { "none".into() } else { names.join(", ") };
                return Err(Error::parse(text, format!("{key:?} is not one of the parameters: {names}")));
            }
            if values.iter().any(|(name, _)| *name == key) {
                return Err(Error::parse(text, format!("{key} is given twice")));
            }
            values.push((key, value));
        }
        Ok(Self { text, values })
    }

    /// What is wrong with a parameter.
    pub(super) fn wrong(&self, key: &str, expected: &str, given: &str) -> Error {
        Error::parse(self.text, format!("{key}: expected {expected}, given {given:?}"))
    }

    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        let place = self.values.iter().position(|(name, _)| *name == key)?;
        Some(self.values.swap_remove(place).1)
    }

    pub(super) fn one<T: FromStr>(&mut self, key: &str) -> Result<Option<T>> {
        self.text(key).map(|value| value.parse().map_err(|_| self.wrong(key, "a number", value))).transpose()
    }

    /// One value, or several with `x` between them: one an axis.
    pub(super) fn list<T: FromStr>(&mut self, key: &str) -> Result<Option<Vec<T>>> {
        let Some(value) = self.text(key) else { return Ok(None) };
        let numbers: Result<Vec<T>, _> = value.split('x').map(|item| item.trim().parse()).collect();
        numbers.map(Some).map_err(|_| self.wrong(key, "a number, or one an axis with x between them", value))
    }
}

/// Writes parameters as they are read.
pub(super) struct Writer<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    first: bool,
}

impl<'a, 'b> Writer<'a, 'b> {
    pub(super) fn new(to: &'a mut fmt::Formatter<'b>) -> Self {
        Self { to, first: true }
    }

    pub(super) fn text(&mut self, key: &str, value: impl Display) -> fmt::Result {
        let before = if std::mem::take(&mut self.first) { ':' } else { ',' };
        write!(self.to, "{before}{key}={value}")
    }

    pub(super) fn list<T: Debug>(&mut self, key: &str, values: &[T]) -> fmt::Result {
        // `Debug` has exponents, so that no number is hundreds of digits long.
        let numbers: Vec<String> = values.iter().map(|v| format!("{v:?}").trim_end_matches(".0").to_owned()).collect();
        self.text(key, numbers.join("x"))
    }
}

//! The problems that a command works on: from its arguments, from files, from standard input.

use std::io::BufRead;

use faltung::{Error, Layout, Problem, read_suite};

use crate::failure::Failure;

/// The arguments that name problems.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Problems {
    /// Problems, such as 2048x2048*31x31:same:symmetric or mb16ic64ih56oc64kh3ph1
    #[arg(value_name = "PROBLEM")]
    problems: Vec<String>,
    /// A file with a problem a line, or - for standard input, whose lines are answered one by one
    #[arg(long, value_name = "FILE")]
    suite: Vec<String>,
    /// The order of the arrays' axes, instead of what each problem says
    #[arg(long, value_enum)]
    layout: Option<Order>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Channels before the spatial axes
    Nchw,
    /// Channels behind the spatial axes
    Nhwc,
}

/// One problem as it was written.
pub(crate) struct Item {
    pub(crate) text: String,
    pub(crate) problem: Result<Problem, Error>,
}

impl Problems {
    /// Whether none is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.suite.is_empty()
    }

    /// Calls `visit` with every problem in turn, and with how many there are where that is known. Files are read before
    /// the first call, standard input line by line.
    pub(crate) fn each(
        &self,
        mut visit: impl FnMut(Item, Option<usize>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut files = Vec::new();
        for path in &self.suite {
            files.push(match path.as_str() {
                "-" => None,
                path => Some(
                    std::fs::read_to_string(path)
                        .map_err(|error| Failure::Usage(format!("cannot read the suite {path}: {error}")))?,
                ),
            });
        }
        let lines = |file: &Option<String>| file.as_ref().map(|text| read_suite(text).count());
        let total = files.iter().try_fold(self.problems.len(), |n, file| Some(n + lines(file)?));
        for text in &self.problems {
            visit(self.item(text), total)?;
        }
        for file in &files {
            match file {
                Some(text) => read_suite(text).try_for_each(|(_, line)| visit(self.item(line), total))?,
                None => {
                    for line in std::io::stdin().lock().lines() {
                        let line = line.map_err(|e| Failure::Usage(format!("cannot read standard input: {e}")))?;
                        read_suite(&line).try_for_each(|(_, line)| visit(self.item(line), total))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn item(&self, text: &str) -> Item {
        let problem = text.parse::<Problem>().map(|problem| match self.layout {
            None => problem,
            Some(Order::Nchw) => problem.with_layout(Layout::ChannelsFirst),
            Some(Order::Nhwc) => problem.with_layout(Layout::ChannelsLast),
        });
        Item { text: text.to_owned(), problem }
    }
}

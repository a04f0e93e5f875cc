//! What is asked for while something else is computed, so that it lies in the second cache when it is wanted.
//!
//! A work item that begins with a jump through memory is no stream to the machine: it would wait for each of its rows.
//! So the leaf that computes one item asks for the next one's rows, a few lines with every tile.

use super::memory::{Line, prefetch_second};

/// Rows of some planes of a source, or a part of their lines. They need not lie within the source: asking reads nothing.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'a, T> {
    source: &'a [T],
    /// Planes and rows, and from one to the next.
    counts: [usize; 2],
    steps: [usize; 2],
    /// Lines of a row.
    lines: usize,
    /// Which lines of all.
    part: [usize; 2],
}

impl<'a, T> Ahead<'a, T> {
    /// Rows of `width` elements from the beginning of `source` on.
    pub(crate) fn new(source: &'a [T], counts: [usize; 2], steps: [usize; 2], width: usize) -> Self {
        let ([planes, mut rows], mut width) = (counts, width);
        if steps[1] == width {
            (rows, width) = (1, rows.saturating_mul(width));
        }
        let lines = Line::holding::<T>(width);
        let all = planes.saturating_mul(rows).saturating_mul(lines);
        Self { source, counts: [planes, rows], steps, lines, part: [0, all] }
    }

    pub(crate) fn nothing() -> Self {
        Self { source: &[], counts: [0; 2], steps: [0; 2], lines: 0, part: [0; 2] }
    }

    /// One of as many `parts`.
    pub(crate) fn part(&self, part: usize, parts: usize) -> Self {
        let [from, to] = self.part;
        let cut = |i: usize| from + (to - from) * i.min(parts) / parts.max(1);
        Self { part: [cut(part), cut(part + 1)], ..*self }
    }

    pub(super) fn asking(&self) -> Asking {
        let ([from, to], [_, rows]) = (self.part, self.counts);
        let steps = self.steps.map(|step| step.wrapping_mul(size_of::<T>()));
        let (line, row, plane) = match to > from {
            true => (from % self.lines, from / self.lines % rows, from / self.lines / rows),
            false => (0, 0, 0),
        };
        let plane = self.source.as_ptr().cast::<u8>().wrapping_add(plane * steps[0]);
        Asking { plane, row, line, left: to - from, rows, lines: self.lines, steps }
    }
}

/// Which line is next.
pub(super) struct Asking {
    plane: *const u8,
    row: usize,
    line: usize,
    pub(super) left: usize,
    rows: usize,
    lines: usize,
    steps: [usize; 2],
}

impl Asking {
    /// Asks for as many lines, or those that are left.
    #[inline(always)]
    pub(super) fn ask(&mut self, count: usize) {
        let count = count.min(self.left);
        self.left -= count;
        for _ in 0..count {
            prefetch_second(self.plane.wrapping_add(self.row * self.steps[1] + self.line * Line::BYTES));
            self.line += 1;
            if self.line == self.lines {
                (self.row, self.line) = (self.row + 1, 0);
                if self.row == self.rows {
                    (self.plane, self.row) = (self.plane.wrapping_add(self.steps[0]), 0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(mut asking: Asking, count: usize) -> Vec<usize> {
        let mut all = Vec::new();
        while asking.left > 0 {
            all.push(asking.plane as usize + asking.row * asking.steps[1] + asking.line * Line::BYTES);
            asking.ask(count);
        }
        all
    }

    #[test]
    fn parts_ask_for_every_line_once() {
        let source = [0f32; 1];
        let begin = source.as_ptr() as usize;
        let ahead = Ahead::new(&source, [3, 2], [1000, 100], 40);
        let mut expected = Vec::new();
        for (plane, row, line) in
            (0..12).map(|i| (i / 6, i / 3 % 2, i % 3)).chain((12..18).map(|i| (2, i / 3 % 2, i % 3)))
        {
            expected.push(begin + 4 * (plane * 1000 + row * 100) + 64 * line);
        }
        assert_eq!(asked(ahead.asking(), 1), expected);
        let parts: Vec<usize> = (0..5).flat_map(|i| asked(ahead.part(i, 5).asking(), 1)).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn rows_without_gaps_are_one() {
        let ahead = Ahead::new(&[0f64; 4], [2, 3], [50, 10], 10);
        assert_eq!(ahead.asking().left, 2 * 4);
        assert_eq!(Ahead::<f32>::nothing().part(1, 3).asking().left, 0);
    }
}

//! The product.
//!
//! One loop serves the direct sum and the matrix product alike: a tile of `M` output channels by `N` registers of
//! columns, kept in registers over the whole sum,
//!
//! ```text
//! out[m][j] (+)= Σ_i weights[i][m] · source[offsets[i] + j]         m < M, j < N · LANES
//! ```
//!
//! for one line of columns after the other, `pitch` apart in the source. No more is read and written than there are
//! rows and columns. Short lines may be computed as one run, from the first one's beginning to the last one's end, of
//! which the columns between the lines are not written.
//!
//! Results that no cache holds are written past the caches where a tile's registers are whole lines; elsewhere their
//! lines are asked for before the sum.
//!
//! In the direct sum the offsets say where tap `i` of input channel `c` finds its samples in a block of the input; in
//! the matrix product they are multiples of the width of a packed panel. A column costs one load for every `M`
//! multiply-adds and a weight one broadcast for every `N`.

use super::Isa;
use super::ahead::{Ahead, Asking};
use super::memory::{Line, prefetch_line};
use super::tiles::{Plane, Planes};
use super::vector::{Inner, Vector};

/// Offsets into a source, their largest known: what bounds are checked by, once a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets {
    /// [`AHEAD`] more than there are, which are asked for and not read.
    values: Vec<usize>,
    count: usize,
    largest: usize,
    /// From each to the next, if that is always the same.
    step: Option<usize>,
}

/// Terms that a column's samples are asked for before they are summed, by leaves of few registers.
const AHEAD: usize = 12;

impl Offsets {
    pub(crate) fn new(mut values: Vec<usize>) -> Self {
        let (count, largest) = (values.len(), values.iter().copied().max().unwrap_or(0));
        let step = values.get(1).and_then(|second| second.checked_sub(values[0]));
        let step = step.filter(|step| values.windows(2).all(|pair| pair[0] + step == pair[1]));
        values.resize(count + AHEAD, largest);
        Self { values, count, largest, step }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn largest(&self) -> usize {
        self.largest
    }

    pub(crate) fn as_slice(&self) -> &[usize] {
        &self.values[..self.count]
    }
}

/// The arguments of a product; see the [module](self).
pub struct Product<'a, T> {
    /// `M`: one of [`Isa::tiles`].
    pub(crate) rows: usize,
    /// `rows` weights for each term.
    pub(crate) weights: &'a [T],
    pub(crate) source: &'a [T],
    /// From one line of the source to the next.
    pub(crate) pitch: usize,
    pub(crate) offsets: &'a Offsets,
    /// Which of the offsets are summed over: so many from the first on.
    pub(crate) first: usize,
    pub(crate) terms: usize,
    /// A plane for each line, of at most as many rows as there are weights for, and any width.
    pub(crate) out: Planes<'a, T>,
    /// Whether `out` holds the beginning of the sums already.
    pub(crate) add: bool,
    /// Whether the lines are one run. Then the sums begin with this call.
    pub(crate) joined: bool,
    /// Whether the results are more than caches hold.
    pub(crate) large: bool,
    /// What is asked for meanwhile.
    pub(crate) ahead: Ahead<'a, T>,
}

impl<T> Product<'_, T> {
    /// Everything that the loops take on trust.
    pub(super) fn check(&self, isa: Isa) {
        let (rows, [present, columns], lines) = (self.rows, self.out.shape(), self.out.count);
        assert!(isa.tiles().iter().any(|&[m, _]| m == rows), "there is a tile of so many rows");
        assert!(
            columns > 0 && lines > 0 && (1..=rows).contains(&present),
            "there are results, and weights for each row"
        );
        assert!(self.first.saturating_add(self.terms) <= self.offsets.len(), "an offset for each term");
        assert!(self.weights.len() == rows * self.terms, "as many weights as rows and terms");
        let last = (lines - 1).saturating_mul(self.pitch).saturating_add(columns);
        assert!(
            self.offsets.largest.saturating_add(last) <= self.source.len(),
            "the source reaches as far as the offsets"
        );
    }
}

/// All tiles of a product. The more rows, the fewer columns: the sums, a register for each of the columns and one weight
/// must find room.
///
/// # Safety
/// The call has been [checked](Product::check), and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn product<V: Vector>(call: Product<'_, V::Lane>) {
    let [present, width] = call.out.shape();
    let joined = call.joined && call.out.count > 1;
    let (lines, length) = match joined {
        true => (1, (call.out.count - 1) * call.pitch + width),
        false => (call.out.count, width),
    };
    let mut asking = call.ahead.asking();
    let each = asking.left.div_ceil(lines * length.div_ceil(3 * V::LANES));
    for line in 0..lines {
        // SAFETY: there is such a line.
        let out = unsafe { call.out.plane(line) };
        let large = call.large && !call.add;
        // What precedes the first whole line is no reason to cut all registers in two, but of long lines.
        let lead = if V::LINE && large && !joined { out.lead::<V>() } else { None };
        let lead = lead.filter(|&lead| lead == 0 || length >= LONG * V::LANES);
        let mut from = 0;
        while from < length {
            let (to, stream) = match lead {
                Some(lead) if from < lead => (lead, false),
                lead => (length, lead.is_some()),
            };
            // SAFETY: `check` has seen that the source holds what every line reads.
            unsafe {
                let part = ProductLine {
                    rows: call.rows,
                    present,
                    weights: call.weights.as_ptr(),
                    source: call.source.as_ptr().add(line * call.pitch + from),
                    offsets: &call.offsets.values[call.first..][..call.terms + AHEAD],
                    step: call.offsets.step,
                    length: to - from,
                    out: call.out.plane(line).from(from),
                    joined: joined.then_some((&call.out, call.pitch)),
                    add: call.add,
                    fetch: large && !stream,
                    stream,
                };
                product_line::<V>(&part, &mut asking, each);
            }
            from = to;
        }
    }
}

/// Registers of a line that one more is little to.
const LONG: usize = 24;

/// One line of a product, or all of them as one run.
struct ProductLine<'a, T> {
    /// Weights of a term.
    rows: usize,
    /// Rows that are written.
    present: usize,
    weights: *const T,
    source: *const T,
    /// Of its terms and [`AHEAD`] more.
    offsets: &'a [usize],
    /// From each to the next, if that is always the same.
    step: Option<usize>,
    /// Columns that are computed.
    length: usize,
    out: Plane<'a, T>,
    /// All lines, and from one to the next in the run.
    joined: Option<(&'a Planes<'a, T>, usize)>,
    add: bool,
    /// Whether the lines of the result are asked for before the sum.
    fetch: bool,
    /// Whether registers that are whole lines are written past the caches.
    stream: bool,
}

/// Where a tile begins: in a row of the result, and of a run over several lines, in which of them and where there.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    line: usize,
    x: usize,
}

/// Terms between two requests: many at once would wait for one another.
const PAUSE: usize = 32;

/// With every tile `each` lines are asked for.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn product_line<V: Vector>(call: &ProductLine<'_, V::Lane>, asking: &mut Asking, each: usize) {
    let mut at = Place { at: 0, line: 0, x: 0 };
    let rows = least_rows(call.rows, call.present, call.length.div_ceil(V::LANES));
    while at.at < call.length {
        let left = (call.length - at.at).div_ceil(V::LANES);
        let (at, wanted) = (&mut at, (&mut *asking, each));
        // SAFETY: each tile begins within the columns that have been checked.
        unsafe {
            match rows {
                // Four registers are two and two: a single one waits for its weights.
                8 if V::MANY && left >= 3 && left != 4 => {
                    tiles::<V, 8, 3>(call, at, wanted, left / 3 - usize::from(left % 3 == 1))
                }
                8 if V::MANY && left >= 2 => tiles::<V, 8, 2>(call, at, wanted, left / 2),
                8 if V::MANY => tiles::<V, 8, 1>(call, at, wanted, 1),
                6 if V::NATIVE && !V::MANY && left >= 2 => tiles::<V, 6, 2>(call, at, wanted, left / 2),
                6 if V::NATIVE && !V::MANY => tiles::<V, 6, 1>(call, at, wanted, 1),
                4 if V::MANY && left >= 6 => tiles::<V, 4, 6>(call, at, wanted, left / 6),
                4 if V::MANY && left >= 3 => tiles::<V, 4, 3>(call, at, wanted, left / 3),
                4 if left >= 2 => tiles::<V, 4, 2>(call, at, wanted, left / 2),
                4 => tiles::<V, 4, 1>(call, at, wanted, 1),
                2 if V::MANY && left >= 8 => tiles::<V, 2, 8>(call, at, wanted, left / 8),
                2 if left >= 4 => tiles::<V, 2, 4>(call, at, wanted, left / 4),
                2 => tiles::<V, 2, 1>(call, at, wanted, 1),
                _ if left >= 8 => tiles::<V, 1, 8>(call, at, wanted, left / 8),
                _ if left >= 4 => tiles::<V, 1, 4>(call, at, wanted, left / 4),
                _ => tiles::<V, 1, 1>(call, at, wanted, 1),
            }
        }
    }
}

/// The rows of the tiles for those that are `present` of `rows`, which lack some where the channels are no multiple: as few
/// as there is a tile of that is wide enough to do two multiply-adds a cycle.
fn least_rows(rows: usize, present: usize, registers: usize) -> usize {
    match present {
        1 | 2 if rows > 2 && registers >= 4 => 2,
        1..=4 if rows > 4 => 4,
        _ => rows,
    }
}

/// Tiles of `M` rows and `N` registers side by side, `most` and no more than are whole, or one that is not. With each, so
/// many lines are asked for.
///
/// # Safety
/// As [`product`]; there are columns for each of the registers of the first.
#[inline(always)]
unsafe fn tiles<V: Vector, const M: usize, const N: usize>(
    call: &ProductLine<'_, V::Lane>,
    at: &mut Place,
    wanted: (&mut Asking, usize),
    most: usize,
) {
    let whole = if call.present == M { (call.length - at.at) / (N * V::LANES) } else { 0 };
    // SAFETY: the caller's promise.
    unsafe {
        match whole.min(most) {
            0 => edge_tile::<V, M, N>(call, at, wanted),
            count => V::apart(WholeTiles::<V, M, N> { call, at, count, wanted }),
        }
    }
}

/// Tiles of which all rows and columns are there.
struct WholeTiles<'a, 'b, V: Vector, const M: usize, const N: usize> {
    call: &'a ProductLine<'b, V::Lane>,
    at: &'a mut Place,
    count: usize,
    wanted: (&'a mut Asking, usize),
}

impl<V: Vector, const M: usize, const N: usize> Inner for WholeTiles<'_, '_, V, M, N> {
    #[inline(always)]
    unsafe fn run(self) {
        let Self { call, at, count, wanted: (asking, lines) } = self;
        let &ProductLine { rows, add, fetch, stream, step, offsets, .. } = call;
        // Of smaller tiles there may be more weights than rows.
        let rows = if const { M >= 6 } { M } else { rows };
        let terms = offsets.len() - AHEAD;
        let each = lines.div_ceil(terms.div_ceil(PAUSE).max(1));
        let mut source = call.source.wrapping_add(at.at);
        // SAFETY: `check` has seen that the largest offset and all columns lie within the source and that there are M
        // weights for each offset; behind the terms' offsets there are AHEAD more.
        unsafe {
            // Copies, since what is written could be the call for all that the compiler knows.
            let mut out = [call.out.row(0).wrapping_add(at.at); M];
            for m in 1..M {
                out[m] = call.out.row(m).wrapping_add(at.at);
            }
            for _ in 0..count {
                let mut weights = call.weights;
                let mut sums = [[V::zero(); N]; M];
                if add {
                    for m in 0..M {
                        for n in 0..N {
                            sums[m][n] = V::load(out[m].add(n * V::LANES));
                        }
                    }
                }
                if fetch {
                    for m in 0..M {
                        let out = match call.joined {
                            Some((lines, _)) => lines.plane(at.line).row(m).wrapping_add(at.x),
                            None => out[m],
                        };
                        for n in 1..=N {
                            // By its last lane: the line that a register begins in is one of the register before.
                            if n == N || (n * size_of::<V>()).is_multiple_of(Line::BYTES) {
                                prefetch_line(out.wrapping_add(n * V::LANES - 1).cast());
                            }
                        }
                    }
                }
                // A macro, since closures are not compiled for the instruction set for certain.
                macro_rules! term {
                    ($later:expr, $from:expr, $weights:expr) => {{
                        if !V::MANY {
                            prefetch_line($later.cast());
                        }
                        let from = $from;
                        let mut columns = [V::zero(); N];
                        for n in 0..N {
                            columns[n] = V::load(from.add(n * V::LANES));
                        }
                        for m in 0..M {
                            let weight = V::splat(*$weights.add(m));
                            for n in 0..N {
                                sums[m][n] = columns[n].mul_add(weight, sums[m][n]);
                            }
                        }
                    }};
                }
                let (mut next, mut left) = (offsets.as_ptr(), terms);
                let mut from = source.wrapping_add(offsets[0]);
                while left > 0 {
                    let some = left.min(PAUSE);
                    asking.ask(each);
                    // Several at a time: what a loop costs is a tenth of so few multiply-adds.
                    match step {
                        Some(step) if const { M >= 6 && !V::MANY } => {
                            for _ in 0..some / 4 {
                                for i in 0..4 {
                                    let later = from.wrapping_add((i + AHEAD) * step);
                                    term!(later, from.add(i * step), weights.add(i * M));
                                }
                                (from, weights) = (from.wrapping_add(4 * step), weights.add(4 * M));
                            }
                            for _ in 0..some % 4 {
                                term!(from.wrapping_add(AHEAD * step), from, weights);
                                (from, weights) = (from.wrapping_add(step), weights.add(M));
                            }
                        }
                        _ => {
                            let several = if V::MANY { 1 } else { 2 };
                            for _ in 0..some / several {
                                for i in 0..several {
                                    let later = source.wrapping_add(*next.add(i + AHEAD));
                                    term!(later, source.add(*next.add(i)), weights.add(i * rows));
                                }
                                (next, weights) = (next.add(several), weights.add(several * rows));
                            }
                            for _ in 0..some % several {
                                term!(source.wrapping_add(*next.add(AHEAD)), source.add(*next), weights);
                                (next, weights) = (next.add(1), weights.add(rows));
                            }
                        }
                    }
                    left -= some;
                }
                if let Some(run) = call.joined {
                    let sums = sums;
                    write_run::<V>(call, run, at, sums.as_ptr().cast(), N);
                } else {
                    for m in 0..M {
                        for n in 0..N {
                            match V::LINE && stream {
                                true => sums[m][n].stream(out[m].add(n * V::LANES)),
                                false => sums[m][n].store(out[m].add(n * V::LANES)),
                            }
                        }
                        out[m] = out[m].wrapping_add(N * V::LANES);
                    }
                }
                at.at += N * V::LANES;
                source = source.wrapping_add(N * V::LANES);
            }
        }
    }
}

/// A tile that lacks rows, or columns of its last register.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn edge_tile<V: Vector, const M: usize, const N: usize>(
    call: &ProductLine<'_, V::Lane>,
    place: &mut Place,
    (asking, lines): (&mut Asking, usize),
) {
    let at = place.at;
    let (last, rows) = ((call.length - at - (N - 1) * V::LANES).min(V::LANES), call.present.min(M));
    // SAFETY: as for `whole_tile`; rows and columns that are not there are neither read nor written.
    unsafe {
        let source = call.source.add(at);
        let mut weights = call.weights;
        let mut sums = [[V::zero(); N]; M];
        asking.ask(lines);
        for m in 0..rows {
            if call.add {
                let out = call.out.row(m).add(at);
                for n in 0..N - 1 {
                    sums[m][n] = V::load(out.add(n * V::LANES));
                }
                sums[m][N - 1] = V::load_first(out.add((N - 1) * V::LANES), last);
            }
        }
        for &offset in &call.offsets[..call.offsets.len() - AHEAD] {
            let from = source.add(offset);
            let mut columns = [V::zero(); N];
            for n in 0..N - 1 {
                columns[n] = V::load(from.add(n * V::LANES));
            }
            columns[N - 1] = V::load_first(from.add((N - 1) * V::LANES), last);
            for m in 0..M {
                let weight = V::splat(*weights.add(m));
                for n in 0..N {
                    sums[m][n] = columns[n].mul_add(weight, sums[m][n]);
                }
            }
            weights = weights.add(call.rows);
        }
        if let Some(run) = call.joined {
            let sums = sums;
            write_run::<V>(call, run, place, sums.as_ptr().cast(), N);
        } else {
            for m in 0..rows {
                let out = call.out.row(m).add(at);
                for n in 0..N - 1 {
                    sums[m][n].store(out.add(n * V::LANES));
                }
                sums[m][N - 1].store_first(out.add((N - 1) * V::LANES), last);
            }
        }
    }
    place.at += N * V::LANES;
}

/// Writes a tile of a run over several lines, `registers` of each row, to where its columns belong; the place goes on to the
/// line and the column that follow.
///
/// # Safety
/// As [`product`]; the `results` hold the tile.
#[inline(always)]
unsafe fn write_run<V: Vector>(
    call: &ProductLine<'_, V::Lane>,
    (lines, pitch): (&Planes<'_, V::Lane>, usize),
    place: &mut Place,
    results: *const V::Lane,
    registers: usize,
) {
    let (Place { at, mut line, mut x }, width) = (*place, call.out.width);
    for n in 0..registers {
        let end = V::LANES.min((call.length - at).saturating_sub(n * V::LANES));
        let mut from = 0;
        // A register may hold the end of one line and the beginning of the next.
        while from < end {
            let rows = if x < width { call.present } else { 0 };
            let (to, whole) = ((from + width.saturating_sub(x)).min(end), from == 0 && x + V::LANES <= width);
            for m in 0..rows {
                // SAFETY: the columns of the run up to its length are those of lines that there are, or between.
                unsafe {
                    let sums = V::load(results.add((m * registers + n) * V::LANES));
                    let out = lines.plane(line).row(m).add(x);
                    match whole && end == V::LANES {
                        true => sums.store(out),
                        false => sums.store_range(out.wrapping_sub(from), from, to),
                    }
                }
            }
            let step = (pitch - x).min(end - from);
            (from, x) = (from + step, x + step);
            if x == pitch {
                (line, x) = (line + 1, 0);
            }
        }
    }
    (place.line, place.x) = (line, x);
}

#[cfg(test)]
mod tests {
    use num_complex::Complex;

    use super::super::guarded::End;
    use super::*;
    use crate::element::Element;

    fn number<T: Element>(i: usize) -> T {
        T::from_f64((i * 37 % 11) as f64 - 5.0)
    }

    /// The source ends with the last sample of the last line, and what lies beside the results is marked.
    fn products_agree<T: Element>(isa: Isa, end: End, rows: usize, width: usize) {
        let offsets = Offsets::new(vec![7, 0, 3, 3, 12]);
        let (first, terms) = (1, 3);
        for (present, lines, add, joined, large) in [
            (rows, 1, false, false, false),
            (rows, 2, false, false, true),
            (rows, 3, true, false, false),
            (rows, 3, true, false, true),
            (rows, 3, false, true, false),
            (rows, 3, false, true, true),
            (rows.div_ceil(2), 2, false, true, false),
        ] {
            let pitch = width + 2;
            let source = end.guard((0..12 + (lines - 1) * pitch + width).map(number).collect::<Vec<T>>());
            let weights = end.guard((0..rows * terms).map(|i| number(i + 3)).collect::<Vec<T>>());
            // Lines of a row lie one behind the other, and all of a row before the next.
            let (line, mut row) = (width + 1, lines * (width + 1) + 1);
            if large {
                // Whole lines begin at the same columns in every row.
                row = row.next_multiple_of(64);
            }
            let used = (present - 1) * row + (lines - 1) * line + width;
            let before: Vec<T> = (0..used).map(|i| number(i + 5)).collect();
            let mut out = end.guard(&before);
            let planes = Planes::lines(&mut out, [lines, present, width], [line, row]);
            let call = Product {
                rows,
                weights: &weights,
                source: &source,
                pitch,
                offsets: &offsets,
                first,
                terms,
                out: planes,
                add,
                joined,
                large,
                ahead: Ahead::new(&source, [1, lines], [0, pitch], width),
            };
            T::product(isa, call);
            for (i, &result) in out.iter().enumerate() {
                let (m, y, x) = (i / row, i % row / line, i % row % line);
                let mut expected = before[i];
                if y < lines && x < width {
                    expected = if add { expected } else { T::default() };
                    for k in 0..terms {
                        let sample = source[offsets.values[first + k] + y * pitch + x];
                        expected += weights[k * rows + m] * sample;
                    }
                }
                assert_eq!(
                    result, expected,
                    "{isa:?} {rows} rows by {width}, {lines} lines, {joined} {large}: {m}, {y}, {x}"
                );
            }
        }
    }

    #[test]
    fn every_tile_agrees_with_the_sum_written_out() {
        for isa in Isa::all() {
            for &[rows, _] in isa.tiles() {
                for end in End::BOTH {
                    for width in (1..=70).chain([95, 96, 97, 127, 128, 129, 160, 399, 400]) {
                        products_agree::<f32>(isa, end, rows, width);
                    }
                    for width in (1..=35).chain([47, 48, 49]) {
                        products_agree::<f64>(isa, end, rows, width);
                        products_agree::<Complex<f32>>(isa, end, rows, width);
                        products_agree::<Complex<f64>>(isa, end, rows, width);
                    }
                }
            }
        }
    }
}

//! Dense layers: problems whose every spatial extent is one are a matrix product in all three passes.
//!
//! ```text
//! forward           y[n][o]  = Σ_c x[n][c]  · w[o][c]
//! input gradient    dx[n][c] = Σ_o dy[n][o] · w[o][c]
//! weight gradient   dw[o][c] = Σ_n dy[n][o] · x[n][c]
//! ```
//!
//! The first factor becomes panels of a few rows, the second panels of as many columns as the product's leaf keeps in
//! registers; each is copied where its rows or columns lie side by side, and transposed in registers where its terms do.
//! The first factor is packed once a run. The second is the kernel, packed before the run, or the input of a weight
//! gradient, of which each panel is packed where it is used.

use super::cost::{Estimate, running_sum_error};
use super::direct::slower;
use super::im2col::check_block;
use super::panels::{Matrix, rows, width};
use super::{Call, Execute, Needs, Second};
use crate::element::Element;
use crate::problem::{Pass, Problem};
use crate::simd::{self, Ahead, Isa, Line, Offsets, Plane, Product, Workers};
use crate::view::{View, ViewMut};

/// Terms that are summed at once: a panel of columns with a panel of rows stays in the first cache.
const DEPTH: usize = 192;

/// Rows of a block: the panel of columns is read once for all of them.
const ROWS: usize = 64;

/// Seconds a floating-point operation of single precision in 16 lanes, and to pack or to write one element.
const SECONDS_A_FLOP: f64 = 4e-12;
const SECONDS_AN_ELEMENT: f64 = 0.12e-9;

/// The matrix product of a dense layer.
#[derive(Debug)]
pub(crate) struct Dense {
    pass: Pass,
    groups: usize,
    conjugate: bool,
    isa: Isa,
    /// The result's rows and columns, and the terms of its sums, in one group.
    size: [usize; 3],
    rows: usize,
    width: usize,
    block: usize,
    /// Where the terms of a full block lie in a panel of columns, and those of the last.
    offsets: [Offsets; 2],
    depth: usize,
    needs: Needs,
}

/// Whether the problem is a dense layer.
pub(crate) fn is_dense(problem: &Problem) -> bool {
    problem.axes.iter().all(|a| a.input == 1 && a.kernel == 1 && a.output == 1 && a.padding == 0)
}

/// The result's rows and columns, and the terms of its sums, in one group.
fn size(problem: &Problem) -> [usize; 3] {
    let (inputs, outputs) = (problem.in_channels / problem.groups, problem.out_channels / problem.groups);
    match problem.pass {
        Pass::Forward => [problem.batch, outputs, inputs],
        Pass::InputGradient => [problem.batch, inputs, outputs],
        Pass::WeightGradient => [outputs, inputs, problem.batch],
    }
}

/// The rows of a block.
pub(crate) fn design(problem: &Problem) -> usize {
    // Few columns make few blocks: thinner ones are more, for many threads.
    if size(problem)[1] * problem.groups < 512 { ROWS / 2 } else { ROWS }
}

impl Dense {
    pub(crate) fn new<T: Element>(problem: &Problem, block: usize) -> Result<Self, String> {
        check_block(block)?;
        let isa = Isa::detect();
        let size @ [m, n, terms] = size(problem);
        let rows = rows(isa, m.max(1));
        let width = width::<T>(isa, rows);
        let block = block.min(m.max(1)).next_multiple_of(rows).min(1 << 20);
        let depth = terms.clamp(1, DEPTH);
        let weights = problem.pass == Pass::WeightGradient;
        let panels = |count: usize, each: usize| {
            let elements = count.div_ceil(each).saturating_mul(each).saturating_mul(terms);
            Line::holding::<T>(elements.saturating_mul(problem.groups))
        };
        let needs = Needs {
            packed: if weights { 0 } else { panels(n, width) },
            shared: panels(m, rows),
            worker: Line::holding::<T>(block * width) + Line::holding::<T>(depth * width),
        };
        let offsets = [depth, terms % depth].map(|n| Offsets::new((0..n).map(|k| k * width).collect()));
        let Problem { pass, groups, conjugate, .. } = *problem;
        Ok(Self { pass, groups, conjugate, isa, size, rows, width, block, offsets, depth, needs })
    }

    pub(crate) fn estimate<T: Element>(problem: &Problem, block: usize) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, block)?;
        let [m, n, terms] = this.size.map(|n| n as f64);
        let lanes = T::lanes(this.isa);
        let padded = |n: usize, each: usize| n.next_multiple_of(each) as f64;
        let few = 1.0 + 1.5 / this.rows as f64;
        let flops = 2.0 * padded(this.size[0], this.rows) * padded(this.size[1], lanes) * terms;
        let each =
            flops * SECONDS_A_FLOP * few * slower::<T>(this.isa) + (m * terms + n * terms + m * n) * SECONDS_AN_ELEMENT;
        Ok(Estimate {
            seconds: 0.5e-6 + problem.groups as f64 * each,
            needs: this.needs,
            error: running_sum_error(problem.terms(), problem.dtype.epsilon()),
        })
    }

    /// The panel of columns from `column` on of a group, the terms from `term` on.
    fn columns<'a, T: Element>(
        &self,
        second: View<'a, T>,
        group: usize,
        column: usize,
        term: usize,
    ) -> (Matrix<'a, T>, usize) {
        let [_, n, terms] = self.size;
        let (first_axis, second_axis) = (second.at.strides()[0], second.at.strides()[1]);
        let (base, column_step, term_step, conjugate) = match self.pass {
            Pass::Forward => (second.at.channel(group * n, 0), first_axis, second_axis, self.conjugate),
            Pass::InputGradient => (second.at.channel(group * terms, 0), second_axis, first_axis, !self.conjugate),
            Pass::WeightGradient => (second.at.channel(0, group * n), second_axis, first_axis, !self.conjugate),
        };
        let base = base + column as isize * column_step + term as isize * term_step;
        let conjugate = conjugate && T::DTYPE.is_complex();
        let matrix = Matrix { data: second.data, base, term: term_step, row: column_step, conjugate };
        (matrix, self.width.min(n - column))
    }

    /// The panel of rows from `row` on of a group.
    fn rows<'a, T: Element>(&self, first: View<'a, T>, group: usize, row: usize) -> (Matrix<'a, T>, usize) {
        let [m, _, terms] = self.size;
        let (first_axis, second_axis) = (first.at.strides()[0], first.at.strides()[1]);
        let weights = self.pass == Pass::WeightGradient;
        let (base, row_step, term) = if weights {
            (first.at.channel(0, group * m), second_axis, first_axis)
        } else {
            (first.at.channel(0, group * terms), first_axis, second_axis)
        };
        let conjugate = weights && self.conjugate && T::DTYPE.is_complex();
        let base = base + row as isize * row_step;
        (Matrix { data: first.data, base, term, row: row_step, conjugate }, self.rows.min(m - row))
    }
}

impl<T: Element> Execute<T> for Dense {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // No tap lies outside the data; what is multiplied with a panel's zeros is never written.
        true
    }

    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>) {
        let [_, n, terms] = self.size;
        let packed: &mut [T] = simd::elements_mut(packed);
        let (panels, length) = (n.div_ceil(self.width), terms * self.width);
        let Ok(out) =
            ViewMut::new(packed, &[self.groups, panels, length], &[(panels * length) as isize, length as isize, 1], 0)
        else {
            return;
        };
        workers.tiles(out, &[1, 1, length], |mut tile, _| {
            let (columns, present) = self.columns(kernel, tile.start()[0], tile.start()[1] * self.width, 0);
            columns.pack(self.isa, present, self.width, tile.row(&[0, 0, 0], length));
        });
    }

    fn run(&self, call: Call<'_, '_, T>) {
        let Self { groups, isa, rows, width, size: [m, n, terms], .. } = *self;
        let Call { first, second, out, mut shared, workers } = call;
        // What is cut in rows, and what in columns unless that has been packed.
        let (cut, columns) = match second {
            Second::Packed(_) => (first, None),
            Second::Plain(gradient) => (gradient, Some(first)),
        };
        let packed: &[T] = simd::elements(second.packed());
        let (row_panels, column_panels) = (m.div_ceil(rows), n.div_ceil(width));
        let length = terms * rows;
        let panels = simd::split::<T>(&mut shared, groups * row_panels * length);
        let strides = [(row_panels * length) as isize, length as isize, 1];
        if let Ok(panels) = ViewMut::new(panels, &[groups, row_panels, length], &strides, 0) {
            workers.tiles(panels, &[1, 1, length], |mut tile, _| {
                let (matrix, present) = self.rows(cut, tile.start()[0], tile.start()[1] * rows);
                matrix.pack(isa, present, rows, tile.row(&[0, 0, 0], length));
            });
        }
        let panels = &*panels;
        let (row, column) = (out.at.strides()[0], out.at.strides()[1]);
        let group = if self.pass == Pass::WeightGradient { m as isize * row } else { n as isize * column };
        let at = out.at.offset();
        let Ok(out) = ViewMut::new(out.data, &[groups, m, n], &[group, row, column], at) else { return };
        workers.tiles(out, &[1, self.block, width], |mut tile, mut scratch| {
            let sums = simd::split::<T>(&mut scratch, self.block * width);
            let own = simd::split::<T>(&mut scratch, self.depth * width);
            let [group, row, column] = *tile.start() else { return };
            let [_, height, used] = *tile.shape() else { return };
            if terms == 0 {
                return tile.fill(T::default());
            }
            for from in (0..terms).step_by(self.depth) {
                let depth = self.depth.min(terms - from);
                let offsets = &self.offsets[usize::from(depth < self.depth)];
                let source = match columns {
                    Some(view) => {
                        let (matrix, present) = self.columns(view, group, column, from);
                        matrix.pack(isa, present, width, &mut own[..depth * width]);
                        &own[..depth * width]
                    }
                    None => {
                        let panel = group * column_panels + column / width;
                        &packed[(panel * terms + from) * width..][..depth * width]
                    }
                };
                for m in (0..height).step_by(rows) {
                    let panel = group * row_panels + (row + m) / rows;
                    T::product(
                        isa,
                        Product {
                            rows,
                            weights: &panels[(panel * terms + from) * rows..][..depth * rows],
                            source,
                            offsets,
                            pitch: 0,
                            first: 0,
                            terms: depth,
                            out: match tile.plane(&[0, m, 0], rows.min(height - m), used) {
                                Some(plane) => plane.into(),
                                None => Plane::of(&mut sums[m * width..], width, rows.min(height - m), used).into(),
                            },
                            add: from > 0,
                            joined: false,
                            large: false,
                            ahead: Ahead::nothing(),
                        },
                    );
                }
            }
            if tile.plane(&[0; 3], height, used).is_none() {
                for m in 0..height {
                    tile.write(&[0, m, 0], &sums[m * width..][..used]);
                }
            }
        });
    }
}

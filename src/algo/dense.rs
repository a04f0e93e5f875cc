//! Dense layers: problems whose every spatial extent is one are a matrix product in all three passes.
//!
//! ```text
//! forward           y[n][o]  = Σ_c x[n][c]  · w[o][c]
//! input gradient    dx[n][c] = Σ_o dy[n][o] · w[o][c]
//! weight gradient   dw[o][c] = Σ_n dy[n][o] · x[n][c]
//! ```
//!
//! Forward, the terms of both factors lie side by side: rows of `x` and rows of `w` are multiplied where they lie, lane
//! by lane, and the lanes added up at the end. Backward, the first factor becomes panels of a few rows, once a run, and
//! of the second the leaf reads as many columns as it keeps in registers: where they lie, for they lie side by side.
//!
//! Where a factor's strides do not allow that, or where its rows lie so that they would displace one another in the
//! cache, its columns become panels as well, each packed where it is used. So does the whole of a kernel that is
//! prepared for many runs. Panels are copied where their rows or columns lie side by side, and transposed in registers
//! where their terms do.

use super::cost::{Costs, Estimate, running_sum_error, wide};
use super::im2col::check_block;
use super::panels::{Matrix, rows, seconds_of_product, width};
use super::{Call, Execute, Needs, Second};
use crate::element::Element;
use crate::problem::{Pass, Problem};
use crate::simd::{self, Ahead, Caches, Dots, Isa, LaneSums, Line, Offsets, Plane, Product, Workers};
use crate::view::{View, ViewMut};

/// Terms that are summed at once: a panel of columns with a panel of rows stays in the first cache.
const DEPTH: usize = 192;

/// Terms of rows that are multiplied where they lie: those of a tile stay in the second cache.
fn run_terms<T>(terms: usize) -> usize {
    let most = (Caches::detect().second / (LYING[0] + LYING[1]) / size_of::<T>()).max(1);
    terms.div_ceil(terms.div_ceil(most).max(1)).next_multiple_of(16).min(terms.max(1))
}

/// Registers of terms below which rows are not worth to be multiplied where they lie.
const MIN_LYING: usize = 4;

/// Rows of a tile whose factors are read where they lie, and its columns.
const LYING: [usize; 2] = [64, 16];

/// Bytes whose multiples lie on one place of the caches.
const ALIKE: usize = 4096;

/// Rows of a block: the panel of columns is read once for all of them.
const ROWS: usize = 64;

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
    /// Where the terms of the second factor lie in a dense array, or of the forward pass its columns of a full tile and
    /// of the last, and the terms that are summed at once.
    lying: [Offsets; 2],
    run: usize,
    /// Whether the kernel is not packed before the run.
    within: bool,
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
        // The sums of a tile of the forward pass, by lanes.
        let [tall, wide] = [m.min(LYING[0]), n.min(LYING[1])];
        let lanes = if problem.pass == Pass::Forward { tall * wide * T::lanes(isa) } else { 0 };
        let needs = Needs {
            packed: if weights { 0 } else { panels(n, width) },
            shared: panels(m, rows),
            worker: (Line::holding::<T>(block * width) + Line::holding::<T>(depth * width))
                .max(Line::holding::<T>(lanes) + Line::holding::<T>(wide)),
        };
        let apart = |count: usize, step: usize| Offsets::new((0..count).map(|k| k * step).collect());
        let offsets = [depth, terms % depth].map(|n| apart(n, width));
        // From one row of the second factor to the next: all channels of the input, or those of a group.
        let row = if weights { problem.in_channels } else { problem.in_channels / problem.groups };
        let lying = match problem.pass {
            Pass::Forward => [wide, n % LYING[1]].map(|n| apart(n, row)),
            _ => [apart(terms, row), Offsets::default()],
        };
        let Problem { pass, groups, conjugate, .. } = *problem;
        let run = run_terms::<T>(terms);
        let within = match pass {
            Pass::Forward => {
                terms >= MIN_LYING * T::lanes(isa)
                    && ![row, problem.in_channels].into_iter().any(|row| collides::<T>(row as isize, run))
            }
            _ => !collides::<T>(row as isize, width),
        };
        Ok(Self { pass, groups, conjugate, isa, size, rows, width, block, offsets, depth, lying, run, within, needs })
    }

    pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, block: usize) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, block)?;
        let [m, n, terms] = this.size;
        let passes = terms.div_ceil(this.depth) as f64;
        let panel = seconds_of_product::<T>(costs, (this.isa, this.rows), n, terms as f64, passes);
        // What lies between the factors and the registers: panels, or the sums by lanes.
        let moved = match problem.pass {
            Pass::Forward if this.within => {
                (m * n * T::lanes(this.isa)) as f64 * (terms as f64 / this.run as f64).max(1.0) / 4.0
            }
            Pass::Forward => ((m + n) * terms) as f64,
            _ => (m * terms) as f64 + (n * terms) as f64 / 4.0,
        };
        let packed = moved * costs.interleave * wide::<T>();
        let items = (m.div_ceil(this.block) * n.div_ceil(this.width)) as f64 * costs.item;
        Ok(Estimate {
            seconds: costs.run + problem.groups as f64 * (m.div_ceil(this.rows) as f64 * panel + packed + items),
            needs: this.needs,
            error: running_sum_error(problem),
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

    /// Where the second factor's columns from `column` on of a group begin, if they can be read where they lie: then
    /// its terms are as far apart as those of a dense array.
    fn lying<T: Element>(&self, second: View<'_, T>, group: usize, column: usize) -> Option<usize> {
        let (matrix, _) = self.columns(second, group, column, 0);
        let step = self.lying[0].as_slice().get(1).map_or(matrix.term, |&step| step as isize);
        let lies = self.pass != Pass::Forward && matrix.row == 1 && matrix.term == step && !matrix.conjugate;
        (lies && !collides::<T>(step, self.width)).then_some(matrix.base as usize)
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

/// Whether parts of rows so far apart, longer than `part` elements, would displace one another in the caches.
fn collides<T>(apart: isize, part: usize) -> bool {
    apart.unsigned_abs() > part && (apart.unsigned_abs() * size_of::<T>()).is_multiple_of(ALIKE)
}

impl Dense {
    /// Computes the forward pass where both factors lie, if their terms lie side by side; whether they do.
    fn run_lying<T: Element>(
        &self,
        x: View<'_, T>,
        kernel: View<'_, T>,
        out: ViewMut<'_, T>,
        workers: &mut Workers<'_>,
    ) -> bool {
        let [_, n, terms] = self.size;
        let (lanes, [tall, wide]) = (T::lanes(self.isa), LYING);
        let steps = [x, kernel].map(|view| [view.at.strides()[0], view.at.strides()[1]]);
        let row = self.lying[0].as_slice().get(1).map_or(steps[1][0], |&row| row as isize);
        let beside = |[apart, step]: [isize; 2]| step == 1 && apart >= 0 && !collides::<T>(apart, self.run);
        let conjugates = self.conjugate && T::DTYPE.is_complex();
        if !self.within || conjugates || steps[1][0] != row || !steps.into_iter().all(beside) {
            return false;
        }
        workers.tiles(out, &[1, tall, wide], |mut tile, mut scratch| {
            let [group, row, column] = *tile.start() else { return };
            let [_, height, width] = *tile.shape() else { return };
            let sums = simd::split::<T>(&mut scratch, height * width * lanes);
            let line = simd::split::<T>(&mut scratch, width);
            let x = &x.data[x.at.channel(row, group * terms) as usize..];
            let kernel = &kernel.data[kernel.at.channel(group * n + column, 0) as usize..];
            sums.fill(T::default());
            for from in (0..terms).step_by(self.run) {
                let call = Dots {
                    gradient: &x[from..],
                    channels: height,
                    channel: steps[0][0] as usize,
                    source: &kernel[from..],
                    ends: None,
                    offsets: &self.lying[usize::from(width < self.lying[0].len())],
                    rows: 1,
                    pitches: [0; 2],
                    width: self.run.min(terms - from),
                    out: &mut *sums,
                };
                T::dots(self.isa, call);
            }
            for (row, lanes) in sums.chunks_exact(width * lanes).enumerate() {
                T::lane_sums(self.isa, LaneSums { lanes, out: &mut *line });
                tile.write(&[0, row, 0], line);
            }
        });
        true
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

    fn packs_within(&self) -> bool {
        self.within
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
        let (row, column) = (out.at.strides()[0], out.at.strides()[1]);
        let group = if self.pass == Pass::WeightGradient { m as isize * row } else { n as isize * column };
        let at = out.at.offset();
        let Ok(mut out) = ViewMut::new(out.data, &[groups, m, n], &[group, row, column], at) else { return };
        // What is cut in rows, and what in columns unless that has been packed.
        let (cut, columns) = match second {
            Second::Packed(_) => (first, None),
            Second::Plain(gradient) if self.pass == Pass::WeightGradient => (gradient, Some(first)),
            Second::Plain(kernel) => {
                if self.pass == Pass::Forward && self.run_lying(first, kernel, out.reborrow(), workers) {
                    return;
                }
                (first, Some(kernel))
            }
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
        workers.tiles(out, &[1, self.block, width], |mut tile, mut scratch| {
            let sums = simd::split::<T>(&mut scratch, self.block * width);
            let own = simd::split::<T>(&mut scratch, self.depth * width);
            let [group, row, column] = *tile.start() else { return };
            let [_, height, used] = *tile.shape() else { return };
            if terms == 0 {
                return tile.fill(T::default());
            }
            let beside = tile.plane(&[0; 3], height, used).is_some();
            for from in (0..terms).step_by(self.depth) {
                let depth = self.depth.min(terms - from);
                let last = usize::from(depth < self.depth);
                let lies = columns.and_then(|view| Some((view.data, self.lying(view, group, column)?)));
                let (source, offsets, first) = match (columns, lies) {
                    (_, Some((data, base))) => (&data[base..], &self.lying[0], from),
                    (Some(view), _) => {
                        let (matrix, present) = self.columns(view, group, column, from);
                        matrix.pack(isa, present, width, &mut own[..depth * width]);
                        (&own[..depth * width], &self.offsets[last], 0)
                    }
                    (None, _) => {
                        let panel = group * column_panels + column / width;
                        (&packed[(panel * terms + from) * width..][..depth * width], &self.offsets[last], 0)
                    }
                };
                let next = if lies.is_some() { width.min(n.saturating_sub(column + width)) } else { 0 };
                // A few lines at a time, meanwhile: many at once would wait for one another.
                let following = match offsets.as_slice()[first..] {
                    [begin, ref rest @ ..] if next > 0 => {
                        let step = rest.first().map_or(0, |second| second - begin);
                        Ahead::new(source.get(begin + width..).unwrap_or(&[]), [1, depth], [0, step], next)
                    }
                    _ => Ahead::nothing(),
                };
                for m in (0..height).step_by(rows) {
                    let (panel, present) = (group * row_panels + (row + m) / rows, rows.min(height - m));
                    if beside {
                        // Or the stores would wait for lines that nobody has asked for.
                        (m..m + present).for_each(|m| simd::prefetch(tile.row(&[0, m, 0], used)));
                    }
                    T::product(
                        isa,
                        Product {
                            rows,
                            weights: &panels[(panel * terms + from) * rows..][..depth * rows],
                            source,
                            offsets,
                            pitch: 0,
                            first,
                            terms: depth,
                            out: match tile.plane(&[0, m, 0], present, used) {
                                Some(plane) => plane.into(),
                                None => Plane::of(&mut sums[m * width..], width, present, used).into(),
                            },
                            add: from > 0,
                            joined: false,
                            large: false,
                            ahead: following.part(m / rows, height.div_ceil(rows)),
                        },
                    );
                }
            }
            if !beside {
                for m in 0..height {
                    tile.write(&[0, m, 0], &sums[m * width..][..used]);
                }
            }
        });
    }
}

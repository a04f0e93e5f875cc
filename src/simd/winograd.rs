//! The small transforms of Winograd's convolution, lane by lane: each works on registers that hold as many channels.
//!
//! # The algorithm of Toom and Cook
//!
//! Two polynomials are multiplied by their values at some points. With the points `0`, `±p` for some `p`, and infinity,
//! `size` in all, and transposed, that gives `outputs` results of a correlation with `taps` weights,
//! `outputs + taps - 1 = size`, from `size` products (S. Winograd, "Arithmetic complexity of computations", 1980):
//!
//! ```text
//! y[o] = Σ_k w[k] · x[o + k] = Σ_f A[o][f] · (G w)[f] · (B x)[f]
//!
//! g(X²) = Π_p (X² - p²)           the polynomial of the points ±p, X·g(X²) that of all but infinity
//! h_p(X²) = g(X²) / (X² - p²)
//!
//! data     (B x)[0] = Σ_i g_i · x[2i]                      kernel   (G w)[0] = w[0] / g(0)
//!          (B x)[±p] = Σ_i h_i · (x[2i + 2] ± p · x[2i + 1])        (G w)[±p] = Σ_k (±p)^k · w[k] / (2 p² h_p(p²))
//!          (B x)[∞] = Σ_i g_i · x[2i + 1]                           (G w)[∞] = w[taps - 1]
//! result   y[o] = [o = 0] · m[0] + Σ_p p^o · (m[p] ± m[-p]) + [o = outputs - 1] · m[∞]
//! ```
//!
//! Even and odd parts are shared by `p` and `-p`. The points are those of the smallest rounding errors that were found
//! among numbers of few bits, whose powers are exact.
//!
//! A pass applies one of the three maps along one axis to many lines of registers; images take one for each axis.

use num_complex::Complex;

use super::Isa;
use super::fourier::Arithmetic;

/// The points beside zero and infinity, by the number of pairs.
const POINTS: [&[f64]; 4] = [&[], &[1.0], &[0.625, 1.5], &[0.5, 1.0, 2.0]];

/// The map that a pass applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    /// Samples to their values at the points.
    Data,
    /// So many weights to theirs.
    Kernel(usize),
    /// Products to so many results.
    Result(usize),
}

/// The arguments of a pass; see the [module](self).
pub struct Pass<'a, T> {
    pub(crate) map: Map,
    /// Points, zero and infinity included: 4, 6 or 8.
    pub(crate) size: usize,
    pub(crate) source: &'a [T],
    pub(crate) out: &'a mut [T],
    /// From one register of a line to the next, in the source and in the output.
    pub(crate) steps: [usize; 2],
    /// How many lines there are, and how far apart they begin in the source and in the output; three loops.
    pub(crate) lines: [[usize; 3]; 3],
    /// Set to false where something written is not finite; of results.
    pub(crate) finite: Option<&'a mut bool>,
}

/// Element types with the transforms of Winograd's convolution.
pub trait Passes: Copy + 'static {
    /// Applies a map to lines of registers. Panics where a slice is too short for what the call says.
    fn pass(isa: Isa, call: Pass<'_, Self>);
}

macro_rules! passes {
    ($t:ident, $vector:ident, $lanes:expr) => {
        impl Passes for $t {
            fn pass(isa: Isa, call: Pass<'_, Self>) {
                call.check(<$t as super::Kernels>::lanes(isa));
                if call.lines.iter().any(|&[count, ..]| count == 0) {
                    return;
                }
                dispatch!(isa, call, Pass<$t> => pass, $vector, $vector, $lanes)
            }
        }

        /// The maps are real: the parts are lanes of their own.
        impl Passes for Complex<$t> {
            fn pass(isa: Isa, call: Pass<'_, Self>) {
                let Pass { map, size, source, out, steps, lines, finite } = call;
                $t::pass(
                    isa,
                    Pass {
                        map,
                        size,
                        source: bytemuck::cast_slice(source),
                        out: bytemuck::cast_slice_mut(out),
                        steps: steps.map(|s| 2 * s),
                        lines: lines.map(|[count, from, to]| [count, 2 * from, 2 * to]),
                        finite,
                    },
                );
            }
        }
    };
}
passes!(f32, F32, 4);
passes!(f64, F64, 2);

impl Map {
    /// Registers of a line that are read, and that are written.
    fn extents(self, size: usize) -> [usize; 2] {
        match self {
            Self::Data => [size, size],
            Self::Kernel(taps) => [taps, size],
            Self::Result(outputs) => [size, outputs],
        }
    }
}

impl<T> Pass<'_, T> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        assert!(matches!(self.size, 4 | 6 | 8), "there are points for 4, 6 and 8");
        assert!(self.finite.is_none() || matches!(self.map, Map::Result(_)), "results are looked at");
        let extents = self.map.extents(self.size);
        assert!(extents.iter().all(|&n| (2..=self.size).contains(&n)), "no more taps and results than points");
        for (side, len) in [self.source.len(), self.out.len()].into_iter().enumerate() {
            let steps = self.lines.iter().map(|line| line[0].saturating_sub(1).saturating_mul(line[1 + side]));
            let reach = steps.fold((extents[side] - 1).saturating_mul(self.steps[side]), usize::saturating_add);
            assert!(reach.saturating_add(lanes) <= len, "the slices hold all lines");
        }
    }
}

/// # Safety
/// The call has been [checked](Pass::check), has lines, and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn pass<V: Arithmetic>(call: Pass<'_, V::Lane>)
where
    V::Lane: Default + PartialEq,
{
    // SAFETY: the caller's promise is the callee's.
    unsafe {
        match (call.size, call.map) {
            (4, Map::Data) => lines::<V, Samples, 1, 4, 4, false>(call),
            (6, Map::Data) => lines::<V, Samples, 2, 6, 6, false>(call),
            (8, Map::Data) => lines::<V, Samples, 3, 8, 8, false>(call),
            (4, Map::Kernel(2)) => lines::<V, Weights, 1, 2, 4, false>(call),
            (4, Map::Kernel(3)) => lines::<V, Weights, 1, 3, 4, false>(call),
            (6, Map::Kernel(2)) => lines::<V, Weights, 2, 2, 6, false>(call),
            (6, Map::Kernel(3)) => lines::<V, Weights, 2, 3, 6, false>(call),
            (6, Map::Kernel(4)) => lines::<V, Weights, 2, 4, 6, false>(call),
            (6, Map::Kernel(5)) => lines::<V, Weights, 2, 5, 6, false>(call),
            (8, Map::Kernel(3)) => lines::<V, Weights, 3, 3, 8, false>(call),
            (8, Map::Kernel(4)) => lines::<V, Weights, 3, 4, 8, false>(call),
            (8, Map::Kernel(5)) => lines::<V, Weights, 3, 5, 8, false>(call),
            (8, Map::Kernel(6)) => lines::<V, Weights, 3, 6, 8, false>(call),
            (4, Map::Result(2)) => results::<V, 1, 4, 2>(call),
            (4, Map::Result(3)) => results::<V, 1, 4, 3>(call),
            (6, Map::Result(2)) => results::<V, 2, 6, 2>(call),
            (6, Map::Result(3)) => results::<V, 2, 6, 3>(call),
            (6, Map::Result(4)) => results::<V, 2, 6, 4>(call),
            (6, Map::Result(5)) => results::<V, 2, 6, 5>(call),
            (8, Map::Result(3)) => results::<V, 3, 8, 3>(call),
            (8, Map::Result(4)) => results::<V, 3, 8, 4>(call),
            (8, Map::Result(5)) => results::<V, 3, 8, 5>(call),
            (8, Map::Result(6)) => results::<V, 3, 8, 6>(call),
            (size, map) => unreachable!("no transform is made for {map:?} of {size} points"),
        }
    }
}

/// A map from `I` registers to `O`, for `P` pairs of points.
trait Apply<V, const P: usize, const I: usize, const O: usize> {
    /// # Safety
    /// The machine has `V`'s instruction set.
    unsafe fn apply(c: &Constants<V, P>, x: &[V; I]) -> [V; O];
}

/// All lines of a pass from `S` products to `O` results each.
///
/// # Safety
/// As [`pass`]; `S` and `O` are the extents of the call's map.
#[inline(always)]
unsafe fn results<V: Arithmetic, const P: usize, const S: usize, const O: usize>(call: Pass<'_, V::Lane>)
where
    V::Lane: Default + PartialEq,
{
    // SAFETY: the caller's promise is the callee's.
    unsafe {
        match call.finite {
            Some(_) => lines::<V, Products, P, S, O, true>(call),
            None => lines::<V, Products, P, S, O, false>(call),
        }
    }
}

/// All lines of a pass from `I` registers to `O` each, by way of `A`. It looks for what is not finite if told so.
///
/// # Safety
/// As [`pass`]; `I` and `O` are the extents of the call's map.
#[inline(always)]
unsafe fn lines<V, A, const P: usize, const I: usize, const O: usize, const LOOK: bool>(call: Pass<'_, V::Lane>)
where
    V: Arithmetic<Lane: Default + PartialEq>,
    A: Apply<V, P, I, O>,
{
    // SAFETY: `check` has seen that the first to the last register of the last line of each loop lie within source and
    // output, the latter of which nothing else borrows.
    unsafe {
        let constants = Constants::<V, P>::new();
        let [outer, middle, inner] = call.lines;
        let mut taint = V::zero();
        for i in 0..outer[0] {
            for j in 0..middle[0] {
                let mut from = call.source.as_ptr().add(i * outer[1] + j * middle[1]);
                let mut to = call.out.as_ptr().cast_mut().add(i * outer[2] + j * middle[2]);
                for _ in 0..inner[0] {
                    let mut x = [V::zero(); I];
                    for n in 0..I {
                        x[n] = V::load(from.add(n * call.steps[0]));
                    }
                    let y = A::apply(&constants, &x);
                    for n in 0..O {
                        y[n].store(to.add(n * call.steps[1]));
                        if LOOK {
                            // Zero times what is not finite is NaN, and stays.
                            taint = y[n].times_plus(V::zero(), taint);
                        }
                    }
                    from = from.wrapping_add(inner[1]);
                    to = to.wrapping_add(inner[2]);
                }
            }
        }
        if let Some(finite) = call.finite {
            *finite &= taint.sum() == V::Lane::default();
        }
    }
}

/// The numbers of the maps for `P` pairs of points.
struct Constants<V, const P: usize> {
    points: [V; P],
    opposite: [V; P],
    /// The coefficients of `g`, and of each `h_p`.
    all: [V; 4],
    others: [[V; 3]; P],
    /// `p^k / (2 p² h_p(p²))`
    scaled: [[V; 6]; P],
    /// `1 / g(0)`
    zero: V,
    /// `p^k`
    powers: [[V; 6]; P],
}

/// The coefficients of `Π (X - root)`, the constant one first.
const fn polynomial(roots: &[f64], without: usize) -> [f64; 4] {
    let (mut c, mut i, mut degree) = ([0.0; 4], 0, 0);
    c[0] = 1.0;
    while i < roots.len() {
        if i != without {
            let square = roots[i] * roots[i];
            let mut k = degree + 1;
            while k > 0 {
                c[k] = c[k - 1] - square * c[k];
                k -= 1;
            }
            c[0] *= -square;
            degree += 1;
        }
        i += 1;
    }
    c
}

/// The same numbers, before they are rounded.
struct Exact<const P: usize>;

impl<const P: usize> Exact<P> {
    const ALL: [f64; 4] = polynomial(POINTS[P], P);
    const OTHERS: [[f64; 4]; P] = {
        let (mut others, mut p) = ([[0.0; 4]; P], 0);
        while p < P {
            others[p] = polynomial(POINTS[P], p);
            p += 1;
        }
        others
    };
    /// `2 p² h_p(p²)`
    const NORMS: [f64; P] = {
        let (mut norms, mut p) = ([0.0; P], 0);
        while p < P {
            let (square, h) = (POINTS[P][p] * POINTS[P][p], Self::OTHERS[p]);
            norms[p] = 2.0 * square * (h[0] + square * (h[1] + square * h[2]));
            p += 1;
        }
        norms
    };
    const POWERS: [[f64; 6]; P] = {
        let (mut powers, mut p) = ([[1.0; 6]; P], 0);
        while p < P {
            let mut k = 1;
            while k < 6 {
                powers[p][k] = powers[p][k - 1] * POINTS[P][p];
                k += 1;
            }
            p += 1;
        }
        powers
    };
}

impl<V: Arithmetic, const P: usize> Constants<V, P> {
    /// # Safety
    /// The machine has `V`'s instruction set.
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the instruction set is the caller's promise.
        unsafe {
            let zero = V::zero();
            let mut this = Self {
                points: [zero; P],
                opposite: [zero; P],
                all: [zero; 4],
                others: [[zero; 3]; P],
                scaled: [[zero; 6]; P],
                zero,
                powers: [[zero; 6]; P],
            };
            for k in 0..4 {
                this.all[k] = V::constant(Exact::<P>::ALL[k]);
            }
            this.zero = V::constant(1.0 / Exact::<P>::ALL[0]);
            for p in 0..P {
                this.points[p] = V::constant(POINTS[P][p]);
                this.opposite[p] = V::constant(-POINTS[P][p]);
                for k in 0..6 {
                    this.scaled[p][k] = V::constant(Exact::<P>::POWERS[p][k] / Exact::<P>::NORMS[p]);
                    this.powers[p][k] = V::constant(Exact::<P>::POWERS[p][k]);
                }
                for k in 0..3 {
                    this.others[p][k] = V::constant(Exact::<P>::OTHERS[p][k]);
                }
            }
            this
        }
    }
}

/// [`Map::Data`]
struct Samples;

impl<V: Arithmetic, const P: usize, const S: usize> Apply<V, P, S, S> for Samples {
    #[inline(always)]
    unsafe fn apply(c: &Constants<V, P>, x: &[V; S]) -> [V; S] {
        // SAFETY: the instruction set is the caller's promise.
        unsafe {
            let mut y = [V::zero(); S];
            // The leading coefficients are 1.
            (y[0], y[S - 1]) = (x[2 * P], x[2 * P + 1]);
            for i in 0..P {
                y[0] = x[2 * i].times_plus(c.all[i], y[0]);
                y[S - 1] = x[2 * i + 1].times_plus(c.all[i], y[S - 1]);
            }
            for p in 0..P {
                let (mut even, mut odd) = (x[2 * P], x[2 * P - 1]);
                for i in 0..P - 1 {
                    even = x[2 * i + 2].times_plus(c.others[p][i], even);
                    odd = x[2 * i + 1].times_plus(c.others[p][i], odd);
                }
                y[1 + 2 * p] = odd.times_plus(c.points[p], even);
                y[2 + 2 * p] = odd.times_plus(c.opposite[p], even);
            }
            y
        }
    }
}

/// [`Map::Kernel`]
struct Weights;

impl<V: Arithmetic, const P: usize, const R: usize, const S: usize> Apply<V, P, R, S> for Weights {
    #[inline(always)]
    unsafe fn apply(c: &Constants<V, P>, w: &[V; R]) -> [V; S] {
        // SAFETY: the instruction set is the caller's promise.
        unsafe {
            let mut y = [V::zero(); S];
            (y[0], y[S - 1]) = (w[0].mul(c.zero), w[R - 1]);
            for p in 0..P {
                let (mut even, mut odd) = (w[0].mul(c.scaled[p][0]), w[1].mul(c.scaled[p][1]));
                for k in 2..R {
                    let sum = if k % 2 == 0 { &mut even } else { &mut odd };
                    *sum = w[k].times_plus(c.scaled[p][k], *sum);
                }
                (y[1 + 2 * p], y[2 + 2 * p]) = (even.add(odd), even.sub(odd));
            }
            y
        }
    }
}

/// [`Map::Result`]
struct Products;

impl<V: Arithmetic, const P: usize, const O: usize, const S: usize> Apply<V, P, S, O> for Products {
    #[inline(always)]
    unsafe fn apply(c: &Constants<V, P>, m: &[V; S]) -> [V; O] {
        // SAFETY: the instruction set is the caller's promise.
        unsafe {
            let mut y = [V::zero(); O];
            (y[0], y[O - 1]) = (m[0], m[S - 1]);
            for p in 0..P {
                let (sum, difference) = (m[1 + 2 * p].add(m[2 + 2 * p]), m[1 + 2 * p].sub(m[2 + 2 * p]));
                y[0] = y[0].add(sum);
                for o in 1..O {
                    let part = if o % 2 == 0 { sum } else { difference };
                    y[o] = part.times_plus(c.powers[p][o], y[o]);
                }
            }
            y
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::guarded::End;
    use super::*;
    use crate::simd::Kernels;

    /// Small numbers of both signs.
    fn number(i: usize) -> f64 {
        ((i * 7919 + 13) % 23) as f64 / 4.0 - 2.75
    }

    /// What `y[o] = Σ_k w[k] · x[o + k]` is by the three maps, in each lane of its own.
    fn agree(isa: Isa, end: End, size: usize, taps: usize) {
        let (l, outputs) = (f64::lanes(isa), size + 1 - taps);
        let [x, w]: [Vec<f64>; 2] = [0, 1000].map(|from| (0..size * l).map(|i| number(i + from)).collect());
        let apply = |map: Map, source: &[f64], registers: usize| {
            let (source, mut out) = (&end.guard(source), end.guard(vec![f64::NAN; registers * l]));
            let lines = [[1, 0, 0]; 3];
            let mut finite = true;
            let looked = matches!(map, Map::Result(_)).then_some(&mut finite);
            f64::pass(isa, Pass { map, size, source, out: &mut out, steps: [l; 2], lines, finite: looked });
            assert!(finite);
            out
        };
        let samples = apply(Map::Data, &x, size);
        let weights = apply(Map::Kernel(taps), &w[..taps * l], size);
        let products: Vec<f64> = samples.iter().zip(weights.iter()).map(|(x, w)| x * w).collect();
        let results = apply(Map::Result(outputs), &products, outputs);
        for (i, y) in results.iter().enumerate() {
            let expected: f64 = (0..taps).map(|k| w[k * l + i % l] * x[i + k * l]).sum();
            assert!((y - expected).abs() < 1e-11, "{size} points, {taps} taps, {i}: {y} is not {expected}");
        }
    }

    #[test]
    fn the_maps_are_a_correlation() {
        for isa in Isa::all() {
            for (size, taps) in [(4, 2..=3), (6, 2..=5), (8, 3..=6)] {
                taps.for_each(|taps| End::BOTH.into_iter().for_each(|end| agree(isa, end, size, taps)));
            }
        }
    }

    #[test]
    fn lines_lie_where_they_are_said_to() {
        for (isa, end) in Isa::all().into_iter().flat_map(|isa| End::BOTH.map(|end| (isa, end))) {
            let l = f32::lanes(isa);
            let source: Vec<f32> = (0..700 + 2 * 90 + 21 + 3 * 35 + l).map(|i| number(i) as f32).collect();
            let source = end.guard(source);
            let lines = [[2, 700, 60 * l], [3, 90, 20 * l], [2, 21, 5 * l]];
            let mut out = end.guard(vec![f32::NAN; (60 + 2 * 20 + 5 + 2) * l]);
            let mut finite = true;
            let (map, steps) = (Map::Result(2), [35, l]);
            f32::pass(
                isa,
                Pass { map, size: 4, source: &source, out: &mut out, steps, lines, finite: Some(&mut finite) },
            );
            assert!(finite);
            let mut written = 0;
            for (i, j, k) in (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..2).map(move |k| (i, j, k)))) {
                for lane in 0..l {
                    let m: [f32; 4] = std::array::from_fn(|n| source[i * 700 + j * 90 + k * 21 + n * 35 + lane]);
                    let at = (i * 60 + j * 20 + k * 5) * l + lane;
                    assert_eq!([out[at], out[at + l]], [m[0] + (m[1] + m[2]), m[3] + (m[1] - m[2])]);
                    written += 2;
                }
            }
            assert_eq!(out.iter().filter(|y| !y.is_nan()).count(), written);
        }
    }

    #[test]
    fn what_is_not_finite_is_told() {
        for isa in Isa::all() {
            let l = f32::lanes(isa);
            for (lane, number) in [(0, f32::NAN), (l - 1, f32::INFINITY), (l / 2, f32::NEG_INFINITY)] {
                let (mut source, mut out, mut finite) = (vec![1.0; 6 * l], vec![0.0; 4 * l], true);
                source[2 * l + lane] = number;
                let (out, lines) = (&mut out, [[1, 0, 0]; 3]);
                let call = Pass {
                    map: Map::Result(4),
                    size: 6,
                    source: &source,
                    out,
                    steps: [l; 2],
                    lines,
                    finite: Some(&mut finite),
                };
                f32::pass(isa, call);
                assert!(!finite);
            }
        }
    }

    #[test]
    #[should_panic(expected = "the slices hold all lines")]
    fn a_short_output_is_refused() {
        let l = f32::lanes(Isa::Portable);
        let (lines, source) = ([[1, 0, 0], [1, 0, 0], [2, l, 4 * l]], vec![0.0; 5 * l]);
        let out = &mut vec![0.0; 8 * l - 1];
        f32::pass(
            Isa::Portable,
            Pass { map: Map::Data, size: 4, source: &source, out, steps: [l; 2], lines, finite: None },
        );
    }
}

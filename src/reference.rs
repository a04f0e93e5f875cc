//! The definition as plain loops, in the problem's own words: the oracle that every algorithm is held to.
//!
//! No speed is sought here. Positions outside the data are told apart tap by tap, so that under [`Boundary::Zero`] they
//! contribute nothing, whatever the tap.

use crate::element::Scalar;
use crate::error::Result;
use crate::problem::{Boundary, MAX_RANK, Pass, Problem, SpatialAxis};
use crate::view::{Strided, View, advance};

/// Computes `problem` from its two operands by the definition, each sum in index order in `T` itself.
///
/// The operands and the result are dense arrays in the problem's layout, their shapes those of
/// [`Problem::operands`]. `T` may be any [`Element`](crate::Element), whatever the problem's own element type, or
/// `i128`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) where an operand's length is not the problem's.
///
/// ```
/// use faltung::{Problem, reference};
/// let p: Problem = "3*2:full".parse()?;
/// assert_eq!(reference::compute(&p, &[1.0, 2.0, 3.0], &[10.0, 1.0])?, [10.0, 21.0, 32.0, 3.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn compute<T: Scalar>(problem: &Problem, first: &[T], second: &[T]) -> Result<Vec<T>> {
    let [_, _, shape] = problem.operands();
    let [_, _, layout] = problem.layouts();
    let terms = Terms::dense(problem, first, second)?;
    let at = Strided::dense(&shape, layout);
    let mut result = vec![T::default(); at.elements()];
    let mut index = vec![0; shape.len()];
    for _ in 0..result.len() {
        result[at.element(&index)] = terms.sum(&index);
        advance(&mut index, &shape);
    }
    Ok(result)
}

/// Computes single elements of a problem's result by the definition: a sample of what is too large to compute wholly.
///
/// ```
/// use faltung::{Problem, reference::Elements};
/// let p: Problem = "5x5*3x3:valid".parse()?;
/// let (x, w) = ([1.0f64; 25], [1.0; 9]);
/// let mut elements = Elements::new(&p, &x, &w)?;
/// assert_eq!(elements.at(&[0, 0, 2, 1])?, 9.0);
/// assert!(elements.at(&[0, 0, 3, 0]).is_err());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Debug)]
pub struct Elements<'a, T> {
    terms: Terms<'a, T>,
    shape: Vec<usize>,
}

impl<'a, T: Scalar> Elements<'a, T> {
    /// Prepares to compute elements of `problem` from dense operands.
    ///
    /// # Errors
    /// As [`compute`].
    ///
    /// ```
    /// use faltung::{Problem, reference::Elements};
    /// let p: Problem = "2*2:valid".parse()?;
    /// assert!(Elements::new(&p, &[1.0, 2.0], &[3.0, 4.0]).is_ok());
    /// assert!(Elements::new(&p, &[1.0, 2.0, 3.0], &[3.0, 4.0]).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(problem: &'a Problem, first: &'a [T], second: &'a [T]) -> Result<Self> {
        let [_, _, shape] = problem.operands();
        Ok(Self { terms: Terms::dense(problem, first, second)?, shape })
    }

    /// The element at `index`, (batch, channel, spatial …) or, of a weight gradient, (output channel, input channel,
    /// tap …).
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) where there is no such element.
    ///
    /// ```
    /// use faltung::{Problem, reference::Elements};
    /// let p: Problem = "2*2:full".parse()?;
    /// let mut elements = Elements::new(&p, &[1.0, 2.0], &[3.0, 4.0])?;
    /// assert_eq!(elements.at(&[0, 0, 1])?, 10.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn at(&mut self, index: &[usize]) -> Result<T> {
        if index.len() != self.shape.len() || index.iter().zip(&self.shape).any(|(i, n)| i >= n) {
            let expected = format!("an index within {:?}", self.shape);
            return Err(crate::Error::argument("index", expected, format!("{index:?}")));
        }
        Ok(self.terms.sum(index))
    }

    /// The sum of the absolute values of the element's products: what its rounding error is measured by.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    ///
    /// ```
    /// use faltung::{Problem, reference::Elements};
    /// let p: Problem = "2*2:valid".parse()?;
    /// let mut elements = Elements::new(&p, &[1.0f64, 2.0], &[3.0, -4.0])?;
    /// assert_eq!(elements.at(&[0, 0, 0])?, 2.0);
    /// assert_eq!(elements.magnitude(&[0, 0, 0], |v| v.abs())?, 10.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn magnitude(&mut self, index: &[usize], abs: impl Fn(T) -> f64) -> Result<f64> {
        self.at(index)?;
        let mut total = 0.0;
        self.terms.each(index, |product| total += abs(product));
        Ok(total)
    }
}

/// The products that make up any one element of a problem's result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a, T> {
    problem: &'a Problem,
    first: View<'a, T>,
    second: View<'a, T>,
}

impl<'a, T: Scalar> Terms<'a, T> {
    /// The operands' shapes must be the problem's.
    pub(crate) fn new(problem: &'a Problem, first: View<'a, T>, second: View<'a, T>) -> Self {
        Self { problem, first, second }
    }

    fn dense(problem: &'a Problem, first: &'a [T], second: &'a [T]) -> Result<Self> {
        let ([a, b, _], [la, lb, _]) = (problem.operands(), problem.layouts());
        let first = View::of_operand("the first operand", first, &a, la)?;
        let second = View::of_operand("the second operand", second, &b, lb)?;
        Ok(Self::new(problem, first, second))
    }

    pub(crate) fn sum(&self, index: &[usize]) -> T {
        let mut total = T::default();
        self.each(index, |product| total += product);
        total
    }

    /// Calls `add` with every product of the element at `index`.
    fn each(&self, index: &[usize], mut add: impl FnMut(T)) {
        let p = self.problem;
        let (ci, co) = (p.in_channels / p.groups, p.out_channels / p.groups);
        match p.pass {
            Pass::Forward => {
                let group = index[1] / co;
                for c in 0..ci {
                    self.forward(index, group * ci + c, c, &mut add);
                }
            }
            Pass::InputGradient => {
                let group = index[1] / ci;
                for c in 0..co {
                    self.input_gradient(index, group * co + c, index[1] % ci, &mut add);
                }
            }
            Pass::WeightGradient => {
                let group = index[0] / co;
                for n in 0..p.batch {
                    self.weight_gradient(index, n, group * ci + index[1], &mut add);
                }
            }
        }
    }

    /// `Σ_t w[co, c, t] · x[n, channel, o·s - p + t·d]`
    fn forward(&self, index: &[usize], channel: usize, c: usize, add: &mut impl FnMut(T)) {
        let p = self.problem;
        let outside = constant(p);
        self.taps(|tap| {
            let mut at = self.first.at.channel(index[0], channel);
            let mut inside = true;
            for (a, axis) in p.axes.iter().enumerate() {
                let position = (index[2 + a] * axis.stride) as isize - axis.padding + (tap[a] * axis.dilation) as isize;
                match p.boundary.source(position, axis.input) {
                    Some(i) => at += self.first.at.step(a, i),
                    None => inside = false,
                }
            }
            let x = if inside { Some(self.first.data[at as usize]) } else { outside };
            if let Some(x) = x {
                add(self.kernel(index[1], c, tap, p.conjugate) * x);
            }
        });
    }

    /// `Σ_{o, t reading i} conj(w[channel, c, t]) · g[n, channel, o]`, the adjoint of the forward pass in the input.
    fn input_gradient(&self, index: &[usize], channel: usize, c: usize, add: &mut impl FnMut(T)) {
        let p = self.problem;
        let rank = p.axes.len();
        // On each axis the outputs that read this input by this tap; the vectors are reused from tap to tap.
        let mut sources: [Vec<usize>; MAX_RANK] = Default::default();
        self.taps(|tap| {
            let mut counts = [0; MAX_RANK];
            for (a, axis) in p.axes.iter().enumerate() {
                sources[a].clear();
                sources[a].extend(readers(axis, p.boundary, index[2 + a], tap[a]));
                counts[a] = sources[a].len();
            }
            let mut choice = [0; MAX_RANK];
            for _ in 0..counts[..rank].iter().product() {
                let mut at = self.first.at.channel(index[0], channel);
                for (a, &i) in choice[..rank].iter().enumerate() {
                    at += self.first.at.step(a, sources[a][i]);
                }
                add(self.kernel(channel, c, tap, !p.conjugate) * self.first.data[at as usize]);
                advance(&mut choice[..rank], &counts[..rank]);
            }
        });
    }

    /// `Σ_o g[n, co, o] · conj(x[n, channel, o·s - p + t·d])`, conjugated as a whole under a conjugated kernel.
    fn weight_gradient(&self, index: &[usize], n: usize, channel: usize, add: &mut impl FnMut(T)) {
        let p = self.problem;
        let outside = constant(p);
        let (mut outputs, rank) = ([0; MAX_RANK], p.axes.len());
        outputs.iter_mut().zip(&p.axes).for_each(|(n, axis)| *n = axis.output);
        let outputs = &outputs[..rank];
        let mut o = [0; MAX_RANK];
        let o = &mut o[..rank];
        for _ in 0..outputs.iter().product() {
            let mut x_at = self.first.at.channel(n, channel);
            let mut g_at = self.second.at.channel(n, index[0]);
            let mut inside = true;
            for (a, axis) in p.axes.iter().enumerate() {
                let t = if p.flip { axis.kernel - 1 - index[2 + a] } else { index[2 + a] };
                let position = (o[a] * axis.stride) as isize - axis.padding + (t * axis.dilation) as isize;
                g_at += self.second.at.step(a, o[a]);
                match p.boundary.source(position, axis.input) {
                    Some(i) => x_at += self.first.at.step(a, i),
                    None => inside = false,
                }
            }
            let x = if inside { Some(self.first.data[x_at as usize]) } else { outside };
            if let Some(x) = x {
                let g = self.second.data[g_at as usize];
                add(if p.conjugate { g.conj() * x } else { g * x.conj() });
            }
            advance(o, outputs);
        }
    }

    fn taps(&self, mut visit: impl FnMut(&[usize])) {
        let (mut extents, rank) = ([0; MAX_RANK], self.problem.axes.len());
        extents.iter_mut().zip(&self.problem.axes).for_each(|(n, axis)| *n = axis.kernel);
        let mut tap = [0; MAX_RANK];
        for _ in 0..extents[..rank].iter().product() {
            visit(&tap[..rank]);
            advance(&mut tap[..rank], &extents[..rank]);
        }
    }

    /// The weight that tap `tap` is multiplied with.
    fn kernel(&self, co: usize, ci: usize, tap: &[usize], conjugate: bool) -> T {
        let mut at = self.second.at.channel(co, ci);
        for (a, axis) in self.problem.axes.iter().enumerate() {
            at += self.second.at.step(a, if self.problem.flip { axis.kernel - 1 - tap[a] } else { tap[a] });
        }
        let w = self.second.data[at as usize];
        if conjugate { w.conj() } else { w }
    }
}

/// What a tap outside the data reads.
fn constant<T: Scalar>(problem: &Problem) -> Option<T> {
    match problem.boundary {
        Boundary::Constant(v) => Some(T::from_f64(v)),
        _ => None,
    }
}

/// The outputs whose tap `tap` reads input `i`: several where the boundary reads the data again.
fn readers(axis: &SpatialAxis, boundary: Boundary, i: usize, tap: usize) -> impl Iterator<Item = usize> {
    // Without a boundary that reads data only one output can: o with o·s = i + p - t·d.
    let candidates = if boundary.reads_data() {
        0..axis.output
    } else {
        let o = (i as isize + axis.padding - (tap * axis.dilation) as isize).div_euclid(axis.stride as isize).max(0);
        (o as usize).min(axis.output)..(o as usize + 1).min(axis.output)
    };
    candidates.filter(move |o| {
        let position = (o * axis.stride) as isize - axis.padding + (tap * axis.dilation) as isize;
        boundary.source(position, axis.input) == Some(i)
    })
}

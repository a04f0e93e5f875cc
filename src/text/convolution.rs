//! Convolution over embedded sentences, and what is kept of it.

use std::ops::Range;

use ndarray::{Array2, Array3, ArrayRef3, Axis, Ix2, Ix3};

use super::batch::TokenBatch;
use super::embedding::Embedding;
use super::room;
use crate::error::{Error, Result};
use crate::plan::{Planner, Workspace};
use crate::problem::{Mode, Problem};

/// A convolution of embedded sentences along their tokens: each feature is a kernel over `width` neighbouring tokens in
/// all values of their vectors, not flipped, as in Kim (2014) and PyTorch's `conv1d`.
///
/// Bias and activation are left to the caller: a monotone activation commutes with the maximum, so both can follow the
/// pooling.
///
/// ```
/// use faltung::ndarray::{Array3, array};
/// use faltung::text::{Batcher, Embedding, TextConvolution};
///
/// let embedding = Embedding::new(array![[0.0], [1.0], [10.0], [100.0]])?;
/// let batch = Batcher::new().batch(&[vec![1, 2, 3], vec![3, 2]])?;
/// let difference = TextConvolution::new(Array3::from_shape_vec((1, 1, 2), vec![-1.0, 1.0]).unwrap())?;
/// let y = difference.apply(&embedding.batch(&batch)?)?;
/// assert_eq!(y, array![[[9.0, 90.0]], [[-90.0, -10.0]]]);
/// // The last output of the second sentence reads padding, and does not count.
/// assert_eq!(difference.max_over_time(&y, &batch)?.values, array![[90.0], [-90.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Debug)]
pub struct TextConvolution {
    weights: Array3<f32>,
    mode: Mode,
    planner: Planner,
}

/// The largest output of each feature in each sentence, (sentences, features), and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxOverTime {
    /// The maxima, (sentences, features). A NaN among the outputs is the maximum, as in PyTorch.
    pub values: Array2<f32>,
    /// At which output each maximum is, the first of equal ones, (sentences, features).
    pub positions: Array2<usize>,
}

impl TextConvolution {
    /// A convolution with these weights, (features, embedding, width).
    ///
    /// # Errors
    /// [`Error::Argument`] where an extent is 0.
    ///
    /// ```
    /// use faltung::ndarray::Array3;
    /// use faltung::text::TextConvolution;
    /// assert!(TextConvolution::new(Array3::zeros((100, 300, 5))).is_ok());
    /// assert!(TextConvolution::new(Array3::zeros((100, 300, 0))).is_err());
    /// ```
    pub fn new(weights: Array3<f32>) -> Result<Self> {
        if weights.is_empty() {
            let given = format!("{:?}", weights.dim());
            return Err(Error::argument("weights", "extents (features, embedding, width) of at least 1", given));
        }
        let weights = if weights.is_standard_layout() { weights } else { weights.as_standard_layout().into_owned() };
        Ok(Self { weights, mode: Mode::Valid, planner: Planner::new() })
    }

    /// Which outputs there are; [`Mode::Valid`] unless set, as in Kim's equation 2. [`Mode::Full`] has those that Kim's
    /// program computes, with `width - 1` zeros at both ends; [`Mode::Same`] has `(width - 1) / 2` zeros before and
    /// `width / 2` behind, as PyTorch has.
    ///
    /// ```
    /// use faltung::Mode;
    /// use faltung::ndarray::Array3;
    /// use faltung::text::TextConvolution;
    /// let full = TextConvolution::new(Array3::zeros((100, 300, 5)))?.mode(Mode::Full);
    /// assert_eq!(full.problem(50, 20)?.output_shape(), [50, 100, 24]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The planner that chooses the algorithm; one of the convolution's own unless set.
    ///
    /// ```
    /// use faltung::ndarray::Array3;
    /// use faltung::text::TextConvolution;
    /// use faltung::{Algorithm, Planner};
    /// let planner = Planner::new().algorithm(Algorithm::Direct);
    /// let direct = TextConvolution::new(Array3::zeros((1, 2, 3)))?.planner(planner);
    /// assert_eq!(direct.apply(&Array3::zeros((4, 2, 5)))?.dim(), (4, 1, 3));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn planner(mut self, planner: Planner) -> Self {
        self.planner = planner;
        self
    }

    /// The weights, (features, embedding, width).
    ///
    /// ```
    /// use faltung::ndarray::Array3;
    /// use faltung::text::TextConvolution;
    /// assert_eq!(TextConvolution::new(Array3::zeros((1, 2, 3)))?.weights().dim(), (1, 2, 3));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn weights(&self) -> &Array3<f32> {
        &self.weights
    }

    /// The problem that a batch of so many sentences of so many tokens is: a layer of one axis.
    ///
    /// # Errors
    /// [`Error::KernelTooLong`] where sentences are shorter than the kernel and the mode is `Valid`;
    /// [`Error::Argument`] for no tokens.
    ///
    /// ```
    /// use faltung::ndarray::Array3;
    /// use faltung::text::TextConvolution;
    /// let convolution = TextConvolution::new(Array3::zeros((100, 300, 5)))?;
    /// assert_eq!(convolution.problem(50, 20)?, "mb50ic300iw20oc100ow16kw5".parse()?);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn problem(&self, sentences: usize, tokens: usize) -> Result<Problem> {
        let (features, embedding, width) = self.weights.dim();
        let (before, behind) = self.padding();
        Problem::layer(sentences, embedding, features, &[tokens], &[width])
            .padding(&[(before as isize, behind as isize)])
            .build()
    }

    /// Zeros before and behind.
    fn padding(&self) -> (usize, usize) {
        let more = self.weights.dim().2 - 1;
        match self.mode {
            Mode::Full => (more, more),
            Mode::Same => (more / 2, more - more / 2),
            Mode::Valid => (0, 0),
            Mode::Causal => (more, 0),
        }
    }

    /// The features at every position, (sentences, features, outputs), of sentences (sentences, embedding, tokens).
    ///
    /// # Errors
    /// [`Error::Shape`] where the vectors have another dimension than the weights; as [`problem`](Self::problem); what
    /// the planner says; [`Error::Other`] for a result that no memory holds.
    ///
    /// ```
    /// use faltung::ndarray::{Array3, array};
    /// use faltung::text::TextConvolution;
    /// let sum = TextConvolution::new(Array3::ones((1, 2, 2)))?;
    /// assert_eq!(sum.apply(&array![[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]])?, array![[[33.0, 55.0]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, x: &ArrayRef3<f32>) -> Result<Array3<f32>> {
        let ((sentences, embedding, tokens), own) = (x.dim(), self.weights.dim().1);
        if embedding != own {
            return Err(Error::shape("x", &[sentences, own, tokens], x.shape()));
        }
        let problem = self.problem(sentences, tokens)?;
        let outputs = problem.axes().iter().map(|axis| axis.output()).product();
        let mut y = room::zeros("the features", Ix3(sentences, self.weights.dim().0, outputs))?;
        let x = x.as_standard_layout();
        if let (Some(x), Some(weights), Some(y)) = (x.as_slice(), self.weights.as_slice(), y.as_slice_mut()) {
            self.planner.plan(&problem)?.run(x, weights, y, &mut Workspace::new())?;
        }
        Ok(y)
    }

    /// Max-over-time pooling (Collobert et al. 2011, Kim 2014) of what [`apply`](Self::apply) gave for a batch: of each
    /// feature in each sentence the largest output, padding masked.
    ///
    /// Those outputs count that the mode would give for the sentence alone. A sentence that is shorter than the
    /// kernel counts as padded to its width, so that there is one output at the least.
    ///
    /// # Errors
    /// [`Error::Shape`] where `y` is not of the batch's and the convolution's shape.
    ///
    /// ```
    /// use faltung::ndarray::{Array3, array};
    /// use faltung::text::{Batcher, TextConvolution};
    /// let batch = Batcher::new().minimum(4).batch(&[[1, 1, 1]])?;
    /// let convolution = TextConvolution::new(Array3::zeros((1, 1, 2)))?;
    /// let pooled = convolution.max_over_time(&array![[[-3.0, -2.0, 0.0]]], &batch)?;
    /// assert_eq!((pooled.values, pooled.positions), (array![[-2.0]], array![[1]]));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn max_over_time(&self, y: &ArrayRef3<f32>, batch: &TokenBatch) -> Result<MaxOverTime> {
        let (sentences, tokens) = batch.ids().dim();
        let expected = self.problem(sentences, tokens)?.output_shape();
        if y.shape() != expected {
            return Err(Error::shape("y", &expected, y.shape()));
        }
        let features = self.weights.dim().0;
        let mut values: Array2<f32> = room::zeros("the pooled features", Ix2(sentences, features))?;
        let mut positions: Array2<usize> = room::zeros("the pooled positions", Ix2(sentences, features))?;
        for (i, (&length, y)) in batch.lengths().iter().zip(y.axis_iter(Axis(0))).enumerate() {
            let counted = self.outputs(batch, length);
            let rows = values.row_mut(i).into_iter().zip(positions.row_mut(i));
            for ((value, position), feature) in rows.zip(y.rows()) {
                (*position, *value) =
                    largest(feature.iter().copied().enumerate().take(counted.end).skip(counted.start));
            }
        }
        Ok(MaxOverTime { values, positions })
    }

    /// Which outputs count of a sentence of so many tokens.
    fn outputs(&self, batch: &TokenBatch, length: usize) -> Range<usize> {
        let (width, (before, behind)) = (self.weights.dim().2, self.padding());
        let span = batch.span_of(length.max(width.saturating_sub(before + behind)).max(1));
        span.start..span.end + before + behind + 1 - width
    }

    /// Embeds a batch, convolves it and pools it: (sentences, features).
    ///
    /// # Errors
    /// Those of [`Embedding::batch`], [`apply`](Self::apply) and [`max_over_time`](Self::max_over_time).
    ///
    /// ```
    /// use faltung::ndarray::Array3;
    /// use faltung::text::{Batcher, Embedding, TextConvolution};
    /// let embedding = Embedding::uniform(10, 8, 0.25, 1)?;
    /// let batch = Batcher::new().minimum(3).batch(&[vec![2, 3, 4, 5], vec![6]])?;
    /// let pooled = TextConvolution::new(Array3::ones((4, 8, 3)))?.features(&embedding, &batch)?;
    /// assert_eq!(pooled.values.dim(), (2, 4));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn features(&self, embedding: &Embedding, batch: &TokenBatch) -> Result<MaxOverTime> {
        self.max_over_time(&self.apply(&embedding.batch(batch)?)?, batch)
    }
}

/// The largest value with its place: the first of equal ones, and a NaN above all.
fn largest(outputs: impl Iterator<Item = (usize, f32)>) -> (usize, f32) {
    let first = (0, f32::NEG_INFINITY);
    outputs
        .reduce(|best, next| if next.1 > best.1 || (next.1.is_nan() && !best.1.is_nan()) { next } else { best })
        .unwrap_or(first)
}

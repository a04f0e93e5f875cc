//! Embeddings.

use ndarray::{Array2, ArrayView2, ArrayViewD, ArrayViewMutD};

use crate::error::{Error, Result};
use crate::nn::layer::{dense, input, output, volume};
use crate::nn::work::{GRAIN, rows, share};
use crate::nn::{Backward, Buffer, Context, Design, Float, Init, Layer, Parameter, Random, Visitor};

/// A vector for each word of a vocabulary.
///
/// Input (batch, length): numbers of words, as whole numbers; output (batch, length, dimension), or (batch, dimension,
/// length) with [`channels_first`](Self::channels_first). Its array is `weight` (vocabulary, dimension), as in PyTorch.
///
/// There is no gradient by the input, and asking for one is an error, as are numbers outside the vocabulary, fractions
/// and NaN.
///
/// ```
/// use faltung::ndarray::{array, aview2};
/// use faltung::nn::{Embedding, Sequential};
/// let table = aview2(&[[0.0f32, 0.0], [1.0, 2.0], [3.0, 4.0]]);
/// let mut network = Sequential::new().layer(Embedding::from_table(table).padding(0)).build(1)?;
/// let sentence = array![[2.0f32, 1.0, 0.0]].into_dyn();
/// assert_eq!(network.forward(sentence.view())?, array![[[3.0f32, 4.0], [1.0, 2.0], [0.0, 0.0]]].into_dyn());
/// assert!(network.forward(array![[3.0f32]].into_dyn().view()).is_err());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding<T> {
    vocabulary: usize,
    dimension: usize,
    table: Option<Array2<T>>,
    init: Init,
    padding: Option<usize>,
    channels_first: bool,
}

impl<T: Float> Embedding<T> {
    /// Vectors of so many numbers for so many words, at first normally distributed.
    pub fn new(vocabulary: usize, dimension: usize) -> Self {
        let (table, init, padding) = (None, Init::Normal(1.0), None);
        Self { vocabulary, dimension, table, init, padding, channels_first: false }
    }

    /// Vectors that are there already, (vocabulary, dimension). They are trained further unless
    /// [frozen](crate::nn::Network::freeze).
    pub fn from_table(table: ArrayView2<'_, T>) -> Self {
        let (vocabulary, dimension) = table.dim();
        Self { table: Some(table.as_standard_layout().into_owned()), ..Self::new(vocabulary, dimension) }
    }

    /// The number of the word that fills sentences up: its vector is 0, and is not trained.
    #[must_use]
    pub fn padding(mut self, id: usize) -> Self {
        self.padding = Some(id);
        self
    }

    /// Puts the vectors' numbers along the second axis, where a [`Conv1d`](super::Conv1d) has its channels.
    ///
    /// ```
    /// use faltung::nn::{Conv1d, Embedding, Sequential};
    /// let words = Embedding::<f32>::new(20_000, 300).padding(0).channels_first();
    /// let network = Sequential::new().layer(words).layer(Conv1d::new(300, 100, 3)).build(1)?;
    /// assert_eq!(network.output_shape(&[50, 64])?, [50, 100, 62]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    #[must_use]
    pub fn channels_first(mut self) -> Self {
        self.channels_first = true;
        self
    }

    /// How the first vectors are drawn; from the normal distribution unless set.
    #[must_use]
    pub fn init(mut self, weight: Init) -> Self {
        self.init = weight;
        self
    }
}

impl<T: Float> Design<T> for Embedding<T> {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        let Self { vocabulary, dimension, table, init, padding, channels_first } = *self;
        // Whole numbers up to here are numbers of the type, and differ.
        let most = (2.0 / T::DTYPE.epsilon()) as usize;
        if vocabulary == 0 || vocabulary > most {
            return Err(Error::argument("vocabulary", format!("from 1 to {most}"), vocabulary));
        }
        if dimension == 0 {
            return Err(Error::argument("dimension", "at least 1", 0));
        }
        if let Some(id) = padding.filter(|&id| id >= vocabulary) {
            return Err(Error::argument("padding", format!("below the vocabulary's {vocabulary}"), id));
        }
        let mut weight = match table {
            Some(table) => Parameter::new(table.into_dyn()),
            None => init.parameter(&[vocabulary, dimension], (dimension, vocabulary), random)?,
        };
        if let Some(id) = padding {
            weight.slices_mut()?.0[id * dimension..][..dimension].fill(T::ZERO);
        }
        Ok(Box::new(EmbeddingLayer { vocabulary, dimension, padding, channels_first, weight, ids: Vec::new() }))
    }
}

struct EmbeddingLayer<T> {
    vocabulary: usize,
    dimension: usize,
    padding: Option<usize>,
    channels_first: bool,
    weight: Parameter<T>,
    /// What the last forward pass read.
    ids: Vec<usize>,
}

/// Pieces that a gradient is divided in: each looks for its words among all.
const PIECES: usize = 16;

impl<T: Float> EmbeddingLayer<T> {
    /// Reads the words' numbers.
    fn read(&mut self, x: &[T]) -> Result<()> {
        let vocabulary = self.vocabulary;
        self.ids.clear();
        self.ids.reserve(x.len());
        for (place, &x) in x.iter().enumerate() {
            let number = Float::as_f64(x);
            // Comparisons with NaN are false.
            if !(number >= 0.0 && number < vocabulary as f64 && number.fract() == 0.0) {
                let expected = format!("whole numbers below {vocabulary}");
                return Err(Error::argument("input of embedding", expected, format!("{number} at place {place}")));
            }
            self.ids.push(number as usize);
        }
        Ok(())
    }
}

/// Writes number `j` of row `i` to `to[j * count + i]`.
#[inline(always)]
fn transpose<'a, T: Float>(row: impl Fn(usize) -> &'a [T], count: usize, width: usize, to: &mut [T]) {
    // A few columns at a time: their lines stay in the cache until they are full.
    const COLUMNS: usize = 16;
    for first in (0..width).step_by(COLUMNS) {
        let columns = first..width.min(first + COLUMNS);
        for i in 0..count {
            for (j, &value) in columns.clone().zip(&row(i)[columns.clone()]) {
                to[j * count + i] = value;
            }
        }
    }
}

/// Words of a sample.
fn length(shape: &[usize]) -> usize {
    volume(shape.get(1..).unwrap_or(&[]))
}

impl<T: Float> Layer<T> for EmbeddingLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let [batch, words @ ..] = input else {
            return Err(Error::argument("input of embedding", "(batch, length)", "no axes"));
        };
        let mut shape = input.to_vec();
        shape.insert(if self.channels_first { 1 } else { shape.len() }, self.dimension);
        let count = words.iter().chain([batch, &self.dimension]).try_fold(1usize, |n, &m| n.checked_mul(m));
        count.map(|_| shape).ok_or_else(|| Error::overflow("the size of an embedding's output"))
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, _: &mut Context<T>) -> Result<()> {
        self.read(input(&x)?)?;
        let (table, width, length, y) = (self.weight.values()?, self.dimension, length(x.shape()), output(y)?);
        let row = |id: usize| &table[id * width..][..width];
        if self.channels_first {
            let sample = length * width;
            share((rows(&self.ids[..], length), rows(y, sample)), GRAIN.div_ceil(sample.max(1)), &|_, (ids, y)| {
                for (ids, y) in ids.data.chunks_exact(length.max(1)).zip(y.data.chunks_exact_mut(sample.max(1))) {
                    transpose(|word| row(ids[word]), length, width, y);
                }
            });
        } else {
            share((&self.ids[..], rows(y, width)), GRAIN.div_ceil(width), &|_, (ids, y)| {
                ids.iter().zip(y.data.chunks_exact_mut(width)).for_each(|(&id, y)| y.copy_from_slice(row(id)));
            });
        }
        Ok(())
    }

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        if pass.dx.is_some() {
            let expected = "none by the numbers of words, which an embedding reads";
            return Err(Error::argument("input gradient", expected, "one asked for"));
        }
        if self.ids.len() != pass.x.len() {
            return Err(Error::argument("backward", "a forward pass on the same shape before it", "another"));
        }
        if !self.weight.trainable {
            return Ok(());
        }
        let Self { vocabulary, dimension: width, padding, channels_first, weight, ids } = self;
        let (width, length, padding) = (*width, length(pass.x.shape()), *padding);
        let dy = dense("output gradient", pass.dy.as_slice())?;
        let mut turned = Buffer::default();
        if *channels_first {
            turned = context.take(dy.len());
            let sample = (length * width).max(1);
            share((rows(dy, sample), rows(&mut turned[..], sample)), GRAIN.div_ceil(sample), &|_, (dy, turned)| {
                for (dy, turned) in dy.data.chunks_exact(sample).zip(turned.data.chunks_exact_mut(sample)) {
                    transpose(|number| &dy[number * length..][..length], width, length, turned);
                }
            });
        }
        let dy = if *channels_first { &turned[..] } else { dy };
        // Each piece adds up its words in their order, so that nothing depends on the threads.
        let gradient = rows(weight.slices_mut()?.1, width);
        share(gradient, vocabulary.div_ceil(PIECES), &|first, gradient| {
            gradient.data.fill(T::ZERO);
            for (&id, dy) in ids.iter().zip(dy.chunks_exact(width)) {
                if Some(id) == padding {
                    continue;
                }
                if let Some(row) = id.checked_sub(first).and_then(|id| gradient.data.get_mut(id * width..)) {
                    row.iter_mut().take(width).zip(dy).for_each(|(sum, &dy)| *sum += dy);
                }
            }
        });
        context.give(turned);
        Ok(())
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        visitor.parameter("weight", &mut self.weight)
    }
}

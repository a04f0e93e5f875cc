//! Embedding tables: a vector for each entry of a vocabulary.

use ndarray::{Array2, Array3, ArrayView1, ArrayViewMut2, Axis, Ix2, Ix3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::batch::TokenBatch;
use super::room;
use super::vocabulary::beyond;
use crate::error::{Error, Result};

/// A table (entries, dimension) with a vector for each id of a [`Vocabulary`](super::Vocabulary).
///
/// Row 0, the padding's, is zero, so that padding adds nothing to a convolution. All values are finite.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::text::Embedding;
///
/// let embedding = Embedding::new(array![[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(embedding.sentence(&[2, 1, 2])?, array![[3.0, 1.0, 3.0], [4.0, 2.0, 4.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    table: Array2<f32>,
}

impl Embedding {
    /// A table that exists already, (entries, dimension).
    ///
    /// # Errors
    /// [`Error::Argument`] for a table without rows or columns, a row 0 that is not zero, and values that are not
    /// finite.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::text::Embedding;
    /// assert_eq!(Embedding::new(array![[0.0], [1.0]])?.dimension(), 1);
    /// assert!(Embedding::new(array![[1.0], [1.0]]).is_err()); // the padding
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(table: Array2<f32>) -> Result<Self> {
        let expected = "a table of at least one row and one column";
        let padding = table.rows().into_iter().next().filter(|row| !row.is_empty());
        let padding = padding.ok_or_else(|| Error::argument("table", expected, format!("{:?}", table.dim())))?;
        if let Some(value) = padding.iter().find(|&&v| v != 0.0) {
            return Err(Error::argument("table", "zeros in row 0, the padding's", value));
        }
        if let Some(((row, column), value)) = table.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::argument("table", "finite values", format!("{value} in row {row}, column {column}")));
        }
        Ok(Self { table: if table.is_standard_layout() { table } else { table.as_standard_layout().into_owned() } })
    }

    /// A table of values uniform in [-limit, limit), but for the padding's row, which is zero. Kim (2014) takes 0.25,
    /// for about the variance of the word2vec vectors.
    ///
    /// The values are those of the ChaCha8 generator with this seed, and have the same bits on every machine.
    ///
    /// # Errors
    /// [`Error::Argument`] for no entries, dimension 0 and a limit that is not finite and above 0; [`Error::Overflow`]
    /// and [`Error::Other`] for a table that no memory holds.
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// let embedding = Embedding::uniform(1000, 50, 0.25, 7)?;
    /// assert_eq!(embedding, Embedding::uniform(1000, 50, 0.25, 7)?);
    /// assert!(embedding.table().iter().all(|v| (-0.25..0.25).contains(v)));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn uniform(entries: usize, dimension: usize, limit: f32, seed: u64) -> Result<Self> {
        check_limit("limit", limit)?;
        Self::random(entries, dimension, seed, |random| uniform(random, limit))
    }

    /// A table of normally distributed values of mean 0 and this standard deviation, but for the padding's row, which
    /// is zero. PyTorch's `nn.Embedding` begins with standard deviation 1.
    ///
    /// The generator is ChaCha8 with this seed, the method the ziggurat in double precision; about one value in 3000
    /// takes a logarithm of the machine's, whose last bit very rarely shows after rounding to single precision.
    ///
    /// # Errors
    /// As [`uniform`](Self::uniform); the deviation must be above 0 and at most 1e30.
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// let table = Embedding::normal(1000, 50, 0.1, 7)?.into_table();
    /// assert!((table.std(0.0) - 0.1).abs() < 0.001);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn normal(entries: usize, dimension: usize, deviation: f32, seed: u64) -> Result<Self> {
        if !(deviation > 0.0 && deviation <= 1e30) {
            return Err(Error::argument("deviation", "a standard deviation above 0 and at most 1e30", deviation));
        }
        Self::random(entries, dimension, seed, |random| {
            let value: f64 = StandardNormal.sample(random);
            (value * f64::from(deviation)) as f32
        })
    }

    fn random(
        entries: usize,
        dimension: usize,
        seed: u64,
        mut value: impl FnMut(&mut ChaCha8Rng) -> f32,
    ) -> Result<Self> {
        for (argument, n) in [("entries", entries), ("dimension", dimension)] {
            if n == 0 {
                return Err(Error::argument(argument, "at least 1", n));
            }
        }
        let mut table: Array2<f32> = room::zeros("the embedding table", Ix2(entries, dimension))?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        table.iter_mut().skip(dimension).for_each(|v| *v = value(&mut random));
        Ok(Self { table })
    }

    /// The table, (entries, dimension).
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// assert_eq!(Embedding::uniform(3, 2, 0.25, 1)?.table().dim(), (3, 2));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn table(&self) -> &Array2<f32> {
        &self.table
    }

    /// The table, (entries, dimension), as a layer that learns it wants it.
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// assert_eq!(Embedding::uniform(3, 2, 0.25, 1)?.into_table().nrows(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn into_table(self) -> Array2<f32> {
        self.table
    }

    /// Entries, the padding among them.
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// assert_eq!(Embedding::uniform(3, 2, 0.25, 1)?.len(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.table.nrows()
    }

    /// Values of a vector.
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// assert_eq!(Embedding::uniform(3, 2, 0.25, 1)?.dimension(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dimension(&self) -> usize {
        self.table.ncols()
    }

    /// The vector of an id.
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// let embedding = Embedding::uniform(3, 2, 0.25, 1)?;
    /// assert!(embedding.vector(2).is_some() && embedding.vector(3).is_none());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn vector(&self, id: u32) -> Option<ArrayView1<'_, f32>> {
        let row = usize::try_from(id).ok().filter(|&row| row < self.len())?;
        Some(self.table.row(row))
    }

    /// The array (embedding, tokens) of a sentence: column `t` is the vector of token `t`.
    ///
    /// # Errors
    /// [`Error::Argument`] for an id that the table lacks, [`Error::Overflow`] and [`Error::Other`] for an array that
    /// no memory holds.
    ///
    /// ```
    /// use faltung::text::Embedding;
    /// let embedding = Embedding::uniform(3, 2, 0.25, 1)?;
    /// let x = embedding.sentence(&[1, 2, 0, 2])?;
    /// assert_eq!((x.dim(), x.column(3)), ((2, 4), embedding.vector(2).unwrap()));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn sentence(&self, ids: &[u32]) -> Result<Array2<f32>> {
        let mut x = room::zeros("the embedded sentence", Ix2(self.dimension(), ids.len()))?;
        self.embed(ids.iter(), x.view_mut())?;
        Ok(x)
    }

    /// The array (sentences, embedding, tokens) of a batch; padding is zero.
    ///
    /// # Errors
    /// As [`sentence`](Self::sentence).
    ///
    /// ```
    /// use faltung::text::{Batcher, Embedding};
    /// let batch = Batcher::new().batch(&[vec![1, 2, 1], vec![2]])?;
    /// assert_eq!(Embedding::uniform(3, 50, 0.25, 1)?.batch(&batch)?.dim(), (2, 50, 3));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn batch(&self, batch: &TokenBatch) -> Result<Array3<f32>> {
        let (sentences, tokens) = batch.ids().dim();
        let mut x: Array3<f32> = room::zeros("the embedded batch", Ix3(sentences, self.dimension(), tokens))?;
        for (ids, x) in batch.ids().rows().into_iter().zip(x.axis_iter_mut(Axis(0))) {
            self.embed(ids.iter(), x)?;
        }
        Ok(x)
    }

    fn embed<'a>(&self, ids: impl Iterator<Item = &'a u32>, mut x: ArrayViewMut2<'_, f32>) -> Result<()> {
        for (&id, mut column) in ids.zip(x.columns_mut()) {
            column.assign(&self.vector(id).ok_or_else(|| beyond(id, self.len()))?);
        }
        Ok(())
    }
}

/// Refuses a half-width of a uniform distribution that is none.
pub(super) fn check_limit(argument: &'static str, limit: f32) -> Result<()> {
    if limit > 0.0 && limit.is_finite() {
        return Ok(());
    }
    Err(Error::argument(argument, "a finite number above 0", limit))
}

/// A value in [-limit, limit): one of 2²⁴ that lie evenly.
pub(super) fn uniform(random: &mut impl Rng, limit: f32) -> f32 {
    const HALF: f32 = (1 << 23) as f32;
    limit * ((random.next_u32() >> 8) as f32 / HALF - 1.0)
}

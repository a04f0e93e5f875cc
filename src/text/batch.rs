//! Sentences of different lengths in one array.

use std::ops::Range;

use ndarray::{Array2, Ix2, s};

use super::room;
use crate::error::{Error, Result};

/// Where padding is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// Before the sentence.
    Left,
    /// Behind the sentence. The default.
    #[default]
    Right,
}

/// Puts sentences of ids into arrays (sentences, tokens), padded with [`PADDING`](super::PADDING) to one length.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::text::{Batcher, Side};
///
/// let sentences = [vec![5, 6, 7, 8], vec![9]];
/// assert_eq!(Batcher::new().batch(&sentences)?.ids(), array![[5, 6, 7, 8], [9, 0, 0, 0]]);
/// let left = Batcher::new().truncate(3).minimum(2).side(Side::Left).batch(&sentences)?;
/// assert_eq!(left.ids(), array![[5, 6, 7], [0, 0, 9]]);
/// assert_eq!(left.lengths(), [3, 1]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batcher {
    side: Side,
    length: Option<usize>,
    truncate: usize,
    minimum: usize,
}

impl Default for Batcher {
    fn default() -> Self {
        Self { side: Side::Right, length: None, truncate: usize::MAX, minimum: 1 }
    }
}

impl Batcher {
    /// Pads behind the sentences to the longest of each batch.
    ///
    /// ```
    /// assert_eq!(faltung::text::Batcher::new().batch(&[[1, 2], [3, 4]])?.ids().dim(), (2, 2));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Where padding is put; [`Side::Right`] unless set.
    ///
    /// ```
    /// use faltung::text::{Batcher, Side};
    /// let batch = Batcher::new().length(3).side(Side::Left).batch(&[[4, 5]])?;
    /// assert_eq!(batch.ids().row(0).to_vec(), [0, 4, 5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn side(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// Makes all sentences of all batches so long, in place of the longest of each batch. Longer ones lose their ends.
    ///
    /// ```
    /// use faltung::text::Batcher;
    /// let batch = Batcher::new().length(3).batch(&[vec![4], vec![5, 6, 7, 8]])?;
    /// assert_eq!(batch.ids(), faltung::ndarray::array![[4, 0, 0], [5, 6, 7]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn length(mut self, tokens: usize) -> Self {
        self.length = Some(tokens);
        self
    }

    /// Cuts sentences that are longer, at their ends; none unless set.
    ///
    /// ```
    /// use faltung::text::Batcher;
    /// assert_eq!(Batcher::new().truncate(2).batch(&[vec![4], vec![5, 6, 7, 8]])?.ids().dim(), (2, 2));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn truncate(mut self, tokens: usize) -> Self {
        self.truncate = tokens;
        self
    }

    /// Pads to this length at the least: the width of the widest kernel, so that it fits. 1 unless set.
    ///
    /// ```
    /// use faltung::text::Batcher;
    /// assert_eq!(Batcher::new().minimum(5).batch(&[[4]])?.ids().dim(), (1, 5));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn minimum(mut self, tokens: usize) -> Self {
        self.minimum = tokens;
        self
    }

    /// The sentences as a batch. Empty sentences are all padding; no sentences make an empty batch.
    ///
    /// # Errors
    /// [`Error::Argument`] for a fixed length, a limit or a minimum of 0 and a fixed length below the minimum;
    /// [`Error::Overflow`] and [`Error::Other`] for an array that no memory holds.
    ///
    /// ```
    /// use faltung::text::Batcher;
    /// let batch = Batcher::new().batch(&[vec![4, 5], vec![]])?;
    /// assert_eq!(batch.lengths(), [2, 0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn batch<S: AsRef<[u32]>>(&self, sentences: &[S]) -> Result<TokenBatch> {
        for (argument, n) in
            [("length", self.length), ("truncate", Some(self.truncate)), ("minimum", Some(self.minimum))]
        {
            if n == Some(0) {
                return Err(Error::argument(argument, "at least 1 token", 0));
            }
        }
        if let Some(length) = self.length.filter(|&length| length < self.minimum) {
            return Err(Error::argument("length", format!("at least the minimum, {}", self.minimum), length));
        }
        let longest = sentences.iter().map(|s| s.as_ref().len().min(self.truncate)).max().unwrap_or(0);
        let tokens = self.length.unwrap_or(longest.max(self.minimum));
        let most = tokens.min(self.truncate);
        let mut batch = TokenBatch {
            ids: room::zeros("the batch of ids", Ix2(sentences.len(), tokens))?,
            lengths: sentences.iter().map(|s| s.as_ref().len().min(most)).collect(),
            side: self.side,
        };
        for (i, sentence) in sentences.iter().enumerate() {
            let span = batch.span(i);
            let kept = sentence.as_ref().iter().take(span.len());
            batch.ids.slice_mut(s![i, span]).iter_mut().zip(kept).for_each(|(to, &id)| *to = id);
        }
        Ok(batch)
    }
}

/// Sentences of ids in an array (sentences, tokens), with what of it is padding; made by a [`Batcher`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    ids: Array2<u32>,
    lengths: Vec<usize>,
    side: Side,
}

impl TokenBatch {
    /// The ids, (sentences, tokens).
    ///
    /// ```
    /// use faltung::text::Batcher;
    /// assert_eq!(Batcher::new().batch(&[[4, 5]])?.ids(), faltung::ndarray::array![[4, 5]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn ids(&self) -> &Array2<u32> {
        &self.ids
    }

    /// The lengths of the sentences without padding.
    ///
    /// ```
    /// use faltung::text::Batcher;
    /// assert_eq!(Batcher::new().batch(&[vec![4, 5], vec![6]])?.lengths(), [2, 1]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Where the padding is.
    ///
    /// ```
    /// use faltung::text::{Batcher, Side};
    /// assert_eq!(Batcher::new().batch(&[[4]])?.side(), Side::Right);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn side(&self) -> Side {
        self.side
    }

    /// True at the tokens of sentences and false at padding, (sentences, tokens).
    ///
    /// ```
    /// use faltung::text::Batcher;
    /// let batch = Batcher::new().batch(&[vec![4, 5], vec![6]])?;
    /// assert_eq!(batch.mask(), faltung::ndarray::array![[true, true], [true, false]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn mask(&self) -> Array2<bool> {
        Array2::from_shape_fn(self.ids.dim(), |(sentence, token)| self.span(sentence).contains(&token))
    }

    /// The columns of a sentence; no columns of a sentence that the batch lacks.
    fn span(&self, sentence: usize) -> Range<usize> {
        self.span_of(self.lengths.get(sentence).copied().unwrap_or(0))
    }

    /// The columns of a sentence of `length` tokens, at most all.
    pub(super) fn span_of(&self, length: usize) -> Range<usize> {
        let tokens = self.ids.ncols();
        match self.side {
            Side::Right => 0..length.min(tokens),
            Side::Left => tokens.saturating_sub(length)..tokens,
        }
    }
}

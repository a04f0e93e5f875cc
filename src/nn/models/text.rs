//! Kim's network for sentences.

use crate::nn::{
    Activation::Relu, Conv1d, Dense, Dropout, Embedding, Float, GlobalMaxPool, Init, Parallel, Sequential,
};

/// The network of Kim, "Convolutional Neural Networks for Sentence Classification" (EMNLP 2014): a vector for each
/// word, convolutions over three, four and five words, of each map the largest value of the sentence, dropout, a dense
/// layer.
///
/// Inputs (batch, tokens), of any number of tokens: ids as [`text::Vocabulary`](crate::text::Vocabulary) gives them,
/// 0 being padding. Outputs (batch, classes). As in the program published with the paper, convolutions reach beyond
/// both ends of a sentence as far as they touch it, and vectors begin uniform within ±0.25. Its arrays are
/// `embedding.weight`, `convs.0` … `convs.2` and `fc` with `weight` and `bias` each.
///
/// ```
/// use faltung::nn::models::TextCnn;
/// let mut network = TextCnn::new(5000).dimension(50).maps(20).design::<f32>(6).build(1)?;
/// assert_eq!(network.output_shape(&[32, 40])?, [32, 6]);
/// assert_eq!(network.parameter_count(), 262_426);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TextCnn {
    vocabulary: usize,
    dimension: usize,
    widths: Vec<usize>,
    maps: usize,
    dropout: f64,
}

impl TextCnn {
    /// The paper's network for a vocabulary of so many entries, special ones among them.
    pub fn new(vocabulary: usize) -> Self {
        Self { vocabulary, dimension: 300, widths: vec![3, 4, 5], maps: 100, dropout: 0.5 }
    }

    /// Numbers of a word's vector; 300 unless set.
    #[must_use]
    pub fn dimension(mut self, numbers: usize) -> Self {
        self.dimension = numbers;
        self
    }

    /// The widths of the convolutions, in words; 3, 4 and 5 unless set.
    #[must_use]
    pub fn widths(mut self, words: &[usize]) -> Self {
        self.widths = words.to_vec();
        self
    }

    /// Maps of each width; 100 unless set.
    #[must_use]
    pub fn maps(mut self, maps: usize) -> Self {
        self.maps = maps;
        self
    }

    /// How probably a map is dropped before the last layer; 0.5 unless set.
    #[must_use]
    pub fn dropout(mut self, probability: f64) -> Self {
        self.dropout = probability;
        self
    }

    /// The network for so many classes.
    pub fn design<T: Float>(&self, classes: usize) -> Sequential<T> {
        let words = Embedding::new(self.vocabulary, self.dimension).init(Init::Uniform(0.25)).padding(0);
        let convs = self.widths.iter().fold(Parallel::new(), |convs, &width| {
            let words = Conv1d::new(self.dimension, self.maps, width).padding(width.saturating_sub(1));
            convs.branch(Sequential::new().named("", words).named("", Relu).named("", GlobalMaxPool))
        });
        Sequential::new()
            .named("embedding", words.channels_first())
            .named("convs", convs)
            .named("dropout", Dropout::new(self.dropout))
            .named("fc", Dense::new(self.maps.saturating_mul(self.widths.len()), classes))
    }
}

/// Kim's network for a vocabulary: see [`TextCnn`].
///
/// ```
/// use faltung::nn::models;
/// // The vectors, three widths of 100 maps, and the last layer.
/// let count = 1000 * 300 + 100 * (300 * (3 + 4 + 5) + 3) + 301 * 2;
/// assert_eq!(models::text_cnn::<f32>(1000, 2).build(1)?.parameter_count(), count);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn text_cnn<T: Float>(vocabulary: usize, classes: usize) -> Sequential<T> {
    TextCnn::new(vocabulary).design(classes)
}

//! Sentences to arrays: tokens, vocabularies, embedding tables, padded batches, and convolution over them.
//!
//! | step | what does it | result |
//! |---|---|---|
//! | a text file | [`Lines`], in UTF-8 or Latin-1 | sentences |
//! | a sentence | [`Tokenizer`] | tokens |
//! | tokens | [`Vocabulary`], in which 0 is padding and 1 unknown | ids |
//! | sentences of ids | [`Batcher`] | a [`TokenBatch`], (sentences, tokens) |
//! | a batch | [`Embedding`]: random, or GloVe's or word2vec's by [`VectorText`] | (sentences, embedding, tokens) |
//! | embedded sentences | [`TextConvolution`], max-over-time pooling | (sentences, features) |
//!
//! These are the parts in front of the dense layer in Kim, "Convolutional Neural Networks for Sentence Classification"
//! (EMNLP 2014):
//!
//! ```
//! use faltung::ndarray::Array3;
//! use faltung::text::{Batcher, Embedding, Split, TextConvolution, Tokenizer, Vocabulary};
//!
//! let tokenizer = Tokenizer::new().split(Split::Kim);
//! let sentences = ["A rare and lightly entertaining film.", "It isn't funny, it is not even bad!"];
//! let vocabulary = Vocabulary::of(sentences.iter().flat_map(|s| tokenizer.tokens(s)))?;
//! let ids: Vec<_> = sentences.iter().map(|s| vocabulary.encode(tokenizer.tokens(s))).collect();
//!
//! let batch = Batcher::new().minimum(5).batch(&ids)?;
//! let embedding = Embedding::uniform(vocabulary.len(), 300, 0.25, 1)?;
//! let convolution = TextConvolution::new(Array3::from_elem((100, 300, 5), 0.01))?; // features, embedding, width
//! let pooled = convolution.features(&embedding, &batch)?;
//! assert_eq!(pooled.values.dim(), (2, 100));
//! # Ok::<(), faltung::Error>(())
//! ```
//!
//! Nothing here computes a convolution: it becomes a [`Problem`](crate::Problem) that the planner serves as any other.

mod batch;
mod convolution;
mod embedding;
mod kim;
mod lines;
mod room;
mod rows;
mod tokenizer;
mod vectors;
mod vocabulary;

pub use batch::{Batcher, Side, TokenBatch};
pub use convolution::{MaxOverTime, TextConvolution};
pub use embedding::Embedding;
pub use lines::{Encoding, Lines};
pub use tokenizer::{Split, Tokenizer};
pub use vectors::{Coverage, Missing, VectorText};
pub use vocabulary::{PADDING, UNKNOWN, Vocabulary, VocabularyBuilder};

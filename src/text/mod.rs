//! Sentences to arrays: tokens, vocabularies, embedding tables, and convolution over them.

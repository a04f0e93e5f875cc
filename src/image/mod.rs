//! Pictures through filters: the crate [`image`](::image)'s pictures and plain frames.

//! Finite impulse responses: their design, their frequency response, and signals through them.

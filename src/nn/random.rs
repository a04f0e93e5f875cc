//! Random numbers that can be saved and gone on with.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::error::{Error, Result};

/// The random numbers of a network: ChaCha with 8 rounds, the same on every machine.
///
/// ```
/// use faltung::nn::Random;
///
/// let mut random = Random::new(7);
/// random.normal();
/// let state = random.state();
/// let drawn = random.uniform();
/// assert_eq!(Random::from_state(&state)?.uniform(), drawn);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The numbers of one of many streams that a seed has.
    ///
    /// ```
    /// use faltung::nn::Random;
    /// assert_ne!(Random::stream(7, 0).bits(), Random::stream(7, 1).bits());
    /// ```
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normally distributed, of mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Uniform among 0 … `bound` - 1; 0 where `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.0.random_range(0..bound) }
    }

    /// Puts items into a random order, each with the same probability (Fisher and Yates).
    ///
    /// ```
    /// use faltung::nn::Random;
    /// let mut cards: Vec<u32> = (0..52).collect();
    /// Random::new(1).shuffle(&mut cards);
    /// assert_ne!(cards, (0..52).collect::<Vec<_>>());
    /// ```
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The state, from which [`from_state`](Self::from_state) goes on.
    pub fn state(&self) -> String {
        let seed: String = self.0.get_seed().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("chacha8:{seed}:{}:{}", self.0.get_stream(), self.0.get_word_pos())
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// [`Error::Parse`] for what [`state`](Self::state) has not written.
    pub fn from_state(text: &str) -> Result<Self> {
        let bad = || Error::parse(text, "expected chacha8:, 64 hexadecimal digits of the seed, :stream:position");
        let mut parts = text.strip_prefix("chacha8:").ok_or_else(bad)?.split(':');
        let mut next = || parts.next().ok_or_else(bad);
        let (digits, stream, position) = (next()?, next()?, next()?);
        if parts.next().is_some() || digits.len() != 64 || !digits.is_ascii() {
            return Err(bad());
        }
        let mut seed = [0u8; 32];
        for (byte, i) in seed.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[i..i + 2], 16).map_err(|_| bad())?;
        }
        let mut generator = ChaCha8Rng::from_seed(seed);
        generator.set_stream(stream.parse().map_err(|_| bad())?);
        generator.set_word_pos(position.parse().map_err(|_| bad())?);
        Ok(Self(generator))
    }
}

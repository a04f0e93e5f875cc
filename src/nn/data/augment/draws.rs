//! Random numbers that depend on what they are for.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The random numbers of one sample in one epoch: the ChaCha8 generator whose key holds the seed, the draw and the
/// sample's number.
///
/// ```
/// use faltung::nn::data::Draws;
///
/// let (mut a, mut b) = (Draws::new(0, 3, 17), Draws::new(0, 3, 17));
/// assert_eq!(a.unit(), b.unit());
/// assert_ne!(Draws::new(0, 4, 17).unit(), Draws::new(0, 3, 17).unit());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The numbers of sample `index` in the epoch of this `draw`.
    ///
    /// ```
    /// # use faltung::nn::data::Draws;
    /// assert_ne!(Draws::new(1, 0, 0), Draws::new(2, 0, 0));
    /// ```
    pub fn new(seed: u64, draw: u64, index: usize) -> Self {
        let mut key = [0; 32];
        let words = [seed, draw, index as u64].map(u64::to_le_bytes);
        key.iter_mut().zip(words.as_flattened()).for_each(|(to, &byte)| *to = byte);
        Self(ChaCha8Rng::from_seed(key))
    }

    /// From 0 to below 1, in steps of 2⁻⁵³.
    ///
    /// ```
    /// # use faltung::nn::data::Draws;
    /// assert!((0.0..1.0).contains(&Draws::new(0, 0, 0).unit()));
    /// ```
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From `low` to `high`.
    ///
    /// ```
    /// # use faltung::nn::data::Draws;
    /// assert!((-2.0..=3.0).contains(&Draws::new(0, 0, 0).between(-2.0, 3.0)));
    /// ```
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number from 0 to `n - 1`; 0 for `n` = 0.
    ///
    /// ```
    /// # use faltung::nn::data::Draws;
    /// assert!(Draws::new(0, 0, 0).below(6) < 6);
    /// ```
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// True with this probability.
    ///
    /// ```
    /// # use faltung::nn::data::Draws;
    /// assert!(Draws::new(0, 0, 0).chance(1.0) && !Draws::new(0, 0, 0).chance(0.0));
    /// ```
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Of mean 0 and deviation 1, normally distributed.
    ///
    /// ```
    /// # use faltung::nn::data::Draws;
    /// let mut draws = Draws::new(0, 0, 0);
    /// let mean = (0..1000).map(|_| draws.normal()).sum::<f64>() / 1000.0;
    /// assert!(mean.abs() < 0.1);
    /// ```
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// From -1 to below 1, in steps of 2⁻²³, for each place.
    pub(super) fn fill(&mut self, places: &mut [f32]) {
        for place in places {
            *place = (self.0.next_u32() >> 8) as f32 * (1.0 / (1 << 23) as f32) - 1.0;
        }
    }
}

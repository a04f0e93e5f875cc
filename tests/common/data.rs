//! Numbers that look random and are the same in every run.

use faltung::{Element, Scalar};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `n - 1`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: isize, high: isize) -> isize {
        low + self.below((high - low + 1) as usize) as isize
    }

    pub fn pick<V: Copy>(&mut self, from: &[V]) -> V {
        from[self.below(from.len())]
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Of mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// The number with these parts, rounded to `T`.
pub fn number<T: Element>(re: f64, im: f64) -> T {
    T::from_parts(T::Real::from_f64(re), T::Real::from_f64(im))
}

/// Whole numbers from `-most` to `most`.
pub fn integers<T: Element>(random: &mut Random, len: usize, most: isize) -> Vec<T> {
    let mut part = || random.between(-most, most) as f64;
    (0..len).map(|_| number(part(), part())).collect()
}

/// Normal numbers.
pub fn normals<T: Element>(random: &mut Random, len: usize) -> Vec<T> {
    (0..len).map(|_| number(random.normal(), random.normal())).collect()
}

/// The absolute value.
pub fn magnitude<T: Element>(value: T) -> f64 {
    let (re, im) = value.to_f64();
    re.hypot(im)
}

/// |a - b|; NaN where either is no finite number.
pub fn distance<T: Element>(a: T, b: T) -> f64 {
    let ((ar, ai), (br, bi)) = (a.to_f64(), b.to_f64());
    (ar - br).hypot(ai - bi)
}

/// NaN in all parts.
pub fn nan<T: Element>() -> T {
    number(f64::NAN, f64::NAN)
}

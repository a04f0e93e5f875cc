//! Exponential, hyperbolic tangent and error function in single precision, as plain arithmetic without branches: loops
//! over them run in the widest registers, and they give the same bits on every machine.

/// eˣ within 2 units in the last place: 2ⁿ eʳ with r between ±ln 2 / 2 (Moshier's Cephes).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Beyond these the result is infinite or 0; comparisons with NaN are false.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    // Adding 1.5 · 2²³ rounds to a whole number, and leaves it in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let whole = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut p = 1.987_569_2e-4;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    // In two steps, so that the smallest numbers and the largest are reached.
    let half = whole >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    ((p * r * r + r) + 1.0) * power(half) * power(whole.wrapping_sub(half))
}

/// The hyperbolic tangent within 3 units in the last place.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    let mut p = -5.704_988_7e-3;
    for c in [2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1] {
        p = p * square + c;
    }
    let near = p * square * x + x;
    let far = (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x);
    if size < 0.625 { near } else { far }
}

/// The error function within 3 units in the last place: polynomials fitted by Norbert Juffa.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    let mut p = -5.967_617e-4;
    for c in [4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1] {
        p = p * square + c;
    }
    let near = p * x + x;
    // From 4 on it is 1, to the last place.
    let t = if size > 4.0 { 4.0 } else { size };
    let mut q = -1.728_534_7e-5;
    for c in [3.831_971_3e-4, -3.883_964_4e-3, 2.425_462_2e-2, -1.067_778_8e-1, -6.348_467e-1, -1.287_175_1e-1] {
        q = q * t + c;
    }
    let far = (1.0 - exp(q * t - t)).copysign(x);
    if size <= 0.927_734_4 { near } else { far }
}

#[cfg(test)]
mod tests {
    /// Holds a function to the one in double precision, at numbers of every size.
    fn check(name: &str, function: fn(f32) -> f32, exact: fn(f64) -> f64, units: f64) {
        for bits in (0..=u32::MAX).step_by(4001) {
            let x = f32::from_bits(bits);
            let (given, expected) = (function(x), exact(f64::from(x)));
            if x.is_nan() {
                assert!(given.is_nan(), "{name}({x})");
                continue;
            }
            let rounded = expected as f32;
            if given == rounded {
                continue;
            }
            let unit = f64::from(rounded.abs().next_up() - rounded.abs());
            let off = (f64::from(given) - expected).abs() / unit;
            assert!(off <= units, "{name}({x:e}): {given:e}, expected {expected:e}, off by {off} units");
        }
    }

    #[test]
    fn functions_are_good_to_the_last_places() {
        check("exp", super::exp, f64::exp, 2.0);
        check("tanh", super::tanh, f64::tanh, 3.0);
        check("erf", super::erf, libm::erf, 3.0);
    }
}

//! Small transforms in registers.

use super::lanes::Arithmetic;

/// Complex numbers, a register of real parts and one of imaginary ones.
#[derive(Clone, Copy)]
pub(super) struct Pair<V> {
    pub(super) re: V,
    pub(super) im: V,
}

/// # Safety
/// Of all: the machine has `V`'s instruction set, and pointers are valid for `V::LANES` elements.
impl<V: Arithmetic> Pair<V> {
    #[inline(always)]
    pub(super) unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: V::zero(), im: V::zero() } }
    }

    #[inline(always)]
    pub(super) unsafe fn load(re: *const V::Lane, im: *const V::Lane) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: V::load(re), im: V::load(im) } }
    }

    #[inline(always)]
    pub(super) unsafe fn store(self, re: *mut V::Lane, im: *mut V::Lane) {
        // SAFETY: the caller's promise.
        unsafe {
            self.re.store(re);
            self.im.store(im);
        }
    }

    /// The complex number whose parts lie behind one another, in every lane.
    #[inline(always)]
    pub(super) unsafe fn splat(parts: *const V::Lane) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: V::all(*parts), im: V::all(*parts.add(1)) } }
    }

    /// Number `i` of a table of registers, each of real parts and of imaginary ones.
    #[inline(always)]
    pub(super) unsafe fn register(table: *const V::Lane, i: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load(table.add(2 * i * V::LANES), table.add((2 * i + 1) * V::LANES)) }
    }

    #[inline(always)]
    pub(super) unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: self.re.add(other.re), im: self.im.add(other.im) } }
    }

    #[inline(always)]
    pub(super) unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: self.re.sub(other.re), im: self.im.sub(other.im) } }
    }

    /// `self + i · other`
    #[inline(always)]
    pub(super) unsafe fn add_turned(self, other: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: self.re.sub(other.im), im: self.im.add(other.re) } }
    }

    /// `self - i · other`
    #[inline(always)]
    pub(super) unsafe fn sub_turned(self, other: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: self.re.add(other.im), im: self.im.sub(other.re) } }
    }

    // The difference is taken of the product that is a factor's own: the compiler would make a negative factor of another,
    // and keep it in a register beside the factor.

    #[inline(always)]
    pub(super) unsafe fn mul(self, factor: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                re: self.im.minus_times(factor.im, self.re.mul(factor.re)),
                im: self.re.times_plus(factor.im, self.im.mul(factor.re)),
            }
        }
    }

    /// `self` times the conjugate of `factor`.
    #[inline(always)]
    pub(super) unsafe fn mul_conj(self, factor: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                re: self.re.times_plus(factor.re, self.im.mul(factor.im)),
                im: self.re.minus_times(factor.im, self.im.mul(factor.re)),
            }
        }
    }

    /// [`mul`](Self::mul), or [`mul_conj`](Self::mul_conj) on the way back.
    #[inline(always)]
    pub(super) unsafe fn turn<const BACK: bool>(self, factor: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { if BACK { self.mul_conj(factor) } else { self.mul(factor) } }
    }
}

/// `b[k] = Σ_m a[m] · e^{2πi·mk/R}` for `R` of 2, 3, 4, 5 and 7; backwards with the conjugate roots.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn transform<V: Arithmetic, const R: usize, const BACK: bool>(a: [Pair<V>; R]) -> [Pair<V>; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut b = a;
        match R {
            2 => (b[0], b[1]) = (a[0].add(a[1]), a[0].sub(a[1])),
            4 => {
                let (even, odd) = ([a[0].add(a[2]), a[0].sub(a[2])], [a[1].add(a[3]), a[1].sub(a[3])]);
                (b[0], b[2]) = (even[0].add(odd[0]), even[0].sub(odd[0]));
                (b[1], b[3]) = (even[1].add_turned(odd[1]), even[1].sub_turned(odd[1]));
                if BACK {
                    b.swap(1, 3);
                }
            }
            _ => {
                // An odd prime: numbers that are mirror images share their sums and differences.
                let half = R / 2;
                let (mut sums, mut differences) = ([Pair::zero(); R], [Pair::zero(); R]);
                for m in 1..=half {
                    (sums[m], differences[m]) = (a[m].add(a[R - m]), a[m].sub(a[R - m]));
                    b[0] = b[0].add(sums[m]);
                }
                for k in 1..=half {
                    let (mut even, mut odd) = (a[0], Pair::zero());
                    for m in 1..=half {
                        let (cos, sin) = root(m * k % R, R);
                        let (cos, sin) = (V::constant(cos), V::constant(sin));
                        even.re = sums[m].re.times_plus(cos, even.re);
                        even.im = sums[m].im.times_plus(cos, even.im);
                        odd.re = differences[m].re.times_plus(sin, odd.re);
                        odd.im = differences[m].im.times_plus(sin, odd.im);
                    }
                    let (to, opposite) = if BACK { (R - k, k) } else { (k, R - k) };
                    (b[to], b[opposite]) = (even.add_turned(odd), even.sub_turned(odd));
                }
            }
        }
        b
    }
}

/// Cosine and sine of `k / n` of a turn.
#[inline(always)]
fn root(k: usize, n: usize) -> (f64, f64) {
    // Computed while compiling: the loops over `k` and `n` unroll.
    const SEVENTHS: [(f64, f64); 7] = [
        (1.0, 0.0),
        (0.623_489_801_858_733_5, 0.781_831_482_468_029_8),
        (-0.222_520_933_956_314_4, 0.974_927_912_181_823_6),
        (-0.900_968_867_902_419_1, 0.433_883_739_117_558_1),
        (-0.900_968_867_902_419_1, -0.433_883_739_117_558_1),
        (-0.222_520_933_956_314_4, -0.974_927_912_181_823_6),
        (0.623_489_801_858_733_5, -0.781_831_482_468_029_8),
    ];
    const FIFTHS: [(f64, f64); 5] = [
        (1.0, 0.0),
        (0.309_016_994_374_947_45, 0.951_056_516_295_153_5),
        (-0.809_016_994_374_947_5, 0.587_785_252_292_473_1),
        (-0.809_016_994_374_947_5, -0.587_785_252_292_473_1),
        (0.309_016_994_374_947_45, -0.951_056_516_295_153_5),
    ];
    const THIRDS: [(f64, f64); 3] = [(1.0, 0.0), (-0.5, 0.866_025_403_784_438_6), (-0.5, -0.866_025_403_784_438_6)];
    match n {
        3 => THIRDS[k],
        5 => FIFTHS[k],
        _ => SEVENTHS[k],
    }
}

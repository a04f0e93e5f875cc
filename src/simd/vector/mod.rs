//! What the leaves ask of a register.

use super::Line;

/// A loop that is run [apart](Vector::apart).
pub(super) trait Inner {
    /// To be `inline(always)`, as all that it calls.
    ///
    /// # Safety
    /// What the loop was made with holds.
    unsafe fn run(self);
}

/// A register of lanes of one element type.
///
/// Every method is `inline(always)`, so that it is compiled for the instruction set of the entry point that it ends up
/// in; see [`leaves`](super::leaves).
///
/// # Safety
/// All methods ask that the machine has the implementor's instruction set; those that take pointers, that they are
/// valid for [`LANES`](Self::LANES) elements, aligned as an element is.
pub(super) trait Vector: Copy {
    /// A lane.
    type Lane: Copy;
    /// A weight, in the form in which a register of lanes is multiplied with it.
    type Weight: Copy;
    /// Lanes in the register.
    const LANES: usize;
    /// Whether the instruction set has thirty-two registers; else it has sixteen.
    const MANY: bool = false;
    /// Whether lanes are real numbers. Loops over complex ones, which few ask for and which are bound by arithmetic, come in
    /// fewer shapes: each is compiled for every type and instruction set.
    const REAL: bool = true;
    /// Whether a register is a whole cache line.
    const LINE: bool = Self::LANES * size_of::<Self::Lane>() == Line::BYTES;
    /// Whether the machine itself masks lanes and [streams](Self::stream) registers.
    const NATIVE: bool = false;

    /// Runs a loop as a function of its own, compiled for the instruction set: among all others of a leaf, the compiler would
    /// not find registers for its addresses.
    unsafe fn apart(inner: impl Inner);
    unsafe fn zero() -> Self;
    unsafe fn load(from: *const Self::Lane) -> Self;
    unsafe fn store(self, to: *mut Self::Lane);
    /// The first `count` lanes, at most all; zeros in the others. Only those are read.
    #[inline(always)]
    unsafe fn load_first(from: *const Self::Lane, count: usize) -> Self {
        // SAFETY: `LANES` is at most 16, and the array is read whole after its first lanes have been written; the
        // rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::zeroed(); 16];
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr().cast(), count);
            Self::load(lanes.as_ptr().cast())
        }
    }
    /// The lanes `first..end` of a register at `from`; zeros in the others. Only those are read, and `from` itself need not
    /// be valid.
    #[inline(always)]
    unsafe fn load_range(from: *const Self::Lane, first: usize, end: usize) -> Self {
        // SAFETY: `LANES` is at most 16, and the array is read whole; the rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::zeroed(); 16];
            for i in 0..Self::LANES {
                if first <= i && i < end {
                    lanes[i].write(from.wrapping_add(i).read());
                }
            }
            Self::load(lanes.as_ptr().cast())
        }
    }
    /// The lanes `first..end`, as [`load_lanes`](Self::load_lanes) is told them.
    #[inline(always)]
    fn lanes(first: usize, end: usize) -> u32 {
        (1 << end) - (1 << first)
    }
    /// As [`load_range`](Self::load_range), of lanes that have been [told](Self::lanes) before: in AVX-512 at no cost.
    #[inline(always)]
    unsafe fn load_lanes(from: *const Self::Lane, lanes: u32) -> Self {
        let end = (u32::BITS - lanes.leading_zeros()) as usize;
        // SAFETY: the caller's promise.
        unsafe { Self::load_range(from, end.min(lanes.trailing_zeros() as usize), end) }
    }
    /// Stores the first `count` lanes, at most all, and writes nothing else.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut Self::Lane, count: usize) {
        // SAFETY: `LANES` is at most 16; the rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::uninit(); 16];
            self.store(lanes.as_mut_ptr().cast());
            std::ptr::copy_nonoverlapping(lanes.as_ptr().cast(), to, count);
        }
    }
    /// Stores the lanes `first..end` where they are in a register at `to`, and writes nothing else.
    #[inline(always)]
    unsafe fn store_range(self, to: *mut Self::Lane, first: usize, end: usize) {
        // SAFETY: `LANES` is at most 16; the rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::uninit(); 16];
            self.store(lanes.as_mut_ptr().cast());
            std::ptr::copy_nonoverlapping(lanes.as_ptr().add(first).cast(), to.wrapping_add(first), end - first);
        }
    }
    /// As [`store`](Self::store), past the caches where the machine can: for whole lines that nobody reads soon, all of their
    /// registers one after the other. `to` is aligned as a register is. Other threads see it after a
    /// [`fence`](super::memory::fence), with which [`Workers`](super::Workers) end.
    #[inline(always)]
    unsafe fn stream(self, to: *mut Self::Lane) {
        // SAFETY: the caller's promise is more than what a store asks.
        unsafe { self.store(to) }
    }
    /// Every second lane of both, from the first on, in the order that costs least, which is the same for all registers.
    #[inline(always)]
    unsafe fn every_second_mixed(self, other: Self) -> Self {
        // SAFETY: `LANES` is at most 16, so that the array holds the lanes of both; the instruction set is the caller's
        // promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::uninit(); 32];
            self.store(lanes.as_mut_ptr().cast());
            other.store(lanes.as_mut_ptr().add(Self::LANES).cast());
            for i in 1..Self::LANES {
                lanes[i] = lanes[2 * i];
            }
            Self::load(lanes.as_ptr().cast())
        }
    }
    /// The same weight for every lane.
    unsafe fn splat(weight: Self::Lane) -> Self::Weight;
    /// A weight of its own for every lane.
    unsafe fn weights(self) -> Self::Weight;
    /// Puts the lanes of [mixed](Self::every_second_mixed) registers, or of what is summed of them, in order.
    #[inline(always)]
    unsafe fn in_order(self) -> Self {
        self
    }
    /// Every second lane of both, from the first on.
    #[inline(always)]
    unsafe fn every_second(self, other: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { self.every_second_mixed(other).in_order() }
    }
    /// `weight * self + sum`
    unsafe fn mul_add(self, weight: Self::Weight, sum: Self) -> Self;
    /// The sum of the lanes, always in the same order.
    unsafe fn sum(self) -> Self::Lane;
}

/// The lanes of a register, read back in order.
macro_rules! sum_by_lane {
    ($lane:ty) => {
        #[inline(always)]
        unsafe fn sum(self) -> $lane {
            let mut lanes = [<$lane>::default(); Self::LANES];
            // SAFETY: the array holds as many lanes; the instruction set is the caller's promise.
            unsafe { self.store(lanes.as_mut_ptr()) };
            lanes.iter().fold(<$lane>::default(), |total, &x| total + x)
        }
    };
}

/// [`Vector::apart`] with these features.
macro_rules! runs_apart {
    ($features:literal) => {
        #[inline(always)]
        unsafe fn apart(inner: impl Inner) {
            #[inline(never)]
            #[target_feature(enable = $features)]
            unsafe fn with(inner: impl Inner) {
                // SAFETY: the caller's promise.
                unsafe { inner.run() }
            }
            // SAFETY: the caller's promise.
            unsafe { with(inner) }
        }
    };
}

/// Registers of one x86 instruction set: real lanes, and complex ones whose parts alternate.
macro_rules! x86_vectors {
    ($features:literal, $real:ident, $complex:ident, $t:ty, $register:ty, $lanes:expr, $many:expr, $zero:ident, $load:ident, $store:ident, $stream:ident, $splat:ident,
     $fma:ident, $mul:ident, $add:ident, $fmaddsub:ident, $swap:expr, $even:expr, $odd:expr, $second:expr $(=> $order:expr)?,
     $second_pair:expr $(=> $order_pair:expr)? $(, $mask_load:ident, $mask_store:ident, $mask:ty)?) => {
        #[derive(Clone, Copy)]
        pub(in crate::simd) struct $real(pub(in crate::simd) $register);

        impl Vector for $real {
            type Lane = $t;
            type Weight = $register;
            const LANES: usize = $lanes;
            const MANY: bool = $many;
            const NATIVE: bool = true;

            runs_apart!($features);
            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: validity and the instruction set are the caller's promise; the load needs no alignment.
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as for `load`.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn stream(self, to: *mut $t) {
                // SAFETY: as for `load`; `to` is aligned by the caller's promise.
                unsafe { $stream(to, self.0) }
            }
            #[inline(always)]
            unsafe fn splat(weight: $t) -> $register {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { $splat(weight) }
            }
            #[inline(always)]
            unsafe fn weights(self) -> $register {
                self.0
            }
            #[inline(always)]
            unsafe fn mul_add(self, weight: $register, sum: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $fma(weight, self.0, sum.0) })
            }
            #[inline(always)]
            unsafe fn every_second_mixed(self, other: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $second(self.0, other.0) })
            }
            $(
                #[inline(always)]
                unsafe fn in_order(self) -> Self {
                    // SAFETY: the instruction set is the caller's promise.
                    Self(unsafe { $order(self.0) })
                }
            )?
            $(
                #[inline(always)]
                unsafe fn load_first(from: *const $t, count: usize) -> Self {
                    // SAFETY: a lane that is masked out is not read; the rest is the caller's promise.
                    Self(unsafe { $mask_load(((1u32 << count) - 1) as $mask, from) })
                }
                #[inline(always)]
                unsafe fn load_range(from: *const $t, first: usize, end: usize) -> Self {
                    // SAFETY: as for `load_first`.
                    unsafe { Self::load_lanes(from, Self::lanes(first, end)) }
                }
                #[inline(always)]
                unsafe fn load_lanes(from: *const $t, lanes: u32) -> Self {
                    // SAFETY: as for `load_first`.
                    Self(unsafe { $mask_load(lanes as $mask, from) })
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut $t, count: usize) {
                    // SAFETY: a lane that is masked out is not written; the rest is the caller's promise.
                    unsafe { $mask_store(to, ((1u32 << count) - 1) as $mask, self.0) }
                }
                #[inline(always)]
                unsafe fn store_range(self, to: *mut $t, first: usize, end: usize) {
                    // SAFETY: as for `store_first`.
                    unsafe { $mask_store(to, ((1u32 << end) - (1u32 << first)) as $mask, self.0) }
                }
            )?
            sum_by_lane!($t);
        }

        #[derive(Clone, Copy)]
        pub(in crate::simd) struct $complex($register);

        impl Vector for $complex {
            type Lane = Complex<$t>;
            /// The real parts and the imaginary parts, each twice.
            type Weight = ($register, $register);
            const LANES: usize = $lanes / 2;
            const MANY: bool = $many;
            const REAL: bool = false;
            const NATIVE: bool = true;

            runs_apart!($features);
            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const Complex<$t>) -> Self {
                // SAFETY: as for the real lanes: a complex number is its two parts in order.
                Self(unsafe { $load(from.cast()) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut Complex<$t>) {
                // SAFETY: as for `load`.
                unsafe { $store(to.cast(), self.0) }
            }
            #[inline(always)]
            unsafe fn stream(self, to: *mut Complex<$t>) {
                // SAFETY: as for `load`; `to` is aligned by the caller's promise.
                unsafe { $stream(to.cast(), self.0) }
            }
            #[inline(always)]
            unsafe fn splat(weight: Complex<$t>) -> Self::Weight {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { ($splat(weight.re), $splat(weight.im)) }
            }
            #[inline(always)]
            unsafe fn weights(self) -> Self::Weight {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { ($even(self.0), $odd(self.0)) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, (re, im): Self::Weight, sum: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { Self($add($fmaddsub(self.0, re, $mul($swap(self.0), im)), sum.0)) }
            }
            #[inline(always)]
            unsafe fn every_second_mixed(self, other: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $second_pair(self.0, other.0) })
            }
            $(
                #[inline(always)]
                unsafe fn in_order(self) -> Self {
                    // SAFETY: the instruction set is the caller's promise.
                    Self(unsafe { $order_pair(self.0) })
                }
            )?
            $(
                #[inline(always)]
                unsafe fn load_first(from: *const Complex<$t>, count: usize) -> Self {
                    // SAFETY: a lane that is masked out is not read; the rest is the caller's promise.
                    Self(unsafe { $mask_load(((1u32 << (2 * count)) - 1) as $mask, from.cast()) })
                }
                #[inline(always)]
                unsafe fn load_range(from: *const Complex<$t>, first: usize, end: usize) -> Self {
                    // SAFETY: as for `load_first`.
                    unsafe { Self::load_lanes(from, Self::lanes(first, end)) }
                }
                #[inline(always)]
                fn lanes(first: usize, end: usize) -> u32 {
                    (1 << (2 * end)) - (1 << (2 * first))
                }
                #[inline(always)]
                unsafe fn load_lanes(from: *const Complex<$t>, lanes: u32) -> Self {
                    // SAFETY: as for `load_first`.
                    Self(unsafe { $mask_load(lanes as $mask, from.cast()) })
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut Complex<$t>, count: usize) {
                    // SAFETY: a lane that is masked out is not written; the rest is the caller's promise.
                    unsafe { $mask_store(to.cast(), ((1u32 << (2 * count)) - 1) as $mask, self.0) }
                }
                #[inline(always)]
                unsafe fn store_range(self, to: *mut Complex<$t>, first: usize, end: usize) {
                    // SAFETY: as for `store_first`.
                    unsafe { $mask_store(to.cast(), ((1u32 << (2 * end)) - (1u32 << (2 * first))) as $mask, self.0) }
                }
            )?
            sum_by_lane!(Complex<$t>);
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;

pub(super) mod portable;

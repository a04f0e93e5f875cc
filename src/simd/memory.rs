//! Memory in cache lines: what workspaces are made of.

/// One cache line of zeros and ones, aligned as one: what workspaces are made of.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; Self::BYTES]);

impl Line {
    pub(crate) const BYTES: usize = 64;
    pub(crate) const ZERO: Self = Self([0; Self::BYTES]);
    /// NaN in every element type.
    pub(crate) const POISON: Self = Self([0xff; Self::BYTES]);

    /// Lines that hold `count` elements of `T`.
    pub(crate) fn holding<T>(count: usize) -> usize {
        count.saturating_mul(size_of::<T>()).div_ceil(Self::BYTES)
    }
}

// SAFETY: the only field is an array of bytes as long as the alignment, so there is no padding, and every bit pattern
// is valid.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above; the type is Copy and 'static and holds no pointer.
unsafe impl bytemuck::Pod for Line {}

/// Asks for what will be read soon to be brought to the first cache.
#[inline(always)]
pub(crate) fn prefetch<T>(data: &[T]) {
    let first = data.as_ptr().cast::<u8>();
    (0..size_of_val(data)).step_by(Line::BYTES).for_each(|at| prefetch_line(first.wrapping_add(at)));
}

/// Asks for the line of an address, which need not be valid, to be brought to the first cache.
#[inline(always)]
pub(super) fn prefetch_line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, and its instruction is part of the baseline.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// As [`prefetch_line`], to the second cache: what is wanted later would displace what the first one holds.
#[inline(always)]
pub(super) fn prefetch_second(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, and its instruction is part of the baseline.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Makes what has been [streamed](super::vector::Vector::stream) visible to other threads before anything that is
/// written later.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is part of the baseline.
    unsafe {
        core::arch::x86_64::_mm_sfence();
    }
}

/// The elements of `T` in some lines: all of them, the last line's tail included.
pub(crate) fn elements<T: bytemuck::Pod>(lines: &[Line]) -> &[T] {
    bytemuck::cast_slice(lines)
}

/// As [`elements`], to write.
pub(crate) fn elements_mut<T: bytemuck::Pod>(lines: &mut [Line]) -> &mut [T] {
    bytemuck::cast_slice_mut(lines)
}

/// Splits room for `count` elements of `T` off the front of `lines`.
pub(crate) fn split<'a, T: bytemuck::Pod>(lines: &mut &'a mut [Line], count: usize) -> &'a mut [T] {
    let (head, tail) = std::mem::take(lines).split_at_mut(Line::holding::<T>(count));
    *lines = tail;
    &mut elements_mut(head)[..count]
}

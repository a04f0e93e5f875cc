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

/// So many lines of zeros, in [large pages](prefer_large_pages).
pub(crate) fn zeros(count: usize) -> Vec<Line> {
    let mut lines = Vec::with_capacity(count);
    prefer_large_pages(lines.spare_capacity_mut());
    lines.resize(count, Line::ZERO);
    lines
}

/// Asks the system to lay a block that has not been touched yet in large pages, if it is one of 4 MiB or more: as NumPy does for
/// its arrays. Where rows lie pages apart, every block of results would look up a dozen addresses anew. A system that has
/// none leaves the block as it is.
pub(crate) fn prefer_large_pages<T>(block: &[T]) {
    #[cfg(target_os = "linux")]
    {
        // A multiple of the page of every machine.
        const PAGE: usize = 1 << 16;
        let (start, bytes) = (block.as_ptr().cast::<u8>(), size_of_val(block));
        let before = start.align_offset(PAGE);
        if bytes >= 4 << 20 && before < PAGE {
            let (start, whole) = (start.wrapping_add(before), (bytes - before) / PAGE * PAGE);
            // SAFETY: the range lies within the block, and the advice changes what it is laid in, not what it holds.
            unsafe { libc::madvise(start.cast_mut().cast(), whole, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = block;
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

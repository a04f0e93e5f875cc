//! Copies of rows: of every element or of some, to places side by side or apart.
//!
//! Short rows cost no call each, and what is copied next is asked for before.

use num_complex::Complex;

use super::Isa;
use super::memory::{Line, prefetch_line};
use super::tiles::Planes;
use super::vector::Vector;

/// The arguments of a copy of rows.
pub struct Rows<'a, T> {
    pub(crate) source: &'a [T],
    /// From one plane of the source to the next, from row to row, and from element to element.
    pub(crate) steps: [usize; 3],
    pub(crate) out: Planes<'a, T>,
    /// From one element of a row of the output to the next.
    pub(crate) apart: usize,
    pub(crate) far: Far,
}

/// What of a copy is not in a near cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Far {
    /// The source: its next rows are asked for.
    Source,
    /// The output: the rows that are written next are asked for.
    Output,
    /// The output, and it is more than caches hold: it is written past them.
    Large,
}

/// Element types whose rows can be copied.
pub trait CopyRows: Copy + 'static {
    /// Copies rows. Panics where a slice is too short.
    fn copy_rows(isa: Isa, call: Rows<'_, Self>);
}

macro_rules! copy_rows {
    ($($t:ty: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl CopyRows for $t {
            fn copy_rows(isa: Isa, call: Rows<'_, Self>) {
                call.check();
                dispatch!(isa, call, Rows<$t> => copy_rows, $avx512, $avx2, $lanes)
            }
        }
    )*};
}
copy_rows! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
    Complex<f32>: C32, C32, 2;
    Complex<f64>: C64, C64, 1;
}

impl<T> Rows<'_, T> {
    /// Everything that the loops take on trust.
    fn check(&self) {
        let ([rows, width], planes) = (self.out.shape(), self.out.count);
        assert!(planes > 0 && rows > 0 && width > 0, "there are rows");
        let last = |count: usize, step: usize| (count - 1).saturating_mul(step);
        let [plane, pitch, step] = self.steps;
        let end = last(planes, plane).saturating_add(last(rows, pitch)).saturating_add(last(width, step));
        assert!(end < self.source.len(), "the source has all rows");
    }
}

/// Bytes of rows that are asked for before they are copied: a jump from row to row is no stream to the machine.
const AHEAD: usize = 8192;

/// Rows of an output that are asked for before they are written.
const OUT_AHEAD: isize = 2;

/// # Safety
/// The call has been [checked](Rows::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn copy_rows<V: Vector>(call: Rows<'_, V::Lane>) {
    // SAFETY: the caller's promise is the callees'.
    unsafe {
        match call.steps[2] {
            _ if call.apart != 1 => spread::<V>(&call),
            1 if V::LINE && call.far == Far::Large && call.out.shape()[1] >= 4 * V::LANES => stream_rows::<V>(&call),
            1 if call.out.shape()[1] <= V::LANES => copy_narrow::<V>(call),
            1 if call.far == Far::Output => copy_out::<V>(call),
            1 => copy_planes::<V, 1>(call),
            2 => copy_planes::<V, 2>(call),
            4 => copy_planes::<V, 4>(call),
            _ => copy_planes::<V, 0>(call),
        }
    }
}

/// Rows whose elements are to lie apart.
///
/// # Safety
/// As [`copy_rows`].
#[inline(always)]
unsafe fn spread<V: Vector>(call: &Rows<'_, V::Lane>) {
    let ([plane, pitch, step], [rows, width]) = (call.steps, call.out.shape());
    for (i, y) in (0..call.out.count).flat_map(|i| (0..rows).map(move |y| (i, y))) {
        // SAFETY: `check` has seen that every row of every plane lies within the source; `out` holds them all.
        unsafe {
            let (from, to) = (call.source.as_ptr().add(i * plane + y * pitch), call.out.plane(i).row(y));
            match call.apart {
                // A step that the compiler knows.
                2 => (0..width).for_each(|x| *to.add(2 * x) = *from.add(x * step)),
                apart => (0..width).for_each(|x| *to.add(apart * x) = *from.add(x * step)),
            }
        }
    }
}

/// Rows that are written past the caches, but for the ends of lines.
///
/// # Safety
/// As [`copy_rows`]; the rows are wider than a register.
#[inline(always)]
unsafe fn stream_rows<V: Vector>(call: &Rows<'_, V::Lane>) {
    let ([plane, pitch, _], [rows, width]) = (call.steps, call.out.shape());
    for (i, y) in (0..call.out.count).flat_map(|i| (0..rows).map(move |y| (i, y))) {
        // SAFETY: `check` has seen that every row of every plane lies within the source; `out` holds them all. From the
        // lead on, registers are aligned.
        unsafe {
            let (from, to) = (call.source.as_ptr().add(i * plane + y * pitch), call.out.plane(i).row(y));
            let mut x = match to.align_offset(Line::BYTES) {
                lead if lead < V::LANES => lead,
                _ => {
                    copy_row::<V, 1>(from, to, width);
                    continue;
                }
            };
            if x > 0 {
                V::load_first(from, x).store_first(to, x);
            }
            while x + V::LANES <= width {
                V::load(from.add(x)).stream(to.add(x));
                x += V::LANES;
            }
            if x < width {
                V::load_first(from.add(x), width - x).store_first(to.add(x), width - x);
            }
        }
    }
}

/// Rows no wider than a register.
///
/// # Safety
/// As [`copy_rows`].
#[inline(always)]
unsafe fn copy_narrow<V: Vector>(call: Rows<'_, V::Lane>) {
    let [plane, pitch, _] = call.steps;
    let [rows, width] = call.out.shape();
    for i in 0..call.out.count {
        // SAFETY: `check` has seen that every row of every plane lies within the source; `out` holds them all.
        unsafe {
            let (from, out) = (call.source.as_ptr().add(i * plane), call.out.plane(i));
            for y in 0..rows {
                V::load_first(from.add(y * pitch), width).store_first(out.row(y), width);
            }
        }
    }
}

/// Rows whose output is asked for before it is written.
///
/// # Safety
/// As [`copy_rows`].
#[inline(always)]
unsafe fn copy_out<V: Vector>(call: Rows<'_, V::Lane>) {
    let ([plane, pitch, _], [rows, width]) = (call.steps, call.out.shape());
    let bytes = width * size_of::<V::Lane>();
    for i in 0..call.out.count {
        // SAFETY: `check` has seen that every row of every plane lies within the source; `out` holds them all.
        unsafe {
            let (source, out) = (call.source.as_ptr().add(i * plane), call.out.plane(i));
            for y in 0..rows {
                let to = out.row(y);
                let next = to.wrapping_offset(OUT_AHEAD * out.pitch).cast::<u8>();
                (0..bytes).step_by(Line::BYTES).for_each(|at| prefetch_line(next.wrapping_add(at)));
                copy_row::<V, 1>(source.add(y * pitch), to, width);
            }
        }
    }
}

/// Every `STEP`th element of rows, for any step where that is 0.
///
/// # Safety
/// As [`copy_rows`].
#[inline(always)]
unsafe fn copy_planes<V: Vector, const STEP: usize>(call: Rows<'_, V::Lane>) {
    let [plane, pitch, step] = call.steps;
    let [rows, width] = call.out.shape();
    let bytes = width * step * size_of::<V::Lane>();
    // The row that is asked for. Behind the last one lies what the next call will want, more likely than not.
    let ahead = AHEAD / bytes.max(Line::BYTES);
    let plane_rows = if call.out.count > 1 { rows } else { usize::MAX };
    let [mut next, mut at] = [ahead / plane_rows, ahead % plane_rows];
    for i in 0..call.out.count {
        // SAFETY: `check` has seen that every row of every plane lies within the source; `out` holds them all.
        unsafe {
            let (source, out) = (call.source.as_ptr().add(i * plane), call.out.plane(i));
            for y in 0..rows {
                let (from, to) = (source.add(y * pitch), out.row(y));
                let wanted = call.source.as_ptr().wrapping_add(next * plane + at * pitch).cast::<u8>();
                (0..bytes).step_by(Line::BYTES).for_each(|at| prefetch_line(wanted.wrapping_add(at)));
                at += 1;
                if at == plane_rows {
                    (next, at) = (next + 1, 0);
                }
                if STEP == 0 {
                    (0..width).for_each(|x| *to.add(x) = *from.add(x * step));
                } else {
                    copy_row::<V, STEP>(from, to, width);
                }
            }
        }
    }
}

/// Copies every `STEP`th of 1, 2 or 4 elements, `width` in all.
///
/// # Safety
/// They lie within what `from` and `to` point at, and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn copy_row<V: Vector, const STEP: usize>(from: *const V::Lane, to: *mut V::Lane, width: usize) {
    let l = V::LANES;
    let mut x = 0;
    // SAFETY: whole registers are loaded only where an element follows them; of the rest, no more than what lies between
    // its first element and its last.
    unsafe {
        if STEP == 1 && width >= l {
            while x < width {
                let at = x.min(width - l);
                V::load(from.add(at)).store(to.add(at));
                x += l;
            }
            return;
        }
        while x + l < width {
            let from = from.add(x * STEP);
            let mut parts = [V::zero(); STEP];
            for (i, part) in parts.iter_mut().enumerate() {
                *part = V::load(from.add(i * l));
            }
            every::<V, STEP>(parts).store(to.add(x));
            x += l;
        }
        let (from, left) = (from.add(x * STEP), width - x);
        let span = (left - 1) * STEP + 1;
        let mut parts = [V::zero(); STEP];
        for (i, part) in parts.iter_mut().enumerate() {
            if i * l < span {
                *part = V::load_first(from.add(i * l), (span - i * l).min(l));
            }
        }
        every::<V, STEP>(parts).store_first(to.add(x), left);
    }
}

/// Every `STEP`th lane of so many registers.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
unsafe fn every<V: Vector, const STEP: usize>(parts: [V; STEP]) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        match STEP {
            1 => parts[0],
            2 => parts[0].every_second(parts[1]),
            _ => parts[0].every_second(parts[1]).every_second(parts[2].every_second(parts[3])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::guarded::End;
    use super::*;

    /// The source ends with the last element of the last row, so that a load beyond it would leave the slice.
    fn rows_agree<T: CopyRows + bytemuck::Pod + PartialEq + std::fmt::Debug>(isa: Isa, number: impl Fn(usize) -> T) {
        let kinds = [(1, Far::Source), (1, Far::Output), (1, Far::Large), (2, Far::Source), (3, Far::Source)];
        for (end, apart, far) in End::BOTH.into_iter().flat_map(|end| kinds.map(|(apart, far)| (end, apart, far))) {
            for (width, step) in (1..70).flat_map(|width| (0..6).map(move |step| (width, step))) {
                let pitch = width * step + 1;
                let source = end.guard((1..=3 * pitch + (width - 1) * step + 1).map(&number).collect::<Vec<T>>());
                // Two planes of two rows, one behind the other.
                let (across, row) = ((width - 1) * apart + 1, (width - 1) * apart + 6);
                let mut out = end.guard(vec![number(0); 3 * row + across]);
                let planes = match apart {
                    1 => Planes::of(&mut out, [2, 2, width], [2 * row, row]),
                    _ => Planes::apart(&mut out, [2, 2, width], [2 * row, row], apart),
                };
                T::copy_rows(isa, Rows { source: &source, steps: [2 * pitch, pitch, step], out: planes, apart, far });
                for (i, &y) in out.iter().enumerate() {
                    let (line, x) = (i / row, i % row);
                    let copied = x < across && x % apart == 0;
                    let expected = if copied { source[line * pitch + x / apart * step] } else { number(0) };
                    assert_eq!(y, expected, "{isa:?} {width} {step} {apart}");
                }
            }
        }
    }

    #[test]
    fn rows_are_copied_and_nothing_beside_them() {
        for isa in Isa::all() {
            rows_agree(isa, |i| i as f32);
            rows_agree(isa, |i| i as f64);
            rows_agree(isa, |i| Complex::new(i as f32, 0.5));
            rows_agree(isa, |i| Complex::new(i as f64, 0.5));
        }
    }
}

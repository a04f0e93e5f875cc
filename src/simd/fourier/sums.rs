//! Direct sums along rows of complex numbers.

use super::Sums;
use super::butterflies::Pair;
use super::lanes::Arithmetic;

/// Registers of results whose sums are kept at once: eight chains of multiply-adds keep two units busy.
const WIDE: usize = 4;

/// # Safety
/// The call has been checked, and the machine has `V`'s instruction set.
#[inline(always)]
pub(in crate::simd) unsafe fn sums<V: Arithmetic>(call: Sums<'_, V::Lane>) {
    let (re, im) = (call.planes.re.as_mut_ptr(), call.planes.im.as_mut_ptr());
    let registers = call.results.div_ceil(V::LANES);
    for (&start, &from) in call.starts.iter().zip(call.from) {
        let mut done = 0;
        while done < registers {
            let left = registers - done;
            // SAFETY: `check` has seen that the planes hold what the results up to the last register meet, and the kernel
            // its taps.
            unsafe {
                let at = start + done * V::LANES;
                let (re, im) = (re.add(at), im.add(at));
                let taps = call.taps.map(|plane| plane.as_ptr().add(from));
                match left {
                    1 => block::<V, 1>(re, im, taps, [call.count, call.step]),
                    2 => block::<V, 2>(re, im, taps, [call.count, call.step]),
                    3 => block::<V, 3>(re, im, taps, [call.count, call.step]),
                    _ => block::<V, WIDE>(re, im, taps, [call.count, call.step]),
                }
            }
            done += left.min(WIDE);
        }
    }
}

/// `M` registers of results, in the place of the samples that they begin at: what lies before has been computed, and what
/// lies behind does not meet it.
///
/// # Safety
/// The pointers are valid for what the results meet.
#[inline(always)]
unsafe fn block<V: Arithmetic, const M: usize>(
    re: *mut V::Lane,
    im: *mut V::Lane,
    [taps_re, taps_im]: [*const V::Lane; 2],
    [count, step]: [usize; 2],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [Pair::<V>::zero(); M];
        for tap in 0..count {
            let (w_re, w_im) = (V::all(*taps_re.add(tap)), V::all(*taps_im.add(tap)));
            for (m, sum) in sums.iter_mut().enumerate() {
                let at = tap * step + m * V::LANES;
                let x = Pair::<V>::load(re.add(at), im.add(at));
                sum.re = x.im.minus_times(w_im, x.re.times_plus(w_re, sum.re));
                sum.im = x.re.times_plus(w_im, x.im.times_plus(w_re, sum.im));
            }
        }
        for (m, sum) in sums.into_iter().enumerate() {
            sum.store(re.add(m * V::LANES), im.add(m * V::LANES));
        }
    }
}

//! Integers, exactly.
//!
//! A sum of integers that stays below 2^24 is exact in `f32`, and below 2^53 in `f64`, in whatever order it is taken.
//! So the planner's direct algorithms compute integers too. Where the bound `max|x| · Σ|h|` is larger, data and kernel
//! are split into digits of so few bits that the products of digits stay below 2^53, and these are put together in 128
//! bits.

use std::sync::LazyLock;

use ndarray::{Array, ArrayD, ArrayRef, Dimension};

use super::arrays::{self, with_workspace};
use super::geometry::Geometry;
use super::integer::Integer;
use super::plan::{Kernel, Options, lay_kernel, run};
use super::settings::Settings;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::plan::{Algorithm, Plan, Planner};
use crate::problem::{Boundary, Mode, Problem};

/// Convolves integers exactly, zeros outside: the result is that of unbounded integers, or an error.
///
/// `I` is the data's type and `O` the result's; the kernel may be of any integer type. `O` follows from what the result
/// is bound to, or is told by `convolve_exact::<u8, i32, _>`.
///
/// # Errors
/// [`Error::NotRepresentable`] where a sum does not fit `O`; [`Error::Overflow`] where sums may not fit 128 bits; and
/// as [`convolve`](crate::convolve).
///
/// ```
/// use faltung::ndarray::{Array1, array};
/// use faltung::{Error, Mode, convolve_exact};
///
/// let image = array![0u8, 255, 255, 0];
/// let sharpen = array![-1i16, 3, -1];
/// let y: Array1<i32> = convolve_exact(&image, &sharpen, Mode::Same)?;
/// assert_eq!(y, array![-255, 510, 510, -255]);
///
/// let too_narrow = convolve_exact::<u8, u8, _>(&image, &sharpen, Mode::Same);
/// assert!(matches!(too_narrow, Err(Error::NotRepresentable { .. })));
/// # Ok::<(), Error>(())
/// ```
pub fn convolve_exact<I: Integer, O: Integer, D: Dimension>(
    x: &ArrayRef<I, D>,
    h: &ArrayRef<impl Integer, D>,
    mode: Mode,
) -> Result<Array<O, D>> {
    compute(x, h, &Settings::of(mode, false), Options::default())
}

/// Correlates integers exactly, zeros outside; see [`convolve_exact`].
///
/// # Errors
/// As [`convolve_exact`].
///
/// ```
/// use faltung::ndarray::{Array1, array};
/// use faltung::{Mode, correlate_exact};
///
/// let y: Array1<u64> = correlate_exact(&array![1u64 << 62, 3], &array![1u8, 2], Mode::Valid)?;
/// assert_eq!(y, array![(1 << 62) + 6]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn correlate_exact<I: Integer, O: Integer, D: Dimension>(
    x: &ArrayRef<I, D>,
    h: &ArrayRef<impl Integer, D>,
    mode: Mode,
) -> Result<Array<O, D>> {
    compute(x, h, &Settings::of(mode, true), Options::default())
}

/// Integers up to this are exact in `f32` and in `f64`.
const EXACT: [u128; 2] = [1 << 24, 1 << 53];

/// As [`Convolution::apply_exact`](crate::Convolution::apply_exact).
pub(super) fn compute<I: Integer, H: Integer, O: Integer, D: Dimension, K: Dimension, E: Dimension>(
    x: &ArrayRef<I, D>,
    h: &ArrayRef<H, K>,
    settings: &Settings,
    options: Options,
) -> Result<Array<O, E>> {
    if !matches!(options.algorithm, Algorithm::Auto | Algorithm::Reference | Algorithm::Direct | Algorithm::Im2col) {
        return Err(Error::unsupported(options.algorithm.name(), "its sums are rounded; exact ones were asked for"));
    }
    let outside = match settings.boundary() {
        Boundary::Constant(v) => whole(v)?,
        _ => 0,
    };
    let x_most = x.iter().map(|v| v.widen().unsigned_abs()).fold(outside.unsigned_abs(), u128::max);
    let h_sum = h.iter().fold(0u128, |sum, v| sum.saturating_add(v.widen().unsigned_abs()));
    let bound = x_most.saturating_mul(h_sum);
    if bound <= EXACT[0] {
        narrow(sums::<f32, _, _, _>(x.map(|v| v.to_f64() as f32), h.map(|v| v.to_f64() as f32), settings, options)?)
    } else if bound <= EXACT[1] {
        narrow(sums::<f64, _, _, _>(x.map(|v| v.to_f64()), h.map(|v| v.to_f64()), settings, options)?)
    } else if bound < 1 << 127 {
        by_digits(x, h, outside, x_most, settings, options)
    } else {
        Err(Error::overflow(format!("128 bits: max|x| · Σ|h| = {x_most} · {h_sum}")))
    }
}

/// The value of a constant that must be an integer.
fn whole(constant: f64) -> Result<i128> {
    if constant.fract() == 0.0 && constant.abs() <= u64::MAX as f64 {
        Ok(constant as i128)
    } else {
        Err(Error::argument("boundary", "a constant that is an integer of 64 bits", constant))
    }
}

/// The sums in `T`, each of which `T` holds exactly.
fn sums<T: Element, D: Dimension, K: Dimension, E: Dimension>(
    x: Array<T, D>,
    h: Array<T, K>,
    settings: &Settings,
    options: Options,
) -> Result<Array<T, E>> {
    let geometry = Geometry::new(x.shape(), h.shape(), settings, T::DTYPE)?;
    let plan = exact_plan::<T>(&geometry.problem, options)?;
    let mut y = Array::from_elem(arrays::dimension::<E>(&geometry.output), T::default());
    let mut room = Vec::new();
    let kernel = Kernel::Plain(&plan, lay_kernel(&geometry, &h, &mut room));
    with_workspace(|workspace| run(&geometry, &x, kernel, &mut y, workspace))?;
    Ok(y)
}

/// The fastest plan that sums products one by one.
fn exact_plan<T: Element>(problem: &Problem, options: Options) -> Result<Plan<T>> {
    static PLANNERS: LazyLock<[Planner; 2]> =
        LazyLock::new(|| [Algorithm::Direct, Algorithm::Im2col].map(|a| Planner::new().algorithm(a)));
    let bounded = options.max_workspace.is_some() || options.tolerance.is_some();
    if options.algorithm != Algorithm::Auto {
        return options.plan(problem);
    }
    let plans =
        [Algorithm::Direct, Algorithm::Im2col].into_iter().zip(&*PLANNERS).filter_map(|(algorithm, planner)| {
            let plan =
                if bounded { Options { algorithm, ..options }.plan(problem) } else { planner.plan::<T>(problem) };
            plan.ok()
        });
    match plans.min_by(|a, b| a.candidate().predicted.total_cmp(&b.candidate().predicted)) {
        Some(plan) => Ok(plan.with_threads(options.threads)),
        None => Options { algorithm: Algorithm::Reference, ..options }.plan(problem),
    }
}

/// Sums of any size below 2^127, from those of digits.
fn by_digits<I: Integer, H: Integer, O: Integer, D: Dimension, K: Dimension, E: Dimension>(
    x: &ArrayRef<I, D>,
    h: &ArrayRef<H, K>,
    outside: i128,
    x_most: u128,
    settings: &Settings,
    options: Options,
) -> Result<Array<O, E>> {
    let h_most = h.iter().map(|v| v.widen().unsigned_abs()).max().unwrap_or(0);
    // The more bits a digit has, the fewer pairs of digits there are.
    let bits = (1..=26)
        .rev()
        .find(|bits| h.len() as u128 * ((1u128 << bits) - 1).pow(2) <= EXACT[1])
        .ok_or_else(|| Error::overflow(format!("53 bits: the sum of {} products", h.len())))?;
    let digits = |most: u128| (128 - most.leading_zeros()).div_ceil(bits);
    let mut total: Option<ArrayD<i128>> = None;
    for i in 0..digits(x_most) {
        let x_digit = x.map(|v| digit(v.widen(), i, bits));
        let mut settings = settings.clone();
        if outside != 0 {
            settings.boundary = Some(Boundary::Constant(digit(outside, i, bits)));
        }
        for j in 0..digits(h_most) {
            let h_digit = h.map(|v| digit(v.widen(), j, bits));
            let part: Array<f64, E> = sums(x_digit.clone(), h_digit, &settings, options)?;
            let part = part.mapv(|v| (v as i128) << (bits * (i + j))).into_dyn();
            total = Some(match total {
                Some(total) => total + part,
                None => part,
            });
        }
    }
    let total = total.ok_or_else(|| Error::argument("x", "at least one sample", 0))?;
    let wrong = total.iter().find(|v| **v < O::LOWEST || **v > O::HIGHEST);
    if let Some(v) = wrong {
        return Err(Error::NotRepresentable { value: v.to_string(), element: O::NAME });
    }
    total.mapv(O::narrow).into_dimensionality().map_err(|e| Error::other("giving the sums their rank", e))
}

/// Digit `i` of a number in digits of so many bits, each with the number's sign.
fn digit(number: i128, i: u32, bits: u32) -> f64 {
    let digit = ((number.unsigned_abs() >> (i * bits)) & ((1 << bits) - 1)) as f64;
    if number < 0 { -digit } else { digit }
}

/// Exact sums as integers of the result's type.
fn narrow<T: Element, O: Integer, E: Dimension>(sums: Array<T, E>) -> Result<Array<O, E>> {
    let (low, high) = sums.iter().fold((0.0f64, 0.0f64), |(low, high), v| {
        let v = v.to_f64().0;
        (low.min(v), high.max(v))
    });
    for extreme in [low, high] {
        // The sums lie within ±2^53, so that the cast is exact.
        if (extreme as i128) < O::LOWEST || (extreme as i128) > O::HIGHEST {
            return Err(Error::NotRepresentable { value: format!("{extreme}"), element: O::NAME });
        }
    }
    Ok(sums.mapv(|v| O::from_f64(v.to_f64().0)))
}

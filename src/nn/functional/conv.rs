//! Convolutions and their gradients.

use ndarray::{Array, Array1, Array3, Array4, Array5, ArrayRef, Axis, Dimension, Ix1, Ix3, Ix4, Ix5, RemoveAxis};

use super::{expect, run, slice, standard};
use crate::error::{Error, Result};
use crate::nn::layer::volume;
use crate::nn::layers::conv::problem;
use crate::nn::layers::conv_transpose::Geometry;
use crate::nn::layers::epilogue::finish;
use crate::nn::{ConvOptions, Extents, Float};
use crate::problem::{Pass, Problem};

/// The problem of an input's shape and a weight's.
fn layer(x: &[usize], w: &[usize], options: &ConvOptions) -> Result<Problem> {
    let [_, inputs, ..] = w else {
        return Err(Error::argument("w", "(output channels, channels, …)", "too few axes"));
    };
    let channels = inputs.checked_mul(options.group_count()).ok_or_else(|| Error::overflow("the channels"))?;
    let problem = problem(x, channels, w, options)?;
    expect("w", &problem.kernel_shape(), w)?;
    Ok(problem)
}

/// Adds a bias to each channel.
fn add_bias<T: Float, D: Dimension>(y: &mut Array<T, D>, bias: Option<&ArrayRef<T, Ix1>>) -> Result<()> {
    let Some(bias) = bias else { return Ok(()) };
    let (channels, plane) = (y.shape()[1], volume(&y.shape()[2..]));
    expect("bias", &[channels], bias.shape())?;
    let bias = standard(bias);
    finish(slice("result", y.as_slice_mut())?, bias.as_slice(), channels, plane, None);
    Ok(())
}

fn conv<T: Float, D: Dimension>(
    x: &ArrayRef<T, D>,
    w: &ArrayRef<T, D>,
    bias: Option<&ArrayRef<T, Ix1>>,
    options: &ConvOptions,
) -> Result<Array<T, D>> {
    let problem = layer(x.shape(), w.shape(), options)?;
    let mut y = run(&problem, Pass::Forward, (x, w), &problem.output_shape())?;
    add_bias(&mut y, bias)?;
    Ok(y)
}

fn input_gradient<T: Float, D: Dimension>(
    input: &[usize],
    w: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
    options: &ConvOptions,
) -> Result<Array<T, D>> {
    let problem = layer(input, w.shape(), options)?;
    expect("dy", &problem.output_shape(), dy.shape())?;
    run(&problem, Pass::InputGradient, (dy, w), input)
}

fn weight_gradient<T: Float, D: Dimension>(
    x: &ArrayRef<T, D>,
    weight: &[usize],
    dy: &ArrayRef<T, D>,
    options: &ConvOptions,
) -> Result<Array<T, D>> {
    let problem = layer(x.shape(), weight, options)?;
    expect("dy", &problem.output_shape(), dy.shape())?;
    run(&problem, Pass::WeightGradient, (x, dy), weight)
}

fn transpose<T: Float, D: Dimension>(
    x: &ArrayRef<T, D>,
    w: &ArrayRef<T, D>,
    bias: Option<&ArrayRef<T, Ix1>>,
    options: &ConvOptions,
    output_padding: Extents,
) -> Result<Array<T, D>> {
    let outputs = w.shape()[1].checked_mul(options.group_count()).ok_or_else(|| Error::overflow("the channels"))?;
    let geometry = Geometry { channels: outputs, options: options.clone(), more: output_padding };
    let problem = geometry.problem(x.shape(), w.shape())?;
    expect("w", &problem.kernel_shape(), w.shape())?;
    let mut y = run(&problem, Pass::InputGradient, (x, w), &problem.input_shape())?;
    add_bias(&mut y, bias)?;
    Ok(y)
}

/// The gradient of a bias: the sum of `dy`, (batch, channels, …), over everything but the channels.
///
/// ```
/// use faltung::ndarray::{Array4, array};
/// use faltung::nn::functional::bias_gradient;
/// assert_eq!(bias_gradient(&Array4::<f32>::ones((2, 3, 5, 5))), array![50.0f32, 50.0, 50.0]);
/// ```
pub fn bias_gradient<T: Float, D: RemoveAxis>(dy: &ArrayRef<T, D>) -> Array1<T> {
    if dy.ndim() < 2 {
        return Array1::from_iter([dy.iter().copied().sum()]);
    }
    dy.axis_iter(Axis(1)).map(|channel| channel.iter().copied().sum()).collect()
}

macro_rules! named {
    ($ix:ident, $array:ident, $tuple:ty, $axes:literal, $conv:ident, $input:ident, $weight:ident, $transposed:ident,
     $x:literal, $y:literal, $w:literal) => {
        #[doc = concat!("A convolution of an input (batch, channels, ", $axes, ") and a weight (output channels, channels a group, taps …),")]
        /// the kernel not flipped, as every neural network means it.
        ///
        /// ```
        #[doc = concat!("use faltung::ndarray::", stringify!($array), ";")]
        #[doc = concat!("use faltung::nn::{ConvOptions, functional::", stringify!($conv), "};")]
        #[doc = concat!("let (x, w) = (", stringify!($array), "::<f32>::ones(", $x, "), ", stringify!($array), "::ones(", $w, "));")]
        #[doc = concat!("let y = ", stringify!($conv), "(&x, &w, None, &ConvOptions::new().padding(1))?;")]
        #[doc = concat!("assert_eq!(y.dim(), ", $y, ");")]
        /// # Ok::<(), faltung::Error>(())
        /// ```
        ///
        /// # Errors
        /// [`Error`] where the shapes do not fit each other or the options.
        pub fn $conv<T: Float>(
            x: &ArrayRef<T, $ix>,
            w: &ArrayRef<T, $ix>,
            bias: Option<&ArrayRef<T, Ix1>>,
            options: &ConvOptions,
        ) -> Result<$array<T>> {
            conv(x, w, bias, options)
        }

        #[doc = concat!("The gradient of [`", stringify!($conv), "`] by its input, of shape `input`, from that by its output.")]
        ///
        /// ```
        #[doc = concat!("use faltung::ndarray::", stringify!($array), ";")]
        #[doc = concat!("use faltung::nn::{ConvOptions, functional::", stringify!($input), "};")]
        #[doc = concat!("let (w, dy) = (", stringify!($array), "::<f32>::ones(", $w, "), ", stringify!($array), "::ones(", $y, "));")]
        #[doc = concat!("let dx = ", stringify!($input), "(", $x, ", &w, &dy, &ConvOptions::new().padding(1))?;")]
        #[doc = concat!("assert_eq!(dx.dim(), ", $x, ");")]
        /// # Ok::<(), faltung::Error>(())
        /// ```
        ///
        /// # Errors
        /// [`Error`] where the shapes do not fit each other or the options.
        pub fn $input<T: Float>(
            input: $tuple,
            w: &ArrayRef<T, $ix>,
            dy: &ArrayRef<T, $ix>,
            options: &ConvOptions,
        ) -> Result<$array<T>> {
            input_gradient(&<[usize; _]>::from(input), w, dy, options)
        }

        #[doc = concat!("The gradient of [`", stringify!($conv), "`] by its weight, of shape `weight`, from that by its output.")]
        ///
        /// ```
        #[doc = concat!("use faltung::ndarray::", stringify!($array), ";")]
        #[doc = concat!("use faltung::nn::{ConvOptions, functional::", stringify!($weight), "};")]
        #[doc = concat!("let (x, dy) = (", stringify!($array), "::<f32>::ones(", $x, "), ", stringify!($array), "::ones(", $y, "));")]
        #[doc = concat!("let dw = ", stringify!($weight), "(&x, ", $w, ", &dy, &ConvOptions::new().padding(1))?;")]
        #[doc = concat!("assert_eq!(dw.dim(), ", $w, ");")]
        /// # Ok::<(), faltung::Error>(())
        /// ```
        ///
        /// # Errors
        /// [`Error`] where the shapes do not fit each other or the options.
        pub fn $weight<T: Float>(
            x: &ArrayRef<T, $ix>,
            weight: $tuple,
            dy: &ArrayRef<T, $ix>,
            options: &ConvOptions,
        ) -> Result<$array<T>> {
            weight_gradient(x, &<[usize; _]>::from(weight), dy, options)
        }

        #[doc = concat!("The transposed convolution of an input (batch, channels, ", $axes, ") and a weight (channels, output channels a")]
        #[doc = concat!("group, taps …). Its gradient by the input is [`", stringify!($conv), "`] of `dy` and `w`; that by the weight is")]
        #[doc = concat!("[`", stringify!($weight), "`] with `dy` for the input and `x` for the output's gradient.")]
        ///
        /// ```
        #[doc = concat!("use faltung::ndarray::", stringify!($array), ";")]
        #[doc = concat!("use faltung::nn::{ConvOptions, functional::", stringify!($transposed), "};")]
        #[doc = concat!("let (x, w) = (", stringify!($array), "::<f32>::ones(", $y, "), ", stringify!($array), "::ones(", $w, "));")]
        #[doc = concat!("let y = ", stringify!($transposed), "(&x, &w, None, &ConvOptions::new().padding(1), 0)?;")]
        #[doc = concat!("assert_eq!(y.dim(), ", $x, ");")]
        /// # Ok::<(), faltung::Error>(())
        /// ```
        ///
        /// # Errors
        /// [`Error`] where the shapes do not fit each other or the options.
        pub fn $transposed<T: Float>(
            x: &ArrayRef<T, $ix>,
            w: &ArrayRef<T, $ix>,
            bias: Option<&ArrayRef<T, Ix1>>,
            options: &ConvOptions,
            output_padding: impl Into<Extents>,
        ) -> Result<$array<T>> {
            transpose(x, w, bias, options, output_padding.into())
        }
    };
}
named!(
    Ix3,
    Array3,
    (usize, usize, usize),
    "length",
    conv1d,
    conv1d_input_gradient,
    conv1d_weight_gradient,
    conv_transpose1d,
    "(2, 3, 9)",
    "(2, 4, 9)",
    "(4, 3, 3)"
);
named!(
    Ix4,
    Array4,
    (usize, usize, usize, usize),
    "height, width",
    conv2d,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    conv_transpose2d,
    "(2, 3, 9, 8)",
    "(2, 4, 9, 8)",
    "(4, 3, 3, 3)"
);
named!(
    Ix5,
    Array5,
    (usize, usize, usize, usize, usize),
    "depth, height, width",
    conv3d,
    conv3d_input_gradient,
    conv3d_weight_gradient,
    conv_transpose3d,
    "(2, 3, 5, 6, 4)",
    "(2, 4, 5, 6, 4)",
    "(4, 3, 3, 3, 3)"
);

//! Functions of one number.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::error::Result;
use crate::nn::layer::{dense, input, output};
use crate::nn::work::{GRAIN, share, wide};
use crate::nn::{Backward, Context, Design, Float, Layer, Random};

/// A function of one number that makes a network more than linear: a layer of its own, or computed within the
/// convolution or dense layer before it.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{Activation, Sequential};
/// let mut network = Sequential::new().layer(Activation::LeakyRelu(0.1)).build(0)?;
/// assert_eq!(network.forward(array![[-2.0f32, 3.0]].into_dyn().view())?, array![[-0.2f32, 3.0]].into_dyn());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// max(x, 0). NaN stays NaN.
    Relu,
    /// x above 0, below so many times x; PyTorch's default is 0.01.
    LeakyRelu(f64),
    /// x Φ(x), with the normal distribution's Φ; the exact form (Hendrycks and Gimpel 2016).
    Gelu,
    /// x σ(x), also called swish.
    Silu,
    /// σ(x) = 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

#[inline(always)]
fn sigmoid<T: Float>(x: T) -> T {
    // Neither exponential overflows.
    let e = (-x.abs()).exp();
    if x < T::ZERO { e / (T::ONE + e) } else { T::ONE / (T::ONE + e) }
}

impl Activation {
    /// The function's value.
    ///
    /// ```
    /// use faltung::nn::Activation;
    /// assert_eq!(Activation::Sigmoid.value(0.0f64), 0.5);
    /// ```
    #[inline(always)]
    pub fn value<T: Float>(self, x: T) -> T {
        match self {
            // Written so that NaN is not less than 0, and stays.
            Self::Relu => {
                if x < T::ZERO {
                    T::ZERO
                } else {
                    x
                }
            }
            Self::LeakyRelu(slope) => {
                if x < T::ZERO {
                    x * T::from_f64(slope)
                } else {
                    x
                }
            }
            Self::Gelu => x * T::from_f64(0.5) * (T::ONE + (x * T::from_f64(FRAC_1_SQRT_2)).erf()),
            Self::Silu => x * sigmoid(x),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
        }
    }

    /// The function's slope at `x`, where its value is `y`. At a corner it is the left one's, as in PyTorch.
    ///
    /// ```
    /// use faltung::nn::Activation;
    /// assert_eq!(Activation::Tanh.slope(0.0f64, 0.0), 1.0);
    /// ```
    #[inline(always)]
    pub fn slope<T: Float>(self, x: T, y: T) -> T {
        match self {
            Self::Relu => {
                if y > T::ZERO {
                    T::ONE
                } else {
                    T::ZERO
                }
            }
            Self::LeakyRelu(slope) => {
                if x > T::ZERO {
                    T::ONE
                } else {
                    T::from_f64(slope)
                }
            }
            Self::Gelu => {
                let density = (-x * x * T::from_f64(0.5)).exp() * T::from_f64(1.0 / (2.0 * PI).sqrt());
                T::from_f64(0.5) * (T::ONE + (x * T::from_f64(FRAC_1_SQRT_2)).erf()) + x * density
            }
            Self::Silu => {
                let s = sigmoid(x);
                s * (T::ONE + x * (T::ONE - s))
            }
            Self::Sigmoid => y * (T::ONE - y),
            Self::Tanh => T::ONE - y * y,
        }
    }

    /// The gradient by `x`, where the value is `y` and the gradient by it `dy`.
    #[inline(always)]
    pub(in crate::nn) fn gradient<T: Float>(self, x: T, y: T, dy: T) -> T {
        match self {
            // A choice and no product: the gradient of what is cut off is 0 even where `dy` is infinite.
            Self::Relu => {
                if y > T::ZERO {
                    dy
                } else {
                    T::ZERO
                }
            }
            _ => dy * self.slope(x, y),
        }
    }

    /// Whether the slope follows from the value alone, so that a layer may compute both in one place.
    pub(in crate::nn) fn knows_slope_by_value(self) -> bool {
        matches!(self, Self::Relu | Self::Sigmoid | Self::Tanh)
    }

    /// The values of a slice, elsewhere.
    #[inline(always)]
    pub(in crate::nn) fn map<T: Float>(self, x: &[T], y: &mut [T]) {
        // One loop a function: none decides anew for each number.
        macro_rules! each {
            ($function:expr) => {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = $function.value(x);
                }
            };
        }
        match self {
            Self::Relu => each!(Self::Relu),
            Self::LeakyRelu(slope) => each!(Self::LeakyRelu(slope)),
            Self::Gelu => each!(Self::Gelu),
            Self::Silu => each!(Self::Silu),
            Self::Sigmoid => each!(Self::Sigmoid),
            Self::Tanh => each!(Self::Tanh),
        }
    }

    /// Multiplies gradients by the slopes.
    #[inline(always)]
    pub(in crate::nn) fn scale<T: Float>(self, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
        macro_rules! each {
            ($function:expr) => {
                for (((dx, &x), &y), &dy) in dx.iter_mut().zip(x).zip(y).zip(dy) {
                    *dx = $function.gradient(x, y, dy);
                }
            };
        }
        match self {
            Self::Relu => each!(Self::Relu),
            Self::LeakyRelu(slope) => each!(Self::LeakyRelu(slope)),
            Self::Gelu => each!(Self::Gelu),
            Self::Silu => each!(Self::Silu),
            Self::Sigmoid => each!(Self::Sigmoid),
            Self::Tanh => each!(Self::Tanh),
        }
    }
}

impl<T: Float> Design<T> for Activation {
    fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
        Ok(self)
    }
}

impl<T: Float> Layer<T> for Activation {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, _: &mut Context<T>) -> Result<()> {
        let function = *self;
        share((input(&x)?, output(y)?), GRAIN, &|_, (x, y)| wide!(function.map(x, y)));
        Ok(())
    }

    fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
        let Some(dx) = pass.dx else { return Ok(()) };
        let function = *self;
        let dy = dense("output gradient", pass.dy.as_slice())?;
        let arrays = (input(&pass.x)?, input(&pass.y)?, dy, output(dx)?);
        share(arrays, GRAIN, &|_, (x, y, dy, dx)| wide!(function.scale(x, y, dy, dx)));
        Ok(())
    }

    fn activation(&self) -> Option<Activation> {
        Some(*self)
    }
}

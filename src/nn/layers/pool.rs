//! Max and average pooling.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::Extents;
use super::window::{TILE, Walk, Window, larger};
use crate::error::Result;
use crate::nn::layer::{dense, input, output};
use crate::nn::work::{GRAIN, rows, share, wide};
use crate::nn::{Backward, Context, Design, Float, Layer, Random};

/// The largest sample of each window, over `N` spatial axes. NaN is larger than any number, as in PyTorch; the gradient
/// goes to the first of the largest samples.
///
/// Input (batch, channels, spatial …), output the same with extents `(n + 2 padding - window) / stride + 1`, rounded
/// down. The stride is the window's extent unless set.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{MaxPool2d, Sequential};
/// let mut network = Sequential::new().layer(MaxPool2d::new(2)).build(0)?;
/// let image = array![[[[1.0f32, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]]].into_dyn();
/// assert_eq!(network.forward(image.view())?, array![[[[4.0f32, 8.0]]]].into_dyn());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool<const N: usize> {
    window: Extents,
    stride: Option<Extents>,
    padding: Extents,
}

/// Max pooling of signals: (batch, channels, length).
pub type MaxPool1d = MaxPool<1>;
/// Max pooling of images: (batch, channels, height, width).
pub type MaxPool2d = MaxPool<2>;
/// Max pooling of volumes: (batch, channels, depth, height, width).
pub type MaxPool3d = MaxPool<3>;

/// The average of each window, over `N` spatial axes.
///
/// Shapes are those of [`MaxPool`].
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{AvgPool1d, Sequential};
/// let mut network = Sequential::new().layer(AvgPool1d::new(3).stride(1).padding(1)).build(0)?;
/// let signal = array![[[3.0f32, 6.0, 9.0]]].into_dyn();
/// assert_eq!(network.forward(signal.view())?, array![[[3.0f32, 6.0, 5.0]]].into_dyn());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool<const N: usize> {
    window: Extents,
    stride: Option<Extents>,
    padding: Extents,
    padding_counts: bool,
}

/// Average pooling of signals: (batch, channels, length).
pub type AvgPool1d = AvgPool<1>;
/// Average pooling of images: (batch, channels, height, width).
pub type AvgPool2d = AvgPool<2>;
/// Average pooling of volumes: (batch, channels, depth, height, width).
pub type AvgPool3d = AvgPool<3>;

macro_rules! window_setters {
    () => {
        /// Steps between windows; the window's extent unless set.
        #[must_use]
        pub fn stride(mut self, stride: impl Into<Extents>) -> Self {
            self.stride = Some(stride.into());
            self
        }

        /// Positions added on both sides of each axis, half a window at the most; 0 unless set.
        #[must_use]
        pub fn padding(mut self, padding: impl Into<Extents>) -> Self {
            self.padding = padding.into();
            self
        }

        fn layer(self, kind: Kind) -> Result<PoolLayer> {
            let window = self.window.over("window", N)?;
            let stride = self.stride.as_ref().map_or(Ok(window.clone()), |stride| stride.over("stride", N))?;
            Ok(PoolLayer { kind, window: Window::new(window, stride, self.padding.over("padding", N)?)? })
        }
    };
}

impl<const N: usize> MaxPool<N> {
    /// Windows of an extent, `2` or one an axis.
    pub fn new(window: impl Into<Extents>) -> Self {
        Self { window: window.into(), stride: None, padding: 0.into() }
    }

    window_setters!();
}

impl<const N: usize> AvgPool<N> {
    /// Windows of an extent, `2` or one an axis.
    pub fn new(window: impl Into<Extents>) -> Self {
        Self { window: window.into(), stride: None, padding: 0.into(), padding_counts: true }
    }

    /// Whether the padding counts as zeros, as it does unless set and in PyTorch, or is left out.
    #[must_use]
    pub fn count_include_padding(mut self, counts: bool) -> Self {
        self.padding_counts = counts;
        self
    }

    window_setters!();
}

impl<T: Float, const N: usize> Design<T> for MaxPool<N> {
    fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
        Ok(Box::new(self.layer(Kind::Max)?))
    }
}

impl<T: Float, const N: usize> Design<T> for AvgPool<N> {
    fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
        let padding_counts = self.padding_counts;
        Ok(Box::new(self.layer(Kind::Average { padding_counts })?))
    }
}

/// What becomes of the samples in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Max,
    Average { padding_counts: bool },
}

struct PoolLayer {
    kind: Kind,
    window: Window,
}

impl Kind {
    /// Pools a plane.
    #[inline(always)]
    fn pool<T: Float>(self, walk: &Walk, x: &[T], y: &mut [T]) {
        match self {
            Self::Max if walk.is_pairs() => walk.pairs_max(x, y),
            Self::Max if walk.is_sliding() => walk.each_tile(
                #[inline(always)]
                |to, runs| {
                    let y = &mut y[to];
                    y.fill(T::NEG_INFINITY);
                    runs.for_each(
                        #[inline(always)]
                        |to, from| {
                            let x = &x[from..from + to.len()];
                            y[to].iter_mut().zip(x).for_each(|(y, &x)| *y = larger(*y, x));
                        },
                    );
                },
            ),
            Self::Max => walk.each(|at, places| {
                y[at] = T::NEG_INFINITY;
                places.for_each(|from| y[at] = larger(y[at], x[from]));
            }),
            Self::Average { padding_counts } => walk.each(|at, places| {
                let mut sum = T::ZERO;
                places.for_each(|from| sum += x[from]);
                y[at] = sum / divisor(padding_counts, walk, places.count());
            }),
        }
    }

    /// Takes a plane's gradient back.
    #[inline(always)]
    fn back<T: Float>(self, walk: &Walk, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
        match self {
            Self::Max if walk.is_pairs() => walk.pairs_max_back(x, y, dy, dx),
            Self::Max if walk.is_sliding() => {
                dx.fill(T::ZERO);
                walk.each_tile(
                    #[inline(always)]
                    |to, runs| {
                        // What each window has left to give: nothing once its first largest sample has been met.
                        let mut left = [T::ZERO; TILE];
                        let (y, left) = (&y[to.clone()], &mut left[..to.len()]);
                        left.copy_from_slice(&dy[to]);
                        runs.for_each(
                            #[inline(always)]
                            |to, from| {
                                let (x, dx) = (&x[from..from + to.len()], &mut dx[from..from + to.len()]);
                                let windows = y[to.clone()].iter().zip(&mut left[to]);
                                for ((dx, &x), (&y, left)) in dx.iter_mut().zip(x).zip(windows) {
                                    let hit = (x == y) | x.is_nan();
                                    *dx += if hit { *left } else { T::ZERO };
                                    *left = if hit { T::ZERO } else { *left };
                                }
                            },
                        );
                    },
                );
            }
            Self::Max => {
                dx.fill(T::ZERO);
                walk.each(|at, places| {
                    let mut first = None;
                    places.for_each(|from| {
                        if first.is_none() && (x[from] == y[at] || x[from].is_nan()) {
                            first = Some(from);
                        }
                    });
                    if let Some(from) = first {
                        dx[from] += dy[at];
                    }
                });
            }
            Self::Average { padding_counts } => {
                dx.fill(T::ZERO);
                walk.each(|at, places| {
                    let part = dy[at] / divisor(padding_counts, walk, places.count());
                    places.for_each(|from| dx[from] += part);
                });
            }
        }
    }
}

impl Kind {
    /// Pools all planes.
    pub(super) fn forward<T: Float>(self, walk: Walk, x: &ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>) -> Result<()> {
        let (inputs, outputs) = (walk.inputs(), walk.outputs());
        share((rows(input(x)?, inputs), rows(output(y)?, outputs)), GRAIN.div_ceil(inputs.max(1)), &|_, (x, y)| {
            let planes = x.data.chunks_exact(inputs).zip(y.data.chunks_exact_mut(outputs));
            wide!({
                for (x, y) in planes {
                    self.pool(&walk, x, y);
                }
            });
        });
        Ok(())
    }

    /// Takes the gradient of all planes back.
    pub(super) fn backward<T: Float>(self, walk: Walk, pass: Backward<'_, T>) -> Result<()> {
        let Some(dx) = pass.dx else { return Ok(()) };
        let (inputs, outputs) = (walk.inputs(), walk.outputs());
        let (x, y) = (rows(input(&pass.x)?, inputs), rows(input(&pass.y)?, outputs));
        let dy = rows(dense("output gradient", pass.dy.as_slice())?, outputs);
        let arrays = (x, y, dy, rows(output(dx)?, inputs));
        share(arrays, GRAIN.div_ceil(inputs.max(1)), &|_, (x, y, dy, dx)| {
            let given = y.data.chunks_exact(outputs).zip(dy.data.chunks_exact(outputs));
            let planes = x.data.chunks_exact(inputs).zip(dx.data.chunks_exact_mut(inputs));
            wide!({
                for ((x, dx), (y, dy)) in planes.zip(given) {
                    self.back(&walk, x, y, dy, dx);
                }
            });
        });
        Ok(())
    }
}

#[inline(always)]
fn divisor<T: Float>(padding_counts: bool, walk: &Walk, samples: usize) -> T {
    T::from_f64(if padding_counts { walk.taps() } else { samples } as f64)
}

impl<T: Float> Layer<T> for PoolLayer {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.window.output_shape(input)
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, _: &mut Context<T>) -> Result<()> {
        self.kind.forward(self.window.over(x.shape())?, &x, y)
    }

    fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
        self.kind.backward(self.window.over(pass.x.shape())?, pass)
    }
    fn max_pool(&self) -> Option<&Window> {
        (self.kind == Kind::Max).then_some(&self.window)
    }
}

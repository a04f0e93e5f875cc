//! Pictures moved, turned, stretched, sheared and rumpled.

use std::sync::{Mutex, PoisonError};

use ndarray::{Array3, ArrayView3, ArrayViewMutD, Ix3};

use super::{Augment, Draws, bound, factors};
use crate::error::{Error, Result};
use crate::filter::named::{Design, Gaussian, NamedFilter};
use crate::nn::Float;
use crate::plan::Workspace;
use crate::problem::Boundary;

/// Beyond this pixel, `f32` has no fractions of pixels left to speak of.
const MOST_PIXELS: usize = 1 << 16;

/// Random shifts, rotations, scales, shears, elastic distortions and flips of pictures, (channels, height, width).
///
/// Each picture draws a map of its own: output pixel `o` shows what was at `c + S⁻¹ H⁻¹ R⁻¹ (o + d - t - c)`, about the
/// middle `c`, with the displacement `d` of the elastic distortion at `o`, the shift `t`, and scale, shear and
/// rotation. The parts are composed before anything is sampled, so that a picture is interpolated once, bilinearly,
/// with a value of one's choice outside; whole-numbered shifts and flips alone copy pixels as they are.
///
/// All parts are off unless asked for. For MNIST, shifts up to 2, rotations up to 10°, scales 0.9 to 1.1 and Simard's
/// distortions are common.
///
/// ```
/// use faltung::ndarray::{Array4, ArrayD};
/// use faltung::nn::data::{Augmented, Dataset, ImageClasses, Warp};
///
/// let ramp = Array4::from_shape_fn((1, 1, 4, 4), |(.., x)| 50 * x as u8);
/// let data = ImageClasses::<f32>::new(ramp, vec![0], vec!["ramp".to_string()])?;
/// let cropped = Augmented::new(data).then(Warp::new().crop(1))?;
/// let mut sample = ArrayD::zeros(cropped.sample_shape());
/// cropped.read(0, Some(1), sample.view_mut())?;
/// assert!(sample.iter().all(|&v| (v * 255.0 / 50.0).fract() == 0.0)); // pixels as they were, or 0
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Debug)]
pub struct Warp {
    shift: f64,
    crop: usize,
    rotate: f64,
    scale: (f64, f64),
    shear: f64,
    flip: f64,
    elastic: Option<(f64, f64)>,
    outside: f64,
    shape: Vec<usize>,
    smooth: Option<NamedFilter<f32, Ix3>>,
    /// Memory that threads lend each other.
    spare: Mutex<Vec<Scratch>>,
}

/// The displacements of a picture.
#[derive(Default)]
struct Scratch {
    noise: Array3<f32>,
    field: Array3<f32>,
    workspace: Workspace,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("shape", &self.field.shape()).finish()
    }
}

impl Default for Warp {
    fn default() -> Self {
        Self {
            shift: 0.0,
            crop: 0,
            rotate: 0.0,
            scale: (1.0, 1.0),
            shear: 0.0,
            flip: 0.0,
            elastic: None,
            outside: 0.0,
            shape: Vec::new(),
            smooth: None,
            spare: Mutex::new(Vec::new()),
        }
    }
}

impl Warp {
    /// No change.
    ///
    /// ```
    /// use faltung::nn::data::Warp;
    /// let warp = Warp::new().shift(2.0).rotate(15.0);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Shifts by up to so many pixels, fractions included, along both axes.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let warp = Warp::new().shift(2.0);
    /// ```
    pub fn shift(mut self, pixels: f64) -> Self {
        self.shift = pixels;
        self
    }

    /// Shifts by up to so many whole pixels along both axes: the same as to pad a picture by them and to cut a random
    /// part of its size out.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let cifar = Warp::new().crop(4).flip(0.5);
    /// ```
    pub fn crop(mut self, padding: usize) -> Self {
        self.crop = padding;
        self
    }

    /// Rotates by up to so many degrees either way.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let warp = Warp::new().rotate(15.0);
    /// ```
    pub fn rotate(mut self, degrees: f64) -> Self {
        self.rotate = degrees;
        self
    }

    /// Scales by a factor from `low` to `high`; above 1 what is seen grows.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let warp = Warp::new().scale(0.9, 1.1);
    /// ```
    pub fn scale(mut self, low: f64, high: f64) -> Self {
        self.scale = (low, high);
        self
    }

    /// Shears rows against each other, so that vertical lines lean by up to so many degrees either way.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let warp = Warp::new().shear(10.0);
    /// ```
    pub fn shear(mut self, degrees: f64) -> Self {
        self.shear = degrees;
        self
    }

    /// Exchanges left and right with this probability.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let warp = Warp::new().flip(0.5);
    /// ```
    pub fn flip(mut self, probability: f64) -> Self {
        self.flip = probability;
        self
    }

    /// Elastic distortions as in Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks
    /// Applied to Visual Document Analysis" (2003): each pixel's displacement is drawn from -1 to 1 along both axes,
    /// these fields are smoothed by a Gaussian of deviation `sigma`, in pixels, with zeros outside, and multiplied by
    /// `alpha`. For MNIST they took 34 and 4.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let warp = Warp::new().elastic(34.0, 4.0);
    /// ```
    pub fn elastic(mut self, alpha: f64, sigma: f64) -> Self {
        self.elastic = Some((alpha, sigma));
        self
    }

    /// What lies outside the picture; 0 unless set. It is in the samples' unit, after any normalisation.
    ///
    /// ```
    /// # use faltung::nn::data::Warp;
    /// let black = Warp::new().shift(2.0).outside(-0.1307 / 0.3081);
    /// ```
    pub fn outside(mut self, value: f64) -> Self {
        self.outside = value;
        self
    }

    /// Draws a map for pictures of this height and width.
    fn map(&self, height: usize, width: usize, draws: &mut Draws) -> Map {
        let mut around = |most: f64| if most > 0.0 { draws.between(-most, most) } else { 0.0 };
        let shift = [around(self.shift), around(self.shift)];
        let (turn, lean) = (around(self.rotate).to_radians(), around(self.shear).to_radians());
        let mut whole = || if self.crop > 0 { draws.below(2 * self.crop + 1) as f64 - self.crop as f64 } else { 0.0 };
        let whole = [whole(), whole()];
        let (low, high) = self.scale;
        let scale = if low < high { draws.between(low, high) } else { low };
        let mirror = if self.flip > 0.0 && draws.chance(self.flip) { -1.0 } else { 1.0 };
        let (sin, cos, lean) = (libm::sin(turn), libm::cos(turn), libm::tan(lean));
        // R⁻¹, then H⁻¹ and S⁻¹, on (y, x); the flip is the last on the way back.
        let back =
            [[cos / scale, sin / scale], [(-sin - lean * cos) * mirror / scale, (cos - lean * sin) * mirror / scale]];
        let middle = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
        Map { back, middle, shift: [shift[0] + whole[0], shift[1] + whole[1]] }
    }

    /// Draws displacements, in pixels times `alpha`.
    fn displacements(&self, scratch: &mut Scratch, draws: &mut Draws) -> Result<()> {
        let Some(smooth) = &self.smooth else { return Ok(()) };
        if scratch.field.raw_dim() != smooth.dim() {
            (scratch.noise, scratch.field) = (Array3::zeros(smooth.dim()), Array3::zeros(smooth.dim()));
        }
        if let Some(noise) = scratch.noise.as_slice_mut() {
            draws.fill(noise);
        }
        smooth.apply_into(&scratch.noise, &mut scratch.field, &mut scratch.workspace)
    }
}

/// Where output pixels come from, but for their displacements.
struct Map {
    back: [[f64; 2]; 2],
    middle: [f64; 2],
    shift: [f64; 2],
}

/// Where one output pixel comes from: the first of four pixels in the bordered picture, and the weights of the others.
#[derive(Clone, Copy)]
struct Tap {
    place: usize,
    down: f32,
    right: f32,
}

impl Map {
    /// The taps of an output row in a bordered picture.
    fn row(&self, y: usize, picture: (usize, usize), field: Option<(&ArrayView3<'_, f32>, f32)>, taps: &mut [Tap]) {
        let (height, width) = picture;
        let [[yy, yx], [xy, xx]] = self.back;
        let dy = y as f64 - self.middle[0] - self.shift[0];
        let dx = -self.middle[1] - self.shift[1];
        // Of the row's first pixel; the border's one pixel is in front of the picture.
        let start =
            [(self.middle[0] + yy * dy + yx * dx + 1.0) as f32, (self.middle[1] + xy * dy + xx * dx + 1.0) as f32];
        let [[yy, yx], [xy, xx]] = self.back.map(|row| row.map(|v| v as f32));
        let (last, pitch) = ([(height + 1) as f32, (width + 1) as f32], width + BORDER);
        let at = |x: usize, [dy, dx]: [f32; 2]| {
            let x = x as f32;
            let row = (start[0] + yx * x + yy * dy + yx * dx).clamp(0.0, last[0]);
            let column = (start[1] + xx * x + xy * dy + xx * dx).clamp(0.0, last[1]);
            let (top, left) = (row as usize, column as usize);
            Tap { place: top * pitch + left, down: row - top as f32, right: column - left as f32 }
        };
        match field {
            None => taps.iter_mut().enumerate().for_each(|(x, tap)| *tap = at(x, [0.0; 2])),
            Some((field, alpha)) => {
                let (down, right) = (field.slice(ndarray::s![0, y, ..]), field.slice(ndarray::s![1, y, ..]));
                for (((x, tap), &down), &right) in taps.iter_mut().enumerate().zip(&down).zip(&right) {
                    *tap = at(x, [alpha * down, alpha * right]);
                }
            }
        }
    }
}

/// Pixels around a picture along each axis: one in front, and two behind, of which the second is never seen.
const BORDER: usize = 3;

impl<T: Float> Augment<T> for Warp {
    fn prepare(&mut self, shape: &[usize]) -> Result<()> {
        let &[_, height, width] = shape else {
            return Err(Error::argument("samples", "pictures (channels, height, width)", format!("shape {shape:?}")));
        };
        if height == 0 || width == 0 || height.max(width) > MOST_PIXELS {
            let expected = format!("pictures of 1 to {MOST_PIXELS} rows and columns");
            return Err(Error::argument("samples", expected, format!("shape {shape:?}")));
        }
        bound("shift", self.shift, MOST_PIXELS as f64)?;
        bound("crop", self.crop as f64, MOST_PIXELS as f64)?;
        bound("rotate", self.rotate, 360.0)?;
        bound("shear", self.shear, 80.0)?;
        bound("flip", self.flip, 1.0)?;
        factors("scale", self.scale.0, self.scale.1)?;
        if !self.outside.is_finite() {
            return Err(Error::argument("outside", "a finite number", self.outside));
        }
        self.smooth = None;
        if let Some((alpha, sigma)) = self.elastic {
            bound("alpha", alpha, 1e6)?;
            bound("sigma", sigma, MOST_PIXELS as f64)?;
            let smooth = Gaussian::new(sigma).plan(Ix3(2, height, width), &[1, 2], Boundary::Zero)?;
            self.smooth = (alpha > 0.0).then_some(smooth);
        }
        self.shape = shape.to_vec();
        Ok(())
    }

    fn apply(&self, sample: ArrayViewMutD<'_, T>, draws: &mut Draws) -> Result<()> {
        if sample.shape() != self.shape {
            return Err(Error::shape("sample", &self.shape, sample.shape()));
        }
        let mut sample = sample.into_dimensionality::<Ix3>().map_err(|e| Error::other("warping a picture", e))?;
        let (_, height, width) = sample.dim();
        let map = self.map(height, width, draws);
        let mut scratch = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        self.displacements(&mut scratch, draws)?;
        let field = scratch.field.view();
        let alpha = self.elastic.map_or(0.0, |(alpha, _)| alpha as f32);
        let field = self.smooth.as_ref().map(|_| (&field, alpha));

        let (pitch, plane) = (width + BORDER, (height + BORDER) * (width + BORDER));
        let bordered = plane.checked_mul(sample.dim().0).ok_or_else(|| Error::overflow("the size of a picture"))?;
        let mut source = vec![T::from_f64(self.outside); bordered];
        for (channel, plane) in sample.outer_iter().zip(source.chunks_exact_mut(plane)) {
            for (from, to) in channel.outer_iter().zip(plane.chunks_exact_mut(pitch).skip(1)) {
                to.iter_mut().skip(1).zip(from).for_each(|(to, &from)| *to = from);
            }
        }
        let mut taps = vec![Tap { place: 0, down: 0.0, right: 0.0 }; width];
        for y in 0..height {
            map.row(y, (height, width), field, &mut taps);
            for (mut channel, source) in sample.outer_iter_mut().zip(source.chunks_exact(plane)) {
                for (to, tap) in channel.row_mut(y).iter_mut().zip(&taps) {
                    *to = interpolate(source, pitch, tap);
                }
            }
        }
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        Ok(())
    }
}

/// Four pixels by their weights; with weights of 0, the first one to the bit.
#[inline(always)]
fn interpolate<T: Float>(source: &[T], pitch: usize, tap: &Tap) -> T {
    let (top, bottom) = (&source[tap.place..][..2], &source[tap.place + pitch..][..2]);
    let (down, right) = (T::from_f64(tap.down.into()), T::from_f64(tap.right.into()));
    let upper = top[0] + right * (top[1] - top[0]);
    let lower = bottom[0] + right * (bottom[1] - bottom[0]);
    upper + down * (lower - upper)
}

//! Picture filters made ready for one size.

use std::sync::OnceLock;

use ::image::{ColorType, DynamicImage, ImageBuffer, Pixel};
use ndarray::{Array3, ArrayRef3, ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Dimension, Ix2, s};

use super::filter::{Alpha, Depth, ImageFilter};
use super::planes::{
    buffer, eight, fit, floating, frame, gather, gather_premultiplied, on_frame, scatter, sixteen, zeros,
};
use super::sample::{Real, Sample};
use super::strips::{Strip, Strips};
use crate::error::{Error, Result};
use crate::filter::named::{NamedFilter, Operator, Taps};
use crate::plan::Workspace;
use crate::problem::Boundary;

/// The memory that filters borrow for the planes of a picture, or of a strip of it, kept from one frame to the next.
///
/// One serves any number of filters and sizes, one call at a time.
///
/// ```
/// let workspace = faltung::image::FrameWorkspace::new(); // allocates nothing yet
/// ```
#[derive(Debug, Default)]
pub struct FrameWorkspace {
    single: Planes<f32>,
    double: Planes<f64>,
    inner: Workspace,
}

impl FrameWorkspace {
    /// An empty workspace.
    ///
    /// ```
    /// let workspace = faltung::image::FrameWorkspace::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }
}

/// A channel before and behind the filter, and the result's alpha.
#[derive(Debug, Default)]
struct Planes<T> {
    before: Vec<T>,
    behind: Vec<T>,
    alpha: Vec<T>,
}

/// A filter for pictures and frames of one size, of any depth and number of channels. It is shared freely among
/// threads.
///
/// Planned by [`ImageFilter::plan`]; the filter for each of the two precisions is planned when first needed.
///
/// ```
/// use faltung::filter::named::Gaussian;
/// use faltung::image::{FrameWorkspace, ImageFilter, image::DynamicImage};
///
/// let blur = ImageFilter::named(&Gaussian::new(1.0))?.plan((30, 40))?;
/// let mut workspace = FrameWorkspace::new();
/// for picture in [DynamicImage::new_rgb8(40, 30), DynamicImage::new_luma16(40, 30)] {
///     assert_eq!(blur.apply(&picture, &mut workspace)?, picture);
/// }
/// assert!(blur.apply(&DynamicImage::new_rgb8(30, 40), &mut workspace).is_err());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Debug)]
pub struct PlannedImageFilter {
    filter: ImageFilter,
    operator: Operator,
    /// Rows and columns.
    size: (usize, usize),
    boundary: Boundary,
    strips: Strips,
    /// Whether `f32` is enough for the sums of 8-bit samples.
    narrow: bool,
    single: OnceLock<NamedFilter<f32, Ix2>>,
    double: OnceLock<NamedFilter<f64, Ix2>>,
}

/// The largest error, in grey levels, that `f32` may add to a picture of 8 bits.
const TOLERANCE: f64 = 1e-3;
/// What the rounding of several passes may add up to, in units of the largest term's.
const PASSES: f64 = 4.0;

impl PlannedImageFilter {
    pub(super) fn new(filter: ImageFilter, operator: Operator, size: (usize, usize)) -> Result<Self> {
        if size.0 == 0 || size.1 == 0 {
            let given = format!("{} x {}", size.0, size.1);
            return Err(Error::argument("picture", "at least one row and one column", given));
        }
        let boundary = filter.boundary.unwrap_or(operator.boundary());
        // What is wrapped around comes from the far end.
        let reach = if boundary == Boundary::Wrap { None } else { operator.reach().first().copied() };
        let (strips, narrow) = (Strips::new(size, reach), narrow(&operator));
        let (single, double) = (OnceLock::new(), OnceLock::new());
        Ok(Self { filter, operator, size, boundary, strips, narrow, single, double })
    }

    fn plan<T: Real>(&self, boundary: Boundary) -> Result<NamedFilter<T, Ix2>> {
        self.operator.plan(Ix2(self.strips.rows(), self.size.1), &[0, 1], boundary)
    }

    /// Filters a picture; see [`ImageFilter::apply`].
    ///
    /// # Errors
    /// [`Error::Shape`] where the picture has another size; [`Error::Other`] where there is no memory for the result.
    ///
    /// ```
    /// use faltung::image::{FrameWorkspace, ImageFilter, image::DynamicImage};
    /// use faltung::ndarray::array;
    ///
    /// let filter = ImageFilter::kernel(&array![[1, 1]]).divisor(2.0).plan((3, 4))?;
    /// let picture = DynamicImage::new_luma8(4, 3);
    /// assert_eq!(filter.apply(&picture, &mut FrameWorkspace::new())?, picture);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, picture: &DynamicImage, workspace: &mut FrameWorkspace) -> Result<DynamicImage> {
        let depth = match (self.filter.depth, picture.color()) {
            (Depth::Same, ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8) => Depth::U8,
            (Depth::Same, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16) => Depth::U16,
            (Depth::Same, _) => Depth::F32,
            (depth, _) => depth,
        };
        let mut filtered = match depth {
            Depth::U8 => eight(self.picture(picture, true, workspace)?)?,
            Depth::U16 => sixteen(self.picture(picture, true, workspace)?)?,
            Depth::F32 | Depth::Same => floating(self.picture(picture, true, workspace)?)?,
        };
        let space = picture.color_space();
        filtered.set_color_space(space).map_err(|e| Error::other("keeping the colour space", e))?;
        Ok(filtered)
    }

    /// Filters a picture into a frame; see [`ImageFilter::apply_as`].
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::image::{FrameWorkspace, ImageFilter, image::DynamicImage};
    /// use faltung::ndarray::{Array3, array};
    ///
    /// let filter = ImageFilter::kernel(&array![[-1, 0, 1]]).plan((3, 4))?;
    /// let y = filter.apply_as::<f32>(&DynamicImage::new_rgb8(4, 3), &mut FrameWorkspace::new())?;
    /// assert_eq!(y, Array3::<f32>::zeros((3, 4, 3)));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_as<O: Sample>(&self, picture: &DynamicImage, workspace: &mut FrameWorkspace) -> Result<Array3<O>> {
        self.picture(picture, false, workspace)
    }

    /// Filters a buffer of pixels; see [`ImageFilter::apply_buffer_as`].
    ///
    /// # Errors
    /// As [`ImageFilter::apply_buffer_as`], and [`Error::Shape`] where the buffer has another size.
    ///
    /// ```
    /// use faltung::image::{FrameWorkspace, ImageFilter, image::{GrayImage, Luma}};
    /// use faltung::ndarray::array;
    ///
    /// let filter = ImageFilter::kernel(&array![[1, 1]]).divisor(2.0).plan((3, 4))?;
    /// let y = filter.apply_buffer_as::<_, Luma<f32>, _>(&GrayImage::new(4, 3), &mut FrameWorkspace::new())?;
    /// assert_eq!(y[(0, 0)].0, [0.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_buffer_as<P, Q, C>(
        &self,
        picture: &ImageBuffer<P, C>,
        workspace: &mut FrameWorkspace,
    ) -> Result<ImageBuffer<Q, Vec<Q::Subpixel>>>
    where
        P: Pixel<Subpixel: Sample>,
        Q: Pixel<Subpixel: Sample>,
        C: std::ops::Deref<Target = [P::Subpixel]>,
    {
        if P::CHANNEL_COUNT != Q::CHANNEL_COUNT {
            let expected = format!("{} channels, those of the buffer", P::CHANNEL_COUNT);
            return Err(Error::argument("pixel type", expected, Q::CHANNEL_COUNT));
        }
        let mut filtered = buffer::<Q>(self.fresh(frame(picture)?, self.alpha(P::HAS_ALPHA), 1.0, workspace)?)?;
        let space = picture.color_space();
        filtered.set_color_space(space).map_err(|e| Error::other("keeping the colour space", e))?;
        Ok(filtered)
    }

    /// Filters a frame, height x width x channels; see [`ImageFilter::apply_frame_as`].
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::image::{FrameWorkspace, ImageFilter};
    /// use faltung::ndarray::{Array3, array};
    ///
    /// let filter = ImageFilter::kernel(&array![[-1, 0, 1]]).plan((1, 3))?;
    /// let y: Array3<i16> = filter.apply_frame_as(&array![[[200u8], [100], [0]]], &mut FrameWorkspace::new())?;
    /// assert_eq!(y, array![[[0], [-200], [0]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_frame_as<S: Sample, O: Sample>(
        &self,
        frame: &ArrayRef3<S>,
        workspace: &mut FrameWorkspace,
    ) -> Result<Array3<O>> {
        self.fresh(frame.view(), self.alpha(false), 1.0, workspace)
    }

    /// Filters a frame, height x width x channels, into another of any strides and sample type. With a workspace that
    /// has served such a frame before, nothing is allocated.
    ///
    /// # Errors
    /// [`Error::Shape`] where a frame has another size or the two have different numbers of channels.
    ///
    /// ```
    /// use faltung::image::{FrameWorkspace, ImageFilter};
    /// use faltung::ndarray::{Array3, array};
    ///
    /// let filter = ImageFilter::kernel(&array![[-1, 0, 1]]).plan((1, 3))?;
    /// let mut y = Array3::<f32>::zeros((1, 3, 1));
    /// filter.apply_into(&array![[[200u8], [100], [0]]], &mut y, &mut FrameWorkspace::new())?;
    /// assert_eq!(y, array![[[0.0], [-200.0], [0.0]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_into<S: Sample, O: Sample>(
        &self,
        x: &ArrayRef3<S>,
        y: &mut ArrayRef3<O>,
        workspace: &mut FrameWorkspace,
    ) -> Result<()> {
        self.run(x.view(), y.view_mut(), self.alpha(false), 1.0, workspace)
    }

    /// Whether the last channel is alpha, of pixels that have one or not.
    fn alpha(&self, typed: bool) -> bool {
        match self.filter.alpha {
            Alpha::Auto => typed,
            Alpha::Last => true,
            Alpha::None => false,
        }
    }

    /// Filters a picture of any depth into a frame, with full intensity kept full where `rescaled`.
    fn picture<O: Sample>(
        &self,
        picture: &DynamicImage,
        rescaled: bool,
        workspace: &mut FrameWorkspace,
    ) -> Result<Array3<O>> {
        let alpha = self.alpha(picture.has_alpha());
        let gain = |full| if rescaled { O::FULL / full } else { 1.0 };
        on_frame!(picture, pixels => self.fresh(pixels, alpha, gain(full(&pixels)), workspace))
    }

    fn fresh<S: Sample, O: Sample>(
        &self,
        x: ArrayView3<'_, S>,
        alpha: bool,
        gain: f64,
        workspace: &mut FrameWorkspace,
    ) -> Result<Array3<O>> {
        self.check("picture", x.shape())?;
        let mut y = zeros(x.dim())?;
        self.run(x, y.view_mut(), alpha, gain, workspace)?;
        Ok(y)
    }

    fn check(&self, name: &'static str, shape: &[usize]) -> Result<()> {
        let (height, width) = self.size;
        match *shape {
            [h, w, channels] if h == height && w == width && channels > 0 => Ok(()),
            [_, _, channels] => Err(Error::shape(name, &[height, width, channels.max(1)], shape)),
            _ => Err(Error::shape(name, &[height, width, 1], shape)),
        }
    }

    /// Filters a frame into another; results are multiplied by the gain.
    fn run<S: Sample, O: Sample>(
        &self,
        x: ArrayView3<'_, S>,
        y: ArrayViewMut3<'_, O>,
        alpha: bool,
        gain: f64,
        workspace: &mut FrameWorkspace,
    ) -> Result<()> {
        self.check("x", x.shape())?;
        if x.shape() != y.shape() {
            return Err(Error::shape("y", x.shape(), y.shape()));
        }
        let finer = O::INTEGER && gain > 1.0;
        let double = S::WIDE || alpha || finer || (S::INTEGER && !self.narrow);
        let inner = &mut workspace.inner;
        if double {
            self.compute(
                ready(&self.double, || self.plan(self.boundary))?,
                x,
                y,
                alpha,
                gain,
                &mut workspace.double,
                inner,
            )
        } else {
            self.compute(
                ready(&self.single, || self.plan(self.boundary))?,
                x,
                y,
                alpha,
                gain,
                &mut workspace.single,
                inner,
            )
        }
    }

    fn compute<T: Real, S: Sample, O: Sample>(
        &self,
        filter: &NamedFilter<T, Ix2>,
        x: ArrayView3<'_, S>,
        mut y: ArrayViewMut3<'_, O>,
        alpha: bool,
        gain: f64,
        planes: &mut Planes<T>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let own = if O::SIGNED { 0.0 } else { self.operator.offset() / f64::from(u8::MAX) * S::FULL };
        let scale = Scale { offset: T::from_f64(self.filter.offset.unwrap_or(own)), gain: T::from_f64(gain) };
        // What is opaque depends on the samples, so that this one is not kept.
        let opaque = match self.boundary {
            Boundary::Constant(_) if alpha && self.operator.is_normalised() => {
                Some(self.plan(Boundary::Constant(S::FULL))?)
            }
            _ => None,
        };
        let opacity = match self.operator.is_normalised() {
            true => Some(opaque.as_ref().unwrap_or(filter)),
            false => None,
        };
        for Strip { rows, kept } in self.strips.iter() {
            let x = x.slice(s![rows.clone(), .., ..]);
            let y = y.slice_mut(s![kept.clone(), .., ..]);
            // The first sample of each plane that is kept.
            let start = (kept.start - rows.start) * self.size.1;
            match alpha {
                true => over(filter, opacity, x, y, start, scale, planes, workspace)?,
                false => plain(filter, x, y, start, scale, planes, workspace)?,
            }
        }
        Ok(())
    }
}

/// What becomes of a sum: the offset is added, then the whole multiplied.
#[derive(Clone, Copy)]
struct Scale<T> {
    offset: T,
    gain: T,
}

/// Filters every channel of a strip; the result begins at sample `start` of each plane.
fn plain<T: Real, S: Sample, O: Sample>(
    filter: &NamedFilter<T, Ix2>,
    x: ArrayView3<'_, S>,
    mut y: ArrayViewMut3<'_, O>,
    start: usize,
    Scale { offset, gain }: Scale<T>,
    planes: &mut Planes<T>,
    workspace: &mut Workspace,
) -> Result<()> {
    let Planes { before, behind, .. } = planes;
    let len = filter.dim().size();
    for channel in 0..x.dim().2 {
        fit(before, len)?;
        gather(x, channel, before);
        run(filter, before, behind, workspace)?;
        scatter(y.view_mut(), channel, |at, out: &mut [O]| {
            out.iter_mut().zip(&behind[start + at..]).for_each(|(out, &v)| *out = ((v + offset) * gain).sample());
        });
    }
    Ok(())
}

/// As [`plain`], with the last channel for alpha, which `opacity` filters, or nothing does.
fn over<T: Real, S: Sample, O: Sample>(
    filter: &NamedFilter<T, Ix2>,
    opacity: Option<&NamedFilter<T, Ix2>>,
    x: ArrayView3<'_, S>,
    mut y: ArrayViewMut3<'_, O>,
    start: usize,
    Scale { offset, gain }: Scale<T>,
    planes: &mut Planes<T>,
    workspace: &mut Workspace,
) -> Result<()> {
    let Planes { before, behind, alpha } = planes;
    let (len, last) = (filter.dim().size(), x.dim().2 - 1);
    fit(before, len)?;
    gather(x, last, before);
    match opacity {
        Some(filter) => run(filter, before, alpha, workspace)?,
        None => alpha.clone_from(before),
    }
    scatter(y.view_mut(), last, |at, out: &mut [O]| {
        out.iter_mut().zip(&alpha[start + at..]).for_each(|(out, &a)| *out = (a * gain).sample());
    });
    let full = T::from_f64(S::FULL);
    // No more than this is written as fully transparent.
    let least = T::from_f64(if O::INTEGER { 0.5 } else { 1e-6 });
    for channel in 0..last {
        gather_premultiplied(x, channel, before);
        run(filter, before, behind, workspace)?;
        scatter(y.view_mut(), channel, |at, out: &mut [O]| {
            for ((out, &v), &a) in out.iter_mut().zip(&behind[start + at..]).zip(&alpha[start + at..]) {
                *out = if a * gain > least { ((v * (full / a) + offset) * gain).sample() } else { O::default() };
            }
        });
    }
    Ok(())
}

/// Filters a dense plane into another, which is made as long.
fn run<T: Real>(filter: &NamedFilter<T, Ix2>, from: &[T], to: &mut Vec<T>, workspace: &mut Workspace) -> Result<()> {
    let failed = |e| Error::other("laying an array over a plane", e);
    fit(to, filter.dim().size())?;
    let from = ArrayView2::from_shape(filter.dim(), from).map_err(failed)?;
    let mut to = ArrayViewMut2::from_shape(filter.dim(), to.as_mut_slice()).map_err(failed)?;
    filter.apply_into(&from, &mut to, workspace)
}

/// The full intensity of a frame's samples.
fn full<S: Sample>(_: &ArrayView3<'_, S>) -> f64 {
    S::FULL
}

/// What the cell holds, made first if need be; made twice where two threads come first, to the same effect.
fn ready<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match cell.get() {
        Some(found) => Ok(found),
        None => {
            let made = make()?;
            Ok(cell.get_or_init(|| made))
        }
    }
}

/// Whether sums of 8-bit samples in `f32` stay within the [`TOLERANCE`]: so they do where the taps are small, and where
/// they are integers, whose sums are exact.
fn narrow(operator: &Operator) -> bool {
    let exact = |kernel: Taps| kernel.taps.iter().all(|tap| tap.fract() == 0.0);
    let size = f64::from(u8::MAX) * operator.bound();
    let small = size * PASSES * f64::from(f32::EPSILON) <= TOLERANCE;
    operator.is_continuous() && (small || (size < f64::from(1 << 24) && operator.kernel().is_ok_and(exact)))
}

//! Picture filters made ready for one size.

use std::sync::OnceLock;

use ::image::{ColorType, DynamicImage, ImageBuffer, Pixel};
use ndarray::{Array3, ArrayRef3, ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Ix2};

use super::filter::{Alpha, Depth, ImageFilter};
use super::planes::{
    buffer, eight, fit, floating, frame, gather, gather_premultiplied, scatter, sixteen, unknown, zeros,
};
use super::sample::{Real, Sample};
use crate::error::{Error, Result};
use crate::filter::named::{NamedFilter, Operator};
use crate::plan::Workspace;
use crate::problem::Boundary;

/// The memory that filters borrow for the planes of a picture, kept from one frame to the next.
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

/// A filter for pictures and frames of one size, of any depth and number of channels. It is shared freely among threads.
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
    /// Whether `f32` is enough for the sums of 8-bit samples.
    narrow: bool,
    single: OnceLock<Filters<f32>>,
    double: OnceLock<Filters<f64>>,
}

/// The filter of the colours, and that of alpha.
#[derive(Debug)]
struct Filters<T> {
    colour: NamedFilter<T, Ix2>,
    /// Where it is another: under a constant boundary, which is opaque whatever its value.
    alpha: Option<NamedFilter<T, Ix2>>,
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
        let narrow = narrow(&operator);
        let (single, double) = (OnceLock::new(), OnceLock::new());
        Ok(Self { filter, operator, size, narrow, single, double })
    }

    fn filters<T: Real>(&self) -> Result<Filters<T>> {
        let boundary = self.filter.boundary.unwrap_or(self.operator.boundary());
        let plan = |boundary| self.operator.plan(Ix2(self.size.0, self.size.1), &[0, 1], boundary);
        let alpha = match boundary {
            Boundary::Constant(_) if self.operator.is_normalised() => Some(plan(Boundary::Constant(1.0))?),
            _ => None,
        };
        Ok(Filters { colour: plan(boundary)?, alpha })
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
    /// assert_eq!(y, Array3::zeros((3, 4, 3)));
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
        let mut run = Dynamic { filter: self, alpha, rescaled, workspace };
        match picture {
            DynamicImage::ImageLuma8(p) => run.on(frame(p)?),
            DynamicImage::ImageLumaA8(p) => run.on(frame(p)?),
            DynamicImage::ImageRgb8(p) => run.on(frame(p)?),
            DynamicImage::ImageRgba8(p) => run.on(frame(p)?),
            DynamicImage::ImageLuma16(p) => run.on(frame(p)?),
            DynamicImage::ImageLumaA16(p) => run.on(frame(p)?),
            DynamicImage::ImageRgb16(p) => run.on(frame(p)?),
            DynamicImage::ImageRgba16(p) => run.on(frame(p)?),
            DynamicImage::ImageRgb32F(p) => run.on(frame(p)?),
            DynamicImage::ImageRgba32F(p) => run.on(frame(p)?),
            other => Err(unknown(other.color())),
        }
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
        let double = S::WIDE || (alpha && S::INTEGER) || finer || (S::INTEGER && !self.narrow);
        let inner = &mut workspace.inner;
        if double {
            self.compute(ready(&self.double, || self.filters())?, x, y, alpha, gain, &mut workspace.double, inner)
        } else {
            self.compute(ready(&self.single, || self.filters())?, x, y, alpha, gain, &mut workspace.single, inner)
        }
    }

    fn compute<T: Real, S: Sample, O: Sample>(
        &self,
        filters: &Filters<T>,
        x: ArrayView3<'_, S>,
        mut y: ArrayViewMut3<'_, O>,
        alpha: bool,
        gain: f64,
        planes: &mut Planes<T>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let (height, width, channels) = x.dim();
        let Planes { before, behind, alpha: opacity } = planes;
        fit(before, height * width)?;
        fit(behind, height * width)?;
        let mut apply = |filter: &NamedFilter<T, Ix2>, from: &[T], to: &mut [T]| {
            let failed = |e| Error::other("laying an array over a plane", e);
            let from = ArrayView2::from_shape((height, width), from).map_err(failed)?;
            let mut to = ArrayViewMut2::from_shape((height, width), to).map_err(failed)?;
            filter.apply_into(&from, &mut to, workspace)
        };
        let own = if O::SIGNED { 0.0 } else { self.operator.offset() / f64::from(u8::MAX) * S::FULL };
        let offset = T::from_f64(self.filter.offset.unwrap_or(own));
        let gain = T::from_f64(gain);
        if !alpha {
            for channel in 0..channels {
                gather(x, channel, T::from_f64(1.0), before);
                apply(&filters.colour, before, behind)?;
                scatter(y.view_mut(), channel, |at, out: &mut [O]| {
                    out.iter_mut().zip(&behind[at..]).for_each(|(out, &v)| *out = ((v + offset) * gain).sample());
                });
            }
            return Ok(());
        }
        fit(opacity, height * width)?;
        let (last, full) = (channels - 1, T::from_f64(S::FULL));
        // Alpha is counted in units of full opacity, in which what is opaque outside is 1.
        let unit = T::from_f64(1.0 / S::FULL);
        if self.operator.is_normalised() {
            gather(x, last, unit, before);
            apply(filters.alpha.as_ref().unwrap_or(&filters.colour), before, opacity)?;
        } else {
            gather(x, last, unit, opacity);
        }
        scatter(y.view_mut(), last, |at, out: &mut [O]| {
            out.iter_mut().zip(&opacity[at..]).for_each(|(out, &a)| *out = (a * full * gain).sample());
        });
        // Less rounds to fully transparent.
        let least = T::from_f64(if O::INTEGER { 0.5 / O::FULL } else { 1e-6 });
        for channel in 0..last {
            gather_premultiplied(x, channel, before);
            apply(&filters.colour, before, behind)?;
            scatter(y.view_mut(), channel, |at, out: &mut [O]| {
                for ((out, &v), &a) in out.iter_mut().zip(&behind[at..]).zip(&opacity[at..]) {
                    *out = if a > least { ((v / a + offset) * gain).sample() } else { O::default() };
                }
            });
        }
        Ok(())
    }
}

/// A filter about to run on a picture whose sample type is not known yet.
struct Dynamic<'a> {
    filter: &'a PlannedImageFilter,
    alpha: bool,
    rescaled: bool,
    workspace: &'a mut FrameWorkspace,
}

impl Dynamic<'_> {
    fn on<S: Sample, O: Sample>(&mut self, x: ArrayView3<'_, S>) -> Result<Array3<O>> {
        let gain = if self.rescaled { O::FULL / S::FULL } else { 1.0 };
        self.filter.fresh(x, self.alpha, gain, self.workspace)
    }
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
/// they are integers, whose sums are exact. A filter that is not linear may jump where the data only move.
fn narrow(operator: &Operator) -> bool {
    let Ok(kernel) = operator.kernel() else { return false };
    let size = f64::from(u8::MAX) * kernel.taps.iter().map(|tap| tap.abs()).sum::<f64>();
    let exact = kernel.taps.iter().all(|tap| tap.fract() == 0.0) && size < f64::from(1 << 24);
    exact || size * PASSES * f64::from(f32::EPSILON) <= TOLERANCE
}

//! The builder of picture filters, and the calls that plan and run at once.

use ::image::{DynamicImage, ImageBuffer, Pixel};
use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3};

use super::picture::Picture;
use super::planned::{FrameWorkspace, PlannedImageFilter};
use super::sample::Sample;
use crate::error::{Error, Result};
use crate::filter::named::{Design, Operator, Taps};
use crate::problem::Boundary;

/// The depth of a filtered picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Depth {
    /// That of the picture.
    #[default]
    Same,
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// `f32`, neither rounded nor clamped. The crate `image` has no grey picture of it: grey becomes RGB.
    F32,
}

/// Which channel tells how opaque a pixel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alpha {
    /// The one of the pixel's type; plain frames have none.
    #[default]
    Auto,
    /// The last one, of plain frames too.
    Last,
    /// None: all channels are filtered alike, as OpenCV does.
    None,
}

/// A filter for pictures, option by option: any kernel, or any [named filter](crate::filter::named).
///
/// Kernels are correlated, as those of OpenCV's `filter2D` are: the tap at the anchor lies over the pixel, the one to
/// its right over the pixel to the right. (Pillow's `Kernel` is that too, after its rows are reversed.) Channels are
/// filtered one by one. What is a level, such as an offset or the threshold of an unsharp mask, is one of the picture's:
/// of 256, of 65536, or between 0.0 and 1.0.
///
/// **Depth.** Sums are computed in `f32` for pictures of 8 bits and of `f32`, in `f64` for those of 16 bits, with alpha
/// and wherever the taps are so large that `f32` might be a thousandth of a grey level off. The result is rounded once,
/// to the nearest level (of two, the even one), and clamped. [`apply`](Self::apply) keeps the depth, or takes the
/// [`depth`](Self::depth) said, and then full intensity stays full intensity: 255 becomes 65535, or 1.0. The calls for
/// frames and buffers say the depth by their types and keep the numbers as they are, as OpenCV's `ddepth` does; so a
/// derivative of `u8` keeps its negative half in `i16` or `f32`.
///
/// **Alpha.** Transparent pixels lend their colour to no one: colours are weighted by alpha (premultiplied), filtered,
/// and divided by the result's alpha (Porter and Duff, "Compositing digital images", 1984). That is the filtered alpha
/// where the filter keeps constants, and the picture's own otherwise, as with derivatives, which would make everything
/// transparent. Where the result is transparent its colour is black. What lies outside is transparent under
/// [`Boundary::Zero`] and opaque under [`Boundary::Constant`].
///
/// ```
/// use faltung::filter::named::Gaussian;
/// use faltung::image::{ImageFilter, image::{DynamicImage, GrayImage}};
///
/// let picture = DynamicImage::ImageLuma8(GrayImage::from_fn(64, 48, |x, _| [if x < 32 { 0 } else { 200 }].into()));
/// let blurred = ImageFilter::named(&Gaussian::new(2.0))?.apply(&picture)?;
/// assert_eq!(blurred.color(), picture.color());
/// assert_eq!(blurred.as_luma8().expect("8 bits")[(32, 20)].0, [120]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFilter {
    source: Source,
    divisor: f64,
    pub(super) offset: Option<f64>,
    pub(super) boundary: Option<Boundary>,
    pub(super) depth: Depth,
    pub(super) alpha: Alpha,
}

#[derive(Clone, Debug)]
enum Source {
    Kernel { taps: Array2<f64>, anchor: Option<[usize; 2]>, convolve: bool },
    Operator(Operator),
}

impl ImageFilter {
    fn new(source: Source) -> Self {
        let (divisor, offset, boundary) = (1.0, None, None);
        Self { source, divisor, offset, boundary, depth: Depth::Same, alpha: Alpha::Auto }
    }

    /// A filter with a kernel, rows x columns, of any size.
    ///
    /// ```
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::array;
    ///
    /// let sharpen = ImageFilter::kernel(&array![[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]);
    /// assert_eq!(sharpen.apply_frame(&array![[[7u8], [7]], [[7], [7]]])?, array![[[7], [7]], [[7], [7]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn kernel<H: Copy + Into<f64>>(kernel: &ArrayRef2<H>) -> Self {
        Self::new(Source::Kernel { taps: kernel.mapv(Into::into), anchor: None, convolve: false })
    }

    /// A named filter, along rows and columns: axis 0 is the vertical one, axis 1 the horizontal one.
    ///
    /// # Errors
    /// [`Error::Argument`] for parameters that make no filter.
    ///
    /// ```
    /// use faltung::filter::named::Named;
    /// use faltung::image::ImageFilter;
    ///
    /// let edges = ImageFilter::named(&"sobel:axis=1".parse::<Named>()?)?;
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn named(design: &impl Design) -> Result<Self> {
        Ok(Self::new(Source::Operator(design.operator(2)?)))
    }

    /// The tap, (row, column), that lies over the pixel; unless set, the middle one, or the one behind the middle of an
    /// even number: OpenCV's `anchor` (there x before y). A named filter has its own.
    ///
    /// ```
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::array;
    ///
    /// // The first tap over the pixel, so that the second takes the pixel to the right.
    /// let left = ImageFilter::kernel(&array![[0.0, 1.0]]).anchor((0, 0));
    /// assert_eq!(left.apply_frame(&array![[[1u8], [2], [3]]])?, array![[[2], [3], [2]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn anchor(mut self, (row, column): (usize, usize)) -> Self {
        if let Source::Kernel { anchor, .. } = &mut self.source {
            *anchor = Some([row, column]);
        }
        self
    }

    /// Convolves: the kernel is reversed along both axes, anchor and all. A named filter stays as it is.
    ///
    /// ```
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::array;
    ///
    /// let right = ImageFilter::kernel(&array![[0.0, 0.0, 1.0]]).convolve();
    /// assert_eq!(right.apply_frame(&array![[[1u8], [2], [3]]])?, array![[[2], [1], [2]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn convolve(mut self) -> Self {
        if let Source::Kernel { convolve, .. } = &mut self.source {
            *convolve = true;
        }
        self
    }

    /// What the taps are divided by; 1 unless set. It is Pillow's `scale`, which there is the sum of the taps unless
    /// set. A named filter has its own scale.
    ///
    /// ```
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::array;
    ///
    /// let mean = ImageFilter::kernel(&array![[1, 1, 1]]).divisor(3.0);
    /// assert_eq!(mean.apply_frame(&array![[[0u8], [3], [9]]])?, array![[[2], [4], [5]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn divisor(mut self, divisor: f64) -> Self {
        self.divisor = divisor;
        self
    }

    /// What is added to the results, in levels of the picture that is filtered, alpha excepted: Pillow's `offset`,
    /// OpenCV's `delta`. Unless set, 0, or what a named filter [adds](Operator::offset) to 8-bit pictures, in
    /// proportion to full intensity and only where the result cannot be negative.
    ///
    /// ```
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::array;
    ///
    /// let relief = ImageFilter::kernel(&array![[-1, 0, 1]]).offset(128.0);
    /// assert_eq!(relief.apply_frame(&array![[[9u8], [9], [50], [9]]])?, array![[[128], [169], [128], [128]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn offset(mut self, offset: f64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// What lies outside the picture. Unless set, OpenCV's choice, [`Boundary::Mirror`], and for a named filter that of
    /// the library whose filter it is, [`Operator::boundary`]. A constant is in levels of the picture that is filtered.
    ///
    /// ```
    /// use faltung::Boundary;
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::array;
    ///
    /// let shift = ImageFilter::kernel(&array![[1, 0, 0]]).boundary(Boundary::Wrap);
    /// assert_eq!(shift.apply_frame(&array![[[1u8], [2], [3]]])?, array![[[3], [1], [2]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = Some(boundary);
        self
    }

    /// The depth of what [`apply`](Self::apply) gives; the picture's own unless set. Other calls say it by their types.
    ///
    /// ```
    /// use faltung::image::{Depth, ImageFilter, image::DynamicImage, image::ColorType};
    /// use faltung::ndarray::array;
    ///
    /// let mean = ImageFilter::kernel(&array![[1, 1]]).divisor(2.0).depth(Depth::U16);
    /// assert_eq!(mean.apply(&DynamicImage::new_rgb8(4, 3))?.color(), ColorType::Rgb16);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Which channel is alpha; [`Alpha::Auto`] unless set.
    ///
    /// ```
    /// use faltung::image::{Alpha, ImageFilter};
    /// use faltung::ndarray::array;
    ///
    /// // A bright transparent pixel beside an opaque dark one.
    /// let frame = array![[[10u8, 255], [250, 0]]];
    /// let mean = ImageFilter::kernel(&array![[1, 2, 1]]).divisor(4.0);
    /// assert_eq!(mean.apply_frame(&frame)?, array![[[130, 128], [130, 128]]]);
    /// assert_eq!(mean.alpha(Alpha::Last).apply_frame(&frame)?, array![[[10, 128], [10, 128]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn alpha(mut self, alpha: Alpha) -> Self {
        self.alpha = alpha;
        self
    }

    /// The filter as an operator: kernel, anchor and divisor in one.
    pub(super) fn operator(&self) -> Result<Operator> {
        if !self.divisor.is_finite() || self.divisor == 0.0 {
            return Err(Error::argument("divisor", "a finite number other than 0", self.divisor));
        }
        if let Some(offset) = self.offset.filter(|offset| !offset.is_finite()) {
            return Err(Error::argument("offset", "a finite number", offset));
        }
        if let Some(Boundary::Constant(value)) =
            self.boundary.filter(|b| matches!(b, Boundary::Constant(v) if !v.is_finite()))
        {
            return Err(Error::argument("boundary", "a finite constant", value));
        }
        match &self.source {
            Source::Operator(operator) => Ok(operator.clone()),
            Source::Kernel { taps, anchor, convolve } => {
                let extents = [taps.nrows(), taps.ncols()];
                let mut anchor = anchor.unwrap_or(extents.map(|n| n / 2));
                let mut taps = taps / self.divisor;
                if *convolve {
                    taps.invert_axis(ndarray::Axis(0));
                    taps.invert_axis(ndarray::Axis(1));
                    for (a, n) in anchor.iter_mut().zip(extents).filter(|(a, n)| **a < *n) {
                        *a = n - 1 - *a;
                    }
                }
                Operator::dense(Taps { taps: taps.into_dyn(), anchor: anchor.to_vec() })
            }
        }
    }

    /// Plans the filter for pictures and frames of one size, (height, width), and any depth and number of channels.
    ///
    /// # Errors
    /// [`Error::Argument`] for a size without rows or columns, a kernel without taps, taps, a divisor, an offset or a
    /// boundary that are not finite, a divisor of 0, and an anchor outside the kernel.
    ///
    /// ```
    /// use faltung::filter::named::Gaussian;
    /// use faltung::image::{FrameWorkspace, ImageFilter};
    /// use faltung::ndarray::Array3;
    ///
    /// let blur = ImageFilter::named(&Gaussian::new(1.0))?.plan((120, 160))?;
    /// let (mut y, mut workspace) = (Array3::<u8>::zeros((120, 160, 3)), FrameWorkspace::new());
    /// for t in 0..3 {
    ///     let frame = Array3::from_elem((120, 160, 3), 10 * t);
    ///     blur.apply_into(&frame, &mut y, &mut workspace)?; // allocates in the first round only
    ///     assert_eq!(y, frame);
    /// }
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn plan(&self, (height, width): (usize, usize)) -> Result<PlannedImageFilter> {
        PlannedImageFilter::new(self.clone(), self.operator()?, (height, width))
    }

    /// Filters a picture. Size, alpha and colour space are kept, and so is the depth unless [`depth`](Self::depth) says
    /// otherwise.
    ///
    /// # Errors
    /// As [`plan`](Self::plan), and [`Error::Other`] where there is no memory for the result.
    ///
    /// ```
    /// use faltung::filter::named::Derivative;
    /// use faltung::image::{Depth, ImageFilter, image::DynamicImage};
    ///
    /// let picture = DynamicImage::new_rgb8(40, 30);
    /// let edges = ImageFilter::named(&Derivative::sobel(1))?.depth(Depth::F32).apply(&picture)?;
    /// assert_eq!(edges, DynamicImage::new_rgb32f(40, 30));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, picture: &DynamicImage) -> Result<DynamicImage> {
        self.plan(size(picture))?.apply(picture, &mut FrameWorkspace::new())
    }

    /// Filters a picture and keeps its profile and orientation.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::filter::named::Gaussian;
    /// use faltung::image::{self, ImageFilter};
    ///
    /// let camera = image::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/camera.png"))?;
    /// let blurred = ImageFilter::named(&Gaussian::new(3.0))?.apply_picture(&camera)?;
    /// assert_eq!(blurred.icc_profile, camera.icc_profile);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_picture(&self, picture: &Picture) -> Result<Picture> {
        Ok(picture.with_image(self.apply(&picture.image)?))
    }

    /// Filters a picture into a frame, height x width x channels, of another sample type; numbers stay as they are.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::filter::named::Derivative;
    /// use faltung::image::{ImageFilter, image::{DynamicImage, GrayImage}};
    ///
    /// let picture = DynamicImage::ImageLuma8(GrayImage::from_fn(8, 5, |x, _| [200 - 9 * x as u8].into()));
    /// let slope = ImageFilter::named(&Derivative::sobel(1))?.apply_as::<i16>(&picture)?;
    /// assert_eq!(slope[[2, 4, 0]], -72);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_as<O: Sample>(&self, picture: &DynamicImage) -> Result<Array3<O>> {
        self.plan(size(picture))?.apply_as(picture, &mut FrameWorkspace::new())
    }

    /// Filters a buffer of pixels of any kind.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::filter::named::BoxBlur;
    /// use faltung::image::{ImageFilter, image::Rgb32FImage};
    ///
    /// let picture = Rgb32FImage::from_pixel(8, 5, [0.25, 0.5, 1.0].into());
    /// assert_eq!(ImageFilter::named(&BoxBlur::new(4))?.apply_buffer(&picture)?, picture);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_buffer<P, C>(&self, buffer: &ImageBuffer<P, C>) -> Result<ImageBuffer<P, Vec<P::Subpixel>>>
    where
        P: Pixel<Subpixel: Sample>,
        C: std::ops::Deref<Target = [P::Subpixel]>,
    {
        self.apply_buffer_as::<P, P, C>(buffer)
    }

    /// Filters a buffer of pixels into one of another sample type, with as many channels; numbers stay as they are.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and [`Error::Argument`] where the pixels have other numbers of channels.
    ///
    /// ```
    /// use faltung::filter::named::Derivative;
    /// use faltung::image::{ImageFilter, image::{GrayImage, Luma}};
    ///
    /// let picture = GrayImage::from_fn(8, 5, |_, y| [200 - 9 * y as u8].into());
    /// let slope = ImageFilter::named(&Derivative::sobel(0))?.apply_buffer_as::<_, Luma<i16>, _>(&picture)?;
    /// assert_eq!(slope[(4, 2)].0, [-72]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_buffer_as<P, Q, C>(&self, buffer: &ImageBuffer<P, C>) -> Result<ImageBuffer<Q, Vec<Q::Subpixel>>>
    where
        P: Pixel<Subpixel: Sample>,
        Q: Pixel<Subpixel: Sample>,
        C: std::ops::Deref<Target = [P::Subpixel]>,
    {
        let size = (buffer.height() as usize, buffer.width() as usize);
        self.plan(size)?.apply_buffer_as(buffer, &mut FrameWorkspace::new())
    }

    /// Filters a frame, height x width x channels, of any strides and number of channels.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::filter::named::Gaussian;
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::Array3;
    ///
    /// let frame = Array3::<u8>::from_elem((30, 40, 5), 77);
    /// assert_eq!(ImageFilter::named(&Gaussian::new(1.0))?.apply_frame(&frame)?, frame);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_frame<S: Sample>(&self, frame: &ArrayRef3<S>) -> Result<Array3<S>> {
        self.apply_frame_as(frame)
    }

    /// Filters a frame into one of another sample type; numbers stay as they are.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::image::ImageFilter;
    /// use faltung::ndarray::{Array3, array};
    ///
    /// let difference = ImageFilter::kernel(&array![[-1, 0, 1]]);
    /// let y: Array3<i16> = difference.apply_frame_as(&array![[[200u8], [100], [0]]])?;
    /// assert_eq!(y, array![[[0], [-200], [0]]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_frame_as<S: Sample, O: Sample>(&self, frame: &ArrayRef3<S>) -> Result<Array3<O>> {
        let (height, width, _) = frame.dim();
        self.plan((height, width))?.apply_frame_as(frame, &mut FrameWorkspace::new())
    }
}

fn size(picture: &DynamicImage) -> (usize, usize) {
    (picture.height() as usize, picture.width() as usize)
}

//! Pixels to planes, one a channel, and back.
//!
//! Pictures hold the channels of a pixel side by side; filters run several times faster along rows of one channel.

use ::image::{ColorType, DynamicImage, ImageBuffer, Pixel};
use ndarray::{Array3, ArrayRef3, ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis, s};

use super::sample::{Real, Sample};
use crate::error::{Error, Result};

/// Evaluates `$body` with `$frame` standing for the pixels of a picture of whatever depth.
macro_rules! on_frame {
    ($picture:expr, $frame:ident => $body:expr) => {
        on_frame!($picture, $frame => $body; ImageLuma8 ImageLumaA8 ImageRgb8 ImageRgba8 ImageLuma16 ImageLumaA16
            ImageRgb16 ImageRgba16 ImageRgb32F ImageRgba32F)
    };
    ($picture:expr, $frame:ident => $body:expr; $($variant:ident)*) => {
        match $picture {
            $(::image::DynamicImage::$variant(buffer) => {
                let $frame = $crate::image::planes::frame(buffer)?;
                $body
            })*
            other => Err($crate::image::planes::unknown(other.color())),
        }
    };
}
pub(super) use on_frame;

/// The pixels of a buffer as a frame, height x width x channels, where they lie.
///
/// # Errors
/// [`Error::Argument`] where the buffer holds fewer samples than its size says, which a container that changes may.
///
/// ```
/// use faltung::image::{self, image::RgbImage};
///
/// let picture = RgbImage::from_fn(4, 3, |x, y| [x as u8, y as u8, 7].into());
/// let frame = image::frame(&picture)?;
/// assert_eq!(frame.dim(), (3, 4, 3));
/// assert_eq!(frame[[2, 3, 0]], 3);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn frame<P: Pixel, C>(buffer: &ImageBuffer<P, C>) -> Result<ArrayView3<'_, P::Subpixel>>
where
    C: std::ops::Deref<Target = [P::Subpixel]>,
{
    let shape = (buffer.height() as usize, buffer.width() as usize, usize::from(P::CHANNEL_COUNT));
    let len = shape.0 * shape.1 * shape.2;
    let samples = buffer.as_raw().get(..len).ok_or_else(|| {
        Error::argument("buffer", format!("{len} samples"), format_args!("{} samples", buffer.as_raw().len()))
    })?;
    ArrayView3::from_shape(shape, samples).map_err(|e| Error::other("laying a frame over a buffer", e))
}

/// A buffer of a frame's pixels, height x width x channels.
///
/// # Errors
/// [`Error::Argument`] where the frame has not the pixel's number of channels, or more rows or columns than `u32`
/// counts.
///
/// ```
/// use faltung::image::{self, image::Rgb};
/// use faltung::ndarray::Array3;
///
/// let picture = image::buffer::<Rgb<u8>>(Array3::from_elem((3, 4, 3), 9))?;
/// assert_eq!(picture.dimensions(), (4, 3));
/// assert!(image::buffer::<Rgb<u8>>(Array3::zeros((3, 4, 5))).is_err());
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn buffer<P: Pixel>(frame: Array3<P::Subpixel>) -> Result<ImageBuffer<P, Vec<P::Subpixel>>> {
    let (height, width, channels) = frame.dim();
    if channels != usize::from(P::CHANNEL_COUNT) {
        return Err(Error::argument("frame", format!("{} channels", P::CHANNEL_COUNT), format_args!("{channels}")));
    }
    let side = |extent: usize| {
        u32::try_from(extent).map_err(|_| Error::argument("frame", "sides below 2^32", format_args!("{extent}")))
    };
    let (width, height) = (side(width)?, side(height)?);
    let raw = if frame.is_standard_layout() {
        let (raw, offset) = frame.into_raw_vec_and_offset();
        match offset {
            None | Some(0) => raw,
            Some(offset) => raw.into_iter().skip(offset).collect(),
        }
    } else {
        frame.iter().copied().collect()
    };
    ImageBuffer::from_raw(width, height, raw).ok_or_else(|| Error::overflow("the number of a picture's samples"))
}

/// A frame, height x width x channels, as planes, channels x height x width.
///
/// Numbers stay as they are: 255 of a `u8` becomes 255.
///
/// # Errors
/// [`Error::Overflow`] where there is no memory for the planes.
///
/// ```
/// use faltung::image::{from_planes, to_planes};
/// use faltung::ndarray::{Array3, array};
///
/// let frame = array![[[1u8, 2, 3], [4, 5, 6]]]; // one row of two pixels
/// let planes: Array3<f32> = to_planes(&frame)?;
/// assert_eq!(planes, array![[[1.0, 4.0]], [[2.0, 5.0]], [[3.0, 6.0]]]);
/// assert_eq!(from_planes::<_, u8>(&planes)?, frame);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn to_planes<S: Sample, T: Real>(frame: &ArrayRef3<S>) -> Result<Array3<T>> {
    let (height, width, channels) = frame.dim();
    let mut planes = zeros::<T>((channels, height, width))?;
    for (channel, mut plane) in planes.axis_iter_mut(Axis(0)).enumerate() {
        if let Some(plane) = plane.as_slice_mut() {
            gather(frame.view(), channel, plane);
        }
    }
    Ok(planes)
}

/// Planes, channels x height x width, as a frame, height x width x channels, rounded and clamped as [`Sample`] says.
///
/// # Errors
/// [`Error::Overflow`] where there is no memory for the frame.
///
/// ```
/// use faltung::image::from_planes;
/// use faltung::ndarray::array;
///
/// let planes = array![[[-3.0, 128.5]], [[1e9, 0.6]]];
/// assert_eq!(from_planes::<f32, u8>(&planes)?, array![[[0, 255], [128, 1]]]);
/// assert_eq!(from_planes::<f32, i16>(&planes)?, array![[[-3, 32767], [128, 1]]]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn from_planes<T: Real, O: Sample>(planes: &ArrayRef3<T>) -> Result<Array3<O>> {
    let (channels, height, width) = planes.dim();
    let mut frame = zeros::<O>((height, width, channels))?;
    let planes = planes.as_standard_layout();
    for (channel, plane) in planes.axis_iter(Axis(0)).enumerate() {
        if let Some(plane) = plane.as_slice() {
            scatter(frame.view_mut(), channel, |at, out| {
                out.iter_mut().zip(&plane[at..]).for_each(|(out, v)| *out = v.sample());
            });
        }
    }
    Ok(frame)
}

/// A picture of any depth as planes, channels x height x width; alpha, where there is one, is the last.
///
/// # Errors
/// As [`to_planes`].
///
/// ```
/// use faltung::image::{image_from_planes, image_to_planes, image::{DynamicImage, GrayAlphaImage}};
///
/// let picture = DynamicImage::ImageLumaA8(GrayAlphaImage::from_pixel(5, 4, [10, 200].into()));
/// let planes = image_to_planes::<f64>(&picture)?;
/// assert_eq!(planes.dim(), (2, 4, 5));
/// assert_eq!(planes[[1, 0, 0]], 200.0);
/// assert_eq!(image_from_planes(&planes, picture.color())?, picture);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn image_to_planes<T: Real>(picture: &DynamicImage) -> Result<Array3<T>> {
    on_frame!(picture, pixels => to_planes(&pixels))
}

/// A picture with the numbers of planes, channels x height x width, rounded and clamped as [`Sample`] says.
///
/// # Errors
/// As [`from_planes`] and [`buffer`].
///
/// ```
/// use faltung::image::{image_from_planes, image::ColorType};
/// use faltung::ndarray::Array3;
///
/// let picture = image_from_planes(&Array3::<f32>::from_elem((1, 2, 3), 40_000.0), ColorType::L16)?;
/// assert_eq!(picture.as_luma16().expect("16 bits")[(2, 1)].0, [40_000]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn image_from_planes<T: Real>(planes: &ArrayRef3<T>, color: ColorType) -> Result<DynamicImage> {
    match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => eight(from_planes(planes)?),
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => sixteen(from_planes(planes)?),
        ColorType::Rgb32F | ColorType::Rgba32F => floating(from_planes(planes)?),
        other => Err(unknown(other)),
    }
    .and_then(|picture| match picture.color() == color {
        true => Ok(picture),
        false => Err(Error::argument(
            "planes",
            format!("{} channels", color.channel_count()),
            format_args!("{}", planes.dim().0),
        )),
    })
}

/// The picture of 8-bit samples that has the frame's number of channels.
pub(super) fn eight(frame: Array3<u8>) -> Result<DynamicImage> {
    Ok(match frame.dim().2 {
        1 => DynamicImage::ImageLuma8(buffer(frame)?),
        2 => DynamicImage::ImageLumaA8(buffer(frame)?),
        3 => DynamicImage::ImageRgb8(buffer(frame)?),
        _ => DynamicImage::ImageRgba8(buffer(frame)?),
    })
}

/// The picture of 16-bit samples that has the frame's number of channels.
pub(super) fn sixteen(frame: Array3<u16>) -> Result<DynamicImage> {
    Ok(match frame.dim().2 {
        1 => DynamicImage::ImageLuma16(buffer(frame)?),
        2 => DynamicImage::ImageLumaA16(buffer(frame)?),
        3 => DynamicImage::ImageRgb16(buffer(frame)?),
        _ => DynamicImage::ImageRgba16(buffer(frame)?),
    })
}

/// The picture of floating point samples. There is no grey one: grey is repeated in red, green and blue.
pub(super) fn floating(frame: Array3<f32>) -> Result<DynamicImage> {
    let (height, width, channels) = frame.dim();
    let repeated = |channels: usize| {
        let mut wide = zeros::<f32>((height, width, channels))?;
        for channel in 0..channels {
            let from = frame.index_axis(Axis(2), if channel == 3 { 1 } else { 0 });
            wide.index_axis_mut(Axis(2), channel).assign(&from);
        }
        Ok::<_, Error>(wide)
    };
    Ok(match channels {
        1 => DynamicImage::ImageRgb32F(buffer(repeated(3)?)?),
        2 => DynamicImage::ImageRgba32F(buffer(repeated(4)?)?),
        3 => DynamicImage::ImageRgb32F(buffer(frame)?),
        _ => DynamicImage::ImageRgba32F(buffer(frame)?),
    })
}

#[cold]
pub(super) fn unknown(color: ColorType) -> Error {
    Error::argument("picture", "samples of 8 or 16 bits or of f32", format_args!("{color:?}"))
}

/// Zeros, or an error where there is no room for them.
pub(super) fn zeros<S: Copy + Default>(shape: (usize, usize, usize)) -> Result<Array3<S>> {
    let overflow = || Error::overflow(format!("the memory of {} x {} x {} samples", shape.0, shape.1, shape.2));
    let len = shape.0.checked_mul(shape.1).and_then(|n| n.checked_mul(shape.2)).ok_or_else(overflow)?;
    let mut room = Vec::new();
    fit(&mut room, len)?;
    Array3::from_shape_vec(shape, room).map_err(|_| overflow())
}

/// Makes a vector so long, keeping what memory it has.
pub(super) fn fit<S: Copy + Default>(room: &mut Vec<S>, len: usize) -> Result<()> {
    let more = len.saturating_sub(room.len());
    room.try_reserve_exact(more).map_err(|e| Error::other(format!("making room for {len} samples"), e))?;
    room.resize(len, S::default());
    Ok(())
}

/// Rows that one thread converts at a time hold so many samples at least.
#[cfg(feature = "parallel")]
const BAND: usize = 1 << 15;

/// Runs `row(index, row)` on the rows of a dense array, several at a time.
fn each_row<S: Send>(data: &mut [S], width: usize, row: impl Fn(usize, &mut [S]) + Sync) {
    let width = width.max(1);
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        let rows = BAND.div_ceil(width);
        if data.len() >= 2 * BAND && rayon::current_num_threads() > 1 {
            data.par_chunks_mut(rows * width).enumerate().for_each(|(band, data)| {
                data.chunks_mut(width).enumerate().for_each(|(r, data)| row(band * rows + r, data));
            });
            return;
        }
    }
    data.chunks_mut(width).enumerate().for_each(|(r, data)| row(r, data));
}

/// Samples that pass through the stack at a time, on their way between pixels and planes.
const BLOCK: usize = 256;

/// Copies one channel of a row of pixels, from pixel `at` on.
#[inline]
fn fetch<S: Sample>(row: &ArrayView2<'_, S>, channel: usize, at: usize, block: &mut [S]) {
    #[inline]
    fn dense<S: Sample, const C: usize>(data: &[S], channel: usize, at: usize, block: &mut [S]) {
        let pixels = data.as_chunks::<C>().0.get(at..).unwrap_or_default();
        block.iter_mut().zip(pixels).for_each(|(out, pixel)| *out = pixel[channel % C]);
    }
    match (row.as_slice(), row.ncols()) {
        (Some(data), 1) => dense::<S, 1>(data, channel, at, block),
        (Some(data), 2) => dense::<S, 2>(data, channel, at, block),
        (Some(data), 3) => dense::<S, 3>(data, channel, at, block),
        (Some(data), 4) => dense::<S, 4>(data, channel, at, block),
        _ => block.iter_mut().zip(row.column(channel).slice(s![at..])).for_each(|(out, &v)| *out = v),
    }
}

/// Writes one channel of a row of pixels, from pixel `at` on.
#[inline]
fn store<O: Sample>(row: &mut ArrayViewMut2<'_, O>, channel: usize, at: usize, block: &[O]) {
    #[inline]
    fn dense<O: Sample, const C: usize>(data: &mut [O], channel: usize, at: usize, block: &[O]) {
        let pixels = data.as_chunks_mut::<C>().0.get_mut(at..).unwrap_or_default();
        pixels.iter_mut().zip(block).for_each(|(pixel, &v)| pixel[channel % C] = v);
    }
    let channels = row.ncols();
    match (row.as_slice_mut(), channels) {
        (Some(data), 1) => dense::<O, 1>(data, channel, at, block),
        (Some(data), 2) => dense::<O, 2>(data, channel, at, block),
        (Some(data), 3) => dense::<O, 3>(data, channel, at, block),
        (Some(data), 4) => dense::<O, 4>(data, channel, at, block),
        _ => row.column_mut(channel).slice_mut(s![at..]).iter_mut().zip(block).for_each(|(out, &v)| *out = v),
    }
}

/// Copies one channel of a frame to a dense plane.
pub(super) fn gather<S: Sample, T: Real>(frame: ArrayView3<'_, S>, channel: usize, plane: &mut [T]) {
    each_row(plane, frame.dim().1, |r, out| {
        let (row, mut block) = (frame.index_axis(Axis(0), r), [S::default(); BLOCK]);
        for (b, out) in out.chunks_mut(BLOCK).enumerate() {
            let block = &mut block[..out.len()];
            fetch(&row, channel, b * BLOCK, block);
            out.iter_mut().zip(block).for_each(|(out, v)| *out = T::of(*v));
        }
    });
}

/// Copies one channel of a frame to a dense plane, weighted by the last channel, alpha, in units of full opacity.
pub(super) fn gather_premultiplied<S: Sample, T: Real>(frame: ArrayView3<'_, S>, channel: usize, plane: &mut [T]) {
    let unit = T::from_f64(1.0 / S::FULL);
    each_row(plane, frame.dim().1, |r, out| {
        let (row, mut block, mut alpha) = (frame.index_axis(Axis(0), r), [S::default(); BLOCK], [S::default(); BLOCK]);
        for (b, out) in out.chunks_mut(BLOCK).enumerate() {
            let (block, alpha) = (&mut block[..out.len()], &mut alpha[..out.len()]);
            fetch(&row, channel, b * BLOCK, block);
            fetch(&row, row.ncols() - 1, b * BLOCK, alpha);
            for ((out, v), a) in out.iter_mut().zip(block).zip(alpha) {
                *out = T::of(*v) * (T::of(*a) * unit);
            }
        }
    });
}

/// Writes one channel of a frame: `fill(start, block)` computes so many samples of the channel's dense plane from
/// `start` on.
pub(super) fn scatter<O: Sample>(
    mut frame: ArrayViewMut3<'_, O>,
    channel: usize,
    fill: impl Fn(usize, &mut [O]) + Sync,
) {
    let (_, width, channels) = frame.dim();
    let write = |r: usize, mut row: ArrayViewMut2<'_, O>| {
        let mut block = [O::default(); BLOCK];
        for at in (0..width).step_by(BLOCK) {
            let block = &mut block[..BLOCK.min(width - at)];
            fill(r * width + at, block);
            store(&mut row, channel, at, block);
        }
    };
    match frame.as_slice_mut() {
        Some(data) => each_row(data, width * channels, |r, data| {
            if let Ok(row) = ArrayViewMut2::from_shape((width, channels), data) {
                write(r, row);
            }
        }),
        None => frame.outer_iter_mut().enumerate().for_each(|(r, row)| write(r, row)),
    }
}

//! Picture files, with what a decoded picture alone does not keep.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::image::codecs::{bmp, gif, ico, jpeg, png, pnm, qoi, tga, tiff, webp};
use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};

use super::planes::{eight, fit, floating, sixteen, unknown};
use crate::error::{Error, Result};
use crate::file;

/// A decoded picture with its colour profile and its orientation.
///
/// ```
/// use faltung::image::{Picture, image::{DynamicImage, GrayImage}};
///
/// let picture = Picture::from(DynamicImage::ImageLuma8(GrayImage::new(4, 3)));
/// assert!(picture.icc_profile.is_none());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Picture {
    /// The pixels.
    pub image: DynamicImage,
    /// The ICC profile that says which colours the numbers stand for; unless there is one, those of sRGB.
    pub icc_profile: Option<Vec<u8>>,
    /// How the pixels must still be turned to be looked at.
    pub orientation: Orientation,
}

impl From<DynamicImage> for Picture {
    fn from(image: DynamicImage) -> Self {
        Self { image, icc_profile: None, orientation: Orientation::NoTransforms }
    }
}

impl Picture {
    /// The same profile and orientation with other pixels.
    ///
    /// ```
    /// use faltung::image::{Picture, image::DynamicImage};
    ///
    /// let mut picture = Picture::from(DynamicImage::new_rgb8(4, 3));
    /// picture.icc_profile = Some(vec![1, 2, 3]);
    /// assert_eq!(picture.with_image(DynamicImage::new_luma8(4, 3)).icc_profile, Some(vec![1, 2, 3]));
    /// ```
    pub fn with_image(&self, image: DynamicImage) -> Self {
        Self { image, icc_profile: self.icc_profile.clone(), orientation: self.orientation }
    }
}

/// How picture files are read, option by option; ended by [`read`](Self::read).
///
/// ```no_run
/// use faltung::image::Reader;
///
/// let scan = Reader::new().max_bytes(8 << 30).read("scan.tiff")?;
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader {
    oriented: bool,
    max_bytes: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self { oriented: true, max_bytes: 1 << 30 }
    }
}

/// A file that unpacks to more than [`UNPACKED`] bytes and to more than so many times its own length holds no picture,
/// but a claim to one: deflate, the densest packing, reaches 1032, and eight times that for samples of one bit.
const DENSEST: u64 = 1 << 14;
/// Pictures of fewer bytes are never refused for being packed too densely.
const UNPACKED: u64 = 64 << 20;

impl Reader {
    /// A reader as [`read`] is.
    ///
    /// ```
    /// let reader = faltung::image::Reader::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the pixels are turned as the file's EXIF orientation says, as viewers do; they are unless set. Otherwise
    /// [`Picture::orientation`] tells what was left undone.
    ///
    /// ```
    /// let as_stored = faltung::image::Reader::new().oriented(false);
    /// ```
    pub fn oriented(mut self, oriented: bool) -> Self {
        self.oriented = oriented;
        self
    }

    /// The most memory that decoding may take, the pixels included; 1 GiB unless set, enough for a colour photograph of
    /// 100 megapixels and 16 bits. Decoders keep to it as well as they can.
    ///
    /// ```
    /// let small = faltung::image::Reader::new().max_bytes(1 << 20);
    /// assert!(small.read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/camera.png")).is_ok());
    /// ```
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Reads a file; its content tells the format, or else its name.
    ///
    /// # Errors
    /// As [`read`].
    ///
    /// ```
    /// let camera = concat!(env!("CARGO_MANIFEST_DIR"), "/data/camera.png");
    /// assert!(faltung::image::Reader::new().max_bytes(1 << 10).read(camera).is_err());
    /// ```
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Picture> {
        let path = path.as_ref();
        let failed =
            |e: Box<dyn std::error::Error + Send + Sync>| Error::other(format!("reading {}", path.display()), e);
        let file = File::open(path).map_err(|e| failed(e.into()))?;
        let length = file.metadata().map_err(|e| failed(e.into()))?.len();
        let mut reader = ImageReader::new(BufReader::new(file));
        if let Ok(format) = ImageFormat::from_path(path) {
            reader.set_format(format);
        }
        let reader = reader.with_guessed_format().map_err(|e| failed(e.into()))?;
        // Decoders are not free of panics on files made to break them; nothing of theirs outlives one.
        catch_unwind(AssertUnwindSafe(|| self.decode(reader, length)))
            .unwrap_or_else(|_| Err("the decoder gave up on this file (a panic within it)".into()))
            .map_err(failed)
    }

    fn decode(
        &self,
        mut reader: ImageReader<impl BufRead + Seek>,
        length: u64,
    ) -> Result<Picture, Box<dyn std::error::Error + Send + Sync>> {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(self.max_bytes);
        reader.limits(limits.clone());
        let mut decoder: Box<dyn ImageDecoder> = match reader.format() {
            // Under the limits that a reader sets, this decoder finds no profile larger than a 32nd of the pixels.
            Some(ImageFormat::Tiff) => Box::new(tiff::TiffDecoder::new(reader.into_inner())?),
            _ => Box::new(reader.into_decoder()?),
        };
        let ((width, height), color, bytes) = (decoder.dimensions(), decoder.color_type(), decoder.total_bytes());
        let claim = |what: String| {
            format!("it declares {width} x {height} pixels of {color:?}, {} MiB, {what}", bytes >> 20).into()
        };
        if width == 0 || height == 0 {
            return Err(format!("it declares {width} x {height} pixels").into());
        }
        if bytes > self.max_bytes {
            return Err(claim(format!("more than the {} MiB that a reader may take", self.max_bytes >> 20)));
        }
        if bytes > UNPACKED && bytes / DENSEST > length {
            return Err(claim(format!("and holds {length} bytes")));
        }
        // A profile or an orientation that cannot be read leaves the picture without: viewers do the same.
        let icc_profile = decoder.icc_profile().ok().flatten().filter(|profile| !profile.is_empty());
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        limits.reserve(bytes)?;
        decoder.set_limits(limits)?;
        let mut image = pixels(decoder, color)?;
        if !self.oriented {
            return Ok(Picture { image, icc_profile, orientation });
        }
        image.apply_orientation(orientation);
        Ok(Picture { image, icc_profile, orientation: Orientation::NoTransforms })
    }
}

/// Decodes into memory that was asked for, where the decoder's own call would end the program if there is none.
fn pixels(
    decoder: impl ImageDecoder,
    color: ColorType,
) -> Result<DynamicImage, Box<dyn std::error::Error + Send + Sync>> {
    fn samples<S: bytemuck::Pod + Default>(
        decoder: impl ImageDecoder,
        channels: u8,
    ) -> Result<ndarray::Array3<S>, Box<dyn std::error::Error + Send + Sync>> {
        let (width, height) = decoder.dimensions();
        let shape = (height as usize, width as usize, usize::from(channels));
        let mut data = Vec::<S>::new();
        fit(&mut data, usize::try_from(decoder.total_bytes())? / size_of::<S>())?;
        decoder.read_image(bytemuck::cast_slice_mut(&mut data))?;
        Ok(ndarray::Array3::from_shape_vec(shape, data)?)
    }
    let channels = color.channel_count();
    Ok(match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => eight(samples(decoder, channels)?)?,
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => {
            sixteen(samples(decoder, channels)?)?
        }
        ColorType::Rgb32F | ColorType::Rgba32F => floating(samples(decoder, channels)?)?,
        other => return Err(unknown(other).into()),
    })
}

/// Reads a picture file: BMP, GIF (its first frame), ICO, JPEG, PNG, PNM, QOI, TGA, TIFF or WebP.
///
/// The pixels are turned as the file's EXIF orientation says. Memory is bounded; see [`Reader`] for other choices. A
/// palette becomes RGB or RGBA; samples of fewer than 8 bits become 8 bits.
///
/// # Errors
/// [`Error::Other`], naming the file, where it cannot be read, is damaged, cut short or of an unknown format, or
/// declares more pixels than memory may be taken for, or than it can hold; nothing so large is allocated. A panic
/// within a decoder is caught and is such an error too (its message goes to the panic hook).
///
/// ```
/// let camera = faltung::image::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/camera.png"))?;
/// assert_eq!((camera.image.width(), camera.image.height()), (512, 512));
/// assert!(faltung::image::read("no-such.png").is_err());
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Picture> {
    Reader::new().read(path)
}

/// Of 100: what is written as JPEG is hard to tell from the original.
const JPEG_QUALITY: u8 = 92;

/// Writes a picture file, in the format that the name's extension says, with the picture's profile and orientation. The
/// file is written aside and put in place once it is complete.
///
/// | format | depth and channels | profile | orientation |
/// |---|---|---|---|
/// | PNG | 8 and 16 bits, all | yes | yes |
/// | TIFF | 8 and 16 bits, grey, RGB, RGBA; `f32` | yes | – |
/// | WebP, without loss | 8 bits, all | yes | yes |
/// | JPEG, with loss, quality 92 | 8 bits, grey, RGB | yes | yes |
/// | PNM | 8 and 16 bits, all | – | – |
/// | TGA | 8 bits, all | – | – |
/// | BMP | 8 bits, grey, RGB, RGBA | – | – |
/// | ICO, 256 x 256 at the most | 8 bits, RGBA | – | – |
/// | QOI, GIF (256 colours, others become the nearest) | 8 bits, RGB, RGBA | – | – |
///
/// Nothing is converted silently: what the format cannot keep is an error. Set `icc_profile` to `None`, or
/// `orientation` to `NoTransforms`, to write without them, and convert the pixels (`DynamicImage::to_rgb8`) to write
/// with less depth or without alpha.
///
/// # Errors
/// [`Error::Argument`] where the extension names no format that can be written; [`Error::Other`], naming the file,
/// where the format cannot keep the picture or the file cannot be written.
///
/// ```
/// use faltung::image::{self, Picture, image::DynamicImage};
///
/// let folder = std::env::temp_dir();
/// let picture = Picture::from(DynamicImage::new_rgba16(4, 3));
/// let path = folder.join("faltung-doc.png");
/// image::write(&path, &picture)?;
/// assert_eq!(image::read(&path)?, picture);
/// // JPEG has no alpha and no 16 bits.
/// assert!(image::write(folder.join("faltung-doc.jpg"), &picture).is_err());
/// # std::fs::remove_file(path).expect("a file");
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn write(path: impl AsRef<Path>, picture: &Picture) -> Result<()> {
    let path = path.as_ref();
    let named = || {
        let expected = "a name ending in .png, .tiff, .webp, .jpg, .bmp, .gif, .ico, .pnm, .qoi or .tga";
        Error::argument("path", expected, path.display())
    };
    let format = ImageFormat::from_path(path).map_err(|_| named())?;
    // Two that their encoders take, and then leave out the alpha of or write what nobody reads.
    let color = picture.image.color();
    if matches!((format, color), (ImageFormat::Bmp, ColorType::La8))
        || (format == ImageFormat::Ico && color != ColorType::Rgba8)
    {
        return Err(Error::other(format!("writing {}", path.display()), format!("the format cannot hold {color:?}")));
    }
    file::replace(path, |file| {
        match format {
            ImageFormat::Png => encode(png::PngEncoder::new(file), picture),
            ImageFormat::Tiff => encode(tiff::TiffEncoder::new(file), picture),
            ImageFormat::WebP => encode(webp::WebPEncoder::new_lossless(file), picture),
            ImageFormat::Jpeg => encode(jpeg::JpegEncoder::new_with_quality(file, JPEG_QUALITY), picture),
            ImageFormat::Bmp => encode(bmp::BmpEncoder::new(file), picture),
            ImageFormat::Gif => encode(gif::GifEncoder::new(file), picture),
            ImageFormat::Ico => encode(ico::IcoEncoder::new(file), picture),
            ImageFormat::Pnm => encode(pnm::PnmEncoder::new(file), picture),
            ImageFormat::Qoi => encode(qoi::QoiEncoder::new(file), picture),
            ImageFormat::Tga => encode(tga::TgaEncoder::new(file), picture),
            _ => return Err(named()),
        }
        .map_err(|e| Error::other(format!("writing {}", path.display()), e))
    })
}

fn encode(mut encoder: impl ImageEncoder, picture: &Picture) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let image = &picture.image;
    if let Some(profile) = &picture.icc_profile {
        encoder.set_icc_profile(profile.clone()).map_err(|_| "the format cannot hold a colour profile")?;
    }
    if picture.orientation != Orientation::NoTransforms {
        encoder.set_exif_metadata(exif(picture.orientation)).map_err(|_| "the format cannot hold an orientation")?;
    }
    // The encoder alone, and not the picture's own call, which would convert what the format lacks.
    Ok(encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())?)
}

/// The smallest EXIF block, that of an orientation: a TIFF header and one directory with one entry, tag 0x0112 of type
/// SHORT (TIFF 6.0, section 2; Exif 2.32, section 4.6.4).
fn exif(orientation: Orientation) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation.to_exif(), 0, 0, 0, 0, 0, 0, 0]);
    block
}

//! IDX files, in which MNIST and its relatives come.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use ndarray::{ArrayD, IxDyn};

use crate::error::{Error, Result};
use crate::file;

/// The most bytes of elements that are read unless another limit is set: 1 GiB, twenty times MNIST.
const LIMIT: usize = 1 << 30;

/// Bytes that are read at once: a file that ends early has cost no more memory than it holds, and this.
const STEP: usize = 1 << 15;

/// An array of an IDX file, of any rank and any of the format's element types.
///
/// The [format](https://web.archive.org/web/20160117040036/http://yann.lecun.com/exdb/mnist/) is two zero bytes, one
/// for the element type, one for the number of axes, their lengths as big-endian `u32`, and the elements, big-endian,
/// the last axis fastest. Files may be compressed by gzip, which their first two bytes tell.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::data::Idx;
///
/// let labels = Idx::U8(array![5, 0, 4].into_dyn());
/// let mut file = Vec::new();
/// labels.to_writer(&mut file)?;
/// assert_eq!(file, [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]);
/// assert_eq!(Idx::from_reader(&file[..])?, labels);
/// assert!(Idx::from_reader(&file[..10]).is_err()); // cut short
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Idx {
    /// Bytes, type 0x08.
    U8(ArrayD<u8>),
    /// Signed bytes, type 0x09.
    I8(ArrayD<i8>),
    /// Integers of 16 bits, type 0x0b.
    I16(ArrayD<i16>),
    /// Integers of 32 bits, type 0x0c.
    I32(ArrayD<i32>),
    /// Numbers of 32 bits, type 0x0d.
    F32(ArrayD<f32>),
    /// Numbers of 64 bits, type 0x0e.
    F64(ArrayD<f64>),
}

/// Evaluates `$body` with `$array` standing for the array, of whatever elements.
macro_rules! each {
    ($idx:expr, $array:ident => $body:expr) => {
        match $idx {
            Idx::U8($array) => $body,
            Idx::I8($array) => $body,
            Idx::I16($array) => $body,
            Idx::I32($array) => $body,
            Idx::F32($array) => $body,
            Idx::F64($array) => $body,
        }
    };
}

impl Idx {
    /// Reads a file, compressed or not, of at most 1 GiB of elements.
    ///
    /// # Errors
    /// [`Error::Other`], with the path, around what was wrong: the file cannot be read, is no IDX file, ends before its
    /// header says or goes on behind it, or is larger than the limit.
    ///
    /// ```
    /// use faltung::nn::data::Idx;
    ///
    /// let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits");
    /// let pictures = Idx::read(folder.join("t10k-images-idx3-ubyte.gz"))?;
    /// assert_eq!(pictures.shape(), [500, 28, 28]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let doing = || format!("reading {}", path.display());
        let file = File::open(path).map_err(|e| Error::other(doing(), e))?;
        Self::from_reader(BufReader::new(file)).map_err(|e| Error::other(doing(), e))
    }

    /// Reads a file, compressed or not, to its end, of at most 1 GiB of elements. A reader that is slow by the byte
    /// should be buffered.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// ```
    /// use faltung::nn::data::Idx;
    /// let bomb = [0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255];
    /// assert!(Idx::from_reader(&bomb[..]).unwrap_err().to_string().contains("4294967295"));
    /// ```
    pub fn from_reader(reader: impl Read) -> Result<Self> {
        Self::from_reader_within(reader, LIMIT)
    }

    /// As [`from_reader`](Self::from_reader), with another limit of bytes of elements.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// ```
    /// use faltung::nn::data::Idx;
    /// assert!(Idx::from_reader_within(&[0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4][..], 2).is_err());
    /// ```
    pub fn from_reader_within(mut reader: impl Read, bytes: usize) -> Result<Self> {
        let mut magic = [0; 2];
        exactly(&mut reader, &mut magic, "its first bytes")?;
        let reader = magic.chain(reader);
        if magic == [0x1f, 0x8b] { plain(MultiGzDecoder::new(reader), bytes) } else { plain(reader, bytes) }
    }

    /// Writes a file, compressed where its name ends in `.gz`. The file is written aside, and put in place only once it
    /// is complete.
    ///
    /// # Errors
    /// [`Error::Argument`] for more than 255 axes or axes of 2³² and more; [`Error::Other`] where the file cannot be
    /// written.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::nn::data::Idx;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("labels.gz");
    /// let labels = Idx::U8(array![5, 0, 4].into_dyn());
    /// labels.write(&path)?;
    /// assert_eq!(Idx::read(&path)?, labels);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let compressed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        file::replace(path, |file| {
            if !compressed {
                return self.to_writer(file);
            }
            let mut encoder = GzEncoder::new(file, Compression::best());
            self.to_writer(&mut encoder)?;
            encoder.finish().map(drop).map_err(|e| Error::other(format!("writing {}", path.display()), e))
        })
    }

    /// Writes the array uncompressed. A writer that is slow by the byte should be buffered.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::nn::data::Idx;
    /// let mut file = Vec::new();
    /// Idx::I16(array![[-1]].into_dyn()).to_writer(&mut file)?;
    /// assert_eq!(file, [0, 0, 11, 2, 0, 0, 0, 1, 0, 0, 0, 1, 255, 255]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn to_writer(&self, mut writer: impl Write) -> Result<()> {
        let failed = |e| Error::other("writing an IDX file", e);
        let rank = u8::try_from(self.shape().len())
            .ok()
            .filter(|&rank| rank > 0)
            .ok_or_else(|| Error::argument("array", "1 to 255 axes, for an IDX file", self.shape().len()))?;
        writer.write_all(&[0, 0, self.code(), rank]).map_err(failed)?;
        for &extent in self.shape() {
            let extent = u32::try_from(extent)
                .map_err(|_| Error::argument("array", "axes shorter than 2³², for an IDX file", extent))?;
            writer.write_all(&extent.to_be_bytes()).map_err(failed)?;
        }
        each!(self, array => array.iter().try_for_each(|v| writer.write_all(&v.to_be_bytes())).map_err(failed))
    }

    /// The lengths of the axes.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::nn::data::Idx;
    /// assert_eq!(Idx::F32(array![[1.0], [2.0]].into_dyn()).shape(), [2, 1]);
    /// ```
    pub fn shape(&self) -> &[usize] {
        each!(self, array => array.shape())
    }

    /// The array as bytes.
    ///
    /// # Errors
    /// [`Error::Argument`] where the elements are of another type.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::nn::data::Idx;
    /// assert!(Idx::F32(array![1.0].into_dyn()).into_bytes().is_err());
    /// ```
    pub fn into_bytes(self) -> Result<ArrayD<u8>> {
        match self {
            Self::U8(array) => Ok(array),
            other => Err(Error::argument("IDX file", "bytes, type 0x08", format!("type {:#04x}", other.code()))),
        }
    }

    /// The array as classes, counted from 0: a line of integers that are not negative.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is more than one axis, or an element is negative or no integer type.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::nn::data::Idx;
    /// assert_eq!(Idx::I32(array![7, 2].into_dyn()).to_classes()?, [7, 2]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn to_classes(&self) -> Result<Vec<usize>> {
        let expected = "one axis of integers that are not negative";
        if self.shape().len() != 1 {
            return Err(Error::argument("labels", expected, format!("shape {:?}", self.shape())));
        }
        let negative = |value: i64| usize::try_from(value).map_err(|_| Error::argument("labels", expected, value));
        match self {
            Self::U8(a) => Ok(a.iter().map(|&v| usize::from(v)).collect()),
            Self::I8(a) => a.iter().map(|&v| negative(v.into())).collect(),
            Self::I16(a) => a.iter().map(|&v| negative(v.into())).collect(),
            Self::I32(a) => a.iter().map(|&v| negative(v.into())).collect(),
            Self::F32(_) | Self::F64(_) => {
                Err(Error::argument("labels", expected, format!("type {:#04x}", self.code())))
            }
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::U8(_) => 0x08,
            Self::I8(_) => 0x09,
            Self::I16(_) => 0x0b,
            Self::I32(_) => 0x0c,
            Self::F32(_) => 0x0d,
            Self::F64(_) => 0x0e,
        }
    }
}

/// Reads what is no longer compressed.
fn plain(mut reader: impl Read, limit: usize) -> Result<Idx> {
    let mut start = [0; 4];
    exactly(&mut reader, &mut start, "its first four bytes")?;
    let [0, 0, code, rank] = start else {
        let expected = "two zero bytes, a type and a number of axes, or gzip, at the start";
        return Err(Error::argument("IDX file", expected, format!("{start:02x?}")));
    };
    let bytes = match code {
        0x08 | 0x09 => 1,
        0x0b => 2,
        0x0c | 0x0d => 4,
        0x0e => 8,
        _ => {
            let expected = "an element type of 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e";
            return Err(Error::argument("IDX file", expected, format!("{code:#04x}")));
        }
    };
    if rank == 0 {
        return Err(Error::argument("IDX file", "1 axis or more", 0));
    }
    let mut shape = Vec::with_capacity(rank.into());
    for _ in 0..rank {
        let mut extent = [0; 4];
        exactly(&mut reader, &mut extent, "the lengths of its axes")?;
        shape.push(u32::from_be_bytes(extent) as usize);
    }
    let count = shape.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
    let Some(count) = count.filter(|&count| count <= limit / bytes) else {
        let given = format!("shape {shape:?} of {bytes} bytes each");
        return Err(Error::argument("IDX file", format!("at most {limit} bytes of elements"), given));
    };
    let idx = match code {
        0x08 => Idx::U8(array(&mut reader, shape, count, u8::from_be_bytes)?),
        0x09 => Idx::I8(array(&mut reader, shape, count, i8::from_be_bytes)?),
        0x0b => Idx::I16(array(&mut reader, shape, count, i16::from_be_bytes)?),
        0x0c => Idx::I32(array(&mut reader, shape, count, i32::from_be_bytes)?),
        0x0d => Idx::F32(array(&mut reader, shape, count, f32::from_be_bytes)?),
        _ => Idx::F64(array(&mut reader, shape, count, f64::from_be_bytes)?),
    };
    // An end that is an error (of a checksum that is not there) is none.
    let mut behind = Vec::new();
    if reader.take(1).read_to_end(&mut behind).map_err(failed)? > 0 {
        let expected = format!("nothing behind the elements of shape {:?}", idx.shape());
        return Err(Error::argument("IDX file", expected, "more bytes"));
    }
    Ok(idx)
}

/// Reads the elements step by step, so that memory grows with what is there and not with what was declared.
fn array<E, const N: usize>(
    reader: &mut impl Read,
    shape: Vec<usize>,
    count: usize,
    decode: fn([u8; N]) -> E,
) -> Result<ArrayD<E>> {
    let mut values: Vec<E> = Vec::new();
    let mut buffer = vec![0; STEP];
    while values.len() < count {
        let step = ((count - values.len()) * N).min(STEP);
        let bytes = buffer.get_mut(..step).unwrap_or_default();
        reader.read_exact(bytes).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => {
                let expected = format!("{count} elements, of shape {shape:?}");
                Error::argument("IDX file", expected, format!("an end before element {}", values.len() + step / N))
            }
            _ => failed(e),
        })?;
        values.try_reserve(step / N).map_err(|e| Error::other("allocating the elements of an IDX file", e))?;
        values.extend(bytes.as_chunks().0.iter().map(|&element| decode(element)));
    }
    values.shrink_to_fit();
    ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|e| Error::other("shaping an IDX file", e))
}

fn exactly(reader: &mut impl Read, to: &mut [u8], what: &str) -> Result<()> {
    reader.read_exact(to).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => Error::argument("IDX file", what.to_string(), "its end"),
        _ => failed(e),
    })
}

fn failed(source: io::Error) -> Error {
    Error::other("reading an IDX file", source)
}

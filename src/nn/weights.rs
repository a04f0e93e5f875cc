//! Weights in files: safetensors, with the names and layouts of PyTorch's `state_dict`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use ndarray::ArrayD;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};

use super::layer::{dense, volume};
use super::{Float, Item, Network};
use crate::element::DType;
use crate::error::{Error, Result};
use crate::file;

/// What the names of an optimiser's arrays begin with, in a checkpoint, and those of the best weights so far.
pub(super) const RESERVED: [&str; 2] = ["optimizer/", "best/"];

/// Tensors by name, as they lie in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tensors {
    pub(super) arrays: BTreeMap<String, Stored>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// An array of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) shape: Vec<usize>,
    dtype: Dtype,
    /// Little-endian, as the format says.
    bytes: Vec<u8>,
}

impl Stored {
    pub(super) fn of<T: Float>(shape: &[usize], values: &[T]) -> Self {
        let (dtype, bytes) = match T::DTYPE {
            DType::F64 => (Dtype::F64, values.iter().flat_map(|v| v.as_f64().to_le_bytes()).collect()),
            _ => (Dtype::F32, values.iter().flat_map(|v| (v.as_f64() as f32).to_le_bytes()).collect()),
        };
        Self { shape: shape.to_vec(), dtype, bytes }
    }

    fn count(value: u64) -> Self {
        Self { shape: Vec::new(), dtype: Dtype::I64, bytes: value.to_le_bytes().to_vec() }
    }

    /// The values, rounded where the file has more digits.
    pub(super) fn values<T: Float>(&self, name: &str) -> Result<Vec<T>> {
        let bytes = &self.bytes[..];
        Ok(match self.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|b| T::from_f64(f32::from_le_bytes(*b).into())).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|b| T::from_f64(f64::from_le_bytes(*b))).collect(),
            // The upper half of a single.
            Dtype::BF16 => {
                let halves = bytes.as_chunks::<2>().0.iter();
                halves.map(|&[a, b]| T::from_f64(f32::from_le_bytes([0, 0, a, b]).into())).collect()
            }
            other => return Err(Error::argument(name.to_owned(), "elements F32, F64 or BF16", format!("{other:?}"))),
        })
    }

    /// A number that is counted on from.
    fn whole(&self, name: &str) -> Result<u64> {
        let refuse =
            |given: String| Err(Error::argument(name.to_owned(), "one count, of 64 bits and below 2⁵³", given));
        match (self.dtype, self.bytes.as_chunks().0) {
            (Dtype::I64 | Dtype::U64, &[bytes]) => match u64::from_le_bytes(bytes) {
                count if is_count(count) => Ok(count),
                other => refuse(other.to_string()),
            },
            (dtype, _) => refuse(format!("{:?} {dtype:?}", self.shape)),
        }
    }
}

/// Whether a number of a file is one that can be counted on from and never overflows.
pub(super) fn is_count(number: u64) -> bool {
    number < 1 << 53
}

impl safetensors::View for &Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        (&self.bytes).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl Tensors {
    /// Everything that a network keeps.
    pub(super) fn of<T: Float>(network: &mut Network<T>) -> Result<Self> {
        let mut this = Self::default();
        network.visit(&mut |path, item| {
            let stored = match item {
                Item::Parameter(parameter) => Stored::of(parameter.value.shape(), parameter.values()?),
                Item::Buffer(buffer) => Stored::of(buffer.shape(), dense("buffer", buffer.as_slice())?),
                Item::Count(count) => Stored::count(*count),
            };
            this.insert(path.to_owned(), stored)
        })?;
        Ok(this)
    }

    pub(super) fn insert(&mut self, name: String, stored: Stored) -> Result<()> {
        let twice = self.arrays.contains_key(&name);
        if twice || name.is_empty() {
            let expected = "names that differ, and none that is empty";
            return Err(Error::argument("names of the network", expected, format!("{name:?} twice or empty")));
        }
        self.arrays.insert(name, stored);
        Ok(())
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let doing = || format!("reading {}", path.display());
        let bytes = std::fs::read(path).map_err(|e| Error::other(doing(), e))?;
        Self::parse(&bytes).map_err(|e| Error::other(doing(), e))
    }

    /// What lies in a file's bytes. Lengths that it declares and does not hold are refused before any memory is taken.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let failed = |e| Error::other("a safetensors file", e);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(failed)?;
        let file = SafeTensors::deserialize(bytes).map_err(failed)?;
        let stored = |(name, view): (String, TensorView<'_>)| {
            let (shape, dtype, bytes) = (view.shape().to_vec(), view.dtype(), view.data().to_vec());
            (name, Stored { shape, dtype, bytes })
        };
        Ok(Self { arrays: file.tensors().into_iter().map(stored).collect(), metadata: texts(&header) })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let doing = || format!("writing {}", path.display());
        let bytes = safetensors::serialize(self.arrays.iter(), None).map_err(|e| Error::other(doing(), e))?;
        let (head, rest) = bytes.split_at(8);
        let length = head.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let (header, data) = rest.split_at(length);
        let header = self.titled(header).map_err(|e| Error::other(doing(), e))?;
        file::replace(path, |file| {
            let parts = [&(header.len() as u64).to_le_bytes()[..], &header, data];
            parts.into_iter().try_for_each(|part| file.write_all(part)).map_err(|e| Error::other(doing(), e))
        })
    }

    /// A header with the texts in front, in the order of their names: the format's own writer takes them from a hash
    /// map, and the same weights would be another file each time.
    fn titled(&self, header: &[u8]) -> serde_json::Result<Vec<u8>> {
        if self.metadata.is_empty() {
            return Ok(header.to_vec());
        }
        let arrays = header.trim_ascii();
        let arrays = arrays.strip_prefix(b"{").unwrap_or(arrays);
        let mut titled = b"{\"__metadata__\":".to_vec();
        serde_json::to_writer(&mut titled, &self.metadata)?;
        if !self.arrays.is_empty() {
            titled.push(b',');
        }
        titled.extend_from_slice(arrays);
        titled.resize(titled.len().next_multiple_of(8), b' ');
        Ok(titled)
    }

    /// Puts the arrays into a network that has arrays of these names and shapes, all or none.
    pub(super) fn load<T: Float>(&self, network: &mut Network<T>) -> Result<()> {
        let found = self.compare(network)?;
        if !found.is_complete() {
            return Err(Error::argument("weights", "the network's names and shapes", found));
        }
        self.put(network)
    }

    fn put<T: Float>(&self, network: &mut Network<T>) -> Result<()> {
        network.visit(&mut |path, item| {
            let Some(stored) = self.arrays.get(path) else { return Ok(()) };
            let assign = |array: &mut ArrayD<T>| -> Result<()> {
                if array.shape() == stored.shape {
                    let values = stored.values::<T>(path)?;
                    array.iter_mut().zip(values).for_each(|(to, value)| *to = value);
                }
                Ok(())
            };
            match item {
                Item::Parameter(parameter) => assign(&mut parameter.value),
                Item::Buffer(buffer) => assign(buffer),
                Item::Count(count) => {
                    *count = stored.whole(path)?;
                    Ok(())
                }
            }
        })
    }

    /// How the arrays and a network's differ. Errors only where values could not be taken over at all.
    fn compare<T: Float>(&self, network: &mut Network<T>) -> Result<Comparison> {
        let mut found = Comparison::default();
        let mut known = Vec::new();
        network.visit(&mut |path, item| {
            known.push(path.to_owned());
            let Some(stored) = self.arrays.get(path) else {
                found.missing.push(path.to_owned());
                return Ok(());
            };
            let shape = match &item {
                Item::Parameter(parameter) => parameter.value.shape(),
                Item::Buffer(buffer) => buffer.shape(),
                // PyTorch writes it without an axis, others with one.
                Item::Count(_) => return stored.whole(path).map(|_| ()),
            };
            if shape == stored.shape {
                // That they are numbers is asked of their kind alone.
                Stored { shape: Vec::new(), dtype: stored.dtype, bytes: Vec::new() }.values::<T>(path)?;
                debug_assert!(stored.bytes.len() >= volume(shape), "the format's reader has checked the length");
            } else {
                let of = |shape: &[usize]| format!("{shape:?}");
                found.misshapen.push((path.to_owned(), of(shape), of(&stored.shape)));
            }
            Ok(())
        })?;
        let reserved = |name: &str| RESERVED.iter().any(|prefix| name.starts_with(prefix));
        let unexpected = self.arrays.keys().filter(|name| !known.contains(name) && !reserved(name));
        found.unexpected = unexpected.cloned().collect();
        Ok(found)
    }
}

/// The texts that stand beside the weights in a file: those of [`Network::save_with`], a checkpoint's own, or another
/// program's. Of the file its header alone is read.
///
/// # Errors
/// [`Error::Other`] where the file cannot be read or is no safetensors file.
pub fn read_metadata(path: impl AsRef<Path>) -> Result<BTreeMap<String, String>> {
    let doing = || format!("reading {}", path.as_ref().display());
    let failed = |e| Error::other(doing(), e);
    let mut file = File::open(&path).map_err(failed)?;
    let mut head = [0; 8];
    file.read_exact(&mut head).map_err(failed)?;
    let length = u64::from_le_bytes(head);
    if length > MOST_HEADER {
        return Err(Error::argument("header", format!("at most {MOST_HEADER} bytes, as the format has it"), length));
    }
    let mut header = Vec::new();
    // A length beyond the file's end takes no memory, and what is there ends within the JSON.
    file.take(length).read_to_end(&mut header).map_err(failed)?;
    let header: Metadata = serde_json::from_slice(&header).map_err(|e| Error::other(doing(), e))?;
    Ok(texts(&header))
}

/// The longest header of a safetensors file.
const MOST_HEADER: u64 = 100_000_000;

/// A header's texts.
fn texts(header: &Metadata) -> BTreeMap<String, String> {
    header.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect()
}

/// How the arrays of a file and of a network differ.
///
/// ```no_run
/// use faltung::nn::{Dense, Sequential};
/// let mut network = Sequential::<f32>::new().named("body", Dense::new(8, 4)).named("head", Dense::new(4, 2)).build(1)?;
/// let found = network.load_matching("pretrained.safetensors")?;
/// if !found.is_complete() {
///     println!("{found}"); // missing head.bias, head.weight
/// }
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// Names of the network that the file has not.
    pub missing: Vec<String>,
    /// Names of the file that the network has not.
    pub unexpected: Vec<String>,
    /// Names of both with another shape: the name, the network's shape, the file's.
    pub misshapen: Vec<(String, String, String)>,
}

impl Comparison {
    /// Whether they do not differ.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty()
    }
}

/// Names that are told at once: a network may have thousands.
const TOLD: usize = 20;

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |names: &[String]| {
            let more = names.len().saturating_sub(TOLD);
            let told = names[..names.len() - more].join(", ");
            if more > 0 { format!("{told} and {more} more") } else { told }
        };
        let misshapen = self.misshapen.iter();
        let shapes: Vec<_> = misshapen.map(|(name, ours, given)| format!("{name} {given} for {ours}")).collect();
        let parts = [
            ("missing", list(&self.missing)),
            ("unexpected", list(&self.unexpected)),
            ("of another shape", list(&shapes)),
        ];
        let told: Vec<_> =
            parts.iter().filter(|(_, l)| !l.is_empty()).map(|(what, l)| format!("{what}: {l}")).collect();
        f.pad(&if told.is_empty() { "the same names and shapes".to_owned() } else { told.join("; ") })
    }
}

impl<T: Float> Network<T> {
    /// Writes everything that the network has learnt as safetensors, under the names and in the layouts of PyTorch's
    /// `state_dict`: `safetensors.torch.load_file` and `load_state_dict` read it there. The file is written aside and
    /// renamed.
    ///
    /// # Errors
    /// [`Error::Other`] where the file cannot be written, and [`Error::Argument`] where two arrays have one name.
    ///
    /// ```
    /// use faltung::nn::{Dense, Sequential};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("weights.safetensors");
    /// let design = || Sequential::<f32>::new().layer(Dense::new(4, 2));
    /// design().build(1)?.save(&path)?;
    /// design().build(2)?.load(&path)?; // now the same as the first
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &BTreeMap::new())
    }

    /// As [`save`](Self::save), with texts beside the weights in the same file: what a program needs to use them, such
    /// as a vocabulary. [`read_metadata`] reads them; [`load`](Self::load) and PyTorch pass over them.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use faltung::nn::{Dense, Sequential, read_metadata};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("weights.safetensors");
    /// let classes = BTreeMap::from([("classes".to_string(), "ham\nspam".to_string())]);
    /// Sequential::<f32>::new().layer(Dense::new(4, 2)).build(1)?.save_with(&path, &classes)?;
    /// assert_eq!(read_metadata(&path)?, classes);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save_with(&mut self, path: impl AsRef<Path>, metadata: &BTreeMap<String, String>) -> Result<()> {
        let mut tensors = Tensors::of(self)?;
        tensors.metadata = metadata.clone();
        tensors.write(path.as_ref())
    }

    /// Reads weights that [`save`](Self::save), a checkpoint or PyTorch has written. Single, double and bfloat16
    /// precision are converted.
    ///
    /// # Errors
    /// [`Error::Other`] where the file cannot be read or is no safetensors file, and [`Error::Argument`] with a list
    /// of what is missing, unexpected or of another shape. The network is as before then.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        Tensors::read(path.as_ref())?.load(self)
    }

    /// Reads those weights that the network has too, in the same shape, and tells what else there was: to fine-tune a
    /// network with another head.
    ///
    /// # Errors
    /// [`Error::Other`] where the file cannot be read or is no safetensors file.
    pub fn load_matching(&mut self, path: impl AsRef<Path>) -> Result<Comparison> {
        let arrays = Tensors::read(path.as_ref())?;
        let found = arrays.compare(self)?;
        arrays.put(self)?;
        Ok(found)
    }

    /// As [`load`](Self::load), from the bytes of a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        Tensors::parse(bytes)?.load(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_arrays_and_texts_are_the_same_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = |i: usize| (format!("key \"{i}\""), format!("text {i}\n"));
        let arrays = BTreeMap::from([
            ("a".to_owned(), Stored::of(&[3], &[1.0f32, 2.0, 3.0])),
            ("b".to_owned(), Stored::count(7)),
        ]);
        for arrays in [arrays, BTreeMap::new()] {
            for texts in [0, 1, 9] {
                let tensors = Tensors { arrays: arrays.clone(), metadata: (0..texts).map(text).collect() };
                let written = [0, 1].map(|i| {
                    let path = folder.path().join(i.to_string());
                    tensors.write(&path).expect("it is written");
                    assert_eq!(read_metadata(&path).expect("a header"), tensors.metadata);
                    std::fs::read(&path).expect("it is there")
                });
                assert_eq!(written[0], written[1]);
                assert_eq!(Tensors::parse(&written[0]).expect("the format"), tensors);
                let length = u64::from_le_bytes(written[0][..8].try_into().expect("eight bytes"));
                assert!(length.is_multiple_of(8), "arrays lie at multiples of eight bytes");
            }
        }
    }
}

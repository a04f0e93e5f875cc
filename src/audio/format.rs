//! How samples are stored.

use std::fmt;
use std::str::FromStr;

use hound::{SampleFormat, WavSpec};

use crate::error::{Error, Result};

/// How samples are stored in a WAV file.
///
/// Integers of `b` bits stand for the samples in -1 … 1 by the factor `2^(b - 1)`, so that -1 has an integer of its
/// own and 1 is one step beyond the largest. The names are those of [`FromStr`] and [`Display`](fmt::Display).
///
/// ```
/// use faltung::audio::WavFormat;
/// assert_eq!("pcm24".parse::<WavFormat>()?, WavFormat::Pcm24);
/// assert_eq!(WavFormat::Float32.to_string(), "float");
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WavFormat {
    /// `pcm8`: integers of 8 bits, unsigned in the file, 128 for silence.
    Pcm8,
    /// `pcm16`: integers of 16 bits.
    Pcm16,
    /// `pcm24`: integers of 24 bits.
    Pcm24,
    /// `pcm32`: integers of 32 bits. Samples here are `f32`, so that the last eight bits are rounded away.
    Pcm32,
    /// `float`: IEEE numbers of 32 bits, nothing rounded and nothing clipped.
    Float32,
}

impl WavFormat {
    /// Every format.
    ///
    /// ```
    /// use faltung::audio::WavFormat;
    /// assert!(WavFormat::ALL.iter().all(|f| f.to_string().parse::<WavFormat>().is_ok_and(|read| read == *f)));
    /// ```
    pub const ALL: [Self; 5] = [Self::Pcm8, Self::Pcm16, Self::Pcm24, Self::Pcm32, Self::Float32];

    /// Bits a sample.
    ///
    /// ```
    /// assert_eq!(faltung::audio::WavFormat::Pcm24.bits(), 24);
    /// ```
    pub const fn bits(self) -> u16 {
        match self {
            Self::Pcm8 => 8,
            Self::Pcm16 => 16,
            Self::Pcm24 => 24,
            Self::Pcm32 | Self::Float32 => 32,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pcm8 => "pcm8",
            Self::Pcm16 => "pcm16",
            Self::Pcm24 => "pcm24",
            Self::Pcm32 => "pcm32",
            Self::Float32 => "float",
        }
    }

    pub(super) const fn sample_format(self) -> SampleFormat {
        match self {
            Self::Float32 => SampleFormat::Float,
            _ => SampleFormat::Int,
        }
    }

    /// The format that hound's description of a file tells.
    pub(super) fn of(spec: WavSpec) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.bits() == spec.bits_per_sample && f.sample_format() == spec.sample_format)
    }

    /// The integer that stands for 1; formats of integers only.
    pub(super) fn full_scale(self) -> f64 {
        f64::from(1u32 << (self.bits() - 1))
    }
}

impl fmt::Display for WavFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for WavFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| Error::parse(text, "a WAV format is pcm8, pcm16, pcm24, pcm32 or float"))
    }
}

//! Sounds: WAV files to and from arrays, and rooms laid over them.
//!
//! | item | for |
//! |---|---|
//! | [`Audio`] | samples, channels x frames, and their rate; WAV files in and out |
//! | [`WavFormat`] | how samples are stored in a WAV file |
//! | [`Reverb`], and the [`PreparedReverb`] made of it | a sound in the room of an impulse response |
//! | [`Stft`], [`LogMel`] and what is [prepared](PreparedLogMel) of them | power spectra over time, and those of the bands of the mel scale |
//! | [`decibels`] | a level in dB as a factor |
//!
//! ```
//! use faltung::audio::{Audio, Reverb};
//!
//! let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
//! let tabla = Audio::read(data.join("tabla.wav"))?;
//! let room = Audio::read(data.join("room.wav"))?;
//! let hall = Reverb::new(&room).dry(0.3).wet(0.7).normalize(0.9).apply(&tabla)?;
//! assert_eq!(hall.frames(), tabla.frames() + room.frames() - 1);
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("hall.wav");
//! let clipped = hall.write(path, tabla.format())?;
//! assert_eq!(clipped, 0);
//! # Ok::<(), faltung::Error>(())
//! ```

mod format;
mod mel;
mod prepared;
mod reverb;
mod riff;
mod sound;
mod spectrum;
mod wav;
mod wiring;

pub use format::WavFormat;
pub use mel::{Level, LogMel, PreparedLogMel};
pub use prepared::PreparedReverb;
pub use reverb::{Reverb, decibels};
pub use sound::Audio;
pub use spectrum::{MelScale, PreparedStft, Stft};

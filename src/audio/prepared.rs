//! A response made ready, and sounds sent through it block by block.

use std::fmt;

use ndarray::{Array2, ArrayView1};

use super::reverb::Reverb;
use super::sound::{Audio, reserve};
use super::wiring::Wiring;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::plan::{Explanation, Planner, Prepared, Workspace};

/// Frames of the shortest block, of a long sound.
const SHORTEST_BLOCK: usize = 1 << 17;

/// Responses that a block is long. The transforms within are of about two responses, so that longer blocks are no faster
/// and waste more on sounds that fill a part of one.
const RESPONSES_A_BLOCK: usize = 2;

/// A response made ready for many sounds, by [`Reverb::prepare`]: immutable, shared freely among threads.
///
/// Sounds go through it in blocks, each with so much of the sound before it as the response reaches back, so that
/// memory beside the sound and the result depends on the response alone.
///
/// ```
/// use faltung::audio::{Audio, Reverb};
///
/// let room = Audio::from_interleaved(&[1.0, 0.5], 1, 8000)?;
/// let room = Reverb::new(&room).dry(1.0).wet(0.5).prepare(1, 8000)?;
/// let knock = Audio::from_interleaved(&[1.0], 1, 8000)?;
/// assert_eq!(room.apply(&knock)?.to_interleaved(), [1.5, 0.25]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone)]
pub struct PreparedReverb {
    prepared: Prepared<f64>,
    wiring: Wiring,
    channels: usize,
    rate: u32,
    /// Frames that the wet sound comes late, and that the response has.
    delay: usize,
    taps: usize,
    block: usize,
    dry: f64,
    wet: f64,
    tail: bool,
    peak: Option<f64>,
}

impl fmt::Debug for PreparedReverb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedReverb")
            .field("channels", &self.channels)
            .field("rate", &self.rate)
            .field("taps", &self.taps)
            .field("recipe", self.prepared.plan().recipe())
            .finish_non_exhaustive()
    }
}

impl PreparedReverb {
    /// For sounds of any length, or of so many frames.
    pub(super) fn new(reverb: &Reverb<'_>, channels: usize, rate: u32, frames: Option<usize>) -> Result<Self> {
        reverb.check()?;
        let wiring = Wiring::new(channels, reverb.response.channels())?;
        if reverb.response.frames() == 0 {
            return Err(Error::argument("response", "one frame or more", "none"));
        }
        check_finite("response", reverb.response)?;
        let response = match reverb.response.rate() {
            own if own == rate => reverb.response.samples().mapv(f64::from),
            // A sum over samples that stand closer together or farther apart is larger or smaller.
            own if reverb.resample => reverb.response.at_rate(rate)? * (f64::from(own) / f64::from(rate)),
            own => return Err(Error::argument("rate of the sound", format!("{own} Hz, the response's"), rate)),
        };
        let taps = response.ncols();
        let delay = (reverb.predelay * f64::from(rate)).round() as usize;
        let longest = taps.saturating_mul(RESPONSES_A_BLOCK).max(SHORTEST_BLOCK);
        let block = match frames {
            Some(frames) => length(frames, delay, taps, reverb.tail)?.clamp(1, longest),
            None => longest,
        };
        let kernel = wiring.kernel(response)?;
        let plan = Planner::new().plan(&wiring.problem(block, taps)?)?;
        let prepared = plan.prepare(kernel.as_standard_layout().as_slice().unwrap_or_default())?;
        let &Reverb { dry, wet, tail, peak, .. } = reverb;
        Ok(Self { prepared, wiring, channels, rate, delay, taps, block, dry, wet, tail, peak })
    }

    /// The sound in the room, with the sound's rate and format.
    ///
    /// # Errors
    /// [`Error::Argument`] where the sound has no frames, a sample that is not finite, or other channels or another rate
    /// than were prepared for; [`Error::Other`] where memory does not hold the result.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    ///
    /// let room = Audio::from_interleaved(&[1.0, 0.5], 1, 8000)?;
    /// let room = Reverb::new(&room).prepare(1, 8000)?;
    /// assert_eq!(room.apply(&Audio::from_interleaved(&[1.0], 1, 8000)?)?.to_interleaved(), [1.0, 0.5]);
    /// assert!(room.apply(&Audio::from_interleaved(&[1.0], 1, 44_100)?).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, sound: &Audio) -> Result<Audio> {
        self.apply_with(sound, |_, _| {})
    }

    /// As [`apply`](Self::apply), and tells after every block how many frames of the result are done, of how many.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    ///
    /// let room = Audio::from_interleaved(&[1.0, 0.5], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[0.5; 300_000], 1, 8000)?;
    /// let mut told = Vec::new();
    /// Reverb::new(&room).prepare(1, 8000)?.apply_with(&sound, |done, of| told.push((done, of)))?;
    /// assert!(told.len() > 1 && told.is_sorted());
    /// assert_eq!(told.last(), Some(&(300_001, 300_001)));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_with(&self, sound: &Audio, progress: impl FnMut(usize, usize)) -> Result<Audio> {
        Audio::with_format(self.run(sound, progress)?, sound.rate(), sound.format())
    }

    /// The samples of [`apply`](Self::apply), channels x frames, before they are rounded to `f32`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    ///
    /// let third = Audio::from_interleaved(&[0.5], 1, 8000)?;
    /// let third = Reverb::new(&third).wet(2.0 / 3.0).prepare(1, 8000)?;
    /// assert_eq!(third.render(&Audio::from_interleaved(&[1.0], 1, 8000)?)?[[0, 0]], 1.0 / 3.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn render(&self, sound: &Audio) -> Result<Array2<f64>> {
        self.run(sound, |_, _| {})
    }

    /// How the blocks are computed, and what else was weighed.
    ///
    /// ```
    /// # use faltung::audio::{Audio, Reverb};
    /// let room = Audio::from_interleaved(&[0.5; 44_100], 1, 44_100)?;
    /// println!("{}", Reverb::new(&room).prepare(2, 44_100)?.explain());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn explain(&self) -> &Explanation {
        self.prepared.plan().explain()
    }

    fn run<T: Element>(&self, sound: &Audio, mut progress: impl FnMut(usize, usize)) -> Result<Array2<T>> {
        if sound.channels() != self.channels {
            return Err(Error::argument("channels of the sound", self.channels.to_string(), sound.channels()));
        }
        if sound.rate() != self.rate {
            return Err(Error::argument("rate of the sound", format!("{} Hz", self.rate), sound.rate()));
        }
        if sound.frames() == 0 {
            return Err(Error::argument("sound", "one frame or more", "none"));
        }
        check_finite("sound", sound)?;

        let (outputs, history) = (self.wiring.outputs(), self.block + self.taps - 1);
        let total = length(sound.frames(), self.delay, self.taps, self.tail)?;
        let mut result = Array2::from_shape_vec((outputs, total), reserve(outputs, total)?)
            .map_err(|e| Error::other("laying out the channels of the result", e))?;
        let mut heard: Vec<f64> = reserve(self.channels, history)?;
        let mut wet: Vec<f64> = reserve(outputs, self.block)?;
        let (mut workspace, mut peak) = (Workspace::new(), 0.0f64);
        for start in (0..total).step_by(self.block) {
            let frames = self.block.min(total - start);
            for (part, channel) in heard.chunks_exact_mut(history).zip(sound.samples().outer_iter()) {
                excerpt(channel, start, self.delay + self.taps - 1, part);
            }
            self.prepared.run(&heard, &mut wet, &mut workspace)?;
            for (channel, (mut line, wet)) in result.outer_iter_mut().zip(wet.chunks_exact(self.block)).enumerate() {
                // A mono sound is the dry part of every channel.
                let dry = sound.samples().row(channel.min(self.channels - 1));
                for (i, (place, &wet)) in line.iter_mut().skip(start).take(frames).zip(wet).enumerate() {
                    let dry = dry.get(start + i).map_or(0.0, |&v| f64::from(v));
                    let mixed = self.dry * dry + self.wet * wet;
                    peak = peak.max(mixed.abs());
                    *place = T::from_f64(mixed);
                }
            }
            progress(start + frames, total);
        }
        if let Some(wanted) = self.peak.filter(|_| peak > 0.0) {
            let scale = T::from_f64(wanted / peak);
            result.mapv_inplace(|v| v * scale);
        }
        Ok(result)
    }
}

/// Frames of the result for so many of the sound.
fn length(frames: usize, delay: usize, taps: usize, tail: bool) -> Result<usize> {
    match tail {
        true => frames.checked_add(delay).and_then(|n| n.checked_add(taps - 1)),
        false => Some(frames),
    }
    .ok_or_else(|| Error::overflow("the length of the result"))
}

/// A part of a channel as `f64`, from `before` frames ahead of frame `start` on, with zeros outside the channel.
fn excerpt(channel: ArrayView1<'_, f32>, start: usize, before: usize, part: &mut [f64]) {
    let (from, zeros) = (start.saturating_sub(before), before.saturating_sub(start));
    part.fill(0.0);
    for (place, &sample) in part.iter_mut().skip(zeros).zip(channel.iter().skip(from)) {
        *place = f64::from(sample);
    }
}

/// # Errors
/// [`Error::Argument`] with the first sample that is infinite or NaN.
fn check_finite(name: &'static str, sound: &Audio) -> Result<()> {
    match sound.samples().indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some(((channel, frame), value)) => {
            Err(Error::argument(name, "finite samples", format!("{value} in frame {frame} of channel {channel}")))
        }
    }
}

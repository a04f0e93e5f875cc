//! Which channel of a sound goes through which channel of a response, and where to.

use ndarray::{Array2, Axis, concatenate};

use crate::element::DType;
use crate::error::{Error, Result};
use crate::problem::{Mode, Problem};

/// Channels of a true-stereo response: left to left, left to right, right to left, right to right.
const TRUE_STEREO: usize = 4;

/// A sound's channels laid over a response's, as the batch, groups and channels of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wiring {
    batch: usize,
    groups: usize,
    inputs: usize,
    outputs: usize,
    true_stereo: bool,
}

impl Wiring {
    pub(super) fn new(sound: usize, response: usize) -> Result<Self> {
        let plain = Self { batch: 1, groups: 1, inputs: 1, outputs: 1, true_stereo: false };
        match (sound, response) {
            (1.., 1) => Ok(Self { batch: sound, ..plain }),
            (1 | 2, TRUE_STEREO) => Ok(Self { inputs: sound, outputs: 2, true_stereo: true, ..plain }),
            (1, 2..) => Ok(Self { outputs: response, ..plain }),
            (2.., _) if sound == response => Ok(Self { groups: sound, inputs: sound, outputs: sound, ..plain }),
            _ => {
                let expected = match response {
                    TRUE_STEREO => "1, 2 or 4, for a response of 4 channels".into(),
                    _ => format!("1 or {response}, for a response of {response} channels"),
                };
                Err(Error::argument("channels of the sound", expected, sound))
            }
        }
    }

    /// Channels of the result.
    pub(super) fn outputs(&self) -> usize {
        self.batch * self.outputs
    }

    /// The convolution of blocks that give `block` frames, of each the history of the response's length before it.
    pub(super) fn problem(&self, block: usize, taps: usize) -> Result<Problem> {
        let history = taps.checked_add(block - 1).ok_or_else(|| Error::overflow("the block and the response"))?;
        Problem::field(&[history], &[taps])
            .mode(Mode::Valid)
            .batch(self.batch)
            .channels(self.inputs, self.outputs)
            .groups(self.groups)
            .dtype(DType::F64)
            .build()
    }

    /// The response's channels in the order that the problem has them in: output channels x input channels of a group.
    pub(super) fn kernel(&self, response: Array2<f64>) -> Result<Array2<f64>> {
        if !self.true_stereo {
            return Ok(response);
        }
        let by_output = response.select(Axis(0), &[0, 2, 1, 3]);
        if self.inputs == 2 {
            return Ok(by_output);
        }
        // One sound at both inputs: what the two do to an output adds up.
        let (left, right) = by_output.view().split_at(Axis(0), 2);
        let sums = [left, right].map(|pair| pair.sum_axis(Axis(0)).insert_axis(Axis(0)));
        concatenate(Axis(0), &[sums[0].view(), sums[1].view()])
            .map_err(|e| Error::other("summing the channels of a true-stereo response", e))
    }
}

//! Dropout.

use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::error::{Error, Result};
use crate::nn::layer::{channels, dense, input, output};
use crate::nn::work::{GRAIN, rows, share, wide};
use crate::nn::{Backward, Context, Design, Float, Layer, Random};

/// Dropout (Srivastava et al. 2014): in training each number is made 0 with a probability, and the others are enlarged
/// so that their mean stays; evaluation changes nothing.
///
/// What is dropped follows from the network's random numbers and from the place alone, whatever the number of threads,
/// and is not kept from pass to pass: it is computed again.
///
/// ```
/// use faltung::ndarray::ArrayD;
/// use faltung::nn::{Dropout, Sequential};
/// let mut network = Sequential::new().layer(Dropout::new(0.2)).build(1)?;
/// let ones = ArrayD::<f32>::ones(vec![100, 100]);
/// assert_eq!(network.forward(ones.view())?, ones);
/// let trained = network.train(ones.view())?;
/// assert!(trained.iter().all(|&v| v == 0.0 || v == 1.25));
/// assert!((trained.sum() / 1e4 - 1.0).abs() < 0.03);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    probability: f64,
}

/// Dropout of whole channels (Tompson et al. 2015), any number of spatial axes: neighbours in a picture are much alike,
/// and one tells what another was.
///
/// Input and output (batch, channels, …).
///
/// ```
/// use faltung::ndarray::{ArrayD, Axis};
/// use faltung::nn::{Sequential, SpatialDropout};
/// let mut network = Sequential::new().layer(SpatialDropout::new(0.5)).build(1)?;
/// let ones = ArrayD::<f32>::ones(vec![4, 8, 5, 5]);
/// for channel in network.train(ones.view())?.view().into_shape_with_order((32, 25))?.axis_iter(Axis(0)) {
///     assert!(channel.iter().all(|&v| v == channel[0]));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpatialDropout {
    probability: f64,
}

/// What PyTorch calls [`SpatialDropout`] of images.
pub type Dropout2d = SpatialDropout;

impl Dropout {
    /// Drops with a probability from 0 to 1.
    pub fn new(probability: f64) -> Self {
        Self { probability }
    }
}

impl SpatialDropout {
    /// Drops with a probability from 0 to 1.
    pub fn new(probability: f64) -> Self {
        Self { probability }
    }
}

macro_rules! design {
    ($name:ident, $whole_channels:literal) => {
        impl<T: Float> Design<T> for $name {
            fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
                if !(0.0..=1.0).contains(&self.probability) {
                    return Err(Error::argument("probability", "from 0 to 1", self.probability));
                }
                let chance = Chance::new(self.probability);
                Ok(Box::new(DropoutLayer { chance, whole_channels: $whole_channels, key: None }))
            }
        }
    };
}
design!(Dropout, false);
design!(SpatialDropout, true);

/// Which numbers stay, and how many times as large they become.
#[derive(Clone, Copy, Debug)]
struct Chance {
    /// The largest of the 2³² outcomes that drops, where one does.
    last_dropped: Option<u32>,
    scale: f64,
}

/// Two words that the outcomes of one block follow from.
#[derive(Clone, Copy, Debug)]
struct Block(u32, u32);

impl Block {
    /// Sebastiano Vigna's SplitMix64, from any place on.
    fn new(key: u64, number: u64) -> Self {
        let mut z = key.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        Self(z as u32, (z >> 32) as u32)
    }

    /// Chris Wellons's mixing of 32 bits, which every register can do, with a word more in the midst.
    #[inline(always)]
    fn outcome(self, place: u32) -> u32 {
        let mut h = place.wrapping_add(self.0);
        h = (h ^ (h >> 16)).wrapping_mul(0x21f0_aaad) ^ self.1;
        h = (h ^ (h >> 15)).wrapping_mul(0x735a_2d97);
        h ^ (h >> 15)
    }
}

impl Chance {
    fn new(probability: f64) -> Self {
        let dropping = (probability * (1u64 << 32) as f64).round() as u64;
        Self {
            last_dropped: dropping.checked_sub(1).map(|last| last as u32),
            scale: if probability < 1.0 { 1.0 / (1.0 - probability) } else { 0.0 },
        }
    }

    #[inline(always)]
    fn keeps(self, block: Block, place: u32) -> bool {
        self.last_dropped.is_none_or(|last| block.outcome(place) > last)
    }

    /// Drops numbers of a block.
    #[inline(always)]
    fn drop<T: Float>(self, block: Block, from: &[T], to: &mut [T]) {
        let scale = T::from_f64(self.scale);
        let Some(last) = self.last_dropped else { return to.copy_from_slice(from) };
        for (place, (to, &from)) in (0..).zip(to.iter_mut().zip(from)) {
            *to = if block.outcome(place) > last { from * scale } else { T::ZERO };
        }
    }
}

struct DropoutLayer {
    chance: Chance,
    whole_channels: bool,
    /// What the last forward pass in training drew.
    key: Option<u64>,
}

impl DropoutLayer {
    fn run<T: Float>(&self, key: u64, shape: &[usize], from: &[T], to: &mut [T]) -> Result<()> {
        let chance = self.chance;
        if !self.whole_channels {
            share((from, to), GRAIN, &|first, (from, to)| {
                wide!(chance.drop(Block::new(key, (first / GRAIN) as u64), from, to));
            });
            return Ok(());
        }
        let (_, _, plane) = channels("spatial dropout", shape)?;
        if plane == 0 {
            return Ok(());
        }
        let scale = T::from_f64(chance.scale);
        share((rows(from, plane), rows(to, plane)), GRAIN.div_ceil(plane), &|first, (from, to)| {
            let planes = from.data.chunks_exact(plane).zip(to.data.chunks_exact_mut(plane));
            for (i, (from, to)) in planes.enumerate() {
                match chance.keeps(Block::new(key, (first + i) as u64), 0) {
                    true => to.iter_mut().zip(from).for_each(|(to, &from)| *to = from * scale),
                    false => to.fill(T::ZERO),
                }
            }
        });
        Ok(())
    }
}

impl<T: Float> Layer<T> for DropoutLayer {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if self.whole_channels {
            channels("spatial dropout", input)?;
        }
        Ok(input.to_vec())
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        let (from, to) = (input(&x)?, output(y)?);
        self.key = context.is_training().then(|| context.random().bits());
        match self.key {
            Some(key) => self.run(key, x.shape(), from, to),
            None => {
                share((from, to), GRAIN, &|_, (from, to)| to.copy_from_slice(from));
                Ok(())
            }
        }
    }

    fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
        let key =
            self.key.ok_or_else(|| Error::argument("backward", "a forward pass in training before it", "none"))?;
        let Some(dx) = pass.dx else { return Ok(()) };
        self.run(key, pass.x.shape(), dense("output gradient", pass.dy.as_slice())?, output(dx)?)
    }
}

//! The training loop.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{ArrayD, ArrayViewMutD, Axis, IxDyn};

use super::checkpoint::Progress;
use super::{Batch, Callback, Epoch, Flow, Metrics, Outline};
use crate::aligned::Aligned;
use crate::error::{Error, Result};
use crate::nn::data::{Dataset, Targets};
use crate::nn::layer::{dense, volume};
use crate::nn::weights::Tensors;
use crate::nn::work::{among_threads, rows, try_share};
use crate::nn::{Float, Loss, Mode, Network, Optimizer, Random};

/// When a training ends before its last epoch, judged on the validation samples: by accuracy where there are classes,
/// else by the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// Epochs without a better one after which it ends; never where `None`.
    pub patience: Option<usize>,
    /// Whether the network ends with the weights of its best epoch rather than those of the last.
    pub keep_best: bool,
}

/// Trains a network: batches in an order that the seed says, validation, early stopping, checkpoints, callbacks.
///
/// The same seeds give the same weights to the last bit, with any number of threads; a training that was interrupted
/// and resumed ends with the bits of one that was not.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::data::{Arrays, Targets};
/// use faltung::nn::{Activation::Tanh, Adam, CrossEntropy, Dense, Optimizer, Sequential, Trainer};
///
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].into_dyn();
/// let xor = Arrays::new(x, Targets::Classes(vec![0, 1, 1, 0]))?;
/// let network = Sequential::<f32>::new().layer(Dense::new(2, 8)).layer(Tanh).layer(Dense::new(8, 2)).build(1)?;
/// let mut trainer = Trainer::new(network, Optimizer::new(Adam::new(0.05)), CrossEntropy::new()).epochs(100).batch(4);
/// trainer.fit(&xor, None)?;
/// assert_eq!(trainer.evaluate(&xor)?.accuracy(), Some(1.0));
/// # Ok::<(), faltung::Error>(())
/// ```
pub struct Trainer<'a, T> {
    network: Network<T>,
    optimizer: Optimizer<T>,
    loss: Box<dyn Loss<T> + 'a>,
    epochs: usize,
    batch: usize,
    drop_last: bool,
    seed: u64,
    stopping: Stopping,
    checkpoint: Option<(PathBuf, Option<usize>)>,
    callbacks: Vec<Box<dyn Callback<T> + 'a>>,
    progress: Progress,
    best: Option<Tensors>,
    gradient: Aligned<T>,
    targets: Targets<T>,
}

impl<'a, T: Float> Trainer<'a, T> {
    /// A training of one epoch in batches of 64.
    pub fn new(network: Network<T>, optimizer: Optimizer<T>, loss: impl Loss<T> + 'a) -> Self {
        Self {
            network,
            optimizer,
            loss: Box::new(loss),
            epochs: 1,
            batch: 64,
            drop_last: false,
            seed: 0,
            stopping: Stopping { patience: None, keep_best: false },
            checkpoint: None,
            callbacks: Vec::new(),
            progress: Progress::default(),
            best: None,
            gradient: Aligned::default(),
            targets: Targets::Classes(Vec::new()),
        }
    }

    /// How often all samples are learnt from.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Samples a batch; the last of an epoch may have fewer.
    #[must_use]
    pub fn batch(mut self, samples: usize) -> Self {
        self.batch = samples;
        self
    }

    /// Whether the last batch of an epoch is left out if it has fewer samples, unless there is no other: batch norm has
    /// little to learn from it, and nothing from a single sample.
    #[must_use]
    pub fn drop_last(mut self, drop: bool) -> Self {
        self.drop_last = drop;
        self
    }

    /// The seed of the samples' order and of their augmentation.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// When to end early; never unless set.
    #[must_use]
    pub fn stopping(mut self, stopping: Stopping) -> Self {
        self.stopping = stopping;
        self
    }

    /// Keeps the training's whole state in a file, written behind every epoch and, where `batches` says so, behind
    /// every so many batches.
    #[must_use]
    pub fn checkpoint(mut self, path: impl Into<PathBuf>, batches: Option<usize>) -> Self {
        self.checkpoint = Some((path.into(), batches));
        self
    }

    /// Tells someone how it goes.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<T> + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Goes on from a checkpoint. The design of the network, the optimiser's settings, the batch and the seed must be
    /// those of the training that wrote it.
    ///
    /// # Errors
    /// [`Error::Other`] where the file cannot be read or is no checkpoint, and [`Error::Argument`] where it is one of
    /// another training.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let tensors = Tensors::read(path.as_ref())?;
        let resumed = self.restore(tensors);
        resumed.map_err(|e| Error::other(format!("resuming from {}", path.as_ref().display()), e))
    }

    /// As [`resume`](Self::resume), from the bytes of a checkpoint.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.restore(Tensors::parse(bytes)?)
    }

    fn restore(&mut self, mut tensors: Tensors) -> Result<()> {
        let settings = self.settings();
        (self.progress, self.best) =
            Progress::restore(&mut tensors, &settings, &mut self.network, &mut self.optimizer)?;
        Ok(())
    }

    /// What a checkpoint must share with the training that it is resumed in.
    fn settings(&self) -> String {
        let Self { batch, drop_last, seed, .. } = self;
        format!("batch {batch} drop last {drop_last} seed {seed} {}", self.optimizer.settings())
    }

    /// What became of each epoch so far.
    pub fn history(&self) -> &[Epoch] {
        &self.progress.history
    }

    /// The network.
    pub fn network(&mut self) -> &mut Network<T> {
        &mut self.network
    }

    /// The network, for other uses.
    pub fn into_network(self) -> Network<T> {
        self.network
    }

    /// Trains the epochs that are left, and gives back what became of each.
    ///
    /// # Errors
    /// [`Error::Argument`] where the data set is empty, the batch 0, or the loss no number any more; and what a layer,
    /// the data set, a checkpoint or a callback says.
    pub fn fit(&mut self, training: &dyn Dataset<T>, validation: Option<&dyn Dataset<T>>) -> Result<&[Epoch]> {
        if training.is_empty() {
            return Err(Error::argument("training", "at least one sample", "an empty data set"));
        }
        if self.batch == 0 {
            return Err(Error::argument("batch", "at least one sample", 0));
        }
        let batches = self.samples(training.len()).div_ceil(self.batch);
        // A checkpoint may stand behind an epoch's last batch, before the epoch is judged.
        if self.progress.batches > batches {
            let expected = format!("the data set of the checkpoint, of at least {} batches", self.progress.batches);
            return Err(Error::argument("training", expected, batches));
        }
        let (epochs, samples) = (self.epochs, training.len());
        let (history, batches_done) = (self.progress.history.clone(), self.progress.batches);
        let outline = Outline { epochs, batches, samples, history, batches_done };
        self.callbacks.iter_mut().try_for_each(|c| c.started(&outline))?;
        while self.progress.epochs() < self.epochs && !self.progress.stopped {
            self.learn(training)?;
            let flow = self.judge(validation)?;
            self.progress.stopped = flow == Flow::Stop;
            if let Some((path, _)) = self.checkpoint.clone() {
                self.write(&path)?;
            }
        }
        if self.stopping.keep_best
            && let Some(best) = &self.best
        {
            best.load(&mut self.network)?;
        }
        let history = &self.progress.history;
        self.callbacks.iter_mut().try_for_each(|c| c.finished(history))?;
        Ok(&self.progress.history)
    }

    /// How many of so many samples are learnt from in an epoch.
    fn samples(&self, all: usize) -> usize {
        if self.drop_last && all > self.batch { all / self.batch * self.batch } else { all }
    }

    /// What is left of an epoch.
    fn learn(&mut self, data: &dyn Dataset<T>) -> Result<()> {
        let epoch = self.progress.epochs();
        // Each epoch's order and draws follow from the seed alone: nothing of them need be kept.
        let mut random = Random::stream(self.seed, epoch as u64);
        let draw = random.bits();
        let mut order: Vec<usize> = (0..data.len()).collect();
        random.shuffle(&mut order);
        order.truncate(self.samples(order.len()));
        let started = Instant::now();
        let before = self.progress.seconds;
        for indices in order.chunks(self.batch).skip(self.progress.batches) {
            let loss = self.follow(data, indices, draw)?;
            if !loss.is_finite() {
                let at = format!("{loss} in batch {} of epoch {}", self.progress.batches + 1, epoch + 1);
                return Err(Error::argument("loss", "a finite number (a smaller learning rate may help)", at));
            }
            self.progress.batches += 1;
            self.progress.seconds = before + started.elapsed().as_secs_f64();
            let so_far = &self.progress.metrics;
            let batch = Batch {
                epoch: epoch + 1,
                number: self.progress.batches,
                samples: indices.len(),
                loss: so_far.loss(),
                accuracy: so_far.accuracy(),
            };
            self.callbacks.iter_mut().try_for_each(|c| c.batch(&batch))?;
            if let Some((path, Some(every))) = &self.checkpoint
                && self.progress.batches.is_multiple_of((*every).max(1))
            {
                let path = path.clone();
                self.write(&path)?;
            }
        }
        Ok(())
    }

    /// Learns from a batch, and gives its loss.
    fn follow(&mut self, data: &dyn Dataset<T>, indices: &[usize], draw: u64) -> Result<f64> {
        let Self { network, optimizer, loss, progress, gradient, targets, .. } = self;
        among_threads(|| {
            load(network, data, indices, Some(draw))?;
            gather(data.targets(), indices, targets);
            let outputs = network.run(Mode::Train)?;
            gradient.hold(outputs.len());
            let mut gradient = ArrayViewMutD::from_shape(outputs.raw_dim(), &mut gradient[..])
                .map_err(|e| Error::other("shaping the loss's gradient", e))?;
            let loss = loss.evaluate(outputs.view(), targets, Some(gradient.view_mut()))?;
            progress.metrics.add(loss, outputs, targets)?;
            network.backward(gradient)?;
            optimizer.step(network)?;
            Ok(loss)
        })
    }

    /// Ends an epoch: validation, history, early stopping.
    fn judge(&mut self, validation: Option<&dyn Dataset<T>>) -> Result<Flow> {
        let validation = validation.map(|data| self.evaluate(data)).transpose()?;
        let training = std::mem::take(&mut self.progress.metrics);
        let seconds = std::mem::take(&mut self.progress.seconds);
        let (number, rate) = (self.progress.epochs() + 1, self.optimizer.last_rate());
        self.progress.batches = 0;
        let epoch = Epoch { number, rate, training, validation, seconds };
        let judged = epoch.validation.as_ref().unwrap_or(&epoch.training);
        let score = judged.accuracy().unwrap_or_else(|| -judged.loss());
        if self.progress.best.is_none_or(|(best, _)| score > best) {
            self.progress.best = Some((score, number));
            if self.stopping.keep_best {
                self.best = Some(Tensors::of(&mut self.network)?);
            }
        }
        let since = self.progress.best.map_or(0, |(_, best)| number - best);
        let mut flow = match self.stopping.patience {
            Some(patience) if since >= patience.max(1) => Flow::Stop,
            _ => Flow::Continue,
        };
        for callback in &mut self.callbacks {
            if callback.epoch(&epoch, &mut self.network)? == Flow::Stop {
                flow = Flow::Stop;
            }
        }
        self.progress.history.push(epoch);
        Ok(flow)
    }

    /// How well the network does on a data set, in evaluation.
    ///
    /// # Errors
    /// What a layer, the loss or the data set says.
    pub fn evaluate(&mut self, data: &dyn Dataset<T>) -> Result<Metrics> {
        let mut metrics = Metrics::new();
        let indices: Vec<usize> = (0..data.len()).collect();
        for indices in indices.chunks(self.batch.max(1)) {
            load(&mut self.network, data, indices, None)?;
            gather(data.targets(), indices, &mut self.targets);
            let outputs = self.network.run(Mode::Evaluate)?;
            let loss = self.loss.evaluate(outputs.view(), &self.targets, None)?;
            metrics.add(loss, outputs, &self.targets)?;
        }
        Ok(metrics)
    }

    /// Writes the training's whole state.
    fn write(&mut self, path: &Path) -> Result<()> {
        let settings = self.settings();
        self.progress.save(&settings, &mut self.network, &self.optimizer, self.best.as_ref())?.write(path)
    }
}

/// Reads samples into a network's input, on several threads.
fn load<T: Float>(network: &mut Network<T>, data: &dyn Dataset<T>, indices: &[usize], draw: Option<u64>) -> Result<()> {
    let shape: Vec<usize> = std::iter::once(indices.len()).chain(data.sample_shape().iter().copied()).collect();
    let width = volume(data.sample_shape());
    let input = network.input(&shape)?;
    let input = dense("input", input.into_slice())?;
    try_share((indices, rows(input, width)), SAMPLES, &|_, (indices, samples)| {
        indices.iter().zip(samples.data.chunks_exact_mut(width.max(1))).try_for_each(|(&index, sample)| {
            let sample = ArrayViewMutD::from_shape(IxDyn(data.sample_shape()), sample)
                .map_err(|e| Error::other("shaping a sample", e))?;
            data.read(index, draw, sample)
        })
    })
}

/// Samples that a thread reads at once.
const SAMPLES: usize = 8;

/// The targets of some samples, into memory that is there.
fn gather<T: Float>(targets: &Targets<T>, indices: &[usize], to: &mut Targets<T>) {
    match (targets, &mut *to) {
        (Targets::Classes(from), Targets::Classes(to)) => {
            to.clear();
            to.extend(indices.iter().filter_map(|&i| from.get(i)));
        }
        (Targets::Classes(from), _) => {
            *to = Targets::Classes(indices.iter().filter_map(|&i| from.get(i).copied()).collect())
        }
        (Targets::Values(from), Targets::Values(to))
            if to.shape().first() == Some(&indices.len()) && to.shape()[1..] == from.shape()[1..] =>
        {
            for (mut to, &index) in to.outer_iter_mut().zip(indices) {
                to.assign(&from.index_axis(Axis(0), index));
            }
        }
        (Targets::Values(from), _) => {
            let picked: ArrayD<T> = from.select(Axis(0), indices);
            *to = Targets::Values(picked);
        }
    }
}

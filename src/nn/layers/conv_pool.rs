//! A convolution with the max pooling behind it, a few batch entries at a time: what lies between the two stays in the
//! cache, and is not kept.
//!
//! The largest of some sums, plus a bias, through a function that does not fall, is the largest of what the sums would
//! become: so pooling comes first, and bias and activation have a fraction of the work. For the backward pass it is
//! enough to know which sample of each window was chosen.

use std::sync::{Mutex, PoisonError};

use super::conv_pairs::Paired;
use super::epilogue::{Epilogue, channel_sums};
use super::passes::Planned;
use super::window::{CHOICES, Choice, Walk, Window};
use crate::error::Result;
use crate::nn::layer::volume;
use crate::nn::work::{Blocks, GRAIN, rows, share, try_share, wide};
use crate::nn::{Context, Float};
use crate::plan::{Algorithm, Plan, Threads, Workspace};
use crate::problem::{Pass, Problem};
use crate::simd::{self, Line};

/// Bytes of a part's sums that the cache is trusted with.
const PART_BYTES: usize = 384 << 10;
/// Weights above which parts do not pay: each packs them, and has a gradient of its own.
const MOST_WEIGHTS: usize = 1 << 14;

/// The pooling behind a convolution.
pub(super) struct Pooling<T> {
    window: Window,
    /// Of the last forward pass in training.
    choices: Vec<Choice>,
    /// The parts' gradients of the weights.
    partial: Vec<T>,
    /// Memory of threads that are not running. The last given back is taken first: it is in the cache.
    idle: Mutex<Vec<Room<T>>>,
}

/// The gradients that a backward pass is asked for.
pub(super) struct Written<'a, T> {
    pub(super) weight: Option<&'a mut [T]>,
    pub(super) input: Option<&'a mut [T]>,
}

/// A thread's memory.
struct Room<T> {
    workspace: Workspace,
    sums: Vec<T>,
    lines: Vec<Line>,
}

/// The plans of a pass for the parts of a batch: for those of full size and for the last one.
struct Parts<T> {
    /// Batch entries of a part.
    entries: usize,
    full: Plan<T>,
    last: Plan<T>,
}

impl<T: Float> Parts<T> {
    fn plan(&self, entries: usize) -> &Plan<T> {
        if entries == self.entries { &self.full } else { &self.last }
    }
}

/// Batch entries of a part: all of them where parts do not pay.
fn part(problem: &Problem) -> usize {
    let weights = volume(&problem.kernel_shape());
    let entry = volume(&problem.output_shape()[1..]) * problem.dtype().size();
    let entries = PART_BYTES / entry.max(1);
    if entries == 0 || weights > MOST_WEIGHTS { problem.batch() } else { entries.min(problem.batch()) }.max(1)
}

/// Convolution and pooling as one, where a pass is in parts and would be summed directly.
fn paired<T: Float>(problem: &Problem, walk: &Walk, parts: &Parts<T>) -> Option<Paired> {
    let direct = parts.full.recipe().algorithm() == Algorithm::Direct;
    if direct { Paired::new::<T>(problem, walk) } else { None }
}

impl<T: Float> Pooling<T> {
    /// Pooling over windows whose samples a choice can tell apart.
    pub(super) fn new(window: &Window) -> Option<Self> {
        let fits = window.taps() <= CHOICES;
        let (choices, partial, idle) = (Vec::new(), Vec::new(), Mutex::new(Vec::new()));
        fits.then(|| Self { window: window.clone(), choices, partial, idle })
    }

    pub(super) fn output_shape(&self, sums: &[usize]) -> Result<Vec<usize>> {
        self.window.output_shape(sums)
    }

    fn with_room<R>(
        &self,
        (sums, lines): (usize, usize),
        work: impl FnOnce(&mut [T], &mut [Line], &mut Workspace) -> Result<R>,
    ) -> Result<R> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let room = idle().pop();
        let empty = || Room { workspace: Workspace::new(), sums: Vec::new(), lines: Vec::new() };
        let mut room = room.unwrap_or_else(empty);
        if room.sums.len() < sums {
            room.sums = vec![T::ZERO; sums];
        }
        if room.lines.len() < lines {
            room.lines = simd::zeros(lines);
        }
        let done = work(&mut room.sums[..sums], &mut room.lines[..lines], &mut room.workspace);
        idle().push(room);
        done
    }

    /// The plans of a pass over parts of a batch.
    fn parts(
        planned: &mut Planned<T>,
        problem: &Problem,
        pass: Pass,
        make: &impl Fn(&[usize]) -> Result<Problem>,
        context: &mut Context<T>,
    ) -> Result<Parts<T>> {
        let entries = part(problem);
        let mut plan = |entries: usize| -> Result<Plan<T>> {
            let mut shape = problem.input_shape();
            shape[0] = entries;
            Ok(planned.of(&shape, || make(&shape))?.plan(pass, context)?.with_threads(Threads::Serial))
        };
        let full = plan(entries)?;
        let left = problem.batch() % entries;
        let last = if left > 0 { plan(left)? } else { full.clone() };
        Ok(Parts { entries, full, last })
    }

    /// Writes the pooled sums `y`, finished by `finish`, and remembers which were chosen.
    pub(super) fn forward(
        &mut self,
        planned: &mut Planned<T>,
        make: impl Fn(&[usize]) -> Result<Problem>,
        (shape, x): (&[usize], &[T]),
        weight: &[T],
        y: &mut [T],
        finish: &(impl Fn(usize, &mut [T], usize) + Sync),
        context: &mut Context<T>,
    ) -> Result<()> {
        let passes = planned.of(shape, || make(shape))?;
        let problem = passes.problem().clone();
        let walk = self.window.over(&problem.output_shape())?;
        self.choices.resize(y.len(), 0);
        let mut choices = std::mem::take(&mut self.choices);
        let done = if part(&problem) >= problem.batch() {
            let mut sums = context.take(volume(&problem.output_shape()));
            let done = passes.run(Pass::Forward, x, weight, &mut sums, context);
            let planes =
                (rows(&sums[..], walk.inputs()), rows(y, walk.outputs()), rows(&mut choices[..], walk.outputs()));
            share(planes, GRAIN.div_ceil(walk.inputs().max(1)), &|first, (x, y, choices)| {
                choose(&walk, x.data, y.data, choices.data);
                finish(first, y.data, walk.outputs());
            });
            context.give(sums);
            done
        } else {
            let parts = Self::parts(planned, &problem, Pass::Forward, &make, context)?;
            let [input, sums] = [&problem.input_shape(), &problem.output_shape()].map(|shape| volume(&shape[1..]));
            let output = problem.out_channels() * walk.outputs();
            let arrays = (rows(x, input), rows(y, output), rows(&mut choices[..], output));
            let paired = paired(&problem, &walk, &parts);
            let (sums, lines) = paired.as_ref().map_or((sums, 0), |paired| (0, paired.lines::<T>(false)));
            try_share(arrays, parts.entries, &|first, (x, y, choices)| {
                let entries = x.data.len() / input.max(1);
                self.with_room((entries * sums, lines), |sums, lines, workspace| {
                    match &paired {
                        Some(paired) => {
                            let written = (&mut *y.data, choices.data);
                            paired.forward((x.data, weight), problem.out_channels(), written, lines);
                        }
                        None => {
                            parts.plan(entries).run(x.data, weight, sums, workspace)?;
                            choose(&walk, sums, y.data, choices.data);
                        }
                    }
                    finish(first * problem.out_channels(), y.data, walk.outputs());
                    Ok(())
                })
            })
        };
        self.choices = choices;
        done
    }

    /// Writes the gradients of the weights, of the bias and of the input, where they are asked for, from that of the
    /// output `y`.
    pub(super) fn backward(
        &mut self,
        planned: &mut Planned<T>,
        make: impl Fn(&[usize]) -> Result<Problem>,
        (shape, x): (&[usize], &[T]),
        weight: &[T],
        (y, dy): (&[T], &mut [T]),
        epilogue: &mut Epilogue<T>,
        written: Written<'_, T>,
        context: &mut Context<T>,
    ) -> Result<()> {
        let Written { weight: mut dw, input: dx } = written;
        let passes = planned.of(shape, || make(shape))?;
        let problem = passes.problem().clone();
        let walk = self.window.over(&problem.output_shape())?;
        if self.choices.len() != dy.len() {
            let (expected, given) = ([dy.len()], [self.choices.len()]);
            return Err(crate::Error::shape("the last forward pass", &expected, &given));
        }
        if part(&problem) >= problem.batch() {
            epilogue.backward(y, dy, walk.outputs(), context)?;
            let dy = &*dy;
            let mut gradient = context.take(volume(&problem.output_shape()));
            let planes = (
                rows(&self.choices[..], walk.outputs()),
                rows(dy, walk.outputs()),
                rows(&mut gradient[..], walk.inputs()),
            );
            share(planes, GRAIN.div_ceil(walk.inputs().max(1)), &|_, (choices, dy, dx)| {
                unchoose(&walk, choices.data, dy.data, dx.data);
            });
            if let Some(dw) = dw {
                passes.run(Pass::WeightGradient, x, &gradient, dw, context)?;
            }
            if let Some(dx) = dx {
                passes.run(Pass::InputGradient, &gradient, weight, dx, context)?;
            }
            context.give(gradient);
            return Ok(());
        }
        let to_weight = Self::parts(planned, &problem, Pass::WeightGradient, &make, context)?;
        let to_input = match dx {
            Some(_) => Some(Self::parts(planned, &problem, Pass::InputGradient, &make, context)?),
            None => None,
        };
        let [input, sums] = [&problem.input_shape(), &problem.output_shape()].map(|shape| volume(&shape[1..]));
        let (output, grain) = (problem.out_channels() * walk.outputs(), to_weight.entries);
        // An input gradient that nobody asks for has no elements.
        let (dx, wide) = dx.map_or((&mut [][..], 0), |dx| (dx, input));
        let mut partial = std::mem::take(&mut self.partial);
        let width = dw.as_ref().map_or(0, |dw| dw.len());
        partial.resize(problem.batch().div_ceil(grain) * width, T::ZERO);
        let of_weight = Blocks { data: &mut partial[..], width, grain };
        let (channels, activation) = (problem.out_channels(), epilogue.activation());
        let paired = if width > 0 { paired(&problem, &walk, &to_weight) } else { None };
        // Nobody asks for the gradient of all sums but who reads it.
        let sums = if paired.is_some() && to_input.is_none() { 0 } else { sums };
        let lines = paired.as_ref().map_or(0, |paired| paired.lines::<T>(true));
        let of_bias = epilogue.bias_gradient()?;
        let mut planes = context.take(if of_bias.is_some() { problem.batch() * channels } else { 0 });
        let back = (rows(y, output), rows(dy, output), rows(&mut planes[..], channels));
        let arrays = (rows(x, input), back, rows(&self.choices[..], output), rows(dx, wide), of_weight);
        let done = try_share(arrays, grain, &|_, (x, (y, dy, planes), choices, dx, dw)| {
            let entries = x.data.len() / input.max(1);
            self.with_room((entries * sums, lines), |gradient, lines, workspace| {
                Epilogue::unfinish_planes(activation, y.data, dy.data, walk.outputs(), planes.data);
                if sums > 0 {
                    unchoose(&walk, choices.data, dy.data, gradient);
                }
                match &paired {
                    Some(paired) => paired.gradient(x.data, channels, (dy.data, choices.data), dw.data, lines),
                    None if width > 0 => to_weight.plan(entries).run(x.data, gradient, dw.data, workspace)?,
                    None => {}
                }
                match &to_input {
                    Some(parts) => parts.plan(entries).run(gradient, weight, dx.data, workspace),
                    None => Ok(()),
                }
            })
        });
        if let Some(dw) = &mut dw {
            dw.fill(T::ZERO);
            for part in partial.chunks_exact(width.max(1)) {
                dw.iter_mut().zip(part).for_each(|(sum, &more)| *sum += more);
            }
        }
        self.partial = partial;
        if let Some(of_bias) = of_bias {
            channel_sums(&planes, of_bias);
        }
        context.give(planes);
        done
    }
}

fn choose<T: Float>(walk: &Walk, x: &[T], y: &mut [T], choices: &mut [Choice]) {
    wide!(walk.choose(x, y, choices))
}

fn unchoose<T: Float>(walk: &Walk, choices: &[Choice], dy: &[T], dx: &mut [T]) {
    wide!(walk.unchoose(choices, dy, dx))
}

//! Optimisers: how weights follow their gradients.

mod rules;
mod schedule;

pub use rules::{Adam, AdamW, RmsProp, Rule, Sgd, Update};
pub use schedule::Schedule;

use std::collections::BTreeMap;

use super::layer::volume;
use super::sums::sum_of;
use super::work::{GRAIN, among_threads, share, wide};
use super::{Float, Network};
use crate::aligned::Aligned;
use crate::error::{Error, Result};

/// How gradients are kept from being too large.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Clip {
    /// All gradients together, as one vector, are scaled down to this 2-norm where it is larger (Pascanu et al. 2013).
    Norm(f64),
    /// Each component is brought into ± this.
    Value(f64),
}

/// A rule with its state: what follows gradients, step by step.
///
/// ```
/// use faltung::nn::{Clip, Optimizer, Schedule, Sgd};
/// let steps = 10_000;
/// let optimizer = Optimizer::<f32>::new(Sgd::new(0.1).momentum(0.9).nesterov(true))
///     .schedule(Schedule::cosine(steps).warm_up(500))
///     .clip(Clip::Norm(1.0));
/// assert_eq!(optimizer.steps(), 0);
/// assert!(optimizer.rate() < 0.001); // still warming up
/// ```
pub struct Optimizer<T> {
    rule: Box<dyn Rule<T>>,
    schedule: Schedule,
    clip: Option<Clip>,
    matrices_only: bool,
    steps: u64,
    /// The rule's arrays, for each parameter by its path.
    state: BTreeMap<String, State<T>>,
}

/// A parameter's arrays, one for each of the rule's names.
#[derive(Debug)]
pub(super) struct State<T> {
    pub(super) shape: Vec<usize>,
    pub(super) arrays: Vec<Aligned<T>>,
}

impl<T: Float> Optimizer<T> {
    /// A rule that has not taken a step yet.
    pub fn new(rule: impl Rule<T> + 'static) -> Self {
        let (rule, state) = (Box::new(rule), BTreeMap::new());
        Self { rule, schedule: Schedule::constant(), clip: None, matrices_only: false, steps: 0, state }
    }

    /// How the learning rate changes from step to step; not at all unless set.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Keeps gradients from being too large; they are taken as they are unless set.
    #[must_use]
    pub fn clip(mut self, clip: Clip) -> Self {
        self.clip = Some(clip);
        self
    }

    /// Lets weights of two axes and more decay only, and spares biases and the gains of norms.
    #[must_use]
    pub fn decay_matrices_only(mut self) -> Self {
        self.matrices_only = true;
        self
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The learning rate of the next step.
    pub fn rate(&self) -> f64 {
        self.rule.rate() * self.schedule.factor(self.steps)
    }

    /// The learning rate of the last step.
    pub(super) fn last_rate(&self) -> f64 {
        self.rule.rate() * self.schedule.factor(self.steps.saturating_sub(1))
    }

    /// Takes a step: every parameter that is trained follows the gradient that the last backward pass left.
    ///
    /// # Errors
    /// [`Error::Argument`] for an array that lies in another memory order, and [`Error::Shape`] where a parameter has
    /// another shape than at the step before.
    pub fn step(&mut self, network: &mut Network<T>) -> Result<()> {
        among_threads(|| self.follow(network))
    }

    fn follow(&mut self, network: &mut Network<T>) -> Result<()> {
        let scale = match self.clip {
            Some(Clip::Norm(limit)) => {
                let norm = gradient_norm(network)?;
                // A norm that is not finite leaves the gradients as they are, for all to see.
                if norm > limit && norm.is_finite() { limit / norm } else { 1.0 }
            }
            _ => 1.0,
        };
        let limit = match self.clip {
            Some(Clip::Value(limit)) => limit,
            _ => f64::INFINITY,
        };
        let (rate, step) = (self.rate(), self.steps + 1);
        let (rule, state, matrices_only) = (&*self.rule, &mut self.state, self.matrices_only);
        network.parameters(&mut |path, parameter| {
            if !parameter.trainable {
                return Ok(());
            }
            let decays = !matrices_only || parameter.value.ndim() >= 2;
            if !state.contains_key(path) {
                let shape = parameter.value.shape().to_vec();
                let arrays = rule.arrays().iter().map(|_| Aligned::zeros(volume(&shape))).collect();
                state.insert(path.to_owned(), State { shape, arrays });
            }
            let Some(state) = state.get_mut(path) else { return Ok(()) };
            if state.shape != parameter.value.shape() {
                return Err(Error::shape(path.to_owned(), &state.shape, parameter.value.shape()));
            }
            let (value, gradient) = parameter.slices_mut()?;
            let update = Update { step, rate, decays, scale, limit };
            let gradient = &*gradient;
            match &mut state.arrays[..] {
                [] => share((value, gradient), GRAIN, &|_, (value, gradient)| {
                    rule.apply(update, value, gradient, &mut []);
                }),
                [a] => share((value, gradient, &mut a[..]), GRAIN, &|_, (value, gradient, a)| {
                    rule.apply(update, value, gradient, &mut [a]);
                }),
                [a, b] => share((value, gradient, &mut a[..], &mut b[..]), GRAIN, &|_, (value, gradient, a, b)| {
                    rule.apply(update, value, gradient, &mut [a, b]);
                }),
                many => {
                    let mut arrays: Vec<&mut [T]> = many.iter_mut().map(|array| &mut array[..]).collect();
                    rule.apply(update, value, gradient, &mut arrays);
                }
            }
            Ok(())
        })?;
        self.steps = step;
        Ok(())
    }

    /// The rule's names for its arrays, and the arrays by path.
    pub(super) fn state(&self) -> (&[&'static str], &BTreeMap<String, State<T>>) {
        (self.rule.arrays(), &self.state)
    }

    pub(super) fn restore(&mut self, steps: u64, state: BTreeMap<String, State<T>>) {
        (self.steps, self.state) = (steps, state);
    }

    /// The rule and all that is set, as text: a checkpoint compares it.
    pub(super) fn settings(&self) -> String {
        format!("{:?} {:?} {:?} {}", self.rule, self.schedule, self.clip, self.matrices_only)
    }
}

fn squares<T: Float>(values: &[T]) -> T {
    wide!({ sum_of(values, |v| v * v) })
}

/// The 2-norm of all gradients that are followed, together.
fn gradient_norm<T: Float>(network: &mut Network<T>) -> Result<f64> {
    let mut total = 0.0;
    network.parameters(&mut |_, parameter| {
        if parameter.trainable {
            let (_, gradient) = parameter.slices_mut()?;
            // In double precision from stretch to stretch: squares of a large network's gradients span many orders.
            let stretches = gradient.chunks(GRAIN);
            total += stretches.map(|g| squares(g).as_f64()).sum::<f64>();
        }
        Ok(())
    })?;
    Ok(total.sqrt())
}

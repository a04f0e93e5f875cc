//! Schedules of the learning rate.

use std::f64::consts::PI;

/// How the learning rate changes from step to step: a factor of the rule's own rate.
///
/// ```
/// use faltung::nn::Schedule;
/// let schedule = Schedule::step(1000, 0.1).warm_up(100);
/// assert_eq!(schedule.factor(49), 0.5);
/// assert_eq!(schedule.factor(100), 1.0);
/// assert!((schedule.factor(2500) - 0.01).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    shape: Shape,
    warm_up: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Constant,
    Step { every: u64, factor: f64 },
    Cosine { steps: u64, floor: f64 },
    OneCycle { steps: u64, rise: f64, start: f64, end: f64 },
}

impl Schedule {
    fn of(shape: Shape) -> Self {
        Self { shape, warm_up: 0 }
    }

    /// The rule's rate, always.
    pub fn constant() -> Self {
        Self::of(Shape::Constant)
    }

    /// Times `factor` after every so many steps.
    pub fn step(every: u64, factor: f64) -> Self {
        Self::of(Shape::Step { every: every.max(1), factor })
    }

    /// Down to 0 along half a cosine, over so many steps (Loshchilov and Hutter 2017).
    pub fn cosine(steps: u64) -> Self {
        Self::cosine_to(steps, 0.0)
    }

    /// Down to `floor` times the rate along half a cosine, over so many steps.
    pub fn cosine_to(steps: u64, floor: f64) -> Self {
        Self::of(Shape::Cosine { steps: steps.max(1), floor })
    }

    /// Up from a 25th of the rate to it in 30% of the steps and down to a 250,000th, both along half cosines (Smith and
    /// Topin 2018), with the constants of PyTorch's `OneCycleLR`.
    pub fn one_cycle(steps: u64) -> Self {
        Self::of(Shape::OneCycle { steps: steps.max(1), rise: 0.3, start: 1.0 / 25.0, end: 1.0 / 25.0 / 1e4 })
    }

    /// As [`one_cycle`](Self::one_cycle), with a rise of another share of the steps, from another factor and down to
    /// another.
    pub fn one_cycle_with(steps: u64, rise: f64, start: f64, end: f64) -> Self {
        Self::of(Shape::OneCycle { steps: steps.max(1), rise: rise.clamp(0.0, 1.0), start, end })
    }

    /// Rises linearly over the first so many steps, then begins.
    #[must_use]
    pub fn warm_up(mut self, steps: u64) -> Self {
        self.warm_up = steps;
        self
    }

    /// The factor of a step, counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return (step + 1) as f64 / self.warm_up as f64;
        }
        let step = step - self.warm_up;
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Step { every, factor } => factor.powf((step / every) as f64),
            Shape::Cosine { steps, floor } => between(1.0, floor, step as f64 / steps as f64),
            Shape::OneCycle { steps, rise, start, end } => {
                // As PyTorch counts: the peak is at step rise * steps - 1, the end at the last step.
                let (at, peak, last) = (step as f64, rise * steps as f64 - 1.0, steps as f64 - 1.0);
                if at <= peak && peak > 0.0 {
                    between(start, 1.0, at / peak)
                } else {
                    between(1.0, end, (at - peak) / (last - peak).max(1.0))
                }
            }
        }
    }
}

/// From one to the other along half a cosine, and no farther.
fn between(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * share.clamp(0.0, 1.0)).cos())
}

//! The rules by which weights follow their gradients. Names and formulas are PyTorch's, of `torch.optim`.

use std::fmt::Debug;

use crate::nn::Float;
use crate::nn::work::wide;

/// What a step asks of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Update {
    /// The number of this step, from 1.
    pub step: u64,
    /// The learning rate, after the schedule.
    pub rate: f64,
    /// Whether these weights decay.
    pub decays: bool,
    /// What gradients are multiplied by first: 1, or less where their norm is clipped.
    pub scale: f64,
    /// What they are then brought into, on both sides of 0: infinity, or the limit where their values are clipped.
    pub limit: f64,
}

impl Update {
    /// A component of the gradient, clipped.
    #[inline(always)]
    pub fn clip<T: Float>(&self, gradient: T) -> T {
        let limit = T::from_f64(self.limit);
        let scaled = gradient * T::from_f64(self.scale);
        // NaN stays.
        if scaled > limit {
            limit
        } else if scaled < -limit {
            -limit
        } else {
            scaled
        }
    }
}

/// A rule by which weights follow their gradients, element by element.
///
/// A rule of one's own is a screen; here each weight goes by the gradient's sign:
///
/// ```
/// use faltung::nn::{Optimizer, Rule, Update};
///
/// #[derive(Debug)]
/// struct Sign(f64);
///
/// impl Rule<f32> for Sign {
///     fn rate(&self) -> f64 {
///         self.0
///     }
///
///     fn apply(&self, update: Update, value: &mut [f32], gradient: &[f32], _: &mut [&mut [f32]]) {
///         for (w, &g) in value.iter_mut().zip(gradient) {
///             *w -= update.rate as f32 * update.clip(g).signum();
///         }
///     }
/// }
///
/// let optimizer = Optimizer::new(Sign(0.01));
/// ```
pub trait Rule<T: Float>: Send + Sync + Debug {
    /// The learning rate, before the schedule.
    fn rate(&self) -> f64;

    /// Names of the arrays that the rule keeps for a parameter, each of the parameter's shape and 0 at first.
    fn arrays(&self) -> &'static [&'static str] {
        &[]
    }

    /// Takes a step on a stretch of a parameter, whose arrays come in the order of their names.
    fn apply(&self, update: Update, value: &mut [T], gradient: &[T], arrays: &mut [&mut [T]]);
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $t:ty;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $t) -> Self {
            self.$name = $name;
            self
        })*
    };
}

/// Stochastic gradient descent, with momentum and Nesterov's.
///
/// ```
/// use faltung::nn::{Optimizer, Sgd};
/// let optimizer = Optimizer::<f32>::new(Sgd::new(0.1).momentum(0.9).weight_decay(5e-4));
/// assert_eq!(optimizer.rate(), 0.1);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    rate: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
}

impl Sgd {
    /// Plain descent by a learning rate.
    pub fn new(rate: f64) -> Self {
        Self { rate, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    setters! {
        /// How much of the last step is gone on with; 0 unless set.
        momentum: f64;
        /// Whether the gradient is taken as if the momentum's step had been taken already.
        nesterov: bool;
        /// What is added to the gradient for each unit of the weight; 0 unless set.
        weight_decay: f64;
    }
}

fn sgd<T: Float>(rule: &Sgd, update: Update, value: &mut [T], gradient: &[T], arrays: &mut [&mut [T]]) {
    wide!({
        let decay = T::from_f64(if update.decays { rule.weight_decay } else { 0.0 });
        let (rate, momentum) = (T::from_f64(update.rate), T::from_f64(rule.momentum));
        match arrays {
            [velocity] => {
                // The first velocity is the gradient itself: 0 times the momentum, and the gradient.
                for ((w, &g), v) in value.iter_mut().zip(gradient).zip(velocity.iter_mut()) {
                    let g = update.clip(g) + decay * *w;
                    *v = momentum * *v + g;
                    *w -= rate * if rule.nesterov { g + momentum * *v } else { *v };
                }
            }
            _ => {
                for (w, &g) in value.iter_mut().zip(gradient) {
                    *w -= rate * (update.clip(g) + decay * *w);
                }
            }
        }
    })
}

impl<T: Float> Rule<T> for Sgd {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn arrays(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }
    }

    fn apply(&self, update: Update, value: &mut [T], gradient: &[T], arrays: &mut [&mut [T]]) {
        sgd(self, update, value, gradient, arrays);
    }
}

/// Adam (Kingma and Ba 2015). Weight decay is added to the gradient; [`AdamW`] keeps the two apart.
///
/// ```
/// use faltung::nn::{Adam, Optimizer};
/// let optimizer = Optimizer::<f32>::new(Adam::new(1e-3));
/// # let _ = optimizer;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Adam {
    /// With the paper's constants: 0.9, 0.999, 1e-8.
    pub fn new(rate: f64) -> Self {
        Self { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }

    setters! {
        /// How much of the mean of gradients is kept a step; 0.9 unless set.
        beta1: f64;
        /// How much of the mean of their squares is kept a step; 0.999 unless set.
        beta2: f64;
        /// What is added to the root of the mean square; 1e-8 unless set.
        epsilon: f64;
        /// What is added to the gradient for each unit of the weight; 0 unless set.
        weight_decay: f64;
    }
}

fn adam<T: Float>(
    rule: &Adam,
    update: Update,
    decoupled: f64,
    value: &mut [T],
    gradient: &[T],
    arrays: &mut [&mut [T]],
) {
    wide!({
        let [mean, square] = arrays else { return };
        let decay = T::from_f64(if update.decays { rule.weight_decay } else { 0.0 });
        let keep = T::from_f64(if update.decays { 1.0 - update.rate * decoupled } else { 1.0 });
        let (beta1, beta2) = (T::from_f64(rule.beta1), T::from_f64(rule.beta2));
        let (rest1, rest2) = (T::from_f64(1.0 - rule.beta1), T::from_f64(1.0 - rule.beta2));
        let step = update.step as f64;
        let rate = T::from_f64(update.rate / (1.0 - rule.beta1.powf(step)));
        let root = T::from_f64(1.0 / (1.0 - rule.beta2.powf(step)).sqrt());
        let epsilon = T::from_f64(rule.epsilon);
        for (((w, &g), m), v) in value.iter_mut().zip(gradient).zip(mean.iter_mut()).zip(square.iter_mut()) {
            let kept = *w * keep;
            let g = update.clip(g) + decay * *w;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *w = kept - rate * *m / (v.sqrt() * root + epsilon);
        }
    })
}

impl<T: Float> Rule<T> for Adam {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn arrays(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq"]
    }

    fn apply(&self, update: Update, value: &mut [T], gradient: &[T], arrays: &mut [&mut [T]]) {
        adam(self, update, 0.0, value, gradient, arrays);
    }
}

/// Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019).
///
/// ```
/// use faltung::nn::{AdamW, Optimizer};
/// let optimizer = Optimizer::<f32>::new(AdamW::new(1e-3).weight_decay(0.05)).decay_matrices_only();
/// # let _ = optimizer;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    adam: Adam,
    decay: f64,
}

impl AdamW {
    /// With the paper's constants, and PyTorch's weight decay of 0.01.
    pub fn new(rate: f64) -> Self {
        Self { adam: Adam::new(rate), decay: 0.01 }
    }

    /// What share of a weight, times the learning rate, is taken from it a step; 0.01 unless set.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// The constants of Adam; its weight decay should be 0.
    #[must_use]
    pub fn constants(mut self, beta1: f64, beta2: f64, epsilon: f64) -> Self {
        self.adam = self.adam.beta1(beta1).beta2(beta2).epsilon(epsilon);
        self
    }
}

impl<T: Float> Rule<T> for AdamW {
    fn rate(&self) -> f64 {
        self.adam.rate
    }

    fn arrays(&self) -> &'static [&'static str] {
        Rule::<T>::arrays(&self.adam)
    }

    fn apply(&self, update: Update, value: &mut [T], gradient: &[T], arrays: &mut [&mut [T]]) {
        adam(&self.adam, update, self.decay, value, gradient, arrays);
    }
}

/// RMSprop (Hinton, lecture 6e of his course, 2012), with momentum.
///
/// ```
/// use faltung::nn::{Optimizer, RmsProp};
/// let optimizer = Optimizer::<f32>::new(RmsProp::new(1e-3).momentum(0.9));
/// # let _ = optimizer;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RmsProp {
    rate: f64,
    alpha: f64,
    epsilon: f64,
    momentum: f64,
    weight_decay: f64,
}

impl RmsProp {
    /// With PyTorch's constants: 0.99 and 1e-8, no momentum.
    pub fn new(rate: f64) -> Self {
        Self { rate, alpha: 0.99, epsilon: 1e-8, momentum: 0.0, weight_decay: 0.0 }
    }

    setters! {
        /// How much of the mean of squares is kept a step; 0.99 unless set.
        alpha: f64;
        /// What is added to the root of the mean square; 1e-8 unless set.
        epsilon: f64;
        /// How much of the last step is gone on with; 0 unless set.
        momentum: f64;
        /// What is added to the gradient for each unit of the weight; 0 unless set.
        weight_decay: f64;
    }
}

fn rms_prop<T: Float>(rule: &RmsProp, update: Update, value: &mut [T], gradient: &[T], arrays: &mut [&mut [T]]) {
    wide!({
        let decay = T::from_f64(if update.decays { rule.weight_decay } else { 0.0 });
        let (alpha, rest) = (T::from_f64(rule.alpha), T::from_f64(1.0 - rule.alpha));
        let (rate, epsilon) = (T::from_f64(update.rate), T::from_f64(rule.epsilon));
        let momentum = T::from_f64(rule.momentum);
        // The share of the gradient, where the mean of squares has been brought up to date.
        let follow = |w: T, g: T, square: &mut T| {
            let g = update.clip(g) + decay * w;
            *square = alpha * *square + rest * g * g;
            g / (square.sqrt() + epsilon)
        };
        match arrays {
            [square] => {
                for ((w, &g), s) in value.iter_mut().zip(gradient).zip(square.iter_mut()) {
                    *w -= rate * follow(*w, g, s);
                }
            }
            [square, velocity] => {
                let states = square.iter_mut().zip(velocity.iter_mut());
                for ((w, &g), (s, v)) in value.iter_mut().zip(gradient).zip(states) {
                    *v = momentum * *v + follow(*w, g, s);
                    *w -= rate * *v;
                }
            }
            _ => {}
        }
    })
}

impl<T: Float> Rule<T> for RmsProp {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn arrays(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &["square_avg"] } else { &["square_avg", "momentum_buffer"] }
    }

    fn apply(&self, update: Update, value: &mut [T], gradient: &[T], arrays: &mut [&mut [T]]) {
        rms_prop(self, update, value, gradient, arrays);
    }
}

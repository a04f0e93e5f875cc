//! How far filters reach, and how large their results become.

use super::operator::{Combination, Operator, Pass};

impl Operator {
    /// How many samples away, at the most, a tap lies from the output's own sample, along each filtered axis. Results
    /// farther than that from a change of the data stay what they were.
    ///
    /// ```
    /// use faltung::filter::named::{Design, GradientMagnitude, Gaussian};
    ///
    /// assert_eq!(Gaussian::new(3.0).operator(2)?.reach(), [12, 12]);
    /// assert_eq!(GradientMagnitude::sobel().operator(2)?.reach(), [1, 1]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn reach(&self) -> Vec<usize> {
        let mut reach = vec![0; self.axes()];
        for term in self.parts.iter().flatten() {
            let mut sum = vec![0usize; self.axes()];
            for Pass { axes, kernel } in term {
                for ((&axis, &n), &anchor) in axes.iter().zip(kernel.taps.shape()).zip(&kernel.anchor) {
                    let most = anchor.max(n.saturating_sub(1 + anchor));
                    sum.iter_mut().skip(axis).take(1).for_each(|sum| *sum = sum.saturating_add(most));
                }
            }
            reach.iter_mut().zip(sum).for_each(|(reach, sum)| *reach = sum.max(*reach));
        }
        reach
    }

    /// A bound on the size of results, in multiples of the size of the data: the sum of a linear filter's taps without
    /// their signs, or somewhat more.
    ///
    /// ```
    /// use faltung::filter::named::{Derivative, Design};
    ///
    /// assert_eq!(Derivative::sobel(0).operator(2)?.bound(), 8.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bound(&self) -> f64 {
        let pass = |pass: &Pass| pass.kernel.taps.iter().map(|tap| tap.abs()).sum::<f64>();
        let parts =
            self.parts.iter().map(|terms| terms.iter().map(|t| t.iter().map(pass).product::<f64>()).sum::<f64>());
        match self.combination {
            Combination::Alone => parts.sum(),
            Combination::Magnitude => parts.map(|part| part * part).sum::<f64>().sqrt(),
            Combination::Unsharp { amount, .. } => parts.map(|part| 1.0 + amount.abs() * (1.0 + part)).sum(),
        }
    }

    /// Whether results change no more than in proportion to the data. An unsharp mask with a threshold lets them jump.
    ///
    /// ```
    /// use faltung::filter::named::{Design, GradientMagnitude, Named};
    ///
    /// assert!(GradientMagnitude::sobel().operator(2)?.is_continuous());
    /// assert!(!"unsharp:threshold=3".parse::<Named>()?.operator(2)?.is_continuous());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_continuous(&self) -> bool {
        !matches!(self.combination, Combination::Unsharp { threshold, .. } if threshold > 0.0)
    }
}

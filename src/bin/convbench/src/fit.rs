//! Costs that explain measured times: least squares on the logarithms.
//!
//! A prediction is a sum of counts times costs, all of them positive. What is sought are the logarithms of the costs, so
//! that none turns negative and an error of a factor weighs the same for a short run as for a long one. What no
//! measurement tells of stays where it was: a factor on a cost has a price of its own.

use faltung::{Costs, Planner, Problem, Recipe};
use rayon::prelude::*;

/// One measured run.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub(crate) text: String,
    pub(crate) problem: Problem,
    pub(crate) recipe: Recipe,
    pub(crate) seconds: f64,
}

/// Errors of logarithms from which on an observation counts as an outlier, which weighs less.
const OUTLIER: f64 = 0.15;

/// What a factor of e on a cost weighs, in observations that are as wrong.
const PRICE: f64 = 0.03;

/// How often counts are taken anew, since designs have terms that overlap, and steps between.
const ROUNDS: usize = 4;
const STEPS: usize = 12;

/// The longest step, as a logarithm.
const STRIDE: f64 = 0.5;

/// Costs near `old` by which the observations are predicted best.
pub(crate) fn fit(old: &Costs, observations: &[Observation]) -> Costs {
    let start: Vec<f64> = old.iter().map(|(_, cost)| cost.ln()).collect();
    let weights = weights(observations);
    let mut x = start.clone();
    for _ in 0..ROUNDS {
        let from = x.clone();
        let shares = shares(&costs_of(&from), observations);
        for _ in 0..STEPS {
            // Normal equations, those of the price first.
            let n = x.len();
            let mut matrix = vec![vec![0.0; n]; n];
            let mut right = vec![0.0; n];
            for k in 0..n {
                matrix[k][k] = PRICE;
                right[k] = PRICE * (start[k] - x[k]);
            }
            for ((observation, terms), weight) in observations.iter().zip(&shares).zip(&weights) {
                let now: Vec<(usize, f64)> =
                    terms.iter().map(|&(k, seconds)| (k, seconds * (x[k] - from[k]).exp())).collect();
                let predicted: f64 = now.iter().map(|term| term.1).sum();
                let error = (observation.seconds / predicted).ln();
                let weight = weight * (OUTLIER / error.abs()).min(1.0);
                for &(i, a) in &now {
                    right[i] += weight * error * a / predicted;
                    for &(j, b) in &now {
                        matrix[i][j] += weight * a / predicted * b / predicted;
                    }
                }
            }
            let step = solve(matrix, right);
            x.iter_mut().zip(&step).for_each(|(x, step)| *x += step.clamp(-STRIDE, STRIDE));
            if step.iter().all(|step| step.abs() < 1e-4) {
                break;
            }
        }
    }
    costs_of(&x)
}

fn costs_of(logarithms: &[f64]) -> Costs {
    let mut costs = Costs::default();
    for (name, x) in Costs::NAMES.iter().zip(logarithms) {
        if let Some(cost) = costs.get_mut(name) {
            // Four digits are more than is known.
            *cost = format!("{:.3e}", x.exp()).parse().unwrap_or(*cost);
        }
    }
    costs
}

/// What is far from the fastest of its problem matters less: it is not chosen either way.
fn weights(observations: &[Observation]) -> Vec<f64> {
    let best = |of: &Observation| {
        let same = observations.iter().filter(|o| o.text == of.text);
        same.map(|o| o.seconds).fold(f64::INFINITY, f64::min)
    };
    observations.iter().map(|o| best(o) / o.seconds).collect()
}

/// Of every observation, the seconds that each cost accounts for in its prediction, if it does at all.
fn shares(costs: &Costs, observations: &[Observation]) -> Vec<Vec<(usize, f64)>> {
    let planner = Planner::new().with_costs(costs.clone());
    // A cost that is a little larger tells its share, also where the larger of two terms counts.
    let larger = 1.0 / 64.0;
    let others: Vec<Planner> = Costs::NAMES
        .iter()
        .map(|name| {
            let mut costs = costs.clone();
            if let Some(cost) = costs.get_mut(name) {
                *cost *= 1.0 + larger;
            }
            Planner::new().with_costs(costs)
        })
        .collect();
    let predicted = |planner: &Planner, o: &Observation| planner.predict(&o.problem, &o.recipe).map(|c| c.predicted);
    observations
        .par_iter()
        .map(|o| {
            let Ok(base) = predicted(&planner, o) else { return Vec::new() };
            let share = |other| predicted(other, o).map_or(0.0, |more| (more - base) / larger);
            others.iter().map(share).enumerate().filter(|(_, share)| *share > 1e-6 * base).collect()
        })
        .collect()
}

/// The solution of a symmetric positive definite system, by Cholesky's decomposition.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let (above, rest) = a.split_at_mut(k);
        let row = &mut rest[0];
        for j in 0..k {
            let done: f64 = (0..j).map(|i| row[i] * above[j][i]).sum();
            row[j] = (row[j] - done) / above[j][j];
        }
        let done: f64 = (0..k).map(|i| row[i] * row[i]).sum();
        row[k] = (row[k] - done).max(1e-12).sqrt();
        b[k] = (b[k] - (0..k).map(|i| row[i] * b[i]).sum::<f64>()) / row[k];
    }
    for k in (0..n).rev() {
        b[k] = (b[k] - (k + 1..n).map(|i| a[i][k] * b[i]).sum::<f64>()) / a[k][k];
    }
    b
}

/// How predictions by some costs fare.
pub(crate) struct Quality {
    /// The median and the 95th percentile of the larger of predicted over measured and its inverse.
    pub(crate) median: f64,
    pub(crate) p95: f64,
    /// Of every problem, the time of what is predicted to be the fastest over the time of what was.
    pub(crate) choices: Vec<(String, f64)>,
}

impl Quality {
    pub(crate) fn of(costs: &Costs, observations: &[Observation]) -> Self {
        let planner = Planner::new().with_costs(costs.clone());
        let predicted: Vec<f64> = observations
            .par_iter()
            .map(|o| planner.predict(&o.problem, &o.recipe).map_or(f64::INFINITY, |c| c.predicted))
            .collect();
        let mut errors: Vec<f64> =
            observations.iter().zip(&predicted).map(|(o, p)| (p / o.seconds).max(o.seconds / p)).collect();
        errors.sort_by(f64::total_cmp);
        let at = |share: usize| errors.get((errors.len() * share / 100).min(errors.len().max(1) - 1)).copied();
        let (median, p95) = (at(50).unwrap_or(1.0), at(95).unwrap_or(1.0));
        let mut choices = Vec::new();
        let mut from = 0;
        while from < observations.len() {
            let same = observations[from..].iter().take_while(|o| o.text == observations[from].text).count();
            let (group, predicted) = (&observations[from..from + same], &predicted[from..from + same]);
            let best = group.iter().map(|o| o.seconds).fold(f64::INFINITY, f64::min);
            let chosen = (0..same).min_by(|&a, &b| predicted[a].total_cmp(&predicted[b])).unwrap_or(0);
            choices.push((group[0].text.clone(), group[chosen].seconds / best));
            from += same;
        }
        Self { median, p95, choices }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        let x = solve(vec![vec![4.0, 1.0], vec![1.0, 3.0]], vec![6.0, 7.0]);
        assert!((x[0] - 1.0).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12, "{x:?}");
    }

    /// Times that a machine of other costs would have taken give these costs.
    #[test]
    fn costs_are_found_again() {
        let mut machine = Costs::default();
        machine.slide_fma *= 3.0;
        machine.slide_end *= 2.0;
        machine.fft_row *= 0.5;
        machine.fft_copy *= 0.5;
        let planner = Planner::new().with_costs(machine.clone());
        let mut observations = Vec::new();
        for text in ["512x512*3x3:same", "512x512*15x15:same", "100000*5:same", "100000*127:same", "300x70*9x3:same"] {
            let problem: Problem = text.parse().expect("a problem");
            for candidate in planner.explain(&problem).expect("a choice").candidates {
                let Some(recipe) = candidate.recipe else { continue };
                let (text, problem) = (text.into(), problem.clone());
                observations.push(Observation { text, problem, recipe, seconds: candidate.predicted });
            }
        }
        let before = Quality::of(&Costs::default(), &observations);
        let fitted = fit(&Costs::default(), &observations);
        let after = Quality::of(&fitted, &observations);
        assert!(after.median < 1.05 && after.median < before.median, "{} {}", before.median, after.median);
        assert!((fitted.slide_fma / machine.slide_fma).ln().abs() < 0.2, "{fitted:?}");
        assert!(after.choices.iter().all(|choice| choice.1 < 1.1), "{:?}", after.choices);
        // Nothing has been seen of it.
        assert_eq!(fitted.winograd_fma, Costs::default().winograd_fma);
    }
}

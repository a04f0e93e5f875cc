//! What a planner remembers: its choices, and the algorithms made ready that were used last.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Built;
use super::explain::Explanation;
use crate::element::Element;
use crate::problem::Problem;

/// Choices that are remembered before all are forgotten.
const CHOICES: usize = 4096;

/// Algorithms that are kept ready: they may hold tables as large as their data.
const BUILT: usize = 64;

/// A planner's memory.
#[derive(Default)]
pub(super) struct Memory {
    choices: HashMap<Problem, Arc<Explanation>>,
    built: HashMap<Problem, Ready>,
    clock: u64,
}

/// A [`Built`] of the problem's element type.
struct Ready {
    built: Arc<dyn Any + Send + Sync>,
    used: u64,
}

impl Memory {
    pub(super) fn explanation(&self, problem: &Problem) -> Option<Arc<Explanation>> {
        self.choices.get(problem).cloned()
    }

    pub(super) fn remember(&mut self, problem: &Problem, explanation: Arc<Explanation>) {
        if self.choices.len() >= CHOICES {
            self.choices.clear();
        }
        self.choices.insert(problem.clone(), explanation);
    }

    pub(super) fn built<T: Element>(&mut self, problem: &Problem) -> Option<Arc<Built<T>>> {
        self.clock += 1;
        let ready = self.built.get_mut(problem)?;
        ready.used = self.clock;
        ready.built.clone().downcast().ok()
    }

    /// Keeps `built`, and lets go of what was not used for the longest time.
    pub(super) fn remember_built<T: Element>(&mut self, problem: &Problem, built: Arc<Built<T>>) {
        if self.built.len() >= BUILT && !self.built.contains_key(problem) {
            let oldest = self.built.iter().min_by_key(|(_, ready)| ready.used).map(|(problem, _)| problem.clone());
            oldest.and_then(|oldest| self.built.remove(&oldest));
        }
        self.clock += 1;
        self.built.insert(problem.clone(), Ready { built, used: self.clock });
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("choices", &self.choices.len()).field("built", &self.built.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Planner};

    #[test]
    fn other_costs_are_other_choices() {
        let problem = Problem::field(&[512, 512], &[5, 5]).build().expect("a problem");
        let planner = Planner::new();
        let before = planner.plan::<f32>(&problem).expect("a plan");
        let mut costs = planner.costs().clone();
        (costs.slide_fma, costs.slide_load) = (1.0, 1.0);
        let planner = planner.with_costs(costs.clone());
        let after = planner.plan::<f32>(&problem).expect("a plan");
        assert_eq!(planner.costs(), &costs);
        assert!(!Arc::ptr_eq(&before.built, &after.built));
        assert_eq!(before.recipe().algorithm(), Algorithm::Direct);
        assert_ne!(after.recipe().algorithm(), Algorithm::Direct);
        assert!(after.candidate().predicted > before.candidate().predicted);
    }

    #[test]
    fn the_plan_used_last_is_kept_and_the_one_used_first_forgotten() {
        let planner = Planner::new().algorithm(Algorithm::Reference);
        let problem = |n: usize| Problem::field(&[n], &[3]).build().expect("a problem");
        let first = planner.plan::<f32>(&problem(1)).expect("a plan");
        for n in 2..=BUILT + 1 {
            planner.plan::<f32>(&problem(n)).expect("a plan");
            let again = planner.plan::<f32>(&problem(1)).expect("a plan");
            assert!(Arc::ptr_eq(&first.built, &again.built));
        }
        let mut memory = planner.memory.lock().expect("no panic");
        assert_eq!(memory.built.len(), BUILT);
        assert!(memory.built::<f32>(&problem(2)).is_none());
        assert!(memory.built::<f32>(&problem(3)).is_some());
    }
}

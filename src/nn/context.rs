//! What layers share while they run: memory, plans, random numbers.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, DerefMut};

use super::{Float, Random};
use crate::aligned::Aligned;
use crate::error::Result;
use crate::plan::{Plan, Planner, Recipe, Workspace};
use crate::problem::Problem;

/// Whether a network learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It computes what it knows: dropout passes everything, batch norm takes its running statistics. The default.
    #[default]
    Evaluate,
    /// A backward pass will follow.
    Train,
}

/// What layers share while they run: the planner and its plans, workspaces, and random numbers.
#[derive(Debug)]
pub struct Context<T> {
    mode: Mode,
    random: Random,
    planner: Planner,
    plans: HashMap<Problem, Plan<T>>,
    /// How problems were computed before a checkpoint, by their notation.
    recipes: BTreeMap<String, Recipe>,
    workspace: Workspace,
    pool: Vec<Buffer<T>>,
}

/// Plans that are kept at once. A network has a few a layer and batch size.
const PLANS: usize = 1024;

impl<T: Float> Context<T> {
    /// A context whose random numbers follow from a seed.
    ///
    /// ```
    /// use faltung::nn::{Context, Mode};
    /// assert_eq!(Context::<f32>::new(1).mode(), Mode::Evaluate);
    /// ```
    pub fn new(seed: u64) -> Self {
        Self {
            mode: Mode::default(),
            random: Random::new(seed),
            planner: Planner::new(),
            plans: HashMap::new(),
            recipes: BTreeMap::new(),
            workspace: Workspace::new(),
            pool: Vec::new(),
        }
    }

    /// Whether the network learns.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Sets whether the network learns.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Whether a backward pass will follow.
    pub fn is_training(&self) -> bool {
        self.mode == Mode::Train
    }

    /// The network's random numbers.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Plans by another planner: of one algorithm, or with bounds on error and memory. Plans made before are dropped.
    pub fn set_planner(&mut self, planner: Planner) {
        self.planner = planner;
        self.plans.clear();
        self.recipes.clear();
    }

    /// The plan of a problem, made once and kept. Layers with the same problem share it.
    ///
    /// # Errors
    /// Those of [`Planner::plan`].
    pub fn plan(&mut self, problem: &Problem) -> Result<Plan<T>> {
        if let Some(plan) = self.plans.get(problem) {
            return Ok(plan.clone());
        }
        if self.plans.len() >= PLANS {
            self.plans.clear();
        }
        let plan = match self.recipes.get(&problem.to_string()) {
            Some(recipe) => self.planner.plan_with(problem, recipe)?,
            None => self.planner.plan(problem)?,
        };
        self.plans.insert(problem.clone(), plan.clone());
        Ok(plan)
    }

    /// Every problem planned so far, in its notation, with its recipe.
    ///
    /// Results repeat to the last bit where the recipes do: a checkpoint keeps them.
    pub fn recipes(&self) -> BTreeMap<String, Recipe> {
        let planned = self.plans.iter().map(|(problem, plan)| (problem.to_string(), plan.recipe().clone()));
        self.recipes.clone().into_iter().chain(planned).collect()
    }

    /// Computes these problems by these recipes from now on, and the others as the planner chooses.
    pub fn set_recipes(&mut self, recipes: BTreeMap<String, Recipe>) {
        self.plans.clear();
        self.recipes = recipes;
    }

    /// Memory for the runs of plans.
    pub fn workspace(&mut self) -> &mut Workspace {
        &mut self.workspace
    }

    /// An array of so many elements, holding anything. Given back, it serves the next that asks.
    ///
    /// ```
    /// use faltung::nn::Context;
    /// let mut context = Context::<f32>::new(1);
    /// let scratch = context.take(100);
    /// assert_eq!(scratch.len(), 100);
    /// context.give(scratch);
    /// ```
    pub fn take(&mut self, elements: usize) -> Buffer<T> {
        let fits = self.pool.iter().enumerate().filter(|(_, b)| b.data.len() >= elements);
        let best = fits.min_by_key(|(_, b)| b.data.len()).map(|(i, _)| i);
        // The largest grows where none is large enough, so that there are no more arrays than are held at once.
        let largest = || self.pool.iter().enumerate().max_by_key(|(_, b)| b.data.len()).map(|(i, _)| i);
        let mut buffer = best.or_else(largest).map_or_else(Buffer::default, |i| self.pool.swap_remove(i));
        if buffer.data.len() < elements {
            buffer.data.hold(elements);
        }
        buffer.length = elements;
        buffer
    }

    /// Takes an array back.
    pub fn give(&mut self, buffer: Buffer<T>) {
        if !buffer.data.is_empty() {
            self.pool.push(buffer);
        }
    }
}

/// An array that a [`Context`] lends: a slice, of the length asked for.
#[derive(Debug)]
pub struct Buffer<T> {
    /// Longer than asked for, where it has served others: what is there is not touched.
    data: Aligned<T>,
    length: usize,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self { data: Aligned::default(), length: 0 }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data[..self.length]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[..self.length]
    }
}

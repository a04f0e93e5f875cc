//! The whole state of a training, in a file.

use std::collections::BTreeMap;

use super::{Epoch, Metrics};
use crate::aligned::Aligned;
use crate::error::{Error, Result};
use crate::nn::layer::volume;
use crate::nn::optim::State;
use crate::nn::weights::{RESERVED, Stored, Tensors, is_count};
use crate::nn::{Float, Network, Optimizer, Random};
use crate::plan::Recipe;

/// Where a training stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// Epochs behind.
    pub(super) history: Vec<Epoch>,
    /// Batches of the next epoch that are behind.
    pub(super) batches: usize,
    /// What they came to.
    pub(super) metrics: Metrics,
    /// Seconds that they took.
    pub(super) seconds: f64,
    /// The best epoch's score and number.
    pub(super) best: Option<(f64, usize)>,
    /// Whether it has ended early.
    pub(super) stopped: bool,
}

/// What a checkpoint says that it is.
const FORMAT: &str = "faltung checkpoint 1";

/// The metadata's keys.
mod key {
    pub(super) const FORMAT: &str = "format";
    pub(super) const SETTINGS: &str = "settings";
    pub(super) const STEPS: &str = "steps";
    pub(super) const RANDOM: &str = "random";
    pub(super) const RECIPES: &str = "recipes";
    pub(super) const HISTORY: &str = "history";
    pub(super) const BATCHES: &str = "batches";
    pub(super) const METRICS: &str = "metrics";
    pub(super) const SECONDS: &str = "seconds";
    pub(super) const BEST: &str = "best";
    pub(super) const STOPPED: &str = "stopped";
}

impl Progress {
    pub(super) fn epochs(&self) -> usize {
        self.history.len()
    }

    /// The state as arrays: the network's by their own names, those of the optimiser and of the best weights under
    /// names that no network has.
    pub(super) fn save<T: Float>(
        &self,
        settings: &str,
        network: &mut Network<T>,
        optimizer: &Optimizer<T>,
        best: Option<&Tensors>,
    ) -> Result<Tensors> {
        let [of_optimizer, of_best] = RESERVED;
        let mut tensors = Tensors::of(network)?;
        let (names, state) = optimizer.state();
        for (path, state) in state {
            for (name, array) in names.iter().zip(&state.arrays) {
                tensors.insert(format!("{of_optimizer}{path}/{name}"), Stored::of(&state.shape, array))?;
            }
        }
        for (path, stored) in best.iter().flat_map(|best| &best.arrays) {
            tensors.insert(format!("{of_best}{path}"), stored.clone())?;
        }
        let recipes = network.context().recipes();
        let recipes: Vec<_> = recipes.iter().map(|(problem, recipe)| format!("{problem} {recipe}")).collect();
        let history: Vec<_> = self.history.iter().map(Epoch::state).collect();
        let best = self.best.map_or_else(String::new, |(score, epoch)| format!("{} {epoch}", score.to_bits()));
        tensors.metadata = [
            (key::FORMAT, FORMAT.to_owned()),
            (key::SETTINGS, settings.to_owned()),
            (key::STEPS, optimizer.steps().to_string()),
            (key::RANDOM, network.context().random().state()),
            (key::RECIPES, recipes.join("\n")),
            (key::HISTORY, history.join("\n")),
            (key::BATCHES, self.batches.to_string()),
            (key::METRICS, self.metrics.state()),
            (key::SECONDS, self.seconds.to_bits().to_string()),
            (key::BEST, best),
            (key::STOPPED, self.stopped.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        Ok(tensors)
    }

    /// Reads all of it, and only then changes the network and the optimiser.
    pub(super) fn restore<T: Float>(
        tensors: &mut Tensors,
        settings: &str,
        network: &mut Network<T>,
        optimizer: &mut Optimizer<T>,
    ) -> Result<(Self, Option<Tensors>)> {
        let metadata = std::mem::take(&mut tensors.metadata);
        let get = |key: &str| metadata.get(key).map(String::as_str);
        if get(key::FORMAT) != Some(FORMAT) {
            let given = get(key::FORMAT).unwrap_or("a file of weights alone");
            return Err(Error::argument("checkpoint", FORMAT, given));
        }
        if get(key::SETTINGS) != Some(settings) {
            return Err(Error::argument("checkpoint", settings.to_owned(), get(key::SETTINGS).unwrap_or_default()));
        }
        let text = |key: &'static str| {
            get(key).ok_or_else(|| Error::argument("checkpoint", format!("an entry {key}"), "none"))
        };
        let steps = count(key::STEPS, text(key::STEPS)?)?;
        let random = Random::from_state(text(key::RANDOM)?)?;
        let recipe = |line: &str| -> Result<(String, Recipe)> {
            let (problem, recipe) = line.rsplit_once(' ').ok_or_else(|| bad(key::RECIPES, line))?;
            Ok((problem.to_owned(), recipe.parse()?))
        };
        let recipes = text(key::RECIPES)?.lines().map(recipe).collect::<Result<BTreeMap<_, _>>>()?;
        let epoch = |line: &str| Epoch::from_state(line).ok_or_else(|| bad(key::HISTORY, line));
        let metrics = text(key::METRICS)?;
        let best = match text(key::BEST)?.split_once(' ') {
            Some((score, epoch)) => Some((f64::from_bits(number(key::BEST, score)?), number(key::BEST, epoch)?)),
            None => None,
        };
        let progress = Self {
            history: text(key::HISTORY)?.lines().map(epoch).collect::<Result<_>>()?,
            batches: number(key::BATCHES, text(key::BATCHES)?)?,
            metrics: Metrics::from_state(metrics).ok_or_else(|| bad(key::METRICS, metrics))?,
            seconds: f64::from_bits(number(key::SECONDS, text(key::SECONDS)?)?),
            best,
            stopped: number(key::STOPPED, text(key::STOPPED)?)?,
        };
        if progress.best.is_some_and(|(_, epoch)| epoch > progress.epochs()) {
            return Err(bad(key::BEST, text(key::BEST)?));
        }
        let state = optimizer_state(tensors, network, optimizer)?;
        let best = Tensors { arrays: part(tensors, RESERVED[1]), metadata: BTreeMap::new() };
        tensors.load(network)?;
        optimizer.restore(steps, state);
        *network.context().random() = random;
        network.context().set_recipes(recipes);
        Ok((progress, (!best.arrays.is_empty()).then_some(best)))
    }
}

fn bad(key: &'static str, text: &str) -> Error {
    Error::parse(text, format!("it is no {key} of a checkpoint"))
}

fn number<N: std::str::FromStr>(key: &'static str, text: &str) -> Result<N> {
    text.parse().map_err(|_| bad(key, text))
}

fn count(key: &'static str, text: &str) -> Result<u64> {
    number(key, text).and_then(|count| if is_count(count) { Ok(count) } else { Err(bad(key, text)) })
}

/// The arrays whose names begin in a way, without that beginning.
fn part(tensors: &Tensors, prefix: &str) -> BTreeMap<String, Stored> {
    let named = |(name, stored): (&String, &Stored)| Some((name.strip_prefix(prefix)?.to_owned(), stored.clone()));
    tensors.arrays.iter().filter_map(named).collect()
}

/// The optimiser's arrays: for each parameter all of those that the rule keeps, or none.
fn optimizer_state<T: Float>(
    tensors: &Tensors,
    network: &mut Network<T>,
    optimizer: &Optimizer<T>,
) -> Result<BTreeMap<String, State<T>>> {
    let mut found = part(tensors, RESERVED[0]);
    let (names, _) = optimizer.state();
    let mut state = BTreeMap::new();
    network.parameters(&mut |path, parameter| {
        let mut arrays = Vec::with_capacity(names.len());
        for name in names {
            let Some(stored) = found.remove(&format!("{path}/{name}")) else { continue };
            if stored.shape != parameter.value.shape() {
                return Err(Error::shape(format!("{path}/{name}"), parameter.value.shape(), &stored.shape));
            }
            let values = stored.values::<T>(path)?;
            debug_assert_eq!(values.len(), volume(&stored.shape), "the format's reader has checked the length");
            arrays.push(Aligned::from(&values[..]));
        }
        if arrays.len() == names.len() {
            state.insert(path.to_owned(), State { shape: parameter.value.shape().to_vec(), arrays });
        } else if !arrays.is_empty() {
            return Err(Error::argument(format!("{path}'s state"), format!("arrays {names:?}"), arrays.len()));
        }
        Ok(())
    })?;
    match found.keys().next() {
        Some(name) => Err(Error::argument("checkpoint", "state of the optimiser's own parameters", name)),
        None => Ok(state),
    }
}

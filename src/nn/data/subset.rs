//! Parts of data sets: for training and validation, and for cross-validation.

use ndarray::{ArrayViewMutD, Axis};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Dataset, Targets};
use crate::error::{Error, Result};
use crate::nn::Float;

/// Some samples of a data set, in an order of their own.
///
/// The data set is held as it is given: as a reference, an [`Arc`](std::sync::Arc), or itself. Augmentation of the data
/// set within draws by the samples' numbers there.
///
/// ```
/// use faltung::ndarray::{ArrayD, array};
/// use faltung::nn::data::{Arrays, Dataset, Subset, Targets};
///
/// let data = Arrays::new(array![[0.0f32], [1.0], [2.0]].into_dyn(), Targets::Classes(vec![0, 1, 0]))?;
/// let even = Subset::new(&data, vec![2, 0])?;
/// assert_eq!(even.targets(), &Targets::Classes(vec![0, 0]));
/// let mut sample = ArrayD::zeros(even.sample_shape());
/// even.read(0, None, sample.view_mut())?;
/// assert_eq!(sample[[0]], 2.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Subset<T, D> {
    data: D,
    indices: Vec<usize>,
    targets: Targets<T>,
}

impl<T: Float, D: Dataset<T>> Subset<T, D> {
    /// The samples of these numbers; a number may come more than once.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is no sample of a number.
    ///
    /// ```
    /// # use faltung::ndarray::array;
    /// # use faltung::nn::data::{Arrays, Subset, Targets};
    /// let data = Arrays::new(array![[0.0f32]].into_dyn(), Targets::Classes(vec![0]))?;
    /// assert!(Subset::new(&data, vec![1]).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(data: D, indices: Vec<usize>) -> Result<Self> {
        let count = data.targets().len();
        if let Some(bad) = indices.iter().find(|&&i| i >= count) {
            return Err(Error::argument("indices", format!("numbers below {count}, that of the samples"), bad));
        }
        let targets = match data.targets() {
            Targets::Classes(classes) => Targets::Classes(indices.iter().map(|&i| classes[i]).collect()),
            Targets::Values(values) => Targets::Values(values.select(Axis(0), &indices)),
        };
        Ok(Self { data, indices, targets })
    }

    /// The samples' numbers in the data set.
    ///
    /// ```
    /// # use faltung::ndarray::array;
    /// # use faltung::nn::data::{Arrays, Subset, Targets};
    /// let data = Arrays::new(array![[0.0f32], [1.0]].into_dyn(), Targets::Classes(vec![0, 1]))?;
    /// assert_eq!(Subset::new(&data, vec![1])?.indices(), [1]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<T: Float, D: Dataset<T>> Dataset<T> for Subset<T, D> {
    fn sample_shape(&self) -> &[usize] {
        self.data.sample_shape()
    }

    fn targets(&self) -> &Targets<T> {
        &self.targets
    }

    fn read(&self, index: usize, draw: Option<u64>, sample: ArrayViewMutD<'_, T>) -> Result<()> {
        let found = self.indices.get(index).copied();
        let index = found.ok_or_else(|| Error::argument("index", format!("below {}", self.indices.len()), index))?;
        self.data.read(index, draw, sample)
    }
}

/// What to learn from and what to be judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts<T, D> {
    /// The samples to learn from.
    pub train: Subset<T, D>,
    /// The samples to be judged by.
    pub test: Subset<T, D>,
}

/// How samples are dealt out at random.
///
/// The numbers are ChaCha8's of the seed: the same seed deals the same samples on every machine.
///
/// ```
/// use faltung::ndarray::Array2;
/// use faltung::nn::data::{Arrays, Dataset, Deal, Targets};
///
/// let classes = (0..100).map(|i| i % 4).collect();
/// let data = Arrays::new(Array2::<f32>::zeros((100, 3)).into_dyn(), Targets::Classes(classes))?;
/// let parts = Deal::stratified(1).split(&data, 0.2)?; // validation
/// assert_eq!((parts.train.len(), parts.test.len()), (80, 20));
///
/// let folds = Deal::random(1).folds(&data, 10)?; // cross-validation
/// assert!(folds.iter().all(|fold| fold.train.len() == 90 && fold.test.len() == 10));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deal {
    seed: u64,
    stratified: bool,
}

impl Deal {
    /// Deals samples out whatever their class.
    ///
    /// ```
    /// # use faltung::nn::data::Deal;
    /// assert_ne!(Deal::random(1), Deal::random(2));
    /// ```
    pub fn random(seed: u64) -> Self {
        Self { seed, stratified: false }
    }

    /// Deals the samples of each class out evenly, so that every part has the classes in the proportions of the whole,
    /// up to one sample a class. Targets that are no classes are refused.
    ///
    /// ```
    /// # use faltung::nn::data::Deal;
    /// assert_ne!(Deal::random(1), Deal::stratified(1));
    /// ```
    pub fn stratified(seed: u64) -> Self {
        Self { seed, stratified: true }
    }

    /// Puts a fraction of the samples aside, rounded to a whole number: `test` has those, and `train` the others, each
    /// in the order of the data set.
    ///
    /// # Errors
    /// [`Error::Argument`] for a fraction outside 0 to 1, and as [`stratified`](Self::stratified).
    ///
    /// ```
    /// # use faltung::ndarray::Array2;
    /// # use faltung::nn::data::{Arrays, Dataset, Deal, Targets};
    /// let data = Arrays::new(Array2::<f32>::zeros((10, 3)).into_dyn(), Targets::Classes(vec![0; 10]))?;
    /// let parts = Deal::random(7).split(&data, 0.25)?;
    /// assert_eq!((parts.train.len(), parts.test.len()), (7, 3)); // of 2.5
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn split<T: Float, D: Dataset<T> + Clone>(&self, data: D, fraction: f64) -> Result<Parts<T, D>> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(Error::argument("fraction", "0 to 1", fraction));
        }
        let total = (data.targets().len() as f64 * fraction).round() as usize;
        let groups = self.groups(&data)?;
        let shares: Vec<f64> = groups.iter().map(|group| group.len() as f64 * fraction).collect();
        let mut counts: Vec<usize> = shares.iter().map(|share| share.floor() as usize).collect();
        // What rounding down leaves over goes to the classes that lost most by it.
        let mut by_loss: Vec<usize> = (0..groups.len()).collect();
        by_loss.sort_by(|&a, &b| (shares[b] - shares[b].floor()).total_cmp(&(shares[a] - shares[a].floor())));
        let over = total.saturating_sub(counts.iter().sum());
        by_loss.iter().take(over).for_each(|&group| counts[group] += 1);
        let mut aside = vec![false; data.targets().len()];
        for (group, count) in groups.iter().zip(counts) {
            group.iter().take(count).for_each(|&i| aside[i] = true);
        }
        parts(data, |i| aside[i])
    }

    /// Deals the samples out to `k` parts, whose sizes differ by one at the most, and gives for each of them that part
    /// as `test` and the others as `train`, each in the order of the data set.
    ///
    /// # Errors
    /// [`Error::Argument`] for `k` below 2 or above the number of samples, and as [`stratified`](Self::stratified).
    ///
    /// ```
    /// # use faltung::ndarray::Array2;
    /// # use faltung::nn::data::{Arrays, Dataset, Deal, Targets};
    /// let data = Arrays::new(Array2::<f32>::zeros((10, 3)).into_dyn(), Targets::Classes(vec![0; 10]))?;
    /// let sizes: Vec<usize> = Deal::random(7).folds(&data, 3)?.iter().map(|fold| fold.test.len()).collect();
    /// assert_eq!(sizes, [4, 3, 3]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn folds<T: Float, D: Dataset<T> + Clone>(&self, data: D, k: usize) -> Result<Vec<Parts<T, D>>> {
        if k < 2 || k > data.targets().len() {
            return Err(Error::argument("k", format!("2 to {}, the number of samples", data.targets().len()), k));
        }
        // Class after class is dealt out like cards, each going on where the one before ended.
        let mut fold = vec![0; data.targets().len()];
        for (card, i) in self.groups(&data)?.into_iter().flatten().enumerate() {
            fold[i] = card % k;
        }
        (0..k).map(|number| parts(data.clone(), |i| fold[i] == number)).collect()
    }

    /// The samples in random order: all of them, or a group for each class.
    fn groups<T: Float>(&self, data: &impl Dataset<T>) -> Result<Vec<Vec<usize>>> {
        let mut groups = match data.targets() {
            _ if !self.stratified => vec![(0..data.targets().len()).collect()],
            Targets::Classes(classes) => {
                let mut order: Vec<usize> = (0..classes.len()).collect();
                order.sort_by_key(|&i| classes[i]);
                order.chunk_by(|&a, &b| classes[a] == classes[b]).map(<[usize]>::to_vec).collect()
            }
            Targets::Values(_) => {
                return Err(Error::argument("targets", "classes, to be dealt out evenly", "values"));
            }
        };
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        groups.iter_mut().for_each(|group| group.shuffle(&mut random));
        Ok(groups)
    }
}

fn parts<T: Float, D: Dataset<T> + Clone>(data: D, is_test: impl Fn(usize) -> bool) -> Result<Parts<T, D>> {
    let (test, train) = (0..data.targets().len()).partition(|&i| is_test(i));
    Ok(Parts { train: Subset::new(data.clone(), train)?, test: Subset::new(data, test)? })
}

//! Parts of data sets.

use std::sync::Arc;

use faltung::ndarray::{Array2, ArrayD, Axis};
use faltung::nn::data::{Arrays, Dataset, Deal, Subset, Targets};
use proptest::prelude::*;

use crate::sample;

/// Samples that hold their own number.
fn numbered(classes: Vec<usize>) -> Arrays<f64> {
    let numbers = Array2::from_shape_fn((classes.len(), 1), |(i, _)| i as f64).into_dyn();
    Arrays::new(numbers, Targets::Classes(classes)).expect("data")
}

fn classes(targets: &Targets<f64>) -> &[usize] {
    match targets {
        Targets::Classes(classes) => classes,
        Targets::Values(_) => panic!("classes"),
    }
}

#[test]
fn a_subset_renumbers_and_nests() {
    let data = Arc::new(numbered(vec![0, 1, 2, 3]));
    let part = Subset::new(data.clone(), vec![3, 1, 1]).expect("a part");
    assert_eq!((part.len(), classes(part.targets())), (3, &[3, 1, 1][..]));
    let inner = Subset::new(&part, vec![0]).expect("a part");
    assert_eq!(sample(&inner, 0, None)[[0]], 3.0);
    assert!(inner.read(1, None, ArrayD::zeros(vec![1]).view_mut()).is_err());
    assert!(Subset::new(data, vec![4]).is_err());

    let values = Array2::from_shape_fn((3, 2), |(i, j)| (10 * i + j) as f64).into_dyn();
    let data = Arrays::new(values.clone(), Targets::Values(values)).expect("data");
    let part = Subset::new(&data, vec![2, 0]).expect("a part");
    assert_eq!(part.targets(), &Targets::Values(data.samples().select(Axis(0), &[2, 0])));
    assert!(Deal::stratified(1).split(&data, 0.5).is_err());
    assert!(Deal::random(1).split(&data, 0.5).is_ok());
}

#[test]
fn seeds_differ_and_repeat() {
    let data = numbered(vec![0; 100]);
    let test = |seed| Deal::random(seed).split(&data, 0.3).expect("parts").test.indices().to_vec();
    assert_eq!(test(1), test(1));
    assert_ne!(test(1), test(2));
    // A change of these numbers changes every training that was split by a seed.
    assert_eq!(test(1)[..5], [6, 9, 10, 16, 18]);
    assert!(Deal::random(1).split(&data, f64::NAN).is_err() && Deal::random(1).split(&data, 1.5).is_err());
    for k in [0, 1, 101] {
        assert!(Deal::random(1).folds(&data, k).is_err());
    }
}

proptest! {
    #[test]
    fn folds_are_a_partition(
        classes in prop::collection::vec(0usize..4, 2..60),
        k in 2usize..8,
        seed: u64,
        stratified: bool,
    ) {
        prop_assume!(k <= classes.len());
        let data = numbered(classes.clone());
        let deal = if stratified { Deal::stratified(seed) } else { Deal::random(seed) };
        let folds = deal.folds(&data, k).expect("folds");
        let mut seen = vec![0; classes.len()];
        for fold in &folds {
            prop_assert_eq!(fold.train.len() + fold.test.len(), classes.len());
            prop_assert!((classes.len() / k..=classes.len().div_ceil(k)).contains(&fold.test.len()));
            prop_assert!(fold.train.indices().iter().all(|i| !fold.test.indices().contains(i)));
            fold.test.indices().iter().for_each(|&i| seen[i] += 1);
            for class in (0..4).filter(|_| stratified) {
                let of = |classes: &[usize]| classes.iter().filter(|&&c| c == class).count();
                let (whole, part) = (of(&classes), of(self::classes(fold.test.targets())));
                prop_assert!((whole / k..=whole.div_ceil(k)).contains(&part), "{whole} {part}");
            }
        }
        prop_assert!(seen.iter().all(|&times| times == 1));
    }

    #[test]
    fn a_split_keeps_proportions(
        classes in prop::collection::vec(0usize..4, 0..60),
        fraction in 0.0f64..=1.0,
        seed: u64,
        stratified: bool,
    ) {
        let data = numbered(classes.clone());
        let deal = if stratified { Deal::stratified(seed) } else { Deal::random(seed) };
        let parts = deal.split(&data, fraction).expect("parts");
        prop_assert_eq!(parts.test.len(), (classes.len() as f64 * fraction).round() as usize);
        let mut all = [parts.train.indices(), parts.test.indices()].concat();
        all.sort();
        prop_assert_eq!(all, (0..classes.len()).collect::<Vec<_>>());
        for class in (0..4).filter(|_| stratified) {
            let of = |classes: &[usize]| classes.iter().filter(|&&c| c == class).count() as f64;
            let share = of(&classes) * fraction;
            prop_assert!((of(self::classes(parts.test.targets())) - share).abs() <= 1.0);
        }
    }
}

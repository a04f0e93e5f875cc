//! MNIST's folder, and pictures as samples.

use std::fs;

use faltung::Error;
use faltung::ndarray::{Array4, ArrayD, ShapeBuilder, array};
use faltung::nn::data::{Dataset, Idx, ImageClasses, Mnist, Targets};

use crate::{digits, real_data, sample};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| i.to_string()).collect()
}

#[test]
fn the_digits_that_are_shipped() {
    let mnist = Mnist::<f32>::open(digits()).expect("the digits");
    // The first ones are MNIST's own first ones.
    assert_eq!(mnist.train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(mnist.test.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    for (set, each) in [(&mnist.train, 100), (&mnist.test, 50)] {
        assert!((0..10).all(|class| set.labels().iter().filter(|&&label| label == class).count() == each));
        assert_eq!(set.names(), names(10));
    }
    let first = sample(&mnist.train, 0, None);
    assert_eq!(first.shape(), [1, 28, 28]);
    assert_eq!((first[[0, 0, 0]], first[[0, 5, 12]]), (0.0, 3.0 / 255.0)); // the 5's topmost row
    assert_eq!(mnist.train.pictures()[[0, 0, 5, 12]], 3);
    assert!(first.iter().all(|&v| (0.0..=1.0).contains(&v)));
}

#[test]
fn the_whole_of_mnist() {
    let Some(folder) = real_data("mnist") else { return };
    let mnist = Mnist::<f32>::find(Some(&folder)).expect("MNIST");
    assert_eq!((mnist.train.len(), mnist.test.len()), (60_000, 10_000));
    assert_eq!(mnist.train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(mnist.test.labels()[9_990..], [7, 8, 9, 0, 1, 2, 3, 4, 5, 6]);
    let counts = |class| mnist.train.labels().iter().filter(|&&label| label == class).count();
    assert_eq!((0..10).map(counts).collect::<Vec<_>>(), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let (mean, deviation) = mnist.train.statistics();
    assert!((mean[0] - 0.1307).abs() < 5e-5 && (deviation[0] - 0.3081).abs() < 5e-5, "{mean:?} {deviation:?}");
    // The shipped digits are the first ones of each class.
    let few = Mnist::<f32>::open(digits()).expect("the digits");
    assert_eq!(sample(&few.test, 9, None), sample(&mnist.test, 9, None));
}

#[test]
fn files_may_be_plain_and_their_names_pointed() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = |name: &str| folder.path().join(name);
    for (from, name) in [
        ("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
        ("train-labels-idx1-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
        ("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"),
    ] {
        Idx::read(digits().join(format!("{from}.gz"))).expect("read").write(to(name)).expect("written");
    }
    assert_eq!(Mnist::<f64>::open(folder.path()).expect("read"), Mnist::open(digits()).expect("read"));

    // What contradicts itself is told with its path.
    let refused = || Mnist::<f32>::open(folder.path()).expect_err("refused").to_string();
    let labels = |labels: ArrayD<u8>| Idx::U8(labels).write(to("train-labels-idx1-ubyte")).expect("written");
    labels(array![1, 2, 3].into_dyn());
    assert!(refused().contains("train-labels") && refused().contains("1000"), "{}", refused());
    labels(ArrayD::from_elem(vec![1000], 10));
    assert!(refused().contains("train-labels") && refused().contains("below 10"), "{}", refused());
    labels(ArrayD::zeros(vec![1000]));
    Idx::U8(ArrayD::zeros(vec![500, 28, 27])).write(to("t10k-images-idx3-ubyte")).expect("written");
    assert!(refused().contains("[1, 28, 28]"), "{}", refused());
    Idx::F32(ArrayD::zeros(vec![500, 28, 28])).write(to("t10k-images-idx3-ubyte")).expect("written");
    assert!(refused().contains("0x0d"), "{}", refused());
    fs::remove_file(to("t10k-images-idx3-ubyte")).expect("removed");
    assert!(refused().contains("has no t10k-images-idx3-ubyte"), "{}", refused());
}

#[test]
fn pixels_are_normalised_channel_by_channel() {
    // An array with the axes in another order in memory.
    let pictures = Array4::from_shape_fn((2, 3, 4, 5).f(), |(i, c, y, x)| (100 * i + 30 * c + 5 * y + x) as u8);
    let data = ImageClasses::<f64>::new(pictures.clone(), vec![1, 0], names(2)).expect("pictures");
    assert_eq!(data.targets(), &Targets::Classes(vec![1, 0]));
    let of = |data: &ImageClasses<f64>, index, at: [usize; 3]| sample(data, index, None)[&at[..]];
    assert_eq!(of(&data, 1, [2, 3, 4]), (100.0 + 60.0 + 15.0 + 4.0) / 255.0);
    let (mean, deviation) = data.statistics();
    let normal = data.clone().normalize(&mean, &deviation).expect("normalised");
    assert!(normal.statistics() == (mean.clone(), deviation.clone()), "of the pixels as they are");
    for channel in 0..3 {
        let values: Vec<f64> = (0..2)
            .flat_map(|i| sample(&normal, i, None).index_axis(faltung::ndarray::Axis(0), channel).to_owned())
            .collect();
        let mean = values.iter().sum::<f64>() / 40.0;
        let square = values.iter().map(|v| v * v).sum::<f64>() / 40.0;
        assert!(mean.abs() < 1e-12 && (square - 1.0).abs() < 1e-12);
    }
    let one_for_all = data.clone().normalize(&[0.5], &[0.25]).expect("normalised");
    assert_eq!(of(&one_for_all, 0, [1, 0, 0]), (30.0 / 255.0 - 0.5) / 0.25);

    for (mean, deviation) in [
        (&[0.0, 0.0][..], &[1.0][..]),
        (&[0.0], &[]),
        (&[f64::NAN], &[1.0]),
        (&[0.0], &[0.0]),
        (&[0.0], &[f64::INFINITY]),
    ] {
        assert!(
            matches!(data.clone().normalize(mean, deviation), Err(Error::Argument { .. })),
            "{mean:?} {deviation:?}"
        );
    }
    assert!(ImageClasses::<f32>::new(pictures, vec![1], names(2)).is_err());
    assert!(ImageClasses::<f32>::new(Array4::zeros((0, 1, 0, 1)), vec![], vec![]).is_err());
    let mut wrong = ArrayD::zeros(vec![3, 5, 4]);
    assert!(matches!(data.read(0, None, wrong.view_mut()), Err(Error::Shape { .. })));
    assert!(data.read(2, None, ArrayD::zeros(vec![3, 4, 5]).view_mut()).is_err());
}

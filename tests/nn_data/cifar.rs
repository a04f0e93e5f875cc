//! CIFAR-10's batches.

use std::fs;

use faltung::nn::data::{Cifar, Dataset, ImageClasses};

use crate::sample;

/// Records whose pixels hold (record, channel, row, column) in some way.
fn batch(first: usize, records: usize) -> Vec<u8> {
    let pixel = |record: usize, at: usize| (record * 31 + at * 7 + at / 1024) as u8;
    (first..first + records)
        .flat_map(|record| std::iter::once(record as u8 % 10).chain((0..3072).map(move |at| pixel(record, at))))
        .collect()
}

#[test]
fn batches_are_read_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    for i in 1..=5 {
        fs::write(folder.path().join(format!("data_batch_{i}.bin")), batch(4 * i, 4)).expect("written");
    }
    fs::write(folder.path().join("test_batch.bin"), batch(100, 3)).expect("written");
    let cifar = Cifar::<f32>::open(folder.path()).expect("read");
    assert_eq!((cifar.train.len(), cifar.test.len()), (20, 3));
    assert_eq!(cifar.train.labels()[..8], [4, 5, 6, 7, 8, 9, 0, 1]);
    assert_eq!(cifar.test.names()[9], "truck");
    let read = sample(&cifar.test, 2, None);
    let at = 2 * 1024 + 5 * 32 + 30; // blue, row 5, column 30
    assert_eq!(read[[2, 5, 30]], f32::from((102 * 31 + at * 7 + 2) as u8) / 255.0);
}

#[test]
fn broken_batches_are_refused() {
    let refused = |bytes: &[u8]| ImageClasses::<f32>::from_cifar_reader(bytes).expect_err("refused").to_string();
    let good = batch(0, 2);
    for length in [1, 3072, 3074, 6145] {
        let text = refused(&good[..length]);
        assert!(text.contains(&format!("{} bytes in record {}", length % 3073, length / 3073)), "{text}");
    }
    let mut label = good.clone();
    label[3073] = 10;
    assert!(refused(&label).contains("10) in record 1"), "{}", refused(&label));
    assert_eq!(ImageClasses::<f32>::from_cifar_reader(&[][..]).expect("an empty batch").len(), 0);
}

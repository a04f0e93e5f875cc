//! Reads any bytes, repeated to any length, as a CIFAR-10 batch; what is read holds every byte.

#![no_main]

use faltung::nn::data::ImageClasses;
use libfuzzer_sys::fuzz_target;

/// Bytes of a label and its picture.
const RECORD: usize = 3073;

fuzz_target!(|input: (u16, &[u8])| {
    // Mutations find few lengths that fit: half of them are made to.
    let (length, bytes) = input;
    let length = usize::from(length) % (8 * RECORD);
    let length = if length < 4 * RECORD { length } else { (length % 4) * RECORD };
    let batch: Vec<u8> = bytes.iter().copied().cycle().take(length).collect();

    let Ok(images) = ImageClasses::<f32>::from_cifar_reader(&batch[..]) else {
        let broken = batch.len() % RECORD != 0 || batch.chunks(RECORD).any(|record| record[0] > 9);
        return assert!(broken, "a good batch is refused");
    };
    assert_eq!(images.labels().len() * RECORD, batch.len());
    for ((record, &label), picture) in batch.chunks(RECORD).zip(images.labels()).zip(images.pictures().outer_iter()) {
        assert_eq!(usize::from(record[0]), label);
        assert!(picture.iter().eq(&record[1..]));
    }
});

//! Reads any bytes as a CIFAR-10 batch; what is read holds every byte.

#![no_main]

use faltung::nn::data::ImageClasses;
use libfuzzer_sys::fuzz_target;

/// Bytes of a label and its picture.
const RECORD: usize = 3073;

fuzz_target!(|bytes: &[u8]| {
    // Mutations find few lengths that fit, so a batch is cut off the bytes, too.
    for bytes in [bytes, &bytes[..bytes.len() - bytes.len() % RECORD]] {
        let Ok(images) = ImageClasses::<f32>::from_cifar_reader(bytes) else { continue };
        assert_eq!(images.labels().len() * RECORD, bytes.len());
        for ((record, &label), picture) in bytes.chunks(RECORD).zip(images.labels()).zip(images.pictures().outer_iter()) {
            assert_eq!(usize::from(record[0]), label);
            assert!(picture.iter().eq(&record[1..]));
        }
    }
});

//! Reads any bytes as a WAV file; a sound that is read must come back when it is written.

#![no_main]

use std::io::Cursor;

use faltung::audio::{Audio, WavFormat};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(sound) = Audio::from_reader(bytes) else { return };
    assert!(sound.samples().len() <= bytes.len(), "more samples than bytes");

    let mut file = Cursor::new(Vec::new());
    match sound.to_writer(&mut file, WavFormat::Float32) {
        Ok(clipped) => assert_eq!(clipped, 0),
        // A rate or channels that only fewer bytes a sample leave room for.
        Err(_) => return,
    }
    let again = Audio::from_reader(file.get_ref().as_slice()).expect("what was just written");
    assert_eq!(again.rate(), sound.rate());
    let bits = |sound: &Audio| sound.samples().mapv(f32::to_bits);
    assert_eq!(bits(&again), bits(&sound));
});

//! Reads any bytes as an IDX file, compressed or not; an array that is read must come back when it is written.

#![no_main]

use std::io::Read;

use faltung::nn::data::Idx;
use libfuzzer_sys::fuzz_target;

/// The most bytes of elements: a compressed input may stand for a thousand times its length.
const LIMIT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(idx) = Idx::from_reader_within(bytes, LIMIT) else { return };
    assert!(idx.shape().iter().product::<usize>() <= LIMIT, "more elements than the limit");

    let mut file = Vec::new();
    idx.to_writer(&mut file).expect("what was just read");
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        assert_eq!(file, bytes, "a plain file is written as it was");
    }
    // NaNs are not equal to themselves, but their bytes are.
    let mut again = Vec::new();
    Idx::from_reader_within(&file[..], LIMIT).and_then(|idx| idx.to_writer(&mut again)).expect("what was just written");
    assert_eq!(again, file);

    // A reader that gives a byte at a time reads the same.
    let slow = file.iter().take(4096).copied().collect::<Vec<u8>>();
    if slow.len() == file.len() {
        assert!(Idx::from_reader_within(Bytewise(&slow), LIMIT).is_ok());
    }
});

struct Bytewise<'a>(&'a [u8]);

impl Read for Bytewise<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n = to.len().min(1);
        self.0.read(&mut to[..n])
    }
}

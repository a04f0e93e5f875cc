//! IDX files: what was written is read, and what lies is refused without a great allocation.

use std::io::{Cursor, Read, Write};

use faltung::ndarray::{ArrayD, Dimension, IxDyn, array};
use faltung::nn::data::Idx;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

fn bytes(idx: &Idx) -> Vec<u8> {
    let mut file = Vec::new();
    idx.to_writer(&mut file).expect("written");
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

fn refusal(bytes: &[u8]) -> String {
    Idx::from_reader(bytes).expect_err("refused").to_string()
}

#[test]
fn every_element_type_is_big_endian() {
    let header = |code, n: u8| vec![0, 0, code, 1, 0, 0, 0, n];
    for (code, elements, expected) in [
        (0x08, vec![0, 255], Idx::U8(array![0, 255].into_dyn())),
        (0x09, vec![1, 255], Idx::I8(array![1, -1].into_dyn())),
        (0x0b, vec![1, 2, 255, 254], Idx::I16(array![0x0102, -2].into_dyn())),
        (0x0c, vec![1, 2, 3, 4, 255, 255, 255, 255], Idx::I32(array![0x0102_0304, -1].into_dyn())),
        (0x0d, vec![0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0], Idx::F32(array![1.0, -2.0].into_dyn())),
        (
            0x0e,
            [[0x3f, 0xf0, 0, 0, 0, 0, 0, 0], [0xc0, 0, 0, 0, 0, 0, 0, 0]].concat(),
            Idx::F64(array![1.0, -2.0].into_dyn()),
        ),
    ] {
        let file = [header(code, 2), elements].concat();
        assert_eq!(bytes(&expected), file, "{code:#x}");
        assert_eq!(Idx::from_reader(&file[..]).expect("read"), expected, "{code:#x}");
        assert_eq!(Idx::from_reader(&gzip(&file)[..]).expect("read"), expected, "{code:#x}");
        // Readers that give a byte at a time, as pipes may.
        let trickle =
            file.iter().fold(Box::new(std::io::empty()) as Box<dyn Read>, |r, &b| Box::new(r.chain(Cursor::new([b]))));
        assert_eq!(Idx::from_reader(trickle).expect("read"), expected, "{code:#x}");
    }
}

#[test]
fn lies_are_refused() {
    let good = bytes(&Idx::U8(ArrayD::zeros(IxDyn(&[3, 5]))));
    for length in 0..good.len() {
        let text = refusal(&good[..length]);
        assert!(text.contains("end"), "{length}: {text}");
    }
    assert!(refusal(&[&good[..], &[0]].concat()).contains("more bytes"));
    assert!(refusal(b"\0\0\x0a\x01\0\0\0\0").contains("0x0a"));
    assert!(refusal(b"\0\0\x08\0\0").contains("1 axis"));
    assert!(refusal(b"PK\x03\x04").contains("50, 4b"));
    // Sizes that overflow, or exceed the limit, or are not there: refused before they are allocated.
    let huge = [0xff; 16];
    assert!(refusal(&[b"\0\0\x08\x04", &huge[..]].concat()).contains("at most 1073741824 bytes"));
    assert!(refusal(b"\0\0\x0e\x01\x08\0\0\x01").contains("134217729"));
    assert!(refusal(b"\0\0\x08\x01\x40\0\0\0").contains("1073741824 elements"));
    assert!(Idx::from_reader_within(&good[..], 14).is_err() && Idx::from_reader_within(&good[..], 15).is_ok());
    // No elements are fine, if the other axes can be.
    assert_eq!(Idx::from_reader(&b"\0\0\x08\x02\0\0\0\0\0\0\0\x05"[..]).expect("read").shape(), [0, 5]);
    assert!(refusal(&[b"\0\0\x08\x05\0\0\0\0", &huge[..]].concat()).contains("IDX"));
}

#[test]
fn broken_compression_is_refused() {
    let file = gzip(&bytes(&Idx::U8(ArrayD::from_shape_fn(IxDyn(&[40, 40]), |i| (i[0] * i[1]) as u8))));
    assert!(Idx::from_reader(&file[..]).is_ok());
    for length in 2..file.len() {
        assert!(Idx::from_reader(&file[..length]).is_err(), "{length} of {}", file.len());
    }
    let mut sum = file.clone();
    let place = sum.len() - 8;
    sum[place] ^= 1;
    assert!(Idx::from_reader(&sum[..]).is_err(), "the checksum");
    // A bomb: 64 MiB of zeros where the header says ten bytes.
    let bomb = gzip(&[&b"\0\0\x08\x01\0\0\0\x0a"[..], &vec![0; 64 << 20]].concat());
    assert!(refusal(&bomb).contains("more bytes"));
}

#[test]
fn a_reader_that_fails_is_named() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable is out"))
        }
    }
    let start = &b"\0\0\x08\x01\0\0\0\x02\x01"[..];
    for length in [0, 3, 6, 9] {
        let text = Idx::from_reader(start[..length].chain(Fails)).expect_err("refused").to_string();
        assert!(text.contains("the cable is out"), "{text}");
    }
}

#[test]
fn classes_are_integers_that_are_not_negative() {
    assert_eq!(Idx::I8(array![3, 0].into_dyn()).to_classes().expect("classes"), [3, 0]);
    assert_eq!(Idx::I16(array![300].into_dyn()).to_classes().expect("classes"), [300]);
    assert!(Idx::I16(array![-1].into_dyn()).to_classes().is_err());
    assert!(Idx::F64(array![1.0].into_dyn()).to_classes().is_err());
    assert!(Idx::U8(array![[1]].into_dyn()).to_classes().is_err());
    let zero_axes = Idx::U8(ArrayD::zeros(IxDyn(&[])));
    assert!(zero_axes.to_writer(Vec::new()).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read(shape in prop::collection::vec(0usize..6, 1..5), seed: u64) {
        let value = |i: &IxDyn| i.as_array_view().iter().fold(seed, |v, &i| v.wrapping_mul(0x9e37_79b9).wrapping_add(i as u64));
        let shape = IxDyn(&shape);
        for idx in [
            Idx::U8(ArrayD::from_shape_fn(shape.clone(), |i| value(&i) as u8)),
            Idx::I16(ArrayD::from_shape_fn(shape.clone(), |i| value(&i) as i16)),
            Idx::F64(ArrayD::from_shape_fn(shape.clone(), |i| value(&i) as f64)),
        ] {
            let file = bytes(&idx);
            prop_assert_eq!(&Idx::from_reader(&file[..]).expect("read"), &idx);
            prop_assert_eq!(&Idx::from_reader(&gzip(&file)[..]).expect("read"), &idx);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut file in prop::collection::vec(any::<u8>(), 0..64), plausible: bool) {
        if plausible && file.len() > 4 {
            let start = [0, 0, [8, 9, 11, 12, 13, 14][usize::from(file[2] % 6)], file[3] % 4];
            file[..4].copy_from_slice(&start);
        }
        if let Ok(idx) = Idx::from_reader(&file[..]) {
            prop_assert_eq!(bytes(&idx), file);
        }
    }
}

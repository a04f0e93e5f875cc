//! WAV files: what is written, what is read, and what is refused.

use std::io::Cursor;
use std::path::Path;

use faltung::audio::{Audio, WavFormat};
use faltung::ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

/// A file of a `fmt ` chunk, its first six fields or more, and a `data` chunk, whose lengths are as told.
fn file(format: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
    for (name, body) in [(b"fmt ", format), (b"data", data)] {
        bytes.extend(name);
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
    }
    bytes
}

/// The plain header: encoding, channels, rate, bytes a frame, bits.
fn plain(tag: u16, channels: u16, rate: u32, block: u16, bits: u16) -> Vec<u8> {
    let mut format = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    format.extend(rate.to_le_bytes());
    format.extend(rate.wrapping_mul(block.into()).to_le_bytes());
    format.extend([block.to_le_bytes(), bits.to_le_bytes()].concat());
    format
}

/// WAVEFORMATEXTENSIBLE around integers.
fn extensible(channels: u16, rate: u32, block: u16, bits: u16, valid: u16) -> Vec<u8> {
    let mut format = plain(0xfffe, channels, rate, block, bits);
    format.extend([22u16.to_le_bytes(), valid.to_le_bytes()].concat());
    format.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    format
}

fn read(bytes: &[u8]) -> faltung::Result<Audio> {
    Audio::from_reader(bytes)
}

/// Why a file is refused; reading it holds no more memory than its bytes ask for.
fn refusal(bytes: &[u8]) -> String {
    let mut result = None;
    let memory = allocation_counter::measure(|| result = Some(read(bytes)));
    assert!(memory.bytes_max < 100_000 + 8 * bytes.len() as u64, "{} bytes for {}", memory.bytes_max, bytes.len());
    result.expect("an answer").expect_err("a refusal").to_string()
}

fn written(sound: &Audio, format: WavFormat) -> (Vec<u8>, usize) {
    let mut file = Cursor::new(Vec::new());
    let clipped = sound.to_writer(&mut file, format).expect("written");
    (file.into_inner(), clipped)
}

#[test]
fn integers_of_every_width_are_scaled_by_their_full_scale() {
    let samples = |format: Vec<u8>, data: &[u8]| read(&file(&format, data)).expect("a sound").to_interleaved();
    // Eight bits are unsigned, all others signed and little-endian.
    assert_eq!(samples(plain(1, 1, 8000, 1, 8), &[0, 64, 128, 255]), [-1.0, -0.5, 0.0, 127.0 / 128.0]);
    assert_eq!(samples(plain(1, 1, 8000, 2, 16), &[0, 0x80, 0, 0x40, 1, 0]), [-1.0, 0.5, 1.0 / 32768.0]);
    assert_eq!(samples(plain(1, 1, 8000, 3, 24), &[0, 0, 0x80, 1, 0, 0]), [-1.0, 1.0 / 8_388_608.0]);
    assert_eq!(samples(plain(1, 1, 8000, 4, 32), &[0, 0, 0, 0x80, 0, 0, 0, 0x40]), [-1.0, 0.5]);
    assert_eq!(samples(plain(3, 1, 8000, 4, 32), &[0, 0, 0xc0, 0x3f]), [1.5]);
    assert_eq!(samples(extensible(2, 8000, 4, 16, 16), &[0, 0x80, 0, 0x40]), [-1.0, 0.5]);
}

#[test]
fn valid_bits_are_the_highest_of_an_extensible_container_and_the_lowest_of_a_plain_one() {
    let samples = |format: Vec<u8>, data: &[u8]| read(&file(&format, data)).expect("a sound").to_interleaved();
    assert_eq!(samples(extensible(1, 8000, 4, 32, 24), &[0, 0, 0, 0xc0]), [-0.5]);
    assert_eq!(samples(extensible(1, 8000, 3, 24, 20), &[0x10, 0, 0xc0]), [-0.5 + 16.0 / 8_388_608.0]);
    assert_eq!(samples(extensible(1, 8000, 2, 16, 0), &[0, 0xc0]), [-0.5]);
    assert_eq!(samples(plain(1, 1, 8000, 4, 24), &[0, 0, 0xc0, 0xff]), [-0.5]);
}

#[test]
fn other_chunks_are_passed_over_with_their_padding() {
    let (format, data) = (plain(1, 1, 8000, 2, 16), [0, 0x40]);
    let whole = file(&format, &data);
    let (head, rest) = whole.split_at(12);
    for chunk in [
        &b"LIST\x03\0\0\0abc\0"[..],
        b"junk\0\0\0\0",
        b"fact\x04\0\0\0\x01\0\0\0",
        b"fact\x08\0\0\0\x01\0\0\0....",
        b"LIST\x01\0\0\0a\0",
    ] {
        let bytes = [head, chunk, rest, b"LIST\x03\0\0\0cut"].concat();
        assert_eq!(read(&bytes).expect("a sound").to_interleaved(), [0.5], "{}", chunk.escape_ascii());
    }
    // Of two data chunks the first is the sound.
    let twice = [&whole[..], b"data\x02\0\0\0\0\0"].concat();
    assert_eq!(read(&twice).expect("a sound").to_interleaved(), [0.5]);
}

#[test]
fn formats_that_are_not_read_are_called_by_their_names() {
    let named = |bytes: Vec<u8>, words: &[&str]| {
        let text = refusal(&bytes);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    named(file(&plain(7, 1, 8000, 1, 8), &[0; 8]), &["mu-law", "8 bits", "8000 Hz"]);
    named(file(&plain(6, 1, 8000, 1, 8), &[0; 8]), &["A-law"]);
    named(file(&plain(2, 2, 8000, 4, 16), &[0; 8]), &["ADPCM", "2 channels"]);
    named(file(&plain(0x55, 2, 8000, 4, 16), &[0; 8]), &["0x0055"]);
    named(file(&plain(3, 1, 8000, 8, 64), &[0; 8]), &["floating point", "64 bits"]);
    named(file(&plain(1, 1, 8000, 8, 64), &[0; 8]), &["integers of 64 bits"]);
    named(file(&plain(1, 1, 8000, 8, 64), &[]), &["integers of 64 bits"]);
    named(file(&plain(1, 4, 8000, 8, 12), &[0; 8]), &["integers of 12 bits", "blocks of 8 bytes"]);
    named(file(&plain(1, 1, 8000, 4, 16), &[0; 8]), &["integers of 16 bits", "blocks of 4 bytes"]);
    named(b"RIFX\0\0\0\0WAVEfmt ".to_vec(), &["big-endian"]);
    named(b"RF64\xff\xff\xff\xffWAVEds64".to_vec(), &["RF64"]);
    named(b"RIFF\0\0\0\0AVI LIST".to_vec(), &["AVI "]);
    named(b"OggS\0\x02\0\0\0\0\0\0\0".to_vec(), &["OggS"]);
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    let header = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut format = plain(1, 2, 8000, 4, 16);
        edit(&mut format);
        refusal(&file(&format, &[0; 8]))
    };
    let set = |at: usize, value: u16| header(&|format| format[at..at + 2].copy_from_slice(&value.to_le_bytes()));
    assert!(set(2, 0).contains("zero channels"));
    for (at, value) in [(2, 3), (2, u16::MAX), (4, 1), (6, 9), (8, 1), (12, 0), (12, 3), (12, 5), (14, 0), (14, 255)] {
        assert!(set(at, value).contains("reading a WAV file ("), "{at} {value}");
    }
    let text = refusal(&file(&plain(1, 2, 0, 4, 16), &[0; 8]));
    assert!(text.contains("rate"), "{text}");
    assert!(refusal(&file(&plain(1, 2, 8000, 4, 16), &[0; 9])).contains("not a multiple"));
    assert!(refusal(&file(&plain(1, 2, 8000, 4, 16), &[0; 6])).contains("invalid data chunk"));
    assert!(refusal(&file(&plain(1, 2, 8000, 4, 16)[..10], &[0; 8])).contains("fmt chunk of 10 bytes"));
    assert!(refusal(&file(&[], &[0; 8])).contains("fmt chunk of 0 bytes"));
    assert!(refusal(b"RIFF\0\0\0\0WAVEdata\x02\0\0\0\0\0").contains("a fmt chunk before the data chunk"));
    assert!(refusal(&file(&[0; 70_000], &[0; 8])).contains("fmt chunk"));
}

#[test]
fn lengths_beyond_the_file_are_neither_believed_nor_allocated() {
    let good = file(&plain(1, 2, 8000, 4, 16), &[1, 0, 2, 0, 3, 0, 4, 0]);
    let declared = |at: usize, length: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    for length in [12, 1 << 20, u32::MAX - 3, u32::MAX - 1] {
        let text = refusal(&declared(40, length));
        assert!(text.contains(&format!("{length} bytes")) && text.contains("given 8"), "{text}");
    }
    for length in [60_000, 1 << 31, u32::MAX] {
        assert!(refusal(&declared(16, length)).contains("fmt chunk"));
    }
    let mut list = declared(16, 0xffff_fff0);
    list[12..16].copy_from_slice(b"LIST");
    assert!(refusal(&list).contains("chunk: expected 4294967280 bytes"));
    for length in 0..good.len() {
        refusal(&good[..length]);
    }
    // What the file as a whole is said to be long is redundant.
    assert!(read(&declared(4, u32::MAX)).is_ok());
}

#[test]
fn a_sound_from_a_pipe_reaches_to_the_end() {
    let mut bytes = file(&plain(1, 2, 8000, 4, 16), &[1, 0, 2, 0, 3, 0, 4, 0]);
    bytes[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend([5, 0, 6]); // a frame that was begun
    let sound = read(&bytes).expect("a sound");
    assert_eq!(sound.samples() * 32768.0, array![[1.0, 3.0], [2.0, 4.0]]);
}

#[test]
fn bytes_are_written_as_the_format_says() {
    let sound = Audio::from_interleaved(&[-1.0, 0.5, 0.0, 127.0 / 128.0], 2, 8000).expect("a sound");
    let expected = |format: &[u8], data: &[u8]| {
        let mut bytes = file(format, data);
        let length = bytes.len() as u32 - 8;
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    let (bytes, clipped) = written(&sound, WavFormat::Pcm8);
    assert_eq!((bytes, clipped), (expected(&plain(1, 2, 8000, 2, 8), &[0, 192, 128, 255]), 0));
    let (bytes, clipped) = written(&sound, WavFormat::Pcm16);
    assert_eq!((bytes, clipped), (expected(&plain(1, 2, 8000, 4, 16), &[0, 0x80, 0, 0x40, 0, 0, 0, 0x7f]), 0));
}

#[test]
fn samples_are_rounded_and_what_does_not_fit_is_clipped_and_counted() {
    let step = 1.0 / 32768.0;
    let sound = [0.5, 1.5, 2.5, -0.5, -1.5, 0.6, -0.6].map(|v| v * step);
    let sound = Audio::from_interleaved(&sound, 1, 8000).expect("a sound");
    let (bytes, clipped) = written(&sound, WavFormat::Pcm16);
    let whole = read(&bytes).expect("a sound").to_interleaved().into_iter().map(|v| v * 32768.0).collect::<Vec<_>>();
    assert_eq!((whole, clipped), (vec![0.0, 2.0, 2.0, 0.0, -2.0, 1.0, -1.0], 0));

    let loud = [1.0, -1.0, 1.5, -1.5, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 0.0];
    let loud = Audio::from_interleaved(&loud, 1, 8000).expect("a sound");
    for format in WavFormat::ALL {
        let (bytes, clipped) = written(&loud, format);
        let samples = read(&bytes).expect("a sound").to_interleaved();
        if format == WavFormat::Float32 {
            assert_eq!((samples, clipped), (loud.to_interleaved(), 0));
            continue;
        }
        let most = (1.0 - 1.0 / 2f64.powi(i32::from(format.bits()) - 1)) as f32;
        assert_eq!((samples, clipped), (vec![most, -1.0, most, -1.0, most, -1.0, most, 0.0], 6), "{format}");
    }
}

#[test]
fn nan_stays_in_floats_and_is_no_integer() {
    let bits = 0x7fc1_2345;
    let sound = Audio::from_interleaved(&[0.0, 1.0, 2.0, f32::from_bits(bits)], 2, 8000).expect("a sound");
    let (bytes, _) = written(&sound, WavFormat::Float32);
    assert_eq!(read(&bytes).expect("a sound").samples()[[1, 1]].to_bits(), bits);
    assert_eq!(sound.peak(), 2.0);
    for format in WavFormat::ALL.into_iter().filter(|f| *f != WavFormat::Float32) {
        let text = sound.to_writer(Cursor::new(vec![]), format).expect_err("no integer").to_string();
        assert!(text.contains("NaN in frame 1 of channel 1"), "{text}");
    }
}

#[test]
fn what_no_header_can_hold_is_not_written() {
    let refused = |channels, rate, format, what: &str| {
        let sound = Audio::new(Array2::zeros((channels, 1)), rate).expect("a sound");
        let text = sound.to_writer(Cursor::new(vec![]), format).expect_err("too large").to_string();
        assert!(text.starts_with(what), "{text}");
    };
    refused(65_536, 1, WavFormat::Pcm8, "channels");
    refused(16_384, 1, WavFormat::Float32, "channels");
    refused(2, u32::MAX, WavFormat::Pcm8, "rate");
    let widest = Audio::new(Array2::zeros((65_535, 1)), 65_537).expect("a sound");
    let (bytes, _) = written(&widest, WavFormat::Pcm8);
    assert_eq!(read(&bytes).expect("a sound").channels(), 65_535);
}

#[test]
fn sounds_need_a_channel_a_rate_and_whole_frames() {
    assert!(Audio::new(Array2::zeros((0, 5)), 8000).is_err());
    assert!(Audio::new(Array2::zeros((1, 5)), 0).is_err());
    assert!(Audio::from_interleaved(&[0.0; 5], 2, 8000).is_err());
    assert!(Audio::from_interleaved(&[0.0; 5], 0, 8000).is_err());
    assert!(Audio::from_interleaved_i16(&[0; 5], 6, 8000).is_err());
    let empty = Audio::from_interleaved(&[], 3, 8000).expect("no frames");
    assert_eq!((empty.channels(), empty.frames(), empty.peak()), (3, 0, 0.0));
    assert!(empty.resampled(16_000).is_err());
    assert!(Audio::from_interleaved(&[0.5; 5], 1, 8000).expect("a sound").resampled(0).is_err());
}

#[test]
fn files_are_named_in_errors_and_kept_where_writing_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.wav");
    let missing = Audio::read(&path).expect_err("no file").to_string();
    assert!(missing.contains("a.wav"), "{missing}");
    let sound = Audio::from_interleaved(&[0.5, 0.25], 1, 8000).expect("a sound");
    sound.write(&path, WavFormat::Pcm16).expect("written");
    let bad = Audio::from_interleaved(&[0.5, f32::NAN], 1, 8000).expect("a sound");
    assert!(bad.write(&path, WavFormat::Pcm16).is_err());
    assert_eq!(Audio::read(&path).expect("the old file").samples(), sound.samples());
    std::fs::write(&path, b"RIFF").expect("written");
    let short = Audio::read(&path).expect_err("cut short").to_string();
    assert!(short.contains("a.wav") && short.contains("RIFF header"), "{short}");
    assert!(Audio::read(folder.path()).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        which in 0..WavFormat::ALL.len(), channels in 1usize..7, frames in 0usize..40, rate in 1u32..400_000,
        values in proptest::collection::vec(any::<i32>(), 7 * 40),
    ) {
        let format = WavFormat::ALL[which];
        // Integers of the format, of 32 bits those that f32 holds.
        let shift = 32 - format.bits().min(24);
        let whole = |v: &i32| (v >> shift) as f32 / 2f32.powi(31 - i32::from(shift));
        let samples: Vec<f32> = values.iter().take(channels * frames).map(whole).collect();
        let sound = Audio::from_interleaved(&samples, channels, rate).expect("a sound");
        let (bytes, clipped) = written(&sound, format);
        let again = read(&bytes).expect("a sound");
        prop_assert_eq!(clipped, 0);
        prop_assert_eq!(again.samples(), sound.samples());
        prop_assert_eq!((again.rate(), again.format()), (rate, format));
        prop_assert_eq!(again.to_interleaved(), samples);
        // hound itself agrees on what was written.
        let reader = hound::WavReader::new(&bytes[..]).expect("a file");
        prop_assert_eq!((reader.duration() as usize, usize::from(reader.spec().channels)), (frames, channels));
    }

    #[test]
    fn no_change_to_a_file_makes_reading_panic_or_swell(
        which in 0..5usize, changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let sound = Audio::from_interleaved(&[0.25; 24], 3, 8000).expect("a sound");
        let (mut bytes, _) = written(&sound, WavFormat::ALL[which]);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let memory = allocation_counter::measure(|| drop(read(&bytes)));
        prop_assert!(memory.bytes_max < 100_000, "{}", memory.bytes_max);
    }
}

/// By hand, with hound's and SciPy's test files in `FALTUNG_DATA/wav-testsamples`; `cases/wav.py` wrote the table.
#[test]
fn the_files_of_other_libraries_tests_are_read_as_scipy_does_or_refused() {
    let Ok(data) = std::env::var("FALTUNG_DATA") else {
        println!("skipped: FALTUNG_DATA is not set");
        return;
    };
    let table: Value = serde_json::from_str(include_str!("cases/wav.json")).expect("the table");
    for (name, expected) in table.as_object().expect("an object") {
        let result = Audio::read(Path::new(&data).join("wav-testsamples").join(name));
        if expected.is_null() {
            println!("{}", result.expect_err(name));
            continue;
        }
        let sound = result.unwrap_or_else(|e| panic!("{e}"));
        for (what, given) in
            [("rate", sound.rate() as usize), ("channels", sound.channels()), ("frames", sound.frames())]
        {
            assert_eq!(Some(given as u64), expected[what].as_u64(), "{name}: {what}");
        }
        let samples = sound.to_interleaved();
        let first: Vec<f32> = serde_json::from_value(expected["first"].clone()).expect("numbers");
        assert_eq!(samples[..first.len()], first, "{name}");
        let sum: f64 = samples.iter().enumerate().map(|(i, &v)| f64::from(v) * (i % 97 + 1) as f64).sum();
        let wanted = expected["sum"].as_f64().expect("a number");
        assert!((sum - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{name}: {sum} {wanted}");
    }
}

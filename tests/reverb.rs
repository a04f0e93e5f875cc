//! Convolution reverb against SciPy's answers and against plain sums; `cases/reverb.py` wrote the table.

use std::path::Path;

use faltung::Error;
use faltung::audio::{Audio, Reverb, decibels};
use faltung::ndarray::{Array2, array};
use proptest::prelude::*;
use safetensors::SafeTensors;

/// Pseudo-random samples in -1 … 1.
fn noise(channels: usize, frames: usize, seed: u64) -> Array2<f32> {
    let mut state = seed;
    Array2::from_shape_simple_fn((channels, frames), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32) / (1 << 23) as f32 - 1.0
    })
}

fn audio(samples: Array2<f32>) -> Audio {
    Audio::new(samples, 8000).expect("a sound")
}

fn rms(y: &Array2<f64>) -> f64 {
    (y.iter().map(|v| v * v).sum::<f64>() / y.len() as f64).sqrt()
}

/// The largest difference, relative to the root mean square of what is expected.
fn distance(given: &Array2<f64>, expected: &Array2<f64>) -> f64 {
    assert_eq!(given.shape(), expected.shape());
    let worst = given.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    worst / rms(expected)
}

/// The sum of products for one pair of channels.
fn plain(x: &[f32], h: &[f32]) -> Vec<f64> {
    let mut y = vec![0.0; x.len() + h.len() - 1];
    for (i, &x) in x.iter().enumerate() {
        for (place, &h) in y[i..].iter_mut().zip(h) {
            *place += f64::from(x) * f64::from(h);
        }
    }
    y
}

#[test]
fn every_wiring_gives_what_scipy_gives() {
    let table = SafeTensors::deserialize(include_bytes!("cases/reverb.safetensors")).expect("the table");
    let mut seen = 0;
    for name in table.names().iter().filter_map(|name| name.strip_suffix(".x")) {
        let tensor = |part| table.tensor(&format!("{name}.{part}")).expect("a tensor");
        let floats = |part| {
            let (shape, data) = (tensor(part).shape().to_vec(), tensor(part).data().to_vec());
            let values = data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")));
            audio(Array2::from_shape_vec((shape[0], shape[1]), values.collect()).expect("an array"))
        };
        let (x, h, y) = (floats("x"), floats("h"), tensor("y"));
        let values = y.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes")));
        let expected = Array2::from_shape_vec((y.shape()[0], y.shape()[1]), values.collect()).expect("an array");
        let given = Reverb::new(&h).render(&x).expect("a result");
        assert!(distance(&given, &expected) < 1e-13, "{name}: {}", distance(&given, &expected));
        let rounded = Reverb::new(&h).apply(&x).expect("a result");
        assert_eq!(rounded.samples(), given.mapv(|v| v as f32), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 9);
}

#[test]
fn channels_that_do_not_go_together_are_named() {
    for (sound, response) in [(2, 3), (3, 2), (3, 4), (5, 4), (4, 2)] {
        let given = Reverb::new(&audio(noise(response, 10, 1))).apply(&audio(noise(sound, 10, 2)));
        let text = given.expect_err("channels that do not match").to_string();
        assert!(text.contains("channels of the sound") && text.ends_with(&format!("given {sound}")), "{text}");
    }
}

#[test]
fn the_channels_of_a_true_stereo_response_are_ll_lr_rl_rr() {
    let response = audio(array![[1.0], [10.0], [100.0], [1000.0]]);
    let of = |sound| Reverb::new(&response).apply(&audio(sound)).expect("a result").into_samples();
    assert_eq!(of(array![[1.0], [0.0]]), array![[1.0], [10.0]]);
    assert_eq!(of(array![[0.0], [1.0]]), array![[100.0], [1000.0]]);
    assert_eq!(of(array![[1.0]]), array![[101.0], [1010.0]]);
}

/// Longer than a block, several of them, their edges wherever they fall.
#[test]
fn blocks_join_without_a_seam() {
    for (frames, taps, seed) in [(131_072, 1, 1), (131_073, 2, 2), (300_000, 37, 3), (262_144 - 36, 37, 4)] {
        let (x, h) = (noise(1, frames, seed), noise(1, taps, seed + 9));
        let expected = plain(x.as_slice().expect("dense"), h.as_slice().expect("dense"));
        let expected = Array2::from_shape_vec((1, expected.len()), expected).expect("an array");
        let (x, h) = (audio(x), audio(h));
        let prepared = Reverb::new(&h).prepare(1, 8000).expect("prepared");
        for given in [prepared.render(&x), Reverb::new(&h).render(&x)] {
            let given = given.expect("a result");
            assert!(distance(&given, &expected) < 1e-13, "{frames} {taps}: {}", distance(&given, &expected));
        }
    }
}

#[test]
fn progress_is_told_to_the_last_frame() {
    let (x, h) = (audio(noise(2, 400_000, 1)), audio(noise(1, 1000, 2)));
    let mut told = vec![];
    let prepared = Reverb::new(&h).prepare(2, 8000).expect("prepared");
    prepared.apply_with(&x, |done, of| told.push((done, of))).expect("a result");
    assert!(told.len() >= 3 && told.windows(2).all(|w| w[0].0 < w[1].0));
    assert_eq!(told.last(), Some(&(400_999, 400_999)));
}

#[test]
fn one_prepared_response_serves_threads_and_sounds_of_any_length() {
    let h = audio(noise(2, 50, 5));
    let prepared = Reverb::new(&h).dry(0.5).prepare(1, 8000).expect("prepared");
    std::thread::scope(|scope| {
        for frames in [1, 49, 50, 5000] {
            let (prepared, h) = (&prepared, &h);
            scope.spawn(move || {
                let x = audio(noise(1, frames, frames as u64));
                let one = Reverb::new(h).dry(0.5).render(&x).expect("a result");
                assert!(distance(&prepared.render(&x).expect("a result"), &one) < 1e-13);
            });
        }
    });
}

#[test]
fn a_resampled_room_is_as_loud() {
    // Smooth and short, so that at either rate the sum of the taps is its gain.
    let hann = |n: usize| {
        Array2::from_shape_fn((1, n), |(_, i)| (0.5 - (i as f32 / n as f32 * 6.2831855).cos() / 2.0) / n as f32)
    };
    let room = Audio::new(hann(4410), 44_100).expect("a response");
    let steady = Audio::new(Array2::ones((1, 16_000)), 16_000).expect("a sound");
    let heard = Reverb::new(&room).resample(true).render(&steady).expect("a result");
    assert!((heard[[0, 8000]] - 0.5).abs() < 1e-4, "{}", heard[[0, 8000]]);
    let text = Reverb::new(&room).apply(&steady).expect_err("another rate").to_string();
    assert!(text.contains("44100 Hz") && text.contains("16000"), "{text}");
}

#[test]
fn the_sounds_rate_and_format_stay() {
    let x = Audio::from_interleaved_i16(&[100, 200, 300], 1, 11_025).expect("a sound");
    let h = Audio::from_interleaved(&[1.0, 0.5], 1, 11_025).expect("a response");
    let y = Reverb::new(&h).apply(&x).expect("a result");
    assert_eq!((y.rate(), y.format()), (11_025, x.format()));
}

#[test]
fn silence_is_not_normalised() {
    let y = Reverb::new(&audio(array![[1.0, 2.0]])).normalize(0.5).apply(&audio(array![[0.0, 0.0]]));
    assert_eq!(y.expect("a result").samples(), array![[0.0, 0.0, 0.0]]);
}

#[test]
fn bad_input_is_named() {
    let (x, h) = (audio(array![[1.0, 2.0]]), audio(array![[1.0, 0.5]]));
    let named = |result: faltung::Result<Audio>, argument: &str| match result {
        Err(Error::Argument { argument: given, .. }) => assert_eq!(given, argument),
        other => panic!("{argument}: {other:?}"),
    };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        named(Reverb::new(&h).dry(bad).apply(&x), "dry");
        named(Reverb::new(&h).wet(bad).apply(&x), "wet");
        named(Reverb::new(&h).predelay(bad).apply(&x), "predelay");
        named(Reverb::new(&h).normalize(bad).apply(&x), "peak");
        named(Reverb::new(&audio(array![[bad as f32]])).apply(&x), "response");
        named(Reverb::new(&h).apply(&audio(array![[0.0, bad as f32]])), "sound");
    }
    named(Reverb::new(&h).predelay(-1.0).apply(&x), "predelay");
    named(Reverb::new(&h).predelay(1e300).apply(&x), "predelay");
    named(Reverb::new(&h).normalize(0.0).apply(&x), "peak");
    named(Reverb::new(&h).normalize(-0.5).apply(&x), "peak");
    named(Reverb::new(&audio(Array2::zeros((1, 0)))).apply(&x), "response");
    named(Reverb::new(&h).apply(&audio(Array2::zeros((1, 0)))), "sound");
    let prepared = Reverb::new(&h).prepare(2, 8000).expect("prepared");
    named(prepared.apply(&x), "channels of the sound");
    let other = Audio::new(noise(2, 5, 1), 44_100).expect("a sound");
    named(prepared.apply(&other), "rate of the sound");
    named(Reverb::new(&h).prepare(0, 8000).map(|_| x.clone()), "channels of the sound");
    assert!(Reverb::new(&h).resample(true).prepare(1, 0).is_err());
    assert!(Reverb::new(&h).resample(true).prepare(1, u32::MAX).is_err());
    assert!(Reverb::new(&h).prepare(usize::MAX, 8000).is_err());
}

#[test]
fn levels_are_factors() {
    assert!((decibels(6.0206) - 2.0).abs() < 1e-5 && (decibels(-60.0) - 1e-3).abs() < 1e-15);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every option against the sentence that documents the result.
    #[test]
    fn options_do_what_they_say(
        frames in 1usize..200, taps in 1usize..200, stereo in any::<bool>(), late in 0usize..50,
        dry in -2.0f64..2.0, wet in -2.0f64..2.0, tail in any::<bool>(), peak in proptest::option::of(0.1f64..2.0),
        seed in any::<u64>(),
    ) {
        let (x, h) = (noise(1 + usize::from(stereo), frames, seed), noise(1, taps, !seed));
        let total = if tail { frames + late + taps - 1 } else { frames };
        let mut expected = Array2::zeros((x.nrows(), total));
        for (mut y, x) in expected.outer_iter_mut().zip(x.outer_iter()) {
            let convolved = plain(x.as_slice().expect("dense"), h.as_slice().expect("dense"));
            for (i, y) in y.iter_mut().enumerate() {
                let late = i.checked_sub(late).and_then(|i| convolved.get(i)).unwrap_or(&0.0);
                *y = dry * x.get(i).map_or(0.0, |&v| f64::from(v)) + wet * late;
            }
        }
        if let Some(peak) = peak {
            let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            expected *= if largest > 0.0 { peak / largest } else { 1.0 };
        }
        let (x, h) = (audio(x), audio(h));
        let mut reverb = Reverb::new(&h).dry(dry).wet(wet).tail(tail).predelay(late as f64 / 8000.0);
        if let Some(peak) = peak {
            reverb = reverb.normalize(peak);
        }
        let given = reverb.render(&x).expect("a result");
        // Where the pre-delay is longer than all that is kept, rounding is all that is heard.
        let scale = rms(&expected).max(1e-3);
        prop_assert_eq!(given.shape(), expected.shape());
        let worst = given.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        prop_assert!(worst <= 1e-12 * scale, "{}", worst / scale);
    }
}

/// By hand, with the sounds in `FALTUNG_DATA` and an empty folder `FALTUNG_OUT`; `cases/reverb.py compare` then reads it.
#[test]
fn every_sound_in_every_room() {
    let (Ok(data), Ok(out)) = (std::env::var("FALTUNG_DATA"), std::env::var("FALTUNG_OUT")) else {
        println!("skipped: FALTUNG_DATA and FALTUNG_OUT are not set");
        return;
    };
    let waves = |folder: &str| {
        let files = std::fs::read_dir(Path::new(&data).join(folder)).expect("a folder");
        let files = files.map(|file| file.expect("an entry").path());
        files.filter(|path| path.extension().is_some_and(|e| e == "wav")).collect::<Vec<_>>()
    };
    let stem = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    for sound in waves("speech").into_iter().chain(waves("dry-sounds")) {
        let x = Audio::read(&sound).expect("a sound");
        for response in waves("rir") {
            let h = Audio::read(&response).expect("a response");
            let y = Reverb::new(&h).resample(true).render(&x).expect("a result");
            let name = format!("{out}/{}__{}", stem(&sound), stem(&response));
            let bytes: Vec<u8> = y.iter().flat_map(|v| v.to_le_bytes()).collect();
            std::fs::write(format!("{name}.f64"), bytes).expect("written");
        }
    }
}

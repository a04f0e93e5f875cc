//! Spectrograms, against librosa (`cases/mel.py`), and folders of WAV files.

use std::fs;
use std::path::Path;

use faltung::Boundary;
use faltung::audio::{Audio, Level, LogMel, MelScale, Stft, WavFormat};
use faltung::ndarray::{Array1, Array3, ArrayViewD, Axis, s};
use faltung::nn::data::{
    Arrays, Augmented, Dataset, Noise, Recording, SoundClasses, SpecMask, Spectra, Targets, TimeShift, WavFolder,
};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::{real_data, sample};

struct Cases {
    bytes: Vec<u8>,
}

impl Cases {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/mel.safetensors");
        Self { bytes: fs::read(path).expect("the cases are there") }
    }

    fn list(&self) -> Vec<Value> {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).expect("a header");
        serde_json::from_str(&metadata.metadata().as_ref().expect("metadata")["cases"]).expect("JSON")
    }

    fn tensor(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let tensors = SafeTensors::deserialize(&self.bytes).expect("tensors");
        let tensor = tensors.tensor(name).expect("a tensor");
        let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        (tensor.shape().to_vec(), values.collect())
    }

    fn compare(&self, name: &str, given: ArrayViewD<'_, f32>, tolerance: impl Fn(f32) -> f32) {
        let (shape, expected) = self.tensor(name);
        assert_eq!(given.shape(), shape, "{name}");
        for ((i, &v), &e) in given.indexed_iter().zip(&expected) {
            assert!((v - e).abs() <= tolerance(e), "{name} at {i:?}: {v} {e}");
        }
    }
}

#[test]
fn spectrograms_are_librosas() {
    let cases = Cases::read();
    let sound = Array1::from(cases.tensor("sound").1);
    for (i, case) in cases.list().iter().enumerate() {
        let count = |key: &str| case[key].as_u64().expect("a count") as usize;
        let yes = |key: &str| case[key].as_bool().expect("yes or no");
        let hertz = |key: &str| case[key].as_f64().expect("a frequency");
        let stft = Stft::new(count("n_fft")).hop(count("hop")).window_length(count("win")).centre(yes("centre"));
        let stft = stft.boundary(if yes("mirror") { Boundary::Mirror } else { Boundary::Zero });
        if i < 2 {
            let power = stft.prepare().and_then(|stft| stft.power(&sound)).expect("a spectrogram");
            cases.compare(&format!("{i}.power"), power.view().into_dyn(), |e| 1e-3 + 1e-4 * e);
        }
        let mel = LogMel::new(8000).stft(stft).bands(count("bands")).range(hertz("low"), hertz("high"));
        let mel = mel.scale(if yes("htk") { MelScale::Htk } else { MelScale::Slaney }).area(yes("area"));
        let triangles = mel.triangles().expect("triangles").mapv(|v| v as f32);
        cases.compare(&format!("{i}.triangles"), triangles.view().into_dyn(), |e| 1e-6 * (1.0 + e));
        let levels = mel.prepare().and_then(|mel| mel.apply(&sound)).expect("a spectrogram");
        cases.compare(&format!("{i}.mel"), levels.view().into_dyn(), |_| 2e-2);
        // The other levels.
        let level = |level| mel.clone().level(level).prepare().and_then(|mel| mel.apply(&sound)).expect("levels");
        let power = level(Level::Power);
        assert!((&power.mapv(|p| 10.0 * p.max(1e-10).log10()) - &levels).iter().all(|d| d.abs() < 1e-4));
        assert!(
            (&power.mapv(|p| p.max(1e-3).ln()) - &level(Level::Natural { floor: 1e-3 })).iter().all(|d| d.abs() < 1e-4)
        );
    }
}

#[test]
fn settings_of_spectrograms_that_make_no_sense_are_refused() {
    for stft in [
        Stft::new(0),
        Stft::new(usize::MAX),
        Stft::new(16).hop(0),
        Stft::new(16).window_length(0),
        Stft::new(16).window_length(17),
        Stft::new(16).window(faltung::filter::fir::Window::Gaussian { std: -1.0 }),
    ] {
        assert!(stft.prepare().is_err() && LogMel::new(8000).stft(stft).prepare().is_err());
    }
    let mel = || LogMel::new(8000).stft(Stft::new(64));
    for mel in [
        LogMel::new(0),
        mel().bands(0),
        mel().bands(usize::MAX),
        mel().range(-1.0, 100.0),
        mel().range(100.0, 100.0),
        mel().range(0.0, 4001.0),
        mel().range(f64::NAN, 100.0),
        mel().level(Level::Decibels { floor: 0.0 }),
        mel().level(Level::Natural { floor: f64::NAN }),
    ] {
        assert!(mel.prepare().is_err(), "{mel:?}");
    }
    // Sounds of any length, and a NaN stays one.
    let prepared = mel().bands(4).prepare().expect("prepared");
    assert_eq!(prepared.apply(&Array1::zeros(0)).expect("silence").dim(), (4, 1));
    let wide = mel().stft(Stft::new(64).boundary(Boundary::Mirror)).bands(4).prepare().expect("prepared");
    assert_eq!(wide.apply(&Array1::ones(1)).expect("one sample").dim(), (4, 1));
    assert!(prepared.apply(&Array1::from_elem(100, f32::NAN)).expect("noise").iter().all(|v| v.is_nan()));
    let more = mel().bands(60).triangles().expect("triangles");
    assert!(more.outer_iter().any(|band| band.sum() == 0.0) && more.outer_iter().any(|band| band.sum() > 0.0));
}

fn write(folder: &Path, name: &str, value: f32, frames: usize, rate: u32) {
    let sound = Audio::from_interleaved(&vec![value; frames], 1, rate).expect("a sound");
    sound.write(folder.join(name), WavFormat::Float32).expect("written");
}

#[test]
fn folders_of_sounds() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "b_ann_0.wav", 0.25, 5, 100);
    write(at, "b_ann_b_7.WAV", 0.5, 20, 100);
    write(at, "a_12.wav", 0.75, 40, 200);
    write(at, "a_once.wav", 1.0, 0, 100);
    fs::write(at.join("notes_1.txt"), "no sound").expect("written");
    let found = WavFolder::named(at).expect("sounds");
    assert_eq!(found.names(), ["a", "b"]);
    let told: Vec<_> = found.recordings().iter().map(|r| (r.label.as_str(), r.speaker.as_deref(), r.index)).collect();
    let expected =
        [("a", None, Some(12)), ("a", Some("once"), None), ("b", Some("ann"), Some(0)), ("b", Some("ann_b"), Some(7))];
    assert_eq!(told, expected);

    let sounds: SoundClasses<f64> = found.read(100, 10).expect("sounds");
    assert_eq!((sounds.len(), sounds.sample_shape(), sounds.rate()), (4, &[1, 10][..], 100));
    assert_eq!(sounds.targets(), &Targets::Classes(vec![0, 0, 1, 1]));
    assert_eq!([0, 1, 2, 3].map(|i| sounds.frames(i)), [Some(10), Some(0), Some(5), Some(10)]);
    assert_eq!(sample(&sounds, 2, None).into_raw_vec_and_offset().0, [[0.25; 5], [0.0; 5]].concat());
    assert!(sample(&sounds, 1, None).iter().all(|&v| v == 0.0));
    let half = sample(&sounds, 0, None); // 40 frames at twice the rate
    assert!((half[[0, 9]] - 0.75).abs() < 1e-2, "{half:?}");

    let (test, train) = found.clone().partition(|r| r.index == Some(7));
    assert_eq!((test.recordings().len(), train.recordings().len(), test.names()), (1, 3, train.names()));
    let of_test: SoundClasses<f32> = test.read(100, 10).expect("sounds");
    assert_eq!(of_test.targets(), &Targets::Classes(vec![1]));
    assert!(found.read::<f32>(0, 10).is_err() && found.read::<f32>(100, 0).is_err());

    let by_speaker = WavFolder::described(at, |path| {
        let speaker = path.file_stem()?.to_str()?.split('_').nth(1).filter(|s| *s == "ann")?;
        Some(Recording { path: path.into(), label: speaker.into(), speaker: None, index: None })
    });
    assert_eq!(by_speaker.expect("sounds").recordings().len(), 2);
    assert!(WavFolder::described(at, |_| None).is_err());

    // Broken files and names are told by their path.
    fs::write(at.join("c_1.wav"), b"RIFF").expect("written");
    let refused = WavFolder::named(at).expect("names").read::<f32>(100, 10).expect_err("refused").to_string();
    assert!(refused.contains("c_1.wav"), "{refused}");
    fs::rename(at.join("c_1.wav"), at.join("c.wav")).expect("renamed");
    assert!(WavFolder::named(at).expect_err("refused").to_string().contains("c.wav"));
    let inner = at.join("left");
    fs::create_dir(&inner).expect("made");
    write(&inner, "x.wav", 0.5, 3, 100);
    assert_eq!(WavFolder::classes(at).expect("sounds").names(), ["left"]);
    assert!(WavFolder::classes(&inner).expect_err("none").to_string().contains("WAV files"));
    assert!(WavFolder::named("/no/such/folder").expect_err("none").to_string().contains("/no/such/folder"));
}

#[test]
fn spectra_follow_the_augmentation_of_their_sounds() {
    let sounds = Array3::from_shape_fn((3, 2, 800), |(i, c, t)| ((i + 2 * c + 1) as f64 * 0.1 * t as f64).sin());
    let sounds = Arrays::new(sounds.into_dyn(), Targets::Classes(vec![0, 1, 2])).expect("data");
    let mel = LogMel::new(8000).stft(Stft::new(128).hop(80)).bands(10).prepare().expect("prepared");
    let spectra = Spectra::new(&sounds, mel.clone()).expect("spectra");
    assert_eq!(spectra.sample_shape(), [2, 10, 11]);
    let row = sounds.samples().index_axis(Axis(0), 2).slice(s![1, ..]).mapv(|v| v as f32);
    let expected = mel.apply(&row).expect("levels").mapv(f64::from).into_dyn();
    assert_eq!(sample(&spectra, 2, None).index_axis(Axis(0), 1), expected);
    let once = Arrays::collect(&spectra).expect("collected");
    assert_eq!((once.len(), once.sample_shape(), once.targets()), (3, &[2, 10, 11][..], sounds.targets()));
    assert_eq!(sample(&once, 2, None), sample(&spectra, 2, None));

    let shifted = Augmented::new(&sounds).then(TimeShift::new(80)).and_then(|data| data.then(Noise::new(0.01)));
    let shifted = Spectra::new(shifted.expect("augmented"), mel).expect("spectra");
    let masked = Augmented::new(shifted).then(SpecMask::new().time(1, 4)).expect("augmented").seed(1);
    assert_ne!(sample(&masked, 0, Some(1)), sample(&masked, 0, Some(2)));
    assert_eq!(sample(&masked, 0, None), sample(&spectra, 0, None));
}

#[test]
fn spoken_digits_as_published() {
    let Some(folder) = real_data("fsdd/recordings") else { return };
    let (test, train) = WavFolder::named(folder).expect("FSDD").partition(|r| r.index.is_some_and(|index| index < 5));
    assert_eq!((train.recordings().len(), test.recordings().len()), (2700, 300));
    assert_eq!(train.names().len(), 10);
    let sounds: SoundClasses<f32> = test.read(8000, 8000).expect("sounds");
    assert!((0..300).all(|i| sounds.frames(i).is_some_and(|frames| frames > 1000)));
    let mel = LogMel::new(8000).stft(Stft::new(256).hop(80)).bands(40).prepare().expect("prepared");
    let spectra = Arrays::collect(&Spectra::new(&sounds, mel).expect("spectra")).expect("collected");
    assert_eq!(spectra.samples().shape(), [300, 1, 40, 101]);
    let loudest = spectra.samples().iter().fold(f32::MIN, |a, &b| a.max(b));
    assert!((-20.0..30.0).contains(&loudest), "{loudest}");
}

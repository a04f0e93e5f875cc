//! Windows, filter designs, frequency responses and changes of rate: SciPy's answers, properties, and what is refused.

use std::f64::consts::PI;

use faltung::filter::fir::{
    Fir, FirDesign, Frequencies, MAX_TAPS, Window, firwin, firwin2, freqz, group_delay, kaiser_atten, kaiser_beta,
    kaiserord, savgol_coeffs,
};
use faltung::filter::resample::{Padding, Resampler, resample_poly, upfirdn};
use faltung::filter::{Extension, correlation_lags};
use faltung::ndarray::{Array1, Array2, Array3, ArrayD, Axis, IxDyn, array, s};
use faltung::{Boundary, Complex, Error, Mode, Result, correlate};
use proptest::prelude::*;
use safetensors::SafeTensors;
use serde_json::Value;

/// What `tests/cases/signals.py` wrote.
struct Table {
    values: Vec<f64>,
    cases: Vec<Value>,
}

impl Table {
    fn read() -> Self {
        let bytes = include_bytes!("cases/signals.safetensors");
        let (_, header) = SafeTensors::read_metadata(bytes).expect("a header");
        let cases = header.metadata().as_ref().expect("metadata")["cases"].as_str();
        let tensors = SafeTensors::deserialize(bytes).expect("tensors");
        let values = tensors.tensor("values").expect("the values");
        let (values, rest) = values.data().as_chunks::<8>();
        assert!(rest.is_empty());
        Self {
            values: values.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            cases: serde_json::from_str(cases).expect("a list of cases"),
        }
    }

    /// The cases of a kind; at least so many.
    fn of(&self, kind: &str, least: usize) -> Vec<Case<'_>> {
        let cases: Vec<_> =
            self.cases.iter().filter(|c| c["kind"] == kind).map(|c| Case { about: c, values: &self.values }).collect();
        assert!(cases.len() >= least, "{} cases of {kind}", cases.len());
        cases
    }
}

struct Case<'a> {
    about: &'a Value,
    values: &'a [f64],
}

impl Case<'_> {
    fn number(&self, name: &str) -> f64 {
        self.about[name].as_f64().unwrap_or_else(|| panic!("{name} in {}", self.about))
    }

    fn whole(&self, name: &str) -> usize {
        self.about[name].as_u64().unwrap_or_else(|| panic!("{name} in {}", self.about)) as usize
    }

    fn flag(&self, name: &str) -> bool {
        self.about[name].as_bool().unwrap_or_else(|| panic!("{name} in {}", self.about))
    }

    fn text(&self, name: &str) -> &str {
        self.about[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.about))
    }

    fn window(&self) -> Window {
        self.text("window").parse().expect("a window")
    }

    fn fs(&self) -> Option<f64> {
        self.about["fs"].as_f64()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.about[name].as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
    }

    /// An array as complex numbers.
    fn array(&self, name: &str) -> ArrayD<Complex<f64>> {
        let place = &self.about[name];
        let shape: Vec<usize> =
            place[1].as_array().expect("a shape").iter().map(|n| n.as_u64().expect("an extent") as usize).collect();
        let from = &self.values[place[0].as_u64().expect("a place") as usize..];
        let complex = place[2] == 1;
        let mut at = 0;
        ArrayD::from_shape_simple_fn(IxDyn(&shape), || {
            at += 1;
            if complex { Complex::new(from[2 * at - 2], from[2 * at - 1]) } else { Complex::new(from[at - 1], 0.0) }
        })
    }

    fn real(&self, name: &str) -> ArrayD<f64> {
        self.array(name).mapv(|v| v.re)
    }

    fn line(&self, name: &str) -> Array1<f64> {
        self.real(name).into_dimensionality().expect("one axis")
    }

    /// Asserts that the result is the case's to 1e-10 of its largest value.
    fn agrees(&self, y: impl IntoIterator<Item = Complex<f64>>, shape: &[usize]) {
        let expected = self.array("y");
        assert_eq!(shape, expected.shape(), "{}", self.about);
        let scale = expected.iter().map(|v| v.norm()).fold(1e-300, f64::max);
        for (i, (y, e)) in y.into_iter().zip(&expected).enumerate() {
            let off = (y - e).norm();
            assert!(off <= 1e-10 * scale, "{}: {y} for {e} at {i}, off by {off:e} of {scale:e}", self.about);
        }
    }

    fn agrees_line(&self, y: &[f64]) {
        self.agrees(y.iter().map(|&v| v.into()), &[y.len()]);
    }

    fn extension(name: &str) -> Extension {
        match name {
            "constant" => Boundary::Zero.into(),
            "symmetric" => Boundary::Symmetric.into(),
            "reflect" => Boundary::Mirror.into(),
            "edge" => Boundary::Nearest.into(),
            "wrap" => Boundary::Wrap.into(),
            "line" => Extension::Line,
            "smooth" => Extension::Smooth,
            "antisymmetric" => Extension::Antisymmetric,
            "antireflect" => Extension::Antireflect,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn windows_are_scipys() {
    for case in Table::read().of("window", 200) {
        let (window, n) = (case.window(), case.whole("n"));
        let w = if case.flag("symmetric") { window.symmetric(n) } else { window.periodic(n) };
        case.agrees_line(&w.expect("a window").to_vec());
        assert_eq!(window.to_string().parse::<Window>().expect("a window"), window);
    }
}

#[test]
fn designs_are_scipys() {
    let table = Table::read();
    for case in table.of("kaiserord", 20) {
        let (numtaps, beta) = kaiserord(case.number("ripple"), case.number("width")).expect("an order");
        let atten = kaiser_atten(numtaps, case.number("width"));
        case.agrees_line(&[numtaps as f64, beta, atten, kaiser_beta(case.number("ripple"))]);
    }
    for case in table.of("firwin", 60) {
        let (cutoff, zero) = (case.numbers("cutoff"), case.flag("pass_zero"));
        let h = firwin(case.whole("numtaps"), &cutoff, zero, case.window(), case.flag("scale"), case.fs());
        case.agrees_line(&h.unwrap_or_else(|e| panic!("{e}: {}", case.about)).to_vec());
    }
    for case in table.of("savgol", 6) {
        let (order, deriv) = (case.whole("order"), case.whole("deriv"));
        let h = savgol_coeffs(case.whole("numtaps"), order, deriv, case.number("delta")).expect("taps");
        case.agrees_line(&h.to_vec());
    }
    for case in table.of("firwin2", 25) {
        let nfreqs = case.about["nfreqs"].as_u64().map(|n| n as usize);
        let (freq, gain) = (case.numbers("freq"), case.numbers("gain"));
        let h =
            firwin2(case.whole("numtaps"), &freq, &gain, nfreqs, case.window(), case.flag("antisymmetric"), case.fs());
        case.agrees_line(&h.unwrap_or_else(|e| panic!("{e}: {}", case.about)).to_vec());
    }
}

#[test]
fn upfirdn_is_scipys() {
    for case in Table::read().of("upfirdn", 130) {
        let (x, h) = (case.array("x"), case.line("h"));
        let (up, down, axis) = (case.whole("up"), case.whole("down"), Axis(case.whole("axis")));
        let extension = Case::extension(case.text("mode"));
        let y = upfirdn(&h.mapv(Complex::from), &x, up, down, axis, extension).expect("a result");
        case.agrees(y.iter().copied(), y.shape());
        let y = upfirdn(&h, &x.mapv(|v| v.re), up, down, axis, extension).expect("a result");
        let expected = case.real("y");
        assert!(y.iter().zip(&expected).all(|(y, e)| (y - e).abs() < 1e-9), "{}", case.about);
    }
}

#[test]
fn resample_poly_is_scipys() {
    for case in Table::read().of("resample_poly", 60) {
        let (up, down) = (case.whole("up"), case.whole("down"));
        let resampler = if case.about["h"].is_array() {
            Resampler::with_taps(up, down, &case.line("h").to_vec())
        } else {
            Resampler::with_window(up, down, case.window())
        };
        let padding = match case.text("padtype") {
            "mean" => Padding::Mean,
            "median" => Padding::Median,
            "minimum" => Padding::Minimum,
            "maximum" => Padding::Maximum,
            extension => Case::extension(extension).into(),
        };
        let resampler = resampler.expect("a resampler").padding(padding);
        let y = resampler.apply(&case.real("x"), Axis(case.whole("axis"))).expect("a result");
        case.agrees(y.iter().map(|&v| v.into()), y.shape());
    }
}

#[test]
fn responses_are_scipys() {
    let table = Table::read();
    for case in table.of("freqz", 100) {
        let n = case.whole("points");
        let grid = match (case.flag("whole"), case.flag("include_nyquist")) {
            (true, _) => Frequencies::Whole(n),
            (false, true) => Frequencies::HalfWithNyquist(n),
            (false, false) => Frequencies::Half(n),
        };
        let (w, y) = freqz(&case.line("h").to_vec(), grid, case.fs()).expect("a response");
        case.agrees(y.iter().copied(), y.shape());
        assert!(w.iter().zip(&case.line("w")).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()), "{}", case.about);
    }
    for case in table.of("freqz_at", 4) {
        let at = case.line("at").to_vec();
        let (w, y) = freqz(&case.line("h").to_vec(), &at[..], case.fs()).expect("a response");
        assert_eq!(w.to_vec(), at);
        case.agrees(y.iter().copied(), y.shape());
    }
    for case in table.of("group_delay", 4) {
        let at = case.line("at").to_vec();
        let (_, delay) = group_delay(&case.line("h").to_vec(), &at[..], case.fs()).expect("a delay");
        case.agrees_line(&delay.to_vec());
    }
}

#[test]
fn signals_through_filters_are_scipys() {
    let table = Table::read();
    for case in table.of("lfilter", 4) {
        let filter = Fir::from_taps(case.line("h")).and_then(|h| h.prepare()).expect("a filter").mode(Mode::Causal);
        let y = filter.apply(&case.real("x"), Axis(case.whole("axis"))).expect("a result");
        case.agrees(y.iter().map(|&v| v.into()), y.shape());
        let mut z = y.clone();
        filter.apply_into(&case.real("x"), Axis(case.whole("axis")), &mut z).expect("a result");
        let planned = filter.plan(z.raw_dim(), Axis(case.whole("axis"))).expect("a plan");
        assert_eq!((&z, planned.apply(&case.real("x")).expect("a result")), (&y, y.clone()));
        // Complex signals take the same taps.
        let x = case.real("x").mapv(|v| Complex::new(v, -2.0 * v));
        let filter = Fir::from_taps(case.line("h")).and_then(|h| h.prepare()).expect("a filter").mode(Mode::Causal);
        let complex = filter.apply(&x, Axis(case.whole("axis"))).expect("a result");
        let scale = y.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        assert!(complex.iter().zip(&y).all(|(z, y)| (z - Complex::new(*y, -2.0 * y)).norm() <= 1e-10 * scale));
    }
    for case in table.of("filtfilt", 4) {
        let filter = Fir::from_taps(case.line("h")).and_then(|h| h.prepare()).expect("a filter");
        let y = filter.filtfilt(&case.real("x"), Axis(case.whole("axis"))).expect("a result");
        case.agrees(y.iter().map(|&v| v.into()), y.shape());
    }
}

#[test]
fn lags_are_scipys_and_those_of_correlate() {
    for case in Table::read().of("lags", 50) {
        let mode = match case.text("mode") {
            "full" => Mode::Full,
            "same" => Mode::Same,
            _ => Mode::Valid,
        };
        let lags = correlation_lags(case.whole("n1"), case.whole("n2"), mode).expect("lags");
        case.agrees_line(&lags.map(|l| l as f64).collect::<Vec<_>>());
    }
    for (n1, n2) in (1..9).flat_map(|n1| (1..9).map(move |n2| (n1, n2))) {
        for mode in [Mode::Full, Mode::Same, Mode::Valid, Mode::Causal] {
            if mode == Mode::Valid && n2 > n1 {
                continue;
            }
            // Products of powers tell which sample met which tap.
            let x = Array1::from_shape_fn(n1, |i| 2f64.powi(i as i32));
            let h = Array1::from_shape_fn(n2, |i| if i == n2 - 1 { 1.0 } else { 0.0 });
            let lags = correlation_lags(n1, n2, mode).expect("lags");
            let y = correlate(&x, &h, mode).expect("a correlation");
            assert_eq!(lags.len(), y.len());
            for (lag, y) in lags.zip(y) {
                let i = lag + n2 as isize - 1;
                let expected = if (0..n1 as isize).contains(&i) { 2f64.powi(i as i32) } else { 0.0 };
                assert_eq!(y, expected, "{n1} and {n2}, {mode}, lag {lag}");
            }
        }
    }
}

/// `upfirdn` by its definition.
fn stuffed(h: &[f64], x: &[f64], up: usize, down: usize) -> Vec<f64> {
    let full = (x.len() - 1) * up + h.len();
    let at = |g: usize| x.iter().enumerate().filter_map(|(j, v)| Some(v * h.get(g.checked_sub(j * up)?)?)).sum();
    (0..full).step_by(down).map(at).collect()
}

fn close<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>, by: f64) -> bool {
    let (a, b): (Vec<_>, Vec<_>) = (a.into_iter().collect(), b.into_iter().collect());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (*a - *b).abs() <= by)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn upfirdn_is_its_definition(
        x in prop::collection::vec(-1.0..1.0f64, 1..60),
        h in prop::collection::vec(-1.0..1.0f64, 1..50),
        up in 1usize..30,
        down in 1usize..30,
    ) {
        let y = upfirdn(&Array1::from(h.clone()), &Array1::from(x.clone()), up, down, Axis(0), Boundary::Zero).expect("y");
        prop_assert!(close(&y, &stuffed(&h, &x, up, down), 1e-12));
    }

    #[test]
    fn resampling_is_linear_and_the_same_along_any_axis(
        seed in 0u32..1000, n in 1usize..80, up in 1usize..20, down in 1usize..20, axis in 0usize..3,
    ) {
        let mut shape = [3, 2, 4];
        shape[axis] = n;
        let numbers = |k: f64| Array3::from_shape_fn(shape, |(a, b, c)| {
            (f64::from(seed) * k + (a * 31 + b * 17 + c * 7) as f64 * k).sin()
        });
        let (x, z) = (numbers(1.3), numbers(2.9));
        let resample = |x: &Array3<f64>| resample_poly(x, up, down, Axis(axis)).expect("a result");
        let (y, w) = (resample(&x), resample(&z));
        prop_assert_eq!(y.len_of(Axis(axis)), (n * up).div_ceil(down));
        prop_assert!(close(&resample(&(&x + &z * 2.0)), &(&y + &w * 2.0), 1e-11));
        for (line, expected) in x.lanes(Axis(axis)).into_iter().zip(y.lanes(Axis(axis))) {
            prop_assert!(close(&resample_poly(&line, up, down, Axis(0)).expect("a line"), expected, 1e-12));
        }
        // However the data lie in memory.
        let backwards = x.slice(s![..;-1, .., ..]).to_owned();
        prop_assert!(close(&resample_poly(&backwards.slice(s![..;-1, .., ..]), up, down, Axis(axis)).expect("y"), &y, 1e-12));
    }

    #[test]
    fn a_lowpass_leaves_constants_and_takes_the_fastest_oscillation(
        cutoff in 0.1..0.7f64, half in 20usize..60, n in 200usize..400,
    ) {
        let filter = Fir::lowpass(cutoff, 2 * half + 1).and_then(|h| h.prepare::<f64>()).expect("a filter");
        let middle = s![half..n - half];
        let y = filter.apply(&Array1::from_elem(n, 3.0), Axis(0)).expect("a result");
        prop_assert!(y.slice(middle).iter().all(|v| (v - 3.0).abs() < 1e-11));
        let x = Array1::from_shape_fn(n, |i| if i % 2 == 0 { 1.0 } else { -1.0 });
        prop_assert!(filter.apply(&x, Axis(0)).expect("y").slice(middle).iter().all(|v| v.abs() < 0.01));
    }

    #[test]
    fn windows_are_symmetric_and_no_larger_than_one(n in 1usize..200, beta in 0.0..50.0f64, alpha in 0.0..1.0f64) {
        let windows = [
            Window::Boxcar, Window::Triangular, Window::Bartlett, Window::BartlettHann, Window::Hann, Window::Hamming,
            Window::Blackman, Window::BlackmanHarris, Window::Nuttall, Window::FlatTop, Window::Bohman, Window::Parzen,
            Window::Cosine, Window::Lanczos, Window::Kaiser { beta }, Window::Tukey { alpha },
            Window::Gaussian { std: 1.0 + beta }, Window::Exponential { tau: 1.0 + beta },
            Window::Chebyshev { attenuation: 45.0 + beta }, Window::Taylor { nbar: 4, sll: 30.0 },
        ];
        for window in windows {
            let w = window.symmetric(n).expect("a window");
            prop_assert!(close(&w, w.slice(s![..;-1]), 1e-9), "{}", window);
            prop_assert!(w.iter().all(|v| *v <= 1.0 + 1e-8), "{}", window);
            if n > 2 {
                prop_assert_eq!(window.periodic(n - 1).expect("a period"), w.slice(s![..n - 1]));
            }
        }
    }
}

#[test]
fn zero_phase_filters_square_the_gain() {
    let filter = FirDesign::new(31).fs(1000.0).lowpass(120.0).expect("a filter");
    let gain = freqz(&filter.taps().to_vec(), &[60.0, 130.0][..], Some(1000.0)).expect("a response").1;
    for (f, gain) in [60.0, 130.0].into_iter().zip(gain) {
        let sine = Array1::from_shape_fn(1000, |i| (2.0 * PI * f * i as f64 / 1000.0).sin());
        let y = filter.prepare().expect("prepared").filtfilt(&sine, Axis(0)).expect("a result");
        assert!((200..800).all(|i| (y[i] - gain.norm_sqr() * sine[i]).abs() < 1e-6), "{f} Hz");
    }
}

#[test]
fn resampled_sines_are_sines_in_single_precision() {
    let sine = |n: usize, rate: f64| {
        Array2::from_shape_fn((n, 2), |(i, c)| (i as f64 / rate * (900.0 + c as f64)).sin() as f32)
    };
    for (from, to) in [(44100, 48000), (48000, 44100), (8000, 16000), (44100, 8000), (22050, 22051)] {
        let (x, expected) = (sine(from / 4, from as f64), sine((from / 4 * to).div_ceil(from), to as f64));
        let y = resample_poly(&x, to, from, Axis(0)).expect("a result");
        assert_eq!(y.shape(), expected.shape());
        let edge = y.nrows() / 10;
        let off = (&y - &expected).slice(s![edge..y.nrows() - edge, ..]).iter().fold(0.0f32, |a, v| a.max(v.abs()));
        assert!(off < 2e-3, "{from} to {to}: {off}");
    }
}

/// Asserts that an argument is refused by its name.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, name: &str) {
    match result {
        Err(Error::Argument { argument, .. }) => assert_eq!(argument, name),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn designs_that_cannot_be_are_refused() {
    let hamming = Window::Hamming;
    for (numtaps, cutoff, pass_zero, fs, name) in [
        (0, &[0.5][..], true, None, "numtaps"),
        (MAX_TAPS + 1, &[0.5], true, None, "numtaps"),
        (usize::MAX, &[0.5], true, None, "numtaps"),
        (10, &[0.5], false, None, "numtaps"),
        (10, &[0.2, 0.5], true, None, "numtaps"),
        (11, &[], true, None, "cutoff"),
        (11, &[0.0], true, None, "cutoff"),
        (11, &[1.0], true, None, "cutoff"),
        (11, &[-0.1], true, None, "cutoff"),
        (11, &[f64::NAN], true, None, "cutoff"),
        (11, &[0.5, f64::NAN], true, None, "cutoff"),
        (11, &[f64::INFINITY], true, None, "cutoff"),
        (11, &[0.5, 0.2], true, None, "cutoff"),
        (11, &[0.5, 0.5], true, None, "cutoff"),
        (11, &[500.0], true, Some(1000.0), "cutoff"),
        (11, &[0.5], true, Some(0.0), "fs"),
        (11, &[0.5], true, Some(-1.0), "fs"),
        (11, &[0.5], true, Some(f64::NAN), "fs"),
        (11, &[0.5], true, Some(f64::INFINITY), "fs"),
    ] {
        refused(firwin(numtaps, cutoff, pass_zero, hamming, true, fs), name);
    }
    refused(Fir::highpass(0.5, 100), "numtaps");
    refused(Fir::bandpass(0.5, 0.4, 101), "cutoff");
    for (numtaps, freq, gain, antisymmetric, name) in [
        (0, &[0.0, 1.0][..], &[1.0, 0.0][..], false, "numtaps"),
        (9, &[0.0, 1.0], &[1.0], false, "gain"),
        (9, &[0.0, 1.0], &[1.0, f64::NAN], false, "gain"),
        (9, &[], &[], false, "freq"),
        (9, &[0.0], &[1.0], false, "freq"),
        (9, &[0.1, 1.0], &[1.0, 1.0], false, "freq"),
        (9, &[0.0, 0.9], &[1.0, 1.0], false, "freq"),
        (9, &[0.0, f64::NAN, 1.0], &[1.0; 3], false, "freq"),
        (9, &[0.0, 0.6, 0.4, 1.0], &[1.0; 4], false, "freq"),
        (9, &[0.0, 0.5, 0.5, 0.5, 1.0], &[1.0; 5], false, "freq"),
        (9, &[0.0, 0.0, 1.0], &[1.0; 3], false, "freq"),
        (9, &[0.0, 1.0, 1.0], &[1.0; 3], false, "freq"),
        (8, &[0.0, 1.0], &[1.0, 1.0], false, "gain"),
        (9, &[0.0, 0.5, 1.0], &[0.0, 1.0, 1.0], true, "gain"),
        (8, &[0.0, 1.0], &[1.0, 1.0], true, "gain"),
    ] {
        refused(firwin2(numtaps, freq, gain, None, hamming, antisymmetric, None), name);
    }
    for nfreqs in [0, 9, usize::MAX] {
        refused(firwin2(9, &[0.0, 1.0], &[1.0, 1.0], Some(nfreqs), hamming, false, None), "nfreqs");
    }
    for (ripple, width, name) in [
        (7.0, 0.1, "ripple"),
        (f64::NAN, 0.1, "ripple"),
        (f64::INFINITY, 0.1, "ripple"),
        (60.0, 0.0, "width"),
        (60.0, -0.1, "width"),
        (60.0, f64::NAN, "width"),
        (60.0, 1e-12, "width"),
    ] {
        refused(kaiserord(ripple, width), name);
        refused(FirDesign::kaiser(ripple, width).lowpass(0.5), name);
    }
    refused(Fir::from_taps(Vec::new()), "taps");
    refused(Fir::from_taps(vec![1.0, f64::INFINITY]), "taps");
    refused(Fir::from_taps(vec![1e300]).and_then(|h| h.prepare::<f32>()), "taps");
    refused(savgol_coeffs(0, 0, 0, 1.0), "window_length");
    refused(savgol_coeffs(5, 5, 0, 1.0), "polyorder");
    refused(savgol_coeffs(5, 2, 0, 0.0), "delta");
    // A derivative of a higher degree than the polynomial's.
    assert_eq!(savgol_coeffs(5, 2, 3, 1.0).expect("taps"), Array1::<f64>::zeros(5));
    assert_eq!(savgol_coeffs(1, 0, 0, 1.0).expect("a tap"), array![1.0]);
}

#[test]
fn windows_and_responses_refuse_what_makes_no_sense() {
    refused(Window::Hann.symmetric(0), "n");
    refused(Window::Hann.periodic(usize::MAX), "n");
    for (window, name) in [
        (Window::Kaiser { beta: f64::NAN }, "beta"),
        (Window::Kaiser { beta: -1.0 }, "beta"),
        (Window::Kaiser { beta: f64::INFINITY }, "beta"),
        (Window::Gaussian { std: 0.0 }, "std"),
        (Window::GeneralGaussian { p: f64::NAN, sig: 1.0 }, "p"),
        (Window::GeneralGaussian { p: 1.0, sig: -1.0 }, "sig"),
        (Window::Tukey { alpha: 1.1 }, "alpha"),
        (Window::GeneralHamming { alpha: f64::NAN }, "alpha"),
        (Window::Exponential { tau: 0.0 }, "tau"),
        (Window::Chebyshev { attenuation: 1e9 }, "attenuation"),
        (Window::Taylor { nbar: 0, sll: 30.0 }, "nbar"),
        (Window::Taylor { nbar: 4, sll: -30.0 }, "sll"),
    ] {
        refused(window.symmetric(5), name);
        refused(window.periodic(5), name);
        refused(firwin(5, &[0.5], true, window, true, None), name);
    }
    for text in ["", "han", "kaiser", "kaiser:", "kaiser:x", "kaiser:1,2", "hann:1", "taylor:1.5,3", "kaiser:nan"] {
        assert!(text.parse::<Window>().is_err(), "{text}");
    }
    refused(freqz(&[], Frequencies::Half(4), None), "h");
    refused(freqz(&[f64::NAN], Frequencies::Half(4), None), "h");
    for grid in [
        Frequencies::Half(0),
        Frequencies::HalfWithNyquist(0),
        Frequencies::Whole(0),
        Frequencies::At(&[]),
        Frequencies::Half(usize::MAX),
        Frequencies::At(&[f64::NAN]),
    ] {
        refused(freqz(&[1.0], grid, None), "frequencies");
        refused(group_delay(&[1.0, 2.0], grid, None), "frequencies");
    }
    refused(freqz(&[1.0], Frequencies::Half(4), Some(0.0)), "fs");
    // Two taps that cancel at the Nyquist frequency, beside one that makes the filter lopsided.
    let (_, delay) = group_delay(&[1.0, 1.0, 0.0], Frequencies::HalfWithNyquist(3), None).expect("a delay");
    assert!(delay[0].is_finite() && delay[2].is_nan());
}

#[test]
fn signals_that_cannot_be_filtered_or_resampled_are_refused() {
    let (x, h) = (array![[1.0, 2.0, 3.0]], array![1.0, 1.0]);
    let none = Array2::<f64>::zeros((2, 0));
    for (up, down, name) in [(0, 1, "up"), (1, 0, "down")] {
        refused(upfirdn(&h, &x, up, down, Axis(1), Boundary::Zero), name);
        refused(resample_poly(&x, up, down, Axis(1)), name);
        refused(Resampler::<f64>::with_taps(up, down, &[1.0]), name);
    }
    refused(upfirdn(&Array1::zeros(0), &x, 1, 1, Axis(1), Boundary::Zero), "h");
    refused(upfirdn(&h, &none, 1, 1, Axis(1), Boundary::Zero), "x");
    refused(upfirdn(&h, &x, 1, 1, Axis(2), Boundary::Zero), "axis");
    refused(resample_poly(&none, 2, 1, Axis(1)), "x");
    refused(resample_poly(&x, 2, 1, Axis(2)), "axis");
    refused(resample_poly(&x, usize::MAX, 2, Axis(1)), "up");
    refused(resample_poly(&x, 2, usize::MAX, Axis(1)), "down");
    refused(Resampler::<f64>::with_taps(2, 1, &[]), "taps");
    refused(Resampler::<f64>::with_window(2, 1, Window::Gaussian { std: f64::NAN }), "std");
    let complex = x.mapv(|v| Complex::new(v, 1.0));
    refused(Resampler::new(2, 1).and_then(|r| r.padding(Padding::Median).apply(&complex, Axis(1))), "padding");
    // What no memory holds.
    for up in [1 << 58, usize::MAX / 4, usize::MAX] {
        let result = upfirdn(&h, &x, up, 1, Axis(1), Boundary::Zero);
        assert!(matches!(result, Err(Error::Overflow { .. } | Error::Other { .. })), "{result:?}");
        assert_eq!(
            upfirdn(&array![3.0], &array![2.0], up, 1, Axis(0), Boundary::Zero).expect("one sample"),
            array![6.0]
        );
    }
    let large = Resampler::<f64>::with_taps(usize::MAX, 1, &[1.0]).expect("a resampler");
    assert!(matches!(large.apply(&x, Axis(1)), Err(Error::Overflow { .. } | Error::Other { .. })));
    assert_eq!(large.output_len(2), usize::MAX);
    // Down by more than there is.
    assert_eq!(upfirdn(&h, &x, 1, usize::MAX, Axis(1), Boundary::Zero).expect("the first"), array![[1.0]]);

    let filter = Fir::from_taps(h.clone()).and_then(|h| h.prepare::<f64>()).expect("a filter");
    refused(filter.apply(&x, Axis(2)), "axis");
    refused(filter.apply(&none, Axis(1)), "x");
    refused(filter.filtfilt(&Array1::zeros(6), Axis(0)), "x");
    refused(filter.filtfilt(&x, Axis(5)), "axis");
    assert!(filter.filtfilt(&Array1::zeros(7), Axis(0)).is_ok());
    let valid = filter.clone().mode(Mode::Valid).apply(&array![1.0], Axis(0));
    assert!(matches!(valid, Err(Error::KernelTooLong { .. })), "{valid:?}");
    let mut short = Array2::zeros((1, 2));
    assert!(matches!(filter.apply_into(&x, Axis(1), &mut short), Err(Error::Shape { .. })));
    refused(correlation_lags(0, 1, Mode::Full), "n1");
    refused(correlation_lags(1, 0, Mode::Same), "n2");
    assert!(matches!(correlation_lags(usize::MAX, 1, Mode::Full), Err(Error::Overflow { .. })));
}

//! Windows, filter designs, frequency responses and changes of rate: SciPy's answers, properties, and what is refused.

use faltung::filter::Extension;
use faltung::filter::fir::{Window, firwin, firwin2, kaiser_atten, kaiser_beta, kaiserord};
use faltung::filter::resample::{Padding, Resampler, upfirdn};
use faltung::ndarray::{Array1, ArrayD, Axis, IxDyn};
use faltung::{Boundary, Complex};
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
            place["shape"].as_array().expect("a shape").iter().map(|n| n.as_u64().expect("n") as usize).collect();
        let from = &self.values[place["at"].as_u64().expect("a place") as usize..];
        let complex = place["complex"].as_bool().expect("a flag");
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
    for case in Table::read().of("upfirdn", 150) {
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
        let resampler = if case.about["h"].is_object() {
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

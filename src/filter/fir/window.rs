//! Windows, by the names and formulas of `scipy.signal.windows`.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use ndarray::Array1;
use num_complex::Complex;
use rustfft::FftPlanner;

use super::check;
use crate::error::{Error, Result};

/// A window: the weights that an ideal response, or a stretch of a signal, is faded out with.
///
/// Names and formulas are those of `scipy.signal.windows`. A window is written as its name, with its parameters
/// behind a colon: `hann`, `kaiser:8.6`, `general_gaussian:1.5,7`.
///
/// | window | written | parameters |
/// |---|---|---|
/// | [`Boxcar`](Self::Boxcar) | `boxcar`, `rectangular` | |
/// | [`Triangular`](Self::Triangular) | `triang` | |
/// | [`Bartlett`](Self::Bartlett), [`BartlettHann`](Self::BartlettHann) | `bartlett`, `barthann` | |
/// | [`Hann`](Self::Hann), [`Hamming`](Self::Hamming) | `hann`, `hamming` | |
/// | [`GeneralHamming`](Self::GeneralHamming) | `general_hamming:0.6` | `alpha` |
/// | [`Blackman`](Self::Blackman), [`BlackmanHarris`](Self::BlackmanHarris) | `blackman`, `blackmanharris` | |
/// | [`Nuttall`](Self::Nuttall), [`FlatTop`](Self::FlatTop) | `nuttall`, `flattop` | |
/// | [`Bohman`](Self::Bohman), [`Parzen`](Self::Parzen) | `bohman`, `parzen` | |
/// | [`Cosine`](Self::Cosine), [`Lanczos`](Self::Lanczos) | `cosine`, `lanczos` | |
/// | [`Tukey`](Self::Tukey) | `tukey:0.5` | `alpha`, the part that is faded |
/// | [`Kaiser`](Self::Kaiser) | `kaiser:8.6` | `beta` |
/// | [`Gaussian`](Self::Gaussian) | `gaussian:7` | `std`, in samples |
/// | [`GeneralGaussian`](Self::GeneralGaussian) | `general_gaussian:1.5,7` | `p`, `sig` in samples |
/// | [`Exponential`](Self::Exponential) | `exponential:3` | `tau`, in samples |
/// | [`Chebyshev`](Self::Chebyshev) | `chebwin:100` | `attenuation`, in dB |
/// | [`Taylor`](Self::Taylor) | `taylor:4,30` | `nbar`, `sll` in dB |
///
/// ```
/// use faltung::filter::fir::Window;
/// assert_eq!(Window::Hann.symmetric(5)?.to_vec(), [0.0, 0.5, 1.0, 0.5, 0.0]);
/// assert_eq!(Window::Hann.periodic(4)?.to_vec(), [0.0, 0.5, 1.0, 0.5]);
/// assert_eq!("kaiser:8.6".parse::<Window>()?, Window::Kaiser { beta: 8.6 });
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Window {
    /// Ones.
    Boxcar,
    /// A triangle whose ends are not zero.
    Triangular,
    /// A triangle that begins and ends with zero.
    Bartlett,
    /// A Bartlett window and a cosine (Ha and Pearce, 1989).
    BartlettHann,
    /// A raised cosine that begins and ends with zero.
    Hann,
    /// A raised cosine on a pedestal of 0.08: the default of designs, as in SciPy.
    #[default]
    Hamming,
    /// A raised cosine with `alpha` of pedestal and `1 - alpha` of cosine.
    GeneralHamming {
        /// The weight of the constant.
        alpha: f64,
    },
    /// Three terms of a cosine series.
    Blackman,
    /// Four terms, with side lobes below -92 dB (Harris, 1978).
    BlackmanHarris,
    /// Four terms (Nuttall, 1981, with continuous first derivative).
    Nuttall,
    /// Five terms, for reading off amplitudes (ISO 18431-2).
    FlatTop,
    /// A triangle's convolution with itself, of half a cosine.
    Bohman,
    /// Pieces of cubics: a box convolved with itself three times (de la Vallée Poussin).
    Parzen,
    /// Half a period of a sine.
    Cosine,
    /// The main lobe of a sinc.
    Lanczos,
    /// Flat, with ends faded by half a cosine each.
    Tukey {
        /// The part that is faded: none at 0, all of it (a Hann window) at 1.
        alpha: f64,
    },
    /// Nearly the window with the most energy in its main lobe (Kaiser, 1966).
    Kaiser {
        /// The shape: 0 is a boxcar, 5 is near a Hamming, 8.6 near a Blackman window. [`kaiser_beta`](super::kaiser_beta)
        /// has it from an attenuation.
        beta: f64,
    },
    /// A Gaussian.
    Gaussian {
        /// The standard deviation, in samples.
        std: f64,
    },
    /// `exp(-|n / sig|^2p / 2)`: a Gaussian with `p = 1`, nearly a boxcar with large `p`.
    GeneralGaussian {
        /// The shape.
        p: f64,
        /// The standard deviation, in samples.
        sig: f64,
    },
    /// A decay from the middle to both sides.
    Exponential {
        /// Samples by which it falls to 1 / e.
        tau: f64,
    },
    /// Side lobes of equal height (Dolph, 1946).
    Chebyshev {
        /// The attenuation of the side lobes, in dB.
        attenuation: f64,
    },
    /// The first side lobes of equal height, the others falling (Taylor, 1955): the window of radar.
    Taylor {
        /// The number of side lobes that are of nearly equal height.
        nbar: usize,
        /// Their suppression, in dB.
        sll: f64,
    },
}

impl Window {
    /// The window of `n` samples that is the same read from either end: for the design of filters.
    ///
    /// # Errors
    /// [`Error::Argument`] for no samples, more than [`MAX_TAPS`](super::MAX_TAPS), or a parameter that makes no sense.
    ///
    /// ```
    /// use faltung::filter::fir::Window;
    /// assert_eq!(Window::Triangular.symmetric(4)?.to_vec(), [0.25, 0.75, 0.75, 0.25]);
    /// assert!(Window::Gaussian { std: -1.0 }.symmetric(4).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn symmetric(&self, n: usize) -> Result<Array1<f64>> {
        check::taps("n", n)?;
        self.check()?;
        Ok(self.values(n).into())
    }

    /// One period of `n` samples of the window repeated for ever: for spectra.
    ///
    /// # Errors
    /// As [`symmetric`](Self::symmetric).
    ///
    /// ```
    /// use faltung::filter::fir::Window;
    /// // Neighbours that overlap by half add up to one.
    /// let w = Window::Hann.periodic(8)?;
    /// assert!((0..4).all(|i| (w[i] + w[i + 4] - 1.0).abs() < 1e-15));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn periodic(&self, n: usize) -> Result<Array1<f64>> {
        check::taps("n", n)?;
        self.check()?;
        let mut values = if n == 1 { vec![1.0] } else { self.values(n + 1) };
        values.truncate(n);
        Ok(values.into())
    }

    /// Refuses parameters that make no sense.
    fn check(&self) -> Result<()> {
        let (name, value, (low, high), expected) = match *self {
            Self::Tukey { alpha } => ("alpha", alpha, (0.0, 1.0), "a part from 0 to 1"),
            Self::GeneralHamming { alpha } => ("alpha", alpha, (0.0, 1.0), "a weight from 0 to 1"),
            Self::Kaiser { beta } => ("beta", beta, (0.0, 1e6), "a number from 0 to 1e6"),
            Self::Gaussian { std } => ("std", std, (f64::MIN_POSITIVE, f64::MAX), "a positive number of samples"),
            Self::GeneralGaussian { p, sig } => {
                check::within("p", p, 0.0, f64::MAX, "a number from 0 on")?;
                ("sig", sig, (f64::MIN_POSITIVE, f64::MAX), "a positive number of samples")
            }
            Self::Exponential { tau } => ("tau", tau, (f64::MIN_POSITIVE, f64::MAX), "a positive number of samples"),
            Self::Chebyshev { attenuation } => {
                ("attenuation", attenuation, (f64::MIN_POSITIVE, 1000.0), "0 to 1000 dB")
            }
            Self::Taylor { nbar, sll } => {
                if nbar == 0 || nbar > 1000 {
                    return Err(Error::argument("nbar", "1 to 1000 side lobes", nbar));
                }
                ("sll", sll, (f64::MIN_POSITIVE, 1000.0), "0 to 1000 dB")
            }
            _ => return Ok(()),
        };
        check::within(name, value, low, high, expected)
    }

    /// The symmetric window.
    fn values(&self, n: usize) -> Vec<f64> {
        if n == 1 {
            return vec![1.0];
        }
        let m = n as f64;
        let last = m - 1.0;
        let middle = last / 2.0;
        let mirrored = |f: &dyn Fn(f64) -> f64| mirrored(n, f);
        let cosines = |a: &[f64]| {
            mirrored(&|d| a.iter().enumerate().map(|(k, a)| a * (2.0 * PI * k as f64 * d / last).cos()).sum::<f64>())
        };
        match *self {
            Self::Boxcar => vec![1.0; n],
            Self::Triangular => {
                let half = if n.is_multiple_of(2) { m } else { m + 1.0 };
                mirrored(&|d| 1.0 - 2.0 * d / half)
            }
            Self::Bartlett => mirrored(&|d| 1.0 - d / middle),
            Self::BartlettHann => mirrored(&|d| 0.62 - 0.48 * d / last + 0.38 * (2.0 * PI * d / last).cos()),
            Self::Hann => cosines(&[0.5, 0.5]),
            Self::Hamming => cosines(&[0.54, 0.46]),
            Self::GeneralHamming { alpha } => cosines(&[alpha, 1.0 - alpha]),
            Self::Blackman => cosines(&[0.42, 0.5, 0.08]),
            Self::BlackmanHarris => cosines(&[0.35875, 0.48829, 0.14128, 0.01168]),
            Self::Nuttall => cosines(&[0.363_581_9, 0.489_177_5, 0.136_599_5, 0.010_641_1]),
            Self::FlatTop => cosines(&[0.215_578_95, 0.416_631_58, 0.277_263_158, 0.083_578_947, 0.006_947_368]),
            Self::Bohman => mirrored(&|d| {
                let r = d / middle;
                if r >= 1.0 { 0.0 } else { (1.0 - r) * (PI * r).cos() + (PI * r).sin() / PI }
            }),
            Self::Parzen => mirrored(&|d| {
                let r = 2.0 * d / m;
                if d <= last / 4.0 { 1.0 - 6.0 * r * r * (1.0 - r) } else { 2.0 * (1.0 - r).powi(3) }
            }),
            Self::Cosine => mirrored(&|d| (PI * d / m).cos()),
            Self::Lanczos => mirrored(&|d| sinc(d / middle)),
            Self::Tukey { alpha } => mirrored(&|d| {
                let faded = d - (1.0 - alpha) * middle;
                if faded <= 0.0 { 1.0 } else { 0.5 * (1.0 + (PI * faded / (alpha * middle)).cos()) }
            }),
            Self::Kaiser { beta } => mirrored(&|d| {
                let r = d / middle;
                bessel_ratio(beta * ((1.0 - r) * (1.0 + r)).max(0.0).sqrt(), beta)
            }),
            Self::Gaussian { std } => mirrored(&|d| (-0.5 * (d / std).powi(2)).exp()),
            Self::GeneralGaussian { p, sig } => mirrored(&|d| (-0.5 * (d / sig).powf(2.0 * p)).exp()),
            Self::Exponential { tau } => mirrored(&|d| (-d / tau).exp()),
            Self::Chebyshev { attenuation } => chebyshev(n, attenuation),
            Self::Taylor { nbar, sll } => taylor(n, nbar, sll),
        }
    }

    /// Its written name and its parameters.
    fn name(&self) -> (&'static str, Vec<f64>) {
        match *self {
            Self::Boxcar => ("boxcar", vec![]),
            Self::Triangular => ("triang", vec![]),
            Self::Bartlett => ("bartlett", vec![]),
            Self::BartlettHann => ("barthann", vec![]),
            Self::Hann => ("hann", vec![]),
            Self::Hamming => ("hamming", vec![]),
            Self::GeneralHamming { alpha } => ("general_hamming", vec![alpha]),
            Self::Blackman => ("blackman", vec![]),
            Self::BlackmanHarris => ("blackmanharris", vec![]),
            Self::Nuttall => ("nuttall", vec![]),
            Self::FlatTop => ("flattop", vec![]),
            Self::Bohman => ("bohman", vec![]),
            Self::Parzen => ("parzen", vec![]),
            Self::Cosine => ("cosine", vec![]),
            Self::Lanczos => ("lanczos", vec![]),
            Self::Tukey { alpha } => ("tukey", vec![alpha]),
            Self::Kaiser { beta } => ("kaiser", vec![beta]),
            Self::Gaussian { std } => ("gaussian", vec![std]),
            Self::GeneralGaussian { p, sig } => ("general_gaussian", vec![p, sig]),
            Self::Exponential { tau } => ("exponential", vec![tau]),
            Self::Chebyshev { attenuation } => ("chebwin", vec![attenuation]),
            Self::Taylor { nbar, sll } => ("taylor", vec![nbar as f64, sll]),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, parameters) = self.name();
        f.write_str(name)?;
        for (i, p) in parameters.iter().enumerate() {
            write!(f, "{}{p}", if i == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let numbers = rest.map_or(Ok(vec![]), |rest| rest.split(',').map(|p| p.trim().parse::<f64>()).collect());
        let numbers = numbers.map_err(|_| Error::parse(text, "the window's parameters are not numbers"))?;
        let window = match (name.trim().to_ascii_lowercase().as_str(), &numbers[..]) {
            ("boxcar" | "rectangular" | "rect", []) => Self::Boxcar,
            ("triang" | "triangle" | "triangular", []) => Self::Triangular,
            ("bartlett", []) => Self::Bartlett,
            ("barthann", []) => Self::BartlettHann,
            ("hann", []) => Self::Hann,
            ("hamming", []) => Self::Hamming,
            ("general_hamming", &[alpha]) => Self::GeneralHamming { alpha },
            ("blackman", []) => Self::Blackman,
            ("blackmanharris", []) => Self::BlackmanHarris,
            ("nuttall", []) => Self::Nuttall,
            ("flattop", []) => Self::FlatTop,
            ("bohman", []) => Self::Bohman,
            ("parzen", []) => Self::Parzen,
            ("cosine", []) => Self::Cosine,
            ("lanczos" | "sinc", []) => Self::Lanczos,
            ("tukey", []) => Self::Tukey { alpha: 0.5 },
            ("tukey", &[alpha]) => Self::Tukey { alpha },
            ("kaiser", &[beta]) => Self::Kaiser { beta },
            ("gaussian", &[std]) => Self::Gaussian { std },
            ("general_gaussian", &[p, sig]) => Self::GeneralGaussian { p, sig },
            ("exponential" | "poisson", &[tau]) => Self::Exponential { tau },
            ("chebwin" | "chebyshev", &[attenuation]) => Self::Chebyshev { attenuation },
            ("taylor", []) => Self::Taylor { nbar: 4, sll: 30.0 },
            ("taylor", &[nbar, sll]) if nbar.fract() == 0.0 && nbar >= 0.0 => Self::Taylor { nbar: nbar as usize, sll },
            _ => return Err(Error::parse(text, "no window of this name takes these parameters")),
        };
        window.check()?;
        Ok(window)
    }
}

/// `n` values by their distance from the middle: computed for the first half only, which the second mirrors bit by bit.
pub(super) fn mirrored(n: usize, f: &dyn Fn(f64) -> f64) -> Vec<f64> {
    let middle = (n as f64 - 1.0) / 2.0;
    let mut values: Vec<f64> = (0..n.div_ceil(2)).map(|i| f(middle - i as f64)).collect();
    for i in (0..n / 2).rev() {
        values.push(values[i]);
    }
    values
}

/// `sin(πx) / (πx)`.
pub(super) fn sinc(x: f64) -> f64 {
    let t = PI * x;
    if t == 0.0 { 1.0 } else { t.sin() / t }
}

/// `I₀(x) / I₀(y)` of the modified Bessel function of the first kind, without overflow.
fn bessel_ratio(x: f64, y: f64) -> f64 {
    scaled_bessel(x) / scaled_bessel(y) * (x - y).exp()
}

/// `I₀(x) · e^-x` for `x >= 0`: the power series, all of whose terms are positive, and the asymptotic one (Abramowitz
/// and Stegun 9.6.12 and 9.7.1), whose smallest term is far below the last bit where it takes over.
fn scaled_bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    if x < 30.0 {
        for k in 1..200 {
            term *= (x / (2.0 * f64::from(k))).powi(2);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return sum * (-x).exp();
    }
    for k in 1..30 {
        term *= (2.0 * f64::from(k) - 1.0).powi(2) / (8.0 * x * f64::from(k));
        sum += term;
    }
    sum / (2.0 * PI * x).sqrt()
}

/// The transform of a Chebyshev polynomial along the unit circle.
fn chebyshev(n: usize, attenuation: f64) -> Vec<f64> {
    let order = n as f64 - 1.0;
    // cosh(acosh(v) / order), of v = 10^(attenuation / 20).
    let beta = (10f64.powf(attenuation / 20.0).acosh() / order).cosh();
    let mut spectrum: Vec<Complex<f64>> = (0..n)
        .map(|k| {
            let x = beta * (PI * k as f64 / n as f64).cos();
            let value = if x.abs() <= 1.0 {
                (order * x.acos()).cos()
            } else {
                let sign = if x < 0.0 && n.is_multiple_of(2) { -1.0 } else { 1.0 };
                sign * (order * x.abs().acosh()).cosh()
            };
            let phase = if n.is_multiple_of(2) { PI * k as f64 / n as f64 } else { 0.0 };
            Complex::from_polar(1.0, phase) * value
        })
        .collect();
    FftPlanner::new().plan_fft_forward(n).process(&mut spectrum);
    // The half from the middle on, and its mirror image.
    let first = 1 - n % 2;
    let half = n.div_ceil(2);
    let right: Vec<f64> = spectrum.iter().skip(first).take(half).map(|v| v.re).collect();
    let peak = right.iter().fold(f64::MIN_POSITIVE, |a, &v| a.max(v));
    let left = right.iter().skip(n % 2).rev();
    left.chain(&right).map(|v| v / peak).collect()
}

fn taylor(n: usize, nbar: usize, sll: f64) -> Vec<f64> {
    let a = 10f64.powf(sll / 20.0).acosh() / PI;
    let s2 = (nbar as f64).powi(2) / (a * a + (nbar as f64 - 0.5).powi(2));
    let weights: Vec<f64> = (1..nbar)
        .map(|m| {
            let m2 = (m * m) as f64;
            let product = |other: bool, f: &dyn Fn(f64) -> f64| -> f64 {
                (1..nbar).filter(|&i| !other || i != m).map(|i| 1.0 - m2 / f(i as f64)).product()
            };
            let sign = if m % 2 == 1 { 1.0 } else { -1.0 };
            sign * product(false, &|i| s2 * (a * a + (i - 0.5).powi(2))) / (2.0 * product(true, &|i| i * i))
        })
        .collect();
    let at = |d: f64| {
        let sum: f64 = weights.iter().zip(1..).map(|(w, m)| w * (2.0 * PI * f64::from(m) * d / n as f64).cos()).sum();
        1.0 + 2.0 * sum
    };
    let peak = at(0.0);
    mirrored(n, &|d| at(d) / peak)
}

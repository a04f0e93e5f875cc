//! The algorithms beside one another, and beside the crate `ndarray-conv`, on a few filters; every answer is checked:
//!
//! ```sh
//! cargo bench --bench fields [-- WORD…]    # problems whose text holds one of the words
//! ```
//!
//! A time is the median of one call by which a result is allocated and computed, planned beforehand (faltung keeps its
//! plan, `ndarray-conv` has none to keep).

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use faltung::ndarray::{ArrayD, Ix1, Ix2, Ix3, IxDyn};
use faltung::reference::Elements;
use faltung::{Algorithm, Mode, Planner, Problem, Workspace};
use ndarray_conv::{ConvExt, ConvFFTExt, ConvMode, PaddingMode};

const PROBLEMS: [(&str, Mode); 6] = [
    ("5000*31", Mode::Full),
    ("262144*4096", Mode::Full),
    ("512x512*3x3", Mode::Same),
    ("512x512*31x31", Mode::Same),
    ("1024x1024*7x7", Mode::Valid),
    ("64x64x64*5x5x5", Mode::Same),
];

/// Time that a call is repeated for.
const BUDGET: Duration = Duration::from_millis(300);
/// A call that may take longer than this, in seconds, as the planner predicts it, is left out.
const PATIENCE: f64 = 5.0;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo passes flags of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (sizes, mode) in PROBLEMS {
        let text = format!("{sizes}:{mode}");
        if words.is_empty() || words.iter().any(|word| text.contains(word)) {
            let problem = text.parse()?;
            compare(&problem, mode)?;
        }
    }
    Ok(())
}

fn compare(problem: &Problem, mode: Mode) -> Result<(), Box<dyn Error>> {
    let [input, kernel, output] = problem.operands();
    let (x, h) = (numbers(&input, 1), numbers(&kernel, 2));
    let (xs, hs) = (x.as_slice().ok_or("a dense array")?, h.as_slice().ok_or("a dense array")?);
    let check = Check::new(problem, xs, hs)?;
    println!("{problem}");

    let chosen = Planner::new().recipe(problem)?.algorithm();
    for algorithm in Algorithm::ALL {
        let Ok(plan) = Planner::new().algorithm(algorithm).plan::<f32>(problem) else { continue };
        if plan.candidate().predicted > PATIENCE {
            continue;
        }
        let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
        let mark = if algorithm == chosen { "*" } else { "" };
        report(&format!("{algorithm}{mark}"), &check, || {
            let mut y = vec![0.0; output.iter().product()];
            plan.run(xs, hs, &mut y, &mut workspace)?;
            Ok(y)
        })?;
    }

    // The other crate knows no batch and channels, and its ranks are those of the compiler.
    macro_rules! other {
        ($rank:ty) => {{
            let spatial = |a: &ArrayD<f32>| a.to_shape(&a.shape()[2..]).map(|a| a.into_owned());
            let x = spatial(&x)?.into_dimensionality::<$rank>()?;
            let h = spatial(&h)?.into_dimensionality::<$rank>()?;
            report("ndarray-conv", &check, || {
                Ok(x.conv(&h, theirs(mode), PaddingMode::Zeros).map_err(|e| e.to_string())?.into_iter().collect())
            })?;
            report("ndarray-conv, fft", &check, || {
                Ok(x.conv_fft(&h, theirs(mode), PaddingMode::Zeros).map_err(|e| e.to_string())?.into_iter().collect())
            })?;
        }};
    }
    match problem.rank() {
        1 => other!(Ix1),
        2 => other!(Ix2),
        _ => other!(Ix3),
    }
    println!();
    Ok(())
}

fn theirs<const RANK: usize>(mode: Mode) -> ConvMode<RANK> {
    match mode {
        Mode::Valid => ConvMode::Valid,
        Mode::Same => ConvMode::Same,
        _ => ConvMode::Full,
    }
}

/// Times `call` and checks what it returns.
fn report(
    name: &str,
    check: &Check,
    mut call: impl FnMut() -> Result<Vec<f32>, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let error = check.error(&call()?)?;
    let warm = begun.elapsed();
    let (mut times, begun) = (Vec::new(), Instant::now());
    while times.len() < 3 || begun.elapsed() < BUDGET {
        let start = Instant::now();
        black_box(call()?);
        times.push(start.elapsed());
        if warm > 4 * BUDGET {
            break;
        }
    }
    times.sort();
    let median = times[times.len() / 2].as_secs_f64() * 1e3;
    println!("  {name:20} {median:10.3} ms  error {error:.1e}");
    assert!(error < 1e-4, "{name} gives a wrong answer");
    Ok(())
}

/// A sample of a problem's result.
struct Check {
    length: usize,
    sample: Vec<(usize, f64)>,
    /// The root mean square of the sample.
    scale: f64,
}

impl Check {
    fn new(problem: &Problem, x: &[f32], h: &[f32]) -> Result<Self, Box<dyn Error>> {
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let (x, h) = (wide(x), wide(h));
        let shape = problem.output_shape();
        let length: usize = shape.iter().product();
        let mut elements = Elements::new(problem, &x, &h)?;
        let mut sample = Vec::new();
        for i in (0..length).step_by(length / 100 + 1).chain([length - 1]) {
            let mut index = vec![0; shape.len()];
            let mut rest = i;
            for (place, n) in index.iter_mut().zip(&shape).rev() {
                (*place, rest) = (rest % n, rest / n);
            }
            sample.push((i, elements.at(&index)?));
        }
        let squares: f64 = sample.iter().map(|(_, v)| v * v).sum();
        let scale = (squares / sample.len() as f64).sqrt();
        Ok(Self { length, sample, scale })
    }

    /// The largest error, as a multiple of the root mean square.
    fn error(&self, result: &[f32]) -> Result<f64, Box<dyn Error>> {
        if result.len() != self.length {
            return Err(format!("{} results where {} were expected", result.len(), self.length).into());
        }
        let errors = self.sample.iter().map(|&(i, expected)| (f64::from(result[i]) - expected).abs() / self.scale);
        Ok(errors.fold(0.0, |most: f64, e| if e > most || e.is_nan() { e } else { most }))
    }
}

/// Numbers from -1 to 1 (SplitMix64).
fn numbers(shape: &[usize], mut seed: u64) -> ArrayD<f32> {
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    })
}

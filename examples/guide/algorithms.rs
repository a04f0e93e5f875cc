//! Chapters 9 and 16: predicted costs and measured errors of the algorithms.

use std::path::Path;

use faltung::ndarray::Array1;
use faltung::{Algorithm, Convolution, Mode, Planner, Problem, convolve};

use crate::data::Noise;
use crate::plot::*;

const SHOWN: [(Algorithm, &str, plotters::style::RGBColor); 3] =
    [(Algorithm::Direct, "direct", BLUE), (Algorithm::Im2col, "im2col", ORANGE), (Algorithm::Fft, "fft", RED)];

/// The planner's predictions, in logarithms, of each algorithm for kernels of many sizes.
fn predictions(sizes: &[usize], problem: impl Fn(usize) -> faltung::Result<Problem>) -> Done<Vec<Vec<(f64, f64)>>> {
    let planner = Planner::new();
    let mut curves = vec![Vec::new(); SHOWN.len()];
    for &size in sizes {
        let explanation = planner.explain(&problem(size)?)?;
        for (curve, (algorithm, ..)) in curves.iter_mut().zip(SHOWN) {
            let of = explanation.candidates.iter().find(|c| c.algorithm == algorithm && c.recipe.is_some());
            curve.extend(of.map(|c| ((size as f64).log2(), c.predicted.log10())));
        }
    }
    Ok(curves)
}

/// Predicted times against the kernel's size, of a signal and of an image.
pub fn cost(path: &Path) -> Done {
    // Four sizes an octave.
    let sizes = |octaves: u32| {
        let mut all: Vec<_> = (0..=4 * octaves).map(|q| (f64::from(q) / 4.0).exp2().round() as usize).collect();
        all.dedup();
        all
    };
    let signal = predictions(&sizes(10), |k| Problem::field(&[1 << 20], &[k]).mode(Mode::Same).build())?;
    let image = predictions(&sizes(7), |k| Problem::field(&[512, 512], &[k, k]).mode(Mode::Same).build())?;
    figure(path, (1600, 760), |area| {
        let (left, right) = area.split_horizontally(800);
        let panels = [
            (left, signal, "A signal of 1 048 576 samples", "taps", 10.0, -4.0..0.0),
            (right, image, "An image of 512 x 512", "taps along each axis", 7.0, -5.0..0.5),
        ];
        for (panel, curves, heading, label, octaves, seconds) in panels {
            let mut axes = Axes::new(heading, (label, 0.0..octaves), ("predicted time, in seconds", seconds));
            axes.numbers = (power_of_two, power_of_ten);
            axes.ticks = (if octaves > 8.0 { 6 } else { 8 }, 5);
            let mut chart = axes.draw(&panel)?;
            for (curve, (.., colour)) in curves.into_iter().zip(SHOWN) {
                line(&mut chart, curve, colour)?;
            }
            legend(&panel, (190, 110), &SHOWN.map(|(_, name, colour)| (name, colour)))?;
        }
        Ok(())
    })
}

/// The largest error of each algorithm in single precision, beside the bound that its plan states.
pub fn errors(path: &Path) -> Done {
    const N: usize = 4096;
    let x: Array1<f64> = Noise(7).take(N).collect();
    let mut measured = vec![Vec::new(); SHOWN.len()];
    let mut bounds = measured.clone();
    for octave in 0..=10u32 {
        let h: Array1<f64> = Noise(100 + u64::from(octave)).take(1 << octave).collect();
        // Rounded first, so that all begin from the same numbers; then in double precision, as good as exact.
        let (x, h) = (x.mapv(|v| v as f32), h.mapv(|v| v as f32));
        let exact = convolve(&x.mapv(f64::from), &h.mapv(f64::from), Mode::Same)?;
        let most = x.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let scale = f64::from(most) * h.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        for (i, (algorithm, ..)) in SHOWN.into_iter().enumerate() {
            let filter = Convolution::new(&h).mode(Mode::Same).algorithm(algorithm).plan(N)?;
            let y = filter.apply(&x)?;
            let error = y.iter().zip(&exact).fold(0.0f64, |most, (a, b)| most.max((f64::from(*a) - b).abs()));
            measured[i].push((f64::from(octave), (error / scale).log10()));
            bounds[i].push((f64::from(octave), filter.plan().error_bound().log10()));
        }
    }
    figure(path, (1600, 760), |area| {
        let mut axes = Axes::new(
            "Largest error (dots) and bound (lines), single precision",
            ("taps", 0.0..10.0),
            ("error / (max|x|·‖h‖₂)", -9.0..-4.0),
        );
        axes.numbers = (power_of_two, power_of_ten);
        axes.ticks = (11, 6);
        let mut chart = axes.draw(area)?;
        for (i, (.., colour)) in SHOWN.into_iter().enumerate() {
            line(&mut chart, bounds[i].clone(), colour)?;
            // The direct sum and im2col add in the same order: their points are the same.
            let mark = if i == 0 { rings } else { dots };
            mark(&mut chart, measured[i].clone(), colour)?;
        }
        legend(area, (1080, 40), &SHOWN.map(|(_, name, colour)| (name, colour)))
    })
}

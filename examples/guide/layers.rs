//! Chapters 12 to 15: channels, im2col, pooling, gradients, text.

use std::path::Path;

use faltung::ndarray::{Array1, Array2, array, s};
use faltung::{Algorithm, Boundary, Convolution, DType, Mode, Pass, Planner, Problem, Workspace, correlate};

use crate::plot::*;

const CELL: i32 = 78;

/// The data and the kernels of two channels.
fn two_channels() -> ([Array2<f64>; 2], [Array2<f64>; 2]) {
    let data = [
        array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]],
        array![[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]],
    ];
    (data, [array![[1.0, 0.0], [0.0, 1.0]], array![[1.0, 1.0], [1.0, 1.0]]])
}

/// An output channel as a sum over input channels.
pub fn channels(path: &Path) -> Done {
    let (x, w) = two_channels();
    let parts = [correlate(&x[0], &w[0], Mode::Valid)?, correlate(&x[1], &w[1], Mode::Valid)?];
    figure(path, (1600, 680), |area| {
        title(area, "One output channel: correlate each input channel with its own slice, and add")?;
        for c in 0..2 {
            let top = 110 + c as i32 * 280;
            text(area, (40, top + 3 * CELL / 2), &format!("channel {c}"), INK)?;
            matrix(area, (230, top), CELL, &rows(&x[c]), 16.0)?;
            centred(area, (530, top + 3 * CELL / 2), "⋆", INK)?;
            matrix(area, (590, top + CELL / 2), CELL, &rows(&w[c]), 2.0)?;
            centred(area, (810, top + 3 * CELL / 2), "=", INK)?;
            matrix(area, (870, top + CELL / 2), CELL, &rows(&parts[c]), 16.0)?;
            rule(area, (1050, top + 3 * CELL / 2), (1190, 367), GREY, 5)?;
        }
        centred(area, (1220, 367), "+", INK)?;
        matrix(area, (1290, 367 - CELL), CELL, &rows(&(&parts[0] + &parts[1])), 16.0)?;
        text(area, (1290, 367 + CELL + 40), "output", INK)
    })
}

/// The same sum as a matrix product.
pub fn im2col(path: &Path) -> Done {
    let (x, w) = two_channels();
    let mut patches = Array2::zeros((8, 4));
    for c in 0..2 {
        for (column, window) in x[c].windows((2, 2)).into_iter().enumerate() {
            for (tap, v) in window.iter().enumerate() {
                patches[[4 * c + tap, column]] = *v;
            }
        }
    }
    let weights = Array2::from_shape_fn((1, 8), |(_, i)| *w[i / 4].iter().nth(i % 4).unwrap_or(&0.0));
    let product = weights.dot(&patches);
    figure(path, (1600, 840), |area| {
        title(area, "im2col: every column holds what one output reads; one row holds the kernel")?;
        matrix(area, (60, 400), CELL, &rows(&weights), 2.0)?;
        text(area, (60, 360), "kernel, 1 x 8", INK)?;
        centred(area, (735, 439), "·", INK)?;
        matrix(area, (790, 130), CELL, &rows(&patches), 16.0)?;
        frame(area, (790, 130), (790 + 4 * CELL, 130 + 4 * CELL), ORANGE)?;
        frame(area, (790, 130 + 4 * CELL), (790 + 4 * CELL, 130 + 8 * CELL), GREEN)?;
        centred(area, (1155, 439), "=", INK)?;
        matrix(area, (1210, 400), CELL, &rows(&product), 16.0)?;
        text(area, (1210, 360), "outputs, 1 x 4", INK)?;
        text(area, (790, 800), "patches, 8 x 4", INK)?;
        legend(area, (60, 800), &[("channel 0", ORANGE), ("channel 1", GREEN)])
    })
}

/// ReLU, then the largest and the mean of each 2 x 2.
pub fn pooling(path: &Path) -> Done {
    let y = array![[1.0, -2.0, 3.0, 0.0], [-1.0, 5.0, -3.0, 2.0], [0.0, 1.0, -1.0, -4.0], [2.0, -6.0, 4.0, 7.0]];
    let kept = y.mapv(|v: f64| v.max(0.0));
    let most: Vec<f64> = kept.exact_chunks((2, 2)).into_iter().map(|c| c.fold(0.0, |a: f64, &b| a.max(b))).collect();
    let most = Array2::from_shape_vec((2, 2), most)?;
    let quarter = Array2::from_elem((2, 2), 0.25);
    let mean = Convolution::new(&quarter).mode(Mode::Valid).stride(&[2]).plan(kept.raw_dim())?.apply(&kept)?;
    const CELL: i32 = 100;
    figure(path, (1600, 620), |area| {
        title(area, "ReLU sets what is negative to 0; pooling keeps one number of each 2 x 2")?;
        for (left, values, label) in [(50, &y, "responses"), (560, &kept, "after ReLU")] {
            matrix(area, (left, 120), CELL, &rows(values), 7.0)?;
            quarters(area, (left, 120), 2 * CELL)?;
            centred(area, (left + 2 * CELL, 570), label, INK)?;
            centred(area, (left + 4 * CELL + 55, 320), "→", INK)?;
        }
        for (left, values, label) in [(1070, &most, "largest"), (1340, &mean, "mean")] {
            matrix(area, (left, 220), CELL, &rows(values), 7.0)?;
            quarters(area, (left, 220), CELL)?;
            centred(area, (left + CELL, 570), label, INK)?;
        }
        Ok(())
    })
}

/// Frames in four colours around the quarters of a square, each of this size.
fn quarters(area: &Area<'_>, at: (i32, i32), size: i32) -> Done {
    const INSET: i32 = 4;
    for (i, colour) in (0..).zip([ORANGE, GREEN, PURPLE, INK]) {
        let (x, y) = (at.0 + i % 2 * size, at.1 + i / 2 * size);
        frame(area, (x + INSET, y + INSET), (x + size - INSET, y + size - INSET), colour)?;
    }
    Ok(())
}

/// A layer of one dimension with the loss `Σ y³ / 3`, and its gradients.
struct Cubic {
    problem: Problem,
    planner: Planner,
}

impl Cubic {
    fn output(&self, x: &Array1<f64>, w: &Array1<f64>) -> Done<Vec<f64>> {
        self.run(Pass::Forward, &x.to_vec(), &w.to_vec())
    }

    fn loss(&self, x: &Array1<f64>, w: &Array1<f64>) -> Done<f64> {
        Ok(self.output(x, w)?.iter().map(|v| v.powi(3) / 3.0).sum())
    }

    fn run(&self, pass: Pass, first: &[f64], second: &[f64]) -> Done<Vec<f64>> {
        let problem = self.problem.with_pass(pass);
        let mut result = vec![0.0; problem.operands()[2].iter().product()];
        self.planner.plan(&problem)?.run(first, second, &mut result, &mut Workspace::new())?;
        Ok(result)
    }
}

/// How difference quotients approach the gradient, and a kernel learnt by descending along it.
pub fn gradients(path: &Path) -> Done {
    let x: Array1<f64> = crate::data::Noise(21).take(40).collect();
    let w = array![0.5, -0.3, 0.8, 0.1, -0.6];
    let problem = Problem::layer(1, 1, 1, &[40], &[5]).dtype(DType::F64).build()?;
    let layer = Cubic { problem, planner: Planner::new().algorithm(Algorithm::Direct) };
    let slope: Vec<f64> = layer.output(&x, &w)?.iter().map(|v| v * v).collect();
    let gradient = layer.run(Pass::WeightGradient, &x.to_vec(), &slope)?;
    let mut quotients = Vec::new();
    for tenths in 5..=120 {
        let step = 10f64.powf(-f64::from(tenths) / 10.0);
        let (mut above, mut below) = (w.clone(), w.clone());
        above[2] += step;
        below[2] -= step;
        let quotient = (layer.loss(&x, &above)? - layer.loss(&x, &below)?) / (2.0 * step);
        let error = ((quotient - gradient[2]) / gradient[2]).abs().max(1e-16);
        quotients.push((-f64::from(tenths) / 10.0, error.log10()));
    }
    let losses = descent(&x)?;
    figure(path, (1600, 720), |area| {
        let (left, right) = area.split_horizontally(800);
        let mut axes =
            Axes::new("Difference quotient against gradient", ("step", -12.0..-0.5), ("relative error", -13.0..1.0));
        axes.numbers = (power_of_ten, power_of_ten);
        axes.ticks = (6, 7);
        let mut chart = axes.draw(&left)?;
        line(&mut chart, quotients, BLUE)?;
        let mut axes = Axes::new(
            "Learning a kernel from data",
            ("step of descent", 0.0..40.0),
            ("mean squared error", -15.0..1.0),
        );
        axes.numbers = (plain, power_of_ten);
        axes.ticks = (7, 8);
        let mut chart = axes.draw(&right)?;
        line(&mut chart, losses, GREEN)
    })
}

/// The logarithms of the errors of a kernel that descends to the one which made the answers.
fn descent(x: &Array1<f64>) -> Done<Vec<(f64, f64)>> {
    let goal = correlate(x, &array![1.0, 0.0, -1.0], Mode::Valid)?;
    let mut w = Array1::zeros(3);
    let mut losses = Vec::new();
    for step in 0..=36 {
        let error = correlate(x, &w, Mode::Valid)? - &goal;
        let loss = error.mapv(|v: f64| v * v).mean().unwrap_or(0.0);
        losses.push((f64::from(step), loss.log10()));
        // The weight gradient: the data correlated with the gradient of the outputs.
        w.scaled_add(-0.4 / goal.len() as f64, &correlate(x, &error, Mode::Valid)?);
    }
    Ok(losses)
}

/// Words as columns of channels, a kernel that reads two words, and its response.
pub fn sentence(path: &Path) -> Done {
    let words = ["the", "soup", "was", "good", ",", "the", "tea", "not", "good"];
    let vectors = Array2::from_shape_fn((2, words.len()), |(c, i)| match (c, words[i]) {
        (0, "not") | (1, "good") => 1.0,
        _ => 0.0,
    });
    let kernel = array![[-2.0, 0.0], [0.0, 1.0]];
    let response = Convolution::new(&kernel)
        .correlate()
        .padding(&[(0, 0), (1, 0)])
        .boundary(Boundary::Zero)
        .plan(vectors.raw_dim())?
        .apply(&vectors)?;
    const CELL: (i32, i32) = (120, 84);
    let row = |area: &Area<'_>, top: i32, name: &str, values: Vec<f64>, most: f64| -> Done {
        text(area, (30, top + CELL.1 / 2), name, INK)?;
        for (i, v) in values.into_iter().enumerate() {
            cell(area, (480 + i as i32 * CELL.0, top), CELL, &plain(v), diverging(v / most))?;
        }
        Ok(())
    };
    figure(path, (1600, 690), |area| {
        title(area, "Nine words, two channels; the kernel reads a word and the one before it")?;
        for (i, word) in words.iter().enumerate() {
            centred(area, (480 + i as i32 * CELL.0 + CELL.0 / 2, 140), word, INK)?;
        }
        row(area, 180, "channel 0: denial", vectors.row(0).to_vec(), 2.0)?;
        row(area, 180 + CELL.1, "channel 1: praise", vectors.row(1).to_vec(), 2.0)?;
        row(area, 400, "response", response.slice(s![0, ..]).to_vec(), 2.0)?;
        text(area, (30, 570), "kernel: (word before, word)", INK)?;
        for (c, taps) in rows(&kernel).into_iter().enumerate() {
            for (t, v) in taps.into_iter().enumerate() {
                let at = (480 + t as i32 * CELL.0, 528 + c as i32 * 60);
                cell(area, at, (CELL.0, 60), &plain(v), diverging(v / 2.0))?;
            }
        }
        Ok(())
    })
}

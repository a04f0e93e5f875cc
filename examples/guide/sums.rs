//! Chapters 1 to 4: the sum, modes, correlation, boundaries.

use std::path::Path;

use faltung::ndarray::{Array1, array, s};
use faltung::{Boundary, Convolution, Mode, convolve, correlate};

use crate::data::Noise;
use crate::plot::*;

/// Flip and slide, by numbers.
pub fn sum(path: &Path) -> Done {
    let (x, h) = (array![1.0, 2.0, 3.0], array![4.0, 5.0]);
    let y = convolve(&x, &h, Mode::Full)?;
    const CELL: i32 = 90;
    const WIDE: i32 = 68;
    figure(path, (1600, 680), |area| {
        title(area, "(1, 2, 3) ∗ (4, 5): the kernel is flipped to (5, 4) and slides")?;
        for (o, &sum) in y.iter().enumerate() {
            let (left, top) = (30 + o as i32 * 390, 190);
            let column = |i: isize| left + (i as i32 + 1) * WIDE;
            let (size, middle) = ((WIDE, CELL), left + WIDE * 5 / 2);
            centred(area, (middle, 120), &format!("o = {o}"), INK)?;
            for (i, v) in x.iter().enumerate() {
                cell(area, (column(i as isize), top), size, &plain(*v), SKY)?;
            }
            let mut products = Vec::new();
            for (t, tap) in h.iter().enumerate() {
                let position = o as isize - t as isize;
                let data = usize::try_from(position).ok().and_then(|i| x.get(i));
                let colour = if data.is_some() { ORANGE } else { PALE };
                cell(area, (column(position), top + 110), size, &plain(*tap), colour)?;
                if let Some(v) = data {
                    products.push(format!("{}·{}", plain(*tap), plain(*v)));
                    let x = column(position) + WIDE / 2;
                    rule(area, (x, top + CELL), (x, top + 110), INK, 5)?;
                }
            }
            centred(area, (middle, top + 255), &products.join(" + "), INK)?;
            cell(area, (middle - 55, top + 300), (110, CELL), &plain(sum), GREEN)?;
        }
        legend(area, (98, 640), &[("data x", SKY), ("kernel h, flipped", ORANGE), ("result y", GREEN)])
    })
}

/// The same sums in four lengths.
pub fn modes(path: &Path) -> Done {
    let (x, h) = (array![1.0, 2.0, 3.0, 4.0, 5.0], array![1.0, 1.0, 1.0]);
    let full = convolve(&x, &h, Mode::Full)?;
    const CELL: i32 = 100;
    figure(path, (1600, 640), |area| {
        title(area, "(1, 2, 3, 4, 5) ∗ (1, 1, 1) in four modes")?;
        let column = |o: usize| 420 + o as i32 * CELL;
        text(area, (60, 130), "data, 5 samples", INK)?;
        for (i, v) in x.iter().enumerate() {
            // Output o of `full` is the sum that ends at sample o.
            cell(area, (column(i), 90), (CELL, 80), &plain(*v), SKY)?;
        }
        let modes = [(Mode::Full, BLUE), (Mode::Same, GREEN), (Mode::Valid, RED), (Mode::Causal, PURPLE)];
        for (row, (mode, colour)) in modes.into_iter().enumerate() {
            let (y, top) = (convolve(&x, &h, mode)?, 210 + row as i32 * 100);
            let first = match mode {
                Mode::Full | Mode::Causal => 0,
                Mode::Same => (h.len() - 1) / 2,
                Mode::Valid => h.len() - 1,
            };
            text(area, (60, top + 40), &format!("{mode}, {} outputs", y.len()), INK)?;
            for o in 0..full.len() {
                let inside = o.checked_sub(first).and_then(|i| y.get(i));
                let (label, fill) = inside.map_or((String::new(), PALE), |v| (plain(*v), colour));
                cell(area, (column(o), top), (CELL, 80), &label, fill)?;
            }
        }
        text(area, (1150, 250), "all sums that touch data", INK)?;
        text(area, (1150, 350), "as long as the data", INK)?;
        text(area, (1150, 450), "whole overlaps only", INK)?;
        text(area, (1150, 550), "no look into the future", INK)
    })
}

/// A chirp hidden in noise, and where it is found.
pub fn lag(path: &Path) -> Done {
    const AT: usize = 220;
    let chirp = Array1::from_shape_fn(64, |i| (0.08 * i as f64 + 0.012 * (i * i) as f64).sin());
    let mut heard: Array1<f64> = Noise(3).take(400).collect();
    heard.slice_mut(s![AT..AT + chirp.len()]).scaled_add(1.0, &chirp);
    let likeness = correlate(&heard, &chirp, Mode::Valid)?;
    let most = likeness.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i);
    let points = |a: &Array1<f64>, from: usize| -> Vec<_> {
        a.iter().enumerate().map(|(i, v)| ((i + from) as f64, *v)).collect()
    };
    figure(path, (1600, 1040), |area| {
        let (above, below) = area.split_vertically(520);
        let heading = format!("A chirp of 64 samples, hidden in noise from sample {AT} on");
        let mut chart = Axes::new(&heading, ("sample", 0.0..400.0), ("amplitude", -4.0..4.0)).draw(&above)?;
        line(&mut chart, points(&heard, 0), GREY)?;
        line(&mut chart, points(&chirp, AT), ORANGE)?;
        legend(&above, (1120, 40), &[("heard", GREY), ("chirp", ORANGE)])?;
        let heading = format!("Correlation with the chirp: the peak is at lag {most}");
        let axes = Axes::new(&heading, ("lag, in samples", 0.0..400.0), ("Σ h[t]·x[lag + t]", -40.0..60.0));
        let mut chart = axes.draw(&below)?;
        line(&mut chart, points(&likeness, 0), BLUE)?;
        dots(&mut chart, [(most as f64, likeness[most])], RED)
    })
}

/// What an identity kernel reads of four samples with six beyond either end.
pub fn boundaries(path: &Path) -> Done {
    let x = array![2.0, 3.0, 5.0, 4.0];
    const BEYOND: isize = 6;
    let all = [
        Boundary::Zero,
        Boundary::Constant(1.0),
        Boundary::Symmetric,
        Boundary::Mirror,
        Boundary::Nearest,
        Boundary::Wrap,
    ];
    figure(path, (1600, 1230), |area| {
        for (panel, boundary) in area.split_evenly((3, 2)).iter().zip(all) {
            let identity = array![1.0];
            let reads = Convolution::new(&identity).padding(&[(BEYOND, BEYOND)]).boundary(boundary);
            let extended = reads.plan(x.len())?.apply(&x)?;
            let heading = match boundary {
                Boundary::Zero => "Zero".to_string(),
                Boundary::Constant(v) => format!("Constant({v:.1})"),
                other => format!("{other:?}"),
            };
            let mut axes = Axes::new(&heading, ("sample", -6.6..9.6), ("", 0.0..5.8));
            axes.ticks = (16, 4);
            let mut chart = axes.draw(panel)?;
            let points = extended.iter().enumerate().map(|(i, v)| (i as f64 - BEYOND as f64, *v));
            let (inside, outside): (Vec<_>, Vec<_>) = points.partition(|p| p.0 >= 0.0 && p.0 < x.len() as f64);
            stems(&mut chart, outside, ORANGE)?;
            stems(&mut chart, inside, BLUE)?;
            legend(panel, (400, 40), &[("data", BLUE), ("read outside", ORANGE)])?;
        }
        Ok(())
    })
}

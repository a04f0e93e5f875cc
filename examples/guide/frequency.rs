//! Chapters 8 and 10: spectra, circular sums, a room, frequency responses.

use std::f64::consts::{PI, TAU};
use std::path::Path;

use faltung::ndarray::{Array1, array};
use faltung::{Boundary, Complex, Convolution, Mode, convolve};

use crate::data::{Noise, sound};
use crate::plot::*;

/// The value of a kernel's Fourier series at a frequency in cycles a sample.
fn spectrum(h: &Array1<f64>, frequency: f64) -> Complex<f64> {
    h.iter().enumerate().map(|(t, v)| Complex::from_polar(*v, -TAU * frequency * t as f64)).sum()
}

/// A signal, a kernel and their convolution, above their spectra.
pub fn theorem(path: &Path) -> Done {
    const N: usize = 96;
    let x: Array1<f64> =
        Noise(5).take(N).enumerate().map(|(i, noise)| (TAU * 0.03 * i as f64).sin() + 0.35 * noise).collect();
    let h = Array1::from_shape_fn(9, |i| 0.5 - 0.5 * (TAU * (i + 1) as f64 / 10.0).cos()) / 5.0;
    let y = convolve(&x, &h, Mode::Full)?;
    let panels = [("x", &x, BLUE), ("h", &h, ORANGE), ("y = x ∗ h", &y, GREEN)];
    figure(path, (1600, 960), |area| {
        let areas = area.split_evenly((2, 3));
        for (i, (name, signal, colour)) in panels.into_iter().enumerate() {
            let top = if i == 1 { 0.3 } else { 2.2 };
            let bottom = if i == 1 { 0.0 } else { -2.2 };
            let mut axes = Axes::new(name, ("sample", 0.0..[104.0, 9.0, 104.0][i]), ("", bottom..top));
            axes.ticks = (5, 5);
            let mut chart = axes.draw(&areas[i])?;
            let points = signal.iter().enumerate().map(|(n, v)| (n as f64, *v));
            if i == 1 {
                stems(&mut chart, points, colour)?
            } else {
                line(&mut chart, points, colour)?
            }
            let name = ["|X|", "|H|", "|Y|; dots: |X|·|H|"][i];
            let mut axes = Axes::new(name, ("cycles a sample", 0.0..0.5), ("", 0.0..[50.0, 1.1, 50.0][i]));
            axes.ticks = (6, 5);
            let mut chart = axes.draw(&areas[3 + i])?;
            let frequencies = (0..=240).map(|k| f64::from(k) / 480.0);
            line(&mut chart, frequencies.clone().map(|f| (f, spectrum(signal, f).norm())), colour)?;
            if i == 2 {
                // Every eighth point of the product of the other two, on the curve of the third.
                let product = frequencies.step_by(8).map(|f| (f, (spectrum(&x, f) * spectrum(&h, f)).norm()));
                dots(&mut chart, product, RED)?;
            }
        }
        Ok(())
    })
}

/// A ring too short for the sum, and one that is long enough.
pub fn circular(path: &Path) -> Done {
    let h = array![4.0, 5.0];
    const CELL: i32 = 110;
    figure(path, (1600, 540), |area| {
        title(area, "(1, 2, 3) ∗ (4, 5) on rings of 3 and of 4 samples")?;
        for (i, x) in [array![1.0, 2.0, 3.0], array![1.0, 2.0, 3.0, 0.0]].into_iter().enumerate() {
            let ring = Convolution::new(&h).mode(Mode::Same).anchor(&[0]).boundary(Boundary::Wrap);
            let (y, left) = (ring.plan(x.len())?.apply(&x)?, 230 + i as i32 * 830);
            text(area, (left - 180, 160), "data", INK)?;
            text(area, (left - 180, 340), "circular", INK)?;
            for (n, (a, b)) in x.iter().zip(&y).enumerate() {
                let at = left + n as i32 * CELL;
                let wrong = x.len() == 3 && n == 0;
                cell(area, (at, 120), (CELL, 84), &plain(*a), if *a == 0.0 { PALE } else { SKY })?;
                cell(area, (at, 300), (CELL, 84), &plain(*b), if wrong { RED } else { GREEN })?;
            }
            let note = ["19 = 4 + 15: the end wraps onto the start", "padded with a zero: 4, 13, 22, 15"][i];
            text(area, (left - 180, 450), note, INK)?;
        }
        legend(area, (50, 510), &[("data", SKY), ("zero", PALE), ("right", GREEN), ("wrapped", RED)])
    })
}

/// A sound, a room's response, and the sound in the room.
pub fn room(path: &Path) -> Done {
    let ((dry, rate), (response, _)) = (sound("tabla.wav")?, sound("room.wav")?);
    let wet = convolve(&dry, &response, Mode::Full)?;
    let scaled = |a: &Array1<f32>| {
        let most = a.iter().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
        (a / most).to_vec()
    };
    figure(path, (1600, 1140), |area| {
        let panels = [
            ("The tabla as it was recorded", &dry, BLUE),
            ("The room's answer to one click", &response, ORANGE),
            ("Their convolution: the tabla in the room", &wet, GREEN),
        ];
        for (panel, (heading, signal, colour)) in area.split_evenly((3, 1)).iter().zip(panels) {
            let label = if colour == GREEN { "time, in seconds" } else { "" };
            let mut axes = Axes::new(heading, (label, 0.0..6.0), ("amplitude", -1.0..1.0));
            axes.ticks = (7, 3);
            let mut chart = axes.draw(panel)?;
            let columns = 700 * signal.len() / wet.len();
            envelope(&mut chart, &scaled(signal), signal.len() as f64 / rate, columns, colour)?;
        }
        Ok(())
    })
}

/// A low-pass of 101 taps, cut off as it is and faded by Hamming's window; beside it a moving mean.
pub fn responses(path: &Path) -> Done {
    let cut: f64 = 0.1;
    let sinc = Array1::from_shape_fn(101, |i| {
        let t = i as f64 - 50.0;
        if t == 0.0 { 2.0 * cut } else { (TAU * cut * t).sin() / (PI * t) }
    });
    let hamming = Array1::from_shape_fn(101, |i| 0.54 - 0.46 * (TAU * i as f64 / 100.0).cos());
    let faded = &sinc * &hamming;
    let mean = Array1::from_elem(5, 0.2);
    let decibels = |h: &Array1<f64>, f: f64| 20.0 * (spectrum(h, f).norm() / h.sum()).max(1e-6).log10();
    figure(path, (1600, 760), |area| {
        let axes = Axes::new(
            "What is left of each frequency",
            ("frequency, in cycles a sample", 0.0..0.5),
            ("gain, in decibels", -100.0..10.0),
        );
        let mut chart = axes.draw(area)?;
        let frequencies = (0..=600).map(|k| f64::from(k) / 1200.0);
        for (h, colour) in [(&mean, GREY), (&sinc, ORANGE), (&faded, BLUE)] {
            let points = frequencies.clone().map(|f| (f, decibels(h, f).max(-100.0)));
            line(&mut chart, points, colour)?;
        }
        legend(area, (640, 40), &[("mean of 5", GREY), ("sinc, cut off", ORANGE), ("sinc, Hamming", BLUE)])
    })
}

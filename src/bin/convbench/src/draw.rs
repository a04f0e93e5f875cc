//! Problems drawn at random, and a grid of them: what no suite has been chosen for.

use faltung::{Boundary, DType, Layout, Mode, Pass, Problem};

use crate::sample::Random;

/// The arguments that draw problems.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Drawn {
    /// So many layers drawn at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    layers: usize,
    /// So many signals, images and volumes drawn at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    fields: usize,
    /// Square kernels from 1 to 129 on square images from 64 to 4096
    #[arg(long)]
    grid: bool,
    /// What is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Drawn {
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut random = Random::new(self.seed);
        let mut drawn: Vec<String> = (0..self.layers).map(|_| layer(&mut random)).collect();
        drawn.extend((0..self.fields).map(|_| field(&mut random)));
        if self.grid {
            drawn.extend(grid());
        }
        drawn
    }
}

/// Floating-point operations of a layer, at the least and at the most.
const FLOPS: (f64, f64) = (1e4, 4e9);
/// Elements of a layer's arrays together, at the most.
const ELEMENTS: usize = 1 << 25;
/// Samples of a field, at the most.
const SAMPLES: f64 = (4 << 20) as f64;

/// One of some things.
fn one<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len())]
}

/// A number from 1 to `most`, small ones as probable as large ones by their logarithm.
fn logarithmic(random: &mut Random, most: f64) -> usize {
    let share = random.below(1 << 20) as f64 / (1 << 20) as f64;
    (most.max(1.0).powf(share).round() as usize).max(1)
}

/// A layer of a network: dense, by depth or in groups, of any pass.
fn layer(random: &mut Random) -> String {
    loop {
        let pass = one(random, &["", "", "bwd_d:", "bwd_w:"]);
        let channels = [1, 3, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
        let (inputs, outputs) = (one(random, &channels), one(random, &channels));
        let (groups, inputs, outputs) = match random.below(6) {
            0 => (inputs, inputs, inputs),
            1 if inputs % 8 == 0 && outputs % 8 == 0 => (8, inputs, outputs),
            _ => (1, inputs, outputs),
        };
        let kernel = one(random, &[1, 1, 3, 3, 3, 5, 7, 11]);
        let size = one(random, &[7, 14, 28, 56, 112]) + random.below(4);
        let stride = one(random, &[1, 1, 1, 2]);
        let dilation = if kernel > 1 { one(random, &[1, 1, 1, 1, 1, 1, 2]) } else { 1 };
        let padding = one(random, &[1, 1, 1, 0]) * (kernel - 1) * dilation / 2;
        let batch = one(random, &[1, 1, 2, 4, 8, 16]);
        let mut text = format!("{pass}mb{batch}");
        if groups > 1 {
            text += &format!("g{groups}");
        }
        text += &format!("ic{inputs}ih{size}oc{outputs}kh{kernel}");
        for (name, value, default) in [("sh", stride, 1), ("ph", padding, 0), ("dh", dilation - 1, 0)] {
            if value != default {
                text += &format!("{name}{value}");
            }
        }
        let fits = |problem: &Problem| {
            let elements: usize = problem.operands().iter().map(|shape| shape.iter().product::<usize>()).sum();
            (FLOPS.0..FLOPS.1).contains(&problem.flops()) && elements <= ELEMENTS
        };
        if text.parse::<Problem>().is_ok_and(|problem| fits(&problem)) {
            return text;
        }
    }
}

/// A filtered signal, image or volume, the kernel from one tap to as large as the field.
fn field(random: &mut Random) -> String {
    let rank = 1 + random.below(3);
    let samples = logarithmic(random, SAMPLES) as f64;
    let side = samples.powf(1.0 / rank as f64);
    let extents: Vec<usize> = (0..rank)
        .map(|_| {
            let longer = f64::from(random.below(1000) as u32) / 1000.0 - 0.5;
            ((side * longer.exp2()).round() as usize).max(1)
        })
        .collect();
    let kernel: Vec<usize> = extents.iter().map(|&n| logarithmic(random, n as f64)).collect();
    let mode = one(random, &["full", "same", "same", "valid"]);
    format!("{}*{}:{mode}", joined(&extents), joined(&kernel))
}

/// A small problem with anything that one may have: every rank to 4, pass, boundary, mode and element type, layers and
/// fields.
pub(crate) fn any(random: &mut Random) -> Problem {
    loop {
        let rank = one(random, &[1, 1, 2, 2, 2, 3, 4]);
        let layer = random.below(2) == 0;
        let most = if layer { 500.0f64 } else { 30_000.0 };
        let input: Vec<usize> = (0..rank).map(|_| logarithmic(random, 2.0 * most.powf(1.0 / rank as f64))).collect();
        let usual = one(random, &[1, 3, 3, 3, 5, 7]);
        let kernel: Vec<usize> = match layer {
            true => vec![usual; rank],
            false => input.iter().map(|&n| logarithmic(random, 1.2 * n as f64)).collect(),
        };
        let channels = |random: &mut Random| if layer { logarithmic(random, 200.0) } else { 1 };
        let (inputs, outputs) = (channels(random), channels(random));
        let (groups, inputs, outputs) = match random.below(5) {
            0 => (inputs, inputs, inputs),
            1 => (2, 2 * inputs, 2 * outputs),
            _ => (1, inputs, outputs),
        };
        let boundaries = [
            Boundary::Zero,
            Boundary::Zero,
            Boundary::Constant(1.0),
            Boundary::Symmetric,
            Boundary::Mirror,
            Boundary::Nearest,
            Boundary::Wrap,
        ];
        let mut problem = Problem::layer(1 + random.below(3), inputs, outputs, &input, &kernel)
            .groups(groups)
            .boundary(one(random, &boundaries))
            .flip(random.below(2) == 0)
            .pass(one(random, &Pass::ALL))
            .layout(one(random, &[Layout::ChannelsFirst, Layout::ChannelsLast]))
            .dtype(one(random, &[DType::F32, DType::F32, DType::F32, DType::F64, DType::C32, DType::C64]))
            .mode(one(random, &[Mode::Full, Mode::Same, Mode::Valid, Mode::Causal]));
        if random.below(4) == 0 {
            let steps = |random: &mut Random| -> Vec<usize> { (0..rank).map(|_| 1 + random.below(3)).collect() };
            problem = problem.stride(&steps(random)).dilation(&steps(random));
        }
        if let Some(problem) = problem.build().ok().filter(|problem| problem.flops() <= SMALL) {
            return problem;
        }
    }
}

/// Floating-point operations of a small problem, at the most.
const SMALL: f64 = 4e6;

fn joined(extents: &[usize]) -> String {
    extents.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// Square kernels from 1 to 129 on square images from 64 to 4096.
fn grid() -> impl Iterator<Item = String> {
    let kernels = [1, 3, 5, 7, 9, 11, 15, 21, 31, 45, 63, 91, 129];
    let images = (6..=12).map(|power| 1 << power);
    images.flat_map(move |n| kernels.map(|k| format!("{n}x{n}*{k}x{k}:same")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_a_problem() {
        let mut random = Random::new(7);
        for _ in 0..300 {
            let texts = [layer(&mut random), field(&mut random), any(&mut random).to_string()];
            for text in texts {
                assert!(text.parse::<Problem>().is_ok(), "{text}");
            }
        }
        assert_eq!(grid().filter(|text| text.parse::<Problem>().is_ok()).count(), 91);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| (0..20).map(|_| layer(&mut Random::new(seed))).collect::<Vec<_>>();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}

//! Problems of every kind.

use faltung::{Boundary, DType, Layout, MAX_RANK, Mode, Pass, Problem};

use super::data::Random;

/// Every boundary, one of them with a value.
pub const BOUNDARIES: [Boundary; 6] =
    [Boundary::Zero, Boundary::Constant(2.0), Boundary::Symmetric, Boundary::Mirror, Boundary::Nearest, Boundary::Wrap];

pub const MODES: [Mode; 4] = [Mode::Full, Mode::Same, Mode::Valid, Mode::Causal];

pub const LAYOUTS: [Layout; 2] = [Layout::ChannelsFirst, Layout::ChannelsLast];

/// A problem of `rank` spatial axes with anything that a problem may have, of at most `most` floating-point operations.
pub fn any_problem(random: &mut Random, rank: usize, most: f64) -> Problem {
    const INPUT: [usize; MAX_RANK] = [90, 20, 9, 6, 4, 3];
    const KERNEL: [usize; MAX_RANK] = [20, 7, 4, 3, 3, 2];
    loop {
        let mut axis = |most: usize| -> Vec<usize> { (0..rank).map(|_| 1 + random.below(most)).collect() };
        let (input, kernel) = (axis(INPUT[rank - 1]), axis(KERNEL[rank - 1]));
        let (stride, dilation) = (axis(3), axis(3));
        let groups = random.pick(&[1, 1, 1, 2, 3, 5]);
        let channels = [1, 1, 2, 3, 4, 5, 9, 17];
        let (ci, co) = (groups * random.pick(&channels), groups * random.pick(&channels));
        let boundary = random.pick(&BOUNDARIES);
        let mut builder = Problem::layer(1 + random.below(3), ci, co, &input, &kernel)
            .groups(groups)
            .boundary(boundary)
            .flip(random.once_in(2))
            .conjugate(random.once_in(4))
            .pass(random.pick(&Pass::ALL))
            .layout(random.pick(&LAYOUTS))
            .dtype(random.pick(&DType::ALL));
        if random.once_in(2) {
            builder = builder.stride(&stride);
        }
        if random.once_in(2) {
            builder = builder.dilation(&dilation);
        }
        let outside = |random: &mut Random, a: usize| random.between(-2, 2 + 2 * kernel[a] as isize);
        builder = match random.below(6) {
            0 | 1 => builder.mode(random.pick(&MODES)),
            2 | 3 => {
                let padding: Vec<_> = (0..rank).map(|a| (outside(random, a), outside(random, a))).collect();
                builder.padding(&padding)
            }
            4 => {
                let output: Vec<_> = (0..rank).map(|a| (outside(random, a), 1 + random.below(2 * input[a]))).collect();
                builder.output(&output)
            }
            _ => {
                let window: Vec<_> = input.iter().map(|&n| (random.below(n), 1 + random.below(n))).collect();
                builder.mode(Mode::Full).window(&window)
            }
        };
        if let Some(problem) = builder.build().ok().filter(|p| p.flops() <= most) {
            return problem;
        }
    }
}

//! The roots of unity that a transform of one length turns by.

use crate::simd::Isa;

/// One reduction of all blocks.
#[derive(Clone, Debug)]
pub(super) struct Level<R> {
    /// 2, 3, 4, 5 or 7.
    pub(super) radix: usize,
    /// For each block the powers 1 to `radix - 1` of its factor, (real, imaginary).
    pub(super) turns: Vec<R>,
}

/// The reductions of rows down to one row each.
#[derive(Clone, Debug)]
pub(crate) struct Levels<R> {
    rows: usize,
    pub(super) levels: Vec<Level<R>>,
}

/// What is left to do in registers whose every lane is a number.
#[derive(Clone, Debug)]
pub(crate) struct Ends<R> {
    lanes: usize,
    /// Registers of a row.
    registers: usize,
    /// Groups of `lanes` registers after which the turns repeat.
    pub(super) groups: usize,
    /// For each group and each of [`powers`] a register of real and one of imaginary parts.
    pub(super) turns: Vec<R>,
}

/// The radices of `n` rows, those that are odd first; `None` where it has a prime factor above 7.
fn radices(mut n: usize) -> Option<Vec<usize>> {
    let mut radices = Vec::new();
    for radix in [7, 5, 3, 4, 2] {
        while n.is_multiple_of(radix) && n > 1 {
            radices.push(radix);
            n /= radix;
        }
    }
    (n == 1).then_some(radices)
}

/// The powers of a register's root that its end is turned by.
pub(super) fn powers(lanes: usize) -> &'static [usize] {
    match lanes {
        2 => &[1],
        4 => &[1, 2, 3],
        8 => &[1, 2, 3, 4],
        _ => &[1, 2, 3, 4, 8, 12],
    }
}

/// `e^(2πi·turns)`
fn root<R>(turns: f64, number: impl Fn(f64) -> R) -> [R; 2] {
    let (sin, cos) = (turns.fract() * std::f64::consts::TAU).sin_cos();
    [number(cos), number(sin)]
}

impl<R: Copy> Levels<R> {
    /// The reductions modulo `X^rows - e^(2πi·turns)`, and the turns of the factors that remain, a block each. `None`
    /// where the number of rows has a prime factor above 7.
    pub(crate) fn new(rows: usize, turns: f64, number: impl Fn(f64) -> R + Copy) -> Option<(Self, Vec<f64>)> {
        let mut blocks = vec![turns];
        let mut levels = Vec::new();
        for radix in radices(rows)? {
            let r = radix as f64;
            let turns = blocks.iter().flat_map(|t| (1..radix).flat_map(move |m| root(t / r * m as f64, number)));
            levels.push(Level { radix, turns: turns.collect() });
            blocks = blocks.iter().flat_map(|t| (0..radix).map(move |k| (t + k as f64) / r)).collect();
        }
        Some((Self { rows, levels }, blocks))
    }
}

impl<R> Levels<R> {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

impl<R: Copy + super::super::Kernels> Ends<R> {
    /// Those of registers whose roots have made these turns.
    pub(crate) fn new(isa: Isa, turns: &[f64], number: impl Fn(f64) -> R + Copy) -> Self {
        let (lanes, registers) = (R::lanes(isa), turns.len());
        let mut groups = 1;
        while !(groups * lanes).is_multiple_of(registers) {
            groups += 1;
        }
        let mut table = Vec::with_capacity(groups * powers(lanes).len() * 2 * lanes);
        for group in 0..groups {
            for &power in powers(lanes) {
                let turn = |lane: usize| {
                    let register = (group * lanes + lane) % registers;
                    root(turns[register] / lanes as f64 * power as f64, number)
                };
                table.extend((0..lanes).map(|lane| turn(lane)[0]));
                table.extend((0..lanes).map(|lane| turn(lane)[1]));
            }
        }
        Self { lanes, registers, groups, turns: table }
    }
}

impl<R> Ends<R> {
    pub(super) fn fits(&self, lanes: usize, registers: usize) -> bool {
        self.lanes == lanes && self.registers == registers
    }
}

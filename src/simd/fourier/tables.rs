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

/// What is left to do in registers whose every lane is a number: groups of four registers are finished together.
#[derive(Clone, Debug)]
pub(crate) struct Ends<R> {
    lanes: usize,
    /// Registers of a row.
    registers: usize,
    /// Groups of registers after which the turns repeat.
    pub(super) groups: usize,
    /// For each group and each of [`turned`] a register of real and one of imaginary parts.
    pub(super) turns: Vec<R>,
    /// Where that would be a long table: for each group a register of real and one of imaginary parts that its four
    /// registers are multiplied by beforehand, so that the turns of all groups are the same.
    pub(super) twists: Vec<R>,
}

/// Registers that are finished together.
pub(crate) const GROUP: usize = 4;

/// Bytes of turns that stay near beside the data.
const NEAR: usize = 16 << 10;

/// The radices of `n` rows, the last of them 4 where there is one; `None` where it has a prime factor above 7.
fn radices(mut n: usize) -> Option<Vec<usize>> {
    let mut radices = Vec::new();
    let single = n.trailing_zeros() % 2 == 1;
    for radix in [7, 5, 3, 2, 4] {
        while n.is_multiple_of(radix) && n > 1 && (radix != 2 || single && !radices.contains(&2)) {
            radices.push(radix);
            n /= radix;
        }
    }
    (n == 1).then_some(radices)
}

/// The steps of an end: `A` parts of `B` numbers each, the lanes of 16 bytes, and `B` parts of one number.
pub(super) const fn steps<R>(lanes: usize) -> [usize; 2] {
    let b = 16 / size_of::<R>();
    [lanes / b, b]
}

/// The registers of a group that either step turns, and which part they are: not the first.
fn turned([a, b]: [usize; 2]) -> impl Iterator<Item = (usize, usize, usize)> {
    let high = (0..GROUP).map(move |r| (0, r, r / (GROUP / a)));
    high.chain((0..GROUP).map(move |r| (1, r, r % b))).filter(|(_, _, part)| *part > 0)
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

    /// How many of the first levels cut the rows into so many blocks.
    pub(crate) fn cut(&self, blocks: usize) -> Option<usize> {
        let mut all = 1;
        for (i, radix) in self.levels.iter().map(|level| level.radix).chain([1]).enumerate() {
            if all == blocks {
                return Some(i);
            }
            all *= radix;
        }
        None
    }

    /// The fewest blocks, but no less than so many, that the first levels cut the rows into, each of them a number of
    /// groups; 1 where there are none.
    pub(crate) fn blocks(&self, least: usize) -> usize {
        let mut all = 1;
        for level in &self.levels {
            if all >= least {
                break;
            }
            all *= level.radix;
        }
        if (self.rows / all).is_multiple_of(GROUP) { all } else { 1 }
    }

    /// The first levels, which cut the rows into so many blocks: those of columns of as many rows.
    pub(crate) fn first(&self, blocks: usize) -> Option<Self>
    where
        R: Clone,
    {
        Some(Self { rows: blocks, levels: self.levels[..self.cut(blocks)?].to_vec() })
    }
}

impl<R: Copy + super::super::Kernels> Ends<R> {
    /// Those of registers whose roots have made these turns.
    pub(crate) fn new(isa: Isa, turns: &[f64], number: impl Fn(f64) -> R + Copy) -> Self {
        let (lanes, registers) = (R::lanes(isa), turns.len());
        let mut groups = 1;
        while !(groups * GROUP).is_multiple_of(registers) {
            groups += 1;
        }
        let steps @ [a, b] = steps::<R>(lanes);
        let table = |group: [f64; GROUP], to: &mut Vec<R>| {
            // Which register a lane's number comes from by the first step, `q` of them a part.
            let q = GROUP / a;
            let from = |register: usize, lane: usize| lane / b * q + register % q;
            for (step, register, part) in turned(steps) {
                let turn = |lane: usize| {
                    let part = part as f64;
                    if step == 0 {
                        return root(group[from(register, lane)] / a as f64 * part, number);
                    }
                    // By the second step it comes from this register.
                    let register = register / b * b + lane % b;
                    root((group[from(register, lane)] + (register / q) as f64) / lanes as f64 * part, number)
                };
                to.extend((0..lanes).map(|lane| turn(lane)[0]));
                to.extend((0..lanes).map(|lane| turn(lane)[1]));
            }
        };
        let (mut table_of_all, mut twists) = (Vec::new(), Vec::new());
        if registers.is_multiple_of(GROUP) && groups * turned(steps).count() * 2 * lanes * size_of::<R>() > NEAR {
            // Modulo X^L - v^L·i^r, with X = v·Y, is modulo Y^L - i^r.
            table([0.0, 0.25, 0.5, 0.75], &mut table_of_all);
            for group in turns.chunks_exact(GROUP) {
                let turn = |lane: usize| root(group[0] / lanes as f64 * lane as f64, number);
                twists.extend((0..lanes).map(|lane| turn(lane)[0]));
                twists.extend((0..lanes).map(|lane| turn(lane)[1]));
            }
            groups = 1;
        } else {
            for group in 0..groups {
                table(std::array::from_fn(|i| turns[(group * GROUP + i) % registers]), &mut table_of_all);
            }
        }
        Self { lanes, registers, groups, turns: table_of_all, twists }
    }
}

impl<R> Ends<R> {
    pub(super) fn fits(&self, lanes: usize, registers: usize) -> bool {
        self.lanes == lanes && self.registers == registers
    }
}

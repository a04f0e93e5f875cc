//! The passes over planes.

use super::butterflies::{Pair, transform};
use super::lanes::Arithmetic;
use super::tables::{Ends, Level, powers};
use super::{Columns, MOST_LANES, Products, Rows};

/// Bytes of both planes that stay in the nearest cache.
const NEAR: usize = 32 << 10;

/// Where a real and an imaginary part lie.
struct At<R> {
    re: *mut R,
    im: *mut R,
}

impl<R> Clone for At<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for At<R> {}

impl<R> At<R> {
    /// # Safety
    /// Both planes hold `offset` numbers from here on.
    #[inline(always)]
    unsafe fn add(self, offset: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { re: self.re.add(offset), im: self.im.add(offset) } }
    }
}

/// The rows that a walk goes over.
struct Walk<'a, R> {
    levels: &'a [Level<R>],
    rows: usize,
    /// Numbers from one row to the next.
    step: usize,
    /// Registers of a row that are transformed together.
    width: usize,
    /// What is done with rows of one register each once they are reduced.
    ends: Option<&'a Ends<R>>,
}

/// # Safety
/// The call has been checked, and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn columns<V: Arithmetic>(call: Columns<'_, V::Lane>) {
    let at = At { re: call.planes.re.as_mut_ptr(), im: call.planes.im.as_mut_ptr() };
    let (rows, registers) = (call.levels.rows(), call.width / V::LANES);
    let width = (NEAR / 2 / size_of::<V>() / rows).clamp(if rows > 512 { 4 } else { 1 }, 4);
    let mut done = 0;
    while done < registers {
        let width = width.min(registers - done);
        let walk = Walk { levels: &call.levels.levels, rows, step: call.pitch, width, ends: None };
        // SAFETY: `check` has seen that all columns of all rows lie within the planes.
        unsafe {
            let at = at.add(done * V::LANES);
            if call.back {
                reduce::<V, true>(&walk, at)
            } else {
                reduce::<V, false>(&walk, at)
            };
        }
        done += width;
    }
}

/// # Safety
/// The call has been checked, and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn rows<V: Arithmetic>(call: Rows<'_, V::Lane>) {
    let at = At { re: call.planes.re.as_mut_ptr(), im: call.planes.im.as_mut_ptr() };
    let (rows, levels, ends) = (call.levels.rows(), &call.levels.levels, call.ends);
    let together = rows.is_multiple_of(V::LANES);
    let walk = Walk { levels, rows, step: V::LANES, width: 1, ends: together.then_some(ends) };
    // SAFETY: `check` has seen that all rows and the room behind them lie within the planes, and that the ends have
    // turns for the registers of a row.
    unsafe {
        if !together && call.back {
            all_ends::<V, true>(&call, at);
        }
        for &start in call.starts {
            let at = at.add(start);
            if call.back {
                reduce::<V, true>(&walk, at)
            } else {
                reduce::<V, false>(&walk, at)
            };
        }
        if !together && !call.back {
            all_ends::<V, false>(&call, at);
        }
    }
}

/// Reduces rows, depth first until they stay near, then level by level; or the same backwards.
///
/// # Safety
/// All rows lie within the planes; the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn reduce<V: Arithmetic, const BACK: bool>(walk: &Walk<'_, V::Lane>, at: At<V::Lane>) {
    let most = NEAR / 2 / size_of::<V>() / walk.width;
    let (mut far, mut leaf) = (0, walk.rows);
    while far < walk.levels.len() && leaf > most {
        leaf /= walk.levels[far].radix;
        far += 1;
    }
    // Ends want as many registers as there are lanes, all of one leaf.
    let ends_in_leaf = leaf.is_multiple_of(V::LANES);
    let levels = walk.levels.len();
    // SAFETY: blocks of all levels are cut from the rows.
    unsafe {
        if BACK && !ends_in_leaf {
            some_ends::<V, BACK>(walk, at, 0, walk.rows);
        }
        for number in 0..walk.rows / leaf {
            let mut span = walk.rows;
            if !BACK {
                for level in &walk.levels[..far] {
                    let leaves = span / leaf;
                    if number.is_multiple_of(leaves) {
                        block::<V, BACK>(walk, level, number / leaves, span, at);
                    }
                    span /= level.radix;
                }
            }
            if BACK && ends_in_leaf {
                some_ends::<V, BACK>(walk, at, number * leaf, leaf);
            }
            for d in far..levels {
                let d = if BACK { levels - 1 - (d - far) } else { d };
                let mut blocks = 1;
                for level in &walk.levels[far..d] {
                    blocks *= level.radix;
                }
                for b in number * blocks..(number + 1) * blocks {
                    block::<V, BACK>(walk, &walk.levels[d], b, leaf / blocks, at);
                }
            }
            if !BACK && ends_in_leaf {
                some_ends::<V, BACK>(walk, at, number * leaf, leaf);
            }
            if BACK {
                let mut span = leaf;
                for level in walk.levels[..far].iter().rev() {
                    span *= level.radix;
                    let leaves = span / leaf;
                    if (number + 1).is_multiple_of(leaves) {
                        block::<V, BACK>(walk, level, number / leaves, span, at);
                    }
                }
            }
        }
        if !BACK && !ends_in_leaf {
            some_ends::<V, BACK>(walk, at, 0, walk.rows);
        }
    }
}

/// Reduces block `number` of a level, of `span` rows.
///
/// # Safety
/// As [`reduce`]; there are as many blocks.
#[inline(always)]
unsafe fn block<V: Arithmetic, const BACK: bool>(
    walk: &Walk<'_, V::Lane>,
    level: &Level<V::Lane>,
    number: usize,
    span: usize,
    at: At<V::Lane>,
) {
    // SAFETY: the block lies within the rows; the level has turns for each of its blocks.
    unsafe {
        let at = at.add(number * span * walk.step);
        let turns = level.turns.as_ptr().add(number * (level.radix - 1) * 2);
        match level.radix {
            2 => butterflies::<V, 2, BACK>(walk, turns, span, at),
            3 => butterflies::<V, 3, BACK>(walk, turns, span, at),
            4 => butterflies::<V, 4, BACK>(walk, turns, span, at),
            5 => butterflies::<V, 5, BACK>(walk, turns, span, at),
            _ => butterflies::<V, 7, BACK>(walk, turns, span, at),
        }
    }
}

/// # Safety
/// As [`block`]; `turns` points at `R - 1` complex numbers.
#[inline(always)]
unsafe fn butterflies<V: Arithmetic, const R: usize, const BACK: bool>(
    walk: &Walk<'_, V::Lane>,
    turns: *const V::Lane,
    span: usize,
    at: At<V::Lane>,
) {
    let part = span / R;
    // SAFETY: `R` parts of `part` rows make up the block.
    unsafe {
        let mut factors = [Pair::<V>::zero(); R];
        for m in 1..R {
            factors[m] = Pair::splat(turns.add(2 * (m - 1)));
        }
        for j in 0..part {
            for v in 0..walk.width {
                let at = at.add(j * walk.step + v * V::LANES);
                let mut numbers = [Pair::zero(); R];
                for m in 0..R {
                    let at = at.add(m * part * walk.step);
                    numbers[m] = Pair::load(at.re, at.im);
                    if !BACK && m > 0 {
                        numbers[m] = numbers[m].mul(factors[m]);
                    }
                }
                let mut results = transform::<V, R, BACK>(numbers);
                for m in 0..R {
                    if BACK && m > 0 {
                        results[m] = results[m].mul_conj(factors[m]);
                    }
                    let at = at.add(m * part * walk.step);
                    results[m].store(at.re, at.im);
                }
            }
        }
    }
}

/// Finishes, or begins, `count` rows from the `first` on, a multiple of the lanes; does nothing where rows are not
/// registers.
///
/// # Safety
/// As [`reduce`].
#[inline(always)]
unsafe fn some_ends<V: Arithmetic, const BACK: bool>(
    walk: &Walk<'_, V::Lane>,
    at: At<V::Lane>,
    first: usize,
    count: usize,
) {
    let Some(ends) = walk.ends else { return };
    let table = powers(V::LANES).len() * 2 * V::LANES;
    for group in first / V::LANES..(first + count) / V::LANES {
        // SAFETY: the group's registers lie within the rows, and the ends have turns for each group.
        unsafe {
            let at = at.add(group * V::LANES * V::LANES);
            let turns = ends.turns.as_ptr().add(group % ends.groups * table);
            end::<V, BACK>(|i| at.add(i * V::LANES), turns);
        }
    }
}

/// Finishes, or begins, the registers of all rows, groups of which reach from one row into the next, the last into the
/// room behind.
///
/// # Safety
/// As [`rows`].
#[inline(always)]
unsafe fn all_ends<V: Arithmetic, const BACK: bool>(call: &Rows<'_, V::Lane>, at: At<V::Lane>) {
    let (registers, ends) = (call.levels.rows(), call.ends);
    let table = powers(V::LANES).len() * 2 * V::LANES;
    let (mut row, mut register) = (0, 0);
    let mut group = 0;
    while row < call.starts.len() {
        let mut places = [0; MOST_LANES];
        for (i, place) in places.iter_mut().enumerate().take(V::LANES) {
            if row < call.starts.len() {
                *place = call.starts[row] + register * V::LANES;
                register += 1;
                if register == registers {
                    (row, register) = (row + 1, 0);
                }
            } else {
                *place = call.room + i * V::LANES;
            }
        }
        // SAFETY: the registers lie within the rows or the room behind them; the ends have turns for each group.
        unsafe {
            let turns = ends.turns.as_ptr().add(group % ends.groups * table);
            end::<V, BACK>(|i| at.add(places[i]), turns);
        }
        group += 1;
    }
}

/// Transposes as many registers as there are lanes and reduces each lane from a block of numbers to its values at the
/// roots; or backwards.
///
/// # Safety
/// `place` tells where registers lie, and `turns` points at a register for both parts of each of [`powers`].
#[inline(always)]
unsafe fn end<V: Arithmetic, const BACK: bool>(place: impl Fn(usize) -> At<V::Lane>, turns: *const V::Lane) {
    let lanes = V::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [Pair::<V>::zero(); MOST_LANES];
        for i in 0..lanes {
            let at = place(i);
            x[i] = Pair::load(at.re, at.im);
        }
        // The turns of [`powers`], by their place there.
        let turn = |i: usize| Pair::<V>::load(turns.add(2 * i * lanes), turns.add((2 * i + 1) * lanes));
        if !BACK {
            transpose(&mut x);
        }
        match lanes {
            2 if BACK => {
                let b = transform::<V, 2, BACK>([x[0], x[1]]);
                (x[0], x[1]) = (b[0], b[1].mul_conj(turn(0)));
            }
            2 => [x[0], x[1]] = transform::<V, 2, BACK>([x[0], x[1].mul(turn(0))]),
            _ => {
                if !BACK {
                    outer::<V, BACK>(&mut x, &turn);
                }
                for k in 0..lanes / 4 {
                    let mut a = [x[4 * k], x[4 * k + 1], x[4 * k + 2], x[4 * k + 3]];
                    let own = |m: usize| k * m * (16 / lanes);
                    if !BACK {
                        for m in 1..4 {
                            a[m] = a[m].mul(turn(m - 1)).turn_sixteenths::<BACK>(own(m));
                        }
                    }
                    let mut b = transform::<V, 4, BACK>(a);
                    if BACK {
                        for m in 1..4 {
                            b[m] = b[m].turn_sixteenths::<BACK>(own(m)).mul_conj(turn(m - 1));
                        }
                    }
                    (x[4 * k], x[4 * k + 1], x[4 * k + 2], x[4 * k + 3]) = (b[0], b[1], b[2], b[3]);
                }
                if BACK {
                    outer::<V, BACK>(&mut x, &turn);
                }
            }
        }
        if BACK {
            transpose(&mut x);
        }
        for i in 0..lanes {
            let at = place(i);
            x[i].store(at.re, at.im);
        }
    }
}

/// The first reduction of an end, to blocks of four.
///
/// # Safety
/// As [`end`].
#[inline(always)]
unsafe fn outer<V: Arithmetic, const BACK: bool>(x: &mut [Pair<V>; MOST_LANES], turn: &impl Fn(usize) -> Pair<V>) {
    // SAFETY: the caller's promise.
    unsafe {
        for j in 0..4 {
            match V::LANES {
                8 => {
                    let a = if BACK { [x[j], x[j + 4]] } else { [x[j], x[j + 4].mul(turn(3))] };
                    let b = transform::<V, 2, BACK>(a);
                    (x[j], x[j + 4]) = if BACK { (b[0], b[1].mul_conj(turn(3))) } else { (b[0], b[1]) };
                }
                16 => {
                    let mut a = [x[j], x[j + 4], x[j + 8], x[j + 12]];
                    if !BACK {
                        for m in 1..4 {
                            a[m] = a[m].mul(turn(m + 2));
                        }
                    }
                    let mut b = transform::<V, 4, BACK>(a);
                    if BACK {
                        for m in 1..4 {
                            b[m] = b[m].mul_conj(turn(m + 2));
                        }
                    }
                    (x[j], x[j + 4], x[j + 8], x[j + 12]) = (b[0], b[1], b[2], b[3]);
                }
                _ => {}
            }
        }
    }
}

/// Exchanges registers and lanes, by as many perfect shuffles as a lane's number has bits.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
unsafe fn transpose<V: Arithmetic>(x: &mut [Pair<V>; MOST_LANES]) {
    let half = V::LANES / 2;
    for _ in 0..V::LANES.trailing_zeros() {
        let from = *x;
        for i in 0..half {
            // SAFETY: the caller's promise.
            unsafe {
                let (re, im) = (from[i].re.zip(from[i + half].re), from[i].im.zip(from[i + half].im));
                (x[2 * i], x[2 * i + 1]) = (Pair { re: re.0, im: im.0 }, Pair { re: re.1, im: im.1 });
            }
        }
    }
}

/// # Safety
/// The call has been checked, and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn products<V: Arithmetic>(call: Products<'_, V::Lane>) {
    // SAFETY: `check` has seen that all planes have one length, whole registers.
    unsafe {
        match (call.conjugate, call.add) {
            (false, false) => all_products::<V, false, false>(call),
            (false, true) => all_products::<V, false, true>(call),
            (true, false) => all_products::<V, true, false>(call),
            (true, true) => all_products::<V, true, true>(call),
        }
    }
}

/// # Safety
/// As [`products`].
#[inline(always)]
unsafe fn all_products<V: Arithmetic, const CONJUGATE: bool, const ADD: bool>(call: Products<'_, V::Lane>) {
    let (re, im) = (call.sum.re.as_mut_ptr(), call.sum.im.as_mut_ptr());
    for at in (0..call.sum.re.len()).step_by(V::LANES) {
        // SAFETY: the caller's promise.
        unsafe {
            let [first, second] =
                [call.first, call.second].map(|[re, im]| Pair::<V>::load(re.as_ptr().add(at), im.as_ptr().add(at)));
            let mut product = first.turn::<CONJUGATE>(second);
            if ADD {
                product = Pair::load(re.add(at), im.add(at)).add(product);
            }
            product.store(re.add(at), im.add(at));
        }
    }
}

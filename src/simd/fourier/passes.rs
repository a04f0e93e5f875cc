//! The passes over planes.

use super::butterflies::{Pair, transform};
use super::lanes::Arithmetic;
use super::tables::{Ends, GROUP, Level, steps};
use super::{Columns, Products, Rows, What};
use crate::simd::Caches;
use crate::simd::memory::prefetch_line;

/// Registers of a row that are transformed together where they come from far away.
const WIDE: usize = 8;

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
    /// The number of the piece of longer rows that these are, and how many pieces those have.
    piece: [usize; 2],
    rows: usize,
    /// Numbers from one row to the next.
    step: usize,
    /// Registers of a row that are transformed together.
    width: usize,
    /// What is done with rows of one register each once they are reduced.
    ends: Option<Finish<'a, R>>,
    /// What the transformed numbers are multiplied by, if by anything, in the same places.
    factor: Option<[*const R; 2]>,
}

/// How registers are finished.
struct Finish<'a, R> {
    /// The last level, where groups of four registers are done with it.
    last: Option<&'a Level<R>>,
    ends: &'a Ends<R>,
    /// Where the room begins.
    room: usize,
}

/// # Safety
/// The call has been checked, and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn columns<V: Arithmetic>(call: Columns<'_, V::Lane>) {
    let [rows, width, pitch] = call.shape();
    let registers = width / V::LANES;
    let [re, im] = &call.planes;
    // SAFETY: there is a row.
    let at = unsafe { At { re: re.row(0), im: im.row(0) } };
    // What comes from beyond the second cache comes in longer pieces.
    let caches = Caches::detect();
    let far = 2 * rows * pitch * size_of::<V::Lane>() > caches.second / 2;
    let near = (caches.first / 2 / size_of::<V>() / rows).clamp(if rows > 512 { 4 } else { 1 }, 4);
    let most = if far { WIDE } else { near };
    let mut done = 0;
    while done < registers {
        let width = most.min(registers - done);
        let levels = &call.levels.levels;
        let walk = Walk { levels, piece: [0, 1], rows, step: pitch, width, ends: None, factor: None };
        // SAFETY: `check` has seen that all columns of all rows lie within the planes.
        unsafe {
            reduce::<V>(&walk, at.add(done * V::LANES), &[0], [!call.back, call.back]);
        }
        done += width;
    }
}

/// # Safety
/// The call has been checked, and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn rows<V: Arithmetic>(call: Rows<'_, V::Lane>) {
    let at = At { re: call.planes.re.as_mut_ptr(), im: call.planes.im.as_mut_ptr() };
    let [_, pieces] = call.piece;
    let (rows, ends, room) = (call.levels.rows() / pieces, call.ends, call.room);
    let Some(levels) = call.levels.cut(pieces).map(|cut| &call.levels.levels[cut..]) else { return };
    // The last level is one of four where a row is a number of groups.
    let (levels, last) = match levels.split_last() {
        Some((last, before)) if rows.is_multiple_of(GROUP) => (before, Some(last)),
        _ => (levels, None),
    };
    let factor = match call.what {
        What::Product(factor) => Some(factor.map(<[V::Lane]>::as_ptr)),
        _ => None,
    };
    let ways = [!matches!(call.what, What::Inverse), !matches!(call.what, What::Forward)];
    let ends = Some(Finish { last, ends, room });
    let walk = Walk { levels, piece: call.piece, rows, step: V::LANES, width: 1, ends, factor };
    // Short rows many at a time, in whole groups.
    let many = Caches::detect().first / if factor.is_some() { 8 } else { 2 } / size_of::<V>() / rows;
    let many = if last.is_some() { many.max(1) } else { many.next_multiple_of(GROUP).max(GROUP) };
    for starts in call.starts.chunks(many) {
        // SAFETY: `check` has seen that all rows and the room behind them lie within the planes, and those of the factor,
        // and that the ends have turns for the registers of a row.
        unsafe {
            reduce::<V>(&walk, at, starts, ways);
        }
    }
}

/// Reduces rows, depth first until they stay near, then level by level; or the same backwards; or one after the other
/// with the product between, a leaf at a time. `ways` are the one forth and the one back.
///
/// # Safety
/// All rows that begin at `starts` lie within the planes; the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn reduce<V: Arithmetic>(walk: &Walk<'_, V::Lane>, at: At<V::Lane>, starts: &[usize], [forth, back]: [bool; 2]) {
    // Groups that reach over the ends of rows want them whole.
    let whole = walk.ends.as_ref().is_some_and(|finish| finish.last.is_none());
    let near = Caches::detect().first / if walk.factor.is_some() { 2 } else { 1 };
    let most = if whole { walk.rows } else { near / 2 / size_of::<V>() / walk.width };
    let (mut far, mut leaf) = (0, walk.rows);
    while far < walk.levels.len() && leaf > most {
        leaf /= walk.levels[far].radix;
        far += 1;
    }
    // SAFETY: blocks of all levels are cut from the rows.
    unsafe {
        for number in 0..walk.rows / leaf {
            if let Some([re, im]) = walk.factor {
                for start in starts {
                    for i in number * leaf..(number + 1) * leaf {
                        prefetch_line(re.wrapping_add(start + i * V::LANES).cast());
                        prefetch_line(im.wrapping_add(start + i * V::LANES).cast());
                    }
                }
            }
            // Blocks that are longer than a leaf come with the first that lies in them, and on the way back with the last.
            if forth {
                let mut span = walk.rows;
                for level in walk.levels {
                    for b in (number * leaf).div_ceil(span)..((number + 1) * leaf).div_ceil(span) {
                        block::<V, false>(walk, level, b, span, at, starts);
                    }
                    span /= level.radix;
                }
                finish::<V, false>(walk, at, starts, number * leaf, leaf);
            }
            if let Some(factor) = walk.factor {
                multiply::<V>(walk, at, factor, starts, [number * leaf, leaf]);
            }
            if back {
                finish::<V, true>(walk, at, starts, number * leaf, leaf);
                let mut span = walk.levels.iter().fold(walk.rows, |rows, level| rows / level.radix);
                for level in walk.levels.iter().rev() {
                    span *= level.radix;
                    for b in number * leaf / span..(number + 1) * leaf / span {
                        block::<V, true>(walk, level, b, span, at, starts);
                    }
                }
            }
        }
    }
}

/// Multiplies `count` registers of each row from the `first` on, and the room where the last group reaches into it.
///
/// # Safety
/// As [`reduce`]; the factor has the same places.
#[inline(always)]
unsafe fn multiply<V: Arithmetic>(
    walk: &Walk<'_, V::Lane>,
    at: At<V::Lane>,
    [re, im]: [*const V::Lane; 2],
    starts: &[usize],
    [first, count]: [usize; 2],
) {
    let room =
        walk.ends.as_ref().filter(|_| !(starts.len() * walk.rows).is_multiple_of(GROUP)).map(|f| (f.room, GROUP));
    let rows = starts.iter().map(|start| (start + first * V::LANES, count));
    for (start, count) in rows.chain(room) {
        for i in 0..count {
            // SAFETY: the caller's promise.
            unsafe {
                let place = start + i * V::LANES;
                let at = at.add(place);
                Pair::<V>::load(at.re, at.im).mul(Pair::load(re.add(place), im.add(place))).store(at.re, at.im);
            }
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
    starts: &[usize],
) {
    // SAFETY: the block lies within the rows; the level has turns for each of its blocks.
    unsafe {
        let at = at.add(number * span * walk.step);
        // Of longer rows the pieces before have blocks too.
        let number = match walk.piece {
            [0, _] => number,
            [piece, pieces] => number + piece * (level.turns.len() / (level.radix - 1) / 2 / pieces),
        };
        let turns = level.turns.as_ptr().add(number * (level.radix - 1) * 2);
        match level.radix {
            2 => butterflies::<V, 2, BACK>(walk, turns, span, at, starts),
            3 => butterflies::<V, 3, BACK>(walk, turns, span, at, starts),
            4 => butterflies::<V, 4, BACK>(walk, turns, span, at, starts),
            5 => butterflies::<V, 5, BACK>(walk, turns, span, at, starts),
            _ => butterflies::<V, 7, BACK>(walk, turns, span, at, starts),
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
    starts: &[usize],
) {
    let part = span / R;
    // SAFETY: `R` parts of `part` rows make up the block.
    unsafe {
        let mut factors = [Pair::<V>::zero(); R];
        for m in 1..R {
            factors[m] = Pair::splat(turns.add(2 * (m - 1)));
        }
        for &start in starts {
            for j in 0..part {
                for v in 0..walk.width {
                    let at = at.add(start + j * walk.step + v * V::LANES);
                    let mut numbers = [Pair::zero(); R];
                    for m in 0..R {
                        let at = at.add(m * part * walk.step);
                        numbers[m] = Pair::load(at.re, at.im);
                        if const { !BACK } && m > 0 {
                            numbers[m] = numbers[m].mul(factors[m]);
                        }
                    }
                    let mut results = transform::<V, R, BACK>(numbers);
                    for m in 0..R {
                        if const { BACK } && m > 0 {
                            results[m] = results[m].mul_conj(factors[m]);
                        }
                        let at = at.add(m * part * walk.step);
                        results[m].store(at.re, at.im);
                    }
                }
            }
        }
    }
}

/// Finishes, or begins, `count` registers of each row from the `first` on; does nothing where rows are not registers.
///
/// # Safety
/// As [`reduce`].
#[inline(always)]
unsafe fn finish<V: Arithmetic, const BACK: bool>(
    walk: &Walk<'_, V::Lane>,
    at: At<V::Lane>,
    starts: &[usize],
    first: usize,
    count: usize,
) {
    let Some(Finish { last, ends, room }) = walk.ends.as_ref() else { return };
    let table = ends.turns.len() / ends.groups;
    let Some(last) = last else {
        // SAFETY: the caller's promise.
        return unsafe { across::<V, BACK>(walk.rows, ends, *room, at, starts) };
    };
    for group in first / GROUP..(first + count) / GROUP {
        // SAFETY: the group's registers lie within the rows, and the level and the ends have turns for each group of all
        // pieces.
        unsafe {
            let at = at.add(group * GROUP * V::LANES);
            let group = group + walk.piece[0] * (walk.rows / GROUP);
            let level = last.turns.as_ptr().add(group * 2 * (GROUP - 1));
            let turns = ends.turns.as_ptr();
            if ends.twists.is_empty() {
                let turns = turns.add(group * table);
                for start in starts {
                    end::<V, BACK, true, false>(|i| at.add(start + i * V::LANES), level, turns, turns);
                }
            } else {
                let twist = ends.twists.as_ptr().add(group * 2 * V::LANES);
                for start in starts {
                    end::<V, BACK, true, true>(|i| at.add(start + i * V::LANES), level, twist, turns);
                }
            }
        }
    }
}

/// Finishes, or begins, the registers of some rows, groups of which reach from one row into the next, the last into the
/// room.
///
/// # Safety
/// As [`reduce`].
#[inline(always)]
unsafe fn across<V: Arithmetic, const BACK: bool>(
    registers: usize,
    ends: &Ends<V::Lane>,
    room: usize,
    at: At<V::Lane>,
    starts: &[usize],
) {
    let table = ends.turns.len() / ends.groups;
    let (mut row, mut register) = (0, 0);
    let mut group = 0;
    while row < starts.len() {
        let mut places = [0; GROUP];
        for (i, place) in places.iter_mut().enumerate() {
            if row < starts.len() {
                *place = starts[row] + register * V::LANES;
                register += 1;
                if register == registers {
                    (row, register) = (row + 1, 0);
                }
            } else {
                *place = room + i * V::LANES;
            }
        }
        // SAFETY: the registers lie within the rows or the room behind them; the ends have turns for each group.
        unsafe {
            let turns = ends.turns.as_ptr().add(group * table);
            end::<V, BACK, false, false>(|i| at.add(places[i]), turns, turns, turns);
        }
        group += 1;
        if group == ends.groups {
            group = 0;
        }
    }
}

/// Reduces the numbers in the lanes of four registers to their values at the roots; or backwards. `LEVEL` has the last
/// reduction of whole registers done with it, and `TWIST` their multiplication beforehand.
///
/// # Safety
/// `place` tells where registers lie; `level` points at three complex numbers if there is a level, `twist` at a register
/// for both parts if there is one, and `turns` at one for both parts of each register that is
/// [turned](super::tables::turned).
#[inline(always)]
unsafe fn end<V: Arithmetic, const BACK: bool, const LEVEL: bool, const TWIST: bool>(
    place: impl Fn(usize) -> At<V::Lane>,
    level: *const V::Lane,
    twist: *const V::Lane,
    turns: *const V::Lane,
) {
    let [a, b] = steps::<V::Lane>(V::LANES);
    let q = GROUP / a;
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [Pair::<V>::zero(); GROUP];
        for i in 0..GROUP {
            let at = place(i);
            x[i] = Pair::load(at.re, at.im);
        }
        // The turns of the second step lie behind those of the first.
        let lower = turns.add(2 * (GROUP - q) * V::LANES);
        if const { !BACK } {
            if const { LEVEL } {
                for m in 1..GROUP {
                    x[m] = x[m].mul(Pair::splat(level.add(2 * (m - 1))));
                }
                x = transform::<V, GROUP, BACK>(x);
            }
            if const { TWIST } {
                let twist = Pair::register(twist, 0);
                for x in &mut x {
                    *x = x.mul(twist);
                }
            }
            x = exchange::<V, true>(x);
            for r in q..GROUP {
                x[r] = x[r].mul(Pair::register(turns, r - q));
            }
            x = interleaved::<V, BACK>(x, a);
            x = exchange::<V, false>(x);
            for r in 0..GROUP {
                if r % b > 0 {
                    x[r] = x[r].mul(Pair::register(lower, r - r / b - 1));
                }
            }
            x = adjacent::<V, BACK>(x, b);
        } else {
            x = adjacent::<V, BACK>(x, b);
            for r in 0..GROUP {
                if r % b > 0 {
                    x[r] = x[r].mul_conj(Pair::register(lower, r - r / b - 1));
                }
            }
            x = exchange::<V, false>(x);
            x = interleaved::<V, BACK>(x, a);
            for r in q..GROUP {
                x[r] = x[r].mul_conj(Pair::register(turns, r - q));
            }
            x = exchange::<V, true>(x);
            if const { TWIST } {
                let twist = Pair::register(twist, 0);
                for x in &mut x {
                    *x = x.mul_conj(twist);
                }
            }
            if const { LEVEL } {
                x = transform::<V, GROUP, BACK>(x);
                for m in 1..GROUP {
                    x[m] = x[m].mul_conj(Pair::splat(level.add(2 * (m - 1))));
                }
            }
        }
        for i in 0..GROUP {
            let at = place(i);
            x[i].store(at.re, at.im);
        }
    }
}

/// Exchanges registers and lanes, of real and imaginary parts by themselves.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
unsafe fn exchange<V: Arithmetic, const HIGH: bool>(x: [Pair<V>; GROUP]) -> [Pair<V>; GROUP] {
    let [a, b, c, d] = x;
    let (re, im) = ([a.re, b.re, c.re, d.re], [a.im, b.im, c.im, d.im]);
    // SAFETY: the caller's promise.
    let (re, im) = unsafe {
        if const { HIGH } {
            (V::exchange_high(re), V::exchange_high(im))
        } else {
            (V::exchange_low(re), V::exchange_low(im))
        }
    };
    let mut x = x;
    for i in 0..GROUP {
        x[i] = Pair { re: re[i], im: im[i] };
    }
    x
}

/// Transforms of `n` registers, 4, 2 or 1, as far apart as they can be.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
unsafe fn interleaved<V: Arithmetic, const BACK: bool>(x: [Pair<V>; GROUP], n: usize) -> [Pair<V>; GROUP] {
    // SAFETY: the caller's promise.
    unsafe {
        match n {
            4 => transform::<V, 4, BACK>(x),
            2 => {
                let even = transform::<V, 2, BACK>([x[0], x[2]]);
                let odd = transform::<V, 2, BACK>([x[1], x[3]]);
                [even[0], odd[0], even[1], odd[1]]
            }
            _ => x,
        }
    }
}

/// Transforms of `n` registers, 4 or 2, behind one another.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
unsafe fn adjacent<V: Arithmetic, const BACK: bool>(x: [Pair<V>; GROUP], n: usize) -> [Pair<V>; GROUP] {
    // SAFETY: the caller's promise.
    unsafe {
        if n == 4 {
            return transform::<V, 4, BACK>(x);
        }
        let first = transform::<V, 2, BACK>([x[0], x[1]]);
        let second = transform::<V, 2, BACK>([x[2], x[3]]);
        [first[0], first[1], second[0], second[1]]
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
    let ([a_re, a_im], [b_re, b_im]) = (call.first, call.second);
    for at in (0..call.sum.re.len()).step_by(V::LANES) {
        // SAFETY: the caller's promise.
        unsafe {
            // By name: a closure that `map` takes is not always compiled into this function, and without its
            // instruction set a load is a call.
            let first = Pair::<V>::load(a_re.as_ptr().add(at), a_im.as_ptr().add(at));
            let second = Pair::load(b_re.as_ptr().add(at), b_im.as_ptr().add(at));
            let mut product = first.turn::<CONJUGATE>(second);
            if ADD {
                product = Pair::load(re.add(at), im.add(at)).add(product);
            }
            product.store(re.add(at), im.add(at));
        }
    }
}

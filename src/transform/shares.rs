//! Blocks shared out among threads.

use super::{Planes, planes};
use crate::element::Element;
use crate::simd::{Plane, Workers};
use crate::view::ViewMut;

/// The threads that share the work on one block; without any, it is the caller's alone.
pub(crate) type Crew<'a, 'w> = Option<&'a mut Workers<'w>>;

/// Parts that the columns of a block are cut into at the most.
const STRIPS: usize = 32;

/// Numbers of a row that a strip has at the least.
const NARROW: usize = 64;

/// Calls `work` for stretches of so many numbers of both planes of a block, and where each begins.
pub(super) fn cut<R: Element>(
    block: &mut [R],
    [len, step]: [usize; 2],
    crew: Crew<'_, '_>,
    work: impl Fn(usize, Planes<'_, R>) + Sync,
) {
    let Some(workers) = crew else {
        let Planes { re, im } = planes(block);
        let both = re[..len].chunks_mut(step).zip(im[..len].chunks_mut(step));
        return both.enumerate().for_each(|(i, (re, im))| work(i * step, Planes { re, im }));
    };
    let plane = (block.len() / 2) as isize;
    let whole = ViewMut::new(block, &[2, len], &[plane, 1], 0).expect("a block is two planes");
    workers.tiles(whole, &[2, step], |tile, _| {
        let start = tile.start()[1];
        let [re, im] = tile.pair();
        work(start, Planes { re, im });
    });
}

/// Calls `work` for strips of the columns of a block, so many rows of such a width and pitch in either plane.
pub(super) fn strips<R: Element>(
    block: &mut [R],
    [rows, width, pitch]: [usize; 3],
    crew: Crew<'_, '_>,
    work: impl Fn([Plane<'_, R>; 2]) + Sync,
) {
    let Some(workers) = crew else {
        return work(planes(block).rows([rows, width, pitch]));
    };
    let strip = width.div_ceil(STRIPS).next_multiple_of(NARROW);
    let plane = (block.len() / 2) as isize;
    let whole = ViewMut::new(block, &[1, 2, rows, width], &[0, plane, pitch as isize, 1], 0);
    workers.tiles(whole.expect("a block is two planes"), &[1, 2, rows, strip], |mut tile, _| {
        let width = tile.shape()[3];
        let planes = tile.planes(&[0; 4], [2, rows, width]).expect("rows are contiguous");
        work(planes.pair());
    });
}

use super::super::guarded::End;
use super::*;
use crate::simd::tiles::Planes;

/// Small integers, whose sums are exact in any order.
fn integers<T>(count: usize, of: impl Fn(f64) -> T) -> Vec<T> {
    (0..count).map(|i| of((i * 37 % 11) as f64 - 5.0)).collect()
}

/// Columns of these heights, each somewhat further to the right and, if they are not `level`, every second a row lower;
/// `before` the first rows and samples of a plane.
fn columns(heights: &[usize], level: bool, pitch: usize, before: isize) -> Vec<Column> {
    let column = |(i, &height): (usize, &usize)| {
        let at = [if level { 0 } else { (i % 2) as isize } - before, (3 * i) as isize - before];
        Column { place: at[0] * pitch as isize + at[1], at, height }
    };
    heights.iter().enumerate().map(column).collect()
}

fn agrees<T: crate::Element>(rows: usize, width: usize, heights: &[usize], level: bool) {
    for (isa, end) in Isa::all().into_iter().flat_map(|isa| End::BOTH.map(|end| (isa, end))) {
        let (lanes, tallest) = (T::lanes(isa), heights.iter().copied().max().unwrap_or(1));
        let cases = [[1, 1], [1, 2], [2, 1], [2, 2]];
        for (steps, edges, stream) in cases.into_iter().flat_map(|s| [(s, false, false), (s, true, true)]) {
            // Two channels, of the second other samples and other weights. With edges, the last samples and rows are not
            // there, nor are the first two.
            let (right, first) = (3 * heights.len() - 3, [1, usize::from(edges)]);
            let wide = steps[1] * if edges { width } else { width.max(lanes) } + right + 1;
            let wide = if edges { (wide - right).saturating_sub(2).max(1) } else { wide };
            let high = (rows - 1 + tallest) * steps[0] + 1;
            let high = if edges { high.saturating_sub(3).max(1) } else { high + 1 };
            let pitch = wide + 1;
            let columns = columns(heights, level, pitch, if edges { 2 } else { 0 });
            let (channel, taps) = (high * pitch + 3, heights.iter().sum::<usize>());
            // No more than a call asks for, but for what lies between the rows and the channels.
            let reach = match edges {
                true => (high - 1) * pitch + wide,
                false => columns
                    .iter()
                    .map(|c| {
                        let last = first[0] + c.at[0] as usize + (rows - 1 + c.height - 1) * steps[0];
                        last * pitch + first[1] + c.at[1] as usize + steps[1] * width.max(lanes)
                    })
                    .max()
                    .unwrap_or(0),
            };
            let source = end.guard(integers(channel + reach, T::from_f64));
            let weights = end.guard(integers(2 * taps, T::from_f64));
            let mark = T::from_f64(1e6);
            // Rows as far from one another as whole lines are, if they are to be streamed.
            let out_pitch = if stream { (width + 3).next_multiple_of(16) } else { width + 3 };
            let plane = rows * out_pitch + usize::from(!stream);
            let mut out = end.guard(vec![mark; plane + (rows - 1) * out_pitch + width]);
            let planes = Planes::of(&mut out, [2, rows, width], [plane, out_pitch]);
            let inside = edges.then_some([high, wide]);
            let call = Sliding {
                source: &source,
                channel,
                pitch,
                inside,
                steps,
                first,
                columns: &columns,
                weights: &weights,
                down: level,
                out: planes,
                stream,
                ahead: Ahead::new(&source[3..], [2, 3], [50, 7], 9),
            };
            T::slide(isa, call);
            for (i, &result) in out.iter().enumerate() {
                let (c, y, x) = (i / plane, i % plane / out_pitch, i % plane % out_pitch);
                if y >= rows || x >= width {
                    assert_eq!(result, mark, "{isa:?} {rows}x{width} beside, at {c}, {y}, {x}");
                    continue;
                }
                let mut sum = T::default();
                let mut taps = weights[c * taps..].iter();
                for &Column { at, height, .. } in &columns {
                    for (k, &w) in taps.by_ref().take(height).enumerate() {
                        let place = [at[0] + ((y + k) * steps[0]) as isize, at[1] + (x * steps[1]) as isize];
                        let [Ok(r), Ok(s)] = [0, 1].map(|i| usize::try_from(place[i] + first[i] as isize)) else {
                            continue;
                        };
                        if !edges || r < high && s < wide {
                            sum += w * source[c * channel + r * pitch + s];
                        }
                    }
                }
                assert_eq!(result, sum, "{isa:?} {rows}x{width} by {steps:?} {edges} {heights:?} at {c}, {y}, {x}");
            }
        }
    }
}

#[test]
fn every_tail_agrees_with_the_sum_written_out() {
    for rows in (1..=9).chain([11, 16, 17]) {
        for width in (1..=40).chain([63, 64, 65, 79, 95, 127, 129, 150]) {
            agrees::<f32>(rows, width, &[3, 3, 3], false);
        }
        for width in (1..=20).chain([31, 33, 65]) {
            agrees::<f64>(rows, width, &[2, 1], false);
            agrees::<Complex<f32>>(rows, width, &[4, 3], false);
            agrees::<Complex<f64>>(rows, width, &[1, 5], false);
        }
    }
}

#[test]
fn narrow_planes_agree_with_the_sum_written_out() {
    for (rows, height) in [1, 2, 4, 7, 9, 14, 17].into_iter().flat_map(|rows| [3, 5, 7].map(|height| (rows, height))) {
        for width in (1..=33).chain([48, 49, 50, 63, 64, 65]) {
            agrees::<f32>(rows, width, &[height; 3], true);
        }
        for width in (1..=17).chain([31, 32, 33]) {
            agrees::<f64>(rows, width, &[height; 2], true);
            agrees::<Complex<f32>>(rows, width, &[height; 2], true);
            agrees::<Complex<f64>>(rows, width, &[height; 2], true);
        }
    }
}

#[test]
fn every_height_agrees_with_the_sum_written_out() {
    for height in 1..=12 {
        for (rows, width) in [(1, 3), (4, 70), (5, 33), (8, 14), (13, 16), (9, 7)] {
            agrees::<f32>(rows, width, &[height, 1, height], false);
            agrees::<f64>(rows, width, &[height], false);
        }
    }
}

#[test]
fn long_rows_agree_with_the_sum_written_out() {
    for height in (1..=9).chain([15]) {
        for (rows, width) in [(4, 300), (9, 700)] {
            agrees::<f32>(rows, width, &[height, height], false);
            agrees::<f32>(rows, width, &[height + 1, height, height + 1], true);
        }
        agrees::<f64>(5, 400, &[height, height + 1], false);
        agrees::<Complex<f32>>(5, 150, &[height, height], false);
    }
}

#[test]
fn an_infinite_sample_meets_no_tap_that_is_not_there() {
    let mut source = vec![1.0f32; 12 * 40];
    source[..40].fill(f32::INFINITY);
    for isa in Isa::all() {
        let mut out = vec![0.0; 64];
        // The results' windows begin in the second row.
        T::slide(isa, call(&source, &[Column::of(40, 3), Column::of(80, 1)], &mut out));
        assert_eq!(out, [4.0; 64], "{isa:?}");
    }
    type T = f32;
}

fn call<'a>(source: &'a [f32], columns: &'a [Column], out: &'a mut [f32]) -> Sliding<'a, f32> {
    Sliding {
        source,
        channel: 0,
        pitch: 40,
        inside: None,
        steps: [1, 1],
        first: [0, 0],
        columns,
        weights: &[1.0; 4][..columns.iter().map(|column| column.height).sum()],
        down: false,
        out: Plane::of(out, 16, 4, 16).into(),
        stream: false,
        ahead: Ahead::nothing(),
    }
}

#[test]
#[should_panic(expected = "the source reaches as far as the columns")]
fn a_short_source_is_refused() {
    let mut out = vec![0.0; 64];
    f32::slide(Isa::detect(), call(&[0.0; 4 * 40 + 15], &[Column::of(0, 2)], &mut out));
}

#[test]
#[should_panic(expected = "the source reaches as far as the columns")]
fn a_plane_that_is_not_there_is_refused() {
    let mut out = vec![0.0; 64];
    let columns = [Column { place: -41, at: [-1, -1], height: 2 }];
    f32::slide(Isa::detect(), Sliding { inside: Some([5, 16]), ..call(&[0.0; 4 * 40 + 15], &columns, &mut out) });
}

#[test]
#[should_panic(expected = "a column's plane lies within the source")]
fn a_place_before_the_source_is_refused() {
    let mut out = vec![0.0; 64];
    let columns = [Column { place: -42, at: [-1, -1], height: 2 }];
    f32::slide(Isa::detect(), Sliding { inside: Some([5, 16]), ..call(&[0.0; 400], &columns, &mut out) });
}

//! Diagrams: separable kernels, stride and dilation, overlap-save, Winograd's four products.

use std::path::Path;

use faltung::ndarray::{Array1, array};
use faltung::{Boundary, Convolution, Mode, Problem, convolve, correlate};

use crate::plot::*;

/// A kernel as a column times a row, and one that is no such product.
pub fn separable(path: &Path) -> Done {
    let taps = array![1.0, 4.0, 6.0, 4.0, 1.0];
    let column = taps.clone().into_shape_with_order((5, 1))?;
    let row = taps.clone().into_shape_with_order((1, 5))?;
    // A column convolved with a row is their outer product.
    let product = convolve(&column, &row, Mode::Full)?;
    let laplacian = array![[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]];
    const CELL: i32 = 86;
    figure(path, (1600, 640), |area| {
        title(area, "Left: 5 + 5 taps make 25.  Right: no column and row make these 9")?;
        matrix(area, (50, 120), CELL, &rows(&column), 6.0)?;
        centred(area, (180, 120 + CELL * 5 / 2), "∗", INK)?;
        matrix(area, (220, 120 + 2 * CELL), CELL, &rows(&row), 6.0)?;
        centred(area, (690, 120 + CELL * 5 / 2), "=", INK)?;
        matrix(area, (740, 120), CELL, &rows(&product), 36.0)?;
        matrix(area, (1270, 120 + CELL), CELL, &rows(&laplacian), 4.0)?;
        text(area, (50, 590), "binomial taps, a column and a row", INK)?;
        text(area, (740, 590), "their outer product, rank 1", INK)?;
        text(area, (1270, 590), "Laplacian, rank 2", INK)
    })
}

/// Which samples each output reads.
pub fn geometry(path: &Path) -> Done {
    let cases = [(1, 1, 0), (2, 1, 0), (2, 1, 1), (1, 2, 0)];
    figure(path, (1600, 880), |area| {
        for (panel, (stride, dilation, padding)) in area.split_evenly((2, 2)).iter().zip(cases) {
            let problem = Problem::layer(1, 1, 1, &[7], &[3])
                .stride(&[stride])
                .dilation(&[dilation])
                .padding(&[(padding, padding)])
                .build()?;
            let axis = problem.axes()[0];
            title(
                panel,
                &format!("stride {stride}, dilation {dilation}, padding {padding}: {} outputs", axis.output()),
            )?;
            let x = |position: isize| 120 + (position + 1) as i32 * 70;
            let (data, result) = (350, 130);
            let colours = [BLUE, RED, GREEN, PURPLE, ORANGE];
            for o in 0..axis.output() {
                let first = (o * stride) as isize - padding;
                let middle = x(first) + (axis.span() as i32 - 1) * 35;
                let colour = colours[o % colours.len()];
                for t in 0..axis.kernel() {
                    let read = x(first + (t * dilation) as isize);
                    rule(panel, (middle, result + 30), (read, data - 30), colour, 4)?;
                }
                cell(panel, (middle - 30, result - 30), (60, 60), &format!("y{o}"), colour)?;
            }
            for position in -padding..7 + padding {
                let inside = (0..7).contains(&position);
                let (label, colour) = if inside { (format!("x{position}"), SKY) } else { ("0".into(), PALE) };
                cell(panel, (x(position) - 30, data - 30), (60, 60), &label, colour)?;
            }
        }
        Ok(())
    })
}

/// Blocks that overlap, circular sums, and what is kept of them.
pub fn overlap_save(path: &Path) -> Done {
    const BLOCK: usize = 8;
    let h = array![1.0, 2.0, 1.0];
    let x = Array1::from_iter((0..16).map(|i| f64::from((i * 7 + 3) % 5)));
    let y = convolve(&x, &h, Mode::Causal)?;
    let (reach, kept) = (h.len() - 1, BLOCK - (h.len() - 1));
    const CELL: i32 = 72;
    figure(path, (1600, 800), |area| {
        title(area, "Overlap-save: blocks of 8 by circular sums; the first 2 of each are wrong and dropped")?;
        let column = |i: isize| 360 + (i as i32) * CELL;
        text(area, (30, 130), "data x", INK)?;
        text(area, (30, 660), "result, causal", INK)?;
        for (i, (a, b)) in x.iter().zip(&y).enumerate() {
            cell(area, (column(i as isize), 96), (CELL, 68), &plain(*a), SKY)?;
            cell(area, (column(i as isize), 626), (CELL, 68), &plain(*b), GREEN)?;
        }
        for block in 0..x.len().div_ceil(kept) {
            let start = (block * kept) as isize - reach as isize;
            let read = |i: usize| usize::try_from(start + i as isize).ok().and_then(|p| x.get(p)).copied();
            let data: Array1<f64> = (0..BLOCK).map(|i| read(i).unwrap_or(0.0)).collect();
            let circular = Convolution::new(&h).mode(Mode::Same).anchor(&[0]).boundary(Boundary::Wrap);
            let sums = circular.plan(BLOCK)?.apply(&data)?;
            let top = 220 + block as i32 * 130;
            text(area, (30, top + 34), &format!("block {block}"), INK)?;
            for (i, v) in sums.iter().enumerate() {
                let position = start + i as isize;
                let dropped = i < reach || position >= x.len() as isize;
                // The third block reaches beyond the data; what is computed there is of no use.
                if position < x.len() as isize {
                    let at = (column(position), top);
                    cell(area, at, (CELL, 68), &plain(*v), if dropped { PALE } else { GREEN })?;
                }
            }
        }
        legend(area, (360, 750), &[("data", SKY), ("wrapped round: dropped", PALE), ("kept", GREEN)])
    })
}

/// F(2, 3): two outputs of a kernel of three taps by four products.
pub fn winograd(path: &Path) -> Done {
    let (d, g) = (array![1.0, 2.0, 3.0, 5.0], array![2.0, 4.0, 6.0]);
    let data = [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]];
    let kernel = [g[0], (g[0] + g[1] + g[2]) / 2.0, (g[0] - g[1] + g[2]) / 2.0, g[2]];
    let products: Vec<f64> = data.iter().zip(kernel).map(|(a, b)| a * b).collect();
    let y = correlate(&d, &g, Mode::Valid)?;
    let back = [products[0] + products[1] + products[2], products[1] - products[2] - products[3]];
    if y.to_vec() != back {
        return Err(format!("Winograd's sums {back:?} are not {y}").into());
    }
    let formulas = [
        ["d0 − d2", "g0", "m1"],
        ["d1 + d2", "(g0 + g1 + g2) / 2", "m2"],
        ["d2 − d1", "(g0 − g1 + g2) / 2", "m3"],
        ["d1 − d3", "g2", "m4"],
    ];
    figure(path, (1600, 640), |area| {
        title(area, "F(2, 3): d = (1, 2, 3, 5), g = (2, 4, 6); four products in place of six")?;
        for (i, formula) in formulas.iter().enumerate() {
            let top = 150 + i as i32 * 110;
            let line = top + 42;
            text(area, (40, line), formula[0], INK)?;
            cell(area, (190, top), (110, 84), &plain(data[i]), SKY)?;
            centred(area, (335, line), "×", INK)?;
            cell(area, (370, top), (110, 84), &plain(kernel[i]), ORANGE)?;
            text(area, (500, line), formula[1], INK)?;
            text(area, (820, line), &format!("= {} =", formula[2]), INK)?;
            cell(area, (960, top), (110, 84), &plain(products[i]), PURPLE)?;
        }
        for (i, (label, v)) in ["m1 + m2 + m3 =", "m2 − m3 − m4 ="].into_iter().zip(&y).enumerate() {
            let top = 205 + i as i32 * 220;
            text(area, (1160, top + 42), label, INK)?;
            cell(area, (1440, top), (110, 84), &plain(*v), GREEN)?;
        }
        legend(area, (40, 610), &[("of the data", SKY), ("of the kernel", ORANGE), ("products", PURPLE), ("y", GREEN)])
    })
}

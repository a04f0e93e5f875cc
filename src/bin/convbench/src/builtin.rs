//! The problems that `convbench verify` tries where none is named: every feature, small.

use faltung::{Boundary, DType, Error, Layout, Mode, Pass, Problem, ProblemBuilder};

/// Every built-in geometry in every pass and element type, the layouts in turn.
pub(crate) fn problems() -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for (i, geometry) in fields().into_iter().chain(layers()).enumerate() {
        for pass in Pass::ALL {
            for (j, dtype) in DType::ALL.into_iter().enumerate() {
                let layout = if (i + j) % 2 == 0 { Layout::ChannelsFirst } else { Layout::ChannelsLast };
                // The order of the axes is told of a layer alone: one channel has nothing to order.
                let geometry = geometry.clone().pass(pass).dtype(dtype).conjugate(dtype.is_complex() && i % 2 == 1);
                let problem = geometry.build()?;
                let ordered = problem.in_channels() * problem.out_channels() > 1;
                problems.push(if ordered { problem.with_layout(layout) } else { problem });
            }
        }
    }
    Ok(problems)
}

const BOUNDARIES: [Boundary; 6] =
    [Boundary::Zero, Boundary::Constant(2.0), Boundary::Symmetric, Boundary::Mirror, Boundary::Nearest, Boundary::Wrap];

/// Ranks 1 to 4, each mode and boundary, kernels longer than the data, extents of 1, strides, dilation, windows.
fn fields() -> Vec<ProblemBuilder> {
    let mut fields = vec![
        Problem::field(&[1], &[1]),
        Problem::field(&[1], &[7]),
        Problem::field(&[5], &[9]),
        Problem::field(&[1000], &[17]),
        Problem::field(&[301], &[150]).mode(Mode::Valid),
        Problem::field(&[300], &[150]).mode(Mode::Same).batch(3),
        Problem::field(&[200], &[33]).mode(Mode::Causal),
        Problem::field(&[200], &[5]).mode(Mode::Same).stride(&[3]).dilation(&[4]),
        Problem::field(&[500], &[31]).window(&[(17, 300)]),
        Problem::field(&[64, 1], &[5, 1]).mode(Mode::Same),
        Problem::field(&[33, 47], &[4, 6]),
        Problem::field(&[40, 70], &[15, 9]).mode(Mode::Same).batch(2),
        Problem::field(&[40, 30], &[3, 3]).mode(Mode::Same).stride(&[2, 3]).dilation(&[3, 2]),
        Problem::field(&[9, 11, 13], &[3, 4, 5]),
        Problem::field(&[12, 10, 14], &[5, 3, 3]).mode(Mode::Valid),
        Problem::field(&[5, 6, 7, 8], &[3, 2, 3, 4]).mode(Mode::Same),
    ];
    for boundary in BOUNDARIES {
        fields.push(Problem::field(&[3], &[19]).mode(Mode::Same).boundary(boundary));
        fields.push(Problem::field(&[257], &[12]).boundary(boundary));
        fields.push(Problem::field(&[31, 29], &[7, 4]).mode(Mode::Same).boundary(boundary));
        fields.push(Problem::field(&[6, 5, 7], &[3, 3, 9]).mode(Mode::Same).boundary(boundary));
    }
    fields
}

/// Channels, groups, asymmetric and negative padding, strides that leave a rest, depthwise, and boundaries.
fn layers() -> Vec<ProblemBuilder> {
    let mut layers = vec![
        Problem::layer(2, 3, 8, &[14, 14], &[3, 3]).padding(&[(1, 1)]),
        Problem::layer(1, 17, 33, &[9, 10], &[1, 1]),
        Problem::layer(2, 16, 24, &[11, 13], &[1, 1]).stride(&[2]),
        Problem::layer(1, 3, 20, &[23, 23], &[7, 7]).stride(&[2]).padding(&[(3, 3)]),
        Problem::layer(2, 6, 9, &[10, 12], &[3, 3]).groups(3).padding(&[(1, 0), (0, 2)]),
        Problem::layer(2, 19, 19, &[12, 12], &[7, 7]).groups(19).padding(&[(3, 3)]),
        Problem::layer(1, 4, 12, &[9, 9], &[3, 3]).groups(4).padding(&[(2, 2)]).dilation(&[2]),
        Problem::layer(1, 5, 7, &[20, 20], &[3, 5]).padding(&[(-2, 1), (4, -3)]),
        Problem::layer(1, 5, 7, &[12, 12], &[5, 5]).stride(&[7, 6]).padding(&[(9, 9)]),
        Problem::layer(2, 8, 8, &[100], &[9]).padding(&[(8, 0)]),
        Problem::layer(2, 8, 8, &[64], &[64]).groups(8).padding(&[(63, 0)]),
        Problem::layer(1, 3, 5, &[6, 7, 8], &[3, 3, 3]).padding(&[(1, 1)]).stride(&[1, 2, 1]),
        Problem::layer(1, 2, 3, &[4, 5, 4, 5], &[2, 3, 2, 3]).padding(&[(1, 1)]),
        Problem::layer(2, 4, 4, &[10, 10], &[3, 3]).padding(&[(1, 1)]).flip(true),
        Problem::layer(3, 4, 4, &[1, 1], &[3, 3]).padding(&[(1, 1)]),
    ];
    for boundary in BOUNDARIES {
        let layer = Problem::layer(2, 4, 6, &[9, 8], &[5, 3]).padding(&[(2, 3), (1, 2)]).groups(2);
        layers.push(layer.boundary(boundary));
        layers.push(Problem::layer(1, 3, 4, &[15, 13], &[3, 3]).padding(&[(2, 2)]).stride(&[2]).boundary(boundary));
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_every_rank_pass_type_and_boundary() {
        let problems = problems().unwrap();
        assert!((1..=4).all(|rank| problems.iter().any(|p| p.rank() == rank)));
        for pass in Pass::ALL {
            for dtype in DType::ALL {
                for boundary in BOUNDARIES {
                    let held = |p: &Problem| p.pass() == pass && p.dtype() == dtype && p.boundary() == boundary;
                    assert!(problems.iter().any(held), "{pass} {dtype} {boundary}");
                }
            }
        }
    }

    /// A failure is reported by the text of its problem, so the text must bring the problem back.
    #[test]
    fn every_problem_reads_back_from_its_text() {
        for problem in problems().unwrap() {
            assert_eq!(problem.to_string().parse::<Problem>().unwrap(), problem);
        }
    }
}

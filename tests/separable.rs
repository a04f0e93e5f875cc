//! Kernels of low rank: what takes them, that it is right, and what is said of it.

mod common;

use common::*;
use faltung::ndarray::{Array2, Array3, ArrayD, IxDyn};
use faltung::{
    Algorithm, Boundary, Convolution, DType, Element, Mode, Pass, Planner, Problem, Recipe, Threads, Workspace,
    convolve,
};

fn bell(length: usize, width: f64) -> Vec<f64> {
    let middle = (length as f64 - 1.0) / 2.0;
    (0..length).map(|i| (-0.5 * ((i as f64 - middle) / width).powi(2)).exp()).collect()
}

/// The product of a vector an axis, rounded.
fn product<T: Element>(vectors: &[Vec<f64>]) -> Vec<T> {
    let mut kernel = vec![1.0];
    for vector in vectors {
        kernel = kernel.iter().flat_map(|a| vector.iter().map(move |b| a * b)).collect();
    }
    kernel.into_iter().map(T::from_f64).collect()
}

const BOUNDARIES: [Boundary; 6] =
    [Boundary::Zero, Boundary::Constant(3.0), Boundary::Symmetric, Boundary::Mirror, Boundary::Nearest, Boundary::Wrap];

/// Kernels whose sum is not one, longer than the data and lopsided, under every boundary, in either pass, in tiles of
/// any size: the passes give what the kernel as a whole does.
#[test]
fn passes_give_what_the_whole_kernel_does() {
    let mut random = Random::new(17);
    for (extents, kernel) in [
        (&[13, 22][..], &[5, 4][..]),
        (&[7, 40], &[9, 3]),
        (&[33, 9], &[2, 7]),
        (&[6, 7, 8], &[3, 2, 5]),
        (&[5, 9, 4], &[4, 3, 1]),
        (&[9, 6, 3], &[1, 3, 3]),
        (&[4, 3, 5, 4], &[2, 3, 2, 2]),
    ] {
        for (boundary, dtype) in BOUNDARIES.iter().flat_map(|&b| [(b, DType::F32), (b, DType::F64)]) {
            for pass in [Pass::Forward, Pass::InputGradient] {
                let builder = Problem::field(extents, kernel).mode(Mode::Same).boundary(boundary);
                let dilated = if extents[0] > 6 { 2 } else { 1 };
                for builder in [builder.clone().batch(2), builder.dilation(&vec![dilated; extents.len()])] {
                    let Ok(problem) = builder.dtype(dtype).pass(pass).build() else { continue };
                    by_dtype!(problem, T => {
                        let [na, ..] = lengths(&problem);
                        let first = normals::<T>(&mut random, na);
                        let vectors: Vec<Vec<f64>> =
                            kernel.iter().map(|&n| (0..n).map(|_| 2.0 * random.unit() - 0.7).collect()).collect();
                        let case = Case::<T>::new(&problem, first, product(&vectors));
                        for (tile, rank) in [(vec![64; extents.len()], 1), (vec![3; extents.len()], 2)] {
                            let recipe = Recipe::Separable { tile, rank };
                            let plan = Planner::new().plan_with::<T>(&problem, &recipe).expect("a plan");
                            dense(&plan, &case).unwrap_or_else(|e| panic!("{problem} by {recipe}: {e}"));
                            strided(&plan, &case, &mut random)
                                .unwrap_or_else(|e| panic!("{problem} by {recipe}: {e}"));
                        }
                    });
                }
            }
        }
    }
}

#[test]
fn a_gaussian_is_taken_apart_and_noise_is_not() {
    let x = Array2::from_shape_fn((600, 500), |(i, j)| ((i * 31 + j * 17) % 101) as f32 - 50.0);
    let gaussian = Array2::from_shape_vec((21, 21), product(&[bell(21, 4.0), bell(21, 4.0)])).expect("21 x 21");
    let mut random = Random::new(3);
    let noise = Array2::from_shape_fn((21, 21), |_| random.unit() as f32);
    for boundary in BOUNDARIES {
        let apart = Convolution::new(&gaussian).mode(Mode::Same).boundary(boundary).plan((600, 500)).expect("a plan");
        let explanation = apart.explain();
        assert_eq!(explanation.chosen().algorithm, Algorithm::Separable, "{explanation}");
        // The planner knows shapes alone.
        assert_ne!(apart.plan().recipe().algorithm(), Algorithm::Separable);
        let y = apart.apply(&x).expect("a result");
        let convolution = Convolution::new(&gaussian).mode(Mode::Same).boundary(boundary);
        let whole = convolution.algorithm(Algorithm::Direct).plan((600, 500)).expect("a plan").apply(&x).expect("one");
        let norm = gaussian.iter().map(|w| f64::from(w * w)).sum::<f64>().sqrt();
        let bound = 50.0 * norm * (apart.plan().error_bound() + 2e-6);
        assert!(y.iter().zip(&whole).all(|(a, b)| f64::from((a - b).abs()) <= bound));
        // Not by another name than auto's.
        let named = Convolution::new(&gaussian).mode(Mode::Same).algorithm(Algorithm::Fft).plan((600, 500));
        assert_eq!(named.expect("a plan").explain().chosen().algorithm, Algorithm::Fft);
    }
    let filter = Convolution::new(&noise).mode(Mode::Same).plan((600, 500)).expect("a plan");
    let explanation = filter.explain();
    assert_ne!(explanation.chosen().algorithm, Algorithm::Separable);
    let passes = explanation.candidates.iter().find(|c| c.algorithm == Algorithm::Separable).expect("it is told");
    assert_eq!(passes.why_not.as_deref(), Some("its kernel has rank 21"));
    // As by the one-line call.
    let y = convolve(&x, &gaussian, Mode::Same).expect("a result");
    let zero = Convolution::new(&gaussian).mode(Mode::Same).plan((600, 500)).expect("a plan");
    assert_eq!(y, zero.apply(&x).expect("a result"));
}

#[test]
fn a_sum_of_two_products_and_a_product_of_three_are_taken_apart() {
    let [a, b] = [bell(15, 3.0), bell(15, 1.0)].map(|v| product::<f32>(&[v.clone(), v]));
    let difference = Array2::from_shape_fn((15, 15), |(i, j)| a[15 * i + j] - b[15 * i + j]);
    // Four passes are more exact than transforms, and faster than all taps.
    let convolution = Convolution::new(&difference).mode(Mode::Same).tolerance(4e-6);
    let filter = convolution.plan((1024, 1024)).expect("a plan");
    assert_eq!(filter.explain().chosen().algorithm, Algorithm::Separable, "{}", filter.explain());
    let bells = Array3::from_shape_vec((9, 9, 9), product::<f32>(&vec![bell(9, 2.0); 3])).expect("9 x 9 x 9");
    let filter = Convolution::new(&bells).mode(Mode::Same).plan((64, 64, 64)).expect("a plan");
    assert_eq!(filter.explain().chosen().algorithm, Algorithm::Separable, "{}", filter.explain());
    let x = Array3::from_shape_fn((64, 64, 64), |(i, j, k)| ((i * 7 + j * 5 + k * 3) % 11) as f32);
    let direct = Convolution::new(&bells).mode(Mode::Same).algorithm(Algorithm::Direct).plan((64, 64, 64));
    let (y, z) = (filter.apply(&x).expect("one"), direct.expect("a plan").apply(&x).expect("one"));
    assert!(y.iter().zip(&z).all(|(y, z)| (y - z).abs() <= 1e-4 * z.abs().max(1.0)));
}

/// Whole numbers stay whole, and what is not finite poisons what it does by the definition.
#[test]
fn digits_and_infinities_are_those_of_the_definition() {
    let smooth = vec![1.0, 4.0, 6.0, 4.0, 1.0];
    let kernel = product::<f32>(&[smooth.clone(), smooth]);
    let problem: Problem = "40x50*5x5:same".parse().expect("a problem");
    let mut x: Vec<f32> = (0..2000).map(|i| ((i * 7919) % 31) as f32).collect();
    for (at, value) in [(None, 0.0), (Some(777), f32::INFINITY), (Some(778), f32::NEG_INFINITY), (Some(1999), f32::NAN)]
    {
        if let Some(at) = at {
            x[at] = value;
        }
        let run = |recipe: &Recipe, threads| {
            let plan = Planner::new().threads(threads).plan_with::<f32>(&problem, recipe).expect("a plan");
            let mut y = vec![0.0; 2000];
            plan.run(&x, &kernel, &mut y, &mut Workspace::new()).expect("a run");
            y.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect::<Vec<u32>>()
        };
        let recipe = Recipe::Separable { tile: vec![16, 32], rank: 1 };
        let expected = run(&Recipe::Reference, Threads::Serial);
        assert_eq!(run(&recipe, Threads::Serial), expected);
        assert_eq!(run(&recipe, Threads::Pool), expected);
    }
}

/// A recipe for too low a rank is still right.
#[test]
fn a_kernel_of_higher_rank_is_left_to_the_definition() {
    let problem: Problem = "9x8*3x3:full".parse().expect("a problem");
    let mut random = Random::new(5);
    let (x, w) = (integers::<f32>(&mut random, 72, 9), integers::<f32>(&mut random, 9, 9));
    let run = |recipe: &str| {
        let plan = Planner::new().plan_with::<f32>(&problem, &recipe.parse().expect("a recipe")).expect("a plan");
        let mut y = vec![0.0; 110];
        plan.run(&x, &w, &mut y, &mut Workspace::new()).expect("a run");
        y
    };
    assert_eq!(run("separable:4x4:1"), run("reference"));
    let whole = ArrayD::from_shape_vec(IxDyn(&[110]), run("separable:4x4:3")).expect("110");
    let near = |(a, b): (&f32, f32)| (a - b).abs() <= 1e-3;
    assert!(whole.iter().zip(run("reference")).all(near));
}

//! Axes, broadcasting, kernels in the data's place, and input that must be refused.

use faltung::ndarray::{Array, Array1, Array2, Array3, ArrayD, Axis, Dimension, IxDyn, array, s};
use faltung::*;

/// Asymmetric integers, so that no two arrangements of them give one answer and sums are exact.
fn numbers<D: Dimension>(shape: D, seed: usize) -> Array<f64, D> {
    let mut state = seed as u64 + 1;
    Array::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) % 19) as f64 - 9.0
    })
}

/// Entry `index` of an array's leading axes, of which it may lack the first or have one entry only.
fn entry(a: &ArrayD<f64>, index: &[usize], filtered: usize) -> ArrayD<f64> {
    let own = a.ndim() - filtered;
    let mut view = a.view();
    for &i in &index[index.len() - own..] {
        let n = view.shape()[0];
        view = view.index_axis_move(Axis(0), if n == 1 { 0 } else { i });
    }
    view.to_owned()
}

#[test]
fn every_broadcast_of_three_batch_axes_is_a_loop_over_them() {
    // Sums of integers, which the algorithm that is named keeps exact; the one that is not may be a fast one.
    let whole = |a: ArrayD<f64>| {
        a.mapv(|v| {
            assert!((v - v.round()).abs() < 1e-12, "{v} of integers");
            v.round()
        })
    };
    // For each axis: neither, the data, the kernel or both vary. No two extents agree by accident.
    for kinds in 0..64 {
        let (mut x_shape, mut h_shape) = (vec![], vec![]);
        for (axis, n) in [2, 3, 4].into_iter().enumerate() {
            let kind = kinds >> (2 * axis) & 3;
            x_shape.push(if kind & 1 == 1 { n } else { 1 });
            h_shape.push(if kind & 2 == 2 { n } else { 1 });
        }
        let batch: Vec<usize> = x_shape.iter().zip(&h_shape).map(|(a, b)| *a.max(b)).collect();
        for (extents, taps) in [(vec![7], vec![3]), (vec![4, 5], vec![3, 2])] {
            let f = extents.len();
            let x = numbers(IxDyn(&[&x_shape[..], &extents].concat()), kinds);
            let h = numbers(IxDyn(&[&h_shape[..], &taps].concat()), kinds + 100);
            let missing = |shape: &[usize]| shape.iter().take_while(|&&n| n == 1).count();
            let mut lead = vec![0; 3];
            // Leading axes of one entry may be left away, in one of the two.
            for (drop_x, drop_h) in [(0, 0), (missing(&x_shape), 0), (0, missing(&h_shape))] {
                let drop = |a: &ArrayD<f64>, n: usize| {
                    let shape = a.shape()[n..].to_vec();
                    a.to_shape(shape).expect("axes of one entry only").into_owned()
                };
                let (x, h) = (drop(&x, drop_x), drop(&h, drop_h));
                let filter = Convolution::new(&h).batch_axes(3).mode(Mode::Same).boundary(Boundary::Mirror);
                let filter = filter.algorithm(Algorithm::Direct).plan(x.raw_dim()).expect("a plan");
                let prepared = filter.apply(&x).expect("a result");
                // The axes in another order of memory, which do not merge as they are.
                let permuted = {
                    let reversed = x.t().as_standard_layout().into_owned();
                    filter.apply(&reversed.t()).expect("a result")
                };
                assert_eq!(prepared, permuted);
                let plain = whole(convolve_batch(&x, &h, 3, Mode::Same).expect("a result"));
                for number in 0..batch.iter().product() {
                    let mut rest = number;
                    for a in (0..3).rev() {
                        (lead[a], rest) = (rest % batch[a], rest / batch[a]);
                    }
                    let (x, h) = (entry(&x, &lead, f), entry(&h, &lead, f));
                    let about = || format!("{x_shape:?} with {h_shape:?}, entry {lead:?}");
                    let mirror = Convolution::new(&h).mode(Mode::Same).boundary(Boundary::Mirror);
                    let mirror = mirror
                        .algorithm(Algorithm::Direct)
                        .plan(x.raw_dim())
                        .and_then(|p| p.apply(&x))
                        .expect("a result");
                    assert_eq!(entry(&prepared, &lead, f), mirror, "{}", about());
                    let same = whole(convolve(&x, &h, Mode::Same).expect("a result"));
                    assert_eq!(entry(&plain, &lead, f), same, "{}", about());
                }
            }
        }
    }
}

#[test]
fn a_kernel_along_an_axis_filters_every_line() {
    let x = numbers(IxDyn(&[3, 5, 4, 6]), 1);
    let h = numbers(faltung::ndarray::Ix1(4), 2);
    for axis in 0..4 {
        for mode in [Mode::Full, Mode::Same, Mode::Causal] {
            let y = convolve_axis(&x, &h, Axis(axis), mode).expect("a result");
            let z = correlate_axis(&x, &h, Axis(axis), mode).expect("a result");
            for (line, (y, z)) in
                x.lanes(Axis(axis)).into_iter().zip(y.lanes(Axis(axis)).into_iter().zip(z.lanes(Axis(axis))))
            {
                assert_eq!(convolve(&line, &h, mode).expect("a result"), y);
                assert_eq!(correlate(&line, &h, mode).expect("a result"), z);
            }
        }
    }
}

#[test]
fn kernel_axes_lie_along_the_chosen_axes_in_their_order() {
    let x = numbers(faltung::ndarray::Ix3(5, 6, 7), 3);
    let h = numbers(faltung::ndarray::Ix2(2, 3), 4);
    // The kernel's first axis along the data's last one.
    let y = Convolution::new(&h).axes(&[2, 0]).mode(Mode::Valid).stride(&[1, 2]);
    let y = y.plan(x.raw_dim()).expect("a plan").apply(&x).expect("a result");
    assert_eq!(y.shape(), [2, 6, 6]);
    for row in 0..6 {
        let plane = x.index_axis(Axis(1), row);
        let full = convolve(&plane, &h.t(), Mode::Valid).expect("a result");
        assert_eq!(y.index_axis(Axis(1), row), full.slice(s![..;2, ..]));
    }
}

#[test]
fn arrays_of_eight_axes_are_filtered_along_any_of_them() {
    let x = numbers(IxDyn(&[2, 1, 2, 3, 2, 1, 2, 2]), 5);
    let h = array![1.0, 2.0];
    for axis in 0..8 {
        let y = convolve_axis(&x, &h, Axis(axis), Mode::Causal).expect("a result");
        let mut expected = x.clone();
        for i in 1..x.shape()[axis] {
            let before = x.index_axis(Axis(axis), i - 1).map(|v| 2.0 * v);
            let mut at = expected.index_axis_mut(Axis(axis), i);
            at += &before;
        }
        assert_eq!(y, expected);
    }
}

#[test]
fn a_kernel_longer_than_the_data_takes_their_place() {
    let (x, h) = (numbers(faltung::ndarray::Ix2(2, 3), 6), numbers(faltung::ndarray::Ix2(5, 3), 7));
    let (x, h) = (x.map(|&v| Complex::new(v, 1.0)), h.map(|&v| Complex::new(v, -v * v)));
    for mode in [Mode::Full, Mode::Same, Mode::Causal] {
        let filter = Convolution::new(&h).correlate().mode(mode).plan(x.raw_dim()).expect("a plan");
        let problem = Problem::field(&[2, 3], &[5, 3]).mode(mode).flip(false).conjugate(true).dtype(DType::C64);
        let [x_dense, h_dense] = [&x, &h].map(|a| a.iter().copied().collect::<Vec<_>>());
        let expected = reference::compute(&problem.build().expect("a problem"), &x_dense, &h_dense).expect("a result");
        for y in [filter.apply(&x), correlate(&x, &h, mode), filter.apply(&x.t().to_owned().t())] {
            assert_eq!(y.expect("a result").into_raw_vec_and_offset().0, expected);
        }
        assert_eq!(filter.plan().problem().axes()[0].input(), 5);
    }
}

#[test]
fn broadcast_views_and_single_samples_are_read_in_place() {
    let row = array![1.0, 2.0, 4.0];
    let x = row.broadcast((4, 3)).expect("a broadcast");
    let h = array![[1.0, 1.0], [1.0, 1.0]];
    let y = convolve(&x, &h, Mode::Valid).expect("a result");
    assert_eq!(y, array![[6.0, 12.0], [6.0, 12.0], [6.0, 12.0]]);
    let single = Array3::from_elem((1, 1, 1), 3.0);
    assert_eq!(convolve(&single, &single, Mode::Full).expect("a result")[[0, 0, 0]], 9.0);
}

#[test]
fn empty_arrays_are_refused_by_name() {
    let (x, h) = (array![[1.0, 2.0]], Array2::<f64>::zeros((0, 3)));
    let refused = |result: Result<Array2<f64>>, name: &str| {
        let error = result.expect_err("no convolution of nothing");
        assert!(matches!(&error, Error::Argument { argument, .. } if argument == name), "{error}");
    };
    refused(convolve(&x, &h, Mode::Full), "h");
    refused(convolve(&h, &x, Mode::Full), "x");
    refused(correlate(&h, &h, Mode::Same), "x");
    refused(convolve_axis(&x, &Array1::zeros(0), Axis(0), Mode::Same), "h");
    refused(convolve_axes(&x, &array![1.0], &[], Mode::Same), "axes");
    assert!(convolve_exact::<u8, i32, _>(&Array1::zeros(0), &array![1u8], Mode::Full).is_err());
    assert!(convolve(&ndarray::arr0(1.0), &ndarray::arr0(1.0), Mode::Full).is_err());
}

#[test]
fn what_cannot_be_meant_is_refused_and_never_panics() {
    let (x, h) = (Array2::<f64>::ones((6, 5)), Array2::<f64>::ones((3, 2)));
    let new = || Convolution::new(&h);
    let refused = [
        ("stride", new().stride(&[0])),
        ("stride", new().stride(&[1, 2, 3])),
        ("dilation", new().dilation(&[1, 0])),
        ("anchor", new().mode(Mode::Same).anchor(&[0, 2])),
        ("anchor", new().anchor(&[0])),
        ("padding", new().mode(Mode::Same).padding(&[(1, 1)])),
        ("window", new().window(&[(0, 0)])),
        ("window", new().window(&[(0, 1), (6, 1)])),
        ("window", new().window(&[(usize::MAX, 2)])),
        ("axes", new().axes(&[0, 0])),
        ("axes", new().axes(&[0, 2])),
        ("h", new().axes(&[0])),
        ("batch_axes", new().axes(&[0, 1]).batch_axes(1)),
        ("batch_axes", new().batch_axes(2)),
        ("batch_axes", new().batch_axes(usize::MAX)),
        ("h", new().batch_axes(1)),
        ("convention", new().convention(Convention::NumPy)),
    ];
    for (name, convolution) in refused {
        match convolution.plan(x.raw_dim()) {
            Err(Error::Argument { argument, .. }) => assert_eq!(argument, name, "{convolution:?}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(matches!(new().mode(Mode::Valid).plan((2, 5)), Err(Error::KernelTooLong { axis: 0, kernel: 3, input: 2 })));
    assert!(matches!(
        new().mode(Mode::Valid).dilation(&[9]).plan((6, 12)),
        Err(Error::KernelTooLong { axis: 0, kernel: 19, input: 6 })
    ));
    assert!(matches!(new().padding(&[(isize::MIN, 0)]).plan((6, 5)), Err(Error::KernelTooLong { .. })));
    for (dilation, padding) in [(usize::MAX, (0, 0)), (1, (isize::MAX, isize::MAX)), (1, (isize::MAX, 0))] {
        let result = new().dilation(&[dilation]).padding(&[padding]).plan((6, 5));
        assert!(matches!(result, Err(Error::Overflow { .. } | Error::KernelTooLong { .. })), "{result:?}");
    }
    assert!(matches!(new().dilation(&[usize::MAX / 2]).plan((6, 5)), Err(Error::Overflow { .. })));
    let huge = 1usize << 40;
    assert!(matches!(new().plan((huge, huge)), Err(Error::Overflow { .. })));
    assert!(matches!(new().plan((usize::MAX, 1)), Err(Error::Overflow { .. })));
    assert!(matches!(new().axes(&[2, 3]).plan([huge, huge, 5, 5]), Err(Error::Overflow { .. })));
    // Other ranks, where the types leave them open.
    let (x, h) = (ArrayD::<f32>::ones(vec![4, 4]), ArrayD::<f32>::ones(vec![3]));
    assert!(matches!(convolve(&x, &h, Mode::Full), Err(Error::Argument { .. })));
    let nine = ArrayD::<f32>::ones(vec![1; 9]);
    assert!(matches!(convolve(&nine, &nine, Mode::Full), Err(Error::Argument { .. })));
    let seven = ArrayD::<f32>::ones(vec![1; 7]);
    assert!(matches!(convolve(&seven, &seven, Mode::Full), Err(Error::Argument { .. })));
}

#[test]
fn arrays_of_another_shape_than_planned_are_refused() {
    let filter = Convolution::new(&array![1.0, 2.0]).plan(4).expect("a plan");
    let mut workspace = Workspace::new();
    for (n, m) in [(3, 5), (4, 4), (5, 5), (0, 0)] {
        let result = filter.apply_into(&Array1::zeros(n), &mut Array1::zeros(m), &mut workspace);
        assert!(matches!(result, Err(Error::Shape { .. })));
    }
    assert!(matches!(
        convolve_into(&array![1.0], &array![1.0], Mode::Full, &mut Array1::zeros(2)),
        Err(Error::Shape { .. })
    ));
}

#[test]
fn bounds_that_nothing_meets_are_an_error() {
    let h = array![1.0, 2.0];
    assert!(matches!(Convolution::new(&h).tolerance(1e-40).plan(4), Err(Error::NoCandidate { .. })));
}

#[test]
fn nan_and_infinity_touch_their_neighbours_only() {
    let mut x = Array1::<f32>::ones(200);
    x[100] = f32::NAN;
    let y = convolve(&x, &Array1::ones(5), Mode::Full).expect("a result");
    assert_eq!(y.iter().filter(|v| v.is_nan()).count(), 5);
    // An infinite tap outside the data contributes nothing; inside, it makes NaN of a zero.
    let (x, h) = (array![0.0, 1.0, 1.0], array![1.0, f32::INFINITY]);
    let y = convolve(&x, &h, Mode::Full).expect("a result");
    assert_eq!(y[0], 0.0);
    assert!(y[1].is_nan() && y[2] == f32::INFINITY && y[3] == f32::INFINITY);
}

#[test]
fn filters_are_shared_among_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Filter<f32, ndarray::Ix2>>();
    let filter = Convolution::new(&array![1.0, 2.0]).mode(Mode::Same).plan(3).expect("a plan");
    std::thread::scope(|scope| {
        for i in 0..4 {
            let filter = &filter;
            scope.spawn(move || {
                let y = filter.apply(&Array1::from_elem(3, i as f64)).expect("a result");
                assert_eq!(y[2], 3.0 * i as f64);
            });
        }
    });
}

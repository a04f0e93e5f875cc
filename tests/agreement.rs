//! Every algorithm against the definition: whole numbers, exactly or within the stated bound.

mod common;

use common::*;
use faltung::{Algorithm, Boundary, DType, Layout, Mode, Pass, Planner, Problem, ProblemBuilder, Recipe, Threads};

/// The problem in every pass.
fn passes(problem: &Problem) -> impl Iterator<Item = Problem> + '_ {
    Pass::ALL.into_iter().map(|pass| problem.with_pass(pass))
}

fn check(b: &mut Battery, problem: &Problem, random: &mut Random) {
    by_dtype!(problem, T => b.run(&Case::<T>::integers(problem, random)));
}

fn check_all_passes(b: &mut Battery, builder: ProblemBuilder, random: &mut Random) {
    let problem = builder.build().expect("a problem of the test's own making");
    passes(&problem).for_each(|p| check(b, &p, random));
}

#[test]
fn every_width_of_a_signal() {
    battery(|b| {
        let mut random = Random::new(10);
        for width in 1..=70 {
            for (kernel, mode) in
                [(1, Mode::Full), (2, Mode::Same), (3, Mode::Full), (5, Mode::Causal), (8, Mode::Same)]
            {
                for dtype in DType::ALL {
                    let signal = Problem::field(&[width], &[kernel]).mode(mode).dtype(dtype);
                    check_all_passes(b, signal, &mut random);
                }
            }
        }
    });
}

#[test]
fn every_width_of_an_image() {
    battery(|b| {
        let mut random = Random::new(11);
        for width in 1..=70 {
            for (kernel, flip) in [([3, 3], true), ([2, 4], false)] {
                let dtype = random.pick(&DType::ALL);
                let image = Problem::field(&[3, width], &kernel).mode(Mode::Same).flip(flip).dtype(dtype);
                check_all_passes(b, image, &mut random);
            }
            let strided = Problem::layer(1, 2, 3, &[4, width], &[3, 3]).padding(&[(1, 1)]).stride(&[2]);
            check_all_passes(b, strided, &mut random);
        }
    });
}

#[test]
fn every_number_of_channels() {
    battery(|b| {
        let mut random = Random::new(12);
        for layout in LAYOUTS {
            for channels in 1..=70 {
                let other = random.pick(&[1, 2, 3, 5, 16]);
                let dtype = random.pick(&DType::ALL);
                for (ic, oc) in [(channels, other), (other, channels)] {
                    let point = Problem::layer(2, ic, oc, &[3, 5], &[1, 1]).layout(layout).dtype(dtype);
                    check_all_passes(b, point, &mut random);
                }
                let deep = Problem::layer(1, channels, channels, &[4, 5], &[3, 2]).groups(channels).layout(layout);
                check_all_passes(b, deep.padding(&[(1, 1)]).dtype(dtype), &mut random);
            }
            let list = [1, 2, 3, 15, 16, 17];
            for (ic, oc) in list.iter().flat_map(|&ic| list.map(|oc| (ic, oc))) {
                let layer = Problem::layer(2, ic, oc, &[5, 7], &[3, 3]).padding(&[(1, 1)]).layout(layout);
                check_all_passes(b, layer, &mut random);
            }
        }
    });
}

#[test]
fn dense_layers() {
    battery(|b| {
        let mut random = Random::new(19);
        for layout in LAYOUTS {
            for batch in [1, 2, 3, 8, 17, 70, 200] {
                let (ic, oc) = (random.pick(&[1, 7, 16, 50, 200, 400]), random.pick(&[1, 3, 10, 49, 130]));
                for groups in [1, 2] {
                    let dtype = random.pick(&DType::ALL);
                    let layer = Problem::layer(batch, groups * ic, groups * oc, &[1, 1], &[1, 1]).groups(groups);
                    check_all_passes(b, layer.layout(layout).dtype(dtype), &mut random);
                }
            }
        }
    });
}

/// Channels enough to fill registers, and images that are cut in boxes of unequal extents.
#[test]
fn many_channels() {
    battery(|b| {
        let mut random = Random::new(20);
        for (ic, oc, size, kernel, stride) in [
            (64, 24, [23, 29], [3, 3], 1),
            (48, 8, [5, 300], [2, 3], 1),
            (32, 9, [24, 31], [3, 2], 2),
            (80, 17, [19, 18], [1, 1], 1),
            (16, 16, [21, 22], [5, 5], 1),
        ] {
            for dtype in DType::ALL {
                let layer = Problem::layer(1, ic, oc, &size, &kernel).padding(&[(1, 1)]).stride(&[stride]);
                check_all_passes(b, layer.flip(random.pick(&[false, true])).dtype(dtype), &mut random);
            }
        }
    });
}

/// Planes that begin anywhere in a cache line, of so many channels that the direct sum copies them: all at once for few
/// work items, a part at a time for many.
#[test]
fn planes_that_begin_anywhere() {
    battery(|b| {
        let mut random = Random::new(24);
        for (batch, ic, oc, size) in
            [(1, 300, 71, [7, 5]), (9, 270, 64, [3, 3]), (2, 130, 135, [9, 7]), (8, 128, 65, [1, 70])]
        {
            for dtype in DType::ALL {
                let layer = Problem::layer(batch, ic, oc, &size, &[1, 1]).layout(random.pick(&LAYOUTS));
                check_all_passes(b, layer.dtype(dtype), &mut random);
            }
        }
    });
}

/// So many weights that they are packed where they are used, and few results: panels that are not whole, and runs over
/// several lines.
#[test]
fn many_weights_for_few_results() {
    battery(|b| {
        let mut random = Random::new(25);
        for (ic, oc, size, kernel, dtype) in
            [(256, 211, [5, 7], 3, DType::F32), (900, 523, [3, 5], 1, DType::F32), (200, 163, [3, 5], 3, DType::C32)]
        {
            let layer = Problem::layer(1, ic, oc, &size, &[kernel, kernel]).padding(&[(1, 1)]).dtype(dtype);
            check_all_passes(b, layer.layout(random.pick(&LAYOUTS)), &mut random);
        }
    });
}

/// Channels, widths and heights around a register's lanes; padding beyond the kernel, steps with dilation, groups.
#[test]
fn tails_of_every_kind() {
    battery(|b| {
        let mut random = Random::new(21);
        let counts = [15, 16, 17];
        for (width, i) in (1..=70).flat_map(|width| (0..3).map(move |i| (width, i))) {
            let (ic, oc, height) = (counts[i], counts[(i + width) % 3], 1 + (width + i) % 5);
            let kernel = random.pick(&[1, 3, 3, 5]);
            let (stride, dilation) = (random.pick(&[1, 1, 2, 3]), random.pick(&[1, 1, 2]));
            // Beyond the span of the kernel, that there are results whatever the extents; or beside it, where it fits.
            let span = (kernel - 1) * dilation + 1;
            let fits = span <= height.min(width) + span / 2 * 2;
            let padding = if fits { random.pick(&[span / 2, span + 1]) } else { span + 1 } as isize;
            let layer = Problem::layer(2, ic, oc, &[height, width], &[kernel, kernel])
                .groups(if ic == oc && random.once_in(2) { ic } else { 1 })
                .padding(&[(padding, padding)])
                .stride(&[stride])
                .dilation(&[dilation])
                .layout(random.pick(&LAYOUTS));
            check_all_passes(b, layer, &mut random);
        }
    });
}

#[test]
fn groups_and_channel_multipliers() {
    battery(|b| {
        let mut random = Random::new(13);
        for layout in LAYOUTS {
            for (ic, oc, groups) in [
                (2, 2, 2),
                (3, 6, 3),
                (6, 3, 3),
                (4, 8, 2),
                (16, 16, 16),
                (17, 34, 17),
                (15, 45, 15),
                (32, 16, 16),
                (30, 20, 5),
            ] {
                for dtype in DType::ALL {
                    let layer = Problem::layer(2, ic, oc, &[6, 5], &[3, 2]).groups(groups).padding(&[(1, 0)]);
                    check_all_passes(b, layer.layout(layout).dtype(dtype), &mut random);
                }
            }
        }
    });
}

/// Extents, strides, dilations, paddings and boundaries on one axis, combined in full.
#[test]
fn the_geometry_of_an_axis() {
    let paddings: [(isize, isize); 7] = [(0, 0), (1, 2), (3, 0), (0, 5), (9, 11), (-1, 0), (2, -2)];
    let boundaries = BOUNDARIES.into_iter().chain([Boundary::Constant(-1.0)]);
    battery(|b| {
        let mut random = Random::new(14);
        for boundary in boundaries {
            for (input, kernel) in [1, 2, 5, 16, 33].into_iter().flat_map(|n| [1, 2, 3, 7].map(|k| (n, k))) {
                for (stride, dilation) in [(1, 1), (2, 1), (1, 2), (3, 2), (2, 3)] {
                    for padding in paddings {
                        let builder = Problem::field(&[input], &[kernel]).stride(&[stride]).dilation(&[dilation]);
                        let builder = builder.padding(&[padding]).boundary(boundary).flip(random.once_in(2));
                        // Most dilated kernels do not fit the shortest inputs.
                        let Ok(problem) = builder.build() else { continue };
                        passes(&problem).for_each(|p| check(b, &p, &mut random));
                    }
                }
            }
        }
    });
}

#[test]
fn boundaries_longer_than_the_data() {
    battery(|b| {
        let mut random = Random::new(15);
        for boundary in BOUNDARIES {
            for (input, kernel) in [(1, 6), (2, 9), (3, 9), (3, 20), (5, 31)] {
                for mode in [Mode::Full, Mode::Same, Mode::Causal] {
                    let dtype = random.pick(&DType::ALL);
                    let signal = Problem::field(&[input], &[kernel]).mode(mode).boundary(boundary).dtype(dtype);
                    check_all_passes(b, signal, &mut random);
                    let image = Problem::field(&[input, 2], &[kernel, 5]).mode(mode).boundary(boundary).dtype(dtype);
                    check_all_passes(b, image, &mut random);
                }
            }
        }
    });
}

#[test]
fn windows_of_the_output() {
    battery(|b| {
        let mut random = Random::new(16);
        for (start, length) in [(0, 1), (0, 39), (1, 17), (20, 16), (38, 1), (7, 30)] {
            for boundary in BOUNDARIES {
                let signal = Problem::field(&[33], &[7]).window(&[(start, length)]).boundary(boundary);
                check_all_passes(b, signal, &mut random);
                let image = Problem::field(&[33, 6], &[7, 3]).stride(&[1, 2]).window(&[(start, length), (1, 2)]);
                check_all_passes(b, image.boundary(boundary), &mut random);
            }
        }
    });
}

#[test]
fn long_kernels_and_signals() {
    battery(|b| {
        let mut random = Random::new(17);
        for (input, kernel) in [(1000, 64), (1000, 129), (5000, 31), (4097, 513), (300, 301), (31, 400)] {
            for (mode, boundary) in [(Mode::Full, Boundary::Zero), (Mode::Same, Boundary::Mirror)] {
                let signal = Problem::field(&[input], &[kernel]).mode(mode).boundary(boundary);
                let problem = signal.build().expect("a valid problem");
                check(b, &problem, &mut random);
                if problem.flops() < 6e5 {
                    passes(&problem).skip(1).for_each(|p| check(b, &p, &mut random));
                }
            }
        }
        let image = Problem::field(&[70, 90], &[11, 13]).mode(Mode::Same);
        check(b, &image.build().expect("a valid problem"), &mut random);
    });
}

fn anything(seed: u64, rank: usize, count: usize) {
    battery(|b| {
        let mut random = Random::new(seed);
        for _ in 0..count {
            let problem = any_problem(&mut random, rank, 4e4);
            by_dtype!(problem, T => {
                let case = Case::<T>::integers(&problem, &mut random);
                b.run_all(&case, &mut random);
            });
        }
    });
}

#[test]
fn anything_of_rank_1() {
    anything(101, 1, 1500);
}

#[test]
fn anything_of_rank_2() {
    anything(102, 2, 1500);
}

#[test]
fn anything_of_rank_3() {
    anything(103, 3, 700);
}

#[test]
fn anything_of_rank_4() {
    anything(104, 4, 400);
}

#[test]
fn anything_of_rank_5() {
    anything(105, 5, 100);
}

#[test]
fn anything_of_rank_6() {
    anything(106, 6, 100);
}

/// Real numbers: no algorithm is exact on them, and each states by how much.
#[test]
fn the_error_bound_holds() {
    battery(|b| {
        let mut random = Random::new(18);
        let mut problems: Vec<Problem> = (0..400).map(|i| any_problem(&mut random, 1 + i % 4, 4e4)).collect();
        let large = [
            Problem::field(&[3000], &[300]),
            Problem::field(&[64, 70], &[9, 11]).mode(Mode::Same),
            Problem::layer(2, 16, 12, &[14, 15], &[3, 3]).padding(&[(1, 1)]),
            Problem::layer(1, 64, 3, &[6, 7], &[3, 3]).padding(&[(1, 1)]).layout(Layout::ChannelsLast),
        ];
        for builder in large {
            problems.extend(passes(&builder.build().expect("a valid problem")));
        }
        for problem in problems {
            let problem = problem.with_dtype(DType::F32).expect("smaller than it was");
            let case = Case::normals(&problem, &mut random);
            for algorithm in algorithms() {
                b.planned(algorithm, &case, |plan| {
                    let got = run_dirty(plan, &case)?;
                    within("real numbers", &case, &got, |i| plan.error_bound() * case.scale[i])
                });
            }
        }
    });
}

/// Problems that are worth more than one thread.
fn large_problems() -> Vec<Problem> {
    let builders = [
        Problem::field(&[9_000], &[9]),
        Problem::field(&[60_000], &[60]),
        Problem::field(&[200, 190], &[9, 9]).mode(Mode::Same).boundary(Boundary::Mirror),
        Problem::field(&[24, 25, 26], &[5, 4, 3]).mode(Mode::Same),
        Problem::layer(2, 8, 17, &[30, 31], &[3, 3]).padding(&[(1, 1)]),
        Problem::layer(3, 12, 10, &[28, 27], &[3, 3]).stride(&[2]).layout(Layout::ChannelsLast),
        Problem::layer(2, 24, 24, &[33, 30], &[5, 5]).groups(24).padding(&[(2, 2)]),
        Problem::layer(4, 64, 32, &[8, 9], &[1, 1]).layout(Layout::ChannelsLast),
        Problem::layer(4, 40, 33, &[30, 31], &[3, 3]).padding(&[(1, 1)]),
        Problem::layer(2, 110, 120, &[9, 8], &[3, 3]).padding(&[(1, 1)]),
    ];
    builders.into_iter().flat_map(|b| passes(&b.build().expect("a valid problem")).collect::<Vec<_>>()).collect()
}

#[test]
fn threads_do_not_change_a_bit() {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("a pool");
    let pools = [1, 2, 3, 5].map(pool);
    battery(|b| {
        let mut random = Random::new(19);
        for problem in large_problems() {
            let case = Case::normals(&problem, &mut random);
            // The definition is too slow for all of them.
            let slow = |a: &Algorithm| *a == Algorithm::Reference && problem.flops() > 1e6;
            for algorithm in algorithms().into_iter().filter(|a| !slow(a)) {
                b.planned(algorithm, &case, |plan| {
                    let serial = run_dirty(&plan.with_threads(Threads::Serial), &case)?;
                    within("serial", &case, &serial, |i| plan.error_bound() * case.scale[i])?;
                    for (pool, n) in pools.iter().map(|p| (p, p.current_num_threads())) {
                        let got = pool.install(|| run_dirty(&plan.with_threads(Threads::Pool), &case))?;
                        same_bits(&format!("{n} threads"), &case, &got, "serially", &serial)?;
                    }
                    let got = pools[3].install(|| run_dirty(&plan.with_threads(Threads::AtMost(2)), &case))?;
                    same_bits("2 threads of 5", &case, &got, "serially", &serial)
                });
            }
        }
    });
}

#[test]
fn one_plan_serves_many_threads_at_once() {
    battery(|b| {
        let mut random = Random::new(20);
        for problem in large_problems() {
            let case = Case::normals(&problem, &mut random);
            let slow = |a: &Algorithm| *a == Algorithm::Reference && problem.flops() > 1e6;
            for algorithm in algorithms().into_iter().filter(|a| !slow(a)) {
                b.planned(algorithm, &case, |plan| {
                    let alone = run_dirty(plan, &case)?;
                    let together: Vec<_> = std::thread::scope(|scope| {
                        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| run_dirty(plan, &case))).collect();
                        threads.into_iter().map(|t| t.join().expect("no panic")).collect()
                    });
                    together.into_iter().try_for_each(|got| same_bits("together", &case, &got?, "alone", &alone))
                });
            }
        }
    });
}

/// A plan gives the same bits run after run, from whatever workspace other plans have left.
#[test]
fn runs_and_plans_repeat() {
    battery(|b| {
        let mut random = Random::new(21);
        let mut shared = faltung::Workspace::new();
        for _ in 0..300 {
            let rank = 1 + random.below(3);
            let problem = any_problem(&mut random, rank, 2e4);
            let problem = problem.with_dtype(DType::F32).expect("smaller than it was");
            let case = Case::normals(&problem, &mut random);
            for algorithm in algorithms() {
                b.planned(algorithm, &case, |plan| {
                    let first = run_dirty(plan, &case)?;
                    let twin = Planner::new().plan_with::<f32>(&problem, plan.recipe()).map_err(|e| e.to_string())?;
                    same_bits("by its recipe", &case, &run_dirty(&twin, &case)?, "as planned", &first)?;
                    let mut got = vec![f32::NAN; first.len()];
                    plan.run(&case.first, &case.second, &mut got, &mut shared).map_err(|e| e.to_string())?;
                    same_bits("in a shared workspace", &case, &got, "in its own", &first)
                });
            }
        }
    });
}

/// The next size from `n` on that there are transforms of.
fn good(n: usize, unit: usize) -> usize {
    let smooth = |mut n: usize| {
        for p in [2, 3, 5, 7] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    (n.div_ceil(unit)..).find(|&n| smooth(n)).map_or(unit, |n| n * unit)
}

/// The transforms that a problem can be tiled with: from the shortest that holds the kernel to longer than everything.
fn transforms(problem: &Problem, random: &mut Random) -> Vec<Vec<usize>> {
    let halves = if problem.dtype().is_complex() { 1 } else { 2 };
    let spans: Vec<usize> = problem.axes().iter().map(|a| a.span()).collect();
    let mut lists: Vec<Vec<usize>> = [0, 1, 2, 4, 7].map(|more| spans.iter().map(|s| s + more).collect()).to_vec();
    lists.push(spans.iter().map(|s| (2 * s).next_power_of_two()).collect());
    lists.push(spans.iter().map(|s| s + random.below(30)).collect());
    lists.push(problem.axes().iter().map(|a| a.input() + a.output() * a.stride() + 2 * a.span()).collect());
    for list in &mut lists {
        for (a, n) in list.iter_mut().enumerate() {
            *n = good(*n, if a == 0 { halves } else { 1 } * if a + 1 == problem.rank() { 16 } else { 1 });
        }
    }
    lists.dedup();
    lists
}

/// Tiles of every size on kernels of every shape that Winograd's algorithm serves, in all its divisions of the work.
#[test]
fn winograd_tiles_agree() {
    let mut random = Random::new(23);
    let mut problems: Vec<Problem> = (0..300).map(|i| small_kernels(&mut random, 1 + i % 3)).collect();
    let layers = [
        // Kernels whose values are made where they are used, and sums that are taken point by point.
        Problem::layer(2, 100, 90, &[7, 9], &[3, 3]).padding(&[(1, 1)]),
        Problem::layer(3, 90, 120, &[6, 5], &[3, 3]).padding(&[(1, 1)]).layout(Layout::ChannelsLast),
        Problem::layer(1, 60, 70, &[9, 8], &[5, 5]).padding(&[(2, 2)]),
        // Several blocks, and several panels.
        Problem::layer(3, 17, 50, &[33, 30], &[3, 3]),
        Problem::layer(1, 34, 100, &[90], &[3]).dtype(DType::F64),
    ];
    problems.extend(layers.iter().flat_map(|b| passes(&b.clone().build().expect("valid")).collect::<Vec<_>>()));
    battery(|b| {
        for problem in problems {
            by_dtype!(problem, T => {
                let case = Case::<T>::integers(&problem, &mut random);
                b.run_all(&case, &mut random);
                for _ in 0..2 {
                    let tile = problem.axes().iter().map(|a| match a.kernel() {
                        3 => random.pick(&[2, 4, 6]),
                        _ => random.pick(&[2, 4]),
                    });
                    b.recipe(&case, &Recipe::Winograd { tile: tile.collect() });
                }
            });
        }
    });
}

/// A problem with kernels of 3 and 5 at unit steps.
fn small_kernels(random: &mut Random, rank: usize) -> Problem {
    loop {
        let most = [60, 15, 8][rank - 1];
        let kernel: Vec<usize> = (0..rank).map(|_| random.pick(&[3, 3, 5])).collect();
        let input: Vec<usize> = (0..rank).map(|_| 1 + random.below(most)).collect();
        let padding: Vec<_> = (0..rank).map(|_| (random.between(-2, 5), random.between(-2, 5))).collect();
        let groups = random.pick(&[1, 1, 2, 3]);
        let channels = [1, 2, 3, 5, 8, 16, 17, 33];
        let built = Problem::layer(
            1 + random.below(4),
            groups * random.pick(&channels),
            groups * random.pick(&channels),
            &input,
            &kernel,
        )
        .groups(groups)
        .padding(&padding)
        .boundary(random.pick(&BOUNDARIES))
        .flip(random.once_in(2))
        .conjugate(random.once_in(4))
        .pass(random.pick(&Pass::ALL))
        .layout(random.pick(&LAYOUTS))
        .dtype(random.pick(&DType::ALL))
        .build();
        if let Some(problem) = built.ok().filter(|p| p.flops() <= 4e6) {
            return problem;
        }
    }
}

/// A field or a layer by depth, forward or its input's gradient.
fn any_by_depth(random: &mut Random, rank: usize) -> Problem {
    loop {
        let groups = 1 + random.below(3);
        let (shape, kernel): (Vec<usize>, Vec<usize>) =
            (0..rank).map(|_| (1 + random.below(60), 1 + random.below(8))).unzip();
        let mut some = |most: usize| (0..rank).map(|_| 1 + random.below(most)).collect::<Vec<_>>();
        let (stride, dilation, padding) = (some(3), some(2), some(6));
        let padding: Vec<_> = padding.into_iter().map(|p| (p as isize - 2, p as isize - 1)).collect();
        let built = Problem::layer(1 + random.below(2), groups, groups, &shape, &kernel)
            .groups(groups)
            .stride(&stride)
            .dilation(&dilation)
            .padding(&padding)
            .boundary(random.pick(&BOUNDARIES))
            .flip(random.once_in(2))
            .conjugate(random.once_in(4))
            .pass(random.pick(&[Pass::Forward, Pass::InputGradient]))
            .layout(random.pick(&LAYOUTS))
            .build();
        if let Some(problem) = built.ok().filter(|p| p.flops() <= 4e6) {
            return problem;
        }
    }
}

#[test]
fn recipes_given_agree() {
    battery(|b| {
        let mut random = Random::new(22);
        for i in 0..250 {
            let problem = any_problem(&mut random, 1 + i % 3, 4e4);
            by_dtype!(problem, T => {
                let case = Case::<T>::integers(&problem, &mut random);
                for transform in transforms(&problem, &mut random) {
                    b.recipe(&case, &Recipe::Fft { transform });
                }
                let by_depth = any_by_depth(&mut random, 2 + i % 2);
                let case_by_depth = Case::<T>::integers(&by_depth.with_dtype(problem.dtype()).expect("small"), &mut random);
                for mut tile in transforms(&case_by_depth.problem, &mut random) {
                    *tile.last_mut().expect("an axis") = random.pick(&[1, 2, 7, 16, 61, 10_000]);
                    b.recipe(&case_by_depth, &Recipe::Mixed { tile });
                }
                for extent in [1, 2, 3, 5, 16, 10_000] {
                    b.recipe(&case, &Recipe::Direct { tile: vec![extent; problem.rank()] });
                }
                let odd = (0..problem.rank()).map(|_| 1 + random.below(20)).collect();
                b.recipe(&case, &Recipe::Direct { tile: odd });
                for block in [1, 2, 7, 16, 61, 100_000] {
                    b.recipe(&case, &Recipe::Im2col { block });
                }
                b.recipe(&case, &Recipe::Reference);
            });
            let problem = small_kernels(&mut random, 1 + i % 3).with_dtype(DType::F64).expect("as it was");
            let tile = vec![2; problem.rank()];
            b.recipe(&Case::<f64>::integers(&problem, &mut random), &Recipe::Winograd { tile });
            let (shape, kernel) = ([0; 2].map(|_| 1 + random.below(50)), [0; 2].map(|_| 2 + random.below(5)));
            let field =
                Problem::field(&shape, &kernel).mode(Mode::Full).dtype(DType::F64).build().expect("a valid problem");
            let recipe = Recipe::Separable { tile: [0; 2].map(|_| 1 + random.below(20)).to_vec(), rank: 6 };
            b.recipe(&Case::<f64>::integers(&field, &mut random), &recipe);
        }
    });
}

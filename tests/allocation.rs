//! Runs allocate nothing with a workspace that is as large as the plan says, and leave it as large.

mod common;

use common::{Random, any_problem, lengths, normals, tell};
use faltung::ndarray::{Array2, ArrayD};
use faltung::nn::{
    Activation, AdaptiveAvgPool2d, AvgPool2d, BatchNorm, Conv1d, Conv2d, ConvTranspose2d, Dense, Dropout, Embedding,
    Flatten, GlobalAvgPool, GlobalMaxPool, LayerNorm, MaxPool2d, Network, Parallel, Residual, Sequential,
    SpatialDropout, depthwise_separable,
};
use faltung::{
    Algorithm, Boundary, Convolution, Element, Mode, Pass, Plan, Planner, Problem, Threads, Workspace, read_suite,
};

/// The definition is made for truth, not for speed.
fn algorithms() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.into_iter().filter(|&algorithm| algorithm != Algorithm::Reference)
}

fn check<T: Element>(plan: &Plan<T>) {
    let problem = plan.problem();
    let (mut random, [a, b, c]) = (Random::new(3), lengths(problem));
    let (first, second): (Vec<T>, Vec<T>) = (normals(&mut random, a), normals(&mut random, b));
    let mut result = vec![T::default(); c];
    let prepared = (problem.pass() != Pass::WeightGradient).then(|| plan.prepare(&second).expect("a kernel"));
    let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
    let bytes = workspace.bytes();
    let info = allocation_counter::measure(|| {
        plan.run(&first, &second, &mut result, &mut workspace).expect("a run");
        if let Some(prepared) = &prepared {
            prepared.run(&first, &mut result, &mut workspace).expect("a run");
        }
    });
    assert_eq!(info.count_total, 0, "{problem} by {}", plan.recipe());
    assert_eq!(workspace.bytes(), bytes, "{problem} by {}", plan.recipe());
}

#[test]
fn a_run_allocates_nothing() {
    for text in [
        "500*31:same:mirror",
        "40x30*5x6:full",
        "mb2g2ic4ih12oc6kh3sh2ph1",
        "mb2ic4ih9oc6kh3ph1:nhwc",
        "9x8x7*3x3x3:same",
    ] {
        for pass in Pass::ALL {
            let problem = text.parse::<Problem>().expect(text).with_pass(pass);
            for algorithm in algorithms() {
                let planner = Planner::new().algorithm(algorithm).threads(Threads::Serial);
                if let Ok(plan) = planner.plan::<f32>(&problem) {
                    check(&plan);
                }
            }
        }
    }
}

#[test]
fn no_run_takes_more_than_the_workspace_that_is_told() {
    let mut random = Random::new(61);
    for i in 0..300 {
        let problem = any_problem(&mut random, 1 + i % 4, 2e5);
        by_dtype!(problem, T => {
            for algorithm in algorithms() {
                let planner = Planner::new().algorithm(algorithm).threads(Threads::Serial);
                if let Ok(plan) = planner.plan::<T>(&problem) {
                    check(&plan);
                    assert!(plan.workspace_bytes() <= plan.candidate().workspace_bytes, "{} told", tell(&problem));
                }
            }
        });
    }
}

/// Problems of each kind that peers are measured on, and those whose fastest design wants the most room.
const SUITE: &str = "
128*16:full
1000*1000:full
1048576*1048576:full
1048576*511:full:c32
2048x2048*3x3:same:symmetric
2048x2048*63x63:same:symmetric
1024x1024*1024x1024:full
64x64x64*64x64x64:full
g256mb4ic256iw4096oc256ow4096kw4096pw4095
bwd_w:g256mb4ic256iw4096oc256ow4096kw4096pw4095
ic3ih224oc64kh7sh2ph3
ic128ih28oc128kh3ph1
ic512ih7oc512kh3ph1
mb16ic512ih7oc512kh3ph1
mb8ic32ih64oc32kh11ph5
mb2ic16id32oc32kd3pd1
bwd_d:mb16ic256ih56oc512kh1sh2
bwd_w:mb16ic64ih27oc192kh5ph2
g128mb4ic128ih56oc128kh31ph15
";

/// Half as much again as the operands and the result take is enough for some algorithm; only of the smallest problems
/// is a plan's room counted in kilobytes.
#[test]
fn there_is_a_plan_within_any_bound_that_is_half_as_much_again_as_the_arrays() {
    let mut random = Random::new(62);
    let drawn: Vec<Problem> = (0..500).map(|i| any_problem(&mut random, 1 + i % 4, 1e6)).collect();
    let named = read_suite(SUITE).map(|(_, text)| text.parse().expect(text));
    for problem in named.chain(drawn) {
        let bytes: usize = lengths(&problem).iter().sum::<usize>() * problem.dtype().size();
        let most = (bytes * 3 / 2).max(64 << 10);
        let recipe = Planner::new().max_workspace(most).recipe(&problem);
        let recipe = recipe.unwrap_or_else(|e| panic!("{}: {e}", tell(&problem)));
        by_dtype!(problem, T => {
            let planner = Planner::new().max_workspace(most).threads(Threads::Serial);
            let plan = planner.plan::<T>(&problem).expect("it was planned");
            assert_eq!(*plan.recipe(), recipe);
            assert!(plan.workspace_bytes() <= most, "{} by {recipe}", tell(&problem));
        });
    }
}

#[test]
fn a_filter_allocates_nothing() {
    let h = Array2::from_elem((5, 6), 0.25f32);
    for algorithm in algorithms() {
        let builder = Convolution::new(&h).mode(Mode::Same).boundary(Boundary::Mirror).algorithm(algorithm);
        let Ok(filter) = builder.threads(Threads::Serial).plan((40, 30)) else { continue };
        let x = Array2::from_elem((40, 30), 1.0);
        let mut y = Array2::zeros(filter.output_dim());
        let mut workspace = Workspace::with_bytes(filter.workspace_bytes());
        let info = allocation_counter::measure(|| {
            filter.apply_into(&x, &mut y, &mut workspace).expect("a run");
            filter.apply_into(&x.view().reversed_axes().reversed_axes(), &mut y, &mut workspace).expect("a run");
        });
        assert_eq!(info.count_total, 0, "{algorithm}");
    }
}

/// A network with every kind of layer, and an input for it.
fn network() -> (Network<f32>, ArrayD<f32>) {
    let body = Sequential::new()
        .layer(Conv2d::new(8, 8, 3).padding(1).without_bias())
        .layer(BatchNorm::new(8))
        .layer(Activation::Relu)
        .layer(Conv2d::new(8, 8, 3).padding(1))
        .layer(BatchNorm::new(8));
    let project = Sequential::new().layer(Conv2d::new(8, 8, 1).without_bias()).layer(BatchNorm::new(8));
    let branches = Parallel::new()
        .branch(Sequential::new().layer(Conv2d::new(8, 4, 1)).layer(Activation::Gelu))
        .branch(Sequential::new().layer(MaxPool2d::new(3).stride(1).padding(1)))
        .branch(Sequential::new().layer(AvgPool2d::new(3).stride(1).padding(1)).layer(Conv2d::new(8, 4, 3).same()))
        .branch(Sequential::new());
    let pooled = Parallel::new()
        .branch(Sequential::new().layer(GlobalAvgPool))
        .branch(Sequential::new().layer(GlobalMaxPool))
        .branch(Sequential::new().layer(AdaptiveAvgPool2d::new(2)).layer(Flatten));
    let design = Sequential::new()
        .layer(Conv2d::new(3, 8, 3).padding(1))
        .layer(Activation::LeakyRelu(0.1))
        .layer(Residual::new(body).shortcut("project", project))
        .layer(Activation::Relu)
        .layer(SpatialDropout::new(0.1))
        .layer(branches)
        .layer(depthwise_separable(24, 8, 2))
        .layer(ConvTranspose2d::new(8, 8, 3).stride(2))
        .layer(MaxPool2d::new(2))
        .layer(Residual::new(Sequential::new().layer(Activation::Tanh)))
        .layer(pooled)
        .layer(LayerNorm::new(48))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(48, 5));
    (design.build(1).expect("a network"), ArrayD::from_elem(vec![4, 3, 12, 10], 0.5))
}

/// Words, and a network for them.
fn reader() -> (Network<f32>, ArrayD<f32>) {
    let words = |width| Sequential::new().layer(Conv1d::new(6, 4, width)).layer(Activation::Relu).layer(GlobalMaxPool);
    let design = Sequential::new()
        .layer(Embedding::new(9, 6).padding(0).channels_first())
        .layer(Parallel::new().branch(words(2)).branch(words(3)))
        .layer(Dense::new(8, 2));
    (design.build(1).expect("a network"), ArrayD::from_shape_fn(vec![5, 7], |i| ((i[0] + 3 * i[1]) % 9) as f32))
}

#[test]
fn a_step_of_a_network_allocates_nothing() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    pool.install(|| {
        for (mut network, x) in [network(), reader()] {
            network.context().set_planner(Planner::new().threads(Threads::Serial));
            let mut dy = ArrayD::from_elem(network.output_shape(x.shape()).expect("it fits"), 1.0);
            let mut step = || {
                network.train(x.view()).expect("a pass");
                network.backward(dy.view_mut()).expect("a pass");
            };
            // Plans are made, and arrays find their places.
            (0..5).for_each(|_| step());
            let info = allocation_counter::measure(|| (0..3).for_each(|_| step()));
            assert_eq!(info.count_total, 0);
        }
    });
}

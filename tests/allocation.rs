//! Runs allocate nothing with a workspace that is as large as the plan says, and leave it as large.

use faltung::ndarray::Array2;
use faltung::{Algorithm, Boundary, Convolution, Mode, Pass, Plan, Planner, Problem, Threads, Workspace};

/// The definition is made for truth, not for speed.
fn algorithms() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.into_iter().filter(|&algorithm| algorithm != Algorithm::Reference)
}

fn check(plan: &Plan<f32>) {
    let problem = plan.problem();
    let [first, second, result] = problem.operands().map(|shape| vec![0.5; shape.iter().product()]);
    let mut result = result;
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
                if let Ok(plan) = planner.plan(&problem) {
                    check(&plan);
                }
            }
        }
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

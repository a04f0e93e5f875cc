//! Augmentation. A picture of two ramps, of rows and of columns, shows at every pixel where it was sampled.

use std::collections::BTreeSet;
use std::thread;

use faltung::ndarray::{Array, Array2, ArrayD, Axis, s};
use faltung::nn::data::{
    Arrays, Augment, Augmented, Dataset, Draws, Mnist, Noise, SpecMask, Subset, Targets, TimeShift, Tone, Warp,
};

use crate::{digits, sample};

/// What lies outside in these tests: nothing that a ramp comes near.
const OUTSIDE: f64 = 1e7;

fn one(sample: ArrayD<f64>) -> Arrays<f64> {
    Arrays::new(sample.insert_axis(Axis(0)), Targets::Classes(vec![0])).expect("data")
}

/// Rows, columns, a texture, and zeros that the outside alone changes.
fn ramps(height: usize, width: usize) -> Arrays<f64> {
    one(Array::from_shape_fn((4, height, width), |(c, y, x)| match c {
        0 => y as f64,
        1 => x as f64,
        2 => texture(y, x),
        _ => 0.0,
    })
    .into_dyn())
}

fn texture(y: usize, x: usize) -> f64 {
    ((y * 37 + x * 101) % 64) as f64
}

/// A pixel of an output and where it came from, as (y, x) about the middle.
type Pair = ([f64; 2], [f64; 2]);

/// Where the pixels came from that have no part of the outside.
fn origins(sample: &ArrayD<f64>) -> Vec<Pair> {
    let (height, width) = (sample.shape()[1], sample.shape()[2]);
    let middle = [(height - 1) as f64 / 2.0, (width - 1) as f64 / 2.0];
    let mut found = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (from_y, from_x) = (sample[[0, y, x]], sample[[1, y, x]]);
            if sample[[3, y, x]] == 0.0 {
                found.push(([y as f64 - middle[0], x as f64 - middle[1]], [from_y - middle[0], from_x - middle[1]]));
            }
        }
    }
    found
}

/// The affine map `from = m · to + v` of the first pair, the last one, and the one furthest from their line.
fn affine(pairs: &[Pair]) -> ([[f64; 2]; 2], [f64; 2]) {
    let minus = |p: [f64; 2], q: [f64; 2]| [p[0] - q[0], p[1] - q[1]];
    let cross = |u: [f64; 2], v: [f64; 2]| u[0] * v[1] - u[1] * v[0];
    let (a, b) = (pairs[0], pairs[pairs.len() - 1]);
    let off = |c: &&Pair| cross(minus(b.0, a.0), minus(c.0, a.0)).abs();
    let c = pairs.iter().max_by(|c, d| off(c).total_cmp(&off(d))).expect("pairs");
    let (u, v) = (minus(b.0, a.0), minus(c.0, a.0));
    let determinant = cross(u, v);
    assert!(determinant.abs() > 1.0);
    let (p, q) = (minus(b.1, a.1), minus(c.1, a.1));
    let m = [0, 1].map(|i| [(p[i] * v[1] - q[i] * u[1]) / determinant, (q[i] * u[0] - p[i] * v[0]) / determinant]);
    (m, [0, 1].map(|i| a.1[i] - m[i][0] * a.0[0] - m[i][1] * a.0[1]))
}

fn drawn(warp: Warp, height: usize, width: usize, draws: u64) -> impl Iterator<Item = ArrayD<f64>> {
    let data = Augmented::new(ramps(height, width)).then(warp.outside(OUTSIDE)).expect("augmented");
    (0..draws).map(move |draw| sample(&data, 0, Some(draw)))
}

#[test]
fn one_affine_map_within_its_bounds() {
    let mut angles = Vec::new();
    for warped in drawn(Warp::new().rotate(30.0).scale(0.8, 1.25).shift(3.0), 31, 40, 200) {
        let pairs = origins(&warped);
        let (m, v) = affine(&pairs);
        for (to, from) in &pairs {
            for i in 0..2 {
                assert!((m[i][0] * to[0] + m[i][1] * to[1] + v[i] - from[i]).abs() < 1e-4);
            }
        }
        // A rotation over a scale: columns of one length, at right angles.
        let [[a, b], [c, d]] = m;
        let scale = 1.0 / (a * d - b * c).sqrt();
        assert!((a - d).abs() < 1e-4 && (b + c).abs() < 1e-4);
        assert!((0.8 - 1e-4..=1.25 + 1e-4).contains(&scale), "{scale}");
        let angle = b.atan2(a).to_degrees();
        assert!(angle.abs() < 30.01, "{angle}");
        angles.push(angle);
        // from = m (to - shift), so shift = -m⁻¹ v.
        let shift = [-(d * v[0] - b * v[1]) * scale * scale, -(a * v[1] - c * v[0]) * scale * scale];
        assert!(shift.iter().all(|s| s.abs() < 3.001), "{shift:?}");
    }
    assert!(angles.iter().any(|&a| a > 20.0) && angles.iter().any(|&a| a < -20.0));

    for warped in drawn(Warp::new().shear(45.0), 31, 40, 50) {
        let (m, v) = affine(&origins(&warped));
        assert!((m[0][0] - 1.0).abs() < 1e-4 && m[0][1].abs() < 1e-4 && (m[1][1] - 1.0).abs() < 1e-4);
        assert!(m[1][0].abs() < 1.0001 && v.iter().all(|v| v.abs() < 1e-3), "rows move, about the middle");
    }
}

#[test]
fn pixels_are_interpolated_bilinearly_where_they_come_from() {
    let warp = || Warp::new().rotate(180.0).scale(0.5, 2.0).shear(20.0).shift(4.0).flip(0.5).elastic(20.0, 3.0);
    let mut checked = 0;
    for warped in drawn(warp(), 24, 20, 50) {
        for ([y, x], [from_y, from_x]) in origins(&warped) {
            let at = [2, (y + 11.5) as usize, (x + 9.5) as usize];
            let (from_y, from_x) = (from_y + 11.5, from_x + 9.5);
            let (top, left) = (from_y as usize, from_x as usize);
            let (down, right) = (from_y.fract(), from_x.fract());
            let pixel = |y: usize, x: usize| texture(y.min(23), x.min(19));
            let expected = (1.0 - down) * ((1.0 - right) * pixel(top, left) + right * pixel(top, left + 1))
                + down * ((1.0 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1));
            assert!((warped[at] - expected).abs() < 1e-3, "{} {expected}", warped[at]);
            checked += 1;
        }
    }
    assert!(checked > 5000, "{checked}");
}

#[test]
fn what_lies_outside_is_interpolated_too() {
    // A white picture shifted by half a pixel and less: only border pixels change, by what they lost.
    let data = Augmented::new(one(Array::ones((1, 5, 5)).into_dyn())).then(Warp::new().shift(0.5)).expect("augmented");
    for draw in 0..50 {
        let shifted = sample(&data, 0, Some(draw));
        assert!(shifted.slice(s![0, 1..4, 1..4]).iter().all(|&v| (v - 1.0).abs() < 1e-6));
        let side = |a: [usize; 3], b: [usize; 3]| shifted[a].min(shifted[b]);
        let corner = [[0, 0], [0, 4], [4, 0], [4, 4]].map(|[y, x]| shifted[[0, y, x]]).into_iter().fold(1.0, f64::min);
        let product = side([0, 0, 2], [0, 4, 2]) * side([0, 2, 0], [0, 2, 4]);
        assert!((corner - product).abs() < 1e-5 && product >= 0.25 - 1e-5);
    }
}

#[test]
fn crops_and_flips_copy_pixels() {
    let mut seen = BTreeSet::new();
    for warped in drawn(Warp::new().crop(2).flip(0.5), 9, 8, 1000) {
        let pairs = origins(&warped);
        let (m, _) = affine(&pairs);
        assert_eq!((m[0], m[1][0], m[1][1].abs()), ([1.0, 0.0], 0.0, 1.0));
        for y in 0..9 {
            for x in 0..8 {
                let (row, column, pixel) = (warped[[0, y, x]], warped[[1, y, x]], warped[[2, y, x]]);
                assert_eq!(row == OUTSIDE, pixel == OUTSIDE);
                assert!(pixel == OUTSIDE || pixel == texture(row as usize, column as usize));
            }
        }
        seen.insert((m[1][1] as i32, warped[[0, 4, 4]] as i32 - 4, warped[[1, 4, 4]] as i32));
    }
    assert_eq!(seen.len(), 2 * 5 * 5, "every shift, flipped and not");
    // Nothing asked for, nothing changed.
    let plain = drawn(Warp::new(), 9, 8, 1).next().expect("a sample");
    assert_eq!(plain, sample(&ramps(9, 8), 0, None));
}

#[test]
fn elastic_fields_are_as_large_and_smooth_as_theory_says() {
    let (alpha, sigma, n) = (34.0, 4.0, 64);
    let (mut squares, mut steps, mut mean, mut count) = (0.0, 0.0, 0.0, 0.0);
    for warped in drawn(Warp::new().elastic(alpha, sigma), n, n, 60) {
        // Far enough inside for the whole kernel.
        let at = |c: usize, y: usize, x: usize| warped[[c, y, x]] - [y, x][c] as f64;
        for y in 20..n - 20 {
            for x in 20..n - 20 {
                for c in 0..2 {
                    squares += at(c, y, x).powi(2);
                    steps += (at(c, y, x + 1) - at(c, y, x)).powi(2);
                    mean += at(c, y, x);
                    count += 1.0;
                }
            }
        }
    }
    // Variance 1/3, times the squared taps' sum along both axes; neighbours correlate by exp(-1 / 4σ²).
    let expected = alpha / 3f64.sqrt() / (2.0 * std::f64::consts::PI.sqrt() * sigma);
    let rms = f64::sqrt(squares / count);
    assert!((rms / expected - 1.0).abs() < 0.1, "{rms} {expected}");
    let correlation = 1.0 - steps / (2.0 * squares);
    assert!((correlation - (-0.25 / (sigma * sigma)).exp()).abs() < 0.003, "{correlation}");
    assert!((mean / count).abs() < 0.3 * expected);
}

#[test]
fn the_same_draw_gives_the_same_bits_everywhere() {
    let mnist = Mnist::<f32>::open(digits()).expect("digits");
    let build = |seed| {
        let steps = Augmented::new(&mnist.train).then(Warp::new().shift(2.0).rotate(10.0).elastic(34.0, 4.0));
        steps.and_then(|data| data.then(Tone::new().brightness(0.1))).expect("augmented").seed(seed)
    };
    let data = build(0);
    let serial: Vec<_> = (0..64).map(|i| sample(&data, i, Some(5))).collect();
    let order: Vec<usize> = (0..64).map(|i| i * 37 % 64).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| order.iter().for_each(|&i| assert!(sample(&data, i, Some(5)) == serial[i])));
        }
    });
    // A view of any strides.
    let mut wide = Array::from_elem((28, 1, 2, 28), f32::NAN);
    let view = wide.slice_mut(s![.., .., 1, ..]).reversed_axes();
    data.read(3, Some(5), view.permuted_axes([1, 0, 2]).into_dyn()).expect("read");
    assert_eq!(wide.slice(s![.., 0, 1, ..]).t().into_dyn(), serial[3].index_axis(Axis(0), 0));

    assert_ne!(sample(&data, 0, Some(6)), serial[0], "another epoch");
    assert_ne!(sample(&build(1), 0, Some(5)), serial[0], "another seed");
    assert_eq!(sample(&data, 0, None), sample(&mnist.train, 0, None), "evaluation");
    // One picture twice in a data set is two samples; a subset draws by the numbers of the set within.
    let twice = Augmented::new(Subset::new(&mnist.train, vec![0, 0]).expect("a part"));
    let twice = twice.then(Warp::new().shift(2.0)).expect("augmented");
    assert_ne!(sample(&twice, 0, Some(1)), sample(&twice, 1, Some(1)));
    let part = Subset::new(&data, vec![9]).expect("a part");
    assert_eq!(sample(&part, 0, Some(5)), serial[9]);
}

#[test]
fn tones_and_noise() {
    let plain = one(Array2::from_shape_fn((30, 30), |(y, x)| (y * x) as f64).into_dyn());
    let tone = Augmented::new(&plain).then(Tone::new().brightness(10.0).contrast(0.5, 2.0)).expect("augmented");
    let before = sample(&plain, 0, None);
    for draw in 0..20 {
        let after = sample(&tone, 0, Some(draw));
        let factor = after.std(0.0) / before.std(0.0);
        let offset = after.mean().expect("a mean") - before.mean().expect("a mean");
        assert!((0.5..=2.0).contains(&factor) && offset.abs() <= 10.0);
        let expected = before.mapv(|v| (v - before.mean().expect("a mean")) * factor) + after.mean().expect("a mean");
        assert!((&after - &expected).iter().all(|d| d.abs() < 1e-9));
    }
    let noisy = Augmented::new(&plain).then(Noise::new(2.0)).expect("augmented");
    let noise = sample(&noisy, 0, Some(1)) - &before;
    assert!((noise.std(0.0) - 2.0).abs() < 0.15 && noise.mean().expect("a mean").abs() < 0.25);
}

#[test]
fn time_shifts_move_and_fill() {
    let data = one(Array2::from_shape_fn((2, 6), |(c, t)| (10 * c + t + 1) as f64).into_dyn());
    let shifted = Augmented::new(&data).then(TimeShift::new(6).outside(-1.0)).expect("augmented");
    let mut seen = BTreeSet::new();
    for draw in 0..300 {
        let after = sample(&shifted, 0, Some(draw));
        let later = (-6..=6isize)
            .find(|&later| {
                after.indexed_iter().all(|(i, &v)| {
                    let from = i[1] as isize - later;
                    v == if (0..6).contains(&from) { (10 * i[0] as isize + from + 1) as f64 } else { -1.0 }
                })
            })
            .filter(|later| later.abs() < 6 || after.iter().all(|&v| v == -1.0))
            .expect("one shift for all channels");
        seen.insert(later);
    }
    assert!(seen.len() >= 12, "{seen:?}"); // -6 and 6 look alike
}

#[test]
fn masks_cover_bands_and_spans() {
    let data = one(Array::from_shape_fn((2, 12, 30), |(c, f, t)| (c + f + t) as f64).into_dyn());
    let masked = Augmented::new(&data).then(SpecMask::new().frequency(1, 4).time(1, 7).value(-9.0)).expect("augmented");
    let (mut bands, mut spans) = (BTreeSet::new(), BTreeSet::new());
    for draw in 0..500 {
        let after = sample(&masked, 0, Some(draw));
        let hidden = |slice: faltung::ndarray::ArrayViewD<'_, f64>| slice.iter().all(|&v| v == -9.0);
        let of = |axis: usize| -> Vec<usize> {
            (0..after.shape()[axis]).filter(|&i| hidden(after.index_axis(Axis(axis), i))).collect()
        };
        let (band, span) = (of(1), of(2));
        assert!([&band, &span].iter().all(|run| run.windows(2).all(|w| w[1] == w[0] + 1)), "in one piece");
        for (i, &v) in after.indexed_iter() {
            let expected =
                if band.contains(&i[1]) || span.contains(&i[2]) { -9.0 } else { (i[0] + i[1] + i[2]) as f64 };
            assert_eq!(v, expected);
        }
        bands.insert(band.len());
        spans.insert(span.len());
    }
    assert_eq!(bands, (0..=4).collect());
    assert_eq!(spans, (0..=7).collect());
    let to_mean = Augmented::new(&data).then(SpecMask::new().time(1, 30)).expect("augmented");
    let mean = sample(&data, 0, None).mean().expect("a mean");
    assert!((0..50).any(|draw| sample(&to_mean, 0, Some(draw)).iter().any(|&v| (v - mean).abs() < 1e-9)));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let data = ramps(9, 9);
    let refused = |step: Box<dyn Fn() -> Warp>, what: &str| {
        let text = Augmented::new(&data).then(step()).map(drop).expect_err(what).to_string();
        assert!(text.contains(what), "{text}");
    };
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        refused(Box::new(move || Warp::new().shift(bad)), "shift");
        refused(Box::new(move || Warp::new().rotate(bad)), "rotate");
        refused(Box::new(move || Warp::new().shear(bad)), "shear");
        refused(Box::new(move || Warp::new().flip(bad)), "flip");
        refused(Box::new(move || Warp::new().scale(bad, 1.0)), "scale");
        refused(Box::new(move || Warp::new().scale(0.5, bad)), "scale");
        refused(Box::new(move || Warp::new().elastic(bad, 4.0)), "alpha");
        refused(Box::new(move || Warp::new().elastic(4.0, bad)), "sigma");
    }
    refused(Box::new(|| Warp::new().scale(0.0, 1.0)), "scale");
    refused(Box::new(|| Warp::new().shear(90.0)), "shear");
    refused(Box::new(|| Warp::new().crop(usize::MAX)), "crop");
    refused(Box::new(|| Warp::new().outside(f64::NAN)), "outside");
    assert!(Augmented::new(&data).then(Noise::new(-1.0)).is_err());
    assert!(Augmented::new(&data).then(Tone::new().contrast(2.0, 1.0)).is_err());
    assert!(Augmented::new(&data).then(Tone::new().brightness(f64::NAN)).is_err());
    assert!(Augmented::new(&data).then(TimeShift::new(10)).is_err());
    assert!(Augmented::new(&data).then(TimeShift::new(1).outside(f64::NAN)).is_err());
    assert!(Augmented::new(&data).then(SpecMask::new().time(1, 10)).is_err());
    assert!(Augmented::new(&data).then(SpecMask::new().frequency(usize::MAX, 1)).is_err());
    assert!(Augmented::new(one(Array::zeros(3).into_dyn())).then(SpecMask::new()).is_err());
    let mut wrong = Array::zeros((3, 9, 8)).into_dyn();
    assert!(Augment::<f64>::apply(&Warp::new(), wrong.view_mut(), &mut Draws::new(0, 0, 0)).is_err());
}

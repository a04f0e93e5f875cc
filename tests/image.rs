//! Pictures and frames: against OpenCV and SciPy, against plain `f64` arithmetic, and with files that are damaged.

use faltung::filter::named::{Derivative, Design, Gaussian, Named};
use faltung::image::image::{ColorType, DynamicImage, GrayAlphaImage, ImageBuffer, Luma, Rgb, RgbaImage};
use faltung::image::{
    self, Alpha, Depth, FrameWorkspace, ImageFilter, Picture, Sample, image_from_planes, image_to_planes,
};
use faltung::ndarray::{Array2, Array3, Axis, Ix2, array, s};
use faltung::{Boundary, Error};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

mod common;
use common::Random;

const BOUNDARIES: [Boundary; 6] = [
    Boundary::Zero,
    Boundary::Constant(77.0),
    Boundary::Symmetric,
    Boundary::Mirror,
    Boundary::Nearest,
    Boundary::Wrap,
];

fn camera() -> Picture {
    image::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/camera.png")).expect("the shipped photograph")
}

/// Every named filter with its default parameters.
fn named() -> impl Iterator<Item = (Named, ImageFilter)> {
    Named::all().map(|named| {
        let filter = ImageFilter::named(&named).expect("default parameters");
        (named, filter)
    })
}

/// A picture of any pixels, with a hole where alpha is 0 and a part that is opaque.
fn synthetic(color: ColorType, (height, width): (usize, usize), seed: u64) -> DynamicImage {
    let mut random = Random::new(seed);
    let (channels, full) = (usize::from(color.channel_count()), f64::from(u16::MAX));
    let scale = match color.bytes_per_pixel() / color.channel_count() {
        1 => 255.0,
        2 => full,
        _ => 1.0,
    };
    let mut planes = Array3::from_shape_simple_fn((channels, height, width), || random.unit() * scale);
    if color.has_alpha() {
        let mut alpha = planes.index_axis_mut(Axis(0), channels - 1);
        alpha.slice_mut(s![height / 4..height / 2, width / 4..]).fill(0.0);
        alpha.slice_mut(s![height / 2.., ..width / 2]).fill(scale);
    }
    image_from_planes(&planes, color).expect("as many planes as channels")
}

// ---------------------------------------------------------------------------------------------- other libraries

struct Case {
    about: Value,
    x: Array3<f64>,
    y: Array3<f64>,
    kernel: Array2<f64>,
}

fn cases() -> Vec<Case> {
    let bytes = include_bytes!("cases/image.safetensors");
    let (_, metadata) = SafeTensors::read_metadata(bytes).expect("a header");
    let list = &metadata.metadata().as_ref().expect("metadata")["cases"];
    let list: Vec<Value> = serde_json::from_str(list).expect("a list of cases");
    let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
    list.into_iter()
        .map(|about| {
            let name = about["name"].as_str().expect("a name");
            let tensor = |part: &str| {
                let tensor = file.tensor(&format!("{name}/{part}")).ok()?;
                let values: Vec<f64> = match tensor.dtype() {
                    Dtype::F32 => {
                        tensor.data().as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
                    }
                    _ => tensor.data().as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
                };
                Some((tensor.shape().to_vec(), values))
            };
            let frame = |part: &str| {
                let (shape, values) = tensor(part).expect("the tensor");
                Array3::from_shape_vec((shape[0], shape[1], shape[2]), values).expect("its shape")
            };
            let kernel = tensor("kernel")
                .map(|(shape, values)| Array2::from_shape_vec((shape[0], shape[1]), values).expect("its shape"));
            Case { x: frame("x"), y: frame("y"), kernel: kernel.unwrap_or_default(), about }
        })
        .collect()
}

fn apply<S: Sample, O: Sample>(filter: &ImageFilter, x: &Array3<f64>) -> Array3<f64> {
    filter.apply_frame_as::<S, O>(&x.mapv(S::from_double)).expect("a filtered frame").mapv(O::to_double)
}

#[test]
fn kernels_give_what_opencv_gives() {
    let mut seen = 0;
    for Case { about, x, y, kernel } in cases().iter().filter(|case| case.about["kind"] == "filter2d") {
        let boundary = match about["border"].as_str() {
            Some("mirror") => Boundary::Mirror,
            Some("symmetric") => Boundary::Symmetric,
            Some("nearest") => Boundary::Nearest,
            _ => Boundary::Zero,
        };
        let offset = about["offset"].as_f64().expect("a number");
        let mut filter = ImageFilter::kernel(kernel).boundary(boundary).offset(offset);
        if let Some(anchor) = about["anchor"].as_array() {
            let at = |i: usize| anchor[i].as_u64().expect("an index") as usize;
            filter = filter.anchor((at(0), at(1)));
        }
        let ours = match (about["sample"].as_str().expect("a type"), about["depth"].as_str().expect("a type")) {
            ("u8", "u8") => apply::<u8, u8>(&filter, x),
            ("u8", "i16") => apply::<u8, i16>(&filter, x),
            ("u8", "f32") => apply::<u8, f32>(&filter, x),
            ("u16", "u16") => apply::<u16, u16>(&filter, x),
            ("u16", "f32") => apply::<u16, f32>(&filter, x),
            _ => apply::<f32, f32>(&filter, x),
        };
        let worst = (&ours - y).iter().fold(0.0, |worst: f64, d| worst.max(d.abs()));
        // Floating point pictures differ in the order of their sums.
        let bound = if about["sample"] == "f32" { 1e-4 } else { 0.0 };
        assert!(worst <= bound, "{worst}: {about}");
        seen += 1;
    }
    assert!(seen > 140);
}

#[test]
fn transparent_pixels_do_as_premultiplied_ones_in_scipy() {
    let mut seen = 0;
    for Case { about, x, y, .. } in cases().iter().filter(|case| case.about["kind"] == "alpha") {
        let sigma = about["sigma"].as_f64().expect("a number");
        let filter = ImageFilter::named(&Gaussian::new(sigma)).expect("a sigma").alpha(Alpha::Last);
        let filter = filter.boundary(Boundary::Mirror);
        let (ours, bound) = match about["sample"].as_str() {
            Some("u8") => (apply::<u8, u8>(&filter, x), 0.5 + 1e-3),
            Some("u16") => (apply::<u16, u16>(&filter, x), 0.5 + 1e-3),
            _ => (apply::<f32, f32>(&filter, x), 2e-6),
        };
        let worst = (&ours - y).iter().fold(0.0, |worst: f64, d| worst.max(d.abs()));
        assert!(worst <= bound, "{worst}: {about}");
        seen += 1;
    }
    assert_eq!(seen, 12);
}

// ---------------------------------------------------------------------------------------------- plain arithmetic

/// What a filter makes of a picture in `f64`, neither rounded nor clamped, by whole planes and nothing of the image
/// room: height x width x channels.
fn plainly(named: &Named, picture: &DynamicImage, boundary: Boundary) -> Array3<f64> {
    let color = picture.color();
    let full = match color.bytes_per_pixel() / color.channel_count() {
        1 => 255.0,
        2 => 65535.0,
        _ => 1.0,
    };
    let operator = named.operator(2).expect("default parameters");
    let offset = if full > 1.0 { operator.offset() / 255.0 * full } else { 0.0 };
    let mut planes = image_to_planes::<f64>(picture).expect("planes");
    let run = |x: &Array3<f64>| named.apply_along(x, &[1, 2], boundary).expect("a filtered picture");
    if !color.has_alpha() {
        let y = run(&planes) + offset;
        return y.permuted_axes([1, 2, 0]).as_standard_layout().into_owned();
    }
    let last = planes.dim().0 - 1;
    let alpha = planes.index_axis(Axis(0), last).to_owned() / full;
    for mut plane in planes.axis_iter_mut(Axis(0)).take(last) {
        plane *= &alpha;
    }
    let mut y = run(&planes);
    let least = if full > 1.0 { 0.5 } else { 1e-6 };
    let opacity = if operator.is_normalised() { y.index_axis(Axis(0), last).to_owned() / full } else { alpha };
    for mut plane in y.axis_iter_mut(Axis(0)).take(last) {
        plane.zip_mut_with(&opacity, |v, &a| {
            *v = match a * full - least {
                // Whether it is transparent is a matter of the last bit, and so is its colour.
                tie if tie.abs() < 1e-9 * full => f64::NAN,
                above if above > 0.0 => *v / a + offset,
                _ => 0.0,
            }
        });
    }
    y.index_axis_mut(Axis(0), last).assign(&(opacity * full));
    y.permuted_axes([1, 2, 0]).as_standard_layout().into_owned()
}

/// The largest distance of a filtered picture from plain arithmetic: in levels, or relative where numbers have no
/// bound.
fn distance(named: &Named, filter: &ImageFilter, picture: &DynamicImage, boundary: Option<Boundary>) -> f64 {
    let boundary = boundary.unwrap_or(named.operator(2).expect("default parameters").boundary());
    let exact = plainly(named, picture, boundary);
    let ours = filter.clone().boundary(boundary).apply(picture).expect("a filtered picture");
    assert_eq!(ours.color(), picture.color(), "{named}");
    assert_eq!((ours.width(), ours.height()), (picture.width(), picture.height()), "{named}");
    let ours = image_to_planes::<f64>(&ours).expect("planes").permuted_axes([1, 2, 0]);
    let full = match picture.color().bytes_per_pixel() / picture.color().channel_count() {
        1 => 255.0,
        2 => 65535.0,
        _ => f64::INFINITY,
    };
    let low = if full.is_finite() { 0.0 } else { f64::NEG_INFINITY };
    // What is nearly transparent has colours of any size, which `f32` holds to so many digits.
    let scale = |e: f64| if full.is_finite() { 1.0 } else { e.abs().max(1.0) };
    ours.iter().zip(&exact).map(|(o, e)| (o - e.clamp(low, full)).abs() / scale(*e)).fold(0.0, f64::max)
}

/// Half a level is what rounding takes; the rest is what sums may err.
const ROUNDED: f64 = 0.5 + 1e-3;

#[test]
fn every_filter_is_within_half_a_level_of_f64() {
    let mut pictures = vec![camera().image];
    for color in [ColorType::L8, ColorType::La8, ColorType::Rgb8, ColorType::Rgba8] {
        pictures.push(synthetic(color, (61, 83), 1));
    }
    for color in [ColorType::L16, ColorType::La16, ColorType::Rgb16, ColorType::Rgba16] {
        pictures.push(synthetic(color, (40, 37), 2));
    }
    let mut worst: f64 = 0.0;
    for picture in &pictures {
        for (named, filter) in named() {
            let off = distance(&named, &filter, picture, None);
            assert!(off <= ROUNDED, "{named} on {:?}: {off}", picture.color());
            worst = worst.max(off);
        }
    }
    println!("the worst is {worst}");
    for color in [ColorType::Rgb32F, ColorType::Rgba32F] {
        let picture = synthetic(color, (40, 37), 3);
        for (named, filter) in named().filter(|(_, f)| !format!("{f:?}").contains("threshold: 3")) {
            let off = distance(&named, &filter, &picture, None);
            assert!(off <= 1e-4, "{named} on {color:?}: {off}");
        }
    }
}

#[test]
fn pictures_of_several_strips_are_as_whole_ones() {
    let picture = synthetic(ColorType::L8, (1500, 401), 6);
    for (named, filter) in named() {
        for boundary in BOUNDARIES {
            let off = distance(&named, &filter, &picture, Some(boundary));
            assert!(off <= ROUNDED, "{named} {boundary}: {off}");
        }
    }
    let picture = synthetic(ColorType::Rgba8, (1400, 401), 7);
    for name in ["gaussian:sigma=5", "sobel", "unsharp", "box:size=4", "emboss"] {
        let named: Named = name.parse().expect("a filter");
        let off = distance(&named, &ImageFilter::named(&named).expect("a filter"), &picture, None);
        assert!(off <= ROUNDED, "{named}: {off}");
    }
}

/// Needs a folder with `images`, named by the variable `FALTUNG_DATA`.
#[test]
fn pictures_of_the_data_folder_are_within_half_a_level() {
    let Ok(root) = std::env::var("FALTUNG_DATA") else {
        return println!("FALTUNG_DATA is not set: no pictures are read");
    };
    let entries = std::fs::read_dir(std::path::Path::new(&root).join("images")).expect("a folder");
    let (mut count, mut worst) = (0, 0.0f64);
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let picture = image::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).image;
        for (named, filter) in named() {
            let off = distance(&named, &filter, &picture, None);
            assert!(off <= ROUNDED, "{} through {named}: {off}", path.display());
            worst = worst.max(off);
        }
        count += 1;
        println!("{}: {:?}; the worst so far is {worst}", path.display(), picture.color());
    }
    assert!(count > 0);
}

#[test]
fn alpha_does_not_matter_to_opaque_pictures() {
    let rgb = synthetic(ColorType::Rgb8, (30, 41), 4);
    let opaque = DynamicImage::ImageRgba8(rgb.to_rgba8());
    for (named, filter) in named() {
        let (plain, with) = (filter.apply(&rgb).expect("filtered"), filter.apply(&opaque).expect("filtered"));
        let close = plain.to_rgba8().pixels().zip(with.to_rgba8().pixels()).all(|(a, b)| {
            // One was summed in single precision; a tie may fall to either side.
            a.0.iter().zip(b.0).all(|(&a, b)| a.abs_diff(b) <= 1)
        });
        assert!(close, "{named}");
    }
}

#[test]
fn hidden_colours_stay_hidden() {
    // Opaque black, and a hole that hides white.
    let mut picture = RgbaImage::from_pixel(32, 32, [0, 0, 0, 255].into());
    for x in 8..24 {
        picture.put_pixel(x, 16, [255, 255, 255, 0].into());
    }
    for (named, filter) in named().filter(|(n, _)| n.operator(2).expect("defaults").is_normalised()) {
        let filtered = filter.apply_buffer(&picture).expect("filtered");
        assert!(filtered.pixels().all(|p| p.0[..3] == [0, 0, 0]), "{named}");
    }
    // Derivatives keep alpha as it was.
    let edges = ImageFilter::named(&Derivative::sobel(0)).expect("a derivative").apply_buffer(&picture);
    let edges = edges.expect("filtered");
    assert!(edges.pixels().zip(picture.pixels()).all(|(e, p)| e[3] == p[3]));
    // With alpha left out of it, white comes out.
    let blur = ImageFilter::named(&Gaussian::new(1.0)).expect("a sigma").alpha(Alpha::None);
    assert!(blur.apply_buffer(&picture).expect("filtered").pixels().any(|p| p[0] > 0));
}

// ---------------------------------------------------------------------------------------------- properties

fn constant<S: Sample>(value: S) {
    let frame = Array3::from_elem((9, 12, 3), value);
    for (named, filter) in named().filter(|(n, _)| n.operator(2).expect("defaults").is_normalised()) {
        for boundary in BOUNDARIES {
            // A constant goes on outside only where the boundary says so.
            let boundary = match boundary {
                Boundary::Zero => continue,
                Boundary::Constant(_) => Boundary::Constant(value.to_double()),
                other => other,
            };
            for alpha in [Alpha::None, Alpha::Last] {
                // A constant outside is opaque, which what is inside may not be.
                if (boundary, alpha) == (Boundary::Constant(value.to_double()), Alpha::Last) {
                    continue;
                }
                let filtered = filter.clone().boundary(boundary).alpha(alpha).apply_frame(&frame).expect("filtered");
                assert!(
                    filtered.iter().all(|v| match S::INTEGER {
                        true => v.to_double() == value.to_double(),
                        false => (v.to_double() - value.to_double()).abs() <= 2e-6 * value.to_double().abs(),
                    }),
                    "{named} {boundary} {alpha:?}"
                );
            }
        }
    }
}

#[test]
fn a_constant_stays_constant() {
    constant(200u8);
    constant(1u8);
    constant(255u8);
    constant(40_000u16);
    constant(65_535u16);
    constant(0.3f32);
    constant(0.3f64);
}

/// An impulse of `height` returns the taps, reflected, to half a level.
fn impulse<S: Sample>(height: S) {
    for (named, filter) in named().filter(|(n, _)| n.operator(2).expect("defaults").is_normalised()) {
        let operator = named.operator(2).expect("defaults");
        let Ok(kernel) = operator.kernel() else { continue };
        let (rows, columns) = (kernel.taps.shape()[0], kernel.taps.shape()[1]);
        // So far from the edges that no boundary shows.
        let (r, c) = (2 * rows + 1, 2 * columns + 2);
        let mut frame = Array3::from_elem((4 * rows + 3, 4 * columns + 4, 2), S::default());
        frame[[r, c, 1]] = height;
        for boundary in BOUNDARIES {
            let boundary = match boundary {
                Boundary::Constant(_) => Boundary::Constant(0.0),
                other => other,
            };
            let filtered = filter.clone().boundary(boundary).apply_frame(&frame).expect("filtered");
            let taps = kernel.taps.clone().into_dimensionality::<Ix2>().expect("two axes");
            for ((i, j), &tap) in taps.indexed_iter() {
                let (y, x) = (r + kernel.anchor[0] - i, c + kernel.anchor[1] - j);
                let wanted = S::from_double(tap * height.to_double()).to_double();
                let given = filtered[[y, x, 1]].to_double();
                let bound = if S::INTEGER { 0.0 } else { 1e-6 * height.to_double() };
                // A tie may fall to either side where a tap itself was rounded.
                let tie = S::INTEGER && (tap * height.to_double()).fract().abs().mul_add(2.0, -1.0).abs() < 1e-9;
                assert!((given - wanted).abs() <= bound + f64::from(u8::from(tie)), "{named} {boundary} {i} {j}");
            }
            assert!(filtered.index_axis(Axis(2), 0).iter().all(|v| v.to_double() == 0.0), "{named} {boundary}");
        }
    }
}

#[test]
fn an_impulse_returns_the_kernel() {
    impulse(255u8);
    impulse(60_000u16);
    impulse(1.0f32);
    impulse(1.0f64);
}

#[test]
fn depths_keep_full_intensity_full() {
    let grey = DynamicImage::ImageLumaA8(GrayAlphaImage::from_pixel(6, 5, [255, 51].into()));
    let blur = ImageFilter::named(&Gaussian::new(1.0)).expect("a sigma");
    let to = |depth| blur.clone().depth(depth).apply(&grey).expect("filtered");
    assert_eq!(to(Depth::U8), grey);
    assert_eq!(to(Depth::U16).as_luma_alpha16().expect("16 bits")[(3, 2)].0, [65535, 13107]);
    let floats = to(Depth::F32);
    let pixel = floats.as_rgba32f().expect("grey becomes RGB")[(3, 2)].0;
    assert!(pixel.iter().zip([1.0, 1.0, 1.0, 0.2]).all(|(a, b)| (a - b).abs() < 1e-6), "{pixel:?}");
    let back = blur.clone().depth(Depth::U8).apply(&floats).expect("filtered");
    assert_eq!(back.as_rgba8().expect("8 bits")[(3, 2)].0, [255, 255, 255, 51]);
}

#[test]
fn derivatives_keep_their_negative_half() {
    let camera = camera().image;
    let sobel = ImageFilter::named(&Derivative::sobel(1)).expect("a derivative");
    let wide = sobel.apply_as::<i16>(&camera).expect("filtered");
    let float = sobel.apply_as::<f32>(&camera).expect("filtered");
    assert!(wide.iter().any(|&v| v < -100) && wide.iter().any(|&v| v > 255));
    assert!(wide.iter().zip(&float).all(|(&a, &b)| f32::from(a) == b));
    let same = sobel.apply(&camera).expect("filtered");
    let same = same.as_luma8().expect("8 bits");
    assert!(same.iter().zip(&wide).all(|(&a, &b)| i16::from(a) == b.clamp(0, 255)));
    let buffer: ImageBuffer<Luma<i16>, _> =
        sobel.apply_buffer_as(camera.as_luma8().expect("8 bits")).expect("filtered");
    assert!(buffer.iter().zip(&wide).all(|(a, b)| a == b));
}

#[test]
fn frames_of_any_strides_and_channels() {
    let mut random = Random::new(5);
    let frame = Array3::from_shape_simple_fn((23, 31, 5), || random.below(256) as u8);
    let blur = ImageFilter::named(&Gaussian::new(1.3)).expect("a sigma").plan((23, 31)).expect("a plan");
    let mut workspace = FrameWorkspace::new();
    let wanted: Array3<u8> = blur.apply_frame_as(&frame, &mut workspace).expect("filtered");
    // Planes first in memory, every second column of a larger frame, and a result that is written backwards.
    let planes = frame.view().permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
    let filtered = blur.apply_frame_as::<_, u8>(&planes.view().permuted_axes([1, 2, 0]), &mut workspace);
    assert_eq!(filtered.expect("filtered"), wanted);
    let mut larger = Array3::zeros((23, 62, 5));
    larger.slice_mut(s![.., ..;2, ..]).assign(&frame);
    let filtered = blur.apply_frame_as::<_, u8>(&larger.slice(s![.., ..;2, ..]), &mut workspace);
    assert_eq!(filtered.expect("filtered"), wanted);
    let mut y = Array3::<u8>::zeros((23, 31, 5));
    blur.apply_into(&frame, &mut y.slice_mut(s![..;-1, ..;-1, ..;-1]), &mut workspace).expect("filtered");
    assert_eq!(y.slice(s![..;-1, ..;-1, ..;-1]), wanted);
    // Each channel is what it is alone.
    for channel in 0..5 {
        let alone = blur.apply_frame_as::<_, u8>(&frame.slice(s![.., .., channel..channel + 1]), &mut workspace);
        assert_eq!(alone.expect("filtered"), wanted.slice(s![.., .., channel..channel + 1]));
    }
}

#[test]
fn a_second_frame_allocates_nothing() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    pool.install(|| {
        let frame = Array3::<u8>::from_elem((60, 80, 4), 9);
        for alpha in [Alpha::None, Alpha::Last] {
            let blur = ImageFilter::named(&Gaussian::new(2.0)).expect("a sigma").alpha(alpha);
            let blur = blur.plan((60, 80)).expect("a plan");
            let (mut y, mut workspace) = (frame.clone(), FrameWorkspace::new());
            blur.apply_into(&frame, &mut y, &mut workspace).expect("filtered");
            let info = allocation_counter::measure(|| {
                blur.apply_into(&frame, &mut y, &mut workspace).expect("filtered");
            });
            assert!(info.bytes_max < 1024, "{info:?}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn planes_and_back_change_nothing(h in 1usize..9, w in 1usize..600, c in 1usize..7, seed: u64) {
        let mut random = Random::new(seed);
        let frame = Array3::from_shape_simple_fn((h, w, c), || random.below(1 << 16) as u16);
        let planes = image::to_planes::<u16, f32>(&frame).expect("planes");
        prop_assert!(planes.indexed_iter().all(|((k, i, j), &v)| v == f32::from(frame[[i, j, k]])));
        prop_assert_eq!(image::from_planes::<f32, u16>(&planes).expect("a frame"), frame);
    }

    #[test]
    fn rounding_is_to_the_nearest_even(v in -70_000.0f64..70_000.0, half: bool) {
        let v = if half { v.trunc() + 0.5 } else { v };
        let rounded = v.round_ties_even();
        prop_assert_eq!(f64::from(u8::from_double(v)), rounded.clamp(0.0, 255.0));
        prop_assert_eq!(f64::from(u16::from_double(v)), rounded.clamp(0.0, 65535.0));
        prop_assert_eq!(f64::from(i16::from_double(v)), rounded.clamp(-32768.0, 32767.0));
        let v = v as f32;
        let rounded = v.round_ties_even();
        prop_assert_eq!(f32::from(u8::from_single(v)), rounded.clamp(0.0, 255.0));
        prop_assert_eq!(f32::from(u16::from_single(v)), rounded.clamp(0.0, 65535.0));
        prop_assert_eq!(f32::from(i16::from_single(v)), rounded.clamp(-32768.0, 32767.0));
    }

    #[test]
    fn convolving_is_correlating_with_the_reversed_kernel(
        rows in 1usize..5, columns in 1usize..5, seed: u64, at: (prop::sample::Index, prop::sample::Index),
    ) {
        let mut random = Random::new(seed);
        let kernel = Array2::from_shape_simple_fn((rows, columns), || random.between(-5, 5) as f64);
        let frame = Array3::from_shape_simple_fn((6, 7, 2), || random.below(256) as u8);
        let (i, j) = (at.0.index(rows), at.1.index(columns));
        let reversed = kernel.slice(s![..;-1, ..;-1]).to_owned();
        let convolved = ImageFilter::kernel(&kernel).anchor((i, j)).convolve();
        let correlated = ImageFilter::kernel(&reversed).anchor((rows - 1 - i, columns - 1 - j));
        prop_assert_eq!(
            convolved.apply_frame_as::<u8, i16>(&frame).expect("filtered"),
            correlated.apply_frame_as::<u8, i16>(&frame).expect("filtered")
        );
    }
}

// ---------------------------------------------------------------------------------------------- bad input

fn refused<R: std::fmt::Debug>(result: Result<R, Error>, words: &[&str]) {
    let message = result.expect_err(&format!("an error with {words:?}")).to_string();
    assert!(words.iter().all(|word| message.contains(word)), "{message} says nothing of {words:?}");
}

#[test]
fn bad_filters_and_frames_are_errors() {
    let frame = Array3::<u8>::zeros((4, 5, 3));
    let ones = Array2::<f64>::ones((3, 3));
    refused(ImageFilter::kernel(&Array2::<f64>::zeros((0, 3))).apply_frame(&frame), &["tap"]);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(ImageFilter::kernel(&array![[1.0, bad]]).apply_frame(&frame), &["taps", "finite"]);
        refused(ImageFilter::kernel(&ones).divisor(bad).apply_frame(&frame), &["divisor", "finite"]);
        refused(ImageFilter::kernel(&ones).offset(bad).apply_frame(&frame), &["offset", "finite"]);
        let outside = ImageFilter::kernel(&ones).boundary(Boundary::Constant(bad));
        refused(outside.apply_frame(&frame), &["boundary", "finite"]);
        refused(ImageFilter::named(&Gaussian::new(bad)), &["sigma"]);
    }
    refused(ImageFilter::kernel(&ones).divisor(0.0).apply_frame(&frame), &["divisor", "0"]);
    refused(ImageFilter::kernel(&ones).divisor(1e-320).apply_frame(&frame), &["taps"]);
    for anchor in [(3, 0), (0, 3), (usize::MAX, 0)] {
        refused(ImageFilter::kernel(&ones).anchor(anchor).apply_frame(&frame), &["anchor"]);
        refused(ImageFilter::kernel(&ones).anchor(anchor).convolve().apply_frame(&frame), &["anchor"]);
    }
    for shape in [(0, 5, 3), (4, 0, 3)] {
        refused(ImageFilter::kernel(&ones).apply_frame(&Array3::<u8>::zeros(shape)), &["row"]);
    }
    refused(ImageFilter::kernel(&ones).apply_frame(&Array3::<u8>::zeros((4, 5, 0))), &["[4, 5, 0]"]);
    refused(ImageFilter::kernel(&ones).apply(&DynamicImage::new_rgb8(0, 0)), &["row"]);
    refused(
        ImageFilter::kernel(&ones)
            .plan((usize::MAX, 2))
            .and_then(|p| p.apply(&camera().image, &mut FrameWorkspace::new())),
        &["512"],
    );
    let planned = ImageFilter::kernel(&ones).plan((4, 5)).expect("a plan");
    refused(planned.apply(&DynamicImage::new_rgb8(4, 5), &mut FrameWorkspace::new()), &["[5, 4, 3]"]);
    let mut other = Array3::<u8>::zeros((4, 5, 2));
    refused(planned.apply_into(&frame, &mut other, &mut FrameWorkspace::new()), &["y", "[4, 5, 2]"]);
    let grey = ImageBuffer::<Luma<u8>, _>::new(5, 4);
    let colours = ImageFilter::kernel(&ones).apply_buffer_as::<_, Rgb<u8>, _>(&grey);
    refused(colours, &["channel"]);
    refused(image_from_planes(&Array3::<f32>::zeros((5, 2, 2)), ColorType::Rgb8), &["channels"]);
}

#[test]
fn kernels_larger_than_the_picture() {
    let frame = array![[[10u8], [20]], [[30], [40]]];
    let mean = ImageFilter::kernel(&Array2::<f64>::ones((101, 77))).divisor(101.0 * 77.0);
    for boundary in BOUNDARIES {
        let filtered = mean.clone().boundary(boundary).apply_frame(&frame).expect("filtered");
        let inside = matches!(boundary, Boundary::Zero | Boundary::Constant(_));
        assert!(inside || filtered.iter().all(|&v| (15..=35).contains(&v)), "{boundary}: {filtered}");
    }
}

#[test]
fn pictures_that_are_not_numbers() {
    let mut frame = Array3::<f32>::ones((9, 9, 1));
    frame[[4, 4, 0]] = f32::NAN;
    let mean = ImageFilter::kernel(&Array2::<f64>::ones((3, 3)));
    let filtered = mean.apply_frame(&frame).expect("filtered");
    assert_eq!(filtered.iter().filter(|v| v.is_nan()).count(), 9);
    let filtered = mean.apply_frame_as::<f32, u8>(&frame).expect("filtered");
    assert_eq!((filtered[[4, 4, 0]], filtered[[0, 0, 0]]), (0, 9));
}

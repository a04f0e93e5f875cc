//! Picture files: what is kept from reading to writing, and files that are damaged or lie about their size.
//!
//! The variable `FALTUNG_DATA` may name a folder with `malformed-images`, which are then read too.

use std::fs;
use std::path::{Path, PathBuf};

use faltung::Error;
use faltung::filter::named::{Gaussian, Named};
use faltung::image::image::{ColorType, DynamicImage, metadata::Orientation};
use faltung::image::{self, ImageFilter, Picture, Reader, image_from_planes};
use faltung::ndarray::Array3;

mod common;
use common::Random;

const CAMERA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/camera.png");

/// The files below the folder `malformed-images` of `FALTUNG_DATA`, if that is set.
fn malformed() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() { collect(&entry, found) } else { found.push(entry) }
        }
    }
    let Ok(root) = std::env::var("FALTUNG_DATA") else {
        println!("FALTUNG_DATA is not set: no damaged files are read");
        return Vec::new();
    };
    let mut found = Vec::new();
    collect(&Path::new(&root).join("malformed-images"), &mut found);
    found.sort();
    found
}

fn noise(color: ColorType, (height, width): (usize, usize)) -> DynamicImage {
    let mut random = Random::new(9);
    let scale = match color.bytes_per_pixel() / color.channel_count() {
        1 => 255.0,
        2 => 65535.0,
        _ => 1.0,
    };
    let shape = (usize::from(color.channel_count()), height, width);
    image_from_planes(&Array3::from_shape_simple_fn(shape, || random.unit() * scale), color).expect("a picture")
}

const COLORS: [ColorType; 10] = [
    ColorType::L8,
    ColorType::La8,
    ColorType::Rgb8,
    ColorType::Rgba8,
    ColorType::L16,
    ColorType::La16,
    ColorType::Rgb16,
    ColorType::Rgba16,
    ColorType::Rgb32F,
    ColorType::Rgba32F,
];

#[test]
fn what_is_written_is_read_back_or_refused() {
    use ColorType::{L8, L16, La8, Rgb8, Rgb16, Rgb32F, Rgba8, Rgba16, Rgba32F};
    let folder = tempfile::tempdir().expect("a folder");
    // Those that are told to be kept; others may be refused, but never come back as something else.
    let kept: [(&str, &[ColorType]); 8] = [
        ("png", &COLORS[..8]),
        ("tiff", &[L8, Rgb8, Rgba8, L16, Rgb16, Rgba16, Rgb32F, Rgba32F]),
        ("webp", &[Rgb8, Rgba8]),
        ("ppm", &[L8, Rgb8, L16, Rgb16]),
        ("bmp", &[Rgb8, Rgba8]),
        ("tga", &[L8, La8, Rgb8, Rgba8]),
        ("ico", &[Rgba8]),
        ("qoi", &[Rgb8, Rgba8]),
    ];
    let mut wrong = Vec::new();
    for (extension, colors) in kept {
        for color in COLORS {
            let picture = Picture::from(noise(color, (13, 21)));
            let path = folder.path().join(format!("{color:?}.{extension}"));
            match image::write(&path, &picture) {
                Ok(()) => {
                    let Ok(back) = image::read(&path) else {
                        wrong.push(format!("{} cannot be read back", path.display()));
                        continue;
                    };
                    // A format without grey of this kind gives back the same grey as a colour.
                    let same = match color {
                        ColorType::Rgb32F | ColorType::Rgba32F => back.image == picture.image,
                        _ => back.image.to_rgba16() == picture.image.to_rgba16(),
                    };
                    if !same || (colors.contains(&color) && back.image.color() != color) {
                        wrong.push(format!("{} comes back as {:?}", path.display(), back.image.color()));
                    }
                }
                Err(error) => {
                    assert!(!colors.contains(&color), "{error}");
                    assert!(error.to_string().contains(extension), "{error}");
                    assert!(!path.exists(), "{}", path.display());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn jpeg_says_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("picture.jpg");
    for color in COLORS {
        let written = image::write(&path, &Picture::from(noise(color, (16, 16))));
        assert_eq!(written.is_ok(), matches!(color, ColorType::L8 | ColorType::Rgb8), "{color:?}");
    }
}

#[test]
fn profiles_and_orientations_are_kept_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile: Vec<u8> = (0..70_000u32).map(|i| (i * 7 % 251) as u8).collect();
    for (extension, oriented) in [("png", true), ("jpg", true), ("webp", true), ("tiff", false)] {
        let path = folder.path().join("picture").with_extension(extension);
        let mut picture = Picture::from(noise(ColorType::Rgb8, (16, 24)));
        picture.icc_profile = Some(profile.clone());
        image::write(&path, &picture).unwrap_or_else(|e| panic!("{extension}: {e}"));
        let back = image::read(&path).expect("the picture");
        assert!(back.icc_profile.as_ref() == Some(&profile), "{extension}");

        let blurred = ImageFilter::named(&Gaussian::new(1.0)).expect("a sigma").apply_picture(&back);
        assert_eq!(blurred.expect("filtered").icc_profile.as_ref(), Some(&profile));

        for exif in 1..=8 {
            picture.orientation = Orientation::from_exif(exif).expect("one of eight");
            let written = image::write(&path, &picture);
            if !oriented && exif != 1 {
                assert!(written.expect_err("TIFF").to_string().contains("orientation"));
                continue;
            }
            written.expect("written");
            let stored = Reader::new().oriented(false).read(&path).expect("the picture");
            assert_eq!((stored.orientation, stored.image.width()), (picture.orientation, 24), "{extension}");
            let turned = image::read(&path).expect("the picture");
            assert_eq!(turned.orientation, Orientation::NoTransforms);
            let mut wanted = stored.image.clone();
            wanted.apply_orientation(picture.orientation);
            assert_eq!(turned.image, wanted, "{extension} {exif}");
            assert_eq!(turned.image.width(), if exif > 4 { 16 } else { 24 });
        }
    }
    let mut picture = Picture::from(noise(ColorType::Rgb8, (4, 4)));
    picture.icc_profile = Some(vec![1]);
    let refused = image::write(folder.path().join("a.bmp"), &picture).expect_err("no profile in BMP");
    assert!(refused.to_string().contains("profile"), "{refused}");
}

#[test]
fn names_and_folders_that_are_none() {
    let picture = Picture::from(noise(ColorType::Rgb8, (4, 4)));
    for name in ["picture", "picture.txt", "picture.avif", ""] {
        let refused = image::write(name, &picture).expect_err("no such format");
        assert!(matches!(&refused, Error::Argument { argument, .. } if argument == "path"), "{refused}");
    }
    let refused = image::write("/no/such/folder/a.png", &picture).expect_err("no such folder");
    assert!(refused.to_string().contains("/no/such/folder/a.png"), "{refused}");
    assert!(image::write("/tmp/empty.png", &Picture::from(DynamicImage::new_rgb8(0, 0))).is_err());
    for path in ["/no/such/file.png", "/", "/dev/null", CAMERA.trim_end_matches("camera.png")] {
        let refused = image::read(path).expect_err("no picture");
        assert!(refused.to_string().contains(path), "{refused}");
    }
}

#[test]
fn a_file_cut_short_or_changed_is_an_answer_or_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = Picture::from(noise(ColorType::Rgb8, (9, 11)));
    let mut random = Random::new(3);
    for extension in ["png", "tiff", "webp", "ppm", "bmp", "tga", "ico", "qoi", "jpg", "gif"] {
        let path = folder.path().join("small").with_extension(extension);
        let mut kept = small.clone();
        if matches!(extension, "ico" | "gif") {
            kept.image = DynamicImage::ImageRgba8(kept.image.to_rgba8());
        }
        image::write(&path, &kept).expect("written");
        let bytes = fs::read(&path).expect("a file");
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).expect("a file");
            let _ = image::read(&path);
        }
        for _ in 0..300 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(changed.len());
                changed[at] = random.bits() as u8;
            }
            fs::write(&path, &changed).expect("a file");
            let _ = image::read(&path);
        }
    }
}

/// A BMP's header, and nothing of the pixels that it declares.
fn bitmap(width: i32, height: i32) -> Vec<u8> {
    let mut bytes = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend([1, 0, 24, 0]);
    bytes.resize(64, 0);
    bytes
}

#[test]
fn what_declares_more_than_it_holds_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("huge.bmp");
    for (width, height) in [(65_535, 65_535), (i32::MAX, i32::MAX), (20_000, 10_000), (1, i32::MAX), (i32::MAX, 1)] {
        fs::write(&path, bitmap(width, height)).expect("a file");
        let info = allocation_counter::measure(|| {
            let refused = image::read(&path).expect_err("no such picture");
            assert!(refused.to_string().contains("huge.bmp"), "{refused}");
        });
        assert!(info.bytes_max < 1 << 20, "{width} x {height}: {info:?}");
    }
}

#[test]
fn memory_is_bounded_as_said() {
    let refused = Reader::new().max_bytes(512 * 512 - 1).read(CAMERA).expect_err("too large");
    assert!(refused.to_string().contains("512 x 512"), "{refused}");
    assert!(Reader::new().max_bytes(1 << 20).read(CAMERA).is_ok());
}

// ---------------------------------------------------------------------------------------------- given data

#[test]
fn damaged_files_of_the_data_folder() {
    let (mut read, mut refused, mut panicked) = (0, 0, Vec::new());
    for path in malformed() {
        match image::read(&path) {
            Ok(picture) => {
                read += 1;
                for design in ["gaussian:sigma=1", "sobel:axis=1"] {
                    let filter = ImageFilter::named(&design.parse::<Named>().expect("a filter")).expect("a filter");
                    let filtered = filter.apply(&picture.image).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                    assert_eq!(filtered.color(), picture.image.color());
                }
            }
            Err(error) => {
                refused += 1;
                let text = error.to_string();
                assert!(text.contains(&*path.to_string_lossy()), "{text}");
                if text.contains("panic") {
                    panicked.push(path);
                }
            }
        }
    }
    println!("{read} read, {refused} refused, of them by a panic: {panicked:?}");
}

//! Filters pictures by name:
//!
//! ```sh
//! cargo run --release --example filter_image -- --list                              # the filters
//! cargo run --release --example filter_image -- edges.png                           # the shipped photograph
//! cargo run --release --example filter_image -- photo.jpg out.png gaussian:sigma=3 sobel_magnitude
//! cargo run --release --example filter_image -- photos/ more.png filtered/ unsharp:sigma=2,amount=1.5
//! cargo run --release --example filter_image -- --sheet sheet.png photos/           # every filter, at a glance
//! ```

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use faltung::Boundary;
use faltung::filter::named::{Design, Named};
use faltung::image::{self, Depth, ImageFilter, Picture, Sample, image::DynamicImage};
use faltung::ndarray::{Array3, Axis, s};
use indicatif::{ProgressBar, ProgressStyle};

/// Filters pictures by name.
#[derive(Parser)]
struct Arguments {
    /// Pictures or folders of pictures, then what to write, and filters (name:key=value,…) to apply in their order; the
    /// shipped photograph's edges unless said otherwise. Of several pictures a folder of PNGs is written.
    #[arg(value_name = "PICTURE… OUT FILTER…", required_unless_present = "list")]
    words: Vec<String>,
    /// Print all filters with their parameters.
    #[arg(long)]
    list: bool,
    /// What lies outside a picture: zero, symmetric, mirror, nearest, wrap or constant=LEVEL; each filter has its own
    /// choice.
    #[arg(long, value_parser = boundary)]
    boundary: Option<Boundary>,
    /// The depth to write: same, u8, u16 or f32 (which TIFF can hold).
    #[arg(long, value_parser = depth, default_value = "same")]
    depth: Depth,
    /// Show the last filter's whole range: signed results about mid-grey, others from black to white, with 8 bits.
    #[arg(long)]
    stretch: bool,
    /// Write one picture, named first, that shows every filter, a column each in the order of --list behind the
    /// original, on every PICTURE, a row each.
    #[arg(long)]
    sheet: bool,
}

fn boundary(text: &str) -> Result<Boundary, String> {
    let level = text.strip_prefix("constant=").and_then(|level| level.parse().ok());
    Ok(match (text, level) {
        ("zero", _) => Boundary::Zero,
        ("symmetric", _) => Boundary::Symmetric,
        ("mirror", _) => Boundary::Mirror,
        ("nearest", _) => Boundary::Nearest,
        ("wrap", _) => Boundary::Wrap,
        (_, Some(level)) => Boundary::Constant(level),
        _ => return Err("expected zero, symmetric, mirror, nearest, wrap or constant=LEVEL".into()),
    })
}

fn depth(text: &str) -> Result<Depth, String> {
    Ok(match text {
        "same" => Depth::Same,
        "u8" => Depth::U8,
        "u16" => Depth::U16,
        "f32" => Depth::F32,
        _ => return Err("expected same, u8, u16 or f32".into()),
    })
}

/// The words that are filters, and those that are paths.
fn sort(words: &[String]) -> Result<(Vec<Named>, Vec<PathBuf>), Box<dyn Error>> {
    let (mut filters, mut paths) = (Vec::new(), Vec::new());
    for word in words {
        let known = Named::all().any(|named| Some(named.name()) == word.split(':').next());
        match known || (word.contains(':') && !Path::new(word).exists()) {
            true => filters.push(word.parse()?),
            false => paths.push(word.into()),
        }
    }
    Ok((filters, paths))
}

/// The pictures that paths name, folders opened.
fn pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        let mut inside: Vec<_> = entries.into_iter().filter(|entry| entry.is_file()).collect();
        inside.sort();
        found.extend(inside);
    }
    if found.is_empty() {
        found.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/camera.png"));
    }
    Ok(found)
}

impl Arguments {
    fn filter(&self, named: &Named) -> faltung::Result<ImageFilter> {
        let filter = ImageFilter::named(named)?;
        Ok(match self.boundary {
            Some(boundary) => filter.boundary(boundary),
            None => filter,
        })
    }

    fn run(&self, named: &[Named], picture: &Picture) -> faltung::Result<Picture> {
        let (last, first) = named.split_last().expect("at least one filter");
        let image = first.iter().try_fold(picture.image.clone(), |image, named| self.filter(named)?.apply(&image))?;
        let filter = self.filter(last)?;
        Ok(picture.with_image(match self.stretch {
            true => stretch(&filter, last, &image)?,
            false => filter.depth(self.depth).apply(&image)?,
        }))
    }

    /// Pictures reduced to thumbnails, then filtered, so that what a filter does can be seen.
    fn sheet(&self, paths: &[PathBuf], target: &Path) -> Result<(), Box<dyn Error>> {
        const SIDE: u32 = 128;
        let filters: Vec<Named> = Named::all().collect();
        let size = (SIDE * (1 + filters.len() as u32), SIDE * paths.len() as u32);
        let mut sheet = DynamicImage::new_rgba8(size.0, size.1).into_rgba8();
        for (row, path) in paths.iter().enumerate() {
            let small = image::read(path)?.image.thumbnail(SIDE - 4, SIDE - 4);
            let place = |column: usize| (i64::from(SIDE) * column as i64 + 2, i64::from(SIDE) * row as i64 + 2);
            let mut put = |column, image: &DynamicImage| {
                let (x, y) = place(column);
                image::image::imageops::overlay(&mut sheet, &image.to_rgba8(), x, y);
            };
            put(0, &small);
            for (column, named) in filters.iter().enumerate() {
                let filtered = self.run(std::slice::from_ref(named), &Picture::from(small.clone()))?;
                put(column + 1, &filtered.image);
            }
            println!("row {}: {}", row + 1, path.display());
        }
        for (column, named) in filters.iter().enumerate() {
            println!("column {}: {}", column + 2, named.name());
        }
        Ok(image::write(target, &Picture::from(DynamicImage::ImageRgba8(sheet)))?)
    }
}

/// The whole range of what a filter gives, about mid-grey where it is signed; alpha as it is.
fn stretch(filter: &ImageFilter, named: &Named, image: &DynamicImage) -> faltung::Result<DynamicImage> {
    let mut frame: Array3<f32> = filter.apply_as(image)?;
    let alpha = frame.len_of(Axis(2)) - usize::from(image.has_alpha());
    let mut colours = frame.slice_mut(s![.., .., ..alpha]);
    let most = colours.iter().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
    match named.operator(2)?.is_signed() {
        true => colours.mapv_inplace(|v| 127.5 + 127.5 * v / most),
        false => colours.mapv_inplace(|v| 255.0 * v / most),
    }
    // 1, 2 or 4 bytes a sample.
    let bytes = image.color().bytes_per_pixel() / image.color().channel_count();
    let full = [u8::FULL, u16::FULL, f32::FULL][usize::from(bytes / 2)] as f32;
    frame.slice_mut(s![.., .., alpha..]).mapv_inplace(|v| v * 255.0 / full);
    let color = match frame.len_of(Axis(2)) {
        1 => image::image::ColorType::L8,
        2 => image::image::ColorType::La8,
        3 => image::image::ColorType::Rgb8,
        _ => image::image::ColorType::Rgba8,
    };
    image::image_from_planes(&frame.permuted_axes([2, 0, 1]), color)
}

fn main() -> ExitCode {
    run(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if arguments.list {
        for named in Named::all() {
            println!("{:<28} {}", named.name(), named.description());
            for (key, meaning) in named.parameters() {
                println!("{:<28}   {key}: {meaning}", "");
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (mut filters, mut paths) = sort(&arguments.words)?;
    if filters.is_empty() {
        filters = vec!["gaussian:sigma=1".parse()?, "sobel_magnitude".parse()?];
    }
    let target = match arguments.sheet {
        // The sheet comes first, so that a shell can list the pictures.
        true if !paths.is_empty() => paths.remove(0),
        _ => paths.pop().ok_or("nothing to write: name OUT.png")?,
    };
    let pictures = pictures(&paths)?;
    if arguments.sheet {
        arguments.sheet(&pictures, &target)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let [path] = pictures.as_slice() {
        image::write(target, &arguments.run(&filters, &image::read(path)?)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::create_dir_all(&target)?;
    let bar = ProgressBar::new(pictures.len() as u64)
        .with_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {eta}")?);
    let (mut failed, mut written) = (0, HashSet::new());
    for path in &pictures {
        bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let name = [path.file_stem(), path.file_name()]
            .into_iter()
            .map(|name| format!("{}.png", name.unwrap_or_default().to_string_lossy()))
            .find(|name| written.insert(name.clone()))
            .ok_or_else(|| format!("{}: a picture of this name was written already", path.display()))?;
        let done = image::read(path)
            .and_then(|picture| arguments.run(&filters, &picture))
            .and_then(|picture| image::write(target.join(name), &picture));
        if let Err(error) = done {
            bar.suspend(|| eprintln!("{}: {error}", path.display()));
            failed += 1;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{} of {} pictures filtered", pictures.len() - failed, pictures.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! Draws the pictures of the guide, `docs/guide.md`:
//!
//! ```sh
//! cargo run --release --example guide [FOLDER]
//! ```
//!
//! Everything in them is computed by faltung. The same machine draws the same bytes every time.

mod algorithms;
mod data;
mod frequency;
mod layers;
mod pictures;
mod plot;
mod shapes;
mod sums;

use std::path::{Path, PathBuf};

use plot::Done;

/// A file, and what draws it.
type Picture = (&'static str, fn(&Path) -> Done);

const PICTURES: [Picture; 22] = [
    ("01-sum.svg", sums::sum),
    ("02-modes.svg", sums::modes),
    ("03-correlation.svg", sums::lag),
    ("04-boundaries.svg", sums::boundaries),
    ("05-images.png", pictures::images),
    ("06-separable.svg", shapes::separable),
    ("07-geometry.svg", shapes::geometry),
    ("08-theorem.svg", frequency::theorem),
    ("08-circular.svg", frequency::circular),
    ("09-cost.svg", algorithms::cost),
    ("09-overlap-save.svg", shapes::overlap_save),
    ("10-room.svg", frequency::room),
    ("10-responses.svg", frequency::responses),
    ("11-volume.png", pictures::volume),
    ("12-channels.svg", layers::channels),
    ("12-im2col.svg", layers::im2col),
    ("13-pooling.svg", layers::pooling),
    ("13-features.png", pictures::features),
    ("14-gradients.svg", layers::gradients),
    ("15-text.svg", layers::sentence),
    ("16-winograd.svg", shapes::winograd),
    ("16-errors.svg", algorithms::errors),
];

fn main() -> Done {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let folder = std::env::args().nth(1).map_or(shipped, PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    for (name, draw) in PICTURES {
        let path = folder.join(name);
        draw(&path)?;
        println!("{} ({} bytes)", path.display(), std::fs::metadata(&path)?.len());
    }
    Ok(())
}

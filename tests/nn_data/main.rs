//! Data sets: files read and refused, downloads from a server that misbehaves, parts, augmentation.
//!
//! With `FALTUNG_DATA` naming a folder that has `mnist`, `trec`, `mr-polarity` and `fsdd`, these are read too.

mod augment;
mod cifar;
mod download;
mod idx;
mod mnist;
mod sentences;
mod sounds;
mod subset;

use std::path::PathBuf;

use faltung::ndarray::ArrayD;
use faltung::nn::Float;
use faltung::nn::data::Dataset;

/// A folder of real data, where there is one.
fn real_data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FALTUNG_DATA").map(|root| PathBuf::from(root).join(name));
    if folder.is_none() {
        println!("skipped: FALTUNG_DATA names no folder with {name}");
    }
    folder
}

fn digits() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/digits")
}

fn sample<T: Float>(data: &impl Dataset<T>, index: usize, draw: Option<u64>) -> ArrayD<T> {
    let mut sample = ArrayD::from_elem(data.sample_shape(), T::NEG_INFINITY);
    data.read(index, draw, sample.view_mut()).expect("a sample");
    sample
}

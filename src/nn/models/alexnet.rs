//! AlexNet.

use crate::nn::{Activation::Relu, AdaptiveAvgPool2d, Conv2d, Dense, Dropout, Flatten, Float, MaxPool2d, Sequential};

/// AlexNet as torchvision has it: the single tower of Krizhevsky, "One weird trick for parallelizing convolutional
/// neural networks" (2014), without local response normalisation; its names and its first weights.
///
/// Inputs (batch, 3, height, width) from 63x63 on, 224x224 as published; outputs (batch, classes). 61,100,840 weights
/// for 1000 classes.
///
/// ```no_run
/// use faltung::nn::models;
/// let mut network = models::alexnet::<f32>(1000).build(1)?;
/// assert_eq!(network.parameter_count(), 61_100_840);
/// network.load("alexnet.safetensors")?; // as `safetensors.torch.save_file` writes torchvision's `state_dict`
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn alexnet<T: Float>(classes: usize) -> Sequential<T> {
    let features = Sequential::new()
        .layer(Conv2d::new(3, 64, 11).stride(4).padding(2))
        .layer(Relu)
        .layer(MaxPool2d::new(3).stride(2))
        .layer(Conv2d::new(64, 192, 5).padding(2))
        .layer(Relu)
        .layer(MaxPool2d::new(3).stride(2))
        .layer(Conv2d::new(192, 384, 3).padding(1))
        .layer(Relu)
        .layer(Conv2d::new(384, 256, 3).padding(1))
        .layer(Relu)
        .layer(Conv2d::new(256, 256, 3).padding(1))
        .layer(Relu)
        .layer(MaxPool2d::new(3).stride(2));
    let classifier = Sequential::new()
        .layer(Dropout::new(0.5))
        .layer(Dense::new(256 * 6 * 6, 4096))
        .layer(Relu)
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4096, 4096))
        .layer(Relu)
        .layer(Dense::new(4096, classes));
    Sequential::new()
        .named("features", features)
        .named("avgpool", AdaptiveAvgPool2d::new(6))
        .named("flatten", Flatten)
        .named("classifier", classifier)
}

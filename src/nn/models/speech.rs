//! A network for spoken words.

use crate::nn::{
    Activation::Relu, BatchNorm, Conv2d, Dense, Dropout, Float, GlobalAvgPool, Init, MaxPool2d, Sequential,
};

/// A small network for spoken words as log-mel spectrograms: four 3x3 convolutions to 24, 48, 96 and 128 channels, each
/// with batch norm and ReLU, halved by max pooling between them; the average of each channel, dropout, a dense layer.
/// It is this library's own, of the kind that Sainath and Parada (2015) use for keywords.
///
/// Inputs (batch, 1, bands, frames), 64x64 for a word of a second, from 8x8 on; outputs (batch, classes). 164,530
/// weights for ten classes.
///
/// ```
/// use faltung::nn::models;
/// let mut network = models::speech_cnn::<f32>(10).build(1)?;
/// assert_eq!(network.parameter_count(), 164_530);
/// assert_eq!(network.output_shape(&[16, 1, 64, 51])?, [16, 10]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn speech_cnn<T: Float>(classes: usize) -> Sequential<T> {
    let (mut features, mut channels) = (Sequential::new(), 1);
    for outputs in [24, 48, 96, 128] {
        if channels > 1 {
            features = features.layer(MaxPool2d::new(2));
        }
        let convolution = Conv2d::new(channels, outputs, 3).padding(1).without_bias();
        features = features
            .layer(convolution.init(Init::HeFanOut, Init::Constant(0.0)))
            .layer(BatchNorm::new(outputs))
            .layer(Relu);
        channels = outputs;
    }
    Sequential::new()
        .named("features", features)
        .named("avgpool", GlobalAvgPool)
        .named("dropout", Dropout::new(0.3))
        .named("fc", Dense::new(channels, classes))
}

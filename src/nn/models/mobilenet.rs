//! MobileNet.

use crate::nn::{
    Activation::Relu, BatchNorm, Conv2d, Dense, Float, GlobalAvgPool, Init, Sequential, depthwise_separable,
};

/// MobileNet (Howard et al. 2017): a 3x3 convolution, thirteen [depthwise separable](depthwise_separable) ones, each
/// with batch norm and ReLU, the average of each channel, a dense layer.
///
/// The names are these, torchvision having no MobileNet-v1: `features.0.0` the first convolution and `features.0.1`
/// its batch norm; `features.1` … `features.13` the separable ones, with the depthwise convolution `0` and its batch
/// norm `1`, the one across channels `3` and its batch norm `4`; `classifier` the dense layer. Inputs (batch, 3,
/// height, width) of any extents, 224x224 as published; outputs (batch, classes).
///
/// ```
/// use faltung::nn::models::MobileNet;
/// // The paper's multiplier 1/4.
/// let mut network = MobileNet::new().width(8).design::<f32>(1000).build(1)?;
/// assert_eq!(network.output_shape(&[1, 3, 128, 128])?, [1, 1000]);
/// assert_eq!(network.parameter_count(), 470_072);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MobileNet {
    width: usize,
    in_channels: usize,
}

/// Outputs of the separable convolutions, in widths, and their strides. The last one's is 1: the paper's table says 2,
/// where its own extents are those of 1.
const SEPARABLE: [(usize, usize); 13] =
    [(2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), (16, 1), (16, 1), (16, 1), (16, 1), (16, 1), (32, 2), (32, 1)];

impl Default for MobileNet {
    fn default() -> Self {
        Self { width: 32, in_channels: 3 }
    }
}

impl MobileNet {
    /// The network of the paper.
    pub fn new() -> Self {
        Self::default()
    }

    /// Channels of the first convolution; 32 unless set, of which the paper's width multiplier is a share. Those of the
    /// others follow, up to 32 times as many.
    #[must_use]
    pub fn width(mut self, channels: usize) -> Self {
        self.width = channels;
        self
    }

    /// Channels of the input; 3 unless set.
    #[must_use]
    pub fn in_channels(mut self, channels: usize) -> Self {
        self.in_channels = channels;
        self
    }

    /// The network for so many classes.
    pub fn design<T: Float>(&self, classes: usize) -> Sequential<T> {
        let first = Conv2d::new(self.in_channels, self.width, 3).stride(2).padding(1).without_bias();
        let first = Sequential::new()
            .layer(first.init(Init::HeFanOut, Init::Constant(0.0)))
            .layer(BatchNorm::new(self.width))
            .layer(Relu);
        let (mut features, mut channels) = (Sequential::new().layer(first), self.width);
        for (factor, stride) in SEPARABLE {
            let outputs = self.width.saturating_mul(factor);
            features = features.layer(depthwise_separable(channels, outputs, stride));
            channels = outputs;
        }
        Sequential::new()
            .named("features", features)
            .named("avgpool", GlobalAvgPool)
            .named("classifier", Dense::new(channels, classes))
    }
}

/// MobileNet as published: see [`MobileNet`]. 4,231,976 weights for 1000 classes.
///
/// ```
/// use faltung::nn::models;
/// assert_eq!(models::mobilenet_v1::<f32>(1000).build(1)?.parameter_count(), 4_231_976);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn mobilenet_v1<T: Float>(classes: usize) -> Sequential<T> {
    MobileNet::new().design(classes)
}

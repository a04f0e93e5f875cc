//! The networks of Oxford's Visual Geometry Group.

use crate::nn::{
    Activation::Relu, AdaptiveAvgPool2d, Conv2d, Dense, Dropout, Flatten, Float, Init, MaxPool2d, Sequential,
};

/// VGG networks (Simonyan and Zisserman 2014) without batch norm, with torchvision's names and first weights: five
/// stages of 3x3 convolutions and a max pooling, then three dense layers.
///
/// Inputs (batch, 3, height, width) from 32x32 on, 224x224 as published; outputs (batch, classes).
///
/// ```
/// use faltung::nn::models::Vgg;
/// // A thin one.
/// let mut network = Vgg::new([2, 2, 3, 3, 3]).width(4).hidden(32).design::<f32>(10).build(1)?;
/// assert_eq!(network.output_shape(&[1, 3, 64, 64])?, [1, 10]);
/// assert_eq!(network.parameter_count(), 109_422);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vgg {
    convolutions: [usize; 5],
    width: usize,
    hidden: usize,
    in_channels: usize,
}

impl Vgg {
    /// So many convolutions in each stage: [1, 1, 2, 2, 2] are VGG-11's, [2, 2, 3, 3, 3] VGG-16's.
    pub fn new(convolutions: [usize; 5]) -> Self {
        Self { convolutions, width: 64, hidden: 4096, in_channels: 3 }
    }

    /// The channels of the first stage; 64 unless set. The other stages have two, four, eight and eight times as many.
    #[must_use]
    pub fn width(mut self, channels: usize) -> Self {
        self.width = channels;
        self
    }

    /// The width of the two dense layers before the last one; 4096 unless set.
    #[must_use]
    pub fn hidden(mut self, outputs: usize) -> Self {
        self.hidden = outputs;
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
        let zero = Init::Constant(0.0);
        let (mut features, mut channels) = (Sequential::new(), self.in_channels);
        for (count, factor) in self.convolutions.into_iter().zip([1, 2, 4, 8, 8]) {
            let outputs = self.width.saturating_mul(factor);
            for _ in 0..count {
                let convolution = Conv2d::new(channels, outputs, 3).padding(1).init(Init::HeFanOut, zero);
                features = features.layer(convolution).layer(Relu);
                channels = outputs;
            }
            features = features.layer(MaxPool2d::new(2));
        }
        let dense = |inputs, outputs| Dense::new(inputs, outputs).init(Init::Normal(0.01), zero);
        let classifier = Sequential::new()
            .layer(dense(channels.saturating_mul(7 * 7), self.hidden))
            .layer(Relu)
            .layer(Dropout::new(0.5))
            .layer(dense(self.hidden, self.hidden))
            .layer(Relu)
            .layer(Dropout::new(0.5))
            .layer(dense(self.hidden, classes));
        Sequential::new()
            .named("features", features)
            .named("avgpool", AdaptiveAvgPool2d::new(7))
            .named("flatten", Flatten)
            .named("classifier", classifier)
    }
}

/// VGG-11, the paper's configuration A: see [`Vgg`]. 132,863,336 weights for 1000 classes.
///
/// ```no_run
/// use faltung::nn::models;
/// assert_eq!(models::vgg11::<f32>(1000).build(1)?.parameter_count(), 132_863_336); // half a gigabyte
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn vgg11<T: Float>(classes: usize) -> Sequential<T> {
    Vgg::new([1, 1, 2, 2, 2]).design(classes)
}

/// VGG-16, the paper's configuration D: see [`Vgg`]. 138,357,544 weights for 1000 classes.
///
/// ```no_run
/// use faltung::nn::models;
/// assert_eq!(models::vgg16::<f32>(1000).build(1)?.parameter_count(), 138_357_544); // half a gigabyte
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn vgg16<T: Float>(classes: usize) -> Sequential<T> {
    Vgg::new([2, 2, 3, 3, 3]).design(classes)
}

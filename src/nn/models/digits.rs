//! Networks for small pictures of digits.

use crate::nn::{
    Activation::Relu, AvgPool2d, BatchNorm, Conv2d, Dense, Dropout, Flatten, Float, GlobalAvgPool, Init, MaxPool2d,
    Sequential,
};

/// The network that introductions to the subject train on MNIST: a convolution to 32 channels, max pooling, a dense
/// layer of 128. Inputs (batch, 1, 28, 28), outputs (batch, 10); 693,962 weights.
///
/// ```
/// use faltung::nn::models;
/// assert_eq!(models::mnist::<f32>().build(1)?.parameter_count(), 693_962);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn mnist<T: Float>() -> Sequential<T> {
    mnist_of(10)
}

pub(super) fn mnist_of<T: Float>(classes: usize) -> Sequential<T> {
    Sequential::new()
        .layer(Conv2d::new(1, 32, 3))
        .layer(Relu)
        .layer(MaxPool2d::new(2))
        .layer(Flatten)
        .layer(Dense::new(32 * 13 * 13, 128))
        .layer(Relu)
        .layer(Dense::new(128, classes))
}

/// LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) in today's words: the third convolution is a dense layer, the
/// subsampling an average, all maps of the second convolution see all of the first; ReLU. Inputs (batch, 1, 28, 28),
/// padded to the paper's 32; outputs (batch, 10); 61,706 weights.
///
/// ```
/// use faltung::nn::models;
/// assert_eq!(models::lenet5::<f32>().build(1)?.parameter_count(), 61_706);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn lenet5<T: Float>() -> Sequential<T> {
    lenet5_of(10)
}

pub(super) fn lenet5_of<T: Float>(classes: usize) -> Sequential<T> {
    Sequential::new()
        .layer(Conv2d::new(1, 6, 5).padding(2))
        .layer(Relu)
        .layer(AvgPool2d::new(2))
        .layer(Conv2d::new(6, 16, 5))
        .layer(Relu)
        .layer(AvgPool2d::new(2))
        .layer(Flatten)
        .layer(Dense::new(400, 120))
        .layer(Relu)
        .layer(Dense::new(120, 84))
        .layer(Relu)
        .layer(Dense::new(84, classes))
}

/// A deeper network for digits, as good as one network of its size gets on MNIST: three stages of two 3x3 convolutions
/// with batch norm, of 32, 64 and 128 maps, and the average over what is left of the picture. Inputs (batch, 1, 28, 28),
/// outputs (batch, 10); 288,170 weights.
///
/// ```
/// use faltung::nn::models;
/// assert_eq!(models::mnist_deep::<f32>().build(1)?.parameter_count(), 288_170);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn mnist_deep<T: Float>() -> Sequential<T> {
    mnist_deep_of(10)
}

pub(super) fn mnist_deep_of<T: Float>(classes: usize) -> Sequential<T> {
    let convolution = |design: Sequential<T>, inputs, outputs, padding| {
        let convolution = Conv2d::new(inputs, outputs, 3).padding(padding).without_bias();
        let convolution = convolution.init(Init::HeNormal, Init::Constant(0.0));
        design.layer(convolution).layer(BatchNorm::new(outputs)).layer(Relu)
    };
    let mut design = Sequential::new();
    for (inputs, outputs, padding) in [(1, 32, 1), (32, 64, 1), (64, 128, 0)] {
        design = convolution(design, inputs, outputs, padding);
        design = convolution(design, outputs, outputs, padding);
        if outputs < 128 {
            design = design.layer(MaxPool2d::new(2));
        }
    }
    design.layer(GlobalAvgPool).layer(Dropout::new(0.3)).layer(Dense::new(128, classes))
}

//! Residual networks.

use crate::nn::{
    Activation::Relu, BatchNorm, Conv2d, Dense, Float, GlobalAvgPool, Init, MaxPool2d, Residual, Sequential,
};

/// Residual networks (He, Zhang, Ren and Sun 2015) with torchvision's names and first weights: a 7x7 convolution and
/// max pooling, four stages of residual blocks, the average of each channel, a dense layer.
///
/// A bottleneck block has its stride in the 3x3 convolution, as torchvision has it and unlike the paper ("ResNet
/// v1.5"). Inputs (batch, 3, height, width) of any extents, 224x224 as published; outputs (batch, classes).
///
/// ```
/// use faltung::nn::models::ResNet;
/// // A thin one, for grey pictures.
/// let mut network = ResNet::basic([2, 2, 2, 2]).width(8).in_channels(1).design::<f32>(10).build(1)?;
/// assert_eq!(network.output_shape(&[16, 1, 32, 32])?, [16, 10]);
/// assert_eq!(network.parameter_count(), 176_578);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResNet {
    blocks: [usize; 4],
    bottleneck: bool,
    width: usize,
    in_channels: usize,
}

/// Outputs of a bottleneck block for each channel within it.
const EXPANSION: usize = 4;

impl ResNet {
    /// So many blocks of two 3x3 convolutions in each stage: [2, 2, 2, 2] are ResNet-18's, [3, 4, 6, 3] ResNet-34's.
    pub fn basic(blocks: [usize; 4]) -> Self {
        Self { blocks, bottleneck: false, width: 64, in_channels: 3 }
    }

    /// So many blocks of a 1x1, a 3x3 and a 1x1 convolution in each stage: [3, 4, 6, 3] are ResNet-50's.
    pub fn bottleneck(blocks: [usize; 4]) -> Self {
        Self { bottleneck: true, ..Self::basic(blocks) }
    }

    /// Channels of the first convolution; 64 unless set. Those of the stages follow.
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
        let mut network = Sequential::new()
            .named("conv1", convolution(self.in_channels, self.width, 7, 2))
            .named("bn1", BatchNorm::new(self.width))
            .named("relu", Relu)
            .named("maxpool", MaxPool2d::new(3).stride(2).padding(1));
        let mut channels = self.width;
        for (stage, count) in self.blocks.into_iter().enumerate() {
            let width = self.width.saturating_mul(1 << stage);
            let mut layer = Sequential::new();
            for block in 0..count {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                layer = layer.layer(self.block(channels, width, stride));
                channels = self.outputs(width);
            }
            network = network.named(format!("layer{}", stage + 1), layer);
        }
        network.named("avgpool", GlobalAvgPool).named("fc", Dense::new(channels, classes))
    }

    /// Channels that come out of a block of this width.
    fn outputs(&self, width: usize) -> usize {
        if self.bottleneck { width.saturating_mul(EXPANSION) } else { width }
    }

    fn block<T: Float>(&self, inputs: usize, width: usize, stride: usize) -> Sequential<T> {
        let outputs = self.outputs(width);
        let convolutions = match self.bottleneck {
            false => vec![convolution(inputs, width, 3, stride), convolution(width, outputs, 3, 1)],
            true => vec![
                convolution(inputs, width, 1, 1),
                convolution(width, width, 3, stride),
                convolution(width, outputs, 1, 1),
            ],
        };
        let (mut body, last) = (Sequential::new(), convolutions.len());
        for (number, convolution) in (1..).zip(convolutions) {
            let channels = if number == last { outputs } else { width };
            body = body.named(format!("conv{number}"), convolution);
            body = body.named(format!("bn{number}"), BatchNorm::new(channels));
            if number < last {
                body = body.named("relu", Relu);
            }
        }
        let mut block = Residual::new(body);
        if stride != 1 || inputs != outputs {
            let project = Sequential::new().layer(convolution(inputs, outputs, 1, stride));
            block = block.shortcut("downsample", project.layer(BatchNorm::new(outputs)));
        }
        Sequential::new().named("", block).named("", Relu)
    }
}

/// A convolution whose output has the input's extents by the stride.
fn convolution(inputs: usize, outputs: usize, taps: usize, stride: usize) -> Conv2d {
    let convolution = Conv2d::new(inputs, outputs, taps).stride(stride).padding(taps / 2).without_bias();
    convolution.init(Init::HeFanOut, Init::Constant(0.0))
}

/// ResNet-18: see [`ResNet`]. 11,689,512 weights for 1000 classes.
///
/// ```
/// use faltung::nn::models;
/// assert_eq!(models::resnet18::<f32>(1000).build(1)?.parameter_count(), 11_689_512);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn resnet18<T: Float>(classes: usize) -> Sequential<T> {
    ResNet::basic([2, 2, 2, 2]).design(classes)
}

/// ResNet-34: see [`ResNet`]. 21,797,672 weights for 1000 classes.
///
/// ```
/// use faltung::nn::models;
/// assert_eq!(models::resnet34::<f32>(1000).build(1)?.parameter_count(), 21_797_672);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn resnet34<T: Float>(classes: usize) -> Sequential<T> {
    ResNet::basic([3, 4, 6, 3]).design(classes)
}

/// ResNet-50: see [`ResNet`]. 25,557,032 weights for 1000 classes.
///
/// ```
/// use faltung::nn::models;
/// assert_eq!(models::resnet50::<f32>(1000).build(1)?.parameter_count(), 25_557_032);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn resnet50<T: Float>(classes: usize) -> Sequential<T> {
    ResNet::bottleneck([3, 4, 6, 3]).design(classes)
}

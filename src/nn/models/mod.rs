//! Networks that the field knows, by name.
//!
//! | network | type of its sizes | input | weights |
//! |---|---|---|---|
//! | [`mnist`], [`lenet5`], [`mnist_deep`] | | (1, 28, 28) | 693,962, 61,706, 288,170 |
//! | [`alexnet`] | | (3, 224, 224) | 61,100,840 |
//! | [`vgg11`], [`vgg16`] | [`Vgg`] | (3, 224, 224) | 132,863,336, 138,357,544 |
//! | [`resnet18`], [`resnet34`], [`resnet50`] | [`ResNet`] | (3, 224, 224) | 11,689,512, 21,797,672, 25,557,032 |
//! | [`mobilenet_v1`] | [`MobileNet`] | (3, 224, 224) | 4,231,976 |
//! | [`speech_cnn`] | | (1, 64, 64), a log-mel spectrogram | 164,530 |
//! | [`text_cnn`] | [`TextCnn`] | (tokens), ids | by the vocabulary |
//!
//! Those that torchvision has bear its names, so that its weights load with [`Network::load`](super::Network::load)
//! once `safetensors.torch.save_file(model.state_dict(), path)` has written them. They end in logits, without softmax.

mod alexnet;
mod digits;
mod mobilenet;
mod resnet;
mod speech;
mod text;
mod vgg;

use std::fmt;
use std::str::FromStr;

pub use alexnet::alexnet;
pub use digits::{lenet5, mnist, mnist_deep};
pub use mobilenet::{MobileNet, mobilenet_v1};
pub use resnet::{ResNet, resnet18, resnet34, resnet50};
pub use speech::speech_cnn;
pub use text::{TextCnn, text_cnn};
pub use vgg::{Vgg, vgg11, vgg16};

use super::{Float, Sequential};
use crate::error::{Error, Result};

/// A network by its name, for command lines: all but the [text network](TextCnn), which is made for a vocabulary.
///
/// ```
/// use faltung::nn::models::Model;
/// let model: Model = "resnet18".parse()?;
/// assert_eq!((model.to_string().as_str(), model.input_shape()), ("resnet18", &[3, 224, 224][..]));
/// let network = model.design::<f32>(10).build(1)?;
/// assert_eq!(network.output_shape(&[8, 3, 224, 224])?, [8, 10]);
/// assert!("resnet19".parse::<Model>().unwrap_err().to_string().contains("resnet34"));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Model {
    /// [`mnist`]
    Mnist,
    /// [`lenet5`]
    LeNet5,
    /// [`mnist_deep`]
    MnistDeep,
    /// [`alexnet`]
    AlexNet,
    /// [`vgg11`]
    Vgg11,
    /// [`vgg16`]
    Vgg16,
    /// [`resnet18`]
    ResNet18,
    /// [`resnet34`]
    ResNet34,
    /// [`resnet50`]
    ResNet50,
    /// [`mobilenet_v1`]
    MobileNetV1,
    /// [`speech_cnn`]
    SpeechCnn,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Mnist,
        Self::LeNet5,
        Self::MnistDeep,
        Self::AlexNet,
        Self::Vgg11,
        Self::Vgg16,
        Self::ResNet18,
        Self::ResNet34,
        Self::ResNet50,
        Self::MobileNetV1,
        Self::SpeechCnn,
    ];

    /// The name, which is the function's.
    ///
    /// ```
    /// use faltung::nn::models::Model;
    /// assert_eq!(Model::MobileNetV1.name(), "mobilenet_v1");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::LeNet5 => "lenet5",
            Self::MnistDeep => "mnist_deep",
            Self::AlexNet => "alexnet",
            Self::Vgg11 => "vgg11",
            Self::Vgg16 => "vgg16",
            Self::ResNet18 => "resnet18",
            Self::ResNet34 => "resnet34",
            Self::ResNet50 => "resnet50",
            Self::MobileNetV1 => "mobilenet_v1",
            Self::SpeechCnn => "speech_cnn",
        }
    }

    /// The network for so many classes.
    pub fn design<T: Float>(self, classes: usize) -> Sequential<T> {
        match self {
            Self::Mnist => digits::mnist_of(classes),
            Self::LeNet5 => digits::lenet5_of(classes),
            Self::MnistDeep => digits::mnist_deep_of(classes),
            Self::AlexNet => alexnet(classes),
            Self::Vgg11 => vgg11(classes),
            Self::Vgg16 => vgg16(classes),
            Self::ResNet18 => resnet18(classes),
            Self::ResNet34 => resnet34(classes),
            Self::ResNet50 => resnet50(classes),
            Self::MobileNetV1 => mobilenet_v1(classes),
            Self::SpeechCnn => speech_cnn(classes),
        }
    }

    /// The shape of the samples that the network was made for, without the batch's axis. All but those for digits take
    /// others too.
    ///
    /// ```
    /// use faltung::nn::models::Model;
    /// assert_eq!(Model::LeNet5.input_shape(), [1, 28, 28]);
    /// ```
    pub const fn input_shape(self) -> &'static [usize] {
        match self {
            Self::Mnist | Self::LeNet5 | Self::MnistDeep => &[1, 28, 28],
            Self::SpeechCnn => &[1, 64, 64],
            _ => &[3, 224, 224],
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Model {
    type Err = Error;

    /// Reads a [name](Self::name).
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|model| model.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::parse(text, format!("expected a network's name: {names}"))
        })
    }
}

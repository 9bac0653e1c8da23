//! Naming rules: from pelage's tensor names to those of other projects, and the preprocessing that their weights were
//! trained with.

use pelage_data::preprocess::{Fit, Preprocessing, ResizeFilter};
use serde::{Deserialize, Serialize};

use super::names::{self, Prefixes};
use crate::networks::Architecture::{self, *};
use crate::networks::efficientnet;
use crate::networks::efficientnet_lite::{LITE0, LITE1, LITE2};
use crate::networks::graph::{Graph, Node};
use crate::networks::mobilenet_v2::STAGES;

/// A project whose files pelage reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// torchvision; timm has the same names for ResNet.
    Torchvision,
    /// timm; of EfficientNet-Lite, the weights converted from TensorFlow (`tf_efficientnet_lite0`), with its padding.
    Timm,
    /// The port of EfficientNet-Lite to PyTorch: `_conv_stem`, `_blocks.0._depthwise_conv`.
    EfficientNetLitePort,
    /// Keras's applications without their heads ("notop").
    Keras,
}

impl Layout {
    /// Every layout, in the order in which they are tried.
    pub const ALL: [Layout; 4] = [
        Layout::Torchvision,
        Layout::Timm,
        Layout::EfficientNetLitePort,
        Layout::Keras,
    ];

    /// The project's name.
    pub fn project(self) -> &'static str {
        match self {
            Layout::Torchvision => "torchvision",
            Layout::Timm => "timm",
            Layout::EfficientNetLitePort => "the PyTorch port of EfficientNet-Lite",
            Layout::Keras => "Keras",
        }
    }

    /// What the project calls this architecture.
    pub fn network(self, architecture: Architecture) -> String {
        match (self, architecture) {
            (Layout::Timm, EfficientNetLite0 | EfficientNetLite1 | EfficientNetLite2) => {
                format!("tf_{}", architecture.name())
            }
            (Layout::Timm, MobileNetV2) => "mobilenetv2_100".into(),
            (Layout::Timm, DinoV2Small) => "vit_small_patch14_dinov2".into(),
            _ => architecture.name().into(),
        }
    }

    /// Whether the project has weights of this architecture.
    pub fn knows(self, architecture: Architecture) -> bool {
        match architecture {
            Cnn3 | Cnn(_) | Lynx | Added(_) => false,
            Vgg16 | Vgg19 => self != Layout::EfficientNetLitePort,
            ResNet18 | ResNet34 | ResNet50 | GoogLeNet | MobileNetV3Large | EfficientNetB0 | EfficientNetV2S
            | ConvNextTiny => self == Layout::Torchvision,
            DinoV2Small => self == Layout::Timm,
            MobileNetV2 => matches!(self, Layout::Torchvision | Layout::Timm),
            EfficientNetLite0 | EfficientNetLite1 | EfficientNetLite2 => {
                matches!(self, Layout::Timm | Layout::EfficientNetLitePort)
            }
        }
    }

    /// Each layer of `graph` that has parameters, with the names that this project gives its tensors.
    pub(super) fn layers(self, architecture: Architecture, graph: &Graph) -> Vec<(&Node, Prefixes)> {
        let with_parameters = |node: &&Node| !graph.tensors(node).is_empty();
        let nodes = graph.nodes().iter().filter(with_parameters);
        match architecture {
            Cnn3 | Cnn(_) | Lynx | Added(_) => Vec::new(),
            Vgg16 | Vgg19 => self.vgg(graph),
            ResNet18 | ResNet34 | ResNet50 => nodes.map(|node| (node, names::resnet(&node.name))).collect(),
            GoogLeNet => nodes.map(|node| (node, names::googlenet(&node.name))).collect(),
            MobileNetV3Large => nodes.map(|node| (node, names::mobilenet_v3(&node.name))).collect(),
            EfficientNetB0 | EfficientNetV2S => {
                let variant = match architecture {
                    EfficientNetB0 => efficientnet::B0,
                    _ => efficientnet::V2_S,
                };
                nodes
                    .map(|node| (node, names::efficientnet(variant, &node.name)))
                    .collect()
            }
            DinoV2Small => nodes
                .map(|node| (node, names::vision_transformer(&node.name)))
                .collect(),
            ConvNextTiny => nodes.map(|node| (node, names::convnext(&node.name))).collect(),
            MobileNetV2 | EfficientNetLite0 | EfficientNetLite1 | EfficientNetLite2 => nodes
                .map(|node| (node, self.inverted_residual(architecture, &node.name)))
                .collect(),
        }
    }

    /// Whether a tensor may be present without being used.
    pub(super) fn is_known_surplus(self, architecture: Architecture, name: &str) -> bool {
        name.ends_with(".num_batches_tracked")
            || architecture == DinoV2Small && name == "mask_token"
            || architecture == GoogLeNet && (name.starts_with("aux1.") || name.starts_with("aux2."))
    }

    /// torchvision and timm count convolutions, ReLUs and poolings together; Keras has its own names.
    fn vgg(self, graph: &Graph) -> Vec<(&Node, Prefixes)> {
        let (mut layers, mut index) = (Vec::new(), 0);
        for node in graph.nodes() {
            let name = match (&node.name[..], self) {
                (name, Layout::Keras) if name.starts_with("conv") => {
                    name.replace("conv", "block").replace('_', "_conv")
                }
                (name, _) if name.starts_with("conv") => format!("features.{index}"),
                ("fc6", Layout::Timm) => "pre_logits.fc1".into(),
                ("fc7", Layout::Timm) => "pre_logits.fc2".into(),
                ("fc8", Layout::Timm) => "head.fc".into(),
                ("fc6", _) => "classifier.0".into(),
                ("fc7", _) => "classifier.3".into(),
                ("fc8", _) => "classifier.6".into(),
                (name, _) => {
                    index += usize::from(name.starts_with("pool"));
                    continue;
                }
            };
            index += 2;
            let dense = name.starts_with("classifier.");
            let kernel = name.starts_with("pre_logits.");
            let prefixes = Prefixes::new(name, "");
            layers.push((
                node,
                match () {
                    () if dense => prefixes.dense(),
                    () if kernel => prefixes.kernel(),
                    () => prefixes,
                },
            ));
        }
        layers
    }

    /// MobileNetV2 and EfficientNet-Lite.
    fn inverted_residual(self, architecture: Architecture, name: &str) -> Prefixes {
        let stages = match architecture {
            EfficientNetLite1 => LITE1.stages(),
            EfficientNetLite2 => LITE2.stages(),
            EfficientNetLite0 => LITE0.stages(),
            _ => STAGES,
        };
        let (flat, part) = match name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) {
            Some((flat, part)) => (flat.parse().unwrap_or(0), part),
            None => (0, name),
        };
        // The first block has no expansion, hence other indices.
        let first = flat == 0;
        match self {
            Layout::Torchvision => {
                let block = |conv: &str, norm: &str| {
                    let block = format!("features.{}.conv", flat + 1);
                    Prefixes::new(format!("{block}.{conv}"), format!("{block}.{norm}"))
                };
                match part {
                    "stem" => Prefixes::new("features.0.0", "features.0.1"),
                    "expand" => block("0.0", "0.1"),
                    "depthwise" if first => block("0.0", "0.1"),
                    "depthwise" => block("1.0", "1.1"),
                    "project" if first => block("1", "2"),
                    "project" => block("2", "3"),
                    "top" => Prefixes::new("features.18.0", "features.18.1"),
                    _ => Prefixes::new("classifier.1", ""),
                }
            }
            Layout::EfficientNetLitePort => {
                let block = |conv: &str, norm: &str| {
                    Prefixes::new(
                        format!("_blocks.{flat}._{conv}_conv"),
                        format!("_blocks.{flat}._{norm}"),
                    )
                };
                match part {
                    "stem" => Prefixes::new("_conv_stem", "_bn0"),
                    "expand" => block("expand", "bn0"),
                    "depthwise" => block("depthwise", "bn1"),
                    "project" => block("project", "bn2"),
                    "top" => Prefixes::new("_conv_head", "_bn1"),
                    _ => Prefixes::new("_fc", ""),
                }
            }
            Layout::Timm | Layout::Keras => {
                let (mut stage, mut i) = (0, flat);
                while stage < stages.len() && i >= stages[stage].blocks {
                    i -= stages[stage].blocks;
                    stage += 1;
                }
                let block = |conv: &str, norm: &str| {
                    Prefixes::new(
                        format!("blocks.{stage}.{i}.{conv}"),
                        format!("blocks.{stage}.{i}.{norm}"),
                    )
                };
                match part {
                    "stem" => Prefixes::new("conv_stem", "bn1"),
                    "expand" => block("conv_pw", "bn1"),
                    "depthwise" if first => block("conv_dw", "bn1"),
                    "depthwise" => block("conv_dw", "bn2"),
                    "project" if first => block("conv_pw", "bn2"),
                    "project" => block("conv_pwl", "bn3"),
                    "top" => Prefixes::new("conv_head", "bn2"),
                    _ => Prefixes::new("classifier", ""),
                }
            }
        }
    }

    /// The preprocessing that weights in this layout were trained with.
    ///
    /// The sizes are those of training. The projects' own evaluation crops a margin first; pelage keeps the whole image
    /// or its largest central part.
    pub fn preprocessing(self, architecture: Architecture) -> Preprocessing {
        let size = architecture.input_size();
        let is_lite = matches!(architecture, EfficientNetLite0 | EfficientNetLite1 | EfficientNetLite2);
        let (mean, std) = match self {
            // torchvision's weights came from TensorFlow, and its network first maps ImageNet's normalization to this
            // one.
            Layout::Torchvision if architecture == GoogLeNet => ([0.5; 3], [0.5; 3]),
            Layout::Timm if is_lite => ([0.5; 3], [0.5; 3]),
            Layout::Torchvision | Layout::Timm => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            Layout::EfficientNetLitePort => ([127.0 / 255.0; 3], [128.0 / 255.0; 3]),
            // As in Caffe: 0 to 255 minus the mean, but red first (see `convert`).
            Layout::Keras => ([123.68 / 255.0, 116.779 / 255.0, 103.939 / 255.0], [1.0 / 255.0; 3]),
        };
        let filter = match self {
            Layout::Torchvision if architecture == EfficientNetB0 => ResizeFilter::Bicubic,
            Layout::Torchvision | Layout::Keras => ResizeFilter::Bilinear,
            Layout::Timm if matches!(architecture, Vgg16 | Vgg19) => ResizeFilter::Bilinear,
            Layout::Timm | Layout::EfficientNetLitePort => ResizeFilter::Bicubic,
        };
        Preprocessing {
            filter,
            fit: Fit::Crop,
            mean,
            std,
            ..Preprocessing::new(size)
        }
    }
}

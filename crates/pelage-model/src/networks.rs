//! The networks: a closed set, one family per file, each a description ([`graph`]) that [`network`] runs.

pub mod added;
pub mod cnn;
pub mod convnext;
pub mod described;
pub mod efficientnet;
pub mod efficientnet_lite;
mod fold;
#[cfg(feature = "burn")]
mod forward;
mod function;
mod fusion;
pub mod googlenet;
pub mod graph;
pub mod head;
#[cfg(feature = "burn")]
mod init;
#[cfg(feature = "burn")]
mod layer;
pub mod lynx;
pub mod mobilenet_v2;
pub mod mobilenet_v3;
#[cfg(feature = "burn")]
pub mod network;
#[cfg(feature = "burn")]
pub mod parameters;
#[cfg(feature = "burn")]
mod pieces;
#[cfg(feature = "burn")]
pub mod pooled;
pub mod positions;
pub mod resnet;
#[cfg(feature = "burn")]
pub mod room;
mod scaled;
pub mod shapes;
mod squeeze;
#[cfg(feature = "burn")]
mod statistics;
pub mod summary;
#[cfg(feature = "burn")]
mod tokens;
#[cfg(feature = "burn")]
mod variants;
pub mod vgg;
pub mod vision_transformer;
mod windows;

pub use added::Added;
pub use cnn::Cnn;
#[cfg(feature = "burn")]
pub use forward::Tap;
pub use function::Function;
use graph::Graph;
pub use head::{Head, Pooling};
#[cfg(feature = "burn")]
use init::Init;
#[cfg(feature = "burn")]
pub use network::{Mode, Network};

/// The supported architectures, by their names in settings and model files; one from a description is written as a
/// table there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Three convolution blocks and two dense layers, see [`cnn`].
    Cnn3,
    /// Convolution blocks and dense layers by a description, see [`cnn`].
    Cnn(Cnn),
    /// Blocks that pool before they normalize, and residual pairs, see [`lynx`].
    Lynx,
    /// See [`vgg`].
    Vgg16,
    /// See [`vgg`].
    Vgg19,
    /// See [`resnet`].
    ResNet18,
    /// See [`resnet`].
    ResNet34,
    /// See [`resnet`].
    ResNet50,
    /// Inception v1, see [`googlenet`].
    GoogLeNet,
    /// See [`mobilenet_v2`].
    MobileNetV2,
    /// See [`efficientnet_lite`].
    EfficientNetLite0,
    /// See [`efficientnet_lite`].
    EfficientNetLite1,
    /// See [`efficientnet_lite`].
    EfficientNetLite2,
    /// The large one, see [`mobilenet_v3`].
    MobileNetV3Large,
    /// See [`efficientnet`].
    EfficientNetB0,
    /// See [`efficientnet`].
    EfficientNetV2S,
    /// See [`convnext`].
    ConvNextTiny,
    /// The small one of DINOv2, with patches of 14 pixels, see [`vision_transformer`].
    DinoV2Small,
    /// A graph that somebody else made, see [`added`].
    Added(&'static Added),
}

/// The architectures with pretrained weights.
pub const BACKBONES: [Architecture; 15] = {
    let [_cnn3, _cnn, _lynx, backbones @ ..] = Architecture::ALL;
    backbones
};

impl Architecture {
    /// Every architecture that has a name here, so none that was added; of the descriptions the one that is meant
    /// where none is given.
    pub const ALL: [Architecture; 18] = [
        Architecture::Cnn3,
        Architecture::Cnn(Cnn::THREE_BLOCKS),
        Architecture::Lynx,
        Architecture::Vgg16,
        Architecture::Vgg19,
        Architecture::ResNet18,
        Architecture::ResNet34,
        Architecture::ResNet50,
        Architecture::GoogLeNet,
        Architecture::MobileNetV2,
        Architecture::EfficientNetLite0,
        Architecture::EfficientNetLite1,
        Architecture::EfficientNetLite2,
        Architecture::MobileNetV3Large,
        Architecture::EfficientNetB0,
        Architecture::EfficientNetV2S,
        Architecture::ConvNextTiny,
        Architecture::DinoV2Small,
    ];

    /// The name in settings and model files.
    pub const fn name(self) -> &'static str {
        match self {
            Architecture::Cnn3 => "cnn3",
            Architecture::Cnn(_) => "cnn",
            Architecture::Lynx => "lynx",
            Architecture::Vgg16 => "vgg16",
            Architecture::Vgg19 => "vgg19",
            Architecture::ResNet18 => "resnet18",
            Architecture::ResNet34 => "resnet34",
            Architecture::ResNet50 => "resnet50",
            Architecture::GoogLeNet => "googlenet",
            Architecture::MobileNetV2 => "mobilenet_v2",
            Architecture::EfficientNetLite0 => "efficientnet_lite0",
            Architecture::EfficientNetLite1 => "efficientnet_lite1",
            Architecture::EfficientNetLite2 => "efficientnet_lite2",
            Architecture::MobileNetV3Large => "mobilenet_v3_large",
            Architecture::EfficientNetB0 => "efficientnet_b0",
            Architecture::EfficientNetV2S => "efficientnet_v2_s",
            Architecture::ConvNextTiny => "convnext_tiny",
            Architecture::DinoV2Small => "dinov2_vits14",
            Architecture::Added(added) => added.name(),
        }
    }

    /// The smallest image side in pixels that the network accepts.
    pub fn smallest_size(self) -> usize {
        match self {
            Architecture::Cnn3 => Cnn::THREE_BLOCKS.smallest_size(),
            Architecture::Cnn(cnn) => cnn.smallest_size(),
            // Those that it does take are told by `check_size`.
            Architecture::Added(_) => 1,
            Architecture::DinoV2Small => vision_transformer::PATCH,
            // Five halvings leave one pixel.
            _ => 32,
        }
    }

    /// Side in pixels of the images that the network was designed for.
    pub fn input_size(self) -> u32 {
        match self {
            Architecture::Cnn3 | Architecture::Cnn(_) => 150,
            Architecture::Lynx => 160,
            Architecture::EfficientNetLite1 => 240,
            Architecture::EfficientNetLite2 => 260,
            Architecture::EfficientNetV2S => 384,
            Architecture::Added(added) => added.input_size(),
            _ => 224,
        }
    }

    /// Whether it is a network for features: of published weights, or one that was added.
    pub fn is_backbone(self) -> bool {
        matches!(self, Architecture::Added(_)) || BACKBONES.contains(&self)
    }

    /// Refuses images of `size` `[h, w]` that the network cannot take.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn check_size(self, size: [usize; 2]) -> Result<(), String> {
        let (smallest, [height, width]) = (self.smallest_size(), size);
        match self {
            _ if !size.iter().all(|side| (smallest..=4096).contains(side)) => {
                Err(format!("its input size {width}x{height} is out of range"))
            }
            Architecture::Added(added) => added.check(size).map_err(|reason| {
                format!(
                    "images of {width}x{height} pixels are not for {}: {reason}",
                    added.name()
                )
            }),
            _ => Ok(()),
        }
    }

    /// The network's operations for images of `size` `[h, w]` and `classes` classes.
    pub fn graph(self, size: [usize; 2], classes: usize) -> Graph {
        match self {
            Architecture::Cnn3 => Cnn::THREE_BLOCKS.graph(size, classes),
            Architecture::Cnn(cnn) => cnn.graph(size, classes),
            Architecture::Lynx => lynx::graph(classes),
            Architecture::Vgg16 => vgg::graph(vgg::VGG16, classes),
            Architecture::Vgg19 => vgg::graph(vgg::VGG19, classes),
            Architecture::ResNet18 => resnet::graph(resnet::RESNET18, classes),
            Architecture::ResNet34 => resnet::graph(resnet::RESNET34, classes),
            Architecture::ResNet50 => resnet::graph(resnet::RESNET50, classes),
            Architecture::GoogLeNet => googlenet::graph(classes),
            Architecture::MobileNetV2 => mobilenet_v2::graph(classes),
            Architecture::EfficientNetLite0 => efficientnet_lite::graph(efficientnet_lite::LITE0, classes),
            Architecture::EfficientNetLite1 => efficientnet_lite::graph(efficientnet_lite::LITE1, classes),
            Architecture::EfficientNetLite2 => efficientnet_lite::graph(efficientnet_lite::LITE2, classes),
            Architecture::MobileNetV3Large => mobilenet_v3::graph(classes),
            Architecture::EfficientNetB0 => efficientnet::graph(efficientnet::B0, classes),
            Architecture::EfficientNetV2S => efficientnet::graph(efficientnet::V2_S, classes),
            Architecture::ConvNextTiny => convnext::graph(classes),
            Architecture::DinoV2Small => vision_transformer::graph(classes),
            Architecture::Added(added) => added.graph(size, classes),
        }
    }

    /// The same with another head, if one is given.
    pub fn graph_with(self, head: Option<&Head>, size: [usize; 2], classes: usize) -> Graph {
        let mut graph = self.graph(size, classes);
        if let Some(head) = head {
            head.put_on(&mut graph, size, classes);
        }
        graph
    }

    #[cfg(feature = "burn")]
    fn init(self) -> Init {
        match self {
            Architecture::Cnn3 | Architecture::Cnn(_) => Init::Glorot,
            Architecture::Lynx => Init::Dirac,
            _ => Init::He,
        }
    }
}

impl std::str::FromStr for Architecture {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|known| known.name()).collect();
            format!("no architecture is called '{name}'; known: {}", known.join(", "))
        })
    }
}

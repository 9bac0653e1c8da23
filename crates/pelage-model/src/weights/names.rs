//! The names that torchvision gives the tensors of its networks, and timm those of a transformer, and their shapes
//! where they are others than here.

use crate::networks::{convnext, efficientnet::Variant, mobilenet_v3};

/// The prefixes of a layer's tensor names, before `.weight` and so on, and the shape of its weights.
#[derive(Debug, PartialEq)]
pub(super) struct Prefixes {
    layer: String,
    norm: String,
    form: Form,
}

/// The shape of a layer's weights in the other project; the values lie in the same order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// As here.
    Same,
    /// A dense layer's, `[outputs, inputs]`.
    Dense,
    /// A convolution's, `[outputs, inputs, 1, 1]`, of a layer that is dense here.
    Kernel,
    /// One value for each channel, `[c]`.
    Vector,
    /// The same as a parameter of its own, `[c, 1, 1]`, whose name is all of the prefix.
    Parameter,
    /// The same, `[c]`.
    Gamma,
    /// Positions `[1, n, c]` and the first token `[1, 1, c]`, whose names are the two prefixes.
    Tokens,
}

impl Prefixes {
    pub(super) fn new(layer: impl Into<String>, norm: impl Into<String>) -> Self {
        Prefixes {
            layer: layer.into(),
            norm: norm.into(),
            form: Form::Same,
        }
    }

    fn plain(layer: impl Into<String>) -> Self {
        Self::new(layer, "")
    }

    /// A convolution with a batch norm after it, in a row of layers.
    fn pair(row: &str) -> Self {
        Self::new(format!("{row}.0"), format!("{row}.1"))
    }

    /// A layer that is a convolution here and dense there.
    pub(super) fn dense(self) -> Self {
        let form = Form::Dense;
        Prefixes { form, ..self }
    }

    /// The other way round.
    pub(super) fn kernel(self) -> Self {
        let form = Form::Kernel;
        Prefixes { form, ..self }
    }

    /// The file's name for our `weight`, `bias`, `norm.weight`, `norm.running_mean` and so on.
    pub(super) fn tensor(&self, ours: &str) -> String {
        match ours.strip_prefix("norm.") {
            Some(rest) => format!("{}.{rest}", self.norm),
            None if self.form == Form::Tokens && ours == "bias" => self.norm.clone(),
            None if matches!(self.form, Form::Parameter | Form::Gamma | Form::Tokens) => self.layer.clone(),
            None => format!("{}.{ours}", self.layer),
        }
    }

    /// The file's shape of a tensor that is ours of `shape`.
    pub(super) fn shape(&self, shape: &[usize]) -> Vec<usize> {
        match (self.form, shape) {
            (Form::Dense, [rows, channels, height, width]) => vec![*rows, channels * height * width],
            (Form::Kernel, [rows, columns]) => vec![*rows, *columns, 1, 1],
            (Form::Vector | Form::Gamma, [channels, 1, 1, 1]) => vec![*channels],
            (Form::Parameter, [channels, 1, 1, 1]) => vec![*channels, 1, 1],
            (Form::Tokens, [channels]) => vec![1, 1, *channels],
            (Form::Tokens, [tokens, channels]) => vec![1, *tokens, *channels],
            _ => shape.to_vec(),
        }
    }
}

/// ResNet: a convolution has the number of its batch norm.
pub(super) fn resnet(name: &str) -> Prefixes {
    match name.ends_with("downsample") {
        true => Prefixes::pair(name),
        false => Prefixes::new(name, name.replace("conv", "bn")),
    }
}

/// GoogLeNet.
pub(super) fn googlenet(name: &str) -> Prefixes {
    match name {
        "fc" => Prefixes::plain(name),
        _ => Prefixes::new(format!("{name}.conv"), format!("{name}.bn")),
    }
}

/// The number of a block, and which of its layers is called `name`.
fn block(name: &str) -> Option<(usize, &str)> {
    let (number, part) = name.strip_prefix("blocks.")?.split_once('.')?;
    Some((number.parse().ok()?, part))
}

/// MobileNetV3-Large: the layers of a block are numbered.
pub(super) fn mobilenet_v3(name: &str) -> Prefixes {
    let Some((number, part)) = block(name) else {
        return match name {
            "stem" => Prefixes::pair("features.0"),
            "top" => Prefixes::pair(&format!("features.{}", mobilenet_v3::BLOCKS.len() + 1)),
            "hidden" => Prefixes::plain("classifier.0"),
            _ => Prefixes::plain("classifier.3"),
        };
    };
    // The first block does not expand.
    let depthwise = usize::from(number > 0);
    let squeezes = mobilenet_v3::BLOCKS.get(number).is_some_and(|block| block.squeezed > 0);
    let block = format!("features.{}.block", number + 1);
    numbered(&block, part, depthwise, depthwise + 1 + usize::from(squeezes))
}

/// EfficientNet: blocks are counted in each stage, and their layers numbered.
pub(super) fn efficientnet(variant: Variant, name: &str) -> Prefixes {
    let found = block(name).and_then(|(number, part)| Some((variant.blocks().nth(number)?, part)));
    let Some(((stage, i), part)) = found else {
        return match name {
            "stem" => Prefixes::pair("features.0"),
            "top" => Prefixes::pair(&format!("features.{}", variant.stages().len() + 1)),
            _ => Prefixes::plain("classifier.1"),
        };
    };
    let block = format!("features.{}.{i}.block", stage + 1);
    let depthwise = usize::from(variant.stages()[stage].expansion > 1);
    let project = if variant.is_fused(stage) { 1 } else { depthwise + 2 };
    numbered(&block, part, depthwise, project)
}

/// A layer of an inverted residual block.
fn numbered(block: &str, part: &str, depthwise: usize, project: usize) -> Prefixes {
    match part {
        "expand" | "fused" => Prefixes::pair(&format!("{block}.0")),
        "depthwise" => Prefixes::pair(&format!("{block}.{depthwise}")),
        "squeeze" => Prefixes::plain(format!("{block}.{}.fc1", depthwise + 1)),
        "excite" => Prefixes::plain(format!("{block}.{}.fc2", depthwise + 1)),
        _ => Prefixes::pair(&format!("{block}.{project}")),
    }
}

/// ConvNeXt: what leads to a stage and the stage itself are numbered alike.
pub(super) fn convnext(name: &str) -> Prefixes {
    let vector = |layer: String| Prefixes {
        form: Form::Vector,
        ..Prefixes::plain(layer)
    };
    let parts: Vec<&str> = name.split('.').collect();
    let number = |text: &str| text.parse().unwrap_or(convnext::STAGES.len());
    match parts[..] {
        ["stem"] => Prefixes::plain("features.0.0"),
        ["stem", _] => vector("features.0.1".into()),
        ["stages", s, "reduce"] => Prefixes::plain(format!("features.{}.1", 2 * number(s))),
        ["stages", s, _] => vector(format!("features.{}.0", 2 * number(s))),
        ["stages", s, "blocks", i, part] => {
            let block = format!("features.{}.{i}", 2 * number(s) + 1);
            match part {
                "depthwise" => Prefixes::plain(format!("{block}.block.0")),
                "norm_scale" => vector(format!("{block}.block.2")),
                "expand" => Prefixes::plain(format!("{block}.block.3")).dense(),
                "project" => Prefixes::plain(format!("{block}.block.5")).dense(),
                _ => Prefixes {
                    form: Form::Parameter,
                    ..Prefixes::plain(format!("{block}.layer_scale"))
                },
            }
        }
        ["top", _] => vector("classifier.0".into()),
        _ => Prefixes::plain("classifier.2"),
    }
}

/// The vision transformer, as timm and DINOv2 itself name its layers.
pub(super) fn vision_transformer(name: &str) -> Prefixes {
    let form = |form: Form, layer: String| Prefixes {
        form,
        ..Prefixes::plain(layer)
    };
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["patches"] => Prefixes::plain("patch_embed.proj"),
        ["tokens"] => Prefixes {
            form: Form::Tokens,
            ..Prefixes::new("pos_embed", "cls_token")
        },
        ["top", _] => form(Form::Vector, "norm".into()),
        ["blocks", i, half, part] => {
            let (number, layers) = match half {
                "attention" => (1, ["attn.qkv", "attn.proj"]),
                _ => (2, ["mlp.fc1", "mlp.fc2"]),
            };
            match part {
                "norm_scale" => form(Form::Vector, format!("blocks.{i}.norm{number}")),
                "qkv" | "expand" => form(Form::Dense, format!("blocks.{i}.{}", layers[0])),
                "project" => form(Form::Dense, format!("blocks.{i}.{}", layers[1])),
                _ => form(Form::Gamma, format!("blocks.{i}.ls{number}.gamma")),
            }
        }
        _ => Prefixes::plain("head"),
    }
}

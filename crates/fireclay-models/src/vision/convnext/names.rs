//! What torchvision, timm, transformers and the paper's own code call the tensors of a ConvNeXt.

/// torchvision's name of a tensor of this module.
pub(super) fn torch_name(path: &str) -> Option<String> {
    let parts: Vec<_> = path.split('.').collect();
    Some(match parts[..] {
        ["stem", kind] => format!("features.0.0.{kind}"),
        ["stem_norm", kind] => format!("features.0.1.{kind}"),
        ["stages", stage, "shrink", "norm", kind] => format!("{}.0.{kind}", shrink(stage)?),
        ["stages", stage, "shrink", "conv", kind] => format!("{}.1.{kind}", shrink(stage)?),
        ["stages", stage, "blocks", block, part, kind] => {
            let part = match part {
                "depthwise" => 0,
                "norm" => 2,
                "expand" => 3,
                _ => 5,
            };
            format!("{}.{block}.block.{part}.{kind}", blocks(stage)?)
        }
        ["stages", stage, "blocks", block, scale] => {
            format!("{}.{block}.{scale}", blocks(stage)?)
        }
        ["norm", kind] => format!("classifier.0.{kind}"),
        ["head", kind] => format!("classifier.2.{kind}"),
        _ => return None,
    })
}

/// torchvision's name for one of timm's or of the paper's own code.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    let parts: Vec<_> = name.split('.').collect();
    Some(match parts[..] {
        ["stem", part, kind] | ["downsample_layers", "0", part, kind] => {
            format!("features.0.{part}.{kind}")
        }
        ["stages", stage, "downsample", part, kind] | ["downsample_layers", stage, part, kind] => {
            format!("{}.{part}.{kind}", shrink(stage)?)
        }
        ["stages", stage, "blocks", block, ref rest @ ..]
        | ["stages", stage, block, ref rest @ ..] => {
            let rest = match *rest {
                ["conv_dw" | "dwconv", kind] => format!("block.0.{kind}"),
                ["norm", kind] => format!("block.2.{kind}"),
                ["mlp", "fc1", kind] | ["pwconv1", kind] => format!("block.3.{kind}"),
                ["mlp", "fc2", kind] | ["pwconv2", kind] => format!("block.5.{kind}"),
                ["gamma"] => "layer_scale".to_string(),
                _ => return None,
            };
            format!("{}.{block}.{rest}", blocks(stage)?)
        }
        ["convnext", ref rest @ ..] => return of_transformers(rest),
        ["embeddings" | "encoder" | "layernorm", ..] => return of_transformers(&parts),
        // Of transformers and not of torchvision, where it has numbers.
        ["classifier", "weight" | "bias"] => format!("classifier.2.{}", parts[1]),
        ["norm", kind] | ["head", "norm", kind] => format!("classifier.0.{kind}"),
        ["head", kind] | ["head", "fc", kind] => format!("classifier.2.{kind}"),
        _ => return None,
    })
}

/// The same for one of transformers', without what it begins with.
fn of_transformers(parts: &[&str]) -> Option<String> {
    Some(match *parts {
        ["embeddings", "patch_embeddings", kind] => format!("features.0.0.{kind}"),
        ["embeddings", "layernorm", kind] => format!("features.0.1.{kind}"),
        ["encoder", "stages", stage, "downsampling_layer", part, kind] => {
            format!("{}.{part}.{kind}", shrink(stage)?)
        }
        ["encoder", "stages", stage, "layers", block, ref rest @ ..] => {
            let rest = match *rest {
                ["dwconv", kind] => format!("block.0.{kind}"),
                ["layernorm", kind] => format!("block.2.{kind}"),
                ["pwconv1", kind] => format!("block.3.{kind}"),
                ["pwconv2", kind] => format!("block.5.{kind}"),
                ["layer_scale_parameter"] => "layer_scale".to_string(),
                _ => return None,
            };
            format!("{}.{block}.{rest}", blocks(stage)?)
        }
        ["layernorm", kind] => format!("classifier.0.{kind}"),
        _ => return None,
    })
}

/// What torchvision calls the layers that shrink the image for one of the four stages.
fn shrink(stage: &str) -> Option<String> {
    let stage: usize = stage.parse().ok()?;
    (stage < 4).then(|| format!("features.{}", 2 * stage))
}

/// What torchvision calls the blocks of one of the four stages.
fn blocks(stage: &str) -> Option<String> {
    let stage: usize = stage.parse().ok()?;
    (stage < 4).then(|| format!("features.{}", 2 * stage + 1))
}

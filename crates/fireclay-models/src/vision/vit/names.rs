//! What torchvision and timm call the tensors of a Vision Transformer.

/// torchvision's name of a tensor of this module.
pub(super) fn torch_name(path: &str) -> String {
    path.replace("encoder.layers.", "encoder.layers.encoder_layer_")
        .replace("self_attention.in_proj.", "self_attention.in_proj_")
        .replace(".mlp.linear_1.", ".mlp.0.")
        .replace(".mlp.linear_2.", ".mlp.3.")
        .replace("heads.", "heads.head.")
}

/// torchvision's name for one of timm's, or of torchvision's before 0.14.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    let parts: Vec<_> = name.split('.').collect();
    Some(match parts[..] {
        ["cls_token"] => "class_token".to_string(),
        ["pos_embed"] => "encoder.pos_embedding".to_string(),
        ["patch_embed", "proj", kind] => format!("conv_proj.{kind}"),
        ["norm", kind] => format!("encoder.ln.{kind}"),
        ["head", kind] => format!("heads.head.{kind}"),
        ["blocks", block, ref rest @ ..] => {
            let rest = match *rest {
                ["norm1", kind] => format!("ln_1.{kind}"),
                ["attn", "qkv", kind] => format!("self_attention.in_proj_{kind}"),
                ["attn", "proj", kind] => format!("self_attention.out_proj.{kind}"),
                ["norm2", kind] => format!("ln_2.{kind}"),
                ["mlp", "fc1", kind] => format!("mlp.0.{kind}"),
                ["mlp", "fc2", kind] => format!("mlp.3.{kind}"),
                _ => return None,
            };
            format!("encoder.layers.encoder_layer_{block}.{rest}")
        }
        ["encoder", "layers", block, "mlp", "linear_1", kind] => {
            format!("encoder.layers.{block}.mlp.0.{kind}")
        }
        ["encoder", "layers", block, "mlp", "linear_2", kind] => {
            format!("encoder.layers.{block}.mlp.3.{kind}")
        }
        _ => return None,
    })
}

//! What torchvision, timm and transformers call the tensors of a Vision Transformer.

use crate::family::part_of;

/// torchvision's name of a tensor of this module.
pub(super) fn torch_name(path: &str) -> String {
    path.replace("encoder.layers.", "encoder.layers.encoder_layer_")
        .replace("self_attention.in_proj.", "self_attention.in_proj_")
        .replace(".mlp.linear_1.", ".mlp.0.")
        .replace(".mlp.linear_2.", ".mlp.3.")
        .replace("heads.", "heads.head.")
        .replace("heads_dist.", "heads.head.dist.")
}

/// What the names of transformers begin with, by class.
const STARTS: [&str; 3] = ["vit", "deit", "dinov2"];

/// Whether a tensor of transformers' is none of a classifier: the pooler of a model without one, and what stands for
/// patches that are hidden.
pub(super) fn is_no_part(name: &str) -> bool {
    let start = STARTS
        .iter()
        .find_map(|start| name.strip_prefix(start)?.strip_prefix('.'));
    let name = start.unwrap_or(name);
    name.starts_with("pooler.") || name == "embeddings.mask_token"
}

/// torchvision's name for one of timm's, of transformers', or of torchvision's before 0.14.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    let parts: Vec<_> = name.split('.').collect();
    Some(match parts[..] {
        [start, ref rest @ ..] if STARTS.contains(&start) => return of_transformers(rest),
        ["cls_classifier", kind] => format!("heads.head.{kind}"),
        ["distillation_classifier", kind] | ["head_dist", kind] => {
            format!("heads.head.dist.{kind}")
        }
        ["embeddings" | "encoder" | "layers" | "layernorm", ..]
            if of_transformers(&parts).is_some() =>
        {
            return of_transformers(&parts);
        }
        ["classifier", kind] => format!("heads.head.{kind}"),
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
                ["ls1", "gamma"] => "ls_1".to_string(),
                ["ls2", "gamma"] => "ls_2".to_string(),
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

/// The same for one of transformers', without what it begins with. Its layers for queries, keys and values are one
/// here.
fn of_transformers(parts: &[&str]) -> Option<String> {
    Some(match *parts {
        ["embeddings", "cls_token"] => "class_token".to_string(),
        ["embeddings", "distillation_token"] => "dist_token".to_string(),
        ["embeddings", "position_embeddings"] => "encoder.pos_embedding".to_string(),
        ["embeddings", "patch_embeddings", "projection", kind] => format!("conv_proj.{kind}"),
        ["layernorm", kind] => format!("encoder.ln.{kind}"),
        ["encoder", "layer", block, ref rest @ ..] | ["layers", block, ref rest @ ..] => {
            let rest = of_block(rest)?;
            format!("encoder.layers.encoder_layer_{block}.{rest}")
        }
        _ => return None,
    })
}

/// Of a block, in the names of versions before 5, which files have, and of later ones.
fn of_block(parts: &[&str]) -> Option<String> {
    let third = |part, kind| part_of(&format!("self_attention.in_proj_{kind}"), part, 3);
    Some(match *parts {
        ["attention", "attention", "query", kind] | ["attention", "q_proj", kind] => third(0, kind),
        ["attention", "attention", "key", kind] | ["attention", "k_proj", kind] => third(1, kind),
        ["attention", "attention", "value", kind] | ["attention", "v_proj", kind] => third(2, kind),
        ["attention", "output", "dense", kind] | ["attention", "o_proj", kind] => {
            format!("self_attention.out_proj.{kind}")
        }
        ["layernorm_before" | "norm1", kind] => format!("ln_1.{kind}"),
        ["layernorm_after" | "norm2", kind] => format!("ln_2.{kind}"),
        ["layer_scale1", "lambda1"] => "ls_1".to_string(),
        ["layer_scale2", "lambda1"] => "ls_2".to_string(),
        ["intermediate", "dense", kind] | ["mlp", "fc1", kind] => format!("mlp.0.{kind}"),
        ["output", "dense", kind] | ["mlp", "fc2", kind] => format!("mlp.3.{kind}"),
        _ => return None,
    })
}

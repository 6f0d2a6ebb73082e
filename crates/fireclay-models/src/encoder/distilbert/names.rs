//! What Hugging Face calls the tensors of DistilBERT.

pub(super) const WORDS: &str = "distilbert.embeddings.word_embeddings.weight";

/// The parts of a block, by the fields of BERT's.
const BLOCK: [(&str, &str); 8] = [
    ("attention.query", "attention.q_lin"),
    ("attention.key", "attention.k_lin"),
    ("attention.value", "attention.v_lin"),
    ("attention.output.dense", "attention.out_lin"),
    ("attention.output.layer_norm", "sa_layer_norm"),
    ("intermediate", "ffn.lin1"),
    ("output.dense", "ffn.lin2"),
    ("output.layer_norm", "output_layer_norm"),
];

/// Hugging Face's name of a tensor of the module, whose fields are those of BERT.
pub(super) fn torch_name(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts[..] {
        ["predictions", "transform", "dense", end] => format!("vocab_transform.{end}"),
        ["predictions", "transform", "layer_norm", end] => format!("vocab_layer_norm.{end}"),
        ["predictions", end] => format!("vocab_projector.{end}"),
        ["bert", "pooler", end] => format!("pre_classifier.{end}"),
        ["bert", "layer", block, ref rest @ ..] => {
            let rest = of_block(&rest.join("."));
            format!("distilbert.transformer.layer.{block}.{rest}")
        }
        ["bert", ..] => {
            let name = path.replace("layer_norm", "LayerNorm");
            name.replacen("bert.", "distilbert.", 1)
        }
        _ => path.to_owned(),
    }
}

fn of_block(path: &str) -> String {
    let renamed = |(own, theirs): &(&str, &str)| {
        let end = path.strip_prefix(own)?.strip_prefix('.')?;
        Some(format!("{theirs}.{end}"))
    };
    let known = BLOCK.iter().find_map(renamed);
    known.unwrap_or_else(|| path.to_owned())
}

/// The name in Hugging Face's modules with a head of a tensor that is called `name` there, or in
/// `DistilBertModel`, which leaves out the prefix. `None` for positions, which are no weights.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    if name.ends_with("embeddings.position_ids") {
        return None;
    }
    let name = name
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias");
    let bare = ["embeddings.", "transformer."];
    match bare.iter().any(|part| name.starts_with(part)) {
        true => Some(format!("distilbert.{name}")),
        false => Some(name),
    }
}

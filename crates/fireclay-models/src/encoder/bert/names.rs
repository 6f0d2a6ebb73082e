//! What Hugging Face and the published files call the tensors of BERT.

/// Hugging Face's name of a tensor of this module, whose fields cannot all be called so.
pub(super) fn torch_name(path: &str) -> String {
    let mut name = path
        .replace("bert.layer.", "bert.encoder.layer.")
        .replace("layer_norm", "LayerNorm")
        .replace(".intermediate.", ".intermediate.dense.")
        .replace(".pooler.", ".pooler.dense.");
    for part in ["query", "key", "value"] {
        let inner = format!("attention.self.{part}.");
        name = name.replace(&format!("attention.{part}."), &inner);
    }
    match name.strip_prefix("predictions.") {
        Some(rest) => format!("cls.predictions.{rest}"),
        None => name,
    }
}

/// The name in Hugging Face's modules with a head of a tensor that is called `name` there, in
/// `BertModel`, which leaves out the prefix, or in the published files, which keep the names of
/// TensorFlow for norms. `None` for the head of the next sentence, which is not here, and for
/// positions, which are no weights.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    if name.starts_with("cls.seq_relationship.") || name.ends_with("embeddings.position_ids") {
        return None;
    }
    let name = name
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias");
    let bare = ["embeddings.", "encoder.", "pooler."];
    match bare.iter().any(|part| name.starts_with(part)) {
        true => Some(format!("bert.{name}")),
        false => Some(name),
    }
}

/// What the head for masked tokens shares with the rest: its weight is the embedding, and the bias stands
/// under two names.
pub(super) fn copy_of(name: &str) -> Option<&'static str> {
    match name {
        "cls.predictions.decoder.weight" => Some("bert.embeddings.word_embeddings.weight"),
        "cls.predictions.decoder.bias" => Some("cls.predictions.bias"),
        _ => None,
    }
}

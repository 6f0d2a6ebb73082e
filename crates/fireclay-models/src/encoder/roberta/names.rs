//! What Hugging Face calls the tensors of RoBERTa.

pub(super) const WORDS: &str = "roberta.embeddings.word_embeddings.weight";
pub(super) const BIAS: &str = "lm_head.bias";

/// Hugging Face's name of a tensor of the module, whose fields are those of BERT.
pub(super) fn torch_name(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts[..] {
        ["predictions", "transform", "dense", end] => format!("lm_head.dense.{end}"),
        ["predictions", "transform", "layer_norm", end] => format!("lm_head.layer_norm.{end}"),
        ["predictions", end] => format!("lm_head.{end}"),
        ["bert", "pooler", end] => format!("classifier.dense.{end}"),
        ["classifier", end] => format!("classifier.out_proj.{end}"),
        _ => of_encoder(path),
    }
}

/// The same for what is not of a head.
fn of_encoder(path: &str) -> String {
    let mut name = path
        .replace("bert.layer.", "bert.encoder.layer.")
        .replace("layer_norm", "LayerNorm")
        .replace(".intermediate.", ".intermediate.dense.");
    for part in ["query", "key", "value"] {
        let inner = format!("attention.self.{part}.");
        name = name.replace(&format!("attention.{part}."), &inner);
    }
    match name.strip_prefix("bert.") {
        Some(rest) => format!("roberta.{rest}"),
        None => name,
    }
}

/// The name in Hugging Face's modules with a head of a tensor that is called `name` there, or in
/// `RobertaModel`, which leaves out the prefix. `None` for positions, which are no weights.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    if name.ends_with("embeddings.position_ids") {
        return None;
    }
    let name = name
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias");
    let bare = ["embeddings.", "encoder.", "pooler."];
    match bare.iter().any(|part| name.starts_with(part)) {
        true => Some(format!("roberta.{name}")),
        false => Some(name),
    }
}

/// What the head for masked tokens shares with the rest: its weight is the embedding, and the bias stands
/// under two names.
pub(super) fn copy_of(name: &str) -> Option<&'static str> {
    match name {
        "lm_head.decoder.weight" => Some(WORDS),
        "lm_head.decoder.bias" => Some(BIAS),
        _ => None,
    }
}

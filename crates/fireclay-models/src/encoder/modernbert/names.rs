//! What Hugging Face calls the tensors of ModernBERT.

pub(super) const WORDS: &str = "model.embeddings.tok_embeddings.weight";

/// Layers with capitals, which no field here has.
const CAPITALS: [(&str, &str); 3] = [("wqkv", "Wqkv"), ("wo", "Wo"), ("wi", "Wi")];

/// Hugging Face's name of a tensor of this module.
pub(super) fn torch_name(path: &str) -> String {
    let part = |part| {
        let known = CAPITALS.iter().find(|(own, _)| *own == part);
        known.map_or(part, |(_, theirs)| *theirs)
    };
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// The name in Hugging Face's modules with a head of a tensor that is called `name` there, or in
/// `ModernBertModel`, which leaves out the prefix. `None` for rotations, which are no weights.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    if name.ends_with("inv_freq") {
        return None;
    }
    let bare = ["embeddings.", "layers.", "final_norm."];
    match bare.iter().any(|part| name.starts_with(part)) {
        true => Some(format!("model.{name}")),
        false => Some(name.to_owned()),
    }
}

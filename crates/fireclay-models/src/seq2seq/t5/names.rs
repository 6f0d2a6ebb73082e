//! What Hugging Face calls the tensors of T5.

/// The embedding of source and target.
pub(super) const SHARED: &str = "shared.weight";

/// Hugging Face's name of a tensor of this module. There a block is a list of layers, of which that of the MLP is the
/// last, and relative positions are those of the first block.
pub(super) fn torch_name(path: &str) -> String {
    let last = match path.starts_with("decoder.") {
        true => "layer.2",
        false => "layer.1",
    };
    path.replace(".positions.", ".block.0.layer.0.SelfAttention.")
        .replace(".self_norm.", ".layer.0.layer_norm.")
        .replace(".self_attention.", ".layer.0.SelfAttention.")
        .replace(".cross.norm.", ".layer.1.layer_norm.")
        .replace(".cross.attention.", ".layer.1.EncDecAttention.")
        .replace(".mlp_norm.", &format!(".{last}.layer_norm."))
        .replace(".mlp.", &format!(".{last}.DenseReluDense."))
}

/// The same name, or none of positions to the memory, which some published files have and no model reads.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    let is_unread = name.ends_with("EncDecAttention.relative_attention_bias.weight");
    (!is_unread).then(|| name.to_owned())
}

/// The tensors that are copies of the embedding; the head's is one where it is tied.
pub(super) fn copy_of(name: &str, is_tied: bool) -> Option<&'static str> {
    let is_copy = match name {
        "encoder.embed_tokens.weight" | "decoder.embed_tokens.weight" => true,
        "lm_head.weight" => is_tied,
        _ => false,
    };
    is_copy.then_some(SHARED)
}

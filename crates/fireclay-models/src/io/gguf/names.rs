//! What `transformers` call the tensors of a GGUF, and how they lay them out.

use fireclay_gguf::{Gguf, Tensor};

use super::keys::heads;

/// What has to be done to the numbers of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Nothing.
    Same,
    /// The linear layers of GPT-2 are `[inputs, outputs]` in `transformers`.
    Transposed,
    /// The rows of queries and keys of so many heads. llama.cpp turns neighbours as pairs, `transformers` the first half
    /// of a head with the second, so the converter has laid the rows of each head like cards of two halves.
    Paired(usize),
}

impl Layout {
    /// The shape in `transformers` of a tensor of this one.
    pub fn shape(self, shape: &[usize]) -> Vec<usize> {
        match self {
            Self::Same | Self::Paired(_) => shape.to_vec(),
            Self::Transposed => shape.iter().rev().copied().collect(),
        }
    }

    /// The numbers, or the bytes of rows, of a tensor of this shape in the order of `transformers`.
    pub fn apply<T: Copy>(self, numbers: Vec<T>, shape: &[usize]) -> Vec<T> {
        let width: usize = shape.iter().skip(1).product();
        let rows = numbers.len().checked_div(width).unwrap_or(0);
        match self {
            Self::Same => numbers,
            Self::Transposed => {
                let column = |column: usize| numbers.iter().skip(column).step_by(width);
                (0..width).flat_map(column).copied().collect()
            }
            Self::Paired(heads) => {
                let half = rows / heads.max(1) / 2;
                let from = |row: usize| {
                    let (head, part, pair) = (row / (2 * half), row / half % 2, row % half);
                    2 * (head * half + pair) + part
                };
                let row = |row: usize| &numbers[from(row) * width..][..width];
                (0..rows).flat_map(row).copied().collect()
            }
        }
    }
}

/// Names before and after, without `.weight` or `.bias`, of what is there once and of what each block has.
type Names = (
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static [(&'static str, &'static str)],
);

const LLAMA: Names = (
    &[
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("output", "lm_head"),
    ],
    "model.layers",
    &[
        ("attn_norm", "input_layernorm"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_q_norm", "self_attn.q_norm"),
        ("attn_k_norm", "self_attn.k_norm"),
        ("attn_output", "self_attn.o_proj"),
        ("ffn_norm", "post_attention_layernorm"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ],
);

const GPT2: Names = (
    &[
        ("token_embd", "transformer.wte"),
        ("position_embd", "transformer.wpe"),
        ("output_norm", "transformer.ln_f"),
        ("output", "lm_head"),
    ],
    "transformer.h",
    &[
        ("attn_norm", "ln_1"),
        ("attn_qkv", "attn.c_attn"),
        ("attn_output", "attn.c_proj"),
        ("ffn_norm", "ln_2"),
        ("ffn_up", "mlp.c_fc"),
        ("ffn_down", "mlp.c_proj"),
    ],
);

/// Factors of rotations, which are no weights: the description of the model answers for them.
const FACTORS: &str = "rope_freqs.weight";

/// The name in `transformers` and the layout there of a tensor of `file`, which stays as it is where there is none.
///
/// # Errors
///
/// If the file does not say how its rows are laid.
pub(super) fn translated(file: &Gguf, tensor: &Tensor) -> Result<(String, Layout), String> {
    let name = &tensor.name;
    let names = match file.text("general.architecture") {
        Some("gpt2") => &GPT2,
        _ => &LLAMA,
    };
    match found(names, name) {
        Some(found) => Ok((found, layout(file, tensor)?)),
        None if name == FACTORS => Ok(("model.rotary_emb.inv_freq".into(), Layout::Same)),
        None => Ok((name.to_owned(), Layout::Same)),
    }
}

fn found((once, blocks, each): &Names, name: &str) -> Option<String> {
    let (path, end) = name.rsplit_once('.')?;
    let find = |names: &[(&str, &'static str)], path: &str| {
        let found = names.iter().find(|(known, _)| *known == path);
        found.map(|(_, theirs)| *theirs)
    };
    let Some(rest) = path.strip_prefix("blk.") else {
        return Some(format!("{}.{end}", find(once, path)?));
    };
    let (block, path) = rest.split_once('.')?;
    let block: usize = block.parse().ok()?;
    Some(format!("{blocks}.{block}.{}.{end}", find(each, path)?))
}

fn layout(file: &Gguf, tensor: &Tensor) -> Result<Layout, String> {
    let architecture = file.text("general.architecture").unwrap_or_default();
    let name = &tensor.name;
    let part = name.rsplit('.').nth(1).unwrap_or_default();
    match (architecture, part) {
        // Matrices and biases alike.
        ("llama", "attn_q" | "attn_k") => paired(tensor, heads(file, part == "attn_k")?),
        ("gpt2", "attn_qkv" | "attn_output" | "ffn_up" | "ffn_down")
            if name.ends_with(".weight") =>
        {
            Ok(Layout::Transposed)
        }
        _ => Ok(Layout::Same),
    }
}

/// The layout of the rows of so many heads, each of which has two halves.
fn paired(tensor: &Tensor, heads: usize) -> Result<Layout, String> {
    let rows = tensor.shape.first().copied().unwrap_or(0);
    let halves = heads.checked_mul(2).filter(|halves| *halves > 0);
    match halves.is_some_and(|halves| rows > 0 && rows.is_multiple_of(halves)) {
        true => Ok(Layout::Paired(heads)),
        false => Err(format!(
            "{} has {rows} rows, which are no {heads} heads of two halves",
            tensor.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_heads_are_put_together() {
        // Two heads of four rows, each a number: the converter writes a0 b0 a1 b1 of the halves a and b.
        let theirs = [0., 1., 2., 3., 4., 5., 6., 7.];
        let written = [0., 2., 1., 3., 4., 6., 5., 7.];
        assert_eq!(Layout::Paired(2).apply(written.to_vec(), &[8, 1]), theirs);
    }

    #[test]
    fn a_matrix_is_transposed() {
        let numbers = vec![1., 2., 3., 4., 5., 6.];
        assert_eq!(
            Layout::Transposed.apply(numbers, &[2, 3]),
            [1., 4., 2., 5., 3., 6.]
        );
        assert_eq!(Layout::Transposed.shape(&[2, 3]), [3, 2]);
    }

    #[test]
    fn names_are_those_of_transformers() {
        let name = |name: &str| found(&LLAMA, name);
        assert_eq!(
            name("blk.3.attn_q.weight").as_deref(),
            Some("model.layers.3.self_attn.q_proj.weight")
        );
        assert_eq!(
            name("output_norm.weight").as_deref(),
            Some("model.norm.weight")
        );
        assert_eq!(name("blk.x.attn_q.weight"), None);
        assert_eq!(
            found(&GPT2, "blk.0.ffn_up.bias").as_deref(),
            Some("transformer.h.0.mlp.c_fc.bias")
        );
    }
}

//! The metadata of a GGUF in the words of a `config.json`.

use fireclay_gguf::Gguf;
use serde_json::{Map, Value, json};

use super::keys::Keys;
use super::rope;

/// A model that is known by the name that GGUF has for its architecture.
struct Known {
    name: &'static str,
    model_type: &'static str,
    class: &'static str,
    describe: fn(&mut Keys<'_>),
}

const KNOWN: [Known; 4] = [
    Known {
        name: "llama",
        model_type: "llama",
        class: "LlamaForCausalLM",
        describe: like_llama,
    },
    Known {
        name: "qwen2",
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        describe: like_llama,
    },
    Known {
        name: "qwen3",
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        describe: like_llama,
    },
    Known {
        name: "gpt2",
        model_type: "gpt2",
        class: "GPT2LMHeadModel",
        describe: like_gpt2,
    },
];

/// The model in `file`, or why it is none that is known.
pub(super) fn described(file: &Gguf) -> Result<Map<String, Value>, String> {
    let name = file.text("general.architecture");
    let name = name.ok_or("it does not say its general.architecture")?;
    let known = KNOWN.iter().find(|known| known.name == name);
    let known = known.ok_or_else(|| {
        let names = KNOWN.map(|known| known.name).join(", ");
        format!("general.architecture is \"{name}\", and {names} are read from a GGUF; take the safetensors that it was made from")
    })?;
    let mut keys = Keys::new(file, name);
    keys.put("model_type", known.model_type);
    keys.put("architectures", json!([known.class]));
    let embedding = file
        .tensor("token_embd.weight")
        .map(|tensor| &tensor.shape[..]);
    match embedding {
        Some([vocabulary, _]) => keys.put("vocab_size", *vocabulary),
        _ => keys
            .problems
            .push("it has no matrix token_embd.weight".into()),
    }
    if let Some(parts) = file.count("split.count").filter(|parts| *parts > 1) {
        keys.problems.push(format!(
            "it is one of {parts} parts; put them together with `llama-gguf-split --merge` of llama.cpp"
        ));
    }
    (known.describe)(&mut keys);
    keys.refuse_others();
    match keys.problems.is_empty() {
        true => Ok(keys.json),
        false => Err(keys.problems.join("; ")),
    }
}

/// Llama and models that are like it.
fn like_llama(keys: &mut Keys<'_>) {
    keys.need("num_hidden_layers", "block_count");
    keys.need("hidden_size", "embedding_length");
    keys.need("intermediate_size", "feed_forward_length");
    keys.need("num_attention_heads", "attention.head_count");
    keys.may("num_key_value_heads", "attention.head_count_kv");
    keys.need("max_position_embeddings", "context_length");
    keys.need("rms_norm_eps", "attention.layer_norm_rms_epsilon");
    keys.may("head_dim", "attention.key_length");
    keys.may("sliding_window", "attention.sliding_window");
    if !keys.may("rope_theta", "rope.freq_base") {
        keys.put("rope_theta", 10_000.0);
    }
    let has = |name: &str| keys.file.tensor(name).is_some();
    let (tied, bias) = (!has("output.weight"), has("blk.0.attn_q.bias"));
    keys.put("tie_word_embeddings", tied);
    if bias {
        keys.put("attention_bias", true);
    }
    if keys.number("expert_count").is_some_and(|count| count > 0.0) {
        keys.refuse(
            "expert_count",
            "a mixture of experts is not read from a GGUF",
        );
    }
    let width = rope::width(keys);
    for (key, why) in [
        (
            "rope.dimension_count",
            "parts of heads are turned, which is not read",
        ),
        (
            "attention.value_length",
            "values are not as wide as keys, which is not read",
        ),
    ] {
        keys.equals(key, width, why);
    }
    rope::stretched(keys);
}

fn like_gpt2(keys: &mut Keys<'_>) {
    keys.need("n_layer", "block_count");
    keys.need("n_embd", "embedding_length");
    keys.need("n_inner", "feed_forward_length");
    keys.need("n_head", "attention.head_count");
    keys.need("n_positions", "context_length");
    keys.need("layer_norm_epsilon", "attention.layer_norm_epsilon");
    keys.put("activation_function", "gelu_new");
    keys.put(
        "tie_word_embeddings",
        keys.file.tensor("output.weight").is_none(),
    );
    let heads = keys.number("attention.head_count");
    keys.equals(
        "attention.head_count_kv",
        heads,
        "queries share keys, which is not read",
    );
}

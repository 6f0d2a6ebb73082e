//! The metadata of a GGUF in the words of a `config.json`.

use fireclay_gguf::{Gguf, Value as Entry};
use serde_json::{Map, Value, json};

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
    let mut keys = Keys {
        file,
        name,
        json: Map::new(),
        problems: Vec::new(),
    };
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
    turned_part(keys);
    stretched(keys);
    if keys.number("expert_count").is_some_and(|count| count > 0.0) {
        keys.refuse(
            "expert_count",
            "a mixture of experts is not read from a GGUF",
        );
    }
}

/// Only whole heads are turned.
fn turned_part(keys: &mut Keys<'_>) {
    let number = |key: &str| keys.json.get(key).and_then(Value::as_f64);
    let usual = || Some(number("hidden_size")? / number("num_attention_heads")?);
    let width = number("head_dim").or_else(usual);
    let turned = keys.number("rope.dimension_count");
    if let (Some(turned), Some(width)) = (turned, width)
        && turned != width
    {
        keys.refuse(
            "rope.dimension_count",
            "parts of heads are turned, which is not read",
        );
    }
}

/// Rotations that are stretched for longer texts. Where their factors are a tensor of their own, nothing says the rule
/// that they come from, so it is found out.
fn stretched(keys: &mut Keys<'_>) {
    let kind = keys.text("rope.scaling.type").map(str::to_owned);
    let factor = keys.number("rope.scaling.factor");
    let before = keys.number("rope.scaling.original_context_length");
    match kind.as_deref() {
        None | Some("none") => {}
        Some(kind) => {
            let mut scaling = json!({ "rope_type": kind });
            if let Some(factor) = factor {
                scaling["factor"] = json!(factor);
            }
            if let Some(before) = before {
                scaling["original_max_position_embeddings"] = json!(before as u64);
            }
            keys.put("rope_scaling", scaling);
        }
    }
    if let Some(tensor) = keys.file.tensor("rope_freqs.weight") {
        let factors = keys.file.read(tensor).unwrap_or_default();
        match rescaled(keys, &factors) {
            Some(scaling) => keys.put("rope_scaling", scaling),
            None if !factors.is_empty() && factors.iter().all(|factor| *factor == 1.0) => {}
            None => {
                let problem =
                    "rope_freqs.weight: its rotations are rescaled by no rule that is known";
                keys.problems.push(problem.into());
            }
        }
    }
}

/// The rule of Llama 3.1 and later, if these are its factors: slow rotations are stretched by the largest of them, fast
/// ones are not, and those between in proportion to how often they turn in 8192 tokens. Only the factor differs from model
/// to model.
fn rescaled(keys: &Keys<'_>, factors: &[f32]) -> Option<Value> {
    const BEFORE: f64 = 8192.0;
    const LOW: f64 = 1.0;
    const HIGH: f64 = 4.0;
    let theta = keys.json.get("rope_theta")?.as_f64()?;
    let largest = f64::from(factors.iter().copied().fold(1.0, f32::max));
    let largest = largest.round();
    let factor = |pair: usize| {
        let speed = theta.powf(-(pair as f64) / factors.len() as f64);
        let turns = BEFORE * speed / std::f64::consts::TAU;
        match turns {
            turns if turns < LOW => largest,
            turns if turns > HIGH => 1.0,
            turns => {
                let share = (turns - LOW) / (HIGH - LOW);
                1.0 / ((1.0 - share) / largest + share)
            }
        }
    };
    let same = |(pair, found): (usize, &f32)| (f64::from(*found) / factor(pair) - 1.0).abs() < 1e-3;
    (largest > 1.0 && factors.iter().enumerate().all(same)).then(|| {
        json!({
            "rope_type": "llama3", "factor": largest, "low_freq_factor": LOW, "high_freq_factor": HIGH,
            "original_max_position_embeddings": BEFORE as u64,
        })
    })
}

fn like_gpt2(keys: &mut Keys<'_>) {
    keys.need("n_layer", "block_count");
    keys.need("n_embd", "embedding_length");
    keys.need("n_inner", "feed_forward_length");
    keys.need("n_head", "attention.head_count");
    keys.need("n_positions", "context_length");
    keys.need("layer_norm_epsilon", "attention.layer_norm_epsilon");
    keys.put("activation_function", "gelu_new");
}

/// A `config.json` that is being made.
struct Keys<'a> {
    file: &'a Gguf,
    /// The architecture, which the names of its sizes begin with.
    name: &'a str,
    json: Map<String, Value>,
    problems: Vec<String>,
}

impl<'a> Keys<'a> {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }

    fn own(&self, name: &str) -> Option<&'a Entry> {
        self.file.metadata.get(&format!("{}.{name}", self.name))
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.file.number(&format!("{}.{name}", self.name))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        match self.own(name)? {
            Entry::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a number over, if it is there.
    fn may(&mut self, key: &str, name: &str) -> bool {
        let value = match self.own(name) {
            None => return false,
            Some(Entry::Integer(number)) => u64::try_from(*number).ok().map(Value::from),
            Some(Entry::Number(number)) => Some(json!(number)),
            // Sizes of each layer, which are taken where all are the same.
            Some(Entry::Integers(numbers)) => same(numbers),
            Some(_) => None,
        };
        match value {
            Some(value) => self.put(key, value),
            None => self.refuse(name, "it is not one number"),
        }
        true
    }

    fn need(&mut self, key: &str, name: &str) {
        if !self.may(key, name) {
            self.refuse(name, "it is missing");
        }
    }

    fn refuse(&mut self, name: &str, why: &str) {
        self.problems.push(format!("{}.{name}: {why}", self.name));
    }
}

fn same(numbers: &[i64]) -> Option<Value> {
    let (first, rest) = numbers.split_first()?;
    let first = u64::try_from(*first).ok()?;
    rest.iter()
        .all(|number| u64::try_from(*number) == Ok(first))
        .then(|| first.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_rule_of_llama_3_is_found_in_its_factors() {
        let data = "../fireclay-gguf/tests/data/kinds.gguf";
        let file = Gguf::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(data)).expect("read");
        let mut keys = Keys {
            file: &file,
            name: "llama",
            json: Map::new(),
            problems: Vec::new(),
        };
        keys.put("rope_theta", 500_000.0);
        // Of Llama 3.1 with heads of 128, pairs 28 to 36: the converter of llama.cpp writes single precision.
        let rule = |pair: usize| {
            let length = std::f64::consts::TAU * 500_000_f64.powf(2.0 * pair as f64 / 128.0);
            if length < 8192.0 / 4.0 {
                return 1.0;
            }
            if length > 8192.0 {
                return 8.0;
            }
            let smooth = (8192.0 / length - 1.0) / (4.0 - 1.0);
            (1.0 / ((1.0 - smooth) / 8.0 + smooth)) as f32
        };
        let mut factors: Vec<f32> = (0..64).map(rule).collect();
        let found = rescaled(&keys, &factors).expect("known");
        assert_eq!(
            (&found["rope_type"], &found["factor"]),
            (&json!("llama3"), &json!(8.0))
        );
        factors[30] *= 1.1;
        assert_eq!(rescaled(&keys, &factors), None);
        assert_eq!(rescaled(&keys, &[1.0; 64]), None);
    }
}

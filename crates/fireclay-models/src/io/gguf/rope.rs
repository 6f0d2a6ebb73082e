//! How the heads of a model in a GGUF are turned by the place of a token.

use serde_json::{Value, json};

use super::keys::Keys;

/// The width of a head.
pub(super) fn width(keys: &Keys<'_>) -> Option<f64> {
    let number = |key: &str| keys.json.get(key).and_then(Value::as_f64);
    let usual = || Some(number("hidden_size")? / number("num_attention_heads")?);
    number("head_dim").or_else(usual)
}

/// Rotations that are stretched for longer texts. A factor without a type is linear, as in llama.cpp. Where factors are a
/// tensor of their own, nothing says the rule that they come from, so it is found out.
pub(super) fn stretched(keys: &mut Keys<'_>) {
    let factor = keys.number("rope.scaling.factor");
    let old = keys.number("rope.scale_linear");
    let factor = factor.or(old).filter(|factor| *factor != 0.0);
    let before = keys.number("rope.scaling.original_context_length");
    let usual = factor
        .filter(|factor| *factor != 1.0)
        .map_or("none", |_| "linear");
    let kind = keys.text("rope.scaling.type").unwrap_or(usual);
    let mut scaling = json!({ "rope_type": kind });
    if let Some(factor) = factor {
        scaling["factor"] = json!(factor);
    }
    if let Some(before) = before {
        scaling["original_max_position_embeddings"] = json!(before as u64);
    }
    if kind == "yarn" {
        blended(keys, &mut scaling, factor.unwrap_or(1.0));
    }
    let is_neutral = kind == "linear" && factor.is_none_or(|factor| factor == 1.0);
    if kind != "none" && !is_neutral {
        keys.put("rope_scaling", scaling);
    }
    if let Err(problem) = own_factors(keys) {
        keys.problems.push(format!("rope_freqs.weight: {problem}"));
    }
}

/// The keys of YaRN (Peng et al. 2023, 3.2 to 3.4). llama.cpp multiplies its factor of attention with that of the method,
/// `transformers` put theirs in its place.
fn blended(keys: &mut Keys<'_>, scaling: &mut Value, factor: f64) {
    for (ours, theirs) in [
        ("beta_fast", "rope.scaling.yarn_beta_fast"),
        ("beta_slow", "rope.scaling.yarn_beta_slow"),
    ] {
        if let Some(beta) = keys.number(theirs) {
            scaling[ours] = json!(beta);
        }
    }
    let old = keys.number("rope.scaling.yarn_attn_factor");
    let attention = keys.number("rope.scaling.attn_factor").or(old);
    if let Some(attention) = attention.filter(|attention| *attention != 1.0) {
        scaling["attention_factor"] = json!(attention * (0.1 * factor.ln() + 1.0));
    }
    keys.equals(
        "rope.scaling.yarn_ext_factor",
        Some(1.0),
        "it is other than 1, which is not read",
    );
}

/// Takes over factors that are a tensor.
fn own_factors(keys: &mut Keys<'_>) -> Result<(), String> {
    let Some(tensor) = keys.file.tensor("rope_freqs.weight") else {
        return Ok(());
    };
    let pairs = width(keys).map(|width| width / 2.0);
    if pairs.is_none_or(|pairs| tensor.shape != [pairs as usize] || pairs.fract() != 0.0) {
        let shape = &tensor.shape;
        return Err(format!(
            "it has the shape {shape:?} and not a number for each pair of a head"
        ));
    }
    let factors = keys.file.read(tensor);
    let factors = factors.map_err(|error| error.to_string())?;
    match rescaled(keys, &factors) {
        Some(_) if keys.json.contains_key("rope_scaling") => {
            Err("rotations are stretched twice".into())
        }
        Some(scaling) => {
            keys.put("rope_scaling", scaling);
            Ok(())
        }
        None if factors.iter().all(|factor| *factor == 1.0) => Ok(()),
        None => Err("its rotations are rescaled by no rule that is known".into()),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fireclay_gguf::Gguf;

    use super::*;

    #[test]
    fn the_rule_of_llama_3_is_found_in_its_factors() {
        let data = "../fireclay-gguf/tests/data/kinds.gguf";
        let file = Gguf::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(data)).expect("read");
        let mut keys = Keys::new(&file, "llama");
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

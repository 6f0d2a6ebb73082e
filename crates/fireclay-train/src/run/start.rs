//! What the weights of a model start from, and how fast each of them moves.

use std::path::Path;

use burn::tensor::Device;
use fireclay_models::weights::parameter_names;
use fireclay_models::{
    Pretrainable, PretrainedOptions, PretrainedReport, WeightsError, load_pretrained, matches_any,
};

use crate::config::{StartConfig, did_you_mean};

/// An architecture, where its weights come from, and its shape.
pub(super) struct Start<'a, F: Pretrainable> {
    pub network: &'a F,
    pub options: &'a StartConfig,
    pub shape: &'a F::Shape,
}

impl<F: Pretrainable> Start<'_, F> {
    /// The model with its first weights, and what is to be said of them; `empty` if they are to be
    /// replaced by a checkpoint's.
    pub fn model(
        &self,
        seed: u64,
        device: &Device,
        empty: bool,
    ) -> Result<(F::Model, Vec<String>), String> {
        let model = self.network.init(self.shape, seed, device);
        let Some(path) = self.options.pretrained.as_ref().filter(|_| !empty) else {
            return Ok((model, Vec::new()));
        };
        let options = PretrainedOptions {
            allow_missing: self.options.allow_missing.clone(),
            allow_unexpected: self.options.allow_unexpected.clone(),
        };
        let (model, report) =
            load_pretrained(self.network, self.shape, model, Path::new(path), &options)
                .map_err(|error| explain(&error))?;
        if report.loaded.is_empty() {
            return Err(format!("{path} holds none of the tensors of this model"));
        }
        Ok((model, describe(path, &report)))
    }

    /// How fast each float tensor moves, in visiting order: 0 where a pattern freezes it, else a
    /// power of `decay` for each layer below the head. Empty for all alike.
    ///
    /// The error is a key and what is wrong with its value.
    pub fn rates(
        &self,
        model: &F::Model,
        decay: Option<f64>,
    ) -> Result<Vec<f64>, (String, String)> {
        let names: Vec<String> = parameter_names(self.network, model)
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        let freeze = &self.options.freeze;
        if freeze.is_empty() && decay.is_none() {
            return Ok(Vec::new());
        }
        for pattern in freeze {
            if !names
                .iter()
                .any(|name| matches_any(std::slice::from_ref(pattern), name))
            {
                let close = did_you_mean(pattern, names.iter().map(String::as_str));
                let close = close.unwrap_or(names.first().map_or("", String::as_str));
                let message = format!(
                    "contains \"{pattern}\", which is the name of no tensor; one is \"{close}\""
                );
                return Err(("model.freeze".into(), message));
            }
        }
        if names.iter().all(|name| is_frozen(freeze, name)) {
            let message = "contains every tensor: there would be nothing to train";
            return Err(("model.freeze".into(), message.into()));
        }
        let last = self.network.layers().saturating_sub(1);
        let rate = |name: &String| match matches_any(freeze, name) {
            true => 0.0,
            false => {
                let below = last.saturating_sub(self.network.layer_of(name));
                decay.unwrap_or(1.0).powi(below as i32)
            }
        };
        Ok(names.iter().map(rate).collect())
    }
}

/// Whether training leaves a tensor alone: a pattern says so, or it is no parameter.
fn is_frozen(freeze: &[String], name: &str) -> bool {
    matches_any(freeze, name) || name.contains("running_")
}

/// What is wrong with the weights, and what to do about it where another table decides it.
fn explain(error: &WeightsError) -> String {
    match error {
        WeightsError::HuggingFace { source, .. } if source.names("vocab_size") => format!(
            "{error}; the vocabulary is that of [tokenizer], which must be the one that the \
             weights were trained with"
        ),
        _ => error.to_string(),
    }
}

/// What of a model does not come from the file that it was started from.
fn describe(path: &str, report: &PretrainedReport) -> Vec<String> {
    let list = |what: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("{path}: {what}: {}", names.join(", ")))
    };
    let loaded = format!("{path}: {} tensors loaded", report.loaded.len());
    let lines = [
        Some(loaded),
        list("starts at random, for other classes", &report.fresh_head),
        list("resampled for the size of the images", &report.resized),
        list("starts at random, not in the file", &report.missing),
        list("left out, not in the model", &report.unexpected),
    ];
    lines.into_iter().flatten().collect()
}

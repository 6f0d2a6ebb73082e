//! What the weights of a model start from, and how fast each of them moves.

use std::path::Path;

use burn::tensor::Device;
use fireclay_config::did_you_mean;
use fireclay_models::weights::parameter_names;
use fireclay_models::{
    LoraConfig, LoraError, Pretrainable, PretrainedReport, WeightsError, load_pretrained, lora,
    matches_any,
};

use crate::adapters::{Adapters, base_sha256, is_trained};
use crate::config::StartConfig;

/// An architecture, where its weights come from, and its shape.
pub struct Start<'a, F: Pretrainable> {
    /// The architecture.
    pub network: &'a F,
    /// Where its weights come from.
    pub options: &'a StartConfig,
    /// What the data determines of it.
    pub shape: &'a F::Shape,
}

impl<F: Pretrainable> Start<'_, F> {
    /// The model with its first weights; `empty` if they are to be replaced by a checkpoint's.
    pub fn model(&self, seed: u64, device: &Device, empty: bool) -> Result<First<F>, String> {
        let model = self.network.init(self.shape, seed, device);
        let Some(path) = self.options.pretrained.as_ref().filter(|_| !empty) else {
            return Ok(First {
                model,
                fresh: Vec::new(),
                said: Vec::new(),
            });
        };
        let options = self.options.allowed();
        let (model, report) =
            load_pretrained(self.network, self.shape, model, Path::new(path), &options)
                .map_err(|error| explain(&error))?;
        if report.loaded.is_empty() {
            return Err(format!("{path} holds none of the tensors of this model"));
        }
        let said = describe(path, &report);
        let fresh = [report.fresh_head, report.missing].concat();
        Ok(First { model, fresh, said })
    }

    /// The model with adapters beside its weights; with them is trained what is `fresh`, and the
    /// head if it `learns` as a whole.
    ///
    /// The error is a key and what is wrong with its value.
    pub fn adapt(
        &self,
        first: First<F>,
        (lora, seed): (&LoraConfig, u64),
        learns: bool,
    ) -> Result<(F::Model, Adapters), (String, String)> {
        let (model, whole) = self.attach(first.model, &first.fresh, (lora, seed), learns)?;
        let adapters = Adapters {
            lora: lora.clone(),
            base_sha256: base_sha256(self.network, &model, &whole),
            whole,
        };
        Ok((model, adapters))
    }

    /// The model with adapters, and the names of what is trained as a whole: what is `fresh`, and the
    /// head if it `learns`. No weight is read.
    ///
    /// The error is a key and what is wrong with its value.
    pub fn attach(
        &self,
        model: F::Model,
        fresh: &[String],
        (lora, seed): (&LoraConfig, u64),
        learns: bool,
    ) -> Result<(F::Model, Vec<String>), (String, String)> {
        let of_head = |name: &str| {
            let rest = name.strip_prefix(self.network.head());
            learns && rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let names = parameter_names(self.network, &model).into_iter();
        let names = names.map(|(_, name)| name);
        let whole: Vec<_> = names
            .filter(|name| of_head(name) || fresh.contains(name))
            .collect();
        let model = lora::attach(self.network, model, (lora, &whole), seed);
        Ok((model.map_err(explain_lora)?, whole))
    }

    /// How fast each float tensor moves, in visiting order: 0 where a pattern freezes it, or where
    /// it is no adapter's nor among the `whole` tensors beside adapters, else a power of `decay` for each layer below the head. Empty
    /// for all alike.
    ///
    /// The error is a key and what is wrong with its value.
    pub fn rates(
        &self,
        model: &F::Model,
        decay: Option<f64>,
        whole: Option<&[String]>,
    ) -> Result<Vec<f64>, (String, String)> {
        let names: Vec<String> = parameter_names(self.network, model)
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        let freeze = &self.options.freeze;
        if freeze.is_empty() && decay.is_none() && whole.is_none() {
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
        let stays = |name: &str| {
            matches_any(freeze, name) || whole.is_some_and(|whole| !is_trained(name, whole))
        };
        let rate = |name: &String| match stays(name) {
            true => 0.0,
            false => {
                let below = last.saturating_sub(self.network.layer_of(name));
                decay.unwrap_or(1.0).powi(below as i32)
            }
        };
        Ok(names.iter().map(rate).collect())
    }
}

/// A model before its training.
pub struct First<F: Pretrainable> {
    /// The model.
    pub model: F::Model,
    /// The names of tensors that start at random although the model was trained before.
    pub fresh: Vec<String>,
    /// What is to be said of its weights.
    pub said: Vec<String>,
}

/// Whether a tensor of this name is a running statistic, which no gradient moves.
pub fn is_statistic(name: &str) -> bool {
    name.contains("running_")
}

/// Whether training leaves a tensor alone: a pattern says so, or it is no parameter.
fn is_frozen(freeze: &[String], name: &str) -> bool {
    matches_any(freeze, name) || is_statistic(name)
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

/// A key of `[lora]`, what is wrong with it, and what may have been meant.
fn explain_lora(error: LoraError) -> (String, String) {
    let close = match &error {
        LoraError::UnknownTarget { target, known } => {
            let ends = known.iter().filter_map(|name| name.rsplit('.').next());
            did_you_mean(target, known.iter().map(String::as_str).chain(ends))
        }
        _ => None,
    };
    let close = close.map(|close| format!("; did you mean \"{close}\"?"));
    let message = format!("{error}{}", close.unwrap_or_default());
    (format!("lora.{}", error.key()), message)
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

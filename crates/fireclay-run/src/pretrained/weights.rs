//! Reading the weights that a run starts from, and what is to be said of them.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use fireclay_guard::{LARGEST, text};
use fireclay_models::tensors::TensorProblem;
use fireclay_models::{
    Described, ModelDescription, Pretrainable, PretrainedOptions, PretrainedReport, ResizedRows,
    Rows, WeightsError, check_pretrained, load_pretrained, load_pretrained_bytes,
    weights as model_weights,
};
use serde::de::DeserializeOwned;
use serde_json::json;
use toml::Table;

use super::{Weights, checkpoint};
use crate::adapters;
use crate::config::StartConfig;
use crate::source::{self, StoredWeights};

/// `model`, which `config` has built for `shape`, with the weights that `start` names.
///
/// # Errors
///
/// Why they cannot be used.
pub(crate) fn load<F: Pretrainable>(
    (config, shape): (&F, &F::Shape),
    model: F::Model,
    (start, path): (&StartConfig, &str),
    device: &Device,
) -> Result<(F::Model, PretrainedReport), String> {
    let loaded = load_as((config, shape), model, (&start.allowed(), path), device);
    let (model, report) = loaded.map_err(|error| error.in_words(config))?;
    match start.quantize.is_some() && report.packed.is_empty() {
        true => Err("model.quantize: no layer of this model can be kept so".into()),
        false => Ok((model, report)),
    }
}

/// As [`load`], with whatever is allowed and wanted of the tensors.
///
/// # Errors
///
/// Why they cannot be used.
pub(crate) fn load_as<F: Pretrainable>(
    (config, shape): (&F, &F::Shape),
    model: F::Model,
    (options, path): (&PretrainedOptions, &str),
    device: &Device,
) -> Result<(F::Model, PretrainedReport), Unfit> {
    let weights = Weights(path);
    let saved = source::saved_adapters(Path::new(path));
    let loaded = match (weights.adapters(), &saved) {
        (None, None) => {
            let source = StoredWeights::open::<F>(Path::new(path), device)?;
            load_pretrained(config, shape, model, &source.path, options)
        }
        (None, Some(saved)) => {
            let bytes = checkpoint::merged::<F>(saved, device)?;
            load_pretrained_bytes(config, shape, model, bytes, options)
        }
        (Some(_), _) => {
            source::check_whole(Path::new(path))?;
            let described = weights.described()?;
            described.check(config, shape, Path::new(path))?;
            let bytes = merged::<F>(Path::new(path), device)?;
            load_pretrained_bytes(config, shape, model, bytes, options)
        }
    };
    let (model, report) = loaded?;
    match report.loaded.is_empty() {
        true => Err(format!("{path} holds none of the tensors of this model").into()),
        false => Ok((model, report)),
    }
}

/// Why weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// They are not those of the model.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// What holds them cannot be used.
    #[error("{0}")]
    Source(String),
}

impl From<String> for Unfit {
    fn from(reason: String) -> Self {
        Self::Source(reason)
    }
}

impl Unfit {
    /// The reason for who starts a training: where the file has all but a head, also how that begins at random.
    fn in_words<F: Pretrainable>(&self, config: &F) -> String {
        let problems = match self {
            Self::Weights(WeightsError::Tensors(error)) => &error.0[..],
            _ => &[],
        };
        let missing = problems.iter().map(|problem| match problem {
            TensorProblem::Missing(name) if is_of_head(config, name) => Some(pattern(name)),
            _ => None,
        });
        let Some(mut patterns) = missing.collect::<Option<Vec<String>>>() else {
            return self.to_string();
        };
        patterns.dedup();
        match patterns.is_empty() {
            true => self.to_string(),
            false => format!(
                "{self}; the file has no head for this task: to begin with a random one, set model.allow_missing = {}",
                json!(patterns)
            ),
        }
    }
}

fn is_of_head<F: Pretrainable>(config: &F, name: &str) -> bool {
    config.layer_of(name) + 1 == config.layers()
}

/// What names all tensors of the layer of this one.
fn pattern(name: &str) -> String {
    let layer = name.rsplit_once('.').map_or(name, |(layer, _)| layer);
    format!("{layer}.*")
}

/// What [`load`] would find out, from a model on a device without numbers; nothing of adapters beyond
/// which model they are of.
///
/// # Errors
///
/// Why the weights cannot be used.
pub(crate) fn check<F: Pretrainable>(
    (config, shape): (&F, &F::Shape),
    (start, path): (&StartConfig, &str),
    device: &Device,
) -> Result<PretrainedReport, String> {
    let (weights, file) = (Weights(path), Path::new(path));
    let is_made_first = weights.adapters().is_some() || weights.run().is_some();
    let checked = if is_made_first {
        let described = weights.described();
        let checked = described.and_then(|found| found.check(config, shape, file));
        checked.map(|()| PretrainedReport::default())
    } else {
        let model = config.init(shape, 0, device);
        check_pretrained(config, shape, &model, file, &start.allowed())
    };
    checked.map_err(|error| Unfit::from(error).in_words(config))
}

/// The whole model of a run that has trained adapters, as a file.
fn merged<F: Pretrainable>(run: &Path, device: &Device) -> Result<Vec<u8>, String> {
    let start = start_of(run)?;
    let loaded = adapters::load::<F>(&start, run, device, load::<F>);
    let (model, description): (F::Model, ModelDescription<F>) =
        loaded.map_err(|error| error.to_string())?;
    let bytes = model_weights::encode(&model.materialize(), &description);
    bytes.map_err(|error| error.to_string())
}

/// What the configuration of the run at this path says of its model.
pub(super) fn of_run(run: &Path) -> Described {
    let text = text(&run.join("config.toml"), LARGEST);
    let config = text.ok().and_then(|text| text.parse::<Table>().ok());
    let model = config.and_then(|config| config.get("model")?.as_table().cloned());
    let keys = model.map(|mut keys| {
        keys.retain(|key, _| !StartConfig::KEYS.contains(&key));
        json!({ "config": keys })
    });
    Described {
        own: keys,
        others: Vec::new(),
    }
}

/// What the run at this path started from.
pub(super) fn start_of(run: &Path) -> Result<StartConfig, String> {
    // The base of adapters is what it was rounded to.
    let known = [
        "pretrained",
        "allow_missing",
        "allow_unexpected",
        "quantize",
    ];
    let mut start = table_of(run, "model")?;
    start.retain(|key, _| known.contains(&key));
    read(run, start)
}

/// A table of the configuration of the run at this path; an empty one if it has none.
pub(super) fn table_of(run: &Path, name: &str) -> Result<Table, String> {
    let path = run.join("config.toml");
    let failed = |error: String| format!("{}: {error}", path.display());
    let text = text(&path, LARGEST).map_err(|error| failed(error.to_string()))?;
    let config: Table = text
        .parse()
        .map_err(|error: toml::de::Error| failed(error.to_string()))?;
    let table = config.get(name).and_then(toml::Value::as_table);
    Ok(table.cloned().unwrap_or_default())
}

/// What a table of it says.
pub(super) fn read<T: DeserializeOwned>(run: &Path, table: Table) -> Result<T, String> {
    let path = run.join("config.toml");
    let read = table.try_into();
    read.map_err(|error: toml::de::Error| format!("{}: {error}", path.display()))
}

/// What became of the tensors of the file, and what nothing has said.
pub(crate) fn describe<F: Pretrainable>(
    config: &F,
    path: &str,
    report: &PretrainedReport,
) -> Vec<String> {
    let list = |what: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("{path}: {what}: {}", names.join(", ")))
    };
    let described = Weights(path).described();
    let lines = [
        Some(format!("{path}: {} tensors loaded", report.loaded.len())),
        list("starts at random, for other classes", &report.fresh_head),
        kept_head(config, path, report),
        list("resampled for the size of the images", &report.resized),
        list("starts at random, not in the file", &report.missing),
        list("left out, not in the model", &report.unexpected),
        in_few_bits(path, report),
        list(
            "stays in 32 bits, since its rows are no whole blocks",
            &report.whole,
        ),
        unsaid(config, path, &described.unwrap_or_default()),
    ];
    let rows = report.rows.iter().map(|rows| resized(path, rows));
    lines.into_iter().flatten().chain(rows).collect()
}

/// Which classes the outputs of a head mean that is taken as it is; those of the data take its outputs in their order.
fn kept_head<F: Pretrainable>(config: &F, path: &str, report: &PretrainedReport) -> Option<String> {
    let is_head = |name: &String| name.starts_with(config.head());
    let is_kept = report.loaded.iter().any(is_head);
    let classes = Weights(path).classes().filter(|_| is_kept)?;
    // transformers makes these up.
    let are_names = !classes.iter().all(|name| name.starts_with("LABEL_"));
    let more = match classes.len().checked_sub(SHOWN) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    let shown = &classes[..classes.len().min(SHOWN)];
    (are_names && !classes.is_empty()).then(|| {
        format!(
            "{path}: its head is kept, whose outputs stand for {}{more}; the classes of the data take them in their order",
            shown.join(", ")
        )
    })
}

/// Classes that are named of many.
const SHOWN: usize = 10;

/// How many of the weights are kept in few bits.
fn in_few_bits(path: &str, report: &PretrainedReport) -> Option<String> {
    let count = report.packed.len();
    (count > 0).then(|| {
        format!(
            "{path}: the weights of {count} linear layers are kept in few bits (model.quantize)"
        )
    })
}

/// What only the configuration says, since neither the file nor one beside it does.
fn unsaid<F: Pretrainable>(config: &F, path: &str, described: &Described) -> Option<String> {
    let values = config.hidden_values().into_iter();
    let values = values.filter(|(_, value)| !value.is_null());
    let values = values.map(|(key, value)| format!("{key} = {value}"));
    let values: Vec<_> = values.collect();
    (described.is_empty() && !values.is_empty()).then(|| {
        format!(
            "{path}: neither the file nor a config.json beside it says which model it is; taken from [model]: type = \"{}\", {}",
            config.name(),
            values.join(", ")
        )
    })
}

fn resized(path: &str, rows: &ResizedRows) -> String {
    let ResizedRows { name, of, from, to } = rows;
    match of {
        Rows::Positions => {
            format!("{path}: of the {from} positions of {name} the first {to} are taken")
        }
        Rows::Tokens if from > to => format!(
            "{path}: {name} has {from} tokens, the run {to}: the last {} are left out",
            from - to
        ),
        Rows::Tokens => format!(
            "{path}: {name} has {from} tokens, the run {to}: {} new ones start as the mean of the others",
            to - from
        ),
    }
}

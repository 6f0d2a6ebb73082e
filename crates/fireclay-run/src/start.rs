//! The initial weights of a model, and the factor of the learning rate for each of them.

mod refused;
mod untrained;

use std::path::Path;

use burn::tensor::Device;
use fireclay_models::pretrained::{hollow, weights_file};
use fireclay_models::weights::{self, parameter_names};
use fireclay_models::{
    Family, LoraConfig, ModelDescription, Pretrainable, PretrainedReport, TabularConfig,
    TabularShape, WeightsError, lora, matches_any,
};

use crate::adapters::{self, Adapters, is_trained};
use crate::artifacts::{ADAPTERS, FinishedError, stored};
use crate::config::{NetworkConfig, Refusal, RunConfig, TableModel};
use crate::pretrained;
use crate::source::StoredWeights;
use refused::{check_frozen, explain_lora};
use serde_json::json;
pub(crate) use untrained::encoder;
use untrained::untrained;

/// A model, and what it is.
pub type Described<F> = (<F as Family>::Model, ModelDescription<F>);

/// A `[model]` table: an architecture of a family, what its weights start from, and how they are
/// read again.
pub trait ModelTable: Clone + 'static {
    /// The family.
    type Family: Family<Shape: 'static> + 'static;

    /// The architecture.
    fn family(&self) -> &Self::Family;

    /// The model with its first weights; `empty` if they are to be replaced by a checkpoint's.
    ///
    /// # Errors
    ///
    /// If the weights that the table names cannot be used.
    fn first(
        &self,
        shape: &<Self::Family as Family>::Shape,
        seed: u64,
        device: &Device,
        _empty: bool,
    ) -> Result<First<Self::Family>, String> {
        Ok(First::random(self.family().init(shape, seed, device)))
    }

    /// Whether the weights that the table names can be used, found out on a device without numbers; what
    /// would become of them, and what is to be said.
    ///
    /// # Errors
    ///
    /// If they cannot be used.
    fn check_first(
        &self,
        _shape: &<Self::Family as Family>::Shape,
        _device: &Device,
    ) -> Result<(PretrainedReport, Vec<String>), String> {
        Ok(Default::default())
    }

    /// A model whose weights are not drawn, with those in few bits without their numbers that the table wants so.
    fn hollow(&self, model: <Self::Family as Family>::Model) -> <Self::Family as Family>::Model {
        model
    }

    /// The model with adapters, and the names of the tensors that are trained as a whole: those that are
    /// `fresh`, and the head if it `learns`. No weight is read.
    ///
    /// # Errors
    ///
    /// A key and what is wrong with its value.
    fn attach(
        &self,
        model: <Self::Family as Family>::Model,
        _fresh: &[String],
        _lora: (&LoraConfig, u64),
        _learns: bool,
    ) -> Result<(<Self::Family as Family>::Model, Vec<String>), Refusal> {
        Ok((model, Vec::new()))
    }

    /// The factor of the learning rate for each float tensor, in visiting order. It is 0 for a tensor that a
    /// pattern freezes, and with adapters for a tensor that is neither an adapter's nor among the
    /// `whole` tensors. Otherwise it is a power of `decay`, by the layers below the head. Empty if all
    /// have the same.
    ///
    /// # Errors
    ///
    /// A key and what is wrong with its value.
    fn rates(
        &self,
        _model: &<Self::Family as Family>::Model,
        _decay: Option<f64>,
        _whole: Option<&[String]>,
    ) -> Result<Vec<f64>, Refusal> {
        Ok(Vec::new())
    }

    /// The model of the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If its weights are damaged, or their base is not there any more.
    fn load(&self, run: &Path, device: &Device) -> Result<Described<Self::Family>, FinishedError> {
        stored(run, device)
    }
}

impl ModelTable for TableModel {
    type Family = TabularConfig;

    fn family(&self) -> &TabularConfig {
        &self.network
    }

    fn first(
        &self,
        shape: &TabularShape,
        seed: u64,
        device: &Device,
        empty: bool,
    ) -> Result<First<TabularConfig>, String> {
        let Some(path) = self.start.pretrained.as_ref().filter(|_| !empty) else {
            return Ok(First::random(self.network.init(shape, seed, device)));
        };
        let text = |error: WeightsError| error.to_string();
        let source = StoredWeights::open::<TabularConfig>(Path::new(path), device)?;
        let file = weights_file(&source.path).map_err(text)?;
        let (model, found) = weights::load::<TabularConfig>(&file, device).map_err(text)?;
        if found.config != self.network {
            let [ours, theirs] = [&self.network, &found.config].map(|config| json!(config));
            return Err(format!("its model is {theirs}, and [model] says {ours}"));
        }
        if found.shape != *shape {
            return Err("its model reads other columns or has other outputs".into());
        }
        let count = weights::shapes(&self.network, &model).len();
        let mut first = First::random(model);
        first.said.push(format!("{path}: {count} tensors loaded"));
        Ok(first)
    }
}

impl<F> ModelTable for NetworkConfig<F>
where
    F: Pretrainable + Family<Shape: 'static> + 'static,
{
    type Family = F;

    fn family(&self) -> &F {
        &self.network
    }

    fn first(
        &self,
        shape: &F::Shape,
        seed: u64,
        device: &Device,
        empty: bool,
    ) -> Result<First<F>, String> {
        let model = self.network.init(shape, seed, device);
        let Some(path) = self.start.pretrained.as_ref().filter(|_| !empty) else {
            return Ok(First::random(model));
        };
        let (family, start) = ((&self.network, shape), (&self.start, path.as_str()));
        let (model, report) = pretrained::load(family, model, start, device)?;
        let said = pretrained::describe(&self.network, path, &report);
        let fresh = [report.fresh_head, report.missing].concat();
        Ok(First { model, fresh, said })
    }

    fn check_first(
        &self,
        shape: &F::Shape,
        device: &Device,
    ) -> Result<(PretrainedReport, Vec<String>), String> {
        let Some(path) = self.start.pretrained.as_deref() else {
            return Ok(Default::default());
        };
        let report = pretrained::check((&self.network, shape), (&self.start, path), device)?;
        let said = pretrained::describe(&self.network, path, &report);
        Ok((report, said))
    }

    fn hollow(&self, model: F::Model) -> F::Model {
        match self.start.quantize {
            Some(quantize) => hollow(&self.network, model, quantize),
            None => model,
        }
    }

    fn attach(
        &self,
        model: F::Model,
        fresh: &[String],
        (lora, seed): (&LoraConfig, u64),
        learns: bool,
    ) -> Result<(F::Model, Vec<String>), Refusal> {
        let of_head = |name: &str| {
            let rest = name.strip_prefix(self.network.head());
            learns && rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let names = parameter_names(&self.network, &model).into_iter();
        let names = names.map(|(_, name)| name);
        let whole: Vec<_> = names
            .filter(|name| of_head(name) || fresh.contains(name))
            .collect();
        let model = lora::attach(&self.network, model, (lora, &whole), seed);
        Ok((model.map_err(explain_lora)?, whole))
    }

    fn rates(
        &self,
        model: &F::Model,
        decay: Option<f64>,
        whole: Option<&[String]>,
    ) -> Result<Vec<f64>, Refusal> {
        let freeze = &self.start.freeze;
        if freeze.is_empty() && decay.is_none() && whole.is_none() {
            return Ok(Vec::new());
        }
        let names = parameter_names(&self.network, model).into_iter();
        let names: Vec<String> = names.map(|(_, name)| name).collect();
        check_frozen(freeze, &names)?;
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

    fn load(&self, run: &Path, device: &Device) -> Result<Described<F>, FinishedError> {
        let base = self.start.pretrained.as_deref();
        if let Some(base) = base.filter(|base| Path::new(base) == run) {
            return untrained(self, base, device);
        }
        match run.join(ADAPTERS).exists() {
            true => adapters::load(&self.start, run, device, pretrained::load::<F>),
            false => stored(run, device),
        }
    }
}

/// A model at the start of its training.
pub(crate) struct Beginning<M> {
    pub model: M,
    /// The factor of the learning rate for each tensor; empty if all have the same.
    pub rates: Vec<f64>,
    /// The adapters, if they are all that is trained.
    pub adapters: Option<Adapters>,
    /// What is to be said of its weights.
    pub said: Vec<String>,
}

/// The names and shapes of all tensors, also of matrices in few bits.
pub(crate) fn shapes<F: Family>(family: &F, model: &F::Model) -> Vec<(String, Vec<usize>)> {
    let packed = weights::packed::<F>(model).into_iter();
    let packed = packed.map(|(name, matrix)| (name, matrix.shape().to_vec()));
    weights::shapes(family, model)
        .into_iter()
        .chain(packed)
        .collect()
}

/// The model of a run with its initial weights, and with adapters if it has some. A resumed run takes its
/// weights from the checkpoint, except for the base of adapters, which no checkpoint holds.
pub(crate) fn begin<T: ModelTable>(
    table: &T,
    shape: &<T::Family as Family>::Shape,
    config: &RunConfig,
    (device, resumed): (&Device, bool),
) -> Result<Beginning<<T::Family as Family>::Model>, Refusal> {
    let empty = resumed && config.lora.is_none();
    let first = table
        .first(shape, config.seed, device, empty)
        .map_err(|error| {
            (
                "model.pretrained".into(),
                format!("cannot be used: {error}"),
            )
        })?;
    let (mut said, family) = (first.said, table.family());
    let (model, adapters) = match &config.lora {
        None => (first.model, None),
        Some(lora) => {
            let learns = config.task.target_kind().is_some();
            let seeded = (lora, config.seed);
            let (model, whole) = table.attach(first.model, &first.fresh, seeded, learns)?;
            let adapters = Adapters::new(lora.clone(), family, &model, whole);
            said.push(adapters.share(&shapes(family, &model)));
            (model, Some(adapters))
        }
    };
    let whole = adapters.as_ref().map(|adapters| adapters.whole.as_slice());
    let rates = table.rates(&model, config.train.layer_decay, whole)?;
    Ok(Beginning {
        model,
        rates,
        adapters,
        said,
    })
}

/// A model before its training.
pub struct First<F: Family> {
    /// The model.
    pub model: F::Model,
    /// The names of tensors that start at random although the model was trained before.
    pub fresh: Vec<String>,
    /// What is to be said of its weights.
    pub said: Vec<String>,
}

impl<F: Family> First<F> {
    /// With random weights.
    fn random(model: F::Model) -> Self {
        Self {
            model,
            fresh: Vec::new(),
            said: Vec::new(),
        }
    }
}

/// Whether a tensor of this name is a running statistic, which no gradient moves.
pub fn is_statistic(name: &str) -> bool {
    name.contains("running_")
}

/// Whether training leaves a tensor alone: a pattern says so, or it is no parameter.
fn is_frozen(freeze: &[String], name: &str) -> bool {
    matches_any(freeze, name) || is_statistic(name)
}

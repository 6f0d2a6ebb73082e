//! Runs that train adapters beside the weights of others, which they leave alone and do not keep.

use std::path::Path;

use burn::tensor::Device;
use fireclay_guard::read;
use fireclay_models::lora::{self, each_of_base, each_of_whole_base, is_adapter};
use fireclay_models::{
    AdapterDescription, Family, LoraConfig, ModelDescription, Pretrainable, PretrainedReport,
    WeightsError,
};
use sha2::{Digest, Sha256};

use crate::artifacts::{ADAPTER_CONFIG, ADAPTERS, FinishedError, to_json};
use crate::config::StartConfig;
use crate::lock::hex;
use fireclay_train::run_folder::io;

/// What a run trains beside its base, and which base it is.
#[derive(Clone, Debug)]
pub(crate) struct Adapters {
    pub lora: LoraConfig,
    /// The PyTorch names of tensors that are trained as a whole.
    pub whole: Vec<String>,
    pub base_sha256: String,
}

impl Adapters {
    /// The adapters of `model`. The tensors named in `whole` are trained beside them.
    pub fn new<F: Family>(
        lora: LoraConfig,
        family: &F,
        model: &F::Model,
        whole: Vec<String>,
    ) -> Self {
        Self {
            lora,
            base_sha256: base_sha256(family, model, &whole),
            whole,
        }
    }

    /// How much of a model with tensors of these shapes is trained, in words.
    pub fn share(&self, shapes: &[(String, Vec<usize>)]) -> String {
        let count = |shape: &[usize]| shape.iter().product::<usize>();
        let all: usize = shapes.iter().map(|(_, shape)| count(shape)).sum();
        let trained = shapes
            .iter()
            .filter(|(name, _)| is_trained(name, &self.whole));
        let trained: usize = trained.map(|(_, shape)| count(shape)).sum();
        let percent = 100.0 * trained as f64 / all as f64;
        format!("lora: {trained} of {all} parameters are trained ({percent:.2} %)")
    }

    /// The files that hold the adapters of `model`, which was trained beside the weights at `base`.
    pub fn files<F: Family>(
        self,
        model: &F::Model,
        description: ModelDescription<F>,
        base: &str,
    ) -> Result<Vec<(&'static str, Vec<u8>)>, WeightsError> {
        let description = AdapterDescription {
            model: description,
            lora: self.lora,
            whole: self.whole,
            base_sha256: self.base_sha256,
        };
        let config = lora::adapter_config(model, &description, base);
        Ok(vec![
            (ADAPTERS, lora::encode(model, &description)?),
            (ADAPTER_CONFIG, to_json(&config)),
        ])
    }
}

/// Whether the tensor of this PyTorch name is trained, of a model with adapters and `whole` tensors
/// that are trained beside them.
pub(crate) fn is_trained(name: &str, whole: &[String]) -> bool {
    is_adapter(name) || whole.iter().any(|known| known == name)
}

/// A hash of the names and values of every tensor that is not trained.
pub(crate) fn base_sha256<F: Family>(config: &F, model: &F::Model, whole: &[String]) -> String {
    hashed(|see| each_of_base(config, model, whole, see))
}

/// The same of a base of which some matrices are kept as they are in a file, as if they were whole.
pub(crate) fn whole_base_sha256<F: Family>(
    (config, shape): (&F, &F::Shape),
    model: &F::Model,
    whole: &[String],
) -> String {
    hashed(|see| each_of_whole_base((config, shape), model, whole, see))
}

/// A hash of what is shown: names and bytes.
fn hashed(show: impl FnOnce(&mut dyn FnMut(&str, &[u8]))) -> String {
    let mut hash = Sha256::new();
    show(&mut |name, bytes| {
        hash.update(name);
        hash.update([0]);
        hash.update(bytes);
    });
    hex(&hash.finalize())
}

/// What puts the weights of a base, which `start` names, into a model: `pretrained::load`.
pub(crate) type LoadBase<F> = fn(
    (&F, &<F as Family>::Shape),
    <F as Family>::Model,
    (&StartConfig, &str),
    &Device,
) -> Result<(<F as Family>::Model, PretrainedReport), String>;

/// The model of a finished run: its adapters beside the base that `start` names, which may be such a run
/// itself.
pub(crate) fn load<F: Pretrainable>(
    start: &StartConfig,
    run: &Path,
    device: &Device,
    load_base: LoadBase<F>,
) -> Result<(F::Model, ModelDescription<F>), FinishedError> {
    let path = run.join(ADAPTERS);
    let damaged =
        |error: WeightsError| FinishedError::Damaged(path.display().to_string(), error.to_string());
    let refused = |reason: String| FinishedError::Base {
        run: run.display().to_string(),
        reason,
    };
    let bytes = read(&path, u64::MAX).map_err(|source| io("read", &path, source))?;
    let description = lora::describe::<F>(&bytes).map_err(damaged)?;
    let ModelDescription { config, shape } = &description.model;
    let base = start.pretrained.as_ref();
    let base =
        base.ok_or_else(|| refused("the run's config.toml has no model.pretrained".into()))?;
    // The seed is of no account: what the base lacks was trained, and comes with the adapters.
    let model = config.init(shape, 0, device);
    let (model, _) = load_base((config, shape), model, (start, base), device)
        .map_err(|error| refused(format!("{base}: {error}")))?;
    let model = lora::decode(model, &bytes, &description).map_err(damaged)?;
    match base_sha256(config, &model, &description.whole) == description.base_sha256 {
        true => Ok((model, description.model)),
        false => Err(refused(
            "its weights are not those that the adapters were trained beside".into(),
        )),
    }
}

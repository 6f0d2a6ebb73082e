//! Adapters in a folder, of a run or of PEFT, beside the weights of a model that is open.

use std::path::Path;

use fireclay_data::Tokenizer;
use fireclay_guard::{LARGEST, read};
use fireclay_models::lora::{self, Theirs, has_adapters};
use fireclay_models::{AdapterDescription, LoraConfig, ModelDescription, Pretrainable};
use fireclay_train::run_folder::{find, newest};
use serde_json::Value;

use crate::adapters::whole_base_sha256;
use crate::artifacts::{ADAPTER_CONFIG, ADAPTERS, TOKENIZER};
use crate::lock;
use crate::run::{Base, RunError};

/// A model with adapters, which shares all other weights with the one without.
pub(crate) struct Beside<M> {
    pub model: M,
    /// The tokenizer in the folder of the adapters, if there is one: that with which they were trained.
    pub tokenizer: Option<Tokenizer>,
    /// What there is to know of them.
    pub notes: Vec<String>,
}

/// Puts the adapters in the folder `path` beside the weights of `model`, that of `base`.
///
/// # Errors
///
/// If there are none, they are damaged or of another kind, or do not go with the model.
pub(crate) fn beside<F: Pretrainable>(
    base: &Base,
    (config, shape): (&F, &F::Shape),
    model: &F::Model,
    path: &Path,
) -> Result<Beside<F::Model>, RunError> {
    let folder = newest(path).unwrap_or_else(|| path.to_path_buf());
    let refused = |reason: String| {
        let [adapters, base] = [&folder, &base.run].map(|path| path.display());
        RunError::Usage(format!(
            "the adapters in {adapters} cannot be put beside {base}: {reason}"
        ))
    };
    if has_adapters(config, model) {
        let reason = "it has adapters of its own; merge them first, with `fireclay export --merge`";
        return Err(refused(reason.into()));
    }
    let mut found = Found::at::<F>(&folder)?.map_err(refused)?;
    if let Some(known) = &found.base {
        let note = known.check((config, shape), model, &found.whole);
        found.notes.extend(note.map_err(refused)?);
    }
    let mut notes = std::mem::take(&mut found.notes);
    let model = found.put((config, shape), model).map_err(refused)?;
    let tokenizer = tokenizer(base, &folder)?;
    let said = |_: &Tokenizer| format!("the tokenizer is that in {}", folder.display());
    notes.extend(tokenizer.as_ref().map(said));
    Ok(Beside {
        model,
        tokenizer,
        notes,
    })
}

/// The tokenizer in the folder of adapters, if it is not the same as that of their base.
fn tokenizer(base: &Base, folder: &Path) -> Result<Option<Tokenizer>, RunError> {
    let path = folder.join(TOKENIZER);
    if !path.is_file() {
        return Ok(None);
    }
    let theirs = Tokenizer::load(&path)?;
    let says = |tokenizer: &Tokenizer| (tokenizer.to_json(), tokenizer.companions());
    let is_same = base
        .tokenizer()?
        .is_some_and(|own| says(&own) == says(&theirs));
    Ok((!is_same).then_some(theirs))
}

/// What a run says of the base of its adapters.
struct KnownBase {
    sha256: String,
    /// What changes its answers beside its tensors, by key.
    hidden: Vec<(&'static str, Value)>,
    /// Whether its weights were rounded when the adapters learned.
    is_rounded: bool,
    /// Whether they are in their run, which says so.
    is_run: bool,
}

impl KnownBase {
    /// Whether `model` is this base, but for the tensors that are `whole`; what is to be said.
    ///
    /// # Errors
    ///
    /// In what it is another one.
    fn check<F: Pretrainable>(
        &self,
        (config, shape): (&F, &F::Shape),
        model: &F::Model,
        whole: &[String],
    ) -> Result<Option<String>, String> {
        let own = config.hidden_values();
        let differs = own
            .iter()
            .zip(&self.hidden)
            .find(|(own, known)| own != known);
        if let Some(((key, own), (_, known))) = differs {
            return Err(format!(
                "they were trained with {key} = {known}, and its is {own}"
            ));
        }
        if self.is_rounded {
            return Ok(Some(ROUNDED.to_owned()));
        }
        match whole_base_sha256((config, shape), model, whole) == self.sha256 {
            true => Ok(None),
            false if self.is_run => {
                Err("its weights are not those that they were trained beside".into())
            }
            false => Err("its weights are not those that they were trained beside; if those were rounded (model.quantize), \
                          name the run itself, which says so: an exported folder does not"
                .into()),
        }
    }
}

const ROUNDED: &str = "the adapters were trained beside weights rounded by model.quantize; beside the whole ones they answer a \
                       little differently, and whether these are the same is not known";

/// What is in a folder of adapters.
struct Found {
    bytes: Vec<u8>,
    lora: LoraConfig,
    whole: Vec<String>,
    /// What is known of their base, if a run wrote them.
    base: Option<KnownBase>,
    notes: Vec<String>,
}

impl Found {
    /// The adapters in a folder; the inner error is why they are of no use.
    fn at<F: Pretrainable>(folder: &Path) -> Result<Result<Self, String>, RunError> {
        let path = folder.join(ADAPTERS);
        if !path.is_file() {
            return Err(RunError::Usage(nothing_in(folder)));
        }
        if folder.join(lock::NAME).is_file() {
            lock::verified(folder, &[])?;
        }
        let bytes = match read(&path, u64::MAX) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(match lora::is_own(&bytes) {
            true => Self::own::<F>(folder, bytes),
            false => Self::theirs(folder, bytes),
        })
    }

    /// Puts them beside the weights of a model.
    fn put<F: Pretrainable>(
        self,
        (config, shape): (&F, &F::Shape),
        model: &F::Model,
    ) -> Result<F::Model, String> {
        let description = AdapterDescription {
            model: ModelDescription {
                config: config.clone(),
                shape: shape.clone(),
            },
            lora: self.lora,
            whole: self.whole,
            // It was compared before, if it is known.
            base_sha256: String::new(),
        };
        let adapted = lora::decode(model.clone(), &self.bytes, &description);
        adapted.map_err(|error| error.to_string())
    }

    /// Those that a run wrote.
    fn own<F: Pretrainable>(folder: &Path, bytes: Vec<u8>) -> Result<Self, String> {
        let found = lora::describe::<F>(&bytes).map_err(|error| error.to_string())?;
        let is_rounded = rounds_base(folder);
        Ok(Self {
            bytes,
            lora: found.lora,
            whole: found.whole,
            base: Some(KnownBase {
                sha256: found.base_sha256,
                hidden: found.model.config.hidden_values(),
                is_rounded: is_rounded == Some(true),
                is_run: is_rounded.is_some(),
            }),
            notes: Vec::new(),
        })
    }

    /// Those of PEFT, which do not know the numbers of their base.
    fn theirs(folder: &Path, bytes: Vec<u8>) -> Result<Self, String> {
        let path = folder.join(ADAPTER_CONFIG);
        let config =
            read(&path, LARGEST).map_err(|error| format!("{}: {error}", path.display()))?;
        let Theirs { lora, whole, base } = lora::theirs(&config, &bytes)?;
        let said = base.map(|base| {
            format!("the adapters say that their base is {base}; its numbers are not compared")
        });
        Ok(Self {
            bytes,
            lora,
            whole,
            base: None,
            notes: said.into_iter().collect(),
        })
    }
}

/// Whether the run in a folder has rounded the weights of its base; none where there is no run.
fn rounds_base(folder: &Path) -> Option<bool> {
    let path = find(folder).ok()?.join("config.toml");
    let text = String::from_utf8(read(&path, LARGEST).ok()?).ok()?;
    let config: toml::Table = text.parse().ok()?;
    Some(config.get("model")?.get("quantize").is_some())
}

fn nothing_in(folder: &Path) -> String {
    let shown = folder.display();
    match folder.join("adapter_model.bin").is_file() {
        true => format!(
            "{shown} has its adapters in adapter_model.bin, a pickle, which is not read; PEFT writes {ADAPTERS} with \
             save_pretrained(FOLDER)"
        ),
        false => format!("{shown} has no adapters: there is no {ADAPTERS}"),
    }
}

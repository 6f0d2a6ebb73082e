//! Text, whose next token is predicted.

use fireclay_data::{TextData, TextFormat, TokenSplit, Tokenizer};
use fireclay_models::{LanguageConfig, LanguageModel, LanguageNetwork, LanguageShape};

use super::dissected::{dissected, judged, known};
use super::prelude::*;
use super::text::{self, Reads};
use crate::artifacts::{LANGUAGE, to_json};
use crate::breakdown::{Language, Texts, write_texts};
use crate::config::TextSource;
use crate::generate::Writer;
use crate::language::score;
use crate::samples::TextSamples;
use crate::task::{CausalLm, TokenBatch, TokenObjective, TokenScorer, bits_per_byte};
use fireclay_train::run_folder::write_whole;

/// The workload.
pub struct CausalText;

impl Workload for CausalText {
    type Model = NetworkConfig<LanguageConfig>;
    type Source = TextSource;
    type Data = TextData;
    type Samples = TextSamples;

    const UNIT: &'static str = "tokens";
    const SAMPLES: &'static str = "windows";
    const NEXT: Option<&'static str> = Some("generate {} --prompt TEXT");

    fn reads(data: &DataConfig) -> Option<&TextSource> {
        held!(data, DataConfig::Text)
    }

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::CausalLm(_))
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Language)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let is_tokens = Self::source(config).format == TextFormat::Tokens;
        let apart = config.tokenizer.is_some() || !is_tokens;
        if !text::packs_documents(config) || apart {
            return Vec::new();
        }
        let needs = "a table [tokenizer], whose token that ends a text tells documents apart";
        vec![("data.packing", format!("\"documents\" needs {needs}"))]
    }

    fn load(config: &RunConfig) -> Result<TextData, DataError> {
        text::load(config, TextData::load)
    }

    fn shape(_config: &RunConfig, data: &TextData) -> LanguageShape {
        LanguageShape {
            vocabulary: data.vocabulary,
        }
    }

    fn samples(_config: &RunConfig, data: &TextData) -> [TextSamples; 3] {
        data.named()
            .map(|(_, split)| TextSamples::new(split.cloned()))
    }

    fn evaluated(_config: &RunConfig, data: &TextData, split: usize) -> TextSamples {
        let (_, split) = data.named()[split];
        TextSamples::new(split.cloned().map(TokenSplit::without_shift))
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        _config: &RunConfig,
        target: &Target,
        work: W,
    ) -> W::Output {
        work.with(TokenObjective {
            tokens_per_byte: target.tokens_per_byte,
        })
    }

    fn conclude(
        config: &RunConfig,
        data: &TextData,
        trained: Trained<'_, LanguageModel>,
        splits: [TextSamples; 2],
    ) -> Result<Evaluations, RunError> {
        let model = CausalLm {
            model: trained.model,
        };
        let mut known = known(trained.valid);
        let judged = judged(&splits).filter(|_| config.eval.keep_predictions);
        if let Some((name, samples)) = judged {
            let scorer = TokenScorer::new(samples.tokens_per_byte());
            let split = (name, samples.clone());
            let place = trained.device;
            let (report, language) =
                dissected::<Self, _>((config, data), (&model, scorer), split, place)?;
            known.entry(name.into()).or_insert(report);
            let asked = (&model.model, trained.updates, place);
            let language = Language {
                texts: texts(config, data.tokenizer.as_ref(), asked, &samples)?,
                ..language
            };
            write_whole(&trained.folder.file(LANGUAGE), &to_json(&language))?;
        }
        evaluate_each::<Self>((config, data), splits, known, |_, samples| {
            evaluate(config, &model, samples, trained.device)
        })
    }

    fn baseline(
        config: &RunConfig,
        data: &TextData,
        samples: &TextSamples,
    ) -> Result<Option<Baseline>, RunError> {
        let train = Self::evaluated(config, data, 0);
        let mut baseline = unigram::baseline(&train, samples, data.vocabulary)?;
        if let (Some(baseline), Some(rate)) = (&mut baseline, samples.tokens_per_byte()) {
            let bits = bits_per_byte(baseline.metrics["loss"], rate);
            baseline.metrics.insert("bits_per_byte".into(), bits);
        }
        Ok(baseline)
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[])?;
        let path = base.folder.join(TOKENIZER);
        let tokenizer = path.exists().then(|| Tokenizer::load(&path)).transpose()?;
        let config = Self::table(base.config());
        let (model, description) = config.load(&base.folder, &base.device)?;
        let vocabulary = description.shape.vocabulary;
        let fits = tokenizer
            .as_ref()
            .is_none_or(|tokenizer| tokenizer.vocabulary() <= vocabulary);
        belong_together(&base.folder, TOKENIZER, fits)?;
        Ok(Box::new(TextRun {
            base,
            tokenizer,
            vocabulary,
            model: CausalLm { model },
        }))
    }

    fn input_spec(config: &RunConfig, data: &TextData) -> InputSpec {
        text::input_spec(config, data)
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<LanguageShape> {
        let (vocabulary, spec) = text::assume(config, given)?;
        Ok((LanguageShape { vocabulary }, spec))
    }

    fn blank_batch(blank: &Blank<'_, LanguageShape>, device: &Device) -> TokenBatch {
        let (rows, time) = (blank.rows, blank.spec.lengths[0]);
        TokenBatch {
            inputs: Tensor::zeros([rows, time], device),
            targets: Tensor::zeros([rows * time], device),
            scored: None,
            starts: None,
            count: rows * time,
        }
    }
}

/// Texts that are written to be looked at, unless `eval.texts` says how many.
const TEXTS: usize = 3;

/// What the model writes after pieces of a split; nothing without a tokenizer, or where the run wants none.
fn texts(
    config: &RunConfig,
    tokenizer: Option<&Tokenizer>,
    (model, updates, device): (&LanguageModel, u64, &Device),
    samples: &TextSamples,
) -> Result<Option<Texts>, DataError> {
    let count = config.eval.texts.unwrap_or(TEXTS);
    let (Some(tokenizer), Some(split)) = (tokenizer, samples.split()) else {
        return Ok(None);
    };
    let asked = (model, tokenizer, device);
    let written = (count > 0).then(|| write_texts(asked, split, count, updates));
    written.transpose()
}

/// The mean loss of every token in nats, its perplexity, and bits per byte of text, where it is known
/// how many bytes the tokens stand for; `n` is the number of tokens.
fn evaluate(
    config: &RunConfig,
    model: &CausalLm,
    samples: TextSamples,
    device: &Device,
) -> Result<Report, RunError> {
    let scorer = TokenScorer::new(samples.tokens_per_byte());
    let pass = pass::<TextSamples>(config);
    Ok(score(model, samples, scorer, pass, device)?)
}

/// A finished run on text.
struct TextRun {
    base: Base,
    /// A run on files of tokens may have none.
    tokenizer: Option<Tokenizer>,
    vocabulary: usize,
    model: CausalLm,
}

impl TextRun {
    fn no_rows(&self) -> RunError {
        let run = self.base.folder.display();
        RunError::Usage(format!(
            "a language model goes on from a prompt: fireclay generate {run} --prompt TEXT"
        ))
    }
}

impl Run for TextRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.model.model.context_length();
        InputSchema::one("prompt", InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let reads = Reads {
            tokenizer: self.tokenizer.as_ref(),
            vocabulary: self.vocabulary,
            context: self.model.model.context_length(),
        };
        let config = self.base.config();
        let read = |path: &str| {
            let (windows, notes) = reads.windows(config, path)?;
            Ok((TextSamples::new(Some(windows)), notes))
        };
        evaluate_on::<CausalText>(&self.base, on, read, |samples| {
            evaluate(config, &self.model, samples, &self.base.device)
        })
    }

    fn answers(&self, _rows: &RecordBatch) -> Result<Answered, RunError> {
        Err(self.no_rows())
    }

    fn predict(&self, _job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        Err(self.no_rows())
    }

    fn writer(&self) -> Result<Writer<'_>, RunError> {
        let tokenizer = self.tokenizer.as_ref().ok_or_else(|| {
            RunError::Usage(
                "the run was trained on files of tokens and has no tokenizer; name one in its config: [tokenizer] type = \"file\"".into(),
            )
        })?;
        Ok(Writer::new(&self.model.model, tokenizer, &self.base.device))
    }
}

//! Its finished runs.

use std::path::Path;
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, StringArray, UInt64Array};
use fireclay_data::{PairFormat, PairSplit, Tokenizer, read_lines};
use fireclay_models::{TranslationModel, TranslationNetwork, TranslationShape};

use super::super::dataset::text_cells;
use super::super::prelude::*;
use super::super::shared::{ONE_FILE, evaluate_on_files, split_of};
use super::{Pairs, asked, evaluate, prefixes, reading, task};
use crate::answer::Answers;
use crate::predict::predict_lines;
use crate::samples::PairSamples;
use crate::translate::Translator;

/// A finished run on pairs of texts, or a model of others.
pub(super) struct TranslationRun {
    base: Base,
    tokenizer: Tokenizer,
    model: TranslationModel,
    /// What texts begin with, as a model of others says.
    prefixes: Vec<String>,
    /// What a model of others asks for that is not done here.
    asked: Option<String>,
}

impl TranslationRun {
    /// # Errors
    ///
    /// If a file of the run is damaged or missing.
    pub fn trained(base: Base) -> Result<Self, RunError> {
        lock::verified(&base.folder, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let (model, shape) = load(&base)?;
        let fits = [shape.source_vocabulary, shape.target_vocabulary]
            .iter()
            .all(|vocabulary| tokenizer.vocabulary() <= *vocabulary);
        belong_together(&base.folder, TOKENIZER, fits)?;
        Ok(Self {
            base,
            tokenizer,
            model,
            prefixes: Vec::new(),
            asked: None,
        })
    }

    /// # Errors
    ///
    /// If its weights are not those that it describes, or its tokenizer does not go with them.
    pub fn published(base: Base) -> Result<Self, RunError> {
        let tokenizer = base.tokenizer()?;
        let tokenizer = tokenizer.expect("it was looked for when the configuration was made");
        let (model, shape) = load(&base)?;
        let (known, most) = (tokenizer.vocabulary(), shape.source_vocabulary);
        if known > most {
            return Err(RunError::Usage(format!(
                "{} cannot be used: its tokenizer has {known} tokens, and its model {most}",
                base.run.display()
            )));
        }
        Ok(Self {
            prefixes: prefixes::of(&base.beside()),
            asked: asked::otherwise(&base.beside()),
            base,
            tokenizer,
            model,
        })
    }

    fn translator(&self) -> Translator<'_> {
        let (device, task) = (&self.base.device, task(self.base.config()));
        Translator::new(&self.model, &self.tokenizer, device, task)
    }

    fn translate(&self, texts: &[String]) -> Result<Vec<String>, RunError> {
        Ok(self.translator().translate(texts)?)
    }

    /// What there is to say of texts.
    fn tell(&self, texts: &[String]) -> Result<Vec<String>, RunError> {
        let mut notes = self.translator().notes(texts)?;
        notes.extend(prefixes::absent(&self.prefixes, texts));
        notes.extend(self.asked.clone());
        Ok(notes)
    }
}

fn load(base: &Base) -> Result<(TranslationModel, TranslationShape), RunError> {
    let config = Pairs::table(base.config());
    let (model, description) = config.load(&base.folder, &base.device)?;
    Ok((model, description.shape))
}

/// The lines of the files of translations after the first, which must be as many as there are sources.
fn more_references(on: On<'_>) -> Result<Vec<Vec<String>>, RunError> {
    let On::File { path, targets } = on else {
        return Ok(Vec::new());
    };
    if targets.len() < 2 {
        return Ok(Vec::new());
    }
    let lines = read_lines(Path::new(path))?.len();
    let read = |target: &String| {
        let found = read_lines(Path::new(target))?;
        match found.len() == lines {
            true => Ok(found),
            false => Err(RunError::Usage(format!(
                "{target} has {} lines, but {path} has {lines}",
                found.len()
            ))),
        }
    };
    targets[1..].iter().map(read).collect()
}

impl Run for TranslationRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.model.context_length();
        InputSchema::one("text", InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let config = self.base.config();
        let read = |path: &str, target: Option<&str>| {
            let source = Pairs::source(config);
            let format = match (target, self.base.is_run()) {
                // Whoever trained it has not said how pairs are stored.
                (Some(_), false) => PairFormat::Parallel,
                _ => source.format,
            };
            if target.is_some() && format != PairFormat::Parallel {
                return Err(RunError::Usage(ONE_FILE.into()));
            }
            let how = (format, &source.config);
            let reading = reading(config);
            let split = PairSplit::of_files(path, target, how, &self.tokenizer, &reading)?;
            let mut notes = split.notes(path, &self.tokenizer);
            notes.extend(prefixes::absent(&self.prefixes, split.source_texts()));
            notes.extend(self.asked.clone());
            let left_out = split.left_out();
            if left_out > 0 {
                notes.push(format!(
                    "{left_out} pairs have an empty side and are left out"
                ));
            }
            Ok((PairSamples::new(Some(split)), notes))
        };
        let more = more_references(on)?;
        evaluate_on_files::<Pairs>(&self.base, on, read, |samples| {
            let (model, device) = ((&self.model, &self.tokenizer), &self.base.device);
            evaluate((config, &more), model, &samples, device).map(|(report, _)| report)
        })
    }

    fn answers_on(&self, on: On<'_>) -> Result<OnSplit, RunError> {
        let data = own::<Pairs>(&self.base)?;
        let (number, notes) = split_of(on, &data)?;
        let (name, split) = data.named()[number];
        let split = split.expect("a split with batches has pairs");
        let rows = split.file_rows().iter().map(|row| *row as u64);
        let texts = |texts: &[String]| Arc::new(StringArray::from_iter_values(texts)) as ArrayRef;
        let columns: [(_, ArrayRef); 5] = [
            ("split", texts(&vec![name.to_owned(); split.pairs()])),
            ("row", Arc::new(UInt64Array::from_iter_values(rows))),
            ("text", texts(split.source_texts())),
            ("truth", texts(split.target_texts())),
            ("prediction", texts(&self.translate(split.source_texts())?)),
        ];
        Ok(OnSplit {
            table: RecordBatch::try_from_iter(columns).map_err(DataError::from)?,
            unit: Pairs::UNIT,
            notes,
        })
    }

    /// The column `text` holds the sources.
    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let texts = self.translate(&text_cells(rows, "text")?)?;
        Ok(Answered {
            answers: Answers::Texts(texts),
            cut: 0,
        })
    }

    fn notes(&self, rows: &RecordBatch) -> Result<Vec<String>, RunError> {
        self.tell(&text_cells(rows, "text")?)
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let tell = |texts: &[String]| self.tell(texts);
        predict_lines(self, job, |texts| self.translate(texts), tell)
    }
}

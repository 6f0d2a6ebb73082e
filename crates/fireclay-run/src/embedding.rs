//! Texts as vectors: one for each text, made of what an encoder makes of its tokens.
//!
//! Reimers & Gurevych 2019, *Sentence-BERT*, section 3, [arXiv:1908.10084](https://arxiv.org/abs/1908.10084).

mod folder;

use std::path::Path;

use burn::tensor::{Device, Tensor};
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{DataError, PaddedTexts, ReadOptions, TableFormat, Tokenizer, encode_cells};
use fireclay_models::{EncoderModel, EncoderNetwork};

use crate::answer::Answers;
use crate::predict::{Rows, predict_rows};
use crate::run::{Answered, PredictJob, Predicted, Run, RunError};
use crate::samples::upload_texts;
use crate::task::TextInput;
pub(crate) use folder::longest;

/// Texts that go through the model at once.
const TEXTS: usize = 32;

/// How the tokens of a text become one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Embedding {
    pooling: Pooling,
    /// Whether vectors are scaled to length 1.
    is_normalised: bool,
    /// Tokens of a text that the model looks at, at most.
    most: usize,
    /// Whether texts are put in small letters first.
    lowercase: bool,
    /// What is put before each text.
    prompt: String,
    /// What is to be said of it.
    said: Vec<String>,
}

/// What is made of the last hidden states of the tokens of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pooling {
    /// That of the first token.
    First,
    /// Their mean.
    Mean,
    /// Their sum over the root of their number.
    RootMean,
    /// Of each number the largest.
    Max,
}

impl Pooling {
    fn words(self) -> &'static str {
        match self {
            Self::First => "the first token's",
            Self::Mean => "the mean of its tokens'",
            Self::RootMean => "the sum of its tokens' over the root of their number",
            Self::Max => "the largest of its tokens', number by number",
        }
    }
}

impl Embedding {
    /// The mean of the tokens, scaled to length 1, of at most `most` tokens.
    pub fn usual(most: usize) -> Self {
        Self {
            pooling: Pooling::Mean,
            is_normalised: true,
            most,
            lowercase: false,
            prompt: String::new(),
            said: Vec::new(),
        }
    }

    /// What the folder of a model says, which reads at most `context` tokens.
    ///
    /// # Errors
    ///
    /// If it asks for what is not made here, or cannot be read.
    pub fn of(folder: &Path, context: usize) -> Result<Self, RunError> {
        let wrong = |reason| {
            let folder = folder.display();
            RunError::Usage(format!("{folder} makes no vectors of texts here: {reason}"))
        };
        folder::read(folder, context).map_err(wrong)
    }

    fn describe(&self) -> String {
        let length = match self.is_normalised {
            true => ", scaled to length 1",
            false => "",
        };
        let words = self.pooling.words();
        format!("the vector of a text is {words}{length}")
    }

    /// The vectors of some texts, one after another.
    fn vectors(&self, model: &EncoderModel, texts: &[&[u32]], device: &Device) -> Vec<f32> {
        let TextInput { tokens, mask } = upload_texts(PaddedTexts::new(texts), device);
        let x = model.encode(tokens, None, mask.clone());
        let real: Tensor<3> = mask.clone().float().unsqueeze_dim(2); // [texts, time, 1]
        let pooled = match self.pooling {
            Pooling::First => x.narrow(1, 0, 1),
            Pooling::Mean => (x * real.clone()).sum_dim(1) / real.sum_dim(1),
            Pooling::RootMean => (x * real.clone()).sum_dim(1) / real.sum_dim(1).sqrt(),
            Pooling::Max => {
                let padding = mask.bool_not().unsqueeze_dim::<3>(2).expand(x.dims());
                x.mask_fill(padding, f32::NEG_INFINITY).max_dim(1)
            }
        }; // [texts, 1, width]
        let scaled = match self.is_normalised {
            true => {
                let length = pooled.clone().square().sum_dim(2).sqrt();
                pooled / length.clamp_min(1e-12)
            }
            false => pooled,
        };
        scaled.into_data().iter().collect()
    }
}

/// What makes vectors of the texts in a table.
pub(crate) struct Embedder<'a> {
    pub run: &'a dyn Run,
    pub model: &'a EncoderModel,
    pub tokenizer: &'a Tokenizer,
    pub embedding: &'a Embedding,
    /// The column of the texts, and that which names them.
    pub column: &'a str,
    pub id: Option<&'a str>,
    /// How a table is stored whose name does not say it, and how to read one.
    pub format: TableFormat,
    pub options: &'a dyn Fn(TableFormat) -> ReadOptions,
}

impl Embedder<'_> {
    /// The vectors of the texts in some rows.
    ///
    /// # Errors
    ///
    /// A column that is missing, or a cell without a text.
    pub fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let (texts, cut) = self.encode(rows)?;
        let device = &self.run.base().device;
        let vectors = by_length(&texts, |part| {
            self.embedding.vectors(self.model, part, device)
        });
        let answers = Answers::Vectors {
            width: vectors.first().map_or(0, Vec::len),
            numbers: vectors.concat(),
        };
        Ok(Answered { answers, cut })
    }

    fn encode(&self, rows: &RecordBatch) -> Result<(Vec<Vec<u32>>, usize), DataError> {
        let Embedding {
            most,
            lowercase,
            prompt,
            ..
        } = self.embedding;
        let cells = (rows, self.column);
        encode_cells(self.tokenizer, cells, *most, |text| {
            let small = |text: &str| {
                text.chars()
                    .flat_map(char::to_lowercase)
                    .collect::<String>()
            };
            match (*lowercase, prompt.is_empty()) {
                (false, true) => text.into(),
                (true, _) => small(&format!("{prompt}{text}")).into(),
                (false, false) => format!("{prompt}{text}").into(),
            }
        })
    }

    /// Writes the vectors of the texts in a table.
    ///
    /// # Errors
    ///
    /// As [`answers`](Self::answers), and if a file cannot be read or written.
    pub fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        check_input(job)?;
        let rows = Rows {
            format: self.format,
            id: self.id,
            options: self.options,
            answers: &|rows| self.answers(rows),
            fits: &|rows| self.encode(rows).map(drop),
            watch: &mut |_| Ok(()),
        };
        let (mut predicted, cut) = predict_rows(self.run, job, rows)?;
        predicted.notes.push(self.embedding.describe());
        predicted.notes.extend(self.embedding.said.iter().cloned());
        if cut > 0 {
            let (count, most) = (predicted.count, self.embedding.most);
            let note = format!("{cut} of {count} texts have more than {most} tokens and are cut");
            predicted.notes.push(note);
        }
        Ok(predicted)
    }
}

/// What `work` makes of some texts at once, for each of all: it gives as many numbers for each text of a part, one text
/// after another. Those of about one length go together, which leaves little padding.
pub(crate) fn by_length<T: Clone>(
    texts: &[Vec<u32>],
    work: impl Fn(&[&[u32]]) -> Vec<T>,
) -> Vec<Vec<T>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|text| texts[*text].len());
    let mut found = vec![Vec::new(); texts.len()];
    for some in order.chunks(TEXTS) {
        let part: Vec<&[u32]> = some.iter().map(|text| &*texts[*text]).collect();
        let numbers = work(&part);
        let each = numbers.chunks(numbers.len() / part.len());
        for (text, own) in some.iter().zip(each) {
            found[*text] = own.to_vec();
        }
    }
    found
}

/// Refuses lines of text, of which a table would take the first for names of columns.
pub(crate) fn check_input(job: &PredictJob<'_>) -> Result<(), RunError> {
    let end = Path::new(job.input).extension();
    match end.is_some_and(|end| end.eq_ignore_ascii_case("txt")) && job.format.is_none() {
        true => Err(RunError::Usage(format!(
            "{} is no table: texts come in one with a column of them, as .jsonl, .csv or .parquet",
            job.input
        ))),
        false => Ok(()),
    }
}

//! What prediction needs from training beside the tokenizer, saved as `preprocess.json`.

use std::borrow::Cow;
use std::path::Path;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::column::reading::Reading;
use crate::column::{column, text};
use crate::error::DataError;
use crate::labels::Labels;
use crate::saved;
use crate::table::{Table, Target};
use crate::tokenizer::Tokenizer;

/// Which column holds the text, how much of it the model looks at, and what the answers mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextPreprocess {
    version: u32,
    /// Tells the file from the preprocessing of other tables.
    kind: Kind,
    pub(super) text: String,
    pub(super) max_length: usize,
    pub(super) target: Target,
    /// How the cells of the target are read.
    #[serde(default, skip_serializing_if = "Reading::is_plain")]
    target_reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Text,
}

const VERSION: u32 = 1;

/// The tokens of each text in a column, as `prepare` makes it, at most `most` of each, and how many texts are cut.
///
/// # Errors
/// As for [`TextPreprocess::encode`].
pub fn encode_cells(
    tokenizer: &Tokenizer,
    (batch, name): (&RecordBatch, &str),
    most: usize,
    prepare: impl Fn(&str) -> Cow<'_, str>,
) -> Result<(Vec<Vec<u32>>, usize), DataError> {
    let cells = text(name, column(batch, name)?)?;
    let mut texts = Vec::with_capacity(batch.num_rows());
    for (row, cell) in cells.iter().enumerate() {
        let missing = "the text is missing; drop the row or fill it";
        let missing = || DataError::bad_value(name, row, "", missing);
        texts.push(prepare(cell.ok_or_else(missing)?));
    }
    let texts = texts.iter().map(AsRef::as_ref).collect();
    let (tokens, cut) = tokenizer.encode_marked(texts, most)?;
    match tokens.iter().position(Vec::is_empty) {
        Some(row) => {
            let problem = "the text has nothing in it that the tokenizer has a token for";
            Err(DataError::bad_value(name, row, "", problem))
        }
        None => Ok((tokens, cut)),
    }
}

impl TextPreprocess {
    pub(super) fn new(
        text: &str,
        max_length: usize,
        (target, target_reading): (Target, Reading),
    ) -> Self {
        Self {
            version: VERSION,
            kind: Kind::Text,
            text: text.to_owned(),
            max_length,
            target,
            target_reading,
        }
    }

    /// The tokens of each text, and how many texts are cut.
    ///
    /// # Errors
    /// A column that is missing; a cell without a text, with its row in the batch (see
    /// [`DataError::map_row`]).
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        batch: &RecordBatch,
    ) -> Result<(Vec<Vec<u32>>, usize), DataError> {
        let cells = (batch, self.text.as_str());
        encode_cells(tokenizer, cells, self.max_length, |text| text.into())
    }

    /// What to say of each row.
    ///
    /// # Errors
    /// A target that is missing, or is not of the kind that the run was trained on.
    pub(super) fn labels(&self, batch: &RecordBatch) -> Result<Labels, DataError> {
        let name = self.target.name();
        let read = self.target_reading.read(column(batch, name)?);
        let batch = RecordBatch::try_from_iter_with_nullable([(name, read, true)])?;
        self.target.labels(&batch)
    }

    /// Reads the target of another table as in training, with notes on cells that do not fit.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`]; [`DataError::Unusable`] if too many cells do not fit.
    pub(super) fn read_target_of(&self, table: &mut Table) -> Result<(), DataError> {
        match self.target_reading.is_plain() {
            true => Ok(()),
            false => table.read_as(self.target.name(), &self.target_reading),
        }
    }

    /// The column of the texts.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tokens of a text that the model looks at, at most.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The labels in the order of their indices; empty for a numeric target.
    pub fn classes(&self) -> &[String] {
        self.target.classes()
    }

    /// The mean and standard deviation of a numeric target over the training rows.
    pub fn target_mean_std(&self) -> Option<(f64, f64)> {
        self.target.mean_std()
    }

    /// The text of `preprocess.json`.
    pub fn to_json(&self) -> String {
        saved::to_json(self)
    }

    /// Reads the text of a `preprocess.json`.
    ///
    /// # Errors
    /// [`DataError::Version`], or [`DataError::Unusable`] if the text is damaged or is the
    /// preprocessing of something else.
    pub fn from_json(json: &str) -> Result<Self, DataError> {
        saved::from_json(json, VERSION, Some("texts"))
    }

    /// Reads `preprocess.json`.
    ///
    /// # Errors
    /// As [`TextPreprocess::from_json`]; also [`DataError::Read`].
    pub fn load(path: &Path) -> Result<Self, DataError> {
        saved::load(path, Self::from_json)
    }
}

//! Its `[data]` table and its data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{DataError, Note, PairData, PairFormat, PairSplit, Tokenizer};
use fireclay_models::{TranslationConfig, TranslationModel, TranslationShape};


use super::super::labelled_text::blank_text;
use super::super::spec::{Assumed, Assumptions, HeldOut, InputSpec, at_most, check_unread};
use super::super::dataset::{Columns, Dataset, constant, counts, hashes_of, text_cells};
use super::super::shared::{ONE_FILE, blank, evaluate_each, evaluate_on, evaluate_on_files, merged, pass};
use super::super::{Batch, Inspected, Model, Trained, Workload, labelled};
use crate::config::{holds_out, split_key};
use crate::answer::Answers;
use crate::artifacts::{TOKENIZER, belong_together};
use crate::config::Refusal;
use crate::config::{
    DataConfig, DataSection, ModelConfig, NeedsTokenizer, NetworkConfig, PairSource, RunConfig,
    TaskConfig, TokenizerSource,
};
use crate::language::score;
use crate::lock;
use crate::predict::predict_lines;
use crate::run::{
    Answered, Base, Evaluated, Evaluations, InputKind, InputSchema, On, PredictJob, Predicted, Run,
    RunError,
};
use crate::samples::PairSamples;
use crate::start::ModelTable;
use crate::task::{
    PairBatch, Seq2Seq, Seq2SeqConfig, Seq2SeqObjective, Target, TokenScorer, WithObjective,
};
use crate::translate::{TOGETHER, Translator, search_blindly};
use fireclay_metrics::{Report, bleu, chrf};
use super::{Pairs, pairs, task};

impl DataSection for PairSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn path(&self) -> &str {
        &self.config.path
    }

    fn files(&self) -> Vec<(&'static str, &Option<String>)> {
        let config = &self.config;
        vec![
            ("target_path", &config.target_path),
            ("valid_target_path", &config.valid_target_path),
            ("test_target_path", &config.test_target_path),
            ("valid_path", &config.valid_path),
            ("test_path", &config.test_path),
        ]
    }

    fn holds_out(&self) -> bool {
        let config = &self.config;
        let files = [&config.valid_path, &config.test_path];
        let shares = [config.split.valid, config.split.test];
        files.iter().any(|file| file.is_some()) || shares.iter().any(|share| *share > 0.0)
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Always
    }

    fn own_batches(&self) -> Option<&'static str> {
        Some("batches of pairs are counted in tokens: data.batch_tokens")
    }
}

impl Dataset for PairData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named()
            .map(|(name, split)| (name, split.map_or(0, PairSplit::groups)))
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        vec![(TOKENIZER, self.tokenizer.to_json())]
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        Some(&self.tokenizer)
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        hashes_of(&self.files)
    }

    /// The pairs of each split, and the batches that they make.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let mut rows = vec![["", "pairs", "batches"].map(String::from).to_vec()];
        for (name, split) in self.named() {
            let numbers = split.map_or([0; 2], |split| [split.pairs(), split.groups()]);
            let numbers = numbers.iter().map(usize::to_string);
            rows.push(std::iter::once(name.to_owned()).chain(numbers).collect());
        }
        (Some(self.vocabulary), rows)
    }
}

//! The samples that a run evaluates, as far as they take memory.

use fireclay_data::{PairSplit, TextTableSplit};
use fireclay_run::config::{DataConfig, RunConfig};
use fireclay_run::run::RunData;

use super::{larger, largest, longest, shapes};

/// What is held out from training.
#[derive(Clone, Debug)]
pub(crate) struct HeldOut {
    /// Samples (for pairs: batches) of the larger split, if that is known.
    pub samples: Option<usize>,
    /// Pairs of texts in a batch that the data makes up itself.
    pub rows: Option<usize>,
    /// Tokens of a source and of a target in the largest batch, where samples are texts.
    pub lengths: [usize; 2],
    /// Tokens of the longest source, and of the longest target.
    pub longest: [usize; 2],
}

/// What the data says of its validation and test splits; `lengths` are those of the training.
pub(crate) fn of_data(data: &RunData, lengths: [usize; 2]) -> Option<HeldOut> {
    let samples = data.size("valid").max(data.size("test"));
    let held_out = HeldOut {
        samples: Some(samples),
        rows: None,
        lengths,
        longest: lengths,
    };
    let held_out = match data {
        RunData::Table(_) | RunData::Image(_) | RunData::Text(_) => held_out,
        RunData::TextTable(data) => of_texts(held_out, [&data.valid, &data.test]),
        RunData::Pairs(data) => of_pairs(held_out, [&data.valid, &data.test]),
    };
    (samples > 0).then_some(held_out)
}

fn of_texts(held_out: HeldOut, splits: [&TextTableSplit; 2]) -> HeldOut {
    let longest = splits.map(longest).into_iter().max().unwrap_or_default();
    HeldOut {
        lengths: [longest, 0],
        longest: [longest, 0],
        ..held_out
    }
}

fn of_pairs(held_out: HeldOut, splits: [&Option<PairSplit>; 2]) -> HeldOut {
    let splits = || splits.into_iter().flatten();
    let [rows, source, target] = larger(splits().map(largest));
    let pairs = || splits().flat_map(shapes);
    let sources = pairs().map(|[_, source, _]| source);
    let targets = pairs().map(|[_, _, target]| target);
    HeldOut {
        rows: Some(rows),
        lengths: [source, target],
        longest: [
            sources.max().unwrap_or(source),
            targets.max().unwrap_or(target),
        ],
        ..held_out
    }
}

/// What the configuration says: whether something is held out, which is taken to be like what is
/// trained on.
pub(crate) fn of_config(
    config: &RunConfig,
    rows: Option<usize>,
    lengths: [usize; 2],
) -> Option<HeldOut> {
    holds_out(&config.data).then_some(HeldOut {
        samples: None,
        rows,
        lengths,
        longest: lengths,
    })
}

fn holds_out(data: &DataConfig) -> bool {
    let (paths, shares) = match data {
        DataConfig::Table(source) => {
            let table = &source.table;
            let shares = [table.split.valid, table.split.test];
            ([&table.valid_path, &table.test_path], shares)
        }
        // A folder may hold a validation split that no key names.
        DataConfig::Image(_) => return true,
        DataConfig::Text(source) => {
            let text = &source.text;
            let shares = [text.split.valid, text.split.test];
            ([&text.valid_path, &text.test_path], shares)
        }
        DataConfig::TextTable(source) => {
            let texts = &source.texts;
            let shares = [texts.split.valid, texts.split.test];
            ([&texts.valid_path, &texts.test_path], shares)
        }
        DataConfig::Pairs(source) => {
            let pairs = &source.pairs;
            let shares = [pairs.split.valid, pairs.split.test];
            ([&pairs.valid_path, &pairs.test_path], shares)
        }
    };
    paths.iter().any(|path| path.is_some()) || shares.iter().any(|share| *share > 0.0)
}

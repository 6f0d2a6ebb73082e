//! Sentence pairs made ready for training: found, split, turned into tokens.

use std::path::PathBuf;

use super::config::{PairDataConfig, PairFormat};
use super::read::{Pair, Pairs};
use super::side::PairReading;
use super::split::{PairSplit, end_of_text};
use crate::download;
use crate::error::DataError;
use crate::kept;
use crate::note::Note;
use crate::random::{Purpose, shuffle, stream};
use crate::split::{SPLIT_NAMES, named};
use crate::text::TextOrder;
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// Everything that training needs from sentence pairs. Clones share the pairs.
#[derive(Clone, Debug)]
pub struct PairData {
    /// What turns text into tokens, made from both sides of the training pairs (Vaswani et al. 2017,
    /// arXiv:1706.03762, section 5.1).
    pub tokenizer: Tokenizer,
    /// The number of different tokens.
    pub vocabulary: usize,
    /// The pairs to train on.
    pub train: PairSplit,
    /// The pairs to validate on.
    pub valid: Option<PairSplit>,
    /// The pairs to test on.
    pub test: Option<PairSplit>,
    /// Every file that was read.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<Note>,
}

impl PairData {
    /// Downloads the pairs, makes the tokenizer, and turns the pairs into tokens for a model that reads them
    /// so. The same files, configuration and seed give the same data.
    ///
    /// # Errors
    /// The first of what [`PairDataConfig::validate`] and [`TokenizerConfig::validate`] find;
    /// whatever is wrong with the files or does not fit the configuration.
    pub fn load(
        format: PairFormat,
        config: &PairDataConfig,
        (kind, tokenizer_config): (TokenizerKind, &TokenizerConfig),
        reading: &PairReading,
        order: TextOrder,
    ) -> Result<Self, DataError> {
        DataError::refuse("data", config.validate(format))?;
        DataError::refuse("tokenizer", tokenizer_config.validate(kind))?;
        let mut notes = download::beside(&config.download, &config.path)?;
        let Parts { splits, mut files } = Parts::read(format, config, order.seed)?;
        files.extend(tokenizer_config.path.as_ref().map(PathBuf::from));
        let [train, valid, test] = splits.map(|pairs| pairs.map(Pairs::without_empty));
        notes.extend(empty([&train, &valid, &test]));
        let train = train.expect("the training part is always there");
        let folder = kept::folder(config.cache_dir.as_ref());
        let tokenizer = Tokenizer::kept_for(&folder, kind, tokenizer_config, texts(&train))?;
        end_of_text(&tokenizer)?;
        let held_out = |pairs: Option<Pairs>| {
            let split = pairs.map(|pairs| PairSplit::held_out(pairs, config, &tokenizer, reading));
            split.transpose()
        };
        let (valid, test) = (held_out(valid)?, held_out(test)?);
        let longest = config.longest(reading.context);
        let with_text = train.pairs.len();
        let train = PairSplit::training(train, config, &tokenizer, reading, order)?;
        notes.extend(too_long(with_text - train.pairs(), with_text, longest));
        let splits = [Some(&train), valid.as_ref(), test.as_ref()];
        notes.extend(told(splits, &tokenizer));
        Ok(Self {
            vocabulary: tokenizer.vocabulary(),
            tokenizer,
            train,
            valid,
            test,
            files,
            notes,
        })
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, Option<&PairSplit>); 3] {
        named([Some(&self.train), self.valid.as_ref(), self.test.as_ref()])
    }
}

/// Both sides of all pairs, as one text after the other.
fn texts(pairs: &Pairs) -> impl Iterator<Item = &str> + Clone + Send {
    let pairs = pairs.pairs.iter();
    pairs.flat_map(|pair| [&*pair.source, &*pair.target])
}

/// What there is to say about pairs with an empty side.
fn empty(splits: [&Option<Pairs>; 3]) -> impl Iterator<Item = Note> {
    let named = SPLIT_NAMES.into_iter().zip(splits);
    named.filter_map(|(name, pairs)| {
        let pairs = pairs.as_ref().filter(|pairs| pairs.empty > 0)?;
        let (empty, all) = (pairs.empty, pairs.pairs.len() + pairs.empty);
        Some(Note::general(format!(
            "{empty} of {all} pairs of {name} have an empty side and are left out"
        )))
    })
}

/// What there is to say about the tokens of each split.
fn told<'a>(
    splits: [Option<&'a PairSplit>; 3],
    tokenizer: &'a Tokenizer,
) -> impl Iterator<Item = Note> + 'a {
    let splits = named(splits).into_iter();
    let told = splits.filter_map(|(name, split)| Some(split?.notes(name, tokenizer)));
    told.flatten().map(Note::general)
}

fn too_long(left_out: usize, all: usize, longest: usize) -> Option<Note> {
    (left_out > 0).then(|| {
        Note::general(format!(
            "{left_out} of {all} pairs of train have more than {longest} tokens on a side and are left out"
        ))
    })
}

/// What the files hold, by split.
struct Parts {
    splits: [Option<Pairs>; 3],
    files: Vec<PathBuf>,
}

impl Parts {
    fn read(format: PairFormat, config: &PairDataConfig, seed: u64) -> Result<Self, DataError> {
        let read = |path: &Option<String>, target: &Option<String>| {
            let path = path.as_deref();
            path.map(|path| Pairs::read(path, target.as_deref(), format, config))
                .transpose()
        };
        let main = Pairs::read(&config.path, config.target_path.as_deref(), format, config)?;
        let valid = read(&config.valid_path, &config.valid_target_path)?;
        let test = read(&config.test_path, &config.test_target_path)?;
        let own = [Some(&main), valid.as_ref(), test.as_ref()];
        let files = own.into_iter().flatten();
        let files = files.flat_map(|pairs| pairs.files.clone()).collect();
        let rest = [true, valid.is_none(), test.is_none()];
        let [train, other_valid, other_test] = split(main, config, rest, seed)?;
        let splits = [train, valid.or(other_valid), test.or(other_test)];
        Ok(Self { splits, files })
    }
}

/// Deals the pairs out to the splits that are `taken` from them.
fn split(
    pairs: Pairs,
    config: &PairDataConfig,
    taken: [bool; 3],
    seed: u64,
) -> Result<[Option<Pairs>; 3], DataError> {
    let rows = pairs.pairs.len();
    let cuts = config.split.cuts(rows as u64, taken[1], taken[2]);
    let mut order: Vec<usize> = (0..rows).collect();
    shuffle(&mut order, &mut stream(seed, Purpose::Split, 0));
    let mut split_of = vec![0; rows];
    for (position, row) in order.into_iter().enumerate() {
        split_of[row] = cuts.iter().filter(|cut| position as u64 >= **cut).count();
    }
    let mut parts: [Vec<Pair>; 3] = Default::default();
    for (pair, split) in pairs.pairs.into_iter().zip(split_of) {
        parts[split].push(pair);
    }
    let fractions = [config.split.train, config.split.valid, config.split.test];
    for split in 0..3 {
        if taken[split] && fractions[split] > 0.0 && parts[split].is_empty() {
            let name = SPLIT_NAMES[split];
            return Err(DataError::Split(format!(
                "the {name} split is empty: {rows} pairs are too few; add some, or set the fraction to 0"
            )));
        }
    }
    Ok(parts.map(|part| {
        (!part.is_empty()).then(|| Pairs {
            path: pairs.path.clone(),
            files: pairs.files.clone(),
            pairs: part,
            empty: 0,
        })
    }))
}

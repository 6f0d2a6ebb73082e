//! The seed of a run draws its split too, unless something else decides it.

use std::path::Path;

use fireclay_data::TextSplitConfig;
use serde_json::json;

use crate::config::{DataConfig, Loaded, Located, RunConfig};
use crate::read::load_run;
use crate::unfinished::numbered;

/// What is to be said of a split that the seed draws; none where it decides nothing.
pub fn drawn_split(config: &RunConfig) -> Option<String> {
    let (seed, keeps) = (config.seed, keeps(config, config.seed)?);
    Some(format!(
        "seed = {seed} also draws the split, where the data does not say it: another seed has other test samples; \
         {keeps} these"
    ))
}

/// What is to be said where the newest run of the same name has the same data and another seed.
pub fn other_split(loaded: &Loaded) -> Option<String> {
    let now = &loaded.config;
    let folder = Path::new(&now.output_dir).join(&loaded.name);
    let newest = numbered(&folder).into_iter().next()?;
    let before = load_run(&newest).ok()?.config;
    let (old, new) = (before.seed, now.seed);
    let is_other = old != new && json!(before.data) == json!(now.data);
    let keeps = keeps(now, old).filter(|_| is_other)?;
    Some(format!(
        "{} had seed = {old}, and seed = {new} also draws another split, where the data does not say it: what the two \
         reach is not of the same test samples; {keeps} those",
        newest.display()
    ))
}

/// By what the split of a `seed` is kept, if that draws it, as far as the configuration says.
fn keeps(config: &RunConfig, seed: u64) -> Option<String> {
    let located = config.data.section().located();
    match (&config.data, located.split) {
        (DataConfig::Pairs(pairs), _) => kept_by_files(&located, &pairs.config.split),
        (DataConfig::Chats(chats), _) => kept_by_files(&located, &chats.config.split),
        (DataConfig::Preferences(pairs), _) => kept_by_files(&located, &pairs.config.split),
        (_, Some(split)) => {
            let is_decided = split.seed.is_some() || split.column.is_some() || split.time.is_some();
            let is_drawn = !is_decided && draws(&located, [split.valid, split.test]);
            is_drawn.then(|| format!("data.split.seed = {seed} keeps"))
        }
        (_, None) => None,
    }
}

/// By what a split is kept whose samples stand in no order.
fn kept_by_files(located: &Located<'_>, split: &TextSplitConfig) -> Option<String> {
    let is_drawn = draws(located, [split.valid, split.test]);
    is_drawn.then(|| "data.valid_path and data.test_path keep".to_owned())
}

/// Whether a split gets a share of samples, and has no file of its own.
fn draws(located: &Located<'_>, shares: [f64; 2]) -> bool {
    let is_given = |key: &str| {
        let mut files = located.files.iter();
        files.any(|(name, file)| *name == key && file.is_some())
    };
    let mut shares = shares.iter().zip(["valid_path", "test_path"]);
    shares.any(|(share, key)| *share > 0.0 && !is_given(key))
}

//! The seed of a run draws its split too, unless the split has a seed of its own.

use std::path::Path;

use serde_json::json;

use crate::config::{Loaded, RunConfig};
use crate::read::load_run;
use crate::unfinished::numbered;

/// What is to be said of a split that the seed draws; none where it decides nothing.
pub fn drawn_split(config: &RunConfig) -> Option<String> {
    draws(config).then(|| {
        format!(
            "seed = {0} also draws the split, where the data does not say it: another seed has other test samples; \
             data.split.seed = {0} keeps these",
            config.seed
        )
    })
}

/// What is to be said where the newest run of the same name has the same data and another seed.
pub fn other_split(loaded: &Loaded) -> Option<String> {
    let now = &loaded.config;
    let folder = Path::new(&now.output_dir).join(&loaded.name);
    let newest = numbered(&folder).into_iter().next()?;
    let before = load_run(&newest).ok()?.config;
    let is_other = draws(now) && before.seed != now.seed && json!(before.data) == json!(now.data);
    is_other.then(|| {
        format!(
            "{} had seed = {1}, and seed = {2} also draws another split, where the data does not say it: what the two reach is not of \
             the same test samples; data.split.seed = {1} keeps those",
            newest.display(),
            before.seed,
            now.seed
        )
    })
}

/// Whether another seed would be another split, as far as the configuration says it.
fn draws(config: &RunConfig) -> bool {
    let located = config.data.section().located();
    let Some(split) = located.split else {
        return false;
    };
    let is_given = |key: &str| {
        let mut files = located.files.iter();
        files.any(|(name, file)| *name == key && file.is_some())
    };
    let shares = [(split.valid, "valid_path"), (split.test, "test_path")];
    let mut shared = shares.iter().filter(|(share, _)| *share > 0.0);
    let is_drawn = shared.any(|(_, key)| !is_given(key));
    let is_decided = split.seed.is_some() || split.column.is_some() || split.time.is_some();
    is_drawn && !is_decided
}

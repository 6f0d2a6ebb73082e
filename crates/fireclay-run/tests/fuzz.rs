//! Configurations that were damaged or forged are read; see `fireclay-fuzz`.

use std::path::Path;

use fireclay_fuzz::{fuzz, fuzz_with};
use fireclay_run::config::RunConfig;

/// Every recipe that ships.
fn configs() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let folders = ["tabular", "vision", "language"].map(|name| root.join(name));
    let files = folders.iter().flat_map(|folder| {
        let entries = std::fs::read_dir(folder).expect("the recipes are there");
        entries.map(|entry| entry.expect("an entry").path())
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    let read = |path| std::fs::read(path).expect("a recipe");
    files.iter().map(read).collect()
}

/// What is taken can be written out, and is the same again.
fn check(config: &RunConfig) {
    let text = config.to_toml();
    let again = RunConfig::parse("run.toml", &text, &[]);
    let again = again.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again.config.to_toml(), text);
}

#[test]
fn configurations() {
    fuzz("run.toml", &configs(), |path| {
        if let Ok(loaded) = RunConfig::load(path, &[]) {
            check(&loaded.config);
        }
    });
}

#[test]
fn overrides() {
    let seeds: Vec<Vec<u8>> = [
        "model.hidden=[64, 32]",
        "train.epochs=5",
        "optimizer={type=\"sgd\", learning_rate=0.1}",
        "data.split.train=0.5",
        "data.columns.\"a b\".kind=\"number\"",
    ]
    .map(|set| set.as_bytes().to_vec())
    .into();
    let config = configs().swap_remove(0);
    let prepare = |folder: &Path| {
        std::fs::write(folder.join("run.toml"), &config).expect("written");
    };
    fuzz_with("set", &seeds, prepare, |path| {
        let set = std::fs::read(path).expect("written");
        let set = String::from_utf8_lossy(&set).into_owned();
        if let Ok(loaded) = RunConfig::load(&path.with_file_name("run.toml"), &[set]) {
            check(&loaded.config);
        }
    });
}

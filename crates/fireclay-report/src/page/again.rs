//! How to get the same run again.

use crate::folder::RunFolder;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::count;

/// Hashes of data files in the table; the lock has all.
const SHOWN: usize = 40;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let path = run.path.join("config.toml");
    let device = run
        .locked("backend")
        .and_then(toml::Value::as_str)
        .unwrap_or("the same backend");
    let lead = format!(
        "`fireclay train {}` with fireclay {} on {device} trains the same run again: the same seed, the same order of samples, and on a CPU the same bits. The data files must have the hashes below; the results then have theirs.",
        path.display(),
        run.locked("version")
            .and_then(toml::Value::as_str)
            .unwrap_or("of the same version"),
    );
    let mut blocks = vec![Block::Words(lead), Block::Table(facts(run))];
    for (table, title) in [("data_sha256", "Data files"), ("result_sha256", "Results")] {
        blocks.extend(hashes(run, table, title).map(Block::Table));
    }
    blocks.push(Block::Folded(
        "The whole configuration (config.toml)".into(),
        run.config_text.clone(),
    ));
    if !run.lock_text.is_empty() {
        blocks.push(Block::Folded(
            "The whole lock (run.lock)".into(),
            beginning(&run.lock_text),
        ));
    }
    Section::of("again", "The same run again", blocks)
}

/// A lock with very many files is cut.
fn beginning(text: &str) -> String {
    const LINES: usize = 400;
    match text.lines().count() {
        all if all > LINES => {
            let first: Vec<&str> = text.lines().take(LINES).collect();
            format!(
                "{}\n… and {} lines more in the file",
                first.join("\n"),
                all - LINES
            )
        }
        _ => text.to_owned(),
    }
}

fn facts(run: &RunFolder) -> Table {
    let keys = [
        ("version", "fireclay"),
        ("seed", "seed"),
        ("backend", "backend"),
        ("device", "device"),
        ("precision", "precision"),
        ("cpu_shards", "parts of a batch on the CPU"),
        ("initial_weights_sha256", "SHA-256 of the first weights"),
        ("base_sha256", "SHA-256 of the base"),
        ("tokenizer_sha256", "SHA-256 of the tokenizer"),
    ];
    let fact = |(key, words): (&str, &str)| {
        let value = run.locked(key)?;
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Some(vec![Cell::from(words), text.into()])
    };
    let rows = run.locked("rows").and_then(toml::Value::as_table);
    let split = |name: &str| {
        Some(format!(
            "{name} {}",
            count(rows?.get(name)?.as_integer()? as u64)
        ))
    };
    let splits: Vec<String> = ["train", "valid", "test"]
        .into_iter()
        .filter_map(split)
        .collect();
    let samples = (!splits.is_empty()).then(|| vec!["samples".into(), splits.join(", ").into()]);
    Table::new("What the run was made of", &["fact", "value"])
        .with(keys.into_iter().filter_map(fact).chain(samples))
}

fn hashes(run: &RunFolder, table: &str, title: &str) -> Option<Table> {
    let known = run.locked(table)?.as_table()?;
    let row = |(name, hash): (&String, &toml::Value)| {
        Some(vec![name.clone().into(), hash.as_str()?.to_owned().into()])
    };
    let rows: Vec<Vec<Cell>> = known.iter().take(SHOWN).filter_map(row).collect();
    let caption = match known.len() {
        all if all > SHOWN => format!("{title} ({SHOWN} of {all})"),
        _ => title.to_owned(),
    };
    Some(Table::new(caption.clone(), &[&caption, "SHA-256"]).with(rows))
}

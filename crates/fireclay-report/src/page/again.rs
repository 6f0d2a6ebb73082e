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
    let version = run.locked("version").and_then(toml::Value::as_str);
    let version = version.unwrap_or("of the same version");
    let command = format!(
        "`fireclay train {}` with fireclay {version} on {device}",
        path.display()
    );
    let lead = match changes(run) {
        None => format!(
            "{command} trains the same run again: the same seed, the same order of samples, and on a CPU the same bits. The data files must have the hashes below; the results then have theirs."
        ),
        Some(changes) => format!(
            "The run was changed on the way: {changes}. {command} trains by the last of these keys from the beginning, so its weights are others. The same run is its first configuration, and the same changes at the same steps."
        ),
    };
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

/// What was changed on purpose, and from which step on: the segments of the lock.
fn changes(run: &RunFolder) -> Option<String> {
    let segments = run.locked("segment")?.as_array()?.iter();
    let said = segments.filter_map(|segment| {
        let step = segment.get("step")?.as_integer()?;
        let cells = segment.get("changed")?.as_array()?.iter();
        let text = |cells: &toml::Value, key: &str| Some(cells.get(key)?.as_str()?.to_owned());
        let change = |cells: &toml::Value| {
            let [key, was, now] = ["key", "was", "now"].map(|key| text(cells, key));
            Some(format!("{} from {} to {}", key?, was?, now?))
        };
        let changed: Vec<String> = cells.filter_map(change).collect();
        Some(format!("from step {step} on, {}", changed.join(", ")))
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
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

//! What is wrong with a configuration whose training rows stay in files.

use crate::config::Problems;
use crate::table::config::{CategoricalEncoding, TableConfig};

/// Adds every problem, by its key inside `[data]`.
pub(in crate::table) fn validate(config: &TableConfig, problems: &mut Problems) {
    problems.check_count("fit_rows", config.fit_rows);
    problems.check_count("shards_mixed", config.shards_mixed);
    if config.fit_rows.is_none() {
        if config.shards_mixed.is_some() {
            let message = "has no effect: it is read if fit_rows is given";
            problems.add("shards_mixed", message);
        }
        return;
    }
    if config.valid_path.is_none() || config.test_path.is_none() {
        let message = "needs valid_path and test_path: rows that stay in files are not split";
        problems.add("fit_rows", message);
    }
    let message = "cannot be \"target\" with fit_rows: rows that stay in files would be told their own target";
    if config.categorical == CategoricalEncoding::Target {
        problems.add("categorical", message);
    }
    for (name, column) in &config.columns {
        if column.encoding == Some(CategoricalEncoding::Target) {
            problems.add(&format!("columns.{name}.encoding"), message);
        }
    }
}

//! What can be wrong with the configuration of a table before any file is opened.

use std::collections::HashSet;

use super::config::{ColumnConfig, ColumnKind, TableConfig};
use super::format::TableFormat;
use crate::column::numbers::{DECIMALS, THOUSANDS};
use crate::config::Problems;

impl TableConfig {
    /// Every problem, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self, format: TableFormat) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        self.validate_names(&mut problems);
        self.validate_carried(&mut problems);
        self.validate_text_options(format, &mut problems);
        self.validate_columns(&mut problems);
        let separate = (self.valid_path.is_some(), self.test_path.is_some());
        problems.add_all("split", self.split.validate(separate));
        problems.0
    }

    fn validate_names(&self, problems: &mut Problems) {
        problems.check_texts([
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("target", Some(&self.target)),
            ("id", self.id.as_ref()),
            ("weight", self.weight.as_ref()),
        ]);
        if self.id.as_ref() == Some(&self.target) {
            let message = "is the target; the column to predict cannot name the row";
            problems.add("id", message);
        }
        if self.ignore.contains(&self.target) {
            problems.add("ignore", format!("contains the target {:?}", self.target));
        }
        for (key, column) in [("column", &self.split.column), ("group", &self.split.group)] {
            if column.as_ref() == Some(&self.target) {
                let message = "is the target; choose another column";
                problems.add(&format!("split.{key}"), message);
            }
        }
    }

    /// What is carried beside the samples.
    fn validate_carried(&self, problems: &mut Problems) {
        let taken = [
            ("target", Some(&self.target)),
            ("id", self.id.as_ref()),
            ("split.column", self.split.column.as_ref()),
            ("split.group", self.split.group.as_ref()),
        ];
        for (role, column) in taken {
            let Some(column) = column else { continue };
            if self.weight.as_ref() == Some(column) {
                problems.add("weight", format!("is also {role}; choose another column"));
            }
            if matches!(role, "target" | "id") && self.extra_columns.contains(column) {
                let message = format!("contains the {role} {column:?}, which is carried anyway");
                problems.add("extra_columns", message);
            }
        }
        let mut seen = HashSet::new();
        for name in &self.extra_columns {
            if name.trim().is_empty() {
                problems.add("extra_columns", "must not hold an empty name");
            } else if !seen.insert(name) {
                problems.add("extra_columns", format!("names {name:?} twice"));
            }
        }
    }

    fn validate_text_options(&self, format: TableFormat, problems: &mut Problems) {
        let dialect = self.dialect();
        let mut given: Vec<_> = dialect.keys().iter().map(|(key, _)| (*key, true)).collect();
        given.push(("null_values", self.null_values.is_some()));
        format.check_keys(&given, problems);
        dialect.validate(problems);
        problems.check_count("max_categories", Some(self.max_categories));
        self.validate_numbers(problems);
    }

    /// How numbers are written.
    fn validate_numbers(&self, problems: &mut Problems) {
        let given = [
            ("decimal", &self.decimal, &DECIMALS[..]),
            ("thousands", &self.thousands, &THOUSANDS[..]),
        ];
        for (key, text, known) in given {
            let Some(text) = text else { continue };
            let mut characters = text.chars();
            let (first, more) = (characters.next(), characters.next());
            if more.is_some() || !first.is_some_and(|first| known.contains(&first)) {
                let known = known.iter().map(|c| format!("{:?}", c.to_string()));
                let known = known.collect::<Vec<_>>().join(", ");
                problems.add(key, format!("must be one of {known}, but is {text:?}"));
            }
        }
        if self.thousands.as_deref() == Some(self.decimal.as_deref().unwrap_or(".")) {
            let message = "is also what stands before the fraction; set decimal to another one";
            problems.add("thousands", message);
        }
    }

    fn validate_columns(&self, problems: &mut Problems) {
        for (name, column) in &self.columns {
            let key = format!("columns.{name}");
            let as_it_is = ColumnConfig {
                kind: Some(ColumnKind::Categorical),
                ..ColumnConfig::default()
            };
            if *name == self.target && *column != as_it_is {
                let message = "is the target; the task decides how it is read, unless kind = \"categorical\" keeps its cells as they are";
                problems.add(&key, message);
            }
            let mut others = [&self.id, &self.weight].into_iter().flatten();
            if self.ignore.contains(name) || others.any(|other| other == name) {
                problems.add(&key, "has no effect: the column is not a feature");
            }
            let (scaling, encoding) = (format!("{key}.scaling"), format!("{key}.encoding"));
            let is_no = |wanted| column.kind.is_some_and(|kind| kind != wanted);
            if column.scaling.is_some() && is_no(ColumnKind::Numeric) {
                problems.add(&scaling, "is for numeric columns only");
            }
            if column.encoding.is_some() && is_no(ColumnKind::Categorical) {
                problems.add(&encoding, "is for categorical columns only");
            }
            if column.encoding.is_some() && column.scaling.is_some() && column.kind.is_none() {
                let message = "contradicts scaling: a column is numeric or categorical";
                problems.add(&encoding, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::NumericScaling;

    fn keys(problems: Vec<(String, String)>) -> Vec<String> {
        problems.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = TableConfig::new("a.csv", "y");
        assert_eq!(config.validate(TableFormat::Csv), []);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let mut config = TableConfig::new("", "y");
        config.id = Some("y".into());
        config.delimiter = Some("ab".into());
        config.max_categories = 0;
        let column = config.columns.entry("a".into()).or_default();
        column.kind = Some(ColumnKind::Date);
        column.scaling = Some(NumericScaling::Log);
        config.split.train = 1.7;
        let keys = keys(config.validate(TableFormat::Jsonl));
        let expected = "path id delimiter delimiter max_categories columns.a.scaling split.train";
        assert_eq!(keys.join(" "), expected);
    }

    #[test]
    fn what_is_carried_is_told_apart_from_target_and_id() {
        let mut config = TableConfig::new("a.csv", "y");
        config.id = Some("i".into());
        config.weight = Some("w".into());
        config.extra_columns = vec!["sex".into(), "w".into()];
        assert_eq!(config.validate(TableFormat::Csv), []);
        config.weight = Some("y".into());
        config.extra_columns = ["y", "i", "sex", "sex", " "].map(String::from).to_vec();
        let extra = ["extra_columns"; 4];
        let found = keys(config.validate(TableFormat::Csv));
        assert_eq!(found, [&["weight"][..], &extra].concat());
    }

    #[test]
    fn unknown_keys_are_refused() {
        let unknown = r#"{"path":"a","target":"y","tagret":1}"#;
        assert!(serde_json::from_str::<TableConfig>(unknown).is_err());
    }
}

//! What can be wrong with the configuration of a table before any file is opened.

use super::config::{ColumnConfig, ColumnKind, TableConfig};
use super::encoded;
use super::format::TableFormat;
use crate::column::numbers::{DECIMALS, THOUSANDS};
use crate::config::Problems;
use crate::labels::TargetKind;

impl TableConfig {
    /// Every problem, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self, format: TableFormat) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        self.validate_names(&mut problems);
        self.validate_targets(&mut problems);
        self.validate_texts(&mut problems);
        self.validate_carried(&mut problems);
        self.validate_text_options(format, &mut problems);
        self.validate_columns(format, &mut problems);
        encoded::validate(self, &mut problems);
        let separate = (self.valid_path.is_some(), self.test_path.is_some());
        problems.add_all("split", self.split.validate(separate));
        problems.0
    }

    /// Keys that do not go with a target of this kind, as pairs of a key inside `[data]` and a message.
    pub fn validate_for(&self, kind: TargetKind) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        let (separator, several) = (self.label_separator.is_some(), !self.targets.is_empty());
        match kind {
            TargetKind::Set if !separator && !several => {
                let message = "is needed to tell the labels of a row apart; or name a column of 0 and 1 for each label in targets";
                problems.add("label_separator", message);
            }
            TargetKind::Set => {}
            TargetKind::Class | TargetKind::Number => {
                if separator {
                    problems.add("label_separator", "is for the task multilabel");
                }
                if several {
                    problems.add("targets", "is for the task multilabel; name one target");
                }
            }
        }
        problems.0
    }

    fn validate_names(&self, problems: &mut Problems) {
        problems.check_texts([
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("shard_cache_dir", self.shard_cache_dir.as_ref()),
            ("id", self.id.as_ref()),
            ("weight", self.weight.as_ref()),
        ]);
        let targets = self.target_columns();
        if self.id.as_ref().is_some_and(|id| targets.contains(id)) {
            let message = "is the target; the column to predict cannot name the row";
            problems.add("id", message);
        }
        for target in targets.iter().filter(|target| self.ignore.contains(target)) {
            problems.add("ignore", format!("contains the target {target:?}"));
        }
        for (key, column) in [("column", &self.split.column), ("group", &self.split.group)] {
            if column
                .as_ref()
                .is_some_and(|column| targets.contains(column))
            {
                let message = "is the target; choose another column";
                problems.add(&format!("split.{key}"), message);
            }
        }
    }

    fn validate_targets(&self, problems: &mut Problems) {
        if self.targets.is_empty() {
            if self.target.trim().is_empty() {
                problems.add("target", "is needed: the name of the column to predict");
            }
            if self.label_separator.as_ref().is_some_and(String::is_empty) {
                problems.add("label_separator", "must not be empty");
            }
            return;
        }
        if !self.target.is_empty() {
            let message = "contradicts targets: name one column of labels, or several of 0 and 1";
            problems.add("target", message);
        }
        if self.label_separator.is_some() {
            let message = "contradicts targets, whose columns hold 0 or 1";
            problems.add("label_separator", message);
        }
        problems.check_list("targets", &self.targets);
    }

    fn validate_texts(&self, problems: &mut Problems) {
        problems.check_list("text", &self.text);
        problems.check_count("text_buckets", self.text_buckets);
        let taken = [
            ("id", &self.id),
            ("weight", &self.weight),
            ("split.column", &self.split.column),
            ("split.group", &self.split.group),
        ];
        for name in &self.text {
            let role = taken
                .iter()
                .find(|(_, column)| column.as_ref() == Some(name));
            let role = role.map(|(role, _)| *role);
            let role = role.or(self.target_columns().contains(name).then_some("target"));
            let role = role.or(self.ignore.contains(name).then_some("ignore"));
            if let Some(role) = role {
                let message = format!("contains {name:?}, which {role} names: it is not a feature");
                problems.add("text", message);
            }
            let kind = self.columns.get(name).and_then(|column| column.kind);
            if kind.is_some_and(|kind| kind != ColumnKind::Text) {
                let message = format!("contradicts text, which contains {name:?}");
                problems.add(&format!("columns.{name}.kind"), message);
            }
        }
    }

    /// What is carried beside the samples.
    fn validate_carried(&self, problems: &mut Problems) {
        let targets = self.target_columns().iter();
        let taken = targets.map(|target| ("target", Some(target))).chain([
            ("id", self.id.as_ref()),
            ("split.column", self.split.column.as_ref()),
            ("split.group", self.split.group.as_ref()),
        ]);
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
        problems.check_list("extra_columns", &self.extra_columns);
    }

    fn validate_text_options(&self, format: TableFormat, problems: &mut Problems) {
        let dialect = self.dialect();
        let mut given: Vec<_> = dialect.keys().iter().map(|(key, _)| (*key, true)).collect();
        given.push(("null_values", self.null_values.is_some()));
        given.push(("extra_null_values", !self.extra_null_values.is_empty()));
        given.push(("shard_cache_dir", self.shard_cache_dir.is_some()));
        given.push(("shard_cache_bytes", self.shard_cache_bytes.is_some()));
        given.push(("fit_rows", self.fit_rows.is_some()));
        given.push(("shards_mixed", self.shards_mixed.is_some()));
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

    fn validate_columns(&self, format: TableFormat, problems: &mut Problems) {
        for (name, column) in &self.columns {
            let key = format!("columns.{name}");
            let mut own = Problems::default();
            format.check_keys(&[("null_values", column.null_values.is_some())], &mut own);
            problems.add_all(&key, own.0);
            self.validate_role(name, column, &key, problems);
            self.validate_kind(name, column, &key, problems);
        }
    }

    /// What a column cannot have by what it is for.
    fn validate_role(
        &self,
        name: &String,
        column: &ColumnConfig,
        key: &str,
        problems: &mut Problems,
    ) {
        let as_it_is = ColumnConfig {
            kind: column.kind.filter(|kind| *kind == ColumnKind::Categorical),
            null_values: column.null_values.clone(),
            ..ColumnConfig::default()
        };
        if self.target_columns().contains(name) && *column != as_it_is {
            let message = "is the target; the task decides how it is read, unless kind = \"categorical\" keeps its cells as they are";
            problems.add(key, message);
        }
        let mut others = [&self.id, &self.weight].into_iter().flatten();
        if others.any(|other| other == name) && !self.is_order_of_time(name) {
            problems.add(key, "has no effect: the column is not a feature");
        }
    }

    fn is_order_of_time(&self, name: &String) -> bool {
        let has_order = |column: &ColumnConfig| column.date_order.is_some();
        self.split.time.as_ref() == Some(name) && self.columns.get(name).is_some_and(has_order)
    }

    /// The columns with keys of their own that are ignored, and so read by whoever else compares them alone.
    pub fn ignored_with_keys(&self) -> impl Iterator<Item = &String> {
        let names = self.columns.keys();
        names.filter(|name| self.ignore.contains(name) && !self.is_order_of_time(name))
    }

    /// Keys that contradict each other or the kind.
    fn validate_kind(
        &self,
        name: &String,
        column: &ColumnConfig,
        key: &str,
        problems: &mut Problems,
    ) {
        let at = |own: &str| format!("{key}.{own}");
        let is_text = self.text.contains(name).then_some(ColumnKind::Text);
        let kind = column.kind.or(is_text);
        let given = column.keys_of_kinds();
        for (own, wanted, word) in &given {
            if kind.is_some_and(|kind| kind != *wanted) {
                problems.add(&at(own), format!("is for {word} columns only"));
            }
        }
        if let ([(first, ..), others @ ..], None) = (&given[..], column.kind) {
            for (own, ..) in others {
                let message = format!("contradicts {first}: a column is of one kind");
                problems.add(&at(own), message);
            }
        }
        let kinds = [ColumnKind::Numeric, ColumnKind::Date, ColumnKind::Boolean];
        let is_read = kind.is_some_and(|kind| kinds.contains(&kind));
        if column.odd_cells.is_some() && !is_read && column.date_order.is_none() {
            let message =
                "needs kind = \"numeric\", \"date\" or \"boolean\", which cells can differ from";
            problems.add(&at("odd_cells"), message);
        }
    }
}

impl ColumnConfig {
    /// The keys that are given and are for one kind of column, with the kind and its word.
    fn keys_of_kinds(&self) -> Vec<(&'static str, ColumnKind, &'static str)> {
        let (scaling, encoding) = (self.scaling.is_some(), self.encoding.is_some());
        let keys = [
            (scaling, "scaling", ColumnKind::Numeric, "numeric"),
            (encoding, "encoding", ColumnKind::Categorical, "categorical"),
            (
                self.date_order.is_some(),
                "date_order",
                ColumnKind::Date,
                "date",
            ),
        ];
        let given = keys.into_iter().filter(|(is_given, ..)| *is_given);
        given
            .map(|(_, key, kind, word)| (key, kind, word))
            .collect()
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
    fn labels_are_in_one_column_or_in_several() {
        let mut config = TableConfig::new("a.csv", "");
        assert_eq!(keys(config.validate(TableFormat::Csv)), ["target"]);
        config.targets = ["a", "b"].map(String::from).to_vec();
        assert_eq!(config.validate(TableFormat::Csv), []);
        assert_eq!(config.validate_for(TargetKind::Set), []);
        assert_eq!(keys(config.validate_for(TargetKind::Class)), ["targets"]);
        config.target = "y".into();
        config.label_separator = Some(";".into());
        config.targets.push("a".into());
        let expected = ["target", "label_separator", "targets"];
        assert_eq!(keys(config.validate(TableFormat::Csv)), expected);
        let plain = TableConfig::new("a.csv", "y");
        assert_eq!(
            keys(plain.validate_for(TargetKind::Set)),
            ["label_separator"]
        );
        assert_eq!(plain.validate_for(TargetKind::Number), []);
    }

    #[test]
    fn texts_are_features() {
        let mut config = TableConfig::new("a.csv", "y");
        config.text = ["title", "y", "title"].map(String::from).to_vec();
        config.text_buckets = Some(0);
        config.columns.entry("title".into()).or_default().kind = Some(ColumnKind::Date);
        let expected = "text text_buckets columns.title.kind text columns.title.kind";
        assert_eq!(keys(config.validate(TableFormat::Csv)).join(" "), expected);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let unknown = r#"{"path":"a","target":"y","tagret":1}"#;
        assert!(serde_json::from_str::<TableConfig>(unknown).is_err());
    }
}

//! Which group a row is in.

use std::collections::{BTreeMap, BTreeSet};

use fireclay_data::arrow::array::{Array, ArrayRef, StringArray};
use fireclay_data::{
    ColumnKind, DataError, NumberReading, TableConfig, cell_numbers, cell_texts, infer_kind,
    number_reading,
};
use fireclay_metrics::Partition;
use serde::{Deserialize, Serialize};

use crate::config::{FairnessConfig, Refusal};

/// What the group of an empty cell is called.
const MISSING: &str = "(missing)";
/// What the group of a cell is called that is no number where bands are of numbers.
const NO_NUMBER: &str = "(no number)";
/// Columns of so many different numbers are not cut into bands.
const FEW: usize = 10;
/// More groups of one column than anybody compares.
const MOST: usize = 200;

/// How rows are told apart, fitted on the training rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    /// The columns.
    pub columns: Vec<GroupColumn>,
    /// The threshold of the positive class by group of all columns together, if groups have their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub thresholds: BTreeMap<String, f64>,
    /// Why groups have no thresholds of their own although they were asked for, and what helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmitigated: Option<String>,
}

/// A column whose cells are groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupColumn {
    /// Its name.
    pub name: String,
    /// The edges between its bands, ascending, if it is cut into bands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edges: Option<Vec<f64>>,
    /// How the numbers that are cut into bands are written, if not as programs write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<NumberReading>,
}

/// Finds a column of some rows by its name.
pub(crate) type Find<'a> = dyn Fn(&str) -> Result<ArrayRef, DataError> + 'a;

/// Finds a column among those with names.
pub(crate) fn find_in(
    columns: &[(String, ArrayRef)],
) -> impl Fn(&str) -> Result<ArrayRef, DataError> {
    move |name| {
        let found = columns.iter().find(|(known, _)| known == name);
        let missing = || DataError::MissingColumn {
            column: name.to_owned(),
            known: columns.iter().map(|(known, _)| known.clone()).collect(),
            file: None,
        };
        found.map(|(_, array)| array.clone()).ok_or_else(missing)
    }
}

impl Groups {
    /// From the training rows and how their cells are read; with what is to be said of how they were cut.
    ///
    /// # Errors
    ///
    /// A key of the configuration, and what is wrong with the column that it names.
    pub fn fit(
        config: &FairnessConfig,
        (train, table): (&[(String, ArrayRef)], &TableConfig),
    ) -> Result<(Self, Vec<String>), Refusal> {
        let refuse = |error: DataError| ("fairness.groups".to_owned(), error.to_string());
        let find = find_in(train);
        let (mut columns, mut notes) = (Vec::new(), Vec::new());
        for name in &config.groups {
            let array = find(name).map_err(refuse)?;
            let (column, told) = column(config, (name, &array), table)?;
            let names = column.names(&array).map_err(refuse)?;
            notes.extend(told);
            notes.extend(column.check(&names)?);
            columns.push(column);
        }
        let groups = Self {
            columns,
            thresholds: BTreeMap::new(),
            unmitigated: None,
        };
        Ok((groups, notes))
    }

    /// The groups of some rows: of each column, then of all columns together if there are several.
    ///
    /// # Errors
    ///
    /// If a column is missing, or holds lists.
    pub(crate) fn partitions(&self, find: &Find<'_>) -> Result<Vec<Partition>, DataError> {
        let each = self.each(find)?;
        let columns = self.columns.iter().zip(&each);
        let mut partitions: Vec<Partition> = columns
            .map(|(column, names)| {
                let partition = Partition::new(&column.name, names);
                partition.sorted_by_key(|rows| column.place(&names[rows[0]]))
            })
            .collect();
        if each.len() > 1 {
            let together = Partition::new(self.name(), &joined(&each));
            partitions.push(
                match self.columns.iter().any(|column| column.edges.is_some()) {
                    true => in_order(together, &partitions, &each),
                    false => together,
                },
            );
        }
        Ok(partitions)
    }

    /// The group of each row by all columns together.
    ///
    /// # Errors
    ///
    /// As [`partitions`](Self::partitions).
    pub(crate) fn joined(&self, find: &Find<'_>) -> Result<Vec<String>, DataError> {
        Ok(joined(&self.each(find)?))
    }

    /// What the columns are called together.
    pub(crate) fn name(&self) -> String {
        join(self.columns.iter().map(|column| column.name.as_str()))
    }

    pub(super) fn each(&self, find: &Find<'_>) -> Result<Vec<Vec<String>>, DataError> {
        let columns = self.columns.iter();
        columns
            .map(|column| column.names(&find(&column.name)?))
            .collect()
    }
}

/// What stands between the names of several columns, and of their groups.
const AND: &str = " & ";

/// The groups of all columns together, in the order that each column has its own in.
fn in_order(together: Partition, columns: &[Partition], each: &[Vec<String>]) -> Partition {
    let places = columns.iter().map(|column| {
        let names = column.groups().map(|(name, _)| name.as_str());
        names.zip(0..).collect::<BTreeMap<&str, usize>>()
    });
    let places: Vec<_> = places.collect();
    together.sorted_by_key(|rows| {
        let each = places.iter().zip(each);
        let each = each.map(|(places, names)| places[names[rows[0]].as_str()]);
        each.collect::<Vec<usize>>()
    })
}

/// The group of each row by all columns.
fn joined(each: &[Vec<String>]) -> Vec<String> {
    let rows = each.first().map_or(0, Vec::len);
    let of = |row: usize| each.iter().map(move |names| names[row].as_str());
    (0..rows).map(|row| join(of(row))).collect()
}

/// Several names as one. No two lists of names give the same: of several, one that could be taken for more than
/// one name is quoted.
fn join<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let is_alone = names.len() == 1;
    let part = |name: &str| match is_alone || name.starts_with('"') {
        false if format!(" {name} ").contains(AND) => format!("{name:?}"),
        _ => name.to_owned(),
    };
    names.map(part).collect::<Vec<_>>().join(AND)
}

/// The name of the group of a cell: quoted where it reads like that of no cell, or like one in quotes.
fn name_of(cell: &str) -> String {
    match cell == MISSING || cell.starts_with('"') {
        true => format!("{cell:?}"),
        false => cell.to_owned(),
    }
}

impl GroupColumn {
    /// The group of each row.
    fn names(&self, array: &ArrayRef) -> Result<Vec<String>, DataError> {
        let read = self.reading.as_ref().map(|reading| reading.read(array));
        let cells: StringArray = cell_texts(&self.name, read.as_ref().unwrap_or(array))?;
        Ok(cells.iter().map(|cell| self.group(cell)).collect())
    }

    fn group(&self, cell: Option<&str>) -> String {
        let cell = cell.map(str::trim).filter(|cell| !cell.is_empty());
        match (cell, &self.edges) {
            (None, _) => MISSING.into(),
            (Some(cell), None) => name_of(cell),
            (Some(cell), Some(edges)) => match cell.parse::<f64>() {
                Ok(number) if number.is_nan() => MISSING.into(),
                Ok(number) => {
                    let above = edges.iter().take_while(|edge| number >= **edge).count();
                    band(above, edges)
                }
                Err(_) => NO_NUMBER.into(),
            },
        }
    }

    /// Where a group stands among the others: bands by their numbers, what is no number behind them.
    fn place(&self, group: &str) -> usize {
        let edges = self.edges.as_deref().unwrap_or_default();
        if edges.is_empty() {
            return 0;
        }
        let place = (0..=edges.len()).find(|above| band(*above, edges) == group);
        place.unwrap_or(edges.len() + 1)
    }

    /// Refuses a column that names its rows; says where groups differ in the case of letters alone.
    fn check(&self, names: &[String]) -> Result<Option<String>, Refusal> {
        let distinct: BTreeSet<&String> = names.iter().collect();
        if distinct.len() > MOST {
            let message = format!(
                "{:?} has {} different values in the training rows, and at most {MOST} are compared; numbers are cut into bands if nearly every cell is one",
                self.name,
                distinct.len()
            );
            return Err(("fairness.groups".into(), message));
        }
        let mut spellings: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for name in distinct {
            spellings.entry(name.to_lowercase()).or_default().push(name);
        }
        let alike = spellings.into_values().find(|names| names.len() > 1);
        Ok(alike.map(|names| {
            format!(
                "fairness: {:?} has groups that differ in the case of letters alone, {names:?}; they are compared as different ones",
                self.name
            )
        }))
    }
}

/// The band of numbers that are above so many edges, or on the last of them.
fn band(above: usize, edges: &[f64]) -> String {
    match (
        above.checked_sub(1).map(|below| edges[below]),
        edges.get(above),
    ) {
        (None, Some(high)) => format!("< {high}"),
        (Some(low), Some(high)) => format!("{low} to < {high}"),
        (Some(low), None) => format!(">= {low}"),
        (None, None) => unreachable!("bands have an edge"),
    }
}

/// A column of groups, and what is to be said of how it is read and cut.
fn column(
    config: &FairnessConfig,
    (name, array): (&str, &ArrayRef),
    table: &TableConfig,
) -> Result<(GroupColumn, Vec<String>), Refusal> {
    let given = config.bands.get(name);
    let no_bands = |why: &str| {
        let message = format!("is for columns whose cells are numbers such as 1.5{why}");
        (format!("fairness.bands.{name}"), message)
    };
    let refuse = |error: DataError| match given {
        Some(_) => no_bands(&format!(": {error}")),
        None => ("fairness.groups".to_owned(), error.to_string()),
    };
    let found = number_reading((name, array), given.is_some(), table);
    let (reading, told) = found.map_err(refuse)?;
    let notes = told.iter().map(|note| format!("fairness: {note}"));
    let mut notes: Vec<String> = notes.collect();
    let read = reading.as_ref().map(|reading| reading.read(array));
    let read = read.as_ref().unwrap_or(array);
    let is_measured = infer_kind(read) == ColumnKind::Numeric && read.null_count() < read.len();
    let (edges, note) = match given {
        Some(_) if !is_measured => return Err(no_bands("")),
        Some(edges) => (Some(edges.clone()), None),
        None if !is_measured => (None, None),
        None => {
            let numbers = cell_numbers(name, read).map_err(refuse)?;
            edges(config, name, numbers.iter().flatten().collect())
        }
    };
    notes.extend(note);
    let column = GroupColumn {
        name: name.to_owned(),
        reading: reading.filter(|_| edges.is_some()),
        edges,
    };
    Ok((column, notes))
}

/// The edges of the bands of a column with these numbers, if it is cut, and what is to be said of that.
fn edges(
    config: &FairnessConfig,
    name: &str,
    mut numbers: Vec<f64>,
) -> (Option<Vec<f64>>, Option<String>) {
    numbers.sort_by(f64::total_cmp);
    let distinct = numbers.chunk_by(|a, b| a == b).count();
    let key = || format!("fairness.bands.{name} = [...] chooses other edges");
    if distinct <= FEW {
        let note = format!(
            "fairness: each of the {distinct} numbers in {name:?} is a group; {}",
            key()
        );
        return (None, (distinct > 2).then_some(note));
    }
    let edges = quantiles(&numbers, config.quantiles);
    let shown: Vec<String> = edges.iter().map(f64::to_string).collect();
    let note = format!(
        "fairness: {name:?} is cut into {} bands of about as many training rows, at {}; {}",
        edges.len() + 1,
        shown.join(", "),
        key()
    );
    (Some(edges), Some(note))
}

/// Edges that part ascending numbers into so many bands, or fewer where many are alike.
fn quantiles(sorted: &[f64], bands: usize) -> Vec<f64> {
    let at = (1..bands).map(|band| sorted[band * sorted.len() / bands]);
    let mut edges: Vec<f64> = at.filter(|edge| *edge > sorted[0]).collect();
    edges.dedup();
    if edges.is_empty() {
        // More than half of the numbers are the smallest one: the others are a band.
        edges.extend(sorted.iter().find(|number| **number > sorted[0]));
    }
    edges
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fireclay_data::arrow::array::{Float64Array, Int64Array};

    use super::*;

    fn texts(cells: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(cells.to_vec()))
    }

    fn fit(config: &FairnessConfig, column: ArrayRef) -> Result<(Groups, Vec<String>), Refusal> {
        let table = TableConfig::new("", "");
        Groups::fit(config, (&[("g".to_owned(), column)], &table))
    }

    #[test]
    fn texts_are_groups_as_they_are() {
        let column = texts(&[Some(" a"), Some("b "), None, Some(""), Some("A")]);
        let (groups, notes) = fit(&FairnessConfig::new(["g"]), column.clone()).unwrap();
        let names = groups.joined(&find_in(&[("g".into(), column)])).unwrap();
        assert_eq!(names, ["a", "b", "(missing)", "(missing)", "A"]);
        assert!(notes[0].contains("case of letters"), "{notes:?}");
    }

    #[test]
    fn numbers_are_cut_at_quantiles_or_at_the_edges_that_are_given() {
        let ages: ArrayRef = Arc::new(Int64Array::from_iter_values(1..=40));
        let (groups, notes) = fit(&FairnessConfig::new(["g"]), ages.clone()).unwrap();
        let found = groups.columns[0].edges.clone().unwrap();
        assert_eq!(found, [11.0, 21.0, 31.0]);
        assert!(
            notes[0].contains("at 11, 21, 31; fairness.bands.g"),
            "{notes:?}"
        );
        let mut config = FairnessConfig::new(["g"]);
        config.bands.insert("g".into(), vec![18.0, 30.0]);
        let (groups, notes) = fit(&config, ages).unwrap();
        assert!(notes.is_empty());
        let cells = texts(&[
            Some("17.5"),
            Some("18"),
            Some("29"),
            Some("30"),
            Some("x"),
            None,
        ]);
        let names = groups.joined(&find_in(&[("g".into(), cells)])).unwrap();
        let bands = [
            "< 18",
            "18 to < 30",
            "18 to < 30",
            ">= 30",
            "(no number)",
            "(missing)",
        ];
        assert_eq!(names, bands);
    }

    #[test]
    fn numbers_are_read_as_those_of_features_are() {
        let wages = (0..400).map(|row| match row % 20 {
            19 => "k.A.".to_owned(),
            _ => format!("${},{:03}", 40 + row / 10, row),
        });
        let wages: ArrayRef = Arc::new(StringArray::from_iter_values(wages));
        let mut config = FairnessConfig::new(["g"]);
        config.bands.insert("g".into(), vec![50_000.0, 60_000.0]);
        for config in [FairnessConfig::new(["g"]), config] {
            let (groups, notes) = fit(&config, wages.clone()).unwrap();
            assert!(notes[0].contains("\"k.A.\""), "{notes:?}");
            let columns = [("g".to_owned(), wages.clone())];
            let found = groups.partitions(&find_in(&columns)).unwrap();
            let names: Vec<&String> = found[0].groups().map(|(name, _)| name).collect();
            let sizes = found[0].groups().map(|(_, rows)| rows.len());
            // Bands in the order of their numbers, and what is no number behind them.
            assert_eq!(names.last().unwrap().as_str(), MISSING);
            assert_eq!(sizes.last(), Some(20));
            assert!(names[0].starts_with("< "), "{names:?}");
            assert!(names[names.len() - 2].starts_with(">= "), "{names:?}");
        }
        let (groups, _) = fit(&FairnessConfig::new(["g"]), wages).unwrap();
        assert_eq!(groups.columns[0].edges.as_ref().unwrap().len(), 3);
        let kept = serde_json::to_string(&groups).unwrap();
        let groups: Groups = serde_json::from_str(&kept).unwrap();
        let later = texts(&[Some("$1,000"), Some("$99,000"), None, Some("?")]);
        let names = groups.joined(&find_in(&[("g".into(), later)])).unwrap();
        assert!(
            names[0].starts_with("< ") && names[1].starts_with(">= "),
            "{names:?}"
        );
        assert_eq!(names[2..], [MISSING, MISSING]);
    }

    #[test]
    fn a_few_numbers_are_groups_and_names_of_rows_are_not() {
        let codes: ArrayRef = Arc::new(Float64Array::from_iter_values([0.0, 1.0, 1.0]));
        let (groups, notes) = fit(&FairnessConfig::new(["g"]), codes).unwrap();
        assert_eq!((&groups.columns[0].edges, notes.len()), (&None, 0));
        let rows: Vec<String> = (0..300).map(|row| format!("person {row}")).collect();
        let rows: ArrayRef = Arc::new(StringArray::from_iter_values(rows));
        let (key, message) = fit(&FairnessConfig::new(["g"]), rows).unwrap_err();
        assert_eq!(key, "fairness.groups");
        assert!(message.contains("300 different values"), "{message}");
        let mut config = FairnessConfig::new(["g"]);
        config.bands.insert("g".into(), vec![1.0]);
        let (key, _) = fit(&config, texts(&[Some("a"), Some("b")])).unwrap_err();
        assert_eq!(key, "fairness.bands.g");
    }

    #[test]
    fn several_columns_are_compared_together_too() {
        let columns = [
            ("a".to_owned(), texts(&[Some("x"), Some("y"), Some("x")])),
            ("b".to_owned(), texts(&[Some("1x"), Some("1x"), Some("2x")])),
        ];
        let (groups, _) = Groups::fit(
            &FairnessConfig::new(["a", "b"]),
            (&columns, &TableConfig::new("", "")),
        )
        .unwrap();
        let found = groups.partitions(&find_in(&columns)).unwrap();
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a & b"]);
        let joined: Vec<&String> = found[2].groups().map(|(name, _)| name).collect();
        assert_eq!(joined, ["x & 1x", "x & 2x", "y & 1x"]);
    }

    #[test]
    fn no_two_groups_have_the_same_name() {
        let a = ["x & y", "x", "x &", "x", "(missing)", "", "\"x\"", "&"];
        let b = ["z", "y & z", "z", "& z", "q", "q", "z", "z"];
        let column =
            |cells: &[&str]| texts(&cells.iter().map(|cell| Some(*cell)).collect::<Vec<_>>());
        let columns = [("a".to_owned(), column(&a)), ("b".to_owned(), column(&b))];
        let groups = |names: &[&str]| {
            let config = FairnessConfig::new(names.iter().copied());
            let table = TableConfig::new("", "");
            Groups::fit(&config, (&columns, &table)).unwrap().0
        };
        let both = groups(&["a", "b"]);
        let names = both.joined(&find_in(&columns)).unwrap();
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), a.len(), "{names:?}");
        assert_eq!(names[..2], ["\"x & y\" & z", "x & \"y & z\""]);
        let partitions = both.partitions(&find_in(&columns)).unwrap();
        assert_eq!(partitions[2].groups().count(), a.len());
        // A column alone needs quotes for what reads like no cell.
        let names = groups(&["a"]).joined(&find_in(&columns)).unwrap();
        let wanted = ["x & y", "x", "x &", "x", "\"(missing)\"", "(missing)"];
        assert_eq!(names[..6], wanted);
        assert_eq!(join(["a & b", "c"].into_iter()), "\"a & b\" & c");
    }

    #[test]
    fn a_column_of_one_usual_number_still_has_two_bands() {
        let mut sorted = vec![0.0; 30];
        sorted.extend((1..=12).map(f64::from));
        assert_eq!(quantiles(&sorted, 4), [2.0]);
        let mut sorted = vec![0.0; 300];
        sorted.extend((1..=12).map(f64::from));
        assert_eq!(quantiles(&sorted, 4), [1.0]);
    }
}

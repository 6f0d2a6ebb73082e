//! What the cells of a column mean: nearly all of them decide, and what is guessed is told.

use fireclay_data::arrow::array::{Array, AsArray};
use fireclay_data::arrow::datatypes::Float64Type;
use fireclay_data::{
    CategoricalEncoding, ColumnKind, DataReport, Guess, Preprocess, Split, Table, TableConfig,
    TableData, TableFormat, TargetKind, Unseen, guess, guess_for, infer_kind, inspect, split,
};

use crate::preprocessing::load;
use crate::{Files, csv, messages, refused, with};

/// The column `x` of these cells, interpreted beside a target of two classes, with what was said.
fn read(cells: impl IntoIterator<Item = String>) -> (Table, String) {
    read_with(cells, |_| ())
}

fn read_with(
    cells: impl IntoIterator<Item = String>,
    change: impl FnOnce(&mut TableConfig),
) -> (Table, String) {
    let files = Files::new();
    let rows = cells.into_iter().enumerate();
    let rows = rows.map(|(row, cell)| format!("\"{cell}\",{}\n", ["a", "b"][row * row % 7 % 2]));
    let path = files.write("t.csv", format!("x,y\n{}", rows.collect::<String>()));
    let config = with(TableConfig::new(path, "y"), change);
    let table = Table::load(TableFormat::Csv, &config).unwrap();
    let rows: Vec<usize> = (0..table.rows()).collect();
    let report = inspected(&table, &config, rows);
    let said = messages(&report.warnings);
    let said = said.lines().filter(|line| line.starts_with("column \"x\""));
    let said = said.collect();
    (table, said)
}

fn inspected(table: &Table, config: &TableConfig, train: Vec<usize>) -> DataReport {
    let splits = fireclay_data::Splits {
        train,
        ..fireclay_data::Splits::default()
    };
    inspect(table, &splits, config, TargetKind::Class).unwrap()
}

fn kind(table: &Table) -> ColumnKind {
    infer_kind(table.column("x").unwrap())
}

/// The numbers of the column `x`; NaN where there is none.
fn numbers(table: &Table) -> Vec<f64> {
    let column = table.column("x").unwrap();
    let values = column.as_primitive_opt::<Float64Type>();
    let values = values.unwrap_or_else(|| panic!("{:?} are no numbers", column.data_type()));
    values
        .iter()
        .map(|value| value.unwrap_or(f64::NAN))
        .collect()
}

fn counted(count: usize, odd: &[&str]) -> Vec<String> {
    let odd = odd.iter().map(|cell| (*cell).to_owned());
    (0..count)
        .map(|row| format!("{row}.5"))
        .chain(odd)
        .collect()
}

#[test]
fn null_words_of_pandas_are_missing() {
    let words = [
        "n/a", "#N/A", "<NA>", "-nan", "1.#QNAN", "NULL", "?", "None", "#NA",
    ];
    let (table, said) = read(counted(30, &words));
    assert_eq!(kind(&table), ColumnKind::Numeric);
    assert_eq!(table.column("x").unwrap().null_count(), words.len());
    assert!(!said.contains("cells are numbers"), "{said}");
}

#[test]
fn odd_cells_among_numbers_are_missing_and_shown() {
    for odd in [
        &["-", "-"][..],
        &["Unknown", "Unknown"],
        &["#DIV/0!"],
        &["Total"],
        &["12a", "b7?"],
    ] {
        let (table, said) = read(counted(60, odd));
        assert_eq!(
            numbers(&table)
                .iter()
                .filter(|value| value.is_nan())
                .count(),
            odd.len()
        );
        assert_eq!(numbers(&table)[7], 7.5);
        let count = format!("60 of {} cells are numbers", 60 + odd.len());
        assert!(
            said.contains(&count) && said.contains(&format!("{:?}", odd[0])),
            "{said}"
        );
        assert!(
            said.contains("row 61") && said.contains("kind = \"categorical\""),
            "{said}"
        );
    }
    let (units, said) = read([String::from("years")].into_iter().chain(counted(15, &[])));
    assert!(
        numbers(&units)[0].is_nan() && said.contains("\"years\" (row 1)"),
        "{said}"
    );
}

#[test]
fn codes_ratings_and_halves_stay_categories() {
    let icd = (0..200).map(|row| match row % 20 {
        0 => format!("V{}", 50 + row % 7),
        1 => format!("E{}", 10 + row % 3),
        _ => format!("{}.{}", 200 + row % 40, row % 9),
    });
    let (icd, said) = read(icd);
    assert_eq!(kind(&icd), ColumnKind::Categorical);
    assert!(
        said.contains("180 of 200 cells are numbers, but too many"),
        "{said}"
    );
    let (ratings, said) = read((0..100).map(|row| match row {
        50 => "other".into(),
        row => (row % 5).to_string(),
    }));
    assert_eq!((kind(&ratings), &*said), (ColumnKind::Categorical, ""));
    let (postcodes, said) = read((0..100).map(|row| format!("{:05}", row * 997 % 90_000)));
    assert_eq!(kind(&postcodes), ColumnKind::Categorical);
    assert!(
        said.contains("are codes") && said.contains("kind = \"numeric\""),
        "{said}"
    );
    let (ages, _) = read((0..100).map(|row| {
        if row == 5 {
            "05".into()
        } else {
            (row % 60).to_string()
        }
    }));
    assert_eq!(kind(&ages), ColumnKind::Numeric);
    let numeric = |config: &mut TableConfig| {
        config.columns.entry("x".into()).or_default().kind = Some(ColumnKind::Numeric);
    };
    let (forced, _) = read_with(
        (0..100).map(|row| format!("{:05}", row * 997 % 90_000)),
        numeric,
    );
    let config = with(TableConfig::new("t.csv", "y"), numeric);
    let rows: Vec<usize> = (0..100).collect();
    let (preprocess, _) = Preprocess::fit(&forced, &rows, &config, TargetKind::Class).unwrap();
    assert_eq!(preprocess.feature_names(), ["x"]);
}

#[test]
fn a_kind_that_is_ordered_lists_what_is_not_of_it() {
    let files = Files::new();
    let row = |row: usize| {
        format!(
            "{},{}",
            ["1.5", "low", "2", "high", "low"][row % 5],
            row % 2
        )
    };
    let mut config = TableConfig::new(files.write("t.csv", csv("x,y", 50, row)), "y");
    for (kind, what) in [
        (
            ColumnKind::Numeric,
            "is to be read as numbers, but 30 of 50 cells are not: \"low\" (20 cells, first in row 2), \"high\" (10 cells, first in row 4)",
        ),
        (
            ColumnKind::Boolean,
            "is to be read as words of yes or no, but 50 of 50 cells are not",
        ),
    ] {
        config.columns.entry("x".into()).or_default().kind = Some(kind);
        refused(
            Table::load(TableFormat::Csv, &config),
            &["column \"x\"", what],
        );
    }
}

#[test]
fn odd_dates_and_booleans_are_missing() {
    let (dates, said) = read((0..40).map(|row| match row {
        9 => "0000-00-00".into(),
        row => format!("2024-01-{:02} 10:00:00 UTC", 1 + row % 28),
    }));
    assert_eq!(kind(&dates), ColumnKind::Date);
    assert_eq!(dates.column("x").unwrap().null_count(), 1);
    assert!(
        said.contains("39 of 40 cells are dates") && said.contains("0000-00-00"),
        "{said}"
    );
    for date in ["Tue, {} Nov 1994 08:12:31 GMT", "{}.01.21"] {
        let (dates, said) =
            read((0..40).map(|row| date.replace("{}", &format!("{:02}", 1 + row % 28))));
        assert_eq!((kind(&dates), &*said), (ColumnKind::Date, ""), "{date}");
    }
    let truth = |row: usize| {
        if row == 8 {
            "-".into()
        } else {
            ["yes", "No", "Y"][row % 3].to_owned()
        }
    };
    let (truths, said) = read((0..40).map(truth));
    assert_eq!(kind(&truths), ColumnKind::Boolean);
    assert!(
        said.contains("39 of 40 cells are words of yes or no"),
        "{said}"
    );
    let (three, _) = read((0..40).map(|row| ["yes", "no", "maybe"][row % 3].to_owned()));
    assert_eq!(kind(&three), ColumnKind::Categorical);
}

#[test]
fn numbers_of_other_countries_are_read_and_told() {
    for (cell, value, words) in [
        ("1{},25", 11.25, "a decimal comma"),
        (
            "1.2{}4,5",
            1214.5,
            "a decimal comma and \".\" between thousands",
        ),
        (
            "1 2{}4,5",
            1214.5,
            "a decimal comma and blanks between thousands",
        ),
        ("1\u{a0}2{}4,5", 1214.5, "blanks between thousands"),
        ("1,2{}4.5", 1214.5, "\",\" between thousands"),
        ("$1,2{}4", 1214.0, "and \"$\""),
        ("1{} %", 11.0, "and \"%\""),
        ("1{},5 €", 11.5, "a decimal comma and \"€\""),
    ] {
        let (table, said) = read((0..60).map(|row| cell.replace("{}", &(row % 10).to_string())));
        assert_eq!(numbers(&table)[1], value, "{cell}");
        assert!(
            said.contains(words) && said.contains("data.decimal"),
            "{cell}: {said}"
        );
    }
    let (minus, said) = read((0..60).map(|row| format!("\u{2212}{row}")));
    assert_eq!(numbers(&minus)[5], -5.0);
    assert!(said.contains("are read as"), "{said}");
}

#[test]
fn a_mark_that_says_nothing_is_judged_by_the_table() {
    let load = |header: &str, delimiter: &str, row: &dyn Fn(usize) -> String| {
        let files = Files::new();
        let mut config = TableConfig::new(files.write("t.csv", csv(header, 60, row)), "y");
        config.delimiter = Some(delimiter.into());
        Table::load(TableFormat::Csv, &config).unwrap()
    };
    let class = |row: usize| row * row % 7 % 2;
    let alone = load("x,y", ",", &|row| {
        format!("\"1,{}\",{}", 200 + row, class(row))
    });
    assert_eq!(numbers(&alone)[3], 1203.0);
    let semicolons = load("x;y", ";", &|row| format!("1,{};{}", 200 + row, class(row)));
    assert_eq!(numbers(&semicolons)[3], 1.203);
    let points = load("x;z;y", ";", &|row| {
        format!("1,{};{}.5;{}", 200 + row, row, class(row))
    });
    assert_eq!(numbers(&points)[3], 1203.0);
    let thousands = load("x;z;y", ";", &|row| {
        format!("1.{};{},5;{}", 200 + row, row, class(row))
    });
    assert_eq!(numbers(&thousands)[3], 1203.0);
    let thousand = |row: usize| match row % 2 {
        0 => format!("1.{}0", 20 + row),
        _ => (900 + row).to_string(),
    };
    let zeros = load("x,y", ",", &|row| {
        format!("{},{}", thousand(row), class(row))
    });
    assert_eq!(numbers(&zeros)[..2], [1200.0, 901.0]);
    let plain = load("x;y", ";", &|row| format!("1.{};{}", 200 + row, class(row)));
    assert_eq!(infer_kind(plain.column("x").unwrap()), ColumnKind::Numeric);
    assert!(plain.column("x").unwrap().as_string_opt::<i32>().is_some());
}

#[test]
fn keys_that_are_given_leave_nothing_to_guess() {
    let comma = |row: usize| format!("1,{}", 200 + row);
    let (decimal, said) = read_with((0..60).map(comma), |config| {
        config.decimal = Some(",".into())
    });
    assert_eq!((numbers(&decimal)[3], &*said), (1.203, ""));
    let (thousands, _) = read_with((0..60).map(comma), |config| {
        config.thousands = Some(",".into())
    });
    assert_eq!(numbers(&thousands)[3], 1203.0);
    let (other, said) = read_with((0..60).map(|row| format!("{row}.5")), |config| {
        config.decimal = Some(",".into());
    });
    assert_eq!(kind(&other), ColumnKind::Numeric);
    assert!(said.contains("have decimal points"), "{said}");
    for (key, value) in [("decimal", ";"), ("thousands", "."), ("thousands", "ab")] {
        let mut config = TableConfig::new("t.csv", "y");
        let option = if key == "decimal" {
            &mut config.decimal
        } else {
            &mut config.thousands
        };
        *option = Some(value.into());
        assert_eq!(config.validate(TableFormat::Csv)[0].0, key);
    }
}

#[test]
fn a_run_reads_other_tables_as_its_own() {
    let files = Files::new();
    let row = |row: usize| match row {
        7 => "-,1".to_owned(),
        row => format!("\"{},5\",{}", row % 29, row * row % 7 % 2),
    };
    let config = TableConfig::new(files.write("t.csv", csv("x,y", 90, row)), "y");
    let data = load(&config).unwrap();
    let json = data.preprocess.to_json();
    assert!(json.contains("\"reading\""), "{json}");
    let preprocess = Preprocess::from_json(&json).unwrap();
    let other = crate::table("x,y\n\"3,5\",0\n3.5,1\n\"4,5\",1\n");
    let features = preprocess.encode(other.batch()).unwrap();
    let again = data
        .preprocess
        .encode(Table::load(TableFormat::Csv, &config).unwrap().batch())
        .unwrap();
    assert_eq!(features.numeric[0], again.numeric[3 * again.numeric_width]);
    assert_eq!(features.numeric[3], 1.0, "what does not fit is missing");
    let mut unseen = Unseen::default();
    unseen.add(&preprocess, other.batch()).unwrap();
    let odd = messages(&unseen.notes(&config));
    assert!(
        odd.contains(
            "1 cells are not what training read there and are read as missing, first \"3.5\""
        ),
        "{odd}"
    );
    let path = files.write("o.csv", "x,y\n\"3,5\",0\n\"4,5\",1\n");
    let options = preprocess.options(TableFormat::Csv, &config);
    assert_eq!(
        Split::load(&path, &options, &preprocess, &config)
            .unwrap()
            .0
            .len(),
        2
    );
}

#[test]
fn ordinary_tables_are_saved_as_before() {
    let table = crate::table("x,c,y\n1,a,0\n2,b,1\n3,a,0\n");
    let (preprocess, _) =
        Preprocess::fit(&table, &[0, 1, 2], &crate::config("y"), TargetKind::Class).unwrap();
    let json = preprocess.to_json();
    assert!(
        !json.contains("reading") && !json.contains("statistics"),
        "{json}"
    );
}

#[test]
fn words_that_a_run_knows_are_not_missing() {
    let old = crate::table("c,y\nx,0\nz,1\nx,0\n");
    let (preprocess, _) =
        Preprocess::fit(&old, &[0, 1, 2], &crate::config("y"), TargetKind::Class).unwrap();
    let old = preprocess.to_json().replace("\"z\"", "\"n/a\"");
    let old = Preprocess::from_json(&old).unwrap();
    let words = |preprocess: &Preprocess| {
        preprocess
            .options(TableFormat::Csv, &crate::config("y"))
            .null_values
    };
    assert!(words(&preprocess).contains(&"n/a".to_owned()));
    assert!(!words(&old).contains(&"n/a".to_owned()) && words(&old).contains(&"NA".to_owned()));
}

#[test]
fn odd_targets_are_missing_and_not_classes() {
    let files = Files::new();
    let price = csv("a,price", 90, |row| match row % 9 {
        0 => format!("{}.5,-", row % 31),
        _ => format!("{}.5,\"{},25\"", row % 31, row * 37 % 89),
    });
    let path = files.write("price.csv", price);
    let guessed = guess(&path).unwrap();
    assert_eq!(
        (guessed.target_kind, guessed.missing_target),
        (TargetKind::Number, 10)
    );
    let notes = guessed.notes.join("\n");
    assert!(
        notes.contains("80 of 90 cells are numbers") && notes.contains("decimal comma"),
        "{notes}"
    );
    let config = TableConfig::new(&path, "price");
    let load =
        |config: &TableConfig| TableData::load(TableFormat::Csv, config, 1, TargetKind::Number);
    refused(load(&config), &["row 1", "the target is missing"]);
    let dropped = with(config, |config| {
        config.missing_target = fireclay_data::MissingTarget::Drop
    });
    let data = load(&dropped).unwrap();
    assert_eq!(
        data.named()
            .map(|(_, split)| split.len())
            .iter()
            .sum::<usize>(),
        80
    );
    let label = csv("a,label", 90, |row| {
        format!("{}.5,{}", row % 31, ["n/a", "0", "1"][row % 3])
    });
    let guessed = guess(&files.write("label.csv", label)).unwrap();
    assert!(
        guessed.columns[1].reason.contains("2 classes"),
        "{:?}",
        guessed.columns
    );
}

fn described(guess: &Guess, name: &str) -> String {
    let mut columns = guess.columns.iter();
    columns
        .find(|column| column.name == name)
        .unwrap()
        .reason
        .clone()
}

#[test]
fn labels_of_yes_and_no_are_two_classes_everywhere() {
    let files = Files::new();
    for (labels, classes) in [
        (
            &["Yes", "yes", "Yes", "YES", "Y", "No", "no", "No", "N"][..],
            ["No", "Yes"],
        ),
        (
            &["True", "true", "1", "False", "false", "0", "False", "True"],
            ["False", "True"],
        ),
        (&["1", "1.0", "0", "0.0", "1"], ["0", "1"]),
    ] {
        let row = |row: usize| format!("{}.5,{}", row * 7 % 31, labels[row % labels.len()]);
        let path = files.write("t.csv", csv("x,y", 180, row));
        let guessed = guess_for(&path, "y").unwrap();
        assert_eq!(described(&guessed, "y"), "the target, 2 classes");
        let config = with(TableConfig::new(&path, "y"), |config| {
            config.split.stratify = true
        });
        let table = Table::load(TableFormat::Csv, &config).unwrap();
        let splits = split(&table, &config, 1, TargetKind::Class).unwrap();
        let report = inspect(&table, &splits, &config, TargetKind::Class).unwrap();
        assert_eq!(report.splits[0].classes.keys().collect::<Vec<_>>(), classes);
        let data = load(&config).unwrap();
        assert_eq!(data.preprocess.classes(), classes);
        if labels.len() > 5 {
            for said in [
                guessed.notes.join("\n"),
                messages(&report.warnings),
                messages(&data.notes),
            ] {
                assert!(said.contains("read as two classes"), "{said}");
            }
            let other = format!("x,y\n1,{}\n2,{}\n", labels[1], labels[labels.len() - 2]);
            let encoded = data
                .preprocess
                .encode_classes(crate::table(&other).batch())
                .unwrap();
            assert_eq!(encoded[0], 1);
        }
        let apart = with(config, |config| {
            config.columns.entry("y".into()).or_default().kind = Some(ColumnKind::Categorical);
        });
        assert_eq!(apart.validate(TableFormat::Csv), []);
        if labels.len() > 8 {
            assert_eq!(load(&apart).unwrap().preprocess.classes().len(), 7);
        }
    }
}

#[test]
fn labels_that_differ_in_case_are_warned_of() {
    let files = Files::new();
    let row = |row: usize| {
        format!(
            "{}.5,{}",
            row * 7 % 31,
            ["Red", "red", "blue", "light  blue", "light blue"][row % 5]
        )
    };
    let path = files.write("t.csv", csv("x,y", 100, row));
    let config = TableConfig::new(&path, "y");
    let table = Table::load(TableFormat::Csv, &config).unwrap();
    let report = inspected(&table, &config, (0..100).collect());
    let data = load(&config).unwrap();
    for said in [
        guess(&path).unwrap().notes.join("\n"),
        messages(&report.warnings),
        messages(&data.notes),
    ] {
        assert!(said.contains("differ only in case or blanks"), "{said}");
        assert!(
            said.contains("\"Red\", \"red\"") && said.contains("\"light  blue\""),
            "{said}"
        );
    }
}

#[test]
fn row_numbers_of_pandas_are_no_features() {
    let files = Files::new();
    let noise = |row: usize| row * 7919 % 1009;
    // Sorted by class before every third row was taken.
    let row = |row: usize| {
        format!(
            "{},{},{}",
            3 * row,
            noise(row),
            ["a", "b"][usize::from(row > 49)]
        )
    };
    for name in [
        "Unnamed: 0",
        "",
        "__index_level_0__",
        "level_0",
        "Unnamed: 0.1",
    ] {
        let path = files.write("t.csv", csv(&format!("{name},x,y"), 100, row));
        let guessed = guess_for(&path, "y").unwrap();
        let name = if name.is_empty() { "Unnamed: 0" } else { name };
        assert_eq!(guessed.ignore, [name]);
        let config = TableConfig::new(&path, "y");
        let data = load(&config).unwrap();
        let said = messages(&data.notes);
        assert!(
            said.contains(&format!("{name:?}: numbers the rows, as pandas")),
            "{said}"
        );
    }
    let path = files.write("t.csv", csv("when,x,y", 100, row));
    let notes = guess_for(&path, "y").unwrap().notes.join("\n");
    assert!(
        notes.contains("\"when\" tells the target nearly alone: 100.0 % of the rows"),
        "{notes}"
    );
}

#[test]
fn a_missing_value_that_tells_the_target_is_named() {
    let files = Files::new();
    let row = |row: usize| {
        let class = row * row % 7 % 2;
        let date = if class == 1 {
            format!("2024-01-{:02}", 1 + row % 28)
        } else {
            String::new()
        };
        format!("{},{date},{}", row * 31 % 101, ["no", "yes"][class])
    };
    let path = files.write("t.csv", csv("x,left,churn", 120, row));
    let said = messages(&load(&TableConfig::new(&path, "churn")).unwrap().notes);
    assert!(
        said.contains("column \"left\": whether it is missing tells the target nearly alone"),
        "{said}"
    );
    assert!(!said.contains("\"x\""), "{said}");
}

#[test]
fn whole_numbers_beside_a_large_offset_are_scaled() {
    let table = crate::table(&csv("t,y", 101, |row| {
        format!("{},{}", 1_600_000_000_000_001_u64 + row as u64, row % 2)
    }));
    let rows: Vec<usize> = (0..101).collect();
    let (preprocess, _) =
        Preprocess::fit(&table, &rows, &crate::config("y"), TargetKind::Class).unwrap();
    let numeric = preprocess.encode(table.batch()).unwrap().numeric;
    let std = (0..101)
        .map(|row| (f64::from(row) - 50.0).powi(2) / 101.0)
        .sum::<f64>()
        .sqrt();
    assert!(
        (f64::from(numeric[100]) - 50.0 / std).abs() < 0.02,
        "{}",
        numeric[100]
    );
    let row = |row: usize| {
        format!(
            "{},{row},{}",
            ["0.3", "0.30000000000000004"][row % 2],
            row % 2
        )
    };
    let constant = crate::table(&csv("t,x,y", 50, row));
    let rows: Vec<usize> = (0..50).collect();
    let (preprocess, _) =
        Preprocess::fit(&constant, &rows, &crate::config("y"), TargetKind::Class).unwrap();
    let noise = preprocess.encode(constant.batch()).unwrap().numeric;
    assert!(
        noise.chunks(2).all(|row| row[0].abs() < 1e-6),
        "the last digits of a fraction are noise"
    );
}

#[test]
fn large_unsigned_numbers_are_not_rounded() {
    use std::sync::Arc;

    use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
    let files = Files::new();
    let ids = UInt64Array::from_iter_values((0..300).map(|row| u64::MAX - row));
    let numbers = UInt64Array::from_iter_values((0..300).map(|row| row * row % 17));
    let classes = StringArray::from_iter_values((0..300).map(|row| ["a", "b"][row % 2]));
    let columns: [(&str, ArrayRef); 3] = [
        ("tweet_id", Arc::new(ids)),
        ("x", Arc::new(numbers)),
        ("y", Arc::new(classes)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = crate::preprocessing::rewrite(&files, &batch, TableFormat::Parquet);
    assert_eq!(
        guess_for(&path, "y").unwrap().id.as_deref(),
        Some("tweet_id")
    );
    let config = with(TableConfig::new(&path, "y"), |config| {
        config.id = Some("tweet_id".into())
    });
    let train = TableData::load(TableFormat::Parquet, &config, 1, TargetKind::Class)
        .unwrap()
        .train;
    let ids = train.carried.ids.unwrap();
    let ids: Vec<&str> = ids.as_string::<i32>().iter().flatten().collect();
    let rows = train.carried.rows.iter();
    let expected: Vec<String> = rows
        .map(|row| (u64::MAX - *row as u64).to_string())
        .collect();
    assert_eq!(ids, expected);
    assert_eq!(train.features.numeric_width, 1);
}

#[test]
fn many_categories_become_statistics_of_other_rows() {
    let files = Files::new();
    // The class of a row is that of its city; 150 cities of 8 rows, dealt in turn.
    let class = |city: usize| city * city % 7 % 2;
    let row = |row: usize| format!("c{},{},{}", row % 150, row % 13, class(row % 150));
    let path = files.write("t.csv", csv("city,x,y", 1200, row));
    let guessed = guess_for(&path, "y").unwrap();
    let notes = guessed.notes.join("\n");
    assert!(
        notes.contains("150 different texts, more than max_categories = 64"),
        "{notes}"
    );
    let config = TableConfig::new(&path, "y");
    let data = load(&config).unwrap();
    let said = messages(&data.notes);
    assert!(
        said.contains(" categories are more than max_categories = 64"),
        "{said}"
    );
    assert_eq!(data.preprocess.feature_names(), ["city.target", "x"]);
    let json = data.preprocess.to_json();
    assert_eq!(Preprocess::from_json(&json).unwrap(), data.preprocess);
    for (name, split) in data.named() {
        let rows = split.carried.rows.iter().enumerate();
        let is_right = |(position, row): &(usize, &usize)| {
            (split.features.numeric[2 * position] > 0.0) == (class(*row % 150) == 1)
        };
        let right = rows.filter(is_right).count();
        assert!(
            50 * right >= 49 * split.len(),
            "{name}: {right} of {}",
            split.len()
        );
    }
    let unknown = crate::table("city,x,y\nnowhere,1,0\n");
    assert_eq!(
        data.preprocess.encode(unknown.batch()).unwrap().numeric[0],
        0.0
    );
    let onehot = with(config.clone(), |config| {
        config.categorical = CategoricalEncoding::Onehot
    });
    assert_eq!(load(&onehot).unwrap().preprocess.numeric_width(), 65);
    let number = TableData::load(TableFormat::Csv, &config, 1, TargetKind::Number).unwrap();
    assert_eq!(number.preprocess.feature_names(), ["city.target", "x"]);
}

#[test]
fn statistics_do_not_tell_a_training_row_its_own_target() {
    let files = Files::new();
    // The target is noise: each of 200 names has two or three rows.
    let noise = |row: usize| ((row * 2_654_435_761) >> 7) % 97 % 2;
    let row = |row: usize| format!("n{},{},{}", row * 7 % 200, row % 13, noise(row));
    let mut config = TableConfig::new(files.write("t.csv", csv("name,x,y", 500, row)), "y");
    config.split = crate::all_train();
    let train = load(&config).unwrap().train;
    let pairs = || {
        train
            .carried
            .rows
            .iter()
            .enumerate()
            .map(|(position, row)| {
                (
                    f64::from(train.features.numeric[2 * position]),
                    noise(*row) as f64,
                )
            })
    };
    let count = pairs().count() as f64;
    let mean = |of: &dyn Fn((f64, f64)) -> f64| pairs().map(of).sum::<f64>() / count;
    let (a, b) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
    let (ab, aa, bb) = (
        mean(&|pair| (pair.0 - a) * (pair.1 - b)),
        mean(&|pair| (pair.0 - a).powi(2)),
        mean(&|pair| (pair.1 - b).powi(2)),
    );
    let correlation = ab / (aa * bb).sqrt();
    assert!(correlation < 0.15, "{correlation}");
}

#[test]
fn the_smallest_tables_train() {
    let files = Files::new();
    let line = files.write(
        "line.csv",
        csv("x,y", 10, |row| {
            format!("{},{}", row as f64 * 1.5, row as f64 * 3.1 + 0.5)
        }),
    );
    let ten = files.write(
        "ten.csv",
        csv("x,y", 10, |row| format!("{row},{}", ["a", "b"][row / 5])),
    );
    for path in [line, ten] {
        let guessed = guess(&path).unwrap();
        assert!(
            guessed.ignore.is_empty() && guessed.id.is_none(),
            "{guessed:?}"
        );
        assert!(
            guessed
                .notes
                .iter()
                .any(|note| note.contains("nothing else is left"))
        );
        let mut config = TableConfig::new(&path, &guessed.target);
        config.split.stratify = guessed.stratify;
        TableData::load(TableFormat::Csv, &config, 1, guessed.target_kind).unwrap();
    }
}

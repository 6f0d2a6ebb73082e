use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{
    CategoricalEncoding, ColumnKind, DataError, Features, Labels, Note, NumericScaling, Preprocess,
    ReadOptions, Split, Table, TableConfig, TableData, TableFormat, TableWriter, TargetKind,
    Unseen,
};
use proptest::prelude::*;

use crate::{Files, config, csv, messages, refused, table, with};

const MIXED: &str = "n,flag,city,day,y\n\
    1,True,Rome,2024-01-31,0\n\
    2,False,Oslo,2024-02-29,1\n\
    ,True,,2023-12-01,0\n\
    5,,Rome,,1\n";

fn fit_with_notes(table: &Table, config: &TableConfig) -> (Preprocess, Vec<Note>) {
    let rows: Vec<usize> = (0..table.rows()).collect();
    Preprocess::fit(table, &rows, config, TargetKind::Class).unwrap()
}

fn fit(table: &Table, config: &TableConfig) -> Preprocess {
    fit_with_notes(table, config).0
}

/// Classes from a CSV file, with the seed 1.
pub fn load(config: &TableConfig) -> Result<TableData, DataError> {
    TableData::load(TableFormat::Csv, config, 1, TargetKind::Class)
}

fn feature(preprocess: &Preprocess, features: &Features, name: &str) -> Vec<f32> {
    let names = preprocess.feature_names();
    let column = names.iter().position(|other| other == name);
    let column = column.unwrap_or_else(|| panic!("no {name} in {names:?}"));
    let rows = features.numeric.chunks(features.numeric_width);
    rows.map(|row| row[column]).collect()
}

#[test]
fn each_kind_becomes_what_it_should() {
    let table = table(MIXED);
    let preprocess = fit(&table, &config("y"));
    let features = preprocess.encode(table.batch()).unwrap();
    let get = |name| feature(&preprocess, &features, name);
    // Mean 8/3, population standard deviation sqrt(26/9).
    let scaled = |value: f64| ((value - 8.0 / 3.0) / (26f64 / 9.0).sqrt()) as f32;
    assert_eq!(get("n"), [scaled(1.0), scaled(2.0), 0.0, scaled(5.0)]);
    assert_eq!(get("n.missing"), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(get("flag"), [1.0, 0.0, 1.0, 2.0 / 3.0]);
    assert_eq!(get("flag.missing"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(get("city=Oslo"), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(get("city.missing"), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(get("day.missing"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(get("day.month_sin")[0], 0.0);
    assert!((get("day.month_sin")[1] - 0.5).abs() < 1e-6);
    let ages = get("day.age");
    assert!((ages[0] + ages[1] + ages[2]).abs() < 1e-5 && ages[2] < ages[0] && ages[0] < ages[1]);
    let names = preprocess.feature_names();
    assert!(names.iter().all(|name| name != "day.hour_sin"));
    assert_eq!(preprocess.classes(), ["0", "1"]);
    let classes = preprocess.encode_classes(table.batch()).unwrap();
    assert_eq!(classes, [0, 1, 0, 1]);
}

#[test]
fn rows_are_watched_as_they_are_encoded() {
    let known = table(
        "n,flag,city,day,about,y\n1,True,Rome,2024-01-31,good old wine,0\n2,False,Oslo,2024-02-29,bad fish,1\n\
         ,True,,2023-12-01,old fish,0\n5,,Rome,,good fish here,1\n3,False,Oslo,2024-03-01,bad old wine,1\n",
    );
    let others = table(
        "n,flag,city,day,about,y\n1,True,Rome,2024-01-31,good old wine,0\n900,,Bonn,,,1\n-900,False,,2024-02-29,fish,1\n",
    );
    let encodings = [
        CategoricalEncoding::Onehot,
        CategoricalEncoding::Target,
        CategoricalEncoding::Embedding,
    ];
    for (encoding, impute_indicator) in encodings
        .into_iter()
        .flat_map(|it| [(it, true), (it, false)])
    {
        let config = TableConfig {
            categorical: encoding,
            text: vec!["about".into()],
            impute_indicator,
            ..config("y")
        };
        let preprocess = fit(&known, &config);
        let mut watched = Unseen::default();
        let rows = others.batch();
        let features = preprocess.encode_watched(rows, &mut watched).unwrap();
        assert_eq!(features, preprocess.encode(rows).unwrap());
        let width = features.numeric_width + features.cardinalities.len();
        assert_eq!(width, preprocess.feature_names().len());
        let mut added = Unseen::default();
        added.add(&preprocess, rows).unwrap();
        let notes = messages(&watched.notes(&config));
        assert_eq!(notes, messages(&added.notes(&config)));
        assert!(
            notes.contains("Bonn") && notes.contains("far outside"),
            "{notes}"
        );
    }
}

#[test]
fn scalings_do_what_they_say() {
    let table = table("x,y\n0,a\n1,b\n9,a\n,b\n");
    let encode = |scaling| {
        let config = TableConfig {
            numeric: scaling,
            impute_indicator: false,
            ..config("y")
        };
        fit(&table, &config).encode(table.batch()).unwrap().numeric
    };
    assert_eq!(encode(NumericScaling::None), [0.0, 1.0, 9.0, 10.0 / 3.0]);
    let shares = [0.0, 1.0 / 9.0, 1.0, (10.0 / 27.0) as f32];
    assert_eq!(encode(NumericScaling::MinMax), shares);
    let log = encode(NumericScaling::Log);
    assert!(log[..3].iter().sum::<f32>().abs() < 1e-6 && log[3] == 0.0);
    let ratio = (log[2] - log[0]) / (log[1] - log[0]);
    assert!((ratio - 10f32.ln() / 2f32.ln()).abs() < 1e-5);
}

#[test]
fn embedded_categories_are_sorted_and_the_unseen_is_unknown() {
    let seen = table("c,x,y\nb,1,0\na,2,1\nc,3,0\nb,4,1\n");
    let config = with(config("y"), |config| {
        config.categorical = CategoricalEncoding::Embedding
    });
    let preprocess = fit(&seen, &config);
    assert_eq!(preprocess.cardinalities(), [4]);
    let encode = |table: &Table| preprocess.encode(table.batch()).unwrap().categories;
    assert_eq!(encode(&seen), [2, 1, 3, 2]);
    let unseen = table("x,c,extra\n1,zebra,9\n2,,9\n");
    assert_eq!(encode(&unseen), [0, 0]);
}

#[test]
fn rare_categories_share_the_unknown_slot() {
    let table = table("c,y\na,0\na,1\nb,0\nb,1\nc,0\n");
    let config = with(config("y"), |config| {
        config.categorical = CategoricalEncoding::Onehot;
        config.max_categories = 2;
    });
    let (preprocess, notes) = fit_with_notes(&table, &config);
    assert_eq!(preprocess.feature_names(), ["c=a", "c=b"]);
    assert!(notes[0].to_string().contains("1 rarest"), "{notes:?}");
    let features = preprocess.encode(table.batch()).unwrap();
    assert_eq!(features.numeric[8..], [0.0, 0.0]);
}

#[test]
fn useless_columns_are_left_out_with_a_reason() {
    let row = |row| format!("k,,u{row}@example.org,{},{}", row * row, row % 2);
    let table = table(&csv("same,empty,email,x,y", 30, row));
    let (preprocess, notes) = fit_with_notes(&table, &config("y"));
    assert_eq!(preprocess.feature_names(), ["x"]);
    let reasons = [
        "same value, \"k\"",
        "no training row has a value",
        "30 different texts",
    ];
    for (note, reason) in notes.iter().zip(reasons) {
        assert!(note.message.contains(reason), "{note}");
    }
    let mut forced = config("y");
    let email = forced.columns.entry("email".into()).or_default();
    email.kind = Some(ColumnKind::Categorical);
    assert_eq!(fit(&table, &forced).numeric_width(), 31);
}

#[test]
fn cells_that_do_not_fit_are_named() {
    let preprocess = fit(&table(MIXED), &config("y"));
    let head = "n,flag,city,day\n1,yes,Rome,2024-01-01\n";
    let short = table("n,flag,day\n1,no,2024-01-01\n");
    let columns = "no column \"city\"; the columns are \"n\", \"flag\", \"day\"";
    refused(preprocess.encode(short.batch()), &[columns]);
    for (row, problem) in [
        (
            "many,no,Rome,2024-01-01",
            "column \"n\", row 2: \"many\" is not a number",
        ),
        (
            "inf,no,Rome,2024-01-01",
            "column \"n\", row 2: \"inf\" is not finite",
        ),
        ("1e300,no,Rome,2024-01-01", "too large"),
        (
            "1,maybe,Rome,2024-01-01",
            "\"maybe\" is neither true nor false",
        ),
        (
            "1,no,Rome,tomorrow",
            "\"tomorrow\" is not a date written year-month-day",
        ),
    ] {
        let table = table(&format!("{head}{row}\n"));
        refused(preprocess.encode(table.batch()), &[problem]);
    }
    let classes = |csv: &str| preprocess.encode_classes(table(csv).batch());
    let unknown =
        "column \"y\", row 2: \"2\" is not a class of the training rows, which are \"0\", \"1\"";
    refused(classes("y,x\n1,1\n2,1\n"), &[unknown]);
    refused(classes("y,x\n,1\n"), &["row 1: the target is missing"]);
}

#[test]
fn a_large_split_is_encoded_as_its_rows_are() {
    let files = Files::new();
    let rows = |count, last| csv("x,y", count, |row| format!("{row},{}", row % 2)) + last;
    let mut config = TableConfig::new(files.write("train.csv", rows(40, "")), "y");
    config.numeric = NumericScaling::None;
    config.test_path = Some(files.write("test.csv", rows(40_000, "")));
    let test = load(&config).unwrap().test;
    assert!((0..40_000).all(|row| test.features.numeric[row] == row as f32));
    let Labels::Classes(classes) = &*test.labels else {
        panic!("classes were asked for");
    };
    assert!((0..40_000).all(|row| classes[row] as usize == row % 2));
    config.test_path = Some(files.write("test.csv", rows(40_000, "1,9\n")));
    refused(load(&config), &["row 40001 of "]);
}

#[test]
fn errors_in_files_name_file_and_row() {
    let files = Files::new();
    let rows = csv("x,y", 40, |row| format!("{row},{}", row % 2));
    let mut config = TableConfig::new(files.write("train.csv", rows), "y");
    config.test_path = Some(files.write("test.csv", "x,y\n1,0\n2,9\n"));
    let class = "test.csv: \"9\" is not a class";
    refused(load(&config), &["column \"y\", row 2 of ", class]);
    config.target = "z".into();
    let columns = "train.csv; the columns are \"x\", \"y\"";
    refused(load(&config), &["no column \"z\" of ", columns]);
}

#[test]
fn numeric_targets_stay_raw_and_their_scale_is_kept() {
    let table = table("x,y\n1,10\n2,20\n4,30\n");
    let (preprocess, _) =
        Preprocess::fit(&table, &[0, 1], &config("y"), TargetKind::Number).unwrap();
    assert_eq!(preprocess.target_mean_std(), Some((15.0, 5.0)));
    let numbers = preprocess.encode_numbers(table.batch()).unwrap();
    assert_eq!(numbers, [10.0, 20.0, 30.0]);
    assert!(preprocess.encode_classes(table.batch()).is_err());
}

#[test]
fn it_reads_back_to_the_last_bit_and_refuses_other_versions() {
    let preprocess = fit(&table(MIXED), &config("y"));
    let json = preprocess.to_json();
    assert_eq!(Preprocess::from_json(&json).unwrap(), preprocess);
    let newer = json.replace("\"version\": 1", "\"version\": 9");
    let version = Preprocess::from_json(&newer).unwrap_err();
    assert!(matches!(
        version,
        DataError::Version {
            found: 9,
            expected: 1
        }
    ));
    refused(Preprocess::from_json(&json[..json.len() / 2]), &["damaged"]);
}

/// Writes a table in a format and gives its path.
pub fn rewrite(files: &Files, batch: &RecordBatch, format: TableFormat) -> String {
    let path = files.path(&format!("table.{}", format.name()));
    let mut writer = TableWriter::create(&path, format).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_format_gives_the_same_features() {
    let files = Files::new();
    let original = table(MIXED);
    let reference = fit(&original, &config("y"));
    let encoded = reference.encode(original.batch()).unwrap();
    let again = |table: &Table, format| {
        let path = rewrite(&files, table.batch(), format);
        Table::read(&path, &ReadOptions::new(format)).unwrap()
    };
    let jsonl = again(&original, TableFormat::Jsonl);
    let parquet = again(&jsonl, TableFormat::Parquet);
    for table in [jsonl, parquet, typed()] {
        let preprocess = fit(&table, &config("y"));
        assert_eq!(preprocess, reference);
        assert_eq!(reference.encode(table.batch()).unwrap(), encoded);
        let classes = reference.encode_classes(table.batch()).unwrap();
        assert_eq!(classes, [0, 1, 0, 1]);
    }
}

/// The same table in the types that other programs write to Parquet.
fn typed() -> Table {
    use std::sync::Arc;

    use fireclay_data::arrow::array::{
        ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array,
    };
    use fireclay_data::arrow::datatypes::Int32Type;
    let city: DictionaryArray<Int32Type> = vec![Some("Rome"), Some("Oslo"), None, Some("Rome")]
        .into_iter()
        .collect();
    let days = vec![Some(19_753), Some(19_782), Some(19_692), None];
    let numbers = vec![Some(1.0), Some(2.0), Some(f32::NAN), Some(5.0)];
    let flags = vec![Some(true), Some(false), Some(true), None];
    let columns: [(&str, ArrayRef, bool); 5] = [
        ("n", Arc::new(Float32Array::from(numbers)), true),
        ("flag", Arc::new(BooleanArray::from(flags)), true),
        ("city", Arc::new(city), true),
        ("day", Arc::new(Date32Array::from(days)), true),
        (
            "y",
            Arc::new(Float64Array::from(vec![0.0, 1.0, 0.0, 1.0])),
            true,
        ),
    ];
    let files = Files::new();
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let path = rewrite(&files, &batch, TableFormat::Parquet);
    Table::read(&path, &ReadOptions::new(TableFormat::Parquet)).unwrap()
}

#[test]
fn loading_again_gives_the_same_data_and_gathers_by_position() {
    let files = Files::new();
    let row = |row| format!("r{row},{},{}", row * row % 17, row % 3);
    let mut config = TableConfig::new(files.write("a.csv", csv("id,x,y", 40, row)), "y");
    config.id = Some("id".into());
    let load = || TableData::load(TableFormat::Csv, &config, 5, TargetKind::Class).unwrap();
    let (first, second) = (load(), load());
    assert_eq!(first.preprocess, second.preprocess);
    for ((_, a), (_, b)) in first.named().into_iter().zip(second.named()) {
        assert_eq!(
            (&a.features, &a.labels, &a.carried.rows, &a.carried.ids),
            (&b.features, &b.labels, &b.carried.rows, &b.carried.ids)
        );
        assert_eq!(a.carried.ids.as_ref().unwrap().len(), a.len());
    }
    assert_eq!(first.named().map(|(_, split)| split.len()), [28, 6, 6]);
    let batch = first.train.gather(&[3, 0, 3]).unwrap();
    let expect = [3, 0, 3].map(|position: usize| first.train.features.numeric[position]);
    assert_eq!(batch.features.numeric, expect);
    let classes = [3, 0, 3].map(|position: usize| (first.train.carried.rows[position] % 3) as u32);
    assert_eq!(batch.labels, Labels::Classes(classes.to_vec()));
    let whole = Split::load(
        &config.path,
        &ReadOptions::new(TableFormat::Csv),
        &first.preprocess,
        &config,
    );
    let (whole, notes) = whole.unwrap();
    assert_eq!(notes, []);
    assert_eq!(whole.len(), 40);
    assert_eq!(
        whole.features.numeric[first.test.carried.rows[2]],
        first.test.features.numeric[2]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn only_training_rows_are_fitted(values in prop::collection::vec((-1e6f64..1e6, 0u8..5), 8..30), other in -1e9f64..1e9) {
        let csv = |tail: f64, word: &str| {
            let mut csv = "x,c,y\n".to_owned();
            for (row, (value, category)) in values.iter().enumerate() {
                csv += &format!("{value},c{category},{}\n", row % 2);
            }
            csv + &format!("{tail},{word},1\n")
        };
        let train: Vec<usize> = (0..values.len()).collect();
        let json = |csv: &str| Preprocess::fit(&table(csv), &train, &config("y"), TargetKind::Class).unwrap().0.to_json();
        prop_assert_eq!(json(&csv(other, "new")), json(&csv(0.5, "c1")));
    }

    #[test]
    fn standardised_columns_have_mean_0_and_deviation_1(values in prop::collection::vec(-1e6f64..1e6, 3..50)) {
        let csv: String = values.iter().enumerate().map(|(row, value)| format!("{value},{}\n", row % 2)).collect();
        let table = table(&format!("x,y\n{csv}"));
        let numeric = fit(&table, &config("y")).encode(table.batch()).unwrap().numeric;
        let n = numeric.len() as f64;
        let mean = numeric.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
        let variance = numeric.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / n;
        prop_assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4, "{} {}", mean, variance);
    }
}

#[test]
fn nested_columns_are_left_out_and_do_not_break_a_stable_split() {
    use std::sync::Arc;

    use fireclay_data::arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray};
    use fireclay_data::arrow::datatypes::Int64Type;
    let lists =
        ListArray::from_iter_primitive::<Int64Type, _, _>((0..60).map(|row| Some(vec![Some(row)])));
    let numbers = Float64Array::from_iter_values((0..60).map(|row| f64::from(row * row % 17)));
    let classes = StringArray::from_iter_values((0..60).map(|row| ["a", "b"][row % 2]));
    let columns: [(&str, ArrayRef); 3] = [
        ("nested", Arc::new(lists)),
        ("x", Arc::new(numbers)),
        ("y", Arc::new(classes)),
    ];
    let table = Table::from_batch(RecordBatch::try_from_iter(columns).unwrap());
    let stable = with(config("y"), |config| config.split.stable = true);
    let data = TableData::from_table(&table, &stable, 1, TargetKind::Class).unwrap();
    assert_eq!(data.preprocess.columns(), ["x"]);
    assert!(data.notes[0].to_string().contains("cannot be features"));
    let indexed = with(stable, |config| config.target = "nested".into());
    let indexed = TableData::from_table(&table, &indexed, 1, TargetKind::Class);
    refused(indexed, &["cannot be read as text"]);
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("x", whole)]).unwrap();
    assert_eq!(data.preprocess.encode(&batch).unwrap().rows, 2);
}

use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{
    CategoricalEncoding, ColumnConfig, ColumnKind, DataError, Features, Labels, NumericScaling,
    Preprocess, ReadOptions, Split, Table, TableConfig, TableData, TableFormat, TableWriter,
    TargetKind,
};
use proptest::prelude::*;

use crate::{Files, config, table};

const MIXED: &str = "n,flag,city,day,y\n\
    1,True,Rome,2024-01-31,0\n\
    2,False,Oslo,2024-02-29,1\n\
    ,True,,2023-12-01,0\n\
    5,,Rome,,1\n";

fn all(table: &Table) -> Vec<usize> {
    (0..table.rows()).collect()
}

fn fit(table: &Table, config: &TableConfig) -> Preprocess {
    Preprocess::fit(table, &all(table), config, TargetKind::Class)
        .unwrap()
        .0
}

fn feature(preprocess: &Preprocess, features: &Features, name: &str) -> Vec<f32> {
    let place = preprocess
        .feature_names()
        .iter()
        .position(|other| other == name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", preprocess.feature_names()));
    features
        .numeric
        .iter()
        .skip(place)
        .step_by(features.numeric_width)
        .copied()
        .collect()
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
    assert!(
        !preprocess
            .feature_names()
            .contains(&"day.hour_sin".to_owned())
    );
    assert_eq!(preprocess.classes(), ["0", "1"]);
    assert_eq!(
        preprocess.encode_classes(table.batch()).unwrap(),
        [0, 1, 0, 1]
    );
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
    assert_eq!(
        encode(NumericScaling::MinMax),
        [0.0, 1.0 / 9.0, 1.0, (10.0 / 27.0) as f32]
    );
    let log = encode(NumericScaling::Log);
    assert!(log[..3].iter().sum::<f32>().abs() < 1e-6 && log[3] == 0.0);
    let ratio = (log[2] - log[0]) / (log[1] - log[0]);
    assert!((ratio - 10f32.ln() / 2f32.ln()).abs() < 1e-5);
}

#[test]
fn embedded_categories_are_sorted_and_the_unseen_is_unknown() {
    let seen = table("c,x,y\nb,1,0\na,2,1\nc,3,0\nb,4,1\n");
    let config = TableConfig {
        categorical: CategoricalEncoding::Embedding,
        ..config("y")
    };
    let preprocess = fit(&seen, &config);
    assert_eq!(preprocess.cardinalities(), [4]);
    assert_eq!(
        preprocess.encode(seen.batch()).unwrap().categories,
        [2, 1, 3, 2]
    );
    let unseen = table("x,c,extra\n1,zebra,9\n2,,9\n");
    assert_eq!(
        preprocess.encode(unseen.batch()).unwrap().categories,
        [0, 0]
    );
}

#[test]
fn rare_categories_share_the_unknown_slot() {
    let table = table("c,y\na,0\na,1\nb,0\nb,1\nc,0\n");
    let config = TableConfig {
        max_categories: 2,
        ..config("y")
    };
    let (preprocess, notes) =
        Preprocess::fit(&table, &all(&table), &config, TargetKind::Class).unwrap();
    assert_eq!(preprocess.feature_names(), ["c=a", "c=b"]);
    assert!(notes[0].to_string().contains("1 rarest"), "{notes:?}");
    assert_eq!(
        preprocess.encode(table.batch()).unwrap().numeric[8..],
        [0.0, 0.0]
    );
}

#[test]
fn useless_columns_are_left_out_with_a_reason() {
    let mut csv = "same,empty,email,x,y\n".to_owned();
    for row in 0..30 {
        csv += &format!("k,,u{row}@example.org,{},{}\n", row * row, row % 2);
    }
    let table = table(&csv);
    let (preprocess, notes) =
        Preprocess::fit(&table, &all(&table), &config("y"), TargetKind::Class).unwrap();
    assert_eq!(preprocess.feature_names(), ["x"]);
    let notes: Vec<_> = notes.iter().map(ToString::to_string).collect();
    assert!(
        notes[0].contains("same value, \"k\"")
            && notes[1].contains("no training row has a value")
            && notes[2].contains("30 different texts"),
        "{notes:?}"
    );
    let mut forced = config("y");
    forced.columns.insert(
        "email".into(),
        ColumnConfig {
            kind: Some(ColumnKind::Categorical),
            ..Default::default()
        },
    );
    assert_eq!(fit(&table, &forced).numeric_width(), 31);
}

#[test]
fn cells_that_do_not_fit_are_named() {
    let preprocess = fit(&table(MIXED), &config("y"));
    let fail = |csv: &str| {
        preprocess
            .encode(table(csv).batch())
            .unwrap_err()
            .to_string()
    };
    let head = "n,flag,city,day\n1,yes,Rome,2024-01-01\n";
    assert_eq!(
        fail("n,flag,day\n1,no,2024-01-01\n"),
        "no column \"city\"; the columns are \"n\", \"flag\", \"day\""
    );
    assert!(
        fail(&format!("{head}many,no,Rome,2024-01-01\n"))
            .starts_with("column \"n\", row 2: \"many\" is not a number")
    );
    assert!(
        fail(&format!("{head}inf,no,Rome,2024-01-01\n"))
            .starts_with("column \"n\", row 2: \"inf\" is not finite")
    );
    assert!(fail(&format!("{head}1e300,no,Rome,2024-01-01\n")).contains("too large"));
    assert!(
        fail(&format!("{head}1,maybe,Rome,2024-01-01\n"))
            .contains("\"maybe\" is neither true nor false")
    );
    assert!(
        fail(&format!("{head}1,no,Rome,tomorrow\n"))
            .contains("\"tomorrow\" is not a date written year-month-day")
    );
    let label = |csv: &str| {
        preprocess
            .encode_classes(table(csv).batch())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        label("y,x\n1,1\n2,1\n"),
        "column \"y\", row 2: \"2\" is not a class of the training rows, which are \"0\", \"1\""
    );
    assert!(label("y,x\n,1\n").contains("row 1: the target is missing"));
}

#[test]
fn a_large_split_is_encoded_as_its_rows_are() {
    let files = Files::new();
    let rows = |count: usize, last: &str| {
        let rows: String = (0..count)
            .map(|row| format!("{row},{}\n", row % 2))
            .collect();
        format!("x,y\n{rows}{last}")
    };
    let mut config = TableConfig::new(files.write("train.csv", rows(40, "")), "y");
    config.numeric = NumericScaling::None;
    config.test_path = Some(files.write("test.csv", rows(40_000, "")));
    let load =
        |config: &TableConfig| TableData::load(TableFormat::Csv, config, 1, TargetKind::Class);
    let test = load(&config).unwrap().test;
    assert!((0..40_000).all(|row| test.features.numeric[row] == row as f32));
    let Labels::Classes(classes) = &*test.labels else {
        panic!("classes were asked for");
    };
    assert!((0..40_000).all(|row| classes[row] as usize == row % 2));
    config.test_path = Some(files.write("test.csv", rows(40_000, "1,9\n")));
    let message = load(&config).unwrap_err().to_string();
    assert!(message.contains("row 40001 of "), "{message}");
}

#[test]
fn errors_in_files_name_file_and_row() {
    let files = Files::new();
    let rows: String = (0..40).map(|row| format!("{row},{}\n", row % 2)).collect();
    let mut config = TableConfig::new(files.write("train.csv", format!("x,y\n{rows}")), "y");
    config.test_path = Some(files.write("test.csv", "x,y\n1,0\n2,9\n"));
    let message = TableData::load(TableFormat::Csv, &config, 1, TargetKind::Class)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("column \"y\", row 2 of ")
            && message.contains("test.csv: \"9\" is not a class"),
        "{message}"
    );
    config.target = "z".into();
    let message = TableData::load(TableFormat::Csv, &config, 1, TargetKind::Class)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("no column \"z\" of ")
            && message.contains("train.csv; the columns are \"x\", \"y\""),
        "{message}"
    );
}

#[test]
fn numeric_targets_stay_raw_and_their_scale_is_kept() {
    let table = table("x,y\n1,10\n2,20\n4,30\n");
    let (preprocess, _) =
        Preprocess::fit(&table, &[0, 1], &config("y"), TargetKind::Number).unwrap();
    assert_eq!(preprocess.target_mean_std(), Some((15.0, 5.0)));
    assert_eq!(
        preprocess.encode_numbers(table.batch()).unwrap(),
        [10.0, 20.0, 30.0]
    );
    assert!(preprocess.encode_classes(table.batch()).is_err());
}

#[test]
fn it_reads_back_to_the_last_bit_and_refuses_other_versions() {
    let preprocess = fit(&table(MIXED), &config("y"));
    let json = preprocess.to_json();
    assert_eq!(Preprocess::from_json(&json).unwrap(), preprocess);
    let newer = json.replace("\"version\": 1", "\"version\": 9");
    assert!(matches!(
        Preprocess::from_json(&newer),
        Err(DataError::Version {
            found: 9,
            expected: 1
        })
    ));
    assert!(
        Preprocess::from_json(&json[..json.len() / 2])
            .unwrap_err()
            .to_string()
            .contains("damaged")
    );
}

fn rewrite(files: &Files, batch: &RecordBatch, format: TableFormat) -> String {
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
    let jsonl = rewrite(&files, original.batch(), TableFormat::Jsonl);
    let jsonl = Table::read(&jsonl, &ReadOptions::new(TableFormat::Jsonl)).unwrap();
    let parquet = rewrite(&files, jsonl.batch(), TableFormat::Parquet);
    let parquet = Table::read(&parquet, &ReadOptions::new(TableFormat::Parquet)).unwrap();
    for table in [jsonl, parquet, typed()] {
        let preprocess = fit(&table, &config("y"));
        assert_eq!(preprocess, reference);
        assert_eq!(reference.encode(table.batch()).unwrap(), encoded);
        assert_eq!(
            reference.encode_classes(table.batch()).unwrap(),
            [0, 1, 0, 1]
        );
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
    let columns: [(&str, ArrayRef, bool); 5] = [
        (
            "n",
            Arc::new(Float32Array::from(vec![
                Some(1.0),
                Some(2.0),
                Some(f32::NAN),
                Some(5.0),
            ])),
            true,
        ),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                Some(false),
                Some(true),
                None,
            ])),
            true,
        ),
        ("city", Arc::new(city), true),
        (
            "day",
            Arc::new(Date32Array::from(vec![
                Some(19_753),
                Some(19_782),
                Some(19_692),
                None,
            ])),
            true,
        ),
        (
            "y",
            Arc::new(Float64Array::from(vec![0.0, 1.0, 0.0, 1.0])),
            true,
        ),
    ];
    let files = Files::new();
    let path = rewrite(
        &files,
        &RecordBatch::try_from_iter_with_nullable(columns).unwrap(),
        TableFormat::Parquet,
    );
    Table::read(&path, &ReadOptions::new(TableFormat::Parquet)).unwrap()
}

#[test]
fn loading_again_gives_the_same_data_and_gathers_by_position() {
    let files = Files::new();
    let rows: String = (0..40)
        .map(|row| format!("r{row},{},{}\n", row * row % 17, row % 3))
        .collect();
    let config = TableConfig {
        id: Some("id".into()),
        ..TableConfig::new(files.write("a.csv", format!("id,x,y\n{rows}")), "y")
    };
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
    assert_eq!(
        (first.train.len(), first.valid.len(), first.test.len()),
        (28, 6, 6)
    );
    let batch = first.train.gather(&[3, 0, 3]);
    let expect = [3, 0, 3].map(|position: usize| first.train.features.numeric[position]);
    assert_eq!(batch.features.numeric, expect);
    assert_eq!(
        batch.labels,
        Labels::Classes(
            [3, 0, 3]
                .map(|position: usize| (first.train.carried.rows[position] % 3) as u32)
                .to_vec()
        )
    );
    let whole = Split::load(
        &config.path,
        &ReadOptions::new(TableFormat::Csv),
        &first.preprocess,
        Some("id"),
    )
    .unwrap();
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

    use fireclay_data::SplitConfig;
    use fireclay_data::arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray};
    use fireclay_data::arrow::datatypes::Int64Type;
    let lists =
        ListArray::from_iter_primitive::<Int64Type, _, _>((0..60).map(|row| Some(vec![Some(row)])));
    let columns: [(&str, ArrayRef); 3] = [
        ("nested", Arc::new(lists)),
        (
            "x",
            Arc::new(Float64Array::from_iter_values(
                (0..60).map(|row| f64::from(row * row % 17)),
            )),
        ),
        (
            "y",
            Arc::new(StringArray::from_iter_values(
                (0..60).map(|row| ["a", "b"][row % 2]),
            )),
        ),
    ];
    let table = Table::from_batch(RecordBatch::try_from_iter(columns).unwrap());
    let stable = TableConfig {
        split: SplitConfig {
            stable: true,
            ..Default::default()
        },
        ..config("y")
    };
    let data = TableData::from_table(&table, &stable, 1, TargetKind::Class).unwrap();
    assert_eq!(data.preprocess.columns(), ["x"]);
    assert!(data.notes[0].to_string().contains("cannot be features"));
    let mut indexed = stable;
    indexed.target = "nested".into();
    assert!(
        TableData::from_table(&table, &indexed, 1, TargetKind::Class)
            .unwrap_err()
            .to_string()
            .contains("cannot be read as text")
    );
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("x", whole)]).unwrap();
    assert_eq!(data.preprocess.encode(&batch).unwrap().rows, 2);
}

//! Splits from outside, and what is carried beside the samples.

use std::sync::Arc;

use fireclay_data::{
    DataError, ImageData, ImageDataConfig, ImageFormat, Images, MissingTarget, ReadOptions, Role,
    Split, Splits, Table, TableConfig, TableData, TableFormat, TargetKind, TextTableConfig,
    TextTableData, TokenizerConfig, TokenizerKind, guess, inspect, role, split,
};

use crate::images::DIGITS;
use crate::preprocessing::rewrite;
use crate::{Files, config, csv, messages, refused, table, with};

/// Rows `i,x,w,sex,y`: the weight of row `i` is `i % 4`.
fn rows(n: usize) -> String {
    csv("i,x,w,sex,y", n, |i| {
        let (x, weight, sex) = (i * i % 17, i % 4, ["f", "m"][i % 2]);
        format!("r{i},{x},{weight},{sex},c{}", i % 3)
    })
}

fn carrying() -> TableConfig {
    TableConfig {
        id: Some("i".into()),
        weight: Some("w".into()),
        extra_columns: vec!["sex".into(), "x".into()],
        ..config("y")
    }
}

fn load(table: &Table, config: &TableConfig) -> Result<TableData, DataError> {
    TableData::from_table(table, config, 5, TargetKind::Class)
}

fn folds(train: std::ops::Range<usize>, valid: std::ops::Range<usize>) -> Splits {
    Splits {
        train: train.collect(),
        valid: valid.collect(),
        test: Vec::new(),
    }
}

#[test]
fn weights_and_extra_columns_arrive_in_the_order_of_the_split() {
    let table = table(&rows(60));
    let data = load(&table, &carrying()).unwrap();
    for (_, split) in data.named() {
        let carried = &split.carried;
        let expected: Vec<f32> = carried.rows.iter().map(|row| (row % 4) as f32).collect();
        assert_eq!(carried.weights.as_deref().unwrap()[..], expected);
        let rows = table.take(&carried.rows).unwrap();
        assert_eq!(carried.extra, rows.project(&[3, 1]).unwrap());
        assert_eq!(carried.ids.as_ref().unwrap().len(), split.len());
    }
    let weights = data.train.carried.weights.as_deref().unwrap();
    let batch = data.train.gather(&[4, 0, 4]).unwrap();
    assert_eq!(batch.weights.unwrap(), [4, 0, 4].map(|at| weights[at]));
    // A weight is no feature; whether an extra column is one, only `ignore` decides.
    assert_eq!(data.preprocess.columns(), ["x", "sex"]);
    assert_eq!(role(&carrying(), "w"), Role::Weight);
    let ignoring = with(carrying(), |config| config.ignore = vec!["sex".into()]);
    let ignoring = load(&table, &ignoring).unwrap();
    assert_eq!(ignoring.preprocess.columns(), ["x"]);
    assert_eq!(ignoring.train.carried.extra, data.train.carried.extra);
}

#[test]
fn without_these_keys_nothing_is_carried_and_nothing_changes() {
    let table = table(&rows(60));
    let plain = TableConfig {
        ignore: vec!["w".into()],
        id: Some("i".into()),
        ..config("y")
    };
    let [plain, carrying] = [plain, carrying()].map(|config| load(&table, &config).unwrap());
    assert_eq!(plain.preprocess, carrying.preprocess);
    assert_eq!(plain.train.features, carrying.train.features);
    assert_eq!(plain.train.gather(&[0, 1]).unwrap().weights, None);
    let extra = &plain.train.carried.extra;
    assert_eq!(extra.num_columns(), 0);
    assert_eq!(extra.num_rows(), plain.train.len());
}

#[test]
fn weights_that_cannot_be_used_are_named_with_their_row() {
    let config = with(config("y"), |config| config.weight = Some("w".into()));
    let with = |cell: &str| {
        let weight = |i: usize| if i == 11 { cell } else { "1" };
        let row = |i| format!("{},{},{}", i * i % 7, weight(i), i % 2);
        table(&csv("x,w,y", 40, row))
    };
    for (cell, problem) in [
        ("", "missing"),
        ("-0.5", "negative"),
        ("1e39", "too large"),
        ("inf", "not finite"),
        ("heavy", "not a number"),
    ] {
        refused(load(&with(cell), &config), &["\"w\", row 12", problem]);
    }
    let (table, config) = (table(&rows(40)), carrying());
    let splits = Splits {
        train: (0..40).step_by(4).collect(),
        ..Splits::default()
    };
    let zero = TableData::from_splits(&table, splits.clone(), &config, TargetKind::Class);
    let error = refused(zero, &["every weight of the train split is 0"]);
    let report = inspect(&table, &splits, &config, TargetKind::Class).unwrap();
    assert!(report.errors.iter().any(|note| note.message == error));
}

#[test]
fn columns_that_are_not_there_are_named() {
    let table = table(&rows(40));
    let weight = with(carrying(), |config| config.weight = Some("wieght".into()));
    let extra = vec!["wieght".into()];
    let extra = with(carrying(), |config| config.extra_columns = extra);
    for config in [weight, extra] {
        refused(load(&table, &config), &["no column \"wieght\""]);
    }
}

#[test]
fn a_table_is_read_once_for_all_folds() {
    let table = table(&rows(60));
    let config = carrying();
    let own = split(&table, &config, 5, TargetKind::Class).unwrap();
    let same = TableData::from_splits(&table, own, &config, TargetKind::Class).unwrap();
    let whole = load(&table, &config).unwrap();
    assert_eq!(same.preprocess, whole.preprocess);
    assert_eq!(same.test.features, whole.test.features);
    assert_eq!(same.test.labels, whole.test.labels);
    assert_eq!(same.notes, whole.notes);
    let fold = TableData::from_splits(&table, folds(20..60, 0..20), &config, TargetKind::Class);
    let fold = fold.unwrap();
    assert!(fold.valid.carried.rows.iter().copied().eq(0..20));
    assert!(fold.test.is_empty());
    assert_eq!(messages(&fold.notes), "");
}

#[test]
fn splits_from_outside_are_checked() {
    let table = table(&(rows(30) + "r30,1,1,f,\n"));
    let mut config = carrying();
    let load = |config: &TableConfig, splits| {
        TableData::from_splits(&table, splits, config, TargetKind::Class)
    };
    for (splits, problem) in [
        (folds(0..20, 19..25), "row 20: the row is there twice"),
        (folds(0..20, 20..40), "row 32: there are 31 rows"),
        (folds(0..0, 0..20), "the train split is empty"),
        (folds(0..20, 20..31), "the target is missing"),
    ] {
        refused(load(&config, splits), &[problem]);
    }
    config.missing_target = MissingTarget::Drop;
    let data = load(&config, folds(0..20, 20..31)).unwrap();
    assert_eq!(data.valid.len(), 10);
    let notes = messages(&data.notes);
    assert!(notes.contains("1 rows have no target"), "{notes}");
}

#[test]
fn another_file_carries_what_the_configuration_names() {
    let files = Files::new();
    let data = load(&table(&rows(60)), &carrying()).unwrap();
    let read = |name: &str, text: String| {
        let (path, options) = (files.write(name, text), ReadOptions::new(TableFormat::Csv));
        Split::load(&path, &options, &data.preprocess, &carrying())
    };
    let other = read("other.csv", rows(30)).unwrap().0.carried;
    let weights: Vec<f32> = (0..30).map(|row| (row % 4) as f32).collect();
    assert_eq!(other.weights.as_deref().unwrap(), weights);
    assert_eq!(other.ids.as_ref().unwrap().len(), 30);
    assert_eq!(other.extra.num_columns(), 2);
    let plain = |header: &str| csv(header, 9, |i| format!("r{i},{i},1,f,c0"));
    let nameless = read("nameless.csv", plain("n,x,w,sex,y")).unwrap().0;
    assert!(nameless.carried.ids.is_none());
    let weightless = read("lacks.csv", plain("i,x,n,sex,y"));
    refused(weightless, &["data.weight: no column", "lacks.csv"]);
    let extra = read("lacks.csv", plain("i,x,w,n,y"));
    refused(extra, &["data.extra_columns: no column \"sex\""]);
    let zero = read("zero.csv", rows(1));
    refused(zero, &["every weight of ", "zero.csv is 0"]);
}

#[test]
fn clones_share_the_samples() {
    let data = load(&table(&rows(60)), &carrying()).unwrap();
    let (own, clone) = (&data.train, data.train.clone());
    assert!(Arc::ptr_eq(&own.features, &clone.features));
    assert!(Arc::ptr_eq(&own.labels, &clone.labels));
    assert!(Arc::ptr_eq(&own.carried.rows, &clone.carried.rows));
}

#[test]
fn images_are_found_once_for_all_folds() {
    let config = ImageDataConfig::new(DIGITS);
    let config = with(config, |config| config.split.stratify = true);
    let format = ImageFormat::ImageParquet;
    let images = Images::find(format, &config, TargetKind::Class).unwrap();
    assert_eq!(images.len(), 1797);
    let splits = images.split(&config, 7).unwrap();
    let same = ImageData::from_splits(&images, splits, &config, 7).unwrap();
    let whole = ImageData::load(format, &config, 7, TargetKind::Class).unwrap();
    assert_eq!(same.preprocess, whole.preprocess);
    assert_eq!(same.notes, whole.notes);
    let batch = |data: &ImageData| data.train.batch(1, &[5, 2]).unwrap().pixels;
    assert_eq!(batch(&same), batch(&whole.clone()));
    let fold = ImageData::from_splits(&images, folds(300..1797, 0..300), &config, 7).unwrap();
    assert_eq!(fold.named().map(|(_, split)| split.len()), [1497, 300, 0]);
    assert_eq!(fold.hashes().unwrap(), whole.hashes().unwrap());
    let twice = ImageData::from_splits(&images, folds(0..9, 5..12), &config, 7);
    refused(twice, &["twice"]);
}

#[test]
fn texts_carry_the_same_and_are_read_once() {
    let files = Files::new();
    let row = |i| format!("r{i},pot number {i},{},{}", i % 5, i % 2);
    let path = files.write("a.csv", csv("id,text,w,y", 40, row));
    let mut config = TextTableConfig::new(path, "y");
    config.id = Some("id".into());
    config.weight = Some("w".into());
    config.extra_columns = vec!["text".into()];
    assert_eq!(config.validate(), []);
    let tokenizer = TokenizerConfig::default();
    let tokenizer = (TokenizerKind::Char, &tokenizer);
    let whole = TextTableData::load(&config, tokenizer, 16, 7, TargetKind::Class).unwrap();
    let (table, _) = config.load().unwrap();
    let splits = split(&table, &config.table(), 7, TargetKind::Class).unwrap();
    let same =
        TextTableData::from_splits(&table, splits, &config, tokenizer, 16, TargetKind::Class);
    let same = same.unwrap();
    assert_eq!(same.preprocess, whole.preprocess);
    let batch = same.train.batch(&[3, 1]);
    assert_eq!(batch, whole.train.batch(&[3, 1]));
    let carried = same.train.carried();
    let expected = [3, 1].map(|position: usize| (carried.rows[position] % 5) as f32);
    assert_eq!(batch.weights, Some(expected.to_vec()));
    assert_eq!(carried.extra.num_rows(), same.train.len());
    config.weight = Some("text".into());
    assert_eq!(config.validate()[0].0, "weight");
}

#[test]
fn every_format_reads_what_it_wrote() {
    let files = Files::new();
    let table = table(&rows(30));
    for format in TableFormat::ALL {
        assert_eq!(TableFormat::from_name(format.name()), Some(format));
        let path = files.path(&format!("table.{}", format.name()));
        assert_eq!(TableFormat::from_path(&path), Some(format));
        let path = rewrite(&files, table.batch(), format);
        let again = Table::read(&path, &ReadOptions::new(format)).unwrap();
        assert_eq!(again.batch(), table.batch(), "{}", format.name());
        assert_eq!(guess(&path).unwrap().format, format);
    }
}

//! Splits from outside, and what is carried beside the samples.

use std::sync::Arc;

use fireclay_data::{
    DataError, ImageData, ImageFormat, Images, MissingTarget, Role, SplitConfig, Splits, Table,
    TableConfig, TableData, TableFormat, TableWriter, TargetKind, TextTableConfig, TextTableData,
    TokenizerConfig, TokenizerKind, inspect, role, split,
};

use crate::images::DIGITS;
use crate::{Files, config, table};

/// Rows `i,x,w,sex,y`: the weight of row `i` is `i % 4`.
fn rows(n: usize) -> String {
    let row = |i: usize| {
        let (x, weight, sex) = (i * i % 17, i % 4, ["f", "m"][i % 2]);
        format!("r{i},{x},{weight},{sex},c{}\n", i % 3)
    };
    (0..n).fold("i,x,w,sex,y\n".into(), |text, i| text + &row(i))
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
        let expected = carried.rows.iter().map(|row| (row % 4) as f32);
        assert!(
            carried
                .weights
                .as_ref()
                .unwrap()
                .iter()
                .copied()
                .eq(expected)
        );
        assert_eq!(
            carried.extra,
            table.take(&carried.rows).unwrap().project(&[3, 1]).unwrap()
        );
        assert_eq!(carried.ids.as_ref().unwrap().len(), split.len());
    }
    let weights = &data.train.carried.weights.clone().unwrap();
    let batch = data.train.gather(&[4, 0, 4]);
    assert_eq!(
        batch.weights,
        Some(vec![weights[4], weights[0], weights[4]])
    );
    // A weight is no feature; whether an extra column is one, only `ignore` decides.
    assert_eq!(data.preprocess.columns(), ["x", "sex"]);
    assert_eq!(role(&carrying(), "w"), Role::Weight);
    let mut ignoring = carrying();
    ignoring.ignore = vec!["sex".into()];
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
    let (plain, carrying) = (
        load(&table, &plain).unwrap(),
        load(&table, &carrying()).unwrap(),
    );
    assert_eq!(plain.preprocess, carrying.preprocess);
    assert_eq!(plain.train.features, carrying.train.features);
    assert_eq!(plain.train.gather(&[0, 1]).weights, None);
    let extra = &plain.train.carried.extra;
    assert_eq!(
        (extra.num_columns(), extra.num_rows()),
        (0, plain.train.len())
    );
}

#[test]
fn weights_that_cannot_be_used_are_named_with_their_row() {
    let with = |cell: &str| {
        let rows = (0..40).map(|i| {
            format!(
                "{},{},{}\n",
                i * i % 7,
                if i == 11 { cell } else { "1" },
                i % 2
            )
        });
        table(&format!("x,w,y\n{}", rows.collect::<String>()))
    };
    let config = TableConfig {
        weight: Some("w".into()),
        ..config("y")
    };
    for (cell, problem) in [
        ("", "missing"),
        ("-0.5", "negative"),
        ("1e39", "too large"),
        ("inf", "not finite"),
        ("heavy", "not a number"),
    ] {
        let error = load(&with(cell), &config).unwrap_err().to_string();
        assert!(
            error.contains("\"w\", row 12") && error.contains(problem),
            "{cell}: {error}"
        );
    }
    let (table, config) = (table(&rows(40)), carrying());
    let splits = Splits {
        train: (0..40).step_by(4).collect(),
        ..Splits::default()
    };
    let zero = TableData::from_splits(&table, splits.clone(), &config, TargetKind::Class);
    let error = zero.unwrap_err().to_string();
    assert!(
        error.contains("every weight of the train split is 0"),
        "{error}"
    );
    let report = inspect(&table, &splits, &config, TargetKind::Class).unwrap();
    assert!(report.errors.iter().any(|note| note.message == error));
}

#[test]
fn columns_that_are_not_there_are_named() {
    let table = table(&rows(40));
    for change in [
        (|config: &mut TableConfig| config.weight = Some("wieght".into())) as fn(&mut TableConfig),
        |config| config.extra_columns.push("wieght".into()),
    ] {
        let mut config = carrying();
        change(&mut config);
        let error = load(&table, &config).unwrap_err().to_string();
        assert!(error.contains("no column \"wieght\""), "{error}");
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
    assert_eq!(
        (&same.test.features, &same.test.labels),
        (&whole.test.features, &whole.test.labels)
    );
    assert_eq!(same.notes, whole.notes);
    let fold = TableData::from_splits(&table, folds(20..60, 0..20), &config, TargetKind::Class);
    let fold = fold.unwrap();
    assert!(fold.valid.carried.rows.iter().copied().eq(0..20));
    assert!(
        fold.test.is_empty() && fold.notes.is_empty(),
        "{:?}",
        fold.notes
    );
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
        let error = load(&config, splits).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    config.missing_target = MissingTarget::Drop;
    let data = load(&config, folds(0..20, 20..31)).unwrap();
    assert_eq!(data.valid.len(), 10);
    assert!(
        data.notes[0].message.contains("1 rows have no target"),
        "{:?}",
        data.notes
    );
}

#[test]
fn clones_share_the_samples() {
    let data = load(&table(&rows(60)), &carrying()).unwrap();
    let clone = data.clone();
    assert!(Arc::ptr_eq(&data.train.features, &clone.train.features));
    assert!(Arc::ptr_eq(&data.train.labels, &clone.train.labels));
    assert!(Arc::ptr_eq(
        &data.train.carried.rows,
        &clone.train.carried.rows
    ));
}

#[test]
fn images_are_found_once_for_all_folds() {
    let config = fireclay_data::ImageDataConfig {
        split: SplitConfig {
            stratify: true,
            ..SplitConfig::default()
        },
        ..fireclay_data::ImageDataConfig::new(DIGITS)
    };
    let format = ImageFormat::ImageParquet;
    let images = Images::find(format, &config, TargetKind::Class).unwrap();
    assert_eq!(images.len(), 1797);
    let splits = images.split(&config, 7).unwrap();
    let same = ImageData::from_splits(&images, splits, &config, 7).unwrap();
    let whole = ImageData::load(format, &config, 7, TargetKind::Class).unwrap();
    assert_eq!(
        (&same.preprocess, &same.notes),
        (&whole.preprocess, &whole.notes)
    );
    let batch = |data: &ImageData| data.train.batch(1, &[5, 2]).unwrap().pixels;
    assert_eq!(batch(&same), batch(&whole.clone()));
    let fold = ImageData::from_splits(&images, folds(300..1797, 0..300), &config, 7).unwrap();
    assert_eq!(fold.named().map(|(_, split)| split.len()), [1497, 300, 0]);
    assert_eq!(fold.hashes().unwrap(), whole.hashes().unwrap());
    let error = ImageData::from_splits(&images, folds(0..9, 5..12), &config, 7).unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
}

#[test]
fn texts_carry_the_same_and_are_read_once() {
    let files = Files::new();
    let rows = (0..40).map(|i| format!("r{i},pot number {i},{},{}\n", i % 5, i % 2));
    let path = files.write(
        "a.csv",
        format!("id,text,w,y\n{}", rows.collect::<String>()),
    );
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
    assert_eq!(
        same.train.batch(&[3, 1]),
        whole.clone().train.batch(&[3, 1])
    );
    let carried = same.train.carried();
    let expected = [3, 1].map(|position: usize| (carried.rows[position] % 5) as f32);
    assert_eq!(same.train.batch(&[3, 1]).weights, Some(expected.to_vec()));
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
        let mut writer = TableWriter::create(&path, format).unwrap();
        writer.write(table.batch()).unwrap();
        writer.finish().unwrap();
        let options = fireclay_data::ReadOptions::new(format);
        let again = Table::read(path.to_str().unwrap(), &options).unwrap();
        assert_eq!(again.batch(), table.batch(), "{}", format.name());
        assert_eq!(
            fireclay_data::guess(path.to_str().unwrap()).unwrap().format,
            format
        );
    }
}

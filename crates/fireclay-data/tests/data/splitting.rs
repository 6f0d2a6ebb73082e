use std::collections::HashSet;

use fireclay_data::arrow::array::StringArray;
use fireclay_data::{
    DataError, MissingTarget, SplitConfig, Splits, Table, TableConfig, TargetKind, split,
};
use proptest::prelude::*;

use crate::preprocessing::load;
use crate::{Files, config, csv, fractions, messages, refused, table, with};

fn run(table: &Table, split_config: SplitConfig, seed: u64) -> Result<Splits, DataError> {
    let config = with(config("y"), |config| config.split = split_config);
    split(table, &config, seed, TargetKind::Class)
}

/// Rows `x,g,t,y` with groups, times and classes by arithmetic.
fn rows(n: usize) -> Table {
    table(&csv("x,g,t,y", n, |row| {
        let (group, time) = (row * 7 % 11, (n - row) * 3 % 101);
        format!("{row},g{group},{time},c{}", row % 3)
    }))
}

fn assert_partition(splits: &Splits, n: usize) {
    let mut all = [&*splits.train, &splits.valid, &splits.test].concat();
    all.sort_unstable();
    assert!(
        all.into_iter().eq(0..n),
        "{splits:?} is no partition of {n}"
    );
}

fn sizes(splits: &Splits) -> [usize; 3] {
    splits.named().map(|(_, rows)| rows.len())
}

fn any_fractions() -> impl Strategy<Value = (f64, f64, f64)> {
    (1u32..10, 0u32..5, 0u32..5).prop_map(|(a, b, c)| {
        let sum = f64::from(a + b + c);
        (f64::from(a) / sum, f64::from(b) / sum, f64::from(c) / sum)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn splits_are_disjoint_and_complete(n in 20usize..120, seed: u64, (train, valid, test) in any_fractions(), way in 0..5) {
        let mut config = SplitConfig { train, valid, test, ..Default::default() };
        match way {
            1 => config.stratify = true,
            2 => config.group = Some("g".into()),
            3 => config.time = Some("t".into()),
            4 => config.stable = true,
            _ => {}
        }
        match run(&rows(n), config.clone(), seed) {
            Ok(splits) => {
                assert_partition(&splits, n);
                for (fraction, (_, rows)) in [train, valid, test].into_iter().zip(splits.named()) {
                    prop_assert_eq!(fraction == 0.0, rows.is_empty());
                }
                prop_assert_eq!(splits, run(&rows(n), config, seed).unwrap());
            }
            Err(error) => prop_assert!(way == 4 && error.to_string().contains("split is empty"), "{}", error),
        }
    }

    #[test]
    fn strata_keep_their_proportions(counts in prop::collection::vec(3usize..60, 2..6), seed: u64) {
        let mut csv = "x,y\n".to_owned();
        for (class, count) in counts.iter().enumerate() {
            csv += &format!("1,c{class}\n").repeat(*count);
        }
        let table = table(&csv);
        let splits = run(&table, SplitConfig { stratify: true, ..Default::default() }, seed).unwrap();
        let mut start = 0;
        for count in counts {
            let inside = |rows: &[usize]| rows.iter().filter(|row| (start..start + count).contains(*row)).count() as f64;
            prop_assert!(inside(&splits.train) >= 1.0);
            for (fraction, (_, rows)) in [0.7, 0.15, 0.15].into_iter().zip(splits.named()) {
                // One more where a row was moved so that no split is empty.
                prop_assert!((inside(rows) - fraction * count as f64).abs() < 2.0);
            }
            start += count;
        }
    }

    #[test]
    fn no_group_is_in_two_splits(n in 40usize..120, seed: u64, stable: bool) {
        let table = rows(n);
        let config = SplitConfig { group: Some("g".into()), stable, ..Default::default() };
        let Ok(splits) = run(&table, config, seed) else {
            prop_assert!(stable);
            return Ok(());
        };
        let groups = |rows: &[usize]| rows.iter().map(|row| row * 7 % 11).collect::<HashSet<_>>();
        let (train, valid, test) = (groups(&splits.train), groups(&splits.valid), groups(&splits.test));
        prop_assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));
    }

    #[test]
    fn appended_rows_move_no_others(n in 60usize..100, more in 1usize..40, seed: u64, with_id: bool) {
        let csv = |n| csv("id,x,y", n, |row| format!("r{row},{},{}", row * row, row % 2));
        let mut config = with(config("y"), |config| config.split.stable = true);
        config.id = with_id.then(|| "id".into());
        let run = |n| split(&table(&csv(n)), &config, seed, TargetKind::Class);
        if let (Ok(before), Ok(after)) = (run(n), run(n + more)) {
            for ((_, before), (_, after)) in before.named().into_iter().zip(after.named()) {
                prop_assert!(after.starts_with(before));
            }
        }
    }
}

#[test]
fn the_default_is_random_and_exact() {
    let splits = run(&rows(150), SplitConfig::default(), 1).unwrap();
    assert_eq!(sizes(&splits), [105, 23, 22]);
    assert_ne!(splits, run(&rows(150), SplitConfig::default(), 2).unwrap());
    assert!(splits.train.windows(2).any(|pair| pair[1] - pair[0] > 1));
}

#[test]
fn a_stable_split_keeps_the_fractions_on_average() {
    let stable = with(SplitConfig::default(), |split| split.stable = true);
    let [train, valid, _] = sizes(&run(&rows(5000), stable, 3).unwrap());
    assert!((3350..3650).contains(&train), "{train}");
    assert!((650..850).contains(&valid), "{valid}");
}

#[test]
fn the_oldest_rows_train() {
    let table = table("when,y\n2024-03-01,0\n2024-01-01,1\n2023-06-01,0\n2024-02-01,1\n");
    let time = Some("when".into());
    let config = with(fractions(0.5, 0.25, 0.25), |split| split.time = time);
    let splits = run(&table, config.clone(), 1).unwrap();
    assert_eq!(splits.train, [1, 2]);
    assert_eq!((splits.valid, splits.test), (vec![3], vec![0]));
    let missing = crate::table("when,y\n2024-03-01,0\n,1\n");
    refused(run(&missing, config.clone(), 1), &["row 2"]);
    let words = crate::table("when,y\nsoon,0\nlater,1\n");
    refused(run(&words, config, 1), &["neither dates nor numbers"]);
}

#[test]
fn an_existing_column_decides() {
    let table = table("s,y\nTrain,0\nval,1\ntest,0\ntraining,1\n");
    let column = Some("s".into());
    let config = with(SplitConfig::default(), |split| split.column = column);
    let splits = run(&table, config.clone(), 1).unwrap();
    assert_eq!(splits.train, [0, 3]);
    assert_eq!((splits.valid, splits.test), (vec![1], vec![2]));
    let wrong = crate::table("s,y\ntrain,0\nother,1\n");
    refused(run(&wrong, config.clone(), 1), &["\"other\" is none of"]);
    let none = crate::table("s,y\ntest,0\nvalid,1\n");
    let expected = "no row of column \"s\" says train";
    refused(run(&none, config, 1), &[expected]);
}

#[test]
fn too_few_rows_are_an_error_that_says_what_to_do() {
    let run = |n| run(&rows(n), SplitConfig::default(), 1);
    let parts = ["split is empty: too few rows", "set the fraction to 0"];
    refused(run(2), &parts);
    assert_partition(&run(3).unwrap(), 3);
    let stratified = with(config("x"), |config| config.split.stratify = true);
    let regression = split(&rows(30), &stratified, 1, TargetKind::Number);
    refused(regression, &["take it out for regression"]);
}

#[test]
fn separate_files_are_used_whole() {
    let files = Files::new();
    let csv = |n| csv("x,y", n, |row| format!("{row},{}", row % 2));
    let mut config = TableConfig::new(files.write("train.csv", csv(40)), "y");
    config.test_path = Some(files.write("test.csv", csv(10)));
    let data = load(&config).unwrap();
    assert_eq!(data.named().map(|(_, split)| split.len()), [33, 7, 10]);
    assert!(data.test.carried.rows.iter().copied().eq(40..50));
    assert_eq!(data.files.len(), 2);
    config.test_path = Some(files.write("other.csv", "x,z\n1,2\n"));
    let lacks = "other.csv has no column \"y\", which";
    refused(load(&config), &[lacks, "train.csv has"]);
}

#[test]
fn rare_classes_of_three_rows_are_trained_on() {
    let table = table(&format!("x,y\n{}{}", "1,a\n".repeat(40), "1,b\n".repeat(3)));
    let config = with(fractions(0.2, 0.4, 0.4), |split| split.stratify = true);
    let splits = run(&table, config, 4).unwrap();
    assert!(splits.train.iter().any(|row| *row >= 40), "{splits:?}");
}

#[test]
fn rows_without_a_target_are_refused_or_left_out() {
    let rows = csv("x,y", 60, |row| {
        format!("{row},{}", ["a", "b", ""][row % 3])
    });
    let files = Files::new();
    let mut config = TableConfig::new(files.write("t.csv", rows), "y");
    refused(load(&config), &["missing"]);
    config.missing_target = MissingTarget::Drop;
    let data = load(&config).unwrap();
    let sizes = data.named().map(|(_, split)| split.len());
    assert_eq!(sizes.iter().sum::<usize>(), 40);
    let notes = messages(&data.notes);
    assert!(notes.contains("20 rows have no target"), "{notes}");
}

/// Rows `x,g,y` of groups of 1 to 5 rows, each of one class; a third of the groups is of class b.
fn patients(groups: usize) -> Table {
    let rows = (0..groups).flat_map(|group| (0..1 + group * 7 % 5).map(move |_| group));
    let rows: Vec<usize> = rows.collect();
    table(&csv("x,g,y", rows.len(), |row| {
        let group = rows[row];
        format!(
            "{row},g{group},{}",
            if group.is_multiple_of(3) { "b" } else { "a" }
        )
    }))
}

#[test]
fn groups_stay_whole_and_keep_the_proportions_of_the_classes() {
    for seed in 0..20 {
        let table = patients(60);
        let config = with(SplitConfig::default(), |split| {
            split.group = Some("g".into());
            split.stratify = true;
        });
        let splits = run(&table, config, seed).unwrap();
        assert_partition(&splits, table.rows());
        let text = |name: &str, row: usize| {
            let column = table.column(name).unwrap().to_data();
            let cells = StringArray::from(column);
            cells.value(row).to_owned()
        };
        let groups = |rows: &[usize]| -> HashSet<String> {
            rows.iter().map(|row| text("g", *row)).collect()
        };
        let [train, valid, test] = splits.named().map(|(_, rows)| groups(rows));
        assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));
        for (fraction, (name, rows)) in [0.7, 0.15, 0.15].into_iter().zip(splits.named()) {
            for class in ["a", "b"] {
                let of_class = |row: &usize| text("y", *row) == class;
                let all = (0..table.rows()).filter(|row| of_class(row)).count() as f64;
                let share = rows.iter().filter(|row| of_class(row)).count() as f64 / all;
                assert!(
                    (share - fraction).abs() < 0.08,
                    "{seed} {name} {class} {share}"
                );
            }
        }
    }
}

#[test]
fn the_first_group_of_each_class_trains() {
    let table = table("g,y\n1,a\n1,a\n2,b\n3,a\n4,b\n");
    let config = with(fractions(0.7, 0.3, 0.0), |split| {
        split.group = Some("g".into());
        split.stratify = true;
    });
    let splits = run(&table, config, 1).unwrap();
    assert_eq!(splits.train.len(), 3, "{splits:?}");
    assert_eq!(splits.train[..2], [0, 1]);
}

#[test]
fn a_seed_of_the_split_is_taken_instead_of_the_seed_of_the_run() {
    let own = with(SplitConfig::default(), |split| split.seed = Some(3));
    let table = rows(90);
    let splits = |config: &SplitConfig, seed| run(&table, config.clone(), seed).unwrap();
    assert_eq!(splits(&own, 1), splits(&own, 2));
    assert_eq!(splits(&own, 1), splits(&SplitConfig::default(), 3));
    let other = with(own.clone(), |split| split.seed = Some(4));
    assert_ne!(splits(&own, 1), splits(&other, 1));
}

#[test]
fn the_one_row_of_a_class_trains() {
    let table = table(&format!("x,y\n{}1,b\n1,c\n1,d\n", "1,a\n".repeat(40)));
    let config = with(SplitConfig::default(), |split| split.stratify = true);
    for seed in 0..10 {
        let splits = run(&table, config.clone(), seed).unwrap();
        assert!(
            (40..43).all(|row| splits.train.contains(&row)),
            "{splits:?}"
        );
    }
}

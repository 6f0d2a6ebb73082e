//! The simulators, the data for finance, and the configs that train on them.

use std::collections::BTreeSet;
use std::fs;

use fireclay_data::arrow::array::Array;
use fireclay_data::arrow::util::display::array_value_to_string;
use fireclay_data::{ReadOptions, Table, TableFormat};

use crate::support::{Project, root};

/// A few steps of a shipped config.
const BRIEFLY: &str = "-q --set train.max_steps=3 --set device.backend=flex \
                       --set lr_scheduler.type=constant --set lr_scheduler.warmup_steps=0";

#[test]
fn the_arm_is_simulated_and_trained() {
    let project = Project::new();
    let ran = project.ok("simulate arm -o data/simulated-arm.csv --count 12");
    for words in [
        "1,200 readings of 12 motions",
        "seed 42",
        "no robot was measured",
        "R² 0.99",
    ] {
        assert!(ran.out.contains(words), "no {words:?} in\n{}", ran.out);
    }
    let config = "configs/tabular/simulated-arm.toml";
    project.ok(&format!("check {config}"));
    let beside = "--set data.extra_columns=[\"trajectory\"]";
    project.ok(&format!("train {config} {BRIEFLY} {beside}"));
    let [valid, test] = in_splits(&project, "runs/simulated-arm/1", "trajectory");
    assert!(
        valid.is_disjoint(&test) && valid.len() + test.len() < 6,
        "{valid:?} {test:?}"
    );
    let features = project.read("runs/simulated-arm/1/preprocess.json");
    assert!(
        features.contains("acceleration_2") && !features.contains("torque_2"),
        "{features}"
    );
}

#[test]
fn the_signs_are_simulated_and_trained() {
    let project = Project::new();
    let ran = project.ok("simulate signs -o data/simulated-signs --count 96");
    for words in [
        "96 pictures",
        "12 classes",
        "seed 42",
        "no picture shows a street",
    ] {
        assert!(ran.out.contains(words), "no {words:?} in\n{}", ran.out);
    }
    let config = "configs/vision/simulated-signs.toml";
    project.ok(&format!("check {config}"));
    project.ok(&format!("train {config} {BRIEFLY}"));
    let stop = "data/simulated-signs/stop/00010.png";
    let answer = project
        .ok(&format!("predict runs/simulated-signs/1 {stop}"))
        .out;
    let folders = fs::read_dir(project.path("data/simulated-signs")).unwrap();
    let classes = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let named = classes
        .filter(|class| answer.contains(class.as_str()))
        .count();
    assert!(named >= 5, "{answer}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let project = Project::new();
    for (name, seed) in [("one", 7), ("two", 7), ("other", 8)] {
        project.ok(&format!(
            "simulate arm -o {name}.csv --count 2 --seed {seed}"
        ));
        project.ok(&format!(
            "simulate signs -o {name} --count 12 --seed {seed}"
        ));
    }
    for name in ["csv", "stop/00010.png"] {
        let place = |run: &str| match name {
            "csv" => format!("{run}.csv"),
            picture => format!("{run}/{picture}"),
        };
        let [one, two, other] = ["one", "two", "other"].map(|run| project.bytes(&place(run)));
        assert!(one == two, "{name} differs for one seed");
        assert!(one != other, "{name} is the same for two seeds");
    }
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let project = Project::new();
    project.refused("simulate", 2, &["<WHAT>"]);
    project.refused("simulate leg -o x.csv", 2, &["leg", "arm", "signs"]);
    project.refused("simulate arm", 2, &["--output"]);
    project.refused("simulate arm -o arm.csv --count 0", 2, &["--count", "1"]);
    project.refused("simulate arm -o arm.csv --seed no", 2, &["--seed", "no"]);
    project.refused("simulate arm -o arm.parquet", 2, &["arm.parquet", ".csv"]);
    project.refused("simulate signs -o signs.zip", 2, &["signs.zip", "folder"]);
    project.refused(
        "simulate signs -o signs --count 11",
        2,
        &["12 classes", "11 images"],
    );
    project.write("there.csv", "mine");
    project.refused(
        "simulate arm -o there.csv",
        2,
        &["there.csv", "exists", "remove"],
    );
    assert_eq!(project.read("there.csv"), "mine");
    project.refused("simulate signs -o configs", 2, &["configs", "exists"]);
    project.refused(
        "simulate arm -o there.csv/arm.csv",
        1,
        &["cannot write", "there.csv"],
    );
}

/// Dates and prices of `datasets/crude-oil/prices.csv`.
fn prices() -> Vec<(String, f64)> {
    let text = fs::read_to_string(root().join("datasets/crude-oil/prices.csv")).unwrap();
    let rows = text
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap());
    rows.map(|(date, price)| (date.into(), price.parse().unwrap()))
        .collect()
}

fn log_volatility(logs: &[f64]) -> f64 {
    let changes = logs.windows(2).map(|pair| (pair[1] - pair[0]).powi(2));
    let mean = changes.sum::<f64>() / (logs.len() - 1) as f64;
    (252.0 * mean).sqrt().ln()
}

/// Each row is computed anew, its features from prices that end at its date and its target from those that follow.
#[test]
fn the_table_of_finance_knows_nothing_of_the_future() {
    let prices = prices();
    let logs: Vec<f64> = prices.iter().map(|(_, price)| price.ln()).collect();
    let text = fs::read_to_string(root().join("datasets/crude-oil/data.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut end_of_target = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let now = prices
            .binary_search_by(|(date, _)| date.as_str().cmp(cells[0]))
            .unwrap();
        let (past, future) = (&logs[..=now], &logs[now..=now + 5]);
        assert!(
            now >= end_of_target,
            "{line}: its target shares days with the row before"
        );
        end_of_target = now + 5;
        let last = |days: usize| &past[now - days..];
        for (name, cell) in names.iter().zip(&cells).skip(1) {
            let days = || name.rsplit('_').next().unwrap().parse().unwrap();
            let exact = match *name {
                "next_log_volatility" => log_volatility(future),
                "largest_change_5" => {
                    let changes = last(5).windows(2).map(|pair| (pair[1] - pair[0]).abs());
                    changes.fold(0.0, f64::max)
                }
                name if name.starts_with("return") => past[now] - last(days())[0],
                _ => log_volatility(last(days())),
            };
            let found: f64 = cell.parse().unwrap();
            assert!(
                (found - exact).abs() < 1e-6,
                "{name} of {}: {found}, not {exact}",
                cells[0]
            );
        }
    }
}

#[test]
fn the_config_of_finance_tests_on_what_follows() {
    let project = Project::new();
    project.ok(&format!(
        "train configs/tabular/crude-oil-volatility.toml {BRIEFLY}"
    ));
    let [valid, test] = in_splits(&project, "runs/crude-oil-volatility/1", "date");
    assert_eq!((valid.len(), test.len()), (242, 242));
    assert!(valid.last() < test.first(), "{valid:?} {test:?}");
}

/// The values of a column beside the predictions that a run keeps, for validation and for the test.
fn in_splits(project: &Project, run: &str, name: &str) -> [BTreeSet<String>; 2] {
    let path = project.path(&format!("{run}/predictions.parquet"));
    let options = ReadOptions::new(TableFormat::Parquet);
    let table = Table::read(path.to_str().unwrap(), &options).unwrap();
    let cells = |name: &str| {
        let column = table.batch().column_by_name(name).unwrap();
        let cells = (0..column.len()).map(|row| array_value_to_string(column, row).unwrap());
        cells.collect::<Vec<_>>()
    };
    let (splits, values) = (cells("split"), cells(name));
    ["valid", "test"].map(|split| {
        let of_split = splits.iter().zip(&values).filter(|(own, _)| *own == split);
        of_split.map(|(_, value)| value.clone()).collect()
    })
}

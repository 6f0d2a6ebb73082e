use fireclay_data::{DataReport, SplitConfig, Splits, Table, TableConfig, TargetKind, inspect};

use crate::{config, table};

fn report(table: &Table, config: &TableConfig, target: TargetKind, cut: usize) -> DataReport {
    let splits = Splits {
        train: (0..cut).collect(),
        valid: (cut..table.rows()).collect(),
        test: Vec::new(),
    };
    inspect(table, &splits, config, target).unwrap()
}

fn messages(notes: &[fireclay_data::Note]) -> String {
    notes.iter().map(|note| format!("{note}\n")).collect()
}

#[test]
fn a_sound_table_has_no_findings() {
    let rows: String = (0..60)
        .map(|row| {
            format!(
                "{}.5,{},{}\n",
                row * 7 % 31,
                row % 5,
                ["a", "b"][row * row % 7 % 2]
            )
        })
        .collect();
    let table = table(&format!("x,k,y\n{rows}"));
    let report = report(&table, &config("y"), TargetKind::Class, 40);
    assert_eq!(
        (messages(&report.warnings), messages(&report.errors)),
        (String::new(), String::new())
    );
    assert_eq!(report.features, 2);
    assert_eq!(report.splits[0].classes.values().sum::<usize>(), 40);
    assert!(
        serde_json::to_string(&report)
            .unwrap()
            .contains("\"role\":\"target\"")
    );
}

#[test]
fn leaks_identifiers_duplicates_and_rare_classes_are_warned_of() {
    let mut rows: String = (0..60)
        .map(|row| {
            format!(
                "{row},{},{}.25,{}\n",
                ["no", "yes"][usize::from(row < 3)],
                row * 13 % 17,
                ["a", "b"][usize::from(row < 3)]
            )
        })
        .collect();
    rows += "59,no,1.25,a\n59,no,2.25,a\n59,no,2.25,a\n";
    let table = table(&format!("row,known,x,y\n{rows}"));
    let config = TableConfig {
        ignore: vec!["row".into()],
        ..config("y")
    };
    let report = report(&table, &config, TargetKind::Class, 50);
    let warnings = messages(&report.warnings);
    for part in [
        "\"known\": tells the target by itself",
        "class \"b\" has only 3 rows",
        "very unequal",
        "in another split",
    ] {
        assert!(warnings.contains(part), "{part} is not in {warnings}");
    }
    assert_eq!(messages(&report.errors), "");
    assert_eq!(
        report.duplicates_within.example.map(|pair| pair.0 > pair.1),
        Some(true)
    );
    let ids = crate::table(&format!(
        "num,x,y\n{}",
        (0..30)
            .map(|row| format!("{row},{},{}\n", row % 7, row % 2))
            .collect::<String>()
    ));
    let warnings =
        messages(&self::report(&ids, &crate::config("y"), TargetKind::Class, 20).warnings);
    assert!(
        warnings.contains("\"num\": is a different whole number in every row"),
        "{warnings}"
    );
}

#[test]
fn a_target_on_one_line_with_a_feature_is_a_leak() {
    let table = table(&format!(
        "euro,x,y\n{}",
        (0..30)
            .map(|row| format!("{},{},{}\n", row as f64 * 0.5 + 3.0, row * row % 11, row))
            .collect::<String>()
    ));
    let warnings = messages(&report(&table, &config("y"), TargetKind::Number, 20).warnings);
    assert!(
        warnings.contains("\"euro\": tells the target") && !warnings.contains("\"x\": tells"),
        "{warnings}"
    );
}

#[test]
fn what_cannot_be_trained_is_an_error() {
    let errors = |csv: &str, cut| {
        messages(&report(&table(csv), &config("y"), TargetKind::Class, cut).errors)
    };
    assert!(errors("x,y\n1,a\n2,a\n3,a\n", 2).contains("every row is \"a\""));
    assert!(
        errors("x,y\n1,a\n2,b\n3,c\n", 2).contains("class \"c\" (1 rows) is in no training row")
    );
    assert!(errors("x,y\n1,a\n2,\n3,b\n4,\n", 3).contains("missing in 2 rows, first in row 2"));
    assert!(errors("x,y\n1,a\n2,b\ninf,b\n", 2).contains("\"inf\" is not finite"));
    assert!(errors("x,y\n1,a\n1,b\n1,b\n", 3).contains("no column is left to learn from"));
    let mut absent = config("y");
    absent.split = SplitConfig {
        group: Some("nobody".into()),
        ..Default::default()
    };
    let table = table("x,y\n1,a\n2,b\n");
    assert!(
        inspect(&table, &Splits::default(), &absent, TargetKind::Class)
            .unwrap_err()
            .to_string()
            .contains("no column \"nobody\"")
    );
}

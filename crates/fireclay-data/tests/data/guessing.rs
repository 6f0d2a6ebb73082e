use fireclay_data::{ColumnKind, Guess, TableConfig, TableData, TableFormat, TargetKind, guess};

use crate::{Files, csv, refused};

fn guess_csv(header: &str, row: impl Fn(usize) -> String) -> Guess {
    let files = Files::new();
    let path = files.write("table.csv", csv(header, 200, row));
    let guess = guess(&path).unwrap();
    trains(&path, &guess);
    guess
}

/// The guess, written down as it is, loads.
fn trains(path: &str, guess: &Guess) {
    let mut config = TableConfig::new(path, &guess.target);
    config.id.clone_from(&guess.id);
    config.ignore.clone_from(&guess.ignore);
    config = config.with_dialect(guess.dialect.clone());
    config.split.stratify = guess.stratify;
    assert_eq!(config.validate(guess.format), []);
    TableData::load(guess.format, &config, 1, guess.target_kind).unwrap();
}

fn target(guess: &Guess) -> (&str, TargetKind) {
    (&guess.target, guess.target_kind)
}

fn kind(guess: &Guess, name: &str) -> ColumnKind {
    let mut columns = guess.columns.iter();
    columns.find(|column| column.name == name).unwrap().kind
}

#[test]
fn passengers() {
    let guess = guess_csv(
        "PassengerId,Survived,Pclass,Name,Sex,Age,Ticket,Fare,Cabin,Embarked",
        |i| {
            let cell = |is_there: bool, text: String| if is_there { text } else { String::new() };
            let age = cell(i % 5 > 0, (i % 60).to_string());
            let cabin = cell(i % 4 == 0, format!("C{i}"));
            let (survived, class, ticket, fare) = (i * i % 3 % 2, i % 3 + 1, i * 2 / 3, i % 91);
            let (sex, port) = (["male", "female"][i % 2], ["S", "C", "Q", ""][i % 4]);
            let name = format!("\"Name, Mr. {i}\"");
            let id = i + 1;
            format!(
                "{id},{survived},{class},{name},{sex},{age},T {ticket},{fare}.25,{cabin},{port}"
            )
        },
    );
    assert_eq!(target(&guess), ("Survived", TargetKind::Class));
    assert_eq!(guess.id.as_deref(), Some("PassengerId"));
    assert_eq!(guess.ignore, ["Name", "Ticket", "Cabin"]);
    assert_eq!(kind(&guess, "Sex"), ColumnKind::Categorical);
    assert_eq!(kind(&guess, "Age"), ColumnKind::Numeric);
    assert!(guess.stratify);
}

#[test]
fn the_passengers_that_tell_twice() {
    let guess = guess_csv("survived,pclass,sex,class,alive,alone", |i| {
        let alive = usize::from(i % 5 < 2);
        format!(
            "{alive},{},{},{},{},{}",
            i % 3,
            ["m", "f"][i * i % 3 % 2],
            ["First", "Second", "Third"][i % 3],
            ["no", "yes"][alive],
            ["True", "False"][i / 3 % 2]
        )
    });
    assert_eq!(guess.target, "survived");
    assert_eq!(guess.ignore, ["alive"]);
    assert_eq!(kind(&guess, "alone"), ColumnKind::Boolean);
    let mut notes = guess.notes.iter();
    assert!(notes.any(|note| note.contains("tells the target by itself")));
}

#[test]
fn incomes_with_spaces_and_question_marks() {
    let guess = guess_csv(
        "age, workclass, education-num, native-country, income",
        |i| {
            format!(
                "{}, {}, {}, {}, {}",
                i % 60,
                ["Private", "?", "State-gov"][i % 3],
                i % 16,
                ["US", "?"][i % 2],
                ["<=50K", ">50K"][i * i % 7 % 2]
            )
        },
    );
    assert_eq!(target(&guess), ("income", TargetKind::Class));
    let reason = &guess.columns[1].reason;
    let expected = "2 different texts, missing in 67 of 200 rows";
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn wine_between_semicolons() {
    let guess = guess_csv("\"fixed acidity\";\"alcohol\";\"quality\"", |i| {
        format!("{}.4;{}.1;{}", i % 11, i % 7, 3 + i * i % 6)
    });
    assert_eq!(target(&guess), ("quality", TargetKind::Class));
    assert_eq!(guess.dialect.delimiter.as_deref(), Some(";"));
    assert!(guess.notes.iter().any(|note| note.contains("regression")));
}

#[test]
fn houses_have_a_price() {
    let guess = guess_csv(
        "longitude,latitude,median_house_value,ocean_proximity",
        |i| {
            format!(
                "-{}.1,{}.2,{},{}",
                i % 120,
                i % 40,
                i * 977 % 1009 * 100,
                ["INLAND", "NEAR BAY"][i % 2]
            )
        },
    );
    assert_eq!(target(&guess), ("median_house_value", TargetKind::Number));
    assert!(!guess.stratify);
}

#[test]
fn penguins_come_with_row_numbers() {
    let guess = guess_csv(",species,island,bill_length_mm,sex,year", |i| {
        format!(
            "{i},{},{},{}.5,{},{}",
            ["Adelie", "Gentoo", "Chinstrap"][i * i % 5 % 3],
            ["Biscoe", "Dream"][i % 2],
            i % 40,
            ["male", "female", "NA"][i % 3],
            2007 + i % 3
        )
    });
    assert_eq!((&*guess.target, guess.id), ("species", None));
    assert_eq!(guess.ignore, ["Unnamed: 0"]);
}

#[test]
fn hearts_have_a_target_in_the_last_column() {
    let guess = guess_csv("age,sex,cp,chol,target", |i| {
        format!(
            "{},{},{},{},{}",
            i % 50,
            i % 2,
            i % 4,
            200 + i * 3 % 77,
            i * i % 5 % 2
        )
    });
    assert_eq!(target(&guess), ("target", TargetKind::Class));
    let row = |i| format!("{},{}.5,{}.25", i % 50, i % 9, i * 31 % 199);
    let unnamed = guess_csv("a,b,c", row);
    assert_eq!(target(&unnamed), ("c", TargetKind::Number));
    assert!(unnamed.notes[0].contains("it is the last column"));
}

#[test]
fn the_format_is_seen_in_the_first_bytes() {
    let files = Files::new();
    let line = |i: usize| {
        let (x, label) = (i * 7 % 13, ["a", "b"][i % 2]);
        format!("{{\"x\": {x}, \"label\": \"{label}\"}}\n")
    };
    let path = files.write("no-extension", (0..50).map(line).collect::<String>());
    let guess = guess(&path).unwrap();
    assert_eq!(guess.format, TableFormat::Jsonl);
    assert_eq!(guess.target, "label");
    trains(&path, &guess);
}

#[test]
fn what_cannot_be_learned_is_said() {
    let files = Files::new();
    let same = files.write("a.csv", csv("id,k", 20, |i| format!("{i},same")));
    refused(guess(&same), &["no column can be a target"]);
}

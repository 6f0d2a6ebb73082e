//! Limits of the system, settings of the environment and files that change: what the program says where others hang,
//! panic or go on. docs/reliability.md says what each test shows.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::faults::shell;
use crate::images::{PICTURES, pictures};
use crate::resume::wait_for_a_record;
use crate::support::{EVERYTHING, Project, Ran};

/// What is tried under each limit.
const VERBS: [&str; 10] = [
    "train run.toml -q --set train.max_steps=4 --set lr_scheduler.warmup_steps=0",
    "predict runs/run/1 datasets/breast-cancer/data.csv -o out.csv",
    "evaluate runs/run/1",
    "explain runs/run/1 --rows 2 -o why",
    "report runs/run/1 -o page.html",
    "check run.toml",
    "plan run.toml",
    "verify-resume run.toml --steps 4",
    // They stay until they are ended.
    "serve runs/run/1 --port 0",
    "watch runs/run/1",
];

fn finished() -> Project {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    project
}

/// Ends with an answer, or with words: no panic, no signal, nothing after ten seconds.
fn assert_words(ran: &Ran, when: &str) {
    let when = format!("{when}: {} {}", ran.code, ran.err);
    // 124 is what `timeout` gives a server that serves.
    assert!([0, 1, 2, 124].contains(&ran.code), "{when}");
    assert!(!ran.err.contains("panicked"), "{when}");
    let is_refused = ran.err.lines().any(|line| line.starts_with("error"));
    assert_eq!([1, 2].contains(&ran.code), is_refused, "{when}");
}

#[test]
fn limits_on_memory_and_files_are_errors_with_words() {
    let project = finished();
    let program = fs::metadata(env!("CARGO_BIN_EXE_fireclay")).unwrap().len() >> 10;
    // From what the system itself needs to begin on.
    let memory = [48, 64, 96, 160, 400].map(|more| format!("ulimit -v {}", program + (more << 10)));
    let files = [7, 8, 9, 10, 12, 16].map(|most| format!("ulimit -n {most}"));
    for limit in memory.iter().chain(&files) {
        if shell(&project, &format!("{limit}; exec $F --version")).code != 0 {
            continue;
        }
        for verb in VERBS {
            let ran = shell(&project, &format!("{limit}; exec timeout 3 $F {verb}"));
            assert_words(&ran, &format!("{limit}: {verb}"));
        }
    }
}

#[test]
fn a_small_stack_and_odd_numbers_of_threads_are_no_end() {
    let project = finished();
    let model = project.bytes("runs/run/1/model.safetensors");
    for (number, words) in [
        "ulimit -s 64;",
        "RAYON_NUM_THREADS=100000",
        "RAYON_NUM_THREADS=-1",
        "RUST_MIN_STACK=rubbish",
    ]
    .iter()
    .enumerate()
    {
        let ran = shell(
            &project,
            &format!("{words} timeout 60 $F train run.toml -q"),
        );
        ran.refused(0, &[]);
        let path = format!("runs/run/{}/model.safetensors", number + 2);
        assert!(model == project.bytes(&path), "{words}: other weights");
    }
    for stack in ["1", "99999999999999999"] {
        let ran = shell(
            &project,
            &format!("RUST_MIN_STACK={stack} $F evaluate runs/run/1"),
        );
        ran.refused(2, &["RUST_MIN_STACK", "unset it"]);
    }
}

#[test]
fn a_damaged_record_is_not_reported() {
    let project = finished();
    project.ok("train run.toml -q");
    for name in ["evaluation.json", "metrics.jsonl", "config.toml"] {
        let path = format!("runs/run/1/{name}");
        let before = project.bytes(&path);
        let mut bytes = before.clone();
        let digits =
            (bytes.len() / 2..bytes.len()).filter(|at| (b'0'..=b'7').contains(&bytes[*at]));
        let at = digits.into_iter().next().unwrap();
        bytes[at] ^= 1;
        fs::write(project.path(&path), bytes).unwrap();
        for line in [
            "report runs/run/1 -o page.html",
            "compare runs/run/1 runs/run/2",
            "track runs/run/1 --csv all.csv",
            "watch runs/run/1",
        ] {
            let ran = project.run(line);
            assert!([1, 2].contains(&ran.code), "{line} {name}: {}", ran.err);
            ran.refused(ran.code, &[name]);
        }
        let listed = project.ok("runs");
        assert!(listed.out.contains("damaged"), "{}", listed.out);
        assert!(listed.err.contains(name), "{}", listed.err);
        fs::write(project.path(&path), before).unwrap();
    }
    let path = project.path("runs/run/1/model.safetensors");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[1..]).unwrap();
    let listed = project.ok("runs");
    assert!(listed.out.contains("damaged"), "{}", listed.out);
    // Weights that take too much room may go.
    fs::remove_file(&path).unwrap();
    project.ok("report runs/run/1 -o page.html");
    fs::remove_file(project.path("page.html")).unwrap();
    fs::write(&path, whole).unwrap();
    for left in ["page.html", "all.csv"] {
        assert!(!project.path(left).exists(), "{left} is left");
    }
    project.ok("report runs/run/1 -o page.html");
    let listed = project.ok("runs").out;
    assert!(!listed.contains("damaged"), "{listed}");
}

#[test]
fn an_image_that_changes_while_it_is_in_use_ends_the_training() {
    let project = Project::with(&PICTURES.replace("epochs = 10", "epochs = 100000"));
    pictures(&project, "pictures");
    let child = project
        .command("train run.toml -q".split(' '))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_a_record(&project, "runs/run/1");
    for number in 0..10 {
        project.copy(
            "pictures/bright/0.png",
            &format!("pictures/dark/{number}.png"),
        );
    }
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.refused(1, &["pictures/dark/", "was changed while it was in use"]);
}

#[test]
fn standard_input_that_cannot_be_kept_is_not_said_to_be_unreadable() {
    let project = finished();
    let table = project.read("datasets/breast-cancer/data.csv");
    project.write("long.csv", &table.repeat(4));
    let line = "ulimit -f 8; cat long.csv | $F predict runs/run/1 - -o out.csv";
    let ran = shell(&project, line);
    ran.refused(1, &["cannot write to", "File too large"]);
    assert!(!ran.err.contains("cannot read"), "{}", ran.err);
}

#[test]
fn what_takes_long_says_so() {
    let project = finished();
    let mut child = project
        .command("predict runs/run/1 - -o out.csv".split(' '))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(10_500));
    drop(child.stdin.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.refused(1, &["... predicting  9s", "standard input is empty"]);
}

#[test]
fn a_table_of_many_columns_does_not_bury_what_is_said_of_it() {
    const COLUMNS: usize = 3000;
    let project = Project::with(
        &EVERYTHING
            .replace("datasets/breast-cancer/data.csv", "wide.csv")
            .replace("diagnosis", "y"),
    );
    let names: String = (0..COLUMNS).map(|column| format!("c{column},")).collect();
    let row = |number: usize| {
        format!(
            "{}{}\n",
            format!("{number},").repeat(COLUMNS),
            ["a", "b"][number % 2]
        )
    };
    let rows: String = (0..40).map(row).collect();
    project.write("wide.csv", &format!("{names}y\n{rows}"));
    for verb in ["check", "train -q"] {
        let ran = project.ok(&format!(
            "{verb} run.toml --set lr_scheduler.warmup_steps=0"
        ));
        let lines = ran.err.lines().count();
        assert!(lines < 1200, "{lines} lines: {}", &ran.err[..2000]);
        assert!(ran.err.contains("more like"), "{}", &ran.err[..2000]);
    }
}

/// Ends within a time.
fn within(seconds: u64, project: &Project, line: &str) -> Ran {
    let begun = Instant::now();
    let ran = project.run(line);
    assert!(begun.elapsed() < Duration::from_secs(seconds), "{line}");
    ran
}

#[test]
fn what_explains_by_each_column_is_left_out_where_there_are_very_many() {
    const COLUMNS: usize = 6000;
    let project = Project::with(
        &EVERYTHING
            .replace("datasets/breast-cancer/data.csv", "wide.csv")
            .replace("diagnosis", "y"),
    );
    let names: String = (0..COLUMNS).map(|column| format!("c{column},")).collect();
    let row = |number: usize| {
        let cells = (0..COLUMNS).map(|column| format!("{},", (number * 7 + column * 13) % 31));
        format!(
            "{}{}\n",
            cells.collect::<String>(),
            ["a", "b"][number / 3 % 2]
        )
    };
    let rows: String = (0..400).map(row).collect();
    project.write("wide.csv", &format!("{names}y\n{rows}"));
    project.ok("train run.toml -q --set train.max_steps=4 --set lr_scheduler.warmup_steps=0");
    let ran = within(120, &project, "explain runs/run/1 --rows 50 -o why");
    for method in ["permutation", "shapley", "partial_dependence"] {
        ran.refused(0, &[method, "is left out", "--method"]);
    }
    assert!(ran.out.contains("integrated_gradients"), "{}", ran.out);
}

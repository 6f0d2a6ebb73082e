//! What a run will take, said before it starts.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{EVERYTHING, Project, configs};

fn whole(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// Columns, or pixels of a side, of data that is not here and has no usual size.
const ASSUMED: [(&str, u64); 4] = [
    ("compas-fairness.toml", 8),
    ("simulated-arm.toml", 7),
    ("signs-efficientnet.toml", 64),
    ("simulated-signs.toml", 64),
];

#[test]
fn every_shipped_config_has_a_plan() {
    let project = Project::new();
    for config in configs() {
        let start = Instant::now();
        let known = ASSUMED.iter().find(|(name, _)| config.ends_with(name));
        let assume = known.map_or(String::new(), |(_, length)| {
            format!(" --assume length={length}")
        });
        let ran = project.ok(&format!("plan {config} --json{assume}"));
        // Far less, unless the machine has other work.
        assert!(start.elapsed() < Duration::from_secs(10), "{config}");
        let json = ran.json();
        let plan = &json["plan"];
        let tensors = plan["tensors"].as_array().unwrap();
        let parameters = tensors.iter().filter(|tensor| tensor["statistic"] == false);
        let numbers = |tensor: &Value| {
            let sides = tensor["shape"].as_array().unwrap();
            sides.iter().map(whole).product::<u64>()
        };
        assert_eq!(
            whole(&plan["parameters"]),
            parameters.map(numbers).sum::<u64>(),
            "{config}"
        );
        let memory = &plan["memory"];
        let parts = [
            "weights",
            "halves",
            "gradients",
            "optimizer",
            "average",
            "exchange",
            "activations",
        ];
        let sum: u64 = parts.map(|part| whole(&memory[part])).iter().sum();
        assert_eq!(whole(&memory["peak"]), sum, "{config}");
        // All of them hold something out.
        let evaluation = &memory["evaluation"];
        assert!(
            whole(&evaluation["peak"]) > whole(&memory["weights"]),
            "{config}"
        );
        if !memory["resident"].is_null() {
            let tensors = whole(&evaluation["peak"]).max(sum);
            assert!(whole(&memory["resident"]) > tensors, "{config}");
        }
        let flops = &plan["flops"];
        let forward = flops["forward_per_sample"].as_f64().unwrap();
        let training = flops["training_per_sample"].as_f64().unwrap();
        assert!(training > 1.4 * forward, "{config}: {flops}");
        assert!(training < 3.1 * forward, "{config}: {flops}");
        assert_eq!(json["hardware"].as_array().unwrap().len(), 5);
    }
}

#[test]
fn the_largest_model_needs_no_memory() {
    let project = Project::new();
    let args = ["plan", "configs/language/gpt3-175b.toml", "--json"];
    let output = fs::File::create(project.path("plan.json")).unwrap();
    let mut child = project.command(args).stdout(output).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let exit = loop {
        if let Some(exit) = child.try_wait().unwrap() {
            break exit;
        }
        // Linux alone has such a file.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        peak = number.unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(exit.success());
    let json = project.json("plan.json");
    assert_eq!(whole(&json["plan"]["parameters"]), 174_604_259_328);
    let a100 = &json["hardware"][2];
    assert_eq!(a100["hardware"], "a100");
    assert_eq!(a100["sharding"]["tensor"], 8);
    // The program itself takes some 40 MB; the weights alone would be 698 GB.
    assert!(peak < 256 * 1024, "{peak} kB");
}

#[test]
fn a_plan_is_shown_as_text() {
    let ran = Project::new().ok("plan configs/tabular/iris.toml --on a100");
    // How much memory there is differs from machine to machine, and what the program holds from one build
    // to the next.
    let differs = |line: &str| line.starts_with("batch") || line.starts_with("process");
    let lines = ran.out.lines().filter(|line| !differs(line));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    assert_eq!(ran.err, "");
}

/// A whole run with its evaluation, on data that is there for everyone.
#[test]
fn a_run_takes_the_memory_that_was_planned() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let project = Project::new();
    for config in ["tabular/breast-cancer", "vision/digits-cnn"] {
        let short = format!(
            "configs/{config}.toml --set train.epochs=3 --set lr_scheduler.warmup_steps=1 \
             --set device.backend=flex"
        );
        let plan = project.ok_json(&format!("plan {short} --json"));
        let planned = whole(&plan["plan"]["memory"]["resident"]) as f64;
        let ran = project.ok_json(&format!("train {short} -q --json"));
        let measured = whole(&ran["cost"]["peak_memory_bytes"]) as f64;
        // Not the 15 % of a machine with two cores and nothing else to do.
        let ratio = planned / measured;
        assert!((0.5..2.0).contains(&ratio), "{config}: {ratio}");
    }
}

#[test]
fn a_checkpoint_is_as_large_as_planned() {
    let project = Project::with(EVERYTHING);
    let plan = project.ok_json("plan run.toml --json");
    project.ok("train run.toml -q");
    let newest = fs::read_dir(project.path("runs/run/1/checkpoints")).unwrap();
    let newest = newest.map(|entry| entry.unwrap().path()).max().unwrap();
    let files = fs::read_dir(newest).unwrap();
    let size: u64 = files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    let planned = whole(&plan["plan"]["checkpoint_bytes"]);
    // Names, hashes and the state of the loop come on top.
    assert!(size > planned, "{size}, not {planned}");
    assert!(size < planned + 20_000, "{size}, not {planned}");
}

#[test]
fn the_largest_batch_that_fits_is_taken_if_asked_for() {
    let project = Project::with(EVERYTHING);
    let auto = "--set train.batch_size=auto --set train.epochs=20 --set device.backend=flex";
    project.ok(&format!("train run.toml -q {auto}"));
    let taken = project.read("runs/run/1/config.toml");
    // 398 rows to train on.
    assert!(taken.contains("batch_size = 256"), "{taken}");
    let checked = project.ok(&format!("check run.toml {auto}"));
    assert!(checked.err.contains("is 256"), "{}", checked.err);
    assert!(
        checked.out.contains("batch_size = \"auto\""),
        "{}",
        checked.out
    );
    let checked = project.ok(&format!("check run.toml --no-data {auto}"));
    assert!(
        checked.err.contains("decided by the data"),
        "{}",
        checked.err
    );
    let ran = project.run(&format!(
        "check run.toml {auto} --set device.memory_gb=0.01"
    ));
    ran.refused(2, &["train.batch_size", "one sample", "device.memory_gb"]);
    let ran = project.run("check run.toml --set train.batch_size=auto --set device.backend=auto");
    ran.refused(2, &["train.batch_size", "device.memory_gb"]);
}

#[test]
fn three_steps_are_measured() {
    let project = Project::new();
    let ran = project.ok("plan configs/tabular/iris.toml --measure --json");
    let measured = &ran.json()["measured"];
    assert_eq!(measured["steps"], 3);
    assert!(measured["seconds_per_step"].as_f64().unwrap() > 0.0);
    assert!(!project.path("runs").exists());
}

#[test]
fn bad_requests_are_refused() {
    let project = Project::new();
    let iris = "plan configs/tabular/iris.toml";
    project.refused(&format!("{iris} --on abacus"), 2, &["abacus", "h100"]);
    let ran = project.run(&format!("{iris} --assume legs=2"));
    ran.refused(2, &["legs=2", "classes"]);
    project.refused(&format!("{iris} --assume classes=0"), 2, &["from 1 to"]);
    let ran = project.run(&format!("{iris} --assume classes=2 --assume classes=3"));
    ran.refused(2, &["classes=3", "given twice"]);
    let ran = project.run(&format!("{iris} --assume classes=2"));
    ran.refused(2, &["--no-data", "iris.toml:"]);
    project.refused(&format!("{iris} --no-data"), 2, &["--assume length=N"]);
    let lenet = "plan configs/vision/mnist-lenet.toml --no-data --assume";
    for (given, why) in [
        ("length=1", "lenet"),
        ("length=100000", "65535"),
        ("vocabulary=7", "no tokens"),
        ("samples=1000000000001", "from 1 to"),
    ] {
        project.refused(&format!("{lenet} {given}"), 2, &[why]);
    }
    project.ok(&format!("{lenet} samples=1000000000000"));
    project.refused(&format!("{iris} --devices 0"), 2, &["--devices"]);
    let ran = project.run(&format!("{iris} --set train.epoch=1"));
    ran.refused(2, &["did you mean `epochs`?"]);
    project.write(
        "hardware.toml",
        "[assumptions]\nutilisation = 0.0\ngrid = 1\nhardware = []\n",
    );
    let ran = project.run(&format!("{iris} --hardware hardware.toml"));
    ran.refused(2, &["hardware.toml"]);
}

#[test]
fn processes_share_what_the_optimizer_remembers_and_exchange_gradients() {
    let config = EVERYTHING.replace("norm = \"batch\"", "norm = \"layer\"");
    let cluster = "[cluster]\nparts = 4\nshard_optimizer = true\n";
    let project = Project::with(&format!("{config}\n{cluster}"));
    let plan =
        |more: &str| project.ok_json(format!("plan run.toml --json --on h100 {more}").trim_end());
    let memory = |more: &str, name: &str| {
        let plan = plan(more);
        plan["plan"]["memory"][name].as_u64().unwrap()
    };
    let optimizer = |more: &str| memory(more, "optimizer");
    // The largest matrix, 16 by 30 of 866 numbers, has one owner.
    let (share, whole) = (optimizer("--devices 4"), optimizer(""));
    assert!(
        share > whole / 2 && share < 3 * whole / 5,
        "{share} of {whole}"
    );
    assert_eq!(
        optimizer("--devices 4 --set cluster.shard_optimizer=false"),
        optimizer("")
    );
    // Numbers go out and come in: all of them at once here, and as many from each process as from the one that owns most.
    let passage = |more: &str| memory(more, "exchange");
    let unshared = passage("--devices 4 --set cluster.shard_optimizer=false");
    assert_eq!(unshared, 2 * memory("", "gradients"));
    assert!(passage("--devices 4") > 2 * unshared);
    assert_eq!(passage(""), 0);
    // They have their room in an evaluation too.
    let shared = plan("--devices 4");
    let shared = &shared["plan"]["memory"];
    let kept = ["weights", "optimizer", "average", "exchange"];
    let kept = kept.map(|part| shared[part].as_u64().unwrap());
    let evaluation = ["peak", "activations"];
    let [peak, activations] = evaluation.map(|part| shared["evaluation"][part].as_u64().unwrap());
    assert_eq!(peak, kept.iter().sum::<u64>() + activations);
    // What is on disk is whole.
    let saved = |more: &str| plan(more)["plan"]["checkpoint_bytes"].as_u64().unwrap();
    assert_eq!(saved("--devices 4"), saved(""));
    // One process computes as many parts at once as it has cores, however many there are.
    let parts = |parts: usize| {
        let sets = format!("--set train.batch_size=128 --set cluster.parts={parts}");
        memory(&sets, "activations")
    };
    let cores = std::thread::available_parallelism()
        .unwrap()
        .get()
        .next_power_of_two();
    assert!(
        parts(4 * cores) < parts(cores),
        "{} {}",
        parts(4 * cores),
        parts(cores)
    );
    let exchange = |network: &str| {
        let plan = plan(&format!("--devices 4 --network {network}"));
        plan["hardware"][0]["exchange"].as_f64().unwrap()
    };
    assert!(
        exchange("1Gbit") > exchange("100Gbit") && exchange("100Gbit") > exchange("100Gbit,5us")
    );
    let said = project
        .ok("plan run.toml --devices 4 --network 100Gbit")
        .out;
    assert!(
        said.contains("in each of 4 processes") && said.contains("exchange"),
        "{said}"
    );
    project.refused(
        "plan run.toml --devices 3",
        2,
        &["3 processes", "cluster.parts = 4"],
    );
    project.refused("plan run.toml --network 1Gbit", 2, &["--devices"]);
    project.refused(
        "plan run.toml --devices 4 --network fast",
        2,
        &["100Gbit,5us"],
    );
}

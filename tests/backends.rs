//! The same run on every backend, and clear words where a backend cannot be had.

use safetensors::SafeTensors;

use crate::support::{EVERYTHING, Project, Wgpu, wgpu};

/// Twenty steps without anything drawn on the device, which every backend draws in its own way, and
/// without batch norm, whose inputs' biases have no gradient but rounding, which Adam blows up.
fn twenty_steps() -> Project {
    let config = EVERYTHING
        .replace("norm = \"batch\"", "norm = \"layer\"")
        .replace("dropout = 0.3", "")
        .replace("ema_decay = 0.9", "");
    Project::with(&config)
}

const SETS: &str = "--set train.max_steps=20 --set checkpoint.keep_best=false";

/// All weights of a run, by name.
pub fn weights(project: &Project, run: u32) -> Vec<(String, Vec<f32>)> {
    let bytes = project.bytes(&format!("runs/run/{run}/model.safetensors"));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut weights: Vec<_> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = view
                .data()
                .chunks(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            (name, values.collect())
        })
        .collect();
    weights.sort_by(|(a, _), (b, _)| a.cmp(b));
    weights
}

/// Fails unless no weight differs by more than `tolerance`, of itself where it is above 1.
pub fn assert_close(expected: &[(String, Vec<f32>)], found: &[(String, Vec<f32>)], tolerance: f32) {
    assert_eq!(expected.len(), found.len());
    for ((name, expected), (other, found)) in expected.iter().zip(found) {
        assert_eq!((name, expected.len()), (other, found.len()));
        for (expected, found) in expected.iter().zip(found) {
            let difference = (expected - found).abs();
            assert!(
                difference <= tolerance * expected.abs().max(1.0),
                "{name}: {expected} and {found}"
            );
        }
    }
}

#[test]
#[cfg(all(feature = "flex", feature = "ndarray"))]
fn twenty_steps_agree_on_flex_and_ndarray() {
    let project = twenty_steps();
    project.ok(&format!("train run.toml -q {SETS}"));
    project.ok(&format!(
        "train run.toml -q {SETS} --set device.backend=ndarray"
    ));
    let initial = |run| project.read(&format!("runs/run/{run}/run.lock"));
    let hash = |lock: String| {
        lock.lines()
            .find(|line| line.contains("initial"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(hash(initial(1)), hash(initial(2)));
    assert_close(&weights(&project, 1), &weights(&project, 2), 1e-4);
}

#[test]
#[cfg(all(feature = "flex", feature = "wgpu"))]
fn twenty_steps_agree_on_flex_and_wgpu() {
    let project = twenty_steps();
    if wgpu(&project) == Wgpu::Absent {
        return;
    }
    project.ok(&format!("train run.toml -q {SETS}"));
    project.ok(&format!(
        "train run.toml -q {SETS} --set device.backend=wgpu"
    ));
    assert_close(&weights(&project, 1), &weights(&project, 2), 1e-3);
}

#[test]
#[cfg(feature = "wgpu")]
fn a_run_on_wgpu_resumes_and_predicts() {
    let project = Project::new();
    if wgpu(&project) == Wgpu::Absent {
        return;
    }
    let run = "runs/breast-cancer-wgpu/1";
    project.ok(&format!("resume {run} -q"));
    project.ok(&format!(
        "predict {run} datasets/breast-cancer/data.csv -o wgpu.csv"
    ));
    project.ok(&format!(
        "predict {run} datasets/breast-cancer/data.csv -o flex.csv --backend flex"
    ));
    let (wgpu, flex) = (project.read("wgpu.csv"), project.read("flex.csv"));
    for (wgpu, flex) in wgpu.lines().zip(flex.lines()).skip(1) {
        let last = |line: &str| line.rsplit(',').next().unwrap().parse::<f64>().unwrap();
        assert!((last(wgpu) - last(flex)).abs() < 1e-4, "{wgpu} and {flex}");
    }
}

#[test]
fn a_backend_that_is_not_there_is_an_error_that_lists_what_is() {
    let project = Project::with(EVERYTHING);
    let compiled = if cfg!(feature = "cuda") {
        "ndarray"
    } else {
        "cuda"
    };
    if compiled == "cuda" {
        let ran = project.run("train run.toml --set device.backend=cuda");
        ran.refused(2, &["cuda", "flex", "--features"]);
    }
    let ran = project.run("train run.toml --set device.backend=gpu");
    ran.refused(2, &["unknown", "wgpu"]);
    let ran = project.run("train run.toml --set device.device_index=7");
    ran.refused(2, &["7", "flex"]);
    assert!(
        !project.path("runs").exists(),
        "a run folder was made before the device was known"
    );
}

#[test]
#[cfg(feature = "wgpu")]
fn wgpu_without_a_driver_is_refused_and_auto_takes_the_cpu() {
    let project = Project::with(EVERYTHING);
    let run = |line: &str| {
        let mut command = project.command(line.split(' '));
        command
            .env("VK_DRIVER_FILES", "/nonexistent.json")
            .env("VK_ICD_FILENAMES", "/nonexistent.json");
        crate::support::Ran::from(command.output().unwrap())
    };
    run("train run.toml -q --set device.backend=wgpu").refused(2, &["wgpu", "no device"]);
    let devices = run("devices");
    assert_eq!(devices.code, 0);
    assert!(devices.out.contains("takes flex"), "{}", devices.out);
}

//! The schedules against PyTorch, nanoGPT and transformers.

use std::collections::BTreeSet;

use fireclay_train::schedule::{LrSchedulerConfig, PlateauState};
use serde_json::{Value, json};

macro_rules! traces {
    ($($name:literal: $table:tt)*) => {
        vec![$((
            $name,
            include_str!(concat!("data/schedules/", $name, ".json")),
            json!($table),
        )),*]
    };
}

/// Every trace and the table that must reproduce it.
fn traces() -> Vec<(&'static str, &'static str, Value)> {
    traces! {
        "step": {"type": "step", "step_size": 30, "gamma": 0.1}
        "multistep": {"type": "multistep", "milestones": [40, 70], "gamma": 0.1}
        "exponential": {"type": "exponential", "gamma": 0.97}
        "linear_decay": {"type": "linear", "decay_steps": 80}
        "warmup_linear": {"type": "linear", "warmup_steps": 10, "warmup_from_zero": true}
        "cosine": {"type": "cosine", "decay_steps": 100, "min_learning_rate": 0.001}
        "warmup_cosine": {"type": "cosine", "warmup_steps": 20, "decay_steps": 180,
            "min_learning_rate": 6e-5}
        "one_cycle": {"type": "one_cycle"}
        "noam": {"type": "noam", "warmup_steps": 40, "d_model": 512}
        "reduce_on_plateau": {"type": "reduce_on_plateau", "factor": 0.5, "patience": 2,
            "min_learning_rate": 0.002}
    }
}

#[test]
fn every_trace_is_reproduced() {
    for (name, text, table) in traces() {
        let trace: Value = serde_json::from_str(text).expect("valid JSON");
        let params = &trace["params"];
        let base = ["base_lr", "max_lr", "factor"]
            .iter()
            .find_map(|key| params[key].as_f64());
        let rates = trace["lr"].as_array().expect("a list");
        let schedule = config(table);
        let mut state = PlateauState::default();
        for (step, wanted) in rates.iter().enumerate() {
            let total = rates.len() as u64;
            let found = schedule.learning_rate(base.expect("a base"), step as u64, total, &state);
            let wanted = wanted.as_f64().expect("a number");
            let close = (found - wanted).abs() <= 1e-9 * wanted;
            assert!(close, "{name}, step {step}: {found} is not {wanted}");
            if let Some(metric) = params["metric"][step].as_f64() {
                schedule.report(&mut state, metric, false);
            }
        }
    }
}

#[test]
fn the_warm_up_of_adamw_clip_warmup_cosine_is_reproduced() {
    let text = include_str!("data/optim/adamw_clip_warmup_cosine.json");
    let trace: Value = serde_json::from_str(text).expect("valid JSON");
    let table = json!({"type": "cosine", "warmup_steps": 4, "decay_steps": 16,
        "min_learning_rate": 0.001});
    for (step, wanted) in trace["lr"].as_array().expect("a list").iter().enumerate() {
        let found = rate(table.clone(), 0.01, step as u64, 20);
        assert!((found / wanted.as_f64().expect("a number") - 1.0).abs() < 1e-9);
    }
}

#[test]
fn the_default_is_constant_and_a_ratio_is_a_part_of_the_run() {
    let default = LrSchedulerConfig::default();
    assert_eq!(default.name(), "constant");
    let plateau = PlateauState::default();
    assert_eq!(default.learning_rate(0.3, 7, 10, &plateau), 0.3);

    let [by_ratio, by_steps] =
        [("warmup_ratio", json!(0.25)), ("warmup_steps", json!(4))].map(|(key, value)| {
            move |step| rate(json!({"type": "constant", key: value}), 1.0, step, 16)
        });
    for step in 0..16 {
        assert_eq!(by_ratio(step), by_steps(step));
    }
    assert_eq!([by_ratio(0), by_ratio(3), by_ratio(4)], [0.2, 0.8, 1.0]);
}

#[test]
fn noam_peaks_at_the_learning_rate_without_d_model() {
    let at = |step| rate(json!({"type": "noam", "warmup_steps": 10}), 0.5, step, 100);
    assert_eq!(at(9), 0.5);
    assert_eq!(at(39), 0.25);
}

#[test]
fn higher_is_better_if_the_metric_or_the_mode_says_so() {
    let mut by_metric = PlateauState::default();
    let mut by_mode = PlateauState::default();
    let watch = config(json!({"type": "reduce_on_plateau", "patience": 0}));
    let told = config(json!({"type": "reduce_on_plateau", "patience": 0, "mode": "max"}));
    for accuracy in [0.5, 0.6, 0.7, 0.7] {
        watch.report(&mut by_metric, accuracy, true);
        told.report(&mut by_mode, accuracy, false);
    }
    assert_eq!(by_metric, by_mode);
    assert_eq!((by_metric.best, by_metric.reductions), (Some(0.7), 1));
}

#[test]
fn a_cooldown_forgives_and_only_finite_values_improve() {
    let schedule = config(json!({"type": "reduce_on_plateau", "patience": 0, "cooldown": 2}));
    let mut state = PlateauState::default();
    let mut reductions = Vec::new();
    for loss in [f64::INFINITY, 1.0, f64::NAN, 1.0, 1.0, 1.0] {
        schedule.report(&mut state, loss, false);
        reductions.push(state.reductions);
    }
    assert_eq!(reductions, [1, 1, 1, 2, 2, 2]);
    let written = serde_json::to_value(&state).expect("plain data");
    let kept: PlateauState = serde_json::from_value(written).expect("valid JSON");
    assert_eq!(kept, state);
}

#[test]
fn rates_are_finite_in_runs_of_any_length() {
    for (_, _, table) in traces() {
        let schedule = config(table);
        for total in 1..6 {
            for step in 0..total + 2 {
                let rate = schedule.learning_rate(0.1, step, total, &PlateauState::default());
                let is_rate = rate.is_finite() && rate >= 0.0;
                assert!(is_rate, "{} {step}/{total}", schedule.name());
            }
        }
    }
}

#[test]
fn impossible_values_are_all_reported() {
    for (name, _, table) in traces() {
        assert_eq!(config(table).validate(Some(200)), [], "{name}");
    }
    let keys = |table: Value, total| {
        let found = config(table).validate(total).into_iter();
        found.map(|(key, _)| key).collect::<Vec<_>>()
    };
    let long = json!({"type": "cosine", "warmup_steps": 50, "min_learning_rate": -1.0});
    assert_eq!(keys(long.clone(), None), ["min_learning_rate"]);
    assert_eq!(keys(long, Some(40)), ["min_learning_rate", "warmup_steps"]);
    let constant = json!({"type": "constant", "warmup_steps": 5, "warmup_ratio": 1.5});
    let linear = json!({"type": "linear", "warmup_steps": 5, "decay_steps": 5});
    let step = json!({"type": "step", "step_size": 0, "gamma": 2.0});
    let multistep = json!({"type": "multistep", "milestones": [7, 3]});
    let plateau = json!({"type": "reduce_on_plateau", "factor": 1.0, "monitor": ""});
    let cases = [
        (constant, &["warmup_ratio", "warmup_steps"][..]),
        (linear, &["decay_steps"]),
        (step, &["step_size", "gamma"]),
        (multistep, &["milestones"]),
        (plateau, &["monitor", "factor"]),
    ];
    for (table, expected) in cases {
        assert_eq!(keys(table, None), expected);
    }
}

#[test]
fn types_lists_every_name() {
    let traces = traces();
    let of_traces = traces.iter().map(|(_, _, table)| table["type"].as_str());
    let names: BTreeSet<_> = of_traces.flatten().chain(["constant"]).collect();
    let listed = LrSchedulerConfig::TYPES.iter().map(|(name, _)| *name);
    assert_eq!(names, listed.collect());
}

fn config(table: Value) -> LrSchedulerConfig {
    serde_json::from_value(table).expect("valid JSON")
}

fn rate(table: Value, base: f64, step: u64, total: u64) -> f64 {
    config(table).learning_rate(base, step, total, &PlateauState::default())
}

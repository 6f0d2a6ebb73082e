//! A plan in words and tables.

use fireclay_plan::{Estimate, EvaluationUse, Measured, Peak, Prediction, TensorShape};

use super::Plan;
use crate::screen::Screen;
use crate::text::{count, with_unit};

impl Plan {
    /// The whole plan as text.
    pub(super) fn show(&self) -> String {
        let estimate = &self.estimate;
        let mut text = tensors(&estimate.tensors);
        text += "\n";
        text += &Screen::out().table(&summary(self));
        text += "\n";
        text += &hardware(&self.predictions, self.network.is_some());
        text += &self.grounds();
        if let Some(measured) = &self.measured {
            text += "\n";
            text += &compare(self, measured);
        }
        text
    }

    /// What the numbers rest on.
    fn grounds(&self) -> String {
        let grounds = self.table.assumptions;
        let peak = Peak::key(self.estimate.precision);
        let mut lines = vec![
            "FLOPs: two for each multiply-add; matrix products, convolutions and attention alone"
                .to_owned(),
            format!(
                "hours: {:.0} % of the {peak} peak, or the bandwidth where that takes longer; {} kg CO2e a kWh, devices alone",
                100.0 * grounds.utilisation,
                grounds.grid
            ),
        ];
        if self.predictions.iter().any(|one| one.sharding.is_some()) {
            lines.push(
                "devices: tensor × pipeline × data; where layers are shared, at the bf16 peak, Adam at 16 bytes a parameter in four fifths of the memory, activations computed again"
                    .into(),
            );
        }
        lines.extend(self.network.map(|network| {
            format!(
                "network: {}/s and {} us a message for each device; gradients are exchanged after the backward pass, whatever \
                 the device, as `[cluster]` does it",
                with_unit(network.bandwidth, "B"),
                short(1e6 * network.latency)
            )
        }));
        let assumed = self.estimate.assumed.iter();
        lines.extend(assumed.map(|what| format!("assumed: {what}")));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Every tensor, with those that differ by a number in their names alone in one row.
fn tensors(tensors: &[TensorShape]) -> String {
    let header = ["tensor", "shape", "", "parameters"].map(String::from);
    let mut rows = vec![header.to_vec()];
    for (name, tensors) in alike(tensors) {
        let (first, times) = (tensors[0], tensors.len());
        let what = match (first.statistic, first.trainable) {
            (true, _) => "no parameter",
            (false, false) => "frozen",
            (false, true) => "",
        };
        let times = match times {
            1 => String::new(),
            _ => format!("× {times}"),
        };
        let (shape, number) = (format!("{:?}", first.shape), count(first.count()));
        rows.push(vec![name, shape, times, number, what.into()]);
    }
    Screen::out().table(&rows)
}

/// Tensors by their names, in which `{0-11}` stands for the numbers of several.
fn alike(tensors: &[TensorShape]) -> Vec<(String, Vec<&TensorShape>)> {
    let mut groups: Vec<(String, Vec<&TensorShape>)> = Vec::new();
    for tensor in tensors {
        let pattern = pattern(&tensor.name);
        let same = |(other, group): &&mut (String, Vec<&TensorShape>)| {
            *other == pattern
                && group[0].shape == tensor.shape
                && group[0].trainable == tensor.trainable
        };
        match groups.iter_mut().find(same) {
            Some((_, group)) => group.push(tensor),
            None => groups.push((pattern, vec![tensor])),
        }
    }
    groups
        .into_iter()
        .map(|(_, group)| (span(&group), group))
        .collect()
}

/// The name with its numbers left out.
fn pattern(name: &str) -> String {
    let parts = name.split('.').map(|part| match part.parse::<usize>() {
        Ok(_) => "#",
        Err(_) => part,
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The name that stands for all of a group.
fn span(group: &[&TensorShape]) -> String {
    let (first, last) = (&group[0].name, &group[group.len() - 1].name);
    let parts = first.split('.').zip(last.split('.'));
    let parts = parts.map(|(first, last)| match first == last {
        true => first.to_owned(),
        false => format!("{{{first}-{last}}}"),
    });
    parts.collect::<Vec<_>>().join(".")
}

fn summary(plan: &Plan) -> Vec<Vec<String>> {
    let estimate = &plan.estimate;
    let frozen = estimate.parameters - estimate.trainable;
    let parameters = count(estimate.parameters);
    let mut model = format!("{}, {parameters} parameters", estimate.model);
    if frozen > 0 {
        model += &format!(", {} of them frozen", count(frozen));
    }
    let mut rows = vec![
        vec!["model".to_owned(), model],
        vec!["forward".into(), forward(estimate)],
        vec!["training".into(), training(estimate)],
        vec!["memory".into(), memory(estimate)],
    ];
    let evaluated = estimate.memory.evaluation;
    rows.extend(evaluated.map(|takes| vec!["evaluation".to_owned(), evaluation(takes)]));
    if let Some(resident) = estimate.memory.resident {
        let resident = with_unit(resident as f64, "B");
        let process = format!("about {resident} of main memory");
        rows.push(vec!["process".into(), process]);
    }
    if let Some(rows_that_fit) = estimate.largest_batch {
        let mut batch = format!("at most {} samples fit the device", count(rows_that_fit));
        if rows_that_fit < estimate.length.batch as u64 {
            batch += ", fewer than this run has";
        }
        rows.push(vec!["batch".into(), batch]);
    }
    let checkpoint = with_unit(estimate.checkpoint_bytes as f64, "B");
    rows.push(vec!["checkpoint".into(), format!("{checkpoint} on disk")]);
    rows.push(vec!["run".into(), run(estimate)]);
    rows
}

fn forward(estimate: &Estimate) -> String {
    let flops = &estimate.flops;
    let sample = with_unit(flops.forward_per_sample as f64, "FLOP");
    format!("{sample} a sample{}", a_token(flops.forward_per_token))
}

/// What goes on after the operations of a sample, where samples are texts.
fn a_token(flops: Option<f64>) -> String {
    let text = flops.map(|flops| format!(", {} a token", with_unit(flops, "FLOP")));
    text.unwrap_or_default()
}

fn training(estimate: &Estimate) -> String {
    let flops = &estimate.flops;
    let sample = with_unit(flops.training_per_sample, "FLOP");
    let token = a_token(flops.training_per_token);
    let step = with_unit(flops.training_per_step, "FLOP");
    format!("{sample} a sample{token}, {step} a step")
}

fn memory(estimate: &Estimate) -> String {
    let memory = &estimate.memory;
    let parts = [
        ("weights", memory.weights),
        ("their copy in half", memory.halves),
        ("gradients", memory.gradients),
        ("optimizer", memory.optimizer),
        ("average", memory.average),
        ("exchange", memory.exchange),
        ("activations", memory.activations),
    ];
    let parts = parts.into_iter().filter(|(_, bytes)| *bytes > 0);
    let parts = parts.map(|(name, bytes)| format!("{name} {}", with_unit(bytes as f64, "B")));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let peak = with_unit(memory.peak as f64, "B");
    let each = match estimate.processes {
        1 => String::new(),
        processes => format!(" in each of {processes} processes"),
    };
    format!("{peak} at the peak{each}: {parts}")
}

fn evaluation(takes: EvaluationUse) -> String {
    let bytes = |bytes: u64| with_unit(bytes as f64, "B");
    let batch = count(takes.batch as u64);
    let batches = match takes.at_once {
        1 => format!("a batch of {batch}"),
        times => format!("{times} batches of {batch} at once"),
    };
    let mut text = format!(
        "{} at the peak: activations {} of {batches}",
        bytes(takes.peak),
        bytes(takes.activations)
    );
    if let Some(search) = takes.search {
        text += &format!(", or {} of a search for translations", bytes(search));
    }
    text
}

fn run(estimate: &Estimate) -> String {
    let length = &estimate.length;
    let batch = match length.accumulation {
        1 => count(length.batch as u64),
        times => format!("{times} × {}", count(length.batch as u64)),
    };
    let Some(steps) = length.steps else {
        return format!(
            "batches of {batch}; how many steps is not known without the number of samples"
        );
    };
    let mut text = format!("at most {} steps of {batch} samples", count(steps));
    if let Some(samples) = length.samples_seen {
        text += &format!(": {} samples", count(samples.round() as u64));
    }
    if let Some(tokens) = length.tokens_seen {
        text += &format!(", {} tokens", count(tokens.round() as u64));
    }
    let flops = estimate.flops.training_per_step * steps as f64;
    text + &format!(", {}", with_unit(flops, "FLOP"))
}

/// A row for each device.
fn hardware(predictions: &[Prediction], has_network: bool) -> String {
    let header = ["", "devices", "batch", "hours", "kWh", "kg CO2e", "dollars"];
    let mut rows = vec![header.map(String::from).to_vec()];
    if has_network {
        rows[0].push("exchange".into());
    }
    rows.extend(predictions.iter().map(|one| {
        let devices = match &one.sharding {
            Some(parts) => {
                let (tensor, pipeline, data) = (parts.tensor, parts.pipeline, parts.data);
                format!("{} = {tensor} × {pipeline} × {data}", count(parts.devices))
            }
            None => one.devices.map_or("too small".into(), count),
        };
        let batch = match (one.largest_batch, &one.sharding) {
            (Some(rows), None) => format!("≤ {}", count(rows)),
            _ => String::new(),
        };
        let mut row = vec![one.hardware.clone(), devices, batch];
        let numbers = [one.hours, one.energy, one.carbon, one.cost];
        row.extend(numbers.map(|number| number.map_or("-".into(), short)));
        row.extend(
            one.exchange
                .map(|seconds| format!("{} ms", short(1e3 * seconds))),
        );
        row
    }));
    Screen::out().table(&rows)
}

/// Two significant digits are more than an estimate is worth.
fn short(value: f64) -> String {
    match value {
        v if v >= 100.0 => count(v.round() as u64),
        v if v >= 1.0 => format!("{v:.1}"),
        v if v >= 0.01 => format!("{v:.2}"),
        _ => "< 0.01".into(),
    }
}

/// What was predicted and what three steps took.
fn compare(plan: &Plan, measured: &Measured) -> String {
    let mut rows = vec![["", "predicted", "measured"].map(String::from).to_vec()];
    let memory = plan.estimate.memory;
    let peak = memory.resident.unwrap_or(memory.peak) as f64;
    let seen = measured
        .peak
        .map_or("-".into(), |peak| with_unit(peak as f64, "B"));
    rows.push(vec!["process".into(), with_unit(peak, "B"), seen]);
    let seconds = measured.seconds_per_step;
    let rate = plan.estimate.flops.training_per_step / seconds;
    let step = format!("{:.1} ms, {}", 1000.0 * seconds, with_unit(rate, "FLOP/s"));
    rows.push(vec!["step".into(), "-".into(), step]);
    Screen::out().table(&rows)
}

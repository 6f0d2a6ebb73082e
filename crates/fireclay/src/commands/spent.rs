//! What a training took, in words.

use fireclay_run::Outcome;
use fireclay_train::cost::{Cost, Phase};

/// The epochs that were made, and the one in which a training ended that ended within it.
pub fn epochs(made: u64, batch: usize) -> String {
    match (made, batch) {
        (1, 0) => "1 epoch".into(),
        (made, 0) => format!("{made} epochs"),
        (made, _) => format!("in epoch {}", made + 1),
    }
}

/// What of a run its cost counts, where that is to be said: processes before this one are counted too, as far as
/// they were recorded.
pub fn whose(outcome: &Outcome) -> String {
    let (counted, made) = (outcome.cost.steps, outcome.state.step);
    match counted > outcome.steps {
        _ if counted < made => format!(" for {counted} of them"),
        true => " in all".into(),
        false => String::new(),
    }
}

/// Where the time went, and how much memory it took.
pub fn spent(cost: &Cost) -> String {
    let share = |phase| 100.0 * cost.of(phase) / cost.seconds.max(f64::MIN_POSITIVE);
    let (rate, unit) = cost.throughput();
    let exchange = match cost.exchange_seconds {
        0.0 => String::new(),
        _ => format!("exchange {:.0} %, ", share(Phase::Exchange)),
    };
    let mut line = format!(
        "spent on data {:.0} %, forward and backward {:.0} %, {exchange}optimizer {:.0} %, evaluation {:.0} %, \
         checkpoints {:.0} %; {rate:.0} {unit} a second",
        share(Phase::Data),
        share(Phase::Compute),
        share(Phase::Optimizer),
        share(Phase::Evaluation),
        share(Phase::Checkpoint),
    );
    if let Some(speed) = cost.speed {
        line += &format!(", {:.3} GFLOP/s", speed.flops_per_second / 1e9);
        if let Some(utilisation) = speed.utilisation {
            line += &format!(", {:.0} % of what the device can do", 100.0 * utilisation);
        }
    }
    if let Some(bytes) = cost.peak_memory_bytes {
        line += &format!("; peak memory {} MB", bytes / 1_000_000);
    }
    if let Some(joules) = cost.energy.joules {
        let how = match cost.energy.watts {
            Some(watts) => format!(", estimated from {watts} W"),
            None => String::new(),
        };
        line += &format!("; energy {:.1} kJ{how}", joules / 1e3);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_was_not_ended_is_named() {
        let said = [(1, 0), (5, 0), (4, 3)].map(|(made, batch)| epochs(made, batch));
        assert_eq!(said, ["1 epoch", "5 epochs", "in epoch 5"]);
    }
}

//! Runs for which there is no memory, by their own plan.

use fireclay_run::RunData;
use fireclay_run::config::RunConfig;

use crate::estimator::Estimator;
use crate::process::machine_memory;

/// Why a run would end for want of memory, as a key and a message; none where it has room, or nobody
/// knows.
pub(crate) fn refuse(config: &RunConfig, data: &RunData) -> Option<(String, String)> {
    let (room, named) = room(config)?;
    let estimator = Estimator::of_data(config, data)?;
    let memory = estimator.memory(estimator.computing);
    let needed = memory.resident.unwrap_or_else(|| memory.most());
    if needed <= room {
        return None;
    }
    let advice = match estimator.largest_within(&memory, room) {
        Some(rows) if config.data.section().own_batches().is_none() => {
            let parts = estimator.rows.div_ceil(rows);
            format!(
                "train.batch_size = {rows} fits; with train.gradient_accumulation_steps = {parts} the \
                 updates are of as many samples as now"
            )
        }
        _ => "smaller batches alone do not help; a smaller model does".to_owned(),
    };
    let message = format!(
        "the run needs {} by its plan, but {named} is {}: {advice}; `fireclay plan CONFIG` says where it goes, and --force \
         trains all the same",
        gigabytes(needed),
        gigabytes(room)
    );
    Some(("train.batch_size".to_owned(), message))
}

/// The memory that there is, and what says so.
fn room(config: &RunConfig) -> Option<(u64, &'static str)> {
    let given = config.device.memory_gb;
    let given = given.map(|memory| ((memory * 1e9) as u64, "device.memory_gb"));
    given.or_else(|| {
        let is_host = config.device.backend.is_host();
        Some((machine_memory().filter(|_| is_host)?, "the memory here"))
    })
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.3} GB", bytes as f64 / 1e9)
}

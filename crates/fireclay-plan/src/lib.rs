//! What a run will take, known before it starts: parameters, floating point operations, memory,
//! steps; and on given hardware hours, energy and money.
//!
//! Nothing of the model's size is allocated. A training step is recorded rather than made (see
//! `record.rs`), so that an architecture or a loss that is added is planned without a
//! line about it; an optimizer says in its file how much it remembers (`optim/` of fireclay-train).
#![forbid(unsafe_code)]

mod estimate;
mod estimator;

mod computing;
mod evaluation;
mod input;
mod length;
mod limits;
mod memory;
mod operations;
mod record;
mod refusal;
mod resident;
mod subject;
mod together;
mod usage;

mod hardware;
mod measure;
mod planner;
mod process;
mod speed;

pub use estimate::{Estimate, EvaluationUse, Flops, Length, MemoryUse};
pub use estimator::{Estimator, settle_batch_size};
pub use fireclay_run::workload::Assumptions;
pub use hardware::{Grounds, Hardware, Hardwares, Network, Peak, Prediction, SHIPPED, Sharding};
pub use measure::{Measured, measure};
pub use planner::PLANNER;
pub use process::machine_memory;
pub use speed::speed;
pub use subject::TensorShape;

#[cfg(test)]
mod tests;

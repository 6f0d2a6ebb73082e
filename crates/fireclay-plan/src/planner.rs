//! What a run asks of this crate.

use fireclay_run::Planner;

use crate::estimator::settle_batch_size;
use crate::record::record;
use crate::refusal::refuse;
use crate::speed::speed;

/// Settles a batch size of "auto", refuses what there is no memory for, says how fast a training was, and gives a
/// device without numbers.
pub const PLANNER: Planner = Planner {
    settle: settle_batch_size,
    refuse,
    speed,
    blank: |work| {
        record(|device| work(device));
    },
};

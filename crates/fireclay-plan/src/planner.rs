//! What a run asks of this crate.

use fireclay_run::Planner;

use crate::estimator::settle_batch_size;
use crate::record::record;
use crate::speed::speed;

/// Settles a batch size of "auto", says how fast a training was, and gives a device without numbers.
pub const PLANNER: Planner = Planner {
    settle: settle_batch_size,
    speed,
    blank: |work| {
        record(|device| work(device));
    },
};

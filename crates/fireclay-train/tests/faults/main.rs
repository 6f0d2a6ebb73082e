//! Faults beneath a training, on the one seam through which it writes: operations that fail, a process that is
//! killed before any of them, and power that is cut after any of them. docs/reliability.md says what is shown.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod commits;
mod damage;
mod disk;
mod errors;
mod kills;
mod loaders;
mod numbers;
mod power;
mod training;

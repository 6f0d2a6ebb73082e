//! Runs that are open, each on a thread of its own.

mod facts;
mod job;
mod registry;
mod rows;
mod texts;
mod worker;

pub use facts::{Facts, Kind};
pub use job::{Answer, Event, Job, Rows, Style, Text};
pub use registry::Registry;
pub use worker::Model;

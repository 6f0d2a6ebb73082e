//! Drives the real program from outside, as a user would.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod support;

mod answers;
mod applications;
mod architecture;
mod backends;
mod bad_input;
mod chats;
mod classifiers;
mod cli;
mod cluster;
mod decoders;
mod encoder;
mod encoders;
mod explain;
mod failing;
mod fairness;
mod faults;
mod first;
mod hostile;
mod images;
mod interruptions;
mod kept;
mod language;
mod limits;
mod lora;
mod onnx;
mod outside;
mod plan;
mod power;
mod precision;
mod predicting;
mod preferences;
mod pretrained;
mod quantized;
mod questions;
mod reports;
mod resume;
mod runs;
mod serve;
mod shards;
mod shipped;
mod tables;
mod tracking;
mod train;
mod translation;
mod untrained;
mod watch;

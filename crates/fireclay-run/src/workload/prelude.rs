//! What the files of the workloads use.

pub(super) use burn::tensor::{Device, Tensor};
pub(super) use fireclay_data::DataError;
pub(super) use fireclay_data::arrow::array::RecordBatch;
pub(super) use fireclay_metrics::{Baseline, Report};

pub(super) use super::dataset::Dataset;
pub(super) use super::shared::{evaluate_each, evaluate_on, merged, own, pass};
pub(super) use super::spec::{
    Assumed, Assumptions, HeldOut, InputSpec, at_most, check_unread, missing,
};
pub(super) use super::taking::{choose, first_rows, in_file, numbered};
pub(super) use super::{
    AssumedSpec, Batch, Blank, Model, Trained, Workload, held, labelled, unigram,
};
pub(super) use crate::artifacts::{POSTPROCESS, PREPROCESS, TOKENIZER, belong_together};
pub(super) use crate::config::{
    DataConfig, ModelConfig, NetworkConfig, Refusal, RunConfig, TaskConfig,
};
pub(super) use crate::lock;
pub(super) use crate::postprocess::Postprocess;
pub(super) use crate::run::{
    Answered, Base, Evaluated, Evaluations, InputKind, InputSchema, On, OnSplit, Part, Parts,
    PredictJob, Predicted, Run, RunError, Taken,
};
pub(super) use crate::start::ModelTable;
pub(super) use crate::task::{Target, WithObjective};

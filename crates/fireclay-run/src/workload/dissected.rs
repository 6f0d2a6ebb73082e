//! What the workloads on running text keep of the split that they are judged by.

use fireclay_data::TextData;
use fireclay_train::loader::Samples;
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{Scorer, Scores};

use super::prelude::*;
use super::unigram::{Targets, counts};
use crate::breakdown::{Breakdown, EachToken, Language, dissect};

/// Training tokens that are counted at most.
const COUNTED: u64 = 2_000_000;

/// The split that a run is judged by: that of the test, or the validation split where there is none.
pub(super) fn judged<S: Samples + Clone>([valid, test]: &[S; 2]) -> Option<(&'static str, S)> {
    let mut named = [("test", test), ("valid", valid)].into_iter();
    let (name, split) = named.find(|(_, split)| !split.is_empty())?;
    Some((name, split.clone()))
}

/// What is known of the splits from the training.
pub(super) fn known(valid: Option<Scores>) -> Evaluations {
    let valid = valid.map(|scores| ("valid".to_owned(), Report::from(scores)));
    valid.into_iter().collect()
}

/// The report on a split, and where the model loses on it.
pub(super) fn dissected<W, M>(
    (config, data): (&RunConfig, &TextData),
    (model, scorer): (&M, impl Scorer<M::Output>),
    (name, samples): (&'static str, W::Samples),
    device: &Device,
) -> Result<(Report, Language), RunError>
where
    W: Workload<Data = TextData>,
    W::Samples: Samples<Host: Targets>,
    M: EachToken<Input = Batch<W>> + Clone + Send + 'static,
    M::Output: StepOutput + Send,
{
    let train = W::evaluated(config, data, 0);
    let counts = counts(&train, data.vocabulary, COUNTED)?;
    let mut breakdown = Breakdown::new(data.tokenizer.as_ref(), &counts);
    let pass = pass::<W::Samples>(config);
    let report = dissect(model, samples, (scorer, &mut breakdown), pass, device)?;
    Ok((report, breakdown.finish(name)))
}

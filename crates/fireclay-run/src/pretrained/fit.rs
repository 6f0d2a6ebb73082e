//! Whether pretrained weights fit the model and the tokenizer, before the first step.

use burn::tensor::Device;
use fireclay_data::{Tokenizer, TokenizerKind};
use fireclay_models::{PretrainedReport, Rows};

use super::Weights;
use crate::config::{Refusal, RunConfig, StartConfig};

/// Hands work a device on which a model takes no memory.
pub(crate) type Blanks = fn(&mut dyn FnMut(&Device));

/// No such device: nothing is checked.
pub(crate) const BLANK: Blanks = |_| {};

/// What there is to say where nothing beside the weights says which tokenizer they were trained with.
pub(crate) fn unsaid(config: &RunConfig, start: &StartConfig) -> Option<String> {
    let path = start.pretrained.as_deref()?;
    let kind = config.tokenizer.as_ref().map(|tokenizer| tokenizer.kind)?;
    let is_made = !matches!(kind, TokenizerKind::File | TokenizerKind::Byte);
    (is_made && Weights(path).tokenizer().is_none()).then(|| {
        format!(
            "there is no tokenizer.json beside {path}: if its weights were not trained with the tokenizer that is made from this very text, their tokens mean something else; name theirs by tokenizer.type = \"file\" and tokenizer.path"
        )
    })
}

/// Tokens that others leave room for, or that are added to a vocabulary, at most.
const SOME: usize = 1024;

/// Why the tokenizer `own` of a run is not that of the weights from which it starts.
pub(crate) fn fits(
    config: &RunConfig,
    start: &StartConfig,
    own: Option<&Tokenizer>,
    report: &PretrainedReport,
) -> Option<Refusal> {
    let path = start.pretrained.as_deref()?;
    let theirs = Weights(path).tokenizer();
    let theirs = theirs.and_then(|path| Some((Tokenizer::load(&path).ok()?, path)));
    if let (Some(own), Some((theirs, file))) = (own, &theirs) {
        let file = file.display();
        let (token, ours, other) = own.first_difference(theirs)?;
        let message = format!(
            "numbers its tokens otherwise than that of the weights, {file}: token {token} is {ours:?} here and {other:?} there; set tokenizer.type = \"file\" and tokenizer.path = \"{file}\""
        );
        return Some(("tokenizer".into(), message));
    }
    let rows = report.rows.iter().find(|rows| rows.of == Rows::Tokens)?;
    let (from, to) = (rows.from, rows.to);
    let kind = config.tokenizer.as_ref().map(|tokenizer| tokenizer.kind);
    let is_made = !matches!(kind, None | Some(TokenizerKind::File));
    let key = if kind.is_some() {
        "tokenizer"
    } else {
        "data.vocabulary"
    };
    (is_made || from.abs_diff(to) > SOME).then(|| {
        let message = format!(
            "has {to} tokens, but the weights in {path} have {from}: it is not the one that they were trained with; name that by tokenizer.type = \"file\" and its path"
        );
        (key.into(), message)
    })
}

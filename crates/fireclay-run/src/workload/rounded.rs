//! Language models whose weights are rounded before they answer.

use fireclay_models::pretrained::round;
use fireclay_models::{LanguageModel, Quantize, is_flex};

use crate::config::ModelConfig;
use crate::run::{Base, RunError};

/// Rounds the weights of `model`, that of `base`; what there is to know of it.
///
/// # Errors
///
/// If its device has no products with few bits, or none of the weights can be rounded.
pub(super) fn rounded(
    base: &Base,
    model: &mut LanguageModel,
    quantize: Quantize,
) -> Result<String, RunError> {
    let refused = |why: &str| {
        let run = base.run.display();
        RunError::Usage(format!("{run} cannot be quantized: {why}"))
    };
    let ModelConfig::Language(table) = &base.config().model else {
        return Err(refused("it is no language model"));
    };
    if !is_flex(&base.device) {
        return Err(refused("only the backend flex has products with few bits"));
    }
    match round(&table.network, model, quantize).map_err(|error| refused(&error.to_string()))? {
        0 => Err(refused("none of its weights can be kept in fewer bits")),
        count => Ok(format!("{count} weights are rounded (--quantize)")),
    }
}

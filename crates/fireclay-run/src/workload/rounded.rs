//! Language models whose weights are rounded before they answer.

use fireclay_models::pretrained::round;
use fireclay_models::{Family, LanguageConfig, LanguageModel, Quantize, is_flex, weights};

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
    if LanguageConfig::weights(model).is_empty() {
        let name = table.network.name();
        return Err(refused(&format!(
            "no layer of \"{name}\" has weights in few bits"
        )));
    }
    let packed = weights::packed::<LanguageConfig>(model).into_iter();
    let stay = packed.filter(|(_, matrix)| matrix.format().is_rounded());
    let stay = stay.count();
    match round(&table.network, model, quantize).map_err(|error| refused(&error.to_string()))? {
        0 if stay > 0 => Err(refused(&format!(
            "its {stay} matrices are in few bits already, as in its file; leave --quantize out"
        ))),
        0 => Err(refused("none of its rows are whole blocks of few bits")),
        count => {
            let others = match stay {
                0 => String::new(),
                _ => format!("; {stay} others are in few bits already, and stay as in the file"),
            };
            Ok(format!("{count} weights are rounded (--quantize){others}"))
        }
    }
}

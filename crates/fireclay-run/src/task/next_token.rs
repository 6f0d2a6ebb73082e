//! The cross-entropy of the next token of each token, of whose logits a large vocabulary makes too many at once.

use std::num::NonZeroUsize;

use burn::tensor::{Int, Tensor};
use fireclay_kernels::{cross_entropy, head_cross_entropy};
use fireclay_models::{LanguageModel, LanguageNetwork};

/// Logits that are made at once where nothing else is asked for: pieces are made twice, which takes time.
const WHOLE: usize = 1 << 30;

/// Logits of a piece where there are more.
const PIECE: usize = 1 << 25;

/// Of so many tokens, how many have their logits in memory at once where `asked` for so many; none where all of them
/// have.
pub(super) fn piece(
    asked: Option<NonZeroUsize>,
    tokens: usize,
    vocabulary: usize,
) -> Option<usize> {
    let usual = || {
        let is_large = tokens.saturating_mul(vocabulary) > WHOLE;
        is_large.then(|| (PIECE / vocabulary).max(1))
    };
    let piece = asked.map(NonZeroUsize::get).or_else(usual);
    piece.filter(|piece| *piece < tokens)
}

/// The loss of each target in nats, `[batch * time]`; `asked` is `loss_chunk` of a task.
///
/// # Shapes
///
/// - `inputs` and `starts`: `[batch, time]`, as for [`LanguageNetwork::hidden_of`]
/// - `targets`: `[batch * time]`
pub(super) fn next_token_losses(
    model: &LanguageModel,
    (inputs, starts): (Tensor<2, Int>, Option<Tensor<2, Int>>),
    targets: Tensor<1, Int>,
    asked: Option<NonZeroUsize>,
) -> Tensor<1> {
    let hidden = model.hidden_of(inputs, starts); // [batch, time, width]
    let ([rows, time, width], head) = (hidden.dims(), model.head());
    match piece(asked, rows * time, head.vocabulary()) {
        Some(piece) => {
            let hidden = hidden.reshape([rows * time, width]);
            head_cross_entropy(hidden, head.weight(), targets, (piece, head.cap()))
        }
        None => token_losses(head.logits(hidden), targets, 0.0),
    }
}

/// The cross-entropy of each target in nats, `[batch * time]`; with label smoothing e, the mean over
/// all tokens has the share e of it (Szegedy et al. 2016, section 7).
///
/// # Shapes
///
/// - `logits`: `[batch, time, vocabulary]`
/// - `targets`: `[batch * time]`
pub(super) fn token_losses(
    logits: Tensor<3>,
    targets: Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    let [rows, time, vocabulary] = logits.dims();
    cross_entropy(
        logits.reshape([rows * time, vocabulary]),
        targets,
        smoothing,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_vocabulary_is_read_in_pieces() {
        assert_eq!(piece(None, 12 * 64, 65), None);
        assert_eq!(piece(None, 8192, 131_072), None);
        assert_eq!(piece(None, 8193, 131_072), Some(256));
        assert_eq!(piece(None, 2, usize::MAX), Some(1));
        let asked = NonZeroUsize::new(100);
        assert_eq!(
            [piece(asked, 100, 65), piece(asked, 101, 65)],
            [None, Some(100)]
        );
    }
}

//! A model that gives one number for a text, in place of logits of tokens.

use std::collections::HashMap;

use safetensors::tensor::{SafeTensors, TensorView};

use super::error::{WeightsError, damaged};

/// Heads of their own, by the ends of their names.
const HEADS: [&str; 2] = ["lm_head.weight", "embed_out.weight"];

/// Tables of tokens that are the head, too, where there is none of its own.
const TABLES: [&str; 3] = ["embed_tokens.weight", "wte.weight", "embed_in.weight"];

/// The file of a model that predicts tokens, with the row of its head for `token` as `score.weight`, `[1, width]`: as the
/// classes for classification of Hugging Face's `transformers` have it. A head of its own is left out. It does not
/// say any more that it is a model of this program.
///
/// # Errors
///
/// If the file is damaged, or no such model.
pub fn with_score(bytes: &[u8], token: usize) -> Result<Vec<u8>, WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let names = file.names();
    let find = |ends: &[&str]| {
        let is_meant = |name: &&&str| ends.iter().any(|end| name.ends_with(end));
        names.iter().find(is_meant).map(|name| name.to_string())
    };
    let own = find(&HEADS);
    let head = own.clone().or_else(|| find(&TABLES));
    let head = head.ok_or_else(|| WeightsError::Damaged("it has no head".into()))?;
    let head = file.tensor(&head).map_err(damaged)?;
    let [rows, width] = head.shape()[..] else {
        return Err(WeightsError::Damaged("its head is no matrix".into()));
    };
    let lacks = || WeightsError::Damaged(format!("its head has no row for token {token}"));
    let length = head.data().len() / rows.max(1);
    let row = head.data().chunks_exact(length.max(1)).nth(token);
    let row = row.ok_or_else(lacks)?;
    let score = TensorView::new(head.dtype(), vec![1, width], row).map_err(damaged)?;
    let mut tensors = file.tensors();
    tensors.retain(|(name, _)| Some(name) != own.as_ref());
    tensors.push(("score.weight".to_owned(), score));
    // Versions 4 of `transformers` demand it.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(tensors, Some(metadata)).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;

    use super::*;

    fn bytes(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    fn file(names: &[&str]) -> Vec<u8> {
        // The numbers of the last tensor are the largest.
        let data = (0..names.len())
            .map(|first| bytes(&[0, 1, 2, 3, 4, 5].map(|n| (10 * first + n) as f32)));
        let data: Vec<Vec<u8>> = data.collect();
        let tensors = names.iter().zip(&data);
        let tensors = tensors.map(|(name, data)| {
            let view = TensorView::new(Dtype::F32, vec![3, 2], data).unwrap();
            (name.to_string(), view)
        });
        safetensors::serialize(tensors, None).unwrap()
    }

    #[test]
    fn the_row_of_a_token_is_the_score() {
        let own = file(&["model.embed_tokens.weight", "lm_head.weight"]);
        let scored = with_score(&own, 2).unwrap();
        let scored = SafeTensors::deserialize(&scored).unwrap();
        let score = scored.tensor("score.weight").unwrap();
        assert_eq!(
            (score.shape(), score.data()),
            (&[1, 2][..], &*bytes(&[14.0, 15.0]))
        );
        assert!(scored.tensor("lm_head.weight").is_err());
        assert!(scored.tensor("model.embed_tokens.weight").is_ok());

        let tied = with_score(&file(&["transformer.wte.weight"]), 0).unwrap();
        let tied = SafeTensors::deserialize(&tied).unwrap();
        assert_eq!(
            tied.tensor("score.weight").unwrap().data(),
            bytes(&[0.0, 1.0])
        );
        assert!(tied.tensor("transformer.wte.weight").is_ok());
    }

    #[test]
    fn what_has_no_such_row_is_refused() {
        for (names, token) in [(["lm_head.weight"], 3), (["classifier.weight"], 0)] {
            assert!(with_score(&file(&names), token).is_err());
        }
    }
}

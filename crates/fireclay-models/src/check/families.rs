//! What the check needs to know of each family.

use burn::tensor::{Bool, Device, Int, Tensor};

use super::batches::{batch, images, tokens};
use super::{Check, check_parts};
use crate::encoder::{EncoderConfig, EncoderModel, EncoderNetwork};
use crate::language::{LanguageConfig, LanguageModel, LanguageNetwork};
use crate::reference::assert_close;
use crate::seq2seq::{TranslationConfig, TranslationModel, TranslationNetwork};
use crate::shape::{EncoderShape, ImageShape, LanguageShape, TabularShape, TranslationShape};
use crate::tabular::{Tabular, TabularConfig, TabularNetwork};
use crate::vision::{ImageConfig, ImageModel, ImageNetwork};

impl Check for TabularConfig {
    type Batch = (Tensor<2>, Tensor<2, Int>);

    fn outputs(shape: &TabularShape) -> usize {
        shape.outputs
    }

    fn batch(shape: &TabularShape, device: &Device) -> Self::Batch {
        batch(shape, device)
    }

    fn forward(model: &Tabular, (numeric, categories): Self::Batch) -> Tensor<2> {
        model.forward(numeric, categories)
    }

    fn check_parts(model: &Tabular, (numeric, categories): Self::Batch) {
        let expected = model.forward(numeric.clone(), categories.clone());
        let features = |numeric| model.features(numeric, categories.clone());
        check_parts(numeric, features, |features| model.head(features), expected);
    }
}

impl Check for ImageConfig {
    type Batch = Tensor<4>;

    fn outputs(shape: &ImageShape) -> usize {
        shape.outputs
    }

    fn batch(shape: &ImageShape, device: &Device) -> Tensor<4> {
        images(shape, device)
    }

    fn forward(model: &ImageModel, batch: Tensor<4>) -> Tensor<2> {
        model.forward(batch)
    }

    fn check_parts(model: &ImageModel, images: Tensor<4>) {
        let expected = model.forward(images.clone());
        let (features, head) = (|images| model.features(images), |x| model.head(x));
        check_parts(images, features, head, expected);
    }
}

impl Check for LanguageConfig {
    type Batch = Tensor<2, Int>;

    fn outputs(shape: &LanguageShape) -> usize {
        shape.vocabulary
    }

    /// As many tokens as the context has, so that every position is read.
    fn batch(shape: &LanguageShape, device: &Device) -> Self::Batch {
        tokens(shape.vocabulary, device)
    }

    /// The mean over time, in which every position has its part.
    fn forward(model: &LanguageModel, batch: Self::Batch) -> Tensor<2> {
        model.forward(batch).mean_dim(1).squeeze_dim(1)
    }

    /// The next tokens of texts are read side by side, too.
    fn check_parts(model: &LanguageModel, tokens: Self::Batch) {
        let lengths = [2, 3];
        let mut texts = lengths.map(|length| {
            let mut cache = model.empty_cache();
            model.forward_cached(tokens.clone().slice([0..1, 0..length]), &mut cache);
            cache.into_text().expect("it has read something")
        });
        let next = lengths.map(|length| tokens.clone().slice([0..1, length..length + 1]));
        let next = Tensor::cat(next.to_vec(), 1).flatten(0, 1);
        let mut read: Vec<_> = texts.iter_mut().collect();
        let found = model.forward_each(next, &mut read, 2);
        for (row, length) in lengths.into_iter().enumerate() {
            let whole = model.forward(tokens.clone().slice([0..1, 0..length + 1]));
            let last = whole.narrow(1, length, 1).squeeze_dim::<2>(1);
            let found = found.clone().narrow(0, row, 1);
            assert_close(&found.into_data(), &last.into_data(), 1e-4, "side by side");
        }
    }
}

impl Check for EncoderConfig {
    type Batch = [Tensor<2, Int>; 2];

    fn outputs(shape: &EncoderShape) -> usize {
        shape.outputs.unwrap_or(shape.vocabulary)
    }

    /// Tokens and their types.
    fn batch(shape: &EncoderShape, device: &Device) -> Self::Batch {
        [tokens(shape.vocabulary, device), tokens(2, device)]
    }

    fn forward(model: &EncoderModel, [tokens, types]: Self::Batch) -> Tensor<2> {
        let mask = Tensor::<2, Bool>::full(tokens.dims(), true, &tokens.device());
        match model.classifies() {
            true => model.forward_pooled(tokens, Some(types), mask),
            false => {
                let logits = model.forward_tokens(tokens, Some(types), mask);
                logits.mean_dim(1).squeeze_dim(1)
            }
        }
    }

    fn check_parts(model: &EncoderModel, [tokens, types]: Self::Batch) {
        if !model.classifies() {
            return;
        }
        let mask = Tensor::<2, Bool>::full(tokens.dims(), true, &tokens.device());
        let (types, embedded) = (Some(types), model.embed(tokens.clone()));
        let features = model.features(tokens.clone(), types.clone(), mask.clone());
        let expected = model.forward_pooled(tokens, types.clone(), mask.clone());
        assert_eq!(model.head(features).into_data(), expected.to_data());
        let found = model.forward_embedded(embedded.clone(), types.clone(), mask.clone());
        assert_eq!(found.into_data(), expected.to_data());
        let features = |x| model.features_embedded(x, types.clone(), mask.clone());
        check_parts(embedded, features, |x| model.head(x), expected);
    }
}

impl Check for TranslationConfig {
    type Batch = [Tensor<2, Int>; 2];

    fn outputs(shape: &TranslationShape) -> usize {
        shape.target_vocabulary
    }

    /// Sources and targets.
    fn batch(shape: &TranslationShape, device: &Device) -> Self::Batch {
        [shape.source_vocabulary, shape.target_vocabulary].map(|count| tokens(count, device))
    }

    fn forward(model: &TranslationModel, [source, target]: Self::Batch) -> Tensor<2> {
        let mask = Tensor::<2, Bool>::full(source.dims(), true, &source.device());
        let memory = model.encode(source, mask.clone());
        let logits = model.decode(&memory, mask.clone(), target, mask);
        logits.mean_dim(1).squeeze_dim(1)
    }
}

//! Models that read a text as a whole.

pub mod bert;
pub mod distilbert;
pub mod lstm;
pub mod modernbert;
pub mod roberta;

use burn::tensor::{Bool, Int, Tensor};

use crate::family::{Architecture, Layered, registry};
use crate::shape::EncoderShape;

registry! {
    /// A model that reads a text as a whole.
    pretrainable EncoderConfig builds
    #[expect(clippy::large_enum_variant, reason = "a program holds one, never a list of them")]
    EncoderModel for EncoderShape {
        bert::Bert(BertConfig => Bert) = "bert", "encoder that reads both sides of each token, bert-base or bert-large (Devlin et al. 2018)";
        roberta::Roberta(RobertaConfig => Roberta) = "roberta", "BERT trained for longer, by default of roberta-base's size (Liu et al. 2019)";
        distilbert::Distilbert(DistilbertConfig => Distilbert) = "distilbert", "half of BERT, by default of distilbert-base's size (Sanh et al. 2019)";
        modernbert::Modernbert(ModernbertConfig => Modernbert) = "modernbert", "encoder with rotations, gates and windows, by default ModernBERT-base's (Warner et al. 2024)";
        lstm::Lstm(LstmConfig => Lstm) = "lstm", "bidirectional LSTM that classifies texts (Graves & Schmidhuber 2005)";
    }

    impl EncoderConfig {
        /// Whether the model can be built without outputs, for logits of each token.
        pub fn has_token_head(&self) -> bool;
    }

    impl EncoderNetwork for EncoderModel {
        fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3>;
        fn encode(&self, tokens: Tensor<2, Int>, types: TokenTypes, mask: TokenMask) -> Tensor<3>;
        fn features(&self, tokens: Tensor<2, Int>, types: TokenTypes, mask: TokenMask) -> Tensor<2>;
        fn features_embedded(&self, embedded: Tensor<3>, types: TokenTypes, mask: TokenMask) -> Tensor<2>;
        fn head(&self, features: Tensor<2>) -> Tensor<2>;
        fn attentions(&self, embedded: Tensor<3>, types: TokenTypes, mask: TokenMask) -> Vec<Tensor<4>>;
        fn predict(&self, x: Tensor<3>) -> Tensor<3>;
        fn classifies(&self) -> bool;
    }
}

/// Which sentence each token belongs to, `[batch, time]`; by default the first. An LSTM reads all
/// alike.
pub type TokenTypes = Option<Tensor<2, Int>>;

/// True where there is a token, `[batch, time]`. For an LSTM the padding must come after the tokens,
/// of which each text has at least one.
pub type TokenMask = Tensor<2, Bool>;

/// What a model that reads texts computes.
///
/// # Panics
///
/// Features and outputs of a text, if the model was built for a shape without outputs; logits of
/// tokens, if it was built for one with outputs, as every LSTM is.
pub trait EncoderNetwork {
    /// The embedding of each token, before anything is added to it.
    ///
    /// For gradients with respect to it, detach it, require its gradient, and pass it to
    /// [`features_embedded`](Self::features_embedded) or [`forward_embedded`](Self::forward_embedded).
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`, no longer than the context
    /// - result: `[batch, time, embedding width]`
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3>;

    /// The tokens after the last block or layer.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`, no longer than the context
    /// - `types` and `mask`: `[batch, time]`
    /// - result: `[batch, time, width]`; without meaning where the mask is false
    fn encode(&self, tokens: Tensor<2, Int>, types: TokenTypes, mask: TokenMask) -> Tensor<3>;

    /// What the last layer is given of each text.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`encode`](Self::encode)
    /// - result: `[batch, features]`
    fn features(&self, tokens: Tensor<2, Int>, types: TokenTypes, mask: TokenMask) -> Tensor<2> {
        self.features_embedded(self.embed(tokens), types, mask)
    }

    /// As [`features`](Self::features), from the embeddings that [`embed`](Self::embed) gives.
    ///
    /// # Shapes
    ///
    /// - `embedded`: `[batch, time, embedding width]`
    /// - result: `[batch, features]`
    fn features_embedded(
        &self,
        embedded: Tensor<3>,
        types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<2>;

    /// The last layer: maps [`features`](Self::features) to the logits of each text.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, features]`
    /// - result: `[batch, outputs]`
    fn head(&self, features: Tensor<2>) -> Tensor<2>;

    /// How much each token attends to each other one in each layer of a transformer, after the softmax,
    /// `[batch, heads, time, time]`; empty for other models.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`features_embedded`](Self::features_embedded)
    fn attentions(
        &self,
        _embedded: Tensor<3>,
        _types: TokenTypes,
        _mask: TokenMask,
    ) -> Vec<Tensor<4>> {
        Vec::new()
    }

    /// The logits of each text: the [`head`](Self::head) of the features.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`encode`](Self::encode)
    /// - result: `[batch, outputs]`
    fn forward_pooled(
        &self,
        tokens: Tensor<2, Int>,
        types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<2> {
        self.head(self.features(tokens, types, mask))
    }

    /// As [`forward_pooled`](Self::forward_pooled), from the embeddings that
    /// [`embed`](Self::embed) gives.
    ///
    /// # Shapes
    ///
    /// - `embedded`: `[batch, time, embedding width]`
    /// - result: `[batch, outputs]`
    fn forward_embedded(
        &self,
        embedded: Tensor<3>,
        types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<2> {
        self.head(self.features_embedded(embedded, types, mask))
    }

    /// The logits of what each token was before it was masked, from what [`encode`](Self::encode)
    /// gives.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, time, width]`
    /// - result: `[batch, time, vocabulary]`
    fn predict(&self, x: Tensor<3>) -> Tensor<3>;

    /// The logits of what each token was before it was masked.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`encode`](Self::encode)
    /// - result: `[batch, time, vocabulary]`; without meaning where the mask is false
    fn forward_tokens(
        &self,
        tokens: Tensor<2, Int>,
        types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<3> {
        self.predict(self.encode(tokens, types, mask))
    }

    /// As [`forward_tokens`](Self::forward_tokens) at some positions alone, which saves most of the
    /// head's work where few tokens are masked.
    ///
    /// # Shapes
    ///
    /// - `positions`: counted through all rows of the batch, `[positions]`
    /// - result: `[positions, vocabulary]`
    fn forward_positions(
        &self,
        tokens: Tensor<2, Int>,
        types: TokenTypes,
        mask: TokenMask,
        positions: Tensor<1, Int>,
    ) -> Tensor<2> {
        let x = self.encode(tokens, types, mask);
        let [batch, time, width] = x.dims();
        let x = x.reshape([batch * time, width]).select(0, positions);
        self.predict(x.unsqueeze_dim(0)).squeeze_dim(0)
    }

    /// Whether the model was built for a shape with outputs.
    fn classifies(&self) -> bool;
}

#[cfg(test)]
mod tests;

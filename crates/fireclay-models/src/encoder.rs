//! Models that read a text as a whole.

pub mod bert;
pub mod lstm;

use burn::tensor::{Bool, Int, Tensor};

use crate::family::{Architecture, Layered, TextArchitecture, registry};
use crate::shape::EncoderShape;

registry! {
    /// A model that reads a text as a whole.
    pretrainable EncoderConfig builds
    #[expect(clippy::large_enum_variant, reason = "a program holds one, never a list of them")]
    EncoderModel for EncoderShape {
        bert::Bert(BertConfig => Bert) = "bert", "encoder that reads both sides of each token, bert-base or bert-large (Devlin et al. 2018)";
        lstm::Lstm(LstmConfig => Lstm) = "lstm", "bidirectional LSTM that classifies texts (Graves & Schmidhuber 2005)";
    }

    impl EncoderConfig {
        /// Tokens that the model reads, at most.
        pub fn context_length(&self) -> usize;

        /// The number of different tokens that the model is usually trained with.
        pub fn usual_vocabulary(&self) -> usize;

        /// Whether the model can be built without outputs, for logits of each token.
        pub fn has_token_head(&self) -> bool;
    }

    impl EncoderModel {
        /// The tokens after the last block or layer.
        ///
        /// # Shapes
        ///
        /// - `tokens`: `[batch, time]`, no longer than the context
        /// - `types`: the sentence that each token belongs to, `[batch, time]`; by default the
        ///   first. An LSTM reads all alike
        /// - `mask`: `[batch, time]`, true where there is a token; for an LSTM the padding must
        ///   come after the tokens
        /// - result: `[batch, time, width]`; without meaning where the mask is false
        pub fn encode(
            &self,
            tokens: Tensor<2, Int>,
            types: Option<Tensor<2, Int>>,
            mask: Tensor<2, Bool>,
        ) -> Tensor<3>;

        /// The logits of what each token was before it was masked, from what
        /// [`encode`](Self::encode) gives.
        ///
        /// # Shapes
        ///
        /// - `x`: `[batch, time, width]`
        /// - result: `[batch, time, vocabulary]`
        ///
        /// # Panics
        ///
        /// If the model was built for a shape with outputs, as every LSTM is.
        pub fn predict(&self, x: Tensor<3>) -> Tensor<3>;

        /// The logits of each text.
        ///
        /// # Shapes
        ///
        /// - arguments: as for [`encode`](Self::encode)
        /// - result: `[batch, outputs]`
        ///
        /// # Panics
        ///
        /// If the model was built for a shape without outputs.
        pub fn forward_pooled(
            &self,
            tokens: Tensor<2, Int>,
            types: Option<Tensor<2, Int>>,
            mask: Tensor<2, Bool>,
        ) -> Tensor<2>;

        /// Whether the model was built for a shape with outputs.
        pub fn classifies(&self) -> bool;
    }
}

impl EncoderModel {
    /// The logits of what each token was before it was masked.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`encode`](Self::encode)
    /// - result: `[batch, time, vocabulary]`; without meaning where the mask is false
    ///
    /// # Panics
    ///
    /// As for [`predict`](Self::predict).
    pub fn forward_tokens(
        &self,
        tokens: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        mask: Tensor<2, Bool>,
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
    ///
    /// # Panics
    ///
    /// As for [`predict`](Self::predict).
    pub fn forward_positions(
        &self,
        tokens: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        mask: Tensor<2, Bool>,
        positions: Tensor<1, Int>,
    ) -> Tensor<2> {
        let x = self.encode(tokens, types, mask);
        let [batch, time, width] = x.dims();
        let x = x.reshape([batch * time, width]).select(0, positions);
        self.predict(x.unsqueeze_dim(0)).squeeze_dim(0)
    }
}

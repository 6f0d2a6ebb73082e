//! Models for tables.

pub mod linear;
pub mod mlp;

use burn::tensor::{Int, Tensor};

use crate::family::{Architecture, registry};
use crate::shape::TabularShape;

registry! {
    /// A model for tables.
    TabularConfig builds Tabular for TabularShape {
        linear::Linear(LinearConfig => LinearModel) = "linear", "linear, logistic or softmax regression (Legendre 1805, Cox 1958, McFadden 1974)";
        mlp::Mlp(MlpConfig => Mlp) = "mlp", "multilayer perceptron with entity embeddings (Rumelhart et al. 1986, Guo & Berkhahn 2016, Gorishniy et al. 2021)";
    }

    impl TabularNetwork for Tabular {
        fn embed(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2>;
        fn vectors(&self) -> Vec<usize>;
        fn features_embedded(&self, inputs: Tensor<2>) -> Tensor<2>;
        fn head(&self, features: Tensor<2>) -> Tensor<2>;
        fn forward(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2>;
    }
}

/// What a model for tables computes.
///
/// Where a table has no numeric or no embedded column, pass a tensor of width 0: it is not read, so
/// every backend can take it. Outputs and features have gradients with respect to what
/// [`embed`](Self::embed) gives.
pub trait TabularNetwork {
    /// The numeric columns, then the vector that stands for each category, side by side.
    ///
    /// # Shapes
    ///
    /// - `numeric`: `[batch, shape.numeric]`
    /// - `categories`: `[batch, shape.categories.len()]`, each index below its column's number
    /// - result: `[batch, inputs]`, with `inputs` the numeric columns and the sum of
    ///   [`vectors`](Self::vectors)
    fn embed(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2>;

    /// The width of the vector that stands for a category, for each embedded column.
    fn vectors(&self) -> Vec<usize>;

    /// What the last layer is given, from what [`embed`](Self::embed) gives.
    ///
    /// # Shapes
    ///
    /// - `inputs`: `[batch, inputs]`
    /// - result: `[batch, features]`
    fn features_embedded(&self, inputs: Tensor<2>) -> Tensor<2>;

    /// What the last layer is given.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`embed`](Self::embed)
    /// - result: `[batch, features]`
    fn features(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2> {
        self.features_embedded(self.embed(numeric, categories))
    }

    /// The last layer: maps [`features`](Self::features) to logits or predictions.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, features]`
    /// - result: `[batch, shape.outputs]`
    fn head(&self, features: Tensor<2>) -> Tensor<2>;

    /// Maps rows to logits or predictions: the [`head`](Self::head) of the features.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`embed`](Self::embed)
    /// - result: `[batch, shape.outputs]`
    fn forward(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2> {
        self.head(self.features(numeric, categories))
    }
}

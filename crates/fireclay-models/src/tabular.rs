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

    impl Tabular {
        /// Maps rows to logits or predictions.
        ///
        /// Where a table has no numeric or no embedded column, pass a tensor of width 0: it is not
        /// read, so every backend can take it.
        ///
        /// # Shapes
        ///
        /// - `numeric`: `[batch, shape.numeric]`
        /// - `categories`: `[batch, shape.categories.len()]`, each index below its column's number
        /// - result: `[batch, shape.outputs]`
        pub fn forward(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2>;
    }
}

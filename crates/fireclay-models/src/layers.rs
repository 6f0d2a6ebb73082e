//! Building blocks that several architectures share unchanged.

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod categories;
pub mod causal;
pub mod conv;
pub mod drop_path;
pub mod linear;
pub mod pool;
pub mod tokens;

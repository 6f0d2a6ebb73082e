//! Building blocks that several architectures share unchanged.

pub mod activation;
pub(crate) mod adapter;
pub mod attention;
pub mod batch_norm;
pub mod categories;
pub mod causal;
pub mod conv;
pub mod draws;
pub mod drop_path;
pub mod dropout;
pub mod linear;
pub mod norm;
pub mod pool;
pub(crate) mod sizes;
pub(crate) mod table;
pub mod tokens;
pub mod weight;

//! Building blocks that several architectures share unchanged.

pub mod activation;
pub mod categories;

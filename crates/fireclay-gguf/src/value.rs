//! What an entry of the metadata holds.

/// What an entry of the metadata holds. Integers of all widths are one kind, and so are numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An integer.
    Integer(i128),
    /// A number; one in single precision as the shortest decimal that is it, as people write it.
    Number(f64),
    /// True or false.
    Truth(bool),
    /// A text.
    Text(String),
    /// A list of integers.
    Integers(Vec<i64>),
    /// A list of numbers.
    Numbers(Vec<f64>),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of truths, or of lists, which no model has any use for: its length.
    Others(u64),
}

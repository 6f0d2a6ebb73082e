//! What is known of a token in a file of conversations, in the bits above its number. Files of other texts have no
//! such bits: all of their tokens train.

/// No loss is taken where it is predicted.
pub(crate) const UNTRAINED: u32 = 1 << 31;
/// A conversation begins with it.
pub(crate) const FIRST: u32 = 1 << 30;
/// A turn of the assistant ends with it.
pub(crate) const TURN_END: u32 = 1 << 29;
/// A turn of the assistant begins with it.
pub(crate) const TURN_START: u32 = 1 << 27;
/// A part of it is of what stands beside a turn.
pub(crate) const PARTLY: u32 = 1 << 28;

/// The number of a token.
pub(crate) fn id(token: u32) -> u32 {
    token & !(UNTRAINED | FIRST | TURN_START | TURN_END | PARTLY)
}

/// Whether a loss is taken where it is predicted.
pub(crate) fn trains(token: u32) -> bool {
    token & UNTRAINED == 0
}

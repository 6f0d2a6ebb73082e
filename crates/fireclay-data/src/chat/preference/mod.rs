//! Preferences: prompts with two answers each, of which one is better. They are read, written as a chat template has
//! them or as they stand, turned into tokens once, and handed out in pairs.

mod config;
mod dataset;
mod notes;
mod pair;
mod part;
mod read;
mod split;
#[cfg(test)]
mod tests;
mod tutor;

pub use self::config::{LongPair, PlainText, PreferenceDataConfig, PreferenceFormat};
pub use self::dataset::PreferenceData;
pub use self::pair::holds_preferences;
pub use self::split::PreferenceSplit;

//! The texts at which a text ends.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::error::Refusal;

/// How many there may be: each is looked for in every token.
const MOST_STOPS: usize = 16;
/// Bytes of one at most: what is written is held back while one may begin in it.
const MOST_STOP_BYTES: usize = 1024;

/// One text, several, or none. Of too many one more than there may be is kept, for the refusal.
#[derive(Debug, Default)]
pub struct Stops(pub Vec<String>);

impl Stops {
    /// Refuses too many, too long ones, and empty ones.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |message: String| Err(Refusal::of("stop", message));
        if self.0.len() > MOST_STOPS {
            return wrong(format!("stop may have at most {MOST_STOPS} texts"));
        }
        if self.0.iter().any(String::is_empty) {
            return wrong("stop must not be empty".into());
        }
        match self.0.iter().map(String::len).max() {
            Some(bytes) if bytes > MOST_STOP_BYTES => wrong(format!(
                "each text of stop may have {MOST_STOP_BYTES} bytes, not {bytes}"
            )),
            _ => Ok(()),
        }
    }
}

struct Texts;

impl<'de> Deserialize<'de> for Stops {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Texts)
    }
}

impl<'de> Visitor<'de> for Texts {
    type Value = Stops;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text or a list of texts as stop")
    }

    fn visit_unit<E>(self) -> Result<Stops, E> {
        Ok(Stops::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Stops, E> {
        Ok(Stops(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Stops, A::Error> {
        let mut kept = Vec::new();
        while kept.len() <= MOST_STOPS {
            match texts.next_element()? {
                Some(text) => kept.push(text),
                None => return Ok(Stops(kept)),
            }
        }
        while texts.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Stops(kept))
    }
}

//! What can go wrong in reading a value.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::problem::Span;
use crate::tree::Node;

/// What went wrong first; boxed, since every result of the deserializer carries it.
#[derive(Clone, Debug)]
pub(crate) struct Fault(pub Box<Details>);

#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub kind: Kind,
    pub span: Option<Span>,
    /// The keys and indices that lead to the location.
    pub path: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    UnknownKey {
        expected: Cow<'static, [&'static str]>,
    },
    Missing {
        key: String,
    },
    WrongType {
        expected: String,
        found: String,
        value: Option<String>,
    },
    UnknownWord {
        word: String,
        expected: &'static [&'static str],
    },
    /// A value of the right type that is refused, with the reason.
    Refused(String),
    Custom(String),
    /// A stand-in was of no use.
    Hole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Fault {
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(Details {
            kind,
            span: None,
            path: Vec::new(),
        }))
    }

    /// Sets the location, unless a deeper one is known.
    pub fn within(mut self, node: &Node) -> Self {
        self.0.span.get_or_insert_with(|| node.span.clone());
        self
    }

    pub fn under(mut self, step: Step) -> Self {
        self.0.path.insert(0, step);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.kind)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Custom(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        wrong_type(expected.to_string(), found.to_string(), None)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        wrong_type(expected.to_string(), found.to_string(), None)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let expected = expected
            .to_string()
            .replace("a tuple of size", "an array of length");
        wrong_type(expected, format!("one of length {length}"), None)
    }

    fn unknown_variant(word: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownWord {
            word: word.to_string(),
            expected,
        })
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        let expected = Cow::Borrowed(expected);
        Self::new(Kind::UnknownKey { expected })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::Missing {
            key: key.to_string(),
        })
    }
}

pub(crate) fn wrong_type(expected: String, found: String, value: Option<String>) -> Fault {
    Fault::new(Kind::WrongType {
        expected,
        found,
        value,
    })
}

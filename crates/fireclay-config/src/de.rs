//! Deserializing a [`Node`] with errors that know the location and what would have been right.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::fault::{Fault, Kind, Step, wrong_type};
use crate::tree::{Entry, Node, Value};

/// The value of a type that a node stands for.
pub(crate) fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Fault> {
    T::deserialize(node).map_err(|fault| fault.within(node))
}

fn mismatch(node: &Node, expected: &str) -> Fault {
    match node.value {
        Value::Hole => Fault::new(Kind::Hole),
        _ => wrong_type(
            expected.into(),
            node.kind().into(),
            node.as_str().map(str::to_string),
        ),
    }
}

fn finite(value: f64) -> Result<f64, Fault> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(refused(format!("must be a finite number, but is {value}"))),
    }
}

/// The integer in a range, which is that of the type asked for.
fn integer(node: &Node, low: i128, high: i128) -> Result<i128, Fault> {
    let expected = if low < 0 {
        "a whole number"
    } else {
        "a whole number, 0 or more"
    };
    // TOML has no integers beyond these, so that a resolved configuration can be written.
    let high = high.min(i64::MAX.into());
    match &node.value {
        Value::Hole => Ok(0),
        Value::Integer(value) if (low..=high).contains(value) => Ok(*value),
        Value::Integer(value) if *value < low => Err(too_small(low, &value.to_string())),
        Value::Integer(value) => Err(too_large(high, &value.to_string())),
        Value::Huge(text) if text.starts_with('-') => Err(too_small(low, text)),
        Value::Huge(text) => Err(too_large(high, text)),
        _ => Err(mismatch(node, expected)),
    }
}

fn too_small(low: i128, value: &str) -> Fault {
    refused(format!("must be at least {low}, but is {value}"))
}

fn too_large(high: i128, value: &str) -> Fault {
    refused(format!("must be at most {high}, but is {value}"))
}

fn refused(reason: String) -> Fault {
    Fault::new(Kind::Refused(reason))
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let value = integer(self, <$type>::MIN as i128, <$type>::MAX as i128)?;
            visitor.$visit(value as $type)
        })*
    };
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::String(text) | Value::Datetime(text) => visitor.visit_borrowed_str(text),
            Value::Integer(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_i64(value),
                (_, Ok(value)) => visitor.visit_u64(value),
                _ => Err(too_large(i64::MAX.into(), &value.to_string())),
            },
            Value::Huge(text) => Err(too_large(i64::MAX.into(), text)),
            Value::Float(value) => visitor.visit_f64(finite(*value)?),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Table(_) => self.deserialize_map(visitor),
            Value::Hole => Err(Fault::new(Kind::Hole)),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = match &self.value {
            Value::Hole => 0.0,
            Value::Integer(value) => *value as f64,
            Value::Float(value) => finite(*value)?,
            _ => return Err(mismatch(self, "a number")),
        };
        visitor.visit_f64(value)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Boolean(value) => visitor.visit_bool(value),
            Value::Hole => visitor.visit_bool(false),
            _ => Err(mismatch(self, "true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Hole => visitor.visit_borrowed_str(""),
            _ => Err(mismatch(self, "a string")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Hole => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let items = match &self.value {
            Value::Array(items) => items.as_slice(),
            Value::Hole => &[],
            _ => return Err(mismatch(self, "an array")),
        };
        visitor.visit_seq(Items { items, index: 0 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, v: V) -> Result<V::Value, Fault> {
        match &self.value {
            // A visitor stops where its tuple is full; what follows would be ignored.
            Value::Array(items) if items.len() > len => {
                Err(de::Error::invalid_length(items.len(), &v))
            }
            _ => self.deserialize_seq(v),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let entries = match &self.value {
            Value::Table(table) => table.entries.as_slice(),
            Value::Hole => &[],
            _ => return Err(mismatch(self, "a table")),
        };
        visitor.visit_map(Entries { entries, index: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let word = match &self.value {
            Value::String(word) => word,
            Value::Hole => words.first().copied().unwrap_or_default(),
            _ => {
                let expected = format!("one of {}", crate::suggest::list(words));
                return Err(mismatch(self, &expected));
            }
        };
        visitor.visit_enum(Word { word })
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'de> {
    items: &'de [Node],
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.get(self.index) else {
            return Ok(None);
        };
        let step = Step::Index(self.index);
        self.index += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|fault| fault.within(item).under(step))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.index)
    }
}

struct Entries<'de> {
    entries: &'de [Entry],
    index: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.get(self.index) else {
            return Ok(None);
        };
        self.index += 1;
        let key = StrDeserializer::<Fault>::new(&entry.key);
        seed.deserialize(key).map(Some).map_err(|mut fault| {
            fault.0.span = Some(entry.key_span.clone());
            fault.under(Step::Key(entry.key.clone()))
        })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let entry = &self.entries[self.index - 1];
        let step = Step::Key(entry.key.clone());
        seed.deserialize(&entry.node)
            .map_err(|fault| fault.within(&entry.node).under(step))
    }
}

/// A word that names a variant without content.
struct Word<'de> {
    word: &'de str,
}

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Fault> {
        let word = StrDeserializer::<Fault>::new(self.word);
        seed.deserialize(word).map(|value| (value, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Err(self.content())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(self.content())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(self.content())
    }
}

impl Word<'_> {
    fn content(&self) -> Fault {
        wrong_type("a table".into(), "a string".into(), None)
    }
}

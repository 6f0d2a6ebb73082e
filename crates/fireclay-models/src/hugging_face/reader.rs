//! Values of a `config.json` by their keys.

use serde_json::{Map, Value};

use crate::layers::activation::Activation;

/// What Hugging Face calls the activations; of several names of one the first is written.
const ACTIVATIONS: [(&str, Activation); 14] = [
    ("relu", Activation::Relu),
    ("leaky_relu", Activation::LeakyRelu),
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_python_tanh", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu_accurate", Activation::GeluTanh),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("mish", Activation::Mish),
    ("tanh", Activation::Tanh),
    ("sigmoid", Activation::Sigmoid),
];

/// What Hugging Face calls an activation.
pub fn word(activation: Activation) -> Option<&'static str> {
    let known = ACTIVATIONS.iter().find(|(_, known)| *known == activation);
    known.map(|(word, _)| *word)
}

/// The activation that Hugging Face calls so.
pub fn activation_of(word: &str) -> Option<Activation> {
    let known = ACTIVATIONS.iter().find(|(known, _)| *known == word);
    known.map(|(_, activation)| *activation)
}

/// Reads values by key and collects what is wrong with them. A key that is not there, or null, has
/// its default.
pub(crate) struct Reader<'a> {
    json: &'a Map<String, Value>,
    problems: Vec<(String, String)>,
}

impl<'a> Reader<'a> {
    pub fn new(json: &'a Map<String, Value>) -> Self {
        Self {
            json,
            problems: Vec::new(),
        }
    }

    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    pub fn is(&self, key: &str, text: &str) -> bool {
        self.get(key).and_then(Value::as_str) == Some(text)
    }

    /// The class that the model was saved from.
    pub fn class(&self) -> Option<&'a str> {
        self.get("architectures")?.get(0)?.as_str()
    }

    pub fn count(&mut self, key: &str, default: usize) -> usize {
        let count = |value: &Value| usize::try_from(value.as_u64()?).ok();
        self.read(key, default, "no count", count)
    }

    pub fn number(&mut self, key: &str, default: f64) -> f64 {
        self.read(key, default, "no number", Value::as_f64)
    }

    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        self.read(key, default, "neither true nor false", Value::as_bool)
    }

    pub fn activation(&mut self, key: &str, default: Activation) -> Activation {
        let activation = |value: &Value| activation_of(value.as_str()?);
        self.read(key, default, "no activation that is known", activation)
    }

    /// The entries of an object within the file.
    pub fn section(&mut self, key: &str) -> Vec<(&'a str, &'a Value)> {
        match self.get(key) {
            None => Vec::new(),
            Some(Value::Object(section)) => {
                section.iter().map(|(key, value)| (&**key, value)).collect()
            }
            Some(other) => {
                self.problem(key, format!("is {other}, which is no object"));
                Vec::new()
            }
        }
    }

    /// Reads an object within the file, if there is one; what is wrong with it is at its own keys.
    pub fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'a>) -> T) -> Option<T> {
        let inner = match self.get(key)? {
            Value::Object(inner) => inner,
            other => {
                self.problem(key, format!("is {other}, which is no object"));
                return None;
            }
        };
        let mut reader = Reader::new(inner);
        let result = read(&mut reader);
        let at = |(name, message): (String, String)| (format!("{key}.{name}"), message);
        self.problems.extend(reader.problems().into_iter().map(at));
        Some(result)
    }

    /// All keys with a value.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        let entries = self.json.iter().filter(|(_, value)| !value.is_null());
        entries.map(|(key, value)| (key.as_str(), value))
    }

    /// A count where null stands for none, which is not the default.
    pub fn count_or_none(&mut self, key: &str, default: Option<usize>) -> Option<usize> {
        match self.json.get(key) {
            None => default,
            Some(Value::Null) => None,
            Some(_) => Some(self.count(key, 0)),
        }
    }

    /// A number where null stands for none, which is not the default.
    pub fn number_or_none(&mut self, key: &str, default: Option<f64>) -> Option<f64> {
        match self.json.get(key) {
            None => default,
            Some(Value::Null) => None,
            Some(_) => Some(self.number(key, 0.0)),
        }
    }

    /// A number that has no default.
    pub fn required(&mut self, key: &str) -> f64 {
        if self.get(key).is_none() {
            self.problem(key, "is missing".into());
        }
        self.number(key, 1.0)
    }

    /// A list, each item of which `parse` understands, if there is one.
    pub fn list<T>(
        &mut self,
        key: &str,
        otherwise: &str,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let list = |value: &Value| {
            let items = value.as_array()?.iter().map(&parse);
            Some(Some(items.collect::<Option<Vec<T>>>()?))
        };
        self.read(key, None, otherwise, list)
    }

    /// The number of classes, or else that of their names.
    pub fn classes(&mut self) -> usize {
        let names = match self.section("id2label").len() {
            0 => 2,
            names => names,
        };
        self.count("num_labels", names)
    }

    /// Refuses any value but this one, which is the default too.
    pub fn require(&mut self, key: &str, only: impl Into<Value>) {
        let only = only.into();
        if let Some(found) = self.get(key).filter(|found| **found != only) {
            self.refuse(key, found);
        }
    }

    /// Refuses a value that changes the logits.
    pub fn refuse(&mut self, key: &str, found: &Value) {
        self.problem(key, format!("is {found}, which no model here has"));
    }

    pub fn problem(&mut self, key: &str, message: String) {
        self.problems.push((key.into(), message));
    }

    pub fn problems(self) -> Vec<(String, String)> {
        self.problems
    }

    fn read<T>(
        &mut self,
        key: &str,
        default: T,
        otherwise: &str,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let Some(value) = self.get(key) else {
            return default;
        };
        parse(value).unwrap_or_else(|| {
            self.problem(key, format!("is {value}, which is {otherwise}"));
            default
        })
    }
}

//! The tokens that begin and end a text for a model that goes on with it.

use serde_json::{Map, Value, json};

use super::Tokenizer;
use super::companions::{Companions, Said};
use super::marks::Marks;

/// What tokenizers call the token that ends a text.
const END_OF_TEXT: [&str; 6] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<eos>",
    "<|im_end|>",
    "[SEP]",
];

/// Tokens that others call so in a `tokenizer_config.json`.
const ROLES: [(&str, &[&str]); 5] = [
    ("unk_token", &["<unk>", "[UNK]"]),
    ("pad_token", &["<pad>", "[PAD]"]),
    ("mask_token", &["<mask>", "[MASK]"]),
    ("cls_token", &["[CLS]"]),
    ("sep_token", &["[SEP]"]),
];

/// The tokens that end a text: those that the files beside the tokenizer name, or else that of its template,
/// or else one with a usual name. The one that the tokenizer's own description names comes first.
pub(super) fn find(
    inner: &tokenizers::Tokenizer,
    companions: &Companions,
    template: &Option<Marks>,
    vocabulary: usize,
) -> Vec<u32> {
    let id = |said| match said {
        Said::Id(id) => Some(id).filter(|id| (*id as usize) < vocabulary),
        Said::Name(name) => inner.token_to_id(&name),
    };
    let mut named: Vec<u32> = companions
        .tokens("eos")
        .into_iter()
        .filter_map(id)
        .collect();
    let own = companions
        .name("eos")
        .and_then(|name| inner.token_to_id(&name));
    named.sort_by_key(|id| Some(*id) != own);
    if !named.is_empty() {
        return named;
    }
    let usual = END_OF_TEXT.iter().find_map(|name| inner.token_to_id(name));
    let last = || {
        template
            .as_ref()
            .and_then(|marks| marks.after().last().copied())
    };
    usual.or_else(last).into_iter().collect()
}

impl Tokenizer {
    /// The token that ends a text and parts documents.
    pub fn end_of_text(&self) -> Option<u32> {
        self.ends.first().copied()
    }

    /// Every token at which a model that writes is done.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The tokens that the template of the tokenizer puts before a text.
    pub fn start(&self) -> &[u32] {
        &self.start
    }

    /// The same tokenizer for models that are given no start of a text.
    #[must_use]
    pub fn without_start(self) -> Self {
        Self {
            start: [].into(),
            ..self
        }
    }

    /// The same tokenizer for models that end what they write at another token as well.
    #[must_use]
    pub(crate) fn ending_at(self, token: u32) -> Self {
        let ends: Vec<u32> = self.ends.iter().copied().chain([token]).collect();
        let mut companions = (*self.companions).clone();
        companions.end_at(&ends);
        Self {
            ends: ends.into(),
            companions: companions.into(),
            ..self
        }
    }

    /// The same tokenizer with another template for conversations.
    #[must_use]
    pub(crate) fn with_chat_template(self, template: String) -> Self {
        let mut companions = (*self.companions).clone();
        companions.put("chat_template.jinja", template);
        Self {
            companions: companions.into(),
            ..self
        }
    }

    /// The token of this name, special or not.
    pub fn token(&self, name: &str) -> Option<u32> {
        self.inner.token_to_id(name)
    }

    /// The name of a token.
    pub fn name(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The files that came with it and go wherever it goes, by name.
    pub fn companions(&self) -> Vec<(&'static str, String)> {
        self.companions.files.clone()
    }

    /// A file that says which tokens end a text that a model writes, unless one came with it; and its name.
    pub fn generation(&self) -> Option<(&'static str, String)> {
        const GENERATION: &str = "generation_config.json";
        let is_there = self
            .companions
            .files
            .iter()
            .any(|(name, _)| *name == GENERATION);
        (!is_there && !self.ends.is_empty()).then(|| {
            let json = Value::from(self.ids());
            (GENERATION, format!("{json:#}\n"))
        })
    }

    /// The special token of this name.
    pub fn special_token(&self, name: &str) -> Option<u32> {
        let found = self.token(name)?;
        let special = self.special();
        special.get(found as usize).copied()?.then_some(found)
    }

    /// The keys of a model's description that name tokens: `bos_token_id`, `eos_token_id` and
    /// `pad_token_id`, as far as they are known.
    pub fn ids(&self) -> Map<String, Value> {
        let said = |key: &str| match self.companions.tokens(key).into_iter().next()? {
            Said::Id(id) => Some(id),
            Said::Name(name) => self.token(&name),
        };
        let bos = said("bos").or_else(|| self.start.first().copied());
        let pad = said("pad").or_else(|| self.role("pad_token"));
        let ends = match &*self.ends {
            [] => None,
            [one] => Some(json!(one)),
            some => Some(json!(some)),
        };
        let ids = [
            ("bos_token_id", bos.map(Value::from)),
            ("eos_token_id", ends),
            ("pad_token_id", pad.map(Value::from)),
        ];
        let known = ids
            .into_iter()
            .filter_map(|(key, id)| Some((key.into(), id?)));
        known.collect()
    }

    /// A `tokenizer_config.json` for a tokenizer that came without one.
    pub fn description(&self, context: Option<usize>) -> Value {
        let mut json = Map::new();
        // Else `transformers` takes a class by the model's type, which may cut text otherwise.
        json.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
        json.insert("clean_up_tokenization_spaces".into(), false.into());
        json.extend(context.map(|most| ("model_max_length".into(), most.into())));
        let name = |id: &u32| self.inner.id_to_token(*id).map(Value::from);
        let roles = [
            ("bos_token", self.start.first()),
            ("eos_token", self.ends.first()),
        ];
        for (key, id) in roles {
            json.extend(id.and_then(name).map(|name| (key.into(), name)));
        }
        for (key, _) in ROLES {
            let name = self.role(key).and_then(|id| name(&id));
            json.extend(name.map(|name| (key.into(), name)));
        }
        json.into()
    }

    /// The token that has one of the usual names of a role.
    fn role(&self, key: &str) -> Option<u32> {
        let (_, names) = ROLES.iter().find(|(known, _)| *known == key)?;
        names.iter().find_map(|name| self.token(name))
    }
}

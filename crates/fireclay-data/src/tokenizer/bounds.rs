//! What a `tokenizer.json` may ask for, judged before the library reads it: some lines of it are enough to fill
//! any memory, with a token of number 10^9, or with a rule that makes a text a thousand times longer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The largest file; the largest that is published has some 40 MiB.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// More tokens than any published vocabulary has.
const MOST_TOKENS: u64 = 1 << 24;

/// Bytes in the name of a token, and in all names of a vocabulary that is a list. The library grows a tree with a
/// node for each byte of these, of some 400 bytes each.
const LONGEST_NAME: usize = 4096;
const MOST_LISTED: usize = 16 << 20;
/// What names of a list have on average at most, once they have more than some bytes in all.
const USUAL_NAME: usize = 48;
const FREE: usize = 1 << 16;

/// How much longer the rules of a normalizer may make a text, together.
const MOST_GROWTH: u64 = 256;
/// The rules of a normalizer or of a decoder.
const MOST_RULES: usize = 256;
/// The bytes that a rule may put in.
const LONGEST_CONTENT: usize = 1024;

/// The parts of a template, and the tokens that it adds to a text.
const MOST_PARTS: usize = 256;
const MOST_MARKS: usize = 1024;

/// The letters of a word that is cut into pieces, the longest first: it takes time with the square of them, and more. All
/// published tokenizers say 100 or 200.
const LONGEST_WORD: u64 = 512;

/// Refuses what no tokenizer has. What is no `tokenizer.json` at all is left to the library to name.
///
/// # Errors
/// What is too much, and how much is allowed.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let file = match serde_json::from_slice::<File>(json) {
        Ok(file) => file,
        // The library takes the last of two, which was not looked at.
        Err(error) if error.to_string().starts_with("duplicate field") => {
            return Err(error.to_string());
        }
        Err(_) => return Ok(()),
    };
    check_vocabulary(&file)?;
    check_words(&file.model)?;
    check_template(&file.post_processor)?;
    for (what, rules) in [("normalizer", &file.normalizer), ("decoder", &file.decoder)] {
        let mut found = Rules::default();
        found.add(rules);
        found
            .check()
            .map_err(|problem| format!("its {what} {problem}"))?;
    }
    match has_empty_pieces(&file.pre_tokenizer) {
        true => Err("its pre_tokenizer cuts a text into pieces of length 0".into()),
        false => Ok(()),
    }
}

fn check_vocabulary(file: &File) -> Result<(), String> {
    let vocabulary = &file.model.vocab;
    let added = file.added_tokens.iter().map(|token| token.id).max();
    let largest = vocabulary.largest.max(added.unwrap_or(0));
    if largest >= MOST_TOKENS {
        return Err(format!(
            "a token has the number {largest}, but no vocabulary has more than {MOST_TOKENS}"
        ));
    }
    let longest = vocabulary.longest;
    if longest > LONGEST_NAME {
        return Err(format!(
            "a token has {longest} bytes, but none has more than {LONGEST_NAME}"
        ));
    }
    let (listed, usual) = (vocabulary.listed, vocabulary.count * USUAL_NAME + FREE);
    if listed > usual.min(MOST_LISTED) {
        let count = vocabulary.count;
        return Err(format!(
            "its {count} pieces have {listed} bytes in all, too many"
        ));
    }
    Ok(())
}

fn check_words(model: &Model) -> Result<(), String> {
    let longest = model.max_input_chars_per_word.as_u64().unwrap_or(0);
    match longest > LONGEST_WORD {
        true => Err(format!(
            "it cuts words of up to {longest} letters into pieces, but none does of more than {LONGEST_WORD}"
        )),
        false => Ok(()),
    }
}

/// A template may repeat a text, or add a token that is a list of many, any number of times.
fn check_template(rule: &Value) -> Result<(), String> {
    let within = rule.get("processors").and_then(Value::as_array);
    within.into_iter().flatten().try_for_each(check_template)?;
    let lists = ["single", "pair"].map(|key| rule.get(key).and_then(Value::as_array));
    for parts in lists.into_iter().flatten() {
        let marks = parts.iter().map(|part| marks(rule, part));
        let marks = marks.fold(0, usize::saturating_add);
        if parts.len() > MOST_PARTS || marks > MOST_MARKS {
            let parts = parts.len();
            return Err(format!(
                "its template has {parts} parts and adds {marks} tokens, but none has more than {MOST_PARTS} or adds more \
                 than {MOST_MARKS}"
            ));
        }
    }
    Ok(())
}

/// The tokens that a part of a template adds.
fn marks(template: &Value, part: &Value) -> usize {
    let count = || {
        let id = part.get("SpecialToken")?.get("id")?.as_str()?;
        let token = template.get("special_tokens")?.get(id)?;
        Some(token.get("ids")?.as_array()?.len())
    };
    count().unwrap_or(0)
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Added {
    id: u64,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    vocab: Vocabulary,
    #[serde(default)]
    max_input_chars_per_word: Value,
}

/// A vocabulary: a map from names to numbers, or a list of names, each with a score.
#[derive(Default)]
struct Vocabulary {
    count: usize,
    largest: u64,
    /// Bytes of the longest name.
    longest: usize,
    /// Bytes of all names of a list.
    listed: usize,
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Names)
    }
}

struct Names;

/// A string that is not copied where it need not be.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Names {
    type Value = Vocabulary;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a map or a list of tokens")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
        let mut found = Vocabulary::default();
        while let Some((Name(name), id)) = map.next_entry::<Name, u64>()? {
            found.count += 1;
            found.largest = found.largest.max(id);
            found.longest = found.longest.max(name.len());
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocabulary, A::Error> {
        let mut found = Vocabulary::default();
        while let Some((Name(name), _)) = list.next_element::<(Name, IgnoredAny)>()? {
            found.count += 1;
            found.longest = found.longest.max(name.len());
            found.listed += name.len();
        }
        Ok(found)
    }
}

/// What the rules of a normalizer or of a decoder do together.
struct Rules {
    count: usize,
    /// How many times longer they make a text.
    growth: u64,
    /// Bytes of the longest text that one of them puts in.
    longest: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            count: 0,
            growth: 1,
            longest: 0,
        }
    }
}

impl Rules {
    fn add(&mut self, rule: &Value) {
        for key in ["normalizers", "decoders"] {
            let parts = rule.get(key).and_then(Value::as_array);
            parts.into_iter().flatten().for_each(|part| self.add(part));
        }
        if rule.is_object() {
            self.count += 1;
        }
        let text = |key: &str| rule.get(key).and_then(Value::as_str);
        for put_in in [text("content"), text("prepend")].into_iter().flatten() {
            self.longest = self.longest.max(put_in.len());
        }
        let replaced = text("content").zip(rule.get("pattern"));
        let growth = replaced.map(|(content, pattern)| growth(content, pattern));
        let unpacked = text("precompiled_charsmap").map(longest_unpacked);
        for growth in growth.into_iter().chain(unpacked) {
            self.growth = self.growth.saturating_mul(growth.max(1));
        }
    }

    fn check(&self) -> Result<(), String> {
        let Self {
            count,
            growth,
            longest,
        } = self;
        if *count > MOST_RULES {
            return Err(format!(
                "has {count} rules, but none has more than {MOST_RULES}"
            ));
        }
        if *longest > LONGEST_CONTENT {
            return Err(format!(
                "puts {longest} bytes in at a place, but none does more than {LONGEST_CONTENT}"
            ));
        }
        if *growth > MOST_GROWTH {
            return Err(format!(
                "makes a text up to {growth} times longer, but none does more than {MOST_GROWTH} times"
            ));
        }
        Ok(())
    }
}

/// How many times longer a text becomes where `pattern` is replaced. An expression may match a single byte, or
/// none: then the content is put in before each.
fn growth(content: &str, pattern: &Value) -> u64 {
    let literal = pattern.get("String").and_then(Value::as_str);
    let growth = match literal.map_or(0, str::len) {
        0 => content.len() + 1,
        length => content.len().div_ceil(length),
    };
    growth as u64
}

/// About how many times longer the longest entry of a map of characters, as SentencePiece has it, makes a character
/// of three bytes, as most of those in it are.
fn longest_unpacked(base64: &str) -> u64 {
    use base64::Engine;

    let bytes = base64::engine::general_purpose::STANDARD.decode(base64);
    let bytes = bytes.unwrap_or_default();
    let size = bytes
        .first_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    // After a search tree of this size come the replacements, each with a zero at its end.
    let texts = bytes.get((size as usize).saturating_add(4)..);
    let texts = texts.unwrap_or_default().split(|byte| *byte == 0);
    texts
        .map(|text| text.len().div_ceil(3) as u64)
        .max()
        .unwrap_or(0)
}

/// Whether a part of it cuts a text into pieces without a character.
fn has_empty_pieces(rule: &Value) -> bool {
    let parts = rule.get("pretokenizers").and_then(Value::as_array);
    let is_fixed = rule.get("type").and_then(Value::as_str) == Some("FixedLength");
    let length = rule.get("length").and_then(Value::as_u64);
    (is_fixed && length == Some(0)) || parts.into_iter().flatten().any(has_empty_pieces)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(json: &Value, part: &str) {
        let problem = check(json.to_string().as_bytes()).expect_err("too much");
        assert!(problem.contains(part), "{problem}");
    }

    fn with(key: &str, value: Value) -> Value {
        json!({key: value, "model": {"vocab": {"a": 0}}})
    }

    #[test]
    fn what_published_tokenizers_have_is_allowed() {
        let replace = |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
        let rules = [
            replace(json!({"String": " "}), "▁"),
            json!({"type": "Prepend", "prepend": "▁"}),
            replace(json!({"Regex": " {2,}"}), "▁"),
        ];
        let fine = with(
            "normalizer",
            json!({"type": "Sequence", "normalizers": rules}),
        );
        assert_eq!(check(fine.to_string().as_bytes()), Ok(()));
        let list = json!({"model": {"type": "Unigram", "vocab": [["<unk>", 0.0], ["▁the", -3.5]]}});
        assert_eq!(check(list.to_string().as_bytes()), Ok(()));
        assert_eq!(check(b"no tokenizer"), Ok(()));
    }

    #[test]
    fn what_would_fill_the_memory_is_refused() {
        let one = json!({"model": {"vocab": {"a": 1_000_000_000}}});
        refused(&one, "1000000000");
        refused(&with("added_tokens", json!([{"id": 1 << 24}])), "16777216");
        let long = "e".repeat(5000);
        refused(&json!({"model": {"vocab": [[long, 0.0]]}}), "5000 bytes");
        let long = "e".repeat(4000);
        let many: Vec<Value> = (0..100).map(|_| json!([long, 0.0])).collect();
        refused(&json!({"model": {"vocab": many}}), "400000 bytes");
        let double = json!({"pattern": {"String": "e"}, "content": "ee"});
        let rules = json!({"normalizers": vec![double.clone(); 9]});
        refused(&with("normalizer", rules), "512 times");
        refused(
            &with("decoder", json!({"decoders": vec![json!({}); 300]})),
            "301 rules",
        );
        refused(
            &with("normalizer", json!({"prepend": "e".repeat(2000)})),
            "2000 bytes",
        );
        let empty = json!({"pattern": {"Regex": ""}, "content": "e".repeat(300)});
        refused(&with("normalizer", empty), "301 times");
        let twice = br#"{"model": {"vocab": {"a": 0}, "vocab": {"a": 1000000000}}}"#;
        let problem = check(twice).expect_err("two vocabularies");
        assert!(problem.contains("duplicate field"), "{problem}");
        let long = json!({"model": {"vocab": {"a": 0}, "max_input_chars_per_word": 1_000_000}});
        refused(&long, "1000000 letters");
        let fixed = json!({"pretokenizers": [{"type": "FixedLength", "length": 0}]});
        refused(&with("pre_tokenizer", fixed), "length 0");
    }

    #[test]
    fn templates_that_would_fill_the_memory_are_refused() {
        let mark = json!({"SpecialToken": {"id": "[CLS]", "type_id": 0}});
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        let template = |single: Vec<Value>, ids: usize| {
            let token = json!({"id": "[CLS]", "ids": vec![0; ids], "tokens": vec!["[CLS]"; ids]});
            json!({"single": single, "pair": [], "special_tokens": {"[CLS]": token}})
        };
        let usual = template(vec![mark.clone(), text.clone()], 1);
        let usual = with("post_processor", usual);
        assert_eq!(check(usual.to_string().as_bytes()), Ok(()));
        let many = template(vec![mark; 100], 100);
        refused(&with("post_processor", many.clone()), "adds 10000 tokens");
        refused(
            &with("post_processor", json!({"processors": [many]})),
            "10000",
        );
        refused(
            &with("post_processor", template(vec![text; 300], 1)),
            "300 parts",
        );
    }

    #[test]
    fn the_longest_entry_of_a_map_of_characters_is_found() {
        use base64::Engine;

        let map = [
            &4_u32.to_le_bytes()[..],
            &[9; 4],
            b"ab\0",
            &[b'c'; 900],
            &[0],
        ]
        .concat();
        let text = base64::engine::general_purpose::STANDARD.encode(map);
        assert_eq!(longest_unpacked(&text), 300);
        assert_eq!(longest_unpacked("no base64!"), 0);
        refused(
            &with("normalizer", json!({"precompiled_charsmap": text})),
            "300 times",
        );
    }
}

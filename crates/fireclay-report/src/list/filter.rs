//! Which runs a list has.

use std::cmp::Ordering;
use std::str::FromStr;

use super::Listed;

/// What a run must be to be listed: `KEY=VALUE`, with `!=`, `<`, `<=`, `>` or `>=` in place of `=`. A `*` in
/// the value of `=` and `!=` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub(super) key: String,
    relation: Relation,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Same,
    Other,
    Less,
    LessOrSame,
    More,
    MoreOrSame,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const RELATIONS: [(&str, Relation); 6] = [
            ("!=", Relation::Other),
            ("<=", Relation::LessOrSame),
            (">=", Relation::MoreOrSame),
            ("=", Relation::Same),
            ("<", Relation::Less),
            (">", Relation::More),
        ];
        let wrong = || "must be KEY=VALUE, or with !=, <, <=, > or >= in place of =".to_owned();
        let start = text.find(['!', '<', '>', '=']).ok_or_else(wrong)?;
        let (key, rest) = text.split_at(start);
        let known = RELATIONS
            .iter()
            .find_map(|(sign, relation)| Some((rest.strip_prefix(sign)?, *relation)));
        let (value, relation) = known.ok_or_else(wrong)?;
        let is_order = !matches!(relation, Relation::Same | Relation::Other);
        if is_order && value.trim().parse::<f64>().is_err() {
            return Err(format!(
                "{} is no number, so nothing is less or more",
                value.trim()
            ));
        }
        Ok(Self {
            key: key.trim().to_owned(),
            relation,
            value: value.trim().to_owned(),
        })
    }
}

impl Filter {
    /// Whether the run is to be listed.
    pub(super) fn passes(&self, run: &Listed) -> bool {
        let Some(found) = run.get(&self.key) else {
            return self.relation == Relation::Other;
        };
        let text = found
            .as_str()
            .map_or_else(|| found.to_string(), str::to_owned);
        let numbers = found.as_f64().zip(self.value.parse::<f64>().ok());
        let order = numbers.and_then(|(found, value)| found.partial_cmp(&value));
        let same = match order {
            Some(order) => order.is_eq(),
            None => is_like(&text, &self.value),
        };
        match self.relation {
            Relation::Same => same,
            Relation::Other => !same,
            Relation::Less => order.is_some_and(Ordering::is_lt),
            Relation::LessOrSame => order.is_some_and(Ordering::is_le),
            Relation::More => order.is_some_and(Ordering::is_gt),
            Relation::MoreOrSame => order.is_some_and(Ordering::is_ge),
        }
    }
}

/// Whether a text is as a pattern, in which each `*` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(place) => text = &text[place + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

//! Tables of pairs of texts, of which one is written from the other.

use super::facts::Facts;
use super::texts::{is_in, is_varied};

/// Names of two columns of which the second is written from the first.
const PAIRS: [(&str, &str); 9] = [
    ("source", "target"),
    ("src", "tgt"),
    ("src", "trg"),
    ("question", "answer"),
    ("input", "output"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "response"),
    ("document", "summary"),
];

/// Two columns of which the second follows from the first: named so, or the only ones that hold anything, both
/// texts.
pub(super) fn pair<'a, 'b>(
    facts: &'b [Facts<'a>],
    texts: &[&'b Facts<'a>],
) -> Option<[&'b Facts<'a>; 2]> {
    let by_name = |name: &str| {
        let is = |fact: &&Facts<'_>| fact.name.eq_ignore_ascii_case(name);
        facts.iter().find(is).filter(|fact| is_varied(fact))
    };
    for (source, target) in PAIRS {
        if let (Some(source), Some(target)) = (by_name(source), by_name(target)) {
            return Some([source, target]);
        }
    }
    let holds = |fact: &&Facts<'_>| !fact.is_id && !fact.is_index && fact.distinct > 1;
    let held: Vec<&Facts<'_>> = facts.iter().filter(holds).collect();
    let [first, second] = held.as_slice() else {
        return None;
    };
    let languages = [first, second]
        .iter()
        .all(|fact| is_language(&fact.name) && is_varied(fact));
    let both = is_in(texts, first) && is_in(texts, second);
    (languages || both).then_some([*first, *second])
}

/// `de`, `en`, `pt_br`: what columns of translations are called.
fn is_language(name: &str) -> bool {
    let is_code = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_alphabetic());
    let mut parts = name.split(['_', '-']);
    let names = "english german french spanish italian portuguese russian chinese japanese";
    parts.clone().count() <= 2 && parts.all(is_code)
        || names
            .split(' ')
            .any(|known| name.eq_ignore_ascii_case(known))
}

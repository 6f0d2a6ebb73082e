//! Tensors that a file has in parts.

use std::collections::BTreeMap;

use super::{Payload, Stored};
use crate::family::part_of;

/// The most parts that a tensor has: queries, keys and values.
const MOST_PARTS: usize = 3;

/// Makes one tensor of its parts, where all are there and alike but for their rows.
pub(super) fn join(found: &mut BTreeMap<String, Stored>) {
    let begins = |name: &String| {
        let (whole, rest) = name.split_once("[0/")?;
        let count: usize = rest.strip_suffix(']')?.parse().ok()?;
        (1..=MOST_PARTS)
            .contains(&count)
            .then(|| (whole.to_owned(), count))
    };
    let wholes: Vec<_> = found.keys().filter_map(begins).collect();
    for (whole, count) in wholes {
        let names: Vec<_> = (0..count)
            .map(|part| part_of(&whole, part, count))
            .collect();
        let parts: Vec<_> = names.iter().filter_map(|name| found.get(name)).collect();
        if found.contains_key(&whole) || parts.len() < count || !are_rows(&parts) {
            continue;
        }
        let parts: Vec<_> = names.iter().filter_map(|name| found.remove(name)).collect();
        found.insert(whole, Stored::joined(parts));
    }
}

/// Whether tensors are alike but for the number of their rows.
fn are_rows(parts: &[&Stored]) -> bool {
    let alike = |part: &&Stored| {
        let [own, first] = [part, &parts[0]].map(|tensor| tensor.shape.get(1..));
        own.is_some() && own == first && part.dtype == parts[0].dtype
    };
    parts.iter().all(alike)
}

impl Stored {
    /// The rows of some, of which there is one at least, one after another.
    fn joined(parts: Vec<Self>) -> Self {
        let first = &parts[0];
        let rows = parts.iter().map(|part| part.shape[0]);
        Self {
            name: first.name.clone(),
            shape: [&[rows.sum()], &first.shape[1..]].concat(),
            dtype: first.dtype,
            type_name: first.type_name.clone(),
            renamed: true,
            source: Payload::Joined(parts),
        }
    }
}

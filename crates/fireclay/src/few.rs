//! Notes that are alike, of which a wide table has a hundred thousand: some of each kind, and how many there are.

use std::collections::HashMap;

/// Notes of a kind that are shown.
const SHOWN: usize = 20;

/// The first notes of each kind, in their order, and how many others of a kind there are. Kinds differ in more than
/// names between quotes and numbers.
pub fn few<T: ToString>(notes: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut counts: HashMap<String, (usize, String)> = HashMap::new();
    let mut shown = Vec::new();
    for note in notes {
        let note = note.to_string();
        let (count, _) = counts
            .entry(kind(&note))
            .or_insert_with(|| (0, note.clone()));
        *count += 1;
        if *count <= SHOWN {
            shown.push(note);
        }
    }
    let more = counts.into_values().filter(|(count, _)| *count > SHOWN);
    let mut more: Vec<String> = more
        .map(|(count, first)| format!("{} more like: {first}", count - SHOWN))
        .collect();
    more.sort();
    shown.extend(more);
    shown
}

/// A note without what stands between quotes, and without its digits.
fn kind(note: &str) -> String {
    let outside = note.split('"').step_by(2);
    let letters = outside.flat_map(str::chars);
    letters.filter(|letter| !letter.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_each_kind_are_shown() {
        let alike = (0..1000).map(|column| format!("column \"c{column}\": {column} cells are odd"));
        let notes: Vec<String> = ["first".to_owned()]
            .into_iter()
            .chain(alike)
            .chain(["last".to_owned()])
            .collect();
        let shown = few(&notes);
        assert_eq!(shown.len(), 2 + SHOWN + 1);
        assert_eq!((shown[0].as_str(), shown[21].as_str()), ("first", "last"));
        let more = "980 more like: column \"c0\": 0 cells are odd";
        assert_eq!(shown[22], more);
        assert_eq!(few(&notes[..10]), notes[..10]);
    }
}

//! HellaSwag's texts as they are usually cleaned: those of WikiHow have marks in them.

/// A text without blanks around it, without what is in brackets, and with a full stop for the mark of a title.
pub(super) fn cleaned(text: &str) -> String {
    let text = text.trim().replace(" [title]", ". ");
    without_brackets(&text).replace("  ", " ")
}

/// Leaves out each `[`, and what follows up to the next `]` in the same line.
fn without_brackets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        kept.push_str(&rest[..start]);
        let inside = &rest[start..];
        let line = inside.split('\n').next().unwrap_or(inside);
        rest = match line.find(']') {
            Some(end) => &inside[end + 1..],
            None => {
                kept.push('[');
                &inside[1..]
            }
        };
    }
    kept + rest
}

/// The first letter large, and all others small.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let first: String = first.to_uppercase().collect();
    first + &chars.as_str().to_lowercase()
}

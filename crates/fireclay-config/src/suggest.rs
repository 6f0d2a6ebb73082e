//! "Did you mean ...?"

/// The candidate that `word` was most likely meant to be, if one is close enough.
///
/// Letters' case, `-` and `_` make no difference; a swap, a missing or a wrong letter little.
///
/// ```
/// use fireclay_config::did_you_mean;
///
/// assert_eq!(did_you_mean("hiden", ["hidden", "dropout"]), Some("hidden"));
/// assert_eq!(did_you_mean("banana", ["hidden", "dropout"]), None);
/// ```
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = candidates
        .into_iter()
        .map(|candidate| (likeness(word, candidate), candidate));
    let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    (best.0 > 0.0).then_some(best.1)
}

/// `` `a`, `b` or `c` ``.
pub fn list(words: &[impl AsRef<str>]) -> String {
    let quoted: Vec<_> = words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_string(),
    }
}

/// Between 0, which is no likeness, and 1.
fn likeness(word: &str, candidate: &str) -> f64 {
    let (word, candidate) = (plain(word), plain(candidate));
    if word.is_empty() || candidate.is_empty() {
        return 0.0;
    }
    let length = word.chars().count().max(candidate.chars().count());
    let edits = strsim::damerau_levenshtein(&word, &candidate);
    let part = word.len().min(candidate.len()) >= 3
        && (word.contains(&candidate) || candidate.contains(&word));
    // A third of the letters may be wrong, one of two or three; a part of the word counts too.
    if edits <= (length / 3).max(usize::from(length > 1)) || part {
        1.0 / (1.0 + edits as f64) + 0.01 * strsim::jaro_winkler(&word, &candidate)
    } else {
        0.0
    }
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', '_', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_recognised() {
        let keys = [
            "epochs",
            "max_steps",
            "batch_size",
            "max_grad_norm",
            "ema_decay",
        ];
        let cases = [
            ("epoch", Some("epochs")),
            ("batchsize", Some("batch_size")),
            ("batch-size", Some("batch_size")),
            ("bathc_size", Some("batch_size")),
            ("grad_norm", Some("max_grad_norm")),
            ("MAX_STEPS", Some("max_steps")),
            ("weather", None),
            ("", None),
            ("x", None),
        ];
        for (word, expected) in cases {
            assert_eq!(did_you_mean(word, keys), expected, "{word}");
        }
        assert_eq!(did_you_mean("mpl", ["linear", "mlp"]), Some("mlp"));
        assert_eq!(did_you_mean("x", []), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(list(&["a"]), "`a`");
        assert_eq!(list(&[] as &[&str]), "nothing");
    }
}

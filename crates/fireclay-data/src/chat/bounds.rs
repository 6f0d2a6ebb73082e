//! What a chat template may be like, judged before the engine reads it.

/// Bytes of a template; published ones have up to some 20 KiB.
const MOST_BYTES: usize = 1 << 20;

/// Bytes of an expression or statement outside of its texts. Each may be a level of nesting, as in `not not x`, and the
/// engine takes some 300 bytes of the stack for a level.
const LONGEST_TAG: usize = 4096;

/// How often a statement has another branch, each of which is a level too.
const MOST_BRANCHES: usize = 1000;

/// Refuses a template on which the stack would overflow.
///
/// # Errors
///
/// What is too much, and how much is allowed.
pub(super) fn check(template: &str) -> Result<(), String> {
    let (bytes, longest) = (template.len(), longest_tag(template.as_bytes()));
    let branches = template.matches("elif").count();
    let problem = if bytes > MOST_BYTES {
        format!("has {bytes} bytes, but none has more than {MOST_BYTES}")
    } else if longest > LONGEST_TAG {
        format!(
            "has an expression of {longest} bytes outside of texts, but none has more than {LONGEST_TAG}"
        )
    } else if branches > MOST_BRANCHES {
        format!("says `elif` {branches} times, but none does more than {MOST_BRANCHES} times")
    } else {
        return Ok(());
    };
    Err(format!("the chat template of the model {problem}"))
}

/// The bytes of the longest `{{ ... }}` or `{% ... %}` outside of texts in quotes.
fn longest_tag(template: &[u8]) -> usize {
    let (mut at, mut longest) = (0, 0);
    while at + 1 < template.len() {
        match [template[at], template[at + 1]] {
            [b'{', b'{' | b'%'] => {
                let (end, length) = tag(template, at + 2);
                longest = longest.max(length);
                at = end;
            }
            [b'{', b'#'] => at = after(template, at + 2, *b"#}"),
            _ => at += 1,
        }
    }
    longest
}

/// Where a tag ends, and its bytes outside of texts.
fn tag(template: &[u8], mut at: usize) -> (usize, usize) {
    let (mut length, mut braces) = (0, 0);
    while let Some(byte) = template.get(at) {
        let is_end = template.get(at + 1) == Some(&b'}');
        match byte {
            b'"' | b'\'' => at = end_of_text(template, at, *byte),
            b'{' => braces += 1,
            b'}' if braces > 0 => braces -= 1,
            b'}' | b'%' if is_end => return (at + 2, length),
            _ => {}
        }
        at += 1;
        length += 1;
    }
    (at, length)
}

/// The place of the quote that ends a text.
fn end_of_text(template: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while let Some(byte) = template.get(at).filter(|byte| **byte != quote) {
        at += if *byte == b'\\' { 2 } else { 1 };
    }
    at
}

fn after(template: &[u8], from: usize, end: [u8; 2]) -> usize {
    let rest = template[from..].windows(2).position(|pair| pair == end);
    rest.map_or(template.len(), |found| from + found + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_overflow_the_stack_is_refused() {
        let many = |piece: &str| piece.repeat(5000);
        for deep in [
            format!("{{{{ {}1 }}}}", many("not ")),
            format!("{{{{ 1{} }}}}", many("|string")),
            format!("{{{{ {{'a': {{'b': '}}}}'}}}}{} }}}}", many(".a")),
            format!("{{# '{{{{' #}}{{% set x = {}1 %}}", many("-")),
            format!("{{% if a %}}{}{{% endif %}}", many("{% elif b %}")),
        ] {
            check(&deep).expect_err(&deep[..60]);
        }
        let long = format!("{{{{ '{}' + \"\\\"{}\" }}}}", many("not "), many("{{ -"));
        assert_eq!(check(&long), Ok(()));
        assert_eq!(longest_tag(b"{{ a }} {# {{ aaaaaaaaaa }} #}{% b %}"), 3);
        check(&"x".repeat(2 << 20)).expect_err("it is too long");
    }
}

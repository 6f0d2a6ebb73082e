//! What the user should know of preferences and their tokens.

use std::collections::BTreeSet;

use super::config::{LongPair, PlainText, PreferenceDataConfig};
use super::part::{Counts, Part, Source};
use crate::note::Note;
use crate::text::notes::made_again;
use crate::tokenizer::Tokenizer;

/// What there is to say of all splits.
pub(super) fn of(source: &Source<'_>, parts: &[Option<Part>; 3]) -> Vec<Note> {
    let (reader, mut notes) = (&source.reader, Vec::new());
    for part in parts.iter().flatten() {
        notes.extend(of_left_out(part, source.row, reader.config));
        // Splits of one file have its tokens together, of which the first speaks.
        let is_own = part.name == "train" || part.is_whole;
        let told = is_own.then(|| of_tokens(part, source));
        notes.extend(told.into_iter().flatten());
    }
    let day = &reader.config.today;
    let chat = reader.chat.as_ref();
    let asks = chat.is_ok_and(|chat| chat.asks_for_date()).then(|| {
        format!(
            "the chat template asks for the date, and is told {day}, so that it makes the same tokens every day \
             (data.today)"
        )
    });
    let renewed = parts.iter().flatten().any(|part| part.found.tokens.renewed);
    notes.extend(asks);
    notes.extend(of_ends(parts, reader.tokenizer));
    let notes = notes.into_iter().map(Note::general);
    notes.chain(renewed.then(made_again)).collect()
}

/// What there is to say of a part alone.
pub(super) fn of_part(part: &Part, source: &Source<'_>) -> Vec<String> {
    let left_out = of_left_out(part, source.row, source.reader.config);
    left_out
        .into_iter()
        .chain(of_tokens(part, source))
        .collect()
}

/// Of pairs that are left out or cut.
fn of_left_out(part: &Part, row: usize, config: &PreferenceDataConfig) -> Vec<String> {
    let (name, counts) = (&part.name, part.counts);
    let Counts {
        empty,
        equal,
        longer,
        too_long,
    } = counts;
    let empty = (empty > 0).then(|| {
        format!("{name}: {empty} pairs have an answer that says nothing and are left out")
    });
    let equal = (equal > 0).then(|| {
        format!("{name}: {equal} pairs have two answers that are the same and are left out")
    });
    let longer = (longer > 0).then(|| {
        let what = match config.too_long {
            LongPair::LeaveOut => format!(
                "{too_long} are left out; data.too_long = \"cut\" ends their answers there instead"
            ),
            LongPair::Cut => format!(
                "{} have their answers cut there, {too_long} have nothing left in which they differ and are left out",
                longer - too_long
            ),
        };
        format!(
            "{name}: {longer} pairs have a prompt and answer of more than {row} tokens: {what} (data.max_length)"
        )
    });
    [empty, equal, longer].into_iter().flatten().collect()
}

/// Of the tokens of the files.
fn of_tokens(part: &Part, source: &Source<'_>) -> Vec<String> {
    let (name, found) = (&part.name, &part.found);
    let (texts, implicit) = (found.tokens.counts.bytes, found.tokens.counts.first);
    let tokenizer = source.reader.tokenizer;
    let partly = (found.partly > 0).then(|| {
        format!(
            "{name}: {} tokens are of an answer and of what stands before it, too; they count as the answer's, though a \
             prompt alone has others there",
            found.partly
        )
    });
    let implicit = (implicit > 0).then(|| {
        format!(
            "{name}: {implicit} lines have no prompt: it is what both answers begin with, up to the word in which they \
             part (data.prompt names a field)"
        )
    });
    let has_template = source.reader.chat.is_ok();
    let is_plain = source.reader.config.plain == PlainText::Text;
    let plain = (texts > 0 && has_template && is_plain).then(|| {
        format!(
            "{name}: {texts} lines are texts and are read as they stand, though the tokenizer has a chat template; \
             data.plain = \"messages\" makes a message of the user and one of the assistant of each"
        )
    });
    let said = tokenizer.say(name, found.tokens.counts.tally);
    said.into_iter()
        .chain(partly)
        .chain(implicit)
        .chain(plain)
        .collect()
}

/// The tokens that end answers and are no ends of texts yet.
pub(super) fn more_ends(parts: &[Option<Part>; 3], tokenizer: &Tokenizer) -> BTreeSet<u32> {
    let ends = parts.iter().flatten().flat_map(|part| &part.found.ends);
    let ends = ends.copied().flatten();
    ends.filter(|end| !tokenizer.ends().contains(end)).collect()
}

/// What there is to say of where answers end.
fn of_ends(parts: &[Option<Part>; 3], tokenizer: &Tokenizer) -> Vec<String> {
    let more = more_ends(parts, tokenizer);
    let names = more.iter().filter_map(|end| tokenizer.name(*end));
    let names = names.collect::<Vec<_>>().join(" and ");
    let more = (!more.is_empty()).then(|| {
        format!(
            "answers end with {names}, so the texts of the run end there, too: its generation_config.json says it"
        )
    });
    let mut ends = parts.iter().flatten().map(|part| &part.found.ends);
    let endless = ends.any(|ends| ends.contains(&None)).then(|| {
        "some answers end with no special token: what the model writes then ends only where it is told to \
         (--max-tokens, --stop)"
            .to_owned()
    });
    more.into_iter().chain(endless).collect()
}

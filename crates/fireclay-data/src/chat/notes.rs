//! What the user should know of conversations and their tokens.

use std::collections::BTreeSet;

use super::config::{ChatDataConfig, TooLong};
use super::source::{Part, Source};
use crate::note::Note;
use crate::text::notes::made_again;
use crate::tokenizer::Tokenizer;

/// What there is to say of all splits.
pub(super) fn of(source: &Source<'_>, parts: &[Option<Part>; 3]) -> Vec<Note> {
    let (reader, mut notes) = (&source.reader, Vec::new());
    for part in parts.iter().flatten() {
        notes.extend(of_longer(part, reader.config));
        // Splits of one file have its tokens together, of which the first speaks.
        let is_own = part.name == "train" || part.laid.is_whole;
        let told = is_own.then(|| of_tokens(part, reader.tokenizer));
        notes.extend(told.into_iter().flatten());
    }
    let day = &reader.config.today;
    let asks = reader.chat.asks_for_date().then(|| {
        format!(
            "the chat template asks for the date, and is told {day}, so that it makes the same tokens every day \
             (data.today)"
        )
    });
    let renewed = parts.iter().flatten().any(|part| part.found.tokens.renewed);
    let notes = notes.into_iter().chain(asks).map(Note::general);
    notes.chain(renewed.then(made_again)).collect()
}

/// What there is to say of a part alone.
pub(super) fn of_part(part: &Part, source: &Source<'_>) -> Vec<String> {
    let longer = of_longer(part, source.reader.config).into_iter();
    longer
        .chain(of_tokens(part, source.reader.tokenizer))
        .collect()
}

/// Of conversations that are longer than a row.
fn of_longer(part: &Part, config: &ChatDataConfig) -> Option<String> {
    let (name, laid) = (&part.name, &part.laid);
    let (longer, left_out, row) = (laid.longer, laid.left_out, laid.row);
    let cut = longer - left_out;
    let what = match config.too_long {
        TooLong::Turns => format!(
            "{cut} end after the last turn of the assistant that fits, {left_out} have none that fits and are left out"
        ),
        TooLong::Cut => format!(
            "{cut} are cut there, which may be in the midst of a turn, {left_out} have nothing to learn before and are \
             left out"
        ),
    };
    (longer > 0).then(|| {
        format!(
            "{name}: {longer} conversations have more than {row} tokens: {what} (data.too_long, data.max_length)"
        )
    })
}

/// Of the tokens of the files.
fn of_tokens(part: &Part, tokenizer: &Tokenizer) -> Vec<String> {
    let (name, partly) = (&part.name, part.found.partly);
    let partly = (partly > 0).then(|| {
        format!(
            "{name}: {partly} tokens are of what the assistant says and of what stands beside it, too; they train, \
             though a prompt has others there: another template (data.chat_template) can part the two"
        )
    });
    let said = tokenizer.say(name, part.found.tokens.counts.tally);
    said.into_iter().chain(partly).collect()
}

/// The tokens that end turns and are no ends of texts yet.
pub(super) fn more_ends(parts: &[Option<Part>; 3], tokenizer: &Tokenizer) -> BTreeSet<u32> {
    let ends = parts.iter().flatten().flat_map(|part| &part.found.ends);
    let ends = ends.copied().flatten();
    ends.filter(|end| !tokenizer.ends().contains(end)).collect()
}

/// What there is to say of where answers end.
pub(super) fn of_ends(parts: &[Option<Part>; 3], tokenizer: &Tokenizer) -> Vec<Note> {
    let more = more_ends(parts, tokenizer);
    let names = more.iter().filter_map(|end| tokenizer.name(*end));
    let names = names.collect::<Vec<_>>().join(" and ");
    let more = (!more.is_empty()).then(|| {
        format!(
            "what the assistant says ends with {names}, so the texts of the run end there, too: its \
             generation_config.json says it"
        )
    });
    let mut ends = parts.iter().flatten().map(|part| &part.found.ends);
    let endless = ends.any(|ends| ends.contains(&None)).then(|| {
        "some turns of the assistant end with no special token: what the model writes then ends only where it is told \
         to (--max-tokens, --stop); a template whose turns end with one, also within {% generation %}, is better \
         (data.chat_template)"
            .to_owned()
    });
    more.into_iter().chain(endless).map(Note::general).collect()
}

use super::*;
use crate::error::DataError;
use crate::labels::{Labels, TargetKind};
use crate::testing::{Folder, refused, with};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// A table of good and bad pots.
fn table(rows: usize) -> String {
    let row = |row: usize| match row % 2 {
        0 => format!("{row},a fine pot number {row},good\n"),
        _ => format!("{row},\"cracked, and number {row}\",bad\n"),
    };
    (0..rows).fold("id,text,mark\n".into(), |text, index| text + &row(index))
}

fn load(text: &str, change: impl FnOnce(&mut TextTableConfig)) -> Result<TextTableData, DataError> {
    let folder = Folder::new(&[("pots.csv", text.as_bytes())]);
    let mut config = TextTableConfig::new(folder.path("pots.csv"), "mark");
    config.cache_dir = Some(folder.path("cache"));
    change(&mut config);
    let tokenizer = with(TokenizerConfig::default(), |it| it.vocabulary_size = 60);
    let tokenizer = (TokenizerKind::Wordpiece, &tokenizer);
    TextTableData::load(&config, tokenizer, 16, 7, TargetKind::Class)
}

#[test]
fn texts_become_marked_and_padded_tokens_with_labels() {
    let data = load(&table(40), |_| {}).expect("a good table");
    assert_eq!(data.preprocess.classes(), ["bad", "good"]);
    let sizes = data.named().map(|(_, split)| split.len());
    assert_eq!(sizes.iter().sum::<usize>(), 40);
    let TextTableBatch {
        texts,
        labels,
        weights,
    } = data.train.batch(&[3, 0]);
    assert_eq!(weights, None);
    let [rows, time] = texts.dims;
    assert_eq!((rows, texts.tokens.len()), (2, 2 * time));
    assert_eq!(texts.mask.len(), 2 * time);
    assert_eq!(labels.len(), 2);
    for (tokens, mask) in texts.tokens.chunks(time).zip(texts.mask.chunks(time)) {
        let length = mask.iter().filter(|is_token| **is_token).count();
        assert!(length <= 16 && mask[..length].iter().all(|is_token| *is_token));
        let marks = (tokens[0], tokens[length - 1]);
        assert_eq!(marks, (2, 3), "no [CLS] or no [SEP]");
        assert!(tokens[length..].iter().all(|token| *token == 0));
    }
    let json = data.preprocess.to_json();
    assert_eq!(TextPreprocess::from_json(&json).unwrap(), data.preprocess);
}

#[test]
fn long_texts_are_cut_and_keep_their_marks() {
    let data = load(&table(40), |config| config.max_length = Some(4)).expect("a good table");
    let texts = data.train.batch(&[0, 1, 2]).texts;
    assert_eq!(texts.dims, [3, 4]);
    let mut texts = texts.tokens.chunks(4);
    assert!(texts.all(|text| text[0] == 2 && text[3] == 3));
    let notes: Vec<_> = data.notes.iter().map(ToString::to_string).collect();
    let notes = notes.concat();
    assert!(
        notes.contains("40 texts have more than 4 tokens"),
        "{notes}"
    );
    let no_room = load(&table(40), |config| config.max_length = Some(2));
    refused(no_room, &["of 2 none is left"]);
}

#[test]
fn tokenizers_without_marks_take_the_token_that_ends_a_text() {
    let config = TokenizerConfig::default();
    let tokenizer = Tokenizer::train(TokenizerKind::Byte, &config, std::iter::empty()).unwrap();
    let marked = tokenizer.encode_marked(vec!["abc", ""], 4).unwrap();
    assert_eq!(marked, (vec![vec![256, 97, 98, 256], vec![256, 256]], 1));
}

#[test]
fn a_row_without_a_text_is_named() {
    let missing = load(&(table(10) + "10,,good\n"), |_| {});
    refused(missing, &["\"text\", row 11", "missing"]);
    let no_column = load(&table(10), |config| config.text = "words".into());
    refused(no_column, &["words"]);
}

#[test]
fn numbers_are_labels_too() {
    let rows: String = (0..30).map(|row| format!("pot {row},{row}\n")).collect();
    let text = format!("text,mark\n{rows}");
    let folder = Folder::new(&[("pots.csv", text.as_bytes())]);
    let config = TextTableConfig::new(folder.path("pots.csv"), "mark");
    let tokenizer = TokenizerConfig::default();
    let char = (TokenizerKind::Char, &tokenizer);
    let data = TextTableData::load(&config, char, 16, 7, TargetKind::Number).expect("a good table");
    assert!(matches!(data.train.labels(), Labels::Numbers(_)));
    assert!(data.preprocess.target_mean_std().is_some());
}

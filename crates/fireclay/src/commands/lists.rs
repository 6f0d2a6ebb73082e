//! `devices`, `models` and `datasets`: what there is to choose from.

use fireclay_models::{
    EncoderConfig, ImageConfig, LanguageConfig, TabularConfig, TranslationConfig,
};
use serde_json::json;

use crate::backend;
use crate::cli::ListArgs;
use crate::failure::Failure;
use crate::text::{say, table};

/// The kinds of data that a config can name.
const DATA: &[(&str, &str)] = &[
    (
        "csv",
        "comma-separated values with a header line, or another delimiter",
    ),
    ("jsonl", "JSON Lines: one object a line"),
    ("parquet", "Apache Parquet"),
    ("image_folder", "images in folders, one for each class"),
    (
        "image_table",
        "a table (CSV, JSON Lines, Parquet) of image files with their targets",
    ),
    ("idx", "MNIST and its kin, as IDX files, gzipped or not"),
    ("cifar", "CIFAR-10 and CIFAR-100, the binary version"),
    (
        "webdataset",
        "tar files in which a sample is the files of one name",
    ),
    (
        "image_parquet",
        "Parquet with the bytes of the images, as on Hugging Face",
    ),
    ("text", "plain text in UTF-8, gzipped or not"),
    ("text_jsonl", "JSON Lines with a field of text"),
    ("tokens", "tokens as nanoGPT's train.bin has them"),
    (
        "parallel",
        "two text files in which line N of one translates line N of the other",
    ),
    (
        "pair_table",
        "a table (CSV, JSON Lines, Parquet) of texts and their translations",
    ),
    (
        "text_table",
        "a table (CSV, JSON Lines, Parquet) of texts with their targets",
    ),
];

/// What can turn text into tokens.
const TOKENIZERS: &[(&str, &str)] = &[
    ("char", "the characters of the training text"),
    ("byte", "the 256 bytes of UTF-8"),
    ("bpe", "byte pair encoding, as GPT-2, trained on the text"),
    ("wordpiece", "word pieces, as BERT, trained on the text"),
    (
        "unigram",
        "unigram language model, as SentencePiece, trained on the text",
    ),
    ("file", "any tokenizer.json of Hugging Face's"),
];

/// The data sets in the folder `datasets` of a checkout.
const SHIPPED: &[(&str, &str)] = &[
    (
        "datasets/breast-cancer/data.csv",
        "Wisconsin diagnostic breast cancer: 569 rows, 2 classes",
    ),
    (
        "datasets/iris/data.csv",
        "iris flowers: 150 rows, 3 classes",
    ),
    (
        "datasets/diabetes/data.csv",
        "diabetes progression: 442 rows, regression",
    ),
    (
        "datasets/digits/data.parquet",
        "handwritten digits: 1797 images of 8x8 pixels, 10 classes",
    ),
];

/// Lists backends and hardware.
pub fn devices(args: &ListArgs) -> Result<(), Failure> {
    if args.json {
        say!("{:#}", backend::devices_json());
    } else {
        say!("{}", backend::render_devices().trim_end());
    }
    Ok(())
}

/// Lists models.
pub fn models(args: &ListArgs) -> Result<(), Failure> {
    list(
        args,
        &[
            ("model for tables", TabularConfig::TYPES),
            ("model for images", ImageConfig::TYPES),
            ("model for text", LanguageConfig::TYPES),
            ("model for translation", TranslationConfig::TYPES),
            ("model for text", EncoderConfig::TYPES),
        ],
    )
}

/// Lists kinds of data, and data sets.
pub fn datasets(args: &ListArgs) -> Result<(), Failure> {
    list(
        args,
        &[
            ("data type", DATA),
            ("tokenizer", TOKENIZERS),
            ("shipped", SHIPPED),
        ],
    )
}

#[expect(clippy::unnecessary_wraps, reason = "every verb has the same form")]
fn list(args: &ListArgs, groups: &[(&str, &[(&str, &str)])]) -> Result<(), Failure> {
    if args.json {
        let entries = groups.iter().flat_map(|(kind, entries)| {
            entries
                .iter()
                .map(move |(name, about)| json!({"kind": kind, "name": name, "about": about}))
        });
        say!("{:#}", json!(entries.collect::<Vec<_>>()));
        return Ok(());
    }
    for (kind, entries) in groups {
        say!("{kind}");
        let rows = entries
            .iter()
            .map(|(name, about)| vec![format!("  {name}"), (*about).to_owned()]);
        say!("{}", table(&rows.collect::<Vec<_>>()).trim_end());
    }
    Ok(())
}

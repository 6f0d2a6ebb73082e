use std::fs;
use std::path::{Path, PathBuf};

use fireclay_data::{
    ChatDataConfig, PreferenceData, PreferenceDataConfig, TextData, TextDataConfig, TextFormat,
    TextOrder, TokenType, Tokenizer, TokenizerConfig, TokenizerKind,
};
use fireclay_fuzz::{fuzz, fuzz_with};

use crate::text;

const TEXT: &str = "the cat sat on the mat, the cat ate; the mäuse flohen vor dem Kater.\n\
                    Who sat on the cat? The hat of the man that sat on the mat.\n";

const ORDER: TextOrder = TextOrder {
    seed: 1,
    shuffles: true,
};

fn load(folder: &Path, kind: TokenizerKind) -> TextData {
    let path = folder.join("text.txt");
    fs::write(&path, TEXT.repeat(4)).unwrap();
    let mut config = TextDataConfig::new(text(&path));
    config.cache_dir = Some(text(&folder.join("cache")));
    let tokens = TokenizerConfig {
        vocabulary_size: 300,
        ..TokenizerConfig::default()
    };
    TextData::load(TextFormat::Text, &config, Some((kind, &tokens)), 4, ORDER).unwrap()
}

/// A tokenizer of characters with one more part.
fn with_part(key: &str, part: &str) -> Vec<u8> {
    let mut letters: Vec<char> = TEXT.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let letters = letters.iter().enumerate();
    let letters = letters.map(|(id, letter)| format!("{:?}: {}", letter.to_string(), id + 1));
    let vocabulary = letters.collect::<Vec<_>>().join(", ");
    format!(
        "{{\"version\": \"1.0\", {key:?}: {part}, \"model\": {{\"type\": \"BPE\", \"unk_token\": \
         \"<unk>\", \"vocab\": {{\"<unk>\": 0, {vocabulary}}}, \"merges\": []}}}}"
    )
    .into_bytes()
}

/// Parts of a `tokenizer.json`, each by its key.
const PARTS: [(&str, &str); 12] = [
    (
        "normalizer",
        r#"{"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Prepend", "prepend": "_"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]}"#,
    ),
    (
        "normalizer",
        r#"{"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, {"type": "Strip", "strip_left": true, "strip_right": false}]}"#,
    ),
    (
        "normalizer",
        r#"{"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAAAAAAAYQBiYwA="}"#,
    ),
    (
        "pre_tokenizer",
        r#"{"type": "Split", "pattern": {"Regex": "\\w+|[^\\w\\s]+"}, "behavior": "Isolated", "invert": false}"#,
    ),
    ("pre_tokenizer", r#"{"type": "FixedLength", "length": 3}"#),
    (
        "pre_tokenizer",
        r#"{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": true}]}"#,
    ),
    (
        "post_processor",
        r#"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<unk>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"<unk>": {"id": "<unk>", "ids": [0], "tokens": ["<unk>"]}}}"#,
    ),
    (
        "decoder",
        r#"{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}"#,
    ),
    (
        "decoder",
        r#"{"type": "CTC", "pad_token": "a", "word_delimiter_token": "b", "cleanup": true}"#,
    ),
    (
        "added_tokens",
        r#"[{"id": 1, "content": "th", "single_word": false, "lstrip": true, "rstrip": true, "normalized": true, "special": true}]"#,
    ),
    (
        "truncation",
        r#"{"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 2}"#,
    ),
    (
        "padding",
        r#"{"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"}"#,
    ),
];

#[test]
fn tokenizers() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [
        TokenizerKind::Bpe,
        TokenizerKind::Wordpiece,
        TokenizerKind::Unigram,
    ];
    let trained = kinds.map(|kind| load(folder.path(), kind).tokenizer.unwrap().to_json());
    let trained = trained.map(String::into_bytes);
    let parts = PARTS.map(|(key, part)| with_part(key, part));
    let seeds = [&trained[..], &parts[..]].concat();
    fuzz("tokenizer.json", &seeds, tokenize);
}

/// Those of the files of llama.cpp.
#[test]
fn tokenizers_of_gguf() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fireclay-gguf/tests/data");
    let read = |name: &str| fs::read(folder.join(format!("{name}.gguf"))).unwrap();
    let seeds = ["pieces", "gpt-2", "llama-bpe", "qwen2"].map(read);
    fuzz("tokenizer.gguf", &seeds, tokenize);
}

fn tokenize(path: &Path) {
    let Ok(tokenizer) = Tokenizer::load(path) else {
        return;
    };
    let Ok(tokens) = tokenizer.encode(TEXT) else {
        return;
    };
    tokenizer.tally(TEXT, &tokens);
    let _ = tokenizer.decode(&tokens);
    let _ = tokenizer.encode_marked(vec![TEXT, ""], 8);
    let mut stream = tokenizer.stream();
    tokens.iter().take(20).for_each(|token| {
        let _ = stream.push(*token);
    });
}

#[test]
fn plain_tokens() {
    let bytes: Vec<u8> = (0..400_u16)
        .flat_map(|id| (id % 50).to_le_bytes())
        .collect();
    fuzz("train.bin", &[bytes], |path| {
        let mut config = TextDataConfig::new(text(path));
        config.dtype = Some(TokenType::U16);
        config.vocabulary = Some(50);
        if let Ok(data) = TextData::load(TextFormat::Tokens, &config, None, 4, ORDER) {
            let batch = data.train.batch(0, &[0]).unwrap();
            assert!(batch.inputs.iter().all(|token| (0..50).contains(token)));
        }
    });
}

/// The file of kept tokens in a cache.
fn kept(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder.join("cache")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut kept: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == "tokens"))
        .collect();
    kept.sort();
    kept.remove(0)
}

/// Whatever is in the cache, the tokens are those of the text.
#[test]
fn kept_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = |folder: &Path| {
        let data = load(folder, TokenizerKind::Bpe);
        let windows: Vec<u32> = (0..data.train.windows() as u32).collect();
        data.train.batch(0, &windows).unwrap()
    };
    let whole = tokens(folder.path());
    let seeds = [fs::read(kept(folder.path())).unwrap()];
    fuzz_with(
        "tokens",
        &seeds,
        |_| {},
        |path| {
            fs::copy(path, kept(folder.path())).unwrap();
            assert_eq!(tokens(folder.path()), whole);
        },
    );
}

#[test]
fn documents() {
    let lines = "{\"text\": \"the cat sat\"}\n{\"text\": \"on the mat \\u00e4\", \"n\": [1]}\n";
    let seeds = [lines.repeat(4).into_bytes()];
    fuzz_with(
        "text.jsonl",
        &seeds,
        |_| {},
        |path| {
            let mut config = TextDataConfig::new(text(path));
            config.field = Some("text".into());
            config.cache_dir = Some(text(&path.with_file_name("cache")));
            let tokens = TokenizerConfig::default();
            let tokenizer = Some((TokenizerKind::Byte, &tokens));
            let _ = TextData::load(TextFormat::TextJsonl, &config, tokenizer, 4, ORDER);
            let _ = fs::remove_dir_all(path.with_file_name("cache"));
        },
    );
}

#[test]
fn conversations() {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.jinja");
    let jinja = "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}\
                 {% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}\
                 {{ m.reasoning_content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    fs::write(&template, jinja).unwrap();
    let openai = "{\"tools\": [{\"name\": \"f\"}], \"messages\": [{\"role\": \"system\", \"content\": \"s\"}, \
                  {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"\\u00e4\"}]}, {\"role\": \"assistant\", \
                  \"content\": null, \"thinking\": \"t\", \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": \
                  \"{\\\"a\\\": 1}\"}}]}, {\"role\": \"tool\", \"content\": \"\"}, {\"role\": \"assistant\", \"content\": \"b\", \
                  \"weight\": 1}]}\n";
    let sharegpt = "{\"system\": \"s\", \"tools\": \"[]\", \"conversations\": [{\"from\": \"human\", \"value\": \"a\"}, \
                    {\"from\": \"function_call\", \"value\": \"{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {}}\"}, {\"from\": \"gpt\", \"value\": \"b\"}]}\n";
    let load = |path: &Path| {
        let mut config = ChatDataConfig::new(text(path));
        config.chat_template = Some(text(&template));
        config.cache_dir = Some(text(&path.with_file_name("cache")));
        let tokens = TokenizerConfig::default();
        let data = TextData::load_chats(&config, (TokenizerKind::Byte, &tokens), 512, ORDER);
        let _ = fs::remove_dir_all(path.with_file_name("cache"));
        data
    };
    let seeds = [openai, sharegpt].map(|line| line.repeat(4).into_bytes());
    for (name, seed) in ["openai", "sharegpt"].iter().zip(&seeds) {
        let path = folder.path().join(name);
        fs::write(&path, seed).unwrap();
        load(&path).unwrap();
    }
    fuzz_with(
        "chats.jsonl",
        &seeds,
        |_| {},
        |path| {
            let _ = load(path);
        },
    );
}

#[test]
fn preferences() {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.jinja");
    fs::write(
        &template,
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    )
    .unwrap();
    let plain = "{\"prompt\": \"2 + 2 = \", \"chosen\": \"4\", \"rejected\": \"five\"}\n\
                 {\"chosen\": \"Human: hi Assistant: ho\", \"rejected\": \"Human: hi Assistant: no\"}\n";
    let talk = "{\"prompt\": [{\"role\": \"user\", \"content\": \"hi\"}], \"chosen\": [{\"role\": \"assistant\", \"content\": \"ho\"}], \
                \"rejected\": \"no\"}\n\
                {\"chosen\": [{\"from\": \"human\", \"value\": \"hi\"}, {\"from\": \"gpt\", \"value\": \"ho\"}], \
                \"rejected\": [{\"from\": \"human\", \"value\": \"hi\"}, {\"from\": \"gpt\", \"value\": \"no\"}]}\n";
    let load = |path: &Path| {
        let mut config = PreferenceDataConfig::new(text(path));
        config.chat_template = Some(text(&template));
        config.cache_dir = Some(text(&path.with_file_name("cache")));
        let tokens = TokenizerConfig::default();
        let data = PreferenceData::load(&config, (TokenizerKind::Byte, &tokens), 512, 1);
        let _ = fs::remove_dir_all(path.with_file_name("cache"));
        data
    };
    let seeds = [plain, talk].map(|line| line.repeat(4).into_bytes());
    for (name, seed) in ["plain", "talk"].iter().zip(&seeds) {
        let path = folder.path().join(name);
        fs::write(&path, seed).unwrap();
        load(&path).unwrap();
    }
    fuzz_with(
        "preferences.jsonl",
        &seeds,
        |_| {},
        |path| {
            if let Ok(data) = load(path) {
                let pairs: Vec<u32> = (0..data.train.pairs() as u32).collect();
                data.train.batch(&pairs).unwrap();
                data.train.whole(&pairs).unwrap();
            }
        },
    );
}

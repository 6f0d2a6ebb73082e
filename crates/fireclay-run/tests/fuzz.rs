//! Configurations that were damaged or forged are read; see `fireclay-fuzz`.

use std::path::Path;

use fireclay_fuzz::{fuzz, fuzz_with};
use fireclay_run::chat::Chat;
use fireclay_run::config::RunConfig;

/// Every recipe that ships.
fn configs() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let folders = ["tabular", "vision", "language"].map(|name| root.join(name));
    let files = folders.iter().flat_map(|folder| {
        let entries = std::fs::read_dir(folder).expect("the recipes are there");
        entries.map(|entry| entry.expect("an entry").path())
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    let read = |path| std::fs::read(path).expect("a recipe");
    files.iter().map(read).collect()
}

/// What is taken can be written out, and is the same again.
fn check(config: &RunConfig) {
    let text = config.to_toml();
    let again = RunConfig::parse("run.toml", &text, &[]);
    let again = again.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again.config.to_toml(), text);
}

#[test]
fn configurations() {
    fuzz("run.toml", &configs(), |path| {
        if let Ok(loaded) = RunConfig::load(path, &[]) {
            check(&loaded.config);
        }
    });
}

/// Templates of conversations, as they come with a tokenizer.
#[test]
fn templates() {
    let seeds: Vec<Vec<u8>> = [
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>' }}{% endfor %}\
         {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{%- set ns = namespace(system='', n=[]) -%}{%- for m in messages -%}{%- if m.role == 'system' -%}\
         {%- set ns.system = m.content -%}{%- elif m.role == 'user' and loop.first -%}{{ bos_token + '[INST] ' ~ ns.system }}\
         {{ m.content.split('x')[-1].strip() }}[/INST]{%- else -%}{%- set ns.n = ns.n + [m] -%}{{ m.content + eos_token }}\
         {%- endif -%}{%- endfor -%}",
        "{% macro say(role, text) %}[{{ role|upper }}] {{ text|tojson(indent=2) }}{% endmacro %}{# a note #}\
         {% if messages|length > 100 or messages[0].role not in ['user', 'system'] %}{{ raise_exception('no') }}{% endif %}\
         {% for m in messages[::-1] %}{{ say(m.role, m.content) }}{% endfor %}{{ strftime_now('%d %b %Y') }}",
    ]
    .map(|template| template.as_bytes().to_vec())
    .into();
    let said = serde_json::json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]);
    fuzz("chat_template.jinja", &seeds, |path| {
        let Ok(template) = String::from_utf8(std::fs::read(path).expect("written")) else {
            return;
        };
        let files = [("chat_template.jinja", template)];
        if let Ok(Some(chat)) = Chat::of(&files, Default::default()) {
            let _ = chat.prompt(&said);
        }
    });
}

#[test]
fn overrides() {
    let seeds: Vec<Vec<u8>> = [
        "model.hidden=[64, 32]",
        "train.epochs=5",
        "optimizer={type=\"sgd\", learning_rate=0.1}",
        "data.split.train=0.5",
        "data.columns.\"a b\".kind=\"number\"",
    ]
    .map(|set| set.as_bytes().to_vec())
    .into();
    let config = configs().swap_remove(0);
    let prepare = |folder: &Path| {
        std::fs::write(folder.join("run.toml"), &config).expect("written");
    };
    fuzz_with("set", &seeds, prepare, |path| {
        let set = std::fs::read(path).expect("written");
        let set = String::from_utf8_lossy(&set).into_owned();
        if let Ok(loaded) = RunConfig::load(&path.with_file_name("run.toml"), &[set]) {
            check(&loaded.config);
        }
    });
}

use std::fs;

use serde_json::json;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, json) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, json.to_string()).unwrap();
    }
    folder
}

fn modules(kinds: &[&str]) -> (&'static str, Value) {
    let module = |(index, kind): (usize, &&str)| {
        let path = if index == 0 {
            String::new()
        } else {
            format!("{index}_{kind}")
        };
        json!({"idx": index, "name": index.to_string(), "path": path, "type": format!("sentence_transformers.models.{kind}")})
    };
    (MODULES, kinds.iter().enumerate().map(module).collect())
}

const POOLED: &str = "1_Pooling/config.json";

fn found(files: &[(&str, Value)]) -> Result<Embedding, String> {
    read(folder(files).path(), 64)
}

#[test]
fn what_the_library_writes_is_read() {
    let older = json!({
        "word_embedding_dimension": 24, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false,
        "pooling_mode_max_tokens": false, "include_prompt": true
    });
    let files = [
        modules(&["Transformer", "Pooling"]),
        (POOLED, older),
        (
            READING[0],
            json!({"max_seq_length": 12, "do_lower_case": true}),
        ),
        (
            PROMPTS,
            json!({"prompts": {"query": "query: "}, "default_prompt_name": "query"}),
        ),
    ];
    let embedding = found(&files).unwrap();
    let expected = Embedding {
        pooling: Pooling::First,
        is_normalised: false,
        most: 12,
        lowercase: true,
        prompt: "query: ".into(),
        said: embedding.said.clone(),
    };
    assert_eq!(embedding, expected);
    let newer = [
        modules(&["Transformer", "Pooling", "Normalize"]),
        (
            POOLED,
            json!({"embedding_dimension": 24, "pooling_mode": "max"}),
        ),
        ("tokenizer_config.json", json!({"model_max_length": 1e30})),
    ];
    let embedding = found(&newer).unwrap();
    assert_eq!((embedding.pooling, embedding.most), (Pooling::Max, 64));
    assert!(embedding.is_normalised && embedding.said.is_empty());
}

#[test]
fn where_nothing_says_it_the_mean_is_taken_and_that_is_said() {
    let embedding = found(&[]).unwrap();
    assert_eq!(embedding.said.len(), 1);
    let usual = Embedding::usual(64);
    assert_eq!(
        Embedding {
            said: Vec::new(),
            ..embedding
        },
        usual
    );
}

#[test]
fn what_is_not_done_here_is_refused() {
    let all = ["Transformer", "Pooling", "Normalize"];
    let mean = json!({"pooling_mode_mean_tokens": true});
    let refused = |files: &[(&str, Value)], words: &str| {
        let error = found(files).unwrap_err();
        assert!(error.contains(words), "{error}");
    };
    let dense = modules(&["Transformer", "Pooling", "Dense"]);
    refused(&[dense, (POOLED, mean.clone())], "Dense");
    refused(&[modules(&all)], "there is no");
    refused(&[(MODULES, json!({}))], "no list");
    refused(&[(MODULES, json!([]))], MODULES);
    for (json, words) in [
        (json!({"pooling_mode": []}), "names no way"),
        (
            json!({"pooling_mode_lasttoken": true, "pooling_mode_mean_tokens": false}),
            "lasttoken",
        ),
        (
            json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}),
            "at once",
        ),
        (json!({"pooling_mode": "weightedmean"}), "weightedmean"),
        (json!({"pooling_mode": 3}), "no name"),
        (json!([]), "no object"),
    ] {
        refused(&[modules(&all), (POOLED, json)], words);
    }
    let prompts = |json| [modules(&all), (POOLED, mean.clone()), (PROMPTS, json)];
    refused(&prompts(json!({"default_prompt_name": "query"})), "query");
    let leaving = json!({"pooling_mode": "mean", "include_prompt": false});
    let named = json!({"prompts": {"q": "q: "}, "default_prompt_name": "q"});
    refused(
        &[modules(&all), (POOLED, leaving), (PROMPTS, named)],
        "prompt",
    );
    let nested =
        json!([{"path": "0_T", "type": "Transformer"}, {"path": "1_P", "type": "Pooling"}]);
    refused(&[(MODULES, nested)], "0_T");
    let outside = json!([{"path": "", "type": "Transformer"}, {"path": "../p", "type": "Pooling"}]);
    refused(&[(MODULES, outside)], "../p");
}

//! Flags that do not exist, but keys of a config that do.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use fireclay_config::did_you_mean;
use fireclay_train::run_folder::word;

use crate::failure::Failure;

/// The verbs that take `--set`.
const VERBS: [&str; 4] = ["train", "check", "plan", "resume"];
/// Tables whose keys people set most, these first.
const FIRST: [&str; 5] = ["train", "optimizer", "model", "data", "task"];
/// The most keys that are named.
const NAMED: usize = 3;

/// What to write instead of an argument that is a key: `--epochs 5` and `train.epochs=5` are
/// `--set train.epochs=5`.
pub fn explain(error: &Error, arguments: &[String]) -> Option<Failure> {
    let is_verb = |verb: &String| VERBS.contains(&verb.as_str());
    if error.kind() != ErrorKind::UnknownArgument || !arguments.get(1).is_some_and(is_verb) {
        return None;
    }
    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let position = arguments
        .iter()
        .position(|argument| argument.starts_with(found.as_str()));
    let [written, next] = [0, 1].map(|after| arguments.get(position.unwrap_or(0) + after));
    let (name, value) = cut(written.unwrap_or(found), next);
    let keys = keys(&name);
    if keys.is_empty() {
        return None;
    }
    let value = value.unwrap_or_else(|| "VALUE".into());
    let sets = keys
        .iter()
        .map(|key| format!("`--set {}`", word(&format!("{key}={value}"))));
    let sets = sets.collect::<Vec<_>>().join(" or ");
    Some(Failure::Usage(format!(
        "there is no argument `{found}`; keys of the config are set so: {sets}"
    )))
}

/// The name and the value that an argument and the next one give, as a key would be written.
fn cut(written: &str, next: Option<&String>) -> (String, Option<String>) {
    let (name, value) = match written.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (written, next.filter(|next| is_value(next)).cloned()),
    };
    (name.trim_start_matches('-').replace('-', "_"), value)
}

/// Whether the word after a flag is its value: no flag itself, but perhaps a negative number.
fn is_value(word: &str) -> bool {
    !word.starts_with('-') || word.parse::<f64>().is_ok()
}

/// The error without clap's advice to put `--` before a flag that is none: no verb takes such a word.
pub fn without_false_tips(mut error: Error) -> Error {
    if error.kind() == ErrorKind::UnknownArgument {
        let tips = error.remove(ContextKind::Suggested);
        if let Some(ContextValue::StyledStrs(mut tips)) = tips {
            tips.retain(|tip| !tip.to_string().contains("-- "));
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

/// The keys of a config with this name, or else with one that it is likely meant to be.
fn keys(name: &str) -> Vec<String> {
    let all = fireclay_run::keys();
    // `--optimizer sgd` and `--device cuda`: what a table is.
    for key in ["type", "backend"].map(|key| format!("{name}.{key}")) {
        if all.contains(&key) {
            return vec![key];
        }
    }
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let named = |name: &str| -> Vec<String> {
        let is = |key: &&String| key.as_str() == name || last(key) == name;
        let mut found: Vec<String> = all.iter().filter(is).cloned().collect();
        found.sort_by_key(|key| {
            let table = key.split('.').next().unwrap_or_default();
            FIRST
                .iter()
                .position(|first| *first == table)
                .unwrap_or(NAMED + FIRST.len())
        });
        found.truncate(NAMED);
        found
    };
    let found = named(name);
    if !found.is_empty() {
        return found;
    }
    let names: Vec<String> = all.iter().map(|key| last(key)).collect();
    let close = did_you_mean(name, names.iter().map(String::as_str));
    close.map(named).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::commands::Cli;

    fn explained(line: &str) -> Option<String> {
        let arguments: Vec<String> = line.split(' ').map(String::from).collect();
        let error = Cli::try_parse_from(&arguments).expect_err("a wrong command line");
        match explain(&error, &arguments)? {
            Failure::Usage(message) => Some(message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_as_a_flag_points_to_set() {
        let cases = [
            ("fireclay train x.toml --epochs 5", "`--set train.epochs=5`"),
            ("fireclay train x.toml --epochs=5", "`--set train.epochs=5`"),
            ("fireclay train --epoch 5 x.toml", "`--set train.epochs=5`"),
            (
                "fireclay train x.toml --batch-size 8",
                "`--set train.batch_size=8` or",
            ),
            ("fireclay check x.toml --lr 0.1", "`--set optimizer.lr=0.1`"),
            (
                "fireclay train x.toml train.epochs=5",
                "`--set train.epochs=5`",
            ),
            (
                "fireclay train x.toml --train.epochs 5",
                "`--set train.epochs=5`",
            ),
            (
                "fireclay train x.toml --shuffle",
                "`--set train.shuffle=VALUE`",
            ),
            ("fireclay plan x.toml --seed 3", "`--set seed=3`"),
            (
                "fireclay train x.toml --epochs -q",
                "`--set train.epochs=VALUE`",
            ),
            (
                "fireclay train x.toml --min-delta -1",
                "`--set early_stopping.min_delta=-1`",
            ),
            (
                "fireclay train x.toml --device cuda",
                "`--set device.backend=cuda`",
            ),
            (
                "fireclay train x.toml --optimizer sgd",
                "`--set optimizer.type=sgd`",
            ),
        ];
        for (line, words) in cases {
            let message = explained(line).unwrap_or_default();
            assert!(message.contains(words), "{line}: {message}");
        }
        assert_eq!(explained("fireclay train x.toml --qwertzuiop 5"), None);
        assert_eq!(explained("fireclay devices --epochs 5"), None);
    }
}

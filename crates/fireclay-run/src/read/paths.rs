//! Paths that a shell would understand and a file system does not.

use fireclay_config::Sections;

use crate::config::RunConfig;

/// Refuses `~` and `$NAME` in the paths of a configuration. Taken as they are, they would make a folder
/// called `~`; put in their place, the same file would be another run for everybody. A path that begins
/// with `./` is taken as it is.
pub(super) fn check(config: &RunConfig, sections: &mut Sections<'_>) {
    for (key, path) in paths(config) {
        if let Some(found) = shorthand(&path) {
            let message = format!("is \"{path}\", but {found} means something to a shell alone");
            let help = match expanded(&path, |name| std::env::var(name).ok()) {
                Some(whole) => format!("write \"{whole}\""),
                None => "write the whole path".into(),
            };
            let help = format!("{help}; \"./{path}\" is a file or folder of just this name");
            sections.refuse(&key, &message, Some(help));
        }
    }
}

/// Every path, with its key.
fn paths(config: &RunConfig) -> Vec<(String, String)> {
    let located = config.data.section().located();
    let tokenizer = config.tokenizer.as_ref();
    let tokenizer = tokenizer.and_then(|tokenizer| tokenizer.config.path.as_ref());
    let pretrained = config.model.section().pretrained;
    let mut paths = vec![
        ("output_dir".to_owned(), config.output_dir.clone()),
        ("data.path".into(), located.path.into()),
    ];
    let files = located.files.into_iter();
    let files = files.filter_map(|(key, path)| Some((format!("data.{key}"), path.clone()?)));
    paths.extend(files);
    paths.extend(tokenizer.map(|path| ("tokenizer.path".into(), path.clone())));
    paths.extend(pretrained.map(|path| ("model.pretrained".into(), path.to_owned())));
    paths
}

/// The first part of a path that a shell would replace.
fn shorthand(path: &str) -> Option<&str> {
    if path.starts_with("./") {
        return None;
    }
    if path.starts_with('~') {
        return path.split('/').next();
    }
    let start = path.match_indices('$').map(|(start, _)| start);
    let mut names =
        start.filter_map(|start| Some(&path[start..start + 1 + name(&path[start + 1..])?.1]));
    names.next()
}

/// The name of a variable after its `$`, and how many bytes it takes.
fn name(text: &str) -> Option<(&str, usize)> {
    if let Some(rest) = text.strip_prefix('{') {
        let name = &rest[..rest.find('}')?];
        return is_name(name).then_some((name, name.len() + 2));
    }
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let name = &text[..end.unwrap_or(text.len())];
    is_name(name).then_some((name, name.len()))
}

fn is_name(name: &str) -> bool {
    let is_start = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let is_inner = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.starts_with(is_start) && name.chars().all(is_inner)
}

/// What a shell would make of a path, if all of its variables are known.
fn expanded(path: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (mut whole, mut rest) = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (variable("HOME")?, rest),
        Some(_) => return None,
        None => (String::new(), path),
    };
    while let Some(start) = rest.find('$') {
        whole += &rest[..start];
        rest = &rest[start + 1..];
        match name(rest) {
            Some((name, length)) => {
                whole += &variable(name).filter(|value| !value.is_empty())?;
                rest = &rest[length..];
            }
            None => whole.push('$'),
        }
    }
    Some(whole + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_replace_is_found() {
        let cases = [
            ("~/runs", Some("~")),
            ("~", Some("~")),
            ("~ada/runs", Some("~ada")),
            ("$HOME/runs", Some("$HOME")),
            ("/data/${USER}/x.csv", Some("${USER}")),
            ("a/$b", Some("$b")),
            ("./~/runs", None),
            ("./$HOME/runs", None),
            ("backup~/x.csv", None),
            ("prices in $.csv", None),
            ("5$00.csv", None),
            ("a$", None),
            ("${", None),
            ("runs", None),
        ];
        for (path, found) in cases {
            assert_eq!(shorthand(path), found, "{path}");
        }
    }

    #[test]
    fn the_whole_path_is_named_where_it_is_known() {
        let variable = |name: &str| match name {
            "HOME" => Some("/home/ada".to_owned()),
            "DATA" => Some("/d".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases = [
            ("~/runs", Some("/home/ada/runs")),
            ("~", Some("/home/ada")),
            ("~bob/runs", None),
            ("$DATA/a$b", None),
            ("${DATA}/x/$HOME", Some("/d/x//home/ada")),
            ("$EMPTY/x", None),
            ("~/5$", Some("/home/ada/5$")),
        ];
        for (path, whole) in cases {
            assert_eq!(expanded(path, variable).as_deref(), whole, "{path}");
        }
    }
}

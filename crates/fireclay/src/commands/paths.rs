//! Paths on the command line.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, StringValueParser, TypedValueParser};

/// A path. One that begins with `~` reached the program as it is, since the shell did not put a home in its place,
/// as in quotes or after `--output=`: a folder called `~` would be made or looked for.
pub fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| check(&path).map(|()| path))
}

/// The same for what need not be a path: a pattern, or `-`.
pub fn place() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().try_map(|place| check(Path::new(&place)).map(|()| place))
}

fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let Some(first) = path.iter().next().and_then(|first| first.to_str()) else {
        return Ok(());
    };
    if !first.starts_with('~') {
        return Ok(());
    }
    let rest = path.strip_prefix("~").ok();
    let home = rest.and_then(|rest| Some(PathBuf::from(std::env::var_os("HOME")?).join(rest)));
    let whole = match home {
        Some(whole) => format!(
            "write {}",
            fireclay_train::run_folder::word(&whole.display().to_string())
        ),
        None => "write the whole path".to_owned(),
    };
    Err(format!(
        "{first} means something to a shell alone, and no shell has put it in its place: {whole}; './{shown}' is a \
         file or folder of just this name"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_that_no_shell_has_seen_is_refused() {
        for path in ["~", "~/runs", "~ada/runs"] {
            let error = check(Path::new(path)).expect_err(path);
            assert!(error.contains(&format!("./{path}")), "{error}");
        }
        for path in ["./~/runs", "runs/~", "a~", "-", "", "/~"] {
            assert_eq!(check(Path::new(path)), Ok(()), "{path}");
        }
    }
}

//! Libraries that panic on damaged input.

use std::path::Path;

pub(crate) use fireclay_guard::caught as quietly;

use crate::error::DataError;

/// What `read` makes of a file; a panic is the damage of the file, and nothing is printed.
///
/// What `read` changed before it panicked must not be used again.
///
/// # Errors
/// [`DataError::Damaged`].
pub(crate) fn caught<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T, DataError> {
    quietly(read).map_err(|message| DataError::damaged(path, format!("is damaged: {message}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_the_file() {
        assert_eq!(caught(Path::new("a"), || 3).unwrap(), 3);
        let error = caught(Path::new("a"), || panic!("page {}", 7)).unwrap_err();
        assert!(
            error.to_string().ends_with("a: is damaged: page 7"),
            "{error}"
        );
    }
}

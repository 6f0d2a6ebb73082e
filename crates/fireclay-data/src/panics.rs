//! Libraries that panic on damaged input.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use crate::error::DataError;

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What `read` makes of a file; a panic is the damage of the file, and nothing is printed.
///
/// What `read` changed before it panicked must not be used again.
///
/// # Errors
/// [`DataError::Damaged`].
pub(crate) fn caught<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T, DataError> {
    quietly(read).map_err(|message| DataError::damaged(path, format!("is damaged: {message}")))
}

/// The same, where nobody knows the file: what the panic says.
pub(crate) fn quietly<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    quieten();
    let before = IS_QUIET.replace(true);
    let caught = catch_unwind(AssertUnwindSafe(read));
    IS_QUIET.set(before);
    caught.map_err(|panic| message(&*panic).to_owned())
}

/// Panics of other threads are reported as ever.
fn quieten() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                usual(info);
            }
        }));
    });
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("its reader gave up")
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

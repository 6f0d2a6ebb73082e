//! Files that are open, of which there may only be so many at once.

use std::sync::Arc;

/// Files that are open at once, at most.
const MOST: usize = 32;

/// Open files by their keys, the one last used last.
#[derive(Debug)]
pub(crate) struct Opened<K, T>(Vec<(K, Arc<T>)>);

impl<K, T> Default for Opened<K, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, T> Opened<K, T> {
    /// Whether the file of a key is open.
    pub(crate) fn holds<Q: PartialEq + ?Sized>(&self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.iter().any(|(open, _)| open.borrow() == key)
    }

    /// The file of a key, which `open` opens unless it is open.
    ///
    /// # Errors
    /// Those of `open`.
    pub(crate) fn or_open<E>(
        &mut self,
        key: K,
        open: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let place = self.0.iter().position(|(open, _)| *open == key);
        let (key, file) = match place {
            Some(place) => self.0.remove(place),
            None => (key, Arc::new(open()?)),
        };
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push((key, Arc::clone(&file)));
        Ok(file)
    }

    /// Closes all that nobody reads.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_closed() {
        let mut opened = Opened::default();
        let mut opens = |key| {
            let mut is_new = false;
            let file = opened.or_open(key, || {
                is_new = true;
                Ok::<_, ()>(key)
            });
            assert_eq!(file, Ok(Arc::new(key)));
            is_new
        };
        assert!((0..MOST).all(&mut opens));
        assert!(!opens(0) && opens(MOST));
        assert!(!opens(0) && opens(1));
    }
}

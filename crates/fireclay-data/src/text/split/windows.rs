//! How tokens are cut into windows.

use std::sync::Arc;

use super::Chats;
use crate::text::packing::Part;

#[derive(Clone, Debug)]
pub(super) enum Windows {
    /// From the first token to the last, the last window padded: every token but the first is
    /// predicted once.
    All,
    /// The same, but every token is in a window, whether or not one precedes it.
    Covering,
    /// Full windows side by side, from a position that differs from epoch to epoch, so that tokens are
    /// not always cut at the same position. The number is the seed.
    Shifted(u64),
    /// Full windows side by side from the first token, the same in every epoch.
    Full,
    /// Windows that start so many tokens apart, of which each but the first predicts those that no window before it
    /// did: every token but the first is predicted once, from as many before it as there are in its window.
    Sliding(u64),
    /// Whole documents, padded: every token but the first of a document is predicted once.
    Packed(Arc<[Vec<Part>]>),
    /// Conversations.
    Chats(Arc<Chats>),
}

impl Windows {
    /// How many windows of `context` tokens there are of a text of so many; of documents and conversations none.
    pub(super) fn count(&self, tokens: u64, context: u64) -> usize {
        let followed = tokens.saturating_sub(1);
        let count = match self {
            Self::All => followed.div_ceil(context),
            Self::Covering => tokens.div_ceil(context),
            Self::Sliding(_) if followed == 0 => 0,
            Self::Sliding(stride) => 1 + followed.saturating_sub(context).div_ceil(*stride),
            Self::Full => followed / context,
            // One less than would fit, so that there is room to shift them.
            Self::Shifted(_) if tokens > context => ((tokens - context) / context).max(1),
            Self::Shifted(_) | Self::Packed(_) | Self::Chats(_) => 0,
        };
        count as usize
    }
}

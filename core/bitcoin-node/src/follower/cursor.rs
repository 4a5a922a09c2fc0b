//! Where a follower stands: the recent blocks it has delivered, as a value the caller stores.

use crate::ports::BlockRef;
use bitcoin::BlockHash;
use btc_staking_protocol::height::BtcHeight;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use thiserror::Error;

/// Blocks remembered unless the caller says otherwise: a week, longer than any reorg a staking chain survives.
pub const DEFAULT_WINDOW: u32 = 1_008;

/// A follower's durable state. Serialises to at most `window` hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredCursor", into = "StoredCursor")]
pub struct Cursor {
    start: BtcHeight,
    window: u32,
    /// Height of `recent[0]`; equals `start` while nothing has been forgotten.
    first: BtcHeight,
    recent: VecDeque<BlockHash>,
}

/// A stored state that no follower can have written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidCursor {
    /// No room for a single block.
    #[error("a follower's window must hold at least one block")]
    EmptyWindow,
    /// More hashes than the window holds.
    #[error("{hashes} hashes are stored, the window holds {window}")]
    TooManyHashes {
        /// Hashes found.
        hashes: usize,
        /// Size of the window.
        window: u32,
    },
    /// Blocks below the start, or forgotten blocks with none remembered.
    #[error("the first remembered block is at height {first}, which does not fit a start at {start}")]
    WrongFirst {
        /// Height of the first remembered block.
        first: BtcHeight,
        /// Height the follower started at.
        start: BtcHeight,
    },
    /// Heights past the end of the number range.
    #[error("the remembered blocks run past the largest height")]
    HeightOverflow,
}

impl Cursor {
    /// Starts at the block of height `start`, remembering `window` blocks (at least one).
    pub fn starting_at(start: BtcHeight, window: u32) -> Self {
        Self { start, window: window.max(1), first: start, recent: VecDeque::new() }
    }

    /// Height of the first block that is or was to be delivered.
    pub fn start(&self) -> BtcHeight {
        self.start
    }

    /// Number of blocks remembered at most. A reorg that replaces fewer is followed.
    pub fn window(&self) -> u32 {
        self.window
    }

    /// The block delivered last; `None` when none is connected.
    pub fn tip(&self) -> Option<BlockRef> {
        let above = u32::try_from(self.recent.len()).ok()?.checked_sub(1)?;
        Some(BlockRef { height: self.first.checked_add(above)?, hash: *self.recent.back()? })
    }

    /// Height of the block to deliver next; `None` at the end of the number range.
    pub(super) fn next_height(&self) -> Option<BtcHeight> {
        match self.tip() {
            Some(tip) => tip.height.checked_add(1),
            None => Some(self.start),
        }
    }

    /// Remembers a block delivered at [`Cursor::next_height`].
    pub(super) fn push(&mut self, hash: BlockHash) {
        self.recent.push_back(hash);
        while self.recent.len() > usize::try_from(self.window).unwrap_or(usize::MAX) {
            self.recent.pop_front();
            self.first = self.first.checked_add(1).unwrap_or(self.first);
        }
    }

    /// Forgets the block delivered last; refuses when that is all that connects us to what was forgotten before it.
    pub(super) fn pop(&mut self) -> bool {
        if self.recent.len() <= 1 && self.first > self.start {
            return false;
        }
        self.recent.pop_back().is_some()
    }
}

/// The stored form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCursor {
    start: BtcHeight,
    window: u32,
    first: BtcHeight,
    recent: VecDeque<BlockHash>,
}

impl From<Cursor> for StoredCursor {
    fn from(cursor: Cursor) -> Self {
        let Cursor { start, window, first, recent } = cursor;
        Self { start, window, first, recent }
    }
}

impl TryFrom<StoredCursor> for Cursor {
    type Error = InvalidCursor;

    fn try_from(stored: StoredCursor) -> Result<Self, InvalidCursor> {
        let StoredCursor { start, window, first, recent } = stored;
        let count = u32::try_from(recent.len()).map_err(|_| InvalidCursor::HeightOverflow)?;
        if window == 0 {
            return Err(InvalidCursor::EmptyWindow);
        }
        if count > window {
            return Err(InvalidCursor::TooManyHashes { hashes: recent.len(), window });
        }
        if first < start || (first > start && recent.is_empty()) {
            return Err(InvalidCursor::WrongFirst { first, start });
        }
        first.checked_add(count).ok_or(InvalidCursor::HeightOverflow)?;
        Ok(Self { start, window, first, recent })
    }
}

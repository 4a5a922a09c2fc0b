//! Follows the best chain: an ordered stream of connected and disconnected blocks, pulled by the caller.
//!
//! ```text
//! Follower (asks the node) --> Walk (decides, pure) --> ChainEvent* + Cursor (what to store)
//! ```
//!
//! Every `Connected` names a child of the block connected before it, and every `Disconnected` the block connected
//! last, so a consumer can treat the stream as a stack. A caller that stores [`Follower::cursor`] together with what
//! it made of the events (one commit) neither misses nor repeats a block, whatever happens between two polls.
//!
//! It refuses to guess: a reorg that leaves the stored window behind is [`FollowError::ReorgTooDeep`] until the caller
//! decides with [`Follower::restart_from`].

use crate::ports::{BlockRef, BlockSource, NodeError, NodeErrorKind};
use bitcoin::{Block, BlockHash};
use btc_staking_protocol::height::BtcHeight;
use std::sync::Arc;
use thiserror::Error;

mod cursor;
mod walk;

pub use cursor::{Cursor, DEFAULT_WINDOW, InvalidCursor};
pub use walk::{Step, Walk};

/// Most blocks connected or disconnected by one poll unless the caller says otherwise. A block has up to 4 MB.
pub const DEFAULT_BATCH: usize = 16;

/// A change of the best chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainEvent {
    /// A block became the tip as the follower sees it.
    Connected {
        /// The block's height and hash.
        block_ref: BlockRef,
        /// The block.
        block: Block,
    },
    /// The tip as the follower sees it is no longer on the best chain.
    Disconnected {
        /// The block that was the tip.
        block_ref: BlockRef,
    },
}

impl ChainEvent {
    /// The block that came or went.
    pub fn block_ref(&self) -> BlockRef {
        match self {
            ChainEvent::Connected { block_ref, .. } | ChainEvent::Disconnected { block_ref } => *block_ref,
        }
    }
}

/// What one poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// The changes, in order.
    pub events: Vec<ChainEvent>,
    /// Whether the node had nothing more; if not, poll again at once.
    pub caught_up: bool,
}

/// Why a poll failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FollowError {
    /// The node did not answer as it should.
    #[error("following the chain")]
    Node(#[from] NodeError),
    /// The best chain left ours below the oldest block we remember.
    #[error("a reorg goes below block {} at height {}, the oldest remembered one: restart from a lower height", .oldest.hash, .oldest.height)]
    ReorgTooDeep {
        /// The oldest block that was remembered, itself no longer on the best chain.
        oldest: BlockRef,
    },
}

impl FollowError {
    /// Whether polling again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            FollowError::Node(error) => error.is_transient(),
            FollowError::ReorgTooDeep { .. } => false,
        }
    }
}

/// Pulls chain events out of a node.
pub struct Follower<S: ?Sized> {
    source: Arc<S>,
    cursor: Cursor,
    batch: usize,
}

impl<S: BlockSource + ?Sized> Follower<S> {
    /// Follows `source` from where `cursor` stands.
    pub fn resume(source: Arc<S>, cursor: Cursor) -> Self {
        Self { source, cursor, batch: DEFAULT_BATCH }
    }

    /// Sets the most events one poll returns; at least one.
    #[must_use]
    pub fn with_batch(mut self, events: usize) -> Self {
        self.batch = events.max(1);
        self
    }

    /// The state to store after the events of the last poll have been dealt with.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Forgets everything and follows from `height` on: the answer to [`FollowError::ReorgTooDeep`]. The caller has
    /// to drop what it learned from blocks at `height` and above.
    pub fn restart_from(&mut self, height: BtcHeight) {
        self.cursor = Cursor::starting_at(height, self.cursor.window());
    }

    /// Returns the next changes of the best chain, oldest first.
    ///
    /// Work is bounded by the batch size. Dropping the future loses nothing, nor does an error: what had been found
    /// before a failure is returned, and the failure comes back with the next poll.
    ///
    /// # Errors
    /// [`FollowError::Node`] when the node fails before anything was found, [`FollowError::ReorgTooDeep`].
    pub async fn poll(&mut self) -> Result<Polled, FollowError> {
        let mut walk = Walk::new(self.cursor.clone());
        let mut events = Vec::new();
        // A tip that flips at every question could keep one poll busy for ever; the next poll goes on instead.
        let mut questions_left = self.batch.saturating_mul(4).saturating_add(8);
        let caught_up = loop {
            if events.len() >= self.batch || questions_left == 0 {
                break false;
            }
            questions_left -= 1;
            match Self::advance(&*self.source, &mut walk, &mut events).await {
                Ok(true) => {}
                Ok(false) => break true,
                Err(error) if events.is_empty() => return Err(error),
                Err(_) => break false,
            }
        };
        self.cursor = walk.into_cursor();
        Ok(Polled { events, caught_up })
    }

    /// Asks one question; returns whether there is more to ask.
    async fn advance(source: &S, walk: &mut Walk, events: &mut Vec<ChainEvent>) -> Result<bool, FollowError> {
        match walk.step() {
            Step::AskHash(height) => {
                let answer = source.fetch_block_hash(height).await?;
                if let Some(block_ref) = walk.on_hash(answer)? {
                    events.push(ChainEvent::Disconnected { block_ref });
                }
                Ok(true)
            }
            Step::AskBlock(block_ref) => {
                let block = fetch_named_block(source, &block_ref.hash).await?;
                if walk.on_header(&block.header) {
                    events.push(ChainEvent::Connected { block_ref, block });
                }
                Ok(true)
            }
            Step::CaughtUp => Ok(false),
        }
    }
}

/// Fetches a block the node has just named.
async fn fetch_named_block<S: BlockSource + ?Sized>(
    source: &S,
    hash: &BlockHash,
) -> Result<Block, NodeError> {
    let block = source.fetch_block(hash).await?.ok_or_else(|| {
        NodeError::new(
            NodeErrorKind::Misconfigured,
            format!(
                "the node names block {hash} but does not have it: a pruned node cannot be followed from here"
            ),
        )
    })?;
    if block.block_hash() != *hash {
        let got = block.block_hash();
        return Err(NodeError::new(NodeErrorKind::Broken, format!("asked for block {hash}, got {got}")));
    }
    Ok(block)
}

#[cfg(test)]
mod tests;

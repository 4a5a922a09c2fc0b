//! The pure half of the follower: which question to ask next, and what an answer means.
//!
//! ```text
//!            hash at tip's height
//! CheckTip ----- is the tip ------> AskNext -- none --> CaughtUp
//!   ^  \  differs: disconnect tip     |  ^
//!   |   +---> CheckTip                | hash
//!   |                                 v  | parent is the tip: connect
//!   +---- parent is not the tip --- AskBlock
//! ```

use super::{Cursor, FollowError};
use crate::ports::BlockRef;
use bitcoin::{BlockHash, block::Header};
use btc_staking_protocol::height::BtcHeight;

/// A walk from a cursor to the tip of the best chain. Synchronous; asks by [`Walk::step`].
#[derive(Debug, Clone)]
pub struct Walk {
    cursor: Cursor,
    phase: Phase,
}

/// The question to answer next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Which block is at this height of the best chain? Answer with [`Walk::on_hash`].
    AskHash(BtcHeight),
    /// What is this block? Answer with [`Walk::on_header`].
    AskBlock(BlockRef),
    /// Nothing more to ask.
    CaughtUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    CheckTip(BlockRef),
    AskNext(BtcHeight),
    AskBlock(BlockRef),
    CaughtUp,
}

impl Walk {
    /// Begins where `cursor` stands. The tip is checked first: it may have left the best chain since.
    pub fn new(cursor: Cursor) -> Self {
        let phase = Self::check_tip_of(&cursor);
        Self { cursor, phase }
    }

    /// The question to answer next.
    pub fn step(&self) -> Step {
        match self.phase {
            Phase::CheckTip(tip) => Step::AskHash(tip.height),
            Phase::AskNext(height) => Step::AskHash(height),
            Phase::AskBlock(block_ref) => Step::AskBlock(block_ref),
            Phase::CaughtUp => Step::CaughtUp,
        }
    }

    /// Takes the best chain's hash at the height asked for; returns a block that is thereby disconnected.
    ///
    /// # Errors
    /// [`FollowError::ReorgTooDeep`] when the last remembered block is not on the best chain. The walk stays where it
    /// is, so the answer to the same question can still heal it.
    pub fn on_hash(&mut self, answer: Option<BlockHash>) -> Result<Option<BlockRef>, FollowError> {
        match self.phase {
            Phase::CheckTip(tip) if answer == Some(tip.hash) => {
                self.phase = Self::ask_above(&self.cursor);
                Ok(None)
            }
            Phase::CheckTip(tip) => {
                if !self.cursor.pop() {
                    return Err(FollowError::ReorgTooDeep { oldest: tip });
                }
                self.phase = Self::check_tip_of(&self.cursor);
                Ok(Some(tip))
            }
            Phase::AskNext(height) => {
                self.phase = match answer {
                    Some(hash) => Phase::AskBlock(BlockRef { height, hash }),
                    None => Phase::CaughtUp,
                };
                Ok(None)
            }
            Phase::AskBlock(_) | Phase::CaughtUp => Ok(None),
        }
    }

    /// Takes the header of the block asked for, whose hash the caller has checked; returns whether the block is
    /// thereby connected. If its parent is not our tip, the chain has changed between two answers.
    pub fn on_header(&mut self, header: &Header) -> bool {
        let Phase::AskBlock(block_ref) = self.phase else { return false };
        if self.cursor.tip().is_some_and(|tip| tip.hash != header.prev_blockhash) {
            self.phase = Self::check_tip_of(&self.cursor);
            return false;
        }
        self.cursor.push(block_ref.hash);
        self.phase = Self::ask_above(&self.cursor);
        true
    }

    /// Ends the walk; what it delivered so far is in the cursor.
    pub fn into_cursor(self) -> Cursor {
        self.cursor
    }

    fn check_tip_of(cursor: &Cursor) -> Phase {
        match cursor.tip() {
            Some(tip) => Phase::CheckTip(tip),
            None => Self::ask_above(cursor),
        }
    }

    fn ask_above(cursor: &Cursor) -> Phase {
        match cursor.next_height() {
            Some(height) => Phase::AskNext(height),
            None => Phase::CaughtUp,
        }
    }
}

//! Heights, depths and timelocks, each a type of its own so that they cannot be mixed up.
//!
//! Spec: `bitcoin.md` 1.2 and 11, `chain.md` 0. A Bitcoin height never compares with a height of the
//! proof-of-stake chain; the compiler refuses.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Height of a Bitcoin block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BtcHeight(u32);

/// Height of a block of the proof-of-stake chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PosHeight(u64);

/// Number of an epoch of the proof-of-stake chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

/// How many Bitcoin blocks lie on top of a block: `tip - height`. A block at the tip has depth 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BtcDepth(u32);

/// A relative timelock in Bitcoin blocks, 1 to 65,535.
///
/// Zero is excluded by construction: a script with a zero lock leaves an empty element on the stack and can
/// never be spent (`bitcoin.md` 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Timelock(u16);

/// A number of blocks that is no relative timelock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("timelock of {0} blocks is out of range, it must be 1 to 65535")]
pub struct TimelockOutOfRange(pub u32);

impl BtcHeight {
    /// Wraps a block height.
    pub const fn new(height: u32) -> Self {
        Self(height)
    }
    /// The bare number, for encoding.
    pub const fn to_u32(self) -> u32 {
        self.0
    }
    /// Returns the height `blocks` above this one, or `None` on overflow.
    pub fn checked_add(self, blocks: u32) -> Option<Self> {
        self.0.checked_add(blocks).map(Self)
    }
    /// Returns the height `blocks` below this one, or `None` below zero.
    pub fn checked_sub(self, blocks: u32) -> Option<Self> {
        self.0.checked_sub(blocks).map(Self)
    }
    /// Returns the depth of a block at this height under `tip`, or `None` if the block lies above the tip.
    pub fn depth_under(self, tip: BtcHeight) -> Option<BtcDepth> {
        tip.0.checked_sub(self.0).map(BtcDepth)
    }
}

impl PosHeight {
    /// Wraps a block height.
    pub const fn new(height: u64) -> Self {
        Self(height)
    }
    /// The bare number, for encoding.
    pub const fn to_u64(self) -> u64 {
        self.0
    }
    /// The following height. Saturates at the end of `u64`.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
    /// Returns the height `blocks` above this one, or `None` on overflow.
    pub fn checked_add(self, blocks: u64) -> Option<Self> {
        self.0.checked_add(blocks).map(Self)
    }
    /// Returns the height `blocks` below this one, or `None` below zero.
    pub fn checked_sub(self, blocks: u64) -> Option<Self> {
        self.0.checked_sub(blocks).map(Self)
    }
}

impl Epoch {
    /// Wraps an epoch number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
    /// The bare number, for encoding.
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl BtcDepth {
    /// Wraps a depth.
    pub const fn new(blocks: u32) -> Self {
        Self(blocks)
    }
    /// The bare number.
    pub const fn to_u32(self) -> u32 {
        self.0
    }
}

impl Timelock {
    /// Returns the timelock of `blocks` blocks.
    ///
    /// # Errors
    /// [`TimelockOutOfRange`] for 0 and for more than 65,535.
    pub fn from_blocks(blocks: u32) -> Result<Self, TimelockOutOfRange> {
        match u16::try_from(blocks) {
            Ok(0) | Err(_) => Err(TimelockOutOfRange(blocks)),
            Ok(n) => Ok(Self(n)),
        }
    }
    /// The number of blocks.
    pub const fn blocks(self) -> u16 {
        self.0
    }
    /// The nSequence value that satisfies a lock of this length: the block count itself (`bitcoin.md` 8).
    pub fn to_sequence(self) -> bitcoin::Sequence {
        bitcoin::Sequence::from_height(self.0)
    }
}

impl TryFrom<u32> for Timelock {
    type Error = TimelockOutOfRange;
    fn try_from(blocks: u32) -> Result<Self, Self::Error> {
        Self::from_blocks(blocks)
    }
}

impl From<Timelock> for u32 {
    fn from(lock: Timelock) -> u32 {
        u32::from(lock.0)
    }
}

impl fmt::Display for BtcHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for PosHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for BtcDepth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for Timelock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_at_the_tip_has_depth_0_and_one_above_it_has_none() {
        let depth =
            |height, tip| BtcHeight::new(height).depth_under(BtcHeight::new(tip)).map(BtcDepth::to_u32);
        assert_eq!(depth(100, 100), Some(0));
        assert_eq!(depth(90, 100), Some(10));
        assert_eq!(depth(101, 100), None);
        assert_eq!(depth(0, u32::MAX), Some(u32::MAX));
    }

    #[test]
    fn timelocks_are_1_to_65535_blocks() {
        for (blocks, valid) in [(0, false), (1, true), (65_535, true), (65_536, false), (u32::MAX, false)] {
            assert_eq!(Timelock::from_blocks(blocks).is_ok(), valid, "{blocks}");
            let json = serde_json::from_str::<Timelock>(&blocks.to_string());
            assert_eq!(json.is_ok(), valid, "{blocks}");
        }
        let lock = Timelock::from_blocks(65_535).unwrap();
        assert_eq!(lock.to_sequence().to_consensus_u32(), 65_535);
        assert!(lock.to_sequence().is_relative_lock_time());
    }

    #[test]
    fn heights_do_not_wrap() {
        assert_eq!(BtcHeight::new(u32::MAX).checked_add(1), None);
        assert_eq!(BtcHeight::new(0).checked_sub(1), None);
        assert_eq!(PosHeight::new(u64::MAX).checked_add(1), None);
        assert_eq!(PosHeight::new(0).checked_sub(1), None);
        assert_eq!(PosHeight::new(u64::MAX).next(), PosHeight::new(u64::MAX));
    }
}

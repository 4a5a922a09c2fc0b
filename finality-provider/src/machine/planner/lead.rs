//! How far ahead randomness must be committed.
//!
//! A commitment made now is usable once its epoch is final on Bitcoin: the epoch has to end, its checkpoint has to get into
//! a Bitcoin block and `w` blocks on top of it have to follow (`chain.md` 3.4, 10.1). In blocks of the chain:
//!
//! ```text
//! usual = epoch interval + (w + 12) * 10 min / time between blocks
//! ahead = 2 epoch intervals + ((w + 12) * 15 min + 36 h) / time between blocks
//! ```
//!
//! Twelve Bitcoin blocks are for the checkpoint to be sent and included. Ten minutes are Bitcoin's pace; fifteen cover chance
//! many times over (three hundred blocks take 50 hours with a standard deviation of 3) and weeks of falling hash rate. The
//! 36 hours cover a checkpoint that is reported a day late while a node or the account is out of order for half a day. On
//! mainnet (360 blocks of 10 s, w = 300) this is 19,080 and 41,760 blocks, 53 and 116 hours. Being early costs nothing: it
//! takes as many commitments.
//!
//! `ahead` is what the planner keeps covered. Less than `usual` is an alarm: a commitment that is made only now is likely to
//! come too late.

use btc_staking_protocol::{finality::randomness::MAX_START_OFFSET, height::BtcDepth};
use std::{num::NonZeroU64, time::Duration};

/// Bitcoin blocks for a checkpoint to be sent and included.
const REPORTING: u64 = 12;
/// Bitcoin's pace, and the pace that is reckoned with, in milliseconds.
const USUAL_SPACING: u128 = 600_000;
const SLOW_SPACING: u128 = 900_000;
/// What is added to a slow pace, in milliseconds: for checkpoints that come late and for what is out of order here.
const RESERVE: u128 = 36 * 3_600_000;
/// The time between blocks until it was measured: that of the public networks.
const USUAL_BLOCK_TIME: Duration = Duration::from_secs(10);
/// A commitment further ahead than this would not be taken any more when it is made.
const MOST: u64 = MAX_START_OFFSET - 10_000;

/// How far ahead to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// As far as the chain's epochs, its `w` and the time between its blocks make necessary, with a reserve.
    Auto,
    /// So many blocks.
    Blocks(u64),
}

/// What decides how long a commitment takes to become usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// Blocks in an epoch; `None` on a chain without epochs.
    pub epoch_interval: Option<NonZeroU64>,
    /// `w`.
    pub finalization_timeout: BtcDepth,
    /// Mean time between blocks of the chain, once it was measured.
    pub block_time: Option<Duration>,
}

impl Delays {
    /// Blocks until a commitment made now is usable, if Bitcoin keeps its pace.
    pub fn usual(&self) -> u64 {
        self.epoch().saturating_add(self.blocks_during(USUAL_SPACING, 0)).min(MOST)
    }

    /// The same with a reserve, which is how far ahead to commit.
    pub fn with_reserve(&self) -> u64 {
        let epochs = self.epoch().saturating_mul(2);
        epochs.saturating_add(self.blocks_during(SLOW_SPACING, RESERVE)).min(MOST)
    }

    fn epoch(&self) -> u64 {
        self.epoch_interval.map_or(0, NonZeroU64::get)
    }

    /// Blocks of the chain while a checkpoint becomes final on a Bitcoin of this pace and a reserve passes, rounded up.
    fn blocks_during(&self, spacing: u128, reserve: u128) -> u64 {
        let block_time = self.block_time.unwrap_or(USUAL_BLOCK_TIME).as_millis().max(1);
        let bitcoin_blocks =
            u128::from(u64::from(self.finalization_timeout.to_u32()).saturating_add(REPORTING));
        let time = bitcoin_blocks.saturating_mul(spacing).saturating_add(reserve);
        u64::try_from(time.div_ceil(block_time)).unwrap_or(u64::MAX)
    }
}

impl Lead {
    /// Blocks above the tip that are to be covered at any time.
    pub fn blocks(self, delays: &Delays) -> u64 {
        match self {
            Self::Auto => delays.with_reserve(),
            Self::Blocks(blocks) => blocks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(interval: u64, w: u32, block_time_ms: u64) -> Delays {
        Delays {
            epoch_interval: NonZeroU64::new(interval),
            finalization_timeout: BtcDepth::new(w),
            block_time: Some(Duration::from_millis(block_time_ms)),
        }
    }

    #[test]
    fn the_lead_follows_from_epochs_bitcoin_and_the_pace_of_the_chain() {
        // (epoch interval, w, time between blocks in ms) -> (usual, with reserve)
        let table = [
            ((360, 300, 10_000), (19_080, 41_760)),
            ((360, 100, 10_000), (7_080, 23_760)),
            ((10, 4, 1_000), (9_610, 144_020)),
            ((360, 300, 9_999), (19_082, 41_765)),
            ((360, 300, 1_000), (150_000, 150_000)),
            ((0, 0, 0), (150_000, 150_000)),
        ];
        for ((interval, w, block_time), expected) in table {
            let delays = delays(interval, w, block_time);
            assert_eq!((delays.usual(), delays.with_reserve()), expected, "{delays:?}");
        }
        let unmeasured = Delays { block_time: None, ..delays(360, 300, 1) };
        assert_eq!(Lead::Auto.blocks(&unmeasured), 41_760);
        assert_eq!(Lead::Blocks(7).blocks(&unmeasured), 7);
    }
}

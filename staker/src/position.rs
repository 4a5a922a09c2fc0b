//! Where a stake's coins are, computed from what blocks of Bitcoin show. Nothing here is stored or told.
//!
//! ```text
//! absent -> staked --timelock--------------------------------> withdrawn
//!             | \--unbonding tx--> unbonding --timelock-------> withdrawn
//!             |                        \--slashing tx--+
//!             \--slashing tx---------------------------+-> slashed --timelock--> withdrawn
//! ```

use bitcoin::{OutPoint, Txid};
use btc_staking_bitcoin_node::watch::{Spend, Watch};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, SlashedOutput},
    height::{BtcHeight, Timelock},
    output::SpendPath,
    tx::withdrawal::{WithdrawalInput, WithdrawalKind},
};

/// Where the coins of a stake are on the best chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The staking transaction is in no block.
    Absent,
    /// In the staking output.
    Staked {
        /// Height of the staking transaction.
        at: BtcHeight,
    },
    /// In the unbonding output.
    Unbonding {
        /// Height of the unbonding transaction.
        at: BtcHeight,
    },
    /// What a slashing left is in the refund output.
    Slashed {
        /// Which output was slashed.
        output: SlashedOutput,
        /// The slashing transaction.
        slashing_txid: Txid,
        /// Its height.
        at: BtcHeight,
    },
    /// Back with their holder.
    Withdrawn {
        /// Which output was withdrawn.
        kind: WithdrawalKind,
        /// The withdrawal.
        txid: Txid,
        /// Its height.
        at: BtcHeight,
    },
    /// Spent by a transaction this program knows nothing about.
    Elsewhere {
        /// The transaction.
        txid: Txid,
        /// Its height.
        at: BtcHeight,
    },
}

/// An output that waits for its timelock, or can be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawable {
    /// The output.
    pub input: WithdrawalInput,
    /// Height of the transaction that created it.
    pub created_at: BtcHeight,
}

/// Watches everything that can happen to a stake.
pub fn watch_stake(watch: &mut Watch, stake: &CheckedDelegation) {
    watch.watch_txid(stake.staking_txid());
    for outpoint in outpoints(stake) {
        watch.watch_outpoint(outpoint);
    }
}

/// The four outputs a stake's coins can be in.
pub fn outpoints(stake: &CheckedDelegation) -> [OutPoint; 4] {
    let refund = |output| OutPoint::new(stake.slashing_tx(output).compute_txid(), 1);
    [
        stake.staking_outpoint(),
        stake.unbonding_outpoint(),
        refund(SlashedOutput::Staking),
        refund(SlashedOutput::Unbonding),
    ]
}

impl Position {
    /// Finds the coins of a stake.
    pub fn find(stake: &CheckedDelegation, watch: &Watch) -> Self {
        let Some(confirmation) = watch.confirmation(&stake.staking_txid()) else { return Self::Absent };
        let Some(spend) = watch.spend(&stake.staking_outpoint()) else {
            return Self::Staked { at: confirmation.block.height };
        };
        match stake.classify_staking_spend(&spend.spender.tx) {
            Some(SpendPath::Timelock) => withdrawn(WithdrawalKind::ExpiredStake, spend),
            Some(SpendPath::Unbonding) => after_unbonding(stake, watch, spend),
            Some(SpendPath::Slashing) => after_slashing(stake, watch, SlashedOutput::Staking, spend),
            None => elsewhere(spend),
        }
    }

    /// Height of the transaction that brought the coins where they are.
    pub fn height(self) -> Option<BtcHeight> {
        match self {
            Self::Absent => None,
            Self::Staked { at }
            | Self::Unbonding { at }
            | Self::Slashed { at, .. }
            | Self::Withdrawn { at, .. }
            | Self::Elsewhere { at, .. } => Some(at),
        }
    }

    /// The slashing transaction, while its refund is not withdrawn.
    pub fn slashing_txid(self) -> Option<Txid> {
        match self {
            Self::Slashed { slashing_txid, .. } => Some(slashing_txid),
            Self::Absent
            | Self::Staked { .. }
            | Self::Unbonding { .. }
            | Self::Withdrawn { .. }
            | Self::Elsewhere { .. } => None,
        }
    }

    /// The withdrawal that brought the coins back.
    pub fn withdrawal_txid(self) -> Option<Txid> {
        match self {
            Self::Withdrawn { txid, .. } => Some(txid),
            Self::Absent
            | Self::Staked { .. }
            | Self::Unbonding { .. }
            | Self::Slashed { .. }
            | Self::Elsewhere { .. } => None,
        }
    }

    /// The output the holder can take back, now or later.
    pub fn withdrawable(self, stake: &CheckedDelegation) -> Option<Withdrawable> {
        let (input, created_at) = match self {
            Self::Staked { at } => (stake.withdraw_expired_stake(), at),
            Self::Unbonding { at } => (stake.withdraw_unbonding_output(), at),
            Self::Slashed { output, at, .. } => (stake.withdraw_slashing_refund(output), at),
            Self::Absent | Self::Withdrawn { .. } | Self::Elsewhere { .. } => return None,
        };
        Some(Withdrawable { input, created_at })
    }
}

impl Withdrawable {
    /// Lowest height of the tip at which nodes take the withdrawal: it is then valid in the next block.
    pub fn from_tip(&self) -> BtcHeight {
        let lock: Timelock = self.input.timelock();
        let blocks = u32::from(lock.blocks()).saturating_sub(1);
        self.created_at.checked_add(blocks).unwrap_or(BtcHeight::new(u32::MAX))
    }

    /// Blocks still to come before it can be withdrawn; 0 when it can.
    pub fn blocks_left(&self, tip: BtcHeight) -> u32 {
        self.from_tip().to_u32().saturating_sub(tip.to_u32())
    }
}

fn after_unbonding(stake: &CheckedDelegation, watch: &Watch, spend: &Spend) -> Position {
    if spend.spender.tx.compute_txid() != stake.unbonding_outpoint().txid {
        // The unbonding path with another transaction: an expansion of the stake.
        return elsewhere(spend);
    }
    let Some(next) = watch.spend(&stake.unbonding_outpoint()) else {
        return Position::Unbonding { at: spend.spender.block.height };
    };
    match stake.classify_unbonding_spend(&next.spender.tx) {
        Some(SpendPath::Timelock) => withdrawn(WithdrawalKind::UnbondingOutput, next),
        Some(SpendPath::Slashing) => after_slashing(stake, watch, SlashedOutput::Unbonding, next),
        Some(SpendPath::Unbonding) | None => elsewhere(next),
    }
}

fn after_slashing(
    stake: &CheckedDelegation,
    watch: &Watch,
    output: SlashedOutput,
    spend: &Spend,
) -> Position {
    let slashing_txid = stake.slashing_tx(output).compute_txid();
    if spend.spender.tx.compute_txid() != slashing_txid {
        return elsewhere(spend);
    }
    match watch.spend(&OutPoint::new(slashing_txid, 1)) {
        None => Position::Slashed { output, slashing_txid, at: spend.spender.block.height },
        Some(next) => withdrawn(WithdrawalKind::SlashingRefund, next),
    }
}

fn withdrawn(kind: WithdrawalKind, spend: &Spend) -> Position {
    Position::Withdrawn { kind, txid: spend.spender.tx.compute_txid(), at: spend.spender.block.height }
}

fn elsewhere(spend: &Spend) -> Position {
    Position::Elsewhere { txid: spend.spender.tx.compute_txid(), at: spend.spender.block.height }
}

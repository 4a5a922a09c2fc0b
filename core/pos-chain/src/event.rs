//! What happened on the chain, block by block.
//!
//! Events are hints with a position, not a substitute for state: a role that missed some reads the state again. Their
//! use is to learn *that* something changed without listing everything at every block. [`EventFollower`] goes through
//! the blocks one by one and can start anywhere, so that a restart leaves no gap.

use crate::{
    message::RecoveredSecret,
    ports::{ChainError, HeadReader, Listing, Result},
};
use async_trait::async_trait;
use bitcoin::{BlockHash, Transaction, Txid};
use btc_staking_protocol::{
    delegation::DelegationStatus,
    finality::evidence::Evidence,
    height::{BtcHeight, PosHeight},
    keys::{CovenantPublicKey, FinalityProviderPublicKey},
};

/// Something that happened, as far as roles care.
#[derive(Debug, Clone)]
pub enum ChainEvent {
    /// A stake was registered.
    DelegationCreated {
        /// The staking transaction.
        staking_tx: Box<Transaction>,
        /// Finality providers in message order.
        finality_providers: Vec<FinalityProviderPublicKey>,
        /// The stake it expands.
        expands: Option<Txid>,
    },
    /// A committee member signed; its adaptor signatures are in the delegation.
    CovenantSigned {
        /// The stake.
        staking_txid: Txid,
        /// The member.
        covenant: CovenantPublicKey,
    },
    /// The covenant quorum was reached.
    QuorumReached {
        /// The stake.
        staking_txid: Txid,
        /// Status since.
        status: DelegationStatus,
    },
    /// The staking transaction was proven to be on Bitcoin.
    InclusionProven {
        /// The stake.
        staking_txid: Txid,
        /// Block of the staking transaction.
        start: BtcHeight,
        /// End of its timelock.
        end: BtcHeight,
        /// Status since.
        status: DelegationStatus,
    },
    /// The stake was left by its registered unbonding transaction or by an expansion.
    UnbondedEarly {
        /// The stake.
        staking_txid: Txid,
        /// Block of the spend.
        spent_at: BtcHeight,
        /// The expansion, if it was one.
        expanded_by: Option<Txid>,
    },
    /// The staking output was spent in any other way.
    UnexpectedSpend {
        /// The stake.
        staking_txid: Txid,
        /// The spending transaction.
        spending_txid: Txid,
        /// Its block.
        block_hash: BlockHash,
        /// Its position in the block.
        index: u32,
    },
    /// The timelock is about to end and the stake lost its power.
    DelegationExpired {
        /// The stake.
        staking_txid: Txid,
    },
    /// A double sign was seen and the provider slashed.
    ProviderSlashed(Box<Evidence>),
    /// A provider's secret key was shown to the chain and the provider slashed.
    SelectiveSlashing {
        /// The provider.
        finality_provider: FinalityProviderPublicKey,
        /// Its secret.
        secret: RecoveredSecret,
    },
    /// A provider changed its status.
    ProviderStatusChanged {
        /// The provider.
        finality_provider: FinalityProviderPublicKey,
        /// Status since.
        status: ProviderStatus,
    },
    /// A provider was jailed for missing votes.
    ProviderJailed {
        /// The provider.
        finality_provider: FinalityProviderPublicKey,
    },
    /// The light client gave up headers above a fork.
    LightClientRolledBack {
        /// Last header both branches share.
        to: BlockHash,
    },
    /// The light client has a new tip.
    LightClientAdvanced {
        /// The tip.
        to: BlockHash,
        /// Its height.
        height: BtcHeight,
    },
}

/// Status of a finality provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderStatus {
    /// Outside the active set.
    Inactive,
    /// In the active set.
    Active,
    /// In jail.
    Jailed,
    /// Slashed for good.
    Slashed,
}

/// Reads events.
#[async_trait]
pub trait EventReader: Send + Sync {
    /// Returns what happened in a block, transactions first. Events that do not decode are in
    /// [`Listing::malformed`].
    ///
    /// # Errors
    /// [`NotYet`](crate::ErrorKind::NotYet) above the tip, [`Pruned`](crate::ErrorKind::Pruned) below what the node keeps.
    async fn fetch_events(&self, height: PosHeight) -> Result<Listing<ChainEvent>>;
}

/// Word of new blocks, to look sooner than the clock says.
///
/// A hint is nothing but that: it may come without a new block, and a block without a hint. Whoever waits for one also
/// polls, and reads the chain as if there had been none.
#[async_trait]
pub trait Hints: Send {
    /// Returns once there is word that did not come before the last return; never, where there are no hints. Dropping the
    /// wait loses nothing.
    async fn next(&mut self);
}

/// Hints that never come.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHints;

#[async_trait]
impl Hints for NoHints {
    async fn next(&mut self) {
        std::future::pending().await
    }
}

/// Gives hints.
pub trait HintReader: Send + Sync {
    /// Returns hints from now on, for one who waits for them.
    fn block_hints(&self) -> Box<dyn Hints>;
}

/// Events of consecutive blocks.
#[derive(Debug, Clone)]
pub struct BlockEvents {
    /// The block.
    pub height: PosHeight,
    /// What happened in it.
    pub events: Listing<ChainEvent>,
}

/// Goes through the blocks one by one, each exactly once, from where it is told to start.
#[derive(Debug, Clone)]
pub struct EventFollower {
    next: PosHeight,
}

impl EventFollower {
    /// Starts after the last block that was processed; `PosHeight::new(0)` starts with the first block.
    pub const fn after(processed: PosHeight) -> Self {
        Self { next: processed.next() }
    }

    /// The next block to be read.
    pub const fn next_height(&self) -> PosHeight {
        self.next
    }

    /// Returns the next blocks up to the tip, at most `most` of them; none when there is nothing new.
    ///
    /// The position moves with every block that was read, also when a later one fails. Whoever receives a block records
    /// it as processed before asking again.
    ///
    /// # Errors
    /// [`ChainError`] if not even one block could be read; what was read before a failure is returned without it, and
    /// the failure comes back on the next call if it persists.
    pub async fn fetch_next(
        &mut self,
        chain: &(impl EventReader + HeadReader + ?Sized),
        most: usize,
    ) -> Result<Vec<BlockEvents>> {
        let head = chain.fetch_head().await?;
        let mut blocks = Vec::new();
        while blocks.len() < most && self.next <= head.height {
            match chain.fetch_events(self.next).await {
                Ok(events) => blocks.push(BlockEvents { height: self.next, events }),
                Err(error) => return some_or(blocks, error),
            }
            self.next = self.next.next();
        }
        Ok(blocks)
    }
}

fn some_or(blocks: Vec<BlockEvents>, error: ChainError) -> Result<Vec<BlockEvents>> {
    if blocks.is_empty() { Err(error) } else { Ok(blocks) }
}

//! The wallet that funds stakes: `bdk_wallet` over our own blocks and records (`docs/adr/0005-wallet-follows-blocks.md`).
//!
//! It chooses coins, keeps change and locks what a stake uses; it knows public descriptors only and signs nothing. Every
//! change of it is a change set that its caller stores, in one commit with whatever must agree with it.
//!
//! Inputs are taproot key spends by construction, so the txid of a staking transaction is final before it is signed, and
//! its sequence is final too: a staking transaction is never replaced, since another txid would void the approval.

use crate::keys::WalletDescriptors;
use bdk_wallet::{
    ChangeSet, CreateParams, KeychainKind, LoadParams, TxOrdering,
    chain::{BlockId, Indexer, Merge, local_chain::ApplyHeaderError},
    error::CreateTxError,
};
use bitcoin::{
    Address, Amount, Block, FeeRate, Network, OutPoint, Psbt, Sequence, Transaction, TxOut,
    absolute::LockTime,
};
use btc_staking_bitcoin_node::follower::ChainEvent;
use serde::Serialize;
use thiserror::Error;

/// Addresses looked for beyond the last one used.
const LOOKAHEAD: u32 = 100;

/// The wallet.
pub struct Wallet(bdk_wallet::Wallet);

/// What the wallet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Confirmed coins that no stake has reserved.
    #[serde(rename = "spendable_sat", with = "bitcoin::amount::serde::as_sat")]
    pub spendable: Amount,
    /// Confirmed coins reserved for stakes that are not on Bitcoin yet.
    #[serde(rename = "reserved_sat", with = "bitcoin::amount::serde::as_sat")]
    pub reserved: Amount,
    /// Change and withdrawals on their way into a block.
    #[serde(rename = "pending_sat", with = "bitcoin::amount::serde::as_sat")]
    pub pending: Amount,
    /// Mining rewards that are too young to be spent.
    #[serde(rename = "immature_sat", with = "bitcoin::amount::serde::as_sat")]
    pub immature: Amount,
}

/// Which address is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextAddress {
    /// The first that nobody has paid to.
    Unused,
    /// One that was never shown.
    New,
}

/// A funded, unsigned transaction.
#[derive(Debug, Clone)]
pub struct Funded {
    /// The transaction with what is needed to sign it.
    pub psbt: Psbt,
    /// Its fee.
    pub fee: Amount,
}

/// Why the wallet cannot be opened.
#[derive(Debug, Error)]
#[error("wallet cannot be opened: {0}")]
pub struct CannotOpen(String);

/// Why the wallet cannot fund an output.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CannotFund {
    /// Too few confirmed coins that are not reserved.
    #[error(
        "{needed} are needed with the fee, the wallet has {available} in confirmed coins that no other stake uses"
    )]
    TooFewCoins {
        /// Output and fee.
        needed: Amount,
        /// What there is.
        available: Amount,
    },
    /// The fee is above what the holder allows.
    #[error("the fee would be {fee}, above the {max} allowed (--max-fee)")]
    FeeAbove {
        /// Fee at the feerate.
        fee: Amount,
        /// Largest fee allowed.
        max: Amount,
    },
    /// Something else, in the wallet library's words.
    #[error("wallet cannot build the transaction: {0}")]
    Other(String),
}

/// A block that does not connect to those the wallet has seen.
#[derive(Debug, Error)]
#[error("block does not connect to the wallet's chain: {0}")]
pub struct DoesNotConnect(String);

impl From<ApplyHeaderError> for DoesNotConnect {
    fn from(error: ApplyHeaderError) -> Self {
        Self(error.to_string())
    }
}

impl Wallet {
    /// Makes the wallet of these descriptors, with nothing in it.
    ///
    /// # Errors
    /// [`CannotOpen`] when the descriptors are not of the network.
    pub fn create(descriptors: &WalletDescriptors, network: Network) -> Result<Self, CannotOpen> {
        let params = CreateParams::new(descriptors.receive.clone(), descriptors.change.clone());
        let wallet = params.network(network).lookahead(LOOKAHEAD).create_wallet_no_persist();
        wallet.map(Self).map_err(|error| CannotOpen(error.to_string()))
    }

    /// Opens the wallet that stored change sets describe, oldest first; `None` when there are none.
    ///
    /// # Errors
    /// [`CannotOpen`] when they describe another wallet or network.
    pub fn load(
        stored: impl IntoIterator<Item = ChangeSet>,
        descriptors: &WalletDescriptors,
        network: Network,
    ) -> Result<Option<Self>, CannotOpen> {
        let mut merged = ChangeSet::default();
        stored.into_iter().for_each(|changes| merged.merge(changes));
        if merged.is_empty() {
            return Ok(None);
        }
        let params = LoadParams::new()
            .descriptor(KeychainKind::External, Some(descriptors.receive.clone()))
            .descriptor(KeychainKind::Internal, Some(descriptors.change.clone()))
            .check_network(network)
            .lookahead(LOOKAHEAD);
        let wallet = params.load_wallet_no_persist(merged).map_err(|error| CannotOpen(error.to_string()))?;
        Ok(wallet.map(Self))
    }

    /// Takes the changes that are not stored yet.
    pub fn take_changes(&mut self) -> Option<ChangeSet> {
        self.0.take_staged()
    }

    /// Takes the follower's next events; `caught_up` says that the last of them is the tip.
    ///
    /// Blocks that do not concern the wallet are passed over, except the tip and those that replace blocks the wallet
    /// has: a stale one would stay otherwise. A disconnected block needs no action of its own.
    ///
    /// # Errors
    /// [`DoesNotConnect`].
    pub fn on_events(&mut self, events: &[ChainEvent], caught_up: bool) -> Result<(), DoesNotConnect> {
        for (index, event) in events.iter().enumerate() {
            let ChainEvent::Connected { block_ref, block } = event else { continue };
            let height = block_ref.height.to_u32();
            let is_tip = caught_up && index + 1 == events.len();
            let replaces = height <= self.0.latest_checkpoint().height();
            if is_tip || replaces || self.concerns_us(block) {
                self.connect(height, block)?;
            }
        }
        Ok(())
    }

    fn concerns_us(&self, block: &Block) -> bool {
        block.txdata.iter().any(|tx| self.0.spk_index().is_tx_relevant(tx))
    }

    fn connect(&mut self, height: u32, block: &Block) -> Result<(), DoesNotConnect> {
        let below = self.0.latest_checkpoint().iter().find(|checkpoint| checkpoint.height() < height);
        // The genesis block is in every wallet from the start.
        let Some(below) = below else { return Ok(()) };
        let below = BlockId { height: below.height(), hash: below.hash() };
        Ok(self.0.apply_block_connected_to(block, height, below)?)
    }

    /// Tells of a transaction of ours that was broadcast, so that its coins are not used again.
    pub fn note_broadcast(&mut self, tx: &Transaction, unix_time: u64) {
        self.0.apply_unconfirmed_txs([(tx.clone(), unix_time)]);
    }

    /// An address to receive at.
    pub fn address(&mut self, which: NextAddress) -> Address {
        match which {
            NextAddress::Unused => self.0.next_unused_address(KeychainKind::External).address,
            NextAddress::New => self.0.reveal_next_address(KeychainKind::External).address,
        }
    }

    /// What there is.
    pub fn balance(&self) -> Balance {
        let total = self.0.balance();
        let reserved = self
            .0
            .list_unspent()
            .filter(|coin| coin.chain_position.is_confirmed() && self.0.is_outpoint_locked(coin.outpoint))
            .map(|coin| coin.txout.value)
            .sum();
        Balance {
            spendable: total.confirmed.checked_sub(reserved).unwrap_or(Amount::ZERO),
            reserved,
            pending: total.trusted_pending + total.untrusted_pending,
            immature: total.immature,
        }
    }

    /// Builds a transaction with `output` first and change last, out of confirmed coins that are not reserved. Nothing
    /// is reserved yet; see [`Wallet::reserve`].
    ///
    /// # Errors
    /// [`CannotFund`].
    pub fn fund(&mut self, output: &TxOut, feerate: FeeRate, max_fee: Amount) -> Result<Funded, CannotFund> {
        let mut builder = self.0.build_tx();
        builder
            .add_recipient(output.script_pubkey.clone(), output.value)
            .fee_rate(feerate)
            .ordering(TxOrdering::Untouched)
            .exclude_unconfirmed()
            .only_witness_utxo()
            .nlocktime(LockTime::ZERO)
            .version(2)
            .set_exact_sequence(Sequence::MAX);
        let psbt = builder.finish().map_err(|error| self.explain(error))?;
        let fee = psbt.fee().map_err(|error| CannotFund::Other(error.to_string()))?;
        if fee > max_fee {
            return Err(CannotFund::FeeAbove { fee, max: max_fee });
        }
        Ok(Funded { psbt, fee })
    }

    fn explain(&self, error: CreateTxError) -> CannotFund {
        match error {
            CreateTxError::CoinSelection(short) => {
                CannotFund::TooFewCoins { needed: short.needed, available: self.balance().spendable }
            }
            other => CannotFund::Other(other.to_string()),
        }
    }

    /// Reserves coins: no other transaction is funded with them until they are released.
    pub fn reserve(&mut self, coins: impl IntoIterator<Item = OutPoint>) {
        coins.into_iter().for_each(|coin| self.0.lock_outpoint(coin));
    }

    /// Whether a coin is reserved.
    pub fn is_reserved(&self, coin: OutPoint) -> bool {
        self.0.is_outpoint_locked(coin)
    }

    /// Releases reserved coins.
    pub fn release(&mut self, coins: impl IntoIterator<Item = OutPoint>) {
        coins.into_iter().for_each(|coin| self.0.unlock_outpoint(coin));
    }
}

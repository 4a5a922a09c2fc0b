//! Puts the checkpoints of a chain on Bitcoin and proves to the chain that they are there.
//!
//! A Babylon chain finalises its epochs only so, and counts a finality provider's randomness only once the epoch of the
//! commitment is final. On public networks others do this; beside a chain of our own nobody does. One epoch at a time,
//! in order: both transactions are broadcast, confirmed, and proven before the next epoch's are. What fails is tried
//! again from the start, unless the chain has come to know of the epoch's checkpoint meanwhile.
//!
//! It mines nothing but its own first coins, and reports no headers.

use super::{
    account::{Account, AccountError},
    checkpoint::{Checkpoint, InvalidCheckpoint},
};
use bitcoin::{
    Amount, CompressedPublicKey, EcdsaSighashType, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Txid, Witness,
    absolute::LockTime,
    consensus,
    hashes::Hash as _,
    secp256k1::{self, SECP256K1, SecretKey},
    sighash::{P2wpkhError, SighashCache},
    transaction::Version,
};
use btc_staking_babylon::proto::{
    btccheckpoint::{BTCSpvProof, MsgInsertBTCSpvProof},
    btclightclient::QueryContainsBytesRequest,
    checkpointing::{CheckpointStatus, QueryRawCheckpointRequest},
};
use btc_staking_bitcoin_node::{
    BroadcastOutcome, BurnLimit, NodeError, TxPlace,
    dev::RegtestNode,
    watch::{Confirmation, find_in_block},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What each transaction pays.
const FEE: Amount = Amount::from_sat(2_000);
/// Blocks until a coinbase may be spent.
const COINBASE_MATURITY: u32 = 100;

/// Why a checkpoint is not reported.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] AccountError),
    /// The Bitcoin node.
    #[error(transparent)]
    Bitcoin(#[from] NodeError),
    /// The chain's checkpoint is malformed.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The Bitcoin node does not take a transaction.
    #[error("the Bitcoin node refuses checkpoint transaction {txid}: {why}")]
    Refused {
        /// The transaction.
        txid: Txid,
        /// The node's words.
        why: String,
    },
    /// A confirmed transaction is not in its block.
    #[error("checkpoint transaction {0} is not in the block it is said to be in")]
    Gone(Txid),
    /// The coins cannot be signed for.
    #[error("the reporter's coins cannot be spent")]
    Sign(#[from] P2wpkhError),
    /// Nothing was mined.
    #[error("the Bitcoin node mined nothing")]
    NothingMined,
}

/// Reports checkpoints from one account with coins of its own.
pub struct Reporter {
    account: Account,
    bitcoin: Arc<dyn RegtestNode>,
    tag: [u8; 4],
    purse: Purse,
}

/// One coin, which every transaction makes smaller.
struct Purse {
    secret: SecretKey,
    public: CompressedPublicKey,
    coin: OutPoint,
    value: Amount,
}

impl Reporter {
    /// A reporter with fresh coins, which `secret` holds: a block is mined for them and a hundred on top.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn new(
        account: Account,
        bitcoin: Arc<dyn RegtestNode>,
        tag: [u8; 4],
        secret: SecretKey,
    ) -> Result<Self, ReportError> {
        let purse = Purse::fill(&*bitcoin, secret).await?;
        Ok(Self { account, bitcoin, tag, purse })
    }

    /// Reports one epoch after the other, from the first on, until it is dropped.
    pub async fn run(mut self) {
        let mut epoch = 1;
        loop {
            match self.report(epoch).await {
                Ok(()) => {
                    tracing::info!(epoch, "checkpoint reported");
                    epoch += 1;
                }
                Err(error) => {
                    tracing::warn!(epoch, error = %Chain(&error), "checkpoint not reported, trying again");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    /// Waits until the epoch is sealed, puts its checkpoint on Bitcoin and proves it; nothing where it has been proven.
    async fn report(&mut self, epoch: u64) -> Result<(), ReportError> {
        let Some(checkpoint) = self.sealed(epoch).await? else { return Ok(()) };
        let mut broadcast = Vec::new();
        for output in checkpoint.outputs(self.tag, self.account.submitter()) {
            let tx = self.purse.pay(output)?;
            let txid = tx.compute_txid();
            match self.bitcoin.broadcast(&tx, BurnLimit::NONE).await? {
                BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => {
                    self.purse.take_change(&tx);
                    broadcast.push(txid);
                }
                BroadcastOutcome::Refused(refusal) => {
                    return Err(ReportError::Refused { txid, why: format!("{refusal:?}") });
                }
            }
        }
        let mut proofs = Vec::new();
        for txid in broadcast {
            proofs.push(self.prove(txid).await?);
        }
        let submitter = self.account.address().to_owned();
        Ok(self.account.send(&MsgInsertBTCSpvProof { submitter, proofs }).await?)
    }

    /// Waits for the epoch's checkpoint; `None` when it has been proven already.
    async fn sealed(&self, epoch: u64) -> Result<Option<Checkpoint>, ReportError> {
        loop {
            match self.account.ask(&QueryRawCheckpointRequest { epoch_num: epoch }).await {
                Ok(answer) => {
                    let found = answer.raw_checkpoint.unwrap_or_default();
                    match &found.ckpt {
                        _ if found.status > CheckpointStatus::Sealed as i32 => return Ok(None),
                        Some(checkpoint) if found.status == CheckpointStatus::Sealed as i32 => {
                            return Ok(Some(Checkpoint::from_answer(checkpoint)?));
                        }
                        _ => {}
                    }
                }
                // The chain has no checkpoint of an epoch that has not ended.
                Err(AccountError::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until a transaction is in a block that the chain's light client knows, and proves it.
    async fn prove(&self, txid: Txid) -> Result<BTCSpvProof, ReportError> {
        let block_ref = loop {
            match self.bitcoin.locate(&txid).await? {
                TxPlace::Confirmed(block) => break block,
                TxPlace::Unknown | TxPlace::Mempool => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        let hash = block_ref.hash.to_byte_array().to_vec();
        while !self.account.ask(&QueryContainsBytesRequest { hash: hash.clone() }).await?.contains {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let block = self.bitcoin.fetch_block(&block_ref.hash).await?.ok_or(ReportError::Gone(txid))?;
        let found = find_in_block(block_ref, &block, &txid).ok_or(ReportError::Gone(txid))?;
        Ok(spv_proof(&found, &block.header))
    }
}

/// The proof of a confirmed transaction as the chain takes it.
pub fn spv_proof(found: &Confirmation, header: &bitcoin::block::Header) -> BTCSpvProof {
    BTCSpvProof {
        btc_transaction: consensus::serialize(&found.tx),
        btc_transaction_index: found.index,
        merkle_nodes: found.siblings.concat(),
        confirming_btc_header: consensus::serialize(header),
    }
}

impl Purse {
    async fn fill(bitcoin: &dyn RegtestNode, secret: SecretKey) -> Result<Self, ReportError> {
        let public = CompressedPublicKey(secret.public_key(SECP256K1));
        let script = ScriptBuf::new_p2wpkh(&public.wpubkey_hash());
        let mined = bitcoin.mine(1, &script).await?;
        bitcoin.mine(COINBASE_MATURITY, &script).await?;
        let first = mined.first().ok_or(ReportError::NothingMined)?;
        let block = bitcoin.fetch_block(&first.hash).await?.ok_or(ReportError::NothingMined)?;
        let coinbase = block.txdata.first().ok_or(ReportError::NothingMined)?;
        let output = coinbase.output.first().ok_or(ReportError::NothingMined)?;
        Ok(Self { secret, public, coin: OutPoint::new(coinbase.compute_txid(), 0), value: output.value })
    }

    /// A signed transaction with `output` and the change.
    fn pay(&self, output: TxOut) -> Result<Transaction, ReportError> {
        let script = ScriptBuf::new_p2wpkh(&self.public.wpubkey_hash());
        let left = self.value.checked_sub(FEE).unwrap_or(Amount::ZERO);
        let input = TxIn {
            previous_output: self.coin,
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            ..TxIn::default()
        };
        let change = TxOut { value: left, script_pubkey: script.clone() };
        let mut tx = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![output, change],
        };
        let sighash =
            SighashCache::new(&tx).p2wpkh_signature_hash(0, &script, self.value, EcdsaSighashType::All)?;
        let signature =
            SECP256K1.sign_ecdsa(&secp256k1::Message::from_digest(sighash.to_byte_array()), &self.secret);
        let signature = bitcoin::ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All };
        if let Some(input) = tx.input.first_mut() {
            input.witness = Witness::p2wpkh(&signature, &self.public.0);
        }
        Ok(tx)
    }

    /// The change of a transaction that the node took is the coin of the next one.
    fn take_change(&mut self, paid: &Transaction) {
        if let Some(change) = paid.output.last() {
            (self.coin, self.value) = (OutPoint::new(paid.compute_txid(), 1), change.value);
        }
    }
}

/// An error with its causes in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

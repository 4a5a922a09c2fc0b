//! What a law works with: the node, coins anyone may spend, and transactions made of them.

use super::{Check, Violation, call, require};
use crate::{
    dev::RegtestNode,
    ports::{BlockRef, BroadcastOutcome, BurnLimit},
};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, opcodes,
    script::Builder, transaction,
};

/// Coins the suite starts with, one per law and some to spare.
const COINS: u32 = 30;
/// Blocks until the last of them is mature.
const MATURITY: u32 = 100;
/// A fee well above any minimum for the suite's transactions, which have about 150 virtual bytes.
pub(super) const FEE: Amount = Amount::from_sat(10_000);

/// An output and the script that opens it.
#[derive(Debug, Clone)]
pub struct Coin {
    /// The output.
    pub outpoint: OutPoint,
    /// Its value.
    pub value: Amount,
    /// The witness script of its P2WSH output.
    pub witness_script: ScriptBuf,
}

/// A node and a purse.
pub struct Bench<'a> {
    /// The node under test.
    pub node: &'a dyn RegtestNode,
    purse: Vec<Coin>,
}

impl<'a> Bench<'a> {
    /// Mines the coins the suite needs.
    ///
    /// # Errors
    /// [`Violation`] when the node cannot mine.
    pub async fn prepare(node: &'a dyn RegtestNode) -> Result<Self, Violation> {
        let mine = anyone().to_p2wsh();
        let mined = call("mine", node.mine(COINS, &mine).await)?;
        call("mine", node.mine(MATURITY, &mine).await)?;
        let mut purse = Vec::new();
        for block in mined {
            purse.push(Self::coinbase_coin(node, &block).await?);
        }
        Ok(Self { node, purse })
    }

    /// The coin that mining a block brought.
    pub(super) async fn coinbase_coin(node: &dyn RegtestNode, block: &BlockRef) -> Result<Coin, Violation> {
        let block = super::present(
            "a mined block is there",
            call("fetch_block", node.fetch_block(&block.hash).await)?,
        )?;
        let coinbase = super::present("a block has a coinbase", block.txdata.first())?;
        Ok(coin_of(coinbase, 0, &anyone()))
    }

    /// Takes a mature coin.
    pub(super) fn take(&mut self) -> Result<Coin, Violation> {
        super::present("the purse holds a coin for every law", self.purse.pop())
    }

    /// Mines to the suite's own script.
    pub(super) async fn mine(&self, blocks: u32) -> Result<Vec<BlockRef>, Violation> {
        call("mine", self.node.mine(blocks, &anyone().to_p2wsh()).await)
    }

    /// Broadcasts without burning anything.
    pub(super) async fn broadcast(&self, tx: &Transaction) -> Result<BroadcastOutcome, Violation> {
        call("broadcast", self.node.broadcast(tx, BurnLimit::NONE).await)
    }

    /// Broadcasts something that must be accepted.
    pub(super) async fn send(&self, tx: &Transaction) -> Check {
        let outcome = self.broadcast(tx).await?;
        require("a valid transaction is accepted", outcome == BroadcastOutcome::Accepted, (outcome, tx))
    }
}

/// A witness script that anyone satisfies.
pub(super) fn anyone() -> ScriptBuf {
    Builder::new().push_opcode(opcodes::OP_TRUE).into_script()
}

/// The script of blocks that replace others. Each replacement pays elsewhere, so that none equals what it replaces.
pub(super) fn elsewhere(number: u32) -> ScriptBuf {
    Builder::new()
        .push_int(i64::from(number))
        .push_opcode(opcodes::all::OP_DROP)
        .push_int(1)
        .into_script()
        .to_p2wsh()
}

/// An output of a transaction as a coin.
pub(super) fn coin_of(tx: &Transaction, vout: u32, witness_script: &ScriptBuf) -> Coin {
    let outpoint = OutPoint { txid: tx.compute_txid(), vout };
    let output = usize::try_from(vout).ok().and_then(|index| tx.output.get(index));
    let value = output.map_or(Amount::ZERO, |output| output.value);
    Coin { outpoint, value, witness_script: witness_script.clone() }
}

/// Spends a coin to one P2WSH output with the given script, leaving `fee`.
pub(super) fn spend(coin: &Coin, fee: Amount, to: &ScriptBuf) -> Transaction {
    let value = coin.value.checked_sub(fee).unwrap_or(Amount::ZERO);
    spend_to(coin, vec![TxOut { value, script_pubkey: to.to_p2wsh() }])
}

/// Spends a coin to given outputs.
pub(super) fn spend_to(coin: &Coin, output: Vec<TxOut>) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::from_slice(&[coin.witness_script.as_bytes()]),
        }],
        output,
    }
}

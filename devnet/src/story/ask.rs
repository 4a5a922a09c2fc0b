//! Questions to the chain and the Bitcoin node, with answers a person can read when they are not the expected ones.

use super::{Stage, stake::Stake};
use crate::{facts::Claim, ledger::Confirmed, roster};
use bitcoin::{OutPoint, Txid};
use btc_staking_bitcoin_node::{Broadcaster as _, TxPlace};
use btc_staking_protocol::{
    delegation::{Delegation, DelegationStatus},
    height::PosHeight,
};

impl Stage<'_> {
    /// A claim that these roles answer for.
    pub fn claim<'c>(&self, who: &'c str, fact: impl Into<String>, responsible: &[&str]) -> Claim<'c> {
        let logs = responsible.iter().map(|name| self.network.daemons.log(name)).collect();
        Claim { who, fact: fact.into(), logs }
    }

    /// The holder of a stake.
    pub fn holder(&self, stake: &Stake) -> &roster::Staker {
        &self.network.roster.stakers[stake.intention.staker]
    }

    /// The finality provider of a stake.
    pub fn provider(&self, stake: &Stake) -> &roster::Provider {
        &self.network.roster.providers[stake.intention.provider]
    }

    /// Height of the chain's tip.
    pub async fn fetch_height(&self) -> Result<PosHeight, String> {
        Ok(self.network.chain.fetch_head().await.map_err(|error| error.to_string())?.height)
    }

    /// A stake as the chain tells it.
    pub async fn fetch_delegation(&self, txid: &Txid) -> Result<Delegation, String> {
        let found = self.network.chain.fetch_delegation(txid).await.map_err(|error| error.to_string())?;
        found.ok_or_else(|| "the chain knows no such stake".to_owned())
    }

    /// A stake once the chain tells this status.
    pub async fn fetch_with_status(
        &self,
        txid: &Txid,
        status: DelegationStatus,
    ) -> Result<Delegation, String> {
        let delegation = self.fetch_delegation(txid).await?;
        if delegation.status == status {
            Ok(delegation)
        } else {
            Err(format!("it is {:?}", delegation.status))
        }
    }

    /// A transaction once it is in a block of Bitcoin at this depth.
    pub async fn fetch_confirmed(&self, txid: &Txid, depth: u32) -> Result<Confirmed, String> {
        let found = self.network.ledger.fetch_confirmed(txid).await.map_err(|error| error.to_string())?;
        deep_enough(found, depth).map_err(|seen| format!("transaction {txid} {seen}"))
    }

    /// The transaction that spends an output, once it is in a block of Bitcoin at this depth.
    pub async fn fetch_spender(&self, outpoint: &OutPoint, depth: u32) -> Result<Confirmed, String> {
        let found = self.network.ledger.fetch_spender(outpoint).await.map_err(|error| error.to_string())?;
        deep_enough(found, depth).map_err(|seen| format!("the spender of {outpoint} {seen}"))
    }

    /// That a transaction is in the Bitcoin node's mempool or in a block.
    pub async fn fetch_known(&self, txid: &Txid) -> Result<(), String> {
        match self.fetch_place(txid).await? {
            TxPlace::Mempool | TxPlace::Confirmed(_) => Ok(()),
            TxPlace::Unknown => Err(format!("the Bitcoin node does not know transaction {txid}")),
        }
    }

    /// That a transaction is neither in the Bitcoin node's mempool nor in a block.
    pub async fn fetch_unknown(&self, txid: &Txid) -> Result<(), String> {
        match self.fetch_place(txid).await? {
            TxPlace::Mempool | TxPlace::Confirmed(_) => {
                Err(format!("the Bitcoin node has transaction {txid}"))
            }
            TxPlace::Unknown => Ok(()),
        }
    }

    async fn fetch_place(&self, txid: &Txid) -> Result<TxPlace, String> {
        self.network.ledger.node().locate(txid).await.map_err(|error| error.to_string())
    }
}

fn deep_enough(found: Option<Confirmed>, depth: u32) -> Result<Confirmed, String> {
    match found {
        None => Err("is in no block".to_owned()),
        Some(confirmed) if confirmed.depth.to_u32() < depth => {
            Err(format!("is {} blocks deep, {depth} are needed", confirmed.depth))
        }
        Some(confirmed) => Ok(confirmed),
    }
}

/// Satoshis as bitcoins with all decimals.
pub fn btc(amount: bitcoin::Amount) -> String {
    format!("{:.8} BTC", amount.display_in(bitcoin::Denomination::Bitcoin))
}

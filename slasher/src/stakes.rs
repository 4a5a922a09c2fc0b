//! One stake as the slasher sees it: what the chain says about it and what Bitcoin shows.
//!
//! Nothing here is a stored status. [`Stake::slashing_step`] and its siblings compute from facts on Bitcoin what to do
//! next, so a restart, a reorg or a rival spend needs no special case: the facts change and so does the answer.

use bitcoin::{OutPoint, Transaction, TxOut, Txid};
use btc_staking_bitcoin_node::watch::{Confirmation, Spend, Watch};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, Delegation, DelegationStatus, SlashedOutput},
    finality::evidence::FinalityProviderSecret,
    height::{BtcDepth, BtcHeight},
    witness::AssemblyError,
};

/// A stake under watch.
pub struct Stake {
    /// As the chain last told it.
    pub delegation: Delegation,
    /// The same, checked against its params version.
    pub checked: CheckedDelegation,
}

/// Where the slashing of one stake stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlashingStep {
    /// The staking transaction is in no block; there is nothing to slash yet.
    NotOnBitcoin,
    /// This output is unspent: broadcast.
    Fire(SlashedOutput),
    /// A slashing transaction is in a block, not deep enough yet.
    Confirming {
        /// Which output it spends.
        output: SlashedOutput,
        /// Its id.
        txid: Txid,
        /// Height of its block.
        height: BtcHeight,
    },
    /// A slashing transaction is k deep.
    Slashed {
        /// Which output it spends.
        output: SlashedOutput,
        /// Its id.
        txid: Txid,
        /// Height of its block.
        height: BtcHeight,
    },
    /// Another transaction took the coins; reopened if a reorg undoes it before it is k deep.
    TakenBy {
        /// The spender.
        txid: Txid,
        /// Height of its block.
        height: BtcHeight,
        /// Whether it is k deep.
        is_final: bool,
    },
}

impl Stake {
    /// Id of the staking transaction, the stake's name everywhere.
    pub fn txid(&self) -> Txid {
        self.staking_outpoint().txid
    }
    /// The staking output.
    pub fn staking_outpoint(&self) -> OutPoint {
        self.checked.staking_outpoint()
    }
    /// The unbonding output.
    pub fn unbonding_outpoint(&self) -> OutPoint {
        self.checked.unbonding_outpoint()
    }
    /// Id of the registered unbonding transaction.
    pub fn unbonding_txid(&self) -> Txid {
        self.delegation.terms.unbonding_tx.compute_txid()
    }
    /// Puts everything this stake depends on under watch.
    pub fn watch(&self, watch: &mut Watch) {
        watch.watch_txid(self.txid());
        watch.watch_outpoint(self.staking_outpoint());
        watch.watch_outpoint(self.unbonding_outpoint());
    }

    /// Says where the slashing of this stake stands under a Bitcoin tip.
    pub fn slashing_step(&self, watch: &Watch, tip: BtcHeight, k: BtcDepth) -> SlashingStep {
        if watch.confirmation(&self.txid()).is_none() {
            return SlashingStep::NotOnBitcoin;
        }
        let Some(spend) = watch.spend(&self.staking_outpoint()) else {
            return SlashingStep::Fire(SlashedOutput::Staking);
        };
        if spend.spender.tx.compute_txid() != self.unbonding_txid() {
            return self.settled(spend, SlashedOutput::Staking, tip, k);
        }
        match watch.spend(&self.unbonding_outpoint()) {
            None => SlashingStep::Fire(SlashedOutput::Unbonding),
            Some(spend) => self.settled(spend, SlashedOutput::Unbonding, tip, k),
        }
    }

    fn settled(&self, spend: &Spend, output: SlashedOutput, tip: BtcHeight, k: BtcDepth) -> SlashingStep {
        let txid = spend.spender.tx.compute_txid();
        let height = spend.spender.block.height;
        let deep = height.depth_under(tip).is_some_and(|depth| depth >= k);
        if txid != self.checked.slashing_tx(output).compute_txid() {
            return SlashingStep::TakenBy { txid, height, is_final: deep };
        }
        if deep {
            SlashingStep::Slashed { output, txid, height }
        } else {
            SlashingStep::Confirming { output, txid, height }
        }
    }

    /// Completes a slashing transaction with the provider's secret.
    ///
    /// # Errors
    /// [`AssemblyError`], mostly a quorum of covenant signatures that is missing.
    pub fn arm(
        &self,
        output: SlashedOutput,
        secret: &FinalityProviderSecret,
    ) -> Result<Transaction, AssemblyError> {
        // The nonce depends on key and message; a fixed value here makes the transaction the same after a restart.
        const AUX: [u8; 32] = [0; 32];
        let covenant = &self.delegation.covenant;
        match output {
            SlashedOutput::Staking => self.checked.assemble_slashing(covenant, secret, &AUX),
            SlashedOutput::Unbonding => self.checked.assemble_unbonding_slashing(covenant, secret, &AUX),
        }
    }

    /// The provider's secret, when a slashing of this stake is in a block and gives it away, and that transaction.
    pub fn revealed_secret<'w>(&self, watch: &'w Watch) -> Option<(FinalityProviderSecret, &'w Transaction)> {
        let spends = [watch.spend(&self.staking_outpoint()), watch.spend(&self.unbonding_outpoint())];
        spends.into_iter().flatten().find_map(|spend| {
            let tx = &spend.spender.tx;
            self.secret_in(tx).map(|secret| (secret, tx))
        })
    }

    /// The provider's secret, when `tx` is a completed slashing of this stake.
    pub fn secret_in(&self, tx: &Transaction) -> Option<FinalityProviderSecret> {
        self.checked.recover_finality_provider_secret(tx, &self.delegation.covenant)
    }

    /// The output a slashing spends.
    pub fn target(&self, output: SlashedOutput) -> TxOut {
        match output {
            SlashedOutput::Staking => self.checked.staking_prevout(),
            SlashedOutput::Unbonding => self.checked.unbonding_prevout(),
        }
    }

    /// The staking transaction's confirmation, when the chain waits for its proof and will take it: the stake is
    /// verified, not an expansion, and k deep in the chain's own view of Bitcoin.
    pub fn activation<'w>(
        &self,
        watch: &'w Watch,
        light_client_tip: BtcHeight,
        k: BtcDepth,
    ) -> Option<&'w Confirmation> {
        if self.delegation.status != DelegationStatus::Verified || self.delegation.expansion.is_some() {
            return None;
        }
        let confirmation = watch.confirmation(&self.txid())?;
        let depth = confirmation.block.height.depth_under(light_client_tip)?;
        (depth >= k).then_some(confirmation)
    }

    /// The spend of the staking output, when the chain does not know of it yet and will take the report.
    pub fn undelegation<'w>(&self, watch: &'w Watch, light_client_tip: BtcHeight) -> Option<&'w Spend> {
        match self.delegation.status {
            DelegationStatus::Pending | DelegationStatus::Verified | DelegationStatus::Active => {}
            DelegationStatus::Unbonded | DelegationStatus::Expired => return None,
        }
        let spend = watch.spend(&self.staking_outpoint())?;
        (spend.spender.block.height <= light_client_tip).then_some(spend)
    }
}

//! One of the three stakes.

use bitcoin::{Amount, OutPoint, Transaction, Txid};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, SlashedOutput},
    params::StakingParams,
};

/// Who stakes what with whom.
#[derive(Debug, Clone, Copy)]
pub struct Intention {
    /// `A`, `B` or `C`.
    pub name: &'static str,
    /// The holder's place in the roster.
    pub staker: usize,
    /// The finality provider's place in the roster.
    pub provider: usize,
    /// How much.
    pub amount: Amount,
    /// For how many Bitcoin blocks.
    pub timelock: u16,
}

/// The three. No provider has two thirds of the power alone, so finality needs both.
pub const INTENTIONS: [Intention; 3] = [
    Intention { name: "A", staker: 0, provider: 0, amount: Amount::from_sat(50_000_000), timelock: 10_000 },
    Intention { name: "B", staker: 1, provider: 0, amount: Amount::from_sat(30_000_000), timelock: 10_000 },
    Intention { name: "C", staker: 2, provider: 1, amount: Amount::from_sat(60_000_000), timelock: 10_000 },
];

/// A stake that the chain knows and whose terms were checked here.
pub struct Stake {
    /// What was intended.
    pub intention: Intention,
    /// The stake as registered, checked against the params.
    pub checked: CheckedDelegation,
    /// The params it was checked against.
    pub params: StakingParams,
}

impl Stake {
    /// `stake A`.
    pub fn who(&self) -> String {
        format!("stake {}", self.intention.name)
    }
    /// Names it everywhere.
    pub fn txid(&self) -> Txid {
        self.checked.staking_txid()
    }
    /// Its output on Bitcoin.
    pub fn staking_outpoint(&self) -> OutPoint {
        self.checked.staking_outpoint()
    }
    /// Its unbonding output, once there is one.
    pub fn unbonding_outpoint(&self) -> OutPoint {
        self.checked.unbonding_outpoint()
    }
    /// The transaction that slashes an output.
    pub fn slashing_tx(&self, output: SlashedOutput) -> &Transaction {
        self.checked.slashing_tx(output)
    }
    /// What a slashing leaves to the holder.
    pub fn refund_outpoint(&self, output: SlashedOutput) -> OutPoint {
        OutPoint::new(self.slashing_tx(output).compute_txid(), 1)
    }
    /// The output a slashing spends.
    pub fn slashed_outpoint(&self, output: SlashedOutput) -> OutPoint {
        match output {
            SlashedOutput::Staking => self.staking_outpoint(),
            SlashedOutput::Unbonding => self.unbonding_outpoint(),
        }
    }
}

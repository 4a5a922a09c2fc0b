//! `staker script`: what a stake locks, computed offline from its keys and times.
//!
//! A holder compares these bytes with what an app, a device or a block explorer shows before coins move. Scripts come
//! from the byte-by-byte encoder, descriptors from miniscript; the protocol crate's tests hold the two together.
//! Spec: `bitcoin.md` 1 and 2.

use crate::table::Table;
use bitcoin::{Network, hex::DisplayHex};
use btc_staking_protocol::{
    committee::{CovenantCommittee, InvalidCommittee},
    height::Timelock,
    keys::{CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    output::{Leaf, StakeOutputs},
    script::{InvalidStakeKeys, StakeKeys},
};
use serde::Serialize;
use thiserror::Error;

/// What determines the outputs of a stake.
#[derive(Debug, Clone)]
pub struct ScriptQuestion {
    /// The holder.
    pub staker: StakerPublicKey,
    /// Finality providers, in any order.
    pub finality_providers: Vec<FinalityProviderPublicKey>,
    /// Members of the committee, in any order.
    pub covenant: Vec<CovenantPublicKey>,
    /// Signatures of the committee that are needed.
    pub quorum: u32,
    /// Timelock of the stake.
    pub staking_time: Timelock,
    /// Timelock of the unbonding output and of slashing refunds.
    pub unbonding_time: Timelock,
    /// Whose addresses are shown.
    pub network: Network,
}

/// Why there is no such stake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoScript {
    /// The covenant keys and the quorum are no committee.
    #[error("covenant keys form no committee")]
    Committee(#[from] InvalidCommittee),
    /// The keys cannot form scripts, for instance because one is repeated.
    #[error("keys form no stake")]
    Keys(#[from] InvalidStakeKeys),
}

/// The three outputs. Its JSON form is part of the interface; everything in it is lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScriptReport {
    staking: OutputReport<StakingLeaves>,
    unbonding: OutputReport<UnbondingLeaves>,
    refund: OutputReport<RefundLeaves>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OutputReport<L> {
    script_pubkey: String,
    address: String,
    descriptor: String,
    leaves: L,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct StakingLeaves {
    timelock: LeafReport,
    unbonding: LeafReport,
    slashing: LeafReport,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct UnbondingLeaves {
    timelock: LeafReport,
    slashing: LeafReport,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RefundLeaves {
    timelock: LeafReport,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct LeafReport {
    script: String,
    leaf_hash: String,
    control_block: String,
}

impl LeafReport {
    fn new(leaf: &Leaf) -> Self {
        Self {
            script: leaf.script().to_hex_string(),
            leaf_hash: leaf.hash().to_string(),
            control_block: leaf.control_block().serialize().to_lower_hex_string(),
        }
    }
}

impl ScriptQuestion {
    /// Computes the outputs.
    ///
    /// # Errors
    /// [`NoScript`].
    pub fn answer(&self) -> Result<ScriptReport, NoScript> {
        let committee = CovenantCommittee::new(self.quorum, self.covenant.clone())?;
        let keys = StakeKeys::new(self.staker, &self.finality_providers, &committee)?;
        let outputs = StakeOutputs::new(keys, self.staking_time, self.unbonding_time);
        Ok(ScriptReport::new(&outputs, self.network))
    }
}

impl ScriptReport {
    /// Describes outputs.
    pub fn new(outputs: &StakeOutputs, network: Network) -> Self {
        let StakeOutputs { staking, unbonding, refund } = outputs;
        Self {
            staking: OutputReport {
                script_pubkey: staking.script_pubkey().to_hex_string(),
                address: staking.address(network).to_string(),
                descriptor: staking.descriptor(),
                leaves: StakingLeaves {
                    timelock: LeafReport::new(staking.timelock_leaf()),
                    unbonding: LeafReport::new(staking.unbonding_leaf()),
                    slashing: LeafReport::new(staking.slashing_leaf()),
                },
            },
            unbonding: OutputReport {
                script_pubkey: unbonding.script_pubkey().to_hex_string(),
                address: unbonding.address(network).to_string(),
                descriptor: unbonding.descriptor(),
                leaves: UnbondingLeaves {
                    timelock: LeafReport::new(unbonding.timelock_leaf()),
                    slashing: LeafReport::new(unbonding.slashing_leaf()),
                },
            },
            refund: OutputReport {
                script_pubkey: refund.script_pubkey().to_hex_string(),
                address: refund.address(network).to_string(),
                descriptor: refund.descriptor(),
                leaves: RefundLeaves { timelock: LeafReport::new(refund.timelock_leaf()) },
            },
        }
    }

    /// The report for people.
    pub fn to_table(&self) -> String {
        let Self { staking, unbonding, refund } = self;
        let StakingLeaves { timelock, unbonding: early, slashing } = &staking.leaves;
        let mut text = staking.section(
            "staking output",
            &[("timelock", timelock), ("unbonding", early), ("slashing", slashing)],
        );
        let UnbondingLeaves { timelock, slashing } = &unbonding.leaves;
        text += "\n";
        text += &unbonding.section("unbonding output", &[("timelock", timelock), ("slashing", slashing)]);
        text += "\n";
        text += &refund.section("slashing refund output", &[("timelock", &refund.leaves.timelock)]);
        text
    }
}

impl<L> OutputReport<L> {
    fn section(&self, title: &str, leaves: &[(&str, &LeafReport)]) -> String {
        let mut table = Table::fields();
        table.row([title, self.address.as_str()]);
        table.row(["  script_pubkey", &self.script_pubkey]);
        table.row(["  descriptor", &self.descriptor]);
        for (path, leaf) in leaves {
            table.row([format!("  {path} script").as_str(), &leaf.script]);
            table.row([format!("  {path} leaf hash").as_str(), &leaf.leaf_hash]);
            table.row([format!("  {path} control block").as_str(), &leaf.control_block]);
        }
        table.to_string()
    }
}

//! The result of a demo: one JSON object for scripts, a table for people.

use crate::{bitcoin::BitcoinNode, facts::Fact, timeline::Timeline};
use bitcoin::Txid;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use serde::Serialize;

/// What a demo found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether every fact holds and the story came to its end.
    pub ok: bool,
    /// Which Bitcoin node.
    pub bitcoin_node: BitcoinNodeReport,
    /// The staking chain at the end.
    pub chain: ChainReport,
    /// The double sign; absent if the story did not get there.
    pub equivocation: Option<EquivocationReport>,
    /// The stakes whose fate was seen.
    pub stakes: Vec<StakeReport>,
    /// Every fact that was looked for.
    pub facts: Vec<Fact>,
    /// From the start to the result.
    pub seconds: f64,
    /// Why the story did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A Bitcoin node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BitcoinNodeReport {
    /// `bitcoind` or `simulator`.
    pub kind: &'static str,
    /// In its own words.
    pub version: String,
}

/// The staking chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ChainReport {
    /// Height of its tip.
    pub height: u64,
    /// Height of its last finalised block.
    pub finalised_height: u64,
}

/// A double sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EquivocationReport {
    /// Who signed twice.
    pub provider: FinalityProviderPublicKey,
    /// At which height.
    pub height: PosHeight,
    /// Whether the key that falls out of the evidence is the key that signed.
    pub extracted_key_matches: bool,
}

/// How a stake ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StakeReport {
    /// `A`, `B` or `C`.
    pub name: &'static str,
    /// Its staking transaction.
    pub staking_txid: Txid,
    /// Its finality provider.
    pub provider: FinalityProviderPublicKey,
    /// What became of it.
    pub fate: Fate,
    /// The slashing transaction; `None` if it was not slashed.
    pub slashing_txid: Option<Txid>,
    /// The transaction that brought the rest back to the holder.
    pub last_txid: Txid,
}

/// What became of a stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Slashed while staked.
    SlashedFromStaking,
    /// Slashed while unbonding.
    SlashedFromUnbonding,
    /// Taken back whole, less fees.
    Withdrawn,
}

impl BitcoinNodeReport {
    /// Describes a node.
    pub fn of(node: &BitcoinNode) -> Self {
        Self { kind: node.kind(), version: node.version().to_owned() }
    }
}

impl Report {
    /// Tells people how it ended.
    pub fn print(&self, timeline: &Timeline) {
        timeline.heading("Result");
        for stake in &self.stakes {
            let fate = match stake.fate {
                Fate::SlashedFromStaking => "slashed while staked, rest withdrawn",
                Fate::SlashedFromUnbonding => "slashed while unbonding, rest withdrawn",
                Fate::Withdrawn => "withdrawn untouched",
            };
            timeline.event(&format!("stake {}", stake.name), fate);
        }
        if let Some(found) = self.equivocation {
            let matches = if found.extracted_key_matches { "is" } else { "is not" };
            let height = found.height;
            timeline.event(
                "equivocation",
                format_args!("at height {height}; the extracted key {matches} the signer's"),
            );
        }
        let ChainReport { height, finalised_height } = self.chain;
        timeline.event("staking chain", format_args!("height {height}, finalised up to {finalised_height}"));
        let held = self.facts.iter().filter(|fact| fact.ok).count();
        let (total, seconds) = (self.facts.len(), self.seconds);
        if self.ok {
            timeline.line(&format!("\nok: all {total} facts hold, {seconds:.1} seconds"));
        } else {
            let error = self.error.as_deref().unwrap_or("a fact does not hold");
            timeline.line(&format!("\nFAILED: {held} of {total} facts hold, {seconds:.1} seconds\n{error}"));
        }
    }
}

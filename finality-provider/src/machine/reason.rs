//! Why a provider is not voting, in words for operators and in stable codes for machines.

use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why the signer signs nothing now, though it may later.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignerAway {
    /// It does not answer.
    #[error("the signer does not answer: {0}")]
    Unreachable(String),
    /// It refuses to work with the key at all.
    #[error("the signer refuses: {0}")]
    Refuses(String),
    /// The chain had votes that are not in the sign records, and is watched for another signer.
    #[error(
        "the chain had votes of this key that are not in the sign records, as after a backup was restored: it is watched for \
         another signer until height {} before anything is signed",
        until.to_u64()
    )]
    Watching {
        /// Height at which the watch ends.
        until: PosHeight,
    },
    /// Another daemon has the right to sign.
    #[error("standing by, the right to sign is with {}", .holder.as_deref().unwrap_or("another daemon"))]
    Standby {
        /// Who has it, if known.
        holder: Option<String>,
    },
}

/// Why there is no vote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// Nothing is known yet.
    #[error("starting, the chain has not been read yet")]
    Starting,
    /// No node answers.
    #[error("no node answers: {0}")]
    Unreachable(String),
    /// The nodes of this chain answer, and cannot be used.
    #[error("this chain cannot be used as it is configured: {0}; mend it, the other chains go on")]
    ChainRefused(String),
    /// The node is catching up.
    #[error("the node is syncing and has reached height {}", tip.to_u64())]
    NodeSyncing {
        /// Its latest block.
        tip: PosHeight,
    },
    /// The node is behind what was seen before.
    #[error("the node is at height {} although height {} was seen before", tip.to_u64(), before.to_u64())]
    NodeBehind {
        /// Its latest block.
        tip: PosHeight,
        /// Latest block seen before.
        before: PosHeight,
    },
    /// The signer signs nothing now.
    #[error(transparent)]
    SignerAway(SignerAway),
    /// The chain does not know the provider.
    #[error("the finality provider is not registered on this chain; run the register command")]
    NotRegistered,
    /// For good.
    #[error("the finality provider is slashed, it can never vote again")]
    Slashed,
    /// Somebody else signs with a key of this process.
    #[error(transparent)]
    OtherSigner(OtherSigner),
    /// The node's answers do not fit together.
    #[error(
        "the node says that this key voted for height {} although its latest block is {}: the answer is not used and the \
         node is asked again; if this stays, use another node",
        voted.to_u64(),
        tip.to_u64()
    )]
    VoteAboveTip {
        /// Highest height voted on, says the node.
        voted: PosHeight,
        /// Its latest block.
        tip: PosHeight,
    },
    /// Until unjailed.
    #[error("the finality provider is jailed; run the unjail command when the jail time is over")]
    Jailed,
    /// Nobody has power yet.
    #[error("no finality provider has had voting power on this chain yet")]
    NotActivated,
    /// Not in the power table.
    #[error("no voting power at height {}", height.to_u64())]
    NoPower {
        /// Last such height.
        height: PosHeight,
    },
    /// The chain did not say whether there is power.
    #[error("voting power at height {} is not known: {detail}", height.to_u64())]
    PowerUnknown {
        /// The height.
        height: PosHeight,
        /// What is missing.
        detail: String,
    },
    /// No commitment covers the height.
    #[error("no randomness is committed for height {}", height.to_u64())]
    NoRandomness {
        /// The height.
        height: PosHeight,
    },
    /// The commitment is not final on Bitcoin.
    #[error("the randomness for height {} is committed but not timestamped on Bitcoin yet", height.to_u64())]
    RandomnessNotUsable {
        /// The height.
        height: PosHeight,
    },
    /// The vote is with the nodes longer than it takes to count.
    #[error("the vote for height {} is on its way, and not known to be in a block yet", height.to_u64())]
    OnItsWay {
        /// The height.
        height: PosHeight,
    },
    /// A vote did not get through.
    #[error("the vote for height {} did not get through yet: {detail}", height.to_u64())]
    Refused {
        /// The height.
        height: PosHeight,
        /// Why.
        detail: String,
    },
    /// The signer refused.
    #[error("height {} is given up: {detail}", height.to_u64())]
    GivenUp {
        /// The height.
        height: PosHeight,
        /// Why.
        detail: String,
    },
}

/// A vote on a chain above everything this signer recorded: somebody else signs with the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error(
    "another signer holds key {}: chain {} has its vote for height {} but the sign records end at height {}; no key \
     of this process signs anything on any chain until the other signer is stopped for good and you say so with \
     `finality-provider resume --i-stopped-the-other-signer`",
    .finality_provider,
    .chain_id,
    .voted.to_u64(),
    .recorded.to_u64()
)]
pub struct OtherSigner {
    /// The key.
    pub finality_provider: FinalityProviderPublicKey,
    /// The chain.
    pub chain_id: String,
    /// Highest height voted on, says the chain.
    pub voted: PosHeight,
    /// Highest height in the sign records.
    pub recorded: PosHeight,
}

impl Reason {
    /// Every code, for metrics.
    pub const CODES: &'static [&'static str] = &[
        "starting",
        "unreachable",
        "chain_refused",
        "node_syncing",
        "node_behind",
        "signer_unreachable",
        "signer_refuses",
        "watching",
        "standby",
        "not_registered",
        "slashed",
        "other_signer",
        "vote_above_tip",
        "jailed",
        "not_activated",
        "no_power",
        "power_unknown",
        "no_randomness",
        "randomness_not_usable",
        "on_its_way",
        "refused",
        "given_up",
    ];

    /// A stable word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unreachable(_) => "unreachable",
            Self::ChainRefused(_) => "chain_refused",
            Self::NodeSyncing { .. } => "node_syncing",
            Self::NodeBehind { .. } => "node_behind",
            Self::SignerAway(SignerAway::Unreachable(_)) => "signer_unreachable",
            Self::SignerAway(SignerAway::Refuses(_)) => "signer_refuses",
            Self::SignerAway(SignerAway::Watching { .. }) => "watching",
            Self::SignerAway(SignerAway::Standby { .. }) => "standby",
            Self::NotRegistered => "not_registered",
            Self::Slashed => "slashed",
            Self::OtherSigner(_) => "other_signer",
            Self::VoteAboveTip { .. } => "vote_above_tip",
            Self::Jailed => "jailed",
            Self::NotActivated => "not_activated",
            Self::NoPower { .. } => "no_power",
            Self::PowerUnknown { .. } => "power_unknown",
            Self::NoRandomness { .. } => "no_randomness",
            Self::RandomnessNotUsable { .. } => "randomness_not_usable",
            Self::OnItsWay { .. } => "on_its_way",
            Self::Refused { .. } => "refused",
            Self::GivenUp { .. } => "given_up",
        }
    }
}

//! The control socket: what an operator asks of the running daemon, so that one process alone sends from its accounts.
//!
//! `data_dir/control.sock`, mode 0600, answers processes of the daemon's own user only. It speaks HTTP and JSON:
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /errand` | an [`Errand`] | an [`Answer`] |
//! | `POST /resume` | | [`Resumed`] |
//! | `GET /status` | | the [`Report`](crate::status::Report) |
//!
//! What fails is answered as the command line shows it with `--json`: `{"error": {"kind", "exit_code", "message",
//! "causes"}}`. Without a daemon the commands do the same work themselves (`cli`), under the lock of the data directory.
//!
//! | file | holds |
//! |---|---|
//! | `errand` | the work, wherever it is done |
//! | `commission` | the chain's rules for a new commission, told before anything is sent |
//! | `server`, `client` | the two ends of the socket |

mod client;
mod commission;
mod errand;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, NoClient};
pub use commission::CommissionRefusal;
pub use errand::{CannotDo, Place, Prover};
pub use server::{Control, bind};

use crate::machine::reason::OtherSigner;
use btc_staking_pos_chain::message::{CommissionRates, Description, RewardKind};
use btc_staking_protocol::{
    keys::{AccountAddress, FinalityProviderPublicKey},
    rate::Decimal,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Something to be done about one provider on one chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errand {
    /// The chain; may be left out if there is only one.
    pub chain: Option<String>,
    /// The provider; may be left out if there is only one.
    pub key: Option<FinalityProviderPublicKey>,
    /// What.
    pub action: Action,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Register the provider.
    Register(Registration),
    /// Change its description or commission.
    Edit(Edit),
    /// End a jailing.
    Unjail,
    /// Tell what can be withdrawn and what the paying account holds.
    Rewards,
    /// Withdraw rewards of one kind.
    WithdrawRewards(Reward),
    /// Say where rewards go from now on.
    SetWithdrawAddress(AccountAddress),
}

/// What a provider registers with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who they say they are.
    pub description: Text,
    /// Commission, as a fraction.
    pub commission_rate: Decimal,
    /// Highest commission it can ever have.
    pub commission_max_rate: Decimal,
    /// Largest change of the commission within a day.
    pub commission_max_change_rate: Decimal,
}

/// A provider's public description.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// Name.
    pub moniker: String,
    /// Identity at a signature service.
    pub identity: String,
    /// Web site.
    pub website: String,
    /// Where to report problems.
    pub security_contact: String,
    /// Anything else.
    pub details: String,
}

/// Changes of a provider; what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    /// Name.
    pub moniker: Option<String>,
    /// Identity at a signature service.
    pub identity: Option<String>,
    /// Web site.
    pub website: Option<String>,
    /// Where to report problems.
    pub security_contact: Option<String>,
    /// Anything else.
    pub details: Option<String>,
    /// Commission, as a fraction.
    pub commission_rate: Option<Decimal>,
}

/// A kind of reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reward {
    /// Commission of a finality provider.
    FinalityProvider,
    /// Yield of a Bitcoin staker.
    BtcStaker,
    /// Yield of an account that stakes both coins.
    Costaker,
}

/// What came of an errand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// What can be withdrawn.
    Rewards(Rewards),
    /// It is as it was asked to be.
    Done(Done),
}

/// It is as it was asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The provider.
    pub finality_provider: FinalityProviderPublicKey,
    /// The chain.
    pub chain_id: String,
    /// What was done, or why nothing had to be.
    pub result: String,
    /// The transaction, if one was needed.
    pub tx_hash: Option<String>,
}

/// What a provider's account has earned, and what the paying account holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewards {
    /// The provider.
    pub finality_provider: FinalityProviderPublicKey,
    /// The chain.
    pub chain_id: String,
    /// The account that registered it: rewards go to its withdraw address.
    pub account: String,
    /// What can be withdrawn, by kind, in the base denomination.
    pub rewards: Vec<Amount>,
    /// The account that pays fees.
    pub paying_account: String,
    /// What that one holds, in the base denomination, as text: it may not fit a JSON number.
    pub balance: String,
    /// The denomination.
    pub denom: String,
}

/// Rewards of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// The kind.
    pub kind: Reward,
    /// How much, in the base denomination, as text.
    pub amount: String,
}

/// The keys may sign again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// What had stopped them, if anything had.
    pub other_signer: Option<OtherSigner>,
}

/// Where the socket of a daemon with this data directory is.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

impl From<Text> for Description {
    fn from(text: Text) -> Self {
        let Text { moniker, identity, website, security_contact, details } = text;
        Self { moniker, identity, website, security_contact, details }
    }
}

impl Registration {
    fn rates(&self) -> CommissionRates {
        CommissionRates {
            rate: self.commission_rate,
            max_rate: self.commission_max_rate,
            max_change_rate: self.commission_max_change_rate,
        }
    }
}

impl Edit {
    /// The whole description, which the chain wants: what is left out is taken from the present one.
    fn over(&self, present: &Description) -> Description {
        let or = |new: &Option<String>, old: &String| new.as_ref().unwrap_or(old).clone();
        Description {
            moniker: or(&self.moniker, &present.moniker),
            identity: or(&self.identity, &present.identity),
            website: or(&self.website, &present.website),
            security_contact: or(&self.security_contact, &present.security_contact),
            details: or(&self.details, &present.details),
        }
    }
}

impl From<Reward> for RewardKind {
    fn from(kind: Reward) -> Self {
        match kind {
            Reward::FinalityProvider => Self::FinalityProvider,
            Reward::BtcStaker => Self::BtcStaker,
            Reward::Costaker => Self::Costaker,
        }
    }
}

impl From<RewardKind> for Reward {
    fn from(kind: RewardKind) -> Self {
        match kind {
            RewardKind::FinalityProvider => Self::FinalityProvider,
            RewardKind::BtcStaker => Self::BtcStaker,
            RewardKind::Costaker => Self::Costaker,
        }
    }
}

impl fmt::Display for Reward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FinalityProvider => "finality-provider",
            Self::BtcStaker => "btc-staker",
            Self::Costaker => "costaker",
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(done) => done.fmt(f),
            Self::Rewards(rewards) => rewards.fmt(f),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.finality_provider, self.chain_id, self.result)?;
        match &self.tx_hash {
            Some(hash) => write!(f, ", transaction {hash}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Rewards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}", self.finality_provider, self.chain_id)?;
        writeln!(f, "  account {}", self.account)?;
        for Amount { kind, amount } in &self.rewards {
            writeln!(f, "  to withdraw as {kind}: {amount} {}", self.denom)?;
        }
        if self.rewards.is_empty() {
            writeln!(f, "  nothing to withdraw")?;
        }
        write!(f, "  fees are paid by {}, which holds {} {}", self.paying_account, self.balance, self.denom)
    }
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.other_signer {
            None => f.write_str("nothing was stopped"),
            Some(OtherSigner { finality_provider, chain_id, voted, .. }) => write!(
                f,
                "the keys may sign again once each chain was compared with the sign records; they were stopped for a vote \
                 of {finality_provider} on {chain_id} at height {}",
                voted.to_u64()
            ),
        }
    }
}

//! Delegations told by the chain: nothing is believed that the bytes do not show.

use super::{CheckedDelegation, Delegation, DelegationRefusal, checked::StakeKind};
use crate::params::{ParamsVersion, StakingParams};
use thiserror::Error;

/// Why what the chain tells about a delegation cannot be true.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Untrue {
    /// The params given are not the delegation's.
    #[error("delegation was checked against params version {}, version {} was given", required.0, found.0)]
    ParamsVersion {
        /// Version of the params given.
        found: ParamsVersion,
        /// Version the delegation keeps.
        required: ParamsVersion,
    },
    /// The terms do not hold under those params.
    #[error("terms of the stake are refused")]
    Terms(#[from] DelegationRefusal),
    /// The staking output is elsewhere.
    #[error("chain says the staking output is output {told}, it is output {found}")]
    StakingOutputIndex {
        /// Index the chain tells.
        told: u32,
        /// Index of the output with the staking script and value.
        found: u32,
    },
}

impl Delegation {
    /// Rebuilds the proof for a delegation told by the chain, from its terms and the params of its version.
    ///
    /// # Errors
    /// [`Untrue`] when chain and bytes contradict each other.
    pub fn rebuild(&self, params: &StakingParams) -> Result<CheckedDelegation, Untrue> {
        let (found, required) = (params.version, self.params_version);
        if found != required {
            return Err(Untrue::ParamsVersion { found, required });
        }
        let checked = self.terms.check(params)?;
        let (told, found) = (self.staking_output_index, checked.staking_outpoint().vout);
        if told != found {
            return Err(Untrue::StakingOutputIndex { told, found });
        }
        let kind = if self.expansion.is_some() { StakeKind::Expansion } else { StakeKind::Ordinary };
        Ok(checked.into_kind(kind))
    }
}

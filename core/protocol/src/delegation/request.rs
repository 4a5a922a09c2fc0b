//! The check of a whole request to register a stake.
//!
//! Spec: `bitcoin.md` 11.1 and 11.2, as far as they need no chain: what is registered already, who is slashed and which
//! height it is are for the chain to know.

use super::{CheckedDelegation, DelegationRefusal, DelegationRequest, checked::StakeKind};
use crate::{
    keys::FinalityProviderPublicKey, params::StakingParams, possession::PossessionError,
    tx::expansion::ExpansionTxRefusal,
};
use thiserror::Error;

/// Why a request is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestRefusal {
    /// The same provider twice.
    #[error("finality provider {0} is named twice")]
    DuplicateFinalityProvider(FinalityProviderPublicKey),
    /// The network takes exactly one.
    #[error("{0} finality providers are named, the network accepts exactly 1")]
    FinalityProviderCount(usize),
    /// The key does not agree to the account.
    #[error("proof of possession is refused")]
    Possession(#[from] PossessionError),
    /// The transaction does not expand the stake it names.
    #[error("expansion is refused")]
    Expansion(#[from] ExpansionTxRefusal),
    /// Expansions are always approved first.
    #[error("expansion carries an inclusion proof, it must be approved before it is on bitcoin")]
    ExpansionWithProof,
    /// The stake's terms break a rule.
    #[error("terms of the stake are refused")]
    Terms(#[from] DelegationRefusal),
}

impl DelegationRequest {
    /// Checks the request against `params` and returns the proof.
    ///
    /// # Errors
    /// The first rule broken, in the order of [`RequestRefusal`].
    pub fn check(&self, params: &StakingParams) -> Result<CheckedDelegation, RequestRefusal> {
        self.check_finality_providers()?;
        self.possession.verify(self.terms.staker.x_only(), &self.staker_account)?;
        let kind = self.check_expansion_form()?;
        Ok(self.terms.check(params)?.into_kind(kind))
    }

    fn check_finality_providers(&self) -> Result<(), RequestRefusal> {
        let providers = &self.terms.finality_providers;
        let repeated = (1..providers.len()).find(|&index| providers[..index].contains(&providers[index]));
        if let Some(index) = repeated {
            return Err(RequestRefusal::DuplicateFinalityProvider(providers[index]));
        }
        if providers.len() != 1 {
            return Err(RequestRefusal::FinalityProviderCount(providers.len()));
        }
        Ok(())
    }

    fn check_expansion_form(&self) -> Result<StakeKind, RequestRefusal> {
        let Some(expansion) = &self.expansion else {
            return Ok(StakeKind::Ordinary);
        };
        if self.inclusion.is_some() {
            return Err(RequestRefusal::ExpansionWithProof);
        }
        expansion.find_funding_output(&self.terms.staking_tx)?;
        Ok(StakeKind::Expansion)
    }
}

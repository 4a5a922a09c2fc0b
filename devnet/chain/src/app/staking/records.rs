//! What the staking module stores, and how stored bytes become protocol types.
//!
//! Records are the chain's own (`wire.md` 2.1): transactions and signatures stay as received, because later messages and
//! queries refer to these very bytes. Nothing unparsable is ever stored, so a record that does not parse is a corrupt one.

use super::status;
use crate::{
    error::{Broken, Failure, btcstaking as err},
    state::{State, Table},
};
use bitcoin::{Amount, Transaction, secp256k1::schnorr};
use bitcoin::{OutPoint, Txid, hashes::Hash};
use btc_staking_babylon::proto::btcstaking::{BTCDelegation, BTCUndelegation, FinalityProvider};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, DelegationTerms},
    height::{PosHeight, Timelock},
    keys::{FinalityProviderPublicKey, StakerPublicKey},
    output::StakeOutputs,
    params::{ParamsVersion, StakingParams},
    script::StakeKeys,
    tx::sanity::{TrailingBytes, parse_transaction},
};

/// Finality providers by key.
pub(crate) const PROVIDERS: Table<FinalityProviderPublicKey, FinalityProvider> = Table::new("sf");
/// Key of the finality provider an account registered.
pub(crate) const PROVIDER_OF_ACCOUNT: Table<Vec<u8>, Vec<u8>> = Table::new("sa");
/// Delegations by staking txid.
pub(crate) const DELEGATIONS: Table<Txid, BTCDelegation> = Table::new("sd");
/// Delegations to a finality provider, by staker.
pub(crate) const BY_PROVIDER: Table<(FinalityProviderPublicKey, StakerPublicKey, Txid), ()> =
    Table::new("sp");
/// Light client tip at the beginning of each block.
pub(crate) const TIP_AT: Table<PosHeight, u32> = Table::new("st");

/// A stored delegation with its name.
#[derive(Debug, Clone)]
pub(crate) struct Stake {
    pub(crate) txid: Txid,
    pub(crate) record: BTCDelegation,
    /// Whether it is stored, so that its entry under the finality provider exists.
    stored: bool,
}

impl Stake {
    /// A delegation that is not stored yet.
    pub(crate) fn new(txid: Txid, record: BTCDelegation) -> Self {
        Self { txid, record, stored: false }
    }

    /// Loads a delegation.
    pub(crate) fn find(state: &State<'_>, txid: &Txid) -> Result<Option<Self>, Failure> {
        let record = DELEGATIONS.get(state, txid)?;
        Ok(record.map(|record| Self { txid: *txid, record, stored: true }))
    }

    /// Loads a delegation that must exist.
    ///
    /// # Errors
    /// `btcstaking/1102`.
    pub(crate) fn load(state: &State<'_>, txid: &Txid) -> Result<Self, Failure> {
        Self::find(state, txid)?
            .ok_or_else(|| err::DELEGATION_NOT_FOUND.because(format!("staking tx {txid}")))
    }

    /// Stores the delegation, and where it belongs when it is new. Its status is indexed at the end of the block
    /// ([`index`](super::index)).
    pub(crate) fn save(&mut self, state: &mut State<'_>) -> Result<(), Failure> {
        DELEGATIONS.put(state, &self.txid, &self.record)?;
        if !self.stored {
            BY_PROVIDER.put(state, &(self.provider()?, self.staker()?, self.txid), &())?;
            self.stored = true;
        }
        Ok(())
    }

    /// Whether a quorum of the committee signed.
    pub(crate) fn has_quorum(&self, state: &State<'_>) -> Result<bool, Failure> {
        status::has_quorum(state, &self.record)
    }
    /// Whether a spend of it was reported.
    pub(crate) fn is_unbonded_early(&self) -> bool {
        status::is_unbonded_early(&self.record)
    }
    /// The finality provider.
    pub(crate) fn provider(&self) -> Result<FinalityProviderPublicKey, Broken> {
        provider_of(&self.record)
    }
    /// The holder's key.
    pub(crate) fn staker(&self) -> Result<StakerPublicKey, Broken> {
        StakerPublicKey::from_slice(&self.record.btc_pk).map_err(corrupt)
    }
    /// The staking output.
    pub(crate) fn outpoint(&self) -> OutPoint {
        OutPoint::new(self.txid, self.record.staking_output_idx)
    }
    /// Params version it keeps for life.
    pub(crate) fn version(&self) -> ParamsVersion {
        ParamsVersion(self.record.params_version)
    }
    /// Params it keeps for life.
    pub(crate) fn params(&self, state: &State<'_>) -> Result<StakingParams, Failure> {
        super::params::stored(state, self.version())
    }
    /// The part that concerns leaving early.
    pub(crate) fn undelegation(&self) -> Result<&BTCUndelegation, Broken> {
        self.record.btc_undelegation.as_ref().ok_or_else(|| corrupt("delegation without undelegation part"))
    }
    /// The part that concerns leaving early.
    pub(crate) fn undelegation_mut(&mut self) -> &mut BTCUndelegation {
        self.record.btc_undelegation.get_or_insert_default()
    }
    /// The transaction that registered unbonding goes by.
    pub(crate) fn unbonding_txid(&self) -> Result<Txid, Broken> {
        Ok(tx(&self.undelegation()?.unbonding_tx)?.compute_txid())
    }
    /// The stake it expands.
    pub(crate) fn previous(&self) -> Result<Option<Txid>, Broken> {
        previous_of(&self.record)
    }
    /// The terms, from the stored bytes.
    pub(crate) fn terms(&self) -> Result<DelegationTerms, Broken> {
        let record = &self.record;
        let undelegation = self.undelegation()?;
        let unbonding_tx = tx(&undelegation.unbonding_tx)?;
        let unbonding_value = unbonding_tx.output.first().map_or(Amount::ZERO, |output| output.value);
        Ok(DelegationTerms {
            staker: self.staker()?,
            finality_providers: vec![self.provider()?],
            staking_time: Timelock::from_blocks(record.staking_time).map_err(corrupt)?,
            staking_value: Amount::from_sat(record.total_sat),
            staking_tx: tx(&record.staking_tx)?,
            slashing_tx: tx(&record.slashing_tx)?,
            staker_slashing_signature: signature(&record.delegator_sig)?,
            unbonding_time: Timelock::from_blocks(record.unbonding_time).map_err(corrupt)?,
            unbonding_tx,
            unbonding_value,
            unbonding_slashing_tx: tx(&undelegation.slashing_tx)?,
            staker_unbonding_slashing_signature: signature(&undelegation.delegator_slashing_sig)?,
        })
    }

    /// The proof that the terms hold, made again.
    pub(crate) fn checked(&self, params: &StakingParams) -> Result<CheckedDelegation, Broken> {
        self.terms()?.check(params).map_err(corrupt)
    }

    /// The outputs of the stake.
    pub(crate) fn outputs(&self, params: &StakingParams) -> Result<StakeOutputs, Broken> {
        let keys = StakeKeys::new(self.staker()?, &[self.provider()?], &params.covenant_committee);
        Ok(StakeOutputs::new(
            keys.map_err(corrupt)?,
            Timelock::from_blocks(self.record.staking_time).map_err(corrupt)?,
            Timelock::from_blocks(self.record.unbonding_time).map_err(corrupt)?,
        ))
    }
}

/// Loads a finality provider that must exist.
///
/// # Errors
/// `btcstaking/1100`.
pub(crate) fn provider(
    state: &State<'_>,
    key: &FinalityProviderPublicKey,
) -> Result<FinalityProvider, Failure> {
    PROVIDERS.get(state, key)?.ok_or_else(|| err::FP_NOT_FOUND.because(format!("finality provider {key}")))
}

/// The finality provider of a delegation.
pub(crate) fn provider_of(record: &BTCDelegation) -> Result<FinalityProviderPublicKey, Broken> {
    let key = record.fp_btc_pk_list.first().ok_or_else(|| corrupt("delegation without finality provider"))?;
    FinalityProviderPublicKey::from_slice(key).map_err(corrupt)
}

/// The stake a delegation expands.
pub(crate) fn previous_of(record: &BTCDelegation) -> Result<Option<Txid>, Broken> {
    let Some(expansion) = &record.stk_exp else { return Ok(None) };
    Txid::from_slice(&expansion.previous_staking_tx_hash).map(Some).map_err(corrupt)
}

/// Parses stored transaction bytes.
pub(crate) fn tx(bytes: &[u8]) -> Result<Transaction, Broken> {
    parse_transaction(bytes, TrailingBytes::Ignore).map_err(corrupt)
}

fn signature(bytes: &[u8]) -> Result<schnorr::Signature, Broken> {
    schnorr::Signature::from_slice(bytes).map_err(corrupt)
}

pub(crate) fn corrupt(reason: impl ToString) -> Broken {
    Broken::Corrupt { table: "delegations", reason: reason.to_string() }
}

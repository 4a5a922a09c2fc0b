//! Two lists that only genesis can fill: finality providers that are deleted though their record stays, and the stakes
//! that may be registered while an allow list is in force (`chain.md` 5.1, 6.7).
//!
//! Votes of deleted finality providers are refused under every release's rules; delegations to them, expansions and
//! randomness commits only under those of the head of the main branch.

use crate::{
    app::context::Ctx,
    error::{Failure, btcstaking as err},
    genesis::Genesis,
    state::{State, Table},
};
use bitcoin::Txid;
use btc_staking_protocol::{keys::FinalityProviderPublicKey, params::StakingParams};

pub(super) const SOFT_DELETED: Table<FinalityProviderPublicKey, ()> = Table::new("sx");
pub(super) const ALLOWED: Table<Txid, ()> = Table::new("sw");

/// Stores the lists of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    for key in &genesis.soft_deleted_finality_providers {
        SOFT_DELETED.put(state, key, &())?;
    }
    for txid in &genesis.allowed_staking_txids {
        ALLOWED.put(state, txid, &())?;
    }
    Ok(())
}

/// Whether a finality provider is deleted.
pub(crate) fn is_soft_deleted(state: &State<'_>, key: &FinalityProviderPublicKey) -> Result<bool, Failure> {
    SOFT_DELETED.has(state, key)
}

/// Refuses new stakes for a deleted finality provider, under the rules that do.
///
/// # Errors
/// `btcstaking/1130`.
pub(super) fn check_not_deleted(ctx: &Ctx<'_, '_>, key: &FinalityProviderPublicKey) -> Result<(), Failure> {
    if ctx.head_rules() && is_soft_deleted(ctx.state, key)? {
        return Err(err::FP_DELETED.because(format!("finality provider {key}")));
    }
    Ok(())
}

/// Refuses stakes that are not listed while the allow list of a params version is in force.
///
/// # Errors
/// `btcstaking/1108`.
pub(super) fn check_allowed(ctx: &Ctx<'_, '_>, params: &StakingParams, txid: &Txid) -> Result<(), Failure> {
    let in_force = ctx.block.height.to_u64() < params.allow_list_expiration_height;
    if in_force && !ALLOWED.has(ctx.state, txid)? {
        return Err(
            err::INVALID_STAKING_TX.because(format!("staking tx hash: {txid}, is not in the allow list"))
        );
    }
    Ok(())
}

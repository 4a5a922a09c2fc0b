//! The status of a delegation: a function of its facts and the light client's tip (`chain.md` 6.1, 6.2).

use super::{
    params,
    records::{DELEGATIONS, corrupt, previous_of},
};
use crate::{error::Failure, state::State};
use btc_staking_babylon::proto::btcstaking::{BTCDelegation, BTCDelegationStatus};
use btc_staking_protocol::{height::BtcHeight, params::ParamsVersion};

/// What the facts alone say. Only a proven delegation's status depends on the tip as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Quorum missing.
    Pending,
    /// Quorum reached, not proven.
    Verified,
    /// Quorum reached and proven.
    Proven,
    /// Reported as spent.
    Unbonded,
}

/// The class of a delegation.
pub(crate) fn class(state: &State<'_>, record: &BTCDelegation) -> Result<Class, Failure> {
    if is_unbonded_early(record) {
        return Ok(Class::Unbonded);
    }
    if !has_quorum(state, record)? {
        return Ok(Class::Pending);
    }
    Ok(if has_proof(record) { Class::Proven } else { Class::Verified })
}

/// The status of a delegation at a tip.
pub(crate) fn status(
    state: &State<'_>,
    record: &BTCDelegation,
    tip: BtcHeight,
) -> Result<BTCDelegationStatus, Failure> {
    Ok(match class(state, record)? {
        Class::Unbonded => BTCDelegationStatus::Unbonded,
        Class::Pending => BTCDelegationStatus::Pending,
        Class::Verified => BTCDelegationStatus::Verified,
        Class::Proven => proven_status(record, tip),
    })
}

/// The Bitcoin heights at which a delegation's status changes without any message: where it starts and where it expires.
/// Only a proven one has such heights.
pub(super) fn turns(state: &State<'_>, record: &BTCDelegation) -> Result<[Option<BtcHeight>; 2], Failure> {
    Ok(match class(state, record)? {
        Class::Proven => [record.start_height, record.end_height.saturating_sub(record.unbonding_time)]
            .map(|height| Some(BtcHeight::new(height))),
        Class::Pending | Class::Verified | Class::Unbonded => [None, None],
    })
}

fn proven_status(record: &BTCDelegation, tip: BtcHeight) -> BTCDelegationStatus {
    let tip = u64::from(tip.to_u32());
    if tip < u64::from(record.start_height) {
        // Only after a Bitcoin reorg that lowered the tip.
        return BTCDelegationStatus::Unbonded;
    }
    if tip + u64::from(record.unbonding_time) >= u64::from(record.end_height) {
        return BTCDelegationStatus::Expired;
    }
    BTCDelegationStatus::Active
}

/// Whether its place on Bitcoin is proven.
pub(crate) const fn has_proof(record: &BTCDelegation) -> bool {
    record.start_height > 0 && record.end_height > 0
}

/// Whether a spend of it was reported.
pub(crate) fn is_unbonded_early(record: &BTCDelegation) -> bool {
    record.btc_undelegation.as_ref().is_some_and(|part| part.delegator_unbonding_info.is_some())
}

/// Whether every list of covenant signatures holds a quorum: three lists, four for an expansion, the last counted
/// against the quorum of the stake it expands.
pub(crate) fn has_quorum(state: &State<'_>, record: &BTCDelegation) -> Result<bool, Failure> {
    let quorum = quorum_of(state, record)?;
    let Some(undelegation) = &record.btc_undelegation else { return Ok(false) };
    let own = [
        record.covenant_sigs.len(),
        undelegation.covenant_unbonding_sig_list.len(),
        undelegation.covenant_slashing_sigs.len(),
    ];
    if own.iter().any(|signatures| *signatures < quorum) {
        return Ok(false);
    }
    let (Some(expansion), Some(previous)) = (&record.stk_exp, previous_of(record)?) else {
        return Ok(true);
    };
    let previous = DELEGATIONS.get(state, &previous)?.ok_or_else(|| corrupt("expansion without parent"))?;
    Ok(expansion.previous_stk_covenant_sigs.len() >= quorum_of(state, &previous)?)
}

fn quorum_of(state: &State<'_>, record: &BTCDelegation) -> Result<usize, Failure> {
    let quorum = params::stored_quorum(state, ParamsVersion(record.params_version))?;
    usize::try_from(quorum).map_err(|err| corrupt(err).into())
}

/// Name of a status in events and queries.
pub(crate) const fn name(status: BTCDelegationStatus) -> &'static str {
    match status {
        BTCDelegationStatus::Pending => "PENDING",
        BTCDelegationStatus::Verified => "VERIFIED",
        BTCDelegationStatus::Active => "ACTIVE",
        BTCDelegationStatus::Unbonded => "UNBONDED",
        BTCDelegationStatus::Expired => "EXPIRED",
        BTCDelegationStatus::Any => "ANY",
    }
}

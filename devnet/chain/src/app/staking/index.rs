//! Delegations by status, for queries.
//!
//! A status is a function of stored facts and the light client's tip and is never stored itself. So that queries need not
//! look at every delegation, the end of each block brings this index up to date with what the block changed:
//!
//! | what changed | which delegations are looked at |
//! |---|---|
//! | facts | those written in the block |
//! | the tip, in either direction | those that start or expire at a height that the tip crossed |
//!
//! Nothing in a block reads it; rules ask the facts ([`status`]). It is part of the hashed state like everything else.

use super::{
    records::{DELEGATIONS, corrupt},
    status,
};
use crate::{
    app::light_client,
    error::Failure,
    state::{Order, State, Table},
};
use bitcoin::Txid;
use btc_staking_babylon::proto::btcstaking::{BTCDelegation, BTCDelegationStatus};
use btc_staking_protocol::height::BtcHeight;
use std::collections::BTreeSet;

/// Delegations by the number of their status.
pub(super) const BY_STATUS: Table<(u8, Txid), ()> = Table::new("sc");
/// How many have a status.
const COUNTS: Table<u8, u64> = Table::new("sk");
/// Heights at which the status of a proven delegation changes by itself.
const TURNS: Table<(BtcHeight, Txid), ()> = Table::new("sh");
/// The tip for which the index holds.
const INDEXED_AT: Table<(), u32> = Table::new("si");

/// A delegation's place in the index.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    status: BTCDelegationStatus,
    turns: [Option<BtcHeight>; 2],
}

/// Number of a status in the index; as on the wire.
pub(crate) const fn code(status: BTCDelegationStatus) -> u8 {
    match status {
        BTCDelegationStatus::Pending => 0,
        BTCDelegationStatus::Verified => 1,
        BTCDelegationStatus::Active => 2,
        BTCDelegationStatus::Unbonded => 3,
        BTCDelegationStatus::Expired => 4,
        BTCDelegationStatus::Any => 5,
    }
}

/// How many delegations have a status; with [`BTCDelegationStatus::Any`] how many there are.
pub(super) fn count(state: &State<'_>, wanted: BTCDelegationStatus) -> Result<u64, Failure> {
    match wanted {
        BTCDelegationStatus::Any => {
            COUNTS.scan(state, Order::Ascending).try_fold(0u64, |sum, entry| Ok(sum.saturating_add(entry?.1)))
        }
        BTCDelegationStatus::Pending
        | BTCDelegationStatus::Verified
        | BTCDelegationStatus::Active
        | BTCDelegationStatus::Unbonded
        | BTCDelegationStatus::Expired => Ok(COUNTS.get(state, &code(wanted))?.unwrap_or(0)),
    }
}

/// How many delegations there are.
pub(crate) fn total(state: &State<'_>) -> Result<u64, Failure> {
    count(state, BTCDelegationStatus::Any)
}

/// Brings the index up to date with the writes of the block and the tip at its end. `state` is the block's own layer.
pub(crate) fn update(state: &mut State<'_>) -> Result<(), Failure> {
    let tip = light_client::tip_height(state)?;
    update_to(state, tip)
}

/// As [`update`], for a tip that the light client is about to have.
pub(crate) fn update_to(state: &mut State<'_>, tip: BtcHeight) -> Result<(), Failure> {
    let before = INDEXED_AT.get(state, &())?.map_or(tip, BtcHeight::new);
    let changed = DELEGATIONS.changed(state)?;
    let written: BTreeSet<Txid> = changed.iter().map(|(txid, ..)| *txid).collect();
    for txid in crossed(state, before, tip)?.difference(&written) {
        let record = DELEGATIONS.get(state, txid)?.ok_or_else(|| corrupt("indexed delegation is missing"))?;
        let (old, new) = (place(state, &record, before)?, place(state, &record, tip)?);
        replace(state, *txid, Some(&old), Some(&new))?;
    }
    for (txid, old, new) in changed {
        let old = old.map(|record| place(state, &record, before)).transpose()?;
        let new = new.map(|record| place(state, &record, tip)).transpose()?;
        replace(state, txid, old.as_ref(), new.as_ref())?;
    }
    if INDEXED_AT.get(state, &())? != Some(tip.to_u32()) {
        INDEXED_AT.put(state, &(), &tip.to_u32())?;
    }
    Ok(())
}

fn place(state: &State<'_>, record: &BTCDelegation, tip: BtcHeight) -> Result<Place, Failure> {
    Ok(Place { status: status::status(state, record, tip)?, turns: status::turns(state, record)? })
}

/// The delegations whose start or expiry lies between two tips.
fn crossed(state: &State<'_>, from: BtcHeight, to: BtcHeight) -> Result<BTreeSet<Txid>, Failure> {
    let (low, high) = (from.min(to).to_u32(), from.max(to).to_u32());
    let mut found = BTreeSet::new();
    for height in low.saturating_add(1)..=high {
        for entry in TURNS.scan_under(state, &BtcHeight::new(height), Order::Ascending) {
            found.insert(entry?.0.1);
        }
    }
    Ok(found)
}

fn replace(
    state: &mut State<'_>,
    txid: Txid,
    old: Option<&Place>,
    new: Option<&Place>,
) -> Result<(), Failure> {
    if old == new {
        return Ok(());
    }
    if let Some(old) = old {
        BY_STATUS.delete(state, &(code(old.status), txid))?;
        add_to_count(state, old.status, -1)?;
        for height in old.turns.into_iter().flatten() {
            TURNS.delete(state, &(height, txid))?;
        }
    }
    if let Some(new) = new {
        BY_STATUS.put(state, &(code(new.status), txid), &())?;
        add_to_count(state, new.status, 1)?;
        for height in new.turns.into_iter().flatten() {
            TURNS.put(state, &(height, txid), &())?;
        }
    }
    Ok(())
}

fn add_to_count(state: &mut State<'_>, status: BTCDelegationStatus, change: i64) -> Result<(), Failure> {
    let key = code(status);
    let count = COUNTS.get(state, &key)?.unwrap_or(0).checked_add_signed(change);
    COUNTS.put(state, &key, &count.ok_or_else(|| corrupt("fewer delegations than none"))?)
}

#[cfg(test)]
mod tests;

//! Changes of positions, queued by Babylon height until that height is rewarded (`chain.md` 9.2 step 10, 11.3).
//!
//! Power of a height is settled blocks later, when its votes are in; positions must then still be what they were at that
//! height. So shares lag exactly like the rewards themselves.

use super::accounting::{self, Change};
use crate::{
    error::{Broken, Failure},
    state::{Order, State, Table},
};
use btc_staking_protocol::height::PosHeight;
use prost::Message;
use std::collections::BTreeMap;

/// A delegation that began or ceased to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Account of the finality provider.
    pub(crate) provider: Vec<u8>,
    /// Account of the staker.
    pub(crate) staker: Vec<u8>,
    /// Satoshis of the delegation.
    pub(crate) sats: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EventRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) provider: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) staker: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub(super) sats: u64,
    /// Whether satoshis are added; otherwise they are removed.
    #[prost(bool, tag = "4")]
    pub(super) added: bool,
}

pub(super) const EVENTS: Table<(PosHeight, u64), EventRecord> = Table::new("ie");
/// The events of a finality provider, so that nobody has to look through those of all.
pub(super) const BY_PROVIDER: Table<(Vec<u8>, PosHeight, u64), ()> = Table::new("iq");

/// Queues what moved at a height: activations first, so that no position falls below zero on the way.
pub(crate) fn record(
    state: &mut State<'_>,
    height: PosHeight,
    activated: &[Moved],
    unbonded: &[Moved],
) -> Result<(), Failure> {
    let activated = activated.iter().map(|moved| (moved, true));
    let unbonded = unbonded.iter().map(|moved| (moved, false));
    for (number, (moved, added)) in (0u64..).zip(activated.chain(unbonded)) {
        let Moved { provider, staker, sats } = moved.clone();
        BY_PROVIDER.put(state, &(provider.clone(), height, number), &())?;
        EVENTS.put(state, &(height, number), &EventRecord { provider, staker, sats, added })?;
    }
    Ok(())
}

/// Applies and forgets everything queued up to a height.
pub(super) fn apply(state: &mut State<'_>, until: PosHeight) -> Result<(), Failure> {
    for (key, event) in queued(state, until)? {
        let change = if event.added { Change::Added(event.sats) } else { Change::Removed(event.sats) };
        accounting::settle(state, &event.provider, &event.staker, change)?;
        EVENTS.delete(state, &key)?;
        BY_PROVIDER.delete(state, &(event.provider, key.0, key.1))?;
    }
    Ok(())
}

type Queued = Vec<((PosHeight, u64), EventRecord)>;

fn queued(state: &State<'_>, until: PosHeight) -> Result<Queued, Failure> {
    let events = EVENTS.scan(state, Order::Ascending);
    events.take_while(|entry| entry.as_ref().map_or(true, |((height, _), _)| *height <= until)).collect()
}

/// The stakers of a finality provider with their satoshis as they are now, what is queued included.
///
/// # Errors
/// [`Broken`] when more is queued to be removed than there is.
pub(crate) fn stakers_now(state: &State<'_>, provider: &[u8]) -> Result<Vec<(Vec<u8>, u64)>, Failure> {
    let mut sats: BTreeMap<Vec<u8>, i128> =
        accounting::positions_of(state, provider)?.into_iter().map(|(a, sats)| (a, sats.into())).collect();
    for entry in BY_PROVIDER.scan_under(state, &provider.to_vec(), Order::Ascending) {
        let ((_, height, number), ()) = entry?;
        let Some(event) = EVENTS.get(state, &(height, number))? else { continue };
        let change = i128::from(event.sats);
        *sats.entry(event.staker).or_default() += if event.added { change } else { -change };
    }
    let checked = |(staker, sats): (Vec<u8>, i128)| {
        let negative = || Broken::Halt(format!("a delegator would have {sats} sat"));
        Ok((staker, u64::try_from(sats).map_err(|_| negative())?))
    };
    sats.into_iter().map(checked).collect()
}

//! Changes of power, queued by Bitcoin height until the finality module takes them up (`chain.md` 8).

use super::records::corrupt;
use crate::{
    error::{Broken, Failure},
    state::{Order, State, Table},
};
use bitcoin::{Txid, hashes::Hash};
use btc_staking_protocol::{height::BtcHeight, keys::FinalityProviderPublicKey};
use prost::Message;

/// What changes power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PowerEvent {
    /// A delegation counts from now on.
    Active(Txid),
    /// A delegation was spent.
    Unbonded(Txid),
    /// A delegation's timelock is about to end.
    Expired(Txid),
    /// A finality provider was slashed.
    Slashed(FinalityProviderPublicKey),
    /// A finality provider went to jail.
    Jailed(FinalityProviderPublicKey),
    /// A finality provider left jail.
    Unjailed(FinalityProviderPublicKey),
}

#[derive(Clone, PartialEq, Message)]
struct EventRecord {
    #[prost(uint32, tag = "1")]
    kind: u32,
    /// Staking txid in internal order, or key of the finality provider.
    #[prost(bytes = "vec", tag = "2")]
    subject: Vec<u8>,
}

const EVENTS: Table<(BtcHeight, u64), EventRecord> = Table::new("se");

/// Queues an event behind the others at a height.
pub(crate) fn record(state: &mut State<'_>, height: BtcHeight, event: PowerEvent) -> Result<(), Failure> {
    let last = EVENTS.scan_under(state, &height, Order::Descending).next().transpose()?;
    let number = last.map_or(0, |((_, number), _)| number.saturating_add(1));
    restore(state, height, number, event)
}

/// Puts an event at its place in the queue.
pub(super) fn restore(
    state: &mut State<'_>,
    height: BtcHeight,
    number: u64,
    event: PowerEvent,
) -> Result<(), Failure> {
    EVENTS.put(state, &(height, number), &EventRecord::from(event))
}

/// An event with its place in the queue.
type Queued = ((BtcHeight, u64), PowerEvent);

/// The whole queue.
pub(super) fn all(state: &State<'_>) -> Result<Vec<Queued>, Failure> {
    let queued = EVENTS.scan(state, Order::Ascending);
    queued.map(|entry| entry.and_then(|(key, record)| Ok((key, PowerEvent::try_from(record)?)))).collect()
}

/// Takes the events of a height out of the queue, in the order in which they were recorded.
pub(crate) fn take(state: &mut State<'_>, height: BtcHeight) -> Result<Vec<PowerEvent>, Failure> {
    let found = EVENTS.scan_under(state, &height, Order::Ascending).collect::<Result<Vec<_>, _>>()?;
    let mut events = vec![];
    for (key, record) in found {
        EVENTS.delete(state, &key)?;
        events.push(PowerEvent::try_from(record)?);
    }
    Ok(events)
}

impl From<PowerEvent> for EventRecord {
    fn from(event: PowerEvent) -> Self {
        let (kind, subject) = match event {
            PowerEvent::Active(txid) => (1, txid.to_byte_array()),
            PowerEvent::Unbonded(txid) => (2, txid.to_byte_array()),
            PowerEvent::Expired(txid) => (3, txid.to_byte_array()),
            PowerEvent::Slashed(key) => (4, key.to_bytes()),
            PowerEvent::Jailed(key) => (5, key.to_bytes()),
            PowerEvent::Unjailed(key) => (6, key.to_bytes()),
        };
        Self { kind, subject: subject.to_vec() }
    }
}

impl TryFrom<EventRecord> for PowerEvent {
    type Error = Broken;
    fn try_from(record: EventRecord) -> Result<Self, Broken> {
        let txid = || Txid::from_slice(&record.subject).map_err(corrupt);
        let key = || FinalityProviderPublicKey::from_slice(&record.subject).map_err(corrupt);
        match record.kind {
            1 => txid().map(Self::Active),
            2 => txid().map(Self::Unbonded),
            3 => txid().map(Self::Expired),
            4 => key().map(Self::Slashed),
            5 => key().map(Self::Jailed),
            6 => key().map(Self::Unjailed),
            kind => Err(corrupt(format!("power event of unknown kind {kind}"))),
        }
    }
}

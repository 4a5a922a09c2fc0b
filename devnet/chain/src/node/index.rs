//! The index of events, written with the block it is about.
//!
//! ```text
//! "i" ‖ kind ‖ H(type.key) ‖ H(value) ‖ BE64(height)  ->  positions of the transactions in the block, BE32 each
//! ```
//!
//! `H` is the first 16 bytes of SHA-256, so that no attribute, however long, makes a long key. One record stands for all
//! transactions of a block that have the same value; for events outside transactions it is empty.

use crate::error::Broken;
use crate::{
    event::Event,
    node::ledger::BlockRecord,
    state::{Backend, KeyRange, Writes},
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Events of transactions.
    Tx,
    /// Events of a block outside its transactions.
    Block,
}

/// Which values of a key are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// This one.
    Value(&'a str),
    /// Any.
    Any,
}

/// A transaction, by block and position; position 0 stands for a block as a whole.
pub(crate) type Place = (u64, usize);

impl Kind {
    const fn letter(self) -> u8 {
        match self {
            Self::Tx => b't',
            Self::Block => b'b',
        }
    }
}

fn short_hash(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(text)[..16]);
    short
}

fn key_prefix(kind: Kind, key: &str) -> Vec<u8> {
    [&[b'i', kind.letter()][..], &short_hash(key)].concat()
}

fn value_prefix(kind: Kind, key: &str, value: &str) -> Vec<u8> {
    [&key_prefix(kind, key)[..], &short_hash(value)].concat()
}

/// Adds what must be written to find a block's events.
pub(crate) fn add_writes(writes: &mut Writes, height: u64, record: &BlockRecord) {
    let mut places: BTreeMap<Vec<u8>, BTreeSet<u32>> = BTreeMap::new();
    let mut add = |kind, position: Option<u32>, events: &[Event]| {
        for (event, attribute) in
            events.iter().flat_map(|event| event.attributes.iter().map(move |a| (event, a)))
        {
            let key = format!("{}.{}", event.kind, attribute.key);
            let prefix = value_prefix(kind, &key, &attribute.value);
            places.entry([&prefix[..], &height.to_be_bytes()].concat()).or_default().extend(position);
        }
    };
    for (position, result) in (0u32..).zip(&record.results) {
        add(Kind::Tx, Some(position), &result.events);
    }
    add(Kind::Block, None, &record.events);
    writes.extend(places.into_iter().map(|(key, positions)| {
        let positions = positions.into_iter().flat_map(u32::to_be_bytes);
        (key, Some(positions.collect()))
    }));
}

/// Finds the places, in order, between two heights, inclusive, where a key has a value.
pub(crate) fn find(
    backend: &dyn Backend,
    kind: Kind,
    key: &str,
    wanted: Wanted<'_>,
    (low, high): (u64, u64),
) -> Result<BTreeSet<Place>, Broken> {
    let range = match wanted {
        Wanted::Any => KeyRange::prefix(&key_prefix(kind, key)),
        Wanted::Value(value) => {
            let prefix = value_prefix(kind, key, value);
            let end = high.checked_add(1).map(|end| [&prefix[..], &end.to_be_bytes()].concat());
            KeyRange {
                start: [&prefix[..], &low.to_be_bytes()].concat(),
                end: end.or_else(|| KeyRange::prefix(&prefix).end),
            }
        }
    };
    let mut places = BTreeSet::new();
    for entry in backend.door_scan(&range) {
        let (key, positions) = entry?;
        let height = key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(corrupt)?;
        if !(low..=high).contains(&height) {
            continue;
        }
        match kind {
            Kind::Block => {
                places.insert((height, 0));
            }
            Kind::Tx => {
                for position in positions.chunks_exact(4) {
                    let position = position.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
                    let position = position.and_then(|position| usize::try_from(position).ok());
                    places.insert((height, position.ok_or_else(corrupt)?));
                }
            }
        }
    }
    Ok(places)
}

/// Every record up to a height.
#[cfg(test)]
pub(crate) fn all(backend: &dyn Backend, up_to: u64) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Broken> {
    let within = |key: &[u8]| key.last_chunk().is_some_and(|bytes| u64::from_be_bytes(*bytes) <= up_to);
    let records = backend.door_scan(&KeyRange::prefix(b"i"));
    records.filter(|record| record.as_ref().is_ok_and(|(key, _)| within(key)) || record.is_err()).collect()
}

fn corrupt() -> Broken {
    Broken::Corrupt { table: "blocks", reason: "a record of the event index has not its length".into() }
}

//! Typed tables over the flat keys of the state.
//!
//! A table is a prefix, a key type whose encoding sorts like the key, and a record type. Database keys and record bytes
//! are known to this file and the `records.rs` of each module, nowhere else.

use super::layer::{KeyRange, Order, ReadState, State, successor};
use crate::error::{Broken, Failure};
use bitcoin::{BlockHash, Txid, hashes::Hash};
use btc_staking_protocol::{
    height::{BtcHeight, Epoch, PosHeight},
    keys::{CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    params::ParamsVersion,
};
use prost::Message;
use std::marker::PhantomData;

/// A key whose bytes sort like the key.
pub(crate) trait TableKey: Sized + 'static {
    /// Appends the bytes.
    fn push_key(&self, to: &mut Vec<u8>);
    /// Takes the key off the front of `from`.
    fn take_key(from: &mut &[u8]) -> Option<Self>;
}

/// What a table holds: any protobuf message, which includes plain integers, strings and bytes.
pub(crate) trait Record: Message + Default + 'static {}
impl<T: Message + Default + 'static> Record for T {}

/// A key with its record before and its record now.
pub(crate) type Changed<K, V> = (K, Option<V>, Option<V>);

/// A table with keys `K` and records `V`.
pub(crate) struct Table<K, V> {
    prefix: &'static str,
    types: PhantomData<fn(K) -> V>,
}

impl<K: TableKey, V: Record> Table<K, V> {
    /// Names a table. The prefix must be unique, of two letters, and never change.
    pub(crate) const fn new(prefix: &'static str) -> Self {
        Self { prefix, types: PhantomData }
    }

    /// The flat key of a record.
    pub(crate) fn key(&self, key: &K) -> Vec<u8> {
        let mut bytes = self.prefix.as_bytes().to_vec();
        key.push_key(&mut bytes);
        bytes
    }

    fn record(&self, bytes: &[u8]) -> Result<V, Broken> {
        V::decode(bytes).map_err(|err| Broken::Corrupt { table: self.prefix, reason: err.to_string() })
    }

    /// Returns the record of a key.
    pub(crate) fn get(&self, state: &State<'_>, key: &K) -> Result<Option<V>, Failure> {
        let bytes = state.read(&self.key(key))?;
        Ok(bytes.map(|bytes| self.record(&bytes)).transpose()?)
    }

    /// Whether a key has a record.
    pub(crate) fn has(&self, state: &State<'_>, key: &K) -> Result<bool, Failure> {
        Ok(state.read(&self.key(key))?.is_some())
    }

    /// Writes a record.
    pub(crate) fn put(&self, state: &mut State<'_>, key: &K, record: &V) -> Result<(), Failure> {
        state.write(self.key(key), record.encode_to_vec())
    }

    /// Deletes a record.
    pub(crate) fn delete(&self, state: &mut State<'_>, key: &K) -> Result<(), Failure> {
        state.erase(self.key(key))
    }

    /// The records written in this layer, each as it was below and as it is now.
    pub(crate) fn changed(&self, state: &State<'_>) -> Result<Vec<Changed<K, V>>, Failure> {
        let decode = |bytes: Option<Vec<u8>>| bytes.map(|bytes| self.record(&bytes)).transpose();
        let changes = state.changed(self.prefix.as_bytes())?.into_iter();
        changes
            .map(|(key, before, now)| Ok((self.decode_key(&key)?, decode(before)?, decode(now)?)))
            .collect::<Result<_, Broken>>()
            .map_err(Failure::from)
    }

    fn decode_key(&self, key: &[u8]) -> Result<K, Broken> {
        let corrupt = |reason: &str| Broken::Corrupt { table: self.prefix, reason: reason.to_owned() };
        let mut rest = key.get(self.prefix.len()..).unwrap_or_default();
        let decoded = K::take_key(&mut rest).ok_or_else(|| corrupt("key does not decode"))?;
        if rest.is_empty() { Ok(decoded) } else { Err(corrupt("key has trailing bytes")) }
    }

    /// Iterates over the whole table.
    pub(crate) fn scan<'a>(&self, state: &'a State<'_>, order: Order) -> Records<'a, K, V> {
        self.scan_range(state, &KeyRange::prefix(self.prefix.as_bytes()), order)
    }

    /// Iterates over the keys that begin with the encoding of `part`.
    pub(crate) fn scan_under<'a, P: TableKey>(
        &self,
        state: &'a State<'_>,
        part: &P,
        order: Order,
    ) -> Records<'a, K, V> {
        self.scan_range(state, &KeyRange::prefix(&self.part(part)), order)
    }

    /// Iterates over the keys under `part`, starting at `from` (inclusive) in the direction of the scan.
    pub(crate) fn scan_from<'a, P: TableKey>(
        &self,
        state: &'a State<'_>,
        part: &P,
        from: &K,
        order: Order,
    ) -> Records<'a, K, V> {
        let mut range = KeyRange::prefix(&self.part(part));
        match order {
            Order::Ascending => range.start = self.key(from),
            Order::Descending => range.end = successor(&self.key(from)),
        }
        self.scan_range(state, &range, order)
    }

    fn part<P: TableKey>(&self, part: &P) -> Vec<u8> {
        let mut bytes = self.prefix.as_bytes().to_vec();
        part.push_key(&mut bytes);
        bytes
    }

    /// Iterates over the keys under `part` from where `start` (inclusive) would lie behind it, in the direction of the
    /// scan, from the beginning when `start` is empty. Entries come with the part of their key behind `part`.
    pub(crate) fn scan_raw<'a, P: TableKey>(
        &self,
        state: &'a State<'_>,
        part: &P,
        start: &[u8],
        order: Order,
    ) -> RawRecords<'a, K, V> {
        let fixed = self.part(part);
        let mut range = KeyRange::prefix(&fixed);
        let from = [fixed.as_slice(), start].concat();
        match order {
            _ if start.is_empty() => {}
            Order::Ascending => range.start = from,
            Order::Descending => range.end = successor(&from),
        }
        self.scan_keys(state, &range, order, fixed.len())
    }

    fn scan_range<'a>(&self, state: &'a State<'_>, range: &KeyRange, order: Order) -> Records<'a, K, V> {
        let raw = self.scan_keys(state, range, order, self.prefix.len());
        Box::new(raw.map(|entry| entry.map(|(_, key, record)| (key, record))))
    }

    fn scan_keys<'a>(
        &self,
        state: &'a State<'_>,
        range: &KeyRange,
        order: Order,
        fixed: usize,
    ) -> RawRecords<'a, K, V> {
        let table = Self::new(self.prefix);
        let meter = state.meter();
        Box::new(state.scan(range, order).map(move |entry| {
            let (key, value) = entry?;
            meter.charge_step(key.len(), value.len())?;
            Ok((key[fixed..].to_vec(), table.decode_key(&key)?, table.record(&value)?))
        }))
    }
}

/// Records with the bytes of their keys behind a fixed part.
pub(crate) type RawRecords<'a, K, V> = Box<dyn Iterator<Item = Result<(Vec<u8>, K, V), Failure>> + 'a>;

/// Records of a table in key order.
pub(crate) type Records<'a, K, V> = Box<dyn Iterator<Item = Result<(K, V), Failure>> + 'a>;

fn take<'a>(from: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(head)
}

impl TableKey for () {
    fn push_key(&self, _: &mut Vec<u8>) {}
    fn take_key(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}
impl TableKey for u8 {
    fn push_key(&self, to: &mut Vec<u8>) {
        to.push(*self);
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        take(from, 1).map(|bytes| bytes[0])
    }
}
impl TableKey for u32 {
    fn push_key(&self, to: &mut Vec<u8>) {
        to.extend(self.to_be_bytes());
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        take(from, 4)?.try_into().ok().map(u32::from_be_bytes)
    }
}
impl TableKey for u64 {
    fn push_key(&self, to: &mut Vec<u8>) {
        to.extend(self.to_be_bytes());
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        take(from, 8)?.try_into().ok().map(u64::from_be_bytes)
    }
}
impl TableKey for [u8; 32] {
    fn push_key(&self, to: &mut Vec<u8>) {
        to.extend(self);
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        take(from, 32)?.try_into().ok()
    }
}
/// Bytes of a variable length up to 255, such as account addresses; the length goes first.
impl TableKey for Vec<u8> {
    fn push_key(&self, to: &mut Vec<u8>) {
        let len = u8::try_from(self.len()).unwrap_or(u8::MAX);
        to.push(len);
        to.extend(&self[..usize::from(len)]);
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        let len = u8::take_key(from)?;
        take(from, usize::from(len)).map(<[u8]>::to_vec)
    }
}
impl<A: TableKey, B: TableKey> TableKey for (A, B) {
    fn push_key(&self, to: &mut Vec<u8>) {
        self.0.push_key(to);
        self.1.push_key(to);
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        Some((A::take_key(from)?, B::take_key(from)?))
    }
}
impl<A: TableKey, B: TableKey, C: TableKey> TableKey for (A, B, C) {
    fn push_key(&self, to: &mut Vec<u8>) {
        self.0.push_key(to);
        self.1.push_key(to);
        self.2.push_key(to);
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        Some((A::take_key(from)?, B::take_key(from)?, C::take_key(from)?))
    }
}

macro_rules! number_key {
    ($type:ty, $inner:ty, $to:ident, $from:expr) => {
        impl TableKey for $type {
            fn push_key(&self, to: &mut Vec<u8>) {
                self.$to().push_key(to);
            }
            fn take_key(from: &mut &[u8]) -> Option<Self> {
                <$inner>::take_key(from).map($from)
            }
        }
    };
}
number_key!(PosHeight, u64, to_u64, PosHeight::new);
number_key!(Epoch, u64, to_u64, Epoch::new);
number_key!(BtcHeight, u32, to_u32, BtcHeight::new);

impl TableKey for ParamsVersion {
    fn push_key(&self, to: &mut Vec<u8>) {
        self.0.push_key(to);
    }
    fn take_key(from: &mut &[u8]) -> Option<Self> {
        u32::take_key(from).map(ParamsVersion)
    }
}

macro_rules! public_key {
    ($type:ty) => {
        impl TableKey for $type {
            fn push_key(&self, to: &mut Vec<u8>) {
                to.extend(self.to_bytes());
            }
            fn take_key(from: &mut &[u8]) -> Option<Self> {
                <$type>::from_slice(take(from, 32)?).ok()
            }
        }
    };
}
public_key!(FinalityProviderPublicKey);
public_key!(StakerPublicKey);
public_key!(CovenantPublicKey);

macro_rules! hash_key {
    ($type:ty) => {
        /// Sorts by internal byte order.
        impl TableKey for $type {
            fn push_key(&self, to: &mut Vec<u8>) {
                to.extend(self.to_byte_array());
            }
            fn take_key(from: &mut &[u8]) -> Option<Self> {
                <[u8; 32]>::take_key(from).map(Self::from_byte_array)
            }
        }
    };
}
hash_key!(Txid);
hash_key!(BlockHash);

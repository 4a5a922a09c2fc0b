//! One layer of the state: own writes over something to read.

use super::gas::Meter;
use crate::error::{Broken, Failure};
use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::Bound,
};

/// Writes of a layer: a value to put or `None` to delete, in key order.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key with its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// A key with its value before and its value now.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Entries in key order, or why they cannot be read.
pub(crate) type Entries<'a> = Box<dyn Iterator<Item = Result<Entry, Broken>> + 'a>;

/// Direction of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// Keys from `start`, inclusive, to `end`, exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Option<Vec<u8>>,
}

impl KeyRange {
    /// All keys that begin with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        Self { start: prefix.to_vec(), end: successor(prefix) }
    }

    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let end = self.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(self.start.as_slice()), end)
    }

    /// Whether no key can lie in the range.
    pub(crate) fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// The first key behind all keys that begin with `prefix`; `None` when there is none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// Something that can be read in key order.
pub(crate) trait ReadState {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken>;
    /// The entries of a range.
    fn scan<'a>(&'a self, range: &KeyRange, order: Order) -> Entries<'a>;
}

/// A layer of writes over a readable state, with the gas meter its accesses are charged to.
pub(crate) struct State<'p> {
    below: &'p dyn ReadState,
    writes: Writes,
    meter: &'p Meter,
}

impl<'p> State<'p> {
    /// An empty layer.
    pub(crate) fn new(below: &'p dyn ReadState, meter: &'p Meter) -> Self {
        Self::resume(below, Writes::new(), meter)
    }

    /// A layer that goes on where an earlier one, taken apart by [`State::into_writes`], ended.
    pub(crate) fn resume(below: &'p dyn ReadState, writes: Writes, meter: &'p Meter) -> Self {
        Self { below, writes, meter }
    }

    /// What the layer wrote.
    pub(crate) fn into_writes(self) -> Writes {
        self.writes
    }

    /// The keys that begin with `prefix` and were written in this layer, each with its value below and its value now.
    pub(crate) fn changed(&self, prefix: &[u8]) -> Result<Vec<Change>, Broken> {
        let range = KeyRange::prefix(prefix);
        let written = self.writes.range::<[u8], _>(range.bounds());
        written.map(|(key, now)| Ok((key.clone(), self.below.get(key)?, now.clone()))).collect()
    }

    /// Takes over the writes of a layer that lay on top of this one.
    pub(crate) fn absorb(&mut self, writes: Writes) {
        self.writes.extend(writes);
    }

    /// The meter this layer charges to.
    pub(crate) fn meter(&self) -> &'p Meter {
        self.meter
    }

    /// Reads a value and charges for it.
    pub(crate) fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let value = self.get(key)?;
        self.meter.charge_read(key.len(), value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    /// Writes a value and charges for it.
    pub(crate) fn write(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Failure> {
        self.meter.charge_write(key.len(), value.len())?;
        self.writes.insert(key, Some(value));
        Ok(())
    }

    /// Deletes a key and charges for it.
    pub(crate) fn erase(&mut self, key: Vec<u8>) -> Result<(), Failure> {
        self.meter.charge_delete()?;
        self.writes.insert(key, None);
        Ok(())
    }
}

impl ReadState for State<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.below.get(key),
        }
    }

    fn scan<'a>(&'a self, range: &KeyRange, order: Order) -> Entries<'a> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let own = OwnWrites { range: self.writes.range::<[u8], _>(range.bounds()), order };
        Box::new(Merged { own: own.peekable(), below: self.below.scan(range, order).peekable(), order })
    }
}

/// Own writes of a range in scan order.
struct OwnWrites<'a> {
    range: btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>,
    order: Order,
}

impl<'a> Iterator for OwnWrites<'a> {
    type Item = (&'a Vec<u8>, &'a Option<Vec<u8>>);
    fn next(&mut self) -> Option<Self::Item> {
        match self.order {
            Order::Ascending => self.range.next(),
            Order::Descending => self.range.next_back(),
        }
    }
}

/// Own writes merged over the entries below: own values win, deleted keys vanish.
struct Merged<'a> {
    own: Peekable<OwnWrites<'a>>,
    below: Peekable<Entries<'a>>,
    order: Order,
}

impl Merged<'_> {
    /// Whether `a` comes before `b` in scan order.
    fn precedes(&self, a: &[u8], b: &[u8]) -> bool {
        match self.order {
            Order::Ascending => a < b,
            Order::Descending => a > b,
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Entry, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let below_key = match self.below.peek() {
                Some(Err(_)) => return self.below.next(),
                Some(Ok((key, _))) => Some(key.clone()),
                None => None,
            };
            let Some((own_key, _)) = self.own.peek().copied() else { return self.below.next() };
            if below_key.as_ref().is_some_and(|below| self.precedes(below, own_key)) {
                return self.below.next();
            }
            if below_key.as_ref() == Some(own_key) {
                self.below.next();
            }
            if let Some((key, Some(value))) = self.own.next() {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::memory::MemoryBackend;
    use proptest::prelude::*;

    #[test]
    fn the_successor_of_a_prefix_follows_all_its_keys() {
        assert_eq!(successor(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(successor(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(successor(&[255]), None);
        assert_eq!(successor(&[]), None);
    }

    proptest! {
        #[test]
        fn layers_read_like_one_flat_map(
            base in proptest::collection::btree_map(proptest::collection::vec(0u8..4, 0..3), any::<u8>(), 0..12),
            edits in proptest::collection::vec(
                (proptest::collection::vec(0u8..4, 0..3), proptest::option::of(any::<u8>())), 0..12),
            start in proptest::collection::vec(0u8..4, 0..3),
            end in proptest::option::of(proptest::collection::vec(0u8..4, 0..3)),
        ) {
            let mut flat: BTreeMap<Vec<u8>, Vec<u8>> =
                base.iter().map(|(k, v)| (k.clone(), vec![*v])).collect();
            let backend = MemoryBackend::from_entries(flat.clone());
            let meter = Meter::unlimited();
            let mut lower = State::new(&backend, &meter);
            let half = edits.len() / 2;
            for (key, value) in &edits[..half] {
                match value {
                    Some(v) => { lower.write(key.clone(), vec![*v]).unwrap(); flat.insert(key.clone(), vec![*v]); }
                    None => { lower.erase(key.clone()).unwrap(); flat.remove(key); }
                }
            }
            let mut upper = State::new(&lower, &meter);
            for (key, value) in &edits[half..] {
                match value {
                    Some(v) => { upper.write(key.clone(), vec![*v]).unwrap(); flat.insert(key.clone(), vec![*v]); }
                    None => { upper.erase(key.clone()).unwrap(); flat.remove(key); }
                }
            }
            let range = KeyRange { start, end };
            let expected: Vec<Entry> = if range.is_empty() { vec![] } else {
                flat.range::<[u8], _>(range.bounds()).map(|(k, v)| (k.clone(), v.clone())).collect()
            };
            let seen: Vec<Entry> = upper.scan(&range, Order::Ascending).map(Result::unwrap).collect();
            prop_assert_eq!(&seen, &expected);
            let mut back: Vec<Entry> = upper.scan(&range, Order::Descending).map(Result::unwrap).collect();
            back.reverse();
            prop_assert_eq!(&back, &expected);
        }
    }
}

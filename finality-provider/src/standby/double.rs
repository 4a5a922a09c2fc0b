//! An engine in memory that does what etcd does, as a value: tests and the model of the protocol run on it, and it is
//! held against a real etcd by `tests/standby`.

use super::engine::{
    Answers, Committed, Compare, Engine, EngineError, Entry, KeyRange, LeaseId, Op, OpAnswer, Txn,
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The state of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    entries: BTreeMap<String, (Entry, Option<LeaseId>)>,
    leases: BTreeSet<LeaseId>,
    revision: i64,
}

/// A store behind the engine's interface, whose leases end when a test says so.
#[derive(Debug, Default)]
pub struct EngineDouble {
    state: Mutex<(Store, Fault)>,
}

/// What goes wrong with transactions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// They do not arrive.
    Deaf,
    /// They take place, and the answer is lost.
    AnswerLost,
}

impl Default for Store {
    /// An empty store; an etcd begins at revision 1.
    fn default() -> Self {
        Self { entries: BTreeMap::new(), leases: BTreeSet::new(), revision: 1 }
    }
}

impl Store {
    /// Carries a transaction out, or nothing of it.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when a key is to hang on a lease that is gone.
    pub fn commit(&mut self, txn: &Txn) -> Result<Committed, EngineError> {
        let mut next = self.clone();
        next.revision += 1;
        let (mut written, mut lease_gone) = (false, false);
        let answers = next.run(txn, &mut written, &mut lease_gone);
        if lease_gone {
            return Err(EngineError::Refused("requested lease not found".to_owned()));
        }
        if written {
            *self = next;
        }
        Ok(Committed { cluster: 1, revision: self.revision, answers })
    }

    /// Begins a lease.
    pub fn grant(&mut self, lease: LeaseId) {
        self.leases.insert(lease);
    }

    /// Whether there is such a lease.
    pub fn has_lease(&self, lease: LeaseId) -> bool {
        self.leases.contains(&lease)
    }

    /// The leases there are.
    pub fn leases(&self) -> impl Iterator<Item = LeaseId> + '_ {
        self.leases.iter().copied()
    }

    /// Ends a lease and what hangs on it.
    pub fn end(&mut self, lease: LeaseId) {
        self.leases.remove(&lease);
        let before = self.entries.len();
        self.entries.retain(|_, (_, hangs_on)| *hangs_on != Some(lease));
        self.revision += i64::from(self.entries.len() < before);
    }

    fn run(&mut self, txn: &Txn, written: &mut bool, lease_gone: &mut bool) -> Answers {
        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let ops = if succeeded { &txn.success } else { &txn.failure };
        let ops = ops.iter().map(|op| self.perform(op, written, lease_gone)).collect();
        Answers { succeeded, ops }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let entry = |key: &String| self.entries.get(key).map(|(entry, _)| entry);
        match compare {
            Compare::Absent(key) => entry(key).is_none(),
            Compare::Present(key) => entry(key).is_some(),
            Compare::CreatedAt(key, revision) => entry(key).is_some_and(|entry| entry.created == *revision),
            Compare::ModifiedAt(key, revision) => entry(key).is_some_and(|entry| entry.modified == *revision),
            Compare::ValueIs(key, value) => entry(key).is_some_and(|entry| entry.value == value.as_bytes()),
            Compare::ValueBelow(key, value) => {
                entry(key).is_some_and(|entry| entry.value.as_slice() < value.as_bytes())
            }
        }
    }

    fn perform(&mut self, op: &Op, written: &mut bool, lease_gone: &mut bool) -> OpAnswer {
        let next = self.revision;
        match op {
            Op::Put { key, value, lease } => {
                *written = true;
                *lease_gone |= lease.is_some_and(|lease| !self.has_lease(lease));
                let created = self.entries.get(key).map_or(next, |(entry, _)| entry.created);
                let value = value.clone().into_bytes();
                let entry = Entry { key: key.clone(), value, created, modified: next };
                self.entries.insert(key.clone(), (entry, *lease));
                OpAnswer::Put
            }
            Op::Range { range, limit } => {
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let mut found = self.within(range);
                let entries = found.by_ref().take(limit).cloned().collect();
                OpAnswer::Range { entries, more: found.next().is_some() }
            }
            Op::Delete(range) => {
                let keys: Vec<_> = self.within(range).map(|entry| entry.key.clone()).collect();
                *written |= !keys.is_empty();
                for key in &keys {
                    self.entries.remove(key);
                }
                OpAnswer::Deleted(u64::try_from(keys.len()).unwrap_or(u64::MAX))
            }
            Op::Txn(txn) => OpAnswer::Txn(self.run(txn, written, lease_gone)),
        }
    }

    fn within<'a>(&'a self, range: &'a KeyRange) -> impl Iterator<Item = &'a Entry> + 'a {
        let from = self.entries.range(range.start.clone()..);
        from.map(|(_, (entry, _))| entry).take_while(|entry| range.contains(&entry.key))
    }
}

impl EngineDouble {
    /// Lets a test look at the store, or change it.
    pub fn with<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Lets transactions fail from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = fault;
    }

    fn answer<T>(&self, work: impl FnOnce(&mut Store) -> T) -> Result<T, EngineError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = || EngineError::NoAnswer("told not to answer".to_owned());
        match state.1 {
            Fault::None => Ok(work(&mut state.0)),
            Fault::Deaf => Err(lost()),
            Fault::AnswerLost => {
                work(&mut state.0);
                Err(lost())
            }
        }
    }
}

#[async_trait]
impl Engine for EngineDouble {
    async fn commit(&self, txn: Txn) -> Result<Committed, EngineError> {
        self.answer(|store| store.commit(&txn))?
    }
    async fn grant(&self, lease: LeaseId, _: Duration) -> Result<(), EngineError> {
        self.answer(|store| store.grant(lease))
    }
    async fn keep_alive(&self, lease: LeaseId) -> Result<bool, EngineError> {
        self.answer(|store| store.has_lease(lease))
    }
    async fn revoke(&self, lease: LeaseId) -> Result<(), EngineError> {
        self.answer(|store| store.end(lease))
    }
}

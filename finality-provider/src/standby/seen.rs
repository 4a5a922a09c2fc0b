//! Which engine it was, and how far it had come: an engine that was put back from a backup has forgotten votes.
//!
//! An engine's revision never falls, and a restored cluster usually has a new identity. Both are remembered on this
//! side, durably, and an answer that is older than an earlier one stops everything: the votes that are missing in it
//! could be signed a second time. This is the first of two checks; the second compares the votes themselves, see
//! [`Standby`](super::Standby).

use super::engine::{Committed, Engine, EngineError, LeaseId, Txn};
use crate::records::Records;
use async_trait::async_trait;
use btc_staking_store::StoreError;
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use thiserror::Error;

/// What is remembered of the engine, and the identity of this data directory in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Of this data directory, drawn once.
    pub home: [u8; 16],
    /// Which engine; `None` before it first answered.
    pub cluster: Option<u64>,
    /// Its highest revision.
    pub revision: i64,
}

/// The engine's history is not the one that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotTheSame {
    /// Another cluster.
    #[error(
        "this is etcd cluster {found:x}, and the one used until now is {seen:x}: if it was restored from a backup or set up \
         anew, it lacks votes; see \"An etcd that lost its memory\" in the guide before anything signs"
    )]
    OtherCluster {
        /// The one before.
        seen: u64,
        /// The one that answered.
        found: u64,
    },
    /// An older state.
    #[error(
        "etcd is at revision {found} although it was at {seen} before: it was restored from a backup and lacks votes; see \
         \"An etcd that lost its memory\" in the guide before anything signs"
    )]
    WentBack {
        /// The one before.
        seen: i64,
        /// The one it has now.
        found: i64,
    },
}

/// An engine whose answers are held against what was seen of it before.
pub struct Watched {
    engine: Arc<dyn Engine>,
    records: Records,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
    seen: Sighting,
    recorded: Sighting,
    broken: Option<NotTheSame>,
}

impl Watched {
    /// Watches an engine, from what the store remembers. `home` is the identity taken if it remembers none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(engine: Arc<dyn Engine>, records: Records, home: [u8; 16]) -> Result<Self, StoreError> {
        let seen = match records.sighting()? {
            Some(seen) => seen,
            None => {
                let seen = Sighting { home, cluster: None, revision: 0 };
                records.record_sighting(seen)?;
                seen
            }
        };
        Ok(Self { engine, records, state: Mutex::new(State { seen, recorded: seen, broken: None }) })
    }

    /// The identity of this data directory.
    pub fn home(&self) -> [u8; 16] {
        self.lock().seen.home
    }

    /// Makes what was seen durable.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record(&self) -> Result<(), StoreError> {
        let State { seen, recorded, .. } = *self.lock();
        if seen != recorded {
            self.records.record_sighting(seen)?;
            self.lock().recorded = seen;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers may overtake each other, so an answer is held against what was seen when its question was asked. What
    /// wrote something is behind it.
    fn check(&self, before: Sighting, answer: &Committed) -> Result<(), NotTheSame> {
        let mut state = self.lock();
        if let Some(broken) = state.broken {
            return Err(broken);
        }
        let found = answer.cluster;
        let wrong = match before.cluster {
            Some(seen) if seen != found => Some(NotTheSame::OtherCluster { seen, found }),
            _ if answer.revision < before.revision.saturating_add(i64::from(answer.answers.wrote())) => {
                Some(NotTheSame::WentBack { seen: before.revision, found: answer.revision })
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            state.broken = Some(wrong);
            return Err(wrong);
        }
        state.seen.cluster = Some(found);
        state.seen.revision = state.seen.revision.max(answer.revision);
        Ok(())
    }
}

#[async_trait]
impl Engine for Watched {
    async fn commit(&self, txn: Txn) -> Result<Committed, EngineError> {
        let State { seen, broken, .. } = *self.lock();
        if let Some(broken) = broken {
            return Err(broken.into());
        }
        let answer = self.engine.commit(txn).await?;
        self.check(seen, &answer)?;
        Ok(answer)
    }
    async fn grant(&self, lease: LeaseId, life: Duration) -> Result<(), EngineError> {
        self.engine.grant(lease, life).await
    }
    async fn keep_alive(&self, lease: LeaseId) -> Result<bool, EngineError> {
        self.engine.keep_alive(lease).await
    }
    async fn revoke(&self, lease: LeaseId) -> Result<(), EngineError> {
        self.engine.revoke(lease).await
    }
}

//! What is asked of the engine that the daemons of a pair share, in the engine's terms and in none of its messages.
//!
//! A transaction compares keys, then performs one of two lists of operations, as one step that every later transaction
//! sees. Each thing that happens gives the whole store a higher revision. A key may hang on a lease, and is gone when the
//! lease ends. etcd is such an engine ([`etcd`](super::etcd)); [`double`](super::double) is one in memory.

use async_trait::async_trait;
use std::time::Duration;
use thiserror::Error;

/// A lease, named by whoever asks for it, so that asking twice gives one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

/// Keys from `start` on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// First key.
    pub start: String,
    /// First key that is not meant any more; `None` for the one key `start`.
    pub end: Option<String>,
}

/// One condition of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Compare {
    /// There is no such key.
    Absent(String),
    /// There is such a key.
    Present(String),
    /// The key was created at this revision, and was not deleted since.
    CreatedAt(String, i64),
    /// The key was last written at this revision.
    ModifiedAt(String, i64),
    /// The key has this value.
    ValueIs(String, String),
    /// The key has a value that sorts before this one, byte by byte.
    ValueBelow(String, String),
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Op {
    /// Writes a key.
    Put {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What its life hangs on; `None`: on nothing.
        lease: Option<LeaseId>,
    },
    /// Reads keys in ascending order.
    Range {
        /// Which.
        range: KeyRange,
        /// Most entries in the answer.
        limit: u32,
    },
    /// Deletes keys.
    Delete(KeyRange),
    /// A transaction inside this one.
    Txn(Txn),
}

/// Conditions, and what is done if they all hold or if one does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Txn {
    /// All must hold.
    pub compare: Vec<Compare>,
    /// Done then.
    pub success: Vec<Op>,
    /// Done otherwise.
    pub failure: Vec<Op>,
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// What it holds.
    pub value: Vec<u8>,
    /// Revision at which it came into being.
    pub created: i64,
    /// Revision at which it was last written.
    pub modified: i64,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OpAnswer {
    /// Written.
    Put,
    /// Read.
    Range {
        /// Ascending by key.
        entries: Vec<Entry>,
        /// Whether there are more than were asked for.
        more: bool,
    },
    /// Deleted this many keys.
    Deleted(u64),
    /// The inner transaction.
    Txn(Answers),
}

/// What became of a transaction's steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answers {
    /// Whether the conditions held.
    pub succeeded: bool,
    /// One answer to each step that was done.
    pub ops: Vec<OpAnswer>,
}

/// A transaction that took place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Committed {
    /// Which engine answered; another one has another history.
    pub cluster: u64,
    /// The store's revision after it.
    pub revision: i64,
    /// Its answers.
    pub answers: Answers,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// Nobody answered in time, or there is no quorum. What was asked for may take place all the same, even later.
    #[error("the engine does not answer: {0}")]
    NoAnswer(String),
    /// It answered that it will not do this.
    #[error("the engine refuses: {0}")]
    Refused(String),
    /// The answer is none that such an engine gives.
    #[error("the engine gave an answer that makes no sense: {0}")]
    Broken(String),
    /// It is another engine than before, or an older state of the same.
    #[error(transparent)]
    NotTheSame(#[from] super::seen::NotTheSame),
}

/// An engine. Every method may be asked again after [`EngineError::NoAnswer`].
#[async_trait]
pub trait Engine: Send + Sync {
    /// Carries a transaction out as one step, and sees everything that was committed before it was asked.
    ///
    /// # Errors
    /// [`EngineError`].
    async fn commit(&self, txn: Txn) -> Result<Committed, EngineError>;

    /// Begins a lease that ends unless it is kept alive; one that exists already is left as it is.
    ///
    /// # Errors
    /// [`EngineError`].
    async fn grant(&self, lease: LeaseId, life: Duration) -> Result<(), EngineError>;

    /// Lets a lease begin its life anew; `false` if there is no such lease.
    ///
    /// # Errors
    /// [`EngineError`].
    async fn keep_alive(&self, lease: LeaseId) -> Result<bool, EngineError>;

    /// Ends a lease, and deletes the keys that hang on it. One that is gone already is no failure.
    ///
    /// # Errors
    /// [`EngineError`].
    async fn revoke(&self, lease: LeaseId) -> Result<(), EngineError>;
}

impl KeyRange {
    /// The one key.
    pub fn one(key: &str) -> Self {
        Self { start: key.to_owned(), end: None }
    }

    /// Every key that begins with a prefix, which must end in an ASCII character.
    pub fn prefix(prefix: &str) -> Self {
        let mut end = prefix.to_owned();
        let last = end.pop().filter(char::is_ascii).and_then(|last| char::from_u32(u32::from(last) + 1));
        end.extend(last);
        Self { start: prefix.to_owned(), end: Some(end) }
    }

    /// Whether a key is meant.
    pub fn contains(&self, key: &str) -> bool {
        match &self.end {
            None => key == self.start,
            Some(end) => key >= self.start.as_str() && key < end.as_str(),
        }
    }
}

impl Answers {
    /// Whether anything was written or deleted.
    pub fn wrote(&self) -> bool {
        self.ops.iter().any(|op| match op {
            OpAnswer::Put => true,
            OpAnswer::Deleted(count) => *count > 0,
            OpAnswer::Range { .. } => false,
            OpAnswer::Txn(inner) => inner.wrote(),
        })
    }
}

impl Op {
    /// Reads one key.
    pub fn get(key: &str) -> Self {
        Self::Range { range: KeyRange::one(key), limit: 1 }
    }
}

impl Txn {
    /// Reads, under no condition.
    pub fn read(ops: Vec<Op>) -> Self {
        Self { success: ops, ..Self::default() }
    }
}

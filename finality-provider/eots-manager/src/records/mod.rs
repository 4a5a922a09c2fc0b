//! The sign records: what was ever allowed to be signed, durable before any signature leaves.
//!
//! One append-only, hash-chained file per data directory, opened by one process at a time. It refuses to be opened
//! when it was edited, truncated, replaced or restored from a backup; it refuses a second message at a height; and
//! once a write has failed it refuses everything. There is no way round it: signing takes a [`Permit`], and only
//! [`SignRecords::check_and_record`] makes one.
//!
//! | file | holds |
//! |---|---|
//! | `subject` | what is asked: key, chain, vote, range |
//! | `layout` | the bytes of a record |
//! | `medium` | the two files, the lock, the order of writes |
//! | `history` | the decision, in memory |
//! | `not_safe` | every reason to refuse |
//!
//! Spec: `crypto.md` 6.1 (anti-slashing store); `finality-provider.md` 9.

mod history;
mod layout;
mod medium;
mod not_safe;
mod subject;

#[cfg(test)]
mod tests;

pub use history::{RECENT_HEIGHTS, Safe};
pub use medium::{ANCHOR_FILE, RECORDS_FILE};
pub use not_safe::{NotSafe, OpenError};
pub use subject::{ChainId, InvalidChainId, MAX_CHAIN_ID_BYTES, Subject, VoteRequest};

use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::VoteMessage},
    height::PosHeight,
};
use history::History;
use layout::{Fact, Link, Record, SLOT};
use medium::{Anchor, Disk, Medium};
use std::{
    io::{self, Read},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// The right to sign one vote once. Made only by [`SignRecords::check_and_record`], consumed by signing.
#[must_use = "the vote is recorded as signed whether or not the permit is used"]
pub struct Permit {
    request: VoteRequest,
    safe: Safe,
}

/// The sign records of one data directory, locked for this process.
pub struct SignRecords {
    inner: Mutex<Inner>,
}

struct Inner {
    medium: Box<dyn Medium>,
    history: History,
    count: u64,
    last: Link,
    poisoned: bool,
}

impl Permit {
    /// What may be signed.
    pub fn request(&self) -> &VoteRequest {
        &self.request
    }
    /// Gives up the permit for what it allows.
    pub(crate) fn into_request(self) -> VoteRequest {
        self.request
    }
    /// Whether this was signed before.
    pub fn safe(&self) -> Safe {
        self.safe
    }
}

impl SignRecords {
    /// Creates empty records in a directory that has none, durably. The directory must exist.
    ///
    /// # Errors
    /// [`OpenError::Exists`] when there are some, [`OpenError::RolledBack`] when there were.
    pub fn create(directory: &Path) -> Result<(), OpenError> {
        let mut file_id = [0; 16];
        getrandom::fill(&mut file_id).map_err(|error| OpenError::Io {
            path: directory.to_owned(),
            source: io::Error::other(error.to_string()),
        })?;
        Disk::create(directory, file_id)
    }

    /// Opens, locks and verifies the records of a directory, every record of them.
    ///
    /// A last record that a crash cut short is removed: it was never durable, so nothing was released for it.
    ///
    /// # Errors
    /// [`OpenError`], each saying what to do.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let opened = Disk::open(directory)?;
        let path = opened.disk.path().to_owned();
        let io_error = |source| OpenError::Io { path: path.clone(), source };
        let reader = opened.disk.reader().map_err(io_error)?;
        let replay = replay(reader, &path, layout::link(&opened.header), opened.anchor)?;
        let mut disk = opened.disk;
        let end = (replay.count + 1) * SLOT as u64;
        disk.cut_at(end).map_err(io_error)?;
        let Replay { history, count, last } = replay;
        Ok(Self {
            inner: Mutex::new(Inner { medium: Box::new(disk), history, count, last, poisoned: false }),
        })
    }

    /// Decides whether a vote may be signed and, if so, makes that durable before it returns.
    ///
    /// The same vote again is permitted again and writes nothing.
    ///
    /// # Errors
    /// [`NotSafe`] with the evidence. After an error that [`NotSafe::is_fatal`] the process must stop.
    pub fn check_and_record(&self, request: VoteRequest) -> Result<Permit, NotSafe> {
        let mut inner = self.lock()?;
        let safe = inner.history.check(&request)?;
        match safe {
            Safe::SameAgain => {}
            Safe::Fresh => {
                inner.record(&request.subject, Fact::Vote(request.message, request.public_randomness))?
            }
        }
        Ok(Permit { request, safe })
    }

    /// Records that the randomness of a range is about to be committed to, durable on return.
    ///
    /// Overlapping ranges are not refused here: randomness is a function of the height, so two commitments to one
    /// height commit to one nonce. The record keeps a restarted planner at the bounds it already announced.
    ///
    /// # Errors
    /// [`NotSafe`], always fatal.
    pub fn record_commitment(&self, subject: &Subject, range: CommittedRandomness) -> Result<(), NotSafe> {
        let mut inner = self.lock()?;
        if inner.history.commitments(subject).contains(&range) {
            return Ok(());
        }
        inner.record(subject, Fact::Commitment(range))
    }

    /// Raises the height at or below which nothing new is signed, durable on return. It never falls.
    ///
    /// # Errors
    /// [`NotSafe`], always fatal.
    pub fn record_watermark(&self, subject: &Subject, height: PosHeight) -> Result<(), NotSafe> {
        let mut inner = self.lock()?;
        if inner.history.watermark(subject) >= Some(height) {
            return Ok(());
        }
        inner.record(subject, Fact::Watermark(height))
    }

    /// The height at or below which nothing new is signed; `None` if there is no such height.
    pub fn watermark(&self, subject: &Subject) -> Option<PosHeight> {
        self.read(|history| history.watermark(subject))
    }

    /// The highest height ever signed or barred; `None` for a subject without history.
    pub fn highest(&self, subject: &Subject) -> Option<PosHeight> {
        self.read(|history| history.highest(subject))
    }

    /// The vote signed at a height, if it is among the [`RECENT_HEIGHTS`] highest.
    pub fn vote_at(&self, subject: &Subject, height: PosHeight) -> Option<VoteMessage> {
        self.read(|history| history.vote_at(subject, height))
    }

    /// The commitments recorded, ascending by first height.
    pub fn commitments(&self, subject: &Subject) -> Vec<CommittedRandomness> {
        self.read(|history| history.commitments(subject))
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, Inner>, NotSafe> {
        // A thread that panicked while it held the lock may have written without remembering.
        let inner = self.inner.lock().map_err(|_| NotSafe::Poisoned)?;
        if inner.poisoned { Err(NotSafe::Poisoned) } else { Ok(inner) }
    }

    fn read<T>(&self, question: impl FnOnce(&History) -> T) -> T {
        question(&self.inner.lock().unwrap_or_else(PoisonError::into_inner).history)
    }
}

impl Inner {
    /// Append, sync, remember, anchor. If any write fails nothing is ever written or signed again: whether the bytes
    /// are on disk is then unknown, and after a failed `fsync` the kernel may have dropped them.
    fn record(&mut self, subject: &Subject, fact: Fact) -> Result<(), NotSafe> {
        let record = Record { sequence: self.count, previous: self.last, subject: subject.clone(), fact };
        let slot = layout::encode(&record);
        let anchor = Anchor { count: self.count + 1, last: layout::link(&slot) };
        self.poisoned = true;
        self.medium.append(&slot).map_err(NotSafe::NotDurable)?;
        self.medium.sync().map_err(NotSafe::NotDurable)?;
        self.history.apply(subject, &record.fact);
        self.count = anchor.count;
        self.last = anchor.last;
        self.medium.note(anchor).map_err(NotSafe::NotDurable)?;
        self.poisoned = false;
        Ok(())
    }
}

struct Replay {
    history: History,
    count: u64,
    last: Link,
}

/// Reads every record, checks the chain and that it reaches the anchor.
fn replay(mut reader: impl Read, path: &Path, header: Link, anchor: Anchor) -> Result<Replay, OpenError> {
    let mut replay = Replay { history: History::default(), count: 0, last: header };
    let io_error = |source| OpenError::Io { path: path.to_owned(), source };
    let mut anchored = anchor.count == 0 && anchor.last == header;
    while let Some(slot) = read_slot(&mut reader).map_err(io_error)? {
        if layout::is_torn(&slot) && read_slot(&mut reader).map_err(io_error)?.is_none() {
            break;
        }
        let damaged = |what| OpenError::Damaged { path: path.to_owned(), record: replay.count, what };
        let record = layout::decode(&slot).map_err(damaged)?;
        if record.previous != replay.last || record.sequence != replay.count {
            return Err(damaged("the record does not follow from the one before"));
        }
        replay.history.apply(&record.subject, &record.fact);
        replay.count += 1;
        replay.last = layout::link(&slot);
        anchored |= replay.count == anchor.count && replay.last == anchor.last;
    }
    if !anchored {
        let (expected, found) = (anchor.count, replay.count);
        return Err(OpenError::RolledBack { path: path.to_owned(), expected, found });
    }
    Ok(replay)
}

/// Reads one whole slot; `None` at the end of the file or when the rest is too short to be a record.
fn read_slot(reader: &mut impl Read) -> io::Result<Option<[u8; SLOT]>> {
    let mut slot = [0; SLOT];
    let mut filled = 0;
    while filled < SLOT {
        match reader.read(&mut slot[filled..]) {
            Ok(0) => return Ok(None),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(slot))
}

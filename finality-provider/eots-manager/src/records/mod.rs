//! The sign records: what was ever allowed to be signed, durable before any signature leaves.
//!
//! One append-only, hash-chained file per data directory, opened by one process at a time. It refuses to be opened
//! when it was edited, truncated, replaced or restored from a backup; it refuses a second message at a height; and
//! once a write has failed it refuses everything. There is no way round it: signing takes a [`Permit`], and only
//! [`SignRecords::check_and_record`] makes one.
//!
//! A key is refused on a chain on which nothing is known of it, whatever else the file holds: its history may lie
//! elsewhere. Either [`declare_new`](SignRecords::declare_new) says that there is none, or
//! [`import`](SignRecords::import) brings it.
//!
//! | file | holds |
//! |---|---|
//! | `subject` | what is asked: key, chain, vote, range |
//! | `layout` | the bytes of a record |
//! | `files` | the file system, the lock |
//! | `disk` | the order of writes |
//! | `replay` | what is checked when they are opened |
//! | `history` | the decision, in memory |
//! | `not_safe` | every reason to refuse |
//!
//! Spec: `crypto.md` 6.1 (anti-slashing store); `finality-provider.md` 9.

mod disk;
mod files;
mod history;
mod layout;
mod not_safe;
mod replay;
mod subject;

#[cfg(test)]
mod tests;

pub use files::{ANCHOR_FILE, RECORDS_FILE};
pub use history::{RECENT_HEIGHTS, Safe};
pub use not_safe::{NotSafe, OpenError};
pub use subject::{ChainId, InvalidChainId, MAX_CHAIN_ID_BYTES, Subject, VoteRequest};

use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{PublicRandomness, VoteMessage},
    },
    height::PosHeight,
};
use disk::{Disk, Opened, push_record};
use history::{History, Limits};
use layout::{Fact, Place, Position};
use replay::{MAX_WRITE, replay};
use std::{
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
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
    disk: Disk,
    history: History,
    end: Position,
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
        Self::open_with(Disk::open(directory)?, Limits::default())
    }

    fn open_with(opened: Opened, limits: Limits) -> Result<Self, OpenError> {
        let Opened { mut disk, anchor } = opened;
        let replay = replay(&disk, anchor, limits)?;
        disk.cut_at(replay.bytes).map_err(|source| OpenError::Io { path: disk.path().to_owned(), source })?;
        let inner = Inner { disk, history: replay.history, end: replay.end, poisoned: false };
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Records that a key never signed on a chain, durable on return, and says whether that was news. A key that has a
    /// history keeps it: nothing is written.
    ///
    /// Only an operator can know this. Said of a key that signed elsewhere, it opens the way to a double sign.
    ///
    /// # Errors
    /// [`NotSafe`], always fatal.
    pub fn declare_new(&self, subject: &Subject) -> Result<bool, NotSafe> {
        let mut inner = self.lock()?;
        if inner.history.knows(subject) {
            return Ok(false);
        }
        inner.record(subject, &[Fact::New])?;
        Ok(true)
    }

    /// Takes in what a key signed elsewhere on a chain and up to which height it may have signed: one write, one sync, all
    /// of it or nothing. An import of nothing says that nothing was signed. Doing it again changes nothing.
    ///
    /// Of votes only the highest that are remembered are taken, and none at or below the watermark of these records,
    /// where another may have been signed and forgotten.
    ///
    /// # Errors
    /// [`NotSafe::DoubleSign`] when these records hold another vote, or the import itself holds two at a height;
    /// [`NotSafe::OtherRandomness`] when it holds one vote with two randomnesses. Nothing is written then. Else always
    /// fatal.
    pub fn import(
        &self,
        subject: &Subject,
        votes: impl IntoIterator<Item = (VoteMessage, PublicRandomness)>,
        watermark: Option<PosHeight>,
    ) -> Result<(), NotSafe> {
        let mut votes = history::build_by_height(subject, votes)?;
        let mut forgotten = None;
        while votes.len() > RECENT_HEIGHTS {
            forgotten = votes.pop_first().map(|(height, _)| height);
        }
        let mut inner = self.lock()?;
        let facts = inner.history.news(subject, &votes, watermark.max(forgotten))?;
        if facts.is_empty() { Ok(()) } else { inner.record(subject, &facts) }
    }

    /// Decides whether a vote may be signed and, if so, makes that durable before it returns.
    ///
    /// The same vote again is permitted again and writes nothing.
    ///
    /// # Errors
    /// [`NotSafe`] with the evidence. After an error that [`NotSafe::is_fatal`] the process must stop.
    pub fn check_and_record(&self, request: VoteRequest) -> Result<Permit, NotSafe> {
        self.check_and_record_batch(vec![request])?.pop().expect("there is one answer to each request")
    }

    /// Decides for each of many votes whether it may be signed, and makes all that may durable with one sync.
    ///
    /// The answers are in the order of the requests, and each is the one that the request would have got alone after
    /// those before it: the same vote twice is permitted twice, and of two votes for one height the first is.
    ///
    /// # Errors
    /// Only what is fatal; a request that is refused is refused in its place and hinders no other.
    pub fn check_and_record_batch(
        &self,
        requests: Vec<VoteRequest>,
    ) -> Result<Vec<Result<Permit, NotSafe>>, NotSafe> {
        let mut inner = self.lock()?;
        let (mut answers, mut facts) = (Vec::with_capacity(requests.len()), Vec::new());
        inner.poisoned = true;
        for request in requests {
            let answer = inner.history.check(&request);
            if matches!(answer, Ok(Safe::Fresh)) {
                let fact = Fact::Vote(request.message, request.public_randomness);
                inner.history.apply(&request.subject, &fact);
                facts.push((request.subject.clone(), fact));
            }
            answers.push(answer.map(|safe| Permit { request, safe }));
        }
        inner.write(&facts)?;
        Ok(answers)
    }

    /// Records that the randomness of a range is about to be committed to, durable on return.
    ///
    /// Overlapping ranges are not refused here: randomness is a function of the height, so two commitments to one
    /// height commit to one nonce. The record keeps a restarted planner at the bounds it already announced.
    ///
    /// # Errors
    /// [`NotSafe`], always fatal.
    pub fn record_commitment(&self, subject: &Subject, range: CommittedRandomness) -> Result<(), NotSafe> {
        let mut inner = self.lock_known(subject)?;
        if inner.history.commitments(subject).contains(&range) {
            return Ok(());
        }
        inner.record(subject, &[Fact::Commitment(range)])
    }

    /// Raises the height at or below which nothing new is signed, durable on return. It never falls.
    ///
    /// It begins no history: what a chain says was signed is not all that may have been.
    ///
    /// # Errors
    /// [`NotSafe::NoHistory`]; else always fatal.
    pub fn record_watermark(&self, subject: &Subject, height: PosHeight) -> Result<(), NotSafe> {
        let mut inner = self.lock_known(subject)?;
        if inner.history.watermark(subject) >= Some(height) {
            return Ok(());
        }
        inner.record(subject, &[Fact::Watermark(height)])
    }

    /// Lowers the height above which nothing new is signed, durable on return: what is above belongs to the host the
    /// key moves to. It never rises but by [`lift_high_watermark`](Self::lift_high_watermark).
    ///
    /// # Errors
    /// [`NotSafe::NoHistory`]; else always fatal.
    pub fn record_high_watermark(&self, subject: &Subject, height: PosHeight) -> Result<(), NotSafe> {
        let mut inner = self.lock_known(subject)?;
        if inner.history.high_watermark(subject).is_some_and(|before| before <= height) {
            return Ok(());
        }
        inner.record(subject, &[Fact::HighWatermark(height)])
    }

    /// Takes a key back that signed elsewhere up to a height, durable on return: the low watermark rises to that
    /// height, and there is no high one any more.
    ///
    /// # Errors
    /// [`NotSafe::NoHistory`]; else always fatal.
    pub fn lift_high_watermark(&self, subject: &Subject, signed_elsewhere: PosHeight) -> Result<(), NotSafe> {
        let mut inner = self.lock_known(subject)?;
        let low = inner.history.watermark(subject).max(Some(signed_elsewhere)).unwrap_or(signed_elsewhere);
        inner.record(subject, &[Fact::Watermark(low), Fact::HighWatermark(PosHeight::new(u64::MAX))])
    }

    /// Drops from the file what no decision rests on any more. This happens by itself as well, whenever the file has
    /// become half again as long as what matters of it.
    ///
    /// # Errors
    /// [`NotSafe`], always fatal.
    pub fn compact(&self) -> Result<(), NotSafe> {
        let mut inner = self.lock()?;
        inner.poisoned = true;
        inner.compact()?;
        inner.poisoned = false;
        Ok(())
    }

    /// Whether anything is known of a key on a chain, be it that it is new there. If not, nothing is signed.
    pub fn has_history(&self, subject: &Subject) -> bool {
        self.read(|history| history.knows(subject))
    }

    /// Refuses a key on a chain on which nothing is known of it.
    ///
    /// # Errors
    /// [`NotSafe::NoHistory`]; [`NotSafe::Poisoned`].
    pub fn check_history(&self, subject: &Subject) -> Result<(), NotSafe> {
        self.lock_known(subject).map(drop)
    }

    /// The height at or below which nothing new is signed; `None` if there is no such height.
    pub fn watermark(&self, subject: &Subject) -> Option<PosHeight> {
        self.read(|history| history.watermark(subject))
    }

    /// The height above which nothing new is signed; `None` if there is no such height.
    pub fn high_watermark(&self, subject: &Subject) -> Option<PosHeight> {
        self.read(|history| history.high_watermark(subject))
    }

    /// The highest height ever signed or barred; `None` for a subject without history.
    pub fn highest(&self, subject: &Subject) -> Option<PosHeight> {
        self.read(|history| history.highest(subject))
    }

    /// The vote signed at a height, if it is among the [`RECENT_HEIGHTS`] highest.
    pub fn vote_at(&self, subject: &Subject, height: PosHeight) -> Option<VoteMessage> {
        self.read(|history| history.vote_at(subject, height))
    }

    /// The votes signed that are remembered, at most [`RECENT_HEIGHTS`], ascending by height.
    pub fn votes(&self, subject: &Subject) -> Vec<(VoteMessage, PublicRandomness)> {
        self.read(|history| history.votes(subject))
    }

    /// The commitments recorded, ascending by first height.
    pub fn commitments(&self, subject: &Subject) -> Vec<CommittedRandomness> {
        self.read(|history| history.commitments(subject))
    }

    fn lock(&self) -> Result<MutexGuard<'_, Inner>, NotSafe> {
        // A thread that panicked while it held the lock may have written without remembering.
        let inner = self.inner.lock().map_err(|_| NotSafe::Poisoned)?;
        if inner.poisoned { Err(NotSafe::Poisoned) } else { Ok(inner) }
    }

    fn lock_known(&self, subject: &Subject) -> Result<MutexGuard<'_, Inner>, NotSafe> {
        let inner = self.lock()?;
        if inner.history.knows(subject) {
            return Ok(inner);
        }
        Err(NotSafe::NoHistory { subject: Box::new(subject.clone()) })
    }

    fn read<T>(&self, question: impl FnOnce(&History) -> T) -> T {
        question(&self.inner.lock().unwrap_or_else(PoisonError::into_inner).history)
    }
}

impl Inner {
    fn record(&mut self, subject: &Subject, facts: &[Fact]) -> Result<(), NotSafe> {
        self.poisoned = true;
        let facts: Vec<_> = facts.iter().map(|fact| (subject.clone(), *fact)).collect();
        for (subject, fact) in &facts {
            self.history.apply(subject, fact);
        }
        self.write(&facts)
    }

    /// Makes facts durable that the history holds already. The caller has set `poisoned`, and only success takes it
    /// back: if any write fails nothing is ever written or signed again, because whether the bytes are on disk is then
    /// unknown, and after a failed `fsync` the kernel may have dropped them.
    fn write(&mut self, facts: &[(Subject, Fact)]) -> Result<(), NotSafe> {
        for facts in facts.chunks(MAX_WRITE) {
            let (mut slots, mut end) = (Vec::with_capacity(facts.len() * layout::SLOT), self.end);
            let last = u16::try_from(facts.len() - 1).expect("MAX_WRITE fits, and no chunk is empty");
            for (before, (subject, fact)) in (0..=last).zip(facts) {
                end = push_record(&mut slots, end, subject, *fact, Place { before, after: last - before });
            }
            self.disk.append(&slots, end).map_err(NotSafe::NotDurable)?;
            self.end = end;
        }
        if self.history.is_worth_compacting(self.disk.records()) {
            self.compact()?;
        }
        self.poisoned = false;
        Ok(())
    }

    fn compact(&mut self) -> Result<(), NotSafe> {
        self.end = self.disk.compact(self.history.summary(), self.end).map_err(NotSafe::NotDurable)?;
        Ok(())
    }
}

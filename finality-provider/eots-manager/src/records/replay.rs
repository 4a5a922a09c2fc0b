//! Opening: every record read, the chain checked, the anchor reached, and what a crash left behind the end cut off.
//!
//! | behind the last good record | verdict |
//! |---|---|
//! | less than a slot, or fewer records than the write had | a write that never returned: cut, all of it |
//! | slots without a digest, and records, all of them of one write | the same: its pages arrived in any order |
//! | a slot with a wrong digest, or a record of a write that came after | damage: refused |
//!
//! A write only begins once the one before it is durable, so a hole that any later write follows was no crash.

use super::{
    disk::{CHUNK, Disk},
    history::{History, Limits, RECENT_HEIGHTS},
    layout::{self, Decoder, Fact, Link, Position, Record, SLOT},
    not_safe::OpenError,
    subject::Subject,
};
use std::io;

/// Most records in one write: more than an import of all that is remembered.
pub const MAX_WRITE: usize = 32_768;
const _: () = assert!(MAX_WRITE > RECENT_HEIGHTS + 1);

/// What a file says.
pub struct Replay {
    pub history: History,
    /// Its last record.
    pub end: Position,
    /// Bytes up to there.
    pub bytes: u64,
}

/// Reads and checks a file.
pub fn replay(disk: &Disk, anchor: Position, limits: Limits) -> Result<Replay, OpenError> {
    let header = *disk.header();
    let path = || disk.path().to_owned();
    let io_error = |source| OpenError::Io { path: path(), source };
    let mut slots = Slots::new(disk);
    let mut decoder = Decoder::default();
    let mut replay = Replay { history: History::new(limits), end: header.base, bytes: SLOT as u64 };
    let mut write = Write { facts: Vec::new(), end: header.base, after: 0 };
    // Between the renaming of a successor and the noting of its end the anchor stands where the summary begins.
    let mut anchored = anchor == header.base;
    let mut summarised = header.summary == header.base;
    while let Some(slot) = slots.next().map_err(io_error)? {
        let number = write.end.count;
        let damaged = |what| OpenError::Damaged { path: path(), record: number, what };
        if layout::is_torn(&slot) {
            let tail = Tail::read(slots, slot).map_err(io_error)?;
            tail.check(&write).map_err(damaged)?;
            break;
        }
        write.add(decoder.decode(&slot).map_err(damaged)?, layout::link(&slot)).map_err(damaged)?;
        if write.after > 0 {
            continue;
        }
        replay.bytes += (write.facts.len() * SLOT) as u64;
        replay.end = write.end;
        for (subject, fact) in write.facts.drain(..) {
            replay.history.apply(&subject, &fact);
        }
        summarised |= replay.end == header.summary;
        anchored |= summarised && replay.end == anchor;
    }
    if !summarised {
        let what = "the summary that the file begins with is not whole";
        return Err(OpenError::Damaged { path: path(), record: replay.end.count, what });
    }
    if !anchored {
        return Err(OpenError::RolledBack { path: path(), expected: anchor.count, found: replay.end.count });
    }
    Ok(replay)
}

/// The records of one write read so far. Nothing is taken from a write that is not whole: it never returned.
struct Write {
    facts: Vec<(Subject, Fact)>,
    end: Position,
    /// Records still to come.
    after: u16,
}

impl Write {
    fn add(&mut self, record: Record, link: Link) -> Result<(), &'static str> {
        if record.previous != self.end.last || record.sequence != self.end.count {
            return Err("the record does not follow from the one before");
        }
        let (before, after) = (usize::from(record.place.before), usize::from(record.place.after));
        let begins = self.facts.is_empty() && after < MAX_WRITE;
        let goes_on = !self.facts.is_empty() && after + 1 == usize::from(self.after);
        if before != self.facts.len() || !(begins || goes_on) {
            return Err("the record is not of the write that the one before is of");
        }
        self.facts.push((record.subject, record.fact));
        self.end = Position { count: record.sequence.saturating_add(1), last: link };
        self.after = record.place.after;
        Ok(())
    }
}

/// What is behind the last good record, from the first slot whose bytes never arrived.
struct Tail(Vec<[u8; SLOT]>);

impl Tail {
    fn read(mut slots: Slots<'_>, first: [u8; SLOT]) -> io::Result<Self> {
        let mut tail = vec![first];
        // One more than a write can have, so that too many are seen as such.
        while tail.len() <= MAX_WRITE {
            match slots.next()? {
                Some(slot) => tail.push(slot),
                None => break,
            }
        }
        Ok(Self(tail))
    }

    /// Checks that all of it is of one write, the one of which the good records before it are, if that is not whole.
    fn check(&self, write: &Write) -> Result<(), &'static str> {
        const NOT_A_CRASH: &str = "a record is missing where later ones were written";
        let here = write.facts.len();
        let mut most = if here > 0 { usize::from(write.after) } else { MAX_WRITE };
        let mut decoder = Decoder::default();
        for (index, slot) in self.0.iter().enumerate().filter(|(_, slot)| !layout::is_torn(slot)) {
            let record = decoder.decode(slot)?;
            let reaches = index + 1 + usize::from(record.place.after);
            let in_place = usize::from(record.place.before) == here + index
                && write.end.count.checked_add(index as u64) == Some(record.sequence);
            if !in_place || reaches > most || (here > 0 && reaches != most) {
                return Err(NOT_A_CRASH);
            }
            most = reaches;
        }
        if self.0.len() > most { Err(NOT_A_CRASH) } else { Ok(()) }
    }
}

/// The slots of a file behind its header.
struct Slots<'a> {
    disk: &'a Disk,
    offset: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> Slots<'a> {
    fn new(disk: &'a Disk) -> Self {
        Self { disk, offset: SLOT as u64, buffer: Vec::new(), at: 0 }
    }

    /// The next whole slot; `None` at the end of the file or when the rest is too short to be a record.
    fn next(&mut self) -> io::Result<Option<[u8; SLOT]>> {
        if self.at == self.buffer.len() {
            self.buffer.resize(CHUNK, 0);
            let read = self.disk.read_at(&mut self.buffer, self.offset)?;
            self.offset += read as u64;
            self.buffer.truncate(read - read % SLOT);
            self.at = 0;
        }
        let slot = self.buffer.get(self.at..self.at + SLOT).and_then(|slot| slot.try_into().ok());
        if slot.is_some() {
            self.at += SLOT;
        }
        Ok(slot)
    }
}

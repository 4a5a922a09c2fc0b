//! The order of writes: the records, append-only, and the anchor that says how far they were written.
//!
//! The order is always append, `fdatasync`, anchor. The anchor needs no sync of its own: it may lag behind the
//! records, which is harmless, but it can never run ahead of them. So records that end before the anchor were
//! truncated or restored from a backup, and a broken tail behind the anchor is a write that never returned, for
//! which no signature was ever released.
//!
//! A compaction writes the records anew beside the old ones:
//!
//! | step | a crash right after it leaves |
//! |---|---|
//! | anchor at the last record, synced | the old file, anchored at its end |
//! | successor: summary, then header, synced | the same, and a file nobody reads |
//! | successor renamed over the records, directory synced | the new file; the anchor stands where its summary begins |
//! | anchor at the end of the summary, synced | the new file, anchored at its end; the old one is now too old |

use super::{
    files::{ANCHOR_FILE, Files, Folder, Name, RECORDS_FILE, write_new},
    layout::{self, Header, Place, Position, Record, SLOT},
    not_safe::OpenError,
    subject::Subject,
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const ANCHOR_SLOT: usize = 64;
/// Bytes written or read at once where a whole file is.
pub const CHUNK: usize = 256 * SLOT;

/// The records of one data directory, open for writing.
pub struct Disk {
    files: Box<dyn Files>,
    path: PathBuf,
    header: Header,
    end: u64,
    /// The anchor slot that is overwritten next, so that the newest is whole at any instant.
    next_anchor: u64,
}

/// What [`Disk::open`] found out before the records are read.
pub struct Opened {
    pub disk: Disk,
    pub anchor: Position,
}

impl Disk {
    /// Creates both files, durably.
    pub fn create(directory: &Path, file_id: [u8; 16]) -> Result<(), OpenError> {
        let path = directory.join(RECORDS_FILE);
        if path.exists() {
            return Err(OpenError::Exists(path));
        }
        refuse_orphaned_anchor(directory, &path)?;
        let (header, anchor) = empty(file_id);
        write_new(directory, ANCHOR_FILE, &anchor)
            .and_then(|()| write_new(directory, RECORDS_FILE, &header))
            .map_err(|source| OpenError::Io { path, source })
    }

    /// Opens and locks both files and reads the header and the anchor.
    pub fn open(directory: &Path) -> Result<Opened, OpenError> {
        Self::open_on(Box::new(Folder::open(directory)?), directory)
    }

    /// The same for files that are open. The directory is only for messages.
    pub fn open_on(mut files: Box<dyn Files>, directory: &Path) -> Result<Opened, OpenError> {
        let path = directory.join(RECORDS_FILE);
        let damaged = |what| OpenError::Damaged { path: path.clone(), record: 0, what };
        let io_error = |source| OpenError::Io { path: path.clone(), source };
        // A process that was killed may have left records, or a new file, that are only in the page cache. What is read
        // here is believed and signed again, so it must not be lost any more.
        files.sync(Name::Records).and_then(|()| files.sync_directory()).map_err(io_error)?;
        let mut slot = [0; SLOT];
        let read = files.read_at(Name::Records, &mut slot, 0).map_err(io_error)?;
        if read < SLOT {
            return Err(damaged("the file is shorter than its header"));
        }
        let header = layout::decode_header(&slot).map_err(damaged)?;
        let (anchor, index) = read_anchor(files.as_ref(), header.file_id)
            .ok_or_else(|| OpenError::AnchorLost(directory.join(ANCHOR_FILE)))?;
        let disk = Self { files, path, header, end: 0, next_anchor: 1 - index };
        Ok(Opened { disk, anchor })
    }

    /// The records' file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file begins with.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Size of the records' file in bytes.
    pub fn len(&self) -> io::Result<u64> {
        self.files.len(Name::Records)
    }

    /// Records in the file.
    pub fn records(&self) -> u64 {
        (self.end / SLOT as u64).saturating_sub(1)
    }

    /// Reads records at an offset of the file.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.files.read_at(Name::Records, buffer, offset)
    }

    /// Cuts everything behind this many bytes and writes on from there.
    pub fn cut_at(&mut self, end: u64) -> io::Result<()> {
        if self.len()? != end {
            self.files.set_len(Name::Records, end)?;
            self.files.sync(Name::Records)?;
        }
        self.end = end;
        Ok(())
    }

    /// Appends records in one write and returns once they survive a power cut.
    pub fn append(&mut self, slots: &[u8], position: Position) -> io::Result<()> {
        self.files.check_in_place()?;
        self.files.write_at(Name::Records, slots, self.end)?;
        self.files.sync(Name::Records)?;
        self.end += slots.len() as u64;
        self.note(position)
    }

    /// Replaces the file by one that holds only these facts, which follow the records dropped at `base`.
    pub fn compact<'a>(
        &mut self,
        facts: impl Iterator<Item = (&'a Subject, layout::Fact)>,
        base: Position,
    ) -> io::Result<Position> {
        self.files.check_in_place()?;
        self.note(base)?;
        self.files.sync(Name::Anchor)?;
        let (summary, end) = self.write_successor(facts, base)?;
        self.files.rename_successor()?;
        self.files.sync_directory()?;
        (self.header, self.end) = (Header { file_id: self.header.file_id, base, summary }, end);
        self.note(summary)?;
        self.files.sync(Name::Anchor)?;
        Ok(summary)
    }

    fn write_successor<'a>(
        &mut self,
        facts: impl Iterator<Item = (&'a Subject, layout::Fact)>,
        base: Position,
    ) -> io::Result<(Position, u64)> {
        self.files.create_successor()?;
        let (mut at, mut end) = (base, SLOT as u64);
        let mut chunk = Vec::with_capacity(CHUNK);
        for (subject, fact) in facts {
            at = push_record(&mut chunk, at, subject, fact, Place::ALONE);
            if chunk.len() >= CHUNK {
                self.files.write_at(Name::Successor, &chunk, end)?;
                end += chunk.len() as u64;
                chunk.clear();
            }
        }
        self.files.write_at(Name::Successor, &chunk, end)?;
        end += chunk.len() as u64;
        let header = Header { file_id: self.header.file_id, base, summary: at };
        self.files.write_at(Name::Successor, &layout::encode_compacted_header(&header), 0)?;
        self.files.sync(Name::Successor)?;
        Ok((at, end))
    }

    fn note(&mut self, position: Position) -> io::Result<()> {
        let offset = self.next_anchor * ANCHOR_SLOT as u64;
        self.next_anchor = 1 - self.next_anchor;
        self.files.write_at(Name::Anchor, &encode_anchor(self.header.file_id, position), offset)
    }
}

/// Encodes the record that follows a position behind others, and returns the position after it.
pub fn push_record(
    slots: &mut Vec<u8>,
    at: Position,
    subject: &Subject,
    fact: layout::Fact,
    place: Place,
) -> Position {
    let record = Record { sequence: at.count, previous: at.last, subject: subject.clone(), fact, place };
    let slot = layout::encode(&record);
    slots.extend_from_slice(&slot);
    Position { count: at.count + 1, last: layout::link(&slot) }
}

/// The bytes of records and anchor before anything was signed.
pub fn empty(file_id: [u8; 16]) -> ([u8; SLOT], Vec<u8>) {
    let header = layout::encode_header(file_id);
    let start = Position { count: 0, last: layout::link(&header) };
    (header, encode_anchor(file_id, start).repeat(2))
}

fn encode_anchor(file_id: [u8; 16], anchor: Position) -> [u8; ANCHOR_SLOT] {
    let mut slot = [0; ANCHOR_SLOT];
    slot[..16].copy_from_slice(&file_id);
    slot[16..24].copy_from_slice(&anchor.count.to_be_bytes());
    slot[24..56].copy_from_slice(&anchor.last);
    let check = Sha256::digest(&slot[..56]);
    slot[56..].copy_from_slice(&check[..8]);
    slot
}

fn decode_anchor(slot: &[u8; ANCHOR_SLOT], file_id: [u8; 16]) -> Option<Position> {
    let count = u64::from_be_bytes(slot[16..24].try_into().ok()?);
    let anchor = Position { count, last: slot[24..56].try_into().ok()? };
    (encode_anchor(file_id, anchor) == *slot).then_some(anchor)
}

/// The newest anchor and which of the two slots it is in.
fn read_anchor(files: &dyn Files, file_id: [u8; 16]) -> Option<(Position, u64)> {
    let mut bytes = [0; 2 * ANCHOR_SLOT];
    if files.read_at(Name::Anchor, &mut bytes, 0).ok()? < bytes.len() {
        return None;
    }
    let slot = |index: usize| bytes[index * ANCHOR_SLOT..][..ANCHOR_SLOT].try_into().ok();
    [(0, slot(0)?), (1, slot(1)?)]
        .into_iter()
        .filter_map(|(index, slot)| Some((decode_anchor(&slot, file_id)?, index)))
        .max_by_key(|(anchor, _)| anchor.count)
}

/// An anchor without records is either the trace of a creation that was cut short, or all that is left of a lost file.
fn refuse_orphaned_anchor(directory: &Path, records: &Path) -> Result<(), OpenError> {
    let path = directory.join(ANCHOR_FILE);
    let Ok(file) = File::open(&path) else { return Ok(()) };
    let mut slots = [[0; ANCHOR_SLOT]; 2];
    for (offset, slot) in [0, ANCHOR_SLOT as u64].into_iter().zip(&mut slots) {
        file.read_exact_at(slot, offset).map_err(|_| OpenError::AnchorLost(path.clone()))?;
    }
    let written =
        slots.iter().map(|slot| u64::from_be_bytes(slot[16..24].try_into().unwrap_or_default())).max();
    match written {
        None | Some(0) => Ok(()),
        Some(expected) => Err(OpenError::RolledBack { path: records.to_owned(), expected, found: 0 }),
    }
}

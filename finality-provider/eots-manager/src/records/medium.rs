//! The two files on disk: the records, locked and append-only, and the anchor that says how far they were written.
//!
//! The order is always append, `fdatasync`, anchor. The anchor needs no sync of its own: it may lag behind the
//! records, which is harmless, but it can never run ahead of them. So records that end before the anchor were
//! truncated or restored from a backup, and a broken tail behind the anchor is a write that never returned, for
//! which no signature was ever released.

use super::{
    layout::{self, Link, SLOT},
    not_safe::OpenError,
};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Name of the records below a data directory.
pub const RECORDS_FILE: &str = "sign-records";
/// Name of the anchor beside them.
pub const ANCHOR_FILE: &str = "sign-records.anchor";

const ANCHOR_SLOT: usize = 64;

/// What a record is written to. Replaced in tests by media that fail.
pub trait Medium: Send {
    /// Writes bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns once everything appended survives a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// Notes that this many records are durable and the last one's digest.
    fn note(&mut self, anchor: Anchor) -> io::Result<()>;
}

/// How far the records are known to have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    pub count: u64,
    pub last: Link,
}

/// The files of one data directory, open and locked.
pub struct Disk {
    records: File,
    path: PathBuf,
    anchor: File,
    file_id: [u8; 16],
    end: u64,
}

/// What [`Disk::open`] found out before the records are read.
pub struct Opened {
    pub disk: Disk,
    pub anchor: Anchor,
    pub header: [u8; SLOT],
}

impl Disk {
    /// Creates both files, durably.
    pub fn create(directory: &Path, file_id: [u8; 16]) -> Result<(), OpenError> {
        let path = directory.join(RECORDS_FILE);
        if path.exists() {
            return Err(OpenError::Exists(path));
        }
        refuse_orphaned_anchor(directory, &path)?;
        let header = layout::encode_header(file_id);
        let anchor = Anchor { count: 0, last: layout::link(&header) };
        write_new(directory, ANCHOR_FILE, &encode_anchor(file_id, anchor).repeat(2))
            .and_then(|()| write_new(directory, RECORDS_FILE, &header))
            .map_err(|source| OpenError::Io { path, source })
    }

    /// Opens and locks both files and reads the header and the anchor.
    pub fn open(directory: &Path) -> Result<Opened, OpenError> {
        let path = directory.join(RECORDS_FILE);
        let io_error = |source| OpenError::Io { path: path.clone(), source };
        let records = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::Missing(path)),
            other => other.map_err(io_error)?,
        };
        // By inode, not by name or pid: it holds across containers that share the file, and the kernel drops it
        // when the process dies.
        match flock(&records, FlockOperation::NonBlockingLockExclusive) {
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => return Err(OpenError::InUse(path)),
            other => other.map_err(|errno| io_error(errno.into()))?,
        }
        let damaged = |what| OpenError::Damaged { path: path.clone(), record: 0, what };
        let mut header = [0; SLOT];
        records.read_exact_at(&mut header, 0).map_err(|_| damaged("the file is shorter than its header"))?;
        let file_id = layout::decode_header(&header).map_err(damaged)?;
        let (anchor_file, anchor) = open_anchor(directory, file_id)?;
        let disk = Self { records, path, anchor: anchor_file, file_id, end: 0 };
        Ok(Opened { disk, anchor, header })
    }

    /// The records' file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A reader over the records behind the header.
    pub fn reader(&self) -> io::Result<impl io::Read> {
        use std::io::Seek;
        let mut file = self.records.try_clone()?;
        file.seek(io::SeekFrom::Start(SLOT as u64))?;
        Ok(io::BufReader::with_capacity(SLOT * 256, file))
    }

    /// Cuts everything behind this many bytes and writes on from there.
    pub fn cut_at(&mut self, end: u64) -> io::Result<()> {
        if self.records.metadata()?.len() != end {
            self.records.set_len(end)?;
            self.records.sync_all()?;
        }
        self.end = end;
        Ok(())
    }

    /// Refuses to write into a file that is no longer the one at the path: its records would be lost with it.
    fn check_in_place(&self) -> io::Result<()> {
        let (ours, there) = (self.records.metadata()?, fs::metadata(&self.path)?);
        if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) {
            return Ok(());
        }
        Err(io::Error::other("the sign records were replaced while in use"))
    }
}

impl Medium for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check_in_place()?;
        self.records.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.records.sync_data()
    }

    fn note(&mut self, anchor: Anchor) -> io::Result<()> {
        // Two slots in turn, so that one of them is whole at any instant.
        let offset = if anchor.count.is_multiple_of(2) { 0 } else { ANCHOR_SLOT as u64 };
        self.anchor.write_all_at(&encode_anchor(self.file_id, anchor), offset)
    }
}

fn encode_anchor(file_id: [u8; 16], anchor: Anchor) -> [u8; ANCHOR_SLOT] {
    let mut slot = [0; ANCHOR_SLOT];
    slot[..16].copy_from_slice(&file_id);
    slot[16..24].copy_from_slice(&anchor.count.to_be_bytes());
    slot[24..56].copy_from_slice(&anchor.last);
    let check = Sha256::digest(&slot[..56]);
    slot[56..].copy_from_slice(&check[..8]);
    slot
}

fn decode_anchor(slot: &[u8; ANCHOR_SLOT], file_id: [u8; 16]) -> Option<Anchor> {
    let count = u64::from_be_bytes(slot[16..24].try_into().ok()?);
    let anchor = Anchor { count, last: slot[24..56].try_into().ok()? };
    (encode_anchor(file_id, anchor) == *slot).then_some(anchor)
}

fn open_anchor(directory: &Path, file_id: [u8; 16]) -> Result<(File, Anchor), OpenError> {
    let path = directory.join(ANCHOR_FILE);
    let lost = || OpenError::AnchorLost(path.clone());
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(|_| lost())?;
    let newest = read_anchor_slots(&file)
        .ok_or_else(lost)?
        .iter()
        .filter_map(|slot| decode_anchor(slot, file_id))
        .max_by_key(|anchor| anchor.count)
        .ok_or_else(lost)?;
    Ok((file, newest))
}

fn read_anchor_slots(file: &File) -> Option<[[u8; ANCHOR_SLOT]; 2]> {
    let mut slots = [[0; ANCHOR_SLOT]; 2];
    file.read_exact_at(&mut slots[0], 0).ok()?;
    file.read_exact_at(&mut slots[1], ANCHOR_SLOT as u64).ok()?;
    Some(slots)
}

/// An anchor without records is either the trace of a creation that was cut short, or all that is left of a lost file.
fn refuse_orphaned_anchor(directory: &Path, records: &Path) -> Result<(), OpenError> {
    let path = directory.join(ANCHOR_FILE);
    let Ok(file) = File::open(&path) else { return Ok(()) };
    let slots = read_anchor_slots(&file).ok_or(OpenError::AnchorLost(path))?;
    let written =
        slots.iter().map(|slot| u64::from_be_bytes(slot[16..24].try_into().unwrap_or_default())).max();
    match written {
        None | Some(0) => Ok(()),
        Some(expected) => Err(OpenError::RolledBack { path: records.to_owned(), expected, found: 0 }),
    }
}

/// Writes a file whole and durable under a name, or not at all.
fn write_new(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = directory.join(format!("{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, directory.join(name))?;
    File::open(directory)?.sync_all()
}

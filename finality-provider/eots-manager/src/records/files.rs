//! What the records need of a file system, and the one that is there.
//!
//! Every step is its own operation, so that the tests can stop, fail or lose any one of them. Nothing here knows what
//! the bytes mean.

use super::not_safe::OpenError;
use rustix::fs::{FlockOperation, flock};
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
/// Name under which records are written anew before they take the place of the old ones.
const SUCCESSOR_FILE: &str = "sign-records.next";

/// One of the files of a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    /// The records in use.
    Records,
    /// How far they were written.
    Anchor,
    /// The records that are about to take their place.
    Successor,
}

/// The files of one data directory, opened and locked.
pub trait Files: Send {
    /// Size in bytes.
    fn len(&self, name: Name) -> io::Result<u64>;
    /// Reads at an offset; fewer bytes than asked for only at the end of the file.
    fn read_at(&self, name: Name, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of the bytes at an offset.
    fn write_at(&mut self, name: Name, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends.
    fn set_len(&mut self, name: Name, len: u64) -> io::Result<()>;
    /// Returns once what was written to the file, and its size, survive a power cut.
    fn sync(&mut self, name: Name) -> io::Result<()>;
    /// Fails when the file at the records' path is no longer the open one: what is written to it would be lost.
    fn check_in_place(&self) -> io::Result<()>;
    /// Creates the successor, empty and locked. One left behind by a crash is replaced.
    fn create_successor(&mut self) -> io::Result<()>;
    /// Puts the successor in the records' place and uses it from then on.
    fn rename_successor(&mut self) -> io::Result<()>;
    /// Returns once names survive a power cut. What was replaced is made unusable under any other name it has.
    fn sync_directory(&mut self) -> io::Result<()>;
}

/// The files on disk.
pub struct Folder {
    directory: PathBuf,
    records: Locked,
    anchor: File,
    successor: Option<Locked>,
    superseded: Option<Locked>,
}

/// A file that nobody else has locked.
struct Locked(File);

impl Folder {
    /// Opens both files and locks the records.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(RECORDS_FILE);
        let io_error = |source| OpenError::Io { path: path.clone(), source };
        let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        let records = match open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::Missing(path)),
            other => other.map_err(io_error)?,
        };
        // By inode, not by name or pid: it holds across containers that share the file, and the kernel drops it
        // when the process dies.
        let records = match Locked::new(records) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(OpenError::InUse(path)),
            other => other.map_err(io_error)?,
        };
        // Another process may have put a successor there between the opening and the lock.
        if !is_at(&records.0, &path).map_err(io_error)? {
            return Err(OpenError::InUse(path));
        }
        let anchor_path = directory.join(ANCHOR_FILE);
        let anchor = open(&anchor_path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::AnchorLost(anchor_path.clone()),
            _ => OpenError::Io { path: anchor_path.clone(), source: error },
        })?;
        Ok(Self { directory: directory.to_owned(), records, anchor, successor: None, superseded: None })
    }

    fn file(&self, name: Name) -> io::Result<&File> {
        match name {
            Name::Records => Ok(&self.records.0),
            Name::Anchor => Ok(&self.anchor),
            Name::Successor => match &self.successor {
                Some(Locked(file)) => Ok(file),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }
}

impl Files for Folder {
    fn len(&self, name: Name) -> io::Result<u64> {
        Ok(self.file(name)?.metadata()?.len())
    }

    fn read_at(&self, name: Name, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (file, mut filled, mut place) = (self.file(name)?, 0, offset);
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], place) {
                Ok(0) => break,
                Ok(n) => {
                    filled += n;
                    place += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&mut self, name: Name, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn set_len(&mut self, name: Name, len: u64) -> io::Result<()> {
        self.file(name)?.set_len(len)
    }

    fn sync(&mut self, name: Name) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn check_in_place(&self) -> io::Result<()> {
        if is_at(&self.records.0, &self.directory.join(RECORDS_FILE))? {
            return Ok(());
        }
        Err(io::Error::other("the sign records were replaced while in use"))
    }

    fn create_successor(&mut self) -> io::Result<()> {
        let path = self.directory.join(SUCCESSOR_FILE);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        self.successor = Some(Locked::new(file)?);
        Ok(())
    }

    fn rename_successor(&mut self) -> io::Result<()> {
        let successor = self.successor.take().ok_or(io::ErrorKind::NotFound)?;
        fs::rename(self.directory.join(SUCCESSOR_FILE), self.directory.join(RECORDS_FILE))?;
        self.superseded = Some(std::mem::replace(&mut self.records, successor));
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()?;
        // It may have a second name, under which a second signer could open it now that its lock goes.
        self.superseded.take().map_or(Ok(()), |old| old.0.set_len(0))
    }
}

/// Writes a file whole and durable under a name, or not at all.
pub fn write_new(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = directory.join(format!("{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, directory.join(name))?;
    File::open(directory)?.sync_all()
}

impl Locked {
    fn new(file: File) -> io::Result<Self> {
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self(file))
    }
}

/// Closing alone would not do: a child this process is about to start has the open file too, until it runs its program.
impl Drop for Locked {
    fn drop(&mut self) {
        // If this fails the lock goes with the last of the open files.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (ours, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_once_dropped_although_a_child_still_has_the_open_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(RECORDS_FILE);
        let locked = Locked::new(File::create(&path).unwrap()).unwrap();
        // What a forked child holds until it runs its program.
        let inherited = locked.0.try_clone().unwrap();
        assert!(Locked::new(File::open(&path).unwrap()).is_err());
        drop(locked);
        assert!(Locked::new(File::open(&path).unwrap()).is_ok());
        drop(inherited);
    }
}

//! The directory of a store: created durably, held by one process.
//!
//! ```text
//! <path>/LOCK     held with flock while the store is open
//! <path>/sled/    sled's own: db (all data), conf, snap.* (a recovery aid, rebuilt when missing), blobs (empty)
//! ```

use crate::error::OpenError;
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A locked directory. The lock goes when this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Creates the directory if needed (readable by its owner only) and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.is_dir() {
            create(path).map_err(io_error("create", path))?;
        }
        let lock_path = path.join("LOCK");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(io_error("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io_error("lock", &lock_path)(source)),
        }
    }

    /// The store's directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where sled's files are.
    pub(crate) fn sled_path(&self) -> PathBuf {
        self.path.join("sled")
    }

    /// Makes the names of all files durable, and the files that sled writes at creation without a sync.
    /// Returns the database file, for the `fdatasync` of each commit.
    pub(crate) fn sync_after_open(&self) -> Result<File, OpenError> {
        let sled = self.sled_path();
        let database_path = sled.join("db");
        // Opened before the first commit, so that no write error on the file goes by unseen.
        let database = File::open(&database_path).map_err(io_error("open", &database_path))?;
        database.sync_all().map_err(io_error("sync", &database_path))?;
        for path in [sled.join("conf"), sled.join("blobs"), sled, self.path.clone()] {
            sync(&path).map_err(io_error("sync", &path))?;
        }
        Ok(database)
    }
}

fn io_error<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> OpenError + 'a {
    move |source| OpenError::Io { action, path: path.to_owned(), source }
}

/// Creates the directory and every missing parent, syncing each parent so that the new names survive a power cut.
fn create(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        create(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync(parent),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

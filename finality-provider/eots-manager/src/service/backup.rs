//! Copies of the sign records, below one folder and nowhere else.
//!
//! A copy is for the day the disk dies. Records that were restored from it are known to be old only as long as the chain
//! is asked what was voted since, so a copy is never put in place of records that still can be read.

use crate::records::{ANCHOR_FILE, OpenError, RECORDS_FILE, SignRecords};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use thiserror::Error;

/// How often a copy is made anew.
const MAX_TRIES: u32 = 3;

/// The one folder below which copies are written.
#[derive(Debug, Clone)]
pub struct BackupFolder {
    root: PathBuf,
    data_dir: PathBuf,
}

/// Why no copy was written.
#[derive(Debug, Error)]
pub enum BackupRefused {
    /// The folder asked for is not below the configured one.
    #[error(
        "backups are written below one configured folder: {0:?} must be a relative path without .. or symbolic links"
    )]
    Outside(String),
    /// A file could not be read or written.
    #[error("the backup at {path} could not be written: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copy cannot be opened.
    #[error("the backup at {path} cannot be opened: {source}")]
    Useless {
        /// The copy.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
}

impl BackupFolder {
    /// Copies the records of `data_dir` to folders below `root`.
    pub fn new(root: PathBuf, data_dir: PathBuf) -> Self {
        Self { root, data_dir }
    }

    /// Writes a copy into a new folder below `below`, durably, and returns that folder's name.
    ///
    /// The anchor is copied before the records, so that the copy reaches its anchor; a record that is being written is
    /// cut off as after a crash. Where the records were compacted between the two it does not; every copy is opened,
    /// and one that cannot be is made anew.
    ///
    /// # Errors
    /// [`BackupRefused`].
    pub fn write(&self, below: &str) -> Result<String, BackupRefused> {
        let parent = self.folder(below)?;
        let mut tries = 1;
        loop {
            let name = format!("eots_{}", nanoseconds());
            let target = parent.join(&name);
            self.copy_to(&target, &parent)
                .map_err(|source| BackupRefused::Io { path: target.clone(), source })?;
            match SignRecords::open(&target) {
                Ok(_) => return Ok(name),
                Err(source) if tries == MAX_TRIES => {
                    return Err(BackupRefused::Useless { path: target, source });
                }
                Err(_) => tries += 1,
            }
            fs::remove_dir_all(&target).map_err(|source| BackupRefused::Io { path: target, source })?;
        }
    }

    fn copy_to(&self, target: &Path, parent: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(target)?;
        for file in [ANCHOR_FILE, RECORDS_FILE] {
            copy(&self.data_dir.join(file), &target.join(file))?;
        }
        for folder in [target, parent] {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Goes down from the root part by part, creating what is missing and following no link.
    fn folder(&self, below: &str) -> Result<PathBuf, BackupRefused> {
        let outside = || BackupRefused::Outside(below.to_owned());
        let mut folder = self.root.clone();
        create(&folder)?;
        for part in Path::new(below).components() {
            match part {
                Component::CurDir => {}
                Component::Normal(name) => {
                    folder.push(name);
                    create(&folder)?;
                    let found = fs::symlink_metadata(&folder)
                        .map_err(|source| BackupRefused::Io { path: folder.clone(), source })?;
                    if !found.is_dir() {
                        return Err(outside());
                    }
                }
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
        }
        Ok(folder)
    }
}

fn create(folder: &Path) -> Result<(), BackupRefused> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(BackupRefused::Io { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}

/// Since 1970; only makes names differ and sort.
fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::SignRecords;

    #[test]
    fn a_backup_opens_and_stays_below_its_folder() {
        let (data, root, elsewhere) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        SignRecords::create(data.path()).unwrap();
        let folder = BackupFolder::new(root.path().join("backups"), data.path().to_owned());
        for below in ["", ".", "daily", "a/b"] {
            let name = folder.write(below).unwrap();
            SignRecords::open(&root.path().join("backups").join(below).join(name)).unwrap();
        }
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("backups/link")).unwrap();
        let absolute = elsewhere.path().to_str().unwrap();
        for below in ["..", "daily/../..", "/", absolute, "link", "link/deeper"] {
            let refused = folder.write(below).unwrap_err();
            assert!(matches!(refused, BackupRefused::Outside(_)), "{below}: {refused}");
        }
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}

//! Crashes on purpose, for tests of what is built on a store.
//!
//! Two ways, both at the three points of a commit where a crash makes a difference ([`Cut`]):
//! [`open_crashing`] fails one commit there, as if the process had died; [`open_recorded`] keeps an image of the
//! directory at every point of every commit, each of which can be opened afterwards ([`Images`]), so one run of a
//! service tests a kill between any two of its writes.
//!
//! An image is what a killed process leaves. A power cut may leave less of a commit that had not been synced; that
//! such a commit is absent or whole is sled's log recovery.

use crate::{
    error::{OpenError, StoreError},
    store::{Options, Schema, Store},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A point in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Nothing has reached sled: the commit is absent after reopening.
    BeforeApply,
    /// sled has it, nothing is synced: after reopening the commit is absent or whole.
    BeforeSync,
    /// It is on disk, but the caller has not heard: after reopening the commit is whole.
    AfterSync,
}

/// What to do at the points of commits.
#[derive(Debug, Clone)]
pub(crate) enum Crash {
    At { commit: u64, cut: Cut },
    Record(Images),
}

/// Images of a store's directory, by commit (from 1) and point.
#[derive(Debug, Clone)]
pub struct Images {
    root: PathBuf,
}

impl Cut {
    /// All points, in the order in which a commit passes them.
    pub const ALL: [Cut; 3] = [Cut::BeforeApply, Cut::BeforeSync, Cut::AfterSync];
}

/// Opens a store whose commit number `commit` (from 1) fails at `cut`.
///
/// # Errors
/// As [`Store::open`].
pub fn open_crashing(path: &Path, schema: Schema, commit: u64, cut: Cut) -> Result<Store, OpenError> {
    Store::open_with_crash(path, schema, Options::default(), Some(Crash::At { commit, cut }))
}

/// Opens a store that keeps an image of its directory under `images` at every point of every commit.
///
/// # Errors
/// As [`Store::open`].
pub fn open_recorded(path: &Path, schema: Schema, images: &Path) -> Result<(Store, Images), OpenError> {
    let images = Images { root: images.to_owned() };
    let crash = Some(Crash::Record(images.clone()));
    Ok((Store::open_with_crash(path, schema, Options::default(), crash)?, images))
}

/// Copies a directory tree, for opening a store as it is at this moment.
///
/// # Errors
/// [`io::Error`] of the file system.
pub fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl Images {
    /// Where the image of a point lies; a store can be opened there.
    pub fn path(&self, commit: u64, cut: Cut) -> PathBuf {
        self.root.join(format!("{commit}-{cut:?}"))
    }
}

impl Crash {
    pub(crate) fn reached(&self, commit: u64, cut: Cut, directory: &Path) -> Result<(), StoreError> {
        match self {
            Self::At { commit: at, cut: here } if (*at, *here) == (commit, cut) => Err(StoreError::Crash),
            Self::At { .. } => Ok(()),
            Self::Record(images) => {
                copy_directory(directory, &images.path(commit, cut)).map_err(StoreError::NotDurable)
            }
        }
    }
}

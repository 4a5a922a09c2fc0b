//! The old database on disk, and how the old daemon is kept from starting with it.
//!
//! ```text
//! eots.db                  the database                 a note in plain text, which no bbolt opens
//! eots.db.taken-over       (absent)               -->   the database, untouched
//! ```
//!
//! The new name is given before the old one is replaced, and both by one operation each, so that at every moment the
//! database has at least one of the two names and the old daemon never finds a place to make an empty one.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// What is appended to the name of a database that was taken over.
pub const TAKEN_OVER_SUFFIX: &str = ".taken-over";
const NOTE_START: &str = "This is no database.";

/// A database of the Go manager, marked or not.
#[derive(Debug)]
pub struct Source {
    original: PathBuf,
    kept: PathBuf,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Under its own name, or under both.
    Unmarked,
    /// Under its new name, with a note in place of the old.
    Marked,
}

/// Why the old database cannot be found, or was not marked.
#[derive(Debug, Error)]
pub enum MarkError {
    /// A file operation.
    #[error("{path} cannot be read or moved")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is a new database where the old one was taken over.
    #[error(
        "{original} exists beside {kept}, so the old daemon was started again after its database was taken over; \
         it may have signed: stop it, compare the two files and keep the one with more records under the first name"
    )]
    CameBack {
        /// The database that should not be there.
        original: PathBuf,
        /// The one that was taken over.
        kept: PathBuf,
    },
}

impl Source {
    /// Finds the database under its own name or, after an earlier run, under the new one.
    ///
    /// # Errors
    /// [`MarkError::CameBack`] when there are two different ones.
    pub fn locate(original: &Path) -> Result<Self, MarkError> {
        let mut kept = original.as_os_str().to_owned();
        kept.push(TAKEN_OVER_SUFFIX);
        let kept = PathBuf::from(kept);
        let state = match (identity(original)?, identity(&kept)?) {
            (_, None) => State::Unmarked,
            (Some(here), Some(there)) if here == there => State::Unmarked,
            (Some(_), Some(_)) if !is_note(original)? => {
                return Err(MarkError::CameBack { original: original.to_owned(), kept });
            }
            (_, Some(_)) => State::Marked,
        };
        Ok(Self { original: original.to_owned(), kept, state })
    }

    /// The name under which the database is to be read.
    pub fn current(&self) -> &Path {
        match self.state {
            State::Unmarked => &self.original,
            State::Marked => &self.kept,
        }
    }

    /// Gives the database its new name, puts a note in its place, and returns the new name. Doing it again is no error.
    ///
    /// # Errors
    /// [`MarkError::Io`]; the database then still has at least one of its names.
    pub fn mark(&self) -> Result<PathBuf, MarkError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| MarkError::Io { path, source }
        };
        match fs::hard_link(&self.original, &self.kept) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.state == State::Marked => {}
            Err(error) => return Err(failed(&self.kept)(error)),
        }
        sync_directory(&self.kept).map_err(failed(&self.kept))?;
        let mut note = self.kept.as_os_str().to_owned();
        note.push(".note");
        let note = PathBuf::from(note);
        write_note(&note, &self.kept).map_err(failed(&note))?;
        fs::rename(&note, &self.original).map_err(failed(&self.original))?;
        sync_directory(&self.original).map_err(failed(&self.original))?;
        Ok(self.kept.clone())
    }
}

/// Device and inode; `None` when there is no file.
fn identity(path: &Path) -> Result<Option<(u64, u64)>, MarkError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(MarkError::Io { path: path.to_owned(), source }),
    }
}

fn is_note(path: &Path) -> Result<bool, MarkError> {
    let mut start = [0; NOTE_START.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Ok(()) => Ok(start == *NOTE_START.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(source) => Err(MarkError::Io { path: path.to_owned(), source }),
    }
}

fn write_note(note: &Path, kept: &Path) -> io::Result<()> {
    let mut file = File::create(note)?;
    writeln!(
        file,
        "{NOTE_START}\n\nThe keys and sign records of this manager were taken over by another signer. The database is \
         kept, untouched, as\n{}\nDo not put it back: two signers with one key are slashed.",
        kept.display()
    )?;
    file.sync_all()
}

fn sync_directory(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

//! Key files on disk: written once, whole or not at all, for the owner's eyes only.

use super::{Envelope, KeyFile, KeyFileError};
use crate::entropy::{Entropy, OsEntropy};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Longest file read; a sealed secret of the longest kind takes half of it.
const MAX_FILE_BYTES: u64 = 256 * 1024;

impl KeyFile {
    /// Writes the file, mode 600, durable when this returns. The directory must exist.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] when there is a file of that name, which stays as it is; [`KeyFileError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), KeyFileError> {
        let failed = |source| KeyFileError::Io { action: "write", path: path.to_owned(), source };
        let bytes = self.envelope.to_json().map_err(|error| failed(error.into()))?;
        let draft = draft_path(path).map_err(failed)?;
        let linked = write_draft(&draft, &bytes).and_then(|()| {
            // A link, unlike a rename, fails when the name is taken, and nobody can come in between.
            fs::hard_link(&draft, path)
        });
        let removed = fs::remove_file(&draft);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(KeyFileError::Exists { path: path.to_owned() });
            }
            linked => linked.and(removed).map_err(failed)?,
        }
        sync_directory_of(path).map_err(failed)
    }

    /// Reads a file without opening the secret in it.
    ///
    /// # Errors
    /// [`KeyFileError`] when the file cannot be read, others may access it, or it is damaged.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::Io { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::OpenToOthers { path: path.to_owned(), mode });
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
            return Err(KeyFileError::Damaged("it is longer than any key file".to_owned()));
        }
        Self::parse(&bytes)
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// [`KeyFileError::Damaged`] or [`KeyFileError::Version`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyFileError> {
        Envelope::parse(bytes).map(|envelope| Self { envelope })
    }
}

/// A name that no other writer picks, so that none can slip its own bytes under a link of this one. A draft left by
/// a crash is sealed like the file itself and may be deleted.
fn draft_path(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = OsEntropy.next_u64().map_err(io::Error::other)?;
    Ok(path.with_file_name(format!(".{name}.draft-{unique:016x}")))
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

//! The folder of one run: node data, key files, configurations, logs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A run's folder. A temporary one goes away with it unless it is kept.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl RunFolder {
    /// The folder given, which must be empty or absent, else a temporary one.
    ///
    /// # Errors
    /// What the system says, or that the folder is not empty.
    pub fn create(given: Option<&Path>) -> io::Result<Self> {
        let Some(given) = given else {
            let temporary = tempfile::Builder::new().prefix("btc-staking-devnet.").tempdir()?;
            return Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) });
        };
        fs::create_dir_all(given)?;
        if fs::read_dir(given)?.next().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} is not empty: a run needs a folder of its own", given.display()),
            ));
        }
        Ok(Self { path: given.canonicalize()?, temporary: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder or file in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self, name: impl AsRef<Path>) -> io::Result<PathBuf> {
        let path = self.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Leaves a temporary folder where it is, for somebody to look into.
    pub fn keep(&mut self) -> &Path {
        if let Some(temporary) = self.temporary.take() {
            self.path = temporary.keep();
        }
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let given = dir.path().join("run");
        assert_eq!(RunFolder::create(Some(&given)).unwrap().path(), given.canonicalize().unwrap());
        fs::write(given.join("x"), "").unwrap();
        assert_eq!(RunFolder::create(Some(&given)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_temporary_folder_goes_away_unless_kept() {
        let mut folder = RunFolder::create(None).unwrap();
        let path = folder.keep().to_owned();
        drop(folder);
        assert!(path.is_dir());
        fs::remove_dir_all(&path).unwrap();
        let folder = RunFolder::create(None).unwrap();
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}

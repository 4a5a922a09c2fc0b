//! A real `bitcoind` on regtest, for the devnet and for tests: finding one and running it.
//!
//! It never downloads anything; the devnet's install command puts a node where [`find`] looks last.

use std::{
    env, io,
    path::{Path, PathBuf},
};
use thiserror::Error;

mod process;

pub use process::{RunningBitcoind, StartError};

/// Names a `bitcoind` to use.
pub const EXE_VARIABLE: &str = "BITCOIND_EXE";
/// Names the folder for what is downloaded once.
pub const CACHE_VARIABLE: &str = "BTC_STAKING_CACHE";

/// A `bitcoind` and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBitcoind {
    /// The program.
    pub exe: PathBuf,
    /// Who named it.
    pub origin: Origin,
}

/// How a `bitcoind` was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Given by the caller.
    Given,
    /// Named by [`EXE_VARIABLE`].
    Environment,
    /// On `PATH`.
    SearchPath,
    /// Installed into the cache folder.
    Cache,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Origin::Given => "given",
            Origin::Environment => "named by BITCOIND_EXE",
            Origin::SearchPath => "on PATH",
            Origin::Cache => "installed in the cache folder",
        })
    }
}

/// Why looking for a `bitcoind` failed, as opposed to finding none.
#[derive(Debug, Error)]
pub enum FindError {
    /// The one asked for is not there.
    #[error("{} is no program ({origin}): give the path of a bitcoind", .exe.display())]
    NotAProgram {
        /// What was asked for.
        exe: PathBuf,
        /// Who asked for it.
        origin: Origin,
    },
}

/// Finds a `bitcoind`: the one given, else [`EXE_VARIABLE`], else on `PATH`, else in the cache folder, else none.
///
/// # Errors
/// [`FindError`] when one is named that is not there: using another would surprise whoever named it.
pub fn find(given: Option<&Path>) -> Result<Option<FoundBitcoind>, FindError> {
    let named = env::var_os(EXE_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let named = given
        .map(|exe| (exe.to_owned(), Origin::Given))
        .or_else(|| named.map(|exe| (exe, Origin::Environment)));
    if let Some((exe, origin)) = named {
        if is_program(&exe) {
            return Ok(Some(FoundBitcoind { exe, origin }));
        }
        return Err(FindError::NotAProgram { exe, origin });
    }
    let on_path = env::var_os("PATH").and_then(|path| {
        env::split_paths(&path).map(|folder| folder.join("bitcoind")).find(|exe| is_program(exe))
    });
    let installed = cache_folder().ok().map(|cache| installed_exe(&cache)).filter(|exe| is_program(exe));
    Ok(on_path
        .map(|exe| FoundBitcoind { exe, origin: Origin::SearchPath })
        .or_else(|| installed.map(|exe| FoundBitcoind { exe, origin: Origin::Cache })))
}

/// The folder for what is downloaded once: [`CACHE_VARIABLE`], else `btc-staking` under the user's cache folder.
///
/// # Errors
/// When the environment names none of `BTC_STAKING_CACHE`, `XDG_CACHE_HOME` and `HOME`.
pub fn cache_folder() -> io::Result<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named(CACHE_VARIABLE)
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("btc-staking")))
        .or_else(|| named("HOME").map(|home| home.join(".cache").join("btc-staking")))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no cache folder: set BTC_STAKING_CACHE"))
}

/// Where an installed `bitcoind` is started from, inside a cache folder.
pub fn installed_exe(cache: &Path) -> PathBuf {
    cache.join("bitcoind").join("bin").join("bitcoind")
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

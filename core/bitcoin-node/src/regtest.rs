//! A real `bitcoind` on regtest, for the devnet and for tests: finding one and running it.
//!
//! It never downloads anything; the devnet's install command puts a node where [`find`] looks last.

use std::{
    env,
    ffi::OsString,
    io,
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
    find_in(given, &|name| env::var_os(name))
}

/// The folder for what is downloaded once: [`CACHE_VARIABLE`], else `btc-staking` under the user's cache folder.
///
/// # Errors
/// When the environment names none of `BTC_STAKING_CACHE`, `XDG_CACHE_HOME` and `HOME`.
pub fn cache_folder() -> io::Result<PathBuf> {
    cache_folder_in(&|name| env::var_os(name))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no cache folder: set BTC_STAKING_CACHE"))
}

/// Where an installed `bitcoind` is started from, inside a cache folder.
pub fn installed_exe(cache: &Path) -> PathBuf {
    cache.join("bitcoind").join("bin").join("bitcoind")
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn find_in(given: Option<&Path>, environment: Environment<'_>) -> Result<Option<FoundBitcoind>, FindError> {
    let named = variable(environment, EXE_VARIABLE).map(|exe| (exe, Origin::Environment));
    if let Some((exe, origin)) = given.map(|exe| (exe.to_owned(), Origin::Given)).or(named) {
        if is_program(&exe) {
            return Ok(Some(FoundBitcoind { exe, origin }));
        }
        return Err(FindError::NotAProgram { exe, origin });
    }
    let on_path = environment("PATH").and_then(|path| {
        env::split_paths(&path).map(|folder| folder.join("bitcoind")).find(|exe| is_program(exe))
    });
    let installed =
        cache_folder_in(environment).map(|cache| installed_exe(&cache)).filter(|exe| is_program(exe));
    Ok(on_path
        .map(|exe| FoundBitcoind { exe, origin: Origin::SearchPath })
        .or_else(|| installed.map(|exe| FoundBitcoind { exe, origin: Origin::Cache })))
}

fn cache_folder_in(environment: Environment<'_>) -> Option<PathBuf> {
    variable(environment, CACHE_VARIABLE)
        .or_else(|| variable(environment, "XDG_CACHE_HOME").map(|folder| folder.join("btc-staking")))
        .or_else(|| variable(environment, "HOME").map(|home| home.join(".cache").join("btc-staking")))
}

/// A path in the environment; an empty value counts as none.
fn variable(environment: Environment<'_>, name: &str) -> Option<PathBuf> {
    environment(name).filter(|value| !value.is_empty()).map(PathBuf::from)
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt as _};

    fn program(path: &Path) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_owned()
    }

    #[test]
    fn bitcoind_is_looked_for_where_it_was_named_first() {
        let folder = tempfile::tempdir().unwrap();
        let given = program(&folder.path().join("given"));
        let named = program(&folder.path().join("named"));
        let on_path = program(&folder.path().join("bin/bitcoind"));
        let cache = folder.path().join("cache");
        let installed = program(&installed_exe(&cache));
        let mut environment: HashMap<&str, OsString> = HashMap::from([
            (EXE_VARIABLE, named.clone().into()),
            ("PATH", env::join_paths([folder.path().join("nowhere"), folder.path().join("bin")]).unwrap()),
            (CACHE_VARIABLE, cache.into()),
        ]);
        let look = |given: Option<&Path>, environment: &HashMap<&str, OsString>| {
            find_in(given, &|name| environment.get(name).cloned()).unwrap()
        };
        let found = |exe: &Path, origin| Some(FoundBitcoind { exe: exe.to_owned(), origin });
        assert_eq!(look(Some(&given), &environment), found(&given, Origin::Given));
        assert_eq!(look(None, &environment), found(&named, Origin::Environment));
        environment.insert(EXE_VARIABLE, OsString::new());
        assert_eq!(look(None, &environment), found(&on_path, Origin::SearchPath));
        environment.remove("PATH");
        assert_eq!(look(None, &environment), found(&installed, Origin::Cache));
        environment.remove(CACHE_VARIABLE);
        assert_eq!(look(None, &environment), None);
    }

    #[test]
    fn one_that_is_named_but_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        fs::write(&plain, "no program").unwrap();
        for exe in [plain, folder.path().join("nowhere"), folder.path().to_owned()] {
            assert!(find_in(Some(&exe), &|_| None).is_err());
            let environment = |name: &str| (name == EXE_VARIABLE).then(|| exe.clone().into());
            assert!(find_in(None, &environment).is_err());
        }
    }

    #[tokio::test]
    async fn a_program_that_is_no_bitcoind_is_not_started() {
        let folder = tempfile::tempdir().unwrap();
        let exe = program(&folder.path().join("bitcoind"));
        let error = RunningBitcoind::start(&exe, &folder.path().join("data")).await.unwrap_err();
        assert!(matches!(error, StartError::NotBitcoind { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_bitcoind_that_ends_at_once_shows_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let exe = program(&folder.path().join("bitcoind"));
        let script = "#!/bin/sh\n[ \"$1\" = -version ] && echo 'Test version v1' && exit\necho 'no disk' >&2\nexit 3\n";
        fs::write(&exe, script).unwrap();
        let error = RunningBitcoind::start(&exe, &folder.path().join("data")).await.unwrap_err();
        let StartError::Ended { status, log } = error else { panic!("{error}") };
        assert_eq!((status.code(), log.as_str()), (Some(3), "no disk"));
    }
}

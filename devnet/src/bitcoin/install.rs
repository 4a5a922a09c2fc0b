//! Fetches a real `bitcoind` into the cache folder, without root and without touching the system.
//!
//! On Debian and its relatives: the distribution's own package from the unstable suite with every library it needs,
//! libc included, downloaded and verified by apt against the Debian archive's signatures in a private apt state,
//! unpacked by `dpkg-deb`, and started through its own dynamic loader, so that it runs whatever the age of the system's
//! libraries. Nothing is installed in apt's sense; removing the folder removes everything.
//!
//! ```text
//! CACHE/bitcoind/bin/bitcoind    launcher: root/.../ld-linux* --library-path root/... root/usr/bin/bitcoind "$@"
//! CACHE/bitcoind/root/           the unpacked packages
//! ```

use btc_staking_bitcoin_node::regtest::installed_exe;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use thiserror::Error;

mod apt;
mod launcher;
mod sources;

/// What to do where this does not work.
const ELSE: &str = "or get a bitcoind yourself and name it with --bitcoind or BITCOIND_EXE";

/// An installed node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What to start.
    pub exe: PathBuf,
    /// What it says of itself.
    pub version: String,
}

/// Why nothing was installed. Nothing is left half done.
#[derive(Debug, Error)]
pub enum InstallError {
    /// No apt here.
    #[error("{program} cannot be run: this works on Debian and its relatives, with apt and dpkg; {ELSE}")]
    NoTool {
        /// What is missing.
        program: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Nothing to verify signatures with.
    #[error("no Debian archive keyring in {looked_at:?}: install the package debian-archive-keyring, {ELSE}")]
    NoKeyring {
        /// Where it was looked for.
        looked_at: Vec<PathBuf>,
    },
    /// The suite has no node.
    #[error("{mirror} offers none of {names:?} in suite {suite} for this machine: {ELSE}")]
    NoPackage {
        /// The mirror asked.
        mirror: String,
        /// The suite asked.
        suite: &'static str,
        /// The packages looked for.
        names: &'static [&'static str],
    },
    /// A tool failed.
    #[error("{doing} failed ({status}): {stderr}; try again when the mirror answers, {ELSE}")]
    ToolFailed {
        /// What it was for.
        doing: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// The packages do not hold what is needed.
    #[error("the unpacked packages hold no {missing}: the distribution has moved it; {ELSE}")]
    Incomplete {
        /// What is missing.
        missing: &'static str,
    },
    /// It does not run.
    #[error("the unpacked bitcoind does not run here: {answer}; {ELSE}")]
    DoesNotRun {
        /// What it said.
        answer: String,
    },
    /// The file system is in the way.
    #[error("{doing} {}", .path.display())]
    Files {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Installs a node into `cache`, unless a working one is there. `progress` is told what goes on, a line at a time. Blocks
/// until done: some 30 MB to download.
///
/// # Errors
/// [`InstallError`].
pub fn install(cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<Installed, InstallError> {
    let exe = installed_exe(cache);
    if let Ok(version) = launcher::ask_version(&exe) {
        progress(&format!("already installed: {version}"));
        return Ok(Installed { exe, version });
    }
    fs::create_dir_all(cache).map_err(files("creating", cache))?;
    let staging = Staging::create(cache)?;
    let state = apt::PrivateApt::prepare(&staging.0.join("apt"))?;
    progress(&format!("reading the package list of Debian {} from {}", apt::SUITE, state.mirror()));
    state.fetch_lists()?;
    let package = state.choose_package()?;
    progress(&format!("downloading {package} with its libraries"));
    let archives = state.fetch_packages(package)?;
    progress(&format!("unpacking {} packages", archives.len()));
    let home = staging.0.join("bitcoind");
    let root = home.join("root");
    fs::create_dir_all(&root).map_err(files("creating", &root))?;
    for archive in &archives {
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("-x").arg(archive).arg(&root);
        run("dpkg-deb", "unpacking a package", &mut unpack)?;
    }
    launcher::write(&home)?;
    let version = launcher::ask_version(&installed_exe(&staging.0))?;
    publish(&home, cache)?;
    progress(&format!("installed {version} in {}", exe.display()));
    Ok(Installed { exe, version })
}

/// Puts the finished folder where it is looked for, in place of one that does not work.
fn publish(home: &Path, cache: &Path) -> Result<(), InstallError> {
    let target = cache.join("bitcoind");
    if target.exists() {
        fs::remove_dir_all(&target).map_err(files("removing", &target))?;
    }
    fs::rename(home, &target).map_err(files("moving the unpacked node to", &target))
}

/// A folder to work in, removed at the end however it comes.
struct Staging(PathBuf);

impl Staging {
    fn create(cache: &Path) -> Result<Self, InstallError> {
        let path = cache.join(format!("bitcoind.installing.{}", std::process::id()));
        fs::create_dir_all(&path).map_err(files("creating", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is only wasted space; the next install does not look at it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a tool and returns what it printed.
fn run(program: &'static str, doing: &'static str, command: &mut Command) -> Result<String, InstallError> {
    let output = output_of(program, command)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        return Err(InstallError::ToolFailed { doing, status: output.status, stderr });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn output_of(program: &'static str, command: &mut Command) -> Result<Output, InstallError> {
    let untranslated = command.env("LC_ALL", "C").stdin(Stdio::null());
    untranslated.output().map_err(|source| InstallError::NoTool { program, source })
}

fn files(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Files { doing, path, source }
}

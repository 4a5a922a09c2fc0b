//! apt with a state of its own: it reads the machine's mirror, keyring and proxy settings, and writes only to our
//! folder.

use super::{InstallError, files, output_of, run, sources};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The suite that carries a node; stable releases do not.
pub(super) const SUITE: &str = "unstable";
/// Packages that hold a `bitcoind`, the first that exists is taken.
const PACKAGES: &[&str] = &["bitcoind", "bitcoin-knots"];
/// Where a machine says what mirrors it uses.
const SOURCES_LIST: &str = "/etc/apt/sources.list";
const SOURCES_PARTS: &str = "/etc/apt/sources.list.d";
/// Debian's own address for mirrors, for machines that name none.
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";
/// Where Debian's archive keys are.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];
/// Settings of the machine that are kept: how to reach a mirror, and how old its signed lists may be (a machine that
/// works from a snapshot of the archive says so there). None of them weakens the check of signatures.
const KEPT: [&str; 7] = [
    "Acquire::http",
    "Acquire::https",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Max-FutureTime",
];

/// An apt that knows one suite of one mirror and no installed package.
pub(super) struct PrivateApt {
    mirror: String,
    config: PathBuf,
    archives: PathBuf,
}

impl PrivateApt {
    /// Writes apt's configuration into `folder`.
    pub(super) fn prepare(folder: &Path) -> Result<Self, InstallError> {
        let source = sources::debian_source(&read_sources());
        let mirror =
            source.as_ref().map_or_else(|| DEFAULT_MIRROR.to_owned(), |source| source.mirror.clone());
        let keyring = find_keyring(source.and_then(|source| source.signed_by))?;
        let archives = folder.join("cache").join("archives");
        for part in ["state/lists/partial", "cache/archives/partial", "etc/empty"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).map_err(files("creating", &part))?;
        }
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(files("writing", &path)).map(|()| path)
        };
        // No package counts as installed, so apt brings every library, libc included.
        write("state/status", "")?;
        let list = format!("deb [signed-by={}] {mirror} {SUITE} main\n", keyring.display());
        write("etc/sources.list", &list)?;
        let architecture =
            run("dpkg", "asking for the architecture", Command::new("dpkg").arg("--print-architecture"))?;
        let settings = run("apt-config", "reading apt's settings", Command::new("apt-config").arg("dump"))?;
        let config = write("apt.conf", &configuration(folder, architecture.trim(), &settings))?;
        Ok(Self { mirror, config, archives })
    }

    /// The mirror in use.
    pub(super) fn mirror(&self) -> &str {
        &self.mirror
    }

    /// Downloads and verifies the suite's package list.
    pub(super) fn fetch_lists(&self) -> Result<(), InstallError> {
        // Without the error mode apt takes an unreachable mirror for an empty list.
        let update = ["-q", "-o", "APT::Update::Error-Mode=any", "update"];
        run("apt-get", "fetching the package list", self.apt("apt-get").args(update)).map(drop)
    }

    /// Returns the package that holds a node.
    pub(super) fn choose_package(&self) -> Result<&'static str, InstallError> {
        for name in PACKAGES {
            if output_of("apt-cache", self.apt("apt-cache").args(["show", name]))?.status.success() {
                return Ok(name);
            }
        }
        Err(InstallError::NoPackage { mirror: self.mirror.clone(), suite: SUITE, names: PACKAGES })
    }

    /// Downloads and verifies a package with all it depends on; returns the files.
    pub(super) fn fetch_packages(&self, package: &str) -> Result<Vec<PathBuf>, InstallError> {
        let install = ["-q", "-y", "--download-only", "--no-install-recommends", "install", package];
        run("apt-get", "downloading the packages", self.apt("apt-get").args(install))?;
        let reading = || files("reading", &self.archives);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.archives).map_err(reading())? {
            let path = entry.map_err(reading())?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", &self.config).env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

/// Everything apt would read from or write to the system is pointed at our folder; of the machine's own settings only
/// [`KEPT`] remain. Its hooks in particular do not run.
fn configuration(folder: &Path, architecture: &str, dump: &str) -> String {
    let folder = folder.display();
    let kept: String = dump
        .lines()
        .filter(|line| KEPT.iter().any(|prefix| line.starts_with(prefix)))
        .map(|line| format!("{line}\n"))
        .collect();
    format!(
        r#"{kept}Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/etc/sources.list";
Dir::Etc::sourceparts "{folder}/etc/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{folder}/etc/empty";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "{folder}/etc/empty";
Dir::Log "{folder}";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
"#
    )
}

/// Reads the machine's source lists; what cannot be read names no mirror.
fn read_sources() -> Vec<String> {
    let mut paths = vec![PathBuf::from(SOURCES_LIST)];
    let mut parts: Vec<PathBuf> = fs::read_dir(SOURCES_PARTS)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default();
    parts.sort();
    paths.append(&mut parts);
    paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
}

fn find_keyring(named: Option<PathBuf>) -> Result<PathBuf, InstallError> {
    let looked_at: Vec<PathBuf> = named.into_iter().chain(KEYRINGS.map(PathBuf::from)).collect();
    let found = looked_at.iter().find(|path| path.is_file()).cloned();
    found.ok_or(InstallError::NoKeyring { looked_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_machines_settings_only_the_way_to_a_mirror_and_its_age_remain() {
        let dump = "Acquire::Check-Valid-Until \"false\";\n\
                    Acquire::AllowInsecureRepositories \"true\";\n\
                    Acquire::http::Proxy \"http://127.0.0.1:3142\";\n\
                    APT::Update::Post-Invoke:: \"rm -f /var/cache/apt/archives/*.deb\";\n\
                    Dir::Cache \"var/cache/apt\";\n";
        let text = configuration(Path::new("/tmp/x"), "amd64", dump);
        assert!(text.contains("Acquire::http::Proxy \"http://127.0.0.1:3142\";"));
        assert!(text.contains("Acquire::Check-Valid-Until \"false\";"));
        assert!(!text.contains("Acquire::AllowInsecureRepositories \"true\";"));
        assert!(!text.contains("Post-Invoke") && !text.contains("\"var/cache/apt\""));
        assert!(text.contains("Dir::Cache \"/tmp/x/cache\";"));
    }
}

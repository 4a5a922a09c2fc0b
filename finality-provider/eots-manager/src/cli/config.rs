//! Configuration: file < environment (`EOTS_MANAGER_...`) < flags; unknown keys are refused.

use crate::channel::{
    Authentication,
    header_mac::HeaderMac,
    mac::{MacGate, Session},
    secret::{Secret, SecretError},
};
use btc_staking_daemon::{
    entropy::{Entropy, EntropyError},
    telemetry::LogOptions,
};
use serde::{Deserialize, Serialize};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};
use thiserror::Error;

/// A complete configuration, as a file for people to start from.
pub const SAMPLE: &str = r#"# Where the sign records are kept; one signer per folder, ever. Back it up, never roll it back.
data_dir = "eots-manager-data"
# Sealed EOTS keys, one file per finality provider.
key_files = ["finality-provider-eots.key"]
# Open the keys at the start, with the passphrase of --passphrase. With false they stay locked until
# `eots-manager unlock`, or the established `unlock`, opens them one by one.
unlock_at_start = true
# The door for local processes of this user; data_dir/eots.sock by default.
socket = "eots-manager-data/eots.sock"
# Copies of the sign records are written below this folder only. Without it there are none.
backup_dir = "eots-manager-backups"
# Where /metrics, /healthz and /readyz are served.
listen = "127.0.0.1:2113"

# A second door, on loopback. Leave the section out where the socket is enough: the established daemon can use it as
# unix:///PATH.
[tcp]
address = "127.0.0.1:12582"
# mac-v2: for our own clients. header-mac: for the established daemon with the same HMACKey; a request can be replayed.
authentication = "header-mac"
# file:PATH, env:NAME or fd:NUMBER. What cannot be read stops the start.
secret = "env:HMAC_KEY"

[log]
format = "text"
filter = "info"
"#;

/// The configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the sign records are.
    pub data_dir: PathBuf,
    /// Sealed keys.
    pub key_files: Vec<PathBuf>,
    /// Whether keys are opened at the start.
    #[serde(default = "yes")]
    pub unlock_at_start: bool,
    /// The Unix socket.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// Below which copies are written.
    #[serde(default)]
    pub backup_dir: Option<PathBuf>,
    /// Where the boards are served.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The second door.
    #[serde(default)]
    pub tcp: Option<Tcp>,
    /// Logging.
    #[serde(default)]
    pub log: LogOptions,
}

/// A door on loopback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// Where.
    pub address: SocketAddr,
    /// How callers are known.
    pub authentication: Scheme,
    /// Where the shared secret comes from.
    pub secret: String,
}

/// How callers over TCP are known. There is no way to know nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// [`crate::channel::mac`].
    MacV2,
    /// [`crate::channel::header_mac`].
    HeaderMac,
}

/// Why callers could not be authenticated; the start ends.
#[derive(Debug, Error)]
pub enum NoAuthentication {
    /// The secret.
    #[error("callers over TCP could not be authenticated")]
    Secret(#[from] SecretError),
    /// The session.
    #[error("no session could be drawn")]
    Entropy(#[from] EntropyError),
}

fn yes() -> bool {
    true
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 2113))
}

impl Config {
    /// Where the Unix socket is.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data_dir.join("eots.sock"))
    }
}

impl Tcp {
    /// Reads the secret and makes of it what checks callers.
    ///
    /// # Errors
    /// [`NoAuthentication`].
    pub fn authentication(&self, entropy: &dyn Entropy) -> Result<Authentication, NoAuthentication> {
        let secret = Secret::read(&self.secret)?;
        Ok(match self.authentication {
            Scheme::HeaderMac => Authentication::Header(HeaderMac::new(secret)),
            Scheme::MacV2 => Authentication::V2(MacGate::new(secret.long_enough()?, Session::draw(entropy)?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_daemon::{config::lenient_tables, entropy::OsEntropy};

    #[test]
    fn the_sample_loads_and_no_section_takes_unknown_keys() {
        assert_eq!(lenient_tables::<Config>(SAMPLE).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_secret_that_cannot_be_had_is_never_no_authentication() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            format!("file:{}", path.display())
        };
        let refused = [
            String::new(),
            "prompt".to_owned(),
            "env:THIS_VARIABLE_IS_SET_NOWHERE".to_owned(),
            "file:/nowhere/at/all".to_owned(),
            "arn:aws:secretsmanager:eu-west-1:1:secret:x".to_owned(),
            "projects/p/secrets/s/versions/1".to_owned(),
            "https://x.vault.azure.net/secrets/s".to_owned(),
            file("empty", ""),
            file("line-end", "\n"),
        ];
        for secret in refused {
            for authentication in [Scheme::MacV2, Scheme::HeaderMac] {
                let tcp = Tcp { address: default_listen(), authentication, secret: secret.clone() };
                assert!(tcp.authentication(&OsEntropy).is_err(), "{secret:?} {authentication:?}");
            }
        }
        let short = file("short", "fifteen bytes..");
        for (authentication, taken) in [(Scheme::MacV2, false), (Scheme::HeaderMac, true)] {
            let tcp = Tcp { address: default_listen(), authentication, secret: short.clone() };
            assert_eq!(tcp.authentication(&OsEntropy).is_ok(), taken);
        }
    }
}

//! Configuration: file < environment (`EOTS_MANAGER_...`) < flags; unknown keys are refused.

use crate::channel::{
    Authentication, Door, DoorError,
    header_mac::HeaderMac,
    mac::{MacGate, Session},
    secret::{Secret, SecretError},
    tls::{Identity, TlsError, TlsFiles},
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

# A second door. Leave the section out where the socket is enough: the established daemon can use it as unix:///PATH.
# Without [tcp.tls] it is on loopback only.
[tcp]
address = "127.0.0.1:12582"
# mac-v2: for our own clients. header-mac: for the established daemon with the same HMACKey; a request can be replayed.
authentication = "header-mac"
# file:PATH, env:NAME or fd:NUMBER. What cannot be read stops the start.
secret = "env:HMAC_KEY"
# For callers on other hosts: mutual TLS, and mac-v2 on top. PEM files; peers are the certificates that a caller's must be
# signed by, or callers' own self-signed ones. With fingerprints (SHA-256) only those certificates are let in.
#   [tcp.tls]
#   certificate = "signer.crt"
#   key = "signer.key"
#   peers = "callers.crt"
#   fingerprints = []

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

/// A second door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// Where.
    pub address: SocketAddr,
    /// How callers are known.
    pub authentication: Scheme,
    /// Where the shared secret comes from.
    pub secret: String,
    /// Mutual TLS; without it the address must be on loopback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
}

/// What a second door asks of callers, read and ready.
pub enum Entry {
    /// In the clear.
    Clear(Authentication),
    /// Mutual TLS.
    Tls(Box<Identity>, MacGate),
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
    /// Certificates and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A MAC that can be replayed is for the established daemon on this host, which speaks no TLS.
    #[error("header-mac is not taken over TLS: set tcp.authentication to mac-v2")]
    ReplayableOverTls,
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
    /// Reads the secret, and certificates and key if there are any, and makes of them what checks callers.
    ///
    /// # Errors
    /// [`NoAuthentication`].
    pub fn entry(&self, entropy: &dyn Entropy) -> Result<Entry, NoAuthentication> {
        let secret = Secret::read(&self.secret)?;
        let gate = |secret: Secret| -> Result<_, NoAuthentication> {
            Ok(MacGate::new(secret.long_enough()?, Session::draw(entropy)?))
        };
        match (&self.tls, self.authentication) {
            (None, Scheme::HeaderMac) => Ok(Entry::Clear(Authentication::Header(HeaderMac::new(secret)))),
            (None, Scheme::MacV2) => Ok(Entry::Clear(Authentication::V2(gate(secret)?))),
            (Some(_), Scheme::HeaderMac) => Err(NoAuthentication::ReplayableOverTls),
            (Some(files), Scheme::MacV2) => Ok(Entry::Tls(Box::new(files.read()?), gate(secret)?)),
        }
    }
}

impl Entry {
    /// Binds the door.
    ///
    /// # Errors
    /// [`DoorError`].
    pub async fn open(self, address: SocketAddr) -> Result<Door, DoorError> {
        match self {
            Self::Clear(authentication) => Door::tcp(address, authentication).await,
            Self::Tls(identity, gate) => Door::tls(address, *identity, gate).await,
        }
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
                let tcp =
                    Tcp { address: default_listen(), authentication, secret: secret.clone(), tls: None };
                assert!(tcp.entry(&OsEntropy).is_err(), "{secret:?} {authentication:?}");
            }
        }
        let short = file("short", "fifteen bytes..");
        for (authentication, taken) in [(Scheme::MacV2, false), (Scheme::HeaderMac, true)] {
            let tcp = Tcp { address: default_listen(), authentication, secret: short.clone(), tls: None };
            assert_eq!(tcp.entry(&OsEntropy).is_ok(), taken);
        }
    }
}

//! The `[ha]` section of the configuration.

use super::{
    engine::Engine,
    etcd::{ConnectError, Etcd},
    protocol::{
        names::{InvalidPrefix, Prefix},
        values::{InstanceName, InvalidName},
    },
};
use btc_staking_eots_manager::channel::tls::TlsFiles;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Shortest lease that etcd grants with its own defaults: one and a half election timeouts, in whole seconds.
pub const MIN_LEASE: Duration = Duration::from_secs(2);
const MAX_LEASE: Duration = Duration::from_secs(600);

/// How this daemon shares its keys with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ha {
    /// What they share.
    pub engine: EngineKind,
    /// The members of the cluster, `http://HOST:PORT`.
    pub endpoints: Vec<String>,
    /// Where in it; the same for all that share.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Of this daemon; another one for each.
    pub instance: String,
    /// Time after which another takes over from one that is gone.
    #[serde(default = "default_lease_seconds")]
    pub lease_seconds: u64,
    /// Longest wait for an answer of the cluster.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
    /// Certificates, for members that are reached by mutual TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
}

/// What can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// An etcd cluster.
    Etcd,
}

/// The section, checked.
pub struct Plan {
    /// The cluster.
    pub engine: Arc<dyn Engine>,
    /// Where in it.
    pub prefix: Prefix,
    /// Of this daemon.
    pub name: InstanceName,
    /// Life of its lease.
    pub lease: Duration,
}

/// The section cannot be used.
#[derive(Debug, Error)]
pub enum InvalidHa {
    /// Where in the cluster.
    #[error("ha.prefix: {0}")]
    Prefix(#[from] InvalidPrefix),
    /// Of this daemon.
    #[error("ha.instance: {0}")]
    Name(#[from] InvalidName),
    /// Life of the lease.
    #[error("ha.lease_seconds is {0}, it must be {min} to {max}", min = MIN_LEASE.as_secs(), max = MAX_LEASE.as_secs())]
    Lease(u64),
    /// No time to answer.
    #[error("ha.request_timeout_ms must be at least 100")]
    RequestTimeout,
    /// The cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

fn default_prefix() -> String {
    "btc-staking/finality-provider".to_owned()
}

fn default_lease_seconds() -> u64 {
    5
}

fn default_request_timeout_ms() -> u64 {
    3_000
}

impl Ha {
    /// Checks the section and prepares the connection; asks nobody. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`InvalidHa`], naming the key.
    pub fn plan(&self) -> Result<Plan, InvalidHa> {
        let lease = Duration::from_secs(self.lease_seconds);
        if !(MIN_LEASE..=MAX_LEASE).contains(&lease) {
            return Err(InvalidHa::Lease(self.lease_seconds));
        }
        if self.request_timeout_ms < 100 {
            return Err(InvalidHa::RequestTimeout);
        }
        let deadline = Duration::from_millis(self.request_timeout_ms);
        let engine: Arc<dyn Engine> = match self.engine {
            EngineKind::Etcd => Arc::new(Etcd::connect(&self.endpoints, self.tls.as_ref(), deadline)?),
        };
        Ok(Plan { engine, prefix: self.prefix.parse()?, name: self.instance.parse()?, lease })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        engine = "etcd"
        endpoints = ["http://127.0.0.1:2379"]
        instance = "a"
    "#;

    #[tokio::test]
    async fn the_shortest_section_is_enough_and_unknown_keys_and_engines_are_refused() {
        let ha: Ha = toml::from_str(GOOD).unwrap();
        assert!(ha.plan().is_ok());
        assert!(toml::from_str::<Ha>(&format!("{GOOD}\nlease = 3")).is_err());
        assert!(toml::from_str::<Ha>(&GOOD.replace("\"etcd\"", "\"consul\"")).is_err());
    }

    #[tokio::test]
    async fn values_that_cannot_be_used_are_refused_by_name() {
        type Change = fn(&mut Ha);
        let table: [(Change, &str); 7] = [
            (|ha| ha.endpoints.clear(), "ha.endpoints"),
            (|ha| ha.endpoints = vec!["not an address".to_owned()], "ha.endpoints"),
            (|ha| ha.endpoints = vec!["https://127.0.0.1:2379".to_owned()], "[ha.tls]"),
            (|ha| ha.prefix = "/fp".to_owned(), "ha.prefix"),
            (|ha| ha.instance.clear(), "ha.instance"),
            (|ha| ha.lease_seconds = 1, "ha.lease_seconds"),
            (|ha| ha.request_timeout_ms = 99, "ha.request_timeout_ms"),
        ];
        for (change, name) in table {
            let mut ha: Ha = toml::from_str(GOOD).unwrap();
            change(&mut ha);
            let error = ha.plan().err().map(|error| error.to_string());
            assert!(error.as_deref().is_some_and(|error| error.contains(name)), "{name}: {error:?}");
        }
    }
}

//! Mutual TLS: both ends show a certificate, and each is held to what a file of the other end says.
//!
//! TLS 1.3 only, no resumption (a resumed session would not look at certificates again) and no early data (which can be
//! replayed). A peer's certificate must be in its time, made for its purpose, and signed by a certificate in `peers`: a
//! certificate authority, or the peer's own self-signed certificate. Fingerprints, if there are any, narrow that to
//! single certificates. A certificate alone lets nobody at the keys: every request carries its MAC as well.

mod connector;
mod listener;
mod pins;

pub use connector::{TlsConnector, TlsName};
pub(crate) use listener::TlsListener;
pub use pins::Fingerprint;

use pins::check_peer;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use serde::{Deserialize, Serialize};
use std::{
    error::Error,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

/// Where certificates and key are; all PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Our certificate, then those between it and the authority, if any.
    pub certificate: PathBuf,
    /// Its private key; nobody but its owner may be able to read the file.
    pub key: PathBuf,
    /// Certificates that the other end's must be signed by.
    pub peers: PathBuf,
    /// If not empty, the other end's certificate must be one of these: SHA-256 of the DER, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<Fingerprint>,
}

/// Who we are and whom we talk to.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    peers: RootCertStore,
    fingerprints: Vec<Fingerprint>,
}

/// Why there is no mutual TLS. The start ends then.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could read the key.
    #[error("the private key {0} can be read by others; set its mode to 0600")]
    Exposed(PathBuf),
    /// Not what it should be.
    #[error("{path} holds no {what} in PEM")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Certificates, key or authority do not fit together.
    #[error("mutual TLS cannot be set up with these certificates")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn read(&self) -> Result<Identity, TlsError> {
        let mode = fs::metadata(&self.key).map_err(cannot_read(&self.key))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(TlsError::Exposed(self.key.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| TlsError::Pem { path: self.key.clone(), what: "private key" })?;
        let mut peers = RootCertStore::empty();
        for peer in certificates(&self.peers)? {
            peers.add(peer).map_err(unusable)?;
        }
        Ok(Identity {
            chain: certificates(&self.certificate)?,
            key,
            peers,
            fingerprints: self.fingerprints.clone(),
        })
    }
}

impl Identity {
    /// As the end that listens, with the certificates it is narrowed to.
    fn into_server(self) -> Result<(Arc<ServerConfig>, Vec<Fingerprint>), TlsError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.peers), provider());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier.build().map_err(unusable)?)
            .with_single_cert(self.chain, self.key)
            .map_err(unusable)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![H2.to_vec()];
        Ok((Arc::new(config), self.fingerprints))
    }

    /// As the end that connects.
    fn into_client(self) -> Result<(Arc<ClientConfig>, Vec<Fingerprint>), TlsError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_root_certificates(self.peers)
            .with_client_auth_cert(self.chain, self.key)
            .map_err(unusable)?;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![H2.to_vec()];
        Ok((Arc::new(config), self.fingerprints))
    }
}

const H2: &[u8] = b"h2";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn unusable(error: impl Into<Box<dyn Error + Send + Sync>>) -> TlsError {
    TlsError::Unusable(error.into())
}

fn cannot_read(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Read { path, source }
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, TlsError> {
    fs::read(path).map(zeroize::Zeroizing::new).map_err(cannot_read(path))
}

/// At least one certificate.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = || TlsError::Pem { path: path.to_owned(), what: "certificate" };
    let text = read(path)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|_| none())?;
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

//! Certificates pinned by fingerprint, on top of everything that is checked of a certificate anyway.

use hex::FromHexError;
use rustls::CommonState;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, io, str::FromStr};

/// SHA-256 of a certificate's DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = FromHexError;
    /// Takes the colons with which openssl prints it.
    fn from_str(text: &str) -> Result<Self, FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.replace(':', ""), &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is no fingerprint: it must be 64 hexadecimal digits"))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Checks the other end of a finished handshake; with no fingerprints, the handshake was enough.
pub(super) fn check_peer(peer: &CommonState, only: &[Fingerprint]) -> io::Result<()> {
    let shown =
        peer.peer_certificates().and_then(<[_]>::first).map(|certificate| Fingerprint::of(certificate));
    match shown {
        // Cannot happen: either end asks for one.
        None => Err(io::Error::other("the other end showed no certificate")),
        Some(shown) if only.is_empty() || only.contains(&shown) => Ok(()),
        Some(shown) => {
            Err(io::Error::other(format!("the certificate {shown} is not among the fingerprints")))
        }
    }
}

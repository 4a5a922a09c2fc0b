//! The established header MAC: base64 of HMAC-SHA256 over the serialised request, in `X-FPD-HMAC`.
//!
//! It binds neither method nor time, so whoever sees a request can send it again, and to any method that takes the same
//! bytes. All methods it could be sent to go through the sign records or change nothing, so a replay gets an answer that
//! was given before. It is for clients that know nothing better, on this host.

use super::{secret::Secret, unauthenticated};
use crate::service::{Call, Method, Refusal};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;
use tonic::metadata::MetadataMap;

/// The metadata key, as it travels.
pub const HEADER: &str = "x-fpd-hmac";

/// Checks header MACs.
pub struct HeaderMac {
    secret: Secret,
}

impl HeaderMac {
    /// Takes the shared secret.
    pub fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// Checks the MAC of a request. Ping and SaveEOTSKeyName need none.
    ///
    /// # Errors
    /// Unauthenticated.
    pub fn check(&self, method: Method, metadata: &MetadataMap, call: &Call) -> Result<(), Refusal> {
        match method {
            Method::Ping | Method::SaveEotsKeyName => return Ok(()),
            Method::CreateRandomnessPairList
            | Method::SignEots
            | Method::UnsafeSignEots
            | Method::SignBatchEots
            | Method::SignSchnorrSig
            | Method::UnlockKey
            | Method::Backup
            | Method::Own(_) => {}
        }
        let given = metadata.get(HEADER).ok_or_else(|| unauthenticated("HMAC not provided"))?;
        let wrong = || unauthenticated("invalid HMAC");
        let given = STANDARD.decode(given.as_bytes()).map_err(|_| wrong())?;
        let mut mac = self.secret.hmac();
        mac.update(&call.to_canonical_bytes());
        mac.verify_slice(&given).map_err(|_| wrong())
    }
}

/// The header of a request, for clients.
pub fn build_header(secret: &Secret, body: &[u8]) -> String {
    let mut mac = secret.hmac();
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

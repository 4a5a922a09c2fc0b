//! The MAC of version 2: a request is good for one method, one server run, one moment, and once.
//!
//! `x-eots-mac` is base64 of `nonce (16) ‖ time (8) ‖ mac (32)`, where
//!
//! ```text
//! mac = HMAC-SHA256(secret, "btc-staking/eots-manager/mac/2" ‖ session (16) ‖ nonce (16) ‖ time (8)
//!                           ‖ length of method (4) ‖ method ‖ body)
//! ```
//!
//! with numbers big-endian, time in milliseconds since 1970, and method the path in HTTP/2. The session is drawn anew
//! when the server starts and is on every answer as `x-eots-session` in hex; a client asks Ping for it, which needs no
//! MAC. Without it a request captured before a restart could be sent again after it.

use super::{
    replay::{Seen, Window},
    secret::Secret,
    unauthenticated,
};
use crate::service::{Method, Refusal};
use base64::{Engine, engine::general_purpose::STANDARD};
use btc_staking_daemon::entropy::{Entropy, EntropyError};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{fmt, str::FromStr, sync::Mutex, time::Duration};
use tonic::metadata::MetadataMap;

/// Metadata that carries the MAC.
pub const HEADER: &str = "x-eots-mac";
/// Metadata that carries the session.
pub const SESSION_HEADER: &str = "x-eots-session";

const DOMAIN: &[u8] = b"btc-staking/eots-manager/mac/2";
const HEADER_BYTES: usize = 56;

/// One run of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session([u8; 16]);

/// A number used once.
pub type Nonce = [u8; 16];

/// Checks requests.
pub struct MacGate {
    secret: Secret,
    session: Session,
    window: Mutex<Window>,
}

impl Session {
    /// Draws a session.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn draw(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Session {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl MacGate {
    /// Takes the shared secret for one run of a server.
    pub fn new(secret: Secret, session: Session) -> Self {
        Self { secret, session, window: Mutex::default() }
    }

    /// This run.
    pub fn session(&self) -> Session {
        self.session
    }

    /// Checks a request that arrived at `now`. Only Ping needs no MAC. Each MAC is good once.
    ///
    /// # Errors
    /// Unauthenticated.
    pub fn check(
        &self,
        method: Method,
        metadata: &MetadataMap,
        body: &[u8],
        now: Duration,
    ) -> Result<(), Refusal> {
        if method == Method::Ping {
            return Ok(());
        }
        let given = metadata.get(HEADER).ok_or_else(|| unauthenticated("the request has no MAC"))?;
        let wrong = || unauthenticated("the MAC is wrong, or of another run of this server");
        let given = STANDARD.decode(given.as_bytes()).map_err(|_| wrong())?;
        let given: &[u8; HEADER_BYTES] = given.as_slice().try_into().map_err(|_| wrong())?;
        let (nonce, rest) = given.split_first_chunk::<16>().ok_or_else(wrong)?;
        let (time, mac) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let time = u64::from_be_bytes(*time);
        bound(&self.secret, self.session, nonce, time, method, body)
            .verify_slice(mac)
            .map_err(|_| wrong())?;
        // Only now: who has no secret cannot fill the window.
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        // A panic elsewhere with the lock held leaves at worst a nonce that is remembered.
        let mut window = self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match window.take(time, *nonce, now) {
            Seen::First => Ok(()),
            Seen::Again => Err(unauthenticated("this very request was answered already")),
            Seen::OutOfTime => {
                Err(unauthenticated("the request is too old or from the future; compare the clocks"))
            }
        }
    }
}

/// The header of a request, for clients.
pub fn build_header(
    secret: &Secret,
    session: Session,
    nonce: &Nonce,
    now: Duration,
    method: Method,
    body: &[u8],
) -> String {
    let time = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let mac = bound(secret, session, nonce, time, method, body).finalize().into_bytes();
    STANDARD.encode([nonce.as_slice(), &time.to_be_bytes(), &mac].concat())
}

fn bound(
    secret: &Secret,
    Session(session): Session,
    nonce: &Nonce,
    time: u64,
    method: Method,
    body: &[u8],
) -> Hmac<Sha256> {
    let path = method.path().as_bytes();
    let length = u32::try_from(path.len()).expect("paths of methods are short");
    let mut mac = secret.hmac();
    for part in [DOMAIN, &session, nonce, &time.to_be_bytes(), &length.to_be_bytes(), path, body] {
        mac.update(part);
    }
    mac
}

//! Opens one file of a keyring: a compact JWE, its key derived from a passphrase.
//!
//! ```text
//! header . wrapped key . nonce . ciphertext . tag        base64url without padding
//! KEK    = PBKDF2-HMAC-SHA256(passphrase, alg ‖ 00 ‖ p2s, p2c rounds), 16 bytes
//! key    = AES-128 key unwrap (RFC 3394) of the wrapped key
//! plain  = AES-256-GCM open, with the encoded header as associated data
//! ```
//!
//! Only `PBES2-HS256+A128KW` with `A256GCM` is known; anything else is refused by name.

use aes_gcm::{Aes256Gcm, KeyInit, Nonce, aead::AeadInPlace};
use aes_kw::KekAes128;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

const ALGORITHM: &str = "PBES2-HS256+A128KW";
const ENCRYPTION: &str = "A256GCM";
/// Most rounds that are computed. The Go software writes 8192; more than this is an attack on the reader's time.
const MAX_ROUNDS: u32 = 2_000_000;
/// Longest file that is read.
pub const MAX_BYTES: usize = 64 * 1024;
const WRAPPED: usize = 40;
const NONCE: usize = 12;
const TAG: usize = 16;

/// Why a file could not be opened.
#[derive(Debug, Error)]
pub enum JweError {
    /// Longer than any key file.
    #[error("the file has {0} bytes, a key file has at most {MAX_BYTES}")]
    TooLong(usize),
    /// Not five parts, or one is not what it should be.
    #[error("the file is no compact JWE: {0}")]
    Malformed(&'static str),
    /// Encrypted in a way that the Go software does not use.
    #[error("the file is encrypted with {0:?}, this program knows {ALGORITHM} with {ENCRYPTION}")]
    Algorithm(String),
    /// The number of rounds.
    #[error("the file asks for {0} rounds of key derivation, it must be 1 to {MAX_ROUNDS}")]
    Rounds(u32),
    /// The key does not unwrap, or the tag does not fit.
    #[error("the passphrase does not open the file, or the file was changed")]
    WrongPassphrase,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    p2c: u32,
    p2s: String,
}

/// Decrypts a file with a passphrase.
///
/// # Errors
/// [`JweError`].
pub fn open(text: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, JweError> {
    if text.len() > MAX_BYTES {
        return Err(JweError::TooLong(text.len()));
    }
    let parts: Vec<&[u8]> = text.trim_ascii().split(|byte| *byte == b'.').collect();
    let [header, wrapped, nonce, ciphertext, tag] = parts[..] else {
        return Err(JweError::Malformed("it has not five parts"));
    };
    let kek = derive_kek(header, passphrase)?;
    let wrapped: [u8; WRAPPED] = fixed(wrapped, "the wrapped key has not 40 bytes")?;
    let nonce: [u8; NONCE] = fixed(nonce, "the nonce has not 12 bytes")?;
    let tag: [u8; TAG] = fixed(tag, "the tag has not 16 bytes")?;
    let mut key = Zeroizing::new([0; WRAPPED - 8]);
    KekAes128::from(*kek).unwrap(&wrapped, key.as_mut_slice()).map_err(|_| JweError::WrongPassphrase)?;
    let mut plain = Zeroizing::new(decode(ciphertext, "the ciphertext is no base64url")?);
    let cipher = Aes256Gcm::new(key.as_slice().into());
    cipher
        .decrypt_in_place_detached(Nonce::from_slice(&nonce), header, &mut plain, (&tag).into())
        .map_err(|_| JweError::WrongPassphrase)?;
    Ok(plain)
}

fn derive_kek(header: &[u8], passphrase: &[u8]) -> Result<Zeroizing<[u8; 16]>, JweError> {
    let json = decode(header, "the header is no base64url")?;
    let header: Header = serde_json::from_slice(&json)
        .map_err(|_| JweError::Malformed("the header is not the expected JSON"))?;
    for (found, known) in [(&header.alg, ALGORITHM), (&header.enc, ENCRYPTION)] {
        if found != known {
            return Err(JweError::Algorithm(found.chars().take(64).collect()));
        }
    }
    if header.p2c == 0 || header.p2c > MAX_ROUNDS {
        return Err(JweError::Rounds(header.p2c));
    }
    let mut salt = [ALGORITHM.as_bytes(), &[0]].concat();
    salt.extend(decode(header.p2s.as_bytes(), "the salt is no base64url")?);
    let mut kek = Zeroizing::new([0; 16]);
    pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, &salt, header.p2c, kek.as_mut_slice());
    Ok(kek)
}

fn fixed<const N: usize>(part: &[u8], what: &'static str) -> Result<[u8; N], JweError> {
    decode(part, what)?.try_into().map_err(|_| JweError::Malformed(what))
}

fn decode(part: &[u8], what: &'static str) -> Result<Vec<u8>, JweError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JweError::Malformed(what))
}

//! Opens a key that the Go software exported with a passphrase: a text block "TENDERMINT PRIVATE KEY".
//!
//! ```text
//! kdf argon2:  key = Argon2id(passphrase, salt; 1 pass, 64 MiB, 4 lanes), ChaCha20-Poly1305 with a nonce of zeros
//! kdf bcrypt:  key = SHA256("$2a$12$" ‖ text of salt ‖ text of bcrypt(passphrase, salt, 2^12 rounds)), as older
//!              releases did: body = 24 bytes of nonce ‖ XSalsa20-Poly1305
//! plaintext:   e1b0f79b 20 ‖ 32 secret bytes
//! ```
//!
//! The block is the text form of OpenPGP: headers, an empty line, base64, and a line `=` with a CRC-24.

use crate::keys::{EotsKey, KeyError};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{
    Engine,
    alphabet::BCRYPT,
    engine::{
        GeneralPurpose,
        general_purpose::{NO_PAD, STANDARD},
    },
};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::AeadInPlace};
use crypto_secretbox::XSalsa20Poly1305;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN TENDERMINT PRIVATE KEY-----";
const END: &str = "-----END TENDERMINT PRIVATE KEY-----";
/// Longest block that is read.
pub const MAX_BYTES: usize = 16 * 1024;
/// What stands before the 32 bytes of a secp256k1 key: its kind, and their number.
const PREFIX: [u8; 5] = [0xe1, 0xb0, 0xf7, 0x9b, 0x20];
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 1;
const LANES: u32 = 4;
const BCRYPT_COST: u32 = 12;
/// Longest passphrase that bcrypt looks at, with the zero that ends it.
const BCRYPT_WORDS: usize = 72;
const SALT: usize = 16;
/// Nonce of XSalsa20, which stands before the sealed bytes.
const XNONCE: usize = 24;

/// Why a block gave no key.
#[derive(Debug, Error)]
pub enum ArmorError {
    /// Not such a block.
    #[error("the text is no exported private key: {0}")]
    Malformed(&'static str),
    /// Another key derivation or kind of key.
    #[error("the exported key has {header} {found:?}, this program knows {known}")]
    Unknown {
        /// The header.
        header: &'static str,
        /// Its value.
        found: String,
        /// What is known.
        known: String,
    },
    /// The tag does not fit.
    #[error("the passphrase does not open the exported key, or the text was changed")]
    WrongPassphrase,
    /// The secret is none.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Whether a text looks like such a block.
pub fn is_armor(text: &str) -> bool {
    text.trim_start().starts_with(BEGIN)
}

/// Opens a block. The caller knows which public key it expects; use [`EotsKey::require`].
///
/// # Errors
/// [`ArmorError`].
pub fn open_armor(text: &str, passphrase: &[u8]) -> Result<EotsKey, ArmorError> {
    Armor::parse(text)?.open(passphrase)
}

/// A sealed key that was read but not opened.
#[derive(Debug)]
pub struct Armor {
    kdf: Kdf,
    salt: Vec<u8>,
    body: Vec<u8>,
}

/// How the key of the seal comes from the passphrase.
#[derive(Debug, Clone, Copy)]
enum Kdf {
    Argon2,
    Bcrypt,
}

impl Armor {
    /// Reads a block: its lines, headers and checksum. Costs nothing; opening takes its time on purpose.
    ///
    /// # Errors
    /// [`ArmorError::Malformed`] and [`ArmorError::Unknown`].
    pub fn parse(text: &str) -> Result<Self, ArmorError> {
        if text.len() > MAX_BYTES {
            return Err(ArmorError::Malformed("it is too long"));
        }
        let block = parse(text)?;
        require(&block, "type", &[("secp256k1", ())])?;
        let kdf = require(&block, "kdf", &[("argon2", Kdf::Argon2), ("bcrypt", Kdf::Bcrypt)])?;
        let salt = block.headers.get("salt").and_then(|salt| hex::decode(salt).ok());
        let salt = salt.ok_or(ArmorError::Malformed("its salt is no hexadecimal text"))?;
        Ok(Self { kdf, salt, body: block.body })
    }

    /// Opens it. The caller knows which public key it expects; use [`EotsKey::require`].
    ///
    /// # Errors
    /// [`ArmorError`].
    pub fn open(self, passphrase: &[u8]) -> Result<EotsKey, ArmorError> {
        let plain = match self.kdf {
            Kdf::Argon2 => open_argon2(self.body, passphrase, &self.salt)?,
            Kdf::Bcrypt => open_bcrypt(&self.body, passphrase, &self.salt)?,
        };
        let secret = plain.strip_prefix(&PREFIX).and_then(|secret| secret.try_into().ok());
        Ok(EotsKey::from_secret_bytes(secret.ok_or(ArmorError::Malformed("it holds no secp256k1 key"))?)?)
    }
}

struct Block<'a> {
    headers: BTreeMap<&'a str, &'a str>,
    body: Vec<u8>,
}

fn parse(text: &str) -> Result<Block<'_>, ArmorError> {
    let inside = text.trim().strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END));
    let mut lines = inside.ok_or(ArmorError::Malformed("its first or last line is missing"))?.trim().lines();
    let mut headers = BTreeMap::new();
    for line in lines.by_ref().map(str::trim).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").ok_or(ArmorError::Malformed("a header has no colon"))?;
        headers.insert(name, value);
    }
    let body: String = lines.map(str::trim).collect();
    let (body, sum) = body.rsplit_once('=').ok_or(ArmorError::Malformed("it has no checksum"))?;
    let body = STANDARD.decode(body).map_err(|_| ArmorError::Malformed("its body is no base64"))?;
    let sum = STANDARD.decode(sum).map_err(|_| ArmorError::Malformed("its checksum is no base64"))?;
    if sum != crc24(&body) {
        return Err(ArmorError::Malformed("its checksum does not fit, the text was changed"));
    }
    Ok(Block { headers, body })
}

fn require<T: Copy>(block: &Block<'_>, header: &'static str, known: &[(&str, T)]) -> Result<T, ArmorError> {
    let found = block.headers.get(header).copied().unwrap_or_default();
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == found) {
        return Ok(*value);
    }
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    Err(ArmorError::Unknown { header, found: found.chars().take(64).collect(), known: names.join(" and ") })
}

fn open_argon2(body: Vec<u8>, passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<Vec<u8>>, ArmorError> {
    let mut plain = Zeroizing::new(body);
    let key = derive(passphrase, salt)?;
    ChaCha20Poly1305::new(key.as_slice().into())
        .decrypt_in_place(&[0; 12].into(), &[], &mut *plain)
        .map_err(|_| ArmorError::WrongPassphrase)?;
    Ok(plain)
}

fn open_bcrypt(body: &[u8], passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<Vec<u8>>, ArmorError> {
    let salt = salt.try_into().map_err(|_| ArmorError::Malformed("its salt has not 16 bytes"))?;
    let (nonce, sealed) =
        body.split_first_chunk::<XNONCE>().ok_or(ArmorError::Malformed("its body is too short"))?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    XSalsa20Poly1305::new(bcrypt_key(passphrase, salt).as_slice().into())
        .decrypt_in_place(nonce.into(), &[], &mut *plain)
        .map_err(|_| ArmorError::WrongPassphrase)?;
    Ok(plain)
}

/// The digest of what bcrypt gives in its text form.
fn bcrypt_key(passphrase: &[u8], salt: [u8; SALT]) -> Zeroizing<[u8; 32]> {
    const TEXT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);
    let mut words = Zeroizing::new([passphrase, &[0]].concat());
    words.truncate(BCRYPT_WORDS);
    let hash = Zeroizing::new(bcrypt::bcrypt(BCRYPT_COST, salt, &words));
    // The last of the 24 bytes is left out, as everywhere.
    let hash = Zeroizing::new(TEXT.encode(&hash[..23]));
    let digest = Sha256::new()
        .chain_update(format!("$2a${BCRYPT_COST}$"))
        .chain_update(TEXT.encode(salt))
        .chain_update(hash.as_bytes());
    Zeroizing::new(digest.finalize().into())
}

fn derive(passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, ArmorError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).expect("the fixed numbers are in range");
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut_slice())
        .map_err(|_| ArmorError::Malformed("its salt is too short or the passphrase too long"))?;
    Ok(key)
}

/// The checksum of OpenPGP (RFC 4880, 6.1), big-endian.
fn crc24(bytes: &[u8]) -> [u8; 3] {
    let sum = bytes.iter().fold(0x00b7_04ce_u32, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 16), |sum, _| {
            let shifted = sum << 1;
            if shifted & 0x0100_0000 == 0 { shifted } else { shifted ^ 0x0186_4cfb }
        })
    });
    let [_, a, b, c] = sum.to_be_bytes();
    [a, b, c]
}

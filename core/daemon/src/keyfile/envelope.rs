//! The JSON form of a sealed secret.

use super::{KdfParams, KeyFileError, MAX_LABEL_BYTES, MAX_SECRET_BYTES, TAG_BYTES};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const VERSION: u32 = 1;
const KDF_NAME: &str = "argon2id";
const CIPHER_NAME: &str = "xchacha20-poly1305";

/// A whole key file, with all lengths checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    version: u32,
    label: String,
    kdf: Kdf,
    cipher: Cipher,
    #[serde(with = "hex::serde")]
    checksum: [u8; 32],
}

/// The part that is authenticated along with the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    version: u32,
    label: String,
    kdf: Kdf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kdf {
    name: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "hex::serde")]
    salt: [u8; 16],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cipher {
    name: String,
    #[serde(with = "hex::serde")]
    nonce: [u8; 24],
    #[serde(with = "hex::serde")]
    ciphertext: Vec<u8>,
}

impl Kdf {
    pub(super) fn new(params: KdfParams, salt: [u8; 16]) -> Self {
        let KdfParams { memory_kib, passes, lanes } = params;
        Self { name: KDF_NAME.to_owned(), memory_kib, passes, lanes, salt }
    }
}

impl Cipher {
    pub(super) fn new(nonce: [u8; 24], ciphertext: Vec<u8>) -> Self {
        Self { name: CIPHER_NAME.to_owned(), nonce, ciphertext }
    }
}

impl Header {
    pub(super) fn new(label: &str, kdf: Kdf) -> Self {
        Self { version: VERSION, label: label.to_owned(), kdf }
    }

    pub(super) fn params(&self) -> KdfParams {
        KdfParams { memory_kib: self.kdf.memory_kib, passes: self.kdf.passes, lanes: self.kdf.lanes }
    }

    /// Version, the three costs (u32 big-endian each), the salt, and the label to the end.
    /// All but the last have a fixed length, so different headers have different bytes.
    pub(super) fn authenticated_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.version, self.kdf.memory_kib, self.kdf.passes, self.kdf.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.kdf.salt);
        bytes.extend_from_slice(self.label.as_bytes());
        bytes
    }
}

impl Envelope {
    pub(super) fn new(header: Header, cipher: Cipher) -> Self {
        let checksum = checksum(&header, &cipher);
        let Header { version, label, kdf } = header;
        Self { version, label, kdf, cipher, checksum }
    }

    /// Parses and checks a file's content.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, KeyFileError> {
        #[derive(Deserialize)]
        struct AnyVersion {
            version: u32,
        }
        let damaged = |error: serde_json::Error| KeyFileError::Damaged(error.to_string());
        let AnyVersion { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version != VERSION {
            return Err(KeyFileError::Version(version));
        }
        let envelope: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        match envelope.defect() {
            Some(defect) => Err(KeyFileError::Damaged(defect.to_owned())),
            None => Ok(envelope),
        }
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub(super) fn header(&self) -> Header {
        Header { version: self.version, label: self.label.clone(), kdf: self.kdf.clone() }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.kdf.salt
    }

    pub(super) fn nonce(&self) -> &[u8] {
        &self.cipher.nonce
    }

    pub(super) fn ciphertext(&self) -> &[u8] {
        &self.cipher.ciphertext
    }

    fn defect(&self) -> Option<&'static str> {
        let length = self.cipher.ciphertext.len();
        if self.kdf.name != KDF_NAME {
            return Some("the key derivation is not argon2id");
        }
        if self.cipher.name != CIPHER_NAME {
            return Some("the cipher is not xchacha20-poly1305");
        }
        if self.label.len() > MAX_LABEL_BYTES {
            return Some("the label is too long");
        }
        if !(TAG_BYTES..=MAX_SECRET_BYTES + TAG_BYTES).contains(&length) {
            return Some("the ciphertext has an impossible length");
        }
        (self.checksum != checksum(&self.header(), &self.cipher)).then_some("its checksum does not match")
    }
}

fn checksum(header: &Header, cipher: &Cipher) -> [u8; 32] {
    let authenticated = header.authenticated_bytes();
    // The length keeps the label apart from what follows it.
    let length = u64::try_from(authenticated.len()).unwrap_or(u64::MAX);
    Sha256::new()
        .chain_update(length.to_be_bytes())
        .chain_update(authenticated)
        .chain_update(cipher.nonce)
        .chain_update(&cipher.ciphertext)
        .finalize()
        .into()
}

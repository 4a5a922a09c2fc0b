//! Extractable one-time signatures (`crypto.md` 2): the `s` half of a BIP-340 signature over `SHA256(message)` whose nonce
//! point was committed to in advance.
//!
//! Two signatures with one nonce over different messages reveal the secret key: [`extract`] computes it. Signing therefore
//! consumes the [`Nonce`], and a nonce can be neither copied nor printed; but deriving it twice cannot be prevented here. What
//! keeps a signer from voting twice at a height is its sign record.

mod extract;

pub use extract::{ExtractError, FinalityProviderSecret, extract};

use crate::{
    challenge::challenge,
    hex::impl_hex_bytes,
    key::{InvalidSecretKey, SigningKey},
    nonce::Nonce,
    point::{self, verification_point},
    scalar::Scalar,
};
use bitcoin::hashes::{Hash, sha256};
use secp256k1::{Message, Parity, SECP256K1, XOnlyPublicKey, schnorr};

/// Public randomness of one height: the x-coordinate of the nonce point, whose parity is not known.
///
/// Holds the bytes as published, whatever they are. The Merkle leaf hashes them as they are; a value not below the field
/// prime is reduced before it enters a challenge (`crypto.md` 2.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicRandomness([u8; 32]);

impl_hex_bytes!(PublicRandomness, 32);

/// An EOTS signature: the scalar `s`, big-endian.
///
/// Holds the bytes as received; a value not below the group order is reduced when used (`crypto.md` 2.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EotsSignature([u8; 32]);

impl_hex_bytes!(EotsSignature, 32);

/// The secret key of a finality provider, which signs votes. No `Debug`, no `Clone`; wiped on drop.
///
/// ```compile_fail,E0277
/// fn cannot_be_printed(key: btc_staking_crypto::eots::EotsSecretKey) {
///     println!("{key:?}");
/// }
/// ```
pub struct EotsSecretKey(SigningKey);

/// Why an EOTS signature could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The challenge hash is not below the group order; the probability is 2^-128.
    #[error("challenge hash is not below the group order, this message cannot be signed with this nonce")]
    ChallengeOverflow,
}

/// Why an EOTS signature is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The challenge hash is not below the group order.
    #[error("challenge hash is not below the group order")]
    ChallengeOverflow,
    /// The nonce point computed from the signature is infinity.
    #[error("signature gives the point at infinity as nonce point")]
    NonceAtInfinity,
    /// The nonce point computed from the signature has odd Y.
    #[error("signature gives a nonce point with odd y, must be even")]
    NonceOddY,
    /// The nonce point computed from the signature is not the published one.
    #[error("signature gives nonce point {computed}, published randomness is {published}")]
    NonceMismatch {
        /// What the signature gives.
        computed: PublicRandomness,
        /// What was committed to.
        published: PublicRandomness,
    },
}

impl EotsSecretKey {
    /// Takes a big-endian secret key, as it stands: nonces are derived from these exact bytes.
    ///
    /// # Errors
    /// If it is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidSecretKey> {
        SigningKey::from_bytes(bytes).map(Self)
    }

    /// Returns the x-only public key.
    pub const fn public_key(&self) -> &XOnlyPublicKey {
        self.0.public_key()
    }

    /// Returns the same key for ordinary signatures: randomness commitments and proofs of possession.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    /// Signs `message`, consuming the nonce:
    ///
    /// ```
    /// # use btc_staking_crypto::{eots::{self, EotsSecretKey}, nonce::{self, Scheme}};
    /// let key = EotsSecretKey::from_bytes(&[7; 32])?;
    /// let nonce = nonce::derive(&key, Scheme::V1, b"bbn-1", 100);
    /// let randomness = nonce.public();
    /// let signature = key.sign(nonce, b"block")?;
    /// eots::verify(key.public_key(), &randomness, b"block", &signature)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// so that the same nonce cannot sign again:
    ///
    /// ```compile_fail,E0382
    /// # use btc_staking_crypto::{eots::{self, EotsSecretKey}, nonce::{self, Scheme}};
    /// let key = EotsSecretKey::from_bytes(&[7; 32])?;
    /// let nonce = nonce::derive(&key, Scheme::V1, b"bbn-1", 100);
    /// let signature = key.sign(nonce, b"block")?;
    /// let another = key.sign(nonce, b"another block")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the challenge hash is not below the group order, which does not happen.
    pub fn sign(&self, nonce: Nonce, message: &[u8]) -> Result<EotsSignature, SignError> {
        let challenge = challenge(nonce.public().as_bytes(), self.public_key(), &digest(message));
        let challenge = Scalar::canonical(&challenge).ok_or(SignError::ChallengeOverflow)?;
        let s = nonce.into_even_secret().plus(&challenge.times(&self.0.even_secret()));
        Ok(EotsSignature(*s.to_bytes()))
    }
}

impl From<SigningKey> for EotsSecretKey {
    fn from(key: SigningKey) -> Self {
        Self(key)
    }
}

/// Verifies that the holder of `key` signed `message` with the nonce behind `randomness`.
///
/// # Errors
/// If not, with the kind of failure of `crypto.md` 2.4.
pub fn verify(
    key: &XOnlyPublicKey,
    randomness: &PublicRandomness,
    message: &[u8],
    signature: &EotsSignature,
) -> Result<(), VerifyError> {
    verify_digest(key, randomness, &digest(message), signature)
}

/// One BIP-340 verification by libsecp256k1; the kind of a failure is worked out only after one.
fn verify_digest(
    key: &XOnlyPublicKey,
    randomness: &PublicRandomness,
    digest: &[u8; 32],
    signature: &EotsSignature,
) -> Result<(), VerifyError> {
    let nonce_x = field_reduced(randomness);
    // BIP-340 reduces a challenge of n or more, EOTS refuses it.
    let challenge =
        Scalar::canonical(&challenge(&nonce_x, key, digest)).ok_or(VerifyError::ChallengeOverflow)?;
    let s = Scalar::reduced(&signature.0);
    let bip340 = assemble_bip340(&nonce_x, &s);
    if SECP256K1.verify_schnorr(&bip340, &Message::from_digest(*digest), key).is_ok() {
        return Ok(());
    }
    Err(diagnose(key, randomness, &challenge, &s))
}

/// Works out why a signature is invalid, knowing that it is.
fn diagnose(
    key: &XOnlyPublicKey,
    randomness: &PublicRandomness,
    challenge: &Scalar,
    s: &Scalar,
) -> VerifyError {
    let Some(nonce) = verification_point(s, challenge, key).finite() else {
        return VerifyError::NonceAtInfinity;
    };
    match point::coordinates(&nonce) {
        (_, Parity::Odd) => VerifyError::NonceOddY,
        (x, Parity::Even) => {
            VerifyError::NonceMismatch { computed: PublicRandomness(x), published: *randomness }
        }
    }
}

fn digest(message: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(message).to_byte_array()
}

fn assemble_bip340(nonce_x: &[u8; 32], s: &Scalar) -> schnorr::Signature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(nonce_x);
    bytes[32..].copy_from_slice(&*s.to_bytes());
    schnorr::Signature::from_slice(&bytes).expect("64 bytes, the only thing that is checked")
}

/// The value modulo the field prime `p = ff..ff fffffffe fffffc2f`. Only 2^32 + 977 of all values are not below it.
fn field_reduced(randomness: &PublicRandomness) -> [u8; 32] {
    const PRIME_TAIL: u64 = 0xffff_fffe_ffff_fc2f;
    let mut bytes = randomness.0;
    let mut tail = [0; 8];
    tail.copy_from_slice(&bytes[24..]);
    if bytes[..24] == [0xff; 24]
        && let Some(rest) = u64::from_be_bytes(tail).checked_sub(PRIME_TAIL)
    {
        bytes = [0; 32];
        bytes[24..].copy_from_slice(&rest.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;

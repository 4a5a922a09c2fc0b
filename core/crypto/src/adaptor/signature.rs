//! Adaptor signatures: bytes, signing, verification, decryption and recovery of the key (`crypto.md` 3.2 to 3.6).

use super::{DecryptionKey, EncryptionKey};
use crate::{
    challenge::{adaptor_aux, adaptor_nonce, challenge},
    key::SigningKey,
    point::{self, Point, verification_point},
    scalar::Scalar,
};
use bitcoin::hex::{DisplayHex, FromHex, HexToBytesError};
use core::{fmt, str::FromStr};
use secp256k1::{Parity, PublicKey, XOnlyPublicKey, schnorr};
use zeroize::Zeroizing;

/// An adaptor signature: the point `R0 = k*G + T` and the scalar `s`.
///
/// | Bytes | Meaning |
/// |---|---|
/// | 0 | 02 if `R0` has even Y, 03 if odd |
/// | 1..33 | `x(R0)` |
/// | 33..65 | `s`, big-endian, below the group order |
///
/// `R0` is a point of the curve by construction. Its text form is the hex of the 65 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdaptorSignature {
    nonce_point: PublicKey,
    s: [u8; 32],
}

/// Why bytes or text are not an adaptor signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAdaptorSignature {
    /// Neither 65 nor 66 bytes.
    #[error("adaptor signature has {0} bytes, must have 65 (or 66 in the legacy form)")]
    Length(usize),
    /// The legacy form does not start with 02.
    #[error("legacy adaptor signature starts with {0:02x}, must start with 02")]
    LegacyPrefix(u8),
    /// The legacy form does not end with 00 or 01.
    #[error("legacy adaptor signature ends with {0:02x}, must end with 00 or 01")]
    LegacySuffix(u8),
    /// The first 33 bytes are not a compressed point of the curve other than infinity.
    #[error("adaptor signature does not start with a compressed point of the curve")]
    NoncePoint,
    /// The scalar is not below the group order.
    #[error("adaptor signature's scalar is not below the group order")]
    ScalarOverflow,
    /// The text is not hex.
    #[error("adaptor signature is not hex")]
    Hex(#[source] HexToBytesError),
}

/// Why an adaptor signature could not be made; none occurs on a sound machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The nonce hash is a multiple of the group order.
    #[error("nonce hash gives zero, sign with other auxiliary randomness")]
    ZeroNonce,
    /// The nonce point is the negative of the encryption key.
    #[error("nonce point and encryption key add up to infinity, sign with other auxiliary randomness")]
    NoncePointAtInfinity,
    /// The signature made does not verify: the machine computed wrongly.
    #[error("adaptor signature just made does not verify, this machine computes wrongly")]
    SelfVerification(#[source] VerifyError),
}

/// Why an adaptor signature is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The scalar is zero.
    #[error("adaptor signature's scalar is zero")]
    ZeroScalar,
    /// The nonce point computed from the signature is infinity.
    #[error("adaptor signature gives the point at infinity as nonce point")]
    NonceAtInfinity,
    /// Not a signature of this signer over this digest encrypted to this key.
    #[error("adaptor signature is not of this signer over this digest to this encryption key")]
    Mismatch,
}

/// Why an adaptor signature cannot be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// The scalar is zero.
    #[error("adaptor signature's scalar is zero")]
    ZeroScalar,
}

/// Why an adaptor signature and a signature do not give a decryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The adaptor signature's scalar is zero.
    #[error("adaptor signature's scalar is zero")]
    ZeroScalar,
    /// The signature's scalar is zero.
    #[error("signature's scalar is zero")]
    ZeroSignature,
    /// Both scalars are equal, so that the key would be zero.
    #[error("signature and adaptor signature have the same scalar, which gives no key")]
    ZeroKey,
}

/// Signs without verifying the result; `crypto.md` 3.3 with `x(P)` in the nonce hash, for any adaptor point.
pub(crate) fn sign(
    key: &SigningKey,
    adaptor_point: &PublicKey,
    digest: &[u8; 32],
    aux: &[u8; 32],
) -> Result<AdaptorSignature, SignError> {
    let secret = key.even_secret();
    let masked = masked_secret(&secret, aux);
    let nonce_hash = adaptor_nonce(&masked, &adaptor_point.serialize(), key.public_key(), digest);
    let nonce = Scalar::reduced(&nonce_hash);
    if nonce.is_zero() {
        return Err(SignError::ZeroNonce);
    }
    let nonce_point = Point::generator_times(&nonce)
        .plus(Point::from(*adaptor_point))
        .finite()
        .ok_or(SignError::NoncePointAtInfinity)?;
    let (nonce_x, parity) = point::coordinates(&nonce_point);
    let e = Scalar::reduced(&challenge(&nonce_x, key.public_key(), digest));
    let s = nonce.negate_if(parity == Parity::Odd).plus(&e.times(&secret));
    Ok(AdaptorSignature { nonce_point, s: *s.to_bytes() })
}

fn masked_secret(secret: &Scalar, aux: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let mut masked = secret.to_bytes();
    for (byte, mask) in masked.iter_mut().zip(adaptor_aux(aux).iter()) {
        *byte ^= mask;
    }
    masked
}

impl AdaptorSignature {
    /// Parses the 65-byte form, or the legacy 66-byte form: 02, `x(R0)`, `s`, then 00 for even Y or 01 for odd.
    ///
    /// # Errors
    /// If it is neither, the point is not on the curve, or the scalar is not below the group order.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidAdaptorSignature> {
        match bytes.len() {
            65 => Self::from_parts(&bytes[..33], &bytes[33..]),
            66 => Self::from_parts(&legacy_nonce_point(bytes)?, &bytes[33..65]),
            other => Err(InvalidAdaptorSignature::Length(other)),
        }
    }

    fn from_parts(nonce_point: &[u8], s: &[u8]) -> Result<Self, InvalidAdaptorSignature> {
        let nonce_point =
            PublicKey::from_slice(nonce_point).map_err(|_| InvalidAdaptorSignature::NoncePoint)?;
        let s: [u8; 32] = s.try_into().map_err(|_| InvalidAdaptorSignature::Length(33 + s.len()))?;
        Scalar::canonical(&s).ok_or(InvalidAdaptorSignature::ScalarOverflow)?;
        Ok(Self { nonce_point, s })
    }

    /// Returns the 65-byte form.
    pub fn to_bytes(self) -> [u8; 65] {
        let mut bytes = [0; 65];
        bytes[..33].copy_from_slice(&self.nonce_point.serialize());
        bytes[33..].copy_from_slice(&self.s);
        bytes
    }

    /// Verifies that `signer` signed `digest` and that the key behind `encryption_key` completes the signature.
    ///
    /// # Errors
    /// If not.
    pub fn verify(
        &self,
        signer: &XOnlyPublicKey,
        encryption_key: &EncryptionKey,
        digest: &[u8; 32],
    ) -> Result<(), VerifyError> {
        self.verify_for_point(signer, encryption_key.point(), digest)
    }

    /// As [`verify`](Self::verify), for an adaptor point that may have odd Y. Finality providers' keys never do
    /// (`crypto.md` 3.6): this is the scheme's primitive, not what a staker, covenant or slasher needs.
    ///
    /// # Errors
    /// If the signature is not valid for this point.
    pub fn verify_for_point(
        &self,
        signer: &XOnlyPublicKey,
        adaptor_point: &PublicKey,
        digest: &[u8; 32],
    ) -> Result<(), VerifyError> {
        let s = self.scalar().ok_or(VerifyError::ZeroScalar)?;
        let (nonce_x, parity) = point::coordinates(&self.nonce_point);
        let e = Scalar::reduced(&challenge(&nonce_x, signer, digest));
        let nonce = verification_point(&s, &e, signer);
        if nonce == Point::INFINITY {
            return Err(VerifyError::NonceAtInfinity);
        }
        // T = R0 - R for even R0 and T = R0 + R for odd, solved for R = ±(R0 - T).
        let own = Point::from(self.nonce_point).minus(Point::from(*adaptor_point));
        let expected = if parity == Parity::Odd { own.negate() } else { own };
        if nonce == expected { Ok(()) } else { Err(VerifyError::Mismatch) }
    }

    /// Completes the signature. Nothing is verified: a wrong key gives an invalid signature.
    ///
    /// # Errors
    /// If the scalar is zero, which no valid signature's is.
    pub fn decrypt(&self, key: &DecryptionKey) -> Result<schnorr::Signature, DecryptError> {
        let s = self.scalar().ok_or(DecryptError::ZeroScalar)?;
        let (nonce_x, parity) = point::coordinates(&self.nonce_point);
        let s = s.plus(&key.scalar().negate_if(parity == Parity::Odd));
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&nonce_x);
        bytes[32..].copy_from_slice(&*s.to_bytes());
        Ok(schnorr::Signature::from_slice(&bytes).expect("64 bytes, the only thing that is checked"))
    }

    /// Recovers the decryption key from the completed signature. Nothing is verified: compare
    /// [`DecryptionKey::public`] with the finality provider's key before believing it.
    ///
    /// # Errors
    /// If a scalar, or the key that comes out, is zero.
    pub fn recover(&self, signature: &schnorr::Signature) -> Result<DecryptionKey, RecoverError> {
        let adaptor = self.scalar().ok_or(RecoverError::ZeroScalar)?;
        let mut completed = [0; 32];
        completed.copy_from_slice(&signature.serialize()[32..]);
        let completed = Scalar::reduced(&completed);
        if completed.is_zero() {
            return Err(RecoverError::ZeroSignature);
        }
        let (_, parity) = point::coordinates(&self.nonce_point);
        let key = completed.minus(&adaptor).negate_if(parity == Parity::Odd);
        DecryptionKey::from_scalar(&key).ok_or(RecoverError::ZeroKey)
    }

    /// The scalar `s`; `None` if zero, which parses but is never valid.
    fn scalar(&self) -> Option<Scalar> {
        Some(Scalar::reduced(&self.s)).filter(|s| !s.is_zero())
    }
}

/// The compressed nonce point of the legacy form, whose last byte tells the parity.
fn legacy_nonce_point(bytes: &[u8]) -> Result<[u8; 33], InvalidAdaptorSignature> {
    let mut point = [0; 33];
    point.copy_from_slice(&bytes[..33]);
    if point[0] != 2 {
        return Err(InvalidAdaptorSignature::LegacyPrefix(point[0]));
    }
    point[0] = match bytes[65] {
        0 => 2,
        1 => 3,
        other => return Err(InvalidAdaptorSignature::LegacySuffix(other)),
    };
    Ok(point)
}

impl fmt::Display for AdaptorSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_bytes().as_hex(), f)
    }
}

impl fmt::Debug for AdaptorSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdaptorSignature({self})")
    }
}

impl FromStr for AdaptorSignature {
    type Err = InvalidAdaptorSignature;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_slice(&Vec::from_hex(text).map_err(InvalidAdaptorSignature::Hex)?)
    }
}

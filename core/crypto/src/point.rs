//! Points of the curve, infinity included, and the one sum every verification needs: `s*G - e*P`.
//!
//! libsecp256k1 exports that sum only inside its own signature checks. Adding it up from two exported multiplications costs
//! nearly two verifications. ECDSA public-key recovery computes it in one: recovering from nonce point `P` (its even Y makes
//! the recovery id 0), `r = x(P)`, `s_ecdsa = -e*r` and message `z = -s*r` gives
//!
//! ```text
//! r^-1 * (s_ecdsa*P - z*G) = r^-1 * (-e*r*P + s*r*G) = s*G - e*P
//! ```

use crate::scalar::Scalar;
use secp256k1::{
    Message, Parity, PublicKey, SECP256K1, XOnlyPublicKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};

/// A point of the curve; `None` is infinity, which `PublicKey` cannot be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point(Option<PublicKey>);

impl Point {
    pub(crate) const INFINITY: Self = Self(None);

    /// `k*G`, in constant time.
    pub(crate) fn generator_times(k: &Scalar) -> Self {
        let Some(mut secret) = k.to_secret_key() else { return Self::INFINITY };
        let point = secret.public_key(SECP256K1);
        secret.non_secure_erase();
        Self(Some(point))
    }

    /// `k*self`, in variable time: for public scalars.
    pub(crate) fn times(self, k: &Scalar) -> Self {
        let (Some(point), Some(k)) = (self.0, k.to_secret_key()) else { return Self::INFINITY };
        Self(point.mul_tweak(SECP256K1, &k.into()).ok())
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        match (self.0, other.0) {
            (None, sum) | (sum, None) => Self(sum),
            // Fails only where the sum is infinity.
            (Some(a), Some(b)) => Self(a.combine(&b).ok()),
        }
    }

    pub(crate) fn negate(self) -> Self {
        Self(self.0.map(|point| point.negate(SECP256K1)))
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.plus(other.negate())
    }

    /// The point as a public key; `None` if infinity.
    pub(crate) fn finite(self) -> Option<PublicKey> {
        self.0
    }
}

impl From<PublicKey> for Point {
    fn from(point: PublicKey) -> Self {
        Self(Some(point))
    }
}

/// The even-Y point of an x-only key.
impl From<&XOnlyPublicKey> for Point {
    fn from(key: &XOnlyPublicKey) -> Self {
        Self(Some(key.public_key(Parity::Even)))
    }
}

/// The x-coordinate and the parity of Y.
pub(crate) fn coordinates(point: &PublicKey) -> ([u8; 32], Parity) {
    let (x, parity) = point.x_only_public_key();
    (x.serialize(), parity)
}

/// `s*G - e*P` for the even-Y point of `key`. Variable time: for public values.
pub(crate) fn verification_point(s: &Scalar, e: &Scalar, key: &XOnlyPublicKey) -> Point {
    recovered_verification_point(s, e, key).unwrap_or_else(|| summed_verification_point(s, e, key))
}

/// The sum as one public-key recovery. `None` where recovery is not defined: `x(P)` is not below `n`, `s` or `e` is zero, or
/// the sum is infinity.
fn recovered_verification_point(s: &Scalar, e: &Scalar, key: &XOnlyPublicKey) -> Option<Point> {
    let r_bytes = key.serialize();
    let r = Scalar::canonical(&r_bytes)?;
    let message = s.times(&r).negate();
    let signature = e.times(&r).negate();
    if message.is_zero() || signature.is_zero() {
        return None;
    }
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&r_bytes);
    compact[32..].copy_from_slice(&*signature.to_bytes());
    let signature = RecoverableSignature::from_compact(&compact, RecoveryId::from_i32(0).ok()?).ok()?;
    SECP256K1.recover_ecdsa(&Message::from_digest(*message.to_bytes()), &signature).ok().map(Point::from)
}

/// The sum as it is written.
fn summed_verification_point(s: &Scalar, e: &Scalar, key: &XOnlyPublicKey) -> Point {
    Point::generator_times(s).minus(Point::from(key).times(e))
}

#[cfg(test)]
mod tests;

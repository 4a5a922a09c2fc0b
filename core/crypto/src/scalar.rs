//! Integers modulo the group order, zero included, computed by libsecp256k1.
//!
//! libsecp256k1 exports its scalar arithmetic as operations on secret keys, which are never zero. This type adds the zero, so
//! that the formulas of `crypto.md` can be written as they stand there. It serves public and secret scalars alike and wipes
//! both.

use secp256k1::SecretKey;
use zeroize::Zeroizing;

/// An integer modulo the group order `n`. No `Debug`, no `Clone`; wiped on drop.
///
/// `None` is zero; `SecretKey` holds 1 to n-1.
pub(crate) struct Scalar(Option<SecretKey>);

/// `n - 2`, the exponent that inverts (Fermat).
const ORDER_MINUS_2: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, //
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x3f,
];

impl Scalar {
    pub(crate) const ZERO: Self = Self(None);

    /// Reads a big-endian integer below `n`; `None` from `n` upwards.
    pub(crate) fn canonical(bytes: &[u8; 32]) -> Option<Self> {
        match SecretKey::from_slice(bytes) {
            Ok(value) => Some(Self(Some(value))),
            Err(_) if *bytes == [0; 32] => Some(Self::ZERO),
            Err(_) => None,
        }
    }

    /// Reads a big-endian integer, reduced modulo `n`.
    pub(crate) fn reduced(bytes: &[u8; 32]) -> Self {
        Self::canonical(bytes).unwrap_or_else(|| Self::from_halves(bytes))
    }

    /// The integer as `high * 2^128 + low`, where neither half can reach `n`.
    fn from_halves(bytes: &[u8; 32]) -> Self {
        let mut high = Zeroizing::new([0; 32]);
        let mut low = Zeroizing::new([0; 32]);
        let mut two_to_128 = [0; 32];
        high[16..].copy_from_slice(&bytes[..16]);
        low[16..].copy_from_slice(&bytes[16..]);
        two_to_128[15] = 1;
        let [high, low, shift] =
            [&*high, &*low, &two_to_128].map(|half| Self(SecretKey::from_slice(half).ok()));
        high.times(&shift).plus(&low)
    }

    /// Returns whether the value is zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.0.is_none()
    }

    /// The value as a libsecp256k1 secret key; `None` if zero. The key is a copy that its user must wipe.
    pub(crate) fn to_secret_key(&self) -> Option<SecretKey> {
        self.0
    }

    /// Returns the 32 big-endian bytes.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.map_or([0; 32], |value| value.secret_bytes()))
    }

    pub(crate) fn negate(&self) -> Self {
        Self(self.0.map(SecretKey::negate))
    }

    /// `n - self` if `condition`, else `self`.
    pub(crate) fn negate_if(self, condition: bool) -> Self {
        if condition { self.negate() } else { self }
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        match (self.0, other.0) {
            (None, sum) | (sum, None) => Self(sum),
            // Fails only where the sum is zero.
            (Some(a), Some(b)) => Self(with_tweak(b, |b| a.add_tweak(b))),
        }
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.plus(&other.negate())
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        match (self.0, other.0) {
            (None, _) | (_, None) => Self::ZERO,
            // Never fails: n is prime, so a product of non-zero values is not zero.
            (Some(a), Some(b)) => Self(with_tweak(b, |b| a.mul_tweak(b))),
        }
    }

    /// Returns the inverse, by raising to `n - 2`; the inverse of zero is zero. Takes some 400 multiplications: for rare,
    /// public values.
    pub(crate) fn invert(&self) -> Self {
        let mut power = Self(self.0);
        // The exponent's highest bit is `self` itself.
        for bit in 1..256 {
            power = power.times(&power);
            if ORDER_MINUS_2[bit / 8] & (0x80 >> (bit % 8)) != 0 {
                power = power.times(self);
            }
        }
        power
    }
}

impl Drop for Scalar {
    fn drop(&mut self) {
        if let Some(value) = &mut self.0 {
            value.non_secure_erase();
        }
    }
}

/// Runs `operation` with a copy of `value` in libsecp256k1's tweak type and wipes the copy.
fn with_tweak<E>(
    value: SecretKey,
    operation: impl FnOnce(&secp256k1::Scalar) -> Result<SecretKey, E>,
) -> Option<SecretKey> {
    let mut tweak = secp256k1::Scalar::from(value);
    let result = operation(&tweak).ok();
    tweak.non_secure_erase();
    result
}

#[cfg(test)]
mod tests;

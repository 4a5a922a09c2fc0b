//! The nonce of each height, derived from the secret key, and public randomness in bulk (`crypto.md` 6.1).
//!
//! ```text
//! v1:  k = HMAC-SHA256(key = secret key as stored, data = BE64(height) ‖ chain id ‖ BE64(i)),  first i with 0 < k < n
//! v0:  k = HMAC-SHA256(key = secret key as stored, data = BE64(height) ‖ chain id) mod n
//! ```
//!
//! The chain id bytes are the ones used when the randomness was committed to. `n - d` in place of `d` gives other nonces.

use crate::{
    eots::{EotsSecretKey, PublicRandomness},
    point::{self, Point},
    scalar::Scalar,
};
use hmac::{Hmac, Mac};
use secp256k1::Parity;
use sha2::Sha256;
use std::{hint::black_box, num::NonZeroU64, num::NonZeroUsize, thread};
use zeroize::Zeroizing;

/// The most values one call derives: twice the furthest a commitment may start ahead of the chain.
pub const MAX_COUNT: usize = 320_000;

/// Fewer values than this are not worth a thread.
const MIN_PER_THREAD: usize = 256;

/// How a nonce is derived from the secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without iteration field, reduced modulo the group order: commitments made before about April 2025.
    V0,
    /// With iteration field and rejection: everything since.
    V1,
}

/// The secret nonce of one height. No `Debug`, no `Clone`; wiped on drop, and consumed by signing.
///
/// ```compile_fail,E0599
/// fn cannot_be_copied(nonce: btc_staking_crypto::nonce::Nonce) {
///     let copy = nonce.clone();
/// }
/// ```
/// ```compile_fail,E0277
/// fn cannot_be_printed(nonce: btc_staking_crypto::nonce::Nonce) {
///     println!("{nonce:?}");
/// }
/// ```
pub struct Nonce {
    secret: Scalar,
    public: PublicRandomness,
    parity: Parity,
}

/// Why a range of heights has no public randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// More values than one call derives.
    #[error("{count} values asked for, at most {MAX_COUNT} are derived at once")]
    TooMany {
        /// How many were asked for.
        count: usize,
    },
    /// The last height does not fit 64 bits.
    #[error("{count} heights from {start} in steps of {interval} end above the largest 64-bit height")]
    HeightOverflow {
        /// First height.
        start: u64,
        /// Step between heights.
        interval: NonZeroU64,
        /// How many heights.
        count: usize,
    },
}

/// Derives the nonce of `height`. Sign with it only what a durable record allows: deriving it again gives the same nonce.
pub fn derive(key: &EotsSecretKey, scheme: Scheme, chain_id: &[u8], height: u64) -> Nonce {
    Deriver::new(key, scheme, chain_id).nonce(height)
}

/// Derives the public randomness of `count` consecutive heights from `start`, in height order, on up to `threads` threads.
///
/// # Errors
/// If there are more than [`MAX_COUNT`] heights, or the last one overflows.
pub fn public_randomness(
    key: &EotsSecretKey,
    scheme: Scheme,
    chain_id: &[u8],
    start: u64,
    count: usize,
    threads: NonZeroUsize,
) -> Result<Vec<PublicRandomness>, RangeError> {
    sparse_public_randomness(key, scheme, chain_id, start, NonZeroU64::MIN, count, threads)
}

/// As [`public_randomness`], for the heights `start`, `start + interval` and so on of a consumer chain that is voted on at
/// intervals.
///
/// # Errors
/// If there are more than [`MAX_COUNT`] heights, or the last one overflows.
pub fn sparse_public_randomness(
    key: &EotsSecretKey,
    scheme: Scheme,
    chain_id: &[u8],
    start: u64,
    interval: NonZeroU64,
    count: usize,
    threads: NonZeroUsize,
) -> Result<Vec<PublicRandomness>, RangeError> {
    let heights = heights(start, interval, count)?;
    let per_thread = count.div_ceil(threads.get()).max(MIN_PER_THREAD);
    let deriver = Deriver::new(key, scheme, chain_id);
    let derive_all = |heights: &[u64]| -> Vec<PublicRandomness> {
        heights.iter().map(|height| deriver.nonce(*height).public()).collect()
    };
    if heights.len() <= per_thread {
        return Ok(derive_all(&heights));
    }
    Ok(thread::scope(|scope| {
        let workers: Vec<_> =
            heights.chunks(per_thread).map(|chunk| scope.spawn(|| derive_all(chunk))).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("deriving a nonce does not panic"))
            .collect()
    }))
}

fn heights(start: u64, interval: NonZeroU64, count: usize) -> Result<Vec<u64>, RangeError> {
    if count > MAX_COUNT {
        return Err(RangeError::TooMany { count });
    }
    let overflow = || RangeError::HeightOverflow { start, interval, count };
    (0u64..)
        .take(count)
        .map(|i| {
            i.checked_mul(interval.get()).and_then(|offset| start.checked_add(offset)).ok_or_else(overflow)
        })
        .collect()
}

impl Nonce {
    /// Takes a secret nonce; `None` if it is zero, which would expose the signing key.
    pub(crate) fn from_secret(secret: Scalar) -> Option<Self> {
        let (x, parity) = point::coordinates(&Point::generator_times(&secret).finite()?);
        Some(Self { secret, public: PublicRandomness::from_bytes(x), parity })
    }

    /// Returns what is published of it: the x-coordinate of the nonce point.
    pub const fn public(&self) -> PublicRandomness {
        self.public
    }

    /// The secret of the even-Y nonce point: `k` or `n - k`.
    pub(crate) fn into_even_secret(self) -> Scalar {
        self.secret.negate_if(self.parity == Parity::Odd)
    }
}

/// One key's nonces on one chain, with the HMAC keyed once.
struct Deriver<'a> {
    hmac: KeyedHmac,
    scheme: Scheme,
    chain_id: &'a [u8],
}

impl<'a> Deriver<'a> {
    fn new(key: &EotsSecretKey, scheme: Scheme, chain_id: &'a [u8]) -> Self {
        Self { hmac: KeyedHmac::new(&key.signing_key().to_secret_bytes()), scheme, chain_id }
    }

    fn nonce(&self, height: u64) -> Nonce {
        let secret = match self.scheme {
            Scheme::V0 => Scalar::reduced(&self.hmac.authenticate(&[&height.to_be_bytes(), self.chain_id])),
            Scheme::V1 => self.first_in_range(height),
        };
        Nonce::from_secret(secret)
            .expect("an HMAC-SHA256 output that is a multiple of n is not known and is 1 in 2^255")
    }

    fn first_in_range(&self, height: u64) -> Scalar {
        (0u64..)
            .map(|i| self.hmac.authenticate(&[&height.to_be_bytes(), self.chain_id, &i.to_be_bytes()]))
            .find_map(|bytes| Scalar::canonical(&bytes).filter(|secret| !secret.is_zero()))
            .expect("each of 2^64 tries is in range but for a chance of 2^-127")
    }
}

/// HMAC-SHA256 after its key, which is as good as the key; wiped on drop.
struct KeyedHmac(Hmac<Sha256>);

impl KeyedHmac {
    fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    fn authenticate(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut hmac = self.0.clone();
        for part in parts {
            hmac.update(part);
        }
        Zeroizing::new(hmac.finalize().into_bytes().into())
    }
}

impl Drop for KeyedHmac {
    fn drop(&mut self) {
        // The crate offers no wiping; a state keyed with zeros takes its place, and is looked at so that the store stays.
        self.0 = Hmac::new_from_slice(&[0; 32]).expect("HMAC takes keys of any length");
        black_box(&self.0);
    }
}

#[cfg(test)]
mod tests;

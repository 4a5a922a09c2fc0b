//! What only the service needs of the signer: keys that are unlocked while it runs, randomness at intervals, and the
//! BIP-340 signatures that the established clients ask for.

use super::{EotsManager, Meters, SigningError, chain_bytes};
use crate::{
    keys::{EotsKey, NO_AUX},
    records::{SignRecords, Subject},
    trees::{TreeError, Trees},
};
use btc_staking_crypto::nonce::{self, Scheme};
use btc_staking_protocol::{
    finality::vote::PublicRandomness, height::PosHeight, keys::FinalityProviderPublicKey,
};
use std::{
    num::{NonZeroU64, NonZeroUsize},
    sync::OnceLock,
    thread,
};

impl EotsManager {
    /// Takes records and the public keys whose secrets are [unlocked](Self::unlock) later.
    pub fn locked(records: SignRecords, keys: impl IntoIterator<Item = FinalityProviderPublicKey>) -> Self {
        let keys = keys.into_iter().map(|key| (key, OnceLock::new())).collect();
        Self { keys, records, trees: Trees::default(), meters: Meters::default() }
    }

    /// Gives a locked key its secret. A key that is unlocked already stays as it is.
    ///
    /// # Errors
    /// [`SigningError::UnknownKey`] for a key that is not among those the manager was made with.
    pub fn unlock(&self, key: EotsKey) -> Result<(), SigningError> {
        let public = key.public_key();
        let cell = self.keys.get(&public).ok_or(SigningError::UnknownKey(public))?;
        // A second secret of the same public key is the same secret.
        self.meters.opened(usize::from(cell.set(key).is_ok()));
        Ok(())
    }

    /// Whether the key can sign.
    pub fn is_unlocked(&self, key: &FinalityProviderPublicKey) -> bool {
        self.key(key).is_ok()
    }

    /// The public keys of all keys, locked ones too, ascending.
    pub fn known_keys(&self) -> Vec<FinalityProviderPublicKey> {
        self.keys.keys().copied().collect()
    }

    /// Derives the public randomness of `count` heights from `start`, `interval` apart.
    ///
    /// # Errors
    /// [`SigningError::UnknownKey`] and [`SigningError::Tree`].
    pub fn sparse_randomness(
        &self,
        subject: &Subject,
        start: PosHeight,
        interval: NonZeroU64,
        count: u32,
    ) -> Result<Vec<PublicRandomness>, SigningError> {
        let key = self.key(&subject.finality_provider)?;
        let steps = u64::from(count.saturating_sub(1));
        let last = start.to_u64().saturating_add(interval.get().saturating_mul(steps));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let chain_id = chain_bytes(&subject.chain_id);
        let secret = key.secret();
        let values = nonce::sparse_public_randomness(
            secret,
            Scheme::V1,
            chain_id,
            start.to_u64(),
            interval,
            count,
            threads,
        );
        let values = values.map_err(TreeError::from)?;
        self.meters.randomness(subject, values.len().try_into().unwrap_or(u64::MAX), last);
        Ok(values)
    }

    /// Signs 32 bytes by BIP-340, for clients that build their commitments and proofs of possession themselves.
    ///
    /// This is no vote and cannot become one: a vote's signature is bound to its committed randomness, this one to a
    /// nonce that BIP-340 derives from key and message. But it is an oracle for everything else the key may sign, so
    /// only the service offers it, and only to callers it knows.
    ///
    /// # Errors
    /// [`SigningError::UnknownKey`].
    pub(crate) fn sign_digest(
        &self,
        key: &FinalityProviderPublicKey,
        digest: &[u8; 32],
    ) -> Result<[u8; 64], SigningError> {
        let signed = self.key(key)?.signing_key().sign_schnorr(digest, &NO_AUX).serialize();
        self.meters.schnorr(key);
        Ok(signed)
    }
}

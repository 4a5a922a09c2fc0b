//! Secret keys.

use secp256k1::{SecretKey, XOnlyPublicKey};

/// A secret signing key. No `Debug`, no `Clone`; wiped on drop.
pub struct SigningKey {
    #[allow(dead_code)]
    secret: SecretKey,
    public: XOnlyPublicKey,
}

impl SigningKey {
    /// The x-only public key.
    pub fn public_key(&self) -> &XOnlyPublicKey {
        &self.public
    }
}

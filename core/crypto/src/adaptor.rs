//! Schnorr adaptor signatures (`crypto.md` 3): a covenant member signs a slashing transaction in advance, and only the
//! finality provider's secret key completes the signature.
//!
//! | Operation | Who | Gives |
//! |---|---|---|
//! | [`SigningKey::sign_adaptor`](crate::key::SigningKey::sign_adaptor) | covenant member | adaptor signature to an [`EncryptionKey`] |
//! | [`AdaptorSignature::verify`] | anyone | whether the right [`DecryptionKey`] will complete it |
//! | [`AdaptorSignature::decrypt`] | who knows the decryption key | BIP-340 signature |
//! | [`AdaptorSignature::recover`] | who sees that signature | decryption key |

mod key;
mod signature;

pub use key::{DecryptionKey, EncryptionKey, InvalidDecryptionKey, InvalidEncryptionKey};
pub(crate) use signature::sign;
pub use signature::{
    AdaptorSignature, DecryptError, InvalidAdaptorSignature, RecoverError, SignError, VerifyError,
};

#[cfg(test)]
mod tests;

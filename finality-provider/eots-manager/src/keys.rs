//! EOTS keys: made from a mnemonic or imported as 32 raw bytes, kept exactly as they are.
//!
//! A mnemonic gives the BIP-32 master key itself: the derivation path is empty (`crypto.md` 6.1). Parity is never
//! normalised, because every nonce of the key is derived from the stored bytes.

use bip39::Mnemonic;
use bitcoin::{
    NetworkKind,
    bip32::{ChildNumber, Xpriv},
    secp256k1::Secp256k1,
};
use btc_staking_crypto::{
    eots::EotsSecretKey,
    key::{InvalidSecretKey, SigningKey},
};
use btc_staking_protocol::{
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Words of a new mnemonic.
pub const MNEMONIC_WORDS: usize = 24;
/// Bytes of entropy behind them.
pub const MNEMONIC_ENTROPY_BYTES: usize = 32;

/// Auxiliary randomness of BIP-340 signatures: none, so that the same request always gives the same bytes.
pub(crate) const NO_AUX: [u8; 32] = [0; 32];

/// A finality provider's secret key. No `Debug`, no `Clone`; wiped on drop.
pub struct EotsKey {
    secret: EotsSecretKey,
    public: FinalityProviderPublicKey,
}

/// How a key comes from the seed of a phrase. The two give different keys, so it is never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// The BIP-32 master key, as the Go manager makes them.
    Master,
    /// `44'/118'/0'/0/0`, as Cosmos wallets make them.
    Cosmos,
}

/// Why something is no EOTS key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// Not a BIP-39 phrase of the English list.
    #[error("the mnemonic is not a valid English BIP-39 phrase")]
    Mnemonic(#[source] bip39::Error),
    /// The seed gives no master key; the chance is 2^-127.
    #[error("the mnemonic gives no valid master key")]
    Derivation(#[source] bitcoin::bip32::Error),
    /// The bytes are no secret key.
    #[error("the bytes are no secret key")]
    Secret(#[from] InvalidSecretKey),
    /// The text is not 64 hexadecimal digits.
    #[error("the secret key must be given as 64 hexadecimal digits")]
    NotHex,
    /// The secret belongs to another public key than the one it was stored or asked for under.
    #[error("the secret key belongs to {found}, not to {expected}")]
    OtherKey {
        /// The public key that was expected.
        expected: Box<FinalityProviderPublicKey>,
        /// The public key of the secret.
        found: Box<FinalityProviderPublicKey>,
    },
}

/// Makes a 24-word English phrase from entropy.
pub fn mnemonic_from_entropy(entropy: &[u8; MNEMONIC_ENTROPY_BYTES]) -> Zeroizing<String> {
    let mnemonic = Mnemonic::from_entropy(entropy).expect("32 bytes are a valid amount of entropy");
    Zeroizing::new(mnemonic.to_string())
}

impl Derivation {
    fn path(self) -> &'static [ChildNumber] {
        const COSMOS: [ChildNumber; 5] = [
            ChildNumber::Hardened { index: 44 },
            ChildNumber::Hardened { index: 118 },
            ChildNumber::Hardened { index: 0 },
            ChildNumber::Normal { index: 0 },
            ChildNumber::Normal { index: 0 },
        ];
        match self {
            Self::Master => &[],
            Self::Cosmos => &COSMOS,
        }
    }
}

fn wipe(extended: &mut Xpriv) {
    extended.private_key.non_secure_erase();
    AsMut::<[u8; 32]>::as_mut(&mut extended.chain_code).zeroize();
}

impl EotsKey {
    /// Derives the key of a BIP-39 phrase: empty passphrase, empty path.
    ///
    /// # Errors
    /// [`KeyError::Mnemonic`] when the phrase is not valid English BIP-39.
    pub fn from_mnemonic(phrase: &str) -> Result<Self, KeyError> {
        Self::from_mnemonic_at(phrase, Derivation::Master)
    }

    /// Derives the key of a BIP-39 phrase at a path: empty passphrase.
    ///
    /// # Errors
    /// [`KeyError::Mnemonic`] when the phrase is not valid English BIP-39.
    pub fn from_mnemonic_at(phrase: &str, derivation: Derivation) -> Result<Self, KeyError> {
        let mnemonic = Mnemonic::parse_normalized(phrase).map_err(KeyError::Mnemonic)?;
        let seed = Zeroizing::new(mnemonic.to_seed_normalized(""));
        // The network only marks the serialised form of an extended key; the scalar does not depend on it.
        let mut extended =
            Xpriv::new_master(NetworkKind::Main, seed.as_slice()).map_err(KeyError::Derivation)?;
        for child in derivation.path() {
            let next = extended.derive_priv(&Secp256k1::signing_only(), &[*child]);
            wipe(&mut extended);
            extended = next.map_err(KeyError::Derivation)?;
        }
        let secret = Zeroizing::new(extended.private_key.secret_bytes());
        wipe(&mut extended);
        Self::from_secret_bytes(&secret)
    }

    /// Takes 32 raw bytes, unchanged.
    ///
    /// # Errors
    /// [`KeyError::Secret`] for zero and for values not below the group order.
    pub fn from_secret_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = EotsSecretKey::from_bytes(bytes)?;
        let public = FinalityProviderPublicKey::new(*secret.public_key());
        Ok(Self { secret, public })
    }

    /// Takes 64 hexadecimal digits, unchanged.
    ///
    /// # Errors
    /// [`KeyError`] when they are not 64 digits or no secret key.
    pub fn from_secret_hex(text: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).map_err(|_| KeyError::NotHex)?;
        Self::from_secret_bytes(&bytes)
    }

    /// Refuses a secret that does not belong to a public key. A file's name or label is never believed.
    ///
    /// # Errors
    /// [`KeyError::OtherKey`] with both keys.
    pub fn require(self, expected: &FinalityProviderPublicKey) -> Result<Self, KeyError> {
        if self.public == *expected {
            return Ok(self);
        }
        Err(KeyError::OtherKey { expected: Box::new(*expected), found: Box::new(self.public) })
    }

    /// The key by which the provider is known.
    pub fn public_key(&self) -> FinalityProviderPublicKey {
        self.public
    }

    /// Proves that the key agrees to an account: BIP-340 over the hash of the raw account bytes (`crypto.md` 4.2).
    pub fn sign_possession(&self, account: &AccountAddress) -> ProofOfPossession {
        ProofOfPossession::sign_bip340(self.signing_key(), account, &NO_AUX)
    }

    /// The 32 bytes as stored, for sealing into a key file only.
    pub(crate) fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.signing_key().to_secret_bytes()
    }

    pub(crate) fn secret(&self) -> &EotsSecretKey {
        &self.secret
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        self.secret.signing_key()
    }
}

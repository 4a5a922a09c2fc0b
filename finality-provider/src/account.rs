//! The account that pays on the chain: a mnemonic's key at `m/44'/118'/0'/0/0`, as wallets of Cosmos chains derive it.

use bip39::Mnemonic;
use bitcoin::{
    NetworkKind,
    bip32::{ChildNumber, Xpriv},
    secp256k1::SECP256K1,
};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Purpose, coin type of Cosmos, account; all hardened. Then change and index, both 0.
const HARDENED: [u32; 3] = [44, 118, 0];

/// Why a phrase gives no account.
#[derive(Debug, Error)]
pub enum AccountError {
    /// Not BIP-39.
    #[error("the mnemonic is not a valid English BIP-39 phrase")]
    Mnemonic(#[source] bip39::Error),
    /// No key at this path; the chance is 2^-127.
    #[error("the mnemonic gives no key at m/44'/118'/0'/0/0")]
    Derivation(#[from] bitcoin::bip32::Error),
}

/// Derives the account's secret, 32 bytes big-endian, from a BIP-39 phrase with empty passphrase.
///
/// # Errors
/// [`AccountError`].
pub fn secret_of_mnemonic(phrase: &str) -> Result<Zeroizing<[u8; 32]>, AccountError> {
    let mnemonic = Mnemonic::parse_normalized(phrase).map_err(AccountError::Mnemonic)?;
    let seed = Zeroizing::new(mnemonic.to_seed_normalized(""));
    let mut key = Xpriv::new_master(NetworkKind::Main, seed.as_slice())?;
    let hardened = HARDENED.map(|index| ChildNumber::Hardened { index });
    let normal = [ChildNumber::Normal { index: 0 }; 2];
    for step in hardened.iter().chain(&normal) {
        let child = key.derive_priv(SECP256K1, step)?;
        wipe(std::mem::replace(&mut key, child));
    }
    let secret = Zeroizing::new(key.private_key.secret_bytes());
    wipe(key);
    Ok(secret)
}

/// Overwrites an extended key as far as its type allows.
fn wipe(mut key: Xpriv) {
    key.private_key.non_secure_erase();
    AsMut::<[u8; 32]>::as_mut(&mut key.chain_code).zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{
        hashes::{Hash, hash160},
        secp256k1::{PublicKey, SecretKey},
    };
    use btc_staking_protocol::keys::AccountAddress;

    #[test]
    fn the_account_is_the_one_cosmos_wallets_show() {
        // Shown by every Cosmos wallet for this phrase: cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4.
        let phrase =
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
        let secret = SecretKey::from_slice(secret_of_mnemonic(phrase).unwrap().as_slice()).unwrap();
        let hash = hash160::Hash::hash(&PublicKey::from_secret_key(SECP256K1, &secret).serialize());
        let address = AccountAddress::from_bytes("cosmos", hash.as_byte_array()).unwrap();
        assert_eq!(address.bech32(), "cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4");
    }

    #[test]
    fn a_phrase_with_a_wrong_checksum_is_refused() {
        let phrase =
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon";
        assert!(matches!(secret_of_mnemonic(phrase), Err(AccountError::Mnemonic(_))));
    }
}

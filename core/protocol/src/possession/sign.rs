//! Making proofs of possession, for networks without signing contexts (all of v4).

use super::{ProofOfPossession, bip322, legacy_digest, raw_digest, text};
use crate::{keys::AccountAddress, signing_context::SigningContext};
use bitcoin::{
    Address, CompressedPublicKey, Network, Witness,
    consensus::encode::serialize,
    key::TapTweak,
    secp256k1::SECP256K1,
    sighash::{EcdsaSighashType, TapSighashType},
};
use btc_staking_crypto::key::SigningKey;

/// Added to the header of a legacy signature for a compressed key.
const COMPRESSED: u8 = 4;

impl ProofOfPossession {
    /// Signs the raw account bytes by BIP-340, with auxiliary randomness `aux`.
    pub fn sign_bip340(key: &SigningKey, account: &AccountAddress, aux: &[u8; 32]) -> Self {
        Self::Bip340(key.sign_schnorr(&raw_digest(&SigningContext::EMPTY, account), aux))
    }

    /// Signs the account's text by BIP-322 as the owner of the key's P2WPKH address.
    pub fn sign_bip322_p2wpkh(key: &SigningKey, account: &AccountAddress, network: Network) -> Self {
        let public_key = CompressedPublicKey(key.compressed_public_key());
        let digest = bip322::segwit_digest(&public_key.0, text(&SigningContext::EMPTY, account).as_bytes());
        let signature = bitcoin::ecdsa::Signature {
            signature: key.sign_ecdsa(&digest),
            sighash_type: EcdsaSighashType::All,
        };
        Self::Bip322 {
            address: Address::p2wpkh(&public_key, network).to_string(),
            witness: serialize(&Witness::p2wpkh(&signature, &public_key.0)),
        }
    }

    /// Signs the account's text by BIP-322 as the owner of the key's BIP-86 taproot address, with auxiliary randomness
    /// `aux`.
    pub fn sign_bip322_p2tr(
        key: &SigningKey,
        account: &AccountAddress,
        network: Network,
        aux: &[u8; 32],
    ) -> Self {
        let (output_key, _parity) = key.public_key().tap_tweak(SECP256K1, None);
        let message = text(&SigningContext::EMPTY, account);
        let digest = bip322::taproot_digest(
            &output_key.to_x_only_public_key(),
            message.as_bytes(),
            TapSighashType::Default,
        );
        let signature = key.sign_schnorr_taproot_tweaked(&digest, aux, None);
        Self::Bip322 {
            address: Address::p2tr_tweaked(output_key, network).to_string(),
            witness: serialize(&Witness::from_slice(&[signature.serialize()])),
        }
    }

    /// Signs the account's text as a legacy "Bitcoin Signed Message" of a compressed key.
    pub fn sign_ecdsa(key: &SigningKey, account: &AccountAddress) -> Self {
        let digest = legacy_digest(&text(&SigningContext::EMPTY, account));
        let (recovery_id, compact) = key.sign_ecdsa_recoverable(&digest);
        let id = u8::try_from(recovery_id.to_i32()).expect("a recovery id is 0 to 3");
        let mut signature = [0; 65];
        signature[0] = 27 + COMPRESSED + id;
        signature[1..].copy_from_slice(&compact);
        Self::Ecdsa(signature)
    }
}

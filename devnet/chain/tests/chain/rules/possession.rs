//! Section 5.4: proofs of possession, shown at the registration of a finality provider.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{World, account, address, provider::Provider};
use bitcoin::{
    Address, Network, PubkeyHash, ScriptHash, Witness, consensus::serialize, hashes::Hash,
    secp256k1::SecretKey,
};
use btc_staking_babylon::{
    convert::possession::encode_possession,
    proto::btcstaking::{MsgCreateFinalityProvider, ProofOfPossessionBTC},
};
use btc_staking_protocol::possession::ProofOfPossession;

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    let pop = Some(form(case).or_else(|| proof(case, f).map(|proof| encode_possession(&proof)))?);
    let message = MsgCreateFinalityProvider { pop, ..Provider::new("other", 2, 10).registration() };
    Some(refuse(w, "other", &message).await)
}

/// Proofs that are none.
fn form(case: &str) -> Option<ProofOfPossessionBTC> {
    let (btc_sig_type, btc_sig) = match case {
        "pop_type" => (3, vec![1; 64]),
        "pop_short" => (0, vec![1; 63]),
        "pop_ecdsa_short" => (2, vec![1; 64]),
        "pop_bip322_garbage" => (1, vec![0xff; 10]),
        _ => return None,
    };
    Some(ProofOfPossessionBTC { btc_sig_type, btc_sig })
}

/// Proofs of something else.
fn proof(case: &str, f: &Fixture) -> Option<ProofOfPossession> {
    let other = account("other");
    let me = other.account();
    let mine = Provider::new("other", 2, 10);
    let (mine, foreign) = (mine.key.signing_key(), f.one.key.signing_key());
    let p2wpkh = || ProofOfPossession::sign_bip322_p2wpkh(mine, me, Network::Regtest);
    let ProofOfPossession::Bip322 { address: segwit, witness } = p2wpkh() else { panic!("not BIP-322") };
    let at = |address: Address| ProofOfPossession::Bip322 {
        address: address.to_string(),
        witness: witness.clone(),
    };
    Some(match case {
        "pop_other_account" => ProofOfPossession::sign_bip340(mine, account("staker").account(), &[0; 32]),
        "pop_ecdsa_foreign" => ProofOfPossession::sign_ecdsa(foreign, me),
        "pop_ecdsa_other_account" => ProofOfPossession::sign_ecdsa(mine, account("staker").account()),
        "pop_ecdsa_high_s" => {
            let ProofOfPossession::Ecdsa(mut signature) = ProofOfPossession::sign_ecdsa(mine, me) else {
                panic!("not ECDSA")
            };
            // The same signature with -s: the nonce's point is then the other of its x.
            let s = SecretKey::from_slice(&signature[33..]).unwrap().negate();
            signature[0] = ((signature[0] - 27) ^ 1) + 27;
            signature[33..].copy_from_slice(&s.secret_bytes());
            ProofOfPossession::Ecdsa(signature)
        }
        "pop_bip322_foreign" => ProofOfPossession::sign_bip322_p2wpkh(foreign, me, Network::Regtest),
        "pop_bip322_foreign_taproot" => {
            ProofOfPossession::sign_bip322_p2tr(foreign, me, Network::Regtest, &[0; 32])
        }
        "pop_bip322_p2pkh" => at(Address::p2pkh(PubkeyHash::from_byte_array([1; 20]), Network::Regtest)),
        "pop_bip322_p2sh" => {
            at(Address::p2sh_from_hash(ScriptHash::from_byte_array([1; 20]), Network::Regtest))
        }
        "pop_bip322_no_address" => ProofOfPossession::Bip322 { address: address("other"), witness },
        "pop_bip322_sighash" => {
            let witness: Witness = bitcoin::consensus::deserialize(&witness).unwrap();
            let mut elements = witness.to_vec();
            *elements[0].last_mut().unwrap() = 2; // NONE
            let witness = serialize(&Witness::from_slice(&elements));
            ProofOfPossession::Bip322 { address: segwit, witness }
        }
        "pop_bip322_one_element" => {
            let witness: Witness = bitcoin::consensus::deserialize(&witness).unwrap();
            let witness = serialize(&Witness::from_slice(&witness.to_vec()[..1]));
            ProofOfPossession::Bip322 { address: segwit, witness }
        }
        _ => return None,
    })
}

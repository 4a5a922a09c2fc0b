//! Signatures and proofs that others make.

use super::split;
use crate::example;
use btc_staking_babylon::convert::{
    possession::{decode_possession, encode_possession},
    proof::{decode_randomness_proof, encode_randomness_proof},
};
use btc_staking_crypto::{adaptor::AdaptorSignature, eots};
use btc_staking_protocol::{
    finality::vote::{EotsSignature, PublicRandomness},
    possession::ProofOfPossession,
};
use prost::Message;

/// Valid examples.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "possession" => {
            let key = example::signing_key();
            let account = example::account();
            let network = bitcoin::Network::Bitcoin;
            [
                ProofOfPossession::sign_bip340(&key, &account, &example::AUX),
                ProofOfPossession::sign_bip322_p2wpkh(&key, &account, network),
                ProofOfPossession::sign_bip322_p2tr(&key, &account, network, &example::AUX),
                ProofOfPossession::sign_ecdsa(&key, &account),
            ]
            .iter()
            .map(|proof| encode_possession(proof).encode_to_vec())
            .collect()
        }
        "adaptor_signature" => {
            let signatures = example::signed_by(&[0, 1]);
            let current =
                signatures.slashing.iter().flat_map(|(_, list)| list).map(|s| s.to_bytes().to_vec());
            let mut seeds: Vec<Vec<u8>> = current.collect();
            let legacy = seeds.iter().map(|bytes| {
                let mut legacy = vec![2];
                legacy.extend_from_slice(&bytes[1..]);
                legacy.push(bytes[0] - 2);
                legacy
            });
            seeds.extend(legacy.collect::<Vec<_>>());
            seeds
        }
        "randomness_proof" => encode_randomness_proof(&example::vote([1; 32]).proof)
            .map(|proof| proof.encode_to_vec())
            .into_iter()
            .collect(),
        "two_votes" => {
            let evidence = example::evidence();
            let mut seed = evidence.public_randomness.to_bytes().to_vec();
            seed.extend(evidence.canonical_signature.to_bytes());
            seed.extend(evidence.fork_signature.to_bytes());
            vec![seed]
        }
        _ => Vec::new(),
    }
}

/// A proof of possession: encodes as it decoded, and proves nothing for another account.
pub fn possession(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(proof) = decode_possession(&wire) else { return false };
    assert_eq!(decode_possession(&encode_possession(&proof)).as_ref(), Ok(&proof));
    let _ = proof.check_form();
    let key = example::staker().public_key();
    let _ = proof.verify(key.x_only(), &example::account());
    let other = btc_staking_protocol::keys::AccountAddress::from_bytes("bbn", &[9; 20]);
    assert!(other.is_ok_and(|other| proof.verify(key.x_only(), &other).is_err()));
    true
}

/// An adaptor signature: one canonical form, and no mutation that still verifies.
pub fn adaptor_signature(data: &[u8]) -> bool {
    let Ok(signature) = AdaptorSignature::from_slice(data) else { return false };
    assert_eq!(AdaptorSignature::from_slice(&signature.to_bytes()).ok(), Some(signature));
    let checked = example::checked();
    let genuine = example::signed_by(&[0]);
    let mut set = match checked.sign_covenant(&example::member(0), &example::AUX) {
        Ok(set) => set,
        Err(error) => panic!("{error}"),
    };
    set.slashing = vec![signature];
    let is_genuine = genuine.slashing.iter().any(|(_, list)| list.contains(&signature));
    assert_eq!(checked.verify_covenant(&set).is_ok(), is_genuine);
    true
}

/// A proof of randomness: encodes as it decoded; the example's root takes the example's alone.
pub fn randomness_proof(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(proof) = decode_randomness_proof(&wire) else { return false };
    let again = encode_randomness_proof(&proof).and_then(|wire| decode_randomness_proof(&wire));
    assert_eq!(again.as_ref(), Ok(&proof));
    let vote = example::vote([1; 32]);
    let holds = proof.verify(&example::commitment().root, &vote.public_randomness).is_ok();
    let same = (&proof.index, &proof.aunts) == (&vote.proof.index, &vote.proof.aunts);
    assert!(!holds || same, "another proof leads to the same root");
    true
}

/// Two votes that may give a key away: only the provider's own key comes out.
pub fn two_votes(data: &[u8]) -> bool {
    let Some((randomness, rest)) = data.split_first_chunk::<32>() else { return false };
    let Some((first, rest)) = rest.split_first_chunk::<32>() else { return false };
    let Some((second, messages)) = rest.split_first_chunk::<32>() else { return false };
    let (one, two) = split(messages).unwrap_or((&[0xab; 40], &[0xcd; 40]));
    let key = example::provider_key();
    let randomness = PublicRandomness::from_bytes(*randomness);
    let signatures = (EotsSignature::from_bytes(*first), EotsSignature::from_bytes(*second));
    let _ = eots::verify(key.x_only(), &randomness, one, &signatures.0);
    if let Ok(secret) = eots::extract(key.x_only(), &randomness, one, &signatures.0, two, &signatures.1) {
        assert_eq!(secret.public_key(), key.x_only());
    }
    let mut evidence = example::evidence();
    evidence.public_randomness = randomness;
    (evidence.canonical_signature, evidence.fork_signature) = signatures;
    assert_eq!(evidence.verify().is_ok(), evidence.extract_secret().is_ok());
    true
}

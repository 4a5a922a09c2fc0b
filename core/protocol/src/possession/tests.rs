use super::bip322::{tagged_message_hash, to_sign, to_spend};
use super::*;
use crate::signing_context::SigningPurpose;
use bitcoin::{CompressedPublicKey, Network, ScriptBuf, Witness};
use btc_staking_crypto::key::SigningKey;
use proptest::prelude::*;

pub(in crate::possession) const AUX: [u8; 32] = [0; 32];
pub(in crate::possession) const ACCOUNT: &str = "bbn1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5gua0e9";
const NETWORKS: [Network; 4] = [Network::Bitcoin, Network::Testnet, Network::Signet, Network::Regtest];

pub(in crate::possession) fn key(label: &str) -> SigningKey {
    SigningKey::from_bytes(&sha256::Hash::hash(label.as_bytes()).to_byte_array()).unwrap()
}
pub(in crate::possession) fn staker() -> SigningKey {
    key("staker-0")
}
pub(in crate::possession) fn account() -> AccountAddress {
    ACCOUNT.parse().unwrap()
}
fn other_account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[9; 20]).unwrap()
}
pub(in crate::possession) fn every_form(
    key: &SigningKey,
    account: &AccountAddress,
) -> Vec<ProofOfPossession> {
    let mut proofs =
        vec![ProofOfPossession::sign_bip340(key, account, &AUX), ProofOfPossession::sign_ecdsa(key, account)];
    for network in NETWORKS {
        proofs.push(ProofOfPossession::sign_bip322_p2wpkh(key, account, network));
        proofs.push(ProofOfPossession::sign_bip322_p2tr(key, account, network, &AUX));
    }
    proofs
}
fn hex65(text: &str) -> [u8; 65] {
    hex::decode(text).unwrap().try_into().unwrap()
}
fn with_context() -> SigningContext {
    SigningContext::new(
        SigningPurpose::StakerPossession,
        "bbn-test-5",
        "bbn13837feaxn8t0zvwcjwhw7lhpgdcx4s36eqteah",
    )
}
fn digest_of(text: &str) -> String {
    hex::encode(legacy_digest(text))
}

// Golden vectors of crypto.md 4.7.

#[test]
fn bip340_vectors_are_reproduced() {
    let digest = raw_digest(&SigningContext::EMPTY, &account());
    assert_eq!(hex::encode(digest), "e12f08743344c0eab7afaa22bb71e2725f7e13dece6ac2d23711054ee787b6c2");
    let contextual = raw_digest(&with_context(), &account());
    assert_eq!(hex::encode(contextual), "d018fcd10e69385f1cc7975fd5df3ee0a618e7c41c3ea6d2504b33d5c85dbc1d");
    let ours = "9d3121add60c47c8608de89b7b02b4fdd7c35ccab981becbfdd31f7292809c2742bd09b1048c7f1788c5f9e0712c04b57890bc933729101cc733605f52b8a340";
    let btcd = "4831633f23cdd0b392e97c409ada5986498f78819032f88eaf37f38b3b5a84a2a3986f874634d7e505deab1b48a2b56cbf33a0790794471ecbf1a588dfd19eeb";
    let parsed = |text: &str| ProofOfPossession::Bip340(text.parse().unwrap());
    assert_eq!(ProofOfPossession::sign_bip340(&staker(), &account(), &AUX), parsed(ours));
    assert_eq!(parsed(ours).verify(staker().public_key(), &account()), Ok(()));
    assert_eq!(parsed(btcd).verify(staker().public_key(), &account()), Ok(()));
}

#[test]
fn ecdsa_vectors_are_reproduced() {
    assert_eq!(digest_of(ACCOUNT), "bdbc1c19b83c01aa5cb711df362da8463c72c52b8fe50cd5d6cea87f29c66526");
    let signature = hex65(
        "2090241034b91c124492cbdf9c4501f6e76d5d086daac87b6fb95697cf7699b14911db7f8d44fecf8d6a9f9e7782167aea0f9f6dcdf8c58a7a6f7b69526eb60bf1",
    );
    assert_eq!(ProofOfPossession::sign_ecdsa(&staker(), &account()), ProofOfPossession::Ecdsa(signature));
}

#[test]
fn bip322_vectors_are_reproduced() {
    assert_eq!(
        hex::encode(tagged_message_hash(ACCOUNT.as_bytes())),
        "9269cc627e549b1860cff8bef9422cf6ffd47bdad0e883a88853f21d4e4f0773"
    );
    let public_key = CompressedPublicKey(staker().compressed_public_key());
    let spend = to_spend(ACCOUNT.as_bytes(), ScriptBuf::new_p2wpkh(&public_key.wpubkey_hash()));
    assert_eq!(
        spend.compute_txid().to_string(),
        "2ad1213d60541bda7a251396c536dcf8116165d55764bbce3ce594808eff572f"
    );
    assert_eq!(
        to_sign(&spend, Witness::new()).compute_txid().to_string(),
        "b3319c975f5a99dd12ca0e1486233ad629633338b948fc494740bd39e4e996de"
    );
    let p2wpkh = "0247304402200bced4ab59b60b70a1713371f0b1bb7e4f0c036ef75e64a07ffd5775de638d550220577cb1659dc838308c36cdf660048236e579a0819eb52745fd5191867039dd03012103fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555e";
    let p2tr = "0140367df3d26c2b8d8d93ade7ec0b81e2c07f57aa8ead46877f7e7011df2c8e900d7906287b7c3f2ae70770b4298d9b978a7c89c0c8865a8071600098dc982ebb93";
    let proof = |address: &str, witness: &str| ProofOfPossession::Bip322 {
        address: address.to_owned(),
        witness: hex::decode(witness).unwrap(),
    };
    assert_eq!(
        ProofOfPossession::sign_bip322_p2wpkh(&staker(), &account(), Network::Bitcoin),
        proof("bc1q679hf4t5e67nq5pg6g86jcy5u6j2hj2fe39w07", p2wpkh)
    );
    assert_eq!(
        ProofOfPossession::sign_bip322_p2tr(&staker(), &account(), Network::Bitcoin, &AUX),
        proof("bc1p95uczc64wetp7qezw0mlrhgdwukte2uurpumpvecxzxkrvzthetqcluwpu", p2tr)
    );
}

#[test]
fn a_bip322_message_hash_of_the_bip_itself_is_reproduced() {
    // BIP-322, test vectors: message "Hello World" and the empty one.
    for (message, hash) in [
        ("", "c90c269c4f8fcbe6880f72a721ddfbf1914268a794cbb21cfafee13770ae19f1"),
        ("Hello World", "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a"),
    ] {
        assert_eq!(hex::encode(tagged_message_hash(message.as_bytes())), hash);
    }
}

// Laws that hold for every form.

#[test]
fn every_form_holds_for_its_key_and_account_and_for_no_other() {
    for label in ["staker-0", "finality-provider-2", "covenant", "even", "x", "y"] {
        let (signer, stranger) = (key(label), key("stranger"));
        for proof in every_form(&signer, &account()) {
            assert_eq!(proof.check_form(), Ok(()));
            assert_eq!(proof.verify(signer.public_key(), &account()), Ok(()), "{proof:?}");
            assert!(proof.verify(stranger.public_key(), &account()).is_err(), "{proof:?}");
            assert!(proof.verify(signer.public_key(), &other_account()).is_err(), "{proof:?}");
            assert!(proof.verify_in(&with_context(), signer.public_key(), &account()).is_err(), "{proof:?}");
        }
    }
}

#[test]
fn contracts_with_32_byte_accounts_prove_possession_too() {
    let contract = AccountAddress::from_bytes("bbn", &[7; 32]).unwrap();
    for proof in every_form(&staker(), &contract) {
        assert_eq!(proof.verify(staker().public_key(), &contract), Ok(()));
    }
}

#[test]
fn bip340_over_the_text_and_ecdsa_over_the_bytes_are_refused() {
    // The off-chain export of finality providers hashes the text (crypto.md 4.6); the chain does not accept it.
    let text_hash = sha256::Hash::hash(ACCOUNT.as_bytes()).to_byte_array();
    let proof = ProofOfPossession::Bip340(staker().sign_schnorr(&text_hash, &AUX));
    assert!(matches!(proof.verify(staker().public_key(), &account()), Err(PossessionError::Bip340 { .. })));
    let raw = sha256::Hash::hash(account().bytes()).to_byte_array();
    let proof = ecdsa_over(&staker(), &raw);
    assert!(matches!(proof.verify(staker().public_key(), &account()), Err(PossessionError::EcdsaKey { .. })));
}

#[test]
fn a_context_precedes_what_is_signed() {
    let context = with_context();
    let proof = ProofOfPossession::Bip340(staker().sign_schnorr(&raw_digest(&context, &account()), &AUX));
    assert_eq!(proof.verify_in(&context, staker().public_key(), &account()), Ok(()));
    let text = format!("d89ed83fa7bfaefcad17838ffc92977fd1f9113fe07c59f3b71e2ac20e541e97{ACCOUNT}");
    let proof = ecdsa_over(&staker(), &legacy_digest(&text));
    assert_eq!(proof.verify_in(&context, staker().public_key(), &account()), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_flipped_bit_is_refused(form in 0usize..4, bit in 0usize..100_000) {
        let proof = match every_form(&staker(), &account()).swap_remove(form) {
            ProofOfPossession::Bip340(signature) => {
                let mut bytes = signature.serialize();
                bytes[bit / 8 % 64] ^= 1 << (bit % 8);
                ProofOfPossession::Bip340(schnorr::Signature::from_slice(&bytes).unwrap())
            }
            ProofOfPossession::Ecdsa(mut bytes) => {
                bytes[bit / 8 % 65] ^= 1 << (bit % 8);
                ProofOfPossession::Ecdsa(bytes)
            }
            ProofOfPossession::Bip322 { address, mut witness } => {
                let length = witness.len();
                witness[bit / 8 % length] ^= 1 << (bit % 8);
                ProofOfPossession::Bip322 { address, witness }
            }
        };
        prop_assert!(proof.verify(staker().public_key(), &account()).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(address in ".{0,90}", witness in proptest::collection::vec(any::<u8>(), 0..200)) {
        let proof = ProofOfPossession::Bip322 { address, witness: witness.clone() };
        prop_assert!(proof.verify(staker().public_key(), &account()).is_err());
        for proof in every_form(&staker(), &account()) {
            if let ProofOfPossession::Bip322 { address, .. } = proof {
                let proof = ProofOfPossession::Bip322 { address, witness: witness.clone() };
                prop_assert!(proof.verify(staker().public_key(), &account()).is_err());
            }
        }
    }
}

// BIP-340.

#[test]
fn an_r_beyond_the_field_is_malformed() {
    let mut bytes = [0xff; 64];
    for (tail, is_field_element) in [("2e", true), ("2f", false), ("30", false), ("ff", false)] {
        bytes[..32]
            .copy_from_slice(&hex::decode(format!("{}fffffffefffffc{tail}", "ff".repeat(24))).unwrap());
        let proof = ProofOfPossession::Bip340(schnorr::Signature::from_slice(&bytes).unwrap());
        assert_eq!(proof.check_form().is_ok(), is_field_element, "{tail}");
        assert!(proof.verify(staker().public_key(), &account()).is_err());
    }
}

// ECDSA.

fn ecdsa_over(key: &SigningKey, digest: &[u8; 32]) -> ProofOfPossession {
    let (id, compact) = key.sign_ecdsa_recoverable(digest);
    let mut bytes = [0; 65];
    bytes[0] = 31 + u8::try_from(id.to_i32()).unwrap();
    bytes[1..].copy_from_slice(&compact);
    ProofOfPossession::Ecdsa(bytes)
}
fn ecdsa_bytes() -> [u8; 65] {
    let ProofOfPossession::Ecdsa(bytes) = ProofOfPossession::sign_ecdsa(&staker(), &account()) else {
        unreachable!()
    };
    bytes
}
fn verify_ecdsa_bytes(bytes: [u8; 65]) -> Result<(), PossessionError> {
    ProofOfPossession::Ecdsa(bytes).verify(staker().public_key(), &account())
}

#[test]
fn ecdsa_headers_are_27_to_34_and_the_compressed_flag_does_not_matter() {
    let mut bytes = ecdsa_bytes();
    let right = bytes[0];
    for header in 0..=255u8 {
        bytes[0] = header;
        let result = verify_ecdsa_bytes(bytes);
        match header {
            27..=34 if header == right || header == right - 4 => assert_eq!(result, Ok(()), "{header}"),
            27..=34 => assert!(
                matches!(result, Err(PossessionError::EcdsaKey { .. } | PossessionError::EcdsaUnrecoverable)),
                "{header}"
            ),
            _ => assert_eq!(result, Err(PossessionError::EcdsaHeader(header))),
        }
    }
}

#[test]
fn an_ecdsa_signature_with_high_s_is_refused() {
    let mut bytes = ecdsa_bytes();
    let high = negated(&bytes[33..]);
    bytes[33..].copy_from_slice(&high);
    // With the parity of the nonce flipped too, the key would be recovered.
    bytes[0] ^= 1;
    assert_eq!(verify_ecdsa_bytes(bytes), Err(PossessionError::EcdsaHighS));
}

#[test]
fn ecdsa_numbers_out_of_range_are_refused() {
    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
    for (part, value) in [
        (1, vec![0; 32]),
        (1, order.clone()),
        (1, vec![0xff; 32]),
        (33, vec![0; 32]),
        (33, order),
        (33, vec![0xff; 32]),
    ] {
        let mut bytes = ecdsa_bytes();
        bytes[part..part + 32].copy_from_slice(&value);
        assert_eq!(verify_ecdsa_bytes(bytes), Err(PossessionError::EcdsaUnrecoverable));
    }
}

/// `n - s`.
pub(in crate::possession) fn negated(scalar: &[u8]) -> [u8; 32] {
    bitcoin::secp256k1::SecretKey::from_slice(scalar).unwrap().negate().secret_bytes()
}

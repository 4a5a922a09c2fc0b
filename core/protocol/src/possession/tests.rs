use super::bip322::{tagged_message_hash, to_sign, to_spend};
use super::*;
use crate::signing_context::SigningPurpose;
use bitcoin::bech32::{Bech32m, ByteIterExt, Fe32IterExt};
use bitcoin::{
    Address, Amount, CompressedPublicKey, Network, ScriptBuf, TxOut, Witness,
    consensus::encode::{deserialize, serialize},
    key::TapTweak,
    secp256k1::PublicKey,
    sighash::TapSighashType,
};
use btc_staking_crypto::key::SigningKey;
use proptest::prelude::*;

const AUX: [u8; 32] = [0; 32];
const ACCOUNT: &str = "bbn1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5gua0e9";
const NETWORKS: [Network; 4] = [Network::Bitcoin, Network::Testnet, Network::Signet, Network::Regtest];

fn key(label: &str) -> SigningKey {
    SigningKey::from_bytes(&sha256::Hash::hash(label.as_bytes()).to_byte_array()).unwrap()
}
fn staker() -> SigningKey {
    key("staker-0")
}
fn account() -> AccountAddress {
    ACCOUNT.parse().unwrap()
}
fn other_account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[9; 20]).unwrap()
}
fn every_form(key: &SigningKey, account: &AccountAddress) -> Vec<ProofOfPossession> {
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
        let ProofOfPossession::Bip322 { address, .. } = p2tr() else { unreachable!() };
        let proof = ProofOfPossession::Bip322 { address, witness };
        prop_assert!(proof.verify(staker().public_key(), &account()).is_err());
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
fn negated(scalar: &[u8]) -> [u8; 32] {
    bitcoin::secp256k1::SecretKey::from_slice(scalar).unwrap().negate().secret_bytes()
}

// BIP-322.

fn p2wpkh() -> ProofOfPossession {
    ProofOfPossession::sign_bip322_p2wpkh(&staker(), &account(), Network::Bitcoin)
}
fn p2tr() -> ProofOfPossession {
    ProofOfPossession::sign_bip322_p2tr(&staker(), &account(), Network::Bitcoin, &AUX)
}
fn parts(proof: &ProofOfPossession) -> (String, Vec<Vec<u8>>) {
    let ProofOfPossession::Bip322 { address, witness } = proof else { unreachable!() };
    let witness: Witness = deserialize(witness).unwrap();
    (address.clone(), witness.to_vec())
}
fn proof_of(address: &str, items: &[Vec<u8>]) -> ProofOfPossession {
    let witness = serialize(&Witness::from_slice(items));
    ProofOfPossession::Bip322 { address: address.to_owned(), witness }
}
fn refusal(proof: &ProofOfPossession) -> Bip322Error {
    match proof.verify(staker().public_key(), &account()) {
        Err(PossessionError::Bip322(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_address_or_witness_is_refused() {
    let nothing = ProofOfPossession::Bip322 { address: String::new(), witness: vec![] };
    assert_eq!(nothing.check_form(), Err(MalformedPossession::Missing));
    for proof in [p2wpkh(), p2tr()] {
        let (address, items) = parts(&proof);
        assert_eq!(refusal(&proof_of("", &items)), Bip322Error::Empty);
        assert_eq!(refusal(&ProofOfPossession::Bip322 { address, witness: vec![] }), Bip322Error::Empty);
    }
}

#[test]
fn the_network_of_the_address_does_not_matter_but_its_prefix_must_be_known() {
    for proof in [p2wpkh(), p2tr()] {
        let (address, items) = parts(&proof);
        let (_, version, program) = bitcoin::bech32::segwit::decode(&address).unwrap();
        for (prefix, known) in
            [("bc", true), ("tb", true), ("bcrt", true), ("sb", true), ("ltc", false), ("bbn", false)]
        {
            let prefix = bitcoin::bech32::Hrp::parse(prefix).unwrap();
            let address = bitcoin::bech32::segwit::encode(prefix, version, &program).unwrap();
            for address in [address.clone(), address.to_uppercase()] {
                let proof = proof_of(&address, &items);
                assert_eq!(proof.verify(staker().public_key(), &account()).is_ok(), known, "{address}");
                if !known {
                    assert_eq!(refusal(&proof), Bip322Error::Address(address));
                }
            }
        }
    }
}

#[test]
fn addresses_that_do_not_decode_are_refused() {
    let (address, items) = parts(&p2wpkh());
    let mut mixed_case = address.clone();
    mixed_case.replace_range(..1, "B");
    let (prefix, version, program) = bitcoin::bech32::segwit::decode(&address).unwrap();
    let checksum_of_v1: String = program
        .iter()
        .copied()
        .bytes_to_fes()
        .with_checksum::<Bech32m>(&prefix)
        .with_witness_version(version)
        .chars()
        .collect();
    let wrong_checksum = address.replace("9w07", "9w08");
    for address in [
        mixed_case,
        checksum_of_v1,
        wrong_checksum,
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2".to_owned(),
        "bc1".to_owned(),
    ] {
        assert_eq!(refusal(&proof_of(&address, &items)), Bip322Error::Address(address));
    }
}

#[test]
fn other_numbers_of_witness_items_and_other_programs_are_unsupported() {
    let (wpkh, wpkh_items) = parts(&p2wpkh());
    let (tr, tr_items) = parts(&p2tr());
    let p2wsh = Address::p2wsh(&ScriptBuf::new(), Network::Bitcoin).to_string();
    let v2 = "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs".to_owned();
    let many =
        |items: &[Vec<u8>], count: usize| items.iter().cycle().take(count).cloned().collect::<Vec<_>>();
    for (address, items) in [
        (&wpkh, many(&wpkh_items, 1)),
        (&wpkh, many(&wpkh_items, 3)),
        (&tr, many(&tr_items, 2)),
        (&tr, many(&tr_items, 3)),
        (&tr, vec![]),
        (&p2wsh, wpkh_items.clone()),
        (&p2wsh, tr_items.clone()),
        (&v2, tr_items.clone()),
        (&wpkh, tr_items.clone()),
        (&tr, wpkh_items.clone()),
    ] {
        let Bip322Error::Unsupported(form) = refusal(&proof_of(address, &items)) else { panic!("{address}") };
        assert_eq!(form.items, items.len() as u64);
    }
}

#[test]
fn witness_bytes_are_decoded_strictly_up_to_the_last_item() {
    for proof in [p2wpkh(), p2tr()] {
        let ProofOfPossession::Bip322 { address, witness } = &proof else { unreachable!() };
        let with = |witness: Vec<u8>| ProofOfPossession::Bip322 { address: address.clone(), witness };
        let trailing = with([witness.as_slice(), &[1, 2, 3]].concat());
        assert_eq!(trailing.verify(staker().public_key(), &account()), Ok(()));
        for length in 1..witness.len() {
            let error = refusal(&with(witness[..length].to_vec()));
            assert_eq!(error, Bip322Error::Witness(WitnessError::Truncated), "{length}");
        }
        let long_count = with([&[0xfd, witness[0], 0], &witness[1..]].concat());
        assert_eq!(refusal(&long_count), Bip322Error::Witness(WitnessError::NonMinimal));
        let long_length = with([&[witness[0], 0xfd, witness[1], 0], &witness[2..]].concat());
        assert_eq!(refusal(&long_length), Bip322Error::Witness(WitnessError::NonMinimal));
    }
}

#[test]
fn counts_and_lengths_beyond_four_million_are_refused_before_anything_is_read() {
    let (address, _) = parts(&p2tr());
    let size = |size: u64| serialize(&bitcoin::VarInt(size));
    for (witness, error) in [
        (size(4_000_001), WitnessError::TooLarge(4_000_001)),
        (size(u64::MAX), WitnessError::TooLarge(u64::MAX)),
        (size(4_000_000), WitnessError::Truncated),
        ([size(1), size(4_000_001)].concat(), WitnessError::TooLarge(4_000_001)),
        ([size(1), size(4_000_000)].concat(), WitnessError::Truncated),
    ] {
        let proof = ProofOfPossession::Bip322 { address: address.clone(), witness };
        assert_eq!(refusal(&proof), Bip322Error::Witness(error));
    }
    let many_empty = [size(4_000_000), vec![0; 4_000_000]].concat();
    let proof = ProofOfPossession::Bip322 { address, witness: many_empty };
    assert!(matches!(refusal(&proof), Bip322Error::Unsupported(UnsupportedForm { items: 4_000_000, .. })));
}

#[test]
fn a_p2wpkh_signature_of_another_sighash_type_is_refused() {
    let (address, mut items) = parts(&p2wpkh());
    let length = items[0].len();
    for sighash in [0x00, 0x02, 0x03, 0x41, 0x81, 0x82, 0x83] {
        items[0][length - 1] = sighash;
        assert_eq!(refusal(&proof_of(&address, &items)), Bip322Error::Sighash { length, last: sighash });
    }
    items[0] = vec![0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(refusal(&proof_of(&address, &items)), Bip322Error::Sighash { length: 8, last: 1 });
    items[0].clear();
    assert_eq!(refusal(&proof_of(&address, &items)), Bip322Error::Sighash { length: 0, last: 0 });
}

#[test]
fn a_taproot_signature_is_64_bytes_or_65_with_sighash_all() {
    let (address, items) = parts(&p2tr());
    let (output_key, _) = staker().public_key().tap_tweak(SECP256K1, None);
    let signed = |sighash_type: TapSighashType| {
        let digest = super::bip322::taproot_digest(
            &output_key.to_x_only_public_key(),
            ACCOUNT.as_bytes(),
            sighash_type,
        );
        let mut signature = staker().sign_schnorr_taproot_tweaked(&digest, &AUX, None).serialize().to_vec();
        signature.push(sighash_type as u8);
        signature
    };
    let all = proof_of(&address, &[signed(TapSighashType::All)]);
    assert_eq!(all.verify(staker().public_key(), &account()), Ok(()));
    for sighash_type in [
        TapSighashType::Default,
        TapSighashType::None,
        TapSighashType::Single,
        TapSighashType::AllPlusAnyoneCanPay,
        TapSighashType::NonePlusAnyoneCanPay,
        TapSighashType::SinglePlusAnyoneCanPay,
    ] {
        let last = sighash_type as u8;
        let proof = proof_of(&address, &[signed(sighash_type)]);
        assert_eq!(refusal(&proof), Bip322Error::Sighash { length: 65, last });
    }
    // A DEFAULT signature with the ALL byte appended signs something else.
    let appended = [items[0].clone(), vec![1]].concat();
    assert_eq!(refusal(&proof_of(&address, &[appended])), Bip322Error::Signature);
    for length in [0, 1, 63, 66] {
        let signature = vec![1; length];
        let last = u8::from(length > 0);
        assert_eq!(refusal(&proof_of(&address, &[signature])), Bip322Error::Sighash { length, last });
    }
}

#[test]
fn a_signature_with_high_s_is_refused() {
    let (address, mut items) = parts(&p2wpkh());
    let length = items[0].len();
    let signature = ecdsa_der(&items[0][..length - 1]);
    let mut compact = signature.serialize_compact();
    let high = negated(&compact[32..]);
    compact[32..].copy_from_slice(&high);
    items[0] = [Signature::from_compact(&compact).unwrap().serialize_der().as_ref(), &[1]].concat();
    assert_eq!(refusal(&proof_of(&address, &items)), Bip322Error::HighS);
}

fn ecdsa_der(der: &[u8]) -> Signature {
    Signature::from_der(der).unwrap()
}

#[test]
fn signatures_that_are_not_strict_der_are_refused() {
    let (address, items) = parts(&p2wpkh());
    let der = &items[0][..items[0].len() - 1];
    let (r, s) = (&der[2..2 + 2 + usize::from(der[3])], &der[4 + usize::from(der[3])..]);
    let sequence = |content: &[u8]| [&[0x30, u8::try_from(content.len()).unwrap()], content].concat();
    let padded = |int: &[u8]| [&[2, int[1] + 1, 0], &int[2..]].concat();
    for broken in [
        sequence(&[padded(r), s.to_vec()].concat()),
        sequence(&[r.to_vec(), padded(s)].concat()),
        [der, &[0]].concat(),
        [&[0x30, 0x81], &der[1..]].concat(),
        [&[0x31], &der[1..]].concat(),
        sequence(&[&[2, 0], s].concat()),
        sequence(&[r, &[2, 1, 0x80]].concat()),
        sequence(&[&[2, 33, 1], [0u8; 32].as_slice(), s].concat()),
        der[..der.len() - 1].to_vec(),
    ] {
        let proof = proof_of(&address, &[[broken.as_slice(), &[1]].concat(), items[1].clone()]);
        assert_eq!(refusal(&proof), Bip322Error::SignatureEncoding, "{}", hex::encode(broken));
    }
}

#[test]
fn the_witness_key_must_be_the_one_of_the_address_and_compressed() {
    let (address, items) = parts(&p2wpkh());
    let stranger = key("stranger").compressed_public_key().serialize().to_vec();
    let foreign = proof_of(&address, &[items[0].clone(), stranger]);
    assert_eq!(refusal(&foreign), Bip322Error::ForeignKey);
    // An address that commits to the uncompressed key exists, but spending it is not standard.
    let uncompressed = PublicKey::from_slice(&items[1]).unwrap().serialize_uncompressed().to_vec();
    for key in [uncompressed, vec![5; 33], vec![]] {
        let hash = bitcoin::hashes::hash160::Hash::hash(&key);
        let address =
            bitcoin::bech32::segwit::encode_v0(bitcoin::bech32::hrp::BC, hash.as_byte_array()).unwrap();
        assert_eq!(refusal(&proof_of(&address, &[items[0].clone(), key])), Bip322Error::KeyEncoding);
    }
}

#[test]
fn a_valid_signature_by_another_key_is_refused_as_such() {
    let stranger = key("stranger");
    for proof in [
        ProofOfPossession::sign_bip322_p2wpkh(&stranger, &account(), Network::Bitcoin),
        ProofOfPossession::sign_bip322_p2tr(&stranger, &account(), Network::Bitcoin, &AUX),
    ] {
        assert_eq!(refusal(&proof), Bip322Error::WrongKey(*staker().public_key()));
    }
}

#[test]
fn a_taproot_address_with_a_script_tree_or_without_tweak_is_refused() {
    let (_, items) = parts(&p2tr());
    let leaf = bitcoin::taproot::TapNodeHash::from_byte_array([3; 32]);
    let with_tree = Address::p2tr(SECP256K1, *staker().public_key(), Some(leaf), Network::Bitcoin);
    let digest = |script: &ScriptBuf| {
        let output_key = XOnlyPublicKey::from_slice(&script.as_bytes()[2..]).unwrap();
        super::bip322::taproot_digest(&output_key, ACCOUNT.as_bytes(), TapSighashType::Default)
    };
    let signature =
        staker().sign_schnorr_taproot_tweaked(&digest(&with_tree.script_pubkey()), &AUX, Some(leaf));
    let proof = proof_of(&with_tree.to_string(), &[signature.serialize().to_vec()]);
    assert_eq!(refusal(&proof), Bip322Error::WrongKey(*staker().public_key()));
    let bare = Address::p2tr_tweaked(staker().public_key().dangerous_assume_tweaked(), Network::Bitcoin);
    let signature = staker().sign_schnorr(&digest(&bare.script_pubkey()), &AUX);
    let proof = proof_of(&bare.to_string(), &[signature.serialize().to_vec()]);
    assert_eq!(refusal(&proof), Bip322Error::WrongKey(*staker().public_key()));
    assert_eq!(refusal(&proof_of(&bare.to_string(), &items)), Bip322Error::Signature);
    // Not on the curve at all.
    let nowhere = bitcoin::bech32::segwit::encode_v1(bitcoin::bech32::hrp::BC, &[0xff; 32]).unwrap();
    assert_eq!(refusal(&proof_of(&nowhere, &items)), Bip322Error::Signature);
}

/// What Bitcoin Core's interpreter says to the witness of a proof over `message`.
fn interpreter_accepts(proof: &ProofOfPossession, message: &[u8]) -> bool {
    let (address, items) = parts(proof);
    let script = address.parse::<Address<_>>().unwrap().assume_checked().script_pubkey();
    let spend = to_spend(message, script.clone());
    let sign = to_sign(&spend, Witness::from_slice(&items));
    let prevouts = [TxOut { value: Amount::ZERO, script_pubkey: script }];
    let utxo = bitcoinconsensus::Utxo {
        script_pubkey: prevouts[0].script_pubkey.as_bytes().as_ptr(),
        script_pubkey_len: u32::try_from(prevouts[0].script_pubkey.len()).unwrap(),
        value: 0,
    };
    bitcoinconsensus::verify(prevouts[0].script_pubkey.as_bytes(), 0, &serialize(&sign), Some(&[utxo]), 0)
        .is_ok()
}

#[test]
fn bitcoin_cores_interpreter_accepts_what_we_make() {
    for label in ["staker-0", "finality-provider-2", "a", "b", "c", "d", "e", "f"] {
        for proof in every_form(&key(label), &account()).split_off(2) {
            assert!(interpreter_accepts(&proof, ACCOUNT.as_bytes()), "{proof:?}");
            assert!(!interpreter_accepts(&proof, b"another message"), "{proof:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn what_the_interpreter_refuses_we_refuse(taproot: bool, item in 0usize..2, bit in 0usize..1000) {
        let (address, mut items) = parts(&if taproot { p2tr() } else { p2wpkh() });
        let item = item % items.len();
        let length = items[item].len();
        items[item][bit / 8 % length] ^= 1 << (bit % 8);
        let proof = proof_of(&address, &items);
        let ours = proof.verify(staker().public_key(), &account()).is_ok();
        // Ours is stricter: the interpreter alone knows neither sighash nor standardness rules.
        prop_assert!(!ours || interpreter_accepts(&proof, ACCOUNT.as_bytes()));
    }
}

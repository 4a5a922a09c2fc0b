//! The rules of BIP-322 proofs, each broken alone, and Bitcoin Core's interpreter as the judge of what we make.

use super::*;
use crate::possession::tests::{ACCOUNT, AUX, account, every_form, key, negated, staker};
use crate::possession::{MalformedPossession, PossessionError, ProofOfPossession};
use bitcoin::{
    Address, Network,
    base64::{Engine, prelude::BASE64_STANDARD},
    bech32::{Bech32m, ByteIterExt, Fe32IterExt},
    consensus::encode::{deserialize, serialize},
    taproot::TapNodeHash,
};
use proptest::prelude::*;

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
    let size = |size: u64| serialize(&VarInt(size));
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
        let digest = taproot_digest(&output_key.to_x_only_public_key(), ACCOUNT.as_bytes(), sighash_type);
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
    let signature = ecdsa::Signature::from_der(&items[0][..length - 1]).unwrap();
    let mut compact = signature.serialize_compact();
    let high = negated(&compact[32..]);
    compact[32..].copy_from_slice(&high);
    items[0] = [ecdsa::Signature::from_compact(&compact).unwrap().serialize_der().as_ref(), &[1]].concat();
    assert_eq!(refusal(&proof_of(&address, &items)), Bip322Error::HighS);
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
        let hash = hash160::Hash::hash(&key);
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
    let leaf = TapNodeHash::from_byte_array([3; 32]);
    let with_tree = Address::p2tr(SECP256K1, *staker().public_key(), Some(leaf), Network::Bitcoin);
    let digest = |script: &ScriptBuf| {
        let output_key = XOnlyPublicKey::from_slice(&script.as_bytes()[2..]).unwrap();
        taproot_digest(&output_key, ACCOUNT.as_bytes(), TapSighashType::Default)
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

#[test]
fn proofs_of_the_bip_itself_hold() {
    // BIP-322, test vectors, P2WPKH; the key is the one in the witness.
    let key = "c7f12003196442943d8588e01aee840423cc54fc1521526a3b85c2b0cbd58872".parse().unwrap();
    let address = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l";
    for (message, proof) in [
        (
            "",
            "AkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixpX8z46TSDtS40ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=",
        ),
        (
            "Hello World",
            "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=",
        ),
    ] {
        let witness = BASE64_STANDARD.decode(proof).unwrap();
        assert_eq!(verify(address, &witness, message.as_bytes(), &key), Ok(()), "{message}");
        assert_eq!(verify(address, &witness, b"Hello", &key), Err(Bip322Error::Signature), "{message}");
    }
}

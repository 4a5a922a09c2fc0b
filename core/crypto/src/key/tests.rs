use super::*;
use crate::vectors::{bip340_rows, bytes, sha256};
use bitcoin::key::UntweakedPublicKey;

/// The staker of `crypto.md` 4.7.
fn staker() -> SigningKey {
    SigningKey::from_bytes(&sha256(b"staker-0")).unwrap()
}

#[test]
fn bip340_signing_vectors_are_reproduced() {
    let signing: Vec<_> = bip340_rows().into_iter().filter(|row| !row[1].is_empty()).collect();
    assert_eq!(signing.len(), 4);
    for [index, secret, public, aux, message, signature, _] in signing {
        let key = SigningKey::from_bytes(&bytes(secret)).unwrap();
        assert_eq!(key.public_key().serialize(), bytes(public), "public key of vector {index}");
        let made = key.sign_schnorr(&bytes(message), &bytes(aux));
        assert_eq!(made.serialize(), bytes(signature), "signature of vector {index}");
    }
}

/// `crypto.md` 4.7.
#[test]
fn signatures_of_the_proofs_of_possession_are_reproduced() {
    let key = staker();
    assert_eq!(
        key.public_key().to_string(),
        "fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555e"
    );
    assert!(key.has_odd_y());
    let schnorr = key
        .sign_schnorr(&bytes("e12f08743344c0eab7afaa22bb71e2725f7e13dece6ac2d23711054ee787b6c2"), &[0; 32]);
    assert_eq!(
        schnorr.to_string(),
        "9d3121add60c47c8608de89b7b02b4fdd7c35ccab981becbfdd31f7292809c27\
         42bd09b1048c7f1788c5f9e0712c04b57890bc933729101cc733605f52b8a340"
    );
    let digest = bytes("bdbc1c19b83c01aa5cb711df362da8463c72c52b8fe50cd5d6cea87f29c66526");
    let (recovery_id, compact) = key.sign_ecdsa_recoverable(&digest);
    assert_eq!(recovery_id.to_i32(), 0x20 - 27 - 4);
    assert_eq!(
        hex::encode(compact),
        "90241034b91c124492cbdf9c4501f6e76d5d086daac87b6fb95697cf7699b149\
         11db7f8d44fecf8d6a9f9e7782167aea0f9f6dcdf8c58a7a6f7b69526eb60bf1"
    );
    let ecdsa = key.sign_ecdsa(&digest);
    assert_eq!(ecdsa.serialize_compact(), compact);
    SECP256K1.verify_ecdsa(&Message::from_digest(digest), &ecdsa, &key.compressed_public_key()).unwrap();
}

/// The output key is the program of the BIP-86 address in `crypto.md` 4.7.
#[test]
fn taproot_signature_is_by_the_output_key() {
    let key = staker();
    let internal: UntweakedPublicKey = *key.public_key();
    let (output_key, _) = internal.tap_tweak(SECP256K1, None);
    let address = bitcoin::Address::p2tr(SECP256K1, internal, None, bitcoin::KnownHrp::Mainnet);
    assert_eq!(address.to_string(), "bc1p95uczc64wetp7qezw0mlrhgdwukte2uurpumpvecxzxkrvzthetqcluwpu");
    let signature = key.sign_schnorr_taproot_tweaked(&[5; 32], &[0; 32], None);
    let message = Message::from_digest([5; 32]);
    SECP256K1.verify_schnorr(&signature, &message, &output_key.to_x_only_public_key()).unwrap();
    SECP256K1.verify_schnorr(&signature, &message, &internal).unwrap_err();
}

#[test]
fn secret_keys_out_of_range_are_refused() {
    let order = bytes("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    for out_of_range in [[0; 32], order, [0xff; 32]] {
        assert_eq!(SigningKey::from_bytes(&out_of_range).err(), Some(InvalidSecretKey::OutOfRange));
    }
    for length in [0, 31, 33] {
        let short_or_long = vec![1; length];
        assert_eq!(SigningKey::from_slice(&short_or_long).err(), Some(InvalidSecretKey::Length(length)));
    }
    assert!(SigningKey::from_slice(&[1; 32]).is_ok());
}

#[test]
fn secret_bytes_keep_their_parity() {
    let key = staker();
    assert!(key.has_odd_y());
    assert_eq!(*key.to_secret_bytes(), sha256(b"staker-0"));
}

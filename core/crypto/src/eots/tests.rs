use super::*;
use crate::{
    nonce::{self, Scheme},
    vectors::{EXTRACTED, any_secret, bip340_rows, bytes, finality_provider, sha256},
};
use proptest::prelude::*;

fn nonce(secret: &[u8; 32]) -> Nonce {
    Nonce::from_secret(Scalar::reduced(secret)).unwrap()
}

/// The nonce of `crypto.md` 2.7.
fn spec_nonce() -> Nonce {
    nonce(&sha256(b"eots-nonce-2"))
}

fn vote(height: u64, app_hash: &[u8; 32]) -> Vec<u8> {
    [&height.to_be_bytes()[..], app_hash].concat()
}

fn negated(secret: &[u8; 32]) -> [u8; 32] {
    *Scalar::reduced(secret).negate().to_bytes()
}

/// `crypto.md` 2.7.
#[test]
fn two_signatures_of_the_spec_are_reproduced_and_give_the_key_away() {
    let key = finality_provider();
    let randomness = spec_nonce().public();
    assert_eq!(
        key.public_key().to_string(),
        "dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d"
    );
    assert_eq!(randomness.to_string(), "cccc206b959290897aeb12f20770cc6bcd6589c9b54b0a94279514c2d595ee0d");

    let [m1, m2] = [1, 2].map(|fill| vote(100, &[fill; 32]));
    let [s1, s2] = [&m1, &m2].map(|message| key.sign(spec_nonce(), message).unwrap());
    assert_eq!(s1.to_string(), "bd4ab3f0e1c8cf6c7e81b6fdbed01b2426bb18253d0b8361c91314bea8083d32");
    assert_eq!(s2.to_string(), "6233211ba3a56b81d82cf934cd9283919f8a7101a7c0626f58765552c97f1e87");
    verify(key.public_key(), &randomness, &m1, &s1).unwrap();
    verify(key.public_key(), &randomness, &m2, &s2).unwrap();

    let secret = extract(key.public_key(), &randomness, &m1, &s1, &m2, &s2).unwrap();
    assert_eq!(*secret.to_evidence_bytes(), bytes(EXTRACTED));
    assert_eq!(negated(&secret.to_evidence_bytes()), sha256(b"finality-provider-2"), "the key itself");
    assert_eq!(secret.public_key(), key.public_key());
}

/// `crypto.md` 5.4 and the vote of 6.5.
#[test]
fn votes_of_the_spec_at_one_height_give_the_key_away() {
    let key = finality_provider();
    let nonce = || nonce::derive(&key, Scheme::V1, b"bbn-1", 101);
    let [canonical, fork] = [0xab, 0xcd].map(|fill| vote(101, &[fill; 32]));
    let [s1, s2] = [&canonical, &fork].map(|message| key.sign(nonce(), message).unwrap());
    assert_eq!(s1.to_string(), "5b14c08e638e6ff6a39a4b3acf6f099d5cd641fd53b0a4b6d0da705ec56cff06");
    assert_eq!(s2.to_string(), "dad68929e04c2ea603a956f067bf0b9fc7cec531593b3cec181eca6532f5f08a");
    let secret = extract(key.public_key(), &nonce().public(), &canonical, &s1, &fork, &s2).unwrap();
    assert_eq!(*secret.to_evidence_bytes(), bytes(EXTRACTED));
}

/// Check vectors of the finality-provider background, 5.1: an even-Y key and an odd-Y key with an odd nonce point.
#[test]
fn check_vectors_of_other_implementations_are_reproduced() {
    let app_hash = sha256(b"app");
    let cases = [
        (
            1,
            100,
            "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0",
            "33c0583f327a1a7c1c8fd018185f5d5a404cb9f9472d29e542cb84b83bc32253",
        ),
        (
            2,
            101,
            "460a7b966efffb36946f6dc3c17ff73ad789fc1c2df43c1258039ca2f9a1e3e6",
            "023e34e2307074ee808e5dc6b0a7351a7d47728201fbb5c67bfca7fd370c5c5b",
        ),
    ];
    for (first_byte, height, public, signature) in cases {
        let key = EotsSecretKey::from_bytes(&core::array::from_fn(|i| first_byte + i as u8)).unwrap();
        assert_eq!(key.public_key().to_string(), public);
        assert_eq!(key.signing_key().has_odd_y(), first_byte == 2);
        let nonce = nonce::derive(&key, Scheme::V1, b"bbn-1", height);
        let randomness = nonce.public();
        let message = vote(height, &app_hash);
        let made = key.sign(nonce, &message).unwrap();
        assert_eq!(made.to_string(), signature);
        verify(key.public_key(), &randomness, &message, &made).unwrap();
    }
}

/// Which failure each invalid official vector is; 5 and 14 have no public key and cannot be asked.
#[test]
fn bip340_vectors_verify_with_the_kind_of_failure() {
    let mut asked = 0;
    for [index, _, public, _, message, signature, valid] in bip340_rows() {
        let Ok(key) = XOnlyPublicKey::from_slice(&bytes::<32>(public)) else {
            assert!(["5", "14"].contains(&index));
            continue;
        };
        let [randomness, s] = [&signature[..64], &signature[64..]].map(bytes);
        let result = verify_digest(&key, &PublicRandomness(randomness), &bytes(message), &EotsSignature(s));
        assert_eq!(result.is_ok(), valid == "TRUE", "vector {index}: {result:?}");
        match index {
            "6" => assert_eq!(result, Err(VerifyError::NonceOddY), "vector {index}"),
            "9" | "10" => assert_eq!(result, Err(VerifyError::NonceAtInfinity), "vector {index}"),
            _ => assert!(matches!(
                result,
                Ok(()) | Err(VerifyError::NonceOddY | VerifyError::NonceMismatch { .. })
            )),
        }
        asked += 1;
    }
    assert_eq!(asked, 13);
}

#[test]
fn failures_name_their_kind() {
    let key = finality_provider();
    let message = vote(100, &[1; 32]);
    let randomness = spec_nonce().public();
    let signature = key.sign(spec_nonce(), &message).unwrap();
    let verdict = |s: [u8; 32]| verify(key.public_key(), &randomness, &message, &EotsSignature(s));

    // A wrong scalar gives some other point, with even Y or odd.
    let with_last_byte_changed = |change: u8| {
        let mut s = signature.0;
        s[31] ^= change;
        verdict(s)
    };
    let wrong: Vec<_> = (1..=32).map(with_last_byte_changed).collect();
    assert!(wrong.contains(&Err(VerifyError::NonceOddY)));
    assert!(wrong.iter().any(|result| matches!(
        result,
        Err(VerifyError::NonceMismatch { computed, published }) if *published == randomness && computed != published
    )));

    // The signature with the nonce's parity not corrected: it verifies for the odd point.
    let challenge = Scalar::reduced(&challenge(randomness.as_bytes(), key.public_key(), &digest(&message)));
    let odd_nonce = Scalar::reduced(&sha256(b"eots-nonce-2"));
    let wrong_parity = odd_nonce.plus(&challenge.times(&key.signing_key().even_secret()));
    assert_eq!(verdict(*wrong_parity.to_bytes()), Err(VerifyError::NonceOddY));

    // s = e*d leaves nothing for the nonce.
    let no_nonce = challenge.times(&key.signing_key().even_secret());
    assert_eq!(verdict(*no_nonce.to_bytes()), Err(VerifyError::NonceAtInfinity));
}

/// `crypto.md` 2.6, with the values at the edge of the field.
#[test]
fn randomness_not_below_the_field_prime_is_reduced() {
    let prime = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
    let below = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e";
    let cases = [
        (prime, "0000000000000000000000000000000000000000000000000000000000000000"),
        (
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
            "0000000000000000000000000000000000000000000000000000000000000001",
        ),
        (
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "00000000000000000000000000000000000000000000000000000001000003d0",
        ),
        (below, below),
        (
            "fffffffffffffffffffffffffffffffffffffffffffffff00000000000000000",
            "fffffffffffffffffffffffffffffffffffffffffffffff00000000000000000",
        ),
    ];
    for (raw, reduced) in cases {
        let randomness: PublicRandomness = raw.parse().unwrap();
        assert_eq!(hex::encode(field_reduced(&randomness)), reduced);
        assert_eq!(randomness.to_string(), raw, "the value itself keeps its bytes");
    }
}

#[test]
fn zero_is_no_nonce() {
    assert!(Nonce::from_secret(Scalar::ZERO).is_none());
}

#[test]
fn extraction_says_why_it_fails() {
    let key = finality_provider();
    let randomness = spec_nonce().public();
    let [m1, m2] = [1, 2].map(|fill| vote(100, &[fill; 32]));
    let [s1, s2] = [&m1, &m2].map(|message| key.sign(spec_nonce(), message).unwrap());
    let garbage = EotsSignature([7; 32]);
    let cases = [
        (&m1, &s1, &m2, &s1, ExtractError::SameSignature),
        (&m1, &s1, &m1, &s2, ExtractError::SameMessage),
        (&m1, &s1, &m2, &garbage, ExtractError::WrongKey),
        (&m1, &s2, &m2, &s1, ExtractError::WrongKey),
    ];
    for (m1, s1, m2, s2, error) in cases {
        let result = extract(key.public_key(), &randomness, m1, s1, m2, s2);
        assert_eq!(result.err(), Some(error));
    }
}

#[test]
fn text_form_is_hex_both_ways() {
    let randomness = spec_nonce().public();
    assert_eq!(randomness.to_string().parse(), Ok(randomness));
    assert_eq!(format!("{randomness:?}"), format!("PublicRandomness({randomness})"));
    let signature = EotsSignature([0xa5; 32]);
    assert_eq!(signature.to_string(), "a5".repeat(32));
    assert_eq!(signature.to_string().parse(), Ok(signature));
    for bad in ["", "a5", &"a5".repeat(33), &"zz".repeat(32)] {
        assert!(bad.parse::<EotsSignature>().is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each case runs with all four parities of key and nonce point.
    #[test]
    fn extract_inverts_double_signing(d in any_secret(), k in any_secret(), m1: Vec<u8>, m2: Vec<u8>) {
        prop_assume!(m1 != m2);
        for d in [d, negated(&d)] {
            for k in [k, negated(&k)] {
                let key = EotsSecretKey::from_bytes(&d).unwrap();
                let randomness = nonce(&k).public();
                let [s1, s2] = [&m1, &m2].map(|message| key.sign(nonce(&k), message).unwrap());
                verify(key.public_key(), &randomness, &m1, &s1).unwrap();
                let secret = extract(key.public_key(), &randomness, &m1, &s1, &m2, &s2).unwrap();
                let expected = if key.signing_key().has_odd_y() { negated(&d) } else { d };
                prop_assert_eq!(*secret.to_evidence_bytes(), expected);
            }
        }
    }

    #[test]
    fn any_flipped_bit_is_refused(d in any_secret(), k in any_secret(), m: [u8; 40], bit in 0usize..256) {
        let key = EotsSecretKey::from_bytes(&d).unwrap();
        let randomness = nonce(&k).public();
        let signature = key.sign(nonce(&k), &m).unwrap();
        let flip = |bytes: &[u8; 32]| {
            let mut flipped = *bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        };
        let mut other_message = m;
        other_message[bit % 40] ^= 1;
        let p = key.public_key();
        prop_assert!(verify(p, &randomness, &m, &EotsSignature(flip(&signature.0))).is_err());
        prop_assert!(verify(p, &PublicRandomness(flip(&randomness.0)), &m, &signature).is_err());
        prop_assert!(verify(p, &randomness, &other_message, &signature).is_err());
    }

    #[test]
    fn one_message_always_has_one_signature(d in any_secret(), k in any_secret(), m: Vec<u8>) {
        let key = EotsSecretKey::from_bytes(&d).unwrap();
        prop_assert_eq!(key.sign(nonce(&k), &m).unwrap(), key.sign(nonce(&k), &m).unwrap());
    }
}

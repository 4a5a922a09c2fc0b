//! Golden vectors and edge rules of EOTS.

use super::*;

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn spec_key() -> EotsSecretKey {
    EotsSecretKey::from_bytes(&sha256::Hash::hash(b"finality-provider-2").to_byte_array()).unwrap()
}

fn spec_nonce() -> Nonce {
    Nonce::from_secret(Scalar::reduced(&sha256::Hash::hash(b"eots-nonce-2").to_byte_array())).unwrap()
}

fn spec_message(fill: u8) -> Vec<u8> {
    [&100u64.to_be_bytes()[..], &[fill; 32]].concat()
}

/// `crypto.md` 2.7.
#[test]
fn signatures_of_the_spec_are_reproduced_and_give_the_key_away() {
    let key = spec_key();
    let randomness = spec_nonce().public();
    assert_eq!(
        key.public_key().to_string(),
        "dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d"
    );
    assert_eq!(randomness.to_string(), "cccc206b959290897aeb12f20770cc6bcd6589c9b54b0a94279514c2d595ee0d");

    let [s1, s2] = [1, 2].map(|fill| key.sign(spec_nonce(), &spec_message(fill)).unwrap());
    assert_eq!(s1.to_string(), "bd4ab3f0e1c8cf6c7e81b6fdbed01b2426bb18253d0b8361c91314bea8083d32");
    assert_eq!(s2.to_string(), "6233211ba3a56b81d82cf934cd9283919f8a7101a7c0626f58765552c97f1e87");
    for (fill, s) in [(1, s1), (2, s2)] {
        verify(key.public_key(), &randomness, &spec_message(fill), &s).unwrap();
    }

    let secret =
        extract(key.public_key(), &randomness, &spec_message(1), &s1, &spec_message(2), &s2).unwrap();
    assert_eq!(
        *secret.to_evidence_bytes(),
        bytes("221153b3ba16b72c16406a5f0bd92c7f20306eea5508e728c5473c463a6a3125")
    );
}

use super::*;
use crate::{
    merkle,
    vectors::{bytes, finality_provider},
};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// Key bytes 01 02 .. 20 of the check vectors.
fn counting_key(first: u8) -> EotsSecretKey {
    EotsSecretKey::from_bytes(&core::array::from_fn(|i| first + i as u8)).unwrap()
}

/// `crypto.md` 6.5, whose note that the point of height 100 has even Y is a slip: `k*G` is odd for all three.
#[test]
fn nonces_of_the_spec_are_reproduced() {
    let cases = [
        (
            100,
            Parity::Odd,
            "acfd0ffd1612d289396e6004c8da89cbdd0d84a8e790f146a0b95c5018992eeb",
            "2d98bc7b769de2796cf4c843cc44b030f2f64dabbcf1bf3fbe52050691d91524",
        ),
        (
            101,
            Parity::Odd,
            "a688e753aab63c07fcf2b68b6b6f042d475ab3aa45f85e84e62fa9d6af5d144f",
            "cd82fd1cd0f9ea6d84d42786e74a718ce032cdb555406fc17e4a174f17736928",
        ),
        (
            102,
            Parity::Odd,
            "db08e77d59e6abacf8f72d5d20a7507a7c258ab8dd0ea29ce1c5083ce539b2d1",
            "7cebd59fb6e8a9afd90b9d8565d3e60aa56f46e517cc2f0831d150600e2cc420",
        ),
    ];
    for (height, parity, secret, public) in cases {
        let nonce = derive(&finality_provider(), Scheme::V1, b"bbn-1", height);
        assert_eq!(*nonce.secret.to_bytes(), bytes(secret));
        assert_eq!(nonce.parity, parity);
        assert_eq!(nonce.public().to_string(), public);
    }
}

/// Check vectors of the finality-provider background, 5.1.
#[test]
fn check_vectors_of_other_implementations_are_reproduced() {
    let v1_secrets = [
        (1, "927fff675090212114fb56bbf41417aa79b9514aac22d3b20d43143f030d3308"),
        (100, "116238b0343f250d16694316fb2d98aeed655606f65454a7641881623414d471"),
        (1_000_000, "1333bc6d50ffefe244b67a2c76a1d39eb4d6362a1d5c4fe0fdddb1adff0d34f5"),
    ];
    for (height, secret) in v1_secrets {
        assert_eq!(*derive(&counting_key(1), Scheme::V1, b"bbn-1", height).secret.to_bytes(), bytes(secret));
    }
    let public = [
        (1, Scheme::V1, 1, "a432780b320b26617077c546d19473d9a609600950cb2b9970124e0dc82acb10"),
        (1, Scheme::V0, 1, "87a3e5164cad3365ecfc318ca2aafbc93c5b0b6a2fcd377f37f76747971c3e74"),
        (1, Scheme::V1, 100, "b5bb229fa8d00245fb58fa60e5357fd6047aa48aeb2a9621488693a73fee9703"),
        (1, Scheme::V0, 100, "bd8b510a9b64f72d5bccb42cf451db36bb3ae3899df9fc004df926d07baf55ab"),
        (1, Scheme::V1, 1_000_000, "03723c3e607fc1e611ec4ceb6630e6bbd72061e3c6e137910c29845358288007"),
        (1, Scheme::V0, 1_000_000, "ed523c96bbcf1869858651cee90d6f78b13bcd3be63a06053eb7d50e6fc23be9"),
        (2, Scheme::V1, 101, "5fda5c110c1d8e2ffdbf865ebda091553616de305fb11912d330ccc0a1e01ceb"),
    ];
    for (first_byte, scheme, height, expected) in public {
        let nonce = derive(&counting_key(first_byte), scheme, b"bbn-1", height);
        assert_eq!(nonce.public().to_string(), expected, "{scheme:?} at {height}");
    }
    assert_eq!(derive(&counting_key(1), Scheme::V1, b"bbn-1", 100).parity, Parity::Odd);
}

/// The two roots of the same source: 10 and 50,000 values from height 1,000,000.
#[test]
fn roots_of_other_implementations_are_reproduced() {
    let threads = NonZeroUsize::new(2).unwrap();
    let values =
        public_randomness(&counting_key(1), Scheme::V1, b"bbn-1", 1_000_000, 50_000, threads).unwrap();
    let cases = [
        (10, "5d6e4ccd7cb4cd4025adae44dfe5c8350796ca51a6b1375766a87ba0f0adc57f"),
        (50_000, "acb25f7f5418e180911470c377dc9a43a563808ecb5328db365a062483e00fd9"),
    ];
    for (count, root) in cases {
        assert_eq!(merkle::root(&values[..count]), bytes(root), "{count} values");
    }
}

#[test]
fn bulk_values_are_those_derived_one_by_one_on_any_number_of_threads() {
    let key = finality_provider();
    for scheme in [Scheme::V0, Scheme::V1] {
        let single: Vec<_> =
            (100..1124).map(|height| derive(&key, scheme, b"bbn-1", height).public()).collect();
        for threads in [1, 2, 3, 4, 1000] {
            let threads = NonZeroUsize::new(threads).unwrap();
            assert_eq!(public_randomness(&key, scheme, b"bbn-1", 100, 1024, threads), Ok(single.clone()));
        }
    }
    assert_eq!(public_randomness(&key, Scheme::V1, b"bbn-1", 100, 0, ONE), Ok(vec![]));
}

#[test]
fn sparse_values_stand_at_every_interval() {
    let key = finality_provider();
    let interval = NonZeroU64::new(7).unwrap();
    let sparse = sparse_public_randomness(&key, Scheme::V1, b"consumer", 10, interval, 3, ONE).unwrap();
    let single = [10, 17, 24].map(|height| derive(&key, Scheme::V1, b"consumer", height).public());
    assert_eq!(sparse, single);
}

#[test]
fn ranges_that_overflow_or_exceed_the_bound_are_refused() {
    let key = finality_provider();
    let asked = |start, count| public_randomness(&key, Scheme::V1, b"bbn-1", start, count, ONE);
    assert_eq!(asked(0, MAX_COUNT + 1), Err(RangeError::TooMany { count: MAX_COUNT + 1 }));
    assert_eq!(asked(u64::MAX, 1).unwrap().len(), 1);
    assert_eq!(
        asked(u64::MAX, 2),
        Err(RangeError::HeightOverflow { start: u64::MAX, interval: NonZeroU64::MIN, count: 2 })
    );
    let huge = NonZeroU64::new(u64::MAX).unwrap();
    assert_eq!(
        sparse_public_randomness(&key, Scheme::V1, b"bbn-1", 0, huge, 3, ONE),
        Err(RangeError::HeightOverflow { start: 0, interval: huge, count: 3 })
    );
}

#[test]
fn every_input_changes_the_nonce() {
    let key = finality_provider();
    let negative =
        EotsSecretKey::from_bytes(&Scalar::reduced(&key.signing_key().to_secret_bytes()).negate().to_bytes());
    let base = derive(&key, Scheme::V1, b"bbn-1", 100).public();
    let others = [
        derive(&negative.unwrap(), Scheme::V1, b"bbn-1", 100),
        derive(&key, Scheme::V0, b"bbn-1", 100),
        derive(&key, Scheme::V1, b"bbn-2", 100),
        derive(&key, Scheme::V1, b"bbn-1", 101),
    ];
    assert!(others.iter().all(|other| other.public() != base));
}

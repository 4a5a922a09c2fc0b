use super::*;
use crate::{
    key::SigningKey,
    scalar::Scalar,
    vectors::{EXTRACTED, any_secret, bytes, covenant, finality_provider},
};
use proptest::prelude::*;
use secp256k1::{Message, Parity, PublicKey, SECP256K1, XOnlyPublicKey, schnorr};

/// The slashing sighash of `crypto.md` 3.7.
const DIGEST: &str = "5eb1a484f2d950809167e9b31f263fdfaafde68eb82b1a630a86a788fbc21672";

const SIGNED_BY_0: &str = "025d52089b2fef51b84bea50e4572b462de02cb652fcb7e6e8ec5cc92ce1c2278f\
                           58cf5345d03ce7a1dd36f3f77b89c0ef1c33e6213ca144a50e8781986e2d1329";
const SIGNED_BY_1: &str = "033bd2b387a673e80195bca4c33cdc14ab656e8903dc6a416fabf1e58934642ef7\
                           2953c70d6c1ba53c91d19921f2e2043c2dfc175ca81d7b18aaa5466f0e55d894";
/// With `comp(P)` in the nonce hash, as the reference signs.
const SIGNED_BY_0_IN_GO: &str = "02ad0298fd1d24973b2c177585f0d31d7a55182654e1810bc538ff12c2559a89b5\
                                 e0763511b90daf4e42abfbb0f9748a750098010a06a594294a689abb38bc8d73";

const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const FIELD_PRIME: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
const NOT_ON_CURVE: &str = "eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34";

fn encryption_key() -> EncryptionKey {
    EncryptionKey::from_x_only(finality_provider().public_key())
}

fn parse(text: &str) -> AdaptorSignature {
    text.parse().unwrap()
}

fn verifies(signature: &schnorr::Signature, key: &XOnlyPublicKey, digest: &[u8; 32]) -> bool {
    SECP256K1.verify_schnorr(signature, &Message::from_digest(*digest), key).is_ok()
}

/// `crypto.md` 3.7.
#[test]
fn adaptor_signatures_of_the_spec_are_reproduced_decrypted_and_recovered() {
    let digest = bytes(DIGEST);
    let key = DecryptionKey::from_slice(&bytes::<32>(EXTRACTED)).unwrap();
    let cases = [
        (
            0,
            SIGNED_BY_0,
            "5d52089b2fef51b84bea50e4572b462de02cb652fcb7e6e8ec5cc92ce1c2278f\
             7ae0a6f98a539ecdf3775e568762ed6e3c64550b91aa2bcdd3cebddea897444e",
        ),
        (
            1,
            SIGNED_BY_1,
            "3bd2b387a673e80195bca4c33cdc14ab656e8903dc6a416fabf1e58934642ef7\
             07427359b204ee107b912ec2e708d7bd0dcba872531493efe55e0a28d3eba76f",
        ),
    ];
    for (member, adaptor, decrypted) in cases {
        let signer = covenant(member);
        let signature = signer.sign_adaptor(&encryption_key(), &digest, &[0; 32]).unwrap();
        assert_eq!(signature.to_string(), adaptor);
        assert_eq!(parse(adaptor), signature);
        let completed = signature.decrypt(&key).unwrap();
        assert_eq!(completed.to_string(), decrypted);
        assert!(verifies(&completed, signer.public_key(), &digest));
        let recovered = signature.recover(&completed).unwrap();
        assert_eq!(recovered.public(), finality_provider().public_key());
        assert_eq!(*recovered.into_secret().to_evidence_bytes(), bytes(EXTRACTED));
    }
}

#[test]
fn signatures_with_the_other_nonce_hash_verify() {
    let signature = parse(SIGNED_BY_0_IN_GO);
    assert_eq!(signature.verify(covenant(0).public_key(), &encryption_key(), &bytes(DIGEST)), Ok(()));
}

#[test]
fn either_representative_of_the_secret_decrypts() {
    let [d, negative] = [finality_provider().signing_key().to_secret_bytes(), bytes::<32>(EXTRACTED).into()]
        .map(|secret| DecryptionKey::from_slice(&*secret).unwrap());
    assert_eq!(d.public(), negative.public());
    assert_eq!(d.encryption_key(), encryption_key());
    let signature = parse(SIGNED_BY_1);
    assert_eq!(signature.decrypt(&d), signature.decrypt(&negative));
}

/// The published vectors of the upstream specification, from the inputs its generator states (`gen_vectors`), with signatures
/// computed by an independent implementation of `crypto.md` 3.3. The adaptor points of the second, fifth and sixth have odd Y;
/// the third has no auxiliary randomness, it is made with a nonce that gives a small x-coordinate.
struct Published {
    secret: &'static str,
    public: &'static str,
    aux: Option<&'static str>,
    digest: &'static str,
    adaptor_secret: &'static str,
    adaptor_point: &'static str,
    signature: &'static str,
    decrypted: &'static str,
}

const PUBLISHED: [Published; 6] = [
    Published {
        secret: "0000000000000000000000000000000000000000000000000000000000000003",
        public: "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
        aux: Some("0000000000000000000000000000000000000000000000000000000000000000"),
        digest: "0000000000000000000000000000000000000000000000000000000000000000",
        adaptor_secret: "0000000000000000000000000000000000000000000000000000000000000002",
        adaptor_point: "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
        signature: "036179dbf3e13207853f880c7a7a85ec678bad64b897f108d476438ac4a932ee94\
                    97cc73b8c351f189b9d4fde893e3820d4bff7f49d4be1f8b02cb808cd31923a0",
        decrypted: "6179dbf3e13207853f880c7a7a85ec678bad64b897f108d476438ac4a932ee94\
                    97cc73b8c351f189b9d4fde893e3820d4bff7f49d4be1f8b02cb808cd319239e",
    },
    Published {
        secret: "0b432b2677937381aef05bb02a66ecd012773062cf3fa2549e44f58ed2401710",
        public: "25d1dff95105f5253c4022f628a996ad3a0d95fbf21d468a1b33f8c160d8f517",
        aux: Some("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
        digest: "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        adaptor_secret: "8b915d93b818468a035b06d6d4ff53eb6f22d9cf2b918b8deeb59eeb3327edae",
        adaptor_point: "0397720b391029f579f1f57173350b76e4a7c3f47153a50e46fa3a5f08be66b14a",
        signature: "02c974f52aece97c75e440a8d8677fc5105d8512287b9c0304fa8d51f0bf4860ba\
                    a53046d2221bb123ba045ff5e5bd26d88d0bf0d63b80e6405999c1d2b6ff0071",
        decrypted: "c974f52aece97c75e440a8d8677fc5105d8512287b9c0304fa8d51f0bf4860ba\
                    30c1a465da33f7adbd5f66ccbabc7ac5417fedbeb7c9d192887d023119f0acde",
    },
    Published {
        secret: "763758e5cbeedee4f7d3fc86f531c36578933228998226672f13c4f0ebe855eb",
        public: "d69c3509bb99e412e68b0fe8544e72837dfa30746d8be2aa65975f29d22dc7b9",
        aux: None,
        digest: "4df3c3f68fcc83b27e9d42c90431a72499f17875c81a599b566c9889b9696703",
        adaptor_secret: "bfffffffffffffffffffffffffffffff0c0325ad0376782ccfddc6e99c28b0f1",
        adaptor_point: "02a6b594b38fb3e77c6edf78161fade2041f4e09fd8497db776e546c41567feb3c",
        signature: "0200000000000000000000003b78ce563f89a0ed9414f5aa28ad0d96d6795f9c63\
                    b6afb1548af603b3eb45c9f8207dee100f7728f9fa531da1f5ff9f75b7166844",
        decrypted: "00000000000000000000003b78ce563f89a0ed9414f5aa28ad0d96d6795f9c63\
                    76afb1548af603b3eb45c9f8207dee1060cb71c04e80f593060b07d28308d7f4",
    },
    Published {
        secret: "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef",
        public: "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
        aux: Some("c87aa53824b4d7ae2eb035a2b5bbbccc080e76cdc6d1692c4b0b62d798e6d906"),
        digest: "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
        adaptor_secret: "848bc87f32c6f71d3a93a59424584562046f31693716ff73a897ccc1659c5f5d",
        adaptor_point: "02678f02c863b82cb7b6f0e521606ad8dc75c1ac71d97453db1a15610e15a12c83",
        signature: "03b8613cca78f4fa80ea58eed0c26b4ad491effc44503c8da90d15a9c17ed26013\
                    79783accaa0e620610619db44b0cd4fe0a47e063c2d09d22f213cff0555b5d50",
        decrypted: "b8613cca78f4fa80ea58eed0c26b4ad491effc44503c8da90d15a9c17ed26013\
                    f4ec724d77476ae8d5cdf82026b48f9ac0878be13b023deb094e61bbbff53f34",
    },
    Published {
        secret: "84bcb0c86af195c590a04c5e97d2d17edb2a35a82a162d2c0cb2e0923629fc8b",
        public: "a18dbc8dbf163c60dfa2ec7c87ac113ca482fa2e1fddd3ec8421bf9bfa2ef1f2",
        aux: Some("20e71d6198a2d8096d44180bc0e0d02d8b215ae6f1311ad1f03b6040e4c41889"),
        digest: "389575b92b586be2730a998241e5cf651d6c191fa64eea3d00256aff7d18484f",
        adaptor_secret: "e5e68d0e637da4822732e20f3eebe1826892e81c2cfec6bec600cda3f66a53f1",
        adaptor_point: "036809f5034a6795b33284c22475d4817abf2f982168ae86701c6333aaf303e9bb",
        signature: "0373db6d5803edd6502de3d0956ba3bd3faba98841c9ab074c795e3a9012c4298a\
                    4b6c99ee31db1c15813028262ec25e0e04c9d304155585f85ec002422d205d6e",
        decrypted: "73db6d5803edd6502de3d0956ba3bd3faba98841c9ab074c795e3a9012c4298a\
                    65860cdfce5d779359fd4616efd67c8a56e5c7ce979f5f755891932b06ec4abe",
    },
    Published {
        secret: "dbf97de24e9197b78f6166b15b870a85db1337099393f85e07a521919740b1ef",
        public: "15bf354375cfbedb43dac7d66bca46f5cf0a42fff060ec0ccc59a396b2254385",
        aux: Some("fbcb7b7e86899d0d4be438f415746f39ca19cd0c43721632b2ce19d37c211382"),
        digest: "2f4e505e2c70e81b94431800f810ecb04fd0aaeeb0c703f8dce44eedfa0ab8c2",
        adaptor_secret: "539212a1b9fc42f44ad1a57720c744408403ffff805848664027fc9c74b3876a",
        adaptor_point: "031c8b2a06d08fcc1c6eda2b8a1dec75a9033a045c8e52b4d7e9ec286cf59925aa",
        signature: "02e4c4161345d8c9d84a50d5762576be7bcf1ea31321ba6a6f3c6418536db43db4\
                    96728558d77965a6426d5c6a25b3f0b02ecec49fbbc7c966b9e3876c33704cb5",
        decrypted: "e4c4161345d8c9d84a50d5762576be7bcf1ea31321ba6a6f3c6418536db43db4\
                    ea0497fa9175a89a8d3f01e1467b34f0b2d2c49f3c2011ccfa0b8408a823d41f",
    },
];

#[test]
fn published_cases_hold_for_the_point_as_it_stands() {
    for (index, case) in PUBLISHED.iter().enumerate() {
        let key = SigningKey::from_bytes(&bytes(case.secret)).unwrap();
        let digest = bytes(case.digest);
        let point = PublicKey::from_slice(&bytes::<33>(case.adaptor_point)).unwrap();
        let signature = parse(case.signature);
        assert_eq!(key.public_key().serialize(), bytes(case.public), "case {index}");
        assert_eq!(signature.verify_for_point(key.public_key(), &point, &digest), Ok(()), "case {index}");
        if let Some(aux) = case.aux {
            assert_eq!(sign(&key, &point, &digest, &bytes(aux)), Ok(signature), "case {index}");
        }
        let raw = DecryptionKey::from_scalar(&Scalar::reduced(&bytes(case.adaptor_secret))).unwrap();
        let completed = signature.decrypt(&raw).unwrap();
        assert_eq!(completed.serialize(), bytes(case.decrypted), "case {index}");
        assert!(verifies(&completed, key.public_key(), &digest), "case {index}");
        let recovered = signature.recover(&completed).unwrap();
        assert_eq!(*recovered.scalar().to_bytes(), bytes(case.adaptor_secret), "case {index}");
    }
}

/// `crypto.md` 3.6.
#[test]
fn signature_to_an_odd_point_does_not_verify_for_the_normalised_one() {
    for case in &PUBLISHED {
        let odd = case.adaptor_point.starts_with("03");
        let normalised = EncryptionKey::from_compressed(&bytes::<33>(case.adaptor_point)).unwrap();
        let signer = XOnlyPublicKey::from_slice(&bytes::<32>(case.public)).unwrap();
        let verdict = parse(case.signature).verify(&signer, &normalised, &bytes(case.digest));
        assert_eq!(verdict, if odd { Err(VerifyError::Mismatch) } else { Ok(()) });
    }
}

/// The negative cases of the same source that parse.
#[test]
fn published_negative_cases_are_refused() {
    let case = &PUBLISHED[3];
    let signer = XOnlyPublicKey::from_slice(&bytes::<32>(case.public)).unwrap();
    let point = PublicKey::from_slice(&bytes::<33>(case.adaptor_point)).unwrap();
    let digest = bytes(case.digest);
    let good: [u8; 65] = bytes(case.signature);
    let negated_scalar = |bytes: [u8; 32]| *Scalar::reduced(&bytes).negate().to_bytes();

    let mut flipped_parity = good;
    flipped_parity[0] ^= 1;
    let mut negated_s = good;
    negated_s[33..].copy_from_slice(&negated_scalar(good[33..].try_into().unwrap()));
    let mut zero_s = good;
    zero_s[33..].fill(0);
    // Made with nonce zero: R0 is the adaptor point itself.
    let no_nonce = bytes(
        "02678f02c863b82cb7b6f0e521606ad8dc75c1ac71d97453db1a15610e15a12c83\
         9262ece4f176c3de642ddd09e8f5bfb1b084fa17787641b1d8761e3ce97ee0a2",
    );
    let cases = [
        (good, digest, Ok(())),
        (flipped_parity, digest, Err(VerifyError::Mismatch)),
        (negated_s, digest, Err(VerifyError::Mismatch)),
        (good, negated_scalar(digest), Err(VerifyError::Mismatch)),
        (zero_s, digest, Err(VerifyError::ZeroScalar)),
        (no_nonce, digest, Err(VerifyError::NonceAtInfinity)),
    ];
    for (signature, digest, verdict) in cases {
        let signature = AdaptorSignature::from_slice(&signature).unwrap();
        assert_eq!(signature.verify_for_point(&signer, &point, &digest), verdict);
    }
}

#[test]
fn legacy_form_is_read_and_the_current_form_written() {
    let current: [u8; 65] = bytes(SIGNED_BY_1);
    let legacy = [&[2], &current[1..], &[1]].concat();
    assert_eq!(legacy.len(), 66);
    let parsed = AdaptorSignature::from_slice(&legacy).unwrap();
    assert_eq!(parsed.to_bytes(), current);
    assert_eq!(parsed.verify(covenant(1).public_key(), &encryption_key(), &bytes(DIGEST)), Ok(()));

    let even: [u8; 65] = bytes(SIGNED_BY_0);
    let legacy_even = [&even[..], &[0]].concat();
    assert_eq!(AdaptorSignature::from_slice(&legacy_even).unwrap().to_bytes(), even);
}

/// `crypto.md` 3.2.
#[test]
fn malformed_signatures_are_refused() {
    let good: [u8; 65] = bytes(SIGNED_BY_1);
    let with = |range: std::ops::Range<usize>, replacement: &[u8]| {
        let mut changed = good;
        changed[range].copy_from_slice(replacement);
        AdaptorSignature::from_slice(&changed)
    };
    let legacy =
        |prefix: u8, suffix: u8| AdaptorSignature::from_slice(&[&[prefix], &good[1..], &[suffix]].concat());
    use InvalidAdaptorSignature as Invalid;
    let cases = [
        (AdaptorSignature::from_slice(&[]), Invalid::Length(0)),
        (AdaptorSignature::from_slice(&good[..64]), Invalid::Length(64)),
        (AdaptorSignature::from_slice(&[2; 67]), Invalid::Length(67)),
        (with(0..1, &[0]), Invalid::NoncePoint),
        (with(0..1, &[4]), Invalid::NoncePoint),
        (with(0..33, &[0; 33]), Invalid::NoncePoint),
        (with(1..33, &bytes::<32>(NOT_ON_CURVE)), Invalid::NoncePoint),
        (with(1..33, &bytes::<32>(FIELD_PRIME)), Invalid::NoncePoint),
        (with(33..65, &bytes::<32>(ORDER)), Invalid::ScalarOverflow),
        (with(33..65, &[0xff; 32]), Invalid::ScalarOverflow),
        (legacy(3, 1), Invalid::LegacyPrefix(3)),
        (legacy(0, 0), Invalid::LegacyPrefix(0)),
        (legacy(2, 2), Invalid::LegacySuffix(2)),
        (legacy(2, 3), Invalid::LegacySuffix(3)),
    ];
    for (result, error) in cases {
        assert_eq!(result, Err(error));
    }
    assert!(matches!("zz".repeat(65).parse::<AdaptorSignature>(), Err(Invalid::Hex(_))));
}

#[test]
fn a_zero_scalar_parses_and_is_good_for_nothing() {
    let mut zero: [u8; 65] = bytes(SIGNED_BY_0);
    zero[33..].fill(0);
    let zero = AdaptorSignature::from_slice(&zero).unwrap();
    let key = DecryptionKey::from_slice(&[1; 32]).unwrap();
    let completed = parse(SIGNED_BY_0).decrypt(&key).unwrap();
    assert_eq!(
        zero.verify(covenant(0).public_key(), &encryption_key(), &bytes(DIGEST)),
        Err(VerifyError::ZeroScalar)
    );
    assert_eq!(zero.decrypt(&key), Err(DecryptError::ZeroScalar));
    assert_eq!(zero.recover(&completed).err(), Some(RecoverError::ZeroScalar));
}

#[test]
fn recovery_from_useless_signatures_is_refused() {
    let adaptor = parse(SIGNED_BY_0);
    let same_scalar = schnorr::Signature::from_slice(&adaptor.to_bytes()[1..]).unwrap();
    let zero_scalar = schnorr::Signature::from_slice(&[0; 64]).unwrap();
    assert_eq!(adaptor.recover(&same_scalar).err(), Some(RecoverError::ZeroKey));
    assert_eq!(adaptor.recover(&zero_scalar).err(), Some(RecoverError::ZeroSignature));
}

/// `crypto.md` 3.1.
#[test]
fn encryption_keys_are_normalised_or_refused() {
    let x: [u8; 32] = finality_provider().public_key().serialize();
    let point = |prefix: u8, x: &[u8; 32]| [&[prefix], &x[..]].concat();
    for prefix in [2, 3] {
        let key = EncryptionKey::from_compressed(&point(prefix, &x)).unwrap();
        assert_eq!(key, encryption_key());
        assert_eq!(key.to_compressed()[0], 2);
        assert_eq!(key.to_x_only(), *finality_provider().public_key());
    }
    let cases = [
        (vec![], InvalidEncryptionKey::Length(0)),
        (x.to_vec(), InvalidEncryptionKey::Length(32)),
        (vec![0; 33], InvalidEncryptionKey::Infinity),
        (point(0, &x), InvalidEncryptionKey::Infinity),
        (point(4, &x), InvalidEncryptionKey::Prefix(4)),
        (point(2, &bytes(NOT_ON_CURVE)), InvalidEncryptionKey::NotOnCurve),
        (point(3, &bytes(FIELD_PRIME)), InvalidEncryptionKey::NotOnCurve),
    ];
    for (bytes, error) in cases {
        assert_eq!(EncryptionKey::from_compressed(&bytes), Err(error));
    }
}

#[test]
fn decryption_keys_are_reduced_normalised_or_refused() {
    let one = DecryptionKey::from_slice(&bytes::<32>(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
    ));
    assert_eq!(
        *one.unwrap().into_secret().to_evidence_bytes(),
        *Scalar::reduced(&{
            let mut one = [0; 32];
            one[31] = 1;
            one
        })
        .to_bytes()
    );
    for length in [0, 31, 33] {
        let error = DecryptionKey::from_slice(&vec![1; length]).err();
        assert_eq!(error, Some(InvalidDecryptionKey::Length(length)));
    }
    for zero in [[0; 32], bytes(ORDER)] {
        assert_eq!(DecryptionKey::from_slice(&zero).err(), Some(InvalidDecryptionKey::Zero));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn decrypt_inverts_encrypt_and_recover_inverts_decrypt(d in any_secret(), t in any_secret(), digest: [u8; 32], aux: [u8; 32]) {
        let signer = SigningKey::from_bytes(&d).unwrap();
        let key = DecryptionKey::from_slice(&t).unwrap();
        let signature = signer.sign_adaptor(&key.encryption_key(), &digest, &aux).unwrap();
        prop_assert_eq!(signer.sign_adaptor_unverified(&key.encryption_key(), &digest, &aux), Ok(signature));
        prop_assert_eq!(AdaptorSignature::from_slice(&signature.to_bytes()), Ok(signature));
        let completed = signature.decrypt(&key).unwrap();
        prop_assert!(verifies(&completed, signer.public_key(), &digest));
        let recovered = signature.recover(&completed).unwrap();
        prop_assert_eq!(recovered.public(), key.public());
        prop_assert_eq!(recovered.into_secret().to_evidence_bytes(), key.into_secret().to_evidence_bytes());
    }

    /// The scheme itself, for adaptor points of either parity.
    #[test]
    fn laws_hold_for_points_as_they_stand(d in any_secret(), t in any_secret(), digest: [u8; 32], aux: [u8; 32]) {
        let signer = SigningKey::from_bytes(&d).unwrap();
        for t in [Scalar::reduced(&t), Scalar::reduced(&t).negate()] {
            let key = DecryptionKey::from_scalar(&t).unwrap();
            let parity = if SigningKey::from_bytes(&t.to_bytes()).unwrap().has_odd_y() { Parity::Odd } else { Parity::Even };
            let point = key.public().public_key(parity);
            let signature = sign(&signer, &point, &digest, &aux).unwrap();
            prop_assert_eq!(signature.verify_for_point(signer.public_key(), &point, &digest), Ok(()));
            let completed = signature.decrypt(&key).unwrap();
            prop_assert!(verifies(&completed, signer.public_key(), &digest));
            prop_assert_eq!(signature.recover(&completed).unwrap().scalar().to_bytes(), t.to_bytes());
        }
    }

    #[test]
    fn anything_else_is_refused(d in any_secret(), other in any_secret(), t in any_secret(), digest: [u8; 32], bit in 0usize..520) {
        prop_assume!(d != other && d != t && other != t);
        let [signer, other] = [d, other].map(|secret| SigningKey::from_bytes(&secret).unwrap());
        let key = DecryptionKey::from_slice(&t).unwrap().encryption_key();
        let signature = signer.sign_adaptor(&key, &digest, &[0; 32]).unwrap();

        let mut flipped = signature.to_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(flipped) = AdaptorSignature::from_slice(&flipped) {
            prop_assert!(flipped.verify(signer.public_key(), &key, &digest).is_err());
        }
        let mut other_digest = digest;
        other_digest[bit % 32] ^= 1;
        let other_key = EncryptionKey::from_x_only(other.public_key());
        prop_assert!(signature.verify(signer.public_key(), &key, &other_digest).is_err());
        prop_assert!(signature.verify(signer.public_key(), &other_key, &digest).is_err());
        prop_assert!(signature.verify(other.public_key(), &key, &digest).is_err());
    }

    #[test]
    fn any_bytes_parse_or_are_refused(bytes: Vec<u8>, current: [[u8; 13]; 5]) {
        let _ = AdaptorSignature::from_slice(&bytes);
        if let Ok(signature) = AdaptorSignature::from_slice(current.as_flattened()) {
            prop_assert_eq!(&signature.to_bytes()[..], current.as_flattened());
        }
    }
}

//! The published check vectors, through the manager.
//!
//! Provenance: `finality-provider.md` 5.1 (reproduced by two independent implementations) and `crypto.md` 4.7, 5.4, 6.5.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_crypto::{eots, merkle, nonce};
use btc_staking_eots_manager::{
    TreeError,
    keys::{EotsKey, KeyError, mnemonic_from_entropy},
    manager::{EotsManager, SigningError},
    records::{NotSafe, SignRecords, Subject},
};
use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::VoteMessage},
    height::PosHeight,
    keys::AccountAddress,
    possession::ProofOfPossession,
};
use std::num::NonZeroUsize;

/// SHA256("app").
const APP_HASH: &str = "a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333";

fn key(secret: impl IntoIterator<Item = u8>) -> EotsKey {
    let bytes: Vec<u8> = secret.into_iter().collect();
    EotsKey::from_secret_bytes(&bytes.try_into().unwrap()).unwrap()
}

fn even() -> EotsKey {
    key(0x01..=0x20)
}

fn odd() -> EotsKey {
    key(0x02..=0x21)
}

/// SHA256("finality-provider-2"), of `crypto.md` 2.7.
fn spec_key() -> EotsKey {
    EotsKey::from_secret_hex("ddeeac4c45e948d3e9bf95a0f426d37f9a7e6dfc5a3fb912fa8b224695cc101c").unwrap()
}

fn manager(key: EotsKey) -> (tempfile::TempDir, EotsManager, Subject) {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
    assert!(records.declare_new(&subject).unwrap());
    (directory, EotsManager::new(records, [key]), subject)
}

fn height(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn vote(at: u64, app_hash: &str) -> VoteMessage {
    VoteMessage { height: height(at), app_hash: hex::decode(app_hash).unwrap().try_into().unwrap() }
}

#[test]
fn public_randomness_is_that_of_the_reference_derivation() {
    let table = [
        (even(), 1, "a432780b320b26617077c546d19473d9a609600950cb2b9970124e0dc82acb10"),
        (even(), 100, "b5bb229fa8d00245fb58fa60e5357fd6047aa48aeb2a9621488693a73fee9703"),
        (even(), 1_000_000, "03723c3e607fc1e611ec4ceb6630e6bbd72061e3c6e137910c29845358288007"),
        (odd(), 101, "5fda5c110c1d8e2ffdbf865ebda091553616de305fb11912d330ccc0a1e01ceb"),
        (spec_key(), 100, "2d98bc7b769de2796cf4c843cc44b030f2f64dabbcf1bf3fbe52050691d91524"),
        (spec_key(), 101, "cd82fd1cd0f9ea6d84d42786e74a718ce032cdb555406fc17e4a174f17736928"),
        (spec_key(), 102, "7cebd59fb6e8a9afd90b9d8565d3e60aa56f46e517cc2f0831d150600e2cc420"),
    ];
    for (key, at, expected) in table {
        let (_directory, manager, subject) = manager(key);
        let values = manager.public_randomness(&subject, height(at), 1).unwrap();
        assert_eq!(hex::encode(values[0].to_bytes()), expected, "height {at}");
    }
}

#[test]
fn commitments_have_the_reference_roots_and_verify_under_the_key() {
    let table = [
        (10, "5d6e4ccd7cb4cd4025adae44dfe5c8350796ca51a6b1375766a87ba0f0adc57f"),
        (50_000, "acb25f7f5418e180911470c377dc9a43a563808ecb5328db365a062483e00fd9"),
    ];
    let (_directory, manager, subject) = manager(even());
    for (count, root) in table {
        let commitment = manager.sign_commitment(&subject, height(1_000_000), count).unwrap();
        assert_eq!(hex::encode(commitment.root), root);
        assert_eq!(commitment, manager.sign_commitment(&subject, height(1_000_000), count).unwrap());
    }
    // Two ranges with one start: the record keeps the newest.
    let recorded = manager.records().commitments(&subject);
    assert_eq!(recorded.iter().map(|range| range.count).collect::<Vec<_>>(), [50_000]);
}

#[test]
fn votes_have_the_reference_signatures() {
    let table = [
        (even(), 100, APP_HASH, "33c0583f327a1a7c1c8fd018185f5d5a404cb9f9472d29e542cb84b83bc32253"),
        (odd(), 101, APP_HASH, "023e34e2307074ee808e5dc6b0a7351a7d47728201fbb5c67bfca7fd370c5c5b"),
        (
            spec_key(),
            101,
            &"ab".repeat(32),
            "5b14c08e638e6ff6a39a4b3acf6f099d5cd641fd53b0a4b6d0da705ec56cff06",
        ),
        (
            spec_key(),
            101,
            &"cd".repeat(32),
            "dad68929e04c2ea603a956f067bf0b9fc7cec531593b3cec181eca6532f5f08a",
        ),
    ];
    for (key, at, app_hash, expected) in table {
        // Each with records of its own: the last two together would give the key away.
        let (_directory, manager, subject) = manager(key);
        let signature = manager.sign_vote(&subject, vote(at, app_hash)).unwrap();
        assert_eq!(hex::encode(signature.to_bytes()), expected);
    }
}

#[test]
fn keys_have_the_reference_public_keys() {
    assert_eq!(
        even().public_key().to_string(),
        "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0"
    );
    assert_eq!(
        odd().public_key().to_string(),
        "460a7b966efffb36946f6dc3c17ff73ad789fc1c2df43c1258039ca2f9a1e3e6"
    );
}

#[test]
fn a_mnemonic_gives_its_bip32_master_key() {
    // BIP-39's own English vector with an empty passphrase; the master key by BIP-32 from its seed
    // 5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4.
    let phrase =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    let master =
        EotsKey::from_secret_hex("1837c1be8e2995ec11cda2b066151be2cfb48adf9e47b151d46adab3a21cdf67").unwrap();
    assert_eq!(EotsKey::from_mnemonic(phrase).unwrap().public_key(), master.public_key());
    let words = mnemonic_from_entropy(&[0; 32]);
    assert_eq!(words.split(' ').count(), 24);
    assert!(words.starts_with("abandon ") && words.ends_with(" art"));
}

#[test]
fn what_is_no_key_is_refused_with_a_reason() {
    assert!(matches!(EotsKey::from_mnemonic("abandon abandon"), Err(KeyError::Mnemonic(_))));
    assert!(matches!(EotsKey::from_secret_bytes(&[0; 32]), Err(KeyError::Secret(_))));
    assert!(matches!(EotsKey::from_secret_bytes(&[0xff; 32]), Err(KeyError::Secret(_))));
    assert!(matches!(EotsKey::from_secret_hex("01"), Err(KeyError::NotHex)));
    assert!(matches!(even().require(&odd().public_key()), Err(KeyError::OtherKey { .. })));
}

#[test]
fn a_vote_carries_randomness_and_proof_of_its_own_height() {
    let (_directory, manager, subject) = manager(odd());
    let commitment = manager.sign_commitment(&subject, height(95), 13).unwrap();
    let range = CommittedRandomness { start_height: height(95), count: 13, root: commitment.root };
    for at in 95..108 {
        let vote = manager.vote(&subject, vote(at, APP_HASH), &range).unwrap();
        assert_eq!((vote.proof.index, vote.proof.total), (at - 95, 13));
        vote.proof.verify(&commitment.root, &vote.public_randomness).unwrap();
        let key = vote.finality_provider;
        eots::verify(key.x_only(), &vote.public_randomness, &vote.message.to_bytes(), &vote.signature)
            .unwrap();
        assert_eq!(
            manager.proof(&subject, &range, height(at)).unwrap(),
            (vote.public_randomness, vote.proof)
        );
    }
    for outside in [94, 108] {
        let refused = manager.vote(&subject, vote(outside, APP_HASH), &range);
        assert!(matches!(refused, Err(SigningError::Tree(TreeError::OutsideRange { .. }))));
        assert_eq!(manager.records().vote_at(&subject, height(outside)), None, "nothing was recorded");
    }
}

#[test]
fn a_commitment_of_the_older_derivation_is_recognised_by_its_root() {
    let secret: Vec<u8> = (0x01..=0x20).collect();
    let secret = eots::EotsSecretKey::from_bytes(&secret.try_into().unwrap()).unwrap();
    let values =
        nonce::public_randomness(&secret, nonce::Scheme::V0, b"bbn-1", 100, 3, NonZeroUsize::MIN).unwrap();
    let range = CommittedRandomness { start_height: height(100), count: 3, root: merkle::root(&values) };
    let (_directory, manager, subject) = manager(even());
    let vote = manager.vote(&subject, vote(100, APP_HASH), &range).unwrap();
    assert_eq!(
        hex::encode(vote.public_randomness.to_bytes()),
        "bd8b510a9b64f72d5bccb42cf451db36bb3ae3899df9fc004df926d07baf55ab"
    );
    vote.proof.verify(&range.root, &vote.public_randomness).unwrap();
}

#[test]
fn a_commitment_of_another_key_or_chain_is_refused_and_nothing_is_signed() {
    let (_directory, manager, subject) = manager(even());
    let range = CommittedRandomness { start_height: height(100), count: 3, root: [1; 32] };
    for _ in 0..2 {
        let refused = manager.vote(&subject, vote(100, APP_HASH), &range);
        assert!(matches!(refused, Err(SigningError::Tree(TreeError::ForeignCommitment { .. }))));
        assert!(manager.check_commitment(&subject, &range).is_err());
    }
    assert_eq!(manager.records().highest(&subject), None);
    let stranger = Subject { finality_provider: odd().public_key(), ..subject };
    assert!(matches!(manager.sign_vote(&stranger, vote(1, APP_HASH)), Err(SigningError::UnknownKey(_))));
}

#[test]
fn ranges_that_cannot_be_derived_are_refused() {
    let (_directory, manager, subject) = manager(even());
    for (start, count) in [(1, 0), (1, u64::MAX), (u64::MAX, 2), (1, 320_001)] {
        let refused = manager.sign_commitment(&subject, height(start), count);
        assert!(matches!(refused, Err(SigningError::Tree(_))), "{count} from {start}");
    }
    assert!(manager.records().commitments(&subject).is_empty());
}

#[test]
fn a_second_vote_is_refused_with_the_evidence_and_the_first_again_is_identical() {
    let (_directory, manager, subject) = manager(even());
    let first = manager.sign_vote(&subject, vote(100, APP_HASH)).unwrap();
    let refused = manager.sign_vote(&subject, vote(100, &"cd".repeat(32))).unwrap_err();
    let SigningError::NotSafe(NotSafe::DoubleSign { recorded, requested, .. }) = refused else {
        panic!("{refused}")
    };
    assert_eq!((recorded, requested), (vote(100, APP_HASH), vote(100, &"cd".repeat(32))));
    assert_eq!(manager.sign_vote(&subject, vote(100, APP_HASH)).unwrap(), first);
}

#[test]
fn possession_is_signed_over_the_raw_account_bytes() {
    let (_directory, manager, subject) = manager(even());
    let bytes: Vec<u8> = (1..=20).collect();
    let account = AccountAddress::from_bytes("bbn", &bytes).unwrap();
    let possession = manager.sign_possession(&subject.finality_provider, &account).unwrap();
    let ProofOfPossession::Bip340(signature) = possession else { panic!("{possession:?}") };
    // crypto.md 4.7: the hash of these account bytes.
    let digest = hex::decode("e12f08743344c0eab7afaa22bb71e2725f7e13dece6ac2d23711054ee787b6c2").unwrap();
    let message = bitcoin::secp256k1::Message::from_digest(digest.try_into().unwrap());
    let key = subject.finality_provider;
    bitcoin::secp256k1::SECP256K1.verify_schnorr(&signature, &message, key.x_only()).unwrap();
}

#[test]
fn a_batch_gives_the_signatures_of_single_votes_and_refuses_only_what_conflicts() {
    let (_one, single, subject) = manager(even());
    let (_two, batched, _) = manager(even());
    let messages: Vec<_> = (1..=70).map(|at| vote(at, APP_HASH)).collect();
    let conflict = VoteMessage { app_hash: [9; 32], ..messages[3] };
    batched.sign_vote(&subject, conflict).unwrap();
    let answers = batched.sign_batch(&subject, &messages).unwrap();
    assert_eq!(answers.len(), messages.len());
    for (message, answer) in messages.iter().zip(answers) {
        assert_eq!(answer.height, message.height);
        match answer.result {
            Ok(signature) => assert_eq!(signature, single.sign_vote(&subject, *message).unwrap()),
            Err(SigningError::NotSafe(NotSafe::DoubleSign { recorded, requested, .. })) => {
                assert_eq!((recorded, requested), (conflict, messages[3]));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_batch_of_votes_joins_each_height_with_its_own_randomness_and_proof() {
    let (_directory, manager, subject) = manager(even());
    let commitment = manager.sign_commitment(&subject, height(10), 50).unwrap();
    let range = CommittedRandomness { start_height: height(10), count: 50, root: commitment.root };
    // Out of order and with gaps: values must be matched by height, not by place.
    let messages: Vec<_> = [40, 11, 12, 59, 10].map(|at| vote(at, APP_HASH)).to_vec();
    for answer in manager.vote_batch(&subject, &messages, &range).unwrap() {
        let vote = answer.result.unwrap();
        assert_eq!(vote.message.height, answer.height);
        vote.check(&range).unwrap();
    }
    let outside = [vote(30, APP_HASH), vote(60, APP_HASH)];
    assert!(matches!(manager.vote_batch(&subject, &outside, &range), Err(SigningError::Tree(_))));
    assert_eq!(manager.records().vote_at(&subject, height(30)), None, "nothing is recorded");
}

//! The readers of the Go manager's files, against files that the Go programs wrote (`data/go/README.md`).

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use base64::{Engine, engine::general_purpose::STANDARD};
use btc_staking_crypto::nonce::{self, Scheme};
use btc_staking_eots_manager::{
    keys::{Derivation, EotsKey, KeyError},
    legacy::{
        armor::{ArmorError, is_armor, open_armor},
        bolt::{BoltError, Database},
        eots_db::{EotsDatabase, Layout, LegacyDbError, LegacyRecord},
        jwe::JweError,
        keyring::{Keyring, KeyringError, SealedKeyError, TEST_PASSPHRASE, open_item, open_key},
        provider_db::read_providers,
    },
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use proptest::prelude::*;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Given to `eotsd keys add --recover` with `--hd-path ""` and with its default.
const PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

/// Entry "alice" as the SDK's amino codec writes it (`data/go/README.md`).
const AMINO_ENTRY: &str = "650dad153d0a05616c6963651226eb5ae987210284bf7562262bbd6940085748f3be6afa52ae317155181ece31b6\
    6351ccffa4b01a25e1b0f79b200102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202209736563703235366b31";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/go").join(name)
}

fn key(first: u8) -> EotsKey {
    let bytes: Vec<u8> = (first..first + 32).collect();
    EotsKey::from_secret_bytes(&bytes.try_into().unwrap()).unwrap()
}

fn alice() -> FinalityProviderPublicKey {
    key(1).public_key()
}

fn app_hash(height: u64) -> [u8; 32] {
    Sha256::digest(format!("app{height}")).into()
}

/// A copy, so that tests that lock it do not meet each other.
fn copied(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy.db");
    fs::copy(data(name), &path).unwrap();
    (directory, path)
}

fn records(name: &str, chain: Option<&str>) -> Result<Vec<LegacyRecord>, LegacyDbError> {
    let (_directory, path) = copied(name);
    let chain = chain.map(|chain| chain.parse().unwrap());
    let mut records = Vec::new();
    EotsDatabase::open(&path)?.for_each_record(chain.as_ref(), |record| records.push(record))?;
    Ok(records)
}

fn summary(records: &[LegacyRecord]) -> Vec<(String, u64)> {
    records.iter().map(|record| (record.subject.chain_id.to_string(), record.height.to_u64())).collect()
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn read_all(bytes: &[u8], bucket: &str) -> Result<Option<Pairs>, BoltError> {
    let database = Database::open(bytes)?;
    let Some(bucket) = database.bucket(bucket.as_bytes())? else { return Ok(None) };
    let mut pairs = Pairs::new();
    database.for_each(&bucket, |key, value| {
        pairs.push((key.to_vec(), value.to_vec()));
        Ok::<_, BoltError>(())
    })?;
    Ok(Some(pairs))
}

#[test]
fn pages_of_every_kind_are_read() {
    let bytes = fs::read(data("pages.db")).unwrap();
    let many = read_all(&bytes, "many").unwrap().unwrap();
    let odd: Pairs = (1..400_u64)
        .step_by(2)
        .map(|i| (i.to_be_bytes().to_vec(), format!("value {i}").into_bytes()))
        .collect();
    assert_eq!(many, odd);
    let big = read_all(&bytes, "big").unwrap().unwrap();
    let value: Vec<u8> = (0..3000_u32).map(|i| i.to_le_bytes()[0]).collect();
    assert_eq!(big, [(b"overflow".to_vec(), value)]);
    assert_eq!(read_all(&bytes, "inline").unwrap().unwrap(), [(b"a".to_vec(), b"1".to_vec())]);
    assert_eq!(read_all(&bytes, "empty").unwrap().unwrap(), []);
    assert_eq!(read_all(&bytes, "absent").unwrap(), None);
    assert!(matches!(read_all(&bytes, "nested"), Err(BoltError::NestedBucket { .. })));
}

#[test]
fn one_damaged_meta_page_is_survived_and_two_are_not() {
    let mut bytes = fs::read(data("pages.db")).unwrap();
    let newest = if bytes[64] > bytes[1024 + 64] { 0 } else { 1024 };
    bytes[newest + 64] ^= 1;
    // The one before the last transaction, whose pages are all still there.
    assert!(read_all(&bytes, "big").unwrap().is_some());
    bytes[1024 - newest + 64] ^= 1;
    assert!(matches!(read_all(&bytes, "big"), Err(BoltError::NoMeta)));
}

#[test]
fn a_database_cut_short_is_refused_at_any_length_that_misses_a_page() {
    let bytes = fs::read(data("v0_13.db")).unwrap();
    for length in (0..bytes.len()).step_by(256) {
        if let Ok(Some(pairs)) = read_all(&bytes[..length], "signRecord") {
            assert_eq!(pairs.len(), 3, "at {length}");
        }
    }
}

#[test]
fn sign_records_and_names_of_the_go_manager_are_read() {
    let found = records("test-home/data/eots.db", None).unwrap();
    let mut expected: Vec<(String, u64)> = vec![("bbn-1".into(), 101)];
    expected.extend((100..109).map(|height| ("bbn-1".into(), height)));
    expected.extend([("bbn-test-6".into(), 7), ("bbn-test-6".into(), 9)]);
    assert_eq!(summary(&found), expected);
    for record in &found {
        let vote = record.vote.unwrap();
        assert_eq!((vote.height, vote.app_hash), (record.height, app_hash(record.height.to_u64())));
        assert_eq!(record.layout, Layout::V0_14);
    }
    let (_directory, path) = copied("test-home/data/eots.db");
    let names = EotsDatabase::open(&path).unwrap().key_names().unwrap();
    assert_eq!(names, [(key(2).public_key(), "bob/odd".to_owned()), (alice(), "alice".to_owned())]);
}

#[test]
fn records_of_v0_13_are_read_once_their_chain_is_named() {
    assert!(matches!(records("v0_13.db", None), Err(LegacyDbError::Entry { .. })));
    let found = records("v0_13.db", Some("bbn-1")).unwrap();
    assert_eq!(summary(&found), [50, 51, 52].map(|height| ("bbn-1".to_owned(), height)));
    for record in found {
        assert_eq!(record.layout, Layout::V0_13);
        assert_eq!(record.subject.finality_provider, alice());
        assert_eq!(record.vote.unwrap().app_hash, app_hash(record.height.to_u64()));
    }
}

#[test]
fn signatures_of_the_go_manager_are_ours_bit_for_bit() {
    for (name, scheme) in [("test-home/data/eots.db", Scheme::V1), ("v0_13.db", Scheme::V0)] {
        for record in records(name, Some("bbn-1")).unwrap() {
            let owner =
                [1, 2].map(key).into_iter().find(|key| key.public_key() == record.subject.finality_provider);
            let secret = owner.unwrap();
            let vote = record.vote.unwrap();
            let scalar: Vec<u8> =
                (1..=32).map(|byte| byte + u8::from(secret.public_key() != alice())).collect();
            let secret =
                btc_staking_crypto::eots::EotsSecretKey::from_bytes(&scalar.try_into().unwrap()).unwrap();
            let chain = record.subject.chain_id.as_str().as_bytes();
            let nonce = nonce::derive(&secret, scheme, chain, vote.height.to_u64());
            assert_eq!(Some(secret.sign(nonce, &vote.to_bytes()).unwrap()), record.signature);
        }
    }
}

#[test]
fn the_last_height_of_the_go_vote_daemon_is_read() {
    let (_directory, path) = copied("finality-provider.db");
    let providers = read_providers(&path).unwrap();
    assert_eq!(providers.len(), 1);
    assert_eq!(providers[0].subject.finality_provider, alice());
    assert_eq!(providers[0].subject.chain_id.as_str(), "bbn-1");
    assert_eq!(providers[0].last_voted_height, Some(PosHeight::new(110)));
}

#[test]
fn a_database_that_somebody_has_open_is_not_read() {
    let (_directory, path) = copied("v0_13.db");
    let other = fs::File::open(&path).unwrap();
    flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(matches!(EotsDatabase::open(&path), Err(LegacyDbError::InUse(_))));
    drop(other);
    assert!(EotsDatabase::open(&path).is_ok());
}

#[test]
fn keys_of_both_keyrings_open_and_only_as_the_expected_key() {
    let test = Keyring::list(&data("test-home/keyring-test")).unwrap();
    assert_eq!(test.names().collect::<Vec<_>>(), ["alice", "bob/odd"]);
    assert_eq!(test.load("alice", TEST_PASSPHRASE, &alice()).unwrap().public_key(), alice());
    let odd = key(2).public_key();
    assert_eq!(test.load("bob/odd", TEST_PASSPHRASE, &odd).unwrap().public_key(), odd);
    let other = test.load("alice", TEST_PASSPHRASE, &odd);
    assert!(matches!(
        other,
        Err(KeyringError::Key { source: SealedKeyError::Key(KeyError::OtherKey { .. }), .. })
    ));
    assert!(matches!(test.load("carol", b"test", &odd), Err(KeyringError::NoSuchKey { .. })));

    let file = Keyring::list(&data("file-home/keyring-file")).unwrap();
    let dave = EotsKey::from_secret_bytes(&[3; 32]).unwrap().public_key();
    assert_eq!(file.load("dave", b"correct horse", &dave).unwrap().public_key(), dave);
    let wrong = file.load("dave", b"wrong horse", &dave);
    assert!(matches!(
        wrong,
        Err(KeyringError::Key { source: SealedKeyError::Jwe(JweError::WrongPassphrase), .. })
    ));
}

#[test]
fn any_changed_byte_of_a_key_file_is_noticed() {
    let text = fs::read(data("test-home/keyring-test/alice.info")).unwrap();
    // Every 16th, because each try that gets as far as the passphrase costs 8192 rounds.
    for position in (0..text.len()).step_by(16) {
        let mut changed = text.clone();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        assert!(open_key(&changed, TEST_PASSPHRASE).is_err(), "at {position}");
    }
}

#[test]
fn an_exported_key_opens_with_its_passphrase_only() {
    let text = fs::read_to_string(data("alice.armor")).unwrap();
    assert!(is_armor(&text));
    assert_eq!(open_armor(&text, b"armor pass phrase").unwrap().public_key(), alice());
    assert!(matches!(open_armor(&text, b"another"), Err(ArmorError::WrongPassphrase)));
    let table = [
        (text.replace("dkUd", "dkUe"), "checksum"),
        (text.replace("secp256k1", "ed25519"), "ed25519"),
        (text.replace("argon2", "scrypt"), "scrypt"),
        (text.replace("-----END", "----END"), "last line"),
        (String::new(), "first"),
    ];
    for (changed, word) in table {
        assert_ne!(changed, text);
        let refused = open_armor(&changed, b"armor pass phrase").map(|key| key.public_key()).unwrap_err();
        assert!(refused.to_string().contains(word), "{refused} does not say {word}");
    }
}

#[test]
fn a_key_exported_by_an_older_release_opens_with_its_passphrase_only() {
    let text = fs::read_to_string(data("alice-bcrypt.armor")).unwrap();
    assert_eq!(open_armor(&text, b"armor pass phrase").unwrap().public_key(), alice());
    assert!(matches!(open_armor(&text, b"another"), Err(ArmorError::WrongPassphrase)));
    let short = text.replace("5A5A", "5A");
    let refused = open_armor(&short, b"armor pass phrase").map(|key| key.public_key()).unwrap_err();
    assert!(refused.to_string().contains("16 bytes"), "{refused}");
}

#[test]
fn a_keyring_entry_of_an_older_release_is_taken_and_only_as_the_key_it_names() {
    let keyring = Keyring::list(&data("amino-home/keyring-test")).unwrap();
    assert_eq!(keyring.load("alice", TEST_PASSPHRASE, &alice()).unwrap().public_key(), alice());
    let item = |entry: &[u8]| format!(r#"{{"Data":"{}"}}"#, STANDARD.encode(entry));
    let entry = hex::decode(AMINO_ENTRY).unwrap();
    assert_eq!(open_item(item(&entry).as_bytes()).unwrap().public_key(), alice());
    // The length, the kind, the public key, its kind, the secret, its kind, the curve.
    for position in [0, 1, 15, 20, 54, 58, 63, 95, 101] {
        let mut changed = entry.clone();
        changed[position] ^= 1;
        assert!(open_item(item(&changed).as_bytes()).is_err(), "at {position}");
    }
}

#[test]
fn a_phrase_gives_the_keys_of_the_go_manager_at_either_path() {
    for (derivation, expected) in [
        (Derivation::Master, "5660b70c8770245fb97ce9a811885e8045a1f333a799dcd3035788606cc55754"),
        (Derivation::Cosmos, "ba66a84cf7839af172a13e7fc9f5e7008cb8bca1585f8f3bafb3039eda3c1fdd"),
    ] {
        let key = EotsKey::from_mnemonic_at(PHRASE, derivation).unwrap();
        assert_eq!(key.public_key().to_string(), expected);
    }
}

proptest! {
    /// Whatever a file holds, it is read in bounded time and memory, or refused; it never panics.
    #[test]
    fn a_damaged_database_never_breaks_the_reader(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
        near_headers in any::<bool>(),
    ) {
        let mut bytes = fs::read(data("pages.db")).unwrap();
        for (at, value) in &changes {
            let mut at = at.index(bytes.len());
            if near_headers { at = at / 1024 * 1024 + at % 48; }
            bytes[at] = *value;
        }
        for bucket in ["many", "big", "inline", "empty", "nested"] {
            let _ = read_all(&bytes, bucket);
        }
    }
}

//! Files of the Go software that a migration reads, and sign records that travel between signers.

use base64::{Engine, engine::general_purpose::STANDARD};
use btc_staking_eots_manager::{
    interchange::{Interchange, Signed, Watermarks},
    keys::EotsKey,
    legacy::{
        armor::Armor,
        bolt::{BoltError, Database},
        eots_db::EotsDatabase,
        jwe, keyring,
        provider_db::providers_of,
    },
    records::{ChainId, Subject},
};
use btc_staking_protocol::{
    finality::vote::{PublicRandomness, VoteMessage},
    height::PosHeight,
};
use std::{collections::BTreeMap, str};

/// Files as the Go programs wrote them.
macro_rules! go {
    ($name:literal) => {
        include_bytes!(concat!("../../../finality-provider/eots-manager/tests/data/go/", $name)).to_vec()
    };
}

/// Buckets of the databases below, and of those that are migrated.
const BUCKETS: [&[u8]; 7] =
    [b"many", b"big", b"inline", b"empty", b"signRecord", b"fpKeyNames", b"finalityProviders"];
/// Of the entry of a release before 0.46 of the SDK: made by the SDK's own code.
const AMINO_ENTRY: &str = "650dad153d0a05616c6963651226eb5ae987210284bf7562262bbd6940085748f3be6afa52ae317155181ece31b6\
    6351ccffa4b01a25e1b0f79b200102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202209736563703235366b31";

/// A keyring's file with one round of key derivation where the Go programs take 8192, so that trying it costs nothing. Made
/// by an independent implementation.
const SEALED: &str = "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjcmVhdGVkIjoiMjAyNi0xMS0yMCAyMDowMDowMCArMDAwMCBVVEMiLCJlbmMi\
    OiJBMjU2R0NNIiwicDJjIjoxLCJwMnMiOiJkSGRsYkhabElHSjVkR1Z6In0.L5WnbID3W2laapwnoenP7-Bhog2L7Hb3MXFtdRdb\
    P2AngPtpsEEl-g.dHdlbHZlIG5vbmNl.KU_ZE0tGNyjTvUZpTjofD3MpEDRcacqPFg.k3B3smDHn8GCEKTqs4QU3A";

/// Valid examples.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "bolt_file" => vec![go!("pages.db"), go!("v0_13.db"), go!("finality-provider.db")],
        "eots_db" => vec![go!("test-home/data/eots.db"), go!("file-home/data/eots.db"), go!("v0_13.db")],
        "provider_db" => vec![go!("finality-provider.db")],
        "jwe_file" => vec![SEALED.into()],
        "armor_text" => vec![go!("alice.armor"), go!("alice-bcrypt.armor")],
        "keyring_item" => {
            vec![item(&hex::decode(AMINO_ENTRY).unwrap_or_default()), item(&record_entry())]
        }
        "interchange_json" => vec![interchange(0), interchange(3)],
        _ => Vec::new(),
    }
}

fn item(data: &[u8]) -> Vec<u8> {
    format!(r#"{{"Key":"alice.info","Data":"{}","Label":"alice"}}"#, STANDARD.encode(data)).into_bytes()
}

/// The entry of a later release, as protocol buffers.
fn record_entry() -> Vec<u8> {
    let secret: Vec<u8> = (1..=32).collect();
    let public = hex::decode("0284bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0");
    let public = any(b"/cosmos.crypto.secp256k1.PubKey", &public.unwrap_or_default());
    let local = field(1, &any(b"/cosmos.crypto.secp256k1.PrivKey", &secret));
    [field(1, b"alice"), field(2, &public), field(3, &local)].concat()
}

fn any(kind: &[u8], key: &[u8]) -> Vec<u8> {
    [field(1, kind), field(2, &field(1, key))].concat()
}

/// A field of fewer than 128 bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    [&[number << 3 | 2, length], bytes].concat()
}

fn interchange(votes: u64) -> Vec<u8> {
    let key = EotsKey::from_secret_bytes(&[7; 32]).expect("in range").public_key();
    let chain_id: ChainId = "bbn-1".parse().expect("a chain id");
    let signed: BTreeMap<_, _> = (1..=votes)
        .map(|height| VoteMessage { height: PosHeight::new(height), app_hash: [9; 32] })
        .map(|vote| (vote.height, Signed::of_vote(vote, PublicRandomness::from_bytes([3; 32]))))
        .collect();
    let high = PosHeight::new(votes + 5);
    let watermarks = (votes > 0).then_some(Watermarks { low: PosHeight::new(1), high });
    let file = Interchange::new(Subject { finality_provider: key, chain_id }, watermarks, signed);
    file.expect("its parts fit").to_json().into_bytes()
}

/// A database: bounded in time and memory whatever its pages say, and the keys of a bucket ascend.
pub fn bolt_file(data: &[u8]) -> bool {
    let Ok(database) = Database::open(data) else { return false };
    BUCKETS.iter().all(|name| {
        let Ok(bucket) = database.bucket(name) else { return false };
        let Some(bucket) = bucket else { return true };
        let mut last: Option<Vec<u8>> = None;
        let read = database.for_each(&bucket, |key, _| {
            assert!(last.as_deref().is_none_or(|last| last < key), "the keys of a bucket ascend");
            last = Some(key.to_vec());
            Ok::<_, BoltError>(())
        });
        read.is_ok()
    })
}

/// The Go manager's database: a vote that is read is one for the height it is filed under.
pub fn eots_db(data: &[u8]) -> bool {
    let Ok(database) = EotsDatabase::over(data) else { return false };
    let chain: ChainId = "bbn-1".parse().expect("a chain id");
    let records = database.for_each_record(Some(&chain), |record| {
        assert!(record.vote.is_none_or(|vote| vote.height == record.height));
    });
    records.is_ok() && database.key_names().is_ok()
}

/// The Go vote daemon's database.
pub fn provider_db(data: &[u8]) -> bool {
    let Ok(providers) = Database::open(data).map_err(Into::into).and_then(|file| providers_of(&file)) else {
        return false;
    };
    providers.iter().all(|provider| provider.last_voted_height != Some(PosHeight::new(0)))
}

/// An encrypted file of a keyring: it opens with its passphrase only when no byte of it was changed.
pub fn jwe_file(data: &[u8]) -> bool {
    jwe::open(data, b"test").is_ok()
}

/// What is in such a file: a key is taken only if it gives the public key beside it.
pub fn keyring_item(data: &[u8]) -> bool {
    keyring::open_item(data).is_ok()
}

/// An exported key is read or refused; opening it takes its time on purpose and is not tried.
pub fn armor_text(data: &[u8]) -> bool {
    str::from_utf8(data).is_ok_and(|text| Armor::parse(text).is_ok())
}

/// Sign records of another signer: the same after a round trip, which has one text, and never less barred.
pub fn interchange_json(data: &[u8]) -> bool {
    let Ok(file) = Interchange::parse(data) else { return false };
    let text = file.to_json();
    let again = Interchange::parse(text.as_bytes());
    assert_eq!(again.as_ref(), Ok(&file));
    assert_eq!(again.map(|again| again.to_json()), Ok(text));
    let high = file.watermarks().map(|marks| marks.high);
    assert_eq!(file.clone().minify().watermarks().map(|marks| marks.high), high);
    assert_eq!(file.clone().merge(file.clone()), Ok(file));
    true
}

//! Every metric of the signer is moved by what it counts, and by nothing else.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_daemon::metrics::Metrics;
use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::{EotsManager, Meters},
    records::{SignRecords, Subject},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use std::{collections::BTreeMap, num::NonZeroU64};

/// The metrics of a signer by name; there is one key on one chain.
fn values(metrics: &Metrics) -> BTreeMap<String, i64> {
    let text = metrics.render().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.split('{').next().unwrap().to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn vote(height: u64, block: u8) -> VoteMessage {
    VoteMessage { height: PosHeight::new(height), app_hash: [block; 32] }
}

/// One act of the signer.
type Act = fn(&EotsManager, &Subject);
/// Metrics and what they show afterwards.
type Moved = &'static [(&'static str, i64)];

#[test]
fn each_act_of_the_signer_moves_its_metrics_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    let key = || EotsKey::from_secret_bytes(&[7; 32]).unwrap();
    let subject = Subject { finality_provider: key().public_key(), chain_id: "bbn-1".parse().unwrap() };
    records.declare_new(&subject).unwrap();
    let metrics = Metrics::new("anything");
    let manager = EotsManager::locked(records, [subject.finality_provider])
        .metered(Meters::register(&metrics).unwrap());

    let table: [(&str, Act, Moved); 10] = [
        (
            "unlock",
            |m, _| m.unlock(EotsKey::from_secret_bytes(&[7; 32]).unwrap()).unwrap(),
            &[("created_keys_counter", 1)],
        ),
        ("unlock again", |m, _| m.unlock(EotsKey::from_secret_bytes(&[7; 32]).unwrap()).unwrap(), &[]),
        (
            "randomness",
            |m, s| drop(m.public_randomness(s, PosHeight::new(5), 3).unwrap()),
            &[("fp_total_generated_randomness_counter", 3), ("fp_last_generated_randomness_height", 7)],
        ),
        (
            "randomness at intervals",
            |m, s| {
                let interval = NonZeroU64::new(10).unwrap();
                drop(m.sparse_randomness(s, PosHeight::new(100), interval, 4).unwrap());
            },
            &[("fp_total_generated_randomness_counter", 7), ("fp_last_generated_randomness_height", 130)],
        ),
        (
            "commitment",
            |m, s| {
                m.sign_commitment(s, PosHeight::new(1), 50).unwrap();
            },
            &[
                ("fp_total_generated_randomness_counter", 57),
                ("fp_last_generated_randomness_height", 50),
                ("fp_total_schnorr_sign_counter", 1),
            ],
        ),
        (
            "possession",
            |m, s| {
                let account = "bbn14t2rwn8ca4a5679ty9hm0mehtv6jevd256s4gd".parse().unwrap();
                drop(m.sign_possession(&s.finality_provider, &account).unwrap());
            },
            &[("fp_total_schnorr_sign_counter", 2)],
        ),
        (
            "vote",
            |m, s| {
                m.sign_vote(s, vote(5, 1)).unwrap();
            },
            &[
                ("fp_total_eots_sign_counter", 1),
                ("fp_last_eots_sign_height", 5),
                ("fp_total_refused_double_signs_counter", 0),
            ],
        ),
        (
            "double sign",
            |m, s| drop(m.sign_vote(s, vote(5, 2)).unwrap_err()),
            &[("fp_total_refused_double_signs_counter", 1)],
        ),
        (
            "batch with two double signs",
            |m, s| drop(m.sign_batch(s, &[vote(6, 1), vote(7, 1), vote(7, 2), vote(5, 3)]).unwrap()),
            &[
                ("fp_total_eots_sign_counter", 3),
                ("fp_last_eots_sign_height", 7),
                ("fp_total_refused_double_signs_counter", 3),
            ],
        ),
        (
            "a height that is barred",
            |m, s| {
                m.records().record_watermark(s, PosHeight::new(9)).unwrap();
                drop(m.sign_vote(s, vote(8, 1)).unwrap_err());
            },
            &[],
        ),
    ];
    let mut expected = values(&metrics);
    assert_eq!(expected.len(), 1, "{expected:?}");
    for (what, act, moved) in table {
        act(&manager, &subject);
        expected.extend(moved.iter().map(|(name, value)| (format!("eots_{name}"), *value)));
        assert_eq!(values(&metrics), expected, "{what}");
    }
    assert_eq!(expected.len(), 7, "every metric was moved");
    let labels = format!("{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{}\"}}", subject.finality_provider);
    assert!(metrics.render().unwrap().contains(&format!("eots_fp_total_eots_sign_counter{labels} 3")));
}

#[test]
fn keys_that_are_open_from_the_start_count_as_opened() {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let metrics = Metrics::new("anything");
    let keys = [7, 8].map(|byte| EotsKey::from_secret_bytes(&[byte; 32]).unwrap());
    let records = SignRecords::open(directory.path()).unwrap();
    let _manager = EotsManager::new(records, keys).metered(Meters::register(&metrics).unwrap());
    assert_eq!(values(&metrics)["eots_created_keys_counter"], 2);
}

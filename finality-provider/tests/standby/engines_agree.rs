//! The double does what a real etcd does: both are given the same transactions, and every answer is compared.

use crate::etcd::Cluster;
use btc_staking_finality_provider::standby::{
    double::Store,
    engine::{Compare, Engine, EngineError, KeyRange, LeaseId, Op, Txn},
    etcd::Etcd,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use std::time::Duration;

const LEASE: LeaseId = LeaseId(77);
const NO_LEASE: LeaseId = LeaseId(78);

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["p/a", "p/b", "p/b0", "p/c/1", "p/c/2", "p/d"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "0", "00000000000000ff", "0000000000000100", "z"]).prop_map(str::to_owned)
}

fn range() -> impl Strategy<Value = KeyRange> {
    let two = (key(), key()).prop_map(|(a, b)| match a.cmp(&b) {
        std::cmp::Ordering::Less => KeyRange { start: a, end: Some(b) },
        std::cmp::Ordering::Equal => KeyRange::one(&a),
        std::cmp::Ordering::Greater => KeyRange { start: b, end: Some(a) },
    });
    prop_oneof![
        two,
        Just(KeyRange::prefix("p/")),
        Just(KeyRange::prefix("p/c/")),
        key().prop_map(|key| KeyRange::one(&key))
    ]
}

fn compare() -> impl Strategy<Value = Compare> {
    prop_oneof![
        key().prop_map(Compare::Absent),
        key().prop_map(Compare::Present),
        (key(), 1..60_i64).prop_map(|(key, at)| Compare::CreatedAt(key, at)),
        (key(), 1..60_i64).prop_map(|(key, at)| Compare::ModifiedAt(key, at)),
        (key(), value()).prop_map(|(key, value)| Compare::ValueIs(key, value)),
        (key(), value()).prop_map(|(key, value)| Compare::ValueBelow(key, value)),
    ]
}

fn read() -> impl Strategy<Value = Op> {
    (range(), 1..4_u32).prop_map(|(range, limit)| Op::Range { range, limit })
}

fn lease() -> impl Strategy<Value = Option<LeaseId>> {
    prop_oneof![4 => Just(None), 2 => Just(Some(LEASE)), 1 => Just(Some(NO_LEASE))]
}

/// One write among reads: etcd takes no transaction that writes a key twice.
fn branch() -> impl Strategy<Value = Vec<Op>> {
    let put = (key(), value(), lease()).prop_map(|(key, value, lease)| Op::Put { key, value, lease });
    let write = prop_oneof![3 => put, 1 => range().prop_map(Op::Delete)];
    (prop::collection::vec(read(), 0..2), prop::option::of(write), prop::collection::vec(read(), 0..2))
        .prop_map(|(before, write, after)| before.into_iter().chain(write).chain(after).collect())
}

fn flat() -> impl Strategy<Value = Txn> {
    (prop::collection::vec(compare(), 0..3), branch(), branch()).prop_map(|(compare, success, failure)| Txn {
        compare,
        success,
        failure,
    })
}

fn txn() -> impl Strategy<Value = Txn> {
    let nested =
        (prop::collection::vec(compare(), 0..2), flat(), read()).prop_map(|(compare, inner, read)| {
            let failure = vec![read.clone(), Op::Txn(inner.clone())];
            Txn { compare, success: vec![Op::Txn(inner), read], failure }
        });
    prop_oneof![2 => flat(), 1 => nested]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_double_answers_every_transaction_as_a_real_etcd_does() {
    let Some(cluster) = Cluster::start(1) else { return };
    let etcd = Etcd::connect(&cluster.endpoints(), None, Duration::from_secs(10)).unwrap();
    let mut double = Store::default();
    let mut runner = TestRunner::new(Config::default());
    let (mut written, mut refused) = (0, 0);
    for step in 0..600 {
        if step % 50 == 0 {
            // Ends the lease with what hangs on it, and begins it again.
            etcd.revoke(LEASE).await.unwrap();
            double.end(LEASE);
            assert!(!etcd.keep_alive(LEASE).await.unwrap());
            for _ in 0..2 {
                etcd.grant(LEASE, Duration::from_secs(600)).await.unwrap();
            }
            double.grant(LEASE);
            assert!(etcd.keep_alive(LEASE).await.unwrap());
        }
        let txn = txn().new_tree(&mut runner).unwrap().current();
        match (etcd.commit(txn.clone()).await, double.commit(&txn)) {
            (Ok(real), Ok(answer)) => {
                assert_eq!(
                    (&real.answers, real.revision),
                    (&answer.answers, answer.revision),
                    "step {step}: {txn:?}"
                );
                written = real.revision;
            }
            (Err(EngineError::Refused(real)), Err(EngineError::Refused(answer))) => {
                assert!(real.contains(&answer), "step {step}: {real}");
                refused += 1;
            }
            (real, answer) => panic!("step {step}: {txn:?}\nreal: {real:?}\ndouble: {answer:?}"),
        }
    }
    assert!(written > 100 && refused > 5, "{written} revisions, {refused} refused");
}

//! Two instances over a real etcd of three members: quorum lost and found, answers lost, members paused, data put back.

use crate::{
    etcd::Cluster,
    node::{Node, block, h, initialise, is_unreachable, prefix, subject, text, wait_until},
    oracle::Oracle,
    proxy::Proxy,
};
use btc_staking_eots_manager::signer::{RefusedReason, SignerError};
use btc_staking_finality_provider::standby::{
    engine::{Engine, KeyRange, Op, OpAnswer, Txn},
    etcd::Etcd,
    protocol::{MAX_HEIGHTS, build_history, read_history},
    seat::Seat,
};
use rustix::process::Signal;
use std::{sync::Arc, time::Duration};

/// The shortest that etcd grants.
const LEASE: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(2);

fn engine(endpoints: &[String]) -> Arc<Etcd> {
    Arc::new(Etcd::connect(endpoints, None, DEADLINE).unwrap())
}

async fn pair(cluster: &Cluster, oracle: &Oracle) -> (Node, Node) {
    let engine = engine(&cluster.endpoints());
    initialise(&*engine).await;
    let a = Node::start("a", engine.clone(), LEASE, oracle);
    a.wait_until_holder().await;
    let b = Node::start("b", engine, LEASE, oracle);
    b.wait_until_standing_by().await;
    (a, b)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_gone_is_replaced_and_its_votes_stay_the_only_ones() {
    let Some(cluster) = Cluster::start(3) else { return };
    let oracle = Oracle::default();
    let (mut a, b) = pair(&cluster, &oracle).await;
    let many: Vec<_> =
        (1..=u64::try_from(MAX_HEIGHTS).unwrap() * 2 + 5).map(|height| block(height, 1)).collect();
    assert!(a.vote(&many).await.unwrap().iter().all(|answer| answer.result.is_ok()));
    a.kill_keeper();
    let waited = b.wait_until_holder().await;
    println!("took over {} ms after the keeper of the holder was gone", waited.as_millis());
    assert_eq!(b.manager.records().votes(&subject()).len(), many.len());
    for message in &many[..3] {
        assert!(b.signs(*message).await, "the same vote is the same signature");
        assert!(!b.signs(block(message.height.to_u64(), 2)).await);
    }
    let next = h(many.last().unwrap().height.to_u64() + 1).to_u64();
    assert!(b.signs(block(next, 2)).await);
    assert!(matches!(a.vote(&[block(next + 1, 1)]).await, Err(SignerError::Standby { .. })));
    assert!(b.signs(block(next + 1, 2)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_signed_and_with_one_again_everything_goes_on() {
    let Some(mut cluster) = Cluster::start(3) else { return };
    let oracle = Oracle::default();
    let (a, b) = pair(&cluster, &oracle).await;
    assert!(a.signs(block(1, 1)).await);
    // One member may fail, in any of its ways.
    cluster.signal(0, Signal::STOP);
    wait_until("a signs with two members", async || a.signs(block(2, 1)).await || b.signs(block(2, 2)).await)
        .await;
    cluster.signal(0, Signal::CONT);
    cluster.kill(1);
    cluster.kill(2);
    let before = oracle.heights();
    for height in 3..6 {
        for (node, by) in [(&a, 1), (&b, 2)] {
            let refused = node.vote(&[block(height, by)]).await.unwrap_err();
            assert!(
                matches!(refused, SignerError::Unreachable(_) | SignerError::Standby { .. }),
                "{refused:?}"
            );
        }
    }
    assert_eq!(oracle.heights(), before);
    cluster.begin(1);
    cluster.begin(2);
    wait_until("someone signs again", async || {
        for height in 3..6 {
            let _ = (a.signs(block(height, 1)).await, b.signs(block(height, 2)).await);
        }
        oracle.has(3) && oracle.has(4) && oracle.has(5)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_on_the_way_is_read_back() {
    let Some(cluster) = Cluster::start(1) else { return };
    let oracle = Oracle::default();
    let proxy = Proxy::start(cluster.client_address(0)).await;
    let direct = engine(&cluster.endpoints());
    initialise(&*direct).await;
    // Long enough that it does not end while answers are lost.
    let a = Node::start("a", engine(&[proxy.endpoint()]), Duration::from_secs(60), &oracle);
    a.wait_until_holder().await;
    assert!(a.signs(block(1, 1)).await);
    proxy.swallow_answers(true);
    let refused = a.vote(&[block(2, 1)]).await.unwrap_err();
    assert!(matches!(refused, SignerError::Unreachable(_)), "{refused:?}");
    let keys = prefix().keys(&subject());
    let shared =
        read_history(&keys, direct.commit(build_history(&keys, Some(h(1)))).await.unwrap()).unwrap().unwrap();
    assert_eq!(
        shared.votes.iter().map(|vote| vote.message).collect::<Vec<_>>(),
        [block(2, 1)],
        "it took place"
    );
    assert!(!oracle.has(2));
    proxy.swallow_answers(false);
    wait_until("another block at that height is refused", async || match a.vote(&[block(2, 9)]).await {
        Ok(answers) => {
            let refused = answers[0].result.as_ref().unwrap_err();
            assert!(matches!(refused.reason, RefusedReason::DoubleSign { .. }));
            true
        }
        Err(error) => {
            assert!(matches!(error, SignerError::Unreachable(_)), "{error:?}");
            false
        }
    })
    .await;
    assert!(a.signs(block(2, 1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_put_back_from_a_backup_is_refused() {
    let Some(mut cluster) = Cluster::start(1) else { return };
    let oracle = Oracle::default();
    let (a, b) = pair(&cluster, &oracle).await;
    assert!(a.signs(block(1, 1)).await);
    cluster.kill(0);
    let backup = cluster.copy_data();
    cluster.begin(0);
    cluster.wait_until_healthy(0);
    wait_until("it signs on", async || a.signs(block(2, 1)).await || b.signs(block(2, 2)).await).await;
    wait_until("and on", async || a.signs(block(3, 1)).await || b.signs(block(3, 2)).await).await;
    let voted = oracle.heights();
    for node in [&a, &b] {
        wait_until("both know", async || node.manager.records().vote_at(&subject(), h(3)).is_some()).await;
    }
    cluster.kill(0);
    cluster.put_back(&backup);
    cluster.begin(0);
    cluster.wait_until_healthy(0);
    for (node, by) in [(&a, 3), (&b, 4)] {
        wait_until("it is noticed", async || {
            let refused = node.vote(&[block(3, by), block(4, by)]).await.unwrap_err();
            text(&refused).contains("restored from a backup") || matches!(node.seat(), Seat::Barred(_))
        })
        .await;
    }
    assert_eq!(oracle.heights(), voted);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_heights_as_are_sent_at_once_fit_one_transaction() {
    let Some(cluster) = Cluster::start(1) else { return };
    let engine = engine(&cluster.endpoints());
    let many = |count: usize| {
        let inner = |index| {
            let read = || Op::get(&format!("x/{index}"));
            Op::Txn(Txn { compare: Vec::new(), success: vec![read(), read()], failure: Vec::new() })
        };
        Txn::read((0..count).map(inner).collect())
    };
    let answers = engine.commit(many(MAX_HEIGHTS)).await.unwrap().answers;
    assert_eq!(answers.ops.len(), MAX_HEIGHTS);
    assert!(!is_unreachable(&engine.commit(many(200)).await.unwrap_err()), "etcd's own limit is a refusal");
    let all = Op::Range { range: KeyRange::prefix("x/"), limit: 5 };
    let answer = engine.commit(Txn::read(vec![all])).await.unwrap().answers.ops.pop();
    assert_eq!(answer, Some(OpAnswer::Range { entries: Vec::new(), more: false }));
}

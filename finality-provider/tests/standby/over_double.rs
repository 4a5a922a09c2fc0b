//! What an instance does, over an engine in memory whose leases end when the test says so.

use crate::{
    node::{Node, block, h, initialise, prefix, subject, text, wait_until},
    oracle::Oracle,
};
use btc_staking_eots_manager::signer::{RefusedReason, Signer, SignerError};
use btc_staking_finality_provider::standby::{
    double::{EngineDouble, Fault, Store},
    engine::{Engine, Op, Txn},
    protocol::{MAX_HEIGHTS, build_initialise, build_look, build_raise, read_look, values::Instance},
    seat::Seat,
};
use std::{sync::Arc, time::Duration};

const LEASE: Duration = Duration::from_secs(1);

async fn pair() -> (Arc<EngineDouble>, Oracle, Node, Node) {
    let (engine, oracle) = (Arc::new(EngineDouble::default()), Oracle::default());
    initialise(&*engine).await;
    let a = Node::start("a", engine.clone(), LEASE, &oracle);
    a.wait_until_holder().await;
    let b = Node::start("b", engine.clone(), LEASE, &oracle);
    b.wait_until_standing_by().await;
    (engine, oracle, a, b)
}

/// Ends the lease of an instance that is dead to the engine.
fn end_leases(engine: &EngineDouble) {
    engine.with(|store| {
        let leases: Vec<_> = store.leases().collect();
        leases.into_iter().for_each(|lease| store.end(lease));
    });
}

#[tokio::test]
async fn only_the_holder_signs_and_the_other_names_it() {
    let (_, oracle, a, b) = pair().await;
    assert!(a.signs(block(5, 1)).await);
    let refused = b.vote(&[block(6, 2)]).await.unwrap_err();
    assert!(
        matches!(&refused, SignerError::Standby { holder: Some(holder) } if holder == "a"),
        "{refused:?}"
    );
    assert!(matches!(b.standby.history(&subject()).await, Err(SignerError::Standby { .. })));
    let commitment = b.standby.sign_commitment(&subject(), h(1), 10).await;
    assert!(matches!(commitment, Err(SignerError::Standby { .. })));
    assert!(a.standby.sign_commitment(&subject(), h(1), 10).await.is_ok());
    assert_eq!(oracle.heights(), [5]);
}

#[tokio::test]
async fn the_votes_of_the_holder_come_into_the_records_of_the_other_and_are_signed_again_alike() {
    let (engine, oracle, mut a, b) = pair().await;
    assert!(a.signs(block(5, 1)).await);
    wait_until("b knows the vote", async || {
        b.manager.records().vote_at(&subject(), h(5)) == Some(block(5, 1))
    })
    .await;
    // In the cluster, and never released by a.
    assert!(a.signs(block(6, 1)).await && a.signs(block(8, 1)).await);
    a.kill_keeper();
    end_leases(&engine);
    b.wait_until_holder().await;
    assert_eq!(b.standby.history(&subject()).await.unwrap().highest, Some(h(8)));
    assert!(b.signs(block(6, 1)).await, "the same vote may go out once more");
    for refused in [block(5, 2), block(6, 2), block(8, 2)] {
        let answers = b.vote(&[refused]).await.unwrap();
        let reason = answers[0].result.as_ref().unwrap_err().reason;
        assert!(matches!(reason, RefusedReason::DoubleSign { recorded, .. } if recorded.app_hash == [1; 32]));
    }
    assert!(b.signs(block(7, 2)).await, "nobody voted there");
    assert_eq!(oracle.heights(), [5, 6, 7, 8]);
}

#[tokio::test]
async fn an_instance_that_does_not_know_that_it_lost_the_right_signs_nothing_new() {
    let (engine, oracle, mut a, b) = pair().await;
    a.kill_keeper();
    end_leases(&engine);
    b.wait_until_holder().await;
    assert!(b.signs(block(5, 2)).await);
    assert!(matches!(a.seat(), Seat::Held(_)), "its keeper is dead, so it cannot know");
    let refused = a.vote(&[block(5, 1), block(6, 1)]).await.unwrap_err();
    assert!(matches!(refused, SignerError::Standby { holder: Some(holder) } if holder == "b"));
    assert!(matches!(a.seat(), Seat::Taken(_)));
    assert_eq!(oracle.heights(), [5]);
}

#[tokio::test]
async fn a_stop_hands_over_at_once_and_a_restart_in_place_does_not_wait_for_the_old_lease() {
    let (engine, oracle, a, b) = pair().await;
    assert!(a.signs(block(1, 1)).await);
    let directory = a.stop().await;
    b.wait_until_holder().await;
    assert!(b.signs(block(2, 1)).await);
    let a = Node::start_in("a", directory, engine.clone(), LEASE, &oracle);
    a.wait_until_standing_by().await;
    // Killed, and started again before its lease ran out; the double ends none by itself.
    let b = reopened("b", b.kill(), engine, &oracle).await;
    // The old right is taken away at once; whoever looks first has the new one.
    wait_until("one of them signs on", async || a.signs(block(3, 1)).await || b.signs(block(3, 1)).await)
        .await;
}

/// The locks of the killed instance go with its last reference, which a task may hold for a moment.
async fn reopened(
    name: &'static str,
    directory: tempfile::TempDir,
    engine: Arc<EngineDouble>,
    oracle: &Oracle,
) -> Node {
    let path = directory.path().to_owned();
    wait_until("the locks are free", async || {
        btc_staking_eots_manager::records::SignRecords::open(&path).is_ok()
            && btc_staking_finality_provider::records::Records::open(&path).is_ok()
    })
    .await;
    Node::start_in(name, directory, engine, LEASE, oracle)
}

#[tokio::test]
async fn without_an_answer_nothing_is_signed_and_an_answer_that_was_lost_is_read_back() {
    let (engine, oracle, a, _b) = pair().await;
    for fault in [Fault::Deaf, Fault::AnswerLost] {
        engine.set_fault(fault);
        let refused = a.vote(&[block(5, 1)]).await.unwrap_err();
        assert!(matches!(refused, SignerError::Unreachable(_)), "{refused:?}");
        assert!(a.standby.history(&subject()).await.is_err());
    }
    engine.set_fault(Fault::None);
    assert!(oracle.heights().is_empty());
    wait_until("the right is known again", async || matches!(a.seat(), Seat::Held(_))).await;
    // The chain has another block at that height by now; the vote that is in the engine stays.
    let answers = a.vote(&[block(5, 3)]).await.unwrap();
    assert!(matches!(answers[0].result.as_ref().unwrap_err().reason, RefusedReason::DoubleSign { .. }));
    assert!(a.signs(block(5, 1)).await);
}

#[tokio::test]
async fn one_bad_height_of_a_batch_does_not_hinder_the_others() {
    let (_, _, a, _b) = pair().await;
    assert!(a.signs(block(3, 1)).await);
    assert!(a.standby.raise_watermark(&subject(), h(2)).await.is_ok());
    // More than one transaction, a height twice, a conflict and a height that is barred.
    let last = 3 + 2 * u64::try_from(MAX_HEIGHTS).unwrap() + 7;
    let mut messages: Vec<_> = (2..=last).map(|height| block(height, 2)).collect();
    messages.push(block(9, 2));
    messages.push(block(10, 7));
    let answers = a.vote(&messages).await.unwrap();
    assert_eq!(answers.len(), messages.len());
    for (message, answer) in messages.iter().zip(&answers) {
        let refused = answer.result.as_ref().err().map(|refused| refused.reason);
        let fits = match (message.height.to_u64(), message.app_hash[0]) {
            (2, _) => matches!(refused, Some(RefusedReason::BelowWatermark(low)) if low == h(2)),
            (3, _) | (10, 7) => matches!(refused, Some(RefusedReason::DoubleSign { .. })),
            _ => refused.is_none(),
        };
        assert!(fits && answer.height == message.height, "{message:?}: {refused:?}");
    }
}

#[tokio::test]
async fn an_engine_that_does_not_know_the_key_signs_nothing() {
    let (engine, oracle) = (Arc::new(EngineDouble::default()), Oracle::default());
    let a = Node::start("a", engine.clone(), LEASE, &oracle);
    wait_until("a learns it", async || a.seat() == Seat::NotInitialised).await;
    let refused = a.vote(&[block(1, 1)]).await.unwrap_err();
    assert!(text(&refused).contains("ha init"), "{refused}");
    initialise(&*engine).await;
    a.wait_until_holder().await;
    assert!(a.signs(block(1, 1)).await);
}

#[tokio::test]
async fn an_engine_put_back_from_a_backup_is_refused_by_those_who_saw_more_of_it() {
    // After a single write that was forgotten, the next one gives the revision of the one before; who only reads cannot tell.
    for forgotten in [1, 3] {
        let (engine, oracle, a, b) = pair().await;
        let backup: Store = engine.with(|store| store.clone());
        for height in 1..=forgotten {
            assert!(a.signs(block(height, 1)).await);
        }
        let last = h(forgotten);
        wait_until("b knows the votes", async || b.manager.records().vote_at(&subject(), last).is_some())
            .await;
        engine.with(|store| *store = backup);
        for node in if forgotten == 1 { vec![&a] } else { vec![&a, &b] } {
            wait_until("it is noticed", async || {
                matches!(node.vote(&[block(9, 2)]).await, Err(error) if text(&error).contains("restored from a backup"))
            })
            .await;
        }
        assert_eq!(oracle.heights(), (1..=forgotten).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn own_records_above_those_of_the_engine_or_against_them_bar_the_instance() {
    for (votes, what) in [(vec![block(50, 1)], "etcd lost votes"), (vec![block(9, 1)], "another vote")] {
        let (engine, oracle) = (Arc::new(EngineDouble::default()), Oracle::default());
        initialise(&*engine).await;
        let other = Node::start("other", engine.clone(), LEASE, &oracle);
        other.wait_until_holder().await;
        assert!(other.signs(block(9, 2)).await && other.signs(block(10, 2)).await);
        other.stop().await;
        let directory = tempfile::tempdir().unwrap();
        let manager = crate::node::open_manager(directory.path());
        manager.record_signed_elsewhere(&subject(), &votes, h(1)).unwrap();
        drop(manager);
        let a = Node::start_in("a", directory, engine.clone(), LEASE, &oracle);
        wait_until("a is barred", async || matches!(a.seat(), Seat::Barred(_))).await;
        let refused = a.vote(&[block(60, 1)]).await.unwrap_err();
        assert!(text(&refused).contains(what), "{refused}");
        // It steps aside, and nobody else signs a height up to which it may have signed.
        let known = votes[0].height.to_u64();
        let b = Node::start("b", engine, LEASE, &oracle);
        b.wait_until_holder().await;
        assert!(!b.signs(block(known, 3)).await && b.signs(block(known + 11, 3)).await);
    }
}

#[tokio::test]
async fn a_watermark_is_raised_in_the_engine_and_in_the_own_records() {
    let (engine, _, a, b) = pair().await;
    a.standby.raise_watermark(&subject(), h(40)).await.unwrap();
    assert_eq!(a.manager.records().watermark(&subject()), Some(h(40)));
    wait_until("b has it too", async || b.manager.records().watermark(&subject()) == Some(h(40))).await;
    assert!(matches!(b.standby.raise_watermark(&subject(), h(50)).await, Err(SignerError::Standby { .. })));
    // Whoever raised it: it never falls.
    engine.commit(build_raise(&prefix().keys(&subject()), h(30))).await.unwrap();
    engine.commit(build_initialise(&prefix().keys(&subject()), h(3))).await.unwrap();
    let answers = a.vote(&[block(40, 1), block(41, 1)]).await.unwrap();
    assert!(answers[0].result.is_err() && answers[1].result.is_ok());
}

#[tokio::test]
async fn what_somebody_else_wrote_under_the_prefix_is_refused_and_not_guessed_at() {
    let (engine, oracle, a, _b) = pair().await;
    let keys = prefix().keys(&subject());
    for value in ["", "5", "000000000000000g", "00000000000000005"] {
        let put = Op::Put { key: keys.low.clone(), value: value.to_owned(), lease: None };
        engine.commit(Txn::read(vec![put])).await.unwrap();
        assert!(a.vote(&[block(0, 1)]).await.is_err() || !a.signs(block(0, 1)).await, "{value:?}");
    }
    let put = Op::Put { key: keys.vote(h(7)), value: "zz a".to_owned(), lease: None };
    engine.commit(Txn::read(vec![put])).await.unwrap();
    assert!(text(&a.vote(&[block(7, 1)]).await.unwrap_err()).contains("does not hold what it should"));
    assert!(oracle.heights().is_empty());
    let holders = read_look(engine.commit(build_look(&prefix())).await.unwrap()).unwrap();
    assert_eq!(Instance::parse(&holders[0]).unwrap().name.to_string(), "a");
}

/// No clock decides: whatever jumps, stands still or runs ahead, this code cannot notice.
#[test]
fn no_file_of_the_standby_reads_a_clock() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/standby");
    let mut seen = 0;
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for clock in ["SystemTime", "Instant", "Clock", "chrono", "since_epoch", "monotonic"] {
                assert!(!source.contains(clock), "{} names {clock}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[tokio::test]
async fn leases_that_end_and_answers_that_are_lost_at_any_moment_lead_to_no_second_signature() {
    let (engine, oracle, a, b) = pair().await;
    for round in 1..40_u64 {
        match round % 5 {
            1 => end_leases(&engine),
            3 => engine.set_fault(Fault::AnswerLost),
            4 => engine.set_fault(Fault::Deaf),
            _ => engine.set_fault(Fault::None),
        }
        for height in round..round + 3 {
            let _ = tokio::join!(a.signs(block(height, 1)), b.signs(block(height, 2)));
        }
        // Any moment: the keepers act every tenth of a second.
        tokio::time::sleep(Duration::from_millis(round * 37 % 130)).await;
    }
    engine.set_fault(Fault::None);
    wait_until("one of them signs the last height", async || {
        a.signs(block(50, 1)).await || b.signs(block(50, 2)).await
    })
    .await;
    println!("signed at {:?}", oracle.heights());
    assert!(oracle.heights().len() > 5);
}
